/* Records: round trips, bytes that stay, and what is refused. */
#include "common/clock.h"
#include "common/mem.h"
#include "common/record.h"
#include "common/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static record_shapes_t *shapes;

static command_t decoded(const char *text) {
    command_t command;
    err_t error = {""};
    if (!command_decode(shapes, text, strlen(text), &command, &error)) fail_msg("%s: %s", text, error.text);
    return command;
}

static json_span_t span(const char *text) {
    return (json_span_t){text, text ? strlen(text) : 0};
}

static void assert_span(json_span_t found, const char *expected) {
    if (!expected) {
        assert_null(found.text);
        return;
    }
    assert_non_null(found.text);
    assert_int_equal(found.len, strlen(expected));
    assert_memory_equal(found.text, expected, found.len);
}

static const char *const bodies[] = {
    "{}",
    "{ \"title\" : \"a\\u00e4\\/b\" , \"n\":[1.0, 1e5, -0, 0.1000000000000000055511151231257827, 9007199254740993]}",
    "{\"body\":{\"type\":\"x\"},\"deep\":[[[{}]]]}",
    "{\"quote\":\"\\\"}\\\\\"}",
};

static void a_command_comes_back_with_its_body_byte_for_byte(void **state) {
    (void)state;
    json_t *user = json_string("K\xc3\xa4""the \"K\"");
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        strbuf_t text = {0};
        command_encode(&text, &(command_parts_t){.type = "updateEntry", .id = "e-1", .command_id = "c~1", .body = span(bodies[i]),
                                                 .user = user, .expected_version = 3, .time_ms = 1795244400000});
        command_t command = decoded(text.data);
        assert_string_equal(command.type, "updateEntry");
        assert_string_equal(command.id, "e-1");
        assert_string_equal(command.command_id, "c~1");
        assert_string_equal(json_string_value(command.user), "K\xc3\xa4""the \"K\"");
        assert_int_equal(command.expected_version, 3);
        assert_span(command.body_bytes, bodies[i]);
        assert_null(command.owned);
        assert_string_equal(json_text(json_object_get(command.root, "meta"), "time"), "2026-11-21T07:00:00.000Z");
        command_clear(&command);
        command_clear(&command); /* is empty */
        strbuf_free(&text);
    }
    json_decref(user);
}

static void a_command_needs_a_type_only(void **state) {
    (void)state;
    command_t command = decoded("{\"type\":\"createEntry\"}");
    assert_string_equal(command.type, "createEntry");
    assert_null(command.id);
    assert_null(command.command_id);
    assert_null(command.body);
    assert_span(command.body_bytes, NULL);
    assert_null(command.user);
    assert_int_equal(command.expected_version, RECORD_NO_VERSION);
    command_clear(&command);
    command = decoded("{\"type\":\"x\",\"meta\":{\"expectedVersion\":0},\"more\":1}");
    assert_int_equal(command.expected_version, 0);
    command_clear(&command);
}

static void a_command_without_body_is_written_without_one(void **state) {
    (void)state;
    strbuf_t text = {0};
    command_encode(&text, &(command_parts_t){.type = "deleteEntry", .id = "e", .command_id = "c",
                                             .expected_version = RECORD_NO_VERSION, .time_ms = 0});
    assert_string_equal(text.data, "{\"type\":\"deleteEntry\",\"params\":{\"id\":\"e\"},\"meta\":{\"id\":\"c\","
                                   "\"time\":\"1970-01-01T00:00:00.000Z\"}}");
    strbuf_free(&text);
}

static void a_body_of_any_kind_is_found(void **state) {
    (void)state;
    static const char *const values[] = {"null", "1.50", "\"x\"", "[ 1 ]", "true"};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        char text[128];
        snprintf(text, sizeof text, " {\"type\":\"createEntry\" , \"body\" :  %s\n}", values[i]);
        command_t command = decoded(text);
        assert_non_null(command.body);
        assert_span(command.body_bytes, values[i]);
        command_clear(&command);
    }
}

