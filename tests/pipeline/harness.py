"""A stack of its own for the tests: Kafka and two Redis through control.sh, the services as children of the tests.

Everything lives in one temporary folder and on ports that nobody else has. A guardian, a process of its own, waits
for the tests' end, however it comes, and then stops Kafka and Redis and removes the folder; the services are ended by
the kernel together with the tests' process."""

import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from client import Http

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("ODRADEK_BIN", ROOT / "bin"))
CONTROL = ROOT / "control.sh"

# Name → the member of settings' "ports".
SERVICES = {
    "command-api": "commandApi",
    "query-api": "queryApi",
    "validator": "validator",
    "persister": "persister",
    "materializer": "materializer",
}
CONSUMERS = ("validator", "persister", "materializer")
SERVERS = ("kafka", "snapshots", "events")

GENEROUS = float(os.environ.get("ODRADEK_TEST_PATIENCE", 120))  # seconds that a condition may take before it counts as not met


def eventually(condition, within=GENEROUS, what=None):
    """Waits until `condition()` is true and returns what it returned. An assertion or a lost connection is "not yet"."""
    deadline = time.monotonic() + within
    pause = 0.005
    while True:
        why = None
        try:
            value = condition()
            if value:
                return value
        except (AssertionError, OSError) as not_yet:
            why = not_yet
        if time.monotonic() > deadline:
            message = f"not within {within:g} s: {what or getattr(condition, '__name__', condition)}"
            raise AssertionError(f"{message}: {why}" if why else message) from why
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


def environment(**more):
    """The tests' own environment without anything that would set Odradek's settings, and with `more`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ODRADEK_")}
    return {**kept, **{name: str(value) for name, value in more.items()}}


# ---- ports ----

class Ports:
    """A block of ports below those that the kernel gives to outgoing connections: a service that is restarted finds
    its port free, and nobody connects to itself. The block belongs to this process as long as it lives."""

    SIZE = 256

    def __init__(self):
        lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
        bases = list(range(10240, max(lowest, 20000) - self.SIZE, self.SIZE))
        random.shuffle(bases)
        for base in bases:
            self.mark = socket.socket(socket.AF_UNIX)
            try:
                self.mark.bind(f"\0odradek-tests-{base}")
            except OSError:
                self.mark.close()
                continue
            if all(self._free(base + i) for i in range(self.SIZE)):
                self.unused = list(range(base, base + self.SIZE))
                return
            self.mark.close()
        raise RuntimeError("there is no block of free ports")

    @staticmethod
    def _free(port):
        with socket.socket() as probe:
            try:
                probe.bind(("0.0.0.0", port))
                return True
            except OSError:
                return False

    def take(self):
        return self.unused.pop(0)


# ---- processes ----

def process_memory(pid):
    """Resident bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"no VmRSS of process {pid}")


class Service:
    """One replica of a service: a child process that can be started, asked, stopped and killed."""

    def __init__(self, stack, name, number=1):
        self.stack = stack
        self.name = name
        self.label = name if number == 1 else f"{name}-{number}"
        self.port = stack.ports[SERVICES[name]] if number == 1 else stack.free_ports.take()
        self.log_path = stack.folder / "logs" / f"{self.label}.log"
        self.http = Http(self.port)
        self.process = None

    @property
    def pid(self):
        return self.process.pid

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    def start(self, settings=None, stderr=None, **env):
        """Starts it and does not wait. `env`: further variables, such as ODRADEK_RULES_DELETE_LINKED="allow".
        The process that it becomes has no other between it and the tests (setpriv executes it), and ends with them."""
        assert not self.running, f"{self.label} runs already"
        variable = "ODRADEK_PORTS_" + self.name.replace("-", "_").upper()
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", str(BIN / self.name),
                 "--settings", str(settings or self.stack.settings_path)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=stderr if stderr is not None else log,
                env=environment(**{variable: self.port}, **env), cwd=self.stack.folder, start_new_session=True)
        return self

    def signal(self, number):
        self.process.send_signal(number)

    def freeze(self):
        self.signal(signal.SIGSTOP)

    def thaw(self):
        self.signal(signal.SIGCONT)

    def wait(self, within=GENEROUS):
        """Waits for its end; returns the exit code, negative for a signal."""
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.label} does not end within {within:g} s")

    def terminate(self, within=GENEROUS):
        """SIGTERM; returns the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait(within)

    def kill(self):
        if self.running:
            self.signal(signal.SIGKILL)
            self.wait()
        self.http.close()

    def restart(self, **env):
        self.kill()
        return self.start(**env).await_ready()

    def get(self, path, headers=None):
        """A GET on a connection of its own."""
        http = Http(self.port)
        try:
            return http.get(path, headers)
        finally:
            http.close()

    def is_ready(self):
        assert self.running, f"{self.label} ended with {self.process.returncode}: {self.log()[-2000:]}"
        try:
            return self.get("/ready").status == 200
        except OSError:
            return False

    def await_ready(self, within=GENEROUS):
        try:
            eventually(self.is_ready, within)
        except AssertionError as late:
            try:
                why = self.get("/ready").body
            except OSError as error:
                why = error
            raise AssertionError(f"{self.label} is not ready: {why}") from late
        return self

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def metrics(self):
        """Samples by name and labels: {("odradek_x_total", (("topic", "events"),)): 3.0}."""
        return parse_metrics(self.get("/metrics").body.decode())["samples"]

    def metric(self, name, **labels):
        """The sum of a metric's samples that have these labels; 0 when there are none."""
        wanted = set(labels.items())
        return sum(value for (found, found_labels), value in self.metrics().items()
                   if found == name and wanted <= set(found_labels))


