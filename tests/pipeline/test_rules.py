"""The validator's business rules."""

import uuid

import pytest


def fresh(prefix="e"):
    return f"{prefix}-{uuid.uuid4()}"


def on_other_partition(pipeline, entity):
    """A new id in another partition than `entity`'s."""
    return next(other for other in iter(fresh, None) if pipeline.partition(other) != pipeline.partition(entity))


def command(command_type, entity=None, body=None, **meta):
    made = {"type": command_type}
    if entity is not None:
        made["params"] = {"id": entity}
    if body is not None:
        made["body"] = body
    if meta:
        made["meta"] = {name: value for name, value in meta.items()}
    return made


ASSET = {"title": "t", "src": "s", "width": 1}


# ---- existence ----

@pytest.mark.parametrize("method, body", [("PUT", {"title": "t"}), ("POST", {"title": "t"}), ("DELETE", None)])
def test_an_update_and_a_delete_of_an_entity_that_never_was_are_rejected(pipeline, method, body):
    entity = fresh()
    outcome = pipeline.rejected(pipeline.send(method, f"/entries/{entity}", body), "not-found")
    assert outcome["version"] == 0 and outcome["id"] == entity
    assert pipeline.history("Entry", entity) == []
    assert pipeline.query.get(f"/entries/{entity}").status == 404


def test_an_update_and_a_delete_of_a_deleted_entity_are_rejected_and_tell_its_version(pipeline):
    entry = pipeline.entry()
    pipeline.delete("entries", entry)
    for method, body in (("PUT", {"title": "t"}), ("DELETE", None)):
        outcome = pipeline.rejected(pipeline.send(method, f"/entries/{entry}", body), "not-found")
        assert outcome["version"] == 2
    assert len(pipeline.history("Entry", entry)) == 2


def test_an_update_of_another_types_entity_is_rejected(pipeline):
    asset = pipeline.asset()
    pipeline.rejected(pipeline.send("PUT", f"/entries/{asset}", {"title": "t"}), "not-found")
    pipeline.rejected(pipeline.send("DELETE", f"/entries/{asset}"), "not-found")
    assert pipeline.visible("assets", asset)["version"] == 1


def test_a_create_of_an_id_that_exists_is_rejected(pipeline):
    entry = pipeline.entry(title="first")
    pipeline.console.send(command("createEntry", entry, {"title": "second"}, id=f"again-{entry}"), key=entry)
    assert pipeline.rejected(f"again-{entry}", "already-exists")["version"] == 1
    assert pipeline.visible("entries", entry)["data"] == {"title": "first"}


def test_entities_of_two_types_may_have_the_same_id(pipeline):
    entry = pipeline.entry()
    pipeline.console.send(command("createAsset", entry, ASSET, id=f"asset-{entry}"), key=entry)
    assert pipeline.accepted(f"asset-{entry}")["version"] == 1
    assert pipeline.visible("assets", entry)["data"] == ASSET
    assert pipeline.visible("entries", entry)["version"] == 1


def test_a_deleted_entity_can_be_created_again_and_its_versions_go_on(pipeline):
    entry = pipeline.entry(title="first")
    pipeline.delete("entries", entry)
    pipeline.console.send(command("createEntry", entry, {"title": "second"}, id=f"again-{entry}"), key=entry)
    assert pipeline.accepted(f"again-{entry}")["version"] == 3
    shown = pipeline.visible("entries", entry, 3)
    assert shown["data"] == {"title": "second"} and shown["createdAt"] == shown["updatedAt"]
    assert [event["type"] for event in pipeline.history("Entry", entry)] == ["entryCreated", "entryDeleted", "entryCreated"]


def test_commands_of_one_entity_are_decided_in_the_order_in_which_they_were_acknowledged(pipeline):
    created = pipeline.send("POST", "/entries", {"title": "0"})
    commands = [created] + [pipeline.send("PUT", f"/entries/{created.id}", {"title": str(n)}) for n in range(1, 50)]
    assert [pipeline.accepted(sent)["version"] for sent in commands] == list(range(1, 51))
    assert [event["body"]["title"] for event in pipeline.history("Entry", created.id)] == [str(n) for n in range(50)]


