"""What all five services have in common: command line, settings, health, metrics, logs, memory, signals."""

import contextlib
import json
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest

from client import Http
from harness import BIN, CONSUMERS, ROOT, SERVICES, Service, environment, eventually, parse_metrics, process_memory

MIB = 1024 * 1024
IDLE_SECONDS = 60  # after which a connection that nobody uses ends by itself


def run(name, *words, within=30, **env):
    """Runs a service to its end."""
    return subprocess.run([str(BIN / name), *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=within, env=environment(**env), cwd="/")


# ---- at rest ----

def test_at_rest_each_service_has_less_than_20_mib_of_resident_memory(stack, disturbed):
    disturbed.stop_services()
    disturbed.start_services()
    for service in disturbed.services.values():
        assert process_memory(service.pid) < 20 * MIB, f"{service.label}: {process_memory(service.pid) / MIB:.1f} MiB"


def test_at_rest_no_service_keeps_a_processor_busy(stack, pipeline):
    pipeline.settle()

    def ticks(service):
        fields = open(f"/proc/{service.pid}/stat").read().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])
    before = {name: ticks(service) for name, service in stack.services.items()}
    began = time.monotonic()
    eventually(lambda: time.monotonic() - began > 2)  # the measured time itself
    for name, service in stack.services.items():
        used = (ticks(service) - before[name]) / os.sysconf("SC_CLK_TCK") / (time.monotonic() - began)
        assert used < 0.1, f"{name} uses {used:.0%} of a processor to do nothing"


# ---- the command line ----

@pytest.mark.parametrize("name", SERVICES)
def test_help_says_what_the_service_is_for_and_lists_every_option(name):
    done = run(name, "--help")
    assert done.returncode == 0 and done.stderr == ""
    assert name in done.stdout
    for option in ("--settings FILE", "--help", "--version"):
        assert option in done.stdout


@pytest.mark.parametrize("name", SERVICES)
def test_version_is_one_line_with_name_and_number(name):
    done = run(name, "--version")
    assert done.returncode == 0 and done.stderr == ""
    assert re.fullmatch(rf"{name} \d+\.\d+\.\d+\S*\n", done.stdout)


@pytest.mark.parametrize("words", [["--nothing"], ["nothing"], ["--settings"], ["--help=yes"], ["-x"]], ids=" ".join)
@pytest.mark.parametrize("name", SERVICES)
def test_a_wrong_command_line_is_one_line_and_exit_code_2(name, words):
    done = run(name, *words)
    assert done.returncode == 2
    assert done.stdout == "" and len(done.stderr.splitlines()) == 1
    assert "--help" in done.stderr


# ---- settings ----

def settings_with(stack, change):
    settings = json.loads(json.dumps(stack.settings))
    for entity_type in settings["contentTypes"]:
        entity_type["schema"] = str(stack.folder / entity_type["schema"])
    change(settings)
    return settings


def entity_type(settings, **members):
    settings["contentTypes"].append({"name": "Extra", "base": "extras", "schema": settings["contentTypes"][0]["schema"], **members})


def without(*path):
    def change(settings):
        for name in path[:-1]:
            settings = settings[name]
        del settings[path[-1]]
    return change


def with_value(value, *path):
    def change(settings):
        for name in path[:-1]:
            settings = settings[name] if name in settings or isinstance(settings, list) else settings.setdefault(name, {})
        settings[path[-1]] = value
    return change


