/* Answers piece by piece, over real connections. */
#include "common/http.h"
#include "common/metric.h"
#include "tests/unit/http_client.h"
#include "tests/unit/until.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

enum { MANY = 200, LONG_BYTES = 32 * 1024 * 1024 };

/* A source that says `given` lines, of which it writes as many as `allowed` so far. */
typedef struct lines {
    http_stream_t *stream; /* NULL when it is gone; under `lock`, since wakes come from other threads */
    _Atomic long allowed, given;
    ssize_t ending; /* what it says after `last` */
    long last;
    _Atomic int gone;
} lines_t;

static http_server_t *server;
static int port;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static lines_t *opened[MANY];
static size_t opened_count;
static _Atomic int reads, gone;

static ssize_t lines_read(void *self, char *out, size_t size) {
    lines_t *lines = self;
    char text[16];
    atomic_fetch_add(&reads, 1);
    if (lines->given == lines->last) return lines->ending;
    if (lines->given >= atomic_load(&lines->allowed)) return HTTP_STREAM_WAIT;
    size_t len = (size_t)snprintf(text, sizeof text, "%ld\n", lines->given);
    assert_true(size >= len);
    memcpy(out, text, len);
    lines->given++;
    return (ssize_t)len;
}

static void lines_gone(void *self) {
    lines_t *lines = self;
    pthread_mutex_lock(&lock);
    lines->stream = NULL;
    pthread_mutex_unlock(&lock);
    atomic_fetch_add(&lines->gone, 1);
    atomic_fetch_add(&gone, 1);
}

/* ---- routes ---- */

static void answer_lines(http_request_t *request, long allowed, long last, ssize_t ending) {
    lines_t *lines = mem_zero(1, sizeof *lines);
    atomic_store(&lines->allowed, allowed);
    lines->last = last;
    lines->ending = ending;
    pthread_mutex_lock(&lock);
    opened[opened_count++] = lines;
    http_answer_stream(request, 200, "text/plain", &(http_stream_source_t){lines_read, lines_gone, lines}, &lines->stream);
    pthread_mutex_unlock(&lock);
}

static void handle_three(http_request_t *request, void *context) {
    (void)context;
    http_add_header(request, "X-First", "1");
    answer_lines(request, 3, 3, HTTP_STREAM_END);
}

static void handle_cut(http_request_t *request, void *context) {
    (void)context;
    answer_lines(request, 3, 3, HTTP_STREAM_CUT);
}

static void handle_wait(http_request_t *request, void *context) {
    (void)context;
    answer_lines(request, 0, -1, HTTP_STREAM_END);
}

static void *answer_later(void *context) {
    clock_sleep_ms(1);
    handle_three(context, NULL);
    return NULL;
}

static void handle_later(http_request_t *request, void *context) {
    pthread_t thread;
    (void)context;
    assert_int_equal(pthread_create(&thread, NULL, answer_later, request), 0);
    pthread_detach(thread);
}

static _Atomic long long_given;

static ssize_t long_read(void *self, char *out, size_t size) {
    (void)self;
    long left = LONG_BYTES - atomic_load(&long_given);
    if (left == 0) return HTTP_STREAM_END;
    if ((long)size > left) size = (size_t)left;
    memset(out, 'x', size);
    atomic_fetch_add(&long_given, (long)size);
    return (ssize_t)size;
}

static void long_gone(void *self) {
    (void)self;
    atomic_fetch_add(&gone, 1);
}

static void handle_long(http_request_t *request, void *context) {
    static http_stream_t *stream;
    (void)context;
    atomic_store(&long_given, 0);
    http_answer_stream(request, 200, "text/plain", &(http_stream_source_t){long_read, long_gone, NULL}, &stream);
}

static const http_route_t routes[] = {
    {.method = "GET", .path = "/three", .handle = handle_three},
    {.method = "GET", .path = "/cut", .handle = handle_cut},
    {.method = "GET", .path = "/wait", .handle = handle_wait},
    {.method = "GET", .path = "/later", .handle = handle_later},
    {.method = "GET", .path = "/long", .handle = handle_long},
    {.method = "GET", .path = "/once", .handle = handle_wait},
};

