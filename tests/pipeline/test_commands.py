"""command-api: what is answered to a command, and what is written for it."""

import http.client
import json
import re
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from client import Http, partition_of
from harness import eventually

UUID7 = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")


def problem(answer, status, error_type=None):
    """Asserts that an answer is an RFC 9457 problem, and returns it."""
    assert answer.status == status, answer
    assert answer.headers["Content-Type"] == "application/problem+json", answer
    body = answer.json
    assert {"type", "title", "status", "detail"} <= body.keys(), body
    assert body["status"] == status and body["title"] and body["detail"], body
    if error_type:
        assert body["type"].rsplit("/", 1)[-1] == error_type, body
    return body


# ---- accepted ----

def test_a_post_is_answered_202_with_exactly_the_commands_id_the_entitys_id_and_the_type(pipeline):
    answer = pipeline.api.post("/entries", {"title": "My Entry"})
    command = pipeline.note(answer)
    assert answer.status == 202
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Location"] == f"/commands/{command.command_id}"
    assert answer.json == {"commandId": command.command_id, "id": command.id, "type": "createEntry"}


def test_ids_that_are_given_are_uuids_of_version_7_and_sort_by_time(pipeline):
    commands = [pipeline.send("POST", "/entries", {"title": "My Entry"}) for _ in range(3)]
    for command in commands:
        assert UUID7.match(command.command_id), command.command_id
        assert UUID7.match(command.id), command.id
    prefixes = [command.id[:13] for command in commands]
    assert prefixes == sorted(prefixes)
    assert len({command.id for command in commands} | {command.command_id for command in commands}) == 6


@pytest.mark.parametrize("base, data, updated, name", [
    ("entries", {"title": "one"}, {"title": "two", "description": "d"}, "Entry"),
    ("assets", {"title": "one", "src": "/1.png", "width": 10.5},
     {"title": "two", "src": "/2.png", "width": 20, "height": 30, "description": "d"}, "Asset"),
])
def test_create_update_and_delete_become_events_history_snapshot_and_outcomes(pipeline, base, data, updated, name):
    created = pipeline.send("POST", f"/{base}", data)
    put = pipeline.send("PUT", f"/{base}/{created.id}", updated)
    post = pipeline.send("POST", f"/{base}/{created.id}", data)
    assert put.answer.json == {"commandId": put.command_id, "id": created.id, "type": f"update{name}"}
    assert post.answer.json == {"commandId": post.command_id, "id": created.id, "type": f"update{name}"}
    for version, command in enumerate([created, put, post], 1):
        assert pipeline.accepted(command)["version"] == version
    shown = pipeline.visible(base, created.id, 3)
    assert shown == {"id": created.id, "type": name, "version": 3, "createdAt": shown["createdAt"],
                     "updatedAt": shown["updatedAt"], "data": data}

    deleted = pipeline.send("DELETE", f"/{base}/{created.id}")
    assert deleted.answer.json == {"commandId": deleted.command_id, "id": created.id, "type": f"delete{name}"}
    assert pipeline.accepted(deleted)["version"] == 4
    pipeline.gone(base, created.id)

    lower = name[0].lower() + name[1:]
    events = pipeline.history(name, created.id)
    assert [(event["type"], event["version"], event.get("body"), event["meta"]["command"]) for event in events] == [
        (f"{lower}Created", 1, data, created.command_id), (f"{lower}Updated", 2, updated, put.command_id),
        (f"{lower}Updated", 3, data, post.command_id), (f"{lower}Deleted", 4, None, deleted.command_id)]


def test_an_update_replaces_the_whole_body(pipeline):
    entry = pipeline.entry(title="one", description="will be gone")
    pipeline.update("entries", entry, {"title": "two"})
    assert pipeline.visible("entries", entry, 2)["data"] == {"title": "two"}


def test_a_body_is_taken_over_byte_for_byte_into_the_command_and_without_white_space_into_the_event(pipeline):
    body = b'{ "title" : "\\u00e4 \xc3\xa4 \\/ \\ud83e\\uddf5",\n  "description":"a  b" }'
    command = pipeline.send("POST", "/entries", body)
    pipeline.accepted(command)
    record = pipeline.ledger.commands[command.command_id][0]
    assert body in record.value, record.value
    pipeline.history("Entry", command.id)
    event = pipeline.ledger.events["Entry", command.id][0]
    compact = b'{"title":"\\u00e4 \xc3\xa4 \\/ \\ud83e\\uddf5","description":"a  b"}'
    assert b'"body":' + compact in event.value, event.value
    assert pipeline.visible("entries", command.id)["data"] == {"title": "ä ä / 🧵", "description": "a  b"}


