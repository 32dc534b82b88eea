/* The command API's life: what it is built of, its routes, and its end. */
#include "services/command-api/batch.h"

#include "common/mem.h"
#include "services/command-api/operations.h"

#include <stdio.h>
#include <stdlib.h>

/* The forms of a request that is a command, for each type. */
static const struct form {
    const char *method;
    const char *below; /* the type's base */
    verb_t verb;
    const char *accepts;
    http_handler_t begin; /* NULL: it takes no batches */
    const openapi_operation_t *about;
} forms[] = {
    {"POST", "", VERB_CREATE, "application/json, application/x-ndjson", batch_begin, &operation_create},
    {"PUT", "/{id}", VERB_UPDATE, "application/json", NULL, &operation_put},
    {"PATCH", "/{id}", VERB_UPDATE, "application/merge-patch+json, application/json-patch+json", NULL, &operation_patch},
    {"POST", "/{id}", VERB_UPDATE, "application/json", NULL, &operation_replace},
    {"DELETE", "/{id}", VERB_DELETE, NULL, NULL, &operation_delete},
};

static status_t build_routes(command_api_t *api, const types_t *types, err_t *error) {
    size_t count = types->count * ARRAY_LEN(forms);
    if (count + 1 > SERVICE_ROUTES_MAX)
        return err_set(error, STATUS_FATAL, "settings name %zu content types, at most %zu are possible", types->count,
                       (SERVICE_ROUTES_MAX - 1) / ARRAY_LEN(forms));
    api->routes = mem_zero(count, sizeof *api->routes);
    api->routes_count = count;
    for (size_t i = 0; i < count; i++) {
        const entity_type_t *type = &types->items[i / ARRAY_LEN(forms)];
        const struct form *form = &forms[i % ARRAY_LEN(forms)];
        api->routes[i] = (command_route_t){api, type, form->method, form->verb, NULL, form->begin != NULL};
        api->routes[i].path = mem_printf("/%s%s", type->base, form->below);
    }
    return STATUS_OK;
}

static void on_served(void *context) {
    command_send_waiting(context);
}

static status_t build(command_api_t *api, const service_context_t *context, err_t *error) {
    if (build_routes(api, context->types, error) != STATUS_OK) return STATUS_FATAL;
    const settings_t *settings = context->settings;
    api->settings = settings;
    api->acknowledge_seconds =
        metric_histogram("odradek_command_acknowledge_seconds", "Time from a checked command to the log's confirmation.",
                         NULL, metric_seconds, METRIC_SECONDS_COUNT);
    api->outcomes = lookup_new("events", settings->redis.events, settings->redis.events_count,
                               (size_t)settings->limits.connections, error);
    if (!api->outcomes) return STATUS_FATAL;
    api->waits =
        waits_new(&context->kafka, topic_names[TOPIC_OUTCOMES], settings->partitions, command_waited, error);
    if (!api->waits) return STATUS_FATAL;
    api->producer = producer_new(
        &(producer_options_t){
            .kafka = &context->kafka,
            .topic = topic_names[TOPIC_COMMANDS],
            .pending_max = settings->limits.pending_commands,
            .done = command_done,
            .served = on_served,
            .context = api,
        },
        error);
    return api->producer ? STATUS_OK : STATUS_FATAL;
}

void *command_api_open(const service_context_t *context, err_t *error) {
    command_api_t *api = mem_zero(1, sizeof *api);
    pthread_mutex_init(&api->waiting.lock, NULL);
    if (build(api, context, error) == STATUS_OK) return api;
    command_api_close(api);
    return NULL;
}

size_t command_api_routes(void *self, http_route_t routes[SERVICE_ROUTES_MAX]) {
    command_api_t *api = self;
    for (size_t i = 0; i < api->routes_count; i++) {
        const struct form *form = &forms[i % ARRAY_LEN(forms)];
        routes[i] = (http_route_t){.method = form->method,
                                   .path = api->routes[i].path,
                                   .handle = command_handle,
                                   .context = &api->routes[i],
                                   .accepts = form->accepts,
                                   .begin = form->begin,
                                   .about = form->about};
    }
    routes[api->routes_count] = (http_route_t){.method = "GET",
                                               .path = "/commands/{id}",
                                               .handle = command_outcome_handle,
                                               .context = api,
                                               .about = &operation_command_status};
    return api->routes_count + 1;
}

bool command_api_ready(void *self, err_t *why) {
    command_api_t *api = self;
    if (!producer_ready(api->producer, why)) return false;
    if (!lookup_connected(api->outcomes))
        err_set(why, STATUS_RETRY, "the event store does not answer");
    else if (!waits_ready(api->waits))
        err_set(why, STATUS_RETRY, "outcomes are not read yet");
    else
        return true;
    return false;
}

status_t command_api_run(void *self, err_t *error) {
    command_api_t *api = self;
    return producer_run(api->producer, error);
}

void command_api_drain(void *self) {
    command_api_t *api = self;
    producer_drain(api->producer);
    if (api->waits) waits_end(api->waits);
    lookup_end(api->outcomes);
}

void command_api_close(void *self) {
    command_api_t *api = self;
    producer_free(api->producer);
    waits_free(api->waits);
    lookup_free(api->outcomes);
    for (size_t i = 0; i < api->routes_count; i++) free(api->routes[i].path);
    free(api->routes);
    pthread_mutex_destroy(&api->waiting.lock);
    free(api);
}
