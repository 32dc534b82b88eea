"""Headers that clients and operators rely on: which request something belongs to, from the answer to the last record; what
browsers of other origins may do; and what every answer has."""

import email.utils
import re
import uuid

import pytest

from client import Http
from harness import eventually
from test_commands import problem
from test_rules import command, fresh

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"
NAMES = ("x-request-id", "traceparent", "tracestate")
WAIT = {"Prefer": "wait=30"}


def trace_of(record):
    """Those of a record's headers that are about its request."""
    return {name: value.decode() for name, value in record.headers if name in NAMES}


def records_of(pipeline, command_id):
    """(command, events, outcome) as records, once there is an outcome."""
    outcome = pipeline.ledger.outcome(command_id)
    pipeline.ledger.read_to_end()
    return pipeline.ledger.commands[command_id], pipeline.ledger.events_of_command.get(command_id, []), outcome


def traced(**more):
    headers = {"X-Request-Id": f"test/{uuid.uuid4()}", "traceparent": PARENT, "tracestate": "vendor=1,other@x=2", **more}
    return {name: value for name, value in headers.items() if value is not None}


# ---- through to the records ----

@pytest.mark.parametrize("method, below, body", [
    ("POST", "", {"title": "t"}), ("PUT", "/{id}", {"title": "u"}), ("PATCH", "/{id}", {"title": "u"}), ("DELETE", "/{id}", None)])
def test_a_commands_records_have_the_id_and_the_trace_of_its_request(pipeline, method, below, body):
    path = "/entries" + below.replace("{id}", pipeline.entry() if below else "")
    headers = traced()
    if method == "PATCH":
        headers["Content-Type"] = "application/merge-patch+json"
    answer = pipeline.api.request(method, path, body, headers)
    sent = pipeline.note(answer)
    (written,), (event,), outcome = records_of(pipeline, sent.command_id)
    told = trace_of(written)
    assert told["x-request-id"] == headers["X-Request-Id"] == answer.headers["X-Request-Id"]
    assert told["tracestate"] == "vendor=1,other@x=2"
    assert told["traceparent"] == answer.headers["traceparent"]
    assert re.fullmatch(f"00-{TRACE}-[0-9a-f]{{16}}-01", told["traceparent"])
    assert told["traceparent"] != PARENT, "the service's own work has no id of its own"
    assert trace_of(event) == trace_of(outcome) == told
    assert len(written.headers) == len(event.headers) == len(outcome.headers) == 3


def test_a_rejected_commands_outcome_has_them_too(pipeline):
    answer = pipeline.api.request("DELETE", f"/entries/{fresh()}", None, {**traced(), **WAIT})
    told = problem(answer, 404, "not-found")
    (written,), events, outcome = records_of(pipeline, told["commandId"])
    assert not events
    assert trace_of(outcome) == trace_of(written)
    assert trace_of(outcome)["x-request-id"] == answer.headers["X-Request-Id"]


def test_a_request_without_headers_gets_an_id_and_begins_a_trace(pipeline):
    answers = [pipeline.api.post("/entries", {"title": "t"}) for _ in range(2)]
    told = []
    for answer in answers:
        (written,), (event,), outcome = records_of(pipeline, pipeline.note(answer).command_id)
        told.append(trace_of(written))
        assert told[-1] == {"x-request-id": answer.headers["X-Request-Id"], "traceparent": answer.headers["traceparent"]}
        assert trace_of(event) == trace_of(outcome) == told[-1]
        assert uuid.UUID(told[-1]["x-request-id"]).version == 7
        assert re.fullmatch("00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-02", told[-1]["traceparent"])
    assert told[0]["x-request-id"] != told[1]["x-request-id"]
    assert told[0]["traceparent"][3:35] != told[1]["traceparent"][3:35]


@pytest.mark.parametrize("request_id", ["a b", 'a"b', "a,b", "a;b", "\xe4", "x" * 129, "", "<script>", "a'b", "a\tb"])
def test_an_id_that_is_none_is_replaced(pipeline, request_id):
    answer = pipeline.api.post("/entries", {"title": "t"}, {"X-Request-Id": request_id.encode("latin-1")})
    assert uuid.UUID(answer.headers["X-Request-Id"]).version == 7
    (written,), _, _ = records_of(pipeline, pipeline.note(answer).command_id)
    assert trace_of(written)["x-request-id"] == answer.headers["X-Request-Id"]