def test_a_batch_that_comes_at_once_is_decided_against_its_own_events(pipeline):
    """Nothing of it is in a snapshot yet while it is decided."""
    entity = fresh()
    batch = [command("updateEntry", entity, {"title": "x"}, id=f"{entity}-0"),
             command("createEntry", entity, {"title": "a"}, id=f"{entity}-1"),
             command("createEntry", entity, {"title": "b"}, id=f"{entity}-2"),
             command("updateEntry", entity, {"title": "c"}, id=f"{entity}-3", expectedVersion=1),
             command("updateEntry", entity, {"title": "d"}, id=f"{entity}-4", expectedVersion=1),
             command("deleteEntry", entity, id=f"{entity}-5"),
             command("deleteEntry", entity, id=f"{entity}-6"),
             command("createEntry", entity, {"title": "e"}, id=f"{entity}-7", expectedVersion=3)]
    pipeline.console.send_all([(value, entity, None) for value in batch])
    outcomes = [pipeline.outcome(f"{entity}-{n}") for n in range(8)]
    assert [(outcome["status"], outcome["version"], outcome.get("error", {}).get("type")) for outcome in outcomes] == [
        ("rejected", 0, "not-found"), ("accepted", 1, None), ("rejected", 1, "already-exists"), ("accepted", 2, None),
        ("rejected", 2, "version-mismatch"), ("accepted", 3, None), ("rejected", 3, "not-found"), ("accepted", 4, None)]


# ---- expected versions ----

@pytest.mark.parametrize("expected, status", [(0, "rejected"), (1, "rejected"), (2, "accepted"), (3, "rejected")])
@pytest.mark.parametrize("verb", ["update", "delete"])
def test_a_command_is_rejected_unless_the_entity_is_at_the_version_that_it_expects(pipeline, verb, expected, status):
    entry = pipeline.entry()
    pipeline.update("entries", entry, {"title": "two"})
    body = {"title": "three"} if verb == "update" else None
    pipeline.console.send(command(f"{verb}Entry", entry, body, id=f"expects-{entry}", expectedVersion=expected), key=entry)
    outcome = pipeline.outcome(f"expects-{entry}")
    assert outcome["status"] == status, outcome
    assert outcome["version"] == (3 if status == "accepted" else 2)
    if status == "rejected":
        assert outcome["error"]["type"] == "version-mismatch"
    assert len(pipeline.history("Entry", entry)) == outcome["version"]


@pytest.mark.parametrize("expected, status", [(0, "accepted"), (1, "rejected")])
def test_a_create_may_expect_that_there_was_nothing(pipeline, expected, status):
    entity = fresh()
    pipeline.console.send(command("createEntry", entity, {"title": "t"}, id=f"c-{entity}", expectedVersion=expected), key=entity)
    assert pipeline.outcome(f"c-{entity}")["status"] == status


def test_of_many_commands_that_expect_the_same_version_one_wins(pipeline):
    entry = pipeline.entry()
    pipeline.console.send_all([(command("updateEntry", entry, {"title": str(n)}, id=f"{n}-of-{entry}", expectedVersion=1), entry, None)
                               for n in range(20)])
    outcomes = [pipeline.outcome(f"{n}-of-{entry}") for n in range(20)]
    assert [outcome["status"] for outcome in outcomes] == ["accepted"] + 19 * ["rejected"]
    assert {outcome["error"]["type"] for outcome in outcomes[1:]} == {"version-mismatch"}
    assert pipeline.visible("entries", entry, 2)["data"] == {"title": "0"}


# ---- links ----

def test_a_link_to_an_entity_that_exists_is_accepted(pipeline):
    asset = pipeline.asset()
    entry = pipeline.entry(heroImage=asset)
    assert pipeline.visible("entries", entry)["data"]["heroImage"] == asset


def test_links_to_entities_that_were_created_immediately_before_on_other_partitions_are_accepted(pipeline):
    """The asset's event may not have been applied to any store yet."""
    pairs = []
    for _ in range(40):
        asset = pipeline.send("POST", "/assets", ASSET)
        pairs.append((asset, pipeline.send("POST", "/entries", {"title": "t", "heroImage": asset.id})))
    for asset, entry in pairs:
        pipeline.accepted(asset)
        pipeline.accepted(entry)
    other = [entry for asset, entry in pairs if pipeline.partition(entry.id) != pipeline.partition(asset.id)]
    assert other, "no link went to another partition"


@pytest.mark.parametrize("what", ["missing", "of another type", "deleted", "not even an id"])
@pytest.mark.parametrize("verb", ["create", "update"])
def test_a_link_that_does_not_lead_to_an_existing_entity_of_its_type_is_rejected(pipeline, what, verb):
    if what == "missing":
        target = fresh()
    elif what == "of another type":
        target = pipeline.entry()
    elif what == "deleted":
        target = pipeline.asset()
        pipeline.delete("assets", target)
    else:
        target = "no id: \n{}"
    if verb == "create":
        sent = pipeline.send("POST", "/entries", {"title": "t", "heroImage": target})
    else:
        sent = pipeline.send("PUT", f"/entries/{pipeline.entry()}", {"title": "t", "heroImage": target})
    outcome = pipeline.rejected(sent, "link-missing")
    assert "heroImage" in outcome["error"]["detail"], outcome
    assert len(pipeline.history("Entry", sent.id)) == (0 if verb == "create" else 1)


