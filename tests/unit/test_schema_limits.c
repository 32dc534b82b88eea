/* What is hostile ends at a limit of the schema module, and what is right costs little. */
#include "common/mem.h"
#include "tests/unit/schema_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* ---- What is taken of memory ---- */

/* Counts what is asked for, unless a sanitizer has its own allocator. */
static size_t asked_times, asked_bytes;

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#endif
#else
#define SANITIZED
#endif

#ifndef SANITIZED
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);

void *malloc(size_t size) {
    asked_times++;
    asked_bytes += size;
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    asked_times++;
    asked_bytes += count * size;
    return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size) {
    asked_times++;
    asked_bytes += size;
    return __libc_realloc(memory, size);
}
#endif

/* ---- Limits ---- */

static void refused_for(const schema_t *schema, const json_t *value, const char *message) {
    schema_failures_t failures = {0};
    assert_false(schema_valid(schema, value));
    assert_true(schema_validate(schema, value, &failures) >= 1);
    const char *last = failures.items[failures.count - 1].message;
    if (!strstr(last, message)) fail_msg("%s, where \"%s\" was expected", last, message);
    schema_failures_free(&failures);
}

static void a_hostile_pattern_ends_at_a_limit(void **state) {
    (void)state;
    static const char *const patterns[] = {"^(a+)+$",  "^(a|aa)+$",     "^([a-z]+)*[0-9]$",
                                           "(x+x+)+y", "^(?:(a*)*)*b$", "^((a|b)*c|a*)*$"};
    char text[4001];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 2] = '!';
    text[sizeof text - 1] = '\0';
    json_t *value = json_string(text);
    for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
        json_t *document = json_pack("{s:s}", "pattern", patterns[i]);
        for (int literal = 0; literal < 2; literal++) {
            schema_t *schema = schema_compile(document, NULL, &(schema_options_t){.literal = literal}, NULL);
            assert_non_null(schema);
            assert_false(schema_valid(schema, value));
            schema_free(schema);
        }
        json_decref(document);
    }
    schema_t *schema = compile_with("{\"not\":{\"pattern\":\"^(a+)+[^!]$\"}}", NULL);
    refused_for(schema, value, "takes too long to match a pattern"); /* not valid because it cannot be told */
    schema_free(schema);
    json_decref(value);
}

static void a_long_text_matches_without_much_stack(void **state) {
    (void)state;
    char *text = mem_zero(60001, 1);
    memset(text, 'a', 60000);
    matches("^(a|b)*$", text, true);
    matches("^[a-z]+$", text, true);
    free(text);
}

static void branches_that_multiply_end_at_the_limit_of_steps(void **state) {
    (void)state;
    json_t *definitions = json_object(),
           *document = json_pack("{s:s, s:o}", "$ref", "#/$defs/a0", "$defs", definitions);
    for (int i = 0; i < 60; i++) {
        char *name = mem_printf("a%d", i), *next = mem_printf("#/$defs/a%d", i + 1);
        json_object_set_new(definitions, name, json_pack("{s:[{s:s},{s:s}]}", "allOf", "$ref", next, "$ref", next));
        free(name);
        free(next);
    }
    json_object_set_new(definitions, "a60", json_pack("{s:i}", "minimum", 1));
    schema_t *schema = schema_compile(document, NULL, &(schema_options_t){.max_steps = 100000}, NULL);
    assert_non_null(schema);
    json_t *value = json_integer(5);
    refused_for(schema, value, "more steps than are allowed");
    schema_free(schema);
    json_decref(document);
    json_decref(value);
}

static void a_deep_document_ends_at_the_limit_of_depth(void **state) {
    (void)state;
    json_t *value = json_object();
    for (int i = 0; i < 20000; i++) value = json_pack("{s:o}", "a", value);
    schema_t *schema = compile_with("{\"properties\":{\"a\":{\"$ref\":\"#\"}}}", NULL);
    refused_for(schema, value, "nested too deep");
    schema_free(schema);
    schema = compile_with(
        "{\"not\":{\"$ref\":\"#/$defs/a\"},\"$defs\":{\"a\":{\"properties\":{\"a\":{\"$ref\":\"#/$defs/a\"}}}}}", NULL);
    refused_for(schema, value, "nested too deep");
    schema_free(schema);
    while (json_object_size(value) > 0) { /* jansson would free it by nesting as deep */
        json_t *inner = json_incref(json_object_get(value, "a"));
        json_object_clear(value);
        json_decref(value);
        value = inner;
    }
    json_decref(value);
}