@pytest.mark.parametrize("parent", [
    "", "00", f"ff-{TRACE}-{SPAN}-01", f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{'0' * 16}-01", f"00-{TRACE.upper()}-{SPAN}-01",
    f"00-{TRACE}-{SPAN}-01-more", f"00-{TRACE}-{SPAN}", f"01-{TRACE}-{SPAN}-01more", f"{PARENT},{PARENT}", "x" * 5000])
def test_a_malformed_trace_is_ignored_with_its_state_and_the_command_taken(pipeline, parent):
    answer = pipeline.api.post("/entries", {"title": "t"}, traced(traceparent=parent))
    (written,), (event,), _ = records_of(pipeline, pipeline.note(answer).command_id)
    assert TRACE not in trace_of(event)["traceparent"] and trace_of(written).keys() == {"x-request-id", "traceparent"}


@pytest.mark.parametrize("parent, flags", [(f"01-{TRACE}-{SPAN}-01-of-the-future", "01"), (f"cc-{TRACE}-{SPAN}-fe", "00"),
                                           (f"00-{TRACE}-{SPAN}-ff", "03")])
def test_a_trace_of_a_version_to_come_goes_on_as_far_as_it_is_understood(pipeline, parent, flags):
    answer = pipeline.api.post("/entries", {"title": "t"}, traced(traceparent=parent))
    _, (event,), _ = records_of(pipeline, pipeline.note(answer).command_id)
    assert re.fullmatch(f"00-{TRACE}-[0-9a-f]{{16}}-{flags}", trace_of(event)["traceparent"])
    assert trace_of(event)["tracestate"] == "vendor=1,other@x=2"


def test_a_state_is_bounded_and_a_broken_one_dropped(pipeline):
    long = ",".join(f"m{number}={'v' * 100}" for number in range(20))
    for state, kept in ((long, ",".join(long.split(",")[:4])), (",".join(f"m{number}=1" for number in range(33)), None),
                        ("a=1,broken", None), ("a=1 , ,b=2", "a=1,b=2")):
        answer = pipeline.api.post("/entries", {"title": "t"}, traced(tracestate=state))
        _, (event,), _ = records_of(pipeline, pipeline.note(answer).command_id)
        assert trace_of(event).get("tracestate") == kept
        assert TRACE in trace_of(event)["traceparent"]


def test_the_largest_body_with_the_largest_headers_is_accepted(pipeline):
    body = b'{"title":"t","description":"%s"}'
    body = body % (b"x" * (1024 * 1024 - len(body) + 2))
    state = ",".join(f"m{number}={'v' * 97}" for number in range(5))
    answer = pipeline.api.request("POST", "/entries", body, {**traced(tracestate=state), **WAIT, "X-Request-Id": "x" * 128})
    assert answer.status == 201, answer
    _, (event,), _ = records_of(pipeline, answer.json["commandId"])
    assert trace_of(event)["x-request-id"] == "x" * 128 and len(trace_of(event)["tracestate"]) > 500


# ---- commands from a console ----

def test_a_command_typed_without_headers_gets_none(pipeline):
    entity, elsewhere = fresh(), fresh()
    pipeline.console.send(command("createEntry", entity, {"title": "t"}, id=f"c-{entity}"), key=entity)
    pipeline.console.send(command("createEntry", elsewhere, {"title": "t"}, id=f"c-{elsewhere}"))
    for command_id in (f"c-{entity}", f"c-{elsewhere}"):
        written, (event,), outcome = records_of(pipeline, command_id)
        assert event.headers == outcome.headers == []
        assert [name for record in written for name, _ in record.headers] == ["forwarded-from"] * (len(written) - 1)


@pytest.mark.parametrize("keyed", [True, False], ids=["in its partition", "forwarded"])
def test_a_command_typed_with_headers_passes_them_on(pipeline, keyed):
    entity = fresh()
    headers = [("mine", b"1"), ("x-request-id", b"typed"), ("traceparent", PARENT.encode()), ("tracestate", b"a=1"), ("mine", b"2")]
    partition = (pipeline.partition(entity) + (0 if keyed else 3)) % pipeline.stack.partitions
    pipeline.console.send_all([(command("createEntry", entity, {"title": "t"}, id=f"c-{entity}"), entity, partition)], headers=headers)
    written, (event,), outcome = records_of(pipeline, f"c-{entity}")
    expected = {"x-request-id": "typed", "traceparent": PARENT, "tracestate": "a=1"}
    assert trace_of(event) == trace_of(outcome) == expected
    assert len(event.headers) == 3, "headers of no concern went into the log of events"
    assert len(written) == (1 if keyed else 2)
    if not keyed:
        assert written[1].headers[:5] == headers
        assert [name for name, _ in written[1].headers[5:]] == ["forwarded-from"]


