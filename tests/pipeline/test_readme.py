"""The tour in README.md: every command is run as it stands, and must answer as it is shown."""

from harness import ROOT
from tour import follow, steps


def test_every_command_of_the_tour_answers_as_it_is_shown(shell):
    found = steps((ROOT / "README.md").read_text())
    assert len(found) > 10
    follow(shell, found)
