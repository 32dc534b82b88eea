#!/usr/bin/python3
"""Measures what open connections cost: live streams on query-api, and requests that wait on command-api.

    bench/streams.py [--streams 1000] [--waiting 4000] [--events 100]

starts a stack of its own on free ports, measures, prints, and removes it. The programs must be built (`make`)."""

import argparse
import json
import resource
import selectors
import socket
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "pipeline"))

from client import Http  # noqa: E402
from harness import Ports, Stack, eventually  # noqa: E402


def status(service):
    """Resident KiB and threads."""
    lines = Path(f"/proc/{service.pid}/status").read_text().splitlines()
    found = dict(line.split(":", 1) for line in lines if ":" in line)
    return int(found["VmRSS"].split()[0]), int(found["Threads"])


def tell(what, service, before=None, count=0):
    memory, threads = status(service)
    each = f", {(memory - before) / count:.1f} KiB each" if count else ""
    print(f"{what}: {service.name} {memory / 1024:.1f} MiB resident, {threads} threads{each}")
    return memory


def percentiles(name, values):
    values = sorted(values)
    at = {part: values[min(int(len(values) * part / 100), len(values) - 1)] for part in (50, 90, 99)}
    print(f"{name}: " + ", ".join(f"p{part} {value * 1000:.1f} ms" for part, value in at.items()) +
          f", max {values[-1] * 1000:.1f} ms")


class Connections:
    """Many sockets, of which each is read for a text that it is to have."""

    def __init__(self, port):
        self.port = port
        self.selector = selectors.DefaultSelector()
        self.sockets = []

    def open(self, request):
        connection = socket.create_connection(("127.0.0.1", self.port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(request)
        self.sockets.append(connection)
        self.selector.register(connection, selectors.EVENT_READ, bytearray())

    def await_all(self, text, within=120):
        """Returns when the first and when the last of them had it."""
        left, first, deadline = len(self.sockets), None, time.monotonic() + within
        while left:
            assert time.monotonic() < deadline, f"{left} of {len(self.sockets)} did not get {text}"
            for key, _ in self.selector.select(1):
                data = key.fileobj.recv(65536)
                assert data, f"a connection ended: {bytes(key.data[-200:])}"
                key.data.extend(data)
                if text in key.data:
                    key.data.clear()
                    left -= 1
                    first = first or time.monotonic()
        return first, time.monotonic()

    def close(self):
        for connection in self.sockets:
            connection.close()


def measure_streams(stack, count, events):
    api, service = Http(stack.command_api.port), stack.query_api
    before = tell("without streams", service)
    streams = Connections(service.port)
    started = time.monotonic()
    for _ in range(count):
        streams.open(b"GET /events HTTP/1.1\r\nHost: bench\r\nAccept: text/event-stream\r\n\r\n")
    streams.await_all(b"id: ")
    print(f"{count} streams opened in {time.monotonic() - started:.2f} s")
    tell(f"with {count} streams", service, before, count)
    reach, spread = [], []
    for number in range(events):
        sent = time.monotonic()
        entity = api.post("/entries", {"title": f"event {number}"}).json["id"]
        first, last = streams.await_all(b'"id":"' + entity.encode())
        reach.append(last - sent)
        spread.append(last - first)
    percentiles(f"from POST to the last of {count} streams", reach)
    percentiles("from the first stream to the last", spread)
    tell(f"after {events} events to each", service, before, count)
    return streams


def measure_waiting(stack, count):
    service = stack.command_api
    before = tell("without waiting requests", service)
    stack.validator.freeze()
    waiting = Connections(service.port)
    body = json.dumps({"title": "waited for"}).encode()
    request = (b"POST /entries HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nPrefer: wait=60\r\n"
               b"Content-Length: %d\r\n\r\n" % len(body)) + body
    for _ in range(count):
        waiting.open(request)
    eventually(lambda: service.metric("odradek_command_waits") == count)
    tell(f"with {count} waiting requests", service, before, count)
    return waiting, time.monotonic()


def finish_waiting(stack, waiting):
    thawed = time.monotonic()
    stack.validator.thaw()
    _, last = waiting.await_all(b"HTTP/1.1 201")
    print(f"{len(waiting.sockets)} waiting requests answered {last - thawed:.2f} s after the validator went on")
    tell("after their answers", stack.command_api)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--streams", type=int, default=1000)
    options.add_argument("--waiting", type=int, default=4000)
    options.add_argument("--events", type=int, default=100)
    options = options.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    stack = Stack(Ports())
    try:
        stack.start_servers()
        stack.start_services()
        streams = measure_streams(stack, options.streams, options.events)
        waiting, _ = measure_waiting(stack, options.waiting)
        tell("at the same time", stack.query_api)
        finish_waiting(stack, waiting)
        waiting.close()
        streams.close()
    finally:
        stack.close()


if __name__ == "__main__":
    main()
