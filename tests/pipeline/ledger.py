"""What the topics and the stores hold, and whether it is what the contract says."""

import hashlib
import json
import re
import struct
from collections import defaultdict

from confluent_kafka import Consumer, KafkaError, TopicPartition

from client import partition_of
from harness import eventually

TOPICS = ("commands", "events", "outcomes", "dead-letters")


class Record:
    __slots__ = ("topic", "partition", "offset", "key", "value", "headers", "_json")

    def __init__(self, message):
        self.topic = message.topic()
        self.partition = message.partition()
        self.offset = message.offset()
        self.key = message.key()
        self.value = message.value()
        self.headers = [(name, value) for name, value in message.headers() or []]
        self._json = None

    @property
    def json(self):
        if self._json is None:
            self._json = json.loads(self.value if self.value is not None else b"")
        return self._json

    @property
    def place(self):
        return self.topic, self.partition, self.offset

    def header(self, name):
        """The last one of that name, as text."""
        found = [value for header, value in self.headers if header == name]
        return found[-1].decode() if found else None

    def __repr__(self):
        return f"{self.topic}[{self.partition}]@{self.offset} {self.key} {(self.value or b'')[:200]}"


def entity_type_of(event_type):
    """("Entry", "Created") of "entryCreated"."""
    for verb in ("Created", "Updated", "Deleted"):
        if event_type.endswith(verb):
            name = event_type[:-len(verb)]
            return name[0].upper() + name[1:], verb
    raise AssertionError(f"no name of an event: {event_type}")


class Ledger:
    """Reads the four topics as a consumer that sees only what is committed, further at each call."""

    def __init__(self, stack):
        self.stack = stack
        self.records = {topic: [] for topic in TOPICS}
        self.positions = {}
        self.events = defaultdict(list)            # (type, id) → records
        self.events_of_command = defaultdict(list)
        self.outcomes = defaultdict(list)          # command id → records
        self.commands = defaultdict(list)          # command id → records; those without id are in `records` only
        self.expired = set()                       # keys in the event store that a test let another command have
        self.dead = {}                             # (topic, partition, offset) of the input → record
        self.consumer = None
        self.asking = None  # tells where the topics end; on the other's connection each question waits for a fetch

    def _open(self):
        options = {"bootstrap.servers": self.stack.bootstrap, "group.id": "tests-ledger",
                   "isolation.level": "read_committed", "enable.auto.commit": False,
                   "reconnect.backoff.max.ms": 500, "log_level": 2}
        self.asking = Consumer(options)
        self.consumer = Consumer({**options, "enable.partition.eof": True, "auto.offset.reset": "earliest",
                                  "fetch.wait.max.ms": 20, "fetch.message.max.bytes": 4_000_000})
        for topic in TOPICS:
            for partition in range(self.stack.partitions):
                self.positions.setdefault((topic, partition), 0)
        self.consumer.assign([TopicPartition(topic, partition, offset)
                              for (topic, partition), offset in self.positions.items()])

    def close(self):
        for consumer in (self.consumer, self.asking):
            if consumer:
                consumer.close()
        self.consumer = self.asking = None

    def _take(self, message):
        place = message.topic(), message.partition()
        if message.error():
            if message.error().code() == KafkaError._PARTITION_EOF:
                self.positions[place] = max(self.positions[place], message.offset())
            return
        if message.offset() < self.positions[place]:
            return
        self.positions[place] = message.offset() + 1
        record = Record(message)
        self.records[record.topic].append(record)
        getattr(self, "_take_" + record.topic.replace("-", "_"))(record)

    def _take_commands(self, record):
        try:
            command_id = record.json["meta"]["id"]
        except (TypeError, ValueError, KeyError, RecursionError):
            return
        if isinstance(command_id, str):
            self.commands[command_id].append(record)

    def _take_events(self, record):
        try:
            event = record.json
            entity_type_of(event["type"])
        except (TypeError, ValueError, AssertionError, RecursionError):
            return  # a test's garbage
        self.events[entity_type_of(event["type"])[0], event["id"]].append(record)
        self.events_of_command[event["meta"]["command"]].append(record)

    def _take_outcomes(self, record):
        self.outcomes[record.json["commandId"]].append(record)

    def _take_dead_letters(self, record):
        self.dead[record.header("topic"), int(record.header("partition")), int(record.header("offset"))] = record

    def read(self):
        """Takes in what is there now."""
        if self.consumer is None:
            self._open()
        while True:
            messages = self.consumer.consume(5000, 0.02)
            for message in messages:
                self._take(message)
            if not messages:
                return self

    def read_to_end(self):
        """Takes in all that was committed before this call."""
        if self.consumer is None:
            self._open()
        ends = {}
        for topic in TOPICS:
            for partition in range(self.stack.partitions):
                watermarks = self.asking.get_watermark_offsets(TopicPartition(topic, partition), timeout=30)
                assert watermarks, f"Kafka does not tell the end of {topic}[{partition}]"
                ends[topic, partition] = watermarks[1]

        def reached():
            self.read()
            behind = [place for place, end in ends.items() if self.positions[place] < end]
            assert not behind, f"{behind} not read to {[ends[place] for place in behind]}"
            return True
        eventually(reached, what="the topics' ends")
        return self

    def outcome(self, command_id):
        """Waits for it; returns the record."""
        return eventually(lambda: self.read().outcomes.get(command_id), what=f"outcome of command {command_id}")[0]

    def next_offset(self, topic, partition):
        """Behind the last record of a partition."""
        return max((record.offset + 1 for record in self.records[topic] if record.partition == partition), default=0)