# What is wrong → (the change, what the line must name)
BAD_SETTINGS = {
    "a port that is text": (with_value("4000", "ports", "commandApi"), ["/ports/commandApi", "integer"]),
    "a port that is none": (with_value(70000, "ports", "queryApi"), ["/ports/queryApi", "65535"]),
    "a port that is a fraction": (with_value(4000.5, "ports", "validator"), ["/ports/validator", "integer"]),
    "debug that is no boolean": (with_value("yes", "debug"), ["/debug", "boolean"]),
    "an empty host": (with_value("", "host"), ["/host"]),
    "an unknown member": (with_value(1, "colour"), ["colour"]),
    "an unknown member below": (with_value(1, "kafka", "bootstrap"), ["/kafka", "bootstrap"]),
    "no content types": (without("contentTypes"), ["contentTypes"]),
    "an empty list of content types": (with_value([], "contentTypes"), ["/contentTypes"]),
    "content types that are no list": (with_value({}, "contentTypes"), ["/contentTypes", "array"]),
    "a content type without name": (without("contentTypes", 0, "name"), ["/contentTypes/0", "name"]),
    "a content type without base": (without("contentTypes", 1, "base"), ["/contentTypes/1", "base"]),
    "a content type without schema": (without("contentTypes", 0, "schema"), ["/contentTypes/0", "schema"]),
    "a content type with something unknown": (with_value(1, "contentTypes", 0, "plural"), ["/contentTypes/0", "plural"]),
    "a name in small letters": (with_value("entry", "contentTypes", 0, "name"), ["/contentTypes/0/name"]),
    "a name twice": (lambda settings: entity_type(settings, name="Entry"), ["/contentTypes"]),
    "a base twice": (lambda settings: entity_type(settings, base="entries"), ["/contentTypes"]),
    "a base of Odradek's own": (lambda settings: entity_type(settings, base="metrics"), ["/base", "metrics"]),
    "a base with a slash": (lambda settings: entity_type(settings, base="a/b"), ["/base"]),
    "no partitions": (with_value(0, "partitions"), ["/partitions", "1"]),
    "partitions that are text": (with_value("8", "partitions"), ["/partitions", "integer"]),
    "servers that are no list": (with_value("127.0.0.1:1", "redis", "snapshots"), ["/redis/snapshots", "array"]),
    "a server without port": (with_value(["localhost"], "redis", "events"), ["/redis/events/0"]),
    "a list without servers": (with_value([], "redis", "events"), ["/redis/events"]),
    "a rule that there is not": (with_value("maybe", "rules", "deleteLinked"), ["/rules/deleteLinked"]),
    "a Kafka property that is a number": (with_value(1, "kafka", "properties", "linger.ms"), ["/kafka/properties/linger.ms", "string"]),
    "a limit below its least": (with_value(10, "limits", "bodyBytes"), ["/limits/bodyBytes", "1024"]),
}


def says_one_clear_line(done, *words):
    assert done.returncode == 3, done
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, lines
    line = json.loads(lines[0])
    assert line["level"] == "error"
    for word in words:
        assert word in line["message"], f"no {word!r} in: {line['message']}"
    return line["message"]


@pytest.mark.parametrize("what", BAD_SETTINGS)
def test_a_setting_that_is_wrong_is_one_line_with_file_path_and_expectation_and_exit_code_3(stack, tmp_path, what):
    change, words = BAD_SETTINGS[what]
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(settings_with(stack, change)))
    says_one_clear_line(run("validator", "--settings", str(path)), str(path), *words)


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_refuses_settings_that_are_wrong(stack, tmp_path, name):
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(settings_with(stack, with_value("x", "ports"))))
    says_one_clear_line(run(name, "--settings", str(path)), str(path), "/ports", "object")


@pytest.mark.parametrize("text, words", [
    ("", []), ("{", []), ("not JSON", []), ("[]", ["object"]), ('{"contentTypes":[}', ["1"]), ('{"debug":true,"debug":false}', ["debug"]), ("\xff", [])])
def test_a_settings_file_that_is_not_json_is_one_line_with_file_and_reason(tmp_path, text, words):
    path = tmp_path / "bad.json"
    path.write_bytes(text.encode("latin-1"))
    says_one_clear_line(run("command-api", "--settings", str(path)), str(path), *words)


def test_a_settings_file_that_is_not_there_is_one_line_with_its_name(tmp_path):
    says_one_clear_line(run("query-api", "--settings", str(tmp_path / "none.json")), str(tmp_path / "none.json"))
    says_one_clear_line(run("query-api", "--settings", str(tmp_path)), str(tmp_path))
    says_one_clear_line(run("query-api"), "settings.json")


