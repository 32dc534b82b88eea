/* The events that came last. */
#include "services/query-api/ring.h"

#include "common/json.h"
#include "common/mem.h"
#include "common/strbuf.h"

#include <stdlib.h>
#include <string.h>

enum { EVENTS_MAX = 16384 };

/* A string's text without its quotes; an escaped one is none that we look for. */
static bool plain(const char *record, size_t len, const char *key, json_span_t *span) {
    if (!json_member_span(record, len, key, span) || span->len < 3 || span->text[0] != '"') return false;
    span->text++;
    span->len -= 2;
    return !memchr(span->text, '\\', span->len);
}

/* The digits that a value begins with. */
static int64_t number(const json_span_t *span) {
    int64_t value = 0;
    for (size_t i = 0; i < span->len && span->text[i] >= '0' && span->text[i] <= '9' && value < INT64_MAX / 100; i++)
        value = value * 10 + (span->text[i] - '0');
    return value;
}

/* Ends of lines can be between a record's tokens only: there a line of data ends as well. */
static void add_data(strbuf_t *out, const char *record, size_t len) {
    const char *end = record + len;
    while (record < end) {
        size_t line = 0;
        while (record + line < end && record[line] != '\n' && record[line] != '\r') line++;
        strbuf_adds(out, "data: ");
        strbuf_add(out, record, line);
        strbuf_addc(out, '\n');
        record += line + 1;
    }
}

ring_event_t *ring_event_new(const types_t *types, const char *record, size_t len, const char *position) {
    json_span_t type, id, version;
    if (!record || !plain(record, len, "type", &type) || !plain(record, len, "id", &id) ||
        !json_member_span(record, len, "version", &version))
        return NULL;
    int kind = sieve_kind(types, type.text, type.len);
    if (kind == SIEVE_UNKNOWN) return NULL;
    strbuf_t text = {0};
    strbuf_adds(&text, "event: ");
    strbuf_add(&text, type.text, type.len);
    strbuf_addc(&text, '\n');
    add_data(&text, record, len);
    strbuf_addc(&text, '\n');
    size_t position_size = strlen(position) + 1, bytes = sizeof(ring_event_t) + id.len + 1 + position_size + text.len;
    ring_event_t *event = mem_alloc(bytes);
    *event = (ring_event_t){
        .references = 1,
        .kind = kind,
        .version = number(&version),
        .entity = (char *)(event + 1),
        .len = text.len,
        .bytes = bytes,
    };
    memcpy(event->entity, id.text, id.len);
    event->entity[id.len] = '\0';
    event->position = event->entity + id.len + 1;
    memcpy(event->position, position, position_size);
    event->text = event->position + position_size;
    memcpy(event->text, text.data, text.len);
    strbuf_free(&text);
    return event;
}

ring_event_t *ring_event_hold(ring_event_t *event) {
    event->references++;
    return event;
}

void ring_event_release(ring_event_t *event) {
    if (event && --event->references == 0) free(event);
}

void ring_open(ring_t *ring, int partitions, size_t bytes_max) {
    *ring = (ring_t){.partitions = partitions, .bytes_max = bytes_max};
    ring->oldest = mem_zero((size_t)partitions, sizeof *ring->oldest);
    ring->next = mem_zero((size_t)partitions, sizeof *ring->next);
    ring->events = mem_zero(EVENTS_MAX, sizeof *ring->events);
}

ring_event_t *ring_at(const ring_t *ring, uint64_t number) {
    return ring->events[number % EVENTS_MAX];
}

static void drop_first(ring_t *ring) {
    ring_event_t *event = ring_at(ring, ring->first++);
    ring->bytes -= event->bytes;
    ring->oldest[event->partition] = event->offset + 1;
    ring_event_release(event);
}

void ring_reset(ring_t *ring, const int64_t *next) {
    while (ring->first < ring->end) drop_first(ring);
    memcpy(ring->oldest, next, (size_t)ring->partitions * sizeof *next);
    memcpy(ring->next, next, (size_t)ring->partitions * sizeof *next);
}

void ring_close(ring_t *ring) {
    if (!ring->events) return;
    while (ring->first < ring->end) drop_first(ring);
    free(ring->oldest);
    free(ring->next);
    free(ring->events);
}

void ring_add(ring_t *ring, ring_event_t *event) {
    while (ring->first < ring->end &&
           (ring->end - ring->first == EVENTS_MAX || ring->bytes + event->bytes > ring->bytes_max))
        drop_first(ring);
    ring->events[ring->end++ % EVENTS_MAX] = event;
    ring->bytes += event->bytes;
    ring->next[event->partition] = event->offset + 1;
}
