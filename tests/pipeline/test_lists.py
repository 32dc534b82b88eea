"""Lists that are sorted, filtered and counted, and what is sent with them."""

import json
import threading
import time
from urllib.parse import quote, urlencode

import pytest

from client import Http
from harness import eventually
from ledger import index_members, index_value
from test_commands import problem
from test_rules import command, fresh


def ask(pipeline, base="items", **parameters):
    answer = pipeline.query.get(f"/{base}?" + urlencode(parameters, safe="[],"))
    assert answer.status == 200, answer
    return answer.json


def walk(pipeline, base="items", repeat=True, **parameters):
    """All items, page by page. `repeat`: the parameters go with the cursor, too."""
    items, cursor = [], {}
    while True:
        got = ask(pipeline, base, **{**(parameters if repeat or not cursor else {"limit": parameters.get("limit", 50)}), **cursor})
        items += got["items"]
        if got["next"] is None:
            return items
        cursor = {"cursor": got["next"]}


def ids(items):
    return [item["id"] for item in items]


def put_all(pipeline, entities):
    """Creates items: id → data."""
    pipeline.console.send_all([(command("createItem", entity, data, id=f"c-{entity}"), entity, None) for entity, data in entities.items()])
    pipeline.settle()
    for entity in entities:
        assert pipeline.ledger.outcomes[f"c-{entity}"][0].json["status"] == "accepted", entity


RANKS = [None, False, True, -2.5, 0, 7, 7.0, 1e300, 2**53, 2**53 + 1, "", "7", "a", "aa", "é", "x" * 300, "x" * 299 + "y", [3, "b"], ["a", 7], [], {"o": 1}]


@pytest.fixture(scope="module")
def made(session_pipeline):
    """Items of a list of their own: id → data. Some have no rank at all, and there are many of some ranks."""
    name = fresh("list")
    entities = {f"{name}-{number:03}": {"list": name, "rank": rank, "status": "open" if number % 3 else "closed"}
                for number, rank in enumerate(RANKS * 3)}
    for number in range(4):
        entities[f"{name}-{900 + number}"] = {"list": name, "status": "open", "tags": ["a", "b", "b", f"t{number}"]}
    put_all(session_pipeline, entities)
    return entities


def list_of(made):
    return next(iter(made.values()))["list"]


def sort_key(made, name, entity):
    return index_members(made[entity].get(name), entity)[0]


# ---- sort ----

@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("limit", [3, 10, 1000])
def test_a_list_is_in_the_order_of_a_member_and_then_of_the_id(pipeline, made, limit, descending):
    items = walk(pipeline, limit=limit, sort="-rank" if descending else "rank", **{"filter[list]": list_of(made)})
    assert ids(items) == sorted(made, key=lambda entity: sort_key(made, "rank", entity), reverse=descending)


def test_a_sorted_list_has_each_entity_of_the_type_once(pipeline, made):
    expected = {entity for (kind, entity), events in pipeline.settle().ledger.events.items()
                if kind == "Item" and not events[-1].json["type"].endswith("Deleted")}
    for sort in ("rank", "-tags", "status", "id", "-id"):
        found = ids(walk(pipeline, limit=40, sort=sort))
        assert len(found) == len(set(found)) and set(found) == expected, sort


def test_values_of_different_types_are_in_a_fixed_order_and_what_has_none_comes_first(pipeline, made):
    ranks = [item["data"].get("rank") for item in walk(pipeline, limit=1000, sort="rank", **{"filter[list]": list_of(made)})]
    first = [rank if not isinstance(rank, list) else min(rank, key=index_value, default=None) for rank in ranks]
    order = [(value is not None and not isinstance(value, dict), isinstance(value, str), not isinstance(value, bool)) for value in first]
    assert order == sorted(order)  # nothing, booleans, numbers, strings
    numbers = [value for value in first if isinstance(value, (int, float)) and not isinstance(value, bool)]
    strings = [value.encode() for value in first if isinstance(value, str) and len(value) < 128]
    assert numbers == sorted(numbers) and len(numbers) > 20 and strings == sorted(strings) and len(strings) > 12


def test_dates_are_sorted_as_the_strings_that_they_are(pipeline):
    name = fresh("dates")
    dates = ["2026-11-21T07:00:00Z", "2025-01-01T00:00:00Z", "2026-02-03T04:05:06Z", None]
    put_all(pipeline, {f"{name}-{n}": {"list": name, **({"published": date} if date else {})} for n, date in enumerate(dates)})
    items = walk(pipeline, sort="-published", limit=2, **{"filter[list]": name})
    assert [item["data"].get("published") for item in items] == [dates[0], dates[2], dates[1], None]