# ---- folds: what the stores must hold, made from the events alone ----

def fold(events):
    """The snapshot that the events 1…n make, as the snapshot store's hash has it (`data` parsed), links aside."""
    now = {}
    for event in events:
        _, verb = entity_type_of(event["type"])
        time = event["meta"]["time"]
        if verb == "Created":
            now = {"createdAt": time}
        now["version"] = event["version"]
        now["updatedAt"] = time
        if verb == "Deleted":
            now.pop("data", None)
            now["deletedAt"] = time
        else:
            now["data"] = event["body"]
    return now


def link_fields(stack):
    """Type → {member: type that it links to}, from the schemas."""
    found = {}
    for entity_type in stack.settings["contentTypes"]:
        schema = json.loads((stack.folder / entity_type["schema"]).read_text())
        links = {}
        for name, member in schema.get("properties", {}).items():
            target = member.get("x-link") or member.get("items", {}).get("x-link")
            if target:
                links[name] = target
        found[entity_type["name"]] = links
    return found


def unique_fields(stack):
    """Type → members that no two of its entities may share, from the schemas."""
    found = {}
    for entity_type in stack.settings["contentTypes"]:
        members = json.loads((stack.folder / entity_type["schema"]).read_text()).get("properties", {})
        found[entity_type["name"]] = [name for name, member in members.items()
                                      if isinstance(member, dict) and member.get("x-unique")]
    return found


def digest(value):
    """What stands for a unique value: SHA-256 of its JSON, as hexadecimal digits. Of what tests use: texts and numbers."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest().encode()


def unique_values(fields, data):
    """[(member, digest)] of an entity's data."""
    return [(name, digest(data[name])) for name in fields if data.get(name) is not None]


def links_of(fields, data):
    """[(type, id)] that an entity's data links to."""
    found = []
    for name, target in fields.items():
        value = data.get(name)
        values = value if isinstance(value, list) else [value]
        found += [(target, item) for item in values if isinstance(item, str)]
    return found


def index_fields(stack):
    """Type → its members that are indexed, from the schemas."""
    return {entity_type["name"]: [name for name, member in json.loads((stack.folder / entity_type["schema"]).read_text())
                                  .get("properties", {}).items() if isinstance(member, dict) and member.get("x-index")]
            for entity_type in stack.settings["contentTypes"]}


def index_value(value):
    """How a value stands in an index; None for what does not."""
    if value is None or isinstance(value, bool):
        return {None: b"0", False: b"1", True: b"2"}[value]
    if isinstance(value, (int, float)):
        bits, = struct.unpack(">Q", struct.pack(">d", float(value) or 0.0))
        text = "3%016x" % (bits ^ (2**64 - 1) if bits >> 63 else bits | 1 << 63)
        exact = value - int(float(value)) if isinstance(value, int) else 0
        return (text + ("%04x" % (exact + 0x8000) if abs(float(value)) >= 2**53 else "")).encode()
    if isinstance(value, str):
        data = value.encode()
        text = data[:128].replace(b"\2", b"\2\3").replace(b"\1", b"\2\2")
        return b"4" + text + (b"\2\4" + hashlib.sha256(data).hexdigest().encode() if len(data) > 128 else b"")
    return None


def index_members(value, entity_id):
    """What of an entity is in the index of a field with this value."""
    items = value if isinstance(value, list) else [value]
    texts = sorted({text for text in map(index_value, items) if text is not None}) or [b"0"]
    return [text + b"\1" + entity_id.encode() + (b"\1" if further else b"") for further, text in enumerate(texts[:1000])]


