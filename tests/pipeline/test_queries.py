"""query-api: entities, lists and histories."""

import os
import signal
import threading

import pytest

from client import Http
from harness import eventually
from test_commands import TIME, problem
from test_rules import command, fresh


# ---- one entity ----

def test_an_entity_is_shown_with_id_type_version_times_and_data(pipeline):
    entry = pipeline.entry(title="t", description="d")
    pipeline.visible("entries", entry)
    answer = pipeline.query.get(f"/entries/{entry}")
    shown = answer.json
    assert answer.headers["Content-Type"] == "application/json"
    assert list(shown) == ["id", "type", "version", "createdAt", "updatedAt", "data"]
    assert shown == {"id": entry, "type": "Entry", "version": 1, "createdAt": shown["createdAt"], "updatedAt": shown["createdAt"],
                     "data": {"title": "t", "description": "d"}}
    assert TIME.match(shown["createdAt"])
    assert shown["createdAt"] == pipeline.history("Entry", entry)[0]["meta"]["time"]
    assert answer.headers["ETag"] == '"1"'


def test_an_update_changes_version_time_data_and_etag_and_keeps_when_it_was_created(pipeline):
    entry = pipeline.entry()
    first = pipeline.visible("entries", entry)
    pipeline.update("entries", entry, {"title": "u"})
    second = pipeline.visible("entries", entry, 2)
    assert second["createdAt"] == first["createdAt"] and second["updatedAt"] >= first["updatedAt"]
    assert second["updatedAt"] == pipeline.history("Entry", entry)[1]["meta"]["time"]
    assert second["version"] == 2 and second["data"] == {"title": "u"}
    assert pipeline.query.get(f"/entries/{entry}").headers["ETag"] == '"2"'


def test_the_event_of_a_create_is_visible_at_the_same_version_as_its_outcome(pipeline):
    sent = pipeline.send("POST", "/entries", {"title": "t"})
    assert pipeline.visible("entries", sent.id)["version"] == pipeline.accepted(sent)["version"]


@pytest.mark.parametrize("entity", ["nothing", "a%20b", "x" * 200, "%C3%A4", "%7B0%7D", "..%2F..", "a:b"])
def test_an_entity_that_is_not_there_is_404(pipeline, entity):
    problem(pipeline.query.get(f"/entries/{entity}"), 404)
    problem(pipeline.query.get(f"/entries/{entity}/events"), 404)


def test_an_entity_of_another_type_is_404(pipeline):
    asset = pipeline.asset()
    pipeline.visible("assets", asset)
    problem(pipeline.query.get(f"/entries/{asset}"), 404)


def test_an_entity_that_was_deleted_is_410_and_one_that_was_created_again_is_there(pipeline):
    entry = pipeline.entry()
    pipeline.delete("entries", entry)
    problem(pipeline.gone("entries", entry), 410)
    pipeline.console.send(command("createEntry", entry, {"title": "again"}), key=entry)
    shown = pipeline.visible("entries", entry, 3)
    assert shown["data"] == {"title": "again"}


def test_head_is_answered_like_get_without_the_body(pipeline):
    entry = pipeline.entry()
    pipeline.visible("entries", entry)
    answer = pipeline.query.request("HEAD", f"/entries/{entry}")
    assert answer.status == 200 and answer.body == b"" and answer.headers["ETag"] == '"1"'


@pytest.mark.parametrize("method, path", [("POST", "/entries"), ("PUT", "/entries/some-id"), ("DELETE", "/entries/some-id"),
                                          ("PATCH", "/entries/some-id/events")])
def test_queries_know_no_other_method_than_get(pipeline, method, path):
    answer = pipeline.query.request(method, path, b"{}" if method != "DELETE" else None)
    problem(answer, 405)
    assert {word.strip() for word in answer.headers["Allow"].split(",")} >= {"GET", "HEAD"}


@pytest.mark.parametrize("path", ["/nothing", "/entries/a/b", "/entries/a/events/1", "/commands/some-id"])
def test_unknown_paths_are_404(pipeline, path):
    problem(pipeline.query.get(path), 404)


# ---- lists ----

def page(pipeline, base, **parameters):
    answer = pipeline.query.get(f"/{base}?" + "&".join(f"{name}={value}" for name, value in parameters.items()))
    assert answer.status == 200, answer
    assert answer.json.keys() == {"items", "next"}
    return answer.json


def pages(pipeline, base, **parameters):
    """The items of all pages."""
    items = []
    cursor = {}
    while True:
        got = page(pipeline, base, **parameters, **cursor)
        items += got["items"]
        if got["next"] is None:
            return items
        cursor = {"cursor": got["next"]}


