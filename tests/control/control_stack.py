"""A stack of its own for a test: free ports, a state folder of its own, run by control.sh as a user would."""

import json
import os
import random
import socket
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONTROL = ROOT / "control.sh"
SERVERS = ("kafka", "snapshots", "events", "prometheus")
SERVICES = ("materializer", "persister", "validator", "query-api", "command-api")

# The services' replicas listen 100 and 200 above the first.
REPLICA_PORTS = (0, 100, 200)


def _is_free(port):
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_ports(count, taken=()):
    """Ports below those that the kernel gives to outgoing connections, free with those of their replicas."""
    found = []
    while len(found) < count:
        port = random.randrange(10000, 30000)
        wanted = {port + step for step in REPLICA_PORTS}
        used = {other + step for other in (*found, *taken) for step in REPLICA_PORTS}
        if not wanted & used and all(_is_free(candidate) for candidate in wanted):
            found.append(port)
    return found


class Stack:
    def __init__(self, folder):
        self.folder = Path(folder)
        names = ("kafka", "controller", "metrics", "snapshots", "events", "prometheus", *SERVICES)
        self.ports = dict(zip(names, free_ports(len(names))))
        self.environment = {
            **os.environ,
            "ODRADEK_STATE_DIR": str(self.folder),
            "ODRADEK_KAFKA_BOOTSTRAP_SERVERS": self.address("kafka"),
            "ODRADEK_PORTS_KAFKA_CONTROLLER": str(self.ports["controller"]),
            "ODRADEK_PORTS_KAFKA_METRICS": str(self.ports["metrics"]),
            "ODRADEK_PORTS_PROMETHEUS": str(self.ports["prometheus"]),
            "ODRADEK_REDIS_SNAPSHOTS": self.address("snapshots"),
            "ODRADEK_REDIS_EVENTS": self.address("events"),
            "ODRADEK_PORTS_MATERIALIZER": str(self.ports["materializer"]),
            "ODRADEK_PORTS_PERSISTER": str(self.ports["persister"]),
            "ODRADEK_PORTS_VALIDATOR": str(self.ports["validator"]),
            "ODRADEK_PORTS_QUERY_API": str(self.ports["query-api"]),
            "ODRADEK_PORTS_COMMAND_API": str(self.ports["command-api"]),
        }

    def address(self, name):
        return f"127.0.0.1:{self.ports[name]}"

    def control(self, *arguments, stdin="", environment=None, timeout=180, fails=False):
        """Runs control.sh and gives what it said; a failure that was not expected fails the test."""
        done = subprocess.run(
            [str(CONTROL), *arguments], input=stdin, text=True, capture_output=True, timeout=timeout,
            env={**self.environment, **(environment or {})}, cwd=ROOT,
        )
        if fails is not None:
            assert (done.returncode != 0) == fails, f"status {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def status(self, **options):
        """The instances by name."""
        answer = self.control("status", "--json", fails=None, **options)
        return {row["name"]: row for row in json.loads(answer.stdout)}

    def pids(self):
        return {name: row["pid"] for name, row in self.status().items()}
