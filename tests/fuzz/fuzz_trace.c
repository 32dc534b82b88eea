/* Any headers: what is kept of them is bounded, printable, and read again it is the same. */
#include "common/trace.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *text, size_t size) {
    size_t len = strnlen(text, size);
    if (len == size) __builtin_trap();
    for (size_t i = 0; i < len; i++)
        if (text[i] < ' ' || text[i] > '~') __builtin_trap();
}

static void check_all(const trace_t *trace) {
    check(trace->request_id, sizeof trace->request_id);
    check(trace->parent, sizeof trace->parent);
    check(trace->state, sizeof trace->state);
    if (trace->parent[0] && strlen(trace->parent) != TRACE_PARENT_SIZE - 1) __builtin_trap();
    if (trace->state[0] && !trace->parent[0]) __builtin_trap();
    trace_reader_t reader = {0};
    trace_t again;
    for (size_t i = 0; i < TRACE_HEADERS; i++) {
        const char *value = trace_value(trace, i);
        if (value) trace_read_header(&reader, trace_name(i), value, strlen(value));
    }
    trace_read_end(&reader, &again);
    if (strcmp(again.request_id, trace->request_id) != 0 || strcmp(again.parent, trace->parent) != 0 ||
        strcmp(again.state, trace->state) != 0)
        __builtin_trap();
}

/* Lines: the first character says which header, the rest is its value. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    trace_reader_t reader = {0};
    trace_t trace;
    const char *at = (const char *)data, *end = at + size;
    while (at < end) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        if (!line_end) line_end = end;
        size_t len = (size_t)(line_end - at);
        if (len > 0) trace_read_header(&reader, trace_name((unsigned char)*at % TRACE_HEADERS), at + 1, len - 1);
        at = line_end + 1;
    }
    trace_read_end(&reader, &trace);
    check_all(&trace);
    trace_enter(&trace, 0);
    if (!trace.request_id[0] || !trace.parent[0]) __builtin_trap();
    check_all(&trace);
    return 0;
}
