/* The frame that every service stands in: command line, settings, log, signals, HTTP with /health, /ready and /metrics,
   topics, the service's own work, and all of it backwards. */
#ifndef ODRADEK_SERVICES_SERVICE_H
#define ODRADEK_SERVICES_SERVICE_H

#include "common/http.h"
#include "common/record.h"
#include "model/settings.h"
#include "model/topics.h"
#include "model/types.h"

#include <stdbool.h>

enum { SERVICE_ROUTES_MAX = 512 };

/* What a service is given; borrowed, for as long as it runs. */
typedef struct service_context {
    const settings_t *settings;
    const types_t *types;
    const record_shapes_t *shapes;
    const char *instance; /* unique among all that run: "validator-<host>-<port>"; the same after a restart */
    kafka_options_t kafka;
} service_context_t;

/* A service as a table. All of it but `ready` and the routes' handlers is called from the main thread. */
typedef struct service {
    const char *name;
    const char *about; /* one sentence */
    int (*port)(const settings_t *settings);
    /* Builds everything, waits for nobody. NULL: `error` says why; the process ends. */
    void *(*open)(const service_context_t *context, err_t *error);
    /* Fills in the service's own routes, each with its description (an openapi_operation_t), and returns how many; NULL:
       it has none. */
    size_t (*routes)(void *self, http_route_t routes[SERVICE_ROUTES_MAX]);
    /* Whether it can do its work now; else writes why not. Any thread. */
    bool (*ready)(void *self, err_t *why);
    /* Works until stop_requested(). Topics exist by now. FATAL ends the process with exit code 1. */
    status_t (*run)(void *self, err_t *error);
    /* Called after `run`, while requests may still be pending: finishes them. NULL: nothing to finish. */
    void (*drain)(void *self);
    void (*close)(void *self); /* after the HTTP server has ended */
} service_t;

/* The whole life of a process. Returns its exit code: 0 stopped as asked, 1 failed, 2 the command line was wrong,
   3 settings or schemas were. */
int service_main(const service_t *service, int argc, char **argv);

#endif
