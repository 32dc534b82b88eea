"""Live streams of query-api: GET /events, /entries/events and /entries/{id}/events as text/event-stream."""

import json
import random
import signal
import threading

import pytest
from confluent_kafka import Producer

from client import Http
from harness import eventually
from sse import Ended, EventStream, Refused
from test_commands import problem
from test_rules import command, fresh


@pytest.fixture
def listen(stack):
    """Opens streams, at their place when it returns, and closes them."""
    opened = []

    def open_stream(path="/events", service=None, **more):
        stream = EventStream((service or stack.query_api).port, path, **more)
        opened.append(stream)
        return stream.opened()
    yield open_stream
    for stream in opened:
        stream.close()


@pytest.fixture
def replica(disturbed):
    """A further query-api, of which these tests' settings are."""
    def start(**env):
        return disturbed.replica("query-api", **env).await_ready()
    return start


def write(pipeline, count, base="entries"):
    """Writes entities, and returns their ids when they are decided."""
    data = {"title": "t"} if base == "entries" else {"title": "t", "src": "/a", "width": 1}
    sent = [pipeline.send("POST", f"/{base}", data) for _ in range(count)]
    for one in sent:
        pipeline.accepted(one)
    return [one.id for one in sent]


def mark(pipeline):
    """An event of each partition, behind all that was written before: whoever has seen them has seen everything."""
    wanted, found = set(range(pipeline.stack.partitions)), []
    while wanted:
        entity = fresh("mark")
        if pipeline.partition(entity) in wanted:
            wanted.remove(pipeline.partition(entity))
            found.append(entity)
    pipeline.console.send_all([(command("createEntry", entity, {"title": "mark"}), entity, None) for entity in found])
    return set(found)


def up_to(stream, marks):
    """The events up to the last of the marks, without these."""
    left, events = set(marks), []
    while left:
        event = stream.next()
        if event.json["id"] in left:
            left.remove(event.json["id"])
        else:
            events.append(event)
    return events


def logged(pipeline):
    """The committed events of the log by partition, in order, as (id, version)."""
    pipeline.ledger.read_to_end()
    records = [record for found in pipeline.ledger.events.values() for record in found]
    partitions = {partition: [] for partition in range(pipeline.stack.partitions)}
    for record in sorted(records, key=lambda record: record.offset):
        partitions[record.partition].append((record.json["id"], record.json["version"]))
    return partitions


def by_partition(pipeline, events):
    """By the partition that each is in: one that somebody wrote by hand may be in any."""
    pipeline.ledger.read_to_end()
    places = {(record.json["id"], record.json["version"]): record.partition
              for found in pipeline.ledger.events.values() for record in found}
    partitions = {partition: [] for partition in range(pipeline.stack.partitions)}
    for event in events:
        partitions[places[event.key]].append(event.key)
    return partitions


# ---- what is given ----

def test_an_event_comes_with_its_type_its_place_and_its_record_as_it_is_in_the_log(pipeline, listen):
    stream = listen()
    assert stream.headers["content-type"] == "text/event-stream" and stream.headers["cache-control"] == "no-store"
    assert stream.retry == 1000 and stream.last_id
    before = stream.last_id
    entry = pipeline.entry(title="ü \"\n\r\u2028")
    event = stream.until(lambda event: event.json["id"] == entry)[-1]
    assert event.type == "entryCreated"
    assert event.id == stream.last_id != before
    pipeline.ledger.read_to_end()
    assert event.data.encode() == pipeline.ledger.events[("Entry", entry)][0].value


def test_events_come_in_the_order_of_the_log_by_partition(pipeline, listen):
    stream = listen()
    entries = [pipeline.entry() for _ in range(5)]
    for round_ in range(10):
        for entry in entries:
            pipeline.send("PUT", f"/entries/{entry}", {"title": str(round_)})
    events = [event for event in up_to(stream, mark(pipeline)) if event.json["id"] in entries]
    assert len(events) == 55
    seen, there = by_partition(pipeline, events), logged(pipeline)
    for partition, keys in seen.items():
        assert keys == [key for key in there[partition] if key[0] in entries]


def test_a_stream_of_a_type_gives_that_type_only(pipeline, listen):
    stream = listen("/assets/events")
    pipeline.entry()
    asset = pipeline.asset()
    assert stream.next().key == (asset, 1)


def test_filters_by_type_and_entity(pipeline, listen):
    first, second = pipeline.entry(), pipeline.entry()
    by_type = listen("/events?type=Asset,entryDeleted")
    by_id = listen(f"/events?id={first},{second}&type=entryUpdated")
    asset = pipeline.asset()
    for entry in (first, second, pipeline.entry()):
        pipeline.update("entries", entry, {"title": "u"})
    pipeline.delete("entries", first)
    assert [by_type.next().key, by_type.next().key] == [(asset, 1), (first, 3)]
    assert {by_id.next().key, by_id.next().key} == {(first, 2), (second, 2)}
    pipeline.update("entries", second, {"title": "v"})
    assert by_id.next().key == (second, 3)