def test_order_is_the_same_as_sorting_by_id(pipeline, made):
    for order, sort in (("asc", "id"), ("desc", "-id")):
        assert ask(pipeline, limit=1000, order=order)["items"] == ask(pipeline, limit=1000, sort=sort)["items"]


# ---- filters ----

@pytest.mark.parametrize("text", ["7", "7.0", "null", "true", "false", "a", "", "x" * 300, "-2.5", "9007199254740993", "9007199254740992", "none", "é", "b"])
def test_a_filter_finds_what_has_the_value_whatever_its_type(pipeline, made, text):
    try:
        scalar = json.loads(text) if text else text
    except ValueError:
        scalar = text
    wanted = {index_value(text), index_value(scalar)}
    expected = [entity for entity in sorted(made)
                if wanted & {member.split(b"\1")[0] for member in index_members(made[entity].get("rank"), entity)}]
    found = walk(pipeline, limit=2, **{"filter[rank]": text, "filter[list]": list_of(made)})
    assert ids(found) == expected
    assert [entity for entity in ids(walk(pipeline, limit=7, **{"filter[rank]": text})) if entity in made] == expected
    assert ids(walk(pipeline, limit=7, sort="-id", **{"filter[rank]": text, "filter[list]": list_of(made)})) == expected[::-1]


def test_filters_must_all_be_met_and_go_with_any_sort(pipeline, made):
    expected = {entity for entity, data in made.items() if data["status"] == "open" and data.get("rank") in ("7", 7)
                and not isinstance(data.get("rank"), bool) or data.get("rank") == ["a", 7] and data["status"] == "open"}
    query = {"filter[status]": "open", "filter[rank]": "7", "filter[list]": list_of(made)}
    for sort in ("id", "-id", "rank", "-rank", "status", "tags"):
        found = ids(walk(pipeline, limit=2, sort=sort, **query))
        assert len(found) == len(set(found)) and set(found) == expected, sort


def test_a_filter_finds_an_item_of_an_array(pipeline, made):
    tagged = sorted(entity for entity, data in made.items() if "tags" in data)
    assert ids(walk(pipeline, **{"filter[tags]": "b", "filter[list]": list_of(made)})) == tagged
    assert ids(walk(pipeline, limit=1, **{"filter[tags]": "b", "filter[list]": list_of(made)})) == tagged
    assert ids(walk(pipeline, **{"filter[tags]": "t2", "filter[list]": list_of(made)})) == tagged[2:3]
    assert ids(walk(pipeline, limit=1, sort="-tags", **{"filter[list]": list_of(made), "filter[tags]": "a"})) == tagged[::-1]


def test_a_filter_follows_what_entities_are(pipeline):
    name = fresh("follow")
    item = pipeline.create("items", {"list": name, "status": "open"})
    pipeline.settle()
    assert ids(walk(pipeline, **{"filter[list]": name, "filter[status]": "open"})) == [item]
    pipeline.update("items", item, {"list": name, "status": "closed"})
    pipeline.settle()
    assert ids(walk(pipeline, **{"filter[list]": name, "filter[status]": "open"})) == []
    assert ids(walk(pipeline, **{"filter[list]": name})) == [item]
    pipeline.delete("items", item)
    pipeline.settle()
    assert ids(walk(pipeline, **{"filter[list]": name})) == []


# ---- cursors ----

def test_a_cursor_brings_sort_and_filters_with_it(pipeline, made):
    query = {"sort": "-rank", "filter[list]": list_of(made), "filter[status]": "open"}
    assert ids(walk(pipeline, limit=5, repeat=False, **query)) == ids(walk(pipeline, limit=1000, **query))


@pytest.mark.parametrize("other", [{"sort": "rank"}, {"order": "asc"}, {"sort": "-status"}, {"filter[list]": "another"},
                                   {"filter[status]": "open"}, {"filter[list]": "?", "filter[status]": "open"}])
def test_a_cursor_of_another_sort_or_other_filters_is_answered_400(pipeline, made, other):
    cursor = ask(pipeline, limit=1, sort="-rank", **{"filter[list]": list_of(made)})["next"]
    other = {name: list_of(made) if value == "?" else value for name, value in other.items()}
    answer = pipeline.query.get("/items?" + urlencode({"cursor": cursor, **other}))
    problem(answer, 400)
    assert answer.json["type"] == "/problems/invalid-cursor"
    assert pipeline.query.get("/items?" + urlencode({"cursor": cursor, "sort": "-rank", "filter[list]": list_of(made)})).status == 200


