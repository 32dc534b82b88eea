"""The terms of a command: patches, conditions, idempotency keys, and waiting for the outcome."""

import json
import re
import signal
import socket
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from client import Http
from conftest import full_stack
from harness import eventually, process_memory
from ledger import key_name
from pipeline import Pipeline
from test_commands import problem
from test_rules import ASSET, command, fresh

MERGE = {"Content-Type": "application/merge-patch+json"}
STEPS = {"Content-Type": "application/json-patch+json"}
WAIT_SECONDS = 30
WAIT = {"Prefer": f"wait={WAIT_SECONDS}"}
LONGEST_WAIT_SECONDS = 60  # that settings allow


# ---- a stack of its own: idempotency keys stay in its stores ----

@pytest.fixture(scope="module")
def terms_stack(free_ports):
    with full_stack(free_ports) as stack:
        yield stack


@pytest.fixture(scope="module")
def terms_pipeline(terms_stack):
    pipeline = Pipeline(terms_stack)
    yield pipeline
    pipeline.close()


@pytest.fixture
def stack(terms_stack):
    return terms_stack


@pytest.fixture
def pipeline(terms_pipeline):
    return terms_pipeline


@pytest.fixture
def disturbed(terms_stack, request):
    yield terms_stack
    terms_stack.restore(anew=getattr(request.node, "failed", True))


@pytest.fixture
def frozen(disturbed):
    """The validator, stopped in its tracks."""
    disturbed.validator.freeze()
    return disturbed.validator


@pytest.fixture
def instance(disturbed):
    """Starts a further command-api, with settings of its own."""
    return lambda **env: Http(disturbed.replica("command-api", **env).await_ready().port)


# ---- what is asked, and what must have come of it ----

def waited(pipeline, method, path, body=None, headers=None, http=None):
    """A command whose outcome is waited for."""
    return (http or pipeline.api).request(method, path, body, {**WAIT, **(headers or {})})


def done(answer, status=200):
    assert answer.status == status, answer
    assert answer.headers["Preference-Applied"] == "wait=30", answer
    return answer.json


def patch(pipeline, path, body, headers=MERGE):
    return waited(pipeline, "PATCH", path, body, headers)


def sample(pipeline, **data):
    return pipeline.create("samples", data)


def data_of(pipeline, base, entity, version):
    return pipeline.visible(base, entity, version)["data"]


def same(first, second):
    """Whether a repeat got the answer that the first had: byte for byte, and every header that tells something."""
    told = ("Content-Type", "Location", "ETag", "Preference-Applied", "Content-Length")
    return ((first.status, first.body, [first.headers[name] for name in told]) ==
            (second.status, second.body, [second.headers[name] for name in told]))


def key_of(pipeline, entity_type, entity, key):
    return key_name(entity_type, entity, key, pipeline.stack.partitions)


def expire(pipeline, entity, headers):
    """Lets a key end, as when its hours are over. Returns its name in the store."""
    pipeline.settle()
    name = key_of(pipeline, "Entry", entity, headers["Idempotency-Key"])
    pipeline.ledger.expired.add(name)
    assert pipeline.events.delete(name) == 1
    eventually(lambda: pipeline.stack.validator.metric("odradek_seen_commands") == 0)
    return name


def once(pipeline, entity_type, entity, versions=1):
    """The events of an entity, of which there must be just so many, also after all that was sent is decided."""
    pipeline.settle()
    events = pipeline.history(entity_type, entity)
    assert [event["version"] for event in events] == list(range(1, versions + 1)), events
    return events


# ---- JSON Merge Patch ----

def test_a_merge_patch_sets_what_it_names_removes_what_is_null_and_leaves_the_rest(pipeline):
    entity = sample(pipeline, string="one", integer=1, object={"keep": 1, "drop": 2, "deep": {"a": 1}}, array=[1, 2])
    answer = patch(pipeline, f"/samples/{entity}", {"string": "two", "integer": None, "array": [3],
                                                    "object": {"drop": None, "deep": {"b": 2}}})
    assert done(answer) == {"commandId": answer.json["commandId"], "status": "accepted", "type": "updateSample",
                            "id": entity, "version": 2}
    assert answer.headers["ETag"] == '"2"'
    expected = {"string": "two", "object": {"keep": 1, "deep": {"a": 1, "b": 2}}, "array": [3]}
    assert data_of(pipeline, "samples", entity, 2) == expected
    event = once(pipeline, "Sample", entity, 2)[-1]
    assert event["type"] == "sampleUpdated" and event["body"] == expected  # the whole, not the change


def test_a_patch_without_waiting_is_acknowledged_as_an_update(pipeline):
    entry = pipeline.entry(title="one", description="stays")
    sent = pipeline.send("PATCH", f"/entries/{entry}", {"title": "two"}, MERGE)
    assert sent.type == "updateEntry" and sent.id == entry
    assert pipeline.accepted(sent)["version"] == 2
    record = eventually(lambda: pipeline.ledger.read().commands.get(sent.command_id))[0].json
    assert record["patch"] == "merge-patch" and record["body"] == {"title": "two"}
    assert data_of(pipeline, "entries", entry, 2) == {"title": "two", "description": "stays"}


def test_a_merge_patch_of_nothing_is_a_version_of_its_own(pipeline):
    entry = pipeline.entry(title="one")
    assert done(patch(pipeline, f"/entries/{entry}", {}))["version"] == 2
    assert data_of(pipeline, "entries", entry, 2) == {"title": "one"}


@pytest.mark.parametrize("body", [None, 7, "text", [], ["title"], True])
def test_a_merge_patch_that_is_no_object_takes_the_place_of_the_data_and_is_against_the_schema(pipeline, body):
    entry = pipeline.entry()
    answer = waited(pipeline, "PATCH", f"/entries/{entry}", json.dumps(body), MERGE)
    assert problem(answer, 422, "schema-violation")["errors"][0]["rule"] == "type"
    once(pipeline, "Entry", entry)