def test_the_stream_of_an_entity_has_its_versions_as_ids(pipeline, listen):
    entry = pipeline.entry()
    pipeline.visible("entries", entry)
    eventually(lambda: pipeline.query.get(f"/entries/{entry}/events").status == 200)
    now, whole = listen(f"/entries/{entry}/events"), listen(f"/entries/{entry}/events?from=beginning")
    assert now.last_id == "1"
    pipeline.entry()
    pipeline.update("entries", entry, {"title": "2"})
    pipeline.update("entries", entry, {"title": "3"})
    assert [(event.id, event.json["version"]) for event in now.take(2)] == [("2", 2), ("3", 3)]
    assert [event.id for event in whole.take(3)] == ["1", "2", "3"]
    again = listen(f"/entries/{entry}/events", last_id="2")
    assert again.next().key == (entry, 3)


def test_a_long_history_of_an_entity_comes_whole_and_goes_on_live(pipeline, listen):
    entry = pipeline.entry()
    for i in range(200):
        sent = pipeline.send("PUT", f"/entries/{entry}", {"title": str(i)})
    pipeline.accepted(sent)
    stream = listen(f"/entries/{entry}/events?from=beginning")
    assert [event.id for event in stream.take(201)] == [str(version) for version in range(1, 202)]
    pipeline.update("entries", entry, {"title": "live"})
    assert stream.next().id == "202"


def test_the_history_of_an_entity_stays_json_for_who_does_not_ask_for_a_stream(pipeline):
    entry = pipeline.entry()
    path = f"/entries/{entry}/events"
    eventually(lambda: pipeline.query.get(path).status == 200)
    for accept in (None, "*/*", "application/json", "text/event-stream;q=0", "text/event-stream;q=0.5, application/json"):
        answer = pipeline.query.get(path, {"Accept": accept} if accept else None)
        assert answer.headers["Content-Type"] == "application/json" and len(answer.json["items"]) == 1, accept
        assert answer.headers["Vary"] == "Accept"


@pytest.mark.parametrize("accept", ["text/event-stream", "text/event-stream, */*", "application/json;q=0.5, Text/Event-Stream",
                                    "text/*", "text/event-stream;q=0.1"])
def test_a_stream_is_for_those_who_accept_it_by_name(listen, accept):
    listen("/entries/events", headers={"Accept": accept})


@pytest.mark.parametrize("path", ["/events", "/entries/events"])
@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "text/event-stream;q=0, */*"])
def test_others_are_told_that_it_is_not_acceptable(pipeline, path, accept):
    problem(pipeline.query.get(path, {"Accept": accept} if accept else None), 406, "not-acceptable")


def test_head_has_a_streams_headers_and_opens_none(pipeline, stack):
    for path in ("/events", "/assets/events"):
        answer = Http(stack.query_api.port).request("HEAD", path, headers={"Accept": "text/event-stream"})
        assert answer.status == 200 and answer.headers["Content-Type"] == "text/event-stream" and answer.body == b""


# ---- what is refused ----

@pytest.mark.parametrize("query", ["type=", "type=Nothing", "type=entryCreated,nothing", "id=", "id=a,,b", "id=a%20b", "from=",
                                   "from=1", "other=1", "type=Entry&type=Asset"])
def test_a_parameter_that_cannot_be_understood_is_400(listen, query):
    with pytest.raises(Refused) as refused:
        listen(f"/events?{query}")
    assert refused.value.status == 400 and refused.value.json["type"] == "/problems/invalid-parameter"


def test_a_type_that_a_stream_does_not_have_is_400(listen):
    with pytest.raises(Refused) as refused:
        listen("/entries/events?type=assetCreated")
    assert refused.value.status == 400


def test_an_id_that_is_none_of_the_stream_is_400(stack, listen):
    beyond = ".".join(["zzzzzz"] * stack.partitions)
    short = ".".join(["1"] * (stack.partitions - 1))
    for last_id in ("x!", "1.2", short, short + ".1.1", short + ".", short + ".-1", beyond, "z" * 3000):
        for how in ({"last_id": last_id}, {"path": f"/events?lastEventId={last_id}"}):
            with pytest.raises(Refused) as refused:
                listen(**how)
            assert refused.value.status == 400 and refused.value.json["type"] == "/problems/invalid-last-event-id", last_id


def test_an_entity_that_is_not_there_has_no_stream(listen):
    for path in ("/entries/nobody/events", "/entries/a%20b/events", "/entries/nobody/events?from=beginning"):
        with pytest.raises(Refused) as refused:
            listen(path)
        assert refused.value.status == 404