def dump(store):
    """All that a Redis store holds: key → value as Python has it."""
    keys = [key for key in store.scan_iter(count=5000)]
    pipe = store.pipeline(transaction=False)
    for key in keys:
        pipe.type(key)
    kinds = pipe.execute()
    for key, kind in zip(keys, kinds):
        {b"string": lambda: pipe.get(key), b"hash": lambda: pipe.hgetall(key), b"stream": lambda: pipe.xrange(key),
         b"set": lambda: pipe.smembers(key), b"zset": lambda: pipe.zrange(key, 0, -1, withscores=True),
         b"list": lambda: pipe.lrange(key, 0, -1), b"none": lambda: pipe.exists(key)}[kind]()
    values = pipe.execute()
    return {key.decode(): value for key, kind, value in zip(keys, kinds, values) if kind != b"none"}


# ---- the contract ----

def check_topics(ledger, acknowledged):
    """Items 1, 2, 3 and 5 in the log itself. Yields what is wrong."""
    partitions = ledger.stack.partitions
    for command_id, (command_type, entity_id) in acknowledged.items():
        count = len(ledger.outcomes.get(command_id, ()))
        if count != 1:
            yield f"1: {command_type} of {entity_id}, acknowledged as {command_id}, has {count} outcomes"
    for command_id, records in ledger.outcomes.items():
        if len(records) != 1:
            yield f"1: command {command_id} has {len(records)} outcomes: {records}"
        outcome = records[0].json
        events = [record.json for record in ledger.events_of_command.get(command_id, ())]
        if outcome["status"] == "rejected" and events:
            yield f"2: rejected command {command_id} has events: {events}"
        if outcome["status"] == "accepted":
            if len(events) != 1:
                yield f"2: accepted command {command_id} has {len(events)} events"
            elif (events[0]["id"], events[0]["version"]) != (outcome["id"], outcome["version"]):
                yield f"2: outcome and event of command {command_id} differ: {outcome} {events[0]}"
    for command_id, records in ledger.events_of_command.items():
        if command_id not in ledger.outcomes:
            yield f"2: events of command {command_id} without outcome: {records}"
    for (entity_type, entity_id), records in ledger.events.items():
        versions = [record.json["version"] for record in records]
        if versions != list(range(1, len(versions) + 1)):
            yield f"3: {entity_type} {entity_id} has versions {versions[:20]} in the log"
        times = [record.json["meta"]["time"] for record in records]
        if times != sorted(times):
            yield f"3: times of {entity_type} {entity_id} go back: {times[:20]}"
        exists = False
        for record in records:
            _, verb = entity_type_of(record.json["type"])
            if exists == (verb == "Created"):
                yield f"5: {record.json['type']} of {entity_id} at version {record.json['version']}, though it {'existed' if exists else 'did not exist'}"
            exists = verb != "Deleted"
    yield from check_unique(ledger)
    for records in [*ledger.events.values(), *ledger.outcomes.values()]:
        for record in records:
            entity_id = record.json["id"]
            if record.key != entity_id.encode() or record.partition != partition_of(entity_id, partitions):
                yield f"{record.topic}: key {record.key} in partition {record.partition} of entity {entity_id}: {record}"


def check_unique(ledger):
    """No two entities that are not deleted share a unique value. Yields what is wrong."""
    fields, holders = unique_fields(ledger.stack), defaultdict(list)
    for (entity_type, entity_id), records in ledger.events.items():
        if fields[entity_type]:
            data = fold([record.json for record in records]).get("data", {})
            for value in unique_values(fields[entity_type], data):
                holders[entity_type, *value].append((entity_id, data))
    for (entity_type, name, _), found in holders.items():
        if len(found) > 1:
            yield f"unique: {len(found)} of {entity_type} have the same {name}: {found[:3]}"


def key_name(entity_type, entity_id, key, partitions):
    """Where the event store has an idempotency key."""
    return f"{{{partition_of(entity_id, partitions)}}}:key:{entity_type}:{entity_id}:{key}"


def idempotency_keys(ledger):
    """Key in the event store → the commands that came with it, by their outcomes, the first one first."""
    found = defaultdict(list)
    for records in sorted(ledger.outcomes.values(), key=lambda records: records[0].offset):
        outcome = records[0].json
        if "idempotencyKey" in outcome:
            entity_type = re.sub("^(create|update|delete)", "", outcome["type"])
            name = key_name(entity_type, outcome["id"], outcome["idempotencyKey"], ledger.stack.partitions)
            found[name].append(outcome["commandId"].encode())
    return found