def test_concurrent_patches_of_different_members_never_undo_one_another(pipeline):
    entity = sample(pipeline, additionalNumbers={"start": 0})

    def one(i):
        body, headers = {"additionalNumbers": {f"m{i}": i}}, MERGE
        if i % 2:
            body, headers = [{"op": "add", "path": f"/additionalNumbers/m{i}", "value": i}], STEPS
        return patch_alone(pipeline, f"/samples/{entity}", body, headers)
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(one, range(40)))
    assert sorted(done(answer)["version"] for answer in answers) == list(range(2, 42))
    assert data_of(pipeline, "samples", entity, 41) == {
        "additionalNumbers": {"start": 0, **{f"m{i}": i for i in range(40)}}}
    pipeline.check()


def patch_alone(pipeline, path, body, headers):
    http = Http(pipeline.stack.command_api.port, timeout=60)
    try:
        return http.request("PATCH", path, body, {**WAIT, **headers})
    finally:
        http.close()


def test_two_patches_that_are_decided_in_one_batch_both_survive(pipeline, frozen):
    """The second is applied to what the first made, which no store has yet."""
    entry = "no-entry-" + uuid.uuid4().hex
    created = pipeline.send("PUT", f"/entries/{entry}", {"title": "one"}, {"If-None-Match": "*"})
    sent = [pipeline.send("PATCH", f"/entries/{entry}", body, MERGE) for body in ({"title": "two"}, {"description": "d"})]
    frozen.thaw()
    assert [pipeline.accepted(one)["version"] for one in (created, *sent)] == [1, 2, 3]
    assert data_of(pipeline, "entries", entry, 3) == {"title": "two", "description": "d"}


def test_a_patch_is_applied_to_the_snapshot_when_the_validator_remembers_nothing(pipeline, disturbed):
    entry = pipeline.entry(title="one", description="stays")
    pipeline.settle()
    disturbed.validator.restart()
    assert done(patch(pipeline, f"/entries/{entry}", {"title": "two"}))["version"] == 2
    assert data_of(pipeline, "entries", entry, 2) == {"title": "two", "description": "stays"}


def test_a_patch_of_what_does_not_exist_is_404(pipeline):
    gone = pipeline.entry()
    pipeline.delete("entries", gone)
    for entity, version in ((fresh(), 0), (gone, 2)):
        for body, headers in (({"title": "t"}, MERGE), ([{"op": "add", "path": "/title", "value": "t"}], STEPS)):
            assert problem(patch(pipeline, f"/entries/{entity}", body, headers), 404, "not-found")["version"] == version


def test_a_patched_result_that_is_against_the_schema_is_422_with_pointer_and_rule(pipeline):
    entry = pipeline.entry(title="one")
    for body, headers in (({"title": 7}, MERGE), ([{"op": "replace", "path": "/title", "value": 7}], STEPS)):
        told = problem(patch(pipeline, f"/entries/{entry}", body, headers), 422, "schema-violation")
        assert [(error["pointer"], error["rule"]) for error in told["errors"]] == [("/title", "type")]
    told = problem(patch(pipeline, f"/entries/{entry}", {"title": None}), 422, "schema-violation")
    assert [(error["pointer"], error["rule"]) for error in told["errors"]] == [("", "required")]
    once(pipeline, "Entry", entry)


def test_links_that_a_patch_makes_are_checked_and_those_that_it_leaves_hold(pipeline):
    asset, entry = pipeline.asset(), pipeline.entry()
    missing = patch(pipeline, f"/entries/{entry}", {"heroImage": fresh()})
    problem(missing, 422, "link-missing")
    done(patch(pipeline, f"/entries/{entry}", {"heroImage": asset}))
    problem(waited(pipeline, "DELETE", f"/assets/{asset}"), 409, "linked")
    done(patch(pipeline, f"/entries/{entry}", {"title": "the link stays"}))
    problem(waited(pipeline, "DELETE", f"/assets/{asset}"), 409, "linked")
    done(patch(pipeline, f"/entries/{entry}", [{"op": "remove", "path": "/heroImage"}], STEPS))
    assert done(waited(pipeline, "DELETE", f"/assets/{asset}"))["version"] == 2
    pipeline.check()


def test_a_console_can_patch_as_well(pipeline):
    entry = pipeline.entry(title="one", description="stays")
    for number, (kind, body) in enumerate([("merge-patch", {"title": "two"}),
                                           ("json-patch", [{"op": "replace", "path": "/title", "value": "three"}])], 2):
        pipeline.console.send({**command("updateEntry", entry, body, id=f"c{number}-{entry}"), "patch": kind}, key=entry)
        assert pipeline.accepted(f"c{number}-{entry}")["version"] == number
    assert data_of(pipeline, "entries", entry, 3) == {"title": "three", "description": "stays"}


# ---- JSON Patch ----

def test_a_json_patch_is_done_in_order_and_to_the_latest(pipeline):
    entity = sample(pipeline, array=[1, 2, 3], object={"a": {"b": 1}}, **{"a/b~c": "escaped"})
    answer = patch(pipeline, f"/samples/{entity}", [
        {"op": "test", "path": "/array/1", "value": 2.0},
        {"op": "add", "path": "/array/1", "value": "in"},
        {"op": "add", "path": "/array/-", "value": "end"},
        {"op": "remove", "path": "/array/0"},
        {"op": "copy", "from": "/object/a", "path": "/object/c"},
        {"op": "move", "from": "/object/a/b", "path": "/object/d"},
        {"op": "replace", "path": "/a~1b~0c", "value": "changed"},
    ], STEPS)
    assert done(answer)["version"] == 2
    assert data_of(pipeline, "samples", entity, 2) == {
        "array": ["in", 2, 3, "end"], "object": {"a": {}, "c": {"b": 1}, "d": 1}, "a/b~c": "changed"}


@pytest.mark.parametrize("steps, said", [
    ([{"op": "add", "path": "/title", "value": "lost"}, {"op": "test", "path": "/description", "value": "other"}], "operation 1: the test failed"),
    ([{"op": "add", "path": "/title", "value": "lost"}, {"op": "remove", "path": "/heroImage"}], "operation 1"),
    ([{"op": "spoil", "path": "/title"}], "operation 0"),
    ({"op": "add", "path": "/title", "value": "no array"}, "array"),
    ([{"op": "test", "path": "", "value": None}] * 257, "too many"),
], ids=["test", "remove", "unknown", "object", "long"])
def test_a_json_patch_that_cannot_be_done_is_422_and_nothing_of_it_happens(pipeline, steps, said):
    entry = pipeline.entry(title="one", description="d")
    told = problem(patch(pipeline, f"/entries/{entry}", steps, STEPS), 422, "patch-failed")
    assert said in told["detail"] and told["version"] == 1 and told["id"] == entry
    once(pipeline, "Entry", entry)
    assert data_of(pipeline, "entries", entry, 1) == {"title": "one", "description": "d"}


