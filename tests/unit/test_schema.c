/* What the schema module promises beyond the official suite: refusals, messages, what is settled at compile time. */
#include "common/mem.h"
#include "tests/unit/schema_check.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- Schemas ---- */

static void a_wrong_schema_is_refused_with_its_place_and_the_reason(void **state) {
    (void)state;
    refuses("{\"properties\":{\"a\":{\"type\":\"strin\"}}}", "test.json#/properties/a/type: must be one of");
    refuses("{\"properties\":{\"a/b~c\":{\"minLength\":-1}}}", "test.json#/properties/a~1b~0c/minLength: ");
    refuses("{\"items\":[{}]}", "test.json#/items: must be object or boolean, is array");
    refuses("{\"multipleOf\":0}", "/multipleOf: must be above 0");
    refuses("{\"required\":[\"a\",\"a\"]}", "/required: items 0 and 1 are equal");
    refuses("[]", "test.json#: must be object or boolean, is array");
    refuses("{\"$schema\":\"https://example.com/none\"}", "https://example.com/none is not a metaschema that is known");
    refuses("{\"pattern\":\"a(\"}", "test.json#/pattern: the pattern a(: ");
    refuses("{\"$anchor\":\"a\",\"items\":{\"$anchor\":\"a\"}}",
            "test.json#/items/$anchor: the anchor \"a\" is there twice");
}

static void a_reference_that_leads_nowhere_is_refused(void **state) {
    (void)state;
    refuses("{\"items\":{\"$ref\":\"#/$defs/a\"}}", "test.json#/items/$ref: \"#/$defs/a\" leads nowhere");
    refuses("{\"$ref\":\"#none\"}", "test.json#/$ref: \"#none\" leads nowhere");
    refuses("{\"$ref\":\"https://example.com/a\"}", "no schema is known for https://example.com/a");
    refuses("{\"$defs\":{\"unused\":{\"$ref\":\"#/none\"}}}", "test.json#/$defs/unused/$ref: ");
    refuses("{\"$ref\":\"#/minimum\",\"minimum\":1}", "a schema is an object or a boolean");
}

static void references_in_a_circle_are_refused(void **state) {
    (void)state;
    refuses("{\"$ref\":\"#\"}", "without end");
    refuses("{\"$defs\":{\"a\":{\"allOf\":[{\"$ref\":\"#/$defs/b\"}]},\"b\":{\"not\":{\"$ref\":\"#/$defs/a\"}}}}",
            "without end");
    refuses("{\"if\":true,\"then\":{\"$ref\":\"#\"}}", "without end");
    refuses("{\"dependentSchemas\":{\"a\":{\"$ref\":\"#\"}}}", "without end");
    accepts("{\"properties\":{\"a\":{\"$ref\":\"#\"}}}", "{\"a\":{\"a\":{}}}");
}

static void a_circle_through_dynamic_references_ends_at_a_limit(void **state) {
    (void)state;
    const char *schema =
        "{\"$id\":\"http://x/a\",\"$dynamicAnchor\":\"n\",\"$ref\":\"b\",\"$defs\":{\"b\":{\"$id\":\"b\","
        "\"$dynamicAnchor\":\"n\",\"properties\":{\"a\":true},\"not\":{\"$dynamicRef\":\"#n\"}}}}";
    rejects(schema, "{}");
}

static void keywords_that_no_draft_knows_are_refused_when_strict(void **state) {
    (void)state;
    schema_options_t strict = {.strict = true};
    refuses_with("{\"properties\":{\"a\":{\"requird\":[]}}}", &strict,
                 "#/properties/a/requird: no draft has this keyword");
    assert_true(is_valid_with("{\"x-link\":\"Asset\",\"$ref\":\"https://json-schema.org/draft/2020-12/schema\"}", "{}",
                              &strict));
    accepts("{\"requird\":[\"a\"]}", "{}");
}

static void each_resource_is_read_by_its_own_draft(void **state) {
    (void)state;
    const char *schema = "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"properties\":{\"a\":{"
                         "\"$id\":\"http://x/old\",\"$schema\":\"http://json-schema.org/draft-07/schema#\","
                         "\"items\":[{\"type\":\"string\"}],\"additionalItems\":false,\"prefixItems\":[false]}}}";
    accepts(schema, "{\"a\":[\"x\"]}");
    rejects(schema, "{\"a\":[1]}");
    rejects(schema, "{\"a\":[\"x\",1]}");
    schema_options_t old = {.draft = SCHEMA_DRAFT_07};
    assert_true(is_valid_with("{\"dependentRequired\":{\"a\":[\"b\"]}}", "{\"a\":1}", &old));
    assert_false(is_valid_with("{\"$ref\":\"#/definitions/a\",\"minimum\":9,\"definitions\":{\"a\":{\"maximum\":3}}}",
                               "5", &old));
    assert_true(is_valid_with("{\"$ref\":\"#/definitions/a\",\"minimum\":9,\"definitions\":{\"a\":{\"maximum\":3}}}",
                              "2", &old));
}