def test_numbers_keep_their_spelling_on_the_way_to_the_snapshot(pipeline):
    body = b'{"title":"t","src":"s","width":1.10,"height":12345678901234567}'
    command = pipeline.send("POST", "/assets", body)
    pipeline.accepted(command)
    pipeline.visible("assets", command.id)
    assert b'"width":1.10,"height":12345678901234567' in pipeline.query.get(f"/assets/{command.id}").body


def test_a_command_record_has_the_documented_shape_and_lies_in_the_partition_of_its_key(pipeline):
    command = pipeline.send("POST", "/entries", {"title": "t"})
    pipeline.outcome(command)
    record = eventually(lambda: pipeline.ledger.read().commands.get(command.command_id))[0]
    sent = record.json
    assert list(sent) == ["type", "body", "params", "meta"]
    assert sent["type"] == "createEntry" and sent["body"] == {"title": "t"} and sent["params"] == {"id": command.id}
    assert sent["meta"]["id"] == command.command_id and TIME.match(sent["meta"]["time"])
    assert record.key == command.id.encode()
    assert record.partition == partition_of(command.id, pipeline.stack.partitions)


def test_an_event_record_has_the_documented_shape_and_lies_in_the_partition_of_its_key(pipeline):
    command = pipeline.send("POST", "/entries", {"title": "t"})
    pipeline.outcome(command)
    record = eventually(lambda: pipeline.ledger.read().events.get(("Entry", command.id)))[0]
    event = record.json
    assert list(event) == ["type", "id", "version", "body", "meta"]
    assert event["meta"].keys() == {"command", "time"} and TIME.match(event["meta"]["time"])
    assert event == {"type": "entryCreated", "id": command.id, "version": 1, "body": {"title": "t"},
                     "meta": {"command": command.command_id, "time": event["meta"]["time"]}}
    assert record.key == command.id.encode()
    assert record.partition == partition_of(command.id, pipeline.stack.partitions)


def test_an_outcome_record_has_the_documented_shape_and_lies_in_the_partition_of_the_entity(pipeline):
    command = pipeline.send("POST", "/entries", {"title": "t"})
    record = pipeline.ledger.outcome(command.command_id)
    outcome = record.json
    assert TIME.match(outcome["time"])
    assert outcome == {"commandId": command.command_id, "status": "accepted", "type": "createEntry", "id": command.id,
                       "version": 1, "time": outcome["time"]}
    assert record.key == command.id.encode()
    assert record.partition == partition_of(command.id, pipeline.stack.partitions)


def test_a_body_of_just_the_largest_size_goes_all_the_way(pipeline):
    frame = len(b'{"title":""}')
    body = b'{"title":"' + b"x" * (1024 * 1024 - frame) + b'"}'
    assert len(body) == 1024 * 1024
    command = pipeline.send("POST", "/entries", body)
    pipeline.accepted(command)
    assert len(pipeline.visible("entries", command.id)["data"]["title"]) == 1024 * 1024 - frame


def test_an_id_may_have_any_character_that_ids_may_have(pipeline):
    entity = "A-z_0.9~" + "x" * 120
    pipeline.console.send({"type": "createEntry", "params": {"id": entity}, "body": {"title": "t"}}, key=entity)
    pipeline.visible("entries", entity)
    pipeline.update("entries", entity, {"title": "u"})
    pipeline.visible("entries", entity, 2)


# ---- refused ----

@pytest.mark.parametrize("body", [
    b"{", b"", b"   ", b'{"title":"t"', b'{"title":"t"} {}', b"{title:1}", b"{'title':1}", b'{"title":"t",}', b"nonsense",
    b'{"title":"\xff\xfe"}', b'{"title":"\xc3"}', b'{"title":"a\nb"}', b'{"title":"\\ud800"}', b'{"title":01}', b"\x00",
], ids=repr)
@pytest.mark.parametrize("method, path", [("POST", "/entries"), ("PUT", "/entries/some-id"), ("POST", "/assets/some-id")])
def test_what_is_not_json_is_answered_400(pipeline, method, path, body):
    problem(pipeline.api.request(method, path, body), 400)


