#!/usr/bin/python3
"""Writes docs/settings.md from schemas/settings.json.  --check: only says whether it is as it would be written."""

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = ROOT / "schemas" / "settings.json"
DOCUMENT = ROOT / "docs" / "settings.md"

HEAD = """# Settings

One file, `settings.json`, and only what differs from the defaults needs to be written in it. A service that finds
anything wrong in it does not start, and says where and what was expected.

Any value but those of lists of objects can be overridden by an environment variable; lists are separated by commas.
What stands below `kafka.properties` is passed on to librdkafka as it is: `ODRADEK_KAFKA_PROPERTIES_SECURITY_PROTOCOL`
sets `security.protocol`.

This table is made from `schemas/settings.json` by `tests/structure/settings_doc.py`.

| setting | kind | default | environment | what it is |
|---|---|---|---|---|
"""


def variable(path):
    """kafka.bootstrapServers → ODRADEK_KAFKA_BOOTSTRAP_SERVERS, as common/config.c has it."""
    return "ODRADEK_" + "_".join(re.sub("([A-Z])", r"_\1", part).upper() for part in path)


def resolved(root, schema):
    """The schema with what its reference into $defs says; what stands beside the reference counts."""
    reference = schema.get("$ref", "")
    target = root["$defs"][reference.removeprefix("#/$defs/")] if reference.startswith("#/$defs/") else {}
    return {**target, **schema}


def kind(schema):
    """What a value may be, in a few words."""
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    name = {"string": "text", "boolean": "true or false", "integer": "whole number"}.get(schema["type"], schema["type"])
    if schema["type"] == "array":
        name = "list of objects" if schema["items"].get("type") == "object" else "list of texts"
    if schema["type"] == "object":
        name = "map of texts"
    if "minimum" in schema and "maximum" in schema:
        name += f", {schema['minimum']} to {schema['maximum']}"
    return name


def rows(root, schema=None, path=()):
    """(path, kind, default, variable, description) of every setting; groups have no row of their own."""
    for name, member in (schema or root).get("properties", {}).items():
        member = resolved(root, member)
        here = (*path, name)
        if member.get("type") == "object" and "properties" in member:
            yield from rows(root, member, here)
            continue
        items = member.get("items", {})
        objects = items.get("type") == "object"
        free = member.get("type") == "object"
        default = f"`{json.dumps(member['default'])}`" if "default" in member else "must be given"
        environment = "" if objects else f"`{variable(here)}{'_…' if free else ''}`"
        yield ".".join(here), kind(member), default, environment, member["description"]
        for inner, field in items.get("properties", {}).items():
            needed = "must be given" if inner in items.get("required", []) else "none"
            yield ".".join(here) + f"[].{inner}", kind(field), needed, "", field["description"]


def document():
    """The whole page."""
    root = json.loads(SCHEMA.read_text())
    lines = ("| `{}` | {} | {} | {} | {} |\n".format(row[0], *(part.replace("|", "\\|") for part in row[1:])) for row in rows(root))
    return HEAD + "".join(lines)


def check():
    """What is wrong with docs/settings.md, a line each."""
    wanted = document()
    found = DOCUMENT.read_text() if DOCUMENT.exists() else ""
    missing = [line for line in wanted.splitlines() if line not in found.splitlines()]
    extra = [line for line in found.splitlines() if line not in wanted.splitlines()]
    problems = [f"docs/settings.md: missing: {line}" for line in missing]
    problems += [f"docs/settings.md: in no schema: {line}" for line in extra]
    if not problems and wanted != found:
        problems = ["docs/settings.md: lines stand in another order"]
    return problems


def main():
    """Writes, or checks."""
    if sys.argv[1:] == ["--check"]:
        problems = check()
        print("\n".join(problems), file=sys.stderr, end="\n" if problems else "")
        return 1 if problems else 0
    if sys.argv[1:]:
        print("usage: settings_doc.py [--check]", file=sys.stderr)
        return 2
    DOCUMENT.write_text(document())
    return 0


if __name__ == "__main__":
    sys.exit(main())