static void remotes_in_memory_and_in_directories_are_found(void **state) {
    (void)state;
    json_t *document = parse("{\"$defs\":{\"n\":{\"type\":\"integer\"}}}");
    schema_remote_t remotes[] = {{.base_uri = "http://x/common.json", .document = document},
                                 {.base_uri = "http://x/meta/", .path = "schemas/meta"}};
    schema_options_t options = {.remotes = remotes, .remote_count = ARRAY_LEN(remotes)};
    assert_false(is_valid_with("{\"$ref\":\"http://x/common.json#/$defs/n\"}", "\"a\"", &options));
    assert_true(is_valid_with("{\"$ref\":\"http://x/common.json#/$defs/n\"}", "1", &options));
    refuses_with("{\"$ref\":\"http://x/meta/../meta/none.json\"}", &options,
                 "no schema is known for http://x/meta/none.json");
    refuses_with("{\"$ref\":\"http://x/meta/%2e%2e/%2e%2e/settings.json\"}", &options, "no schema is known for");
    json_decref(document);
}

static void a_file_finds_those_beside_it(void **state) {
    (void)state;
    char directory[] = "/tmp/schema-test-XXXXXX";
    assert_non_null(mkdtemp(directory));
    char *path = mem_printf("%s/a b.json", directory), *other = mem_printf("%s/b.json", directory);
    json_t *schema_document = parse("{\"$ref\":\"b.json#/$defs/n\"}"),
           *other_document = parse("{\"$defs\":{\"n\":{\"const\":1}}}");
    assert_int_equal(json_dump_file(schema_document, path, 0), 0);
    assert_int_equal(json_dump_file(other_document, other, 0), 0);
    err_t error;
    schema_t *schema = schema_load(path, NULL, &error);
    if (!schema) fail_msg("%s", error.text);
    json_t *one = json_integer(1);
    assert_true(schema_valid(schema, one));
    json_decref(one);
    schema_free(schema);
    unlink(path);
    unlink(other);
    rmdir(directory);
    free(path);
    free(other);
    json_decref(schema_document);
    json_decref(other_document);
}

static void refuses_file(const char *text, const char *message) {
    char path[] = "/tmp/schema-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (int)strlen(text));
    close(fd);
    err_t error = {0};
    schema_t *schema = schema_load(path, NULL, &error);
    unlink(path);
    assert_null(schema);
    if (!strstr(error.text, message) || !strstr(error.text, path)) fail_msg("%s: %s", text, error.text);
}

static void numbers_that_cannot_be_kept_are_refused_when_a_file_is_loaded(void **state) {
    (void)state;
    refuses_file("{\"maximum\":123456789012345678901234567890}", "too big integer");
    refuses_file("{\"multipleOf\":0.12345678901234567891}", "0.12345678901234567891 has more digits than can be kept");
    refuses_file("{\"minimum\":1e-400}", "1e-400 has more digits");
    refuses_file("{\"a\":1,\"a\":2}", "duplicate");
    refuses_file("{\"type\":", ":1:");
}

/* ---- Failures ---- */

static void failures_tell_where_and_why(void **state) {
    (void)state;
    schema_t *schema = compile_with(
        "{\"$id\":\"http://x/s\",\"properties\":{\"a/b\":{\"items\":{\"$ref\":\"#/$defs/n\"}}},\"required\":[\"c\"],"
        "\"$defs\":{\"n\":{\"type\":\"string\"}}}", NULL);
    json_t *value = parse("{\"a/b\":[\"x\",1]}");
    schema_failures_t failures = {0};
    assert_int_equal(schema_validate(schema, value, &failures), 2);
    assert_string_equal(failures.items[0].instance_location, "/a~1b/1");
    assert_string_equal(failures.items[0].keyword_location, "/properties/a~1b/items/$ref/type");
    assert_string_equal(failures.items[0].absolute_location, "http://x/s#/$defs/n/type");
    assert_string_equal(failures.items[0].keyword, "type");
    assert_string_equal(failures.items[0].message, "must be string, is integer");
    assert_string_equal(failures.items[1].instance_location, "");
    assert_string_equal(failures.items[1].keyword_location, "/required");
    assert_string_equal(failures.items[1].message, "\"c\" is missing");
    schema_failures_free(&failures);
    json_decref(value);
    schema_free(schema);
}