static void a_body_whose_key_is_spelled_with_escapes_is_written_anew(void **state) {
    (void)state;
    command_t command = decoded("{\"type\":\"createEntry\",\"b\\u006fdy\":{ \"a\" : 1 },\"x\":{\"body\":2}}");
    assert_span(command.body_bytes, "{\"a\":1}");
    assert_non_null(command.owned);
    command_clear(&command);
}

static void whole_versions_may_be_written_as_fractions(void **state) {
    (void)state;
    command_t command = decoded("{\"type\":\"x\",\"meta\":{\"expectedVersion\":3.0}}");
    assert_int_equal(command.expected_version, 3);
    command_clear(&command);
    command = decoded("{\"type\":\"x\",\"meta\":{\"expectedVersion\":1e300}}"); /* a version that nothing has */
    assert_true(command.expected_version == INT64_MAX);
    command_clear(&command);
    const char *text = "{\"type\":\"t\",\"id\":\"e\",\"version\":2.0,\"meta\":{\"command\":\"c\",\"time\":\"t\"}}";
    event_t event;
    err_t error;
    assert_true(event_decode(shapes, text, strlen(text), &event, &error));
    assert_int_equal(event.version, 2);
    event_clear(&event);
}

static void what_is_no_command_is_refused_with_place_and_reason(void **state) {
    (void)state;
    static const struct {
        const char *text, *parts[2];
    } cases[] = {
        {"", {"not JSON: line 1", ""}},
        {"hello", {"not JSON: line 1", ""}},
        {"{\"type\":\"x\"} {}", {"not JSON: line 1", ""}},
        {"{\"type\":\"x\",\"type\":\"y\"}", {"not JSON: ", "duplicate"}},
        {"{\"type\":\"x\",\"body\":{\"a\":1,\"a\":2}}", {"not JSON: ", "duplicate"}},
        {"{\"type\":\"a\\u0000b\"}", {"not JSON: ", "\\u0000"}},
        {"1", {"not a command: : ", "object"}},
        {"[]", {"not a command: : ", "object"}},
        {"{}", {"not a command: : ", "type"}},
        {"{\"type\":1}", {"not a command: /type: ", "string"}},
        {"{\"type\":\"x\",\"params\":1}", {"not a command: /params: ", "object"}},
        {"{\"type\":\"x\",\"params\":{\"id\":1}}", {"not a command: /params/id: ", "string"}},
        {"{\"type\":\"x\",\"params\":{\"id\":\"\"}}", {"not a command: /params/id: ", ""}},
        {"{\"type\":\"x\",\"params\":{\"id\":\"a b\"}}", {"not a command: /params/id: ", ""}},
        {"{\"type\":\"x\",\"params\":{\"id\":\"a\\nb\"}}", {"not a command: /params/id: ", ""}},
        {"{\"type\":\"x\",\"meta\":[]}", {"not a command: /meta: ", "object"}},
        {"{\"type\":\"x\",\"meta\":{\"id\":\"a/b\"}}", {"not a command: /meta/id: ", ""}},
        {"{\"type\":\"x\",\"meta\":{\"time\":1}}", {"not a command: /meta/time: ", "string"}},
        {"{\"type\":\"x\",\"meta\":{\"expectedVersion\":-1}}", {"not a command: /meta/expectedVersion: ", ""}},
        {"{\"type\":\"x\",\"meta\":{\"expectedVersion\":1.5}}", {"not a command: /meta/expectedVersion: ", "integer"}},
        {"{\"type\":\"x\",\"meta\":{\"expectedVersion\":\"1\"}}", {"not a command: /meta/expectedVersion: ", "integer"}},
        {"{\"type\":\"x\",\"meta\":{\"expectedVersion\":null}}", {"not a command: /meta/expectedVersion: ", "integer"}},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        command_t command;
        err_t error = {""};
        if (command_decode(shapes, cases[i].text, strlen(cases[i].text), &command, &error)) fail_msg("%s is accepted", cases[i].text);
        if (strncmp(error.text, cases[i].parts[0], strlen(cases[i].parts[0])) || !strstr(error.text, cases[i].parts[1]))
            fail_msg("%s: %s", cases[i].text, error.text);
        assert_false(command_decode(shapes, cases[i].text, strlen(cases[i].text), &command, NULL));
    }
}

