"""docs/api.md, as a new user follows it; and that it names every problem and every setting that it should."""

import re

from harness import ROOT
from tour import follow, steps

PAGE = (ROOT / "docs/api.md").read_text()
SOURCES = [ROOT / "common/http.c", ROOT / "services/docs.c", *(ROOT / "services/command-api").glob("*.c"),
           *(ROOT / "services/query-api").glob("*.c"), ROOT / "services/validator/rules.c"]


def test_every_command_of_the_page_on_the_apis_answers_as_it_is_shown(shell):
    found = steps(PAGE)
    assert len(found) > 30
    follow(shell, found)


def problems_in_the_sources():
    """What stands there where a problem's type does: in calls, in tables of refusals and in the validator's rules."""
    for path in SOURCES:
        text = path.read_text()
        yield from re.findall(r'http_problem\w*\([^;"]*?"([a-z-]+)"', text)
        yield from re.findall(r'refuse\((?:\w+|\w+, \d+), "([a-z-]+)"', text)
        yield from re.findall(r'refused_\w+ = \{\s*\d+, "([a-z-]+)"', text)
        yield from re.findall(r'^    \{\w+, "([a-z-]+)", "', text, re.M)
        yield from re.findall(r'#define RULES_\w+ "([a-z-]+)"', (path.parent / "rules.h").read_text() if path.name == "rules.c" else "")


def test_the_page_lists_just_the_problems_that_there_are():
    listed = re.findall(r"^\| \*?`/problems/([a-z-]+)`", PAGE, re.M)
    assert len(listed) == len(set(listed))
    assert set(listed) == set(problems_in_the_sources())


def test_settings_that_the_page_names_exist():
    known = set(re.findall(r"^\| `([a-zA-Z.]+)`", (ROOT / "docs/settings.md").read_text(), re.M))
    named = set(re.findall(r"`((?:limits|rules|retention|http)\.[\w.]+)`", PAGE))
    assert named and named <= known, named - known
