/* The headers that every answer has, whoever gives it. */
#include "common/clock.h"
#include "common/http_internal.h"

#include <string.h>

static void add(void *response, const char *name, const char *value) {
    MHD_add_response_header(response, name, value);
}

void http_add_common(const http_request_t *request, struct MHD_Response *response) {
    bool reads = !strcmp(request->method, "GET") || !strcmp(request->method, "HEAD");
    add(response, "X-Request-Id", request->trace.request_id);
    add(response, "traceparent", request->trace.parent);
    if (MHD_get_response_header(response, "Content-Type")) add(response, "X-Content-Type-Options", "nosniff");
    /* What was read may have changed since: a cache that keeps it must ask (RFC 9111, 5.2.2.4), also for a 404. */
    if (reads && !MHD_get_response_header(response, "Cache-Control")) add(response, "Cache-Control", "no-cache");
    http_cors_each(&request->server->cors,
                   &(http_cors_case_t){
                       .method = request->method,
                       .origin = http_header(request, "Origin"),
                       .wanted = http_header(request, "Access-Control-Request-Method"),
                       .allow = MHD_get_response_header(response, "Allow"),
                   },
                   add, response);
}

/* ---- what a request says of where it comes from ---- */

static enum MHD_Result on_header(void *context, enum MHD_ValueKind kind, const char *name, const char *value) {
    (void)kind;
    if (value) trace_read_header(context, name, value, strlen(value));
    return MHD_YES;
}

void http_read_trace(http_request_t *request) {
    trace_reader_t reader = {0};
    MHD_get_connection_values(request->connection, MHD_HEADER_KIND, on_header, &reader);
    trace_read_end(&reader, &request->trace);
    trace_enter(&request->trace, clock_ms());
}

const trace_t *http_trace(const http_request_t *request) {
    return &request->trace;
}