static void an_id_has_128_characters_at_most(void **state) {
    (void)state;
    char text[400], id[130];
    memset(id, 'x', 129);
    id[129] = '\0';
    command_t command;
    snprintf(text, sizeof text, "{\"type\":\"x\",\"params\":{\"id\":\"%s\"}}", id);
    assert_false(command_decode(shapes, text, strlen(text), &command, NULL));
    snprintf(text, sizeof text, "{\"type\":\"x\",\"params\":{\"id\":\"%s\"}}", id + 1);
    command = decoded(text);
    assert_string_equal(command.id, id + 1);
    command_clear(&command);
}

static void an_event_comes_back_with_its_body_compact_to_the_digit(void **state) {
    (void)state;
    json_t *user = json_integer(INT64_MAX);
    strbuf_t text = {0};
    event_encode(&text, &(event_parts_t){.type = "entryUpdated", .id = "e", .command_id = "c", .version = INT64_MAX, .user = user,
                                         .body = span("{ \"a b\" : [ 1.0 , 1E+05 ] }"), .time_ms = 1795244400001});
    assert_string_equal(text.data, "{\"type\":\"entryUpdated\",\"id\":\"e\",\"version\":9223372036854775807,"
                                   "\"body\":{\"a b\":[1.0,1E+05]},\"meta\":{\"command\":\"c\",\"user\":9223372036854775807,"
                                   "\"time\":\"2026-11-21T07:00:00.001Z\"}}");
    event_t event;
    err_t error = {""};
    if (!event_decode(shapes, text.data, text.len, &event, &error)) fail_msg("%s", error.text);
    assert_string_equal(event.type, "entryUpdated");
    assert_string_equal(event.id, "e");
    assert_string_equal(event.command_id, "c");
    assert_string_equal(event.time, "2026-11-21T07:00:00.001Z");
    assert_true(event.version == INT64_MAX);
    assert_span(event.body_bytes, "{\"a b\":[1.0,1E+05]}");
    event_clear(&event);
    strbuf_free(&text);
    json_decref(user);
}

static void a_deletion_has_no_body(void **state) {
    (void)state;
    strbuf_t text = {0};
    event_encode(&text, &(event_parts_t){.type = "entryDeleted", .id = "e", .command_id = "c", .version = 2, .time_ms = 0});
    event_t event;
    err_t error = {""};
    if (!event_decode(shapes, text.data, text.len, &event, &error)) fail_msg("%s", error.text);
    assert_null(event.body);
    assert_span(event.body_bytes, NULL);
    event_clear(&event);
    strbuf_free(&text);
}

static void what_is_no_event_is_refused_with_place_and_reason(void **state) {
    (void)state;
#define META ",\"meta\":{\"command\":\"c\",\"time\":\"t\"}}"
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"x", "not JSON: line 1"},
        {"{}", "not an event: : "},
        {"{\"type\":\"t\",\"id\":\"e\",\"version\":0" META, "not an event: /version: "},
        {"{\"type\":\"t\",\"id\":\"e\",\"version\":\"1\"" META, "not an event: /version: "},
        {"{\"type\":\"t\",\"id\":\"\",\"version\":1" META, "not an event: /id: "},
        {"{\"type\":\"t\",\"version\":1" META, "not an event: : "},
        {"{\"type\":\"t\",\"id\":\"e\",\"version\":1,\"body\":[]" META, "not an event: /body: "},
        {"{\"type\":\"t\",\"id\":\"e\",\"version\":1,\"body\":null" META, "not an event: /body: "},
        {"{\"type\":\"t\",\"id\":\"e\",\"version\":1}", "not an event: : "},
        {"{\"type\":\"t\",\"id\":\"e\",\"version\":1,\"meta\":{\"time\":\"t\"}}", "not an event: /meta: "},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        event_t event;
        err_t error = {""};
        if (event_decode(shapes, cases[i].text, strlen(cases[i].text), &event, &error)) fail_msg("%s is accepted", cases[i].text);
        if (strncmp(error.text, cases[i].error, strlen(cases[i].error))) fail_msg("%s: %s", cases[i].text, error.text);
    }
}

