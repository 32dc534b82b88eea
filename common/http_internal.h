/* What the files of the HTTP server share. */
#ifndef ODRADEK_HTTP_INTERNAL_H
#define ODRADEK_HTTP_INTERNAL_H

#include "common/gunzip.h"
#include "common/http.h"
#include "common/metric.h"

#include <microhttpd.h>
#include <pthread.h>
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
    _Atomic bool ending;   /* takes nothing new */
    _Atomic bool stopping; /* finishes nothing any more */
    size_t body_bytes;
    http_cors_t cors;
    http_counted_t *routes; /* routes_count, and one more */
    size_t routes_count;
    _Atomic size_t pending;
    metric_t *pending_gauge;
    pthread_mutex_t streams_lock;
    http_stream_t *streams; /* all that are open */
};

/* A body's bytes between gzip and who takes them. */
typedef struct http_decoder {
    gunzip_t *gunzip;
    size_t from, to; /* of `out`: inflated and not taken yet */
    size_t ahead;    /* bytes at the front of what comes next that were read already */
    char out[16 * 1024];
} http_decoder_t;

/* What the taker of a body said to the last offer: FLOWING until it took less; then PAUSED, and whoever makes that
   FLOWING again resumes the connection. */
typedef enum http_flow { HTTP_FLOWING, HTTP_OFFERING, HTTP_PAUSED } http_flow_t;

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
    trace_t trace;
    char *path; /* cut into segments by the router; `segments` point into it */
    const char *segments[HTTP_SEGMENTS_MAX];
    strbuf_t body;           /* where nobody takes it */
    http_decoder_t *decoder; /* NULL: it comes as it is */
    bool too_large, broken;  /* why it is thrown away */
    bool ignoring;           /* what still comes is thrown away */
    size_t ignored;          /* bytes */
    size_t received;         /* bytes, as they came */
    http_taker_t taker;      /* `end` NULL: nobody takes it */
    bool ended;              /* the taker knows */
    _Atomic http_flow_t flow;
    http_pair_t headers[HTTP_HEADERS_MAX]; /* of the answer */
    size_t headers_count;
    int code;
    char *answer; /* its bytes, given to the library with the response */
    size_t answer_len;
    const char *media_type;
    http_stream_t *stream; /* instead of `answer`; NULL: none */
};

/* http_common.c */
/* Adds what every answer has, after the headers of its own. */
void http_add_common(const http_request_t *request, struct MHD_Response *response);
/* Sets `trace` from the request's headers. */
void http_read_trace(http_request_t *request);

/* The answer is there, in the request's members: counts it and lets the library's thread send it. */
void http_publish(http_request_t *request, int code);

/* http_stream.c */
struct MHD_Response *http_stream_response(http_stream_t *stream, bool headless);
void http_stream_free(http_stream_t *stream); /* tells its source; NULL is fine */
void http_stream_wake_all(http_server_t *server);

/* Finds the route of `method` and `path` (which is cut) and fills `segments`. NULL: `*allow` (freed by the caller) lists
   the methods that the path has, or is NULL where there is no such path. "*" stands for the whole server. */
http_counted_t *http_find_route(http_server_t *server, const char *method, char *path, const char **segments,
                                char **allow);

/* http_body.c: what comes of a body. */
/* Looks at how the body is encoded. False: in a way that is not known here. */
bool http_body_begin(http_request_t *request);
/* Whether a body that is too large is small enough to be read, so that its sender sees the answer. */
bool http_body_worth_reading(const http_request_t *request);
/* Takes what came; `*len` is set to what must come again, when the connection, which sleeps now, goes on. MHD_NO: the
   connection must end. */
enum MHD_Result http_body_piece(http_request_t *request, const char *data, size_t *len);
/* There is no more: whether it is whole goes to `broken`. */
void http_body_close(http_request_t *request);
/* Tells the taker so. False: it wants to be told again, and the connection sleeps. */
bool http_body_end(http_request_t *request);
/* The request is over, however it ended. */
void http_body_free(http_request_t *request);

#endif
