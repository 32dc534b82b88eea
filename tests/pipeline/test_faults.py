"""What holds while processes end, freeze and come back, and stores are lost."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from client import Http
from harness import CONSUMERS, SERVICES, eventually
from ledger import dump
from load import Load


def content(store):
    """What a store holds, without what expires when."""
    return dump(store)


# ---- services ----

@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
@pytest.mark.parametrize("name", SERVICES)
def test_a_service_that_ends_in_mid_stream_and_comes_back_loses_nothing_and_does_nothing_twice(pipeline, disturbed, name, how):
    service = disturbed.services[name]
    with Load(pipeline) as load:
        load.await_more(150)
        service.signal(how)
        code = service.wait(20)
        assert code == (0 if how == signal.SIGTERM else -signal.SIGKILL), f"it ended with {code}"
        if name != "command-api":
            load.await_more(150)
        service.start().await_ready()
        load.await_more(150)
    load.check()


def test_all_services_killed_at_once_in_mid_stream_lose_nothing_and_do_nothing_twice(pipeline, disturbed):
    with Load(pipeline) as load:
        for _ in range(3):
            load.await_more(100)
            for service in disturbed.services.values():
                service.signal(signal.SIGKILL)
            for service in disturbed.services.values():
                service.wait()
            disturbed.start_services()
    load.check()


def test_a_validator_killed_again_and_again_in_mid_stream_loses_nothing_and_does_nothing_twice(pipeline, disturbed):
    with Load(pipeline) as load:
        for _ in range(8):
            load.await_more(40)
            disturbed.validator.restart()
    load.check()


@pytest.mark.parametrize("name", CONSUMERS)
def test_a_consumer_that_was_frozen_for_longer_than_its_session_goes_on_without_harm(pipeline, disturbed, name):
    """Its group gave its partitions up meanwhile; what it still had in its hands must not count."""
    service = disturbed.services[name]
    with Load(pipeline) as load:
        load.await_more(60)
        service.freeze()
        eventually(lambda: pipeline.console.members(name) == 0, what="the group without its frozen member")
        service.thaw()
        load.await_more(60)
        service.await_ready()
    load.check()


def test_sigterm_drains_under_load_so_that_no_accepted_command_is_lost(pipeline, disturbed):
    with Load(pipeline, workers=12) as load:
        load.await_more(300)
        for name in ("command-api", "validator", "persister", "materializer", "query-api"):
            assert disturbed.services[name].terminate() == 0, name
        disturbed.start_services()
    load.check()


def test_a_request_under_way_is_answered_when_command_api_is_told_to_end(pipeline, disturbed):
    """Its command waits for Kafka's acknowledgement, which comes when the broker is thawed."""
    kafka = disturbed.server_pid("kafka")
    with ThreadPoolExecutor(1) as pool:
        http = Http(disturbed.command_api.port)
        assert http.get("/health").status == 200
        os.kill(kafka, signal.SIGSTOP)
        try:
            pending = pool.submit(http.post, "/entries", {"title": "t"})
            eventually(lambda: disturbed.command_api.metric("odradek_http_requests_pending") > 1)
            disturbed.command_api.signal(signal.SIGTERM)
            eventually(lambda: not accepts(disturbed.command_api.port), what="the closed port")
        finally:
            os.kill(kafka, signal.SIGCONT)
        answer = pending.result()
    pipeline.accepted(pipeline.note(answer))
    assert disturbed.command_api.wait() == 0


def accepts(port):
    try:
        Http(port, timeout=2).get("/health")
        return True
    except OSError:
        return False


# ---- stores ----

@pytest.mark.parametrize("lost", [["snapshots"], ["events"], ["snapshots", "events"]], ids="+".join)
def test_a_store_that_was_flushed_comes_back_from_the_log_the_same(pipeline, disturbed, lost):
    pipeline.asset()
    pipeline.check()
    stores = {"snapshots": pipeline.snapshots, "events": pipeline.events}
    before = {name: content(stores[name]) for name in lost}
    assert all(len(held) > 20 for held in before.values())
    for name in lost:
        stores[name].flushall()
    with Load(pipeline, workers=2) as load:
        load.await_more(20)
    load.check()
    after = {name: content(stores[name]) for name in lost}
    for name in lost:
        for key, value in before[name].items():
            if not key.endswith("offset") and ":index:" not in key:
                assert after[name].get(key) == value, f"{name}: {key}"


@pytest.mark.parametrize("lost", [["snapshots"], ["events"], ["snapshots", "events"]], ids="+".join)
def test_a_store_that_was_flushed_comes_back_although_nothing_new_happens(pipeline, disturbed, lost):
    pipeline.check()
    stores = {"snapshots": pipeline.snapshots, "events": pipeline.events}
    before = {name: content(stores[name]) for name in lost}
    for name in lost:
        stores[name].flushall()
    for name in lost:
        eventually(lambda: content(stores[name]) == before[name], what=f"the {name} store as it was")


