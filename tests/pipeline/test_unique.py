"""No two entities share a unique value, whoever sets it, where, and whatever happens meanwhile."""

import json
import random
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from client import Http
from harness import eventually
from test_replicas import shared

MERGE = {"Content-Type": "application/merge-patch+json"}
PATCH = {"Content-Type": "application/json-patch+json"}


def fresh(name="mail"):
    """A value that no other test uses."""
    return f"{name}-{uuid.uuid4()}"


def fresh_number():
    return uuid.uuid4().int >> 80


def account(pipeline, **data):
    return pipeline.create("accounts", {"mail": fresh(), **data})


def patch(pipeline, entity, operations):
    return pipeline.send("PATCH", f"/accounts/{entity}", operations, PATCH)


def outcomes(pipeline, commands):
    """(accepted, rejected) outcomes of commands."""
    found = [pipeline.outcome(command) for command in commands]
    rejected = [outcome for outcome in found if outcome["status"] == "rejected"]
    assert all(outcome["error"]["type"] == "not-unique" for outcome in rejected), rejected
    return [outcome for outcome in found if outcome["status"] == "accepted"], rejected


# ---- the rule ----

def test_a_second_create_with_the_same_value_is_rejected_and_names_the_member(pipeline):
    mail = fresh()
    account(pipeline, mail=mail)
    outcome = pipeline.rejected(pipeline.send("POST", "/accounts", {"mail": mail}), "not-unique")
    assert "mail" in outcome["error"]["detail"], outcome
    pipeline.settle()  # the same once the store has it
    pipeline.rejected(pipeline.send("POST", "/accounts", {"mail": mail}), "not-unique")
    answer = pipeline.api.post("/accounts", {"mail": mail}, {"Prefer": "wait=20"})
    assert answer.status == 409, answer
    assert answer.headers["Content-Type"] == "application/problem+json" and answer.json["type"].endswith("not-unique")
    pipeline.check()


def test_each_unique_member_counts_by_itself_and_null_or_nothing_does_not(pipeline):
    number = fresh_number()
    first = account(pipeline, number=number, name="same")
    account(pipeline, number=number + 1, name="same")
    for _ in range(2):
        account(pipeline, number=None)
        account(pipeline)
    outcome = pipeline.rejected(pipeline.send("POST", "/accounts", {"mail": fresh(), "number": number}), "not-unique")
    assert "number" in outcome["error"]["detail"], outcome
    pipeline.rejected(pipeline.send("POST", "/accounts", f'{{"mail":"{fresh()}","number":{number}.0}}'), "not-unique")
    assert pipeline.visible("accounts", first)["data"]["number"] == number


@pytest.mark.parametrize("settled", [False, True], ids=["at once", "from the store"])
def test_updates_and_patches_to_a_taken_value_are_rejected(pipeline, settled):
    mail = fresh()
    account(pipeline, mail=mail)
    other = account(pipeline, name="a")
    if settled:
        pipeline.settle()
    path = f"/accounts/{other}"
    commands = [pipeline.send("PUT", path, {"mail": mail}),
                pipeline.send("PATCH", path, {"mail": mail}, MERGE),
                patch(pipeline, other, [{"op": "replace", "path": "/mail", "value": mail}]),
                patch(pipeline, other, [{"op": "replace", "path": "", "value": {"mail": mail}}]),
                patch(pipeline, other, [{"op": "replace", "path": "/name", "value": mail},
                                        {"op": "move", "from": "/name", "path": "/mail"}])]
    for command in commands:
        pipeline.rejected(command, "not-unique")


@pytest.mark.parametrize("settled", [False, True], ids=["at once", "from the store"])
def test_an_entity_may_keep_its_own_value(pipeline, settled):
    mail = fresh()
    entity = account(pipeline, mail=mail, name="a")
    path = f"/accounts/{entity}"
    for method, body, headers in [("PUT", {"mail": mail, "name": "b"}, None), ("PATCH", {"name": "c"}, MERGE),
                                  ("PATCH", {"mail": mail}, MERGE),
                                  ("PATCH", [{"op": "replace", "path": "/name", "value": "d"}], PATCH),
                                  ("PATCH", [{"op": "replace", "path": "/mail", "value": mail}], PATCH)]:
        if settled:
            pipeline.settle()
        pipeline.accepted(pipeline.send(method, path, body, headers))


