/* Collects the failures of a run. Paths are written backwards, from the failure up to the root, as the run returns;
   they are turned round at the end. */
#include "common/mem.h"
#include "common/schema_internal.h"
#include "common/strbuf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct record {
    strbuf_t instance, keyword; /* JSON pointers, backwards */
    uint32_t place;
    keyword_t own; /* KEYWORD_COUNT: the schema as such */
    char *message;
} record_t;

struct trace {
    LIST(record_t) records;
    size_t max;
    bool full;
};

trace_t *schema_trace_new(size_t max) {
    trace_t *trace = mem_zero(1, sizeof *trace);
    trace->max = max;
    return trace;
}

size_t schema_trace_count(const trace_t *trace) {
    return trace->records.count;
}

bool schema_trace_full(const trace_t *trace) {
    return trace->records.count >= trace->max;
}

static void add_backwards(strbuf_t *path, const char *text, size_t len) {
    for (size_t i = len; i-- > 0;) {
        if (text[i] == '~' || text[i] == '/') {
            strbuf_addc(path, text[i] == '~' ? '0' : '1');
            strbuf_addc(path, '~');
        } else {
            strbuf_addc(path, text[i]);
        }
    }
    strbuf_addc(path, '/');
}

static void add_step(strbuf_t *path, const step_t *step) {
    char digits[24];
    if (step->text.data)
        add_backwards(path, step->text.data, step->text.len);
    else
        add_backwards(path, digits, (size_t)snprintf(digits, sizeof digits, "%zu", step->index));
}

static void record(trace_t *trace, const block_t *block, keyword_t keyword, const step_t *member, const char *format,
                   va_list args) {
    if (schema_trace_full(trace)) return;
    char message[512];
    vsnprintf(message, sizeof message, format, args);
    record_t *added = LIST_ADD(&trace->records);
    added->place = block->place;
    added->own = keyword;
    added->message = mem_string(message);
    if (member) add_step(&added->instance, member);
    if (keyword < KEYWORD_COUNT)
        add_backwards(&added->keyword, schema_keywords[keyword].name, strlen(schema_keywords[keyword].name));
}

bool schema_fail(run_t *run, const block_t *block, const op_t *op, const char *format, ...) {
    va_list args;
    va_start(args, format);
    record(run->trace, block, op ? op->keyword : KEYWORD_COUNT, NULL, format, args);
    va_end(args);
    return false;
}

bool schema_fail_at(run_t *run, const block_t *block, keyword_t keyword, const step_t *member, const char *format,
                    ...) {
    va_list args;
    va_start(args, format);
    record(run->trace, block, keyword, member, format, args);
    va_end(args);
    return false;
}

bool schema_climb(run_t *run, size_t mark, keyword_t keyword, const step_t *sub, const step_t *member) {
    trace_t *trace = run->trace;
    for (size_t i = mark; i < trace->records.count; i++) {
        record_t *one = &trace->records.items[i];
        if (member) add_step(&one->instance, member);
        if (sub) add_step(&one->keyword, sub);
        add_backwards(&one->keyword, schema_keywords[keyword].name, strlen(schema_keywords[keyword].name));
    }
    return !schema_trace_full(trace);
}

static void free_record(record_t *one) {
    strbuf_free(&one->instance);
    strbuf_free(&one->keyword);
    free(one->message);
}

void schema_trace_forget(trace_t *trace, size_t mark) {
    while (trace->records.count > mark) free_record(&trace->records.items[--trace->records.count]);
}

static char *turn_round(strbuf_t *path) {
    for (size_t i = 0; i < path->len / 2; i++) {
        char c = path->data[i];
        path->data[i] = path->data[path->len - 1 - i];
        path->data[path->len - 1 - i] = c;
    }
    return strbuf_steal(path);
}

static char *absolute_location(const schema_t *schema, const record_t *one) {
    const resource_t *resource = &schema->resources.items[schema->places.items[one->place].resource];
    char *pointer = schema_place_pointer(schema, one->place, true);
    strbuf_t out = {0};
    strbuf_adds(&out, resource->uri);
    strbuf_addc(&out, '#');
    for (const char *p = pointer; *p; p++) {
        bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
                     strchr("/-._~!$&'()*+,;=:@?", *p);
        strbuf_addf(&out, plain ? "%c" : "%%%02X", (unsigned char)*p);
    }
    if (one->own < KEYWORD_COUNT) strbuf_addf(&out, "/%s", schema_keywords[one->own].name);
    free(pointer);
    return strbuf_steal(&out);
}

void schema_trace_finish(trace_t *trace, const schema_t *schema, schema_failures_t *out) {
    out->count = trace->records.count;
    out->items = out->count ? mem_zero(out->count, sizeof *out->items) : NULL;
    out->truncated = schema_trace_full(trace);
    for (size_t i = 0; i < out->count; i++) {
        record_t *one = &trace->records.items[i];
        out->items[i] = (schema_failure_t){
            .instance_location = turn_round(&one->instance),
            .keyword_location = turn_round(&one->keyword),
            .absolute_location = absolute_location(schema, one),
            .keyword = one->own < KEYWORD_COUNT ? schema_keywords[one->own].name : "",
            .message = one->message,
        };
    }
    free(trace->records.items);
    free(trace);
}

typedef struct excerpt {
    char *text;
    size_t len, size;
} excerpt_t;

static int add_excerpt(const char *data, size_t len, void *context) {
    excerpt_t *excerpt = context;
    size_t room = excerpt->size - excerpt->len - 1;
    if (len > room) len = room;
    memcpy(excerpt->text + excerpt->len, data, len);
    excerpt->len += len;
    return len == room ? -1 : 0; /* enough: stops the writing */
}

const char *schema_excerpt(const json_t *value, char *text, size_t size) {
    excerpt_t excerpt = {text, 0, size};
    bool whole =
        json_dump_callback(value, add_excerpt, &excerpt, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(16)) == 0;
    size_t len = excerpt.len;
    if (!whole && len > 4) {
        len -= 3;
        while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80) len--; /* not within a character */
        memcpy(text + len, "...", 3);
        len += 3;
    }
    text[len] = '\0';
    return text;
}

const char *schema_type_name(const json_t *value) {
    static const char *const names[] = {
        [JSON_OBJECT] = "object", [JSON_ARRAY] = "array",  [JSON_STRING] = "string", [JSON_INTEGER] = "integer",
        [JSON_REAL] = "number",   [JSON_TRUE] = "boolean", [JSON_FALSE] = "boolean", [JSON_NULL] = "null",
    };
    return names[json_typeof(value)];
}