def check_history(ledger, store):
    """Item 3 in the event store, its outcomes and idempotency keys. Yields what is wrong."""
    partitions = ledger.stack.partitions
    expected = set()
    for (entity_type, entity_id), records in ledger.events.items():
        key = f"{{{partition_of(entity_id, partitions)}}}:events:{entity_type}:{entity_id}"
        expected.add(key)
        wanted = [(f"{record.json['version']}-0".encode(), {b"event": record.value}) for record in records]
        if store.get(key) != wanted:
            yield f"3: history {key} is {store.get(key)}, the log says {wanted}"
    kept = defaultdict(list)
    for key in store:
        before, _, command_id = key.partition(":outcome:")
        if command_id and before.startswith("{"):
            kept[command_id].append(key)
    for command_id, records in ledger.outcomes.items():
        keys = kept.get(command_id, [])
        expected.update(keys)
        if len(keys) != 1 or json.loads(store[keys[0]]) != records[0].json:
            yield f"1: outcome of {command_id} is kept as {[(key, store[key]) for key in keys]}, the log says {records[0]}"
    for name, commands in idempotency_keys(ledger).items():
        expected.add(name)
        if len(commands) > 1 and name not in ledger.expired:
            yield f"2: the commands {commands} came with the same {name}"
        if store.get(name) not in commands:
            yield f"2: {name} is {store.get(name)}, the log says {commands}"
    yield from check_offsets(ledger, store, "events", "{%d}:offset", expected)
    yield from check_offsets(ledger, store, "outcomes", "{%d}:outcomes:offset", expected)
    for key in store.keys() - expected:
        yield f"the event store has a key that nothing accounts for: {key} = {store[key]}"


def check_snapshots(ledger, store):
    """Item 4. Yields what is wrong."""
    stack, partitions = ledger.stack, ledger.stack.partitions
    fields, indexed, uniques = link_fields(stack), index_fields(stack), unique_fields(stack)
    expected, index, links, holders = set(), defaultdict(set), defaultdict(set), defaultdict(dict)
    for (entity_type, entity_id), records in ledger.events.items():
        partition = partition_of(entity_id, partitions)
        key = f"{{{partition}}}:{entity_type}:{entity_id}"
        expected.add(key)
        wanted = fold([record.json for record in records])
        found = snapshot_from(store.get(key))
        if found != wanted:
            yield f"4: snapshot {key} is {found}, its history makes {wanted}"
        if "deletedAt" not in wanted:
            index[f"{{{partition}}}:index:{entity_type}:id"].add(entity_id.encode())
            for name in indexed[entity_type]:
                index[f"{{{partition}}}:index:{entity_type}:{name}"].update(index_members(wanted["data"].get(name), entity_id))
            for target in links_of(fields[entity_type], wanted["data"]):
                links[f"{{{partition}}}:links:{target[0]}:{target[1]}"].add(f"{entity_type}:{entity_id}".encode())
            for name, value in unique_values(uniques[entity_type], wanted["data"]):
                holders[f"{{{partition}}}:unique:{entity_type}:{name}"][value] = entity_id.encode()
    for key, found in holders.items():
        expected.add(key)
        if store.get(key) != found:
            yield f"4: unique values {key} are {store.get(key)}, not {found}"
    for key, ids in index.items():
        expected.add(key)
        found = [member for member, _ in store.get(key, [])]
        if found != sorted(ids):
            yield f"4: index {key} lists {len(found)}, and there are {len(ids)}: {sorted(ids ^ set(found))[:5]} …"
    for key, members in links.items():
        expected.add(key)
        if store.get(key) != members:
            yield f"4: links {key} are {store.get(key)}, not {members}"
    shapes = {store.get(f"{{{partition}}}:shape") for partition in range(partitions)}
    if len(shapes) != 1 or len(shapes.pop() or b"") != 64:
        yield f"6: the partitions have the shapes {shapes}"
    expected.update(f"{{{partition}}}:shape" for partition in range(partitions))
    yield from check_offsets(ledger, store, "events", "{%d}:offset", expected)
    expected |= {key for key in store if key.partition("}:")[2].startswith("claim:")}  # end by themselves
    for key in store.keys() - expected:
        yield f"the snapshot store has a key that nothing accounts for: {key} = {store[key]}"


def snapshot_from(value):
    """A snapshot's hash as `fold` makes it; what is there besides stays aside."""
    if value is None:
        return None
    found = {name.decode(): text.decode() for name, text in value.items()}
    shown = {name: found[name] for name in ("createdAt", "updatedAt", "deletedAt") if name in found}
    if "version" in found:
        shown["version"] = int(found["version"])
    if "data" in found:
        shown["data"] = json.loads(found["data"])
    return shown


def check_offsets(ledger, store, topic, pattern, expected):
    for partition in range(ledger.stack.partitions):
        key = pattern % partition
        expected.add(key)
        last = ledger.next_offset(topic, partition)
        if not last <= int(store.get(key, 0)) <= ledger.positions[topic, partition]:
            yield (f"6: {key} is {store.get(key)}, the log's last record is before {last}, "
                   f"its end at {ledger.positions[topic, partition]}")
