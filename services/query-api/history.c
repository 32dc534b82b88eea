/* An entity's history: its events as they are in the event store, page by page. */
#include "services/query-api/query_api.h"

#include "common/mem.h"
#include "model/id.h"
#include "model/keys.h"
#include "services/query-api/params.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct reading {
    http_request_t *request;
    const query_route_t *route;
    size_t left;   /* events that the page may still take */
    size_t asked;  /* events that are asked for now: one more than the page still takes, to know of it, or a step */
    int64_t after; /* the last version that was taken, or what the request said */
    strbuf_t body;
} reading_t;

static void reading_free(reading_t *reading) {
    strbuf_free(&reading->body);
    free(reading);
}

static void fail(reading_t *reading, status_t status) {
    http_request_t *request = reading->request;
    reading_free(reading);
    query_answer_failed(request, status, "event store");
}

static void finish(reading_t *reading, bool more) {
    http_request_t *request = reading->request;
    strbuf_t answer = reading->body;
    strbuf_adds(&answer, "],\"next\":");
    if (more)
        strbuf_addi(&answer, reading->after);
    else
        strbuf_adds(&answer, "null");
    strbuf_addc(&answer, '}');
    reading->body = (strbuf_t){0};
    reading_free(reading);
    http_answer_json(request, 200, &answer);
}

static void none(reading_t *reading) {
    http_request_t *request = reading->request;
    reading_free(reading);
    http_problem(request, 404, "not-found", "There is no entity of this id.", NULL);
}

/* An entry is [id, [field, value]]: "<version>-0", and the one field `event`. */
static bool take(reading_t *reading, const redisReply *entry) {
    if (entry->type != REDIS_REPLY_ARRAY || entry->elements != 2 || entry->element[1]->elements < 2) return false;
    const redisReply *event = entry->element[1]->element[1];
    if (reading->body.data[reading->body.len - 1] != '[') strbuf_addc(&reading->body, ',');
    strbuf_add(&reading->body, event->str, event->len);
    reading->after = strtoll(entry->element[0]->str, NULL, 10);
    reading->left--;
    return true;
}

static void ask(reading_t *reading);

static void on_events(lookup_request_t *lookup, status_t status, const err_t *error, void *context) {
    reading_t *reading = context;
    (void)error;
    if (status != STATUS_OK) {
        fail(reading, status);
        return;
    }
    const redisReply *length = lookup_reply(lookup, 0), *entries = lookup_reply(lookup, 1);
    if (length->integer == 0) {
        none(reading);
        return;
    }
    size_t taken = 0;
    while (taken < entries->elements && reading->left > 0 && reading->body.len < QUERY_PAGE_BYTES)
        if (!take(reading, entries->element[taken++])) {
            fail(reading, STATUS_FATAL);
            return;
        }
    if (taken < entries->elements)
        finish(reading, true);
    else if (entries->elements < reading->asked)
        finish(reading, false);
    else
        ask(reading);
}

static void ask(reading_t *reading) {
    const query_route_t *route = reading->route;
    const char *id = http_segment(reading->request, 0);
    int32_t partition = query_partition(route->api, id);
    size_t room = reading->body.len < QUERY_PAGE_BYTES ? reading->left : 0;
    reading->asked = room < QUERY_STEP_ITEMS ? room + 1 : QUERY_STEP_ITEMS;
    key_text_t key;
    char from[32], count[16];
    key_history(key, partition, route->type->name, id);
    snprintf(from, sizeof from, "%" PRId64 "-0", reading->after + 1);
    snprintf(count, sizeof count, "%zu", reading->asked);
    lookup_request_t *lookup = lookup_request_new(on_events, reading);
    lookup_add(lookup, partition, "XLEN", key, NULL);
    lookup_add(lookup, partition, "XRANGE", key, from, "+", "COUNT", count, NULL);
    lookup_submit(route->api->events, lookup);
}

void query_history_handle(http_request_t *request, void *context) {
    query_params_t params;
    if (!id_valid(http_segment(request, 0))) {
        http_problem(request, 404, "not-found", "No entity has such an id.", NULL);
        return;
    }
    if (!query_params_read(request, PARAM_LIMIT | PARAM_AFTER, &params)) return;
    reading_t *reading = mem_zero(1, sizeof *reading);
    reading->request = request;
    reading->route = context;
    reading->left = (size_t)params.limit;
    reading->after = params.after;
    strbuf_adds(&reading->body, "{\"items\":[");
    ask(reading);
}
