/* One entity as it was at a version or a time, from its history.

   Times never go back within a history, so that the version at a time is found by halving. An entity that was deleted may be
   created again: when it was created is told by the creation before the version that is shown. That is the first of the history
   mostly, or the one that the snapshot tells of; only where it is neither, the events before are read. */
#include "services/query-api/query_api.h"

#include "common/clock.h"
#include "common/mem.h"
#include "model/keys.h"
#include "services/query-api/params.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct past {
    http_request_t *request;
    const query_route_t *route;
    const char *fields;
    bool by_time;
    int64_t at_ms;
    int64_t version;   /* that is shown, once it is known */
    int64_t low, high; /* it is between them, by time; low 0: perhaps there was none yet */
    int64_t before;    /* creations are looked for in the versions before this */
    char *event;       /* of the version */
    size_t event_len;
    char first_time[CLOCK_TEXT_SIZE];
    char created_at[CLOCK_TEXT_SIZE];
} past_t;

static void past_free(past_t *past) {
    free(past->event);
    free(past);
}

static void fail(past_t *past, status_t status) {
    http_request_t *request = past->request;
    past_free(past);
    query_answer_failed(request, status, "event store");
}

static void refuse(past_t *past, int code, const char *type, const char *detail) {
    http_request_t *request = past->request;
    past_free(past);
    http_problem(request, code, type, detail, NULL);
}

/* ---- events ---- */

/* The event of an entry, [id, [field, value]]; text NULL: the store holds something else. */
static json_span_t event_of(const redisReply *entry) {
    if (entry->type != REDIS_REPLY_ARRAY || entry->elements != 2 || entry->element[1]->elements < 2) return (json_span_t){0};
    const redisReply *event = entry->element[1]->element[1];
    return (json_span_t){event->str, event->len};
}

/* The first event of an answer to XRANGE. */
static json_span_t first_of(const redisReply *entries) {
    bool some = entries->type == REDIS_REPLY_ARRAY && entries->elements > 0;
    return some ? event_of(entries->element[0]) : (json_span_t){0};
}

static bool is_verb(const past_t *past, json_span_t event, verb_t verb) {
    const char *name = past->route->type->events[verb];
    json_span_t type;
    return json_member_span(event.text, event.len, "type", &type) && type.len == strlen(name) + 2 &&
           !memcmp(type.text + 1, name, type.len - 2);
}

/* Empty: it has none. */
static void time_of(json_span_t event, char text[CLOCK_TEXT_SIZE]) {
    json_span_t meta, time;
    bool there = json_member_span(event.text, event.len, "meta", &meta) && json_member_span(meta.text, meta.len, "time", &time) &&
                 time.len > 2 && time.len - 2 < CLOCK_TEXT_SIZE;
    snprintf(text, CLOCK_TEXT_SIZE, "%.*s", there ? (int)time.len - 2 : 0, there ? time.text + 1 : "");
}

static int64_t ms_of(const char *time) {
    int64_t ms = 0;
    return clock_parse(time, &ms) ? ms : 0;
}

static void add_range(lookup_request_t *lookup, const past_t *past, const char *command, int64_t from, const char *to,
                      const char *count) {
    const char *id = http_segment(past->request, 0);
    int32_t partition = query_partition(past->route->api, id);
    key_text_t key;
    char first[32];
    key_history(key, partition, past->route->type->name, id);
    snprintf(first, sizeof first, "%" PRId64 "-0", from);
    lookup_add(lookup, partition, command, key, first, to ? to : first, "COUNT", count, NULL);
}

/* ---- the answer ---- */

static void answer(past_t *past) {
    http_request_t *request = past->request;
    json_span_t event = {past->event, past->event_len}, version = {0}, body = {0};
    char updated_at[CLOCK_TEXT_SIZE];
    strbuf_t out = {0};
    time_of(event, updated_at);
    if (!json_member_span(event.text, event.len, "version", &version) || !json_member_span(event.text, event.len, "body", &body)) {
        fail(past, STATUS_FATAL);
        return;
    }
    query_view_t view = {
        .type = past->route->type->name,
        .id = http_segment(request, 0),
        .version = version,
        .created_at = {past->created_at[0] ? past->created_at : NULL, strlen(past->created_at)},
        .updated_at = {updated_at[0] ? updated_at : NULL, strlen(updated_at)},
        .data = body,
    };
    if (!query_view_known(request, version)) {
        strbuf_addc(&out, '{');
        query_view_add(&out, &view, past->fields);
        strbuf_addc(&out, '}');
        http_answer_json(request, 200, &out);
    }
    past_free(past);
}

/* ---- when it was created ---- */

static void ask_before(past_t *past, const char *count);

static void on_before(lookup_request_t *lookup, status_t status, const err_t *error, void *context) {
    past_t *past = context;
    (void)error;
    if (status != STATUS_OK) {
        fail(past, status);
        return;
    }
    const redisReply *entries = lookup_reply(lookup, 0);
    for (size_t i = 0; i < entries->elements && !past->created_at[0]; i++) {
        json_span_t event = event_of(entries->element[i]);
        if (!event.text) break;
        past->before--;
        if (is_verb(past, event, VERB_CREATE)) time_of(event, past->created_at);
    }
    if (past->created_at[0] || past->before <= 1 || entries->elements == 0)
        answer(past);
    else
        ask_before(past, "100");
}

static void ask_before(past_t *past, const char *count) {
    lookup_request_t *lookup = lookup_request_new(on_before, past);
    add_range(lookup, past, "XREVRANGE", past->before - 1, "-", count);
    lookup_submit(past->route->api->events, lookup);
}

