/* An HTTP server on libmicrohttpd: from its callbacks to handlers, and from answers back to it.

       first call ── further calls: body ── last call ──▶ dispatch ──▶ handler ──▶ http_answer ──▶ queue
           │           (http_body.c)                         │             (later, any thread) │
           └─▶ refused for its headers                       └─▶ suspended ─────────── resume ─┘        */
#include "common/http.h"

#include "common/clock.h"
#include "common/http_internal.h"
#include "common/log.h"
#include "common/mem.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define RETRY_AFTER_SECONDS "1"

enum {
    LISTEN_BACKLOG = 1024,
    IDLE_SECONDS = 60,
    CONNECTION_BYTES = 16 * 1024 /* of the library, for request line and headers */
};

/* ---- the answer ---- */

void http_add_header(http_request_t *request, const char *name, const char *value) {
    if (request->headers_count == HTTP_HEADERS_MAX) return;
    request->headers[request->headers_count++] = (http_pair_t){mem_string(name), mem_string(value)};
}

static metric_t *code_counter(http_counted_t *counted, int code) {
    metric_t *counter = atomic_load_explicit(&counted->by_code[code], memory_order_acquire);
    if (counter) return counter;
    char labels[256];
    snprintf(labels, sizeof labels, "method=\"%s\",route=\"%s\",code=\"%d\"", counted->route.method, counted->route.path,
             code);
    counter = metric_counter("odradek_http_requests_total", "Requests answered.", labels);
    atomic_store_explicit(&counted->by_code[code], counter, memory_order_release);
    return counter;
}

void http_publish(http_request_t *request, int code) {
    request->code = code;
    metric_add(code_counter(request->counted, code), 1);
    metric_observe(request->counted->seconds, (double)(clock_monotonic_us() - request->start_us) / 1e6);
    struct MHD_Connection *connection = request->connection;
    /* From here on the request may be gone: the library's thread sends the answer and frees it. */
    if (atomic_exchange(&request->state, HTTP_ANSWERED) == HTTP_SUSPENDED) MHD_resume_connection(connection);
}

void http_answer(http_request_t *request, int code, const char *media_type, strbuf_t *body) {
    request->media_type = media_type;
    request->answer_len = body->len;
    request->answer = strbuf_steal(body);
    http_publish(request, code);
}

void http_answer_json(http_request_t *request, int code, strbuf_t *body) {
    http_answer(request, code, "application/json", body);
}

const char *http_reason(int code) {
    return MHD_get_reason_phrase_for((unsigned)code);
}

/* How many bytes the character of UTF-8 at `text` has; 0: there is none (RFC 3629). */
static size_t utf8_len(const unsigned char *text) {
    size_t len = text[0] < 0x80 ? 1 : text[0] < 0xc2 ? 0 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : text[0] < 0xf5 ? 4 : 0;
    for (size_t i = 1; i < len; i++)
        if ((text[i] & 0xc0) != 0x80) return 0;
    bool wrong = (text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f) ||
                 (text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] > 0x8f);
    return wrong ? 0 : len;
}

/* A text that may have what a client sent in it, or a part of that: what is no UTF-8 there becomes question marks. */
static void add_detail(strbuf_t *out, const char *detail) {
    strbuf_t clean = {0};
    strbuf_adds(&clean, "");
    while (*detail) {
        size_t len = utf8_len((const unsigned char *)detail);
        strbuf_add(&clean, len ? detail : "?", len ? len : 1);
        detail += len ? len : 1;
    }
    strbuf_add_jsons(out, clean.data);
    strbuf_free(&clean);
}

void http_problem_add(strbuf_t *out, int code, const char *type, const char *detail, const char *more) {
    strbuf_addf(out, "{\"type\":\"/problems/%s\",\"title\":\"%s\",\"status\":%d,\"detail\":", type, http_reason(code),
                code);
    add_detail(out, detail);
    if (more) strbuf_addf(out, ",%s", more);
    strbuf_addc(out, '}');
}

void http_problem(http_request_t *request, int code, const char *type, const char *detail, const char *more) {
    strbuf_t body = {0};
    http_problem_add(&body, code, type, detail, more);
    http_answer(request, code, HTTP_PROBLEM_TYPE, &body);
}

void http_add_retry_after(http_request_t *request) {
    http_add_header(request, MHD_HTTP_HEADER_RETRY_AFTER, RETRY_AFTER_SECONDS);
}

void http_problem_for_now(http_request_t *request, int code, const char *type, const char *detail) {
    http_add_retry_after(request);
    http_problem(request, code, type, detail, NULL);
}