@pytest.mark.parametrize("sort", ["rank", "-rank", "id", "-tags"])
def test_pages_are_stable_while_others_change(pipeline, made, sort):
    """What stays as it is is there exactly once, in its place, whatever a writer does to the others."""
    ended, failures, others = threading.Event(), [], []
    name = list_of(made)

    def write():
        http = Http(pipeline.stack.command_api.port)
        number = 0
        sent = []
        try:
            while not ended.is_set():
                number += 1
                data = {"list": name, "rank": [number, "b", -number, None][number % 4], "tags": [f"{number}", "a"]}
                if len(others) < 60:
                    sent.append(http.post("/items", data))
                    others.append(sent[-1].json["id"])
                target = others[number * 7 % len(others)]
                sent.append(http.put(f"/items/{target}", {**data, "rank": f"{number}"}))
                if number % 3 == 0:
                    others.remove(target)
                    sent.append(http.delete(f"/items/{target}"))
                time.sleep(0.005)
        except BaseException as error:
            failures.append(error)
        finally:
            pipeline.acknowledged.update((answer.json["commandId"], (answer.json["type"], answer.json["id"])) for answer in sent)
            http.close()
    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    try:
        eventually(lambda: len(others) > 20)
        key = {"id": lambda entity: entity.encode()}.get(sort.strip("-")) or (lambda entity: sort_key(made, sort.strip("-"), entity))
        for _ in range(4):
            found = [entity for entity in ids(walk(pipeline, limit=9, sort=sort, **{"filter[list]": name})) if entity in made]
            assert found == sorted(made, key=key, reverse=sort[0] == "-")
    finally:
        ended.set()
        writer.join(30)
    assert not failures, failures
    for entity in others:
        pipeline.send("DELETE", f"/items/{entity}")
    pipeline.settle()


# ---- count ----

def test_a_count_is_that_of_all_that_pass_the_filters(pipeline, made):
    name = list_of(made)

    def count(**query):
        answer = ask(pipeline, limit=1, count="true", **{"filter[list]": name}, **query)
        assert list(answer) == ["items", "count", "next"]
        assert answer["count"] == len(walk(pipeline, limit=1000, **{"filter[list]": name}, **query))
        return answer["count"]
    assert count() == len(made)
    assert count(sort="-rank") == len(made)
    assert count(**{"filter[status]": "open"}) == sum(data["status"] == "open" for data in made.values())
    assert count(**{"filter[rank]": "7"}) == 12  # 7, 7.0, "7" and ["a", 7], three of each
    assert count(**{"filter[rank]": "7", "filter[status]": "open"}) == sum(
        data.get("rank") in (7, "7", ["a", 7]) and data["status"] == "open" for data in made.values())
    assert count(**{"filter[rank]": "nothing"}) == 0
    assert "count" not in ask(pipeline, limit=1) and "count" not in ask(pipeline, limit=1, count="false")


def test_an_entity_that_has_a_value_in_two_types_is_counted_once(pipeline):
    tag = "77001"
    put_all(pipeline, {f"{fresh('two')}-{n}": {"rank": rank} for n, rank in enumerate([[77001, tag], 77001, tag, [tag, 1]])})
    answer = ask(pipeline, count="true", **{"filter[rank]": tag})
    assert answer["count"] == 4 and len(answer["items"]) == 4


def test_a_count_of_all_is_how_many_there_are_whatever_the_page(pipeline, made):
    total = len(walk(pipeline, limit=1000))
    first = ask(pipeline, limit=3, count="true")
    assert first["count"] == total
    assert ask(pipeline, limit=3, count="true", cursor=first["next"])["count"] == total


# ---- fields and include ----

def test_only_the_members_that_are_named_are_shown(pipeline, made):
    entity = sorted(made)[0]
    full = pipeline.query.get(f"/items/{entity}").json
    shown = pipeline.query.get(f"/items/{entity}?fields=status,nothing")
    assert shown.json == {**full, "data": {"status": full["data"]["status"]}}
    assert shown.headers["ETag"] == '"1"'
    for item in walk(pipeline, limit=20, fields="list,status", **{"filter[list]": list_of(made)}):
        assert item["data"] == {name: made[item["id"]][name] for name in ("list", "status")}


@pytest.fixture
def linked(pipeline):
    """Items that link to assets and to one another; of the assets one was deleted meanwhile."""
    name = fresh("linked")
    assets = [pipeline.asset(title=f"{name} {n}") for n in range(3)]
    put_all(pipeline, {f"{name}-0": {"list": name, "cover": assets[0]}})
    put_all(pipeline, {f"{name}-1": {"list": name, "cover": assets[0], "related": [f"{name}-0"]},
                       f"{name}-2": {"list": name, "cover": assets[1]},
                       f"{name}-3": {"list": name, "cover": assets[1]}})
    put_all(pipeline, {f"{name}-4": {"list": name, "related": [f"{name}-0", f"{name}-1", f"{name}-0"], "note": "n"}})
    return name, assets


