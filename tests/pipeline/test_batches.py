"""Batches, many bodies in one request, and how bodies may come: packed, slowly, piece by piece, one after the other."""

import gzip
import json
import re
import socket
import uuid
from pathlib import Path

import pytest

from client import Answer, Http
from harness import eventually
from test_commands import problem
from test_terms import (WAIT, disturbed, frozen, instance, pipeline, stack, terms_pipeline,  # noqa: F401  fixtures
                        terms_stack)

LINES = {"Content-Type": "application/x-ndjson"}
LIMIT = 10_000  # limits.batchItems
FORMS = pytest.mark.parametrize("lines", [False, True], ids=["array", "lines"])


# ---- what is sent, and what comes back ----

def packed(bodies, lines):
    """The batch of these bodies, each of which is JSON already where it is bytes."""
    texts = [body if isinstance(body, bytes) else json.dumps(body).encode() for body in bodies]
    return b"".join(text + b"\n" for text in texts) if lines else b"[" + b",".join(texts) + b"]"


def items_of(answer, lines):
    assert answer.status == 200, answer
    if not lines:
        assert answer.headers["Content-Type"] == "application/json"
        return answer.json
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    assert answer.body.endswith(b"\n")
    return [json.loads(line) for line in answer.body.splitlines()]


def batch(pipeline, bodies, lines, headers=None, http=None, base="entries"):
    """Sends a batch; what it was told is true goes on the record."""
    sent = {**(LINES if lines else {}), **(headers or {})}
    answer = (http or pipeline.api).request("POST", f"/{base}", packed(bodies, lines), sent)
    return noted(pipeline, items_of(answer, lines))


def noted(pipeline, items):
    for item in items:
        if item["status"] in (200, 201, 202):
            body = item["body"]
            pipeline.acknowledged[body["commandId"]] = (body["type"], body["id"])
    return items


def titles(name, count):
    return [{"title": f"{name} {number}"} for number in range(count)]


def created(pipeline, name):
    """title → ids of the entries in the log whose title begins so."""
    found = {}
    pipeline.ledger.read_to_end()
    for (entity_type, entity), records in pipeline.ledger.events.items():
        title = records[0].json.get("body", {}).get("title", "") if entity_type == "Entry" else ""
        if isinstance(title, str) and title.startswith(f"{name} "):
            found.setdefault(title, []).append(entity)
    return found


def check_created(pipeline, name, items):
    """Each item's entity is there, once, and is what stood in its place."""
    pipeline.settle()
    found = created(pipeline, name)
    assert [found.get(f"{name} {number}") for number in range(len(items))] == [[item["body"]["id"]] for item in items]


# ---- items ----

@FORMS
def test_the_answer_has_an_item_for_each_body_in_their_order_and_bad_ones_do_not_stop_the_others(pipeline, lines):
    bodies = [{"title": "one"}, {"title": 7}, b'{"title":"twice","title":"twice"}', {"title": "two"}, 7,
              {"title": "three", "heroImage": "nobody"}, {"title": "four"}]
    items = batch(pipeline, bodies, lines, WAIT)
    assert [item["status"] for item in items] == [201, 422, 400, 201, 422, 422, 201]
    assert [item["body"]["type"] for item in items] == [
        "createEntry", "/problems/schema-violation", "/problems/invalid-json", "createEntry", "/problems/schema-violation",
        "/problems/link-missing", "createEntry"]
    for item, title in ((items[0], "one"), (items[3], "two"), (items[6], "four")):
        entity = item["body"]["id"]
        assert item == {"status": 201, "location": f"/entries/{entity}", "etag": '"1"', "body": item["body"]}
        assert pipeline.visible("entries", entity)["data"] == {"title": title}


def test_a_batch_takes_the_bodies_byte_for_byte_and_each_record_has_the_id_of_the_request(pipeline):
    texts = [b'{"title" : "\\u0041"}', b'{ "title":"A" }']
    for lines in (False, True):
        request_id = {"X-Request-Id": f"batch-{lines}"}
        for text, item in zip(texts, batch(pipeline, texts, lines, request_id), strict=True):
            pipeline.outcome(item["body"]["commandId"])
            record = pipeline.ledger.commands[item["body"]["commandId"]][0]
            assert b'"body":' + text + b"," in record.value
            assert record.header("x-request-id") == f"batch-{lines}"


@FORMS
def test_a_batch_has_no_more_items_than_it_may(pipeline, instance, lines):
    name, http = f"over-{lines}", instance(ODRADEK_LIMITS_BATCH_ITEMS=20)
    assert len(batch(pipeline, titles(f"just-{lines}", 20), lines, http=http)) == 20
    if not lines:
        problem(http.post("/entries", packed(titles(name, 21), lines)), 413, "too-many-items")
        assert not created(pipeline, name)
        return
    items = batch(pipeline, titles(name, 30), lines, http=http)
    assert [item["status"] for item in items] == [202] * 20 + [413]
    assert items[-1]["body"]["type"] == "/problems/too-many-items"
    check_created(pipeline, name, items[:-1])


