/* A list of a type's entities, page by page: in order of id or of a member that is indexed, all or those that pass filters.

       parameters ──▶ count, choice of a filter ──▶ walk: the page's ids ──▶ snapshots, some at a time ──▶ what they link to ──▶ answer

   A page begins behind the last one of the page before it, wherever others appear or vanish (walk.h). It ends before its limit
   where it has become large, or where many had to be looked at for few: so no request goes on for ever. */
#include "services/query-api/query_api.h"

#include "common/mem.h"
#include "services/query-api/count.h"
#include "services/query-api/cursor.h"
#include "services/query-api/include.h"
#include "services/query-api/params.h"
#include "services/query-api/walk.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOOK_MOST = 10000 }; /* members that a page looks at */

typedef struct listing {
    http_request_t *request;
    const query_route_t *route;
    cursor_t at; /* which list it is, and where the page begins */
    size_t limit;
    const char *fields;
    include_t *include; /* NULL: nothing */
    bool count;
    int64_t total; /* where it is counted */
    walk_t walk;
    size_t items; /* that are on the page: of those found, without those behind its limit */
    size_t read;  /* of them, so far */
    size_t step;  /* those that are asked for now */
    strbuf_t body;
} listing_t;

static void listing_free(listing_t *listing) {
    walk_free(&listing->walk);
    include_free(listing->include);
    strbuf_free(&listing->body);
    free(listing);
}

static void fail(listing_t *listing, status_t status) {
    http_request_t *request = listing->request;
    listing_free(listing);
    query_answer_failed(request, status, "snapshot store");
}

static void refuse(listing_t *listing, const char *type, const char *detail) {
    http_request_t *request = listing->request;
    listing_free(listing);
    http_problem(request, 400, type, detail, NULL);
}

/* ---- the answer ---- */

/* Puts the cursor behind the page's last; false: it is the list's last, too. */
static bool move_on(listing_t *listing) {
    const walk_t *walk = &listing->walk;
    if (listing->read < walk->found_count) {
        const walk_found_t *last = &walk->found[listing->read - 1];
        snprintf(listing->at.value, sizeof listing->at.value, "%s", last->value);
        memcpy(listing->at.id, last->id, sizeof listing->at.id);
        return true;
    }
    memcpy(listing->at.value, walk->value, sizeof listing->at.value);
    memcpy(listing->at.id, walk->id, sizeof listing->at.id);
    return !walk->ended;
}

