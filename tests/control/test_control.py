"""control.sh as a user meets it: starting, stopping, status, replicas, and the errors that are to be clear."""

import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

from control_stack import ROOT, SERVERS, SERVICES, Stack, free_ports

EVERYTHING = (*SERVERS, *SERVICES)


def get(url):
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.read().decode()


def eventually(condition, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError("it did not come to that")


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def happened(output, what):
    """The names of 'service "name" what', in the order in which they were said."""
    return re.findall(rf'^  service "(\S+)" {what}$', output, re.MULTILINE)


# --- starting and stopping ------------------------------------------------------------------------------


def test_start_tells_of_each_service_and_ends_with_a_first_curl(stack):
    said = stack.first_start.stdout
    assert set(happened(said, "started")) == set(EVERYTHING)
    assert f"curl -i -H 'Content-Type: application/json' -d '{{\"title\":\"My Entry\"}}' http://{stack.address('command-api')}/entries" in said
    assert stack.first_start.stderr == ""


def test_start_brings_services_up_after_the_servers_they_need(stack):
    order = happened(stack.first_start.stdout, "started")
    assert set(order[:len(SERVERS)]) == set(SERVERS)


def test_a_second_start_touches_nothing_that_runs(stack):
    before = stack.pids()
    said = stack.control("start").stdout
    assert stack.pids() == before
    assert happened(said, "started") == []
    assert "nothing to start" in said


def test_a_stop_goes_from_the_front_to_the_log_and_a_start_brings_all_data_back(stack):
    stack.control("kafka", "topics", "--create", "--topic", "kept")
    stack.control("kafka", "console-producer", "--topic", "kept", stdin="one\ntwo\n")
    redis = ["redis-cli", "-p", str(stack.ports["snapshots"])]
    subprocess.run([*redis, "set", "kept", "here"], check=True, capture_output=True)
    said = stack.control("stop").stdout
    assert happened(said, "stopped") == [
        "command-api", "query-api", "validator", "persister", "materializer", "prometheus", "events", "snapshots", "kafka"]
    assert all(row["state"] == "stopped" for row in stack.status().values())
    stack.control("start")
    kept = stack.control("kafka", "console-consumer", "--topic", "kept", "--from-beginning", "--max-messages", "2")
    assert kept.stdout == "one\ntwo\n"
    assert subprocess.run([*redis, "get", "kept"], check=True, capture_output=True, text=True).stdout == "here\n"


def test_one_service_is_stopped_and_started_by_its_name(stack):
    before = stack.pids()
    assert happened(stack.control("stop", "persister").stdout, "stopped") == ["persister"]
    assert not alive(before["persister"])
    assert happened(stack.control("start", "persister").stdout, "started") == ["persister"]
    after = stack.pids()
    assert after["persister"] not in (None, before["persister"])
    assert {name: pid for name, pid in after.items() if name != "persister"} == {
        name: pid for name, pid in before.items() if name != "persister"}


def test_restart_by_name_replaces_only_that_process(stack):
    before = stack.pids()
    stack.control("restart", "query-api")
    after = stack.pids()
    assert after["query-api"] not in (None, before["query-api"])
    assert after["kafka"] == before["kafka"]


def test_a_service_ends_on_its_own_when_asked_and_is_not_killed(stack):
    stopped = stack.control("stop", *SERVICES)
    assert stopped.stderr == ""
    stack.control("start")


def test_a_service_that_was_killed_shows_as_stopped_and_start_brings_it_back(stack):
    pid = stack.pids()["validator"]
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: stack.status()["validator"]["state"] == "stopped")
    assert stack.control("status", fails=True).returncode == 3
    stack.control("start")
    assert stack.status()["validator"]["health"] == "ready"


def test_what_is_started_outlives_the_terminal(stack):
    pid = stack.pids()["command-api"]
    assert os.getsid(pid) == pid, "it has no session of its own, so that a closed terminal would end it"


def test_a_pid_that_was_given_to_another_process_is_left_alone(fresh):
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        run = fresh.folder / "run"
        run.mkdir(parents=True)
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        (run / "validator.pid").write_text(f"{bystander.pid} 1 {boot}\n")
        assert fresh.status()["validator"]["state"] == "stopped"
        fresh.control("stop", "validator")
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


# --- status and logs ------------------------------------------------------------------------------------


def test_status_shows_pid_address_health_memory_and_the_lag_of_consumers(stack):
    shown = stack.control("status")
    rows = stack.status()
    assert set(rows) == set(EVERYTHING)
    for name, row in rows.items():
        assert alive(row["pid"]) and row["health"] == "ready" and row["memoryKiB"] > 0, row
        assert row["address"] == stack.address(name)
        assert re.search(rf"^  {name} +running +{row['pid']} +{re.escape(row['address'])} +ready ", shown.stdout, re.MULTILINE)
    assert all(rows[name]["lag"] is not None for name in ("validator", "persister", "materializer"))
    assert all(rows[name]["lag"] is None for name in SERVERS)


