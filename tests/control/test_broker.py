"""Whether this Kafka and Debian's librdkafka get on: each test is a thing that the services do.
docs/decisions/kafka.md tells how to run this against another release."""

import subprocess
import time
import uuid

import confluent_kafka
import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

PARTITIONS = 4


@pytest.fixture
def topic(stack):
    """Makes topics through librdkafka's own admin calls."""
    def make(partitions=PARTITIONS, **config):
        name = f"t-{uuid.uuid4()}"
        admin = AdminClient({"bootstrap.servers": stack.address("kafka")})
        made = admin.create_topics([NewTopic(name, partitions, 1, config=config)], operation_timeout=30)
        made[name].result(timeout=30)
        return name
    return make


def producer(stack, **config):
    return Producer({"bootstrap.servers": stack.address("kafka"), "linger.ms": 0, **config})


def transactional(stack, identity, **config):
    opened = producer(stack, **{"transactional.id": identity, "transaction.timeout.ms": 10000, **config})
    opened.init_transactions(30)
    return opened


def consumer(stack, group, **config):
    return Consumer({
        "bootstrap.servers": stack.address("kafka"), "group.id": group, "auto.offset.reset": "earliest",
        "enable.auto.commit": False, "isolation.level": "read_committed", **config})


def read(stack, name, expected, seconds=20, **config):
    """The values in a topic, read until there are as many as expected and for a moment longer."""
    reader = consumer(stack, f"reader-{uuid.uuid4()}", **config)
    reader.assign([TopicPartition(name, partition, 0) for partition in range(len(reader.list_topics(name, 10).topics[name].partitions))])
    values, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        message = reader.poll(0.1)
        if message is not None and message.error() is None:
            values.append(message.value().decode())
        if message is None and len(values) >= expected:
            break
    reader.close()
    return values


def assigned(member):
    return {(part.topic, part.partition) for part in member.assignment()}


