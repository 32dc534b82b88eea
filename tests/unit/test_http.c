/* The HTTP server, over real connections. */
#include "common/http.h"
#include "common/json.h"
#include "tests/unit/gzip.h"
#include "tests/unit/http_client.h"
#include "tests/unit/until.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

enum { BODY_LIMIT = 1000 };

/* Requests that a handler left unanswered, for other threads to answer. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static http_request_t *left[256];
static size_t left_count;
static _Atomic int handled;

static http_server_t *server;
static int port;

static http_request_t *take_left(void) {
    pthread_mutex_lock(&lock);
    while (left_count == 0) pthread_cond_wait(&wake, &lock);
    http_request_t *request = left[--left_count];
    pthread_mutex_unlock(&lock);
    return request;
}

/* ---- routes ---- */

static void answer_text(http_request_t *request, const char *text) {
    strbuf_t body = {0};
    strbuf_adds(&body, text);
    http_answer(request, 200, "text/plain", &body);
}

static void handle_leave(http_request_t *request, void *context) {
    (void)context;
    pthread_mutex_lock(&lock);
    left[left_count++] = request;
    pthread_cond_broadcast(&wake);
    pthread_mutex_unlock(&lock);
}

static void handle_text(http_request_t *request, void *context) {
    answer_text(request, context);
}

static void handle_segments(http_request_t *request, void *context) {
    strbuf_t body = {0};
    (void)context;
    strbuf_addf(&body, "%s|%s", http_segment(request, 0), http_segment(request, 1));
    http_answer(request, 200, "text/plain", &body);
}

static bool add_parameter(const char *name, const char *value, void *context) {
    strbuf_addf(context, "%s=%s;", name, value ? value : "NULL");
    return strcmp(name, "last") != 0;
}

static void handle_query(http_request_t *request, void *context) {
    strbuf_t body = {0};
    (void)context;
    const char *a = http_query(request, "a");
    strbuf_addf(&body, "a:%s ", a ? a : "NULL");
    http_each_query(request, add_parameter, &body);
    http_answer(request, 200, "text/plain", &body);
}

static void handle_echo(http_request_t *request, void *context) {
    size_t len;
    const char *text = http_body(request, &len);
    strbuf_t body = {0};
    (void)context;
    atomic_fetch_add(&handled, 1);
    strbuf_add(&body, text, len);
    http_add_header(request, "X-First", "1");
    http_answer(request, 201, "application/json", &body);
}

static void handle_problem(http_request_t *request, void *context) {
    (void)context;
    http_problem(request, 422, "odd", "a \"quoted\" word", "\"more\":[1]");
}

static void handle_for_now(http_request_t *request, void *context) {
    (void)context;
    http_problem_for_now(request, 503, "away", "not now");
}

static void handle_cached(http_request_t *request, void *context) {
    (void)context;
    http_add_header(request, "Cache-Control", "max-age=60");
    http_add_header(request, "Vary", "Accept");
    answer_text(request, "cached");
}

/* What a handler is told of the request's id and trace. */
static void handle_trace(http_request_t *request, void *context) {
    const trace_t *trace = http_trace(request);
    strbuf_t body = {0};
    (void)context;
    strbuf_addf(&body, "%s %s %s", trace->request_id, trace->parent, trace->state);
    http_answer(request, 200, "text/plain", &body);
}

/* ---- a body that is taken piece by piece ---- */

/* Who takes it: as many bytes as he may, and says how it ended. */
typedef struct take {
    pthread_mutex_t lock; /* of all of it */
    http_request_t *request; /* NULL: there is none, or it is gone */
    size_t may;
    bool greedy, sleeping, ignore;
    bool end_now; /* whether `end` is taken */
    int asked, ends;
    http_end_t how;
    strbuf_t got;
} take_t;

static take_t take = {.lock = PTHREAD_MUTEX_INITIALIZER};

static size_t on_piece(void *context, const char *data, size_t len) {
    take_t *self = context;
    pthread_mutex_lock(&self->lock);
    size_t taken = self->greedy || len < self->may ? len : self->may;
    strbuf_add(&self->got, data, taken);
    if (!self->greedy) self->may -= taken;
    self->asked++;
    self->sleeping = taken < len;
    if (self->ignore) http_ignore_rest(self->request);
    pthread_mutex_unlock(&self->lock);
    return taken;
}

static bool on_end(void *context, http_end_t how) {
    take_t *self = context;
    pthread_mutex_lock(&self->lock);
    bool done = self->end_now || how == HTTP_END_LOST;
    self->asked++;
    self->ends += done;
    self->how = how;
    self->sleeping = !done;
    http_request_t *request = self->request;
    if (done) self->request = NULL;
    strbuf_t text = {0};
    if (done && how != HTTP_END_LOST) strbuf_add(&text, self->got.data ? self->got.data : "", self->got.len);
    pthread_mutex_unlock(&self->lock);
    if (done && how != HTTP_END_LOST) http_answer(request, how == HTTP_END_WHOLE ? 200 : 299, "text/plain", &text);
    return done;
}

static void begin_take(http_request_t *request, void *context) {
    take_t *self = context;
    pthread_mutex_lock(&self->lock);
    self->request = request;
    strbuf_clear(&self->got);
    self->ends = self->asked = 0;
    self->sleeping = false;
    pthread_mutex_unlock(&self->lock);
    if (http_header(request, "X-Refuse"))
        http_problem(request, 422, "odd", "not this one", NULL);
    else
        http_take_body(request, &(http_taker_t){on_piece, on_end, self});
    if (http_header(request, "X-Refuse")) self->request = NULL;
}

static void handle_take(http_request_t *request, void *context) {
    (void)context;
    atomic_fetch_add(&handled, 1);
    http_problem(request, 500, "odd", "its body was to be taken", NULL);
}

/* One whose body was kept, and which then wants to be asked again and again. */
static void handle_ends(http_request_t *request, void *context) {
    take_t *self = context;
    size_t len;
    const char *text = http_body(request, &len);
    pthread_mutex_lock(&self->lock);
    self->request = request;
    self->ends = self->asked = 0;
    strbuf_clear(&self->got);
    strbuf_add(&self->got, text, len);
    pthread_mutex_unlock(&self->lock);
    http_take_body(request, &(http_taker_t){on_piece, on_end, self});
}