def test_a_patch_that_doubles_what_is_there_again_and_again_is_refused_before_it_costs_memory(pipeline):
    entity = sample(pipeline, object={"text": "x" * 900_000})
    before = process_memory(pipeline.stack.validator.pid)
    steps = [{"op": "copy", "from": "/object", "path": f"/object/c{i}"} for i in range(16)]
    problem(patch(pipeline, f"/samples/{entity}", steps, STEPS), 422, "patch-failed")
    assert process_memory(pipeline.stack.validator.pid) < before + 300_000_000
    once(pipeline, "Sample", entity)


def test_a_patched_entity_that_would_be_larger_than_a_record_is_413(pipeline):
    entity = sample(pipeline, object={"a": "x" * 900_000})
    told = problem(patch(pipeline, f"/samples/{entity}", {"object": {"b": "x" * 900_000}}), 413, "too-large")
    assert told["version"] == 1
    once(pipeline, "Sample", entity)


@pytest.mark.parametrize("depth", [400, 513, 1500, 2046, 2047, 2048])
def test_however_deep_a_body_is_nested_it_is_refused_or_has_its_outcome(pipeline, depth):
    """As part of a record it lies deeper still, and what cannot be read there would have none."""
    entity = sample(pipeline, integer=1)
    merge = '{"object":' * (depth - 1) + "{}" + "}" * (depth - 1)
    steps = '[{"op":"add","path":"/array","value":' + "[" * (depth - 2) + "]" * (depth - 2) + "}]"
    for method, body, headers in (("PATCH", merge, MERGE), ("PATCH", steps, STEPS), ("PUT", merge, {})):
        answer = pipeline.api.request(method, f"/samples/{entity}", body, headers)
        if depth <= 512:
            pipeline.accepted(pipeline.note(answer))
        else:
            problem(answer, 400, "invalid-json")
    pipeline.accepted(pipeline.send("PUT", f"/samples/{entity}", {"integer": 2}))


@pytest.mark.parametrize("media_type", ["application/json", "text/plain", "application/merge-patch", None])
def test_a_patch_of_another_media_type_is_415_and_told_which_there_are(pipeline, media_type):
    answer = pipeline.api.request("PATCH", "/entries/some-id", b'{"title":"t"}', {"Content-Type": media_type})
    problem(answer, 415, "unsupported-media-type")
    assert {word.strip() for word in answer.headers["Accept-Patch"].split(",")} == {
        "application/merge-patch+json", "application/json-patch+json"}


def test_a_patchs_media_type_may_have_parameters_and_a_put_takes_no_patch(pipeline):
    entry = pipeline.entry()
    for media_type in ("application/merge-patch+json; charset=utf-8", "Application/Merge-Patch+JSON"):
        done(patch(pipeline, f"/entries/{entry}", {"title": "t"}, {"Content-Type": media_type}))
    done(patch(pipeline, f"/entries/{entry}", [], {"Content-Type": "application/json-patch+json;charset=utf-8"}))
    answer = pipeline.api.put(f"/entries/{entry}", {"title": "t"}, MERGE)
    problem(answer, 415, "unsupported-media-type")
    assert "Accept-Patch" not in answer.headers


def test_a_patch_that_is_no_json_is_400(pipeline):
    for headers in (MERGE, STEPS):
        problem(pipeline.api.request("PATCH", "/entries/some-id", b'{"title"', headers), 400, "invalid-json")


# ---- If-Match ----

@pytest.mark.parametrize("method, body, headers", [
    ("PUT", {"title": "two"}, {}), ("POST", {"title": "two"}, {}), ("PATCH", {"title": "two"}, MERGE), ("DELETE", None, {})])
def test_a_change_with_if_match_is_made_to_the_version_that_it_names_and_else_is_412(pipeline, method, body, headers):
    entry = pipeline.entry()
    pipeline.update("entries", entry, {"title": "newer"})
    for tag in ('"1"', '"3"', '"999999999999999999"'):
        told = problem(waited(pipeline, method, f"/entries/{entry}", body, {**headers, "If-Match": tag}), 412, "version-mismatch")
        assert told["version"] == 2
    assert done(waited(pipeline, method, f"/entries/{entry}", body, {**headers, "If-Match": '"2"'}))["version"] == 3
    once(pipeline, "Entry", entry, 3)


def test_the_etag_of_an_answer_is_what_if_match_takes(pipeline):
    created = waited(pipeline, "POST", "/entries", {"title": "one"})
    path = created.headers["Location"]
    changed = waited(pipeline, "PUT", path, {"title": "two"}, {"If-Match": created.headers["ETag"]})
    assert done(changed)["version"] == 2
    shown = eventually(lambda: (answer := pipeline.query.get(path)).headers["ETag"] == '"2"' and answer)
    done(waited(pipeline, "PUT", path, {"title": "three"}, {"If-Match": shown.headers["ETag"]}))


def test_of_many_changes_of_the_same_version_just_one_is_made(pipeline):
    entry = pipeline.entry()

    def one(i):
        http = Http(pipeline.stack.command_api.port, timeout=60)
        try:
            return http.put(f"/entries/{entry}", {"title": f"{i}"}, {**WAIT, "If-Match": '"1"'})
        finally:
            http.close()
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(one, range(20)))
    assert sorted(answer.status for answer in answers) == [200] + [412] * 19
    once(pipeline, "Entry", entry, 2)


def test_if_match_with_a_star_is_met_by_any_version_and_by_nothing_that_does_not_exist(pipeline):
    entry = pipeline.entry()
    assert done(waited(pipeline, "PUT", f"/entries/{entry}", {"title": "two"}, {"If-Match": "*"}))["version"] == 2
    problem(waited(pipeline, "PUT", f"/entries/{fresh()}", {"title": "two"}, {"If-Match": "*"}), 404, "not-found")