static char *outcome_of(const char *text, err_t *error) {
    outcome_t outcome;
    error->text[0] = '\0';
    if (!outcome_decode(shapes, text, strlen(text), &outcome, error)) return NULL;
    char *id = mem_string(outcome.command_id);
    outcome_clear(&outcome);
    return id;
}

static void an_idempotency_key_goes_from_command_to_outcome(void **state) {
    (void)state;
    strbuf_t text = {0};
    command_encode(&text, &(command_parts_t){.type = "createEntry", .id = "e", .command_id = "c", .idempotency_key = "k\"1",
                                             .expected_version = RECORD_NO_VERSION, .time_ms = 0});
    command_t command = decoded(text.data);
    assert_string_equal(command.idempotency_key, "k\"1");
    strbuf_clear(&text);
    outcome_encode(&text, &(outcome_parts_t){.command_id = "c", .type = "createEntry", .id = "e", .accepted = true, .version = 1,
                                             .idempotency_key = command.idempotency_key});
    command_clear(&command);
    outcome_t outcome;
    err_t error = {""};
    if (!outcome_decode(shapes, text.data, text.len, &outcome, &error)) fail_msg("%s", error.text);
    assert_string_equal(outcome.command_id, "c");
    assert_string_equal(outcome.type, "createEntry");
    assert_string_equal(outcome.id, "e");
    assert_string_equal(outcome.idempotency_key, "k\"1");
    outcome_clear(&outcome);
    strbuf_free(&text);
}

static void an_outcome_tells_what_became_of_its_command(void **state) {
    (void)state;
    strbuf_t text = {0};
    err_t error;
    outcome_encode(&text, &(outcome_parts_t){.command_id = "c1", .type = "createEntry", .id = "e", .accepted = true, .version = 1, .time_ms = 0});
    assert_string_equal(text.data, "{\"commandId\":\"c1\",\"status\":\"accepted\",\"type\":\"createEntry\",\"id\":\"e\",\"version\":1,"
                                   "\"time\":\"1970-01-01T00:00:00.000Z\"}");
    char *id = outcome_of(text.data, &error);
    assert_string_equal(id, "c1");
    free(id);
    strbuf_clear(&text);
    outcome_encode(&text, &(outcome_parts_t){.command_id = "c2", .type = "createEntry", .id = "e", .version = 7, .time_ms = 0,
                                             .error_type = "conflict", .error_detail = "It \"is\"\nso.",
                                             .error_list = "[{\"pointer\":\"/a\",\"rule\":\"type\",\"message\":\"m\"}]"});
    assert_string_equal(text.data, "{\"commandId\":\"c2\",\"status\":\"rejected\",\"type\":\"createEntry\",\"id\":\"e\",\"version\":7,"
                                   "\"time\":\"1970-01-01T00:00:00.000Z\",\"error\":{\"type\":\"conflict\",\"detail\":\"It \\\"is\\\"\\nso.\","
                                   "\"errors\":[{\"pointer\":\"/a\",\"rule\":\"type\",\"message\":\"m\"}]}}");
    id = outcome_of(text.data, &error);
    assert_string_equal(id, "c2");
    free(id);
    strbuf_free(&text);
}

static void what_is_no_outcome_is_refused_with_place_and_reason(void **state) {
    (void)state;
#define REST ",\"type\":\"t\",\"id\":\"e\",\"time\":\"t\"}"
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"", "not JSON: line 1"},
        {"{}", "not an outcome: : "},
        {"{\"commandId\":\"\",\"status\":\"accepted\"" REST, "not an outcome: /commandId: "},
        {"{\"commandId\":\"c\",\"status\":\"done\"" REST, "not an outcome: /status: "},
        {"{\"commandId\":\"c\",\"status\":\"rejected\",\"error\":{}" REST, "not an outcome: /error: "},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        err_t error;
        if (outcome_of(cases[i].text, &error)) fail_msg("%s is accepted", cases[i].text);
        if (strncmp(error.text, cases[i].error, strlen(cases[i].error))) fail_msg("%s: %s", cases[i].text, error.text);
    }
}