static void failures_of_a_branch_are_forgotten_when_another_holds(void **state) {
    (void)state;
    schema_t *schema = compile_with(
        "{\"properties\":{\"a\":{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"null\"}]},\"b\":{\"type\":\"null\"}}}",
        NULL);
    json_t *value = parse("{\"a\":null,\"b\":1}");
    schema_failures_t failures = {0};
    assert_int_equal(schema_validate(schema, value, &failures), 1);
    assert_string_equal(failures.items[0].instance_location, "/b");
    schema_failures_free(&failures);
    json_decref(value);
    schema_free(schema);
}

static void failures_are_listed_up_to_a_bound(void **state) {
    (void)state;
    schema_t *schema = compile_with("{\"items\":{\"type\":\"string\"}}", NULL);
    json_t *value = json_array();
    for (int i = 0; i < 1000; i++) json_array_append_new(value, json_integer(i));
    schema_failures_t failures = {0};
    assert_int_equal(schema_validate(schema, value, &failures), SCHEMA_MAX_FAILURES);
    assert_true(failures.truncated);
    schema_failures_free(&failures);
    failures.max = 3;
    assert_int_equal(schema_validate(schema, value, &failures), 3);
    schema_failures_free(&failures);
    json_decref(value);
    schema_free(schema);
}

/* ---- What is settled when a schema is compiled ---- */

/* By the schema as it is, and as it stands. */
static void decides(const char *schema, const char *text, bool valid) {
    schema_options_t literal = {.literal = true};
    if (is_valid_with(schema, text, NULL) != valid) fail_msg("%s: %s", schema, text);
    if (is_valid_with(schema, text, &literal) != valid) fail_msg("%s: %s, as it stands", schema, text);
}

static void what_is_unevaluated_is_the_same_when_it_is_settled(void **state) {
    (void)state;
    const char *parts = "{\"allOf\":[{\"$ref\":\"#/$defs/a\"},{\"properties\":{\"c\":{\"maxLength\":2}}}],\"properties\":{\"b\":"
                        "{\"minimum\":1}},\"unevaluatedProperties\":{\"type\":\"null\"},\"$defs\":{\"a\":{\"type\":\"object\","
                        "\"required\":[\"a\"],\"properties\":{\"a\":{\"type\":\"integer\"}}}}}";
    decides(parts, "{\"a\":1,\"b\":2,\"c\":\"xy\",\"d\":null}", true);
    decides(parts, "{\"c\":\"xy\",\"d\":null,\"b\":2,\"a\":1.0}", true);
    decides(parts, "{\"a\":1,\"d\":1}", false);
    decides(parts, "{\"a\":1,\"c\":\"xyz\"}", false);
    decides(parts, "{\"b\":1}", false);
    decides(parts, "{\"a\":1.5}", false);
    decides(parts, "[]", false);
    const char *twice = "{\"allOf\":[{\"properties\":{\"a\":{\"minimum\":1}}},{\"properties\":{\"a\":{\"maximum\":3}}}],"
                        "\"unevaluatedProperties\":false}";
    decides(twice, "{\"a\":2}", true);
    decides(twice, "{\"a\":0}", false);
    decides(twice, "{\"a\":4}", false);
    const char *conditional = "{\"if\":{\"properties\":{\"k\":{\"const\":1}},\"required\":[\"k\"]},\"then\":{\"properties\":{\"x\":"
                              "true}},\"properties\":{\"k\":true},\"unevaluatedProperties\":false}";
    decides(conditional, "{\"k\":1,\"x\":1}", true);
    decides(conditional, "{\"k\":2,\"x\":1}", false);
    const char *only_required = "{\"allOf\":[{\"required\":[\"a\"]}],\"unevaluatedProperties\":false}";
    decides(only_required, "{\"a\":1}", false);
    decides("{\"allOf\":[{\"additionalProperties\":true}],\"unevaluatedProperties\":false}", "{\"a\":1}", true);
    decides("{\"patternProperties\":{\"^x\":true},\"unevaluatedProperties\":false}", "{\"x1\":1}", true);
    decides("{\"patternProperties\":{\"^x\":true},\"unevaluatedProperties\":false}", "{\"y1\":1}", false);
    const char *matching = "{\"allOf\":[{\"patternProperties\":{\"^x-\":{\"type\":\"null\"}}}],\"properties\":{\"a\":true},"
                           "\"patternProperties\":{\"^y\":true},\"unevaluatedProperties\":false}";
    decides(matching, "{\"a\":1,\"x-1\":null,\"y\":1}", true);
    decides(matching, "{\"x-1\":1}", false);
    decides(matching, "{\"z\":1}", false);
    const char *items = "{\"$ref\":\"#/$defs/l\",\"prefixItems\":[true],\"unevaluatedItems\":{\"type\":\"string\"},\"$defs\":"
                        "{\"l\":{\"prefixItems\":[true,{\"type\":\"number\"}]}}}";
    decides(items, "[null,1,\"a\",\"b\"]", true);
    decides(items, "[null,1,\"a\",2]", false);
    decides("{\"contains\":{\"const\":1},\"unevaluatedItems\":false}", "[1,1]", true);
    decides("{\"contains\":{\"const\":1},\"unevaluatedItems\":false}", "[1,2]", false);
}

