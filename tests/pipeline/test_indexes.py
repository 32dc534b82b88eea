"""Indexes of the fields that schemas mark: what stands in them, and how they are made anew when a schema changes."""

import json

import pytest

from harness import eventually
from ledger import index_members
from load import Load
from pipeline import Pipeline

LONG = "long " * 60
VALUES = [None, True, False, 0, -1, 1.5, 2**53 + 1, -(2**63), "7", "", "a\u0001b\u0002", "é", LONG, ["b", "a", "b"], [], [["x"]], {"a": 1}, [None, 7, "7"]]


def members(pipeline, entity, field):
    key = f"{{{pipeline.partition(entity)}}}:index:Item:{field}"
    return [member for member, score in pipeline.snapshots.zrange(key, 0, -1, withscores=True)
            if member.rstrip(b"\1").endswith(b"\1" + entity.encode()) and score == 0]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: json.dumps(value)[:20])
def test_a_value_stands_in_the_index_of_its_field_as_long_as_the_entity_has_it(pipeline, value):
    item = pipeline.create("items", {"rank": value})
    pipeline.settle()
    assert members(pipeline, item, "rank") == index_members(value, item)
    assert members(pipeline, item, "status") == [b"0\1" + item.encode()]
    pipeline.update("items", item, {"rank": "another", "status": "open"})
    pipeline.settle()
    assert members(pipeline, item, "rank") == [b"4another\1" + item.encode()]
    assert members(pipeline, item, "status") == [b"4open\1" + item.encode()]
    pipeline.delete("items", item)
    pipeline.settle()
    assert members(pipeline, item, "rank") == members(pipeline, item, "status") == []


def test_all_indexes_are_what_the_log_says(pipeline):
    pipeline.check()


@pytest.fixture
def schema(disturbed):
    """Changes the schema of items on the disk; afterwards it is as it was."""
    path = disturbed.folder / "schemas/item.json"
    before = path.read_text()

    def change(name, **more):
        document = json.loads(before)
        document["properties"][name].update(more)
        path.write_text(json.dumps(document))
    yield change
    path.write_text(before)
    disturbed.materializer.restart()


def test_a_materializer_that_is_started_with_another_schema_makes_the_snapshots_anew(pipeline, disturbed, schema):
    item = pipeline.create("items", {"note": "found", "rank": 1})
    pipeline.check()
    shape = pipeline.snapshots.get("{0}:shape")
    schema("note", **{"x-index": True})
    disturbed.materializer.restart()
    assert pipeline.update("items", item, {"note": "found", "rank": 2})["version"] == 2  # decided all the same
    pipeline.check()
    assert members(pipeline, item, "note") == [b"4found\1" + item.encode()]
    assert pipeline.snapshots.get("{0}:shape") != shape
    assert "is filled anew" in disturbed.materializer.log()
    schema("note")
    disturbed.materializer.restart()
    pipeline.check()
    assert members(pipeline, item, "note") == []


def test_snapshots_that_are_made_anew_are_right_although_the_materializer_is_killed_meanwhile(pipeline, disturbed, schema):
    with Load(pipeline, workers=2) as load:
        load.await_more(50)
        for number in range(6):
            schema("note", **{"x-index": number % 2 == 0})
            disturbed.materializer.kill()
            disturbed.materializer.start()
            if number % 3:  # at some moment of the way
                eventually(lambda: (pipeline.snapshots.get("{0}:shape") or b"").startswith(b"emptied") or disturbed.materializer.is_ready())
        disturbed.materializer.await_ready()
        load.await_more(20)
    load.check()


def test_a_store_that_knows_no_shape_is_made_anew(own_stack):
    """As one that was filled before there were indexes."""
    stack = own_stack(partitions=2)
    stack.start_servers()
    stack.start_services()
    pipeline = Pipeline(stack)
    try:
        entry = pipeline.entry(title="kept")
        pipeline.settle()
        stack.materializer.kill()
        for partition in range(2):
            pipeline.snapshots.delete(f"{{{partition}}}:shape", f"{{{partition}}}:index:Entry:title")
            pipeline.snapshots.set(f"{{{partition}}}:left:over", "x")
        stack.materializer.start().await_ready()
        pipeline.check()
        assert pipeline.snapshots.zrange(f"{{{pipeline.partition(entry)}}}:index:Entry:title", 0, -1) == [b"4kept\1" + entry.encode()]
    finally:
        pipeline.close()


def test_a_schema_whose_index_cannot_be_keeps_a_service_from_starting(own_stack):
    stack = own_stack()
    path = stack.folder / "schemas/entry.json"
    document = json.loads(path.read_text())
    document["properties"]["title"]["x-index"] = "yes"
    path.write_text(json.dumps(document))
    for name in ("materializer", "query-api", "command-api"):
        service = stack.services[name].start()
        assert service.wait() == 3
        assert "/properties/title/x-index: must be true or false" in service.log()
