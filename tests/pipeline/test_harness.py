"""The harness itself: that its checker sees what is wrong, and that it leaves nothing behind."""

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from harness import eventually, parse_metrics
from ledger import check_history, check_snapshots, check_topics, dump


@pytest.fixture
def checked(pipeline):
    """An entry with three versions, an asset that it links to, a deleted entry and a rejected command, all checked."""
    asset = pipeline.asset()
    entry = pipeline.entry(heroImage=asset)
    pipeline.update("entries", entry, {"title": "two", "heroImage": asset})
    pipeline.update("entries", entry, {"title": "three", "heroImage": asset})
    gone = pipeline.entry()
    pipeline.delete("entries", gone)
    rejected = pipeline.send("DELETE", "/entries/never-was")
    pipeline.settle()
    return {"entry": entry, "asset": asset, "gone": gone, "rejected": rejected.command_id}


def new(found, before):
    return [violation for violation in found if violation not in before]


HISTORY = {
    "an event is missing": lambda store, key, ids: store[key("events:Entry", "entry")].pop(1),
    "an event is there twice": lambda store, key, ids: store[key("events:Entry", "entry")].append((b"4-0", store[key("events:Entry", "entry")][0][1])),
    "an event is another": lambda store, key, ids: store[key("events:Entry", "entry")].__setitem__(0, (b"1-0", {b"event": b"{}"})),
    "a history is missing": lambda store, key, ids: store.pop(key("events:Entry", "gone")),
    "an outcome is missing": lambda store, key, ids: [store.pop(name) for name in list(store) if name.endswith(ids["rejected"])],
    "an outcome is another": lambda store, key, ids: [store.update({name: b"{}"}) for name in list(store) if name.endswith(ids["rejected"])],
    "a position went back": lambda store, key, ids: store.update({key("offset", None): b"0"}),
    "a position is beyond the end": lambda store, key, ids: store.update({key("offset", None): b"999999999"}),
    "there is something else": lambda store, key, ids: store.update({"{0}:something": b"1"}),
}
SNAPSHOTS = {
    "a version is older": lambda store, key, ids: store[key("Entry", "entry")].update({b"version": b"2"}),
    "data are older": lambda store, key, ids: store[key("Entry", "entry")].update({b"data": b'{"title":"two"}'}),
    "a time is another": lambda store, key, ids: store[key("Entry", "entry")].update({b"updatedAt": b"2020-01-01T00:00:00.000Z"}),
    "a snapshot is missing": lambda store, key, ids: store.pop(key("Entry", "entry")),
    "a deleted entity is alive": lambda store, key, ids: store[key("Entry", "gone")].pop(b"deletedAt"),
    "an index lacks an entity": lambda store, key, ids: store.update({key("index:Entry", None) + ":id": []}),
    "an index has a deleted entity": lambda store, key, ids: store[key("index:Entry", None) + ":id"].append((ids["gone"].encode(), 0.0)),
    "a link is missing": lambda store, key, ids: [store.pop(name) for name in list(store) if name.endswith(f":links:Asset:{ids['asset']}")],
    "there is something else": lambda store, key, ids: store.update({"{0}:Entry:nobody-made-it": {b"version": b"1"}}),
}


@pytest.mark.parametrize("what", HISTORY)
def test_the_checker_sees_when_in_the_event_store(pipeline, checked, what):
    found(pipeline, checked, dump(pipeline.events), check_history, HISTORY[what])


@pytest.mark.parametrize("what", SNAPSHOTS)
def test_the_checker_sees_when_in_the_snapshot_store(pipeline, checked, what):
    found(pipeline, checked, dump(pipeline.snapshots), check_snapshots, SNAPSHOTS[what])


def found(pipeline, ids, store, check, change):
    def key(kind, which):
        partition = pipeline.partition(ids[which or "entry"])
        return f"{{{partition}}}:{kind}" + (f":{ids[which]}" if which else "")
    before = list(check(pipeline.ledger, store))
    change(store, key, ids)
    assert new(check(pipeline.ledger, store), before), "the checker saw nothing"


@pytest.mark.parametrize("what", ["an outcome is missing", "an outcome is there twice", "an event is missing", "an event is there twice",
                                  "a rejected command has an event", "a version is left out", "versions are swapped"])
def test_the_checker_sees_when_in_the_log(pipeline, checked, what):
    ledger = pipeline.ledger
    events = ledger.events["Entry", checked["entry"]]
    command = events[1].json["meta"]["command"]
    before = list(check_topics(ledger, pipeline.acknowledged))
    kept = list(events), {name: list(kept) for name, kept in ledger.outcomes.items()}, {name: list(kept) for name, kept in ledger.events_of_command.items()}
    if what == "an outcome is missing":
        del ledger.outcomes[command]
    elif what == "an outcome is there twice":
        ledger.outcomes[command] *= 2
    elif what == "an event is missing":
        ledger.events_of_command[command] = []
    elif what == "an event is there twice":
        ledger.events_of_command[command] *= 2
    elif what == "a rejected command has an event":
        ledger.events_of_command[checked["rejected"]].append(events[0])
    elif what == "a version is left out":
        del events[1]
    else:
        events[0], events[1] = events[1], events[0]
    try:
        assert new(check_topics(ledger, pipeline.acknowledged), before), "the checker saw nothing"
    finally:
        events[:] = kept[0]
        for book, saved in ((ledger.outcomes, kept[1]), (ledger.events_of_command, kept[2])):
            book.clear()
            book.update(saved)


@pytest.mark.parametrize("text", ["no metric\n", "a 1\n", "# TYPE a counter\na 1\na 1\n", '# TYPE a counter\na{b=c} 1\n', "# TYPE a counter\na one\n",
                                  "# TYPE a counter\n# TYPE a counter\na 1\n", "# TYPE a number\na 1\n", "# TYPE a counter\na 1"])
def test_what_is_no_prometheus_text_is_seen(text):
    with pytest.raises(AssertionError):
        parse_metrics(text)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=["SIGKILL", "SIGTERM", "SIGINT"])
def test_tests_that_are_killed_leave_no_process_and_no_folder_behind(how):
    script = textwrap.dedent("""
        import signal, sys, time
        signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs tests in the background has it ignored
        sys.path.insert(0, sys.argv[1])
        from harness import Ports, Stack
        stack = Stack(Ports())
        stack.start_servers("snapshots")
        stack.query_api.start()
        while not stack.query_api.log_path.read_text():  # until then it may not have been told yet to end with its parent
            time.sleep(0.01)
        print(stack.folder, stack.server_pid("snapshots"), stack.query_api.pid, flush=True)
        time.sleep(600)
    """)
    tests = subprocess.Popen([sys.executable, "-B", "-c", script, str(Path(__file__).parent)], stdout=subprocess.PIPE, text=True,
                             stderr=subprocess.DEVNULL)
    folder, *pids = tests.stdout.readline().split()
    assert all(Path(f"/proc/{pid}").exists() for pid in pids)
    tests.send_signal(how)
    tests.wait()
    eventually(lambda: not Path(folder).exists(), what="the folder's end")

    def ended(pid):
        try:
            return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
        except OSError:
            return True
    eventually(lambda: all(ended(pid) for pid in pids), what="the processes' end")
