"""Clients that send commands all the time, and know what must come of them."""

import random
import threading
import time

from client import Http
from harness import eventually
from ledger import dump, snapshot_from


class Worker(threading.Thread):
    """One client: creates, updates and deletes entities of its own, each command after the one before was
    acknowledged. What it does not know the fate of it sends again, so that the last word on an entity is always an
    acknowledged one."""

    PAUSE = 0.003  # between commands: it is the faults that are tested, not the speed

    def __init__(self, load, number):
        super().__init__(daemon=True)
        self.load = load
        self.random = random.Random(number)
        self.http = Http(load.pipeline.stack.command_api.port, timeout=60)
        self.number = number
        self.count = 0
        self.expected = {}  # entity id → data, None once deleted
        self.acknowledged = []
        self.refused = 0    # answers that asked to come again, and lost connections

    def run(self):
        try:
            while not self.load.ended.is_set():
                self.step()
                time.sleep(self.PAUSE)
        except BaseException as error:
            self.load.errors.append(error)
            raise
        finally:
            self.http.close()

    def step(self):
        living = [entity for entity, data in self.expected.items() if data is not None]
        dice = self.random.random()
        data = {"title": f"{self.number}/{self.count}", "description": "x" * self.random.randrange(200)}
        self.count += 1
        if not living or dice < 0.3:
            answer = self.until_acknowledged("POST", "/entries", data)
            self.expected[answer["id"]] = data
        elif dice < 0.92:
            entity = self.random.choice(living[-20:])
            self.until_acknowledged("PUT", f"/entries/{entity}", data)
            self.expected[entity] = data
        else:
            entity = self.random.choice(living[-20:])
            self.until_acknowledged("DELETE", f"/entries/{entity}")
            self.expected[entity] = None

    def until_acknowledged(self, method, path, body=None):
        while True:
            try:
                answer = self.http.request(method, path, body)
            except OSError:
                answer = None
            if answer is not None and answer.status == 202:
                made = answer.json
                self.acknowledged.append((made["commandId"], (made["type"], made["id"])))
                return made
            assert answer is None or answer.status in (429, 503, 504), answer
            self.refused += 1
            if self.load.abandoned.wait(0.02):
                raise AssertionError(f"{method} {path} is not acknowledged: {answer}")


class Load:
    """`with Load(pipeline) as load: …`: clients are at work within the block; after it all is checked that they know."""

    def __init__(self, pipeline, workers=6):
        self.pipeline = pipeline
        self.ended = threading.Event()
        self.abandoned = threading.Event()
        self.errors = []
        self.workers = [Worker(self, number) for number in range(workers)]

    @property
    def count(self):
        """Commands acknowledged until now."""
        return sum(len(worker.acknowledged) for worker in self.workers)

    @property
    def refused(self):
        return sum(worker.refused for worker in self.workers)

    def await_more(self, commands):
        """Waits until so many more were acknowledged."""
        wanted = self.count + commands

        def enough():
            if self.errors:
                raise RuntimeError("a client failed") from self.errors[0]
            assert self.count >= wanted, f"{self.count} commands of {wanted} acknowledged"
            return True
        eventually(enough, what=f"{commands} more commands acknowledged")
        return self

    def __enter__(self):
        for worker in self.workers:
            worker.start()
        return self

    def __exit__(self, kind, error, trace):
        self.ended.set()
        if kind:
            self.abandoned.set()
        for worker in self.workers:
            worker.join(90)
        self.abandoned.set()
        for worker in self.workers:
            self.pipeline.acknowledged.update(worker.acknowledged)
        if kind is None:
            assert not any(worker.is_alive() for worker in self.workers), "a client waits for its answer"
            if self.errors:
                raise RuntimeError("a client failed") from self.errors[0]

    def check(self):
        """The contract for everything, and every entity as its client left it."""
        self.pipeline.check()
        store = dump(self.pipeline.snapshots)
        for worker in self.workers:
            for entity, data in worker.expected.items():
                found = snapshot_from(store.get(f"{{{self.pipeline.partition(entity)}}}:Entry:{entity}"))
                assert found is not None, f"entity {entity} is lost"
                assert found.get("data") == data, f"entity {entity} is {found}, its client left it as {data}"