def test_json_that_gives_a_name_twice_is_answered_400(pipeline):
    problem(pipeline.api.post("/entries", b'{"title":"a","title":"b"}'), 400)


def test_json_that_is_nested_without_end_is_answered_400(pipeline):
    problem(pipeline.api.post("/entries", b"[" * 100_000), 400)
    problem(pipeline.api.post("/entries", b'{"title":' * 50_000), 400)


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_an_array_is_no_data_of_an_entity(pipeline, method):
    errors = problem(pipeline.api.request(method, "/entries/some-id", "[]"), 422)["errors"]
    assert [(error["pointer"], error["rule"]) for error in errors] == [("", "type")]


@pytest.mark.parametrize("base, body, expected", [
    ("entries", {}, ("", "required")),
    ("entries", "text", ("", "type")),
    ("entries", None, ("", "type")),
    ("entries", {"title": 1}, ("/title", "type")),
    ("entries", {"title": None}, ("/title", "type")),
    ("entries", {"title": "t", "heroImage": 7}, ("/heroImage", "type")),
    ("entries", {"title": "t", "description": []}, ("/description", "type")),
    ("entries", {"title": "t", "unknown": 1}, (None, "additionalProperties")),
    ("assets", {"title": "t", "src": "s"}, ("", "required")),
    ("assets", {"title": "t", "width": 1}, ("", "required")),
    ("assets", {"src": "s", "width": 1}, ("", "required")),
    ("assets", {"title": "t", "src": 5, "width": 1}, ("/src", "type")),
    ("assets", {"title": "t", "src": "s", "width": "1"}, ("/width", "type")),
    ("assets", {"title": "t", "src": "s", "width": 1, "height": True}, ("/height", "type")),
    ("assets", {"title": "t", "src": "s", "width": 1, "description": 1}, ("/description", "type")),
    ("assets", {"title": "t", "src": "s", "width": 1, "color": "red"}, (None, "additionalProperties")),
])
@pytest.mark.parametrize("method, suffix", [("POST", ""), ("PUT", "/some-id"), ("POST", "/some-id")])
def test_what_is_against_the_schema_is_answered_422_with_pointer_and_rule(pipeline, base, body, expected, method, suffix):
    answer = pipeline.api.request(method, f"/{base}{suffix}", json.dumps(body))
    errors = problem(answer, 422)["errors"]
    pointer, rule = expected
    assert all(error.keys() == {"pointer", "rule", "message"} and error["message"] for error in errors), errors
    assert any(error["rule"] == rule and pointer in (None, error["pointer"]) for error in errors), errors


def test_a_422_names_every_failure(pipeline):
    errors = problem(pipeline.api.post("/assets", {"title": 1, "src": 2, "height": "x"}), 422)["errors"]
    assert {(error["pointer"], error["rule"]) for error in errors} >= {
        ("/title", "type"), ("/src", "type"), ("/height", "type"), ("", "required")}


def test_what_is_refused_is_not_written_to_any_topic(pipeline):
    pipeline.settle()
    before = {topic: len(records) for topic, records in pipeline.ledger.records.items()}
    for body in (b"{", b"{}", b'{"title":1}'):
        assert pipeline.api.post("/entries", body).status in (400, 422)
    assert pipeline.api.post("/entries", b'{"title":"t"}', {"Content-Type": "text/plain"}).status == 415
    pipeline.entry()  # what is behind it is there: so would be what was refused
    pipeline.settle()
    after = {topic: len(records) for topic, records in pipeline.ledger.records.items()}
    assert {topic: after[topic] - before[topic] for topic in after} == {"commands": 1, "events": 1, "outcomes": 1, "dead-letters": 0}


