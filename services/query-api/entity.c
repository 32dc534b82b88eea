/* One entity, from its snapshot. */
#include "services/query-api/query_api.h"

#include "common/clock.h"
#include "common/mem.h"
#include "model/id.h"
#include "model/keys.h"
#include "services/query-api/fields.h"
#include "services/query-api/fresh.h"
#include "services/query-api/include.h"
#include "services/query-api/params.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- an entity as clients see it ---- */

static void add_text(strbuf_t *out, const char *prefix, json_span_t text) {
    strbuf_adds(out, prefix);
    if (text.text)
        strbuf_add_json(out, text.text, text.len);
    else
        strbuf_adds(out, "null");
}

static void add_raw(strbuf_t *out, const char *prefix, json_span_t json) {
    strbuf_adds(out, prefix);
    if (json.text)
        strbuf_add(out, json.text, json.len);
    else
        strbuf_adds(out, "null");
}

void query_view_add(strbuf_t *out, const query_view_t *view, const char *fields) {
    strbuf_adds(out, "\"id\":");
    strbuf_add_jsons(out, view->id);
    strbuf_adds(out, ",\"type\":");
    strbuf_add_jsons(out, view->type);
    add_raw(out, ",\"version\":", view->version);
    add_text(out, ",\"createdAt\":", view->created_at);
    add_text(out, ",\"updatedAt\":", view->updated_at);
    if (fields && view->data.text) {
        strbuf_adds(out, ",\"data\":");
        fields_add(out, fields, view->data.text, view->data.len);
    } else {
        add_raw(out, ",\"data\":", view->data);
    }
}

bool query_view_known(http_request_t *request, json_span_t version) {
    strbuf_t none = {0};
    char etag[64];
    snprintf(etag, sizeof etag, "\"%.*s\"", (int)version.len, version.text);
    http_add_header(request, "ETag", etag);
    if (!http_has_etag(request, etag)) return false;
    http_answer(request, 304, "", &none);
    return true;
}

/* ---- a snapshot ---- */

/* The places in the answer to HMGET. */
enum { VERSION, DATA, CREATED_AT, UPDATED_AT, DELETED_AT, INDEX, FIELDS };

void query_entity_ask(lookup_request_t *lookup, const query_api_t *api, const char *type, const char *id) {
    int32_t partition = query_partition(api, id);
    key_text_t key;
    key_snapshot(key, partition, type, id);
    lookup_add(lookup, partition, "HMGET", key, "version", "data", "createdAt", "updatedAt", "deletedAt", "index", NULL);
}

static json_span_t field(const redisReply *snapshot, size_t i) {
    if (snapshot->type != REDIS_REPLY_ARRAY || snapshot->elements != FIELDS) return (json_span_t){0};
    const redisReply *found = snapshot->element[i];
    return found->type == REDIS_REPLY_STRING ? (json_span_t){found->str, found->len} : (json_span_t){0};
}

query_found_t query_entity_found(const redisReply *snapshot) {
    if (!field(snapshot, VERSION).text) return QUERY_NONE;
    return field(snapshot, DELETED_AT).text ? QUERY_DELETED : QUERY_LIVE;
}

json_span_t query_entity_data(const redisReply *snapshot) {
    return field(snapshot, DATA);
}

json_span_t query_entity_entries(const redisReply *snapshot) {
    return field(snapshot, INDEX);
}

static query_view_t view_of(const char *type, const char *id, const redisReply *snapshot) {
    return (query_view_t){
        .type = type,
        .id = id,
        .version = field(snapshot, VERSION),
        .created_at = field(snapshot, CREATED_AT),
        .updated_at = field(snapshot, UPDATED_AT),
        .data = field(snapshot, DATA),
    };
}

void query_entity_add(strbuf_t *out, const char *type, const char *id, const redisReply *snapshot, const char *fields) {
    query_view_t view = view_of(type, id, snapshot);
    strbuf_addc(out, '{');
    query_view_add(out, &view, fields);
    strbuf_addc(out, '}');
}

/* ---- GET /entries/{id} ---- */

typedef struct asking {
    http_request_t *request;
    const query_route_t *route;
    const char *fields;
    include_t *include; /* NULL: nothing */
    int64_t min_version, deadline_us; /* 0: any will do */
    strbuf_t body;
} asking_t;

static void asking_free(asking_t *asking) {
    include_free(asking->include);
    strbuf_free(&asking->body);
    free(asking);
}

static void fail(asking_t *asking, status_t status) {
    http_request_t *request = asking->request;
    asking_free(asking);
    query_answer_failed(request, status, "snapshot store");
}

static void refuse(asking_t *asking, int code, const char *type, const char *detail, const char *more) {
    http_request_t *request = asking->request;
    asking_free(asking);
    http_problem(request, code, type, detail, more);
}

static void finish(asking_t *asking) {
    http_request_t *request = asking->request;
    strbuf_t answer = asking->body;
    asking->body = (strbuf_t){0};
    asking_free(asking);
    strbuf_addc(&answer, '}');
    http_answer_json(request, 200, &answer);
}

