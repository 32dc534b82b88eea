/* An HTTP server on libmicrohttpd: a table of routes in, answers out, from any thread.
   A handler is called once for each request, with its whole body, on one of the library's threads, and must not block.
   It answers with http_answer or one of its sisters, at once or later from any thread: the connection is suspended
   meanwhile and holds no thread. Each request must be answered exactly once.
   A body can also be taken piece by piece while it comes, with backpressure: see http_take_body; and an answer that is
   long, or has no end, made piece by piece: see http_answer_stream.
   What is the same for all is done here: 404, 405 with Allow, 413, gzip (RFC 9110, 8.4), HEAD, OPTIONS, metrics by route,
   and the headers that every answer has: Date, X-Request-Id, traceparent, those of CORS. Errors are RFC 9457 problems. */
#ifndef ODRADEK_HTTP_H
#define ODRADEK_HTTP_H

#include "common/http_cors.h"
#include "common/strbuf.h"
#include "common/trace.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct http_server http_server_t;
typedef struct http_request http_request_t;

typedef void (*http_handler_t)(http_request_t *request, void *context);

typedef struct http_route {
    const char *method;  /* "GET" also answers HEAD */
    const char *path;    /* "/entries/{id}/events": a segment in braces matches one segment, percent-decoded */
    http_handler_t handle;
    void *context;       /* borrowed */
    const char *accepts; /* the media types of a body, separated by ", "; or NULL: bodies are ignored. A missing
                            header stands for application/json */
    http_handler_t begin;   /* NULL, or called before the body is read, once its headers were found good: it may call
                               http_take_body, or answer (what comes of the body is thrown away then) */
    const void *about;      /* for whoever describes the routes; the server does not look at it */
} http_route_t;

typedef struct http_options {
    const char *host; /* an IPv4 or IPv6 address, or a name of one */
    int port;
    int threads;       /* of the library, at least 1 */
    size_t body_bytes; /* larger bodies, as they come or inflated, are answered with 413 */
    int connections;   /* at once; further ones wait in the kernel's queue */
    const http_route_t *routes; /* copied; `path` and `method` borrowed */
    size_t routes_count;
    http_cors_t cors; /* zeroed: off */
} http_options_t;

/* Listens and serves. NULL: `error` says why, with host and port. */
http_server_t *http_start(const http_options_t *options, err_t *error) MUST_CHECK;
/* The port that it listens on: the one that was asked for, or the one that was found where that was 0. */
int http_port(const http_server_t *server);
/* Takes no new connection; requests under way go on, and each answer from now on is its connection's last. A stream
   ends where it would wait. */
void http_quiesce(http_server_t *server);
/* Requests whose answer has not been sent yet, open streams among them. */
size_t http_pending(const http_server_t *server);
/* Ends all connections. No request may be with a handler that has not answered it. NULL is fine. */
void http_stop(http_server_t *server);

/* ---- a request; what is returned is borrowed and lives until the answer ---- */

const char *http_body(const http_request_t *request, size_t *len);
/* What the i-th brace of the route's path matched. */
const char *http_segment(const http_request_t *request, size_t i);
/* NULL: not there. */
const char *http_query(const http_request_t *request, const char *name);
/* Calls `each` for all parameters, in their order; `value` is NULL where there is no "=". It returns false to end. */
void http_each_query(const http_request_t *request, bool (*each)(const char *name, const char *value, void *context),
                     void *context);
const char *http_header(const http_request_t *request, const char *name);
/* Whether If-None-Match names the tag, or any (RFC 9110, 13.1.2: compared weakly): the answer is then 304. */
bool http_has_etag(const http_request_t *request, const char *etag);
/* The request's id, and its trace with this service's work on it as the parent: for all that is made of the request, and
   the same that its answer tells. Neither is ever empty. */
const trace_t *http_trace(const http_request_t *request);

/* ---- a body that is taken piece by piece ---- */

/* How it ended. */
typedef enum http_end {
    HTTP_END_WHOLE,
    HTTP_END_BROKEN, /* its Content-Encoding is damaged; what was taken so far came before that */
    HTTP_END_LOST,   /* the client went away; nobody can be answered, and the request is gone when `end` returns */
} http_end_t;

