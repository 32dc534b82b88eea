"""docs/schemas.md, as a new user follows it; and what a broken schema or a reference to a file does at start."""

import json
import subprocess

import pytest
from harness import BIN, ROOT, environment
from tour import Shell, follow, steps

PAGE = (ROOT / "docs/schemas.md").read_text()


@pytest.fixture
def shell(own_stack):
    stack = own_stack()
    stack.control("start", "--no-install")
    shell = Shell(stack)
    yield shell
    shell.close()


def test_every_command_of_the_page_on_schemas_answers_as_it_is_shown(shell):
    found = steps(PAGE)
    assert len(found) > 20
    follow(shell, found)


def start(tmp_path, schema, **settings):
    """What command-api says with this schema; nothing that it needs is there, so that it cannot stay."""
    (tmp_path / "thing.json").write_text(json.dumps(schema))
    types = [{"name": "Thing", "base": "things", "schema": "thing.json"}]
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({"contentTypes": types, **settings}))
    done = subprocess.run([BIN / "command-api", "--settings", path], env=environment(), text=True, capture_output=True, timeout=60)
    assert done.returncode != 0
    return done.stdout + done.stderr


@pytest.mark.parametrize("schema, place, reason", [
    ({"type": "strin"}, "#/type", "must be one of"),
    ({"properties": {"a/b": {"minLength": -1}}}, "#/properties/a~1b/minLength", "at least 0"),
    ({"properties": {"a": {"pattern": "("}}}, "#/properties/a/pattern", "the pattern ("),
    ({"properties": {"a": {"$ref": "#/$defs/none"}}}, "#/properties/a/$ref", "leads nowhere"),
    ({"$ref": "https://example.com/shared/none.json"}, "#/$ref", "no schema is known for https://example.com/shared/none.json"),
    ({"$ref": "https://example.com/shared/bad.json"}, "bad.json#/type", "must be one of"),
    ({"$ref": "#"}, "#", "without end"),
])
def test_a_broken_schema_is_said_with_file_pointer_and_reason(tmp_path, schema, place, reason):
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared/bad.json").write_text('{"type":"strin"}')
    remotes = [{"base": "https://example.com/shared/", "path": "shared"}]
    said = start(tmp_path, schema, schemas={"remotes": remotes})
    assert str(tmp_path) in said and place in said and reason in said, said


@pytest.mark.parametrize("schemas, pointer", [
    ({"format": "sometimes"}, "/schemas/format"),
    ({"remotes": [{"base": "https://example.com/"}]}, "/schemas/remotes/0"),
    ({"remote": []}, "/schemas"),
])
def test_settings_for_schemas_that_are_wrong_are_said_with_their_place(tmp_path, schemas, pointer):
    said = start(tmp_path, {}, schemas=schemas)
    assert "settings.json" in said and pointer in said, said