def test_headers_that_are_none_stay_with_the_command(pipeline):
    entity = fresh()
    headers = [("x-request-id", b"two words"), ("traceparent", b"\xff\x00"), ("tracestate", b"a=1"), ("empty", None)]
    pipeline.console.send(command("createEntry", entity, {"title": "t"}, id=f"c-{entity}"), headers=headers)
    written, (event,), outcome = records_of(pipeline, f"c-{entity}")
    assert event.headers == outcome.headers == []
    assert all(record.headers[:4] == headers for record in written)


def test_headers_as_large_as_a_record_do_not_stop_the_pipeline(pipeline):
    """With its headers it fits where it was typed, and not quite where it belongs."""
    entity, behind = fresh(), fresh()
    value = command("createEntry", entity, {"title": "t"})
    room = 1024 * 1024 + 64 * 1024
    places = pipeline.console.send_all([(value, None, 0)], headers=[("large", b"x" * (room - 400))])
    pipeline.console.send(command("createEntry", behind, {"title": "t"}, id=f"c-{behind}"), partition=0)
    pipeline.accepted(f"c-{behind}")
    letter = eventually(lambda: pipeline.ledger.read().dead.get(("commands", *places[0])))
    assert "too large" in letter.header("reason") and len(letter.header("large")) == room - 400


def test_a_dead_letter_keeps_its_headers_and_the_log_names_the_request(pipeline):
    request_id = f"typed-{uuid.uuid4()}"
    places = pipeline.console.send_all([(b"not JSON", None, 0)], headers=[("x-request-id", request_id.encode()), ("mine", b"1")])
    letter = eventually(lambda: pipeline.ledger.read().dead.get(("commands", *places[0])))
    assert letter.headers[:2] == [("x-request-id", request_id.encode()), ("mine", b"1")]
    eventually(lambda: f"of request {request_id}: " in pipeline.stack.validator.log())


# ---- answers ----

def answers(pipeline, headers=None, apis=None):
    """Answers of both APIs, of every kind."""
    api, query = apis or (pipeline.api, pipeline.query)
    entry, gone = pipeline.entry(), pipeline.entry()
    pipeline.delete("entries", gone)
    pipeline.visible("entries", entry)
    pipeline.gone("entries", gone)
    outcome = next(iter(pipeline.acknowledged))
    headers = headers or {}
    asked = [
        (api, 202, "POST", "/entries", {"title": "t"}, {}), (api, 201, "POST", "/entries", {"title": "t"}, WAIT),
        (api, 404, "DELETE", f"/entries/{fresh()}", None, WAIT), (api, 400, "POST", "/entries", b"{", {}),
        (api, 422, "POST", "/entries", {}, {}), (api, 400, "PUT", f"/entries/{entry}", {"title": "t"}, {"If-Match": "x"}),
        (api, 412, "PUT", f"/entries/{entry}", {"title": "t"}, {"If-Match": '"0"'}),
        (api, 413, "POST", "/entries", b" " * (1024 * 1024 + 1), {}), (api, 415, "POST", "/entries", b"x", {"Content-Type": "text/plain"}),
        (api, 404, "POST", "/nothing", {}, {}), (api, 405, "PATCH", "/entries", {}, {}), (api, 200, "GET", f"/commands/{outcome}", None, {}),
        (api, 204, "OPTIONS", "/entries", None, {}), (api, 204, "OPTIONS", "*", None, {}), (api, 404, "GET", "/commands/nobody", None, {}),
        (query, 200, "GET", f"/entries/{entry}", None, {}), (query, 304, "GET", f"/entries/{entry}", None, {"If-None-Match": '"1"'}),
        (query, 200, "HEAD", f"/entries/{entry}", None, {}), (query, 410, "GET", f"/entries/{gone}", None, {}),
        (query, 404, "GET", f"/entries/{fresh()}", None, {}), (query, 200, "GET", f"/entries/{entry}/events", None, {}),
        (query, 200, "GET", "/entries?limit=1", None, {}), (query, 400, "GET", "/entries?nothing=1", None, {}),
        (query, 404, "GET", "/nothing", None, {}), (query, 405, "POST", "/entries", {}, {}), (query, 204, "OPTIONS", "/entries", None, {}),
        (query, 204, "OPTIONS", "*", None, {}), *((each, 200, "GET", path, None, {}) for each in (api, query) for path in ("/health", "/ready", "/metrics"))]
    for http, status, method, path, body, own in asked:
        answer = http.request(method, path, body, {**headers, **own})
        assert answer.status == status, (method, path, answer)
        yield method, path, answer