def test_an_entitys_stream_refuses_what_is_no_version(pipeline, listen):
    entry = pipeline.entry()
    for last_id in ("x", "-1", "1.0", "9" * 30):
        with pytest.raises(Refused) as refused:
            listen(f"/entries/{entry}/events", last_id=last_id)
        assert refused.value.status == 400


def test_more_streams_than_there_may_be_are_503(replica, listen):
    small = replica(ODRADEK_LIMITS_STREAMS=2, ODRADEK_HTTP_HEARTBEAT_SECONDS=1)
    first = listen(service=small)
    listen(service=small)
    with pytest.raises(Refused) as refused:
        listen(service=small)
    assert refused.value.status == 503 and refused.value.json["type"] == "/problems/too-many-streams"
    assert int(refused.value.head["retry-after"]) > 0
    first.close()
    eventually(lambda: small.metric("odradek_streams") == 1)  # heartbeats notice it
    listen(service=small)


# ---- going on after a break ----

def test_a_stream_goes_on_behind_the_last_event_of_another(pipeline, listen):
    stream = listen()
    entries = write(pipeline, 3)
    seen = stream.take(3)
    stream.close()
    entries += write(pipeline, 3)
    again = listen(last_id=seen[1].id)
    assert {event.json["id"] for event in [*seen[:2], *again.take(4)]} == set(entries)
    first_time = listen(f"/events?lastEventId={seen[1].id}")
    assert first_time.next().key == seen[2].key
    assert listen(f"/events?lastEventId={seen[1].id}", last_id=seen[2].id).last_id == seen[2].id  # the header wins


def test_a_break_before_the_first_event_loses_nothing(pipeline, listen):
    place = listen().last_id
    entry = pipeline.entry()
    assert listen(last_id=place).next().key == (entry, 1)


def test_a_stream_from_the_beginning_has_the_whole_log(pipeline, listen, stack):
    write(pipeline, 5)
    stack.query_api.terminate()
    stack.query_api.start().await_ready()  # nothing of it is in memory
    for how in ({"path": "/events?from=beginning"}, {"last_id": "0"}):
        stream = listen(**how)
        there = logged(pipeline)
        events = stream.take(sum(len(keys) for keys in there.values()))
        assert by_partition(pipeline, events) == there


class Writer(threading.Thread):
    """Creates and changes entities until it is told to end."""

    def __init__(self, stack):
        super().__init__()
        self.port = stack.command_api.port
        self.ended = threading.Event()
        self.start()

    def run(self):
        http, entries = Http(self.port), []
        while not self.ended.is_set():
            if len(entries) < 20:
                entries.append(http.post("/entries", {"title": "t"}).json["id"])
            else:
                http.put(f"/entries/{random.choice(entries)}", {"title": "u"})
            self.ended.wait(0.002)  # leaves others of the machine something
        http.close()

    def end(self):
        self.ended.set()
        self.join()


class Follower:
    """Follows a stream over breaks and keeps all that it was given."""

    def __init__(self, stack, path="/events"):
        self.stack = stack
        self.path = path
        self.events = []
        self.stream = None
        self.breaks = 0
        self.connect()
        self.stream.opened()

    def connect(self):
        def connected():
            self.stream = EventStream(self.stack.query_api.port, self.path, self.stream.last_id if self.stream else None)
            return True
        eventually(connected, what="a stream")

    def hang_up(self):
        """At any byte: what came whole is kept, the rest is not."""
        self.stream.close()
        self.connect()

    def follow(self, enough):
        while not enough(self):
            try:
                event = self.stream.block()
                if event:
                    self.events.append(event)
            except (Ended, OSError):
                self.breaks += 1
                self.connect()
        return self


def check_whole(pipeline, follower, start):
    """Exactly the log's events since `start`, once, in order by partition."""
    marks = mark(pipeline)
    seen = set()

    def enough(follower):
        seen.update(event.json["id"] for event in follower.events[-1:])
        return marks <= seen
    follower.follow(enough)
    there = logged(pipeline)
    given = by_partition(pipeline, follower.events)
    for partition, keys in there.items():
        since = keys[start[partition]:]
        assert given[partition][:len(since)] == since
        assert len(given[partition]) == len(since)


def counts(pipeline):
    return {partition: len(keys) for partition, keys in logged(pipeline).items()}


def test_a_connection_that_breaks_at_any_byte_loses_and_repeats_nothing(pipeline, stack):
    start = counts(pipeline.settle())
    follower, writer = Follower(stack), Writer(stack)
    try:
        for _ in range(40):
            target = len(follower.events) + random.randrange(30)
            follower.follow(lambda follower: len(follower.events) >= target)
            if random.random() < 0.5:  # with something half received
                follower.stream.receive()
            follower.hang_up()
    finally:
        writer.end()
    check_whole(pipeline, follower, start)


