/* A Redis store, spoken to in pipelines. */
#include "common/redis.h"

#include "common/clock.h"
#include "common/mem.h"
#include "common/metric.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct server {
    char *host;
    int port;
    redisContext *context; /* NULL: not connected */
    _Atomic bool failed;   /* its last exchange; read by health checks on other threads */
    size_t queued;         /* commands queued since the last exchange */
} server_t;

typedef struct script {
    char *text;
    char *sha; /* the caller's 41 bytes */
} script_t;

typedef struct pending {
    uint32_t server;
    redisReply *reply; /* NULL until the exchange */
} pending_t;

struct redis {
    const char *name;
    server_t *servers;
    size_t count;
    script_t *scripts;
    size_t scripts_count;
    pending_t *pending; /* in the order they were queued */
    size_t pending_count, pending_cap;
    bool answered; /* the last exchange is over, the next command begins a new one */
    err_t failure; /* of connecting while queueing; empty: none */
    metric_t *seconds, *commands, *failures;
};

static bool parse_server(const char *text, server_t *server) {
    const char *colon = strrchr(text, ':');
    char *end;
    if (!colon || colon == text) return false;
    long port = strtol(colon + 1, &end, 10);
    if (*end || port < 1 || port > 65535) return false;
    server->host = mem_copy(text, (size_t)(colon - text));
    server->port = (int)port;
    return true;
}

static void metrics_open(redis_t *redis) {
    char labels[64];
    snprintf(labels, sizeof labels, "store=\"%s\"", redis->name);
    redis->seconds = metric_histogram("odradek_redis_exchange_seconds", "Time of one pipelined exchange with a store.",
                                      labels, metric_seconds, METRIC_SECONDS_COUNT);
    redis->commands = metric_counter("odradek_redis_commands_total", "Commands sent to a store.", labels);
    redis->failures = metric_counter("odradek_redis_failures_total", "Exchanges with a store that failed.", labels);
}

redis_t *redis_new(const char *name, char *const *servers, size_t count, err_t *error) {
    redis_t *redis = mem_zero(1, sizeof *redis);
    redis->name = name;
    redis->servers = mem_zero(count, sizeof *redis->servers);
    redis->count = count;
    metrics_open(redis);
    for (size_t i = 0; i < count; i++) {
        if (parse_server(servers[i], &redis->servers[i])) continue;
        err_set(error, STATUS_FATAL, "redis %s: \"%s\" is not host:port", name, servers[i]);
        redis_free(redis);
        return NULL;
    }
    return redis;
}

static void disconnect(server_t *server) {
    if (server->context) redisFree(server->context);
    server->context = NULL;
}

static void forget(redis_t *redis) {
    for (size_t i = 0; i < redis->pending_count; i++)
        if (redis->pending[i].reply) freeReplyObject(redis->pending[i].reply);
    for (size_t i = 0; i < redis->count; i++) redis->servers[i].queued = 0;
    redis->pending_count = 0;
    redis->answered = false;
    redis->failure.text[0] = '\0';
}

void redis_discard(redis_t *redis) {
    /* What hiredis has in its buffer would be sent with the next command: only a new connection has none of it. */
    for (size_t i = 0; i < redis->count && !redis->answered; i++)
        if (redis->servers[i].queued > 0) disconnect(&redis->servers[i]);
    forget(redis);
}

void redis_free(redis_t *redis) {
    if (!redis) return;
    forget(redis);
    for (size_t i = 0; i < redis->count; i++) {
        disconnect(&redis->servers[i]);
        free(redis->servers[i].host);
    }
    for (size_t i = 0; i < redis->scripts_count; i++) free(redis->scripts[i].text);
    free(redis->scripts);
    free(redis->pending);
    free(redis->servers);
    free(redis);
}

void redis_script(redis_t *redis, const char *text, char sha[41]) {
    redis->scripts = mem_resize(redis->scripts, redis->scripts_count + 1, sizeof *redis->scripts);
    redis->scripts[redis->scripts_count++] = (script_t){mem_string(text), sha};
    sha[0] = '\0';
}

/* ---- connecting ---- */

