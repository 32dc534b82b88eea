import pytest

from control_stack import Stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory):
    """A whole stack that runs; a test that stops something starts it again."""
    running = Stack(tmp_path_factory.mktemp("stack") / "state")
    try:
        running.first_start = running.control("start")
        yield running
    finally:
        running.control("clean", "--yes", fails=None)


@pytest.fixture
def fresh(tmp_path):
    """A stack that nothing has been started of."""
    unstarted = Stack(tmp_path / "state with a space")
    yield unstarted
    unstarted.control("clean", "--yes", fails=None)