@pytest.mark.parametrize("settled", [False, True], ids=["at once", "from the store"])
def test_a_value_is_free_again_after_its_entity_changed_or_went(pipeline, settled):
    mail, number = fresh(), fresh_number()
    first = account(pipeline, mail=mail, number=number)
    pipeline.update("accounts", first, {"mail": fresh(), "number": number})
    if settled:
        pipeline.settle()
    second = account(pipeline, mail=mail)
    pipeline.accepted(pipeline.send("PATCH", f"/accounts/{first}", {"number": None}, MERGE))
    pipeline.update("accounts", second, {"mail": mail, "number": number})
    pipeline.delete("accounts", second)
    if settled:
        pipeline.settle()
    pipeline.update("accounts", first, {"mail": mail, "number": number})
    again = pipeline.send("PUT", f"/accounts/{second}", {"mail": fresh()}, {"If-None-Match": "*"})
    pipeline.accepted(again)
    pipeline.check()


def test_of_many_in_one_batch_with_the_same_value_one_is_accepted(pipeline):
    mails = [fresh() for _ in range(5)]
    records, ids = [], []
    for i in range(100):
        entity = f"many-{uuid.uuid4()}"
        ids.append(entity)
        records.append(({"type": "createAccount", "params": {"id": entity}, "meta": {"id": f"c-{entity}"},
                         "body": {"mail": mails[i % 5]}}, entity, None))
    pipeline.console.send_all(records)
    accepted, rejected = outcomes(pipeline, [f"c-{entity}" for entity in ids])
    assert (len(accepted), len(rejected)) == (5, 95)
    pipeline.check()


def test_a_value_may_go_from_one_to_the_next_within_a_batch(pipeline):
    mail = fresh()
    first = account(pipeline, mail=mail)
    partition = pipeline.partition(first)
    second = next(name for name in (f"next-{uuid.uuid4()}" for _ in range(1000)) if pipeline.partition(name) == partition)
    pipeline.console.send_all([
        ({"type": "updateAccount", "params": {"id": first}, "body": {"mail": fresh()}, "meta": {"id": f"1-{second}"}}, first, None),
        ({"type": "createAccount", "params": {"id": second}, "body": {"mail": mail}, "meta": {"id": f"2-{second}"}}, second, None),
        ({"type": "updateAccount", "params": {"id": first}, "body": {"mail": mail}, "meta": {"id": f"3-{second}"}}, first, None)])
    pipeline.accepted(f"1-{second}")
    pipeline.accepted(f"2-{second}")
    pipeline.rejected(f"3-{second}", "not-unique")


def test_a_repeat_of_an_accepted_command_is_left_out(pipeline):
    entity = f"repeat-{uuid.uuid4()}"
    record = {"type": "createAccount", "params": {"id": entity}, "body": {"mail": fresh()}, "meta": {"id": f"c-{entity}"}}
    for _ in range(3):
        pipeline.console.send(record, key=entity)
    pipeline.accepted(f"c-{entity}")
    pipeline.check()


# ---- several replicas ----

def replicas(stack, count):
    """So many validators that share the partitions."""
    all_of_them = [stack.validator, *(stack.replica("validator") for _ in range(count - 1))]
    shared(all_of_them, stack.partitions)
    return all_of_them


