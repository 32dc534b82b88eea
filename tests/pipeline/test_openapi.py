"""What the APIs say of themselves: GET /, /openapi.json and /docs; and that it is true, as schemathesis, a generated
client and a browser find it."""

import json
import os
import re
import shutil
import subprocess

import pytest

from client import SEEN
from harness import GENEROUS, ROOT, TYPES, Service, eventually
from test_commands import problem

HERE = ROOT / "tests/pipeline/openapi"
TOOLS = ROOT / "build/test-tools"
PYTHON = TOOLS / "python/bin/python"
SCHEMAS = ROOT / "tests/pipeline/schemas"
BOOK = {"name": "Book", "base": "books", "schema": "schemas/book.json"}


def run(*words, within=GENEROUS * 5, **env):
    """Runs a program to its end; what it said goes with a failure."""
    done = subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", timeout=within, env={**os.environ, **env})
    assert done.returncode == 0, f"{' '.join(map(str, words))}: {done.returncode}\n{done.stdout[-12000:]}"
    return done.stdout


class Apis:
    """Both APIs with settings of their own, beside the stack whose servers and other services they use."""

    def __init__(self, stack, name, types, **settings):
        self.settings_path = stack.folder / f"{name}.json"
        self.settings_path.write_text(json.dumps({**stack.settings, **settings, "contentTypes": types}))
        self.command_api, self.query_api = (Service(stack, api, 2) for api in ("command-api", "query-api"))
        for service in (self.command_api, self.query_api):
            service.start(settings=self.settings_path)

    def await_ready(self):
        for service in (self.command_api, self.query_api):
            service.await_ready()
        return self

    def close(self):
        for service in (self.command_api, self.query_api):
            if service.running:
                service.terminate()


def document_of(service):
    answer = service.get("/openapi.json")
    assert answer.status == 200 and answer.headers["Content-Type"] == "application/json"
    return answer.json


def operations(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


# ---- GET / ----

def test_an_api_lists_its_collections_and_its_other_paths(stack):
    for service in (stack.command_api, stack.query_api):
        told = service.get("/").json
        assert told["service"] == service.name and told["version"]
        assert {"type": "Entry", "href": "/entries"} in told["collections"]
        assert len(told["collections"]) == len(stack.settings["contentTypes"])
        for name, path in {"openapi": "/openapi.json", "docs": "/docs", "health": "/health", "metrics": "/metrics"}.items():
            assert told["links"][name] == path
            assert service.get(path).status == 200
    assert stack.command_api.get("/").json["links"]["commandStatus"] == "/commands/{id}"


# ---- GET /openapi.json ----

def with_references(stack):
    """The settings' part of a type whose schema has references of every kind; its files are put beside the others."""
    (stack.folder / "schemas/shared").mkdir(exist_ok=True)
    shutil.copy(SCHEMAS / "book.json", stack.folder / "schemas")
    shutil.copy(SCHEMAS / "publisher.json", stack.folder / "schemas/shared")
    return {"schemas": {"remotes": [{"base": "https://example.com/schemas/shared/", "path": "schemas/shared"}]}}


@pytest.fixture
def shipped(stack):
    """The APIs of the types that are shipped and one with references of every kind."""
    apis = Apis(stack, "shipped", [*TYPES, BOOK], **with_references(stack))
    yield apis
    apis.close()


VALIDATE = "import json, sys; from openapi_spec_validator import OpenAPIV31SpecValidator as V; " \
           "[V(json.load(open(name))).validate() for name in sys.argv[1:]]"


def test_the_documents_are_valid_openapi_with_schemas_of_every_kind(stack, shipped, tmp_path):
    names = []
    for service in (stack.command_api, stack.query_api, shipped.command_api, shipped.query_api):
        eventually(lambda service=service: service.get("/health").status == 200)
        names.append(tmp_path / f"{service.port}.json")
        names[-1].write_text(json.dumps(document_of(service)))
    run(PYTHON, "-c", VALIDATE, *names)


def references(value):
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for child in value.values():
            yield from references(child)
    elif isinstance(value, list):
        for child in value:
            yield from references(child)


def test_every_reference_leads_somewhere_in_the_document(stack, shipped):
    for service in (stack.command_api, shipped.command_api):
        eventually(lambda service=service: service.get("/health").status == 200)
        document = document_of(service)
        for reference in references(document):
            assert reference.startswith("#/"), reference
            at = document
            for step in reference[2:].split("/"):
                at = at[step]
    schemas = document["components"]["schemas"]
    assert schemas["Book"]["properties"]["sequel"] == {"$ref": "#/components/schemas/Book"}
    assert schemas["Book.data.place"]["prefixItems"] == [{"type": "number"}, {"type": "number"}]
    assert not {"$id", "$anchor", "$defs", "definitions"} & {key for schema in schemas.values() for key in schema}


def test_bounds_are_those_of_the_settings(stack):
    apis = Apis(stack, "bounds", TYPES, limits={"waitSeconds": 7, "bodyBytes": 2345})
    try:
        eventually(lambda: apis.command_api.get("/health").status == 200)
        document = document_of(apis.command_api)
    finally:
        apis.close()
    assert "7 at the longest" in document["components"]["parameters"]["Prefer"]["description"]
    assert "2345 bytes" in document["components"]["responses"]["413.too-large.change"]["description"]


def test_a_document_has_a_tag_and_is_not_sent_again(stack):
    for path in ("/", "/openapi.json"):
        first = stack.query_api.get(path)
        again = stack.query_api.get(path, {"If-None-Match": first.headers["ETag"]})
        assert again.status == 304 and again.body == b""
        assert stack.query_api.get(path, {"If-None-Match": '"another"'}).status == 200


def test_the_documents_list_just_the_problems_of_the_page_on_the_apis(stack):
    page = set(re.findall(r"^\| \*?`(/problems/[a-z-]+)`", (ROOT / "docs/api.md").read_text(), re.M))
    listed = set()
    for service in (stack.command_api, stack.query_api):
        for response in document_of(service)["components"]["responses"].values():
            listed |= set(response["content"]["application/problem+json"]["schema"]["allOf"][1]["properties"]["type"]["enum"])
    # What no operation answers, since it is none, stands in the documents' introduction.
    assert listed | {"/problems/method-not-allowed"} == page


# ---- that it is true: all that the tests see ----

# Of any answer that the server can give, of HTTP itself.
NOT_DESCRIBED = {"date", "connection", "content-type", "content-length", "keep-alive", "transfer-encoding", "allow"}


def operation_for(document, method, path):
    """What the document has for a request; None: nothing."""
    method = "get" if method == "HEAD" else method.lower()
    for template in sorted(document["paths"], key=lambda template: "{" in template):
        if re.fullmatch(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template)), path):
            return document["paths"][template].get(method)
    return None