@pytest.mark.parametrize("schema, words", [
    ("{", []),
    ('{"type":"strin"}', ["type"]),
    ('{"type":"object","properties":{"a":{"type":"string","pattern":"("}}}', ["/properties/a/pattern"]),
    ('{"type":"object","properties":{"a":{"$ref":"#/$defs/nothing"}}}', ["#/$defs/nothing"]),
    ('{"type":"object","required":"a"}', ["required"]),
    ('{"type":"object","properties":{"a":{"minLength":-1}}}', ["minLength"]),
    ('{"type":"object","properties":{"a":{"type":"string","x-link":"Nothing"}}}', ["/properties/a/x-link", "Nothing"]),
    ('{"type":"object","properties":{"a":{"type":"array","items":{"type":"string","x-link":"Nothing"}}}}', ["/properties/a", "Nothing"]),
])
def test_a_schema_that_is_wrong_is_one_line_with_its_file_place_and_reason(stack, tmp_path, schema, words):
    (tmp_path / "bad-schema.json").write_text(schema)
    path = tmp_path / "settings.json"
    path.write_text(json.dumps(settings_with(stack, lambda settings: entity_type(settings, schema="bad-schema.json"))))
    says_one_clear_line(run("materializer", "--settings", str(path)), "bad-schema.json", *words)


def test_a_schema_that_is_not_there_is_one_line_with_its_file(stack, tmp_path):
    path = tmp_path / "settings.json"
    path.write_text(json.dumps(settings_with(stack, lambda settings: entity_type(settings, schema="none.json"))))
    says_one_clear_line(run("persister", "--settings", str(path)), str(tmp_path / "none.json"))


@pytest.mark.parametrize("variable, value, words", [
    ("ODRADEK_PORTS_COMMAND_API", "many", ["/ports/commandApi"]),
    ("ODRADEK_PARTITIONS", "0", ["/partitions"]),
    ("ODRADEK_DEBUG", "maybe", ["/debug"]),
    ("ODRADEK_REDIS_SNAPSHOTS", "localhost", ["/redis/snapshots/0"]),
    ("ODRADEK_RULES_DELETE_LINKED", "maybe", ["/rules/deleteLinked"]),
])
def test_an_override_that_is_wrong_is_one_line_with_its_path(stack, variable, value, words):
    says_one_clear_line(run("command-api", "--settings", str(stack.settings_path), **{variable: value}), *words)


def test_a_kafka_property_that_there_is_not_is_told_by_its_name(stack):
    done = run("validator", "--settings", str(stack.settings_path), ODRADEK_PORTS_VALIDATOR=stack.free_ports.take(),
               ODRADEK_KAFKA_PROPERTIES_NO_SUCH_PROPERTY="1")
    assert done.returncode != 0
    assert "no.such.property" in done.stderr


def test_the_environment_overrides_the_file(stack, disturbed, tmp_path):
    """Ports, lists, booleans and Kafka's properties: all are wrong in the file."""
    path = tmp_path / "wrong.json"

    def change(settings):
        settings["redis"] = {"snapshots": ["127.0.0.1:1"], "events": ["127.0.0.1:1", "127.0.0.1:2"]}
        settings["kafka"] = {"bootstrapServers": "127.0.0.1:1", "properties": {"client.id": "from-file"}}
    path.write_text(json.dumps(settings_with(stack, change)))
    service = Service(stack, "query-api", 2)
    stack.replicas.append(service)
    service.start(settings=path, ODRADEK_KAFKA_BOOTSTRAP_SERVERS=stack.bootstrap, ODRADEK_DEBUG="true",
                  ODRADEK_REDIS_SNAPSHOTS=f"127.0.0.1:{stack.snapshots_port}", ODRADEK_REDIS_EVENTS=f"127.0.0.1:{stack.events_port}",
                  ODRADEK_KAFKA_PROPERTIES_CLIENT_ID="from-environment")
    service.await_ready()


def test_a_service_listens_at_the_host_that_settings_name_and_nowhere_else(stack, disturbed):
    service = disturbed.replica("query-api", ODRADEK_HOST="127.0.0.2")

    def answers():
        with socket.create_connection(("127.0.0.2", service.port), timeout=5) as connection:
            connection.sendall(b"GET /health HTTP/1.0\r\n\r\n")
            return b" 200 " in connection.recv(100)
    assert eventually(answers)
    with pytest.raises(OSError):
        service.get("/health")