static const http_route_t routes[] = {
    {"GET", "/", handle_text, "root", NULL, NULL, NULL},
    {"GET", "/things", handle_text, "things", NULL, NULL, NULL},
    {"POST", "/things", handle_echo, NULL, "application/json", NULL, NULL},
    {"GET", "/things/special", handle_text, "special", NULL, NULL, NULL},
    {"GET", "/things/{a}", handle_text, "one", NULL, NULL, NULL},
    {"GET", "/things/{a}/parts/{b}", handle_segments, NULL, NULL, NULL, NULL},
    {"GET", "/query", handle_query, NULL, NULL, NULL, NULL},
    {"GET", "/late", handle_leave, NULL, NULL, NULL, NULL},
    {"GET", "/problem", handle_problem, NULL, NULL, NULL, NULL},
    {"GET", "/busy", handle_for_now, NULL, NULL, NULL, NULL},
    {"POST", "/take", handle_take, &take, "application/json", begin_take, NULL},
    {"POST", "/ends", handle_ends, &take, "application/json", NULL, NULL},
    {"GET", "/cached", handle_cached, NULL, NULL, NULL, NULL},
    {"GET", "/trace", handle_trace, NULL, NULL, NULL, NULL},
    {"PUT", "/things/{a}", handle_echo, NULL, "application/json", NULL, NULL},
};

static http_cors_t cors; /* of the servers that are started next */

static http_server_t *start(int threads, int connections) {
    err_t error;
    http_server_t *started = http_start(
        &(http_options_t){.host = "127.0.0.1", .threads = threads, .body_bytes = BODY_LIMIT, .connections = connections,
                          .routes = routes, .routes_count = ARRAY_LEN(routes), .cors = cors},
        &error);
    if (!started) fail_msg("%s", error.text);
    return started;
}

static int start_server(void **state) {
    (void)state;
    server = start(2, 100);
    port = http_port(server);
    return 0;
}

static int stop_server(void **state) {
    (void)state;
    UNTIL(http_pending(server) == 0);
    http_stop(server);
    return 0;
}

/* Asks, and compares the code and, where `body` is not NULL, the body. */
static void check(const char *method, const char *target, const char *headers, const char *sent, int code,
                  const char *body) {
    reply_t reply = http_ask(port, method, target, headers, sent);
    if (reply.code != code) fail_msg("%s %s: %d instead of %d: %s", method, target, reply.code, code, reply.body);
    if (body) assert_string_equal(reply.body, body);
    reply_free(&reply);
}

static void check_header(const char *method, const char *target, int code, const char *name, const char *value) {
    reply_t reply = http_ask(port, method, target, NULL, NULL);
    assert_int_equal(reply.code, code);
    const char *found = reply_header(&reply, name);
    if (!found) fail_msg("%s %s: no %s", method, target, name);
    assert_string_equal(found, value);
    reply_free(&reply);
}

/* ---- which route ---- */

static void a_request_takes_the_first_route_that_matches(void **state) {
    (void)state;
    check("GET", "/", NULL, NULL, 200, "root");
    check("GET", "/things", NULL, NULL, 200, "things");
    check("GET", "/things/special", NULL, NULL, 200, "special");
    check("GET", "/things/x", NULL, NULL, 200, "one");
}

static void segments_are_decoded(void **state) {
    (void)state;
    check("GET", "/things/a%20b/parts/%C3%A4", NULL, NULL, 200, "a b|\xc3\xa4");
}

static void paths_that_no_route_has_are_not_found(void **state) {
    static const char *const targets[] = {"/nothing",       "/things/",  "/things/x/", "/things/x/y", "/Things",
                                          "/things//parts/b", "//things", "/a/b/c/d/e/f/g/h/i/j", "/thing", "/thingsx"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(targets); i++) check("GET", targets[i], NULL, NULL, 404, NULL);
}

static void a_nul_in_a_path_does_not_cut_it(void **state) {
    (void)state;
    check("GET", "/things%00", NULL, NULL, 404, NULL);
    check("GET", "/things/a%00b/parts/c", NULL, NULL, 200, "a%00b|c");
}

static void another_method_is_not_allowed_and_the_answer_says_which_are(void **state) {
    (void)state;
    check_header("DELETE", "/things", 405, "Allow", "GET, HEAD, POST, OPTIONS");
    check_header("POST", "/things/x", 405, "Allow", "GET, HEAD, PUT, OPTIONS");
    check_header("BREW", "/things", 405, "Content-Type", "application/problem+json");
}

static void options_tells_the_methods(void **state) {
    (void)state;
    check_header("OPTIONS", "/things", 204, "Allow", "GET, HEAD, POST, OPTIONS");
    check("OPTIONS", "/nothing", NULL, NULL, 404, NULL);
}

static void options_of_the_server_tells_all_methods(void **state) {
    (void)state;
    check_header("OPTIONS", "*", 204, "Allow", "GET, HEAD, POST, PUT, OPTIONS");
    check_header("BREW", "*", 405, "Allow", "GET, HEAD, POST, PUT, OPTIONS");
    check("GET", "*", NULL, NULL, 405, NULL);
    check("OPTIONS", "/*", NULL, NULL, 404, NULL);
}

/* The lines of a head, but for those that differ from answer to answer. */
static void lines_of(const reply_t *reply, strbuf_t *out) {
    static const char *const own[] = {"Date:", "X-Request-Id:", "traceparent:"};
    for (const char *line = reply->head; *line; line = strstr(line, "\r\n") + 2) {
        bool skipped = false;
        for (size_t i = 0; i < ARRAY_LEN(own); i++) skipped |= !strncmp(line, own[i], strlen(own[i]));
        if (!skipped) strbuf_add(out, line, strcspn(line, "\r"));
        if (!skipped) strbuf_addc(out, '\n');
    }
}

static void head_is_get_without_a_body(void **state) {
    static const char *const targets[] = {"/", "/things", "/things/x", "/query?a=1", "/problem", "/busy", "/cached", "/nothing"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
        strbuf_t got = {0}, told = {0};
        reply_t get = http_ask(port, "GET", targets[i], NULL, NULL), head = http_ask(port, "HEAD", targets[i], NULL, NULL);
        lines_of(&get, &got);
        lines_of(&head, &told);
        assert_string_equal(told.data, got.data);
        assert_int_equal(strtoul(reply_header(&head, "Content-Length"), NULL, 10), get.len);
        strbuf_free(&got);
        strbuf_free(&told);
        reply_free(&get);
        reply_free(&head);
    }
}

