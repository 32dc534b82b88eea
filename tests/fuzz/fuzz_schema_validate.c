/* A schema and a document that come together: the two ways to validate must agree, and so must the schema compiled as
   it stands and as it is for speed, and a document and its copy in the other order of members. */
#include "common/schema.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static json_t *turned(json_t *object) {
    json_t *other = json_object();
    const char *names[16];
    size_t count = 0;
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value) {
        if (count < 16) names[count++] = key;
    }
    while (count-- > 0) json_object_set(other, names[count], json_object_get(object, names[count]));
    return other;
}

/* Which work is done, and so how soon a limit is reached, may differ. */
static bool reached_limit(const schema_failures_t *failures) {
    for (size_t i = 0; i < failures->count; i++) {
        if (strstr(failures->items[i].message, "than are allowed") || strstr(failures->items[i].message, "too "))
            return true;
    }
    return false;
}

static void check_literally(const schema_t *literal, const json_t *document, bool valid) {
    schema_failures_t failures = {.max = 100};
    bool also = schema_validate(literal, document, &failures) == 0;
    if (also != valid && !reached_limit(&failures)) __builtin_trap();
    schema_failures_free(&failures);
}

static void check(const schema_t *schema, const schema_t *literal, json_t *document) {
    schema_failures_t failures = {.max = 10};
    bool valid = schema_valid(schema, document);
    if (valid != (schema_validate(schema, document, &failures) == 0)) __builtin_trap();
    if (valid || !reached_limit(&failures)) check_literally(literal, document, valid);
    for (size_t i = 0; i < failures.count; i++) {
        const schema_failure_t *failure = &failures.items[i];
        if (!failure->message || !failure->absolute_location || !failure->keyword) __builtin_trap();
        if (failure->instance_location[0] && failure->instance_location[0] != '/') __builtin_trap();
    }
    schema_failures_free(&failures);
    if (!json_is_object(document) || json_object_size(document) > 16) return;
    json_t *other = turned(document);
    if (schema_valid(schema, other) != valid) __builtin_trap();
    json_decref(other);
}

/* The first byte: draft and format; then an array of a schema and documents. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    json_t *input = json_loadb((const char *)data + 1, size - 1, JSON_ALLOW_NUL, NULL);
    schema_options_t options = {
        .draft = (schema_draft_t)(data[0] & 3),
        .format = data[0] & 4 ? SCHEMA_FORMAT_ASSERT : SCHEMA_FORMAT_BY_VOCABULARY,
        .max_steps = 1000000,
    };
    schema_t *schema =
        json_array_size(input) > 1 ? schema_compile(json_array_get(input, 0), NULL, &options, NULL) : NULL;
    options.literal = true;
    schema_t *literal = schema ? schema_compile(json_array_get(input, 0), NULL, &options, NULL) : NULL;
    if (schema && !literal) __builtin_trap();
    for (size_t i = 1; schema && i < json_array_size(input) && i < 5; i++)
        check(schema, literal, json_array_get(input, i));
    schema_free(literal);
    schema_free(schema);
    json_decref(input);
    return 0;
}