/* What a snapshot that has the version tells: where it was created with the history's first event, so was every version of
   it; and what was decided after its creation belongs to it. */
static void take_created_at(past_t *past, const redisReply *snapshot) {
    if (snapshot->type != REDIS_REPLY_ARRAY || snapshot->elements != 2) return;
    const redisReply *version = snapshot->element[0], *created = snapshot->element[1];
    if (version->type != REDIS_REPLY_STRING || created->type != REDIS_REPLY_STRING || created->len >= CLOCK_TEXT_SIZE) return;
    if (strtoll(version->str, NULL, 10) < past->version) return;
    char updated_at[CLOCK_TEXT_SIZE];
    time_of((json_span_t){past->event, past->event_len}, updated_at);
    if (!strcmp(created->str, past->first_time) || ms_of(updated_at) > ms_of(created->str)) strcpy(past->created_at, created->str);
}

/* A snapshot store that is away only makes it longer. */
static void on_snapshot(lookup_request_t *lookup, status_t status, const err_t *error, void *context) {
    past_t *past = context;
    (void)error;
    if (status == STATUS_OK) take_created_at(past, lookup_reply(lookup, 0));
    if (past->created_at[0])
        answer(past);
    else
        ask_before(past, "10");
}

static void find_creation(past_t *past) {
    json_span_t event = {past->event, past->event_len};
    past->before = past->version;
    if (is_verb(past, event, VERB_CREATE)) {
        time_of(event, past->created_at);
        answer(past);
        return;
    }
    const char *id = http_segment(past->request, 0);
    int32_t partition = query_partition(past->route->api, id);
    key_text_t key;
    lookup_request_t *lookup = lookup_request_new(on_snapshot, past);
    key_snapshot(key, partition, past->route->type->name, id);
    lookup_add(lookup, partition, "HMGET", key, "version", "createdAt", NULL);
    lookup_submit(past->route->api->snapshots, lookup);
}

/* ---- the version ---- */

static void on_version(lookup_request_t *lookup, status_t status, const err_t *error, void *context) {
    past_t *past = context;
    (void)error;
    if (status != STATUS_OK) {
        fail(past, status);
        return;
    }
    json_span_t event = first_of(lookup_reply(lookup, 0)), first = first_of(lookup_reply(lookup, 1));
    if (!event.text || !first.text) {
        fail(past, STATUS_FATAL);
        return;
    }
    past->event = mem_copy(event.text, event.len);
    past->event_len = event.len;
    time_of(first, past->first_time);
    if (is_verb(past, event, VERB_DELETE))
        refuse(past, 410, "gone", past->by_time ? "The entity was deleted at that time." : "With that version the entity was deleted.");
    else
        find_creation(past);
}

static void ask_version(past_t *past) {
    lookup_request_t *lookup = lookup_request_new(on_version, past);
    add_range(lookup, past, "XRANGE", past->version, NULL, "1");
    add_range(lookup, past, "XRANGE", 1, NULL, "1");
    lookup_submit(past->route->api->events, lookup);
}

static void halve(past_t *past);

static void on_half(lookup_request_t *lookup, status_t status, const err_t *error, void *context) {
    past_t *past = context;
    char time[CLOCK_TEXT_SIZE];
    (void)error;
    json_span_t event = status == STATUS_OK ? first_of(lookup_reply(lookup, 0)) : (json_span_t){0};
    if (!event.text) {
        fail(past, status == STATUS_OK ? STATUS_FATAL : status);
        return;
    }
    time_of(event, time);
    if (ms_of(time) <= past->at_ms) past->low = past->version;
    else past->high = past->version - 1;
    halve(past);
}

/* The last version up to the time is at low or behind it, and at high or before it. */
static void halve(past_t *past) {
    if (past->low == past->high) {
        past->version = past->low;
        if (past->version == 0) refuse(past, 404, "not-found", "The entity did not exist yet at that time.");
        else ask_version(past);
        return;
    }
    past->version = past->low + (past->high - past->low + 1) / 2;
    lookup_request_t *lookup = lookup_request_new(on_half, past);
    add_range(lookup, past, "XRANGE", past->version, NULL, "1");
    lookup_submit(past->route->api->events, lookup);
}

/* Versions are 1, 2, 3, … without holes, so their number is the last. */
static void on_length(lookup_request_t *lookup, status_t status, const err_t *error, void *context) {
    past_t *past = context;
    (void)error;
    if (status != STATUS_OK) {
        fail(past, status);
        return;
    }
    int64_t last = lookup_reply(lookup, 0)->integer;
    char detail[128];
    snprintf(detail, sizeof detail, "The entity has no version %" PRId64 "; its latest is %" PRId64 ".", past->version, last);
    past->high = last;
    if (last == 0) refuse(past, 404, "not-found", "There is no entity of this id.");
    else if (past->by_time) halve(past);
    else if (past->version > last) refuse(past, 404, "not-found", detail);
    else ask_version(past);
}

void query_past_handle(http_request_t *request, const query_route_t *route, const query_params_t *params) {
    past_t *past = mem_zero(1, sizeof *past);
    past->request = request;
    past->route = route;
    past->fields = params->fields;
    past->by_time = params->given & PARAM_AT;
    past->at_ms = params->at_ms;
    past->version = params->version;
    const char *id = http_segment(request, 0);
    int32_t partition = query_partition(route->api, id);
    key_text_t key;
    key_history(key, partition, route->type->name, id);
    lookup_request_t *lookup = lookup_request_new(on_length, past);
    lookup_add(lookup, partition, "XLEN", key, NULL);
    lookup_submit(route->api->events, lookup);
}