static void on_included(status_t status, void *context) {
    asking_t *asking = context;
    if (status != STATUS_OK) {
        fail(asking, status);
        return;
    }
    include_add(asking->include, &asking->body);
    finish(asking);
}

/* With what others are like the answer is no longer told by the version: it has no ETag then. */
static void answer_live(asking_t *asking, const redisReply *snapshot) {
    query_view_t view = view_of(asking->route->type->name, http_segment(asking->request, 0), snapshot);
    if (!asking->include && query_view_known(asking->request, view.version)) {
        asking_free(asking);
        return;
    }
    strbuf_addc(&asking->body, '{');
    query_view_add(&asking->body, &view, asking->fields);
    if (!asking->include) {
        finish(asking);
        return;
    }
    if (view.data.text) include_take(asking->include, view.data.text, view.data.len);
    include_read(asking->include, on_included, asking);
}

static void ask(void *context);

/* Whether the answer has to wait for a later version, or has waited for long enough in vain. */
static bool is_too_old(asking_t *asking, const redisReply *snapshot) {
    json_span_t text = field(snapshot, VERSION);
    int64_t version = text.text ? strtoll(text.text, NULL, 10) : 0;
    if (version >= asking->min_version) return false;
    const char *id = http_segment(asking->request, 0);
    int32_t partition = query_partition(asking->route->api, id);
    key_text_t key;
    key_snapshot(key, partition, asking->route->type->name, id);
    if (fresh_wait(asking->route->api->fresh, partition, key, asking->min_version, asking->deadline_us, ask, asking)) return true;
    char detail[128], more[40];
    snprintf(detail, sizeof detail, "The entity is at version %" PRId64 "; version %" PRId64 " did not come in time.", version,
             asking->min_version);
    snprintf(more, sizeof more, "\"version\":%" PRId64, version);
    refuse(asking, 504, "not-yet", detail, more);
    return true;
}

static void on_snapshot(lookup_request_t *lookup, status_t status, const err_t *error, void *context) {
    asking_t *asking = context;
    (void)error;
    if (status != STATUS_OK) {
        fail(asking, status);
        return;
    }
    const redisReply *snapshot = lookup_reply(lookup, 0);
    if (is_too_old(asking, snapshot)) return;
    switch (query_entity_found(snapshot)) {
    case QUERY_LIVE: answer_live(asking, snapshot); break;
    case QUERY_NONE: refuse(asking, 404, "not-found", "There is no entity of this id.", NULL); break;
    case QUERY_DELETED: refuse(asking, 410, "gone", "The entity was deleted.", NULL); break;
    }
}

static void ask(void *context) {
    asking_t *asking = context;
    lookup_request_t *lookup = lookup_request_new(on_snapshot, asking);
    query_entity_ask(lookup, asking->route->api, asking->route->type->name, http_segment(asking->request, 0));
    lookup_submit(asking->route->api->snapshots, lookup);
}

static void start(http_request_t *request, const query_route_t *route, const query_params_t *params) {
    err_t error;
    include_t *include = params->include ? include_new(route, params->include, &error) : NULL;
    if (params->include && !include) {
        http_problem(request, 400, "invalid-parameter", error.text, NULL);
        return;
    }
    asking_t *asking = mem_zero(1, sizeof *asking);
    asking->request = request;
    asking->route = route;
    asking->fields = params->fields;
    asking->include = include;
    asking->min_version = params->min_version;
    asking->deadline_us = clock_monotonic_us() + params->wait * 1000000;
    ask(asking);
}

/* Whether the wait is one that settings allow; the default is shortened to what they do. */
static bool check_wait(http_request_t *request, const query_route_t *route, query_params_t *params) {
    int64_t most = route->api->settings->limits.wait_seconds;
    const char *wrong = NULL;
    if (!(params->given & PARAM_WAIT) && params->wait > most) params->wait = most;
    if ((params->given & PARAM_WAIT) && !(params->given & PARAM_MIN_VERSION)) wrong = "goes with \"min_version\" only";
    char detail[128];
    if (wrong) snprintf(detail, sizeof detail, "The parameter \"wait\" %s.", wrong);
    else snprintf(detail, sizeof detail, "The parameter \"wait\" must be a number of seconds, %" PRId64 " at most.", most);
    if (!wrong && params->wait <= most) return true;
    http_problem(request, 400, "invalid-parameter", detail, NULL);
    return false;
}

void query_entity_handle(http_request_t *request, void *context) {
    enum { PAST = PARAM_VERSION | PARAM_AT, NOW = PARAM_INCLUDE | PARAM_MIN_VERSION | PARAM_WAIT };
    const query_route_t *route = context;
    query_params_t params;
    if (!id_valid(http_segment(request, 0))) {
        http_problem(request, 404, "not-found", "No entity has such an id.", NULL);
        return;
    }
    if (!query_params_read(request, PAST | NOW | PARAM_FIELDS, &params) ||
        !query_params_alone(request, &params, PARAM_VERSION, PARAM_AT) || !query_params_alone(request, &params, PAST, NOW) ||
        !check_wait(request, route, &params))
        return;
    if (params.given & PAST)
        query_past_handle(request, route, &params);
    else
        start(request, route, &params);
}
