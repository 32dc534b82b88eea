"""Commands that people write to Kafka themselves, and records that are no commands."""

import json
import subprocess

import pytest

from harness import eventually
from test_rules import command, fresh


def elsewhere(pipeline, entity):
    """A partition that is not the entity's."""
    return (pipeline.partition(entity) + 3) % pipeline.stack.partitions


def decided_once(pipeline, entity, command_id=None):
    """Waits until a create of `entity` was accepted, and asserts that this happened once; returns the event's record."""
    record = eventually(lambda: pipeline.ledger.read().events.get(("Entry", entity)), what=f"event of {entity}")[0]
    pipeline.settle()
    assert len(pipeline.ledger.events["Entry", entity]) == 1
    outcomes = [outcome for outcome in pipeline.ledger.records["outcomes"] if outcome.json["id"] == entity]
    assert len(outcomes) == 1, outcomes
    assert outcomes[0].json["commandId"] == record.json["meta"]["command"]
    if command_id:
        assert record.json["meta"]["command"] == command_id
    return record


def titled(pipeline, title):
    """The events that give an entry this title."""
    return [record.json for records in pipeline.ledger.read().events.values() for record in records
            if record.json.get("body", {}).get("title") == title]


# ---- keys and partitions ----

def test_a_command_with_the_key_of_its_entity_is_decided_where_it_lies(pipeline):
    entity = fresh()
    pipeline.console.send(command("createEntry", entity, {"title": "t"}, id=f"c-{entity}"), key=entity)
    decided_once(pipeline, entity, f"c-{entity}")
    assert len(pipeline.ledger.commands[f"c-{entity}"]) == 1, "it was forwarded"


@pytest.mark.parametrize("key", ["none", "another", "its own in the wrong partition"])
def test_a_command_that_does_not_lie_in_its_entitys_partition_is_forwarded_there_and_decided_once(pipeline, key):
    entity = fresh()
    placed = {"none": None, "another": "something-else", "its own in the wrong partition": entity}[key]
    pipeline.console.send(command("createEntry", entity, {"title": "t"}, id=f"c-{entity}", user="me"), key=placed,
                          partition=elsewhere(pipeline, entity))
    event = decided_once(pipeline, entity, f"c-{entity}")
    assert event.partition == pipeline.partition(entity)
    first, second = pipeline.ledger.commands[f"c-{entity}"]
    assert first.partition == elsewhere(pipeline, entity)
    assert second.partition == pipeline.partition(entity) and second.key == entity.encode()
    assert second.json["body"] == first.json["body"] and second.json["type"] == first.json["type"]
    assert event.json["meta"]["user"] == "me"


def test_a_command_without_key_is_decided_also_where_it_happens_to_lie_in_the_right_partition(pipeline):
    entity = fresh()
    pipeline.console.send(command("createEntry", entity, {"title": "t"}, id=f"c-{entity}"), partition=pipeline.partition(entity))
    assert decided_once(pipeline, entity, f"c-{entity}").key == entity.encode()


def test_commands_without_key_on_every_partition_are_each_decided_once(pipeline):
    partitions = range(pipeline.stack.partitions)
    entities = [fresh() for _ in range(40)]
    pipeline.console.send_all([(command("createEntry", entity, {"title": "t"}, id=f"c-{entity}"), None, n % len(partitions))
                               for n, entity in enumerate(entities)])
    for entity in entities:
        pipeline.accepted(f"c-{entity}")
    pipeline.check()
    assert all(len(pipeline.ledger.events["Entry", entity]) == 1 for entity in entities)


@pytest.mark.parametrize("key", ["none", "its own", "another"])
def test_a_command_without_meta_is_given_an_id_and_decided_once(pipeline, key):
    entity = fresh()
    value = {"type": "createEntry", "params": {"id": entity}, "body": {"title": "typed"}}
    pipeline.console.send(value, key={"none": None, "its own": entity, "another": "other"}[key])
    event = decided_once(pipeline, entity).json
    assert event["meta"]["command"]
    shown = eventually(lambda: (answer := pipeline.api.get(f"/commands/{event['meta']['command']}")).status == 200 and
                       answer.json["status"] == "accepted" and answer.json)
    assert shown["id"] == entity