@pytest.mark.parametrize("tag", ["1", '"1', '1"', '"', '"1", "2"', "W/1", "'1'", "**", "W/", '* , "1"'])
def test_an_if_match_that_is_no_entity_tag_is_400(pipeline, tag):
    before = pipeline.settle() and len(pipeline.ledger.records["commands"])
    problem(pipeline.api.put("/entries/some-id", {"title": "t"}, {"If-Match": tag}), 400, "invalid-header")
    pipeline.settle()
    assert len(pipeline.ledger.records["commands"]) == before


@pytest.mark.parametrize("tag", ['"0"', '"-1"', '"x"', '""', 'W/"1"', '"1.0"', '"01"', '"1x"', '"1000000000000000000"', '"+1"'])
def test_a_tag_that_no_version_has_is_412_at_once(pipeline, tag):
    entry = pipeline.entry()
    problem(pipeline.api.put(f"/entries/{entry}", {"title": "t"}, {"If-Match": tag}), 412, "version-mismatch")
    once(pipeline, "Entry", entry)


# ---- If-None-Match: * ----

def test_a_put_with_if_none_match_creates_under_an_id_of_the_clients_own(pipeline):
    entity = fresh("mine")
    answer = waited(pipeline, "PUT", f"/entries/{entity}", {"title": "one"}, {"If-None-Match": "*"})
    told = done(answer, 201)
    assert told["type"] == "createEntry" and told["id"] == entity and told["version"] == 1
    assert answer.headers["Location"] == f"/entries/{entity}" and answer.headers["ETag"] == '"1"'
    again = waited(pipeline, "PUT", f"/entries/{entity}", {"title": "two"}, {"If-None-Match": "*"})
    assert problem(again, 412, "already-exists")["version"] == 1
    assert once(pipeline, "Entry", entity)[0]["type"] == "entryCreated"
    assert data_of(pipeline, "entries", entity, 1) == {"title": "one"}


def test_a_put_with_if_none_match_creates_again_what_was_deleted(pipeline):
    entry = pipeline.entry()
    pipeline.delete("entries", entry)
    answer = waited(pipeline, "PUT", f"/entries/{entry}", {"title": "again"}, {"If-None-Match": "*"})
    assert done(answer, 201)["version"] == 3 and answer.headers["ETag"] == '"3"'


def test_a_put_without_it_creates_nothing(pipeline):
    problem(waited(pipeline, "PUT", f"/entries/{fresh()}", {"title": "one"}), 404, "not-found")


@pytest.mark.parametrize("method, path, headers", [
    ("PUT", "/entries/x", {"If-None-Match": '"1"'}),
    ("PUT", "/entries/x", {"If-None-Match": "*", "If-Match": "*"}),
    ("POST", "/entries/x", {"If-None-Match": "*"}),
    ("POST", "/entries", {"If-None-Match": "*"}),
    ("DELETE", "/entries/x", {"If-None-Match": "*"}),
    ("PATCH", "/entries/x", {"If-None-Match": "*", **MERGE}),
])
def test_any_other_if_none_match_is_400(pipeline, method, path, headers):
    body = None if method == "DELETE" else {"title": "t"}
    problem(pipeline.api.request(method, path, body, headers), 400, "invalid-header")


# ---- rules.requireConditions ----

def test_where_settings_require_conditions_a_change_without_one_is_428(pipeline, instance):
    strict = instance(ODRADEK_RULES_REQUIRE_CONDITIONS="true")
    created = waited(pipeline, "POST", "/entries", {"title": "one"}, http=strict)  # nothing is there to be matched
    assert created.status == 201, created
    path = created.headers["Location"]
    for method, body, headers in (("PUT", {"title": "t"}, {}), ("POST", {"title": "t"}, {}), ("PATCH", {"title": "t"}, MERGE),
                                  ("DELETE", None, {}), ("PUT", {"title": "t"}, {"Idempotency-Key": "k"})):
        problem(strict.request(method, path, body, headers), 428, "condition-required")
    once(pipeline, "Entry", created.json["id"])
    for status, method, target, headers in ((200, "PUT", path, {"If-Match": '"1"'}), (200, "PUT", path, {"If-Match": "*"}),
                                            (412, "PUT", path, {"If-Match": '"1"'}),
                                            (201, "PUT", f"/entries/{fresh()}", {"If-None-Match": "*"})):
        answer = waited(pipeline, method, target, {"title": "t"}, headers, strict)
        assert answer.status == status, answer
    assert pipeline.api.put(path, {"title": "t"}).status == 202  # the others do not


# ---- Idempotency-Key ----

def keyed(key=None, **more):
    return {"Idempotency-Key": key or uuid.uuid4().hex, **more}


def all_forms(pipeline):
    """(name, a request that can be repeated) for each form of request that takes a key."""
    entry = pipeline.entry(title="one")
    yield "Entry", ("POST", "/entries", {"title": "t"}, {})
    yield "Entry", ("PUT", f"/entries/{entry}", {"title": "two"}, {})
    yield "Entry", ("POST", f"/entries/{entry}", {"title": "three"}, {})
    yield "Entry", ("PATCH", f"/entries/{entry}", {"description": "d"}, MERGE)
    yield "Entry", ("PATCH", f"/entries/{entry}", [{"op": "add", "path": "/title", "value": "four"}], STEPS)
    yield "Entry", ("PUT", f"/entries/{entry}", {"title": "five"}, {"If-Match": '"6"'})
    yield "Entry", ("DELETE", f"/entries/{entry}", None, {})
    yield "Entry", ("PUT", f"/entries/{fresh()}", {"title": "t"}, {"If-None-Match": "*"})
    yield "Entry", ("PUT", f"/entries/{fresh()}", {"title": "rejected"}, {})


def test_a_repeat_gets_the_same_answer_with_and_without_waiting_and_happens_once(pipeline):
    for entity_type, (method, path, body, headers) in all_forms(pipeline):
        headers = {**headers, **keyed()}
        first = waited(pipeline, method, path, body, headers)
        command_id = first.json["commandId"]
        unwaited = pipeline.api.request(method, path, body, headers)
        assert unwaited.status == 202 and unwaited.json["commandId"] == command_id, (first, unwaited)
        assert unwaited.headers["Location"] == f"/commands/{command_id}"
        pipeline.note(unwaited)
        pipeline.settle()
        written = len(pipeline.ledger.commands[command_id])
        for _ in range(3):
            assert same(first, waited(pipeline, method, path, body, headers)), (method, path)
            assert same(unwaited, pipeline.api.request(method, path, body, headers)), (method, path)
        pipeline.settle()
        assert len(pipeline.ledger.commands[command_id]) == written  # what the store knows is not written again
        assert len(pipeline.ledger.outcomes[command_id]) == 1
        assert len(pipeline.ledger.events_of_command[command_id]) == (1 if first.status < 300 else 0)
    pipeline.check()