/* ---- its life ---- */

static int start_server(void **state) {
    err_t error;
    (void)state;
    server = http_start(&(http_options_t){.host = "127.0.0.1", .threads = 2, .body_bytes = 1000, .connections = 2 * MANY,
                                           .routes = routes, .routes_count = ARRAY_LEN(routes)},
                        &error);
    if (!server) fail_msg("%s", error.text);
    port = http_port(server);
    atomic_store(&gone, 0);
    atomic_store(&reads, 0);
    return 0;
}

static void forget_streams(void) {
    for (size_t i = 0; i < opened_count; i++) {
        assert_int_equal(atomic_load(&opened[i]->gone), 1);
        free(opened[i]);
    }
    opened_count = 0;
}

static int stop_server(void **state) {
    (void)state;
    http_stop(server);
    forget_streams();
    return 0;
}

static void wake(lines_t *lines) {
    pthread_mutex_lock(&lock);
    if (lines->stream) http_stream_wake(lines->stream);
    pthread_mutex_unlock(&lock);
}

static void allow(lines_t *lines, long lines_count) {
    atomic_store(&lines->allowed, lines_count);
    wake(lines);
}

static int ask(const char *method, const char *target) {
    int fd = connect_to(port);
    char *text = http_text(method, target, NULL, NULL);
    http_write(fd, text);
    free(text);
    return fd;
}

static void read_head(int fd, reply_t *reply) {
    assert_true(http_read(fd, reply, true));
    assert_int_equal(reply->code, 200);
}

/* Reads a line of HTTP's own; false: the connection ended. */
static bool read_line(int fd, char *line, size_t size) {
    for (size_t len = 0; len + 1 < size;) {
        if (recv(fd, line + len, 1, 0) != 1) return false;
        line[++len] = '\0';
        if (len >= 2 && line[len - 2] == '\r') return line[len - 2] = '\0', true;
    }
    return false;
}

/* Reads one chunk, as text; -1: the connection ended. */
static long read_chunk(int fd, char *text, size_t size) {
    char line[64];
    if (!read_line(fd, line, sizeof line)) return -1;
    size_t len = strtoul(line, NULL, 16);
    assert_true(len + 2 < size);
    for (size_t have = 0; have < len + 2;) {
        ssize_t got = recv(fd, text + have, len + 2 - have, 0);
        if (got <= 0) return -1;
        have += (size_t)got;
    }
    text[len] = '\0';
    return (long)len;
}

/* Reads lines up to the number `end`. */
static void expect_lines(int fd, long *next, long end) {
    char chunk[16 * 1024];
    while (*next < end) {
        if (read_chunk(fd, chunk, sizeof chunk) <= 0) fail_msg("the stream ends at %ld", *next);
        for (char *at = chunk; *at; at = strchr(at, '\n') + 1) assert_int_equal(strtol(at, NULL, 10), (*next)++);
    }
}

/* ---- the form ---- */

static void check_three(int fd) {
    reply_t reply;
    char chunk[64];
    long next = 0;
    read_head(fd, &reply);
    assert_string_equal(reply_header(&reply, "Transfer-Encoding"), "chunked");
    assert_string_equal(reply_header(&reply, "Content-Type"), "text/plain");
    assert_string_equal(reply_header(&reply, "X-First"), "1");
    reply_free(&reply);
    expect_lines(fd, &next, 3);
    assert_int_equal(read_chunk(fd, chunk, sizeof chunk), 0);
}

static void an_answer_comes_in_pieces_and_its_connection_goes_on(void **state) {
    (void)state;
    int fd = ask("GET", "/three");
    check_three(fd);
    http_write(fd, "GET /later HTTP/1.1\r\nHost: t\r\n\r\n");
    check_three(fd);
    close(fd);
    UNTIL(atomic_load(&gone) == 2 && http_pending(server) == 0);
}

