/* The query API's life: what it is built of, its routes, and its end. */
#include "services/query-api/query_api.h"

#include "common/clock.h"
#include "common/mem.h"
#include "common/stop.h"
#include "services/query-api/fresh.h"
#include "services/query-api/operations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOOK_MS = 50 }; /* how often it is seen whether to stop */

/* The forms of a request, for each type. */
static const struct form {
    const char *below; /* the type's base */
    http_handler_t handle;
    const openapi_operation_t *about;
} forms[] = {
    {"", query_list_handle, &operation_list},
    {"/events", query_events_handle, &operation_events}, /* before what it would be an id for */
    {"/{id}", query_entity_handle, &operation_get},
    {"/{id}/events", query_entity_events_handle, &operation_history},
};

int32_t query_partition(const query_api_t *api, const char *id) {
    return kafka_partition(id, strlen(id), api->settings->partitions);
}

void query_answer_failed(http_request_t *request, status_t status, const char *store) {
    char detail[80];
    snprintf(detail, sizeof detail, "The %s %s.", store, status == STATUS_RETRY ? "does not answer" : "refused to answer");
    if (status == STATUS_RETRY)
        http_problem_for_now(request, 503, "store-unavailable", detail);
    else
        http_problem(request, 500, "internal", detail, NULL);
}

static status_t build_routes(query_api_t *api, const types_t *types, err_t *error) {
    size_t count = types->count * ARRAY_LEN(forms);
    if (count + 1 > SERVICE_ROUTES_MAX)
        return err_set(error, STATUS_FATAL, "settings name %zu content types, at most %zu are possible", types->count,
                       (SERVICE_ROUTES_MAX - 1) / ARRAY_LEN(forms));
    api->routes = mem_zero(count + 1, sizeof *api->routes);
    api->routes_count = count;
    api->routes[count] = (query_route_t){api, NULL, NULL};
    for (size_t i = 0; i < count; i++) {
        const entity_type_t *type = &types->items[i / ARRAY_LEN(forms)];
        api->routes[i] = (query_route_t){api, type, mem_printf("/%s%s", type->base, forms[i % ARRAY_LEN(forms)].below)};
    }
    return STATUS_OK;
}

static status_t build(query_api_t *api, const service_context_t *context, err_t *error) {
    const settings_t *settings = context->settings;
    size_t queue_max = (size_t)settings->limits.connections; /* each connection has one request at a time */
    api->settings = settings;
    api->types = context->types;
    if (build_routes(api, context->types, error) != STATUS_OK) return STATUS_FATAL;
    api->snapshots = lookup_new("snapshots", settings->redis.snapshots, settings->redis.snapshots_count, queue_max, error);
    if (!api->snapshots) return STATUS_FATAL;
    api->events = lookup_new("events", settings->redis.events, settings->redis.events_count, queue_max, error);
    if (!api->events) return STATUS_FATAL;
    api->fresh = fresh_new(api->snapshots, error);
    if (!api->fresh) return STATUS_FATAL;
    api->kafka = context->kafka;
    api->streams = streams_new(
        &(streams_options_t){
            .kafka = &api->kafka,
            .topic = topic_names[TOPIC_EVENTS],
            .partitions = settings->partitions,
            .types = context->types,
            .events = api->events,
            .count_max = settings->limits.streams,
            .ring_bytes = (size_t)settings->limits.stream_megabytes * 1024 * 1024,
            .heartbeat_seconds = settings->http.heartbeat_seconds,
        },
        error);
    return api->streams ? STATUS_OK : STATUS_FATAL;
}

void *query_api_open(const service_context_t *context, err_t *error) {
    query_api_t *api = mem_zero(1, sizeof *api);
    if (build(api, context, error) == STATUS_OK) return api;
    query_api_close(api);
    return NULL;
}

size_t query_api_routes(void *self, http_route_t routes[SERVICE_ROUTES_MAX]) {
    query_api_t *api = self;
    for (size_t i = 0; i < api->routes_count; i++) {
        const struct form *form = &forms[i % ARRAY_LEN(forms)];
        routes[i] = (http_route_t){.method = "GET",
                                   .path = api->routes[i].path,
                                   .handle = form->handle,
                                   .context = &api->routes[i],
                                   .about = form->about};
    }
    routes[api->routes_count] = (http_route_t){.method = "GET",
                                               .path = "/events",
                                               .handle = query_events_handle,
                                               .context = &api->routes[api->routes_count],
                                               .about = &operation_all_events};
    return api->routes_count + 1;
}

/* Without the log there are no new events, and all else is answered: that is no reason to get no requests. */
bool query_api_ready(void *self, err_t *why) {
    query_api_t *api = self;
    if (!lookup_connected(api->snapshots))
        err_set(why, STATUS_RETRY, "the snapshot store does not answer");
    else if (!lookup_connected(api->events))
        err_set(why, STATUS_RETRY, "the event store does not answer");
    else
        return true;
    return false;
}

/* All work is done by the threads of the HTTP server and of the stores. */
status_t query_api_run(void *self, err_t *error) {
    (void)self, (void)error;
    while (!stop_requested()) clock_sleep_ms(LOOK_MS);
    return STATUS_OK;
}

void query_api_drain(void *self) {
    query_api_t *api = self;
    fresh_end(api->fresh); /* what waits is looked up a last time */
    streams_end(api->streams);
    lookup_end(api->snapshots);
    lookup_end(api->events);
}

void query_api_close(void *self) {
    query_api_t *api = self;
    fresh_free(api->fresh);
    lookup_free(api->snapshots);
    lookup_free(api->events);
    streams_free(api->streams);
    for (size_t i = 0; i < api->routes_count; i++) free(api->routes[i].path);
    free(api->routes);
    free(api);
}