def test_a_repeat_that_follows_at_once_gets_the_same_answer(pipeline):
    """Before any store can know of the first."""
    for round_ in range(20):
        headers = keyed()
        first = waited(pipeline, "POST", "/entries", {"title": "t"}, headers)
        start = time.monotonic()
        assert same(first, waited(pipeline, "POST", "/entries", {"title": "t"}, headers)), first
        assert time.monotonic() - start < WAIT_SECONDS, "the repeat waited for an outcome that had passed by"
        if round_ % 5 == 0:
            once(pipeline, "Entry", first.json["id"])


def test_repeats_without_waiting_are_acknowledged_alike(pipeline):
    headers = keyed()
    answers = [pipeline.api.post("/entries", {"title": "t"}, headers) for _ in range(5)]
    pipeline.note(answers[0])
    assert all(same(answers[0], answer) for answer in answers)
    once(pipeline, "Entry", answers[0].json["id"])


def test_many_repeats_at_once_are_one_command(pipeline, instance):
    """Through two instances."""
    other = instance()
    headers, ports = keyed(), (pipeline.stack.command_api.port, other.port)

    def one(i):
        http = Http(ports[i % 2], timeout=60)
        try:
            return http.post("/entries", {"title": "t"}, {**headers, **WAIT})
        finally:
            http.close()
    start = time.monotonic()
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(one, range(40)))
    assert time.monotonic() - start < WAIT_SECONDS, "repeats waited for an outcome that had passed by"
    assert all(answer.status == 201 and same(answers[0], answer) for answer in answers), answers
    once(pipeline, "Entry", answers[0].json["id"])
    pipeline.check()


def test_of_two_requests_that_race_for_a_key_one_is_done_and_the_other_is_422(pipeline):
    for _ in range(5):
        headers = keyed()

        def one(i):
            http = Http(pipeline.stack.command_api.port, timeout=60)
            try:
                return http.post("/entries", {"title": f"body {i % 2}"}, {**headers, **WAIT})
            finally:
                http.close()
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(one, range(8)))
        winners = [answer for answer in answers if answer.status == 201]
        assert len(winners) == 4 and all(same(winners[0], winner) for winner in winners), answers
        for answer in answers:
            if answer.status != 201:
                problem(answer, 422, "idempotency-key-reused")
        once(pipeline, "Entry", winners[0].json["id"])
    pipeline.check()


def test_a_repeat_gets_the_first_answer_from_another_instance_and_after_restarts_of_everything(pipeline, disturbed, instance):
    headers, missing = keyed(), f"/entries/{fresh()}"
    first = waited(pipeline, "POST", "/entries", {"title": "t"}, headers)
    rejected = waited(pipeline, "DELETE", missing, headers=headers)
    assert (first.status, rejected.status) == (201, 404)
    pipeline.settle()

    def repeats(http):
        assert same(first, waited(pipeline, "POST", "/entries", {"title": "t"}, headers, http))
        assert same(rejected, waited(pipeline, "DELETE", missing, headers=headers, http=http))
        problem(http.post("/entries", {"title": "other"}, headers), 422, "idempotency-key-reused")
    repeats(instance())
    for name in ("validator", "persister", "materializer", "command_api"):
        getattr(disturbed, name).restart()
        repeats(Http(disturbed.command_api.port))
    disturbed.kill_server("events")
    disturbed.start_servers("events")
    pipeline.settle()
    repeats(Http(disturbed.command_api.port))
    once(pipeline, "Entry", first.json["id"])
    pipeline.check()


def test_a_repeat_is_known_when_the_event_store_was_emptied_and_comes_back_from_the_log(pipeline, disturbed):
    headers = keyed()
    first = waited(pipeline, "POST", "/entries", {"title": "t"}, headers)
    pipeline.settle()
    pipeline.events.flushall()
    start = time.monotonic()
    again = waited(pipeline, "POST", "/entries", {"title": "t"}, headers)
    assert same(first, again), again
    assert time.monotonic() - start < WAIT_SECONDS, "the repeat waited for an outcome that had passed by"
    once(pipeline, "Entry", first.json["id"])
    pipeline.check()


def test_a_repeat_gets_the_first_answer_also_when_the_entity_has_moved_on(pipeline):
    create, change = keyed(), keyed()
    created = waited(pipeline, "POST", "/entries", {"title": "one"}, create)
    path = created.headers["Location"]
    changed = waited(pipeline, "PUT", path, {"title": "two"}, {**change, "If-Match": '"1"'})
    assert done(changed)["version"] == 2
    pipeline.update("entries", created.json["id"], {"title": "three"})
    pipeline.delete("entries", created.json["id"])
    pipeline.settle()
    assert same(created, waited(pipeline, "POST", "/entries", {"title": "one"}, create))
    assert same(changed, waited(pipeline, "PUT", path, {"title": "two"}, {**change, "If-Match": '"1"'}))
    once(pipeline, "Entry", created.json["id"], 4)


def test_a_key_that_comes_with_another_request_is_422_and_nothing_is_written(pipeline):
    entry, headers = pipeline.entry(), keyed()
    done(waited(pipeline, "PUT", f"/entries/{entry}", {"title": "two"}, headers))
    pipeline.settle()
    before = len(pipeline.ledger.records["commands"])
    for method, body, more in (("PUT", {"title": "other"}, {}), ("PATCH", {"title": "two"}, MERGE), ("DELETE", None, {}),
                               ("PUT", {"title": "two"}, {"If-Match": '"1"'}), ("PUT", b'{"title": "two" }', {})):
        problem(pipeline.api.request(method, f"/entries/{entry}", body, {**headers, **more}), 422, "idempotency-key-reused")
    pipeline.settle()
    assert len(pipeline.ledger.records["commands"]) == before
    once(pipeline, "Entry", entry, 2)