static void head_has_the_headers_and_reads_nothing(void **state) {
    reply_t reply;
    (void)state;
    int fd = ask("HEAD", "/wait");
    read_head(fd, &reply);
    assert_string_equal(reply_header(&reply, "Content-Type"), "text/plain");
    reply_free(&reply);
    UNTIL(http_pending(server) == 0);
    assert_int_equal(atomic_load(&reads), 0);
    assert_false(http_read(fd, &reply, true)); /* nothing after them that would be taken for the next answer */
    assert_string_equal(reply.head, "");
    close(fd);
}

static void a_client_of_http_1_0_reads_to_the_end_of_the_connection(void **state) {
    char text[1024];
    size_t len = 0;
    ssize_t got;
    (void)state;
    int fd = connect_to(port);
    http_write(fd, "GET /three HTTP/1.0\r\nHost: t\r\n\r\n");
    while ((got = recv(fd, text + len, sizeof text - 1 - len, 0)) > 0) len += (size_t)got;
    text[len] = '\0';
    assert_non_null(strstr(text, "\r\n\r\n0\n1\n2\n"));
    close(fd);
}

static void a_cut_has_no_proper_end(void **state) {
    reply_t reply;
    char chunk[64];
    long next = 0;
    (void)state;
    int fd = ask("GET", "/cut");
    read_head(fd, &reply);
    reply_free(&reply);
    expect_lines(fd, &next, 3);
    assert_int_equal(read_chunk(fd, chunk, sizeof chunk), -1);
    close(fd);
}

/* ---- sleep and wake ---- */

static void a_stream_sleeps_until_it_is_woken(void **state) {
    reply_t reply;
    long next = 0;
    (void)state;
    int fd = ask("GET", "/wait");
    read_head(fd, &reply);
    reply_free(&reply);
    for (long i = 1; i <= 20; i++) {
        struct pollfd readable = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&readable, 1, i == 1 ? 50 : 0), 0);
        allow(opened[0], i);
        expect_lines(fd, &next, i);
    }
    assert_in_range(atomic_load(&reads), 20, 100); /* it is not asked over and over */
    close(fd);
}

enum { WAKERS = 3, LINES = 3000 };

static void *wake_often(void *context) {
    lines_t *lines = context;
    while (atomic_fetch_add(&lines->allowed, 1) < LINES) wake(lines);
    wake(lines);
    return NULL;
}

/* Wakes that come while it reads, while the connection is being suspended, and after. */
static void no_wake_is_lost_however_soon_it_comes(void **state) {
    pthread_t wakers[WAKERS];
    reply_t reply;
    long next = 0;
    (void)state;
    int fd = ask("GET", "/wait");
    read_head(fd, &reply);
    reply_free(&reply);
    for (int i = 0; i < WAKERS; i++) assert_int_equal(pthread_create(&wakers[i], NULL, wake_often, opened[0]), 0);
    expect_lines(fd, &next, LINES);
    for (int i = 0; i < WAKERS; i++) pthread_join(wakers[i], NULL);
    close(fd);
}

static void many_streams_are_open_at_once(void **state) {
    static int fds[MANY];
    static long next[MANY];
    reply_t reply;
    (void)state;
    for (size_t i = 0; i < MANY; i++) {
        fds[i] = ask("GET", "/wait");
        read_head(fds[i], &reply);
        reply_free(&reply);
        next[i] = 0;
    }
    assert_int_equal(http_pending(server), MANY);
    for (long round = 1; round <= 5; round++) {
        for (size_t i = 0; i < MANY; i++) allow(opened[i], 10 * round);
        for (size_t i = 0; i < MANY; i++) expect_lines(fds[i], &next[i], 10 * round);
    }
    for (size_t i = 0; i < MANY; i++) {
        close(fds[i]);
        allow(opened[i], 1000);
    }
    UNTIL(atomic_load(&gone) == MANY && http_pending(server) == 0);
}

/* ---- clients that do not read, or leave ---- */