static void unique_items_of_a_large_array_are_not_compared_pair_by_pair(void **state) {
    (void)state;
    schema_t *schema = compile_with("{\"uniqueItems\":true}", &(schema_options_t){.max_steps = 2000000});
    json_t *value = json_array();
    for (int i = 0; i < 200000; i++) json_array_append_new(value, json_pack("{s:i, s:s}", "a", i, "b", "text"));
    assert_true(schema_valid(schema, value)); /* within ten steps for each */
    json_array_append_new(value, json_pack("{s:s, s:f}", "b", "text", "a", 77.0));
    refused_for(schema, value, "items 77 and 200000 are equal");
    schema_free(schema);
    json_decref(value);
}

static void unevaluated_members_of_a_large_object_are_found(void **state) {
    (void)state;
    schema_t *schema =
        compile_with("{\"allOf\":[{\"patternProperties\":{\"^a\":true}}],\"unevaluatedProperties\":false}", NULL);
    json_t *value = json_object();
    for (int i = 0; i < 5000; i++) {
        char *name = mem_printf("a%d", i);
        json_object_set_new(value, name, json_null());
        free(name);
    }
    assert_true(schema_valid(schema, value));
    json_object_set_new(value, "b", json_null());
    assert_false(schema_valid(schema, value));
    schema_free(schema);
    json_decref(value);
}

static void valid_documents_are_validated_without_allocation(void **state) {
    (void)state;
    schema_t *schema = compile_with(
        "{\"type\":\"object\",\"allOf\":[{\"$ref\":\"#/$defs/named\"}],\"properties\":{\"lines\":{\"type\":\"array\","
        "\"uniqueItems\":true,\"items\":{\"type\":\"object\",\"required\":[\"n\"],\"properties\":{\"n\":{\"type\":\"integer\","
        "\"minimum\":1},\"tag\":{\"enum\":[\"a\",\"b\"]},\"code\":{\"pattern\":\"^(?:[A-Z]+-?)+$\"}},"
        "\"additionalProperties\":false}},\"kind\":{\"anyOf\":[{\"const\":1},{\"type\":\"string\",\"minLength\":2}]}},"
        "\"patternProperties\":{\"^x-\":{\"type\":[\"string\",\"null\"]}},\"unevaluatedProperties\":false,"
        "\"$defs\":{\"named\":{\"required\":[\"name\"],\"properties\":{\"name\":{\"type\":\"string\",\"format\":\"email\"}}}}}",
        &(schema_options_t){.format = SCHEMA_FORMAT_ASSERT});
    json_t *value = parse("{\"name\":\"a@example.com\",\"lines\":[{\"n\":1,\"tag\":\"a\",\"code\":\"AB-C\"},{\"n\":2.0}],"
                          "\"kind\":\"été\",\"x-a\":null}");
    assert_true(schema_valid(schema, value)); /* what libraries take at first use is taken */
    size_t before = asked_times;
    for (int i = 0; i < 100; i++) assert_true(schema_valid(schema, value));
    assert_int_equal(asked_times, before);
    json_decref(value);
    schema_free(schema);
}

/* A hostile schema with a hostile document; each is text with %s where `part` comes `count` times. */
typedef struct hostile {
    const char *what, *schema, *document, *part;
    unsigned count;
} hostile_t;

static char *repeated(const char *format, const char *part, unsigned count) {
    size_t len = strlen(part);
    char *parts = mem_zero(len * count + 1, 1);
    for (unsigned i = 0; i < count; i++) memcpy(parts + i * len, part, len);
    const char *at = strstr(format, "%s");
    char *text = at ? mem_printf("%.*s%s%s", (int)(at - format), format, parts, at + 2) : mem_string(format);
    free(parts);
    return text;
}

static void costs_little(const hostile_t *hostile) {
    char *document_text = repeated(hostile->document, hostile->part, hostile->count);
    json_t *schema_document = parse(hostile->schema), *document = parse(document_text);
    clock_t began = clock();
    size_t before = asked_bytes;
    schema_t *schema = schema_compile(schema_document, NULL, NULL, NULL);
    if (schema) {
        schema_failures_t failures = {0};
        bool valid = schema_valid(schema, document);
        assert_int_equal(schema_validate(schema, document, &failures) == 0, valid);
        schema_failures_free(&failures);
    }
    double seconds = (double)(clock() - began) / CLOCKS_PER_SEC;
    if (seconds > 20) fail_msg("%s took %g s", hostile->what, seconds); /* most take milliseconds; sanitizers, tenfold */
    if (asked_bytes - before > 128u << 20) fail_msg("%s took %zu bytes", hostile->what, asked_bytes - before);
    schema_free(schema);
    json_decref(document);
    json_decref(schema_document);
    free(document_text);
}