def test_a_port_that_is_taken_is_one_line_with_the_port_and_a_failure(stack):
    port = stack.query_api.port
    done = run("validator", "--settings", str(stack.settings_path), ODRADEK_PORTS_VALIDATOR=port)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1 and f"127.0.0.1:{port}" in done.stderr


@pytest.mark.parametrize("name", SERVICES)
def test_another_number_of_partitions_than_the_topics_have_is_refused_and_told(stack, name):
    variable = "ODRADEK_PORTS_" + name.replace("-", "_").upper()
    done = run(name, "--settings", str(stack.settings_path), ODRADEK_PARTITIONS=5, **{variable: stack.free_ports.take()})
    assert done.returncode == 1, done
    last = [json.loads(line) for line in done.stderr.splitlines()][-1]
    assert last["level"] == "error"
    assert re.search(r"\b8 partitions", last["message"]) and "5" in last["message"] and "partitions" in last["message"]


# ---- a new type ----

def test_a_new_type_needs_only_a_schema_a_line_of_settings_and_a_restart(pipeline, disturbed):
    """It stays in the settings, since its events stay in the log."""
    assert pipeline.api.post("/tags", {"name": "t"}).status == 404
    shutil.copy(ROOT / "tests/pipeline/schemas/tag.json", disturbed.folder / "schemas")
    disturbed.settings["contentTypes"].append({"name": "Tag", "base": "tags", "schema": "schemas/tag.json"})
    disturbed.write_settings()
    disturbed.stop_services()
    disturbed.start_services()
    entry = pipeline.entry()
    sent = pipeline.send("POST", "/tags", {"name": "good", "of": [entry]})
    assert sent.type == "createTag"
    pipeline.accepted(sent)
    assert pipeline.visible("tags", sent.id)["type"] == "Tag"
    assert [event["type"] for event in pipeline.history("Tag", sent.id)] == ["tagCreated"]
    assert pipeline.api.post("/tags", {"name": "no good"}).status == 422
    pipeline.rejected(pipeline.send("POST", "/tags", {"name": "good", "of": ["nothing"]}), "link-missing")
    pipeline.rejected(pipeline.send("DELETE", f"/entries/{entry}"), "linked")
    pipeline.check()


# ---- health, readiness, metrics ----

@pytest.mark.parametrize("name", SERVICES)
def test_health_names_service_version_and_process(stack, name):
    service = stack.services[name]
    answer = service.get("/health")
    assert answer.status == 200 and answer.headers["Content-Type"] == "application/json"
    version = run(name, "--version").stdout.split()[1]
    assert answer.json == {"status": "ok", "service": name, "version": version, "pid": service.pid}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_that_does_its_work_says_that_it_is_ready(stack, name):
    answer = stack.services[name].get("/ready")
    assert answer.status == 200 and answer.json == {"ready": True}


FAMILIES = {
    "odradek_http_requests_total": "counter",
    "odradek_http_request_seconds": "histogram",
    "odradek_http_requests_pending": "gauge",
    "process_cpu_seconds_total": "counter",
    "process_resident_memory_bytes": "gauge",
}
CONSUMER_FAMILIES = {
    "odradek_consumer_lag_records": "gauge",
    "odradek_consumer_batch_records": "histogram",
    "odradek_consumer_batch_seconds": "histogram",
    "odradek_consumer_records_total": "counter",
    "odradek_consumer_retries_total": "counter",
    "odradek_consumer_partitions": "gauge",
    "odradek_dead_letters_total": "counter",
}


@pytest.mark.parametrize("name", SERVICES)
def test_metrics_are_prometheus_text_with_the_families_that_are_needed(stack, pipeline, name):
    pipeline.entry()
    service = stack.services[name]
    service.get("/nothing")
    answer = service.get("/metrics")
    assert answer.status == 200 and answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    parsed = parse_metrics(answer.body.decode())
    needed = {**FAMILIES, **(CONSUMER_FAMILIES if name in CONSUMERS else {})}
    if name == "validator":
        needed["odradek_transactions_total"] = "counter"
    assert {family: parsed["types"].get(family) for family in needed} == needed
    for family in needed:
        assert parsed["helps"].get(family), f"{family} has no help"
    check_histograms(parsed)


