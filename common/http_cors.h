/* Which answers scripts of other origins may read: CORS as the Fetch standard has it (section 3.3). Pure. */
#ifndef ODRADEK_HTTP_CORS_H
#define ODRADEK_HTTP_CORS_H

#include <stdbool.h>
#include <stddef.h>

/* A zeroed one: none may. */
typedef struct http_cors {
    const char *const *origins; /* as browsers send them, "https://example.org:8443", or "*"; borrowed */
    size_t origins_count;
    bool credentials;    /* cookies and the like may be sent along; not with "*" */
    int max_age_seconds; /* for which a browser remembers the answer to its preflight */
} http_cors_t;

/* What counts of a request and its answer; NULL: not there. */
typedef struct http_cors_case {
    const char *method;
    const char *origin;
    const char *wanted; /* Access-Control-Request-Method: a preflight asks whether it may be sent */
    const char *allow;  /* the answer's Allow: what the path knows */
} http_cors_case_t;

/* Calls `add` for each header that belongs into the answer. */
void http_cors_each(const http_cors_t *cors, const http_cors_case_t *request,
                    void (*add)(void *context, const char *name, const char *value), void *context);

#endif