class Race:
    """Clients that take values of a small set and let them go again all the time, and know nothing of each other."""

    VALUES = 5

    def __init__(self, pipeline, ports, clients=8):
        self.pipeline = pipeline
        self.values = [fresh() for _ in range(self.VALUES)]
        self.ended = threading.Event()
        self.acknowledged, self.held, self.errors = [], [], []
        self.threads = [threading.Thread(target=self.run, args=(number, ports[number % len(ports)]), daemon=True)
                        for number in range(clients)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *failed):
        self.ended.set()
        for thread in self.threads:
            thread.join(120)
        assert failed[0] or not self.errors, self.errors

    def run(self, number, port):
        http = Http(port, timeout=60)
        dice = random.Random(number)
        try:
            while not self.ended.is_set():
                mail = dice.choice(self.values)
                entity, done = self.send(http, "POST", "/accounts", {"mail": mail})
                if entity:
                    self.hold(mail if done else None)
                    if dice.random() < 0.5:
                        mail = dice.choice(self.values)
                        _, done = self.send(http, "PATCH", f"/accounts/{entity}", {"mail": mail}, MERGE)
                        self.hold(mail if done else None)
                    self.send(http, "DELETE", f"/accounts/{entity}")
                time.sleep(0.01)
        except BaseException as error:
            self.errors.append(error)
            raise
        finally:
            http.close()

    def hold(self, mail):
        """Between the answer and the next command an entity has its value for certain."""
        if mail:
            began = time.monotonic()
            time.sleep(random.random() * 0.02)
            self.held.append((mail, began, time.monotonic()))

    def send(self, http, method, path, body=None, headers=None):
        """(the entity's id unless the command was rejected, whether it is known to be accepted)"""
        answer = http.request(method, path, body, {**(headers or {}), "Prefer": "wait=5"})
        assert answer.status in (200, 201, 202, 404, 409), answer
        self.acknowledged.append((answer.json["commandId"], method, answer.json["id"]))
        return answer.json["id"] if answer.status in (201, 202) else None, answer.status in (200, 201)

    def await_more(self, count):
        """Waits until so many more commands are decided."""
        self.pipeline.ledger.read()
        before = len(self.pipeline.ledger.outcomes)
        eventually(lambda: len(self.pipeline.ledger.read().outcomes) >= before + count, what=f"{count} more outcomes")

    def check(self):
        """Everything has an outcome, and the log has no two with the same value."""
        verbs = {"POST": "createAccount", "PATCH": "updateAccount", "DELETE": "deleteAccount"}
        for command_id, method, entity in self.acknowledged:
            self.pipeline.acknowledged[command_id] = (verbs[method], entity)
        self.pipeline.check()
        for value in self.values:
            held = sorted((began, ended) for mail, began, ended in self.held if mail == value)
            for (_, ended), (began, _) in zip(held, held[1:]):
                assert ended <= began, f"two had {value} at the same time: {held}"
        creates = [self.pipeline.ledger.outcomes[command_id][0].json
                   for command_id, method, _ in self.acknowledged if method == "POST"]
        assert {outcome["status"] for outcome in creates} == {"accepted", "rejected"}, "nothing collided, or all did"
        assert all(outcome["error"]["type"] == "not-unique" for outcome in creates if outcome["status"] == "rejected")


def test_of_many_concurrent_creates_through_two_apis_and_three_validators_exactly_one_is_accepted(pipeline, disturbed):
    second = disturbed.replica("command-api").await_ready()
    validators = replicas(disturbed, 3)
    ports = [disturbed.command_api.port, second.port]

    def create(number, mail):
        http = Http(ports[number % 2])
        try:
            return pipeline.note(http.post("/accounts", {"mail": mail}))
        finally:
            http.close()

    with ThreadPoolExecutor(16) as pool:
        for _ in range(12):
            mail = fresh()
            commands = list(pool.map(create, range(16), [mail] * 16))
            accepted, rejected = outcomes(pipeline, commands)
            assert (len(accepted), len(rejected)) == (1, 15)
            assert all("mail" in outcome["error"]["detail"] for outcome in rejected)
    assert sum(validator.metric("odradek_unique_waits_total") for validator in validators) > 0, "nobody had to wait"
    pipeline.check()


def test_a_value_that_was_let_go_in_another_replicas_partition_can_be_had_at_once(pipeline, disturbed):
    replicas(disturbed, 2)
    for _ in range(10):
        mail = fresh()
        first = account(pipeline, mail=mail)
        pipeline.rejected(pipeline.send("POST", "/accounts", {"mail": mail}), "not-unique")
        pipeline.update("accounts", first, {"mail": fresh()})
        second = account(pipeline, mail=mail)
        pipeline.delete("accounts", second)
        account(pipeline, mail=mail)
    pipeline.check()