/* Who takes it. Both are called on the library's threads, never at once for the same request, and must not block. */
typedef struct http_taker {
    /* Takes from the next bytes, inflated where they came as gzip, and returns how many. With fewer than all, the
       connection sleeps until http_go_on, and no more is read of it; then the others come again, perhaps with more. */
    size_t (*piece)(void *context, const char *data, size_t len);
    /* There is no more. False: not now; it is called again after http_go_on. True: it will not be called again, and the
       request, unless it is LOST, must be answered, before or after. LOST is not asked for its result. */
    bool (*end)(void *context, http_end_t how);
    void *context;
} http_taker_t;

/* In a route's `begin`: its body goes to `taker` (copied), with no limit to its size, and the route's `handle` is not called.
   In `handle`: the body was read already, and only `end` is called. */
void http_take_body(http_request_t *request, const http_taker_t *taker);
/* After `piece` or `end` took less, or while they run: they are called again. Any thread; the caller must see to it that
   `end` was not told LOST. */
void http_go_on(http_request_t *request);
/* In `piece`: what still comes is thrown away, and `end` is called when it is over. A client that does not stop sending
   is cut off (LOST). */
void http_ignore_rest(http_request_t *request);

/* ---- the answer ---- */

/* A header of the answer to come; copied. Answers to GET are "Cache-Control: no-cache" unless they say otherwise. */
void http_add_header(http_request_t *request, const char *name, const char *value);
/* Steals the text of `body` and leaves it empty. */
void http_answer(http_request_t *request, int code, const char *media_type, strbuf_t *body);
void http_answer_json(http_request_t *request, int code, strbuf_t *body);

/* A problem (RFC 9457): {"type","title","status","detail"} and, where `more` is not NULL, its members, as in
   `"commandId":"…"`. `type` is the last part of the URI, stable: "not-found". */
void http_problem(http_request_t *request, int code, const char *type, const char *detail, const char *more);

#define HTTP_PROBLEM_TYPE "application/problem+json"
/* Appends the text of a problem. */
void http_problem_add(strbuf_t *out, int code, const char *type, const char *detail, const char *more);

/* The same for what passes by itself, with Retry-After: something is away, or busy. */
void http_problem_for_now(http_request_t *request, int code, const char *type, const char *detail);

void http_add_retry_after(http_request_t *request);

/* ---- an answer piece by piece ---- */

typedef struct http_stream http_stream_t;

/* What `read` says instead of a number of bytes. */
enum {
    HTTP_STREAM_WAIT = 0, /* nothing now: asks again after http_stream_wake, and holds no thread until then. A connection
                             that sleeps does not notice that its client left: say something from time to time */
    HTTP_STREAM_END = -1, /* all is said */
    HTTP_STREAM_CUT = -2, /* closes the connection without a proper end, so that the client sees that something lacks */
    HTTP_STREAM_SOON = -3, /* as WAIT, for what is bound to come by itself: it is waited for also when the server ends */
};

/* Where the body comes from. Both are called on the library's threads, never at the same time, and must not block. */
typedef struct http_stream_source {
    /* Called whenever the connection can take more: writes up to `size` bytes and returns how many (at least 1), or one
       of the above. A client that reads nothing for a minute while there is something for it is cut off. Not called at
       all for HEAD, and where the client has left. */
    ssize_t (*read)(void *self, char *out, size_t size);
    /* Called once, last: all was sent, or cut, or the client left. The stream is freed when it returns. */
    void (*gone)(void *self);
    void *self;
} http_stream_source_t;

/* Answers with a body of unknown length: chunked in HTTP/1.1, up to the connection's end in 1.0. `*stream` is set before
   anything of the source is called; the request must not be touched any more. */
void http_answer_stream(http_request_t *request, int code, const char *media_type, const http_stream_source_t *source,
                        http_stream_t **stream);
/* There may be something to read. Any thread, until `gone` has returned; never lost, however soon it comes. */
void http_stream_wake(http_stream_t *stream);

/* The reason phrase of RFC 9110. */
const char *http_reason(int code);

#endif