static schema_t *schema_from(const char *text) {
    json_t *document = json_read(text, strlen(text), NULL);
    schema_t *schema = schema_compile(document, "test", NULL, NULL);
    assert_non_null(schema);
    json_decref(document);
    return schema;
}

static void failures_become_a_list_of_pointer_rule_and_message(void **state) {
    (void)state;
    schema_t *schema = schema_from("{\"properties\":{\"a\":{\"type\":\"string\"},\"b\":{\"minimum\":3}}}");
    json_t *instance = json_pack("{s:i, s:i}", "a", 1, "b", 2);
    strbuf_t text = {0};
    record_add_failures(&text, schema, instance);
    json_t *list = json_read(text.data, text.len, NULL);
    assert_int_equal(json_array_size(list), 2);
    for (size_t i = 0; i < 2; i++) {
        const json_t *item = json_array_get(list, i);
        const char *pointer = json_text(item, "pointer");
        assert_string_equal(json_text(item, "rule"), strcmp(pointer, "/a") ? "minimum" : "type");
        assert_true(strlen(json_text(item, "message")) > 5);
    }
    json_decref(list);
    json_decref(instance);
    strbuf_free(&text);
    schema_free(schema);
}

static void a_body_with_endless_failures_makes_a_short_list(void **state) {
    (void)state;
    schema_t *schema = schema_from("{\"additionalProperties\":{\"type\":\"string\"}}");
    json_t *instance = json_object();
    for (int i = 0; i < 1000; i++) {
        strbuf_t name = {0};
        strbuf_addf(&name, "%d", i);
        for (int n = 0; n < 1000; n++) strbuf_adds(&name, "\xe2\x82\xac");
        json_object_set_new(instance, name.data, json_integer(i));
        strbuf_free(&name);
    }
    strbuf_t text = {0};
    record_add_failures(&text, schema, instance);
    assert_true(text.len < 64 * 1024); /* the room that records have for it */
    json_t *list = json_read(text.data, text.len, NULL);
    assert_non_null(list);
    assert_in_range(json_array_size(list), 1, 100);
    json_decref(list);
    json_decref(instance);
    strbuf_free(&text);
    schema_free(schema);
}

static int make(void **state) {
    (void)state;
    shapes = record_shapes_new();
    return 0;
}

static int unmake(void **state) {
    (void)state;
    record_shapes_free(shapes);
    record_shapes_free(NULL);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_comes_back_with_its_body_byte_for_byte),
        cmocka_unit_test(a_command_needs_a_type_only),
        cmocka_unit_test(a_command_without_body_is_written_without_one),
        cmocka_unit_test(a_body_of_any_kind_is_found),
        cmocka_unit_test(a_body_whose_key_is_spelled_with_escapes_is_written_anew),
        cmocka_unit_test(whole_versions_may_be_written_as_fractions),
        cmocka_unit_test(what_is_no_command_is_refused_with_place_and_reason),
        cmocka_unit_test(an_id_has_128_characters_at_most),
        cmocka_unit_test(an_event_comes_back_with_its_body_compact_to_the_digit),
        cmocka_unit_test(a_deletion_has_no_body),
        cmocka_unit_test(what_is_no_event_is_refused_with_place_and_reason),
        cmocka_unit_test(an_idempotency_key_goes_from_command_to_outcome),
        cmocka_unit_test(an_outcome_tells_what_became_of_its_command),
        cmocka_unit_test(what_is_no_outcome_is_refused_with_place_and_reason),
        cmocka_unit_test(failures_become_a_list_of_pointer_rule_and_message),
        cmocka_unit_test(a_body_with_endless_failures_makes_a_short_list),
    };
    return cmocka_run_group_tests_name("record", tests, make, unmake);
}