def parse_metrics(text):
    """Prometheus' text format 0.0.4, strictly: anything that does not belong there is an AssertionError."""
    name = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
    label = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"'
    sample = re.compile(rf"^({name})(?:\{{((?:{label},?)*)\}})? ([-+0-9.eE]+|NaN|[+-]Inf)(?: -?\d+)?$")
    types, helps, samples = {}, {}, {}
    assert text.endswith("\n"), "the last line has no end"
    for line in text.splitlines():
        if line.startswith("# HELP "):
            family = line.split(" ", 3)[2]
            assert family not in helps, f"a second HELP of {family}"
            helps[family] = line.split(" ", 3)[3]
        elif line.startswith("# TYPE "):
            _, _, family, kind = line.split(" ")
            assert family not in types, f"a second TYPE of {family}"
            assert kind in ("counter", "gauge", "histogram", "summary", "untyped"), line
            types[family] = kind
        elif line and not line.startswith("#"):
            found = sample.match(line)
            assert found, f"no sample: {line!r}"
            family = re.sub(r"_(bucket|sum|count)$", "", found[1]) if found[1] not in types else found[1]
            assert family in types, f"a sample without TYPE: {line!r}"
            key = (found[1], tuple(re.findall(label, found[2] or "")))
            assert key not in samples, f"a sample twice: {line!r}"
            samples[key] = float(found[5])
    return {"types": types, "helps": helps, "samples": samples}


# ---- the stack ----

TYPES = [
    {"name": "Entry", "base": "entries", "schema": "schemas/entry.json"},
    {"name": "Asset", "base": "assets", "schema": "schemas/asset.json"},
]


