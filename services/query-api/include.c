/* The entities that others link to. One that was deleted, or is not there yet, is left out. */
#include "services/query-api/include.h"

#include "common/json.h"
#include "common/mem.h"
#include "model/id.h"
#include "model/keys.h"
#include "services/query-api/params.h"

#include <stdlib.h>
#include <string.h>

#define uthash_fatal(message) abort()
#include <uthash.h>

enum { INCLUDED_MAX = 10000 };

typedef struct linked {
    const entity_type_t *type;
    const char *id; /* in `name` */
    UT_hash_handle hh;
    char name[]; /* "<type>:<id>" */
} linked_t;

struct include {
    const query_route_t *route;
    const char *names;
    linked_t *all;  /* in the order in which they were met */
    linked_t *next; /* to be read */
    linked_t *step; /* where what is read now begins */
    size_t count, read;
    bool more; /* some were left out */
    strbuf_t body;
    include_done_t done;
    void *context;
};

/* ---- which ---- */

static bool is_named(const char *names, const char *name) {
    for (const char *at = names; at;) {
        json_span_t span = query_params_name(&at);
        if (span.len == strlen(name) && !memcmp(span.text, name, span.len)) return true;
    }
    return false;
}

static bool is_link(const entity_type_t *type, json_span_t name) {
    for (size_t i = 0; i < type->links_count; i++)
        if (strlen(type->links[i].name) == name.len && !memcmp(type->links[i].name, name.text, name.len)) return true;
    return false;
}

static void no_link(const entity_type_t *type, json_span_t name, err_t *error) {
    strbuf_t known = {0};
    strbuf_adds(&known, "");
    for (size_t i = 0; i < type->links_count; i++) strbuf_addf(&known, "%s\"%s\"", i ? ", " : "", type->links[i].name);
    err_set(error, STATUS_FATAL, "\"%.*s\" is no link of this type; %s%s.", (int)(name.len < 64 ? name.len : 64), name.text,
            known.len ? "these are: " : "it has none", known.data);
    strbuf_free(&known);
}

include_t *include_new(const query_route_t *route, const char *names, err_t *error) {
    for (const char *at = names; at;) {
        json_span_t name = query_params_name(&at);
        if (is_link(route->type, name)) continue;
        no_link(route->type, name, error);
        return NULL;
    }
    include_t *include = mem_zero(1, sizeof *include);
    include->route = route;
    include->names = names;
    return include;
}

void include_free(include_t *include) {
    linked_t *linked, *next;
    if (!include) return;
    HASH_ITER(hh, include->all, linked, next) {
        HASH_DEL(include->all, linked);
        free(linked);
    }
    strbuf_free(&include->body);
    free(include);
}

static bool take_link(const link_t *link, void *context) {
    include_t *include = context;
    linked_t *linked;
    if (!is_named(include->names, link->field) || !id_valid(link->id)) return true;
    size_t type_len = strlen(link->target->name), size = type_len + 1 + strlen(link->id) + 1;
    linked = mem_zero(1, sizeof *linked + size);
    memcpy(linked->name, link->target->name, type_len);
    linked->name[type_len] = ':';
    strcpy(linked->name + type_len + 1, link->id);
    linked->type = link->target;
    linked->id = linked->name + type_len + 1;
    linked_t *known;
    HASH_FIND_STR(include->all, linked->name, known);
    include->more = include->more || (!known && include->count == INCLUDED_MAX);
    if (known || include->count == INCLUDED_MAX) {
        free(linked);
        return !include->more;
    }
    HASH_ADD_KEYPTR(hh, include->all, linked->name, size - 1, linked);
    include->count++;
    return true;
}

void include_take(include_t *include, const char *data, size_t len) {
    err_t ignored;
    json_t *value = json_read(data, len, &ignored);
    if (value) types_each_link(include->route->type, value, take_link, include);
    json_decref(value);
}

/* ---- reading ---- */

static void ask(include_t *include);

static void on_snapshots(lookup_request_t *lookup, status_t status, const err_t *error, void *context) {
    include_t *include = context;
    (void)error;
    if (status != STATUS_OK) {
        include->done(status, include->context);
        return;
    }
    size_t i = 0;
    for (linked_t *linked = include->step; linked != include->next; linked = linked->hh.next) {
        const redisReply *snapshot = lookup_reply(lookup, i++);
        if (query_entity_found(snapshot) != QUERY_LIVE) continue;
        if (include->body.len > 0) strbuf_addc(&include->body, ',');
        query_entity_add(&include->body, linked->type->name, linked->id, snapshot, NULL);
    }
    ask(include);
}

static void ask(include_t *include) {
    bool full = include->body.len >= QUERY_PAGE_BYTES;
    include->more = include->more || (full && include->next);
    if (!include->next || full) {
        include->done(STATUS_OK, include->context);
        return;
    }
    lookup_request_t *lookup = lookup_request_new(on_snapshots, include);
    include->step = include->next;
    for (size_t i = 0; i < QUERY_STEP_ITEMS && include->next; i++, include->next = include->next->hh.next)
        query_entity_ask(lookup, include->route->api, include->next->type->name, include->next->id);
    lookup_submit(include->route->api->snapshots, lookup);
}

void include_read(include_t *include, include_done_t done, void *context) {
    include->done = done;
    include->context = context;
    include->next = include->all;
    ask(include);
}

void include_add(const include_t *include, strbuf_t *out) {
    strbuf_adds(out, ",\"included\":[");
    strbuf_add(out, include->body.data, include->body.len);
    strbuf_adds(out, include->more ? "],\"includedMore\":true" : "]");
}
