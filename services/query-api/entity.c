/* One entity, from its snapshot. */
#include "services/query-api/query_api.h"

#include "common/mem.h"
#include "model/id.h"
#include "model/keys.h"
#include "services/query-api/params.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The places in the answer to HMGET of QUERY_SNAPSHOT_FIELDS. */
enum { VERSION, DATA, CREATED_AT, UPDATED_AT, DELETED_AT, FIELDS };

static const redisReply *field(const redisReply *snapshot, size_t i) {
    if (snapshot->type != REDIS_REPLY_ARRAY || snapshot->elements != FIELDS) return NULL;
    return snapshot->element[i]->type == REDIS_REPLY_STRING ? snapshot->element[i] : NULL;
}

query_found_t query_entity_found(const redisReply *snapshot) {
    if (!field(snapshot, VERSION)) return QUERY_NONE;
    return field(snapshot, DELETED_AT) ? QUERY_DELETED : QUERY_LIVE;
}

static void add_text(strbuf_t *out, const char *prefix, const redisReply *text) {
    strbuf_adds(out, prefix);
    if (text)
        strbuf_add_json(out, text->str, text->len);
    else
        strbuf_adds(out, "null");
}

static void add_raw(strbuf_t *out, const char *prefix, const redisReply *json) {
    strbuf_adds(out, prefix);
    if (json)
        strbuf_add(out, json->str, json->len);
    else
        strbuf_adds(out, "null");
}

void query_entity_add(strbuf_t *out, const char *type, const char *id, const redisReply *snapshot) {
    strbuf_adds(out, "{\"id\":");
    strbuf_add_jsons(out, id);
    strbuf_adds(out, ",\"type\":");
    strbuf_add_jsons(out, type);
    add_raw(out, ",\"version\":", field(snapshot, VERSION));
    add_text(out, ",\"createdAt\":", field(snapshot, CREATED_AT));
    add_text(out, ",\"updatedAt\":", field(snapshot, UPDATED_AT));
    add_raw(out, ",\"data\":", field(snapshot, DATA));
    strbuf_addc(out, '}');
}

/* ---- GET /entries/{id} ---- */

typedef struct asking {
    http_request_t *request;
    const query_route_t *route;
} asking_t;

/* Whether If-None-Match names the tag, or any (RFC 9110, 13.1.2: compared weakly). */
static bool has_already(const char *if_none_match, const char *etag) {
    size_t len = strlen(etag);
    if (!if_none_match) return false;
    if (!strcmp(if_none_match, "*")) return true;
    for (const char *p = if_none_match; *p; p += strcspn(p, ",")) {
        p += strspn(p, ", \t");
        if (!strncmp(p, "W/", 2)) p += 2;
        if (!strncmp(p, etag, len) && strchr(", \t", p[len])) return true; /* strchr finds the end, too */
    }
    return false;
}

static void answer_live(const asking_t *asking, const redisReply *snapshot) {
    strbuf_t body = {0};
    char etag[64];
    snprintf(etag, sizeof etag, "\"%s\"", field(snapshot, VERSION)->str);
    http_add_header(asking->request, "ETag", etag);
    if (has_already(http_header(asking->request, "If-None-Match"), etag)) {
        http_answer(asking->request, 304, "", &body);
        return;
    }
    query_entity_add(&body, asking->route->type->name, http_segment(asking->request, 0), snapshot);
    http_answer_json(asking->request, 200, &body);
}

static void on_snapshot(lookup_request_t *lookup, status_t status, const err_t *error, void *context) {
    asking_t asking = *(asking_t *)context;
    free(context);
    (void)error;
    if (status != STATUS_OK) {
        query_answer_failed(asking.request, status, "snapshot store");
        return;
    }
    const redisReply *snapshot = lookup_reply(lookup, 0);
    switch (query_entity_found(snapshot)) {
    case QUERY_LIVE: answer_live(&asking, snapshot); break;
    case QUERY_NONE: http_problem(asking.request, 404, "not-found", "There is no entity of this id.", NULL); break;
    case QUERY_DELETED: http_problem(asking.request, 410, "gone", "The entity was deleted.", NULL); break;
    }
}

void query_entity_handle(http_request_t *request, void *context) {
    const query_route_t *route = context;
    const char *id = http_segment(request, 0);
    query_params_t none;
    if (!id_valid(id)) {
        http_problem(request, 404, "not-found", "No entity has such an id.", NULL);
        return;
    }
    if (!query_params_read(request, 0, &none)) return;
    asking_t *asking = mem_zero(1, sizeof *asking);
    *asking = (asking_t){request, route};
    lookup_request_t *lookup = lookup_request_new(on_snapshot, asking);
    key_text_t key;
    int32_t partition = query_partition(route->api, id);
    key_snapshot(key, partition, route->type->name, id);
    lookup_add(lookup, partition, "HMGET", key, QUERY_SNAPSHOT_FIELDS, NULL);
    lookup_submit(route->api->snapshots, lookup);
}