class Stack:
    """Servers and services on ports and in a folder of their own."""

    def __init__(self, free_ports, types=TYPES, schemas=(), **settings):
        self.free_ports = free_ports
        self.folder = Path(tempfile.mkdtemp(prefix="odradek-test-"))
        self.state = self.folder / "state"
        (self.folder / "logs").mkdir()
        (self.folder / "schemas").mkdir()
        for schema in [ROOT / "schemas/entry.json", ROOT / "schemas/asset.json", *schemas]:
            shutil.copy(schema, self.folder / "schemas")
        self.kafka_port, self.snapshots_port, self.events_port = (free_ports.take() for _ in SERVERS)
        self.ports = {name: free_ports.take() for name in [*SERVICES.values(), "kafkaMetrics", "kafkaController", "prometheus"]}
        self.settings_path = self.folder / "settings.json"
        self.settings = {
            "host": "127.0.0.1",
            "ports": self.ports,
            "contentTypes": list(types),
            "kafka": {"bootstrapServers": f"127.0.0.1:{self.kafka_port}"},
            "redis": {"snapshots": [f"127.0.0.1:{self.snapshots_port}"], "events": [f"127.0.0.1:{self.events_port}"]},
            **settings,
        }
        self.write_settings()
        self.services = {name: Service(self, name) for name in SERVICES}
        self.replicas = []
        self.broken = None  # why no test can use it any more
        self.guardian = self._guard()

    @property
    def partitions(self):
        return self.settings.get("partitions", 8)

    @property
    def bootstrap(self):
        return f"127.0.0.1:{self.kafka_port}"

    def write_settings(self):
        self.settings_path.write_text(json.dumps(self.settings, indent=2))

    def __getattr__(self, name):
        """stack.command_api is stack.services["command-api"]."""
        service = self.__dict__.get("services", {}).get(name.replace("_", "-"))
        if service is None:
            raise AttributeError(name)
        return service

    def _environment(self):
        return environment(ODRADEK_STATE_DIR=self.state, ODRADEK_SETTINGS=self.settings_path, ODRADEK_BIN_DIR=BIN,
                           KAFKA_HEAP_OPTS="-Xms192m -Xmx384m")

    def _guard(self):
        """Its input ends when this process does: then it stops what control.sh started, and removes the folder."""
        script = 'cat >/dev/null; "$1" clean --yes --no-install >/dev/null 2>&1; rm -rf -- "$2"'
        return subprocess.Popen(["bash", "-c", script, "odradek-test-guardian", str(CONTROL), str(self.folder)],
                                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                env=self._environment(), start_new_session=True)

    def control(self, *words, check=True, stdin=None, within=180):
        """Runs control.sh on this stack and returns its output."""
        done = subprocess.run([str(CONTROL), *words], env=self._environment(), input=stdin, timeout=within,
                              stdin=subprocess.DEVNULL if stdin is None else None,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if check:
            assert done.returncode == 0, f"control.sh {' '.join(words)}: {done.returncode}\n{(done.stdout + done.stderr).decode()}"
        return done.stdout.decode()

    def start_servers(self, *names):
        self.control("start", *(names or SERVERS))

    def stop_server(self, name):
        self.control("stop", name)

    def server_pid(self, name):
        return int((self.state / "run" / f"{name}.pid").read_text().split()[0])

    def kill_server(self, name):
        """SIGKILL, as when the machine had no memory left."""
        pid = self.server_pid(name)
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: not Path(f"/proc/{pid}").exists() or
                   Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z", what=f"end of {name}")

    def start_services(self, *names, **env):
        started = [self.services[name].start(**env) for name in names or SERVICES]
        for service in started:
            service.await_ready()
        return self

    def stop_services(self, *names):
        """SIGTERM to all at once; returns the exit codes."""
        chosen = [self.services[name] for name in names or SERVICES]
        for service in chosen:
            service.signal(signal.SIGTERM)
        return {service.label: service.wait() for service in chosen}

    def replica(self, name, **env):
        """One more of a service, started; not in `services`."""
        service = Service(self, name, 2 + sum(replica.name == name for replica in self.replicas))
        self.replicas.append(service)
        return service.start(**env)

    def end_replicas(self):
        for service in self.replicas:
            if service.running:
                service.thaw()
                service.kill()

    def all_services(self):
        return [*self.services.values(), *self.replicas]

    def restore(self, anew=False):
        """Whatever a test left stopped, frozen or changed runs again as it should. `anew`: after a failure, so that
        the tests that follow have a chance: all services are started again."""
        for name in SERVERS:
            if not self.server_runs(name):
                self.start_servers(name)
        self.end_replicas()
        for service in self.services.values():
            if anew:
                service.kill()
            if service.running:
                service.thaw()
            else:
                service.start()
        for service in self.services.values():
            service.await_ready()

    def server_runs(self, name):
        try:
            return Path(f"/proc/{self.server_pid(name)}/cmdline").read_bytes() != b""
        except (OSError, ValueError):
            return False

    def close(self):
        for service in self.all_services():
            service.kill()
        self.guardian.stdin.close()
        self.guardian.wait()

    # -- what is looked at when a test fails --

    def log_sizes(self):
        return {path: path.stat().st_size for path in self._logs()}

    def log_tails(self, since, lines=25):
        """(name, text) for each log that grew since."""
        for path in self._logs():
            with open(path, "rb") as log:
                log.seek(since.get(path, 0))
                text = log.read().decode(errors="replace").splitlines()
            if text:
                yield path.stem, "\n".join(text[-lines:])

    def _logs(self):
        return sorted([*(self.folder / "logs").glob("*.log"), *(self.state / "logs").glob("*.log")])