def check_histograms(parsed):
    for family in (family for family, kind in parsed["types"].items() if kind == "histogram"):
        rows = {}
        for (name, labels), value in parsed["samples"].items():
            if name == f"{family}_bucket":
                others = tuple(label for label in labels if label[0] != "le")
                rows.setdefault(others, []).append((float(dict(labels)["le"].replace("+Inf", "inf")), value))
        for labels, buckets in rows.items():
            counts = [count for _, count in sorted(buckets)]
            assert counts == sorted(counts), f"{family}{labels}: buckets that fall"
            assert sorted(buckets)[-1][0] == float("inf"), f"{family}{labels}: no +Inf"
            assert parsed["samples"][f"{family}_count", labels] == counts[-1]
            assert (f"{family}_sum", labels) in parsed["samples"]


def test_requests_are_counted_by_method_route_and_code(stack, pipeline):
    service = stack.command_api

    def counted(method, route, code):
        return service.metric("odradek_http_requests_total", method=method, route=route, code=code)
    before = counted("POST", "/entries", "202"), counted("POST", "/entries", "422"), counted("PUT", "/entries/{id}", "202")
    pipeline.send("POST", "/entries", {"title": "t"})
    assert pipeline.api.post("/entries", {}).status == 422
    pipeline.send("PUT", "/entries/some-id", {"title": "t"})
    after = counted("POST", "/entries", "202"), counted("POST", "/entries", "422"), counted("PUT", "/entries/{id}", "202")
    assert [b - a for a, b in zip(before, after)] == [1, 1, 1]
    assert service.metric("odradek_http_request_seconds_count", route="/entries") > 0


def test_commands_events_outcomes_and_dead_letters_are_counted_by_kind(stack, pipeline):
    services = stack.validator, stack.command_api, stack.materializer, stack.persister

    def grown(before, after, name, **labels):
        return sum(value - before.get(key, 0) for key, value in after.items()
                   if key[0] == name and set(labels.items()) <= set(key[1]))
    pipeline.settle()
    before = [service.metrics() for service in services]
    entry = pipeline.entry()
    pipeline.rejected(pipeline.send("DELETE", "/entries/never-was"), "not-found")
    pipeline.delete("entries", entry)
    partition, offset = pipeline.console.send(b"nothing")
    eventually(lambda: pipeline.ledger.read().dead.get(("commands", partition, offset)))
    pipeline.settle()
    validator, command_api, materializer, persister = zip(before, [service.metrics() for service in services])
    decided = "odradek_outcomes_total"
    assert grown(*validator, decided, type="createEntry", outcome="accepted") == 1
    assert grown(*validator, decided, type="deleteEntry", outcome="accepted") == 1
    assert grown(*validator, decided, type="deleteEntry", outcome="not-found") == 1
    assert grown(*validator, "odradek_events_total", type="entryCreated") == 1
    assert grown(*validator, "odradek_events_total", type="entryDeleted") == 1
    assert grown(*validator, "odradek_dead_letters_total") == 1
    assert grown(*validator, "odradek_consumer_records_total", topic="commands") == 4
    assert grown(*validator, "odradek_transactions_total", result="committed") >= 1
    assert grown(*command_api, "odradek_commands_accepted_total", type="createEntry") == 1
    assert grown(*command_api, "odradek_commands_accepted_total", type="deleteEntry") == 2
    assert grown(*materializer, "odradek_consumer_records_total", topic="events") == 2
    assert grown(*persister, "odradek_consumer_records_total", topic="events") == 2
    assert grown(*persister, "odradek_consumer_records_total", topic="outcomes") == 3


@contextlib.contextmanager
def frozen(pid):
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def outcomes_written(stack):
    return sum(value for (metric, _), value in stack.validator.metrics().items() if metric == "odradek_outcomes_total")


