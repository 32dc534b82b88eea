"""Every keyword that a command's body is checked by: at the API, and again by the validator."""

import json

import pytest

DEEP = {"name": "a", "children": [{"name": "b", "children": [{"name": "c"}]}]}

# member, bodies that are right, (body that is wrong, pointer below the member, rule) …
RULES = [
    ("null", ["null"], [("0", "", "type"), ('""', "", "type"), ("false", "", "type")]),
    ("boolean", ["true", "false"], [("0", "", "type"), ("null", "", "type"), ('"true"', "", "type")]),
    ("integer", ["1", "-1", "1.0", "1e2", "9007199254740993"], [("1.5", "", "type"), ('"1"', "", "type"), ("true", "", "type")]),
    ("number", ["1", "1.5", "-1e-3"], [('"1"', "", "type"), ("null", "", "type")]),
    ("string", ['""', '"a"'], [("1", "", "type"), ('["a"]', "", "type")]),
    ("array", ["[]", '[1,"a",null]'], [("{}", "", "type"), ('"[]"', "", "type")]),
    ("object", ["{}", '{"a":1}'], [("[]", "", "type"), ("null", "", "type")]),
    ("stringOrNull", ["null", '"a"'], [("1", "", "type"), ("[]", "", "type")]),
    ("enum", ['"red"', "1", "1.0", "null", '{"a":[1.0]}'], [('"blue"', "", "enum"), ("2", "", "enum"), ('{"a":[1],"b":1}', "", "enum"), ('{"a":[true]}', "", "enum")]),
    ("const", ['{"exactly":1}', '{"exactly":1.0}'], [('{"exactly":2}', "", "const"), ("1", "", "const")]),
    ("minLength", ['"ab"', '"🧵🧵"'], [('"a"', "", "minLength"), ('"🧵"', "", "minLength"), ("1", "", "type")]),
    ("maxLength", ['"abc"', '"🧵🧵🧵"', '""'], [('"abcd"', "", "maxLength"), ('"🧵🧵🧵🧵"', "", "maxLength")]),
    ("pattern", ['"ab-12"'], [('"ab-1"', "", "pattern"), ('"AB-12"', "", "pattern"), ('"ab-12 "', "", "pattern"), ('"ab-12\\n"', "", "pattern")]),
    ("minimum", ["10", "10.0", "1e300"], [("9.999999", "", "minimum"), ("-10", "", "minimum")]),
    ("maximum", ["10", "-1e300"], [("10.000001", "", "maximum"), ("11", "", "maximum")]),
    ("exclusiveMinimum", ["10.000001"], [("10", "", "exclusiveMinimum"), ("10.0", "", "exclusiveMinimum")]),
    ("exclusiveMaximum", ["9.999999"], [("10", "", "exclusiveMaximum")]),
    ("multipleOf", ["0.3", "1", "-0.7", "0"], [("0.35", "", "multipleOf"), ("1.05", "", "multipleOf")]),
    ("minItems", ["[1,2]"], [("[1]", "", "minItems"), ("[]", "", "minItems")]),
    ("maxItems", ["[]", "[1,2]"], [("[1,2,3]", "", "maxItems")]),
    ("uniqueItems", ["[]", "[1,true,\"1\"]", '[{"a":1},{"a":2}]'], [("[1,1.0]", "", "uniqueItems"), ('[{"a":1,"b":2},{"b":2,"a":1}]', "", "uniqueItems")]),
    ("items", ["[]", "[1,2]"], [('[1,"2"]', "/1", "type"), ("[1,2.5,null]", "/2", "type")]),
    ("required", ['{"a":1,"b":2}'], [('{"a":1}', "", "required"), ("{}", "", "required")]),
    ("properties", ["{}", '{"deep":{"er":"x"}}'], [('{"deep":1}', "/deep", "type"), ('{"deep":{"er":1}}', "/deep/er", "type")]),
    ("additionalProperties", ["{}", '{"a":[]}'], [('{"b":1}', None, "additionalProperties")]),
    ("additionalNumbers", ["{}", '{"x":1,"y":2}'], [('{"x":1,"y":"2"}', "/y", "type")]),
    ("ref", ['{"x":1,"y":2}'], [('{"x":1}', "", "required"), ('{"x":1,"y":"2"}', "/y", "type"), ("1", "", "type")]),
    ("tree", [json.dumps(DEEP)], [('{"children":[{"children":[{"name":1}]}]}', "/children/0/children/0/name", "type"), ('{"children":[1]}', "/children/0", "type")]),
    ("a/b~c", ['"a"'], [("1", "", "type")]),
]


def pointer_to(member, below):
    return None if below is None else "/" + member.replace("~", "~0").replace("/", "~1") + below


def named(errors, pointer, rule):
    return any(error["rule"] == rule and pointer in (None, error["pointer"]) for error in errors)


@pytest.mark.parametrize("member, right, wrong", RULES, ids=[member for member, _, _ in RULES])
def test_a_body_is_held_against_each_rule_of_its_schema(pipeline, member, right, wrong):
    def body(text):
        return f"{{{json.dumps(member)}:{text}}}"
    for text, below, rule in wrong:
        answer = pipeline.api.post("/samples", body(text))
        assert answer.status == 422, (text, answer)
        assert named(answer.json["errors"], pointer_to(member, below), rule), (text, answer)
    commands = [pipeline.send("POST", "/samples", body(text)) for text in right]
    for text, command in zip(right, commands):
        pipeline.accepted(command)
        assert pipeline.visible("samples", command.id)["data"] == json.loads(body(text))


def test_the_validator_holds_bodies_against_each_rule_again(pipeline):
    cases = [(member, text, below, rule) for member, _, wrong in RULES for text, below, rule in wrong]
    records = []
    for number, (member, text, _, _) in enumerate(cases):
        entity = f"rule-{number}"
        value = f'{{"type":"createSample","params":{{"id":"{entity}"}},"meta":{{"id":"command-{entity}"}},"body":{{{json.dumps(member)}:{text}}}}}'
        records.append((value.encode(), entity, None))
    pipeline.console.send_all(records)
    for number, (member, text, below, rule) in enumerate(cases):
        outcome = pipeline.rejected(f"command-rule-{number}", "schema-violation")
        assert outcome["version"] == 0 and outcome["error"]["detail"], outcome
        assert named(outcome["error"]["errors"], pointer_to(member, below), rule), (member, text, outcome)


def test_an_update_is_held_against_the_schema_by_the_validator_too(pipeline):
    entry = pipeline.entry()
    pipeline.console.send({"type": "updateEntry", "params": {"id": entry}, "body": {"title": 1}, "meta": {"id": f"bad-{entry}"}}, key=entry)
    outcome = pipeline.rejected(f"bad-{entry}", "schema-violation")
    assert outcome["version"] == 1
    assert named(outcome["error"]["errors"], "/title", "type"), outcome
    assert len(pipeline.history("Entry", entry)) == 1


@pytest.mark.parametrize("command_type", ["createEntry", "updateEntry"])
def test_a_command_without_the_body_that_it_needs_is_rejected(pipeline, command_type):
    entity = f"bodiless-{command_type}"
    if command_type == "updateEntry":
        pipeline.console.send({"type": "createEntry", "params": {"id": entity}, "body": {"title": "t"}}, key=entity)
    pipeline.console.send({"type": command_type, "params": {"id": entity}, "meta": {"id": f"c-{entity}"}}, key=entity)
    pipeline.rejected(f"c-{entity}", "schema-violation")