def test_linked_entities_come_with_a_list_each_once(pipeline, linked):
    name, assets = linked
    answer = ask(pipeline, include="cover", **{"filter[list]": name})
    assert list(answer) == ["items", "included", "next"]
    assert answer["included"] == [pipeline.query.get(f"/assets/{asset}").json for asset in assets[:2]]
    both = ask(pipeline, include="cover,related", fields="note", **{"filter[list]": name})
    assert ids(both["included"]) == [assets[0], f"{name}-0", assets[1], f"{name}-1"]
    assert [item["data"] for item in both["items"]] == [{}, {}, {}, {}, {"note": "n"}]
    assert both["included"][1] == pipeline.query.get(f"/items/{name}-0").json  # whole, whatever `fields` says
    assert ask(pipeline, include="cover", limit=1, sort="-id", **{"filter[list]": name})["included"] == []


def test_linked_entities_come_with_an_entity(pipeline, linked):
    name, assets = linked
    answer = pipeline.query.get(f"/items/{name}-4?include=related,cover")
    assert answer.status == 200 and "ETag" not in answer.headers
    alone = pipeline.query.get(f"/items/{name}-4").json
    assert answer.json == {**alone, "included": [pipeline.query.get(f"/items/{name}-{n}").json for n in range(2)]}
    assert pipeline.query.get(f"/items/{name}-4?include=related", headers={"If-None-Match": '"1"'}).status == 200
    assert pipeline.query.get("/items/nothing?include=cover").status == 404


def test_what_is_linked_and_not_there_any_more_is_left_out(pipeline, linked, disturbed):
    name, assets = linked
    disturbed.validator.restart(ODRADEK_RULES_DELETE_LINKED="allow")
    pipeline.delete("assets", assets[1])
    pipeline.settle()
    assert ids(ask(pipeline, include="cover", **{"filter[list]": name})["included"]) == [assets[0]]
    disturbed.validator.restart()


# ---- pages that end early ----

def test_a_page_that_had_to_look_at_very_many_ends_early_and_goes_on(pipeline):
    """Few of many, in an order that says nothing of which they are."""
    name = fresh("early")
    entities = {f"{name}-{n:05}": {"list": name, "rank": n, "status": "closed"} for n in range(12_000)}
    for n in (3, 11_990):
        entities[f"{name}-{n:05}"]["status"] = "open"
    put_all(pipeline, entities)
    query = {"filter[list]": name, "filter[status]": "open", "sort": "-rank"}
    first = ask(pipeline, **query)
    assert first["next"] and f"{name}-00003" not in ids(first["items"])
    assert ids(walk(pipeline, **query)) == [f"{name}-11990", f"{name}-00003"]
    assert ask(pipeline, limit=1, count="true", **query)["count"] == 2
    assert ask(pipeline, limit=1, count="true", **{"filter[list]": name, "filter[status]": "closed"})["count"] == 11_998
    pipeline.console.send_all([(command("deleteItem", entity, id=f"d-{entity}"), entity, None) for entity in entities])
    pipeline.settle()


# ---- what is refused ----

@pytest.mark.parametrize("query", ["sort=note", "sort=nothing", "filter[note]=x", "filter[id]=x", "sort=-note", "filter[nothing]=x&sort=rank"])
def test_a_list_by_what_is_not_indexed_is_answered_400_and_says_what_is(pipeline, query):
    answer = pipeline.query.get(f"/items?{query}")
    problem(answer, 400)
    assert answer.json["type"] == "/problems/invalid-parameter"
    for name in ("list", "rank", "status", "published", "tags", "related", "id"):
        assert f'"{name}"' in answer.json["detail"]
    problem(pipeline.query.get("/assets?sort=title"), 400)


@pytest.mark.parametrize("query", ["include=note", "include=nothing", "include=cover,note", "include=", "fields=", "fields=a,,b", "count=yes", "count",
                                   "filter[rank]", "filter[]=x", "filter=x", "filter[rank]=1&filter[rank]=2", "sort=rank&sort=rank",
                                   "sort=rank&order=asc", "sort=", "sort=-", "version=1", "at=2026-11-21T07:00:00Z", "min_version=1", "wait=1",
                                   "&".join(f"filter[f{n}]=x" for n in range(9))])
def test_a_parameter_that_is_wrong_is_answered_400(pipeline, query):
    answer = pipeline.query.get(f"/items?{query}")
    problem(answer, 400)
    assert answer.json["type"] == "/problems/invalid-parameter"


def test_names_with_brackets_may_be_percent_encoded(pipeline, made):
    plain = pipeline.query.get(f"/items?filter[list]={list_of(made)}&limit=2").json
    assert plain["items"] and plain == pipeline.query.get(f"/items?{quote('filter[list]')}={list_of(made)}&limit=2").json