@pytest.mark.parametrize("path", ["/nothing", "/entries/a/b", "/entries/", "/Entries", "/commands", "/commands/",
                                  "/entries/a/events/b", "/entries%00", "//entries", "/entry"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_unknown_paths_are_answered_404(pipeline, method, path):
    problem(pipeline.api.request(method, path, b'{"title":"t"}' if method == "POST" else None), 404)


@pytest.mark.parametrize("method, path, allowed", [
    ("GET", "/entries", {"POST"}),
    ("PUT", "/entries", {"POST"}),
    ("DELETE", "/assets", {"POST"}),
    ("GET", "/entries/some-id", {"PUT", "POST", "DELETE"}),
    ("BREW", "/assets/some-id", {"PUT", "POST", "DELETE"}),
    ("POST", "/commands/some-id", {"GET", "HEAD"}),
    ("DELETE", "/health", {"GET", "HEAD"}),
    ("POST", "/metrics", {"GET", "HEAD"}),
])
def test_methods_that_a_path_does_not_know_are_answered_405_with_allow(pipeline, method, path, allowed):
    answer = pipeline.api.request(method, path, b"{}" if method in ("POST", "PUT") else None)
    problem(answer, 405)
    listed = {word.strip() for word in answer.headers["Allow"].split(",")}
    assert allowed <= listed, listed
    assert method not in listed


def test_a_body_over_the_limit_is_answered_413(pipeline):
    body = b'{"title":"' + b"x" * (1024 * 1024 + 1 - len(b'{"title":""}')) + b'"}'
    problem(pipeline.api.post("/entries", body), 413)
    problem(pipeline.api.put("/entries/some-id", body), 413)


def test_a_body_over_the_limit_that_is_sent_in_chunks_is_answered_413(pipeline):
    def chunks():
        for _ in range(1025):
            yield b" " * 1024
    connection = http.client.HTTPConnection("127.0.0.1", pipeline.stack.command_api.port, timeout=30)
    connection.request("POST", "/entries", chunks(), {"Content-Type": "application/json"}, encode_chunked=True)
    answer = connection.getresponse()
    assert answer.status == 413, answer.read()
    connection.close()


def test_a_body_over_the_limit_is_refused_before_it_is_sent(pipeline):
    with socket.create_connection(("127.0.0.1", pipeline.stack.command_api.port), timeout=30) as connection:
        connection.sendall(b"POST /entries HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
                           b"Content-Length: 10000000\r\nExpect: 100-continue\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 413 ")


def test_the_limit_of_bodies_is_a_setting(pipeline):
    other = pipeline.stack.replica("command-api", ODRADEK_LIMITS_BODY_BYTES=1024).await_ready()
    try:
        data = {"title": "x" * 1024}
        problem(Http(other.port).post("/entries", data), 413)
        pipeline.accepted(pipeline.send("POST", "/entries", data))
    finally:
        other.kill()


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "text/json", "application/xml; charset=utf-8"])
@pytest.mark.parametrize("method, path", [("POST", "/entries"), ("PUT", "/assets/some-id")])
def test_other_content_types_are_answered_415(pipeline, method, path, media_type):
    problem(pipeline.api.request(method, path, b'{"title":"t"}', {"Content-Type": media_type}), 415)


@pytest.mark.parametrize("media_type", ["application/json", "application/json; charset=utf-8", "Application/JSON", "application/json;charset=UTF-8"])
def test_json_with_any_parameters_is_taken(pipeline, media_type):
    pipeline.accepted(pipeline.note(pipeline.api.post("/entries", {"title": "t"}, {"Content-Type": media_type})))


@pytest.mark.parametrize("entity", ["a%20b", "a%2Fb", "%C3%A4", "a!b", "x" * 129, "a:b", "%7Bp%7D", "a%0Ab"])
def test_an_id_that_is_none_is_refused_and_not_written(pipeline, entity):
    before = pipeline.settle() and len(pipeline.ledger.records["commands"])
    for answer in (pipeline.api.put(f"/entries/{entity}", {"title": "t"}), pipeline.api.delete(f"/entries/{entity}")):
        assert 400 <= answer.status < 500, answer
        problem(answer, answer.status)
    pipeline.settle()
    assert len(pipeline.ledger.records["commands"]) == before


def test_a_pipelined_second_request_on_the_connection_is_answered_too(pipeline):
    request = b"POST /entries HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n" + b'{"title":"t"}'
    with socket.create_connection(("127.0.0.1", pipeline.stack.command_api.port), timeout=30) as connection:
        connection.sendall(request * 3)
        seen = b""

        def answered():
            nonlocal seen
            seen += connection.recv(65536)
            return seen.count(b"HTTP/1.1 202 ") == 3
        eventually(answered)


def test_many_connections_at_once_are_all_answered(pipeline):
    connections = [Http(pipeline.stack.command_api.port) for _ in range(64)]
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda client: client.post("/entries", {"title": "t"}), connections))
    for answer in answers:
        pipeline.note(answer)
    for client in connections:
        client.close()
    pipeline.check()
