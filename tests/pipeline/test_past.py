"""An entity as it was, at a version or a time."""

import json
from datetime import datetime, timedelta, timezone

import pytest

from harness import eventually
from test_commands import problem
from test_rules import command, fresh


def at(time):
    """RFC 3339, as events have it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03}Z"


def parse(text):
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)


def fold(events):
    """What must be shown after these events; None: nothing, "gone": it was deleted."""
    shown = None
    for event in events:
        time = event["meta"]["time"]
        if event["type"].endswith("Deleted"):
            shown = "gone"
        elif event["type"].endswith("Created"):
            shown = {"createdAt": time, "data": event["body"]}
        else:
            shown = {**shown, "data": event["body"]}
        if shown != "gone":
            shown = {"id": event["id"], "type": "Entry", "version": event["version"], "createdAt": shown["createdAt"], "updatedAt": time, "data": shown["data"]}
    return shown


@pytest.fixture(scope="module")
def lived(session_pipeline):
    """An entry that was created, changed, deleted, created again, changed, deleted and created a third time; its events."""
    pipeline = session_pipeline
    entry = fresh("lived")
    steps = [("create", "a"), ("update", "b"), ("update", "c"), ("delete", None), ("create", "d"), ("update", "e"), *[("update", f"f{n}") for n in range(130)],
             ("delete", None), ("create", "g"), ("update", "h")]
    for number, (verb, title) in enumerate(steps):
        pipeline.console.send(command(f"{verb}Entry", entry, {"title": title} if title else None, id=f"{number}-{entry}"), key=entry)
        if number % 40 < 7:  # some at times of their own, most with others
            pipeline.accepted(f"{number}-{entry}")
    pipeline.accepted(f"{len(steps) - 1}-{entry}")
    pipeline.settle()
    events = pipeline.history("Entry", entry)
    assert len(events) == len(steps)
    return entry, events


def check(answer, expected):
    if expected is None:
        problem(answer, 404)
        assert answer.json["type"] == "/problems/not-found"
    elif expected == "gone":
        problem(answer, 410)
        assert answer.json["type"] == "/problems/gone"
    else:
        assert answer.status == 200, answer
        assert answer.json == expected
        assert answer.headers["ETag"] == f'"{expected["version"]}"'


def test_an_entity_is_shown_as_it_was_at_each_version(pipeline, lived):
    entry, events = lived
    for version in range(1, len(events) + 1):
        check(pipeline.query.get(f"/entries/{entry}?version={version}"), fold(events[:version]))


def test_a_version_that_is_not_there_is_404_and_says_which_is_the_latest(pipeline, lived):
    entry, events = lived
    answer = pipeline.query.get(f"/entries/{entry}?version={len(events) + 1}")
    check(answer, None)
    assert f"no version {len(events) + 1}" in answer.json["detail"] and f"latest is {len(events)}" in answer.json["detail"]
    check(pipeline.query.get(f"/entries/{entry}?version=9223372036854775806"), None)
    check(pipeline.query.get(f"/entries/{fresh()}?version=1"), None)
    check(pipeline.query.get(f"/assets/{entry}?version=1"), None)


def test_an_entity_is_shown_as_it_was_at_each_time(pipeline, lived):
    entry, events = lived
    times = {parse(event["meta"]["time"]) + timedelta(milliseconds=shift) for event in events for shift in (-1, 0, 1)}
    assert len(times) > 20
    for time in times:
        check(pipeline.query.get(f"/entries/{entry}?at={at(time)}"), fold([event for event in events if event["meta"]["time"] <= at(time)]))


def test_a_time_may_have_any_offset_and_fraction(pipeline, lived):
    entry, events = lived
    time = parse(events[2]["meta"]["time"])
    expected = fold([event for event in events if event["meta"]["time"] <= at(time)])
    for hours, text in ((1, "%2B01:00"), (1, "+01:00"), (-11, "-11:00"), (0, "%2B00:00")):
        local = (time + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03}999"
        check(pipeline.query.get(f"/entries/{entry}?at={local}{text}"), expected)
    check(pipeline.query.get(f"/entries/{entry}?at=2999-01-01T00:00:00Z"), fold(events))
    check(pipeline.query.get(f"/entries/{entry}?at=1999-01-01T00:00:00Z"), None)


def test_the_past_is_the_same_while_the_snapshot_store_is_away(pipeline, disturbed, lived):
    """It only says when what is shown was created; else that is looked for in the history."""
    entry, events = lived
    disturbed.kill_server("snapshots")
    eventually(lambda: disturbed.query_api.get("/ready").status == 503)
    for version in (1, 2, 4, 6, 100, 136, 137, 138, 139):
        check(pipeline.query.get(f"/entries/{entry}?version={version}"), fold(events[:version]))


def test_the_past_is_the_same_while_snapshots_are_behind(pipeline, disturbed):
    entry = fresh("behind")
    for number, verb in enumerate(["create", "update"]):
        pipeline.console.send(command(f"{verb}Entry", entry, {"title": verb}, id=f"{number}-{entry}"), key=entry)
    pipeline.accepted(f"1-{entry}")
    pipeline.settle()
    disturbed.materializer.kill()
    for number, verb in enumerate(["delete", "create", "update", "update"], 2):
        pipeline.console.send(command(f"{verb}Entry", entry, {"title": verb} if verb != "delete" else None, id=f"{number}-{entry}"), key=entry)
    pipeline.accepted(f"5-{entry}")
    eventually(lambda: len(pipeline.query.get(f"/entries/{entry}/events").json["items"]) == 6)
    events = pipeline.history("Entry", entry)
    for version in range(1, 7):
        check(pipeline.query.get(f"/entries/{entry}?version={version}"), fold(events[:version]))


def test_the_past_has_an_etag_and_knows_which_members_are_wanted(pipeline, lived):
    entry, events = lived
    answer = pipeline.query.get(f"/entries/{entry}?version=2", headers={"If-None-Match": '"2"'})
    assert answer.status == 304 and answer.headers["ETag"] == '"2"' and answer.body == b""
    assert pipeline.query.get(f"/entries/{entry}?version=2", headers={"If-None-Match": '"3"'}).status == 200
    assert pipeline.query.get(f"/entries/{entry}?version=2&fields=nothing").json["data"] == {}
    assert pipeline.query.get(f"/entries/{entry}?version=2&fields=title").json["data"] == {"title": "b"}


def test_data_of_the_past_are_as_they_were_written(pipeline):
    sample = pipeline.create("samples", {"number": 1})
    pipeline.note(pipeline.api.request("PUT", f"/samples/{sample}", b'{"number":1.50,"string":"\\u00e4"}', {"Content-Type": "application/json"}))
    pipeline.visible("samples", sample, 2)
    pipeline.settle()
    now, then = (pipeline.query.get(f"/samples/{sample}{query}").body for query in ("", "?version=2"))
    assert now == then and b'"number":1.50' in then
    assert json.loads(then)["version"] == 2


@pytest.mark.parametrize("query", ["version=0", "version=-1", "version=x", "version=", "version=1&version=1", "at=now", "at=2026-11-21", "at=", "at=2026-11-21T07:00:00",
                                   "version=1&at=2026-11-21T07:00:00Z", "version=1&min_version=1", "at=2026-11-21T07:00:00Z&wait=1", "version=1&include=heroImage",
                                   "limit=1", "sort=title", "filter[title]=x", "count=true"])
def test_a_parameter_of_an_entity_that_is_wrong_is_answered_400(pipeline, lived, query):
    answer = pipeline.query.get(f"/entries/{lived[0]}?{query}")
    problem(answer, 400)
    assert answer.json["type"] == "/problems/invalid-parameter"


def test_while_the_event_store_is_away_the_past_is_answered_503(pipeline, disturbed, lived):
    disturbed.kill_server("events")
    for query in ("version=1", "at=2026-11-21T07:00:00Z"):
        answer = pipeline.query.get(f"/entries/{lived[0]}?{query}")
        problem(answer, 503)
        assert int(answer.headers["Retry-After"]) >= 1
