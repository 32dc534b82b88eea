"""Reads that wait for a version: item 7 of the contract."""

import http.client
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from client import Http
from harness import eventually
from load import Load
from test_commands import problem
from test_rules import command, fresh

WAIT = {"Prefer": "wait=30"}


def wait_for(stack, path, version, wait=30):
    http = Http(stack.query_api.port, timeout=90)
    try:
        return http.get(f"{path}?min_version={version}&wait={wait}")
    finally:
        http.close()


def waiting(stack):
    return stack.query_api.metric("odradek_query_waits")


def not_yet(answer, version):
    problem(answer, 504)
    assert answer.json["type"] == "/problems/not-yet" and answer.json["version"] == version


@pytest.fixture
def frozen(disturbed):
    """The materializer, stopped in its tracks."""
    disturbed.materializer.freeze()
    return disturbed.materializer


def test_under_load_a_version_that_an_outcome_told_of_is_read_at_once(pipeline, stack):
    """Each writer reads what it has just written, with others writing all the time."""
    done, failures = [], []

    def write(number):
        api, query = Http(stack.command_api.port, timeout=90), Http(stack.query_api.port, timeout=90)
        sent = []
        try:
            for turn in range(12):
                outcome = api.post("/entries", {"title": f"{number} {turn} 1"}, WAIT)
                for version in (1, 2, 3):
                    entry = outcome.json["id"]
                    sent.append(outcome.json["commandId"])
                    assert outcome.json["version"] == version, outcome
                    shown = query.get(f"/entries/{entry}?min_version={version}&wait=30")
                    assert shown.status == 200 and shown.json["version"] == version, shown
                    assert shown.json["data"] == {"title": f"{number} {turn} {version}"} and shown.headers["ETag"] == f'"{version}"'
                    if version < 3:
                        outcome = api.put(f"/entries/{entry}", {"title": f"{number} {turn} {version + 1}"}, WAIT)
                outcome = api.delete(f"/entries/{entry}", WAIT)
                sent.append(outcome.json["commandId"])
                problem(query.get(f"/entries/{entry}?min_version=4&wait=30"), 410)
            done.append(number)
        except BaseException as error:
            failures.append(error)
        finally:
            api.close(), query.close()
    with Load(pipeline, workers=2):
        writers = [threading.Thread(target=write, args=(number,)) for number in range(6)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
    assert not failures, failures
    assert len(done) == 6
    pipeline.check()


def test_a_request_waits_until_the_version_is_there(pipeline, stack, frozen):
    entry = fresh("waited")
    with ThreadPoolExecutor() as threads:
        answer = threads.submit(wait_for, stack, f"/entries/{entry}", 2)
        eventually(lambda: waiting(stack) == 1)
        for number, verb in enumerate(["create", "update"]):
            pipeline.console.send(command(f"{verb}Entry", entry, {"title": verb}, id=f"{number}-{entry}"), key=entry)
        pipeline.accepted(f"1-{entry}")
        assert waiting(stack) == 1 and not answer.done()
        frozen.thaw()
        assert answer.result().status == 200 and answer.result().json["version"] == 2
    assert waiting(stack) == 0


def test_a_version_that_does_not_come_in_time_is_504_with_the_one_that_is_there(pipeline, stack):
    entry = pipeline.entry()
    pipeline.visible("entries", entry)
    not_yet(wait_for(stack, f"/entries/{entry}", 2, wait=1), 1)
    not_yet(wait_for(stack, f"/entries/{entry}", 2, wait=0), 1)
    not_yet(wait_for(stack, f"/entries/{fresh()}", 1, wait=0), 0)
    not_yet(pipeline.query.get(f"/entries/{entry}?min_version=9223372036854775806"), 1)  # two seconds, if nothing is said
    assert wait_for(stack, f"/entries/{entry}", 1, wait=0).json["version"] == 1
    assert pipeline.query.get(f"/entries/{entry}?min_version=1", headers={"If-None-Match": '"1"'}).status == 304


def test_one_that_was_deleted_by_then_is_410(pipeline, stack):
    entry = pipeline.entry()
    pipeline.delete("entries", entry)
    problem(wait_for(stack, f"/entries/{entry}", 2), 410)
    not_yet(wait_for(stack, f"/entries/{entry}", 3, wait=0), 2)


def test_a_read_that_waits_knows_fields_and_include(pipeline, stack):
    asset = pipeline.asset()
    entry = pipeline.entry(heroImage=asset, description="d")
    answer = pipeline.query.get(f"/entries/{entry}?min_version=1&wait=30&fields=title&include=heroImage")
    assert answer.json["data"] == {"title": "An entry"} and [item["id"] for item in answer.json["included"]] == [asset]


def test_thousands_wait_at_once_without_a_thread_each(pipeline, stack, frozen):
    count = 2000
    entries = [f"{fresh('many')}-{n}" for n in range(40)]
    query_api = stack.query_api
    threads_before = len(list(Path(f"/proc/{query_api.pid}/task").iterdir()))
    https = [Http(query_api.port, timeout=120) for _ in range(count)]
    try:
        for number, one in enumerate(https):
            one.connection = http.client.HTTPConnection("127.0.0.1", one.port, timeout=one.timeout)
            one.connection.request("GET", f"/entries/{entries[number % len(entries)]}?min_version=1&wait=60")
        eventually(lambda: waiting(stack) == count)
        assert len(list(Path(f"/proc/{query_api.pid}/task").iterdir())) == threads_before
        assert query_api.get("/health").status == 200
        pipeline.console.send_all([(command("createEntry", entry, {"title": "t"}, id=f"c-{entry}"), entry, None) for entry in entries])
        pipeline.accepted(f"c-{entries[-1]}")
        frozen.thaw()
        for one in https:
            response = one.connection.getresponse()
            assert response.status == 200, response.read()
            response.read()
        assert waiting(stack) == 0
    finally:
        for one in https:
            one.close()


def test_requests_that_wait_are_answered_when_the_service_is_stopped(pipeline, disturbed):
    entry = fresh("ended")
    with ThreadPoolExecutor(20) as threads:
        answers = [threads.submit(wait_for, disturbed, f"/entries/{entry}", 1, 60) for _ in range(20)]
        eventually(lambda: waiting(disturbed) == 20)
        disturbed.query_api.signal(signal.SIGTERM)
        for answer in answers:
            not_yet(answer.result(), 0)
    assert disturbed.query_api.wait() == 0


def test_a_request_that_waits_outlives_the_store(pipeline, disturbed):
    entry = fresh("outlived")
    with ThreadPoolExecutor() as threads:
        answer = threads.submit(wait_for, disturbed, f"/entries/{entry}", 1, 60)
        eventually(lambda: waiting(disturbed) == 1)
        disturbed.kill_server("snapshots")
        eventually(lambda: disturbed.query_api.get("/ready").status == 503)
        disturbed.start_servers("snapshots")
        pipeline.console.send(command("createEntry", entry, {"title": "t"}, id=f"c-{entry}"), key=entry)
        assert answer.result().status == 200


def test_a_store_that_is_away_at_the_end_is_told(pipeline, disturbed):
    entry = fresh("away")
    with ThreadPoolExecutor() as threads:
        answer = threads.submit(wait_for, disturbed, f"/entries/{entry}", 1, 2)
        eventually(lambda: waiting(disturbed) == 1)
        disturbed.kill_server("snapshots")
        problem(answer.result(), 503)


@pytest.mark.parametrize("query", ["min_version=0", "min_version=x", "min_version=", "min_version=1&wait=61", "min_version=1&wait=-1", "min_version=1&wait=x",
                                   "min_version=1&wait=1.5", "wait=1", "min_version=1&min_version=1"])
def test_a_wait_that_is_wrong_is_answered_400(pipeline, query):
    answer = pipeline.query.get(f"/entries/some-id?{query}")
    problem(answer, 400)
    assert answer.json["type"] == "/problems/invalid-parameter"