def test_a_key_that_the_store_does_not_know_yet_is_held_by_the_validator(pipeline, disturbed):
    disturbed.persister.freeze()
    headers = keyed()
    first = waited(pipeline, "POST", "/entries", {"title": "one"}, headers)
    assert first.status == 201
    other = waited(pipeline, "POST", "/entries", {"title": "other"}, headers)
    assert problem(other, 422, "idempotency-key-reused")["version"] == 1
    unwaited = pipeline.note(pipeline.api.post("/entries", {"title": "another"}, headers))
    pipeline.rejected(unwaited, "idempotency-key-reused")
    pipeline.note(pipeline.api.post("/entries", {"title": "one"}, headers))
    disturbed.persister.thaw()
    pipeline.settle()
    assert same(first, waited(pipeline, "POST", "/entries", {"title": "one"}, headers))
    once(pipeline, "Entry", first.json["id"])
    pipeline.check()


def test_a_key_is_held_across_a_validators_death_before_the_store_knows_it(pipeline, disturbed):
    disturbed.persister.freeze()
    headers = keyed()
    first = waited(pipeline, "POST", "/entries", {"title": "one"}, headers)
    disturbed.validator.restart()
    problem(waited(pipeline, "POST", "/entries", {"title": "other"}, headers), 422, "idempotency-key-reused")
    pipeline.note(pipeline.api.post("/entries", {"title": "one"}, headers))
    disturbed.persister.thaw()
    once(pipeline, "Entry", first.json["id"])
    assert same(first, waited(pipeline, "POST", "/entries", {"title": "one"}, headers))
    pipeline.check()


def test_a_key_belongs_to_its_collection_or_entity(pipeline):
    headers, one, other = keyed(), pipeline.entry(), pipeline.entry()
    answers = [waited(pipeline, "POST", "/entries", {"title": "t"}, headers),
               waited(pipeline, "POST", "/assets", ASSET, headers),
               waited(pipeline, "PUT", f"/entries/{one}", {"title": "t"}, headers),
               waited(pipeline, "PUT", f"/entries/{other}", {"title": "t"}, headers)]
    assert [answer.status for answer in answers] == [201, 201, 200, 200]
    assert len({answer.json["commandId"] for answer in answers}) == 4


def test_when_a_key_has_expired_another_request_may_have_it(pipeline):
    headers, entry = keyed(), pipeline.entry()
    first = waited(pipeline, "PUT", f"/entries/{entry}", {"title": "one"}, headers)
    pipeline.settle()
    name = key_of(pipeline, "Entry", entry, headers["Idempotency-Key"])
    assert pipeline.events.get(name).decode() == first.json["commandId"]
    assert 23 * 3600 < pipeline.events.ttl(name) <= 24 * 3600
    assert expire(pipeline, entry, headers) == name
    second = waited(pipeline, "PUT", f"/entries/{entry}", {"title": "two"}, headers)
    assert done(second)["version"] == 3
    pipeline.settle()
    assert pipeline.events.get(name).decode() == second.json["commandId"]


@pytest.mark.parametrize("key", ["x" * 256, "a b", "a\tb", "\xe4", "", '""', '"a b"', '"' + "x" * 256 + '"', "a\x7f"])
def test_a_key_that_is_none_is_400(pipeline, key):
    headers = {"Idempotency-Key": key.encode("latin-1")}
    problem(pipeline.api.post("/entries", {"title": "t"}, headers), 400, "invalid-header")


@pytest.mark.parametrize("key", ["x" * 255, "!", "~", "a:outcome:b", "{0}:x", "\\", '"', "a\"b", "*", "ключ".encode().hex()])
def test_a_key_of_any_visible_characters_is_taken(pipeline, key):
    key = key if len(key) == 255 else f"{key}{uuid.uuid4().hex}"
    headers = keyed(key)
    first = waited(pipeline, "POST", "/entries", {"title": "t"}, headers)
    assert first.status == 201, first
    pipeline.settle()
    assert pipeline.events.get(key_of(pipeline, "Entry", first.json["id"], key)).decode() == first.json["commandId"]
    assert same(first, waited(pipeline, "POST", "/entries", {"title": "t"}, headers))


def test_the_bare_and_the_quoted_form_of_a_key_are_the_same_key(pipeline):
    key = uuid.uuid4().hex
    first = waited(pipeline, "POST", "/entries", {"title": "t"}, keyed(key))
    assert same(first, waited(pipeline, "POST", "/entries", {"title": "t"}, keyed(f'"{key}"')))
    pipeline.settle()
    problem(pipeline.api.post("/entries", {"title": "u"}, keyed(f'"{key}"')), 422, "idempotency-key-reused")


def test_a_repeat_tells_the_id_of_its_own_request_and_the_records_that_of_the_first(pipeline):
    headers = keyed()
    first, second = (waited(pipeline, "POST", "/entries", {"title": "t"}, {**headers, "X-Request-Id": name}) for name in ("first", "second"))
    assert same(first, second)
    assert (first.headers["X-Request-Id"], second.headers["X-Request-Id"]) == ("first", "second")
    pipeline.settle()
    for records in (pipeline.ledger.commands, pipeline.ledger.events_of_command, pipeline.ledger.outcomes):
        assert records[first.json["commandId"]][0].header("x-request-id") == "first"


def test_a_command_that_stands_in_the_log_twice_is_decided_once(pipeline):
    entry = fresh()
    create = command("createEntry", entry, {"title": "one"}, id=f"create-{entry}")
    update = command("updateEntry", entry, {"title": "two"}, id=f"update-{entry}")
    repeated = pipeline.stack.validator.metric("odradek_commands_repeated_total")
    pipeline.console.send_all([(record, entry, None) for record in (create, create, update, update, create)])
    assert pipeline.accepted(f"create-{entry}")["version"] == 1
    assert pipeline.accepted(f"update-{entry}")["version"] == 2
    pipeline.settle()
    for record in (update, create):  # and when the store knows of them
        pipeline.console.send(record, key=entry)
    pipeline.console.send(update, partition=(pipeline.partition(entry) + 1) % pipeline.stack.partitions)  # forwarded
    eventually(lambda: pipeline.stack.validator.metric("odradek_commands_repeated_total") == repeated + 6)
    once(pipeline, "Entry", entry, 2)
    assert len(pipeline.ledger.outcomes[f"create-{entry}"]) == len(pipeline.ledger.outcomes[f"update-{entry}"]) == 1
    pipeline.check()


