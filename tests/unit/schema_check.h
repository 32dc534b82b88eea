/* What the tests of the schema module share: short ways to say what a schema takes. */
#ifndef ODRADEK_TEST_SCHEMA_CHECK_H
#define ODRADEK_TEST_SCHEMA_CHECK_H

#include "common/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

static inline json_t *parse(const char *text) {
    json_error_t reason;
    json_t *value = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, &reason);
    if (!value) fail_msg("%s: %s", text, reason.text);
    return value;
}

static inline schema_t *compile_with(const char *text, const schema_options_t *options) {
    err_t error;
    json_t *document = parse(text);
    schema_t *schema = schema_compile(document, "test.json", options, &error);
    json_decref(document);
    if (!schema) fail_msg("%s: %s", text, error.text);
    return schema;
}

static inline bool is_valid_with(const char *schema_text, const char *text, const schema_options_t *options) {
    schema_t *schema = compile_with(schema_text, options);
    json_t *value = parse(text);
    schema_failures_t failures = {0};
    bool valid = schema_valid(schema, value);
    assert_int_equal(valid, schema_validate(schema, value, &failures) == 0);
    schema_failures_free(&failures);
    json_decref(value);
    schema_free(schema);
    return valid;
}

static inline void accepts(const char *schema, const char *text) {
    if (!is_valid_with(schema, text, NULL)) fail_msg("%s does not accept %s", schema, text);
}

static inline void rejects(const char *schema, const char *text) {
    if (is_valid_with(schema, text, NULL)) fail_msg("%s accepts %s", schema, text);
}

static inline void refuses_with(const char *text, const schema_options_t *options, const char *message) {
    err_t error = {0};
    json_t *document = parse(text);
    schema_t *schema = schema_compile(document, "test.json", options, &error);
    json_decref(document);
    schema_free(schema);
    if (schema) fail_msg("%s is taken for a schema", text);
    if (!strstr(error.text, message)) fail_msg("%s: %s, where \"%s\" was expected", text, error.text, message);
}

static inline void refuses(const char *text, const char *message) {
    refuses_with(text, NULL, message);
}

static inline void matches(const char *pattern, const char *text, bool expected) {
    json_t *schema_document = json_pack("{s:s}", "pattern", pattern), *value = json_string(text);
    err_t error;
    schema_t *schema = schema_compile(schema_document, NULL, NULL, &error);
    if (!schema) fail_msg("%s", error.text);
    if (schema_valid(schema, value) != expected)
        fail_msg("%s %s %s", pattern, expected ? "does not match" : "matches", text);
    schema_free(schema);
    json_decref(schema_document);
    json_decref(value);
}

#endif
