/* A real Redis on a free port of the loopback, without persistence, that ends with the test. */
#ifndef ODRADEK_TEST_REDIS_SERVER_H
#define ODRADEK_TEST_REDIS_SERVER_H

#include "common/clock.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct redis_server {
    pid_t pid; /* 0: does not run */
    int port;
    char address[32];     /* host:port */
    redisContext *client; /* for the test's own questions */
} redis_server_t;

static inline int redis_server_free_port(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) || getsockname(fd, (struct sockaddr *)&address, &len)) abort();
    close(fd);
    return ntohs(address.sin_port);
}

/* It writes no file, so that it needs no folder of its own. */
static inline void redis_server_exec(const redis_server_t *server) {
    char port[16];
    snprintf(port, sizeof port, "%d", server->port);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int null = open("/dev/null", O_RDWR);
    for (int fd = 0; fd < 3; fd++) dup2(null, fd);
    execlp("redis-server", "redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
           (char *)NULL);
    _exit(127);
}

static inline bool redis_server_ended(redis_server_t *server) {
    if (waitpid(server->pid, NULL, WNOHANG) != server->pid) return false;
    server->pid = 0;
    return true;
}

static inline bool redis_server_connect(redis_server_t *server) {
    server->client = redisConnect("127.0.0.1", server->port);
    redisReply *reply = server->client && !server->client->err ? redisCommand(server->client, "PING") : NULL;
    bool answers = reply && reply->type == REDIS_REPLY_STATUS;
    if (reply) freeReplyObject(reply);
    if (answers) return true;
    if (server->client) redisFree(server->client);
    server->client = NULL;
    return false;
}

/* Starts it on its port, empty, and waits until it answers. False: it did not come up. */
static inline bool redis_server_up(redis_server_t *server) {
    server->pid = fork();
    if (server->pid == 0) redis_server_exec(server);
    int64_t deadline = clock_monotonic_us() + 30 * 1000000LL;
    while (clock_monotonic_us() < deadline && !redis_server_ended(server)) {
        if (redis_server_connect(server)) return true;
        clock_sleep_ms(5);
    }
    return false;
}

/* Kills it; what it held is gone. */
static inline void redis_server_down(redis_server_t *server) {
    if (server->client) redisFree(server->client);
    server->client = NULL;
    if (server->pid > 0) {
        kill(server->pid, SIGKILL);
        waitpid(server->pid, NULL, 0);
    }
    server->pid = 0;
}

/* One that does not run yet. */
static inline redis_server_t redis_server_new(void) {
    redis_server_t server = {.port = redis_server_free_port()};
    snprintf(server.address, sizeof server.address, "127.0.0.1:%d", server.port);
    return server;
}

static inline redis_server_t redis_server_start(void) {
    for (int i = 0; i < 10; i++) { /* a port may be taken by somebody else in between */
        redis_server_t server = redis_server_new();
        if (redis_server_up(&server)) return server;
        redis_server_down(&server);
    }
    abort();
}

/* Runs a command that must not be refused; as redisCommand. */
#define redis_server_do(server, ...)                                                                                   \
    do {                                                                                                               \
        redisReply *redis_reply_made = redisCommand((server)->client, __VA_ARGS__);                                    \
        if (!redis_reply_made || redis_reply_made->type == REDIS_REPLY_ERROR) abort();                                 \
        freeReplyObject(redis_reply_made);                                                                             \
    } while (0)

#endif
