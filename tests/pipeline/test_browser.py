"""An EventSource in a browser, on a page of another origin."""

import http.server
import json
import shutil
import subprocess
import tempfile
import threading

import pytest

from harness import environment, eventually
from test_streams import Writer, by_partition, counts, logged, mark

CHROMIUM = shutil.which("chromium")

PAGE = """<!doctype html><title>Events</title><script>
const source = new EventSource("http://127.0.0.1:%d/events");
const tell = (path, body) => fetch(path, {method: "POST", body: JSON.stringify(body)});
let queue = Promise.resolve();
const say = (path, body) => queue = queue.then(() => tell(path, body));
for (const type of ["entryCreated", "entryUpdated", "entryDeleted"])
    source.addEventListener(type, event => say("/seen", [event.type, event.lastEventId, event.data]));
source.onopen = () => say("/opened", source.readyState);
source.onerror = () => say("/broken", source.readyState);
</script>"""


class Page(http.server.ThreadingHTTPServer):
    """Serves the page, and keeps what it tells."""

    def __init__(self, port):
        self.told = {"/seen": [], "/opened": [], "/broken": []}
        page = (PAGE % port).encode()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self, status, body=b""):
                self.send_response(status)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                self.answer(200 if self.path == "/" else 404, page if self.path == "/" else b"")

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.server.told[self.path].append(json.loads(body))
                self.answer(204)

            def log_message(self, *ignored):
                pass
        super().__init__(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def count(self, path):
        return len(self.told[path])


@pytest.fixture
def page(disturbed):
    page = Page(disturbed.query_api.port)
    yield page
    page.shutdown()
    page.server_close()


@pytest.fixture
def browse():
    """Opens a page in a browser that nobody sees."""
    started, folder = [], tempfile.mkdtemp(prefix="odradek-browser-")

    def open_page(url):
        started.append(subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
             "--disable-background-networking", "--disable-dev-shm-usage", "--remote-debugging-port=0",
             f"--user-data-dir={folder}", url],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment(HOME=folder), start_new_session=True))
    yield open_page
    for browser in started:
        browser.terminate()
        browser.wait()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("how", ["terminate", "kill"])
def test_an_event_source_in_a_browser_has_every_event_once_over_a_restart(pipeline, disturbed, page, browse, how):
    assert CHROMIUM, "chromium is not installed"
    cors = {"ODRADEK_HTTP_CORS_ORIGINS": page.origin}
    disturbed.query_api.terminate()
    disturbed.query_api.start(**cors).await_ready()
    start = counts(pipeline.settle())
    browse(page.origin + "/")
    eventually(lambda: page.count("/opened") == 1)
    writer = Writer(disturbed)
    try:
        for _ in range(2):
            seen, opened = page.count("/seen"), page.count("/opened")
            eventually(lambda: page.count("/seen") >= seen + 50)
            disturbed.query_api.terminate() if how == "terminate" else disturbed.query_api.kill()
            disturbed.query_api.start(**cors)
            eventually(lambda: page.count("/opened") > opened)
    finally:
        writer.end()
    marks = mark(pipeline)
    eventually(lambda: marks <= {json.loads(data)["id"] for _, _, data in page.told["/seen"]})
    assert page.count("/broken") >= 2
    check(pipeline, page, start)
    disturbed.query_api.terminate()  # the others' has no CORS


def check(pipeline, page, start):
    """What the page was told is just what the log has since then, once, in order by partition."""
    class Seen:
        def __init__(self, kind, last_id, data):
            self.json = json.loads(data)
            self.key = self.json["id"], self.json["version"]
            assert kind == self.json["type"] and last_id
    given, there = by_partition(pipeline, [Seen(*told) for told in page.told["/seen"]]), logged(pipeline)
    for partition, keys in there.items():
        assert given[partition] == keys[start[partition]:]
