"""No particular order of starts is needed, and no topic must be there."""

from harness import SERVICES, eventually
from pipeline import Pipeline


def test_services_that_start_before_kafka_and_redis_wait_and_become_ready_by_themselves(own_stack):
    stack = own_stack()
    for service in stack.services.values():
        service.start()
    for service in stack.services.values():
        assert eventually(lambda: service.get("/health").status == 200)
        answer = service.get("/ready")
        assert answer.status == 503 and answer.json["ready"] is False and answer.json["reason"]
        assert service.get("/metrics").status == 200
    answer = Pipeline(stack).api.post("/entries", {"title": "t"})
    assert answer.status == 503 and answer.headers["Retry-After"]

    stack.start_servers("events")
    stack.start_servers("kafka")
    assert {name: service.running for name, service in stack.services.items()} == dict.fromkeys(SERVICES, True)
    # Without the snapshot store nothing is decided, but commands are taken and kept.
    stack.command_api.await_ready()
    pipeline = Pipeline(stack)
    try:
        early = pipeline.send("POST", "/entries", {"title": "early"})
        for name in ("validator", "materializer", "query-api"):
            assert stack.services[name].get("/ready").status == 503, name
        stack.start_servers("snapshots")
        for service in stack.services.values():
            service.await_ready()
        pipeline.accepted(early)
        pipeline.visible("entries", early.id)
        pipeline.check()
    finally:
        pipeline.close()
    for service in stack.services.values():
        waits = [line for line in service.log().splitlines() if "waiting" in line]
        assert len(waits) < 20, f"{service.label} says {len(waits)} times that it waits"


def test_services_that_start_one_after_the_other_in_any_order_find_each_other(disturbed, pipeline):
    for order in (["query-api", "materializer", "persister", "command-api", "validator"],
                  ["validator", "command-api", "query-api", "persister", "materializer"]):
        disturbed.stop_services()
        for name in order:
            disturbed.services[name].start()
            eventually(lambda: disturbed.services[name].get("/health").status == 200)
        for name in order:
            disturbed.services[name].await_ready()
        entry = pipeline.entry()
        pipeline.visible("entries", entry)
    pipeline.check()


def test_commands_that_came_while_nobody_decided_are_decided_later_in_order(disturbed, pipeline):
    disturbed.stop_services("validator", "persister", "materializer", "query-api")
    created = pipeline.send("POST", "/entries", {"title": "0"})
    updates = [pipeline.send("PUT", f"/entries/{created.id}", {"title": str(n)}) for n in range(1, 20)]
    disturbed.start_services("validator")
    assert [pipeline.accepted(sent)["version"] for sent in updates] == list(range(2, 21))
    disturbed.start_services("persister", "materializer", "query-api")
    assert pipeline.visible("entries", created.id, 20)["data"] == {"title": "19"}
    pipeline.check()


def test_topics_are_made_by_the_services_with_the_partitions_and_retention_of_settings(stack):
    shown = stack.control("kafka", "topics", "--describe")
    for topic, hours in (("commands", 168), ("events", None), ("outcomes", 168), ("dead-letters", 720)):
        line = next(line for line in shown.splitlines() if f"Topic: {topic}\t" in line and "PartitionCount" in line)
        assert f"PartitionCount: {stack.partitions}\t" in line, line
        assert f"retention.ms={hours * 3600 * 1000 if hours else -1}" in line, line