/* A body after the head would be taken for the next answer. */
static void after_a_head_the_connection_goes_on(void **state) {
    (void)state;
    reply_t reply;
    int fd = connect_to(port);
    for (int i = 0; i < 5; i++) {
        http_write(fd, "HEAD /things HTTP/1.1\r\nHost: t\r\n\r\n");
        assert_true(http_read(fd, &reply, true));
        assert_int_equal(reply.code, 200);
        reply_free(&reply);
    }
    close(fd);
}

static void parameters_come_in_their_order_and_end_when_told(void **state) {
    (void)state;
    check("GET", "/query?b=2&a=1%262&c&a=3", NULL, NULL, 200, "a:1&2 b=2;a=1&2;c=NULL;a=3;");
    check("GET", "/query?last=1&b=2", NULL, NULL, 200, "a:NULL last=1;");
    check("GET", "/query", NULL, NULL, 200, "a:NULL ");
}

/* ---- bodies ---- */

static void a_body_comes_whole(void **state) {
    char body[BODY_LIMIT + 1];
    (void)state;
    memset(body, 'x', BODY_LIMIT);
    body[BODY_LIMIT] = '\0';
    check("POST", "/things", "Content-Type: application/json\r\n", body, 201, body);
    check("POST", "/things", NULL, "", 201, "");
    check("POST", "/things", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n", NULL, 201, "abcde");
}

static void a_body_of_another_type_is_refused_unseen(void **state) {
    (void)state;
    int before = atomic_load(&handled);
    check("POST", "/things", "Content-Type: text/plain\r\n", "x", 415, NULL);
    check("POST", "/things", "Content-Type: application/jsonx\r\n", "x", 415, NULL);
    assert_int_equal(atomic_load(&handled), before);
    check("POST", "/things", "Content-Type: Application/JSON; charset=utf-8\r\n", "x", 201, "x");
    check("POST", "/things", NULL, "x", 201, "x"); /* none is taken for the right one */
}

static void a_body_that_is_too_large_is_refused_unseen(void **state) {
    char body[3 * BODY_LIMIT];
    (void)state;
    int before = atomic_load(&handled);
    memset(body, 'x', sizeof body);
    body[BODY_LIMIT + 1] = '\0';
    check("POST", "/things", NULL, body, 413, NULL);
    body[BODY_LIMIT + 1] = 'x';
    body[sizeof body - 1] = '\0';
    check("POST", "/things", NULL, body, 413, NULL);
    check("POST", "/things", "Content-Length: 100000000\r\nExpect: 100-continue\r\n", NULL, 413, NULL);
    check("POST", "/things", "Content-Length: 100000000\r\n", NULL, 413, NULL);
    char *chunk = mem_printf("Transfer-Encoding: chunked\r\n\r\nbb7\r\n%s\r\n0\r\n", body);
    check("POST", "/things", chunk, NULL, 413, NULL);
    free(chunk);
    assert_int_equal(atomic_load(&handled), before);
}

static void a_body_without_end_ends_the_connection(void **state) {
    (void)state;
    char chunk[0x400 + 8];
    memset(chunk, 'x', sizeof chunk);
    memcpy(chunk, "400\r\n", 5);
    memcpy(chunk + 5 + 0x400, "\r\n", 3);
    int fd = connect_to(port);
    http_write(fd, "POST /things HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n");
    size_t chunks = 0;
    while (chunks < 100000 && send(fd, chunk, strlen(chunk), MSG_NOSIGNAL) > 0) chunks++;
    assert_true(chunks < 100000);
    close(fd);
}

/* A request whose body comes as gzip, or as something that says so. */
static reply_t post_gzip(const char *target, const char *coding, const strbuf_t *gzip) {
    reply_t reply;
    int fd = connect_to(port);
    char *head = mem_printf("POST %s HTTP/1.1\r\nHost: t\r\nContent-Encoding: %s\r\nContent-Length: %zu\r\n\r\n", target,
                            coding, gzip->len);
    http_write(fd, head);
    http_write_bytes(fd, gzip->data, gzip->len);
    assert_true(http_read(fd, &reply, false));
    free(head);
    close(fd);
    return reply;
}

static void check_gzip(const char *coding, const strbuf_t *gzip, int code, const char *part) {
    reply_t reply = post_gzip("/things", coding, gzip);
    if (reply.code != code || !strstr(reply.body, part))
        fail_msg("%s: %d instead of %d: %s", coding, reply.code, code, reply.body);
    reply_free(&reply);
}

static void a_body_may_come_as_gzip(void **state) {
    static const char *const codings[] = {"gzip", "x-gzip", "GZip", "identity, gzip", " gzip ,"};
    (void)state;
    strbuf_t gzip = {0};
    gzip_add(&gzip, "[1,2", 4);
    gzip_add(&gzip, ",3]", 3);
    for (size_t i = 0; i < ARRAY_LEN(codings); i++) check_gzip(codings[i], &gzip, 201, "[1,2,3]");
    strbuf_free(&gzip);
    check("POST", "/things", "Content-Encoding: identity\r\n", "[1]", 201, "[1]");
    check("POST", "/things", "Content-Encoding:\r\n", "[1]", 201, "[1]");
}

static void what_is_no_gzip_is_refused_unseen(void **state) {
    (void)state;
    strbuf_t gzip = {0};
    int before = atomic_load(&handled);
    strbuf_adds(&gzip, "[1,2,3]");
    check_gzip("gzip", &gzip, 400, "/problems/invalid-encoding");
    strbuf_clear(&gzip);
    gzip_add(&gzip, "[1,2,3]", 7);
    gzip.len--;
    check_gzip("gzip", &gzip, 400, "/problems/invalid-encoding");
    gzip.len++;
    strbuf_adds(&gzip, "[4]");
    check_gzip("gzip", &gzip, 400, "/problems/invalid-encoding");
    strbuf_free(&gzip);
    check("POST", "/things", "Content-Encoding: gzip\r\n", "", 400, NULL);
    assert_int_equal(atomic_load(&handled), before);
}

static void another_encoding_is_refused_and_the_answer_says_which_is_known(void **state) {
    static const char *const codings[] = {"br", "gzip, gzip", "deflate", "gzip, br", "gzipp"};
    (void)state;
    strbuf_t gzip = {0};
    gzip_add(&gzip, "[1,2,3]", 7);
    for (size_t i = 0; i < ARRAY_LEN(codings); i++) {
        reply_t reply = post_gzip("/things", codings[i], &gzip);
        assert_int_equal(reply.code, 415);
        assert_non_null(strstr(reply.body, "/problems/unsupported-encoding"));
        assert_string_equal(reply_header(&reply, "Accept-Encoding"), "gzip");
        reply_free(&reply);
    }
    strbuf_free(&gzip);
    check("POST", "/things", "Content-Encoding: gzip\r\nContent-Encoding: br\r\n", "x", 415, NULL);
}

static void a_small_body_that_inflates_to_a_large_one_is_too_large(void **state) {
    enum { SIZE = 1 << 24 };
    (void)state;
    char *zeros = mem_zero(1, SIZE);
    strbuf_t gzip = {0};
    gzip_add(&gzip, zeros, BODY_LIMIT + 1);
    check_gzip("gzip", &gzip, 413, "/problems/too-large");
    assert_true(gzip.len < BODY_LIMIT);
    strbuf_clear(&gzip);
    memset(zeros, 'x', BODY_LIMIT);
    gzip_add(&gzip, zeros, BODY_LIMIT);
    check_gzip("gzip", &gzip, 201, "xxx");
    strbuf_clear(&gzip);
    for (int i = 0; i < 60; i++) gzip_add(&gzip, "", 0); /* larger as it comes than what it holds */
    check_gzip("gzip", &gzip, 413, "/problems/too-large");
    strbuf_free(&gzip);
    free(zeros);
}

/* Sends the headers and sees what is answered to them alone. */
static reply_t expect(int fd, const char *target, const char *headers, size_t len) {
    reply_t reply;
    char *head = mem_printf("POST %s HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\n%sContent-Length: %zu\r\n\r\n", target,
                            headers, len);
    http_write(fd, head);
    free(head);
    assert_true(http_read(fd, &reply, false));
    return reply;
}

static void who_expects_to_be_told_is_told_to_go_on(void **state) {
    (void)state;
    int fd = connect_to(port);
    for (int i = 0; i < 2; i++) {
        reply_t reply = expect(fd, "/things", "", 3);
        assert_int_equal(reply.code, 100);
        reply_free(&reply);
        http_write(fd, "[1]");
        assert_true(http_read(fd, &reply, false));
        assert_int_equal(reply.code, 201);
        assert_string_equal(reply.body, "[1]");
        reply_free(&reply);
    }
    close(fd);
}

static void who_expects_to_be_told_is_told_what_is_wrong_before_the_body(void **state) {
    static const struct {
        const char *target, *headers;
        int code;
    } wrong[] = {{"/things", "Content-Type: text/plain\r\n", 415},
                 {"/things", "Content-Encoding: br\r\n", 415},
                 {"/things/x", "", 405},
                 {"/nothing", "", 404},
                 {"/take", "X-Refuse: 1\r\n", 422}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        int fd = connect_to(port);
        reply_t reply = expect(fd, wrong[i].target, wrong[i].headers, 100);
        assert_int_equal(reply.code, wrong[i].code);
        reply_free(&reply);
        assert_false(http_read(fd, &reply, false)); /* the body was not read, so the connection is of no use */
        close(fd);
    }
}

/* ---- bodies that are taken piece by piece ---- */

/* Lets more be taken; the connection that sleeps goes on. */
static void may_take(size_t more) {
    pthread_mutex_lock(&take.lock);
    take.may += more;
    if (take.request && take.sleeping) {
        take.sleeping = false;
        http_go_on(take.request);
    }
    pthread_mutex_unlock(&take.lock);
}

static bool is_sleeping(void) {
    pthread_mutex_lock(&take.lock);
    bool sleeping = take.sleeping;
    pthread_mutex_unlock(&take.lock);
    return sleeping;
}

static void set_take(bool greedy, size_t may) {
    strbuf_free(&take.got);
    take = (take_t){.lock = PTHREAD_MUTEX_INITIALIZER, .greedy = greedy, .may = may, .end_now = true};
}

enum { LONG = 300 * 1000 }; /* beyond the limit for bodies, and what sockets hold */

static char *long_text(void) {
    char *text = mem_alloc(LONG + 1);
    for (size_t i = 0; i < LONG; i++) text[i] = (char)('a' + (i * 7 + i / 1000) % 26);
    text[LONG] = '\0';
    return text;
}

static void add_chunks(strbuf_t *out, const char *text, size_t len) {
    for (size_t at = 0, size = 1; at < len; at += size, size = size * 3 % 5000 + 1) {
        if (size > len - at) size = len - at;
        strbuf_addf(out, "%zx\r\n%.*s\r\n", size, (int)size, text + at);
    }
    strbuf_adds(out, "0\r\n\r\n");
}

/* The whole request, in each of the ways that a body can come. */
static strbuf_t long_request(const char *text, int way) {
    strbuf_t out = {0}, gzip = {0};
    gzip_add(&gzip, text, 1000);
    gzip_add(&gzip, text + 1000, LONG - 1000);
    strbuf_adds(&out, "POST /take HTTP/1.1\r\nHost: t\r\n");
    if (way == 0) strbuf_addf(&out, "Content-Length: %d\r\n\r\n%s", LONG, text);
    if (way == 1) strbuf_adds(&out, "Transfer-Encoding: chunked\r\n\r\n");
    if (way == 1) add_chunks(&out, text, LONG);
    if (way == 2) strbuf_addf(&out, "Content-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n", gzip.len);
    if (way == 2) strbuf_add(&out, gzip.data, gzip.len);
    strbuf_free(&gzip);
    return out;
}

typedef struct sender {
    int fd;
    strbuf_t text;
} sender_t;

static void *send_all(void *context) {
    sender_t *sender = context;
    http_write_bytes(sender->fd, sender->text.data, sender->text.len);
    return NULL;
}

static void *nudge(void *context) {
    _Atomic bool *ended = context;
    for (size_t size = 1; !atomic_load(ended);) {
        if (!is_sleeping()) continue;
        may_take(size);
        size = size * 5 % 20000 + 1;
    }
    return NULL;
}

/* However it comes, and however little is taken at a time, from whatever thread it goes on. */
static void a_body_that_is_taken_in_pieces_comes_whole(void **state) {
    char *text = long_text();
    (void)state;
    for (int round = 0; round < 12; round++) {
        reply_t reply;
        pthread_t thread, nudger;
        _Atomic bool ended = false;
        set_take(round < 3, 0);
        sender_t sender = {connect_to(port), long_request(text, round % 3)};
        assert_int_equal(pthread_create(&thread, NULL, send_all, &sender), 0);
        assert_int_equal(pthread_create(&nudger, NULL, nudge, (void *)&ended), 0);
        assert_true(http_read(sender.fd, &reply, false));
        atomic_store(&ended, true);
        pthread_join(thread, NULL);
        pthread_join(nudger, NULL);
        assert_int_equal(reply.code, 200);
        assert_string_equal(reply.body, text);
        assert_int_equal(take.ends, 1);
        reply_free(&reply);
        strbuf_free(&sender.text);
        close(sender.fd);
    }
    free(text);
}

static void who_takes_nothing_is_not_asked_and_the_client_waits(void **state) {
    char *text = long_text();
    (void)state;
    for (int way = 0; way < 3; way++) {
        reply_t reply;
        pthread_t thread;
        set_take(false, 100);
        sender_t sender = {connect_to(port), long_request(text, way)};
        assert_int_equal(pthread_create(&thread, NULL, send_all, &sender), 0);
        UNTIL(is_sleeping() && take.got.len == 100);
        int asked = take.asked;
        check("GET", "/things", NULL, NULL, 200, "things");
        clock_sleep_ms(50);
        assert_int_equal(take.asked, asked);
        take.greedy = true; /* nobody asks now */
        may_take(0);
        assert_true(http_read(sender.fd, &reply, false));
        assert_string_equal(reply.body, text);
        reply_free(&reply);
        pthread_join(thread, NULL);
        strbuf_free(&sender.text);
        close(sender.fd);
    }
    free(text);
}

static void the_end_of_a_body_comes_again_until_it_is_taken(void **state) {
    static const char *const targets[] = {"/take", "/ends"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
        reply_t reply;
        set_take(true, 0);
        take.end_now = false;
        int fd = connect_to(port);
        char *text = http_text("POST", targets[i], NULL, "abc");
        http_write(fd, text);
        free(text);
        for (int round = 0; round < 3; round++) {
            UNTIL(is_sleeping());
            may_take(0);
        }
        UNTIL(is_sleeping());
        take.end_now = true;
        may_take(0);
        assert_true(http_read(fd, &reply, false));
        assert_string_equal(reply.body, "abc");
        assert_int_equal(take.ends, 1);
        reply_free(&reply);
        close(fd);
    }
}

static void who_takes_a_body_is_told_that_its_client_has_left(void **state) {
    (void)state;
    for (int round = 0; round < 4; round++) {
        set_take(round < 2, 2);
        int fd = connect_to(port);
        http_write(fd, "POST /take HTTP/1.1\r\nHost: t\r\nContent-Length: 1000\r\n\r\nabcd");
        UNTIL(take.got.len == (round < 2 ? 4 : 2));
        struct linger at_once = {.l_onoff = round % 2};
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        close(fd);
        if (round >= 2) {
            UNTIL(is_sleeping());
            may_take(100); /* one that sleeps is told when it goes on */
        }
        UNTIL(take.ends == 1);
        assert_int_equal(take.how, HTTP_END_LOST);
        assert_string_equal(take.got.data, "abcd");
        UNTIL(http_pending(server) == 0);
    }
}

static void who_takes_a_body_is_told_that_it_is_damaged(void **state) {
    (void)state;
    strbuf_t gzip = {0};
    gzip_add(&gzip, "abcdefgh", 8);
    gzip.data[gzip.len - 6] ^= 1;
    set_take(true, 0);
    reply_t reply = post_gzip("/take", "gzip", &gzip);
    assert_int_equal(reply.code, 299);
    assert_int_equal(take.how, HTTP_END_BROKEN);
    reply_free(&reply);
    gzip.data[gzip.len - 6] ^= 1;
    gzip.len -= 4;
    reply = post_gzip("/take", "gzip", &gzip);
    assert_int_equal(reply.code, 299);
    assert_string_equal(reply.body, "abcdefgh");
    reply_free(&reply);
    strbuf_free(&gzip);
}

static void the_rest_of_a_body_can_be_thrown_away_but_not_for_ever(void **state) {
    (void)state;
    char body[2 * BODY_LIMIT + 1], chunk[0x400 + 8] = "400\r\n";
    memset(body, 'x', sizeof body);
    body[sizeof body - 1] = '\0';
    set_take(false, 10);
    take.ignore = true;
    check("POST", "/take", NULL, body, 200, "xxxxxxxxxx");
    set_take(false, 10);
    take.ignore = true;
    memset(chunk + 5, 'x', 0x400);
    memcpy(chunk + 5 + 0x400, "\r\n", 3);
    int fd = connect_to(port);
    http_write(fd, "POST /take HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n");
    size_t chunks = 0;
    while (chunks < 100000 && send(fd, chunk, strlen(chunk), MSG_NOSIGNAL) > 0) chunks++;
    assert_true(chunks < 100000);
    UNTIL(take.ends == 1);
    assert_int_equal(take.how, HTTP_END_LOST);
    close(fd);
}

static void a_body_that_is_refused_before_it_comes_is_not_taken(void **state) {
    (void)state;
    set_take(true, 0);
    check("POST", "/take", "X-Refuse: 1\r\n", "abc", 422, NULL);
    check("POST", "/take", "Content-Type: text/plain\r\n", "abc", 415, NULL);
    assert_int_equal(take.asked, 0);
    check("POST", "/take", NULL, "abc", 200, "abc");
    check("POST", "/take", NULL, "", 200, "");
}

/* ---- answers ---- */

static void a_problem_is_json_of_rfc_9457(void **state) {
    (void)state;
    reply_t reply = http_ask(port, "GET", "/problem", NULL, NULL);
    json_t *problem = json_read(reply.body, reply.len, NULL);
    assert_int_equal(reply.code, 422);
    assert_string_equal(reply_header(&reply, "Content-Type"), "application/problem+json");
    assert_string_equal(json_text(problem, "type"), "/problems/odd");
    assert_string_equal(json_text(problem, "detail"), "a \"quoted\" word");
    assert_int_equal(json_integer_value(json_object_get(problem, "status")), 422);
    assert_int_equal(json_array_size(json_object_get(problem, "more")), 1);
    json_decref(problem);
    reply_free(&reply);
    check_header("GET", "/busy", 503, "Retry-After", "1");
}

static void a_connection_takes_one_request_after_the_other(void **state) {
    (void)state;
    reply_t reply;
    int fd = connect_to(port);
    for (int i = 0; i < 10; i++) {
        http_write(fd, "GET /things HTTP/1.1\r\nHost: t\r\n\r\n");
        assert_true(http_read(fd, &reply, false));
        assert_string_equal(reply.body, "things");
        reply_free(&reply);
    }
    close(fd);
}

static void an_answer_can_come_later_from_another_thread(void **state) {
    (void)state;
    int fd = connect_to(port);
    http_write(fd, "GET /late HTTP/1.1\r\nHost: t\r\n\r\n");
    http_request_t *request = take_left();
    check("GET", "/things", NULL, NULL, 200, "things"); /* others are served meanwhile */
    UNTIL(http_pending(server) == 1);
    answer_text(request, "here");
    reply_t reply;
    assert_true(http_read(fd, &reply, false));
    assert_string_equal(reply.body, "here");
    reply_free(&reply);
    UNTIL(http_pending(server) == 0);
    close(fd);
}

static void requests_sent_ahead_are_answered_in_their_order(void **state) {
    static const char *const expected[] = {"late", "things", "late", "one"};
    reply_t reply;
    (void)state;
    int fd = connect_to(port);
    http_write(fd, "GET /late HTTP/1.1\r\nHost: t\r\n\r\nGET /things HTTP/1.1\r\nHost: t\r\n\r\n"
                   "GET /late HTTP/1.1\r\nHost: t\r\n\r\nGET /things/x HTTP/1.1\r\nHost: t\r\n\r\n");
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        if (!strcmp(expected[i], "late")) answer_text(take_left(), "late");
        assert_true(http_read(fd, &reply, false));
        assert_string_equal(reply.body, expected[i]);
        reply_free(&reply);
    }
    close(fd);
}