def test_a_store_flushed_while_its_service_is_down_is_filled_from_the_beginning(pipeline, disturbed):
    pipeline.check()
    before = content(pipeline.snapshots), content(pipeline.events)
    disturbed.stop_services("materializer", "persister")
    pipeline.snapshots.flushall()
    pipeline.events.flushall()
    disturbed.start_services("materializer", "persister")
    pipeline.check()
    assert (content(pipeline.snapshots), content(pipeline.events)) == before


def test_nothing_is_decided_from_a_snapshot_store_that_has_forgotten(pipeline, disturbed):
    """Else an update would be rejected for an entity that exists, or a create accepted a second time."""
    entry = pipeline.entry()
    pipeline.settle()
    disturbed.materializer.kill()
    pipeline.snapshots.flushall()
    update = pipeline.send("PUT", f"/entries/{entry}", {"title": "two"})
    pipeline.console.send({"type": "createEntry", "params": {"id": entry}, "body": {"title": "again"}, "meta": {"id": f"again-{entry}"}}, key=entry)
    disturbed.validator.kill()
    disturbed.validator.start()
    disturbed.materializer.start().await_ready()
    assert pipeline.accepted(update)["version"] == 2
    pipeline.rejected(f"again-{entry}", "already-exists")
    pipeline.check()


@pytest.mark.parametrize("name", ["snapshots", "events"])
def test_a_redis_that_was_killed_in_mid_stream_comes_back_from_its_file_and_all_is_well(pipeline, disturbed, name):
    with Load(pipeline) as load:
        load.await_more(150)
        disturbed.kill_server(name)
        eventually(lambda: disturbed.services["materializer" if name == "snapshots" else "persister"].get("/ready").status == 503,
                   what="the service that says it is not ready")
        disturbed.start_servers(name)
        load.await_more(150)
        for service in disturbed.services.values():
            service.await_ready()
    load.check()


def test_a_snapshot_store_set_back_to_an_earlier_state_catches_up(pipeline, disturbed):
    """As after a machine that lost the last second of the file."""
    entry = pipeline.entry()
    pipeline.settle()
    held = {key: pipeline.snapshots.dump(key) for key in pipeline.snapshots.keys("*")}
    pipeline.update("entries", entry, {"title": "two"})
    pipeline.settle()
    pipe = pipeline.snapshots.pipeline()  # as one step
    pipe.flushall()
    for key, value in held.items():
        pipe.restore(key, 0, value)
    pipe.execute()
    assert pipeline.update("entries", entry, {"title": "three"})["version"] == 3
    pipeline.check()


# ---- Kafka ----

def test_while_kafka_is_away_a_post_is_answered_503_with_retry_after_and_afterwards_all_is_well(pipeline, disturbed):
    entry = pipeline.entry()
    pipeline.settle()
    disturbed.stop_server("kafka")
    began = time.monotonic()
    answer = pipeline.api.post("/entries", {"title": "t"})
    took = time.monotonic() - began
    assert answer.status == 503, answer
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert 1 <= int(answer.headers["Retry-After"]) <= 300
    assert took < 30, took
    eventually(lambda: disturbed.command_api.get("/ready").status == 503, what="a command-api that says it is not ready")
    assert disturbed.command_api.get("/health").status == 200
    began = time.monotonic()
    assert pipeline.api.put(f"/entries/{entry}", {"title": "u"}).status == 503
    assert time.monotonic() - began < 10, "once it is known that Kafka is away, nobody need wait for it"
    assert pipeline.query.get(f"/entries/{entry}").status == 200, "what is stored can be read without Kafka"
    disturbed.start_servers("kafka")
    for service in disturbed.services.values():
        service.await_ready()
    pipeline.update("entries", entry, {"title": "back"})
    pipeline.check()


def test_while_kafka_hangs_a_post_is_answered_in_bounded_time_and_afterwards_all_is_well(pipeline, disturbed):
    """Whether the command was written is not known then: 504 says so, and names it."""
    kafka = disturbed.server_pid("kafka")
    os.kill(kafka, signal.SIGSTOP)
    try:
        began = time.monotonic()
        answer = pipeline.api.post("/entries", {"title": "t"})
        assert time.monotonic() - began < 30
        assert answer.status in (503, 504), answer
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.headers["Retry-After"] if answer.status == 503 else answer.json["commandId"]
        assert disturbed.command_api.get("/health").status == 200
    finally:
        os.kill(kafka, signal.SIGCONT)
    for service in disturbed.services.values():
        service.await_ready()
    pipeline.entry()
    pipeline.check()


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_a_kafka_that_goes_in_mid_stream_and_comes_back_loses_nothing_and_does_nothing_twice(pipeline, disturbed, how):
    with Load(pipeline) as load:
        load.await_more(150)
        if how == "stopped":
            disturbed.stop_server("kafka")
        else:
            disturbed.kill_server("kafka")
        disturbed.start_servers("kafka")
        load.await_more(150)
        for service in disturbed.services.values():
            service.await_ready()
    load.check()
