"""Clients of what is tested: HTTP with a kept connection, and records written straight to Kafka, as from a console."""

import http.client
import json
import select
import socket

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient


SEEN = set()  # of (port, method, path, status, media type, problem's type, names of headers): all answers of the run


def note_answer(port, method, path, answer):
    media_type = (answer.headers.get("Content-Type") or "").split(";")[0]
    kind = answer.json.get("type") if media_type == "application/problem+json" and answer.body else None
    SEEN.add((port, method, path.split("?")[0], answer.status, media_type, kind,
              frozenset(name.lower() for name in answer.headers)))


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {dict(self.headers)} {self.body[:500]!r}"


class Http:
    """One connection to a service on this machine. A lost one is an OSError; the next request connects anew."""

    def __init__(self, port, timeout=30):
        self.port = port
        self.timeout = timeout
        self.connection = None

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def request(self, method, path, body=None, headers=None):
        """`body`: bytes or text as they are, anything else as JSON; with a Content-Type of JSON unless `headers` has
        one (None there: none is sent)."""
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        if isinstance(body, str):
            body = body.encode()
        sent = {"Content-Type": "application/json"} if body is not None else {}
        sent.update(headers or {})
        try:
            if self.connection and select.select([self.connection.sock], [], [], 0)[0]:
                self.close()  # the service ended it meanwhile
            if self.connection is None:
                self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)
                self.connection.connect()
                self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connection.request(method, path, body, {name: value for name, value in sent.items() if value is not None})
            response = self.connection.getresponse()
            answer = Answer(response.status, response.headers, response.read())
        except (http.client.HTTPException, OSError) as lost:
            self.close()
            raise ConnectionError(f"{method} {path} on port {self.port}: {type(lost).__name__} {lost}") from lost
        if response.will_close:
            self.close()
        note_answer(self.port, method, path, answer)
        return answer

    def get(self, path, headers=None):
        return self.request("GET", path, headers=headers)

    def post(self, path, body, headers=None):
        return self.request("POST", path, body, headers)

    def put(self, path, body, headers=None):
        return self.request("PUT", path, body, headers)

    def delete(self, path, headers=None):
        return self.request("DELETE", path, headers=headers)


def murmur2(data):
    """The hash of Kafka's Java clients."""
    mask = 0xFFFFFFFF
    m = 0x5BD1E995
    h = (0x9747B28C ^ len(data)) & mask
    whole = len(data) // 4 * 4
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i:i + 4], "little") * m & mask
        k ^= k >> 24
        h = (h * m & mask) ^ (k * m & mask)
    rest = data[whole:]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * m & mask
    h ^= h >> 13
    h = h * m & mask
    return h ^ h >> 15


def partition_of(key, partitions):
    """The partition of a key, as the Java clients and the console tools compute it."""
    return (murmur2(key.encode() if isinstance(key, str) else key) & 0x7FFFFFFF) % partitions


class Console:
    """Writes records to the topic of commands, as a person with a console producer does."""

    def __init__(self, stack):
        self.stack = stack
        common = {"bootstrap.servers": stack.bootstrap, "log_level": 2}
        self.producer = Producer({**common, "acks": "all", "linger.ms": 0, "message.max.bytes": 4_000_000})
        self.admin = AdminClient(common)

    def members(self, group):
        """How many members a consumer group has."""
        return sum(len(found.members) for found in self.admin.list_groups(group, timeout=10))

    def send(self, value, key=None, partition=None, topic="commands", headers=None):
        """Returns (partition, offset). `value`: bytes as they are, None for a tombstone, anything else as JSON.
        Without a partition a key's is taken, and partition 0 for no key."""
        return self.send_all([(value, key, partition)], topic, headers)[0]

    def send_all(self, records, topic="commands", headers=None):
        placed = {}

        def on_delivery(index):
            def delivered(error, message):
                assert error is None, error
                placed[index] = (message.partition(), message.offset())
            return delivered

        for index, (value, key, partition) in enumerate(records):
            if value is not None and not isinstance(value, bytes):
                value = json.dumps(value).encode()
            if isinstance(key, str):
                key = key.encode()
            if partition is None:
                partition = partition_of(key, self.stack.partitions) if key is not None else 0
            self.producer.produce(topic, value=value, key=key, partition=partition, headers=headers,
                                  on_delivery=on_delivery(index))
            self.producer.poll(0)
        assert self.producer.flush(30) == 0, "Kafka does not take the records"
        return [placed[index] for index in range(len(records))]