@FORMS
def test_a_batch_may_wait_for_all_its_outcomes(pipeline, lines):
    name = f"waited-{lines}"
    sent = {**(LINES if lines else {}), **WAIT}
    answer = pipeline.api.request("POST", "/entries", packed(titles(name, 600), lines), sent)
    assert answer.headers["Preference-Applied"] == WAIT["Prefer"]
    items = noted(pipeline, items_of(answer, lines))
    assert [(item["status"], item["body"]["version"]) for item in items] == [(201, 1)] * 600
    check_created(pipeline, name, items)


@FORMS
def test_the_wait_is_that_of_the_whole_batch(pipeline, frozen, lines):
    """Item after item would wait for a second: more than the patience of any client."""
    name = f"undecided-{lines}"
    items = batch(pipeline, titles(name, 1000), lines, {"Prefer": "wait=1"})
    assert [item["status"] for item in items] == [202] * 1000
    frozen.thaw()
    check_created(pipeline, name, items)


def test_what_makes_no_sense_for_a_batch_is_refused_and_nothing_done(pipeline):
    ask = pipeline.api.request
    one = b'{"title":"nonsense 1"}'
    problem(ask("POST", "/entries", b"[" + one + b",]"), 400, "invalid-json")
    for headers in ({"If-Match": '"1"'}, {"If-None-Match": "*"}, {"Idempotency-Key": "a b"}):
        problem(ask("POST", "/entries", b"[" + one + b"]", headers), 400, "invalid-header")
        problem(ask("POST", "/entries", one, {**LINES, **headers}), 400, "invalid-header")
    for media_type in ("application/jsonl", "text/plain", "application/x-ndjsonx"):
        answer = ask("POST", "/entries", one, {"Content-Type": media_type})
        assert all(known in problem(answer, 415)["detail"] for known in ("application/json", "application/x-ndjson"))
    problem(ask("PUT", "/entries/x", one, LINES), 415)
    assert batch(pipeline, [], False) == []
    assert not created(pipeline, "nonsense")


# ---- again ----

@FORMS
def test_a_batch_that_is_sent_again_with_its_key_repeats_nothing(pipeline, disturbed, lines):
    name, key = f"again-{lines}", {"Idempotency-Key": "k" * 200 + str(uuid.uuid4())}
    bodies = titles(name, 300)
    first = batch(pipeline, bodies, lines, {**key, **WAIT})
    assert [item["status"] for item in first] == [201] * 300
    disturbed.command_api.kill()
    disturbed.command_api.start().await_ready()
    assert batch(pipeline, bodies, not lines, {**key, **WAIT}) == first
    bodies[7] = {"title": "another"}
    again = batch(pipeline, bodies, lines, {**key, **WAIT})
    assert again[7]["status"] == 422 and again[7]["body"]["type"] == "/problems/idempotency-key-reused"
    assert again[:7] + again[8:] == first[:7] + first[8:]
    check_created(pipeline, name, first)


