/* A list of a type's entities, page by page, in order of id.

       parameters ──▶ index of every partition ──▶ merge: the page's ids ──▶ snapshots, some at a time ──▶ answer

   A page begins behind the last id of the page before it. So what is written meanwhile moves nothing: an entity that
   stays as it is comes once, wherever others appear or vanish. */
#include "services/query-api/query_api.h"

#include "common/mem.h"
#include "model/keys.h"
#include "services/query-api/cursor.h"
#include "services/query-api/page.h"
#include "services/query-api/params.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct listing {
    http_request_t *request;
    const query_route_t *route;
    bool descending;
    size_t limit;
    char after[ID_SIZE]; /* empty: from the beginning */
    char **ids;          /* of the page */
    size_t count;
    size_t read; /* of them, so far */
    size_t step; /* those that are asked for now */
    bool more;   /* behind the page */
    strbuf_t body;
} listing_t;

static void listing_free(listing_t *listing) {
    for (size_t i = 0; i < listing->count; i++) free(listing->ids[i]);
    free(listing->ids);
    strbuf_free(&listing->body);
    free(listing);
}

static void fail(listing_t *listing, status_t status) {
    http_request_t *request = listing->request;
    listing_free(listing);
    query_answer_failed(request, status, "snapshot store");
}

/* ---- the snapshots ---- */

static void finish(listing_t *listing) {
    strbuf_t *body = &listing->body;
    strbuf_adds(body, "],\"next\":");
    if (listing->more || listing->read < listing->count) {
        cursor_t cursor = {.descending = listing->descending};
        snprintf(cursor.type, sizeof cursor.type, "%s", listing->route->type->name);
        snprintf(cursor.id, sizeof cursor.id, "%s", listing->ids[listing->read - 1]);
        strbuf_addc(body, '"');
        cursor_encode(body, &cursor);
        strbuf_adds(body, "\"}");
    } else {
        strbuf_adds(body, "null}");
    }
    http_request_t *request = listing->request;
    strbuf_t answer = *body;
    *body = (strbuf_t){0};
    listing_free(listing);
    http_answer_json(request, 200, &answer);
}

static void ask_snapshots(listing_t *listing);

/* One that was deleted since the index was read is left out. */
static void on_snapshots(lookup_request_t *lookup, status_t status, const err_t *error, void *context) {
    listing_t *listing = context;
    (void)error;
    if (status != STATUS_OK) {
        fail(listing, status);
        return;
    }
    for (size_t i = 0; i < listing->step && listing->body.len < QUERY_PAGE_BYTES; i++) {
        const redisReply *snapshot = lookup_reply(lookup, i);
        const char *id = listing->ids[listing->read++];
        if (query_entity_found(snapshot) != QUERY_LIVE) continue;
        if (listing->body.data[listing->body.len - 1] != '[') strbuf_addc(&listing->body, ',');
        query_entity_add(&listing->body, listing->route->type->name, id, snapshot);
    }
    if (listing->read < listing->count && listing->body.len < QUERY_PAGE_BYTES)
        ask_snapshots(listing);
    else
        finish(listing);
}

static void ask_snapshots(listing_t *listing) {
    const query_route_t *route = listing->route;
    size_t left = listing->count - listing->read;
    listing->step = left < QUERY_STEP_ITEMS ? left : QUERY_STEP_ITEMS;
    lookup_request_t *lookup = lookup_request_new(on_snapshots, listing);
    for (size_t i = 0; i < listing->step; i++) {
        const char *id = listing->ids[listing->read + i];
        int32_t partition = query_partition(route->api, id);
        key_text_t key;
        key_snapshot(key, partition, route->type->name, id);
        lookup_add(lookup, partition, "HMGET", key, QUERY_SNAPSHOT_FIELDS, NULL);
    }
    lookup_submit(route->api->snapshots, lookup);
}

/* ---- the index ---- */

static void take_ids(listing_t *listing, lookup_request_t *lookup) {
    size_t partitions = (size_t)listing->route->api->settings->partitions;
    redisReply **replies = mem_zero(partitions, sizeof(redisReply *));
    const char **ids = mem_zero(listing->limit, sizeof *ids);
    for (size_t i = 0; i < partitions; i++) replies[i] = lookup_reply(lookup, i);
    listing->count = page_merge(replies, partitions, listing->descending, ids, listing->limit, &listing->more);
    listing->ids = mem_zero(listing->count, sizeof *listing->ids);
    for (size_t i = 0; i < listing->count; i++) listing->ids[i] = mem_string(ids[i]);
    free(ids);
    free(replies);
}

static void on_index(lookup_request_t *lookup, status_t status, const err_t *error, void *context) {
    listing_t *listing = context;
    (void)error;
    if (status != STATUS_OK) {
        fail(listing, status);
        return;
    }
    take_ids(listing, lookup);
    strbuf_adds(&listing->body, "{\"items\":[");
    if (listing->count > 0)
        ask_snapshots(listing);
    else
        finish(listing);
}

/* One more than the page has of each partition: so that it is known whether there is more. */
static void ask_index(listing_t *listing) {
    const query_api_t *api = listing->route->api;
    char from[ID_SIZE + 1], count[16];
    snprintf(from, sizeof from, "(%s", listing->after);
    if (!listing->after[0]) snprintf(from, sizeof from, "%s", listing->descending ? "+" : "-");
    snprintf(count, sizeof count, "%zu", listing->limit + 1);
    lookup_request_t *lookup = lookup_request_new(on_index, listing);
    for (int32_t partition = 0; partition < api->settings->partitions; partition++) {
        key_text_t key;
        key_index(key, partition, listing->route->type->name, "id");
        lookup_add(lookup, partition, listing->descending ? "ZREVRANGEBYLEX" : "ZRANGEBYLEX", key, from,
                   listing->descending ? "-" : "+", "LIMIT", "0", count, NULL);
    }
    lookup_submit(api->snapshots, lookup);
}

/* ---- GET /entries ---- */

/* A cursor brings its order with it; one that is given too must be the same. */
static bool take_cursor(listing_t *listing, const query_params_t *params) {
    cursor_t cursor;
    if (!params->cursor) return true;
    if (!cursor_decode(params->cursor, &cursor) || strcmp(cursor.type, listing->route->type->name)) return false;
    if ((params->given & PARAM_ORDER) && params->descending != cursor.descending) return false;
    listing->descending = cursor.descending;
    memcpy(listing->after, cursor.id, sizeof listing->after);
    return true;
}

void query_list_handle(http_request_t *request, void *context) {
    query_params_t params;
    if (!query_params_read(request, PARAM_LIMIT | PARAM_CURSOR | PARAM_ORDER, &params)) return;
    listing_t *listing = mem_zero(1, sizeof *listing);
    listing->request = request;
    listing->route = context;
    listing->limit = (size_t)params.limit;
    listing->descending = params.descending;
    if (take_cursor(listing, &params)) {
        ask_index(listing);
        return;
    }
    listing_free(listing);
    http_problem(request, 400, "invalid-cursor", "The cursor is none of this list and order.", NULL);
}