def test_each_link_of_a_list_must_lead_somewhere(pipeline):
    assets = [pipeline.asset() for _ in range(2)]
    pipeline.accepted(pipeline.send("POST", "/samples", {"links": assets}))
    pipeline.accepted(pipeline.send("POST", "/samples", {"links": []}))
    pipeline.rejected(pipeline.send("POST", "/samples", {"links": [assets[0], fresh(), assets[1]]}), "link-missing")


def test_while_a_missing_link_is_waited_for_other_entities_are_decided(pipeline):
    """Many bad links at once may wait together, but not one after the other."""
    import time
    began = time.monotonic()
    bad = [pipeline.send("POST", "/entries", {"title": "t", "heroImage": fresh()}) for _ in range(30)]
    for sent in bad:
        pipeline.rejected(sent, "link-missing")
    assert time.monotonic() - began < 30


# ---- deleting what is linked to ----

def test_an_entity_that_is_linked_to_cannot_be_deleted_until_the_link_is_gone(pipeline):
    asset, other = pipeline.asset(), pipeline.asset()
    entry = pipeline.entry(heroImage=asset)
    pipeline.rejected(pipeline.send("DELETE", f"/assets/{asset}"), "linked")
    assert pipeline.visible("assets", asset)["version"] == 1
    pipeline.update("entries", entry, {"title": "t", "heroImage": other})
    pipeline.settle()
    pipeline.delete("assets", asset)
    pipeline.rejected(pipeline.send("DELETE", f"/assets/{other}"), "linked")
    pipeline.delete("entries", entry)
    pipeline.settle()
    pipeline.delete("assets", other)


def test_an_entity_that_is_linked_to_by_several_can_be_deleted_only_after_the_last_link(pipeline):
    asset = pipeline.asset()
    entries = [pipeline.entry(heroImage=asset) for _ in range(3)]
    for entry in entries:
        pipeline.rejected(pipeline.send("DELETE", f"/assets/{asset}"), "linked")
        pipeline.delete("entries", entry)
    pipeline.settle()
    pipeline.delete("assets", asset)


def test_an_entity_that_is_linked_to_from_its_own_partition_cannot_be_deleted_at_once(pipeline):
    """The link is only in the validator's memory yet."""
    asset = pipeline.asset()
    entry = next(entity for entity in iter(fresh, None) if pipeline.partition(entity) == pipeline.partition(asset))
    pipeline.console.send_all([
        (command("createEntry", entry, {"title": "t", "heroImage": asset}, id=f"c-{entry}"), entry, None),
        (command("deleteAsset", asset, id=f"d-{asset}"), asset, None)])
    pipeline.accepted(f"c-{entry}")
    pipeline.rejected(f"d-{asset}", "linked")


def test_where_settings_allow_it_an_entity_that_is_linked_to_can_be_deleted(pipeline, disturbed):
    asset = pipeline.asset()
    entry = pipeline.entry(heroImage=asset)
    pipeline.settle()
    disturbed.validator.restart(ODRADEK_RULES_DELETE_LINKED="allow")
    pipeline.delete("assets", asset)
    pipeline.gone("assets", asset)
    assert pipeline.visible("entries", entry)["data"]["heroImage"] == asset
    disturbed.validator.restart()
    # An update that keeps the dead link is one with a link to nothing.
    pipeline.rejected(pipeline.send("PUT", f"/entries/{entry}", {"title": "u", "heroImage": asset}), "link-missing")
    pipeline.update("entries", entry, {"title": "u"})


# ---- who and when ----

@pytest.mark.parametrize("user", [1, -1, 9007199254740993, "me", "", "ä" * 256])
def test_whoever_sent_a_command_is_passed_on_to_the_event(pipeline, user):
    entity = fresh()
    pipeline.console.send(command("createEntry", entity, {"title": "t"}, id=f"c-{entity}", user=user), key=entity)
    pipeline.accepted(f"c-{entity}")
    assert pipeline.history("Entry", entity)[0]["meta"]["user"] == user


def test_times_of_an_entity_never_go_back(pipeline):
    entry = pipeline.entry()
    for n in range(5):
        pipeline.update("entries", entry, {"title": str(n)})
    times = [event["meta"]["time"] for event in pipeline.history("Entry", entry)]
    assert times == sorted(times)


def test_at_the_end_of_it_the_contract_holds(pipeline):
    pipeline.check()
