/* Measures the pipeline from outside, over HTTP: how long one command takes until it can be read, and whether a steady
   rate of commands is borne to the end, with every snapshot right.

   The rate is an open loop: a command is due at its time whether or not those before it were answered, and its latency
   counts from when it was due. Commands of one entity are sent one after the other, each once the one before was
   acknowledged; so the last one acknowledged is what its snapshot must be.

       due ──▶ waiting ──▶ connection ──▶ 202 ──▶ expected version and text ──at the end──▶ GET and compare        */
#include "common/clock.h"
#include "common/json.h"
#include "common/mem.h"
#include "common/opt.h"
#include "common/strbuf.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

enum { ID_SIZE = 129, EVENTS = 256, RECEIVE_BYTES = 64 * 1024, CHECKS_AT_ONCE = 32, QUIET_US = 60 * 1000000 };

static const char *command_address = "127.0.0.1:4000", *query_address = "127.0.0.1:4001", *samples_text = "1000",
                  *rate_text = "2000", *seconds_text = "60", *connections_text = "64", *creates_text = "20",
                  *consumers_text = "127.0.0.1:4002,127.0.0.1:4003,127.0.0.1:4004", *json_path, *only;

static const opt_t options[] = {
    {"command-api", "HOST:PORT", "where commands go (127.0.0.1:4000)", &command_address},
    {"query-api", "HOST:PORT", "where entities are read (127.0.0.1:4001)", &query_address},
    {"consumers", "LIST", "whose metrics tell the lag (127.0.0.1:4002,127.0.0.1:4003,127.0.0.1:4004)", &consumers_text},
    {"only", "WHAT", "latency or sustained (both)", &only},
    {"samples", "N", "commands of the latency measurement (1000)", &samples_text},
    {"rate", "N", "commands a second of the sustained measurement (2000)", &rate_text},
    {"seconds", "N", "how long it lasts (60)", &seconds_text},
    {"connections", "N", "its connections (64)", &connections_text},
    {"creates", "PERCENT", "of its commands that are creates, the others update (20)", &creates_text},
    {"json", "FILE", "the figures as JSON, too", &json_path},
};

static void die(const char *what, const char *why) {
    fprintf(stderr, "bench-pipeline: %s: %s\n", what, why);
    exit(1);
}

static int number(const char *text, const char *name) {
    char *end;
    long value = strtol(text, &end, 10);
    if (*end || end == text || value < 0 || value > 100000000) die(name, "is no number");
    return (int)value;
}

/* ---- figures ---- */

typedef struct figures {
    int64_t *us;
    size_t count, cap;
} figures_t;

static void figures_add(figures_t *figures, int64_t us) {
    if (figures->count == figures->cap) {
        figures->cap = figures->cap ? figures->cap * 2 : 1024;
        figures->us = mem_resize(figures->us, figures->cap, sizeof *figures->us);
    }
    figures->us[figures->count++] = us;
}

