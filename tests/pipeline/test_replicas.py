"""Several replicas of a service share its partitions."""

import pytest

from client import Http
from harness import eventually
from load import Load


def partitions_of(service):
    return service.metric("odradek_consumer_partitions")


def shared(services, total):
    """Waits until all partitions are assigned and each replica has a fair share."""
    def fair():
        held = [partitions_of(service) for service in services]
        assert sum(held) == total and max(held) - min(held) <= len(held), held
        return True
    eventually(fair, what="partitions that are shared fairly")
    for service in services:
        service.await_ready()


def test_a_second_validator_takes_its_share_and_gives_it_back_when_it_ends(pipeline, disturbed):
    first, total = disturbed.validator, disturbed.partitions
    with Load(pipeline) as load:
        load.await_more(60)
        second = disturbed.replica("validator").await_ready()
        shared([first, second], total)
        load.await_more(150)
        assert second.metric("odradek_consumer_records_total") > 0, "it has nothing to do"
        assert second.terminate() == 0
        shared([first], total)
        load.await_more(60)
    load.check()


def test_three_validators_of_which_one_is_killed_and_one_is_added_lose_nothing_and_do_nothing_twice(pipeline, disturbed):
    first, total = disturbed.validator, disturbed.partitions
    with Load(pipeline) as load:
        second, third = disturbed.replica("validator"), disturbed.replica("validator")
        shared([first, second, third], total)
        load.await_more(100)
        second.kill()
        load.await_more(60)
        fourth = disturbed.replica("validator").await_ready()
        shared([first, third, fourth], total)
        load.await_more(60)
        first.kill()
        shared([third, fourth], total)
        load.await_more(60)
        first.start().await_ready()
        shared([first, third, fourth], total)
        load.await_more(60)
    load.check()


def test_a_validator_that_was_frozen_while_another_took_its_partitions_decides_nothing_of_what_it_held(pipeline, disturbed):
    """It wakes up with commands in its hands and a transaction open that are no longer its own."""
    first, total = disturbed.validator, disturbed.partitions
    with Load(pipeline) as load:
        second = disturbed.replica("validator")
        shared([first, second], total)
        load.await_more(60)
        first.freeze()
        shared([second], total)
        load.await_more(60)
        first.thaw()
        load.await_more(60)
        shared([first, second], total)
        load.await_more(60)
    load.check()


@pytest.mark.parametrize("how", ["told to end", "killed"])
def test_two_persisters_and_two_materializers_of_which_one_each_ends_lose_nothing(pipeline, disturbed, how):
    with Load(pipeline) as load:
        extra = [disturbed.replica(name) for name in ("persister", "materializer")]
        shared([disturbed.persister, extra[0]], 2 * disturbed.partitions)
        shared([disturbed.materializer, extra[1]], disturbed.partitions)
        load.await_more(100)
        for service in extra:
            assert service.metric("odradek_consumer_records_total") > 0, "it has nothing to do"
            if how == "killed":
                service.kill()
            else:
                assert service.terminate() == 0
        shared([disturbed.persister], 2 * disturbed.partitions)
        shared([disturbed.materializer], disturbed.partitions)
        load.await_more(60)
    load.check()


def test_a_killed_replica_that_comes_back_at_once_gets_its_partitions_back_without_a_wait(pipeline, disturbed):
    second = disturbed.replica("validator")
    shared([disturbed.validator, second], disturbed.partitions)
    held, rebalances = partitions_of(second), disturbed.validator.log_path.read_text().count("partitions assigned")
    second.kill()
    second.start().await_ready()
    assert partitions_of(second) == held
    assert disturbed.validator.log_path.read_text().count("partitions assigned") == rebalances, "the other one was asked to take over"
    pipeline.entry()


def test_commands_sent_through_two_command_apis_reach_one_pipeline(pipeline, disturbed):
    second = disturbed.replica("command-api").await_ready()
    http = Http(second.port)
    created = pipeline.note(http.post("/entries", {"title": "one"}))
    updated = pipeline.send("PUT", f"/entries/{created.id}", {"title": "two"})
    assert pipeline.accepted(created)["version"] == 1
    assert pipeline.accepted(updated)["version"] == 2
    http.close()