static void what_is_hostile_costs_a_bounded_time_and_memory(void **state) {
    (void)state;
    static const hostile_t cases[] = {
        {"a pattern that goes back and forth", "{\"items\":{\"pattern\":\"^(a+)+$\"}}", "[%s1]",
         "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\",", 2000},
        {"such a pattern for names", "{\"propertyNames\":{\"pattern\":\"^(\\\\w*)*$\"}}", "{\"%s!\":1}", "a", 100000},
        {"a pattern on a long text", "{\"pattern\":\"(.*)*(.*)*x$\"}", "\"%s\"", "a", 1000000},
        {"a pattern that counts high", "{\"pattern\":\"^(?:(?:a{1,99}){1,99}){1,99}$\"}", "\"%sb\"", "a", 10000},
        {"branches within branches",
         "{\"$defs\":{\"a\":{\"anyOf\":[{\"type\":\"string\"},{\"items\":{\"$ref\":\"#/$defs/a\"}},{\"items\":{\"$ref\":"
         "\"#/$defs/a\"}}]}},\"not\":{\"not\":{\"items\":{\"$ref\":\"#/$defs/a\"}}},\"contains\":{\"$ref\":\"#/$defs/a\"}}",
         "[%s]", "[[[[[[[[[[[[[[[[[[[[[[[[1,{}]]]]]]]]]]]]]]]]]]]]]]]]", 1},
        {"objects of which each is asked about all members",
         "{\"items\":{\"patternProperties\":{\"a\":true,\"b\":true,\"c\":true,\"^(a|aa)+$\":true},\"unevaluatedProperties\":"
         "false}}",
         "[%s{}]", "{\"a\":1,\"b\":1,\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\":1},", 5000},
        {"many failures", "{\"items\":{\"enum\":[{\"a\":1}]}}", "[%s1]", "\"text\",", 200000},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) costs_little(&cases[i]);
}

static void a_schema_that_multiplies_is_compiled_in_a_bounded_time(void **state) {
    (void)state;
    json_t *definitions = json_object();
    for (int i = 0; i < 2000; i++) { /* each refers twice to the next, and asks for what is unevaluated */
        char *name = mem_printf("a%d", i), *next = mem_printf("#/$defs/a%d", i + 1), *own = mem_printf("p%d", i);
        json_t *properties = json_pack("{s:{s:s}}", own, "type", "string");
        json_object_set_new(definitions, name,
                            json_pack("{s:[{s:s},{s:s}],s:o,s:b}", "allOf", "$ref", next, "$ref", next, "properties",
                                      properties, "unevaluatedProperties", 0));
        free(name);
        free(next);
        free(own);
    }
    json_object_set_new(definitions, "a2000", json_pack("{s:i}", "minProperties", 1));
    json_t *document = json_pack("{s:s,s:o}", "$ref", "#/$defs/a0", "$defs", definitions), *value = parse("{\"b\":1}");
    clock_t began = clock();
    schema_t *schema = schema_compile(document, NULL, &(schema_options_t){.max_steps = 2000000}, NULL);
    assert_true((double)(clock() - began) / CLOCKS_PER_SEC < 20);
    assert_non_null(schema);
    assert_false(schema_valid(schema, value));
    schema_free(schema);
    json_decref(document);
    json_decref(value);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hostile_pattern_ends_at_a_limit),
        cmocka_unit_test(a_long_text_matches_without_much_stack),
        cmocka_unit_test(branches_that_multiply_end_at_the_limit_of_steps),
        cmocka_unit_test(a_deep_document_ends_at_the_limit_of_depth),
        cmocka_unit_test(unique_items_of_a_large_array_are_not_compared_pair_by_pair),
        cmocka_unit_test(unevaluated_members_of_a_large_object_are_found),
        cmocka_unit_test(valid_documents_are_validated_without_allocation),
        cmocka_unit_test(what_is_hostile_costs_a_bounded_time_and_memory),
        cmocka_unit_test(a_schema_that_multiplies_is_compiled_in_a_bounded_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