@pytest.fixture(scope="module")
def listed(session_pipeline):
    """Assets of this module, of which some were deleted; returns the ids that are left."""
    pipeline = session_pipeline
    prefix = fresh("list")
    ids = [f"{prefix}-{n:03}" for n in range(60)]
    pipeline.console.send_all([(command("createAsset", entity, {"title": entity, "src": "s", "width": n}, id=f"c-{entity}"), entity, None)
                               for n, entity in enumerate(ids)])
    pipeline.console.send_all([(command("deleteAsset", entity, id=f"d-{entity}"), entity, None) for entity in ids[::7]])
    for entity in ids[::7]:
        pipeline.accepted(f"d-{entity}")
    pipeline.settle()
    return [entity for n, entity in enumerate(ids) if n % 7]


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 7, 50, 1000])
def test_a_list_has_every_entity_of_the_type_once_in_order_of_id_page_by_page(pipeline, listed, limit, order):
    if limit == 1:
        # Page by page from just before ours, for the others are many.
        first = page(pipeline, "assets", limit=1, order=order)
        second = page(pipeline, "assets", limit=1, order=order, cursor=first["next"])
        ids = [first["items"][0]["id"], second["items"][0]["id"]]
        assert ids == sorted(ids, reverse=order == "desc") and ids[0] != ids[1]
        return
    items = pages(pipeline, "assets", limit=limit, order=order)
    ids = [item["id"] for item in items]
    assert ids == sorted(set(ids), reverse=order == "desc")
    expected = {entity for (name, entity), events in pipeline.ledger.events.items()
                if name == "Asset" and not events[-1].json["type"].endswith("Deleted")}
    assert set(ids) == expected
    assert set(listed) <= set(ids)


def test_a_lists_item_is_the_entity_as_it_is_shown_alone(pipeline, listed):
    items = {item["id"]: item for item in pages(pipeline, "assets", limit=1000)}
    for entity in listed[::9]:
        assert items[entity] == pipeline.query.get(f"/assets/{entity}").json


def test_a_list_has_fifty_items_in_ascending_order_if_nothing_else_is_said(pipeline, listed):
    answer = pipeline.query.get("/assets")
    assert len(answer.json["items"]) == 50 and answer.json["next"]
    assert answer.json == page(pipeline, "assets", limit=50, order="asc")


def test_a_page_that_ends_with_the_last_item_has_no_next(pipeline, listed):
    count = len(pages(pipeline, "assets", limit=1000))
    if count <= 1000:
        assert page(pipeline, "assets", limit=count)["next"] is None
        assert page(pipeline, "assets", limit=count - 1)["next"] is not None


def test_a_list_of_nothing_is_an_empty_page(own_stack):
    """Seen from a type of which there is none: on a stack of its own, where nobody made one."""
    stack = own_stack()
    stack.start_servers("snapshots", "events")
    service = stack.query_api.start(ODRADEK_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1")
    answer = eventually(lambda: (answer := service.get("/entries")).status == 200 and answer)
    assert answer.json == {"items": [], "next": None}


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_are_stable_while_entities_appear_change_and_vanish(pipeline, listed, order):
    """What is there all the time is there exactly once, in its place, whatever happens around it."""
    ended = threading.Event()
    failures = []

    def write():
        http = Http(pipeline.stack.command_api.port)
        made = []
        number = 0
        try:
            while not ended.is_set():
                number += 1
                answer = http.post("/assets", {"title": "t", "src": "s", "width": number})
                made.append((answer.json["commandId"], (answer.json["type"], answer.json["id"])))
                for method, path in (("PUT", f"/assets/{listed[number % len(listed)]}"), ("DELETE", f"/assets/{made[0][1][1]}")):
                    answer = http.request(method, path, {"title": "t", "src": "s", "width": -number} if method == "PUT" else None)
                    made.append((answer.json["commandId"], (answer.json["type"], answer.json["id"])))
        except BaseException as error:
            failures.append(error)
        finally:
            pipeline.acknowledged.update(made)
            http.close()
    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    try:
        for _ in range(5):
            ids = [item["id"] for item in pages(pipeline, "assets", limit=10, order=order)]
            assert ids == sorted(set(ids), reverse=order == "desc")
            assert set(listed) <= set(ids)
    finally:
        ended.set()
        writer.join(30)
    assert not failures, failures
    pipeline.check()


def test_a_page_that_was_asked_for_again_begins_at_the_same_place_although_its_first_item_is_gone(pipeline):
    prefix = fresh("zz")  # behind all others
    ids = [f"{prefix}-{n}" for n in range(4)]
    pipeline.console.send_all([(command("createAsset", entity, {"title": "t", "src": "s", "width": 1}, id=f"c-{entity}"), entity, None) for entity in ids])
    for entity in ids:
        pipeline.visible("assets", entity)
    first = page(pipeline, "assets", limit=2, order="desc")
    assert [item["id"] for item in first["items"]] == ids[:1:-1]
    for entity in ids[1:]:
        pipeline.delete("assets", entity)
        pipeline.gone("assets", entity)
    assert page(pipeline, "assets", limit=1, order="desc", cursor=first["next"])["items"][0]["id"] == ids[0]


@pytest.mark.parametrize("query", ["limit=0", "limit=-1", "limit=1001", "limit=ten", "limit=", "limit", "limit=1.5", "limit=99999999999999999999",
                                   "order=up", "order=", "order=ASC", "cursor=nonsense!", "cursor=", "cursor=AAAA", "unknown=1", "limit=1&limit=2"])
def test_a_lists_parameter_that_is_wrong_is_answered_400(pipeline, query):
    problem(pipeline.query.get(f"/entries?{query}"), 400)


def test_a_cursor_of_another_list_or_order_is_answered_400(pipeline, listed):
    cursor = page(pipeline, "assets", limit=1)["next"]
    problem(pipeline.query.get(f"/entries?cursor={cursor}"), 400)
    problem(pipeline.query.get(f"/assets?order=desc&cursor={cursor}"), 400)
    assert pipeline.query.get(f"/assets?order=asc&cursor={cursor}").status == 200


# ---- histories ----

def test_a_history_is_the_events_as_they_are_in_the_log(pipeline):
    entry = pipeline.entry(title="one")
    pipeline.update("entries", entry, {"title": "two"})
    pipeline.delete("entries", entry)
    pipeline.settle()
    answer = pipeline.query.get(f"/entries/{entry}/events")
    assert answer.status == 200
    assert answer.json == {"items": pipeline.history("Entry", entry), "next": None}
    assert [event["version"] for event in answer.json["items"]] == [1, 2, 3]


def test_a_long_history_comes_page_by_page_and_from_behind_a_version(pipeline):
    entry = pipeline.entry()
    pipeline.console.send_all([(command("updateEntry", entry, {"title": str(n)}, id=f"{n}-{entry}"), entry, None) for n in range(2, 131)])
    pipeline.accepted(f"130-{entry}")
    pipeline.settle()

    def versions(query):
        answer = pipeline.query.get(f"/entries/{entry}/events{query}").json
        return [event["version"] for event in answer["items"]], answer["next"]
    assert versions("") == (list(range(1, 51)), 50)
    assert versions("?after=50") == (list(range(51, 101)), 100)
    assert versions("?after=100") == (list(range(101, 131)), None)
    assert versions("?after=130") == ([], None)
    assert versions("?after=9223372036854775806") == ([], None)
    assert versions("?limit=1") == ([1], 1)
    assert versions("?limit=130") == (list(range(1, 131)), None)
    assert versions("?limit=129&after=0") == (list(range(1, 130)), 129)
    assert versions("?limit=1000") == (list(range(1, 131)), None)


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "after=-1", "after=x", "after=", "order=asc", "cursor=x", "after=9223372036854775808"])
def test_a_historys_parameter_that_is_wrong_is_answered_400(pipeline, query):
    entry = pipeline.entry()
    problem(pipeline.query.get(f"/entries/{entry}/events?{query}"), 400)