static void finish(listing_t *listing) {
    strbuf_t *body = &listing->body;
    strbuf_addc(body, ']');
    if (listing->include) include_add(listing->include, body);
    if (listing->count && listing->total == COUNT_UNKNOWN) strbuf_adds(body, ",\"count\":null");
    else if (listing->count) strbuf_addf(body, ",\"count\":%" PRId64, listing->total);
    strbuf_adds(body, ",\"next\":");
    if (move_on(listing)) {
        strbuf_addc(body, '"');
        cursor_encode(body, &listing->at);
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

static void on_included(status_t status, void *context) {
    listing_t *listing = context;
    if (status == STATUS_OK) finish(listing);
    else fail(listing, status);
}

/* ---- the snapshots ---- */

/* Whether it is there still, and still is what was looked for. */
static bool belongs(const listing_t *listing, const redisReply *snapshot) {
    if (query_entity_found(snapshot) != QUERY_LIVE) return false;
    json_span_t entries = query_entity_entries(snapshot);
    return filter_pass(&listing->at.filters, NULL, entries.text ? entries.text : "", entries.len);
}

static void add_item(listing_t *listing, const char *id, const redisReply *snapshot) {
    if (listing->body.data[listing->body.len - 1] != '[') strbuf_addc(&listing->body, ',');
    query_entity_add(&listing->body, listing->route->type->name, id, snapshot, listing->fields);
    json_span_t data = query_entity_data(snapshot);
    if (listing->include && data.text) include_take(listing->include, data.text, data.len);
}

static void go_on(listing_t *listing);

static void on_snapshots(lookup_request_t *lookup, status_t status, const err_t *error, void *context) {
    listing_t *listing = context;
    (void)error;
    if (status != STATUS_OK) {
        fail(listing, status);
        return;
    }
    for (size_t i = 0; i < listing->step && listing->body.len < QUERY_PAGE_BYTES; i++) {
        const redisReply *snapshot = lookup_reply(lookup, i);
        const char *id = listing->walk.found[listing->read++].id;
        if (belongs(listing, snapshot)) add_item(listing, id, snapshot);
    }
    go_on(listing);
}

static void go_on(listing_t *listing) {
    size_t left = listing->items - listing->read;
    if (left == 0 || listing->body.len >= QUERY_PAGE_BYTES) {
        if (listing->include) include_read(listing->include, on_included, listing);
        else finish(listing);
        return;
    }
    listing->step = left < QUERY_STEP_ITEMS ? left : QUERY_STEP_ITEMS;
    lookup_request_t *lookup = lookup_request_new(on_snapshots, listing);
    for (size_t i = 0; i < listing->step; i++)
        query_entity_ask(lookup, listing->route->api, listing->route->type->name, listing->walk.found[listing->read + i].id);
    lookup_submit(listing->route->api->snapshots, lookup);
}

/* ---- the walk ---- */

static void walk_on(listing_t *listing) {
    size_t wanted = listing->limit + 1 - listing->walk.found_count; /* one more than the page has: to know of it */
    bool all = listing->at.filters.count <= (listing->walk.within ? 1 : 0);
    walk_step(&listing->walk, all ? wanted : SIZE_MAX);
}

static void on_step(walk_t *walk, status_t status, void *context) {
    listing_t *listing = context;
    if (status != STATUS_OK) {
        fail(listing, status);
    } else if (walk->found_count <= listing->limit && !walk->ended && walk->seen < LOOK_MOST) {
        walk_on(listing);
    } else {
        listing->items = walk->found_count < listing->limit ? walk->found_count : listing->limit;
        go_on(listing);
    }
}

static void start_walk(listing_t *listing, const filter_t *best) {
    walk_t *walk = &listing->walk;
    walk->route = listing->route;
    walk->sort = listing->at.sort;
    walk->descending = listing->at.descending;
    walk->filters = &listing->at.filters;
    walk->within = strcmp(listing->at.sort, "id") ? NULL : best;
    memcpy(walk->value, listing->at.value, sizeof walk->value);
    memcpy(walk->id, listing->at.id, sizeof walk->id);
    walk->done = on_step;
    walk->context = listing;
    strbuf_adds(&listing->body, "{\"items\":[");
    walk_on(listing);
}

static void on_count(status_t status, const filter_t *best, int64_t total, void *context) {
    listing_t *listing = context;
    listing->total = total;
    if (status == STATUS_OK) start_walk(listing, best);
    else fail(listing, status);
}

static void start(listing_t *listing) {
    const filters_t *filters = &listing->at.filters;
    if (listing->count || filters->count > 1) count_start(listing->route, filters, listing->count, on_count, listing);
    else start_walk(listing, filters->count > 0 ? &filters->items[0] : NULL);
}

/* ---- GET /entries ---- */

static bool is_indexed(const entity_type_t *type, const char *name) {
    for (size_t i = 0; i < type->indexes_count; i++)
        if (!strcmp(type->indexes[i], name)) return true;
    return false;
}

/* The member of the list's order or filters that is not indexed; NULL: all are. */
static const char *not_indexed(const listing_t *listing) {
    const entity_type_t *type = listing->route->type;
    if (strcmp(listing->at.sort, "id") && !is_indexed(type, listing->at.sort)) return listing->at.sort;
    for (size_t i = 0; i < listing->at.filters.count; i++)
        if (!is_indexed(type, listing->at.filters.items[i].field)) return listing->at.filters.items[i].field;
    return NULL;
}

static void refuse_index(listing_t *listing, const char *name) {
    const entity_type_t *type = listing->route->type;
    strbuf_t detail = {0};
    strbuf_addf(&detail, "Lists of %s are not indexed by \"%.64s\". They can be sorted by \"id\"", type->base, name);
    for (size_t i = 0; i < type->indexes_count; i++)
        strbuf_addf(&detail, i ? ", \"%s\"" : " and, like filtered, by \"%s\"", type->indexes[i]);
    strbuf_addc(&detail, '.');
    refuse(listing, "invalid-parameter", detail.data);
    strbuf_free(&detail);
}

/* A cursor brings its list with it; what is given too must be the same. */
static bool take_cursor(listing_t *listing, const query_params_t *params) {
    cursor_t cursor;
    if (!params->cursor) return true;
    if (!cursor_decode(params->cursor, &cursor) || strcmp(cursor.type, listing->route->type->name)) return false;
    if ((params->given & (PARAM_SORT | PARAM_ORDER)) &&
        (params->descending != cursor.descending || strcmp(listing->at.sort, cursor.sort)))
        return false;
    if ((params->given & PARAM_FILTER) && !filter_same(&params->filters, &cursor.filters)) return false;
    listing->at = cursor;
    return !not_indexed(listing);
}

/* False: the request is answered. */
static bool take_params(listing_t *listing, const query_params_t *params) {
    cursor_t *at = &listing->at;
    snprintf(at->type, sizeof at->type, "%s", listing->route->type->name);
    snprintf(at->sort, sizeof at->sort, "%s", params->sort ? params->sort : "id");
    at->descending = params->descending;
    at->filters = params->filters;
    listing->limit = (size_t)params->limit;
    listing->fields = params->fields;
    listing->count = params->count;
    const char *wrong = params->sort && strlen(params->sort) > INDEX_NAME_MAX ? params->sort : not_indexed(listing);
    if (wrong) {
        refuse_index(listing, wrong);
        return false;
    }
    if (!take_cursor(listing, params)) {
        refuse(listing, "invalid-cursor", "The cursor is none of this list, order and filters.");
        return false;
    }
    err_t error;
    if (params->include && !(listing->include = include_new(listing->route, params->include, &error))) {
        refuse(listing, "invalid-parameter", error.text);
        return false;
    }
    return true;
}

void query_list_handle(http_request_t *request, void *context) {
    query_params_t params;
    if (!query_params_read(request, PARAM_LIMIT | PARAM_CURSOR | PARAM_ORDER | PARAM_SORT | PARAM_FILTER | PARAM_FIELDS |
                           PARAM_INCLUDE | PARAM_COUNT, &params) ||
        !query_params_alone(request, &params, PARAM_SORT, PARAM_ORDER))
        return;
    listing_t *listing = mem_zero(1, sizeof *listing);
    listing->request = request;
    listing->route = context;
    if (take_params(listing, &params)) start(listing);
}
