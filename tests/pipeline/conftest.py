"""One stack for the whole run; a test that disturbs it leaves it whole."""

import contextlib
from pathlib import Path

import pytest

from harness import TYPES, Ports, Stack
from pipeline import Pipeline
from tour import Shell

SCHEMAS = Path(__file__).parent / "schemas"


@pytest.fixture(scope="session")
def free_ports():
    return Ports()


@contextlib.contextmanager
def full_stack(free_ports):
    """A stack of which everything runs."""
    # Beside what is shipped, a type whose schema has every keyword that commands are checked by, and one with unique members.
    sample = {"name": "Sample", "base": "samples", "schema": "schemas/sample.json"}
    # And one with members that lists are sorted and filtered by.
    item = {"name": "Item", "base": "items", "schema": "schemas/item.json"}
    account = {"name": "Account", "base": "accounts", "schema": "schemas/account.json"}
    stack = Stack(free_ports, types=[*TYPES, sample, item, account],
                  schemas=[SCHEMAS / name for name in ("sample.json", "item.json", "account.json")])
    # A replica that is gone is noticed after six seconds, the least that Kafka allows, instead of ten.
    stack.settings["kafka"]["properties"] = {"session.timeout.ms": "6000"}
    stack.write_settings()
    try:
        stack.start_servers()
        stack.start_services()
        yield stack
    finally:
        stack.close()


@pytest.fixture(scope="session")
def session_stack(free_ports):
    with full_stack(free_ports) as stack:
        yield stack


@pytest.fixture(scope="session")
def session_pipeline(session_stack):
    pipeline = Pipeline(session_stack)
    yield pipeline
    pipeline.close()


def pytest_collection_modifyitems(items):
    """What breaks things on purpose comes last: what it finds out must not hide what the others do. Before it comes what
    looks at all that the others saw."""
    items.sort(key=lambda item: (item.path.name == "test_faults.py", "that_the_tests_saw" in item.name))


@pytest.fixture
def stack(session_stack):
    if session_stack.broken:
        pytest.fail(session_stack.broken)
    return session_stack


@pytest.fixture
def pipeline(stack, session_pipeline):
    return session_pipeline


@pytest.fixture
def disturbed(stack, request):
    """The stack, for tests that stop, freeze, kill or change parts of it."""
    yield stack
    try:
        stack.restore(anew=getattr(request.node, "failed", True))
    except BaseException:
        stack.broken = f"the stack could not be made whole again after {request.node.name}"
        raise


@pytest.fixture
def own_stack(free_ports):
    """A second stack, of which nothing runs yet."""
    stacks = []

    def make(**settings):
        stacks.append(Stack(free_ports, **settings))
        return stacks[-1]
    yield make
    for made in stacks:
        made.close()


@pytest.fixture
def shell(own_stack):
    """A bash beside a stack of its own, as the reader of a document has one."""
    stack = own_stack()
    stack.start_servers()
    stack.start_services()
    shell = Shell(stack)
    yield shell
    shell.close()


# ---- what the logs say goes with a failure ----

def stacks_of(item):
    for value in getattr(item, "funcargs", {}).values():
        if isinstance(value, Stack):
            yield value


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    item.log_sizes = [(stack, stack.log_sizes()) for stack in dict.fromkeys(stacks_of(item))]
    yield


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    item.failed = getattr(item, "failed", False) or report.failed
    if not report.failed:
        return
    for stack, sizes in getattr(item, "log_sizes", [(stack, {}) for stack in stacks_of(item)]):
        for name, text in stack.log_tails(sizes):
            report.sections.append((f"log of {name}", text))