static struct MHD_Response *response_new(http_request_t *request) {
    if (request->stream) return http_stream_response(request->stream, !strcmp(request->method, "HEAD"));
    struct MHD_Response *response =
        MHD_create_response_from_buffer(request->answer_len, request->answer, MHD_RESPMEM_MUST_FREE);
    if (response) request->answer = NULL;
    return response;
}

static enum MHD_Result send_answer(http_request_t *request) {
    struct MHD_Response *response = response_new(request);
    if (!response) return MHD_NO;
    if (request->stream || request->answer_len > 0)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, request->media_type);
    for (size_t i = 0; i < request->headers_count; i++)
        MHD_add_response_header(response, request->headers[i].name, request->headers[i].value);
    http_add_common(request, response);
    if (atomic_load(&request->server->ending))
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    enum MHD_Result result = MHD_queue_response(request->connection, (unsigned)request->code, response);
    MHD_destroy_response(response);
    return result;
}

/* ---- the request ---- */

const char *http_segment(const http_request_t *request, size_t i) {
    return request->segments[i];
}

const char *http_query(const http_request_t *request, const char *name) {
    return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

typedef struct each_query {
    bool (*each)(const char *name, const char *value, void *context);
    void *context;
} each_query_t;

static enum MHD_Result on_query(void *context, enum MHD_ValueKind kind, const char *name, const char *value) {
    const each_query_t *query = context;
    (void)kind;
    return query->each(name, value, query->context) ? MHD_YES : MHD_NO;
}

void http_each_query(const http_request_t *request, bool (*each)(const char *name, const char *value, void *context),
                     void *context) {
    MHD_get_connection_values(request->connection, MHD_GET_ARGUMENT_KIND, on_query, &(each_query_t){each, context});
}

const char *http_header(const http_request_t *request, const char *name) {
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

bool http_has_etag(const http_request_t *request, const char *etag) {
    const char *if_none_match = http_header(request, MHD_HTTP_HEADER_IF_NONE_MATCH);
    size_t len = strlen(etag);
    if (!if_none_match) return false;
    if (!strcmp(if_none_match, "*")) return true;
    for (const char *p = if_none_match; *p; p += strcspn(p, ",")) {
        p += strspn(p, ", \t");
        if (!strncmp(p, "W/", 2)) p += 2;
        if (!strncmp(p, etag, len) && strchr(", \t", p[len])) return true; /* strchr finds the end, too */
    }
    return false;
}

/* Whether the media type of `header`, which may have parameters, is one of the list `accepts`. */
static bool is_accepted(const char *header, const char *accepts) {
    if (!header) header = "application/json";
    size_t len = strcspn(header, "; \t");
    for (const char *one = accepts; *one; one += strspn(one, ", ")) {
        size_t one_len = strcspn(one, ",");
        if (one_len == len && !strncasecmp(header, one, len)) return true;
        one += one_len;
    }
    return false;
}

static void answer_unsupported(http_request_t *request, const char *accepts) {
    char detail[160];
    snprintf(detail, sizeof detail, "The body's Content-Type must be %s%s.", strchr(accepts, ',') ? "one of " : "", accepts);
    if (!strcmp(request->method, "PATCH")) http_add_header(request, "Accept-Patch", accepts); /* RFC 5789 */
    http_problem(request, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", detail, NULL);
}

static void answer_unrouted(http_request_t *request, const char *allow) {
    strbuf_t none = {0};
    if (!allow) {
        http_problem(request, MHD_HTTP_NOT_FOUND, "not-found", "There is nothing at this path.", NULL);
        return;
    }
    http_add_header(request, "Allow", allow);
    if (!strcmp(request->method, "OPTIONS"))
        http_answer(request, MHD_HTTP_NO_CONTENT, "", &none);
    else
        http_problem(request, MHD_HTTP_METHOD_NOT_ALLOWED, "method-not-allowed",
                     "The path does not know this method; the Allow header lists those that it knows.", NULL);
}

static void answer_too_large(http_request_t *request) {
    char detail[96];
    snprintf(detail, sizeof detail, "The body may have %zu bytes at most.", request->server->body_bytes);
    http_problem(request, MHD_HTTP_CONTENT_TOO_LARGE, "too-large", detail, NULL);
}

static void answer_unknown_encoding(http_request_t *request) {
    http_add_header(request, MHD_HTTP_HEADER_ACCEPT_ENCODING, "gzip"); /* RFC 9110, 15.5.16 */
    http_problem(request, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "unsupported-encoding",
                 "The body's Content-Encoding must be gzip, if it has one.", NULL);
}

/* Whether the body's announced length is too large; where it is taken piece by piece, none is. */
static bool announced_too_large(const http_request_t *request) {
    const char *length = http_header(request, MHD_HTTP_HEADER_CONTENT_LENGTH);
    return !request->taker.end && length && strtoull(length, NULL, 10) > request->server->body_bytes;
}

/* What can be said before the body is read: finds the route, and answers where the headers are wrong. */
static void begin(http_request_t *request) {
    char *allow = NULL;
    http_counted_t *found =
        http_find_route(request->server, request->method, request->path, request->segments, &allow);
    if (found) request->counted = found;
    const http_route_t *route = &request->counted->route;
    if (!found)
        answer_unrouted(request, allow);
    else if (route->accepts && !is_accepted(http_header(request, "Content-Type"), route->accepts))
        answer_unsupported(request, route->accepts);
    else if (route->accepts && !http_body_begin(request))
        answer_unknown_encoding(request);
    else if (route->begin)
        route->begin(request, route->context);
    free(allow);
}

static void handle(http_request_t *request) {
    const http_route_t *route = &request->counted->route;
    http_body_close(request);
    if (request->taker.end)
        return; /* it knows what to do */
    else if (request->too_large)
        answer_too_large(request);
    else if (request->broken)
        http_problem(request, MHD_HTTP_BAD_REQUEST, "invalid-encoding", "The body is no gzip, or damaged.", NULL);
    else
        route->handle(request, route->context);
}

/* Runs the handler. Where it has not answered when it returns, the connection sleeps until http_answer: suspended
   first, then the state says so; an answer that came in between is seen by the exchange and resumed here. */
static enum MHD_Result dispatch(http_request_t *request) {
    http_state_t expected = HTTP_READING;
    if (atomic_compare_exchange_strong(&request->state, &expected, HTTP_HANDLING)) handle(request);
    if (request->taker.end && !request->ended && !http_body_end(request)) return MHD_YES;
    if (atomic_load(&request->state) == HTTP_ANSWERED) return send_answer(request);
    struct MHD_Connection *connection = request->connection;
    MHD_suspend_connection(connection);
    expected = HTTP_HANDLING;
    if (!atomic_compare_exchange_strong(&request->state, &expected, HTTP_SUSPENDED)) MHD_resume_connection(connection);
    return MHD_YES;
}

/* A request that is refused for its headers is answered before its body where the client waits to be told, or the body is
   too large to be worth reading. Else the body is read and thrown away first, since a client that is still
   sending may not see the answer. The library closes the connection when it is answered before. */
static bool refused_at_once(http_request_t *request) {
    bool too_large = announced_too_large(request), waits = http_header(request, MHD_HTTP_HEADER_EXPECT) != NULL;
    if (atomic_load(&request->state) == HTTP_ANSWERED) {
        request->ignoring = true;
        return waits;
    }
    request->too_large = request->ignoring = too_large;
    if (!too_large || (!waits && http_body_worth_reading(request))) return false;
    answer_too_large(request);
    return true;
}

static http_request_t *request_new(http_server_t *server, struct MHD_Connection *connection, const char *url,
                                   const char *method) {
    http_request_t *request = mem_zero(1, sizeof *request);
    request->server = server;
    request->connection = connection;
    request->counted = &server->routes[server->routes_count];
    request->start_us = clock_monotonic_us();
    request->method = method;
    request->path = mem_string(url);
    http_read_trace(request);
    atomic_fetch_add(&server->pending, 1);
    metric_change(server->pending_gauge, 1);
    return request;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *data, size_t *len, void **slot) {
    (void)version;
    http_request_t *request = *slot;
    if (!request) {
        request = *slot = request_new(context, connection, url, method);
        begin(request);
        return refused_at_once(request) ? send_answer(request) : MHD_YES;
    }
    return *len > 0 ? http_body_piece(request, data, len) : dispatch(request);
}

static void on_completed(void *context, struct MHD_Connection *connection, void **slot,
                         enum MHD_RequestTerminationCode why) {
    (void)context, (void)connection, (void)why;
    http_request_t *request = *slot;
    if (!request) return;
    http_stream_free(request->stream);
    metric_change(request->server->pending_gauge, -1);
    for (size_t i = 0; i < request->headers_count; i++) {
        free(request->headers[i].name);
        free(request->headers[i].value);
    }
    free(request->answer);
    free(request->path);
    http_body_free(request);
    atomic_fetch_sub(&request->server->pending, 1); /* last: who waits for it may free what handlers use */
    free(request);
    *slot = NULL;
}

/* A decoded NUL would cut the text short, and so name something else: such a text stays encoded and matches nothing. */
static size_t on_unescape(void *context, struct MHD_Connection *connection, char *text) {
    (void)context, (void)connection;
    return strstr(text, "%00") ? strlen(text) : MHD_http_unescape(text);
}

static void on_library_log(void *context, const char *format, va_list args) {
    char text[512];
    (void)context;
    vsnprintf(text, sizeof text, format, args);
    text[strcspn(text, "\n")] = '\0';
    log_debug("http: %s", text);
}

/* ---- the server ---- */

static int listen_on(const struct addrinfo *address) {
    int on = 1, fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (!bind(fd, address->ai_addr, address->ai_addrlen) && !listen(fd, LISTEN_BACKLOG)) return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

static int listen_at(const char *host, int port, err_t *error) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *address;
    char service[8];
    snprintf(service, sizeof service, "%d", port);
    int why = getaddrinfo(host, service, &hints, &address);
    if (why) {
        err_set(error, STATUS_FATAL, "cannot listen on %s:%d: %s", host, port, gai_strerror(why));
        return -1;
    }
    int fd = listen_on(address);
    if (fd < 0) err_set(error, STATUS_FATAL, "cannot listen on %s:%d: %s", host, port, strerror(errno));
    freeaddrinfo(address);
    return fd;
}

static void routes_copy(http_server_t *server, const http_options_t *options) {
    server->routes_count = options->routes_count;
    server->routes = mem_zero(options->routes_count + 1, sizeof *server->routes);
    for (size_t i = 0; i < options->routes_count; i++) server->routes[i].route = options->routes[i];
    server->routes[options->routes_count].route = (http_route_t){.method = "", .path = ""};
    for (size_t i = 0; i <= options->routes_count; i++) {
        char labels[256];
        const http_route_t *route = &server->routes[i].route;
        snprintf(labels, sizeof labels, "method=\"%s\",route=\"%s\"", route->method, route->path);
        server->routes[i].seconds =
            metric_histogram("odradek_http_request_seconds", "Time from a request's headers to its answer.", labels,
                             metric_seconds, METRIC_SECONDS_COUNT);
    }
}

static void server_free(http_server_t *server) {
    pthread_mutex_destroy(&server->streams_lock);
    free(server->routes);
    free(server);
}

http_server_t *http_start(const http_options_t *options, err_t *error) {
    int fd = listen_at(options->host, options->port, error);
    if (fd < 0) return NULL;
    http_server_t *server = mem_zero(1, sizeof *server);
    server->fd = fd;
    server->body_bytes = options->body_bytes;
    server->cors = options->cors;
    pthread_mutex_init(&server->streams_lock, NULL);
    server->pending_gauge = metric_gauge("odradek_http_requests_pending", "Requests that are not answered yet.", NULL);
    routes_copy(server, options);
    /* One thread is the default, and a pool of one is refused. */
    struct MHD_OptionItem pool[] = {{MHD_OPTION_THREAD_POOL_SIZE, options->threads, NULL}, {MHD_OPTION_END, 0, NULL}};
    if (options->threads < 2) pool[0].option = MHD_OPTION_END;
    server->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC | MHD_USE_ERROR_LOG, 0, NULL, NULL,
        on_request, server,
        MHD_OPTION_EXTERNAL_LOGGER, on_library_log, NULL,
        MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL,
        MHD_OPTION_UNESCAPE_CALLBACK, on_unescape, NULL,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)options->connections,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
        MHD_OPTION_ARRAY, pool,
        MHD_OPTION_END);
    if (server->daemon) return server;
    close(fd);
    server_free(server);
    err_set(error, STATUS_FATAL, "the HTTP server on %s:%d cannot start", options->host, options->port);
    return NULL;
}

int http_port(const http_server_t *server) {
    struct sockaddr_in6 address; /* the port is at the same place in both families */
    socklen_t len = sizeof address;
    if (getsockname(server->fd, (struct sockaddr *)&address, &len)) return -1;
    return ntohs(address.sin6_port);
}

/* The library's threads may still be at the socket: it is shut down here, so that clients are refused, and closed in
   http_stop, lest its number be given to another file meanwhile. */
void http_quiesce(http_server_t *server) {
    atomic_store(&server->ending, true);
    MHD_quiesce_daemon(server->daemon);
    shutdown(server->fd, SHUT_RD);
    http_stream_wake_all(server);
}

size_t http_pending(const http_server_t *server) {
    return atomic_load(&server->pending);
}

void http_stop(http_server_t *server) {
    if (!server) return;
    bool quiesced = atomic_exchange(&server->ending, true); /* else the library closes the socket */
    atomic_store(&server->stopping, true);
    http_stream_wake_all(server); /* none may sleep when the library ends */
    MHD_stop_daemon(server->daemon);
    if (quiesced) close(server->fd);
    server_free(server);
}