class Sender:
    """A batch on a bare connection, so that the test says when what is sent."""

    def __init__(self, port, headers=None, receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(120)
        self.socket.connect(("127.0.0.1", port))
        sent = {**LINES, "Transfer-Encoding": "chunked", **(headers or {})}
        head = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
        self.socket.sendall(f"POST /entries HTTP/1.1\r\nHost: t\r\n{head}\r\n".encode())

    def send(self, data):
        self.socket.sendall(b"%x\r\n%s\r\n" % (len(data), data))

    def end(self):
        self.socket.sendall(b"0\r\n\r\n")

    def answer(self):
        return read_answer(self.socket.makefile("rb"))

    def leave(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # with a reset
        self.socket.close()


def read_answer(stream):
    head = b"".join(iter(stream.readline, b"\r\n")).decode()
    headers = dict(re.findall(r"^([\w-]+): (.*)\r$", head, re.M))
    if headers.get("Transfer-Encoding") == "chunked":
        chunks = iter(lambda: stream.read(int(stream.readline(), 16) + 2)[:-2], b"")
        body = b"".join(chunks)
    else:
        body = stream.read(int(headers["Content-Length"]))
    return Answer(int(head.split()[1]), headers, body)


def test_a_batch_that_a_crash_cut_short_is_sent_again_and_is_there_once(pipeline, disturbed):
    key, bodies = {"Idempotency-Key": str(uuid.uuid4())}, titles("crash", 4000)
    sender = Sender(disturbed.command_api.port, key)
    before = disturbed.command_api.metric("odradek_commands_accepted_total")
    sender.send(packed(bodies[:2000], True))
    eventually(lambda: disturbed.command_api.metric("odradek_commands_accepted_total") > before + 500)
    disturbed.command_api.kill()
    sender.leave()
    disturbed.command_api.start().await_ready()
    eventually(lambda: len(created(pipeline, "crash")) > 500)
    items = batch(pipeline, bodies, True, {**key, **WAIT})
    assert {item["status"] for item in items} <= {201, 202}
    check_created(pipeline, "crash", items)


@FORMS
def test_while_the_log_is_away_each_item_says_so_and_the_batch_can_be_sent_again(pipeline, disturbed, lines):
    name, key = f"away-{lines}", {"Idempotency-Key": str(uuid.uuid4())}
    bodies = [*titles(name, 50), {"title": 7}]
    disturbed.stop_server("kafka")
    items = batch(pipeline, bodies, lines, key)
    assert {item["status"] for item in items[:-1]} <= {503, 504} and items[-1]["status"] == 422
    disturbed.start_servers("kafka")
    disturbed.command_api.await_ready()
    items = batch(pipeline, bodies, lines, {**key, **WAIT})
    assert {item["status"] for item in items[:-1]} <= {201, 202} and items[-1]["status"] == 422
    check_created(pipeline, name, items[:-1])


# ---- as it comes ----

def test_items_are_sent_off_while_the_rest_has_not_come_and_others_are_served_meanwhile(pipeline):
    sender = Sender(pipeline.stack.command_api.port)
    for number in range(3):
        sender.send(b'{"title":"slow %d"}\n{"title":' % number)
        eventually(lambda: len(created(pipeline, "slow")) == number + 1)  # whose line has ended
        sender.send(b"7}\n")
        pipeline.entry()
    sender.end()
    items = noted(pipeline, items_of(sender.answer(), True))
    assert [item["status"] for item in items] == [202, 422] * 3


def test_a_client_that_reads_slowly_gets_all_of_its_answer(pipeline):
    sender = Sender(pipeline.stack.command_api.port, receive_buffer=4096)
    sender.send(packed(titles("reader", 2000), True))
    sender.end()
    eventually(lambda: pipeline.stack.command_api.metric("odradek_batches") == 0)
    pipeline.entry()  # while nobody reads it
    items = noted(pipeline, items_of(sender.answer(), True))
    assert [item["status"] for item in items] == [202] * 2000
    check_created(pipeline, "reader", items)


def test_what_a_client_sent_before_it_left_stays_sent(pipeline):
    for number, reset in enumerate((True, False)):
        sender = Sender(pipeline.stack.command_api.port)
        sender.send(packed(titles(f"left-{number}", 500), True) + b'{"title":"left-%d 500"' % number)
        eventually(lambda: len(created(pipeline, f"left-{number}")) == 500)
        sender.leave() if reset else sender.socket.close()
        eventually(lambda: pipeline.stack.command_api.metric("odradek_batches") == 0)
        pipeline.settle()
        assert len(created(pipeline, f"left-{number}")) == 500  # and the line without end is none


def peak_memory(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"^VmHWM:\s+(\d+) kB", status, re.M)[1]) * 1024


def test_one_line_of_200_megabytes_is_one_item_and_needs_little_memory(pipeline, disturbed):
    service = disturbed.replica("command-api").await_ready()
    before, piece = peak_memory(service.pid), b"x" * 1_000_000
    sender = Sender(service.port)
    sender.send(b'{"title":"long 0"}\n')
    for _ in range(200):
        sender.send(piece)
    sender.send(b'\n{"title":"long 1"}')
    sender.end()
    items = noted(pipeline, items_of(sender.answer(), True))
    assert [item["status"] for item in items] == [202, 413, 202]
    assert peak_memory(service.pid) - before < 64 * 1024 * 1024
    check_created(pipeline, "long", items[::2])


# ---- packed ----

def test_bodies_may_come_as_gzip(pipeline):
    ask, packing = pipeline.api.request, {"Content-Encoding": "gzip"}
    single = ask("POST", "/entries", gzip.compress(b'{"title":"gzip 0"}'), {**packing, **WAIT})
    assert single.status == 201, single
    pipeline.acknowledged[single.json["commandId"]] = (single.json["type"], single.json["id"])
    for lines, headers in ((False, packing), (True, {**packing, **LINES})):
        name, key = f"gzip-{lines}", {"Idempotency-Key": str(uuid.uuid4())}
        text = packed(titles(name, 2000), lines)
        items = items_of(ask("POST", "/entries", gzip.compress(text[:1000]) + gzip.compress(text[1000:]), {**headers, **key}), lines)
        assert [item["status"] for item in items] == [202] * 2000
        noted(pipeline, items)
        assert batch(pipeline, titles(name, 2000), lines, key) == items  # what counts is what it holds
        check_created(pipeline, name, items)


def test_a_body_that_is_damaged_is_refused_and_lines_before_the_damage_are_taken(pipeline):
    ask, packing = pipeline.api.request, {"Content-Encoding": "gzip"}
    good = gzip.compress(b'{"title":"damaged 0"}\n')
    for wrong in (good[:-1], good + b"x", b"{}", good[:-5] + bytes([good[-5] ^ 1]) + good[-4:]):
        problem(ask("POST", "/entries", wrong, packing), 400, "invalid-encoding")
    assert not created(pipeline, "damaged")
    items = noted(pipeline, items_of(ask("POST", "/entries", good + good[:-1], {**packing, **LINES}), True))
    assert [item["status"] for item in items] == [202, 202, 400]
    assert items[2]["body"]["type"] == "/problems/invalid-encoding"
    answer = ask("POST", "/entries", good, {"Content-Encoding": "br"})
    problem(answer, 415, "unsupported-encoding")
    assert answer.headers["Accept-Encoding"] == "gzip"
    bomb = gzip.compress(b" " * 20_000_000)
    problem(ask("POST", "/entries", bomb, packing), 413, "too-large")
    assert [item["status"] for item in items_of(ask("POST", "/entries", bomb, {**packing, **LINES}), True)] == [413]


# ---- connections ----

def test_requests_that_are_sent_ahead_are_answered_in_their_order_also_where_the_first_waits(pipeline, frozen):
    title = b'{"title":"ahead"}'
    head = b"POST /entries HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n"
    requests = [head % (len(title), b"Prefer: wait=30\r\n") + title, b"GET /health HTTP/1.1\r\nHost: t\r\n\r\n",
                head % (len(title), b"") + title,
                head % (len(title) + 2, b"Prefer: wait=30\r\n") + b"[" + title + b"]",
                b"DELETE /entries/nobody HTTP/1.1\r\nHost: t\r\n\r\n"]
    connection = socket.create_connection(("127.0.0.1", pipeline.stack.command_api.port), timeout=60)
    connection.sendall(b"".join(requests))
    eventually(lambda: pipeline.stack.command_api.metric("odradek_command_waits") == 1)
    frozen.thaw()
    stream = connection.makefile("rb")
    answers = [read_answer(stream) for _ in requests]
    assert [answer.status for answer in answers] == [201, 200, 202, 200, 202]
    assert [item["status"] for item in answers[3].json] == [201]
    made = [answers[0].json, answers[2].json, answers[3].json[0]["body"], answers[4].json]
    pipeline.acknowledged.update((body["commandId"], (body["type"], body["id"])) for body in made)


def test_a_client_that_waits_to_be_told_is_told_to_go_on_or_what_is_wrong(pipeline):
    def told(headers):
        sender = Sender(pipeline.stack.command_api.port, {**headers, "Expect": "100-continue"})
        stream = sender.socket.makefile("rb")
        return sender, stream, stream.readline()
    sender, stream, line = told({})
    assert b" 100 " in line and stream.readline() == b"\r\n"
    sender.send(packed(titles("expected", 1), True))
    sender.end()
    assert [item["status"] for item in noted(pipeline, items_of(read_answer(stream), True))] == [202]
    for headers, status in (({"Content-Type": "text/plain"}, b" 415 "), ({"Content-Encoding": "br"}, b" 415 "),
                            ({"If-Match": "*"}, b" 400 ")):
        sender, stream, line = told(headers)
        assert status in line
        sender.leave()


# ---- at last: the largest, and the contract for all of them ----

def test_lines_of_200_megabytes_need_little_memory(pipeline, disturbed):
    """Most are no entries, so that the log and the stores need not hold them."""
    service = disturbed.replica("command-api").await_ready()
    before, fill = peak_memory(service.pid), b"x" * 20_000
    texts = [(b'{"title":"heavy %d","description":"%s"}\n' % (i // 25, fill)) if i % 25 == 0 else
             (b'{"title":%d,"description":"%s"}\n' % (i, fill)) for i in range(LIMIT)]
    assert sum(map(len, texts)) > 200_000_000
    sender = Sender(service.port)
    for text in texts:
        sender.send(text)
    sender.end()
    items = noted(pipeline, items_of(sender.answer(), True))
    assert [item["status"] for item in items] == [202 if i % 25 == 0 else 422 for i in range(LIMIT)]
    assert peak_memory(service.pid) - before < 64 * 1024 * 1024
    check_created(pipeline, "heavy", items[::25])


@FORMS
def test_a_batch_may_have_10000_items(pipeline, lines):
    name = f"most-{lines}"
    items = batch(pipeline, titles(name, LIMIT), lines)
    assert [item["status"] for item in items] == [202] * LIMIT
    check_created(pipeline, name, items)


def test_the_contract_was_kept_by_all_batches(pipeline):
    pipeline.check()
