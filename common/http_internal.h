/* What the files of the HTTP server share. */
#ifndef ODRADEK_HTTP_INTERNAL_H
#define ODRADEK_HTTP_INTERNAL_H

#include "common/http.h"
#include "common/metric.h"

#include <microhttpd.h>
#include <stdatomic.h>

enum { HTTP_SEGMENTS_MAX = 4, HTTP_HEADERS_MAX = 12, HTTP_CODES = 600 };

/* A route and what is counted of it. The last of a server's table stands for requests that match none. */
typedef struct http_counted {
    http_route_t route;
    _Atomic(metric_t *) by_code[HTTP_CODES]; /* made when a code is first answered */
    metric_t *seconds;
} http_counted_t;

struct http_server {
    struct MHD_Daemon *daemon;
    int fd; /* that it listens on; closed when no thread of the library can use it any more */
    _Atomic bool ending;
    size_t body_bytes;
    http_counted_t *routes; /* routes_count, and one more */
    size_t routes_count;
    _Atomic size_t pending;
    metric_t *pending_gauge;
};

/* READING → HANDLING → ANSWERED when the handler answered at once; else HANDLING → SUSPENDED → ANSWERED, and whoever
   makes that last step resumes the connection. */
typedef enum http_state { HTTP_READING, HTTP_HANDLING, HTTP_SUSPENDED, HTTP_ANSWERED } http_state_t;

typedef struct http_pair {
    char *name, *value;
} http_pair_t;

struct http_request {
    http_server_t *server;
    struct MHD_Connection *connection;
    http_counted_t *counted;
    _Atomic http_state_t state;
    int64_t start_us;
    const char *method;
    char *path; /* cut into segments by the router; `segments` point into it */
    const char *segments[HTTP_SEGMENTS_MAX];
    bool too_large;
    strbuf_t body;
    http_pair_t headers[HTTP_HEADERS_MAX]; /* of the answer */
    size_t headers_count;
    int code;
    char *answer; /* its bytes, given to the library with the response */
    size_t answer_len;
    const char *media_type;
};

/* Finds the route of `method` and `path` (which is cut) and fills `segments`. NULL: `*allow` (freed by the caller) lists
   the methods that the path has, or is NULL where there is no such path. */
http_counted_t *http_find_route(http_server_t *server, const char *method, char *path, const char **segments,
                                char **allow);

#endif