static status_t server_failed(redis_t *redis, server_t *server, const char *why, err_t *error) {
    err_set(error, STATUS_RETRY, "redis %s at %s:%d: %s", redis->name, server->host, server->port, why);
    disconnect(server);
    server->failed = true;
    metric_add(redis->failures, 1);
    return STATUS_RETRY;
}

static status_t load_scripts(redis_t *redis, server_t *server, err_t *error) {
    for (size_t i = 0; i < redis->scripts_count; i++) {
        redisReply *reply = redisCommand(server->context, "SCRIPT LOAD %s", redis->scripts[i].text);
        bool loaded = reply && reply->type == REDIS_REPLY_STRING && reply->len == 40;
        if (loaded) memcpy(redis->scripts[i].sha, reply->str, 41);
        char why[256];
        snprintf(why, sizeof why, "%s", reply && reply->str ? reply->str : server->context->errstr);
        freeReplyObject(reply);
        if (!loaded) return server_failed(redis, server, why, error);
    }
    return STATUS_OK;
}

static struct timeval milliseconds(int ms) {
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
}

static status_t connect_server(redis_t *redis, server_t *server, err_t *error) {
    server->context = redisConnectWithTimeout(server->host, server->port, milliseconds(REDIS_CONNECT_TIMEOUT_MS));
    if (!server->context) return server_failed(redis, server, "out of memory", error);
    if (server->context->err) {
        char why[256];
        snprintf(why, sizeof why, "%s", server->context->errstr);
        return server_failed(redis, server, why, error);
    }
    redisSetTimeout(server->context, milliseconds(REDIS_TIMEOUT_MS));
    redisEnableKeepAlive(server->context);
    return load_scripts(redis, server, error);
}

/* ---- an exchange ---- */

static void pending_add(redis_t *redis, uint32_t server) {
    if (redis->pending_count == redis->pending_cap) {
        redis->pending_cap = redis->pending_cap ? redis->pending_cap * 2 : 64;
        redis->pending = mem_resize(redis->pending, redis->pending_cap, sizeof *redis->pending);
    }
    redis->pending[redis->pending_count++] = (pending_t){server, NULL};
}

void redis_queue(redis_t *redis, int32_t partition, int argc, const char **argv, const size_t *lens) {
    if (redis->answered) forget(redis);
    uint32_t index = (uint32_t)partition % (uint32_t)redis->count;
    server_t *server = &redis->servers[index];
    pending_add(redis, index);
    if (redis->failure.text[0]) return; /* the exchange fails anyway */
    if (!server->context && connect_server(redis, server, &redis->failure) != STATUS_OK) return;
    redisAppendCommandArgv(server->context, argc, argv, lens);
    server->queued++;
}

/* Sends all that is queued before anything is read, so that several servers work at the same time. */
static status_t send_all(redis_t *redis, err_t *error) {
    for (size_t i = 0; i < redis->count; i++) {
        server_t *server = &redis->servers[i];
        int done = server->queued == 0;
        while (!done)
            if (redisBufferWrite(server->context, &done) != REDIS_OK)
                return server_failed(redis, server, server->context->errstr, error);
    }
    return STATUS_OK;
}

static status_t receive_all(redis_t *redis, err_t *error) {
    for (size_t i = 0; i < redis->pending_count; i++) {
        server_t *server = &redis->servers[redis->pending[i].server];
        void *reply = NULL;
        if (redisGetReply(server->context, &reply) != REDIS_OK) {
            /* A time-out shows as EAGAIN, which would read as "Resource temporarily unavailable". */
            bool timeout = server->context->err == REDIS_ERR_IO && errno == EAGAIN;
            return server_failed(redis, server, timeout ? "no answer in time" : server->context->errstr, error);
        }
        redis->pending[i].reply = reply;
        server->queued--;
        server->failed = false;
    }
    return STATUS_OK;
}

