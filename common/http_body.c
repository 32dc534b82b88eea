/* What comes of a request's body: it is inflated where it came as gzip, and kept, taken piece by piece, or thrown away.

       library ──▶ piece ──▶ inflate ──▶ give ──▶ kept, up to the limit
                     │                     ├─────▶ taker ──took less──▶ PAUSED ──http_go_on──▶ piece again
                     └─ thrown away        └─────▶ thrown away                                              */
#include "common/http_internal.h"

#include "common/mem.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { DISCARD_FACTOR = 3 }; /* so many times the limit is read of what is thrown away, so that its sender can be answered */

const char *http_body(const http_request_t *request, size_t *len) {
    *len = request->body.len;
    return request->body.data ? request->body.data : "";
}

/* ---- Content-Encoding ---- */

typedef struct codings {
    int gzip, unknown;
} codings_t;

/* Counts the codings of one header. */
static enum MHD_Result on_header(void *context, enum MHD_ValueKind kind, const char *name, const char *value) {
    codings_t *codings = context;
    (void)kind;
    if (strcasecmp(name, MHD_HTTP_HEADER_CONTENT_ENCODING) || !value) return MHD_YES;
    for (const char *one = value + strspn(value, ", \t"); *one; one += strspn(one, ", \t")) {
        size_t len = strcspn(one, ", \t");
        bool gzip = (len == 4 && !strncasecmp(one, "gzip", len)) || (len == 6 && !strncasecmp(one, "x-gzip", len));
        bool identity = len == 8 && !strncasecmp(one, "identity", len);
        codings->gzip += gzip;
        codings->unknown += !gzip && !identity;
        one += len;
    }
    return MHD_YES;
}

bool http_body_begin(http_request_t *request) {
    codings_t codings = {0};
    MHD_get_connection_values(request->connection, MHD_HEADER_KIND, on_header, &codings);
    if (codings.unknown > 0 || codings.gzip > 1) return false;
    if (codings.gzip == 0) return true;
    request->decoder = mem_zero(1, sizeof *request->decoder);
    request->decoder->gunzip = gunzip_new();
    return true;
}

/* ---- who takes it ---- */

void http_take_body(http_request_t *request, const http_taker_t *taker) {
    request->taker = *taker;
}

void http_ignore_rest(http_request_t *request) {
    request->ignoring = true;
}

static void keep(http_request_t *request, const char *data, size_t len) {
    if (request->body.len + len <= request->server->body_bytes) {
        strbuf_add(&request->body, data, len);
        return;
    }
    request->too_large = request->ignoring = true;
    strbuf_free(&request->body);
}

/* Returns how many bytes were taken. */
static size_t give(http_request_t *request, const char *data, size_t len) {
    if (request->ignoring) return len;
    if (!request->taker.end) {
        keep(request, data, len);
        return len;
    }
    size_t taken = request->taker.piece(request->taker.context, data, len);
    return request->ignoring ? len : taken; /* it may have said so just now */
}

/* Gives what is inflated already. False: not all of it was taken. */
static bool give_inflated(http_request_t *request) {
    http_decoder_t *decoder = request->decoder;
    if (decoder->from < decoder->to)
        decoder->from += give(request, decoder->out + decoder->from, decoder->to - decoder->from);
    return decoder->from == decoder->to;
}

/* Inflates and gives as long as all is taken. Returns how much of `data` is done with: never all of it while something
   inflated waits, since without a byte to come the library would not ask again; that byte is known to be AHEAD then. */
static size_t inflate_and_give(http_request_t *request, const char *data, size_t len) {
    http_decoder_t *decoder = request->decoder;
    const char *in = data + decoder->ahead;
    size_t left = len - decoder->ahead;
    bool taken = give_inflated(request), more = true;
    while (taken && more && !request->ignoring) {
        decoder->from = 0;
        if (!gunzip_next(decoder->gunzip, &in, &left, decoder->out, sizeof decoder->out, &decoder->to)) {
            request->broken = request->ignoring = true;
            decoder->to = 0;
        }
        more = left > 0 || decoder->to == sizeof decoder->out;
        taken = give_inflated(request);
    }
    decoder->ahead = !taken && left == 0;
    return taken ? len : len - left - decoder->ahead;
}

/* ---- backpressure ---- */

/* The connection sleeps until http_go_on. That may have been called already: then the flow is not what it was. */
static void pause_connection(http_request_t *request) {
    http_flow_t expected = HTTP_OFFERING;
    struct MHD_Connection *connection = request->connection;
    MHD_suspend_connection(connection);
    if (!atomic_compare_exchange_strong(&request->flow, &expected, HTTP_PAUSED)) MHD_resume_connection(connection);
}

void http_go_on(http_request_t *request) {
    if (atomic_exchange(&request->flow, HTTP_FLOWING) == HTTP_PAUSED) MHD_resume_connection(request->connection);
}

/* ---- from the library ---- */

bool http_body_worth_reading(const http_request_t *request) {
    const char *length = http_header(request, MHD_HTTP_HEADER_CONTENT_LENGTH);
    return !length || strtoull(length, NULL, 10) / DISCARD_FACTOR <= request->server->body_bytes;
}

static enum MHD_Result ignore(http_request_t *request, size_t *len) {
    request->ignored += *len;
    *len = 0;
    return request->ignored / DISCARD_FACTOR <= request->server->body_bytes ? MHD_YES : MHD_NO;
}

enum MHD_Result http_body_piece(http_request_t *request, const char *data, size_t *len) {
    /* What comes as gzip may be larger than what it holds. */
    if (!request->taker.end && request->received + *len > request->server->body_bytes)
        request->too_large = request->ignoring = true;
    if (request->ignoring) return ignore(request, len);
    atomic_store(&request->flow, HTTP_OFFERING);
    size_t done = request->decoder ? inflate_and_give(request, data, *len) : give(request, data, *len);
    request->received += done;
    *len -= done;
    if (*len > 0) pause_connection(request);
    return MHD_YES;
}

void http_body_close(http_request_t *request) {
    if (request->decoder && !request->ignoring) request->broken = !gunzip_whole(request->decoder->gunzip);
}

bool http_body_end(http_request_t *request) {
    http_end_t how = request->broken ? HTTP_END_BROKEN : HTTP_END_WHOLE;
    atomic_store(&request->flow, HTTP_OFFERING);
    request->ended = request->taker.end(request->taker.context, how);
    if (!request->ended) pause_connection(request);
    return request->ended;
}

void http_body_free(http_request_t *request) {
    if (request->taker.end && !request->ended) request->taker.end(request->taker.context, HTTP_END_LOST);
    if (request->decoder) gunzip_free(request->decoder->gunzip);
    free(request->decoder);
    strbuf_free(&request->body);
}
