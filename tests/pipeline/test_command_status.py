"""GET /commands/{commandId}: what became of a command."""

import time
import uuid

import pytest

from client import Http
from harness import eventually
from test_commands import problem
from test_rules import command, fresh


def uuid7(seconds_ago=0):
    ms = int((time.time() - seconds_ago) * 1000)
    return str(uuid.UUID(int=ms << 80 | 7 << 76 | uuid.uuid4().int & 0xFFF << 64 | 2 << 62 | uuid.uuid4().int & (1 << 62) - 1))


def status_of(http, command_id):
    answer = http.get(f"/commands/{command_id}")
    assert answer.status == 200, answer
    assert answer.headers["Content-Type"] == "application/json"
    return answer.json


def decided(http, command_id):
    """Waits until it is not pending any more."""
    return eventually(lambda: (shown := status_of(http, command_id))["status"] != "pending" and shown)


def test_a_command_that_was_accepted_is_told_with_the_entity_and_its_version(pipeline):
    created = pipeline.send("POST", "/entries", {"title": "t"})
    assert decided(pipeline.api, created.command_id) == {
        "commandId": created.command_id, "status": "accepted", "type": "createEntry", "id": created.id, "version": 1}
    updated = pipeline.send("PUT", f"/entries/{created.id}", {"title": "u"})
    assert decided(pipeline.api, updated.command_id)["version"] == 2


def test_a_command_that_was_rejected_is_told_with_the_reason(pipeline):
    entity = fresh()
    sent = pipeline.send("DELETE", f"/entries/{entity}")
    shown = decided(pipeline.api, sent.command_id)
    error = shown.pop("error")
    assert shown == {"commandId": sent.command_id, "status": "rejected", "type": "deleteEntry", "id": entity, "version": 0}
    assert error["type"] == "not-found" and entity in error["detail"]


def test_a_rejection_for_the_schema_tells_pointer_and_rule(pipeline):
    entity = fresh()
    pipeline.console.send(command("createEntry", entity, {"title": 1}, id=f"c-{entity}"), key=entity)
    pipeline.outcome(f"c-{entity}")
    shown = eventually(lambda: (answer := pipeline.api.get(f"/commands/c-{entity}")).status == 200 and answer.json)
    assert {"pointer": "/title", "rule": "type"}.items() <= shown["error"]["errors"][0].items()


def test_a_command_that_was_not_decided_yet_is_pending(pipeline, disturbed):
    disturbed.validator.kill()
    sent = pipeline.send("POST", "/entries", {"title": "t"})
    shown = status_of(pipeline.api, sent.command_id)
    assert shown["commandId"] == sent.command_id and shown["status"] == "pending"
    assert "version" not in shown and "error" not in shown
    disturbed.validator.start()
    assert decided(pipeline.api, sent.command_id)["status"] == "accepted"


def test_a_young_command_id_that_is_not_known_yet_is_pending_and_an_old_one_is_404(pipeline):
    assert status_of(pipeline.api, uuid7())["status"] == "pending"
    problem(pipeline.api.get(f"/commands/{uuid7(seconds_ago=3600)}"), 404)
    problem(pipeline.api.get(f"/commands/{uuid7(seconds_ago=-3600)}"), 404)


@pytest.mark.parametrize("name", ["nobody-knows-it", str(uuid.uuid4()), "a%20b", "x" * 200, "%7B0%7D:offset"])
def test_a_command_id_that_nobody_knows_is_404(pipeline, name):
    problem(pipeline.api.get(f"/commands/{name}"), 404)


def test_a_command_of_a_console_can_be_asked_for_by_its_own_id(pipeline):
    entity = fresh()
    pipeline.console.send(command("createEntry", entity, {"title": "t"}, id=f"c-{entity}"), partition=0)
    pipeline.accepted(f"c-{entity}")
    eventually(lambda: pipeline.api.get(f"/commands/c-{entity}").status == 200)
    assert decided(pipeline.api, f"c-{entity}")["id"] == entity


def test_any_instance_tells_what_became_of_a_command_also_after_restarts(pipeline, disturbed):
    accepted = pipeline.send("POST", "/entries", {"title": "t"})
    rejected = pipeline.send("DELETE", f"/entries/{fresh()}")
    told = [decided(pipeline.api, sent.command_id) for sent in (accepted, rejected)]
    other = disturbed.replica("command-api").await_ready()
    assert [decided(Http(other.port), sent.command_id) for sent in (accepted, rejected)] == told
    disturbed.command_api.restart()
    disturbed.persister.restart()
    assert [decided(Http(disturbed.command_api.port), sent.command_id) for sent in (accepted, rejected)] == told


def test_how_long_a_command_is_pending_is_a_setting(pipeline, disturbed):
    other = disturbed.replica("command-api", ODRADEK_LIMITS_PENDING_SECONDS=5).await_ready()
    assert Http(other.port).get(f"/commands/{uuid7(seconds_ago=1)}").status == 200
    problem(Http(other.port).get(f"/commands/{uuid7(seconds_ago=6)}"), 404)
    assert pipeline.api.get(f"/commands/{uuid7(seconds_ago=6)}").status == 200


def test_while_the_event_store_is_away_a_question_is_answered_503_and_commands_are_still_taken(pipeline, disturbed):
    sent = pipeline.send("POST", "/entries", {"title": "t"})
    decided(pipeline.api, sent.command_id)
    disturbed.kill_server("events")
    answer = pipeline.api.get(f"/commands/{sent.command_id}")
    problem(answer, 503)
    assert int(answer.headers["Retry-After"]) >= 1
    during = pipeline.send("POST", "/entries", {"title": "t"})  # perhaps decided only when it is known what was before
    disturbed.start_servers("events")
    pipeline.accepted(during)
    assert eventually(lambda: (answer := pipeline.api.get(f"/commands/{during.command_id}")).status == 200 and
                      answer.json["status"] == "accepted")


def test_outcomes_are_kept_in_the_event_store_for_as_long_as_settings_say(pipeline):
    sent = pipeline.send("POST", "/entries", {"title": "t"})
    pipeline.settle()
    key = f"{{{pipeline.partition(sent.id)}}}:outcome:{sent.command_id}"
    assert 167 * 3600 < pipeline.events.ttl(key) <= 168 * 3600