status_t redis_exchange(redis_t *redis, err_t *error) {
    int64_t start = clock_monotonic_us();
    status_t status = STATUS_OK;
    if (redis->failure.text[0]) status = err_set(error, STATUS_RETRY, "%s", redis->failure.text);
    if (status == STATUS_OK) status = send_all(redis, error);
    if (status == STATUS_OK) status = receive_all(redis, error);
    if (status != STATUS_OK) {
        redis_discard(redis);
        return status;
    }
    redis->answered = true;
    metric_add(redis->commands, redis->pending_count);
    metric_observe(redis->seconds, (double)(clock_monotonic_us() - start) / 1e6);
    return STATUS_OK;
}

redisReply *redis_reply(redis_t *redis, size_t i) {
    return redis->pending[i].reply;
}

status_t redis_check(redis_t *redis, const redisReply *reply, err_t *error) {
    /* Error answers that pass by themselves: the server is starting, full, busy, or about to fail over. */
    static const char *const passing[] = {"LOADING",  "OOM",        "BUSY",        "MASTERDOWN", "READONLY",
                                          "MISCONF",  "NOREPLICAS", "CLUSTERDOWN", "TRYAGAIN",   "NOSCRIPT",
                                          "ERR max number of clients"};
    if (reply->type != REDIS_REPLY_ERROR) return STATUS_OK;
    err_set(error, STATUS_RETRY, "redis %s: %s", redis->name, reply->str);
    if (!strncmp(reply->str, "NOSCRIPT", 8)) /* a new connection brings the scripts with it */
        for (size_t i = 0; i < redis->count; i++) disconnect(&redis->servers[i]);
    for (size_t i = 0; i < ARRAY_LEN(passing); i++)
        if (!strncmp(reply->str, passing[i], strlen(passing[i]))) return STATUS_RETRY;
    return STATUS_FATAL;
}

bool redis_connected(const redis_t *redis) {
    for (size_t i = 0; i < redis->count; i++)
        if (redis->servers[i].failed) return false;
    return true;
}

/* ---- arguments ---- */

/* Copies are laid one behind the other in blocks, which are kept for the next command. */
typedef struct redis_block {
    struct redis_block *next;
    size_t used, size;
    char data[];
} redis_block_t;

enum { BLOCK_BYTES = 64 * 1024 };

static void blocks_free(redis_block_t *block) {
    for (redis_block_t *next; block; block = next) {
        next = block->next;
        free(block);
    }
}

void redis_args_free(redis_args_t *args) {
    blocks_free(args->blocks);
    free(args->argv);
    free(args->lens);
    *args = (redis_args_t){0};
}

void redis_args_clear(redis_args_t *args) {
    args->count = 0;
    if (!args->blocks) return;
    /* One block is enough for most commands; the many of a large one are not held for ever. */
    blocks_free(args->blocks->next);
    args->blocks->next = NULL;
    args->blocks->used = 0;
}

void redis_args_add(redis_args_t *args, const char *text, size_t len) {
    if (args->count == args->cap) {
        args->cap = args->cap ? args->cap * 2 : 64;
        args->argv = mem_resize(args->argv, (size_t)args->cap, sizeof *args->argv);
        args->lens = mem_resize(args->lens, (size_t)args->cap, sizeof *args->lens);
    }
    args->argv[args->count] = text;
    args->lens[args->count++] = len;
}

void redis_args_adds(redis_args_t *args, const char *text) {
    redis_args_add(args, text, strlen(text));
}

static char *block_room(redis_args_t *args, size_t len) {
    redis_block_t *block = args->blocks;
    if (!block || block->size - block->used < len) {
        size_t size = len > BLOCK_BYTES ? len : BLOCK_BYTES;
        block = mem_alloc(sizeof *block + size);
        *block = (redis_block_t){.next = args->blocks, .size = size};
        args->blocks = block;
    }
    block->used += len;
    return block->data + block->used - len;
}

void redis_args_copy(redis_args_t *args, const char *text, size_t len) {
    char *copy = block_room(args, len);
    if (len > 0) memcpy(copy, text, len);
    redis_args_add(args, copy, len);
}

void redis_args_copys(redis_args_t *args, const char *text) {
    redis_args_copy(args, text, strlen(text));
}

void redis_args_number(redis_args_t *args, int64_t number) {
    char text[24];
    int len = snprintf(text, sizeof text, "%lld", (long long)number);
    redis_args_copy(args, text, (size_t)len);
}