def test_commands_that_each_want_what_the_other_has_all_end(pipeline, disturbed):
    """Several values for each, in opposite orders, in partitions of different replicas."""
    replicas(disturbed, 3)
    records, ids = [], []
    for _ in range(10):
        mails, numbers = [fresh() for _ in range(4)], [fresh_number() + i for i in range(4)]
        for turn in range(8):
            entity = f"cross-{uuid.uuid4()}"
            ids.append(entity)
            records.append(({"type": "createAccount", "params": {"id": entity}, "meta": {"id": f"c-{entity}"},
                             "body": {"mail": mails[turn % 4], "number": numbers[(turn + turn // 4) % 4]}}, entity, None))
    pipeline.console.send_all(records)
    outcomes(pipeline, [f"c-{entity}" for entity in ids])
    pipeline.check()


# ---- faults ----

def test_values_stay_unique_while_validators_are_killed_and_partitions_move(pipeline, disturbed):
    first, second, third = replicas(disturbed, 3)
    with Race(pipeline, [disturbed.command_api.port]) as race:
        race.await_more(60)
        second.kill()
        race.await_more(40)
        second.start().await_ready()
        race.await_more(40)
        third.kill()
        race.await_more(40)
        shared([first, second], disturbed.partitions)
        race.await_more(40)
        first.restart()
        race.await_more(40)
    race.check()


def test_values_stay_unique_while_the_snapshot_store_is_flushed(pipeline, disturbed):
    replicas(disturbed, 2)
    with Race(pipeline, [disturbed.command_api.port]) as race:
        for _ in range(4):
            race.await_more(40)
            pipeline.snapshots.flushall()
        race.await_more(40)
    race.check()


def test_values_stay_unique_while_a_validator_is_frozen_for_longer_than_its_session(pipeline, disturbed):
    first, second = replicas(disturbed, 2)
    with Race(pipeline, [disturbed.command_api.port]) as race:
        race.await_more(60)
        first.freeze()
        shared([second], disturbed.partitions)
        race.await_more(40)
        first.thaw()
        race.await_more(60)
    race.check()


@pytest.fixture
def name_becomes_unique(disturbed):
    """Changes the schema of accounts on the disk; afterwards it is as it was."""
    path = disturbed.folder / "schemas/account.json"
    before = path.read_text()

    def change():
        schema = json.loads(before)
        schema["properties"]["name"]["x-unique"] = True
        path.write_text(json.dumps(schema))
    yield change
    path.write_text(before)
    for name in ("validator", "materializer"):
        disturbed.services[name].restart()


def test_a_member_that_becomes_unique_later_is_so_for_what_was_there_before(pipeline, disturbed, name_becomes_unique):
    name = fresh("name")
    account(pipeline, name=name)
    pipeline.settle()
    disturbed.validator.kill()
    name_becomes_unique()
    disturbed.validator.start().await_ready()
    command = pipeline.send("POST", "/accounts", {"mail": fresh(), "name": name})
    eventually(lambda: disturbed.validator.metric("odradek_consumer_retries_total") > 0, what="a validator that waits for the materializer")
    disturbed.materializer.restart()
    outcome = pipeline.rejected(command, "not-unique")
    assert "name" in outcome["error"]["detail"], outcome


def test_while_the_materializer_is_down_nothing_is_guessed(pipeline, disturbed):
    replicas(disturbed, 2)
    mail = fresh()
    account(pipeline, mail=mail)
    disturbed.materializer.kill()
    commands = [pipeline.send("POST", "/accounts", {"mail": mail}) for _ in range(6)]
    value = fresh()
    rivals = [pipeline.send("POST", "/accounts", {"mail": value}) for _ in range(6)]
    disturbed.materializer.start().await_ready()
    accepted, _ = outcomes(pipeline, commands)
    assert not accepted
    accepted, _ = outcomes(pipeline, rivals)
    assert len(accepted) == 1
    pipeline.check()
