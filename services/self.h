/* What an API tells of itself: GET / lists what there is, GET /openapi.json describes it for programs, and GET /docs for
   people. All is made at start from the routes, so that nothing is served that is not told. */
#ifndef ODRADEK_SERVICES_SELF_H
#define ODRADEK_SERVICES_SELF_H

#include "common/http.h"
#include "model/types.h"

typedef struct self self_t;

enum { SELF_ROUTES = 4 };

typedef struct self_options {
    const char *service; /* "query-api"; borrowed for its life, like the rest */
    const char *about;   /* one sentence */
    const settings_t *settings;
    const types_t *types;
} self_options_t;

self_t *self_new(const self_options_t *options);
void self_free(self_t *self); /* NULL is fine */
/* Its own routes. */
void self_routes(self_t *self, http_route_t routes[SELF_ROUTES]);
/* Makes what it tells from all routes of the service, its own among them; before any is served. FATAL: one has no
   description, as `error` says. */
status_t self_describe(self_t *self, const http_route_t *routes, size_t count, err_t *error) MUST_CHECK;

#endif
