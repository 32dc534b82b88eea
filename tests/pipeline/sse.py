"""A client of Server-Sent Events, as WHATWG HTML describes one, that can be slow, and cut off at any byte."""

import json
import socket
import time

from harness import GENEROUS


class Refused(Exception):
    """Another answer than 200."""

    def __init__(self, status, head, body):
        super().__init__(f"{status} {body!r}")
        self.status = status
        self.head = head
        self.json = json.loads(body)


class Event:
    def __init__(self, kind, data, last_id):
        self.type = kind
        self.data = data
        self.id = last_id

    @property
    def json(self):
        return json.loads(self.data)

    @property
    def key(self):
        return self.json["id"], self.json["version"]

    def __repr__(self):
        return f"{self.type} {self.id} {self.data[:200]}"


class Ended(Exception):
    """The stream's connection is no more. `proper`: with the last chunk."""

    def __init__(self, proper):
        super().__init__("the stream ended")
        self.proper = proper


class EventStream:
    """One connection. `last_id` is where a next one goes on."""

    def __init__(self, port, path, last_id=None, headers=None, receive_buffer=None):
        self.last_id = last_id
        self.retry = None
        self.beats = 0
        self._id = last_id
        self._chunks = b""   # as they came
        self._text = b""     # what was in them
        self._lines = []
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(GENEROUS)
        self.socket.connect(("127.0.0.1", port))
        sent = {"Host": "test", "Accept": "text/event-stream", **({"Last-Event-ID": last_id} if last_id else {}), **(headers or {})}
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items() if value is not None)]
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode())
        self._read_head()

    def _read_head(self):
        raw = b""
        while b"\r\n\r\n" not in raw:
            more = self.socket.recv(65536)
            if not more:
                raise ConnectionError("no answer")
            raw += more
        head, _, rest = raw.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        self.status = int(status.split(" ")[1])
        self.headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
        if self.status != 200:
            while len(rest) < int(self.headers["content-length"]):
                rest += self.socket.recv(65536)
            self.close()
            raise Refused(self.status, self.headers, rest)
        self._chunks = rest

    def close(self):
        self.socket.close()

    def _unchunk(self):
        while True:
            size, found, rest = self._chunks.partition(b"\r\n")
            if not found:
                return
            length = int(size, 16)
            if len(rest) < length + 2:
                return
            if length == 0:
                raise Ended(proper=True)
            self._text += rest[:length]
            self._chunks = rest[length + 2:]

    def _receive(self, deadline):
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("nothing came")
        self.socket.settimeout(left)
        try:
            more = self.socket.recv(65536)
        except (ConnectionError, OSError) as lost:
            if isinstance(lost, TimeoutError):
                raise
            raise Ended(proper=False) from lost
        if not more:
            raise Ended(proper=False)
        self._chunks += more

    def receive(self, within=GENEROUS):
        """Takes what comes next, however little of an event it is."""
        self._receive(time.monotonic() + within)

    def _dispatch(self):
        """A block of lines: an event, or None."""
        kind, data, lines, self._lines = "message", [], self._lines, []
        for line in lines:
            name, _, value = line.partition(":")
            value = value[1:] if value.startswith(" ") else value
            if not name:
                self.beats += 1
            elif name == "id":
                self._id = value
            elif name == "event":
                kind = value
            elif name == "data":
                data.append(value)
            elif name == "retry":
                self.retry = int(value)
        self.last_id = self._id
        return Event(kind, "\n".join(data), self.last_id) if data else None

    def block(self, within=GENEROUS):
        """The next block: an event, or None for one without data."""
        deadline = time.monotonic() + within
        while True:
            line, found, rest = self._text.partition(b"\n")
            if found:
                self._text = rest
                if line:
                    self._lines.append(line.decode())
                    continue
                return self._dispatch()
            before = len(self._text)
            ended = None
            try:
                self._unchunk()
            except Ended as proper:
                ended = proper
            if len(self._text) > before:
                continue
            if ended:
                raise ended
            self._receive(deadline)

    def opened(self):
        """Waits until it has its place."""
        while self.last_id is None:
            self.block()
        return self

    def next(self, within=GENEROUS):
        """The next event."""
        deadline = time.monotonic() + within
        while True:
            event = self.block(max(deadline - time.monotonic(), 0.001))
            if event:
                return event

    def take(self, count):
        return [self.next() for _ in range(count)]

    def until(self, condition):
        """Events up to the first that meets the condition, with it."""
        events = [self.next()]
        while not condition(events[-1]):
            events.append(self.next())
        return events