enum { CLIENTS = 8, REQUESTS = 200 };

static void *answer_all(void *context) {
    (void)context;
    for (int i = 0; i < CLIENTS * REQUESTS / 2; i++) answer_text(take_left(), "late");
    return NULL;
}

static void *ask_all(void *context) {
    reply_t reply;
    int *good = context, fd = connect_to(port);
    for (int i = 0; i < REQUESTS; i++) {
        http_write(fd, "GET /late HTTP/1.1\r\nHost: t\r\n\r\n");
        if (!http_read(fd, &reply, false)) break;
        *good += reply.code == 200 && !strcmp(reply.body, "late");
        reply_free(&reply);
    }
    close(fd);
    return NULL;
}

/* Answers that come while the handler still runs, while the connection is being suspended, and after. */
static void no_answer_is_lost_however_soon_it_comes(void **state) {
    pthread_t clients[CLIENTS], answerers[2];
    int good[CLIENTS] = {0};
    (void)state;
    for (int i = 0; i < 2; i++) assert_int_equal(pthread_create(&answerers[i], NULL, answer_all, NULL), 0);
    for (int i = 0; i < CLIENTS; i++) assert_int_equal(pthread_create(&clients[i], NULL, ask_all, &good[i]), 0);
    for (int i = 0; i < CLIENTS; i++) {
        pthread_join(clients[i], NULL);
        assert_int_equal(good[i], REQUESTS);
    }
    for (int i = 0; i < 2; i++) pthread_join(answerers[i], NULL);
}