static int compare(const void *a, const void *b) {
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

static double figures_at(const figures_t *figures, double share) {
    if (figures->count == 0) return 0;
    size_t index = (size_t)(share * (double)(figures->count - 1) + 0.5);
    return (double)figures->us[index] / 1000;
}

static void figures_print(const char *name, figures_t *figures, strbuf_t *json) {
    qsort(figures->us, figures->count, sizeof *figures->us, compare);
    printf("  %-34s %9zu %9.2f %9.2f %9.2f %9.2f\n", name, figures->count, figures_at(figures, 0.5),
           figures_at(figures, 0.9), figures_at(figures, 0.99), figures_at(figures, 1));
    strbuf_addf(json, "{\"count\":%zu,\"p50Ms\":%.3f,\"p90Ms\":%.3f,\"p99Ms\":%.3f,\"maxMs\":%.3f}", figures->count,
                figures_at(figures, 0.5), figures_at(figures, 0.9), figures_at(figures, 0.99), figures_at(figures, 1));
    free(figures->us);
}

static void print_head(const char *what) {
    printf("\n%s\n  %-34s %9s %9s %9s %9s %9s\n", what, "", "count", "p50 ms", "p90 ms", "p99 ms", "max ms");
}

/* ---- one HTTP/1.1 connection ---- */

typedef struct http {
    int fd;
    const char *address;
    strbuf_t out;
    size_t sent;
    char *in;
    size_t len, cap;
} http_t;

typedef struct answer {
    int status;
    const char *body; /* borrowed until http_consume */
    size_t body_len, whole;
} answer_t;

static void http_connect(http_t *http, const char *address) {
    char host[256];
    const char *colon = strrchr(address, ':');
    if (!colon || (size_t)(colon - address) >= sizeof host) die(address, "is not HOST:PORT");
    snprintf(host, sizeof host, "%.*s", (int)(colon - address), address);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    int why = getaddrinfo(host, colon + 1, &hints, &found), on = 1;
    if (why) die(address, gai_strerror(why));
    *http = (http_t){.fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0), .address = address};
    if (http->fd < 0 || connect(http->fd, found->ai_addr, found->ai_addrlen)) die(address, strerror(errno));
    setsockopt(http->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(http->fd, F_SETFL, O_NONBLOCK);
    freeaddrinfo(found);
}

static void http_close(http_t *http) {
    close(http->fd);
    strbuf_free(&http->out);
    free(http->in);
}

static void http_request(http_t *http, const char *method, const char *path, const char *body) {
    strbuf_clear(&http->out);
    http->sent = 0;
    strbuf_addf(&http->out, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, path, http->address);
    if (body) strbuf_addf(&http->out, "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);
    else strbuf_adds(&http->out, "\r\n");
}

/* False: the socket is full. */
static bool http_flush(http_t *http) {
    while (http->sent < http->out.len) {
        ssize_t n = send(http->fd, http->out.data + http->sent, http->out.len - http->sent, MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) return false;
        if (n < 0) die(http->address, strerror(errno));
        http->sent += (size_t)n;
    }
    return true;
}

static void http_receive(http_t *http) {
    for (;;) {
        if (http->cap - http->len < RECEIVE_BYTES) {
            http->cap = http->cap * 2 + 2 * RECEIVE_BYTES;
            http->in = mem_resize(http->in, http->cap, 1);
        }
        ssize_t n = recv(http->fd, http->in + http->len, http->cap - http->len - 1, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (n <= 0) die(http->address, n ? strerror(errno) : "the connection was closed");
        http->len += (size_t)n;
        http->in[http->len] = '\0';
    }
}

static size_t content_length(const char *head, const char *end) {
    for (const char *line = head; line < end; line = strstr(line, "\r\n") + 2)
        if (!strncasecmp(line, "Content-Length:", 15)) return strtoull(line + 15, NULL, 10);
    return 0;
}

/* Whether a whole answer is there. */
static bool http_answer(http_t *http, answer_t *answer) {
    if (!http->in) return false;
    char *end = memmem(http->in, http->len, "\r\n\r\n", 4);
    if (!end) return false;
    size_t head = (size_t)(end - http->in) + 4, body = content_length(http->in, end);
    if (http->len < head + body) return false;
    *answer = (answer_t){.body = http->in + head, .body_len = body, .whole = head + body};
    if (sscanf(http->in, "HTTP/1.1 %d", &answer->status) != 1) die(http->address, "does not speak HTTP/1.1");
    return true;
}

static void http_consume(http_t *http, const answer_t *answer) {
    memmove(http->in, http->in + answer->whole, http->len - answer->whole);
    http->len -= answer->whole;
    http->in[http->len] = '\0';
}

/* Sends the request that was written and waits for its answer. */
static void http_exchange(http_t *http, answer_t *answer) {
    while (!http_flush(http)) clock_sleep_ms(1);
    int epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN};
    epoll_ctl(epoll, EPOLL_CTL_ADD, http->fd, &event);
    while (!http_answer(http, answer)) {
        epoll_wait(epoll, &event, 1, 60000);
        http_receive(http);
    }
    close(epoll);
}

/* The text of a member that is a plain string, from an answer whose form is known. */
static bool text_of(const answer_t *answer, const char *name, char *out, size_t size) {
    char wanted[64];
    snprintf(wanted, sizeof wanted, "\"%s\":\"", name);
    const char *at = memmem(answer->body, answer->body_len, wanted, strlen(wanted));
    if (!at) return false;
    at += strlen(wanted);
    size_t len = strcspn(at, "\"");
    if (len >= size) return false;
    memcpy(out, at, len);
    out[len] = '\0';
    return true;
}

/* ---- latency: one connection, one command at a time ---- */

static void require(const answer_t *answer, int status, const char *what) {
    if (answer->status == status) return;
    char why[512];
    snprintf(why, sizeof why, "answered %d: %.*s", answer->status, (int)(answer->body_len < 400 ? answer->body_len : 400),
             answer->body);
    die(what, why);
}

static void measure_latency(int samples, strbuf_t *json) {
    http_t commands, queries;
    answer_t answer;
    figures_t acknowledged = {0}, visible = {0};
    http_connect(&commands, command_address);
    http_connect(&queries, query_address);
    int warm = samples / 20 + 1;
    for (int i = -warm; i < samples; i++) {
        char id[ID_SIZE], path[ID_SIZE + 16], body[64];
        snprintf(body, sizeof body, "{\"title\":\"latency %d\"}", i);
        int64_t start = clock_monotonic_us();
        http_request(&commands, "POST", "/entries", body);
        http_exchange(&commands, &answer);
        require(&answer, 202, "POST /entries");
        if (i >= 0) figures_add(&acknowledged, clock_monotonic_us() - start);
        if (!text_of(&answer, "id", id, sizeof id)) die("POST /entries", "has no id");
        http_consume(&commands, &answer);
        snprintf(path, sizeof path, "/entries/%s", id);
        for (bool there = false; !there;) {
            http_request(&queries, "GET", path, NULL);
            http_exchange(&queries, &answer);
            there = answer.status == 200;
            if (!there) require(&answer, 404, path);
            http_consume(&queries, &answer);
            if (clock_monotonic_us() - start > QUIET_US) die(path, "is not visible after a minute");
        }
        if (i >= 0) figures_add(&visible, clock_monotonic_us() - start);
    }
    http_close(&commands);
    http_close(&queries);
    print_head("One connection, one command at a time");
    strbuf_adds(json, ",\"latency\":{\"acknowledged\":");
    figures_print("POST to 202", &acknowledged, json);
    strbuf_adds(json, ",\"visible\":");
    figures_print("POST to visible in query-api", &visible, json);
    strbuf_addc(json, '}');
}

/* ---- sustained ---- */

typedef struct entity {
    char id[ID_SIZE];
    int version; /* acknowledged */
    int text;    /* the number in its title that was acknowledged last */
    bool busy;   /* a command is on its way */
} entity_t;

typedef struct connection {
    http_t http;
    bool busy;
    entity_t *entity;
    int text;
    int64_t due_us;
} connection_t;

typedef struct run {
    int epoll;
    connection_t *connections;
    int connections_count;
    connection_t **idle;
    int idle_count;
    entity_t **entities;
    size_t entities_count, entities_cap;
    unsigned seed;
    int creates; /* percent */
    figures_t acknowledged;
    uint64_t refused;
    size_t checked, wrong, missing;
} run_t;

static entity_t *entity_new(run_t *run) {
    if (run->entities_count == run->entities_cap) {
        run->entities_cap = run->entities_cap ? run->entities_cap * 2 : 1024;
        run->entities = mem_resize(run->entities, run->entities_cap, sizeof *run->entities);
    }
    return run->entities[run->entities_count++] = mem_zero(1, sizeof(entity_t));
}

/* An entity that nothing is on its way for, or a new one. */
static entity_t *choose(run_t *run) {
    bool create = rand_r(&run->seed) % 100 < run->creates;
    for (int tries = 0; !create && tries < 16 && run->entities_count > 0; tries++) {
        entity_t *entity = run->entities[(size_t)rand_r(&run->seed) % run->entities_count];
        if (!entity->busy && entity->id[0]) return entity;
    }
    return entity_new(run);
}

static void write_title(char *body, size_t size, const entity_t *entity, int text) {
    snprintf(body, size, "{\"title\":\"number %d\",\"description\":\"what is written for it the %d. time, and some text "
                         "so that it has the size of a small entity in real life\"}", text, entity->version + 1);
}

static void send_due(run_t *run, int64_t due_us, int text) {
    connection_t *connection = run->idle[--run->idle_count];
    entity_t *entity = choose(run);
    char path[ID_SIZE + 16], body[256];
    snprintf(path, sizeof path, entity->id[0] ? "/entries/%s" : "/entries%s", entity->id);
    write_title(body, sizeof body, entity, text);
    connection->busy = entity->busy = true;
    connection->entity = entity;
    connection->text = text;
    connection->due_us = due_us;
    http_request(&connection->http, entity->id[0] ? "PUT" : "POST", path, body);
    http_flush(&connection->http);
}

static void take_answer(run_t *run, connection_t *connection, const answer_t *answer) {
    entity_t *entity = connection->entity;
    if (answer->status == 202) {
        figures_add(&run->acknowledged, clock_monotonic_us() - connection->due_us);
        if (!entity->id[0] && !text_of(answer, "id", entity->id, sizeof entity->id)) die("POST /entries", "has no id");
        entity->version++;
        entity->text = connection->text;
    } else {
        if (answer->status != 429 && answer->status != 503) require(answer, 202, "a command");
        run->refused++;
    }
    entity->busy = connection->busy = false;
    run->idle[run->idle_count++] = connection;
}

static void serve(run_t *run, int timeout_ms) {
    struct epoll_event events[EVENTS];
    int count = epoll_wait(run->epoll, events, EVENTS, timeout_ms);
    for (int i = 0; i < count; i++) {
        connection_t *connection = events[i].data.ptr;
        answer_t answer;
        if (connection->http.sent < connection->http.out.len) http_flush(&connection->http);
        http_receive(&connection->http);
        while (http_answer(&connection->http, &answer)) {
            take_answer(run, connection, &answer);
            http_consume(&connection->http, &answer);
        }
    }
}

static void open_connections(run_t *run, int count) {
    run->epoll = epoll_create1(EPOLL_CLOEXEC);
    run->connections = mem_zero((size_t)count, sizeof *run->connections);
    run->idle = mem_zero((size_t)count, sizeof(connection_t *));
    run->connections_count = run->idle_count = count;
    for (int i = 0; i < count; i++) {
        connection_t *connection = run->idle[i] = &run->connections[i];
        http_connect(&connection->http, command_address);
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = connection};
        epoll_ctl(run->epoll, EPOLL_CTL_ADD, connection->http.fd, &event);
    }
}

/* Sends what is due as long as there is a connection for it. Returns how far behind its times the last one was. */
static int64_t drive(run_t *run, int rate, int seconds) {
    int64_t start = clock_monotonic_us(), behind = 0;
    int total = rate * seconds;
    for (int sent = 0; sent < total;) {
        int64_t now = clock_monotonic_us(), due = start + (int64_t)sent * 1000000 / rate;
        if (due <= now && run->idle_count > 0) {
            behind = now - due;
            send_due(run, due, sent++);
        } else {
            serve(run, due > now ? (int)((due - now) / 1000) : 100);
        }
    }
    while (run->idle_count < run->connections_count) serve(run, 100);
    return behind;
}

/* ---- every snapshot ---- */

/* Whether an answer is the entity as it was acknowledged last. */
static bool is_right(const entity_t *entity, const answer_t *answer) {
    err_t error;
    char title[64];
    json_t *shown = answer->status == 200 ? json_read(answer->body, answer->body_len, &error) : NULL;
    const char *found = json_text(json_object_get(shown, "data"), "title");
    snprintf(title, sizeof title, "number %d", entity->text);
    bool right = found && !strcmp(found, title) &&
                 json_integer_value(json_object_get(shown, "version")) == entity->version;
    json_decref(shown);
    return right;
}

static void ask_for(http_t *http, const entity_t *entity) {
    char path[ID_SIZE + 16];
    snprintf(path, sizeof path, "/entries/%s", entity->id);
    http_request(http, "GET", path, NULL);
    while (!http_flush(http)) clock_sleep_ms(1);
}

/* Asks again as long as it may only be late. */
static bool becomes_right(http_t *http, const entity_t *entity, int64_t deadline_us) {
    answer_t answer;
    for (;;) {
        ask_for(http, entity);
        http_exchange(http, &answer);
        bool right = is_right(entity, &answer);
        if (!right && clock_monotonic_us() > deadline_us)
            fprintf(stderr, "  wrong: %s should be version %d, \"number %d\"; it is %d %.*s\n", entity->id, entity->version,
                    entity->text, answer.status, (int)(answer.body_len < 300 ? answer.body_len : 300), answer.body);
        http_consume(http, &answer);
        if (right || clock_monotonic_us() > deadline_us) return right;
        clock_sleep_ms(10);
    }
}

/* Returns when the last of them was seen to be right. */
static void check_all(run_t *run) {
    http_t queries[CHECKS_AT_ONCE];
    int64_t deadline = clock_monotonic_us() + QUIET_US;
    for (int i = 0; i < CHECKS_AT_ONCE; i++) http_connect(&queries[i], query_address);
    for (size_t first = 0; first < run->entities_count; first += CHECKS_AT_ONCE) {
        size_t count = run->entities_count - first < CHECKS_AT_ONCE ? run->entities_count - first : CHECKS_AT_ONCE;
        bool right[CHECKS_AT_ONCE];
        for (size_t i = 0; i < count; i++)
            if (run->entities[first + i]->id[0]) ask_for(&queries[i], run->entities[first + i]);
        for (size_t i = 0; i < count; i++) {
            answer_t answer;
            if (!run->entities[first + i]->id[0]) continue; /* its create was refused */
            http_exchange(&queries[i], &answer);
            right[i] = is_right(run->entities[first + i], &answer);
            http_consume(&queries[i], &answer);
        }
        for (size_t i = 0; i < count; i++) {
            const entity_t *entity = run->entities[first + i];
            if (!entity->id[0]) continue;
            run->checked++;
            if (!right[i] && !becomes_right(&queries[i], entity, deadline)) run->wrong++;
        }
    }
    for (int i = 0; i < CHECKS_AT_ONCE; i++) http_close(&queries[i]);
}

/* The last entity's snapshot may be there before others': a look at the newest of each batch is enough to know that
   the stream has arrived. Returns how long it took. */
static int64_t await_last(run_t *run) {
    http_t queries;
    int64_t start = clock_monotonic_us();
    http_connect(&queries, query_address);
    size_t from = run->entities_count > 200 ? run->entities_count - 200 : 0;
    for (size_t i = from; i < run->entities_count; i++)
        if (run->entities[i]->id[0]) becomes_right(&queries, run->entities[i], start + QUIET_US);
    http_close(&queries);
    return clock_monotonic_us() - start;
}

/* ---- lag ---- */

static double lag_of(const char *address) {
    http_t http;
    answer_t answer;
    double lag = 0;
    http_connect(&http, address);
    http_request(&http, "GET", "/metrics", NULL);
    http_exchange(&http, &answer);
    require(&answer, 200, address);
    for (const char *line = answer.body; (line = strstr(line, "\nodradek_consumer_lag_records{"));) {
        const char *end = strchr(++line, '\n'), *space = end;
        while (space > line && *space != ' ') space--;
        lag += strtod(space, NULL);
    }
    http_close(&http);
    return lag;
}

static double lag_of_all(void) {
    double lag = 0;
    char *copy = mem_string(consumers_text), *rest = copy;
    for (char *address; (address = strsep(&rest, ","));)
        if (*address) lag += lag_of(address);
    free(copy);
    return lag;
}

/* The gauges are brought up to date four times a second. */
static double await_no_lag(void) {
    double lag;
    int64_t deadline = clock_monotonic_us() + QUIET_US;
    while ((lag = lag_of_all()) > 0 && clock_monotonic_us() < deadline) clock_sleep_ms(50);
    return lag;
}

static bool measure_sustained(int rate, int seconds, int connections, strbuf_t *json) {
    run_t run = {.seed = 1, .creates = number(creates_text, "--creates")};
    open_connections(&run, connections);
    int64_t start = clock_monotonic_us(), behind = drive(&run, rate, seconds), sent_us = clock_monotonic_us() - start;
    double lag_at_end = lag_of_all();
    int64_t late_us = await_last(&run);
    check_all(&run);
    double lag = await_no_lag();
    size_t acknowledged = run.acknowledged.count;
    char head[128];
    snprintf(head, sizeof head, "%d commands a second for %d s over %d connections", rate, seconds, connections);
    print_head(head);
    strbuf_addf(json, ",\"sustained\":{\"rate\":%d,\"seconds\":%d,\"connections\":%d,\"acknowledged\":", rate, seconds,
                connections);
    figures_print("due to 202", &run.acknowledged, json);
    printf("  %-34s %9.0f\n  %-34s %9" PRIu64 "\n  %-34s %9.1f ms\n  %-34s %9.1f ms\n  %-34s %9.0f\n", "acknowledged a second",
           (double)acknowledged * 1e6 / (double)sent_us, "answered with 429 or 503", run.refused,
           "sender behind its times at the end", (double)behind / 1000, "last command to all visible",
           (double)late_us / 1000, "lag when the last was acknowledged", lag_at_end);
    printf("  %-34s %9zu\n  %-34s %9zu\n  %-34s %9.0f\n", "snapshots checked", run.checked, "snapshots wrong", run.wrong,
           "lag at the end", lag);
    strbuf_addf(json,
                ",\"acknowledgedPerSecond\":%.1f,\"refused\":%" PRIu64 ",\"behindMs\":%.3f,\"lastToVisibleMs\":%.3f,"
                "\"lagAtLastCommand\":%.0f,\"snapshotsChecked\":%zu,\"snapshotsWrong\":%zu,\"lagAtEnd\":%.0f}",
                (double)acknowledged * 1e6 / (double)sent_us, run.refused, (double)behind / 1000, (double)late_us / 1000,
                lag_at_end, run.checked, run.wrong, lag);
    for (int i = 0; i < run.connections_count; i++) http_close(&run.connections[i].http);
    for (size_t i = 0; i < run.entities_count; i++) free(run.entities[i]);
    free(run.entities);
    free(run.connections);
    free(run.idle);
    close(run.epoll);
    return run.wrong == 0 && lag == 0 && run.checked > 0;
}

/* ---- where and what ---- */

static void first_line_of(const char *command, strbuf_t *json, const char *name) {
    char line[256] = "";
    FILE *pipe = popen(command, "r");
    if (pipe && !fgets(line, sizeof line, pipe)) line[0] = '\0';
    if (pipe) pclose(pipe);
    line[strcspn(line, "\n")] = '\0';
    printf("  %-34s %s\n", name, line[0] ? line : "not known");
    strbuf_addf(json, ",\"%s\":", name);
    strbuf_add_jsons(json, line);
}

static void describe(strbuf_t *json) {
    struct utsname system;
    char now[CLOCK_TEXT_SIZE];
    uname(&system);
    clock_format(clock_ms(), now);
    printf("%s\n  %-34s %ld\n  %-34s %s %s\n", now, "processors", sysconf(_SC_NPROCESSORS_ONLN), "kernel", system.sysname,
           system.release);
    strbuf_addf(json, "{\"time\":\"%s\",\"processors\":%ld,\"kernel\":\"%s %s\"", now, sysconf(_SC_NPROCESSORS_ONLN),
                system.sysname, system.release);
    first_line_of("sed -n 's/^model name[^:]*: //p' /proc/cpuinfo", json, "processor");
    first_line_of("git rev-parse --short HEAD 2>/dev/null", json, "commit");
    first_line_of("sed -n 's|.*<kafka.version>\\(.*\\)</kafka.version>.*|\\1|p' deploy/kafka/pom.xml 2>/dev/null", json, "kafka");
    first_line_of("pkg-config --modversion rdkafka 2>/dev/null", json, "librdkafka");
    first_line_of("redis-server --version 2>/dev/null | sed 's/.* v=\\([^ ]*\\).*/\\1/'", json, "redis");
}

static void write_json(const strbuf_t *json) {
    FILE *file = json_path ? fopen(json_path, "w") : NULL;
    if (json_path && !file) die(json_path, strerror(errno));
    if (!file) return;
    fprintf(file, "%s\n", json->data);
    if (fclose(file)) die(json_path, strerror(errno));
}

int main(int argc, char **argv) {
    opt_result_t parsed = opt_parse(argc, argv, "bench-pipeline", "measures the pipeline from outside", options,
                                    ARRAY_LEN(options));
    if (parsed != OPT_RUN) return parsed == OPT_DONE ? 0 : 2;
    bool right = true;
    strbuf_t json = {0};
    describe(&json);
    if (!only || !strcmp(only, "latency")) measure_latency(number(samples_text, "--samples"), &json);
    if (!only || !strcmp(only, "sustained"))
        right = measure_sustained(number(rate_text, "--rate"), number(seconds_text, "--seconds"),
                                  number(connections_text, "--connections"), &json);
    strbuf_addf(&json, ",\"right\":%s}", right ? "true" : "false");
    write_json(&json);
    strbuf_free(&json);
    return right ? 0 : 1;
}