@pytest.mark.parametrize("key", [None, "some-key"])
@pytest.mark.parametrize("params", [{}, {"params": {}}])
def test_a_create_without_id_makes_one_entity_with_an_id_of_its_own(pipeline, key, params):
    mark = fresh("title")
    pipeline.console.send({"type": "createEntry", "body": {"title": mark}, "meta": {"id": mark}, **params}, key=key)
    outcome = pipeline.accepted(mark)
    assert outcome["id"] and outcome["version"] == 1
    assert pipeline.visible("entries", outcome["id"])["data"] == {"title": mark}
    pipeline.settle()
    assert len(titled(pipeline, mark)) == 1


def test_the_shortest_create_that_can_be_typed_makes_one_entity(pipeline):
    mark = fresh("title")
    pipeline.console.send({"type": "createEntry", "body": {"title": mark}})
    found = eventually(lambda: titled(pipeline, mark))
    pipeline.visible("entries", found[0]["id"])
    pipeline.check()
    assert len(titled(pipeline, mark)) == 1


def test_a_command_that_comes_again_under_its_id_is_decided_once(pipeline):
    """A client that repeats a request, or a producer that repeats a record."""
    entity = fresh()
    create = command("createEntry", entity, {"title": "t"}, id=f"c-{entity}")
    update = command("updateEntry", entity, {"title": "u"}, id=f"u-{entity}")
    pipeline.console.send_all([(create, entity, None), (create, entity, None), (update, entity, None), (update, entity, None)])
    pipeline.accepted(f"u-{entity}")
    pipeline.settle()
    pipeline.console.send_all([(update, entity, None), (create, None, elsewhere(pipeline, entity))])
    barrier = fresh()
    pipeline.console.send(command("createEntry", barrier, {"title": "t"}, id=f"c-{barrier}"), key=barrier)
    pipeline.accepted(f"c-{barrier}")
    pipeline.update("entries", entity, {"title": "last"})
    pipeline.check()
    assert [event["version"] for event in pipeline.history("Entry", entity)] == [1, 2, 3]


def test_unknown_members_of_a_command_are_no_mistake(pipeline):
    entity = fresh()
    pipeline.console.send({**command("createEntry", entity, {"title": "t"}, id=f"c-{entity}", more=[1]), "note": "typed by hand"}, key=entity)
    pipeline.accepted(f"c-{entity}")


def test_commands_typed_into_kafkas_own_console_producer_are_decided_and_shown_by_its_console_consumer(pipeline):
    entity = fresh()
    lines = [json.dumps(command("createEntry", entity, {"title": "typed"})), json.dumps({"type": "createEntry", "body": {"title": entity}})]
    pipeline.stack.control("kafka", "console-producer", "--topic", "commands", stdin=("\n".join(lines) + "\n").encode())
    decided_once(pipeline, entity)
    eventually(lambda: titled(pipeline, entity))
    shown = pipeline.stack.control("kafka", "console-consumer", "--topic", "events", "--from-beginning", "--timeout-ms", "3000",
                                   check=False)
    events = [json.loads(line) for line in shown.splitlines() if line.startswith("{")]
    assert [event["body"] for event in events if event["id"] == entity] == [{"title": "typed"}]


def test_commands_written_with_kcat_are_decided(pipeline):
    entity, keyed = fresh(), fresh()
    without = json.dumps(command("createEntry", entity, {"title": "kcat"}))
    with_key = f"{keyed}:" + json.dumps(command("createEntry", keyed, {"title": "kcat"}))
    base = ["kcat", "-P", "-b", pipeline.stack.bootstrap, "-t", "commands"]
    subprocess.run(base, input=without.encode(), check=True, timeout=60)
    # kcat's own default partitioner is another one than Kafka's.
    subprocess.run([*base, "-K:"], input=with_key.encode(), check=True, timeout=60)
    decided_once(pipeline, entity)
    decided_once(pipeline, keyed)


# ---- dead letters ----