static void a_client_that_goes_away_before_its_answer_does_no_harm(void **state) {
    (void)state;
    for (int i = 0; i < 20; i++) {
        int fd = connect_to(port);
        http_write(fd, "GET /late HTTP/1.1\r\nHost: t\r\n\r\n");
        http_request_t *request = take_left();
        struct linger at_once = {.l_onoff = i % 2};
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once); /* every other with a reset */
        close(fd);
        answer_text(request, "nobody hears");
    }
    UNTIL(http_pending(server) == 0);
    check("GET", "/things", NULL, NULL, 200, "things");
}

static void a_client_that_ends_its_side_still_gets_its_answer(void **state) {
    (void)state;
    reply_t reply;
    int fd = connect_to(port);
    http_write(fd, "GET /late HTTP/1.1\r\nHost: t\r\n\r\n");
    http_request_t *request = take_left();
    shutdown(fd, SHUT_WR);
    answer_text(request, "late");
    assert_true(http_read(fd, &reply, false));
    assert_string_equal(reply.body, "late");
    reply_free(&reply);
    close(fd);
}

/* ---- what every answer has ---- */

#define TRACE_ID "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN_ID "00f067aa0ba902b7"

/* Requests of which each is answered in another place of the server. */
static const struct asked {
    const char *method, *target, *headers, *body;
    int code;
} asked[] = {
    {"GET", "/things", "", NULL, 200},
    {"HEAD", "/things", "", NULL, 200},
    {"POST", "/things", "", "{}", 201},
    {"OPTIONS", "/things", "", NULL, 204},
    {"OPTIONS", "*", "", NULL, 204},
    {"GET", "/nothing", "", NULL, 404},
    {"OPTIONS", "/nothing", "", NULL, 404},
    {"DELETE", "/things", "", NULL, 405},
    {"POST", "/things", "Content-Length: 100000000\r\n", NULL, 413}, /* before the body */
    {"POST", "/things", "Content-Length: 100000000\r\nExpect: 100-continue\r\n", NULL, 413},
    {"POST", "/things", "Transfer-Encoding: chunked\r\n\r\n5dc\r\n%s\r\n0\r\n", NULL, 413}, /* after it */
    {"POST", "/things", "Content-Type: text/plain\r\n", "x", 415},
    {"GET", "/problem", "", NULL, 422},
    {"GET", "/busy", "", NULL, 503},
};