def test_a_rejected_command_that_comes_again_stays_rejected(pipeline):
    entry = fresh()
    update = command("updateEntry", entry, {"title": "t"}, id=f"early-{entry}")
    pipeline.console.send(update, key=entry)
    pipeline.rejected(f"early-{entry}", "not-found")
    done(waited(pipeline, "PUT", f"/entries/{entry}", {"title": "now"}, {"If-None-Match": "*"}), 201)
    pipeline.console.send(update, key=entry)
    once(pipeline, "Entry", entry)
    assert len(pipeline.ledger.outcomes[f"early-{entry}"]) == 1


def test_a_consoles_idempotency_key_holds_as_well(pipeline):
    entry = pipeline.entry()
    for number, title in enumerate(("two", "other")):
        pipeline.console.send(command("updateEntry", entry, {"title": title}, id=f"c{number}-{entry}", idempotencyKey="k"), key=entry)
    assert pipeline.accepted(f"c0-{entry}")["version"] == 2
    pipeline.rejected(f"c1-{entry}", "idempotency-key-reused")
    once(pipeline, "Entry", entry, 2)
    pipeline.check()


# ---- Prefer: wait ----

def test_a_create_that_waits_is_201_with_the_entitys_address_and_tag(pipeline):
    answer = waited(pipeline, "POST", "/entries", {"title": "t"})
    told = done(answer, 201)
    assert told == {"commandId": told["commandId"], "status": "accepted", "type": "createEntry", "id": told["id"], "version": 1}
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Location"] == f"/entries/{told['id']}" and answer.headers["ETag"] == '"1"'
    shown = eventually(lambda: (found := pipeline.api.get(f"/commands/{told['commandId']}")).json["status"] != "pending" and found)
    assert shown.json == told


def test_a_change_that_waits_is_200_with_the_tag_and_no_location(pipeline):
    entry = pipeline.entry()
    for version, (method, body, headers, name) in enumerate([
            ("PUT", {"title": "t"}, {}, "update"), ("POST", {"title": "t"}, {}, "update"),
            ("PATCH", {"title": "t"}, MERGE, "update"), ("DELETE", None, {}, "delete")], 2):
        answer = waited(pipeline, method, f"/entries/{entry}", body, headers)
        told = done(answer)
        assert told == {"commandId": told["commandId"], "status": "accepted", "type": f"{name}Entry", "id": entry, "version": version}
        assert answer.headers["ETag"] == f'"{version}"' and "Location" not in answer.headers


def test_a_rejection_that_was_waited_for_is_a_problem_with_the_status_of_its_type(pipeline):
    asset = pipeline.asset()
    entry = pipeline.entry(heroImage=asset)
    for status, error_type, version, method, path, body, headers in (
            (404, "not-found", 0, "DELETE", f"/entries/{fresh()}", None, {}),
            (409, "linked", 1, "DELETE", f"/assets/{asset}", None, {}),
            (412, "version-mismatch", 1, "PUT", f"/entries/{entry}", {"title": "t"}, {"If-Match": '"7"'}),
            (412, "already-exists", 1, "PUT", f"/entries/{entry}", {"title": "t"}, {"If-None-Match": "*"}),
            (422, "link-missing", 1, "PUT", f"/entries/{entry}", {"title": "t", "heroImage": fresh()}, {}),
            (422, "patch-failed", 1, "PATCH", f"/entries/{entry}", [{"op": "remove", "path": "/x"}], STEPS)):
        answer = waited(pipeline, method, path, body, headers)
        told = problem(answer, status, error_type)
        assert told["type"] == f"/problems/{error_type}"
        assert told.keys() == {"type", "title", "status", "detail", "commandId", "id", "version"}
        assert told["version"] == version and told["id"] == path.rsplit("/", 1)[1]
        assert answer.headers["Preference-Applied"] == "wait=30" and "ETag" not in answer.headers
        outcome = pipeline.rejected(told["commandId"], error_type)
        assert outcome["error"]["detail"] == told["detail"]


def test_a_create_of_what_exists_is_409_where_no_condition_was_set(pipeline):
    """Its id follows from its key: another request has it once the key has expired."""
    headers = keyed()
    first = waited(pipeline, "POST", "/entries", {"title": "one"}, headers)
    expire(pipeline, first.json["id"], headers)
    problem(waited(pipeline, "POST", "/entries", {"title": "two"}, headers), 409, "already-exists")
    once(pipeline, "Entry", first.json["id"])


def test_what_is_refused_at_the_door_waits_for_nothing(pipeline, frozen):
    start = time.monotonic()
    for status, body, headers in ((400, b"{", {}), (422, {}, {}), (415, b"x", {"Content-Type": "text/plain"})):
        answer = waited(pipeline, "POST", "/entries", body, headers)
        problem(answer, status)
        assert "Preference-Applied" not in answer.headers
    assert time.monotonic() - start < WAIT_SECONDS


@pytest.mark.parametrize("prefer, applied", [
    ("wait=30", "wait=30"), ("WAIT=30", "wait=30"), ('wait="30"', "wait=30"), ("respond-async, wait=30", "wait=30"),
    ("wait=30, respond-async", "wait=30"), ("wait=30; strict", "wait=30"), ("wait=30, wait=1", "wait=30"),
    ("wait = 30", "wait=30"), ("return=minimal,wait=30", "wait=30"), ("wait=999999999999", "wait=60"), ("wait=61", "wait=60"),
    ("wait", None), ("wait=", None), ("wait=x", None), ("wait=-1", None), ("waits=3", None), ("return=minimal", None),
    ("respond-async", None), ("", None)])
def test_how_long_to_wait_is_read_as_http_says_and_what_is_not_understood_is_ignored(pipeline, prefer, applied):
    answer = pipeline.api.post("/entries", {"title": "t"}, {"Prefer": prefer})
    assert answer.status == (201 if applied else 202), answer
    assert answer.headers["Preference-Applied"] == applied