NO_COMMANDS = {
    "not JSON": b"this is not JSON",
    "half of JSON": b'{"type":"createEntry",',
    "bytes that are no text": b"\xff\xfe\x00\x01",
    "empty": b"",
    "a tombstone": None,
    "a JSON array": b"[]",
    "a JSON string": b'"createEntry"',
    "JSON null": b"null",
    "no type": b'{"body":{"title":"t"}}',
    "a type that is no text": b'{"type":7}',
    "an unknown type": b'{"type":"createNothing","params":{"id":"x"},"body":{}}',
    "a type that is an event's": b'{"type":"entryCreated","id":"x","version":1,"body":{"title":"t"},"meta":{"command":"c","time":"t"}}',
    "an update without id": b'{"type":"updateEntry","body":{"title":"t"}}',
    "a delete without id": b'{"type":"deleteEntry","params":{}}',
    "an id that is none": b'{"type":"createEntry","params":{"id":"a b"},"body":{"title":"t"}}',
    "an id that is no text": b'{"type":"createEntry","params":{"id":5},"body":{"title":"t"}}',
    "an empty id": b'{"type":"createEntry","params":{"id":""},"body":{"title":"t"}}',
    "params that are none": b'{"type":"createEntry","params":[],"body":{"title":"t"}}',
    "meta that is none": b'{"type":"createEntry","params":{"id":"x"},"body":{"title":"t"},"meta":1}',
    "a command id that is none": b'{"type":"createEntry","params":{"id":"x"},"body":{"title":"t"},"meta":{"id":"\\n"}}',
    "an expected version that is none": b'{"type":"createEntry","params":{"id":"x"},"body":{"title":"t"},"meta":{"expectedVersion":"1"}}',
    "a negative expected version": b'{"type":"createEntry","params":{"id":"x"},"body":{"title":"t"},"meta":{"expectedVersion":-1}}',
    "a user that is none": b'{"type":"createEntry","params":{"id":"x"},"body":{"title":"t"},"meta":{"user":{}}}',
    "a user without end": b'{"type":"createEntry","params":{"id":"x"},"body":{"title":"t"},"meta":{"user":"%s"}}' % (257 * b"u"),
    "JSON nested without end": b"[" * 100_000,
    "a name twice": b'{"type":"createEntry","type":"deleteEntry","params":{"id":"x"},"body":{"title":"t"}}',
}


@pytest.mark.parametrize("key", [None, b"a-key", b"\xff\x00"], ids=["without key", "with key", "with a key that is no text"])
def test_what_is_no_command_goes_to_the_dead_letters_as_it_came_and_the_pipeline_goes_on(pipeline, key):
    places = pipeline.console.send_all([(value, key, None) for value in NO_COMMANDS.values()], headers=[("mine", b"kept")])
    behind = fresh()  # the next record of that partition, and so not decided before them
    pipeline.console.send(command("createEntry", behind, {"title": "t"}, id=f"c-{behind}"), key=key, partition=places[0][0])
    pipeline.accepted(f"c-{behind}")
    pipeline.ledger.read_to_end()
    for (name, value), (partition, offset) in zip(NO_COMMANDS.items(), places):
        letter = pipeline.ledger.dead.get(("commands", partition, offset))
        assert letter, f"{name}: no dead letter"
        assert letter.value == value, name
        assert letter.key == key, name
        assert letter.header("reason"), name
        assert (letter.header("topic"), letter.header("partition"), letter.header("offset")) == ("commands", str(partition), str(offset))
        assert letter.header("mine") == "kept", name
        assert letter.partition == partition, name


def test_what_is_no_command_is_a_dead_letter_once_and_the_reasons_tell_it_apart(pipeline):
    (partition, offset), (_, second) = pipeline.console.send_all([(b"not JSON", None, 0), (b'{"type":"createNothing"}', None, 0)])
    eventually(lambda: ("commands", partition, second) in pipeline.ledger.read().dead)
    pipeline.settle()
    letters = [letter for letter in pipeline.ledger.records["dead-letters"]
               if (letter.header("topic"), letter.header("partition"), letter.header("offset")) == ("commands", str(partition), str(offset))]
    assert len(letters) == 1
    assert "JSON" in letters[0].header("reason")
    assert "createNothing" in pipeline.ledger.dead["commands", partition, second].header("reason")


LARGEST = 1024 * 1024 + 64 * 1024  # of a record with all that Kafka puts around it