static reply_t ask_with(const char *headers, const struct asked *what) {
    char large[1501];
    memset(large, 'x', 1500);
    large[1500] = '\0';
    strbuf_t all = {0};
    strbuf_adds(&all, headers);
    const char *hole = strstr(what->headers, "%s");
    strbuf_add(&all, what->headers, hole ? (size_t)(hole - what->headers) : strlen(what->headers));
    if (hole) strbuf_addf(&all, "%s%s", large, hole + 2);
    reply_t reply = http_ask(port, what->method, what->target, all.data ? all.data : "", what->body);
    strbuf_free(&all);
    if (reply.code != what->code) fail_msg("%s %s: %d instead of %d", what->method, what->target, reply.code, what->code);
    return reply;
}

static void check_value(const reply_t *reply, const char *name, const char *value) {
    const char *found = reply_header(reply, name);
    if (!found) fail_msg("no %s in %s", name, reply->head);
    assert_string_equal(found, value);
}

static void every_answer_has_a_date_the_requests_id_and_its_trace(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
        reply_t reply = ask_with("X-Request-Id: my-id.7\r\nTraceparent: 00-" TRACE_ID "-" SPAN_ID "-01\r\n", &asked[i]);
        check_value(&reply, "X-Request-Id", "my-id.7");
        const char *parent = reply_header(&reply, "traceparent");
        assert_non_null(parent);
        assert_memory_equal(parent, "00-" TRACE_ID "-", 36);
        assert_string_equal(parent + 52, "-01");
        assert_null(strstr(parent, SPAN_ID));
        const char *date = reply_header(&reply, "Date");
        assert_non_null(date);
        assert_string_equal(date + strlen("Sat, 21 Nov 2026 07:00:00 "), "GMT");
        assert_null(reply_header(&reply, "Server"));
        assert_null(reply_header(&reply, "Access-Control-Allow-Origin"));
        assert_null(reply_header(&reply, "Vary"));
        bool has_body = reply_header(&reply, "Content-Type") != NULL;
        assert_int_equal(has_body, asked[i].code != 204);
        assert_int_equal(reply_header(&reply, "X-Content-Type-Options") != NULL, has_body);
        reply_free(&reply);
    }
}