def settle(members, name, partitions=PARTITIONS, seconds=30):
    """Polls the members until together they have every partition, each of them some."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for member in members:
            member.poll(0.05)
        owned = [assigned(member) for member in members]
        if all(owned) and sum(map(len, owned)) == partitions and len(set().union(*owned)) == partitions:
            return owned
    raise AssertionError(f"no settled assignment of {name}: {[assigned(member) for member in members]}")


def test_an_idempotent_producer_is_acknowledged_by_all(stack, topic):
    name, failed = topic(), []
    sender = producer(stack, **{"enable.idempotence": True, "acks": "all"})
    for number in range(1000):
        sender.produce(name, str(number), str(number), on_delivery=lambda error, _: error and failed.append(error))
        sender.poll(0)
    assert sender.flush(30) == 0 and failed == []
    assert sorted(map(int, read(stack, name, 1000))) == list(range(1000))


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_every_compression_comes_back_as_it_went(stack, topic, codec):
    name, text = topic(1), "spool " * 2000
    sender = producer(stack, **{"compression.codec": codec, "enable.idempotence": True})
    for _ in range(20):
        sender.produce(name, text)
    assert sender.flush(30) == 0
    assert read(stack, name, 20) == [text] * 20


def test_a_record_as_large_as_the_largest_body_with_its_envelope_fits(stack, topic):
    name = topic(1)
    sender = producer(stack, **{"message.max.bytes": 4000000})
    sender.produce(name, "x" * 3500000)
    assert sender.flush(30) == 0
    assert len(read(stack, name, 1)[0]) == 3500000


def test_what_was_consumed_and_what_came_of_it_commit_together(stack, topic):
    source, sink, group = topic(1), topic(1), f"g-{uuid.uuid4()}"
    feeder = producer(stack)
    for number in range(100):
        feeder.produce(source, str(number))
    feeder.flush(30)
    stage, reader, done = transactional(stack, f"tx-{group}"), consumer(stack, group), 0
    reader.subscribe([source])
    while done < 100:
        batch = [message for message in reader.consume(25, 5) if message.error() is None]
        stage.begin_transaction()
        for message in batch:
            stage.produce(sink, b"out-" + message.value())
        stage.send_offsets_to_transaction(reader.position(reader.assignment()), reader.consumer_group_metadata(), 30)
        stage.commit_transaction(30)
        done += len(batch)
    assert read(stack, sink, 100) == [f"out-{number}" for number in range(100)]
    committed, = reader.committed([TopicPartition(source, 0)], 10)
    assert committed.offset == 100
    reader.close()


def test_an_aborted_transaction_is_never_read_and_its_offsets_do_not_move(stack, topic):
    source, sink, group = topic(1), topic(1), f"g-{uuid.uuid4()}"
    feeder = producer(stack)
    feeder.produce(source, "in")
    feeder.flush(30)
    reader, stage = consumer(stack, group), transactional(stack, f"tx-{group}")
    reader.subscribe([source])
    assert reader.consume(1, 20)
    stage.begin_transaction()
    stage.produce(sink, "aborted")
    stage.flush(30)
    stage.send_offsets_to_transaction(reader.position(reader.assignment()), reader.consumer_group_metadata(), 30)
    stage.abort_transaction(30)
    stage.begin_transaction()
    stage.produce(sink, "committed")
    stage.commit_transaction(30)
    assert read(stack, sink, 1) == ["committed"]
    assert read(stack, sink, 2, **{"isolation.level": "read_uncommitted"}) == ["aborted", "committed"]
    committed, = reader.committed([TopicPartition(source, 0)], 10)
    assert committed.offset < 0, "the offsets of the aborted transaction were committed"
    reader.close()


def test_an_open_transaction_holds_its_readers_back_until_it_is_committed(stack, topic):
    name = topic(1)
    writer = transactional(stack, f"tx-{name}")
    writer.begin_transaction()
    writer.produce(name, "held")
    writer.flush(30)
    watcher = consumer(stack, f"g-{name}")
    watcher.assign([TopicPartition(name, 0, 0)])
    assert watcher.poll(1) is None
    assert watcher.get_watermark_offsets(TopicPartition(name, 0), 10) == (0, 0), "the last stable offset, to a reader of what is committed"
    writer.commit_transaction(30)
    message = watcher.poll(10)
    assert message is not None and message.value() == b"held"
    watcher.close()


def test_a_transaction_id_that_is_taken_over_fences_the_former_owner(stack, topic):
    name = topic(1)
    former = transactional(stack, f"tx-{name}")
    former.begin_transaction()
    former.produce(name, "from before")
    former.flush(30)
    later = transactional(stack, f"tx-{name}")
    later.begin_transaction()
    later.produce(name, "from after")
    later.commit_transaction(30)
    with pytest.raises(KafkaException) as raised:
        former.commit_transaction(30)
    assert raised.value.args[0].code() in (KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH)
    assert read(stack, name, 1) == ["from after"]


def test_the_broker_ends_the_transaction_of_a_producer_that_vanished(stack, topic):
    name = topic(1)
    vanished = transactional(stack, f"tx-{name}", **{"transaction.timeout.ms": 1000})
    vanished.begin_transaction()
    vanished.produce(name, "never committed")
    vanished.flush(30)
    sender = producer(stack)
    sender.produce(name, "after it")
    sender.flush(30)
    assert read(stack, name, 1, seconds=40) == ["after it"]


def test_cooperative_members_share_partitions_and_keep_most_when_one_joins(stack, topic):
    name, group = topic(), f"g-{uuid.uuid4()}"
    lost = []
    config = {"partition.assignment.strategy": "cooperative-sticky", "session.timeout.ms": 6000, "heartbeat.interval.ms": 500}
    first, second = (consumer(stack, group, **config) for _ in range(2))
    first.subscribe([name], on_revoke=lambda _, parts: lost.extend(part.partition for part in parts))
    settle([first], name)
    second.subscribe([name])
    owned = settle([first, second], name)
    assert [len(parts) for parts in owned] == [2, 2]
    assert len(lost) == 2, "partitions that stayed were revoked all the same"
    first.close()
    settle([second], name)
    second.close()


def test_a_static_member_that_comes_back_finds_its_partitions_without_a_rebalance(stack, topic):
    name, group = topic(), f"g-{uuid.uuid4()}"
    config = {"session.timeout.ms": 30000, "heartbeat.interval.ms": 500}
    moves = []
    first = consumer(stack, group, **{"group.instance.id": "one", **config})
    second = consumer(stack, group, **{"group.instance.id": "two", **config})
    first.subscribe([name], on_assign=lambda _, parts: moves.append(len(parts)))
    second.subscribe([name])
    before = settle([first, second], name)
    moves.clear()
    second.close()
    again = consumer(stack, group, **{"group.instance.id": "two", **config})
    again.subscribe([name])
    after = settle([first, again], name)
    assert after == before and moves == []
    first.close()
    again.close()


def test_partitions_are_those_that_the_java_clients_choose(stack, topic):
    name = topic()
    keys = [f"key-{number}" for number in range(40)]
    stack.control("kafka", "console-producer", "--topic", name, "--reader-property", "parse.key=true",
                  "--reader-property", "key.separator=:", stdin="".join(f"{key}:java\n" for key in keys))
    sender = producer(stack, partitioner="murmur2_random")
    for key in keys:
        sender.produce(name, "librdkafka", key)
    assert sender.flush(30) == 0
    reader, placed = consumer(stack, f"g-{name}"), {}
    reader.assign([TopicPartition(name, partition, 0) for partition in range(PARTITIONS)])
    for message in reader.consume(2 * len(keys), 20):
        placed.setdefault(message.key().decode(), set()).add(message.partition())
    reader.close()
    assert set(placed) == set(keys) and all(len(partitions) == 1 for partitions in placed.values())
    assert len(set().union(*placed.values())) == PARTITIONS


def test_kcat_reads_and_writes(stack, topic):
    name, broker = topic(1), stack.address("kafka")
    subprocess.run(["kcat", "-P", "-b", broker, "-t", name, "-K", ":"], input="a:1\nb:2\n", text=True, check=True)
    read_back = subprocess.run(
        ["kcat", "-C", "-b", broker, "-t", name, "-o", "beginning", "-e", "-q", "-f", "%k=%s\n"], capture_output=True, text=True, check=True)
    assert read_back.stdout == "a=1\nb=2\n"


def test_this_librdkafka_is_the_one_that_the_services_link(stack):
    linked = subprocess.run(["pkg-config", "--modversion", "rdkafka"], capture_output=True, text=True, check=True).stdout.strip()
    assert confluent_kafka.libversion()[0] == linked
