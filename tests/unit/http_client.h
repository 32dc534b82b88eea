/* An HTTP client on a bare socket, which sends just what it is told. What fails ends the test that uses it. */
#ifndef ODRADEK_TEST_HTTP_CLIENT_H
#define ODRADEK_TEST_HTTP_CLIENT_H

#include "common/mem.h"
#include "common/strbuf.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE_SECONDS = 60 }; /* for any answer; only a failure waits for it */

/* ---- addresses ---- */

static inline struct sockaddr_in loopback(int port) {
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* A socket that listens on a port of its own, which goes to `*port`. */
static inline int listen_anywhere(int *port) {
    struct sockaddr_in address = loopback(0);
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 64), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

/* -1: nobody listens. */
static inline int connect_to(int port) {
    struct sockaddr_in address = loopback(port);
    struct timeval patience = {.tv_sec = PATIENCE_SECONDS};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (!connect(fd, (struct sockaddr *)&address, sizeof address)) return fd;
    close(fd);
    return -1;
}

/* ---- HTTP ---- */

typedef struct reply {
    int code;
    char head[4096]; /* status line and headers */
    char *body;      /* never NULL */
    size_t len;
} reply_t;

/* The value of a header, in a buffer that the next call uses again; NULL: it is not there. */
static inline const char *reply_header(const reply_t *reply, const char *name) {
    static _Thread_local char value[1024];
    size_t len = strlen(name);
    for (const char *line = strstr(reply->head, "\r\n"); line; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, len) || line[2 + len] != ':') continue;
        const char *from = line + 3 + len + strspn(line + 3 + len, " ");
        snprintf(value, sizeof value, "%.*s", (int)strcspn(from, "\r"), from);
        return value;
    }
    return NULL;
}

static inline void reply_free(reply_t *reply) {
    free(reply->body);
    *reply = (reply_t){0};
}

static inline void http_write_bytes(int fd, const char *bytes, size_t len) {
    while (len > 0) {
        ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);
        if (sent < 0) fail_msg("sending fails");
        bytes += sent;
        len -= (size_t)sent;
    }
}

static inline void http_write(int fd, const char *text) {
    http_write_bytes(fd, text, strlen(text));
}

/* The body of an answer that comes in chunks. */
static inline void http_read_chunks(int fd, reply_t *reply) {
    strbuf_t body = {0};
    char line[32], c;
    for (size_t size = 1; size > 0;) {
        size_t len = 0;
        while (recv(fd, &c, 1, MSG_WAITALL) == 1 && c != '\n' && len + 1 < sizeof line) line[len++] = c;
        line[len] = '\0';
        if (len == 0) fail_msg("the body ends within a chunk, after %zu bytes", body.len);
        size = strtoul(line, NULL, 16);
        char *chunk = mem_zero(size + 2, 1);
        if (recv(fd, chunk, size + 2, MSG_WAITALL) != (ssize_t)(size + 2)) fail_msg("a chunk has no end");
        strbuf_add(&body, chunk, size);
        free(chunk);
    }
    reply->len = body.len;
    reply->body = strbuf_steal(&body);
}

/* Reads one answer; `headless` is for the answer to a HEAD, which has no body. False: the connection ended before. */
static inline bool http_read(int fd, reply_t *reply, bool headless) {
    size_t len = 0;
    *reply = (reply_t){0};
    while (len < 4 || memcmp(reply->head + len - 4, "\r\n\r\n", 4)) {
        if (len + 1 == sizeof reply->head || recv(fd, reply->head + len, 1, 0) != 1) return false;
        len++;
    }
    reply->code = atoi(reply->head + strlen("HTTP/1.1 "));
    const char *coding = reply_header(reply, "Transfer-Encoding");
    if (coding && !headless) {
        http_read_chunks(fd, reply);
        return true;
    }
    const char *length = reply_header(reply, "Content-Length");
    reply->len = length && !headless ? strtoul(length, NULL, 10) : 0;
    reply->body = mem_zero(reply->len + 1, 1);
    for (size_t have = 0; have < reply->len;) {
        ssize_t got = recv(fd, reply->body + have, reply->len - have, 0);
        if (got <= 0) fail_msg("the body ends after %zu of %zu bytes", have, reply->len);
        have += (size_t)got;
    }
    return true;
}

/* A whole request as text; `body` NULL: none. The caller frees it. */
static inline char *http_text(const char *method, const char *target, const char *headers, const char *body) {
    strbuf_t text = {0};
    strbuf_addf(&text, "%s %s HTTP/1.1\r\nHost: test\r\n%s", method, target, headers ? headers : "");
    if (body) strbuf_addf(&text, "Content-Length: %zu\r\n", strlen(body));
    strbuf_addf(&text, "\r\n%s", body ? body : "");
    return strbuf_steal(&text);
}

/* A request on a connection of its own. */
static inline reply_t http_ask(int port, const char *method, const char *target, const char *headers, const char *body) {
    reply_t reply;
    int fd = connect_to(port);
    if (fd < 0) fail_msg("nobody listens on %d", port);
    char *text = http_text(method, target, headers, body);
    http_write(fd, text);
    free(text);
    if (!http_read(fd, &reply, !strcmp(method, "HEAD"))) fail_msg("%s %s: no answer", method, target);
    close(fd);
    return reply;
}

#endif
