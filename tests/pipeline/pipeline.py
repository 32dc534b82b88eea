"""The whole pipeline as the tests use it: commands in, and what became of them out."""

import redis

from client import Console, Http, partition_of
from harness import eventually
from ledger import Ledger, check_history, check_snapshots, check_topics, dump


class Acknowledged:
    """A command that was answered with 202."""

    def __init__(self, answer):
        self.answer = answer
        self.command_id = answer.json["commandId"]
        self.id = answer.json["id"]
        self.type = answer.json["type"]


class Pipeline:
    def __init__(self, stack):
        self.stack = stack
        self.api = Http(stack.command_api.port)
        self.query = Http(stack.query_api.port)
        self.snapshots = redis.Redis(port=stack.snapshots_port)
        self.events = redis.Redis(port=stack.events_port)
        self.console = Console(stack)
        self.ledger = Ledger(stack)
        self.acknowledged = {}  # command id → (type, entity id)
        self.told = set()       # violations that a test was failed for already

    def close(self):
        self.ledger.close()

    def partition(self, entity_id):
        return partition_of(entity_id, self.stack.partitions)

    # -- commands --

    def note(self, answer):
        assert answer.status == 202, answer
        done = Acknowledged(answer)
        self.acknowledged[done.command_id] = (done.type, done.id)
        return done

    def send(self, method, path, body=None, headers=None):
        """A command that must be acknowledged."""
        return self.note(self.api.request(method, path, body, headers))

    def outcome(self, command):
        """What became of it; waits. `command`: Acknowledged or a command's id."""
        return self.ledger.outcome(getattr(command, "command_id", command)).json

    def accepted(self, command):
        outcome = self.outcome(command)
        assert outcome["status"] == "accepted", outcome
        return outcome

    def rejected(self, command, error_type=None):
        outcome = self.outcome(command)
        assert outcome["status"] == "rejected", outcome
        if error_type:
            assert outcome["error"]["type"] == error_type, outcome
        return outcome

    def create(self, base, data):
        """A new entity, accepted; returns its id."""
        command = self.send("POST", f"/{base}", data)
        self.accepted(command)
        return command.id

    def update(self, base, entity_id, data):
        return self.accepted(self.send("PUT", f"/{base}/{entity_id}", data))

    def delete(self, base, entity_id):
        return self.accepted(self.send("DELETE", f"/{base}/{entity_id}"))

    def asset(self, **data):
        return self.create("assets", {"title": "An asset", "src": "/a.png", "width": 1, **data})

    def entry(self, **data):
        return self.create("entries", {"title": "An entry", **data})

    # -- what came of it --

    def history(self, entity_type, entity_id):
        """The events of an entity in the log, as far as they are there now."""
        return [record.json for record in self.ledger.read().events.get((entity_type, entity_id), [])]

    def visible(self, base, entity_id, version=1):
        """Waits until query-api shows an entity at a version or later; returns the answer's JSON."""
        def shown():
            answer = self.query.get(f"/{base}/{entity_id}")
            return answer.status == 200 and answer.json["version"] >= version and answer.json
        return eventually(shown, what=f"{base}/{entity_id} at version {version}")

    def gone(self, base, entity_id):
        """Waits until query-api says that an entity was deleted."""
        return eventually(lambda: (answer := self.query.get(f"/{base}/{entity_id}")).status == 410 and answer,
                          what=f"{base}/{entity_id} gone")

    # -- rest --

    def settle(self):
        """Waits until all that was sent is decided and applied by both stores."""
        self.ledger.read_to_end()

        def decided():
            dead = self.ledger.dead
            written = (command for command, records in self.ledger.commands.items()
                       if not any(record.place in dead for record in records))
            open_ = [command for command in [*self.acknowledged, *written] if command not in self.ledger.outcomes]
            if open_:
                self.ledger.read()
            assert not open_, f"{len(open_)} commands have no outcome, one is {open_[0]}"
            return True
        eventually(decided, what="an outcome for every command")
        self.ledger.read_to_end()
        eventually(lambda: self._applied(self.snapshots, "events", "{%d}:offset"), what="snapshots of all events")
        eventually(lambda: self._applied(self.events, "events", "{%d}:offset"), what="histories of all events")
        eventually(lambda: self._applied(self.events, "outcomes", "{%d}:outcomes:offset"), what="all outcomes kept")
        return self

    def _applied(self, store, topic, pattern):
        partitions = range(self.stack.partitions)
        try:
            offsets = store.mget([pattern % partition for partition in partitions])
        except redis.RedisError as error:
            raise AssertionError(f"Redis: {error}") from error
        behind = {partition: (int(offset or 0), self.ledger.next_offset(topic, partition))
                  for partition, offset in zip(partitions, offsets)
                  if int(offset or 0) < self.ledger.next_offset(topic, partition)}
        assert not behind, f"{topic} by partition, (applied, there): {behind}"
        return True

    def violations(self):
        yield from check_topics(self.ledger, self.acknowledged)
        yield from check_history(self.ledger, dump(self.events))
        yield from check_snapshots(self.ledger, dump(self.snapshots))

    def check(self):
        """Settles, then holds everything that ever went through against the contract. What was found wrong once does
        not fail the tests that follow."""
        self.settle()
        wrong = [violation for violation in self.violations() if violation not in self.told]
        self.told.update(wrong)
        wrong = wrong[:10]
        assert not wrong, "the contract is broken:\n  " + "\n  ".join(text[:1500] for text in wrong)
