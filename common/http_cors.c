/* CORS: which headers an answer gets.

       off ─▶ none    origin not listed ─▶ Vary    listed ─┬─▶ a preflight: methods, headers, max-age
                                                           └─▶ any other: what a script may read            */
#include "common/http_cors.h"

#include <stdio.h>
#include <string.h>

/* What requests may carry, beyond what browsers let through anyway, and what scripts may read of answers. */
#define REQUEST_HEADERS                                                                                                \
    "Content-Encoding, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, Prefer, X-Request-Id, "  \
    "traceparent, tracestate"
#define ANSWER_HEADERS                                                                                                 \
    "Accept-Encoding, Accept-Patch, Allow, Date, ETag, Link, Location, Preference-Applied, Retry-After, X-Request-Id, " \
    "traceparent"

static bool has(const http_cors_t *cors, const char *origin) {
    for (size_t i = 0; i < cors->origins_count; i++)
        if (!strcmp(cors->origins[i], origin)) return true;
    return false;
}

void http_cors_each(const http_cors_t *cors, const http_cors_case_t *request,
                    void (*add)(void *context, const char *name, const char *value), void *context) {
    char seconds[16];
    if (cors->origins_count == 0) return;
    bool any = has(cors, "*");
    if (!any) add(context, "Vary", "Origin"); /* also where it is not listed: a cache may keep that answer */
    if (!any && !(request->origin && has(cors, request->origin))) return;
    add(context, "Access-Control-Allow-Origin", any ? "*" : request->origin);
    if (cors->credentials) add(context, "Access-Control-Allow-Credentials", "true");
    if (!request->origin || !request->wanted || !request->allow || strcmp(request->method, "OPTIONS") != 0) {
        add(context, "Access-Control-Expose-Headers", ANSWER_HEADERS);
        return;
    }
    snprintf(seconds, sizeof seconds, "%d", cors->max_age_seconds);
    add(context, "Access-Control-Allow-Methods", request->allow);
    add(context, "Access-Control-Allow-Headers", REQUEST_HEADERS);
    add(context, "Access-Control-Max-Age", seconds);
}