def test_large_entities_make_shorter_pages_and_none_is_left_out(pipeline):
    prefix = fresh("zzz")
    ids = [f"{prefix}-{n:02}" for n in range(24)]
    pipeline.console.send_all([(command("createSample", entity, {"string": "x" * 500_000}, id=f"c-{entity}"), entity, None) for entity in ids])
    for entity in ids:
        pipeline.visible("samples", entity)
    shown = [item["id"] for item in pages(pipeline, "samples", limit=1000) if item["id"].startswith(prefix)]
    assert shown == ids


# ---- stores that are away ----

@pytest.mark.parametrize("name, path", [("snapshots", "/entries/some-id"), ("snapshots", "/entries"), ("events", "/entries/some-id/events")])
def test_while_a_store_is_away_a_query_is_answered_503_with_retry_after(pipeline, disturbed, name, path):
    disturbed.kill_server(name)
    answer = pipeline.query.get(path)
    problem(answer, 503)
    assert int(answer.headers["Retry-After"]) >= 1
    eventually(lambda: disturbed.query_api.get("/ready").status == 503)
    disturbed.start_servers(name)
    disturbed.query_api.await_ready()
    assert pipeline.query.get(path).status in (200, 404)


def test_a_store_that_hangs_keeps_a_query_waiting_for_bounded_time(pipeline, disturbed):
    server = disturbed.server_pid("snapshots")
    os.kill(server, signal.SIGSTOP)
    try:
        answer = pipeline.query.get("/entries/some-id")  # the client's own patience is 30 s
        problem(answer, 503)
        assert disturbed.query_api.get("/health").status == 200
    finally:
        os.kill(server, signal.SIGCONT)
    disturbed.query_api.await_ready()
    assert pipeline.query.get("/entries/some-id").status == 404


@pytest.mark.parametrize("name", ["%f0%9f", "%ff", "x" * 63 + "%C3%A4", "%ed%a0%80", "%c0%af", "a%80b", "%f5%80%80%80", "%F0%9F%98%80"])
def test_what_a_message_repeats_of_a_request_is_utf_8_whatever_came(pipeline, name):
    for query in (f"?{name}=1", f"?sort={name}", f"?filter[{name}]=1&filter[{name}]=1"):
        answer = pipeline.query.get(f"/entries{query}")
        assert answer.body.decode("utf-8")
        problem(answer, 400, "invalid-parameter")