def resolved(document, value):
    while "$ref" in value:
        at = document
        for step in value["$ref"][2:].split("/"):
            at = at[step]
        value = at
    return value


def what_is_not_described(document, method, path, status, media_type, kind, headers):
    operation = operation_for(document, method, path)
    if operation is None:
        return None if status in (404, 405) or method == "OPTIONS" else "the operation"
    if str(status) not in operation["responses"]:
        return f"status {status}"
    response = resolved(document, operation["responses"][str(status)])
    content = response.get("content", {})
    if media_type and media_type not in content and method != "HEAD":
        return f"{status} of {media_type}"
    if kind and kind not in content[media_type]["schema"]["allOf"][1]["properties"]["type"]["enum"]:
        return f"{status} for {kind}"
    described = {name.lower() for name in response.get("headers", {})}
    extra = headers - described - NOT_DESCRIBED
    return f"{status} with {', '.join(extra)}" if extra else None


def test_every_answer_that_the_tests_saw_is_described(stack):
    documents = {service.port: document_of(service) for service in (stack.command_api, stack.query_api)}
    looked_at, missing = 0, set()
    for port, method, path, *answer in SEEN:
        if port in documents:
            looked_at += 1
            why = what_is_not_described(documents[port], method, path, *answer)
            if why:
                missing.add(f"{method} {path}: {why}")
    assert looked_at and not missing, "\n".join(sorted(missing))


# ---- that it is true: schemathesis ----

def schemathesis(service):
    """All checks on all operations; the same cases each time."""
    output = run(TOOLS / "python/bin/st", "--config-file", HERE / "schemathesis.toml", "run",
                 f"http://127.0.0.1:{service.port}/openapi.json",
                 # which checks of hooks.py take the place of
                 "--exclude-checks", "positive_data_acceptance,negative_data_rejection,use_after_free,not_a_server_error",
                 within=GENEROUS * 10, SCHEMATHESIS_HOOKS=str(HERE / "hooks.py"))
    generated, passed = re.search(r"(\d+) generated, (\d+) passed", output).groups()
    assert int(generated) > 300 and generated == passed, output[-3000:]
    selected, tested = re.search(r"Selected: \d+/(\d+)\n +Tested: (\d+)", output).groups()
    assert selected == tested, output[-3000:]