def test_logs_show_the_end_of_what_a_service_wrote(stack):
    assert "Ready to accept connections" in stack.control("logs", "events").stdout
    assert len(stack.control("logs", "kafka", "-n", "3").stdout.splitlines()) == 3


# --- replicas -------------------------------------------------------------------------------------------


def test_replicas_run_side_by_side_are_scraped_and_go_away_again(stack):
    said = stack.control("start", "validator", "--replicas", "3").stdout
    assert sorted(happened(said, "started")) == ["validator-2", "validator-3"]
    rows = stack.status()
    port = stack.ports["validator"]
    assert [rows[name]["address"] for name in ("validator", "validator-2", "validator-3")] == [
        f"127.0.0.1:{port}", f"127.0.0.1:{port + 100}", f"127.0.0.1:{port + 200}"]

    def scraped():
        targets = json.loads(get(f"http://{stack.address('prometheus')}/api/v1/targets"))["data"]["activeTargets"]
        return {target["scrapeUrl"] for target in targets if target["labels"]["job"] == "validator" and target["health"] == "up"}

    eventually(lambda: len(scraped()) == 3)
    assert happened(stack.control("start", "validator", "--replicas", "1").stdout, "stopped") == ["validator-3", "validator-2"]
    assert "validator-2" not in stack.status()


def test_one_replica_is_stopped_by_its_name(stack):
    stack.control("start", "validator", "--replicas", "2")
    assert happened(stack.control("stop", "validator-2").stdout, "stopped") == ["validator-2"]
    assert stack.status()["validator"]["state"] == "running"


def test_restart_brings_replicas_back(stack):
    stack.control("start", "persister", "--replicas", "2")
    said = stack.control("restart", "persister").stdout
    assert happened(said, "stopped") == ["persister-2", "persister"]
    assert sorted(happened(said, "started")) == ["persister", "persister-2"]
    stack.control("start", "persister", "--replicas", "1")


@pytest.mark.parametrize("arguments", [
    ("start", "--replicas", "2"), ("start", "kafka", "--replicas", "2"), ("start", "validator", "--replicas", "none"),
    ("start", "nothing-of-this-name"), ("start", "validator-0"), ("begin",), ("status", "--wrong"), ("kafka", "no-tool")])
def test_a_wrong_command_line_is_told_and_does_nothing(fresh, arguments):
    done = fresh.control(*arguments, fails=True)
    assert done.returncode == 2
    assert "control.sh: " in done.stderr and "help" in done.stderr
    assert not (fresh.folder / "run").exists() or not any((fresh.folder / "run").iterdir())


# --- Kafka's console tools and metrics ------------------------------------------------------------------


def test_the_console_tools_work_on_the_running_broker_and_say_nothing_else(stack):
    stack.control("kafka", "topics", "--create", "--topic", "typed", "--partitions", "2")
    stack.control("kafka", "console-producer", "--topic", "typed", stdin="hello\n")
    read = stack.control("kafka", "console-consumer", "--topic", "typed", "--from-beginning", "--max-messages", "1")
    assert read.stdout == "hello\n"
    assert read.stderr.splitlines() == ["Processed a total of 1 messages"]
    assert "typed:" in stack.control("kafka", "offsets", "--topic", "typed").stdout
    listed = stack.control("kafka", "topics", "--list")
    assert "typed" in listed.stdout.split() and listed.stderr == ""


def test_a_topic_is_not_made_by_a_typing_mistake(stack):
    stack.control("kafka", "console-producer", "--topic", "mistyped", "--command-property", "max.block.ms=500", stdin="x\n", fails=None)
    assert "mistyped" not in stack.control("kafka", "topics", "--list").stdout.split()


def test_prometheus_scrapes_kafka_and_every_service(stack):
    def up():
        answer = json.loads(get(f"http://{stack.address('prometheus')}/api/v1/query?query=up"))
        return {row["metric"]["job"] for row in answer["data"]["result"] if row["value"][1] == "1"} >= {"kafka", "prometheus", *SERVICES}

    eventually(up)


def test_kafka_shows_the_metrics_that_its_dashboards_want(stack):
    metrics = get(f"http://127.0.0.1:{stack.ports['metrics']}/metrics")
    for name in ("kafka_server_brokertopicmetrics_messagesin_total", "kafka_log_log_logendoffset{partition=",
                 "kafka_network_requestmetrics_totaltimems{quantile=", "kafka_controller_kafkacontroller_activecontrollercount",
                 "kafka_server_replicamanager_underreplicatedpartitions", "jvm_memory_used_bytes"):
        assert name in metrics, name