static void a_slow_reader_is_read_for_as_fast_as_it_reads(void **state) {
    reply_t reply;
    static char chunk[64 * 1024];
    long have = 0, got;
    (void)state;
    int fd = ask("GET", "/long");
    read_head(fd, &reply);
    reply_free(&reply);
    long given = 0; /* what sockets take is little beside the whole; it stops when they are full */
    UNTIL(given == atomic_load(&long_given) ? given > 0 : (given = atomic_load(&long_given), clock_sleep_ms(100), false));
    assert_true(given < LONG_BYTES);
    while ((got = read_chunk(fd, chunk, sizeof chunk)) > 0) have += got;
    assert_int_equal(got, 0);
    assert_int_equal(have, LONG_BYTES);
    close(fd);
}

static void a_client_that_leaves_is_noticed_by_what_is_said(void **state) {
    reply_t reply;
    (void)state;
    for (int i = 0; i < 10; i++) {
        int fd = ask("GET", "/wait");
        read_head(fd, &reply);
        reply_free(&reply);
        struct linger at_once = {.l_onoff = i % 2};
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once); /* every other with a reset */
        close(fd);
        long said = 0; /* the first may still be sent; its answer is a reset */
        UNTIL(atomic_load(&gone) == i + 1 || (allow(opened[i], ++said), false));
    }
    UNTIL(http_pending(server) == 0);
}

/* ---- the end of the server ---- */

static void streams_end_properly_with_the_server(void **state) {
    enum { OPEN = 20 };
    int fds[OPEN];
    reply_t reply;
    char chunk[64];
    (void)state;
    for (size_t i = 0; i < OPEN; i++) {
        long next = 0;
        fds[i] = ask("GET", "/wait");
        read_head(fds[i], &reply);
        reply_free(&reply);
        allow(opened[i], 1);
        expect_lines(fds[i], &next, 1);
    }
    http_quiesce(server);
    for (size_t i = 0; i < OPEN; i++) assert_int_equal(read_chunk(fds[i], chunk, sizeof chunk), 0);
    UNTIL(http_pending(server) == 0);
    for (size_t i = 0; i < OPEN; i++) close(fds[i]);
}

static void a_server_can_end_at_once_with_streams_open(void **state) {
    reply_t reply;
    int fds[20];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        fds[i] = ask("GET", i % 4 ? "/wait" : "/long");
        read_head(fds[i], &reply);
        reply_free(&reply);
    }
    stop_server(NULL);
    assert_int_equal(atomic_load(&gone), ARRAY_LEN(fds));
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) close(fds[i]);
    start_server(NULL);
}

static bool counted(const char *line) {
    strbuf_t metrics = {0};
    metric_render(&metrics);
    bool found = strstr(metrics.data, line);
    strbuf_free(&metrics);
    return found;
}

static void streams_are_requests_that_are_pending(void **state) {
    reply_t reply;
    (void)state;
    int fd = ask("GET", "/once");
    read_head(fd, &reply);
    reply_free(&reply);
    assert_true(counted("odradek_http_requests_total{method=\"GET\",route=\"/once\",code=\"200\"} 1\n"));
    assert_true(counted("odradek_http_requests_pending 1\n"));
    assert_int_equal(http_pending(server), 1);
    close(fd);
    UNTIL(http_pending(server) == 0 || (allow(opened[0], atomic_load(&opened[0]->allowed) + 1), false));
    assert_true(counted("odradek_http_requests_pending 0\n"));
}

#define A_TEST(name) cmocka_unit_test_setup_teardown(name, start_server, stop_server)

int main(void) {
    const struct CMUnitTest tests[] = {
        A_TEST(an_answer_comes_in_pieces_and_its_connection_goes_on),
        A_TEST(head_has_the_headers_and_reads_nothing),
        A_TEST(a_client_of_http_1_0_reads_to_the_end_of_the_connection),
        A_TEST(a_cut_has_no_proper_end),
        A_TEST(a_stream_sleeps_until_it_is_woken),
        A_TEST(no_wake_is_lost_however_soon_it_comes),
        A_TEST(many_streams_are_open_at_once),
        A_TEST(a_slow_reader_is_read_for_as_fast_as_it_reads),
        A_TEST(a_client_that_leaves_is_noticed_by_what_is_said),
        A_TEST(streams_end_properly_with_the_server),
        A_TEST(a_server_can_end_at_once_with_streams_open),
        A_TEST(streams_are_requests_that_are_pending),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