@pytest.mark.parametrize("how", ["terminate", "kill"])
def test_a_restart_of_query_api_loses_and_repeats_nothing(pipeline, disturbed, how):
    start = counts(pipeline.settle())
    follower, writer = Follower(disturbed), Writer(disturbed)
    try:
        for _ in range(4):
            target = len(follower.events) + 50
            follower.follow(lambda follower: len(follower.events) >= target)
            if how == "kill":
                disturbed.query_api.kill()
            else:
                assert disturbed.query_api.await_ready().terminate() == 0  # one that just began does not know how to end
            disturbed.query_api.start()
    finally:
        writer.end()
    disturbed.query_api.await_ready()
    check_whole(pipeline, follower, start)
    assert follower.breaks >= 3


def test_a_broker_that_restarts_breaks_no_stream(pipeline, disturbed, listen):
    start = counts(pipeline.settle())
    follower = Follower(disturbed)
    first = follower.stream
    disturbed.kill_server("kafka")
    eventually(lambda: disturbed.query_api.get("/ready").status == 200)  # what needs no log is still answered
    disturbed.start_servers("kafka")
    for service in disturbed.services.values():
        service.await_ready()
    write(pipeline, 5)
    check_whole(pipeline, follower, start)
    assert follower.stream is first and follower.breaks == 0


def test_streams_end_properly_when_query_api_does(pipeline, disturbed, listen):
    streams = [listen(path) for path in ("/events", "/entries/events", "/events?from=beginning")]
    disturbed.query_api.signal(signal.SIGTERM)
    for stream in streams:
        with pytest.raises(Ended) as ended:
            while True:
                stream.block()
        assert ended.value.proper
    assert disturbed.query_api.wait() == 0


# ---- what is committed, and who reads slowly ----

def test_an_aborted_transaction_is_never_seen(pipeline, stack, listen):
    stream = listen()
    entity = fresh("aborted")
    producer = Producer({"bootstrap.servers": stack.bootstrap, "transactional.id": fresh("aborting"), "log_level": 2})
    producer.init_transactions(30)
    producer.begin_transaction()
    record = {"type": "entryCreated", "id": entity, "version": 1, "body": {"title": "never"},
              "meta": {"command": fresh("command"), "time": "2026-11-21T07:00:00.000Z"}}
    producer.produce("events", json.dumps(record).encode(), key=entity.encode(), partition=pipeline.partition(entity))
    assert producer.flush(30) == 0
    producer.abort_transaction(30)
    events = up_to(stream, mark(pipeline))
    assert entity not in {event.json["id"] for event in events}
    marks = mark(pipeline)
    again = listen("/events?from=beginning")
    assert entity not in {event.json["id"] for event in up_to(again, marks)}


def test_a_slow_reader_is_cut_off_while_others_go_on_and_loses_nothing_when_it_comes_back(pipeline, replica, listen):
    small = replica(ODRADEK_LIMITS_STREAM_MEGABYTES=1)
    slow, quick = listen(service=small, receive_buffer=4096), listen(service=small)
    place = slow.last_id
    body = {"title": "t", "description": "x" * 500_000}
    entries = []
    for _ in range(30):
        entries.append(pipeline.create("entries", body))
        assert quick.next().json["id"] == entries[-1]
    had = []
    with pytest.raises(Ended) as ended:
        while True:
            had.append(slow.next())
    assert not ended.value.proper
    assert len(had) < len(entries)
    assert small.metric("odradek_streams_cut_total", reason="behind") == 1
    again = listen(service=small, last_id=slow.last_id or place)
    assert sorted(event.json["id"] for event in [*had, *again.take(len(entries) - len(had))]) == sorted(entries)


def test_a_stream_without_events_beats(replica, listen):
    quick = replica(ODRADEK_HTTP_HEARTBEAT_SECONDS=1)
    stream = listen("/events?type=entryDeleted", service=quick)
    while stream.beats < 3:
        assert stream.block() is None


def test_a_beat_tells_the_place_behind_what_was_left_out(pipeline, replica, listen):
    quick = replica(ODRADEK_HTTP_HEARTBEAT_SECONDS=1)
    stream = listen("/events?type=entryDeleted", service=quick)
    place = stream.last_id
    entry = pipeline.entry()
    while stream.last_id == place:
        assert stream.block() is None
    pipeline.delete("entries", entry)
    assert listen("/events", last_id=stream.last_id).next().key == (entry, 2)


def test_many_streams_have_every_event(pipeline, stack, listen):
    streams = [listen("/events" if i % 2 else "/entries/events") for i in range(200)]
    entries = write(pipeline, 5)
    for stream in streams:
        assert {event.json["id"] for event in stream.take(5)} == set(entries)
    assert stack.query_api.metric("odradek_streams") >= 200
