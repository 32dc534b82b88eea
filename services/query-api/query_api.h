/* The query API: entities and lists from the snapshot store, histories from the event store, live streams from the log.
   The three are apart: while one is away, what the others have is still answered. */
#ifndef ODRADEK_QUERY_API_H
#define ODRADEK_QUERY_API_H

#include "common/json.h"
#include "common/lookup.h"
#include "services/query-api/streams.h"
#include "services/service.h"

typedef struct query_api {
    const settings_t *settings;
    const types_t *types;
    kafka_options_t kafka;
    lookup_t *snapshots, *events;
    struct fresh *fresh;
    streams_t *streams;
    struct query_route *routes; /* one for each type and form of request */
    size_t routes_count;
} query_api_t;

typedef struct query_route {
    query_api_t *api;
    const entity_type_t *type; /* NULL: of all */
    char *path; /* "/entries/{id}/events" */
} query_route_t;

/* See service_t. */
void *query_api_open(const service_context_t *context, err_t *error) MUST_CHECK;
size_t query_api_routes(void *self, http_route_t routes[SERVICE_ROUTES_MAX]);
bool query_api_ready(void *self, err_t *why);
status_t query_api_run(void *self, err_t *error) MUST_CHECK;
void query_api_drain(void *self);
void query_api_close(void *self); /* also half-built */

/* Handlers; `context` is the query_route_t. */
void query_entity_handle(http_request_t *request, void *context);  /* entity.c: GET /entries/{id} */
void query_list_handle(http_request_t *request, void *context);    /* list.c: GET /entries */
void query_history_handle(http_request_t *request, void *context); /* history.c: GET /entries/{id}/events */
/* past.c: GET /entries/{id}?version= or ?at=; the id is valid. */
struct query_params;
void query_past_handle(http_request_t *request, const query_route_t *route, const struct query_params *params);

/* live.c: GET /events, /entries/events; GET /entries/{id}/events, which is one of the two by what is accepted */
void query_events_handle(http_request_t *request, void *context);
void query_entity_events_handle(http_request_t *request, void *context);

/* A page is ended before its limit when its items have so many bytes, and read from the store in steps of so many
   items: a page of the largest entities must not fill the memory. */
enum { QUERY_PAGE_BYTES = 4 * 1024 * 1024, QUERY_STEP_ITEMS = 100 };

/* ---- what they share ---- */

int32_t query_partition(const query_api_t *api, const char *id);
/* Answers for a store that did not: `store` is "snapshot store" or "event store". */
void query_answer_failed(http_request_t *request, status_t status, const char *store);

/* entity.c: */

/* An entity as clients see it; texts are borrowed, those that are NULL are shown as null. */
typedef struct query_view {
    const char *type, *id;
    json_span_t version, created_at, updated_at; /* times without quotes */
    json_span_t data;
} query_view_t;

/* Appends the members of the object, which the caller begins and ends. `fields`: the members of its data that are wanted,
   with commas between them; NULL: all. */
void query_view_add(strbuf_t *out, const query_view_t *view, const char *fields);
/* Whether the request's If-None-Match names the version; it is answered then with 304. Else its ETag is set. */
bool query_view_known(http_request_t *request, json_span_t version);

/* Asks for a snapshot; the functions below take the answer to that. */
void query_entity_ask(lookup_request_t *lookup, const query_api_t *api, const char *type, const char *id);
typedef enum query_found { QUERY_LIVE, QUERY_NONE, QUERY_DELETED } query_found_t;
query_found_t query_entity_found(const redisReply *snapshot);
/* Appends a live entity as clients see it, an object. `fields` as above. */
void query_entity_add(strbuf_t *out, const char *type, const char *id, const redisReply *snapshot, const char *fields);
json_span_t query_entity_data(const redisReply *snapshot);
/* What it has in the indexes (model/index.h). */
json_span_t query_entity_entries(const redisReply *snapshot);

#endif
