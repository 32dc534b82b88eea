/* Small helpers on jansson, and on the bytes of a document. */
#include "common/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { READ_FLAGS = JSON_DECODE_ANY | JSON_REJECT_DUPLICATES };

static json_t *read(const char *text, size_t len, size_t flags, err_t *error) {
    json_error_t why;
    json_t *value = json_loadb(text, len, flags, &why);
    if (!value) err_set(error, STATUS_FATAL, "line %d, column %d: %s", why.line, why.column, why.text);
    return value;
}

json_t *json_read(const char *text, size_t len, err_t *error) {
    return read(text, len, READ_FLAGS, error);
}

bool json_well_formed(const char *text, size_t len, err_t *error) {
    json_t *value = read(text, len, JSON_DECODE_ANY, error);
    json_decref(value);
    return value != NULL;
}

json_t *json_read_file(const char *path, err_t *error) {
    json_error_t why;
    json_t *value = json_load_file(path, READ_FLAGS, &why);
    if (value) return value;
    if (json_error_code(&why) == json_error_cannot_open_file)
        err_set(error, STATUS_FATAL, "%s: %s", path, strerror(errno));
    else
        err_set(error, STATUS_FATAL, "%s:%d:%d: %s", path, why.line, why.column, why.text);
    return NULL;
}

const char *json_text(const json_t *object, const char *key) {
    return json_string_value(json_object_get(object, key));
}

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static const char *skip_space(const char *p, const char *end) {
    while (p < end && is_space(*p)) p++;
    return p;
}

/* Behind the string that begins at `p`. */
static const char *skip_string(const char *p, const char *end) {
    for (p++; p < end && *p != '"'; p++)
        if (*p == '\\') p++;
    return p < end ? p + 1 : end;
}

/* Behind the value that begins at `p`. */
static const char *skip_value(const char *p, const char *end) {
    for (int depth = 0; p < end;) {
        if (*p == '"') {
            p = skip_string(p, end);
            if (depth == 0) return p;
            continue;
        }
        if (*p == '{' || *p == '[') depth++;
        if ((*p == '}' || *p == ']') && --depth <= 0) return depth < 0 ? p : p + 1;
        if (depth == 0 && (*p == ',' || is_space(*p))) return p;
        p++;
    }
    return end;
}

bool json_member_span(const char *text, size_t len, const char *key, json_span_t *span) {
    const char *end = text + len, *p = skip_space(text, end);
    size_t key_len = strlen(key);
    if (p == end || *p != '{') return false;
    for (p = skip_space(p + 1, end); p < end && *p == '"'; p = skip_space(p + 1, end)) {
        const char *name = p + 1, *name_end = skip_string(p, end);
        bool found = (size_t)(name_end - 1 - name) == key_len && !memcmp(name, key, key_len);
        const char *value = skip_space(skip_space(name_end, end) + 1, end); /* behind the colon */
        p = skip_value(value, end);
        if (found) {
            *span = (json_span_t){value, (size_t)(p - value)};
            return true;
        }
        p = skip_space(p, end);
        if (p == end || *p != ',') return false;
    }
    return false;
}

bool json_next_element(const char **at, const char *end, json_span_t *span) {
    const char *p = skip_space(*at, end);
    if (p == end || *p == ']') return false;
    p = skip_space(p + 1, end); /* behind the bracket, or the comma */
    if (p == end || *p == ']') return false;
    *at = skip_value(p, end);
    *span = (json_span_t){p, (size_t)(*at - p)};
    return true;
}

void json_add_compact(strbuf_t *out, const char *text, size_t len) {
    const char *p = text, *end = text + len, *run = text;
    while (p < end) {
        if (*p == '"') {
            p = skip_string(p, end);
        } else if (is_space(*p)) {
            strbuf_add(out, run, (size_t)(p - run));
            p = run = skip_space(p, end);
        } else {
            p++;
        }
    }
    strbuf_add(out, run, (size_t)(end - run));
}

static void add_real(strbuf_t *out, double value) {
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value) break;
    }
    strbuf_adds(out, text);
    /* 3.0 must not become the integer 3. */
    if (!strpbrk(text, ".e")) strbuf_adds(out, ".0");
}

static void add_object(strbuf_t *out, const json_t *object) {
    const char *key, *comma = "";
    json_t *value;
    strbuf_addc(out, '{');
    json_object_foreach((json_t *)object, key, value) {
        strbuf_adds(out, comma);
        strbuf_add_jsons(out, key);
        strbuf_addc(out, ':');
        json_add_value(out, value);
        comma = ",";
    }
    strbuf_addc(out, '}');
}

static void add_array(strbuf_t *out, const json_t *array) {
    strbuf_addc(out, '[');
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (i > 0) strbuf_addc(out, ',');
        json_add_value(out, json_array_get(array, i));
    }
    strbuf_addc(out, ']');
}

void json_add_value(strbuf_t *out, const json_t *value) {
    switch (json_typeof(value)) {
    case JSON_OBJECT: add_object(out, value); break;
    case JSON_ARRAY: add_array(out, value); break;
    case JSON_STRING: strbuf_add_json(out, json_string_value(value), json_string_length(value)); break;
    case JSON_INTEGER: strbuf_addi(out, json_integer_value(value)); break;
    case JSON_REAL: add_real(out, json_real_value(value)); break;
    case JSON_TRUE: strbuf_adds(out, "true"); break;
    case JSON_FALSE: strbuf_adds(out, "false"); break;
    case JSON_NULL: strbuf_adds(out, "null"); break;
    }
}