def test_a_wait_of_no_seconds_is_over_at_once(pipeline, frozen):
    start = time.monotonic()
    answer = pipeline.api.post("/entries", {"title": "t"}, {"Prefer": "wait=0"})
    assert time.monotonic() - start < LONGEST_WAIT_SECONDS
    sent = pipeline.note(answer)
    assert answer.headers["Location"] == f"/commands/{sent.command_id}"
    frozen.thaw()
    pipeline.accepted(sent)


def test_when_the_time_is_over_the_answer_is_202_and_the_outcome_comes_later(pipeline, frozen):
    start = time.monotonic()
    answer = pipeline.api.post("/entries", {"title": "t"}, {"Prefer": "wait=2"})
    assert 1.9 < time.monotonic() - start < LONGEST_WAIT_SECONDS
    sent = pipeline.note(answer)
    assert answer.json == {"commandId": sent.command_id, "id": sent.id, "type": "createEntry"}
    assert answer.headers["Location"] == f"/commands/{sent.command_id}"
    assert pipeline.api.get(answer.headers["Location"]).json["status"] == "pending"
    frozen.thaw()
    assert eventually(lambda: pipeline.api.get(answer.headers["Location"]).json["status"] == "accepted")


def test_a_wait_longer_than_settings_allow_is_cut(pipeline, frozen, instance):
    short = instance(ODRADEK_LIMITS_WAIT_SECONDS=1)
    start = time.monotonic()
    pipeline.note(short.post("/entries", {"title": "t"}, {"Prefer": "wait=30"}))
    assert 0.9 < time.monotonic() - start < 30
    frozen.thaw()
    eventually(lambda: short.post("/entries", {"title": "t"}, {"Prefer": "wait=30"}).headers["Preference-Applied"] == "wait=1")


def test_any_instance_learns_of_the_outcome_that_its_requests_wait_for(pipeline, instance):
    others = [instance(), instance()]
    for _ in range(5):
        for http in others:
            start = time.monotonic()
            done(waited(pipeline, "POST", "/entries", {"title": "t"}, http=http), 201)
            assert time.monotonic() - start < WAIT_SECONDS


class Waiting:
    """Requests on connections of their own that are sent and not answered yet."""

    def __init__(self, port, count, seconds=30):
        body = b'{"title":"t"}'
        request = (b"POST /entries HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nPrefer: wait=%d\r\n"
                   b"Content-Length: %d\r\n\r\n%s" % (seconds, len(body), body))
        self.sockets = [socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(count)]
        for connection in self.sockets:
            connection.sendall(request)

    def answers(self):
        """Status line and body of each."""
        for connection in self.sockets:
            text = b""
            while not re.search(rb"\r\n\r\n\{.*\}$", text, re.S):
                part = connection.recv(65536)
                assert part, f"the connection ended after {text!r}"
                text += part
            head, _, body = text.partition(b"\r\n\r\n")
            yield int(head.split()[1]), json.loads(body)
            connection.close()


def threads_of(pid):
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def test_hundreds_wait_at_once_without_a_thread_each(pipeline, frozen):
    service = pipeline.stack.command_api
    before = threads_of(service.pid)
    waiting = Waiting(service.port, 500)
    eventually(lambda: service.metric("odradek_command_waits") == 500)
    assert threads_of(service.pid) == before
    frozen.thaw()
    answers = list(waiting.answers())
    assert [status for status, _ in answers] == [201] * 500
    assert len({body["id"] for _, body in answers}) == 500
    eventually(lambda: service.metric("odradek_command_waits") == 0)
    pipeline.check()


def test_those_who_wait_are_answered_when_the_service_ends(pipeline, disturbed, frozen):
    other = disturbed.replica("command-api").await_ready()
    waiting = Waiting(other.port, 50)
    eventually(lambda: other.metric("odradek_command_waits") == 50)
    other.signal(signal.SIGTERM)
    answers = list(waiting.answers())
    assert [status for status, _ in answers] == [202] * 50
    assert other.wait() == 0
    frozen.thaw()
    for _, body in answers:
        assert pipeline.accepted(body["commandId"])["id"] == body["id"]


def test_a_client_that_goes_away_while_it_waits_disturbs_nobody(pipeline, frozen):
    service = pipeline.stack.command_api
    waiting = Waiting(service.port, 50, seconds=2)
    eventually(lambda: service.metric("odradek_command_waits") == 50)
    for connection in waiting.sockets:
        connection.close()
    frozen.thaw()
    eventually(lambda: service.metric("odradek_command_waits") == 0)
    done(waited(pipeline, "POST", "/entries", {"title": "t"}), 201)


def test_while_the_event_store_is_away_keys_are_taken_and_waits_end_by_the_outcomes_topic(pipeline, disturbed):
    """The validator decides again when the store is back, and the answer is that of the log."""
    disturbed.kill_server("events")
    sent = pipeline.note(pipeline.api.post("/entries", {"title": "t"}, keyed()))
    disturbed.start_servers("events")
    pipeline.accepted(sent)
    done(waited(pipeline, "POST", "/entries", {"title": "t"}, keyed()), 201)
    pipeline.check()


def test_requests_that_wait_have_their_outcome_when_the_validator_is_killed_meanwhile(pipeline, disturbed):
    waiting = Waiting(pipeline.stack.command_api.port, 100, seconds=60)
    disturbed.validator.kill()
    disturbed.validator.start()
    assert [status for status, _ in waiting.answers()] == [201] * 100
    pipeline.check()


# ---- methods beside ----

def test_options_and_head_are_as_everywhere(pipeline):
    for path, allowed in (("/entries", {"POST", "OPTIONS"}),
                          ("/entries/some-id", {"PUT", "PATCH", "POST", "DELETE", "OPTIONS"}),
                          ("/commands/some-id", {"GET", "HEAD", "OPTIONS"})):
        answer = pipeline.api.request("OPTIONS", path)
        assert answer.status == 204 and answer.body == b""
        assert {word.strip() for word in answer.headers["Allow"].split(",")} == allowed
    told = done(waited(pipeline, "POST", "/entries", {"title": "t"}), 201)
    path = f"/commands/{told['commandId']}"
    eventually(lambda: pipeline.api.get(path).json["status"] == "accepted")
    got, head = pipeline.api.get(path), pipeline.api.request("HEAD", path)
    assert head.status == 200 and head.body == b"" and head.headers["Content-Length"] == got.headers["Content-Length"]