def test_every_answer_of_both_apis_has_a_date_and_the_id_and_trace_of_its_request(pipeline):
    count = 0
    for method, path, answer in answers(pipeline, {"X-Request-Id": "my.id", "traceparent": PARENT}):
        what = (method, path, answer)
        assert answer.headers.get_all("X-Request-Id") == ["my.id"], what
        assert re.fullmatch(f"00-{TRACE}-[0-9a-f]{{16}}-01", answer.headers["traceparent"]), what
        assert email.utils.parsedate_to_datetime(answer.headers["Date"]), what
        assert "Server" not in answer.headers and "Origin" not in answer.headers.get("Vary", ""), what
        assert not [name for name in answer.headers if name.lower().startswith("access-control")], what
        assert answer.headers["X-Content-Type-Options"] == ("nosniff" if "Content-Type" in answer.headers else None), what
        assert answer.headers["Cache-Control"] == ("no-cache" if method in ("GET", "HEAD") else None), what
        count += 1
    assert count > 30
    ids = [answer.headers["X-Request-Id"] for _, _, answer in answers(pipeline)]
    assert len(set(ids)) == len(ids) and all(uuid.UUID(made).version == 7 for made in ids)


def test_head_is_answered_like_get_on_every_route(pipeline):
    entry = pipeline.entry()
    pipeline.visible("entries", entry)
    outcome = next(iter(pipeline.acknowledged))
    own = {"Date", "X-Request-Id", "traceparent"}
    for http, paths in ((pipeline.api, [f"/commands/{outcome}", "/commands/nobody", "/nothing"]),
                        (pipeline.query, ["/assets?limit=1", f"/entries/{entry}", f"/entries/{entry}/events", "/entries/nobody", "/entries?x=1"])):
        for path in [*paths, "/health", "/ready"]:
            got, head = http.get(path), http.request("HEAD", path)
            assert head.status == got.status and head.body == b"", path
            assert ([item for item in head.headers.items() if item[0] not in own] ==
                    [item for item in got.headers.items() if item[0] not in own]), path
            assert int(head.headers["Content-Length"]) == len(got.body), path