static void bounds_decide_alike_however_they_are_looked_at(void **state) {
    (void)state;
    static const char *const bounds[] = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"};
    static const char *const limits[] = {"0", "1", "-1", "0.5", "-0.5", "1.0", "-2.5", "4503599627370496",
                                         "4503599627370495.5", "-4503599627370497", "9223372036854775807",
                                         "-9223372036854775808", "1e300", "-1e300", "5e-324"};
    for (size_t b = 0; b < ARRAY_LEN(bounds); b++) {
        for (size_t l = 0; l < ARRAY_LEN(limits); l++) {
            char *text = mem_printf("{\"%s\":%s}", bounds[b], limits[l]);
            schema_t *schema = compile_with(text, NULL),
                     *literal = compile_with(text, &(schema_options_t){.literal = true});
            for (size_t v = 0; v < ARRAY_LEN(limits); v++) {
                json_t *value = parse(limits[v]);
                if (schema_valid(schema, value) != schema_valid(literal, value)) fail_msg("%s: %s", text, limits[v]);
                json_decref(value);
            }
            schema_free(schema);
            schema_free(literal);
            free(text);
        }
    }
}

static void a_failure_of_what_is_settled_names_its_keyword(void **state) {
    (void)state;
    schema_t *schema = compile_with("{\"allOf\":[{\"properties\":{\"a\":true}}],\"unevaluatedProperties\":false}", NULL);
    json_t *value = parse("{\"a\":1,\"b\":1}");
    schema_failures_t failures = {0};
    assert_int_equal(schema_validate(schema, value, &failures), 1);
    assert_string_equal(failures.items[0].instance_location, "/b");
    assert_string_equal(failures.items[0].keyword_location, "/unevaluatedProperties");
    schema_failures_free(&failures);
    json_decref(value);
    schema_free(schema);
}

/* ---- Threads ---- */

static void *validate_often(void *context) {
    const schema_t *schema = context;
    json_t *right = parse("{\"a\":\"x1\",\"b\":[1,2,3]}"), *wrong = parse("{\"a\":\"1x\",\"b\":[1,2,2]}");
    size_t errors = 0;
    for (int i = 0; i < 2000; i++) errors += !schema_valid(schema, right) + schema_valid(schema, wrong);
    json_decref(right);
    json_decref(wrong);
    return (void *)errors;
}

static void several_threads_use_one_schema(void **state) {
    (void)state;
    schema_t *schema = compile_with("{\"properties\":{\"a\":{\"pattern\":\"^[a-z]\\\\d$\"},\"b\":{\"uniqueItems\":true}"
                                    "},\"unevaluatedProperties\":false}",
                                    NULL);
    pthread_t threads[4];
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, validate_often, schema), 0);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        void *errors;
        pthread_join(threads[i], &errors);
        assert_null(errors);
    }
    schema_free(schema);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wrong_schema_is_refused_with_its_place_and_the_reason),
        cmocka_unit_test(a_reference_that_leads_nowhere_is_refused),
        cmocka_unit_test(references_in_a_circle_are_refused),
        cmocka_unit_test(a_circle_through_dynamic_references_ends_at_a_limit),
        cmocka_unit_test(keywords_that_no_draft_knows_are_refused_when_strict),
        cmocka_unit_test(each_resource_is_read_by_its_own_draft),
        cmocka_unit_test(remotes_in_memory_and_in_directories_are_found),
        cmocka_unit_test(a_file_finds_those_beside_it),
        cmocka_unit_test(numbers_that_cannot_be_kept_are_refused_when_a_file_is_loaded),
        cmocka_unit_test(failures_tell_where_and_why),
        cmocka_unit_test(failures_of_a_branch_are_forgotten_when_another_holds),
        cmocka_unit_test(failures_are_listed_up_to_a_bound),
        cmocka_unit_test(what_is_unevaluated_is_the_same_when_it_is_settled),
        cmocka_unit_test(bounds_decide_alike_however_they_are_looked_at),
        cmocka_unit_test(a_failure_of_what_is_settled_names_its_keyword),
        cmocka_unit_test(several_threads_use_one_schema),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