static void a_request_without_an_id_or_with_a_bad_one_gets_one(void **state) {
    static const char *const bad[] = {
        "", "X-Request-Id: \r\n", "X-Request-Id: a b\r\n", "X-Request-Id: a\"b\r\n", "X-Request-Id: \xc3\xa4\r\n",
        "X-Request-Id: one\r\nX-Request-Id: two\r\n"};
    char before[64] = "";
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        reply_t reply = ask_with(bad[i], &asked[0]);
        const char *id = reply_header(&reply, "X-Request-Id");
        assert_non_null(id);
        assert_int_equal(strlen(id), 36);
        assert_string_not_equal(id, before);
        snprintf(before, sizeof before, "%s", id);
        reply_free(&reply);
    }
}

static void a_handler_is_told_what_the_answer_tells(void **state) {
    static const struct asked what = {"GET", "/trace", "", NULL, 200};
    char expected[1100];
    (void)state;
    reply_t reply = ask_with("x-request-id: mine\r\ntraceparent: 00-" TRACE_ID "-" SPAN_ID "-03\r\n"
                             "tracestate: a=1\r\nTraceState: b=2\r\n", &what);
    snprintf(expected, sizeof expected, "mine %s a=1,b=2", reply_header(&reply, "traceparent"));
    assert_string_equal(reply.body, expected);
    reply_free(&reply);
    reply = ask_with("traceparent: 00-" TRACE_ID "-0000000000000000-03\r\ntracestate: a=1\r\n", &what);
    assert_null(strstr(reply.body, TRACE_ID)); /* malformed: a trace of its own, without that state */
    assert_null(strstr(reply.body, "a=1"));
    reply_free(&reply);
}

static void what_is_read_is_asked_for_again_unless_the_handler_says_otherwise(void **state) {
    (void)state;
    check_header("GET", "/things", 200, "Cache-Control", "no-cache");
    check_header("HEAD", "/things", 200, "Cache-Control", "no-cache");
    check_header("GET", "/nothing", 404, "Cache-Control", "no-cache");
    check_header("GET", "/cached", 200, "Cache-Control", "max-age=60");
    reply_t reply = http_ask(port, "GET", "/cached", NULL, NULL);
    assert_null(strstr(reply.head, "no-cache"));
    reply_free(&reply);
    reply = ask_with("", &asked[2]);
    assert_null(reply_header(&reply, "Cache-Control"));
    reply_free(&reply);
}

/* ---- CORS; which headers when is in test_http_cors.c ---- */

static const char *const origins[] = {"https://a.example"};

static void a_listed_origin_may_read_every_answer_also_errors(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
        reply_t reply = ask_with("Origin: https://a.example\r\n", &asked[i]);
        check_value(&reply, "Access-Control-Allow-Origin", "https://a.example");
        check_value(&reply, "Vary", "Origin");
        assert_non_null(strstr(reply_header(&reply, "Access-Control-Expose-Headers"), "X-Request-Id"));
        reply_free(&reply);
        reply = ask_with("Origin: https://b.example\r\n", &asked[i]);
        assert_null(strstr(reply.head, "Access-Control"));
        check_value(&reply, "Vary", "Origin");
        reply_free(&reply);
    }
}

static void a_preflight_is_told_the_methods_of_its_path(void **state) {
    static const struct asked path = {"OPTIONS", "/things/x", "Access-Control-Request-Method: PUT\r\n", NULL, 204};
    static const struct asked none = {"OPTIONS", "/nothing", "Access-Control-Request-Method: PUT\r\n", NULL, 404};
    (void)state;
    reply_t reply = ask_with("Origin: https://a.example\r\n", &path);
    check_value(&reply, "Allow", "GET, HEAD, PUT, OPTIONS");
    check_value(&reply, "Access-Control-Allow-Origin", "https://a.example");
    check_value(&reply, "Access-Control-Allow-Methods", "GET, HEAD, PUT, OPTIONS");
    check_value(&reply, "Access-Control-Max-Age", "5");
    reply_free(&reply);
    reply = ask_with("Origin: https://b.example\r\n", &path);
    check_value(&reply, "Allow", "GET, HEAD, PUT, OPTIONS");
    assert_null(strstr(reply.head, "Access-Control"));
    reply_free(&reply);
    reply = ask_with("Origin: https://a.example\r\n", &none);
    assert_null(reply_header(&reply, "Access-Control-Allow-Methods"));
    check_value(&reply, "Access-Control-Allow-Origin", "https://a.example");
    reply_free(&reply);
}

static void a_handlers_own_vary_stands_beside(void **state) {
    (void)state;
    reply_t reply = http_ask(port, "GET", "/cached", NULL, NULL);
    assert_non_null(strstr(reply.head, "\r\nVary: Accept\r\n"));
    assert_non_null(strstr(reply.head, "\r\nVary: Origin\r\n"));
    reply_free(&reply);
}

static int start_with_cors(void **state) {
    cors = (http_cors_t){.origins = origins, .origins_count = 1, .max_age_seconds = 5};
    return start_server(state);
}

/* ---- the server ---- */

