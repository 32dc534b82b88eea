/* Any JSON as a schema, in any draft: compiled or refused, and then used on itself. */
#include "common/schema.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte: draft, format and strictness; the rest is the schema. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    json_t *document = json_loadb((const char *)data + 1, size - 1, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    if (!document) return 0;
    schema_options_t options = {
        .draft = (schema_draft_t)(data[0] & 3),
        .format = data[0] & 4 ? SCHEMA_FORMAT_ASSERT : SCHEMA_FORMAT_BY_VOCABULARY,
        .strict = data[0] & 8,
        .max_steps = 20000,
    };
    err_t error;
    schema_t *schema = schema_compile(document, data[0] & 16 ? "http://fuzz.test/a/b" : NULL, &options, &error);
    if (schema) {
        schema_failures_t failures = {.max = 20};
        size_t count = schema_validate(schema, document, &failures);
        if (schema_valid(schema, document) != (count == 0)) __builtin_trap();
        schema_failures_free(&failures);
    }
    schema_free(schema);
    json_decref(document);
    return 0;
}