def test_options_tells_the_methods_of_a_path_and_of_the_whole_server(pipeline):
    for http, path, methods in (
            (pipeline.api, "/entries", "POST, OPTIONS"), (pipeline.api, "/entries/x", "PUT, PATCH, POST, DELETE, OPTIONS"),
            (pipeline.api, "*", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"), (pipeline.query, "/entries", "GET, HEAD, OPTIONS"),
            (pipeline.query, "/entries/x/events", "GET, HEAD, OPTIONS"), (pipeline.query, "*", "GET, HEAD, OPTIONS")):
        answer = http.request("OPTIONS", path)
        assert answer.status == 204 and answer.body == b"" and answer.headers["Allow"] == methods, (path, answer)
    problem(pipeline.api.request("OPTIONS", "/nothing"), 404, "not-found")


# ---- CORS ----

ORIGIN = "https://app.example:8443"


@pytest.fixture
def open_apis(disturbed):
    """Starts further replicas of both APIs, with settings of their own; returns a connection to each."""
    def make(**env):
        return tuple(Http(disturbed.replica(name, **env).await_ready().port) for name in ("command-api", "query-api"))
    return make


def listed(answer, name):
    return {word.strip().lower() for word in (answer.headers[name] or "").split(",")} - {""}


def test_pages_of_listed_origins_may_read_every_answer_and_others_none(pipeline, open_apis):
    apis = open_apis(ODRADEK_HTTP_CORS_ORIGINS=f"https://other.example,{ORIGIN}")
    for method, path, answer in answers(pipeline, {"Origin": ORIGIN}, apis):
        what = (method, path, answer)
        assert answer.headers.get_all("Access-Control-Allow-Origin") == [ORIGIN], what
        assert "Origin" in answer.headers.get_all("Vary"), what
        assert {"etag", "location", "preference-applied", "retry-after", "x-request-id"} <= listed(answer, "Access-Control-Expose-Headers"), what
        assert "Access-Control-Allow-Credentials" not in answer.headers, what
    for origin in (None, "https://app.example", "null", f"{ORIGIN}/", ORIGIN.upper()):
        for http, path in zip(apis, ("/commands/nobody", "/entries?limit=1")):
            answer = http.get(path, {"Origin": origin} if origin else {})
            assert answer.headers["Vary"] == "Origin"
            assert not [name for name in answer.headers if name.lower().startswith("access-control")], (origin, answer)


def preflight(http, path, method, headers="content-type", origin=ORIGIN):
    """What a browser asks first, and whether it would go on by the Fetch standard's CORS-preflight fetch."""
    answer = http.request("OPTIONS", path, headers={"Origin": origin, "Access-Control-Request-Method": method,
                                                   "Access-Control-Request-Headers": headers})
    allowed = (answer.status < 300 and answer.headers["Access-Control-Allow-Origin"] in (origin, "*") and
               method.lower() in listed(answer, "Access-Control-Allow-Methods") | {"get", "head", "post"} and
               set(headers.split(",")) <= listed(answer, "Access-Control-Allow-Headers"))
    return allowed, answer


def test_a_preflight_lets_through_what_the_api_knows(pipeline, open_apis):
    api, query = open_apis(ODRADEK_HTTP_CORS_ORIGINS=ORIGIN, ODRADEK_HTTP_CORS_MAX_AGE_SECONDS=77)
    known = "content-encoding,content-type,idempotency-key,if-match,if-none-match,prefer,traceparent,tracestate,x-request-id"
    for method in ("PUT", "PATCH", "DELETE", "POST"):
        allowed, answer = preflight(api, "/entries/x", method, known)
        assert allowed and answer.status == 204, answer
        assert answer.headers["Access-Control-Max-Age"] == "77" and answer.headers["Vary"] == "Origin"
        assert listed(answer, "Access-Control-Allow-Methods") == listed(answer, "Allow")
    assert preflight(query, "/entries", "GET", "if-none-match,last-event-id,x-request-id")[0]
    for http, path, method, headers, origin in (
            (api, "/entries", "DELETE", "content-type", ORIGIN), (api, "/entries/x", "PUT", "x-something", ORIGIN),
            (api, "/nothing", "POST", "content-type", ORIGIN), (api, "/entries/x", "PUT", "content-type", "https://evil.example")):
        allowed, answer = preflight(http, path, method, headers, origin)
        assert not allowed, answer
    assert "Access-Control-Allow-Origin" not in preflight(api, "/entries/x", "PUT", origin="https://evil.example")[1].headers
    # And then the request itself.
    answer = api.post("/entries", {"title": "t"}, {"Origin": ORIGIN, **WAIT})
    assert answer.status == 201 and answer.headers["Access-Control-Allow-Origin"] == ORIGIN


def test_credentials_and_all_origins_are_each_a_setting(pipeline, open_apis):
    trusted, _ = open_apis(ODRADEK_HTTP_CORS_ORIGINS=ORIGIN, ODRADEK_HTTP_CORS_CREDENTIALS="true")
    for _, answer in (preflight(trusted, "/entries/x", "PUT"), (None, trusted.get("/health", {"Origin": ORIGIN}))):
        assert answer.headers["Access-Control-Allow-Credentials"] == "true"
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    for http in open_apis(ODRADEK_HTTP_CORS_ORIGINS="*"):
        for headers in ({"Origin": ORIGIN}, {"Origin": "null"}, {}):
            answer = http.get("/health", headers)
            assert answer.headers["Access-Control-Allow-Origin"] == "*"
            assert "Vary" not in answer.headers and "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize("env, expected", [
    ({"ODRADEK_HTTP_CORS_ORIGINS": "*", "ODRADEK_HTTP_CORS_CREDENTIALS": "true"}, "/http/cors/credentials"),
    ({"ODRADEK_HTTP_CORS_ORIGINS": "https://app.example/"}, "/http/cors/origins/0")])
def test_settings_that_no_browser_would_follow_are_refused_at_the_start(disturbed, env, expected):
    refused = disturbed.replica("command-api", **env)
    assert refused.wait() == 3
    assert expected in refused.log() and "Expected: " in refused.log()