@pytest.mark.parametrize("name, topics", [("validator", {"commands"}), ("persister", {"events", "outcomes"}), ("materializer", {"events"})])
def test_lag_is_shown_for_each_partition_grows_while_a_consumer_cannot_work_and_is_gone_afterwards(pipeline, disturbed, name, topics):
    service = disturbed.services[name]

    def lags():
        return {tuple(sorted(labels)): value for (metric, labels), value in service.metrics().items()
                if metric == "odradek_consumer_lag_records"}
    pipeline.settle()
    eventually(lambda: all(value == 0 for value in lags().values()), what="no lag")
    shown = lags()
    assert {dict(labels)["topic"] for labels in shown} == topics
    for topic in topics:
        assert {dict(labels)["partition"] for labels in shown if dict(labels)["topic"] == topic} == {str(n) for n in range(disturbed.partitions)}
    def send():
        for _ in range(20):
            pipeline.send("POST", "/entries", {"title": "t"})

    # Its store is frozen: it receives what it cannot apply. The validator reads both stores, so for the others it
    # decides before.
    store = disturbed.server_pid("events" if name == "persister" else "snapshots")
    if name == "validator":
        with frozen(store):
            send()
            eventually(lambda: sum(lags().values()) > 0, what="a lag")
    else:
        with frozen(service.pid):
            before = outcomes_written(disturbed)
            send()
            eventually(lambda: outcomes_written(disturbed) == before + 20, what="all decided")
            os.kill(store, signal.SIGSTOP)
        try:
            eventually(lambda: sum(lags().values()) > 0, what="a lag")
        finally:
            os.kill(store, signal.SIGCONT)
    eventually(lambda: all(value == 0 for value in lags().values()), what="no lag")
    pipeline.check()


# ---- logs ----

def test_where_there_is_no_terminal_every_line_of_the_log_is_json(stack):
    for service in stack.services.values():
        lines = service.log().splitlines()
        assert lines
        for line in lines:
            entry = json.loads(line)
            assert {"time", "level", "service", "message"} <= entry.keys(), line
            assert entry["service"] == service.name
            assert entry["level"] in ("error", "warn", "info", "debug")
            assert re.match(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", entry["time"]), line


def test_on_a_terminal_the_log_is_for_people(stack):
    ours, its = pty.openpty()
    service = Service(stack, "query-api", 9)
    try:
        service.start(stderr=its)
        os.close(its)
        service.await_ready()
        assert service.terminate() == 0
        seen = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:
                break
            if not part:
                break
            seen += part
    finally:
        service.kill()
        os.close(ours)
    lines = seen.decode().splitlines()
    assert any("serving on" in line for line in lines)
    for line in lines:
        with pytest.raises(ValueError):
            json.loads(line)
        assert re.search(r"\d\d:\d\d:\d\d\.\d{3} ", line), line


def test_debug_lines_are_logged_only_when_settings_say_so(stack, disturbed):
    def levels(service):
        return {json.loads(line)["level"] for line in service.log().splitlines()}
    quiet, loud = disturbed.replica("materializer"), disturbed.replica("materializer", ODRADEK_DEBUG="true")
    quiet.await_ready()
    loud.await_ready()
    assert "debug" not in levels(quiet)
    assert "debug" in levels(loud)


# ---- signals ----

@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_each_service_that_is_told_to_end_exits_0(stack, disturbed, number):
    for service in disturbed.services.values():
        service.signal(number)
    for name, service in disturbed.services.items():
        assert service.wait() == 0, name


def test_a_service_that_waits_for_kafka_can_be_told_to_end(stack, disturbed):
    services = []
    for name in SERVICES:
        service = Service(disturbed, name, 8)
        service.start(ODRADEK_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1")
        disturbed.replicas.append(service)
        services.append(service)
    for service in services:
        eventually(lambda: service.get("/health").status == 200)
        assert service.get("/ready").status == 503
    for service in services:
        service.signal(signal.SIGTERM)
    assert [service.wait(20) for service in services] == len(services) * [0]


def test_an_idle_connection_does_not_keep_a_service_from_ending(stack, disturbed):
    http = Http(disturbed.query_api.port)
    assert http.get("/health").status == 200
    assert disturbed.query_api.terminate(within=IDLE_SECONDS - 10) == 0
    http.close()