static void a_port_that_is_taken_is_said(void **state) {
    (void)state;
    err_t error;
    char number[8];
    snprintf(number, sizeof number, "%d", port);
    http_options_t options = {.host = "127.0.0.1", .port = port, .threads = 1, .body_bytes = BODY_LIMIT,
                              .connections = 10, .routes = routes, .routes_count = 1};
    assert_null(http_start(&options, &error));
    assert_non_null(strstr(error.text, number));
    options.host = "no.such.host.invalid";
    options.port = 0;
    assert_null(http_start(&options, &error));
    assert_non_null(strstr(error.text, "no.such.host.invalid"));
    http_stop(NULL);
}

static void connections_beyond_the_limit_wait(void **state) {
    (void)state;
    reply_t reply;
    http_server_t *small = start(1, 2);
    int fds[3];
    for (int i = 0; i < 3; i++) {
        fds[i] = connect_to(http_port(small));
        http_write(fds[i], "GET /things HTTP/1.1\r\nHost: t\r\n\r\n");
        if (i == 2) break;
        assert_true(http_read(fds[i], &reply, false));
        reply_free(&reply);
    }
    struct pollfd third = {.fd = fds[2], .events = POLLIN};
    assert_int_equal(poll(&third, 1, 100), 0);
    close(fds[0]);
    assert_true(http_read(fds[2], &reply, false));
    assert_int_equal(reply.code, 200);
    reply_free(&reply);
    close(fds[1]);
    close(fds[2]);
    http_stop(small);
}

static void a_server_that_ends_finishes_what_it_has_and_takes_no_more(void **state) {
    (void)state;
    reply_t reply;
    http_server_t *ending = start(2, 100);
    int at = http_port(ending), busy = connect_to(at), idle = connect_to(at);
    http_write(idle, "GET /things HTTP/1.1\r\nHost: t\r\n\r\n");
    assert_true(http_read(idle, &reply, false));
    assert_null(reply_header(&reply, "Connection"));
    reply_free(&reply);
    http_write(busy, "GET /late HTTP/1.1\r\nHost: t\r\n\r\n");
    http_request_t *request = take_left();
    http_quiesce(ending);
    assert_int_equal(connect_to(at), -1);
    answer_text(request, "late");
    assert_true(http_read(busy, &reply, false));
    assert_string_equal(reply.body, "late");
    reply_free(&reply);
    http_write(idle, "GET /things HTTP/1.1\r\nHost: t\r\n\r\n"); /* one more, and its connection is closed */
    assert_true(http_read(idle, &reply, false));
    assert_int_equal(reply.code, 200);
    assert_string_equal(reply_header(&reply, "Connection"), "close");
    reply_free(&reply);
    assert_false(http_read(idle, &reply, false));
    UNTIL(http_pending(ending) == 0);
    http_stop(ending);
    close(busy);
    close(idle);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_takes_the_first_route_that_matches),
        cmocka_unit_test(segments_are_decoded),
        cmocka_unit_test(paths_that_no_route_has_are_not_found),
        cmocka_unit_test(a_nul_in_a_path_does_not_cut_it),
        cmocka_unit_test(another_method_is_not_allowed_and_the_answer_says_which_are),
        cmocka_unit_test(options_tells_the_methods),
        cmocka_unit_test(options_of_the_server_tells_all_methods),
        cmocka_unit_test(head_is_get_without_a_body),
        cmocka_unit_test(after_a_head_the_connection_goes_on),
        cmocka_unit_test(every_answer_has_a_date_the_requests_id_and_its_trace),
        cmocka_unit_test(a_request_without_an_id_or_with_a_bad_one_gets_one),
        cmocka_unit_test(a_handler_is_told_what_the_answer_tells),
        cmocka_unit_test(what_is_read_is_asked_for_again_unless_the_handler_says_otherwise),
        cmocka_unit_test(parameters_come_in_their_order_and_end_when_told),
        cmocka_unit_test(a_body_comes_whole),
        cmocka_unit_test(a_body_of_another_type_is_refused_unseen),
        cmocka_unit_test(a_body_that_is_too_large_is_refused_unseen),
        cmocka_unit_test(a_body_without_end_ends_the_connection),
        cmocka_unit_test(a_body_may_come_as_gzip),
        cmocka_unit_test(what_is_no_gzip_is_refused_unseen),
        cmocka_unit_test(another_encoding_is_refused_and_the_answer_says_which_is_known),
        cmocka_unit_test(a_small_body_that_inflates_to_a_large_one_is_too_large),
        cmocka_unit_test(who_expects_to_be_told_is_told_to_go_on),
        cmocka_unit_test(who_expects_to_be_told_is_told_what_is_wrong_before_the_body),
        cmocka_unit_test(a_body_that_is_taken_in_pieces_comes_whole),
        cmocka_unit_test(who_takes_nothing_is_not_asked_and_the_client_waits),
        cmocka_unit_test(the_end_of_a_body_comes_again_until_it_is_taken),
        cmocka_unit_test(who_takes_a_body_is_told_that_its_client_has_left),
        cmocka_unit_test(who_takes_a_body_is_told_that_it_is_damaged),
        cmocka_unit_test(the_rest_of_a_body_can_be_thrown_away_but_not_for_ever),
        cmocka_unit_test(a_body_that_is_refused_before_it_comes_is_not_taken),
        cmocka_unit_test(a_problem_is_json_of_rfc_9457),
        cmocka_unit_test(a_connection_takes_one_request_after_the_other),
        cmocka_unit_test(an_answer_can_come_later_from_another_thread),
        cmocka_unit_test(requests_sent_ahead_are_answered_in_their_order),
        cmocka_unit_test(no_answer_is_lost_however_soon_it_comes),
        cmocka_unit_test(a_client_that_goes_away_before_its_answer_does_no_harm),
        cmocka_unit_test(a_client_that_ends_its_side_still_gets_its_answer),
        cmocka_unit_test(a_port_that_is_taken_is_said),
        cmocka_unit_test(connections_beyond_the_limit_wait),
        cmocka_unit_test(a_server_that_ends_finishes_what_it_has_and_takes_no_more),
    };
    const struct CMUnitTest with_cors[] = {
        cmocka_unit_test(a_listed_origin_may_read_every_answer_also_errors),
        cmocka_unit_test(a_preflight_is_told_the_methods_of_its_path),
        cmocka_unit_test(a_handlers_own_vary_stands_beside),
    };
    signal(SIGPIPE, SIG_IGN);
    int failed = cmocka_run_group_tests(tests, start_server, stop_server);
    return failed + cmocka_run_group_tests(with_cors, start_with_cors, stop_server);
}
