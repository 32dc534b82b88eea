/* The query API: entities and lists from the snapshot store, histories from the event store. The two are apart: while
   one is away, what the other has is still answered. */
#ifndef ODRADEK_QUERY_API_H
#define ODRADEK_QUERY_API_H

#include "common/lookup.h"
#include "services/service.h"

typedef struct query_api {
    const settings_t *settings;
    lookup_t *snapshots, *events;
    struct query_route *routes; /* one for each type and form of request */
    size_t routes_count;
} query_api_t;

typedef struct query_route {
    query_api_t *api;
    const entity_type_t *type;
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

/* A page is ended before its limit when its items have so many bytes, and read from the store in steps of so many
   items: a page of the largest entities must not fill the memory. */
enum { QUERY_PAGE_BYTES = 4 * 1024 * 1024, QUERY_STEP_ITEMS = 100 };

/* ---- what they share ---- */

int32_t query_partition(const query_api_t *api, const char *id);
/* Answers for a store that did not: `store` is "snapshot store" or "event store". */
void query_answer_failed(http_request_t *request, status_t status, const char *store);

/* entity.c: the fields of a snapshot, as HMGET asks for them and in the order of its answer. */
#define QUERY_SNAPSHOT_FIELDS "version", "data", "createdAt", "updatedAt", "deletedAt"
typedef enum query_found { QUERY_LIVE, QUERY_NONE, QUERY_DELETED } query_found_t;
query_found_t query_entity_found(const redisReply *snapshot);
/* Appends a live entity as clients see it. */
void query_entity_add(strbuf_t *out, const char *type, const char *id, const redisReply *snapshot);

#endif
