/* Only some members of an entity's data. */
#include "services/query-api/fields.h"

#include "common/json.h"
#include "common/mem.h"
#include "services/query-api/params.h"

#include <stdlib.h>
#include <string.h>

static bool named_before(const char *names, json_span_t name) {
    for (const char *at = names; at;) {
        json_span_t other = query_params_name(&at);
        if (other.text == name.text) return false;
        if (other.len == name.len && !memcmp(other.text, name.text, name.len)) return true;
    }
    return false;
}

static void add_member(strbuf_t *out, const char *name, const char *value, size_t len) {
    if (out->data[out->len - 1] != '{') strbuf_addc(out, ',');
    strbuf_add_jsons(out, name);
    strbuf_addc(out, ':');
    strbuf_add(out, value, len);
}

/* A name that its author spelled with escapes is found only by reading all of it. */
static void add_escaped(strbuf_t *out, const char *name, const char *data, size_t len) {
    err_t ignored;
    json_t *object = json_read(data, len, &ignored);
    const json_t *value = json_object_get(object, name);
    strbuf_t text = {0};
    if (value) {
        json_add_value(&text, value);
        add_member(out, name, text.data, text.len);
    }
    strbuf_free(&text);
    json_decref(object);
}

void fields_add(strbuf_t *out, const char *names, const char *data, size_t len) {
    strbuf_addc(out, '{');
    bool escapes = memchr(data, '\\', len);
    for (const char *at = names; at;) {
        json_span_t span = query_params_name(&at), value;
        if (named_before(names, span)) continue;
        char *name = mem_copy(span.text, span.len);
        /* A name in the data is JSON: one with a quote or a backslash in it cannot stand there as it is. */
        bool plain = !strpbrk(name, "\"\\");
        if (plain && json_member_span(data, len, name, &value)) add_member(out, name, value.text, value.len);
        else if (escapes) add_escaped(out, name, data, len);
        free(name);
    }
    strbuf_addc(out, '}');
}