@pytest.fixture
def asserted(stack):
    """The APIs of the stack's types, but that formats are checked, as schemathesis takes them to be; and waiting is short."""
    apis = Apis(stack, "asserted", stack.settings["contentTypes"], schemas={"format": "assert"}, limits={"waitSeconds": 1})
    yield apis.await_ready()
    apis.close()


def test_schemathesis_finds_nothing_in_command_api(asserted):
    schemathesis(asserted.command_api)


def test_schemathesis_finds_nothing_in_query_api(pipeline, asserted):
    for base, data in {"entries": {"title": "t"}, "assets": {"title": "t", "src": "s", "width": 1}, "samples": {}, "items": {}}.items():
        first = [pipeline.create(base, data) for _ in range(3)]
        pipeline.visible(base, first[-1])
    schemathesis(asserted.query_api)


# ---- a generated client ----

def test_a_generated_client_creates_updates_reads_streams_and_deletes(own_stack, tmp_path):
    stack = own_stack(types=[*TYPES, BOOK])
    stack.settings.update(with_references(stack))
    stack.write_settings()
    stack.start_servers()
    stack.start_services()
    for package, service in {"odradek_commands": stack.command_api, "odradek_queries": stack.query_api}.items():
        (tmp_path / f"{package}.json").write_text(json.dumps(document_of(service)))
        run("java", "-jar", TOOLS / "openapi-generator-cli.jar", "generate", "-g", "python", "-i", tmp_path / f"{package}.json",
            "-o", tmp_path / package, "--package-name", package, "--global-property", "apiTests=false,modelTests=false")
    output = run(PYTHON, HERE / "client_tour.py", f"http://127.0.0.1:{stack.command_api.port}",
                 f"http://127.0.0.1:{stack.query_api.port}", PYTHONDONTWRITEBYTECODE="1",
                 PYTHONPATH=f"{tmp_path / 'odradek_commands'}:{tmp_path / 'odradek_queries'}")
    assert output.endswith("toured\n")


# ---- GET /docs ----

@pytest.mark.parametrize("name", ["command-api", "query-api"])
def test_a_browser_shows_all_operations_and_asks_nobody_else(stack, tmp_path, name):
    service = stack.services[name]
    log = tmp_path / "net.json"
    page = run("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
               "--disable-component-update", f"--user-data-dir={tmp_path / 'profile'}", f"--log-net-log={log}",
               # whatever it is asked to load, and whatever the browser itself would look for, stays on this machine
               "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
               "--virtual-time-budget=30000", "--dump-dom", f"http://127.0.0.1:{service.port}/docs")
    for _, path, operation in operations(document_of(service)):
        assert operation["operationId"] in page, operation["operationId"]
        assert f'data-path="{path}"' in page, path
    origin = f"http://127.0.0.1:{service.port}"
    asked = requests_of(log.read_text(), origin)
    assert f"{origin}/openapi.json" in asked and f"{origin}/docs/swagger-ui-bundle.js" in asked
    assert all(url.startswith(f"{origin}/") for url in asked), asked


def requests_of(log, origin):
    """The URLs that a page of the origin asked for, out of the browser's log."""
    found = set()
    for line in log.splitlines():
        event = re.search(r'"params":\{.*?"initiator":"([^"]*)".*?"url":"([^"]*)"', line)
        if event and event[1] == origin:
            found.add(event[2])
    return found


def test_the_page_may_load_nothing_from_elsewhere_and_its_files_are_a_fixed_list(stack):
    answer = stack.command_api.get("/docs")
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'" and policy["script-src"] == policy["connect-src"] == "'self'"
    named = re.findall(r'(?:href|src)="(docs/[^"]+)"', answer.body.decode())
    assert len(named) == 4
    for name in named:
        assert stack.command_api.get(f"/{name}").status == 200, name
    for name in ("stamp", "..", "../kafka/stamp", "%2e%2e%2fkafka%2fstamp", "index.html"):
        assert stack.command_api.get(f"/docs/{name}").status == 404, name


def test_without_the_viewer_only_the_page_is_missing(stack):
    service = stack.replica("query-api", ODRADEK_HTTP_VIEWER=stack.folder / "nothing-here")
    try:
        service.await_ready()
        told = problem(service.get("/docs"), 404, "viewer-missing")
        assert "./control.sh setup" in told["detail"]
        problem(service.get("/docs/swagger-ui.css"), 404, "viewer-missing")
        assert service.get("/openapi.json").status == service.get("/entries").status == 200
    finally:
        stack.end_replicas()
