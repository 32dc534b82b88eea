/* What stands for the value of a unique member. */
#include "model/unique.h"

#include "common/json.h"
#include "common/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add_value(strbuf_t *out, const json_t *value);

static void add_real(strbuf_t *out, double value) {
    char text[40];
    /* What an integer of jansson's can be is written as one; what is larger no integer equals. */
    if (value >= -0x1p63 && value < 0x1p63 && floor(value) == value) {
        strbuf_addi(out, (int64_t)value);
        return;
    }
    snprintf(text, sizeof text, "%.17g", value);
    strbuf_adds(out, text);
}

static int compare_keys(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add_object(strbuf_t *out, const json_t *object) {
    size_t count = json_object_size(object), at = 0;
    const char **keys = mem_zero(count + 1, sizeof *keys), *key;
    json_t *member;
    json_object_foreach((json_t *)object, key, member) keys[at++] = key;
    qsort(keys, count, sizeof *keys, compare_keys);
    strbuf_addc(out, '{');
    for (size_t i = 0; i < count; i++) {
        if (i > 0) strbuf_addc(out, ',');
        strbuf_add_jsons(out, keys[i]);
        strbuf_addc(out, ':');
        add_value(out, json_object_get(object, keys[i]));
    }
    strbuf_addc(out, '}');
    free(keys);
}

static void add_array(strbuf_t *out, const json_t *array) {
    strbuf_addc(out, '[');
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (i > 0) strbuf_addc(out, ',');
        add_value(out, json_array_get(array, i));
    }
    strbuf_addc(out, ']');
}

static void add_value(strbuf_t *out, const json_t *value) {
    switch (json_typeof(value)) {
    case JSON_OBJECT: add_object(out, value); break;
    case JSON_ARRAY: add_array(out, value); break;
    case JSON_REAL: add_real(out, json_real_value(value)); break;
    default: json_add_value(out, value); break;
    }
}

void unique_digest(const json_t *value, char digest[UNIQUE_DIGEST_SIZE]) {
    strbuf_t canonical = {0};
    add_value(&canonical, value);
    digest_text(canonical.data, canonical.len, digest);
    strbuf_free(&canonical);
}