@pytest.mark.parametrize("spare", [100, 400, 2000])
def test_a_huge_record_that_is_no_command_goes_to_the_dead_letters_and_the_pipeline_goes_on(pipeline, spare):
    huge = b"x" * (LARGEST - spare)
    behind = fresh()
    (partition, offset), _ = pipeline.console.send_all([
        (huge, None, pipeline.partition(behind)), (command("createEntry", behind, {"title": "t"}, id=f"c-{behind}"), behind, None)])
    pipeline.accepted(f"c-{behind}")
    letter = eventually(lambda: pipeline.ledger.read().dead.get(("commands", partition, offset)))
    assert letter.value == huge


@pytest.mark.parametrize("keyed", [True, False], ids=["with key", "without key"])
@pytest.mark.parametrize("spare", [150, 400, 2000])
def test_a_huge_command_is_accepted_or_rejected_or_a_dead_letter_and_the_pipeline_goes_on(pipeline, spare, keyed):
    """What is made of it is a little larger than itself: that must not be tried for ever."""
    entity, frame = fresh(), '{"type":"createEntry","params":{"id":"%s"},"body":{"title":"%s"}}'
    value = (frame % (entity, "x" * (LARGEST - spare - len(frame % (entity, ""))))).encode()
    partition = pipeline.partition(entity)
    behind = next(other for other in iter(fresh, None) if pipeline.partition(other) == partition)
    (_, offset), _ = pipeline.console.send_all([
        (value, entity if keyed else None, partition), (command("createEntry", behind, {"title": "t"}, id=f"c-{behind}"), behind, None)])
    pipeline.accepted(f"c-{behind}")
    pipeline.settle()
    dead = ("commands", partition, offset) in pipeline.ledger.dead
    decided = sum(outcome.json["id"] == entity for outcome in pipeline.ledger.records["outcomes"])
    if not keyed and not dead:
        eventually(lambda: any(outcome.json["id"] == entity for outcome in pipeline.ledger.read().records["outcomes"]) or
                   any(letter.value and entity.encode() in letter.value[:200] for letter in pipeline.ledger.records["dead-letters"]))
    else:
        assert dead + decided == 1
    pipeline.check()


@pytest.mark.parametrize("size", [200, 60_000])
def test_a_huge_type_or_user_does_not_stop_the_pipeline(pipeline, size):
    """What is passed on to an event or an outcome may be as large as a record."""
    entity = fresh()
    pipeline.console.send_all([
        ({"type": "t" * size, "params": {"id": entity}}, entity, None),
        (command("createEntry", entity, {"title": "t"}, id=f"c-{entity}", user="u" * size * 15), entity, None),
        (command("createEntry", entity, {"title": "t"}, id=f"d-{entity}"), entity, None)])
    pipeline.outcome(f"d-{entity}")
    pipeline.check()


def test_a_record_on_the_topic_of_events_that_is_none_does_not_stop_the_stores(pipeline):
    """A person may write there too; the stores' consumers put it aside and go on."""
    entry = pipeline.entry()
    garbage = [b"not an event", None, b'{"type":"nothingHappened","id":"x","version":1,"meta":{"command":"c","time":"2026-11-21T07:00:00.000Z"}}']
    places = pipeline.console.send_all([(value, entry, None) for value in garbage], topic="events")
    pipeline.update("entries", entry, {"title": "after"})
    assert pipeline.visible("entries", entry, 2)["data"] == {"title": "after"}
    pipeline.settle()
    for partition, offset in places:
        letter = eventually(lambda: pipeline.ledger.read().dead.get(("events", partition, offset)))
        assert letter.header("reason") and letter.header("topic") == "events"
    pipeline.check()


@pytest.mark.parametrize("spare", [170, 2000])
def test_a_huge_record_on_the_topic_of_events_does_not_stop_the_stores(pipeline, spare):
    """Its dead letter is larger than itself, and must be possible all the same."""
    entry = pipeline.entry()
    huge = b"x" * (LARGEST + 64 * 1024 - spare)
    ((partition, offset),) = pipeline.console.send_all([(huge, entry, None)], topic="events")
    pipeline.update("entries", entry, {"title": "after"})
    assert pipeline.visible("entries", entry, 2)["data"] == {"title": "after"}
    letter = eventually(lambda: pipeline.ledger.read().dead.get(("events", partition, offset)))
    assert letter.value == huge


def test_at_the_end_of_it_the_contract_holds(pipeline):
    pipeline.check()