# --- what others have -----------------------------------------------------------------------------------


def test_a_kafka_that_answers_already_is_used_and_left_alone(stack, fresh):
    theirs = {"ODRADEK_KAFKA_BOOTSTRAP_SERVERS": stack.address("kafka")}
    before = stack.pids()["kafka"]
    said = fresh.control("start", "kafka", "snapshots", environment=theirs).stdout
    assert happened(said, "started") == ["snapshots"]
    assert f'service "kafka" is used where it is, at {stack.address("kafka")}' in said
    assert fresh.status(environment=theirs)["kafka"]["state"] == "external"
    fresh.control("stop", environment=theirs)
    assert stack.pids()["kafka"] == before


def test_an_unpacked_kafka_is_run_instead_of_the_jars_of_maven(fresh, tmp_path):
    home = tmp_path / "kafka"
    (home / "bin").mkdir(parents=True)
    (home / "libs").symlink_to(ROOT / "build" / "kafka" / "lib")
    classes = {"kafka-server-start": "kafka.Kafka", "kafka-storage": "kafka.tools.StorageTool", "kafka-topics": "org.apache.kafka.tools.TopicCommand"}
    for name, java_class in classes.items():
        script = home / "bin" / f"{name}.sh"
        script.write_text(f'#!/bin/sh\nexec java $KAFKA_HEAP_OPTS $KAFKA_OPTS -cp "$(dirname "$0")/../libs/*" {java_class} "$@"\n')
        script.chmod(0o755)
    theirs = {"KAFKA_HOME": str(home)}
    fresh.control("start", "kafka", environment=theirs)
    assert str(home) in Path(f"/proc/{fresh.pids()['kafka']}/cmdline").read_text()
    assert "kafka_server_" in get(f"http://127.0.0.1:{fresh.ports['metrics']}/metrics")
    fresh.control("kafka", "topics", "--create", "--topic", "made", environment=theirs)
    assert "made" in fresh.control("kafka", "topics", "--list", environment=theirs).stdout.split()
    assert happened(fresh.control("stop", environment=theirs).stdout, "stopped") == ["kafka"]


def test_several_servers_of_a_store_are_all_started(fresh):
    first, second = free_ports(2, fresh.ports.values())
    servers = {"ODRADEK_REDIS_SNAPSHOTS": f"127.0.0.1:{first},127.0.0.1:{second}"}
    said = fresh.control("start", "snapshots", environment=servers).stdout
    assert sorted(happened(said, "started")) == ["snapshots", "snapshots-2"]
    for port in (first, second):
        assert subprocess.run(["redis-cli", "-p", str(port), "ping"], capture_output=True, text=True).stdout == "PONG\n"
    fresh.control("stop", environment=servers)


def test_the_redis_servers_keep_an_append_only_file_and_evict_nothing(stack):
    for name in ("snapshots", "events"):
        answer = subprocess.run(
            ["redis-cli", "-p", str(stack.ports[name]), "config", "get", "append*", "maxmemory-policy"], capture_output=True, text=True)
        pairs = dict(zip(*[iter(answer.stdout.split())] * 2))
        assert (pairs["appendonly"], pairs["appendfsync"], pairs["maxmemory-policy"]) == ("yes", "everysec", "noeviction")


# --- what can go wrong ----------------------------------------------------------------------------------


def test_a_taken_port_is_told_before_anything_is_started(fresh):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", fresh.ports["events"]))
        holder.listen()
        done = fresh.control("start", "kafka", "snapshots", "events", fails=True)
    line, = done.stderr.splitlines()
    assert f"port {fresh.ports['events']} for events is taken by" in line and f"(pid {os.getpid()})" in line
    assert "redis.events" in line and "ODRADEK_REDIS_EVENTS" in line
    assert happened(done.stdout, "started") == []
    assert all(row["state"] == "stopped" for row in fresh.status().values())


def test_the_same_port_given_twice_is_told(fresh):
    done = fresh.control("start", "snapshots", "events", environment={"ODRADEK_REDIS_EVENTS": fresh.address("snapshots")}, fails=True)
    assert "given twice" in done.stderr


def test_a_server_that_ends_while_starting_takes_the_others_back(fresh):
    (fresh.folder / "redis" / "events").mkdir(parents=True)
    (fresh.folder / "redis" / "events" / "appendonlydir").write_text("in the way")
    done = fresh.control("start", "snapshots", "events", fails=True)
    assert 'service "events" ended while it started' in done.stderr
    assert all(row["state"] == "stopped" for row in fresh.status().values())


