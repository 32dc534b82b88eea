"""What stands where in Redis: the keys of the design's table."""

import json

import redis

from harness import eventually
from pipeline import Pipeline
from test_rules import fresh


def test_an_entitys_history_is_a_stream_with_its_versions_as_entry_ids(pipeline):
    entry = pipeline.entry(title="one")
    pipeline.update("entries", entry, {"title": "two"})
    pipeline.delete("entries", entry)
    pipeline.settle()
    entries = pipeline.events.xrange(f"{{{pipeline.partition(entry)}}}:events:Entry:{entry}")
    assert [number for number, _ in entries] == [b"1-0", b"2-0", b"3-0"]
    assert [fields for _, fields in entries] == [{b"event": record.value} for record in pipeline.ledger.events["Entry", entry]]


def test_a_snapshot_is_a_hash_with_version_data_and_times(pipeline):
    asset = pipeline.asset()
    entry = pipeline.entry(heroImage=asset)
    pipeline.update("entries", entry, {"title": "two", "heroImage": asset})
    pipeline.settle()
    found = pipeline.snapshots.hgetall(f"{{{pipeline.partition(entry)}}}:Entry:{entry}")
    first, second = pipeline.history("Entry", entry)
    assert found[b"version"] == b"2"
    assert json.loads(found[b"data"]) == {"title": "two", "heroImage": asset}
    assert found[b"createdAt"].decode() == first["meta"]["time"]
    assert found[b"updatedAt"].decode() == second["meta"]["time"]
    assert b"deletedAt" not in found


def test_a_deleted_entity_keeps_its_version_and_nothing_of_its_data(pipeline):
    entry = pipeline.entry(title="secret")
    pipeline.delete("entries", entry)
    pipeline.settle()
    found = pipeline.snapshots.hgetall(f"{{{pipeline.partition(entry)}}}:Entry:{entry}")
    assert found[b"version"] == b"2" and b"deletedAt" in found
    assert b"data" not in found and b"secret" not in b"".join(found.values())


def test_an_index_lists_the_entities_that_are_there_by_id(pipeline):
    entries = [pipeline.entry() for _ in range(6)]
    pipeline.delete("entries", entries[0])
    pipeline.settle()
    for entry in entries:
        key = f"{{{pipeline.partition(entry)}}}:index:Entry:id"
        assert entry == entries[0] or pipeline.snapshots.type(key) == b"zset"
        assert (pipeline.snapshots.zscore(key, entry) is None) == (entry == entries[0])


def test_links_are_kept_by_what_they_lead_to_as_long_as_they_are_there(pipeline):
    first, second = pipeline.asset(), pipeline.asset()
    entry = pipeline.entry(heroImage=first)

    def linked(asset):
        pipeline.settle()
        return pipeline.snapshots.smembers(f"{{{pipeline.partition(entry)}}}:links:Asset:{asset}")
    assert linked(first) == {f"Entry:{entry}".encode()}
    pipeline.update("entries", entry, {"title": "t", "heroImage": second})
    assert linked(first) == set() and linked(second) == {f"Entry:{entry}".encode()}
    pipeline.delete("entries", entry)
    assert linked(second) == set()


def test_an_outcome_is_kept_under_its_commands_id_and_expires(pipeline):
    sent = pipeline.send("DELETE", f"/entries/{fresh()}")
    outcome = pipeline.ledger.outcome(sent.command_id)
    pipeline.settle()
    key = f"{{{pipeline.partition(sent.id)}}}:outcome:{sent.command_id}"
    assert pipeline.events.get(key) == outcome.value
    assert pipeline.events.ttl(key) > 0


def test_each_partition_of_each_store_has_the_next_offset_to_apply(pipeline):
    entry = pipeline.entry()
    pipeline.settle()
    partition = pipeline.partition(entry)
    record = pipeline.ledger.events["Entry", entry][0]
    for store in (pipeline.snapshots, pipeline.events):
        assert int(store.get(f"{{{partition}}}:offset")) > record.offset
    assert int(pipeline.events.get(f"{{{partition}}}:outcomes:offset")) > pipeline.ledger.outcomes[record.json["meta"]["command"]][0].offset


def test_every_key_begins_with_its_partition_as_a_hash_tag(pipeline):
    pipeline.entry()
    pipeline.settle()
    for store in (pipeline.snapshots, pipeline.events):
        for key in store.scan_iter(count=5000):
            tag, _, rest = key.decode().partition(":")
            assert tag.startswith("{") and tag.endswith("}") and 0 <= int(tag[1:-1]) < pipeline.stack.partitions and rest, key


def test_partitions_spread_over_the_servers_that_settings_list(own_stack):
    """Partition p lives on server p mod n."""
    stack = own_stack(partitions=3)
    ports = [stack.free_ports.take() for _ in range(3)]
    stack.settings["redis"] = {"snapshots": [f"127.0.0.1:{port}" for port in [stack.snapshots_port, *ports[:1]]],
                               "events": [f"127.0.0.1:{port}" for port in [stack.events_port, *ports[1:]]]}
    stack.write_settings()
    stack.start_servers()
    stack.start_services()
    pipeline = Pipeline(stack)
    try:
        entries = [pipeline.entry() for _ in range(12)]
        for entry in entries:
            pipeline.visible("entries", entry)
            eventually(lambda: pipeline.query.get(f"/entries/{entry}/events").status == 200)
    finally:
        pipeline.close()
    servers = {"snapshots": [stack.snapshots_port, ports[0]], "events": [stack.events_port, *ports[1:]]}
    for name, kind in (("snapshots", "Entry"), ("events", "events:Entry")):
        for entry in entries:
            partition = pipeline.partition(entry)
            where = [index for index, port in enumerate(servers[name])
                     if redis.Redis(port=port).exists(f"{{{partition}}}:{kind}:{entry}")]
            assert where == [partition % len(servers[name])], (name, partition, where)
    listed = pipeline.query.get("/entries?limit=1000").json["items"]
    assert [item["id"] for item in listed] == sorted(entries)