def test_an_interrupted_start_leaves_nothing_behind(fresh):
    starting = subprocess.Popen(
        [ROOT / "control.sh", "start", "kafka", "snapshots"], env=fresh.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL, text=True)
    eventually(lambda: (fresh.folder / "run" / "kafka.pid").exists())
    starting.terminate()
    starting.communicate(timeout=60)
    assert all(row["state"] == "stopped" for row in fresh.status().values())


@pytest.mark.parametrize("text, said", [("{", "is not JSON"), (None, "cannot be read")])
def test_a_bad_settings_file_is_one_clear_line(fresh, tmp_path, text, said):
    settings = tmp_path / "mine.json"
    if text is not None:
        settings.write_text(text)
    done = fresh.control("start", "snapshots", "--settings", str(settings), fails=True)
    line, = done.stderr.splitlines()
    assert str(settings) in line and said in line


def test_a_port_that_is_none_is_told(fresh):
    done = fresh.control("start", "snapshots", environment={"ODRADEK_REDIS_SNAPSHOTS": "127.0.0.1:redis"}, fails=True)
    assert "'redis' is no port" in done.stderr and "ODRADEK_REDIS_SNAPSHOTS" in done.stderr


def test_settings_come_from_the_file_that_is_named(fresh, tmp_path):
    port, = free_ports(1, fresh.ports.values())
    settings = tmp_path / "mine.json"
    settings.write_text(json.dumps({"contentTypes": [], "redis": {"snapshots": [f"127.0.0.1:{port}"]}}))
    del fresh.environment["ODRADEK_REDIS_SNAPSHOTS"]
    assert fresh.status(environment={"ODRADEK_SETTINGS": str(settings)})["snapshots"]["address"] == f"127.0.0.1:{port}"


def test_clean_removes_all_state(fresh):
    fresh.control("start", "snapshots")
    said = fresh.control("clean", "--yes").stdout
    assert happened(said, "stopped") == ["snapshots"]
    assert not fresh.folder.exists()


def test_clean_leaves_a_folder_alone_that_is_not_ours(fresh):
    fresh.folder.mkdir()
    (fresh.folder / "thesis.tex").write_text("years of work")
    done = fresh.control("clean", "--yes", fails=True)
    assert "does not look like Odradek's" in done.stderr
    assert (fresh.folder / "thesis.tex").exists()


# --- set-up on a machine that lacks something: the package tools are stood in for -------------------------


def with_tools(folder, **scripts):
    """A PATH that finds these scripts first."""
    tools = folder / "tools"
    tools.mkdir()
    for name, text in scripts.items():
        script = tools / name.replace("_", "-")
        script.write_text(f"#!/bin/sh\n{text}\n")
        script.chmod(0o755)
    return {"PATH": f"{tools}:{os.environ['PATH']}"}


def test_missing_packages_are_named_when_they_may_not_be_installed(fresh, tmp_path):
    nothing = with_tools(tmp_path, dpkg_query="exit 1")
    done = fresh.control("build", "--no-install", environment=nothing, fails=True)
    line, = done.stderr.splitlines()
    assert "libhiredis-dev" in line and "--no-install" in line


def test_no_network_is_one_clear_line(fresh, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("asks for root's apt-get")
    offline = with_tools(
        tmp_path, dpkg_query="case $* in *Package*:*) exit 1 ;; *) exit 0 ;; esac",
        apt_get="echo \"E: Failed to fetch http://deb.example/ Temporary failure resolving 'deb.example'\"; exit 100")
    done = fresh.control("build", environment=offline, fails=True)
    line, = done.stderr.splitlines()
    assert "no network to Debian's packages" in line and "try again" in line


def test_a_missing_privilege_says_what_root_has_to_do(fresh, tmp_path):
    lacking = with_tools(tmp_path, dpkg_query="exit 1", id="echo 1000", sudo="exit 1")
    done = fresh.control("build", environment=lacking, fails=True)
    line, = done.stderr.splitlines()
    assert "apt-get install --no-install-recommends" in line and "libhiredis-dev" in line


def test_kafka_home_that_is_none_is_told(fresh):
    done = fresh.control("start", "kafka", environment={"KAFKA_HOME": "/nowhere"}, fails=True)
    assert "KAFKA_HOME is /nowhere" in done.stderr


def test_two_stacks_run_at_once(stack, fresh):
    fresh.control("start", "snapshots", "events")
    assert isinstance(fresh, Stack) and fresh.pids()["snapshots"] != stack.pids()["snapshots"]
    assert stack.status()["snapshots"]["health"] == "ready"
