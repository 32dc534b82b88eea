/* Reads from a Redis store for HTTP handlers.

       submit ──▶ waiting ──▶ batch ──▶ one pipeline ──▶ done, done, done …
         │                                  │
         └── away, full, ended: done        └── failed: the batch and all that wait are done with RETRY, and the store
                                                is away until a ping is answered                                    */
#include "common/lookup.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/metric.h"
#include "common/strbuf.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    IDLE_MS = 1000,  /* an idle store is asked this often */
    AWAY_MS = 500,   /* one that is away */
    QUICK_MS = 1000, /* an exchange that failed sooner than this is tried a second time */
    BATCH_COMMANDS = 2048
};

typedef struct command {
    int32_t partition;
    int words;
} command_t;

struct lookup_request {
    lookup_request_t *next;
    lookup_done_t done;
    void *context;
    strbuf_t words; /* of all commands, each with its end */
    command_t *commands;
    size_t count, cap;
    redis_t *redis; /* while `done` runs */
    size_t first;   /* its first command's place in the pipeline */
};

typedef struct queue {
    lookup_request_t *first, **end;
    size_t count;
} queue_t;

struct lookup {
    const char *name;
    redis_t *redis; /* of the store's thread */
    redis_args_t args;
    size_t servers;
    size_t queue_max;
    pthread_t thread;
    bool joined;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t wake;
    queue_t waiting;
    err_t away;           /* why requests are not taken; empty: they are */
    bool ending, ended;
    _Atomic bool connected;
    log_condition_t trouble;
    metric_t *sizes;
};

/* ---- requests ---- */

lookup_request_t *lookup_request_new(lookup_done_t done, void *context) {
    lookup_request_t *request = mem_zero(1, sizeof *request);
    request->done = done;
    request->context = context;
    return request;
}

static void request_free(lookup_request_t *request) {
    strbuf_free(&request->words);
    free(request->commands);
    free(request);
}

void lookup_add(lookup_request_t *request, int32_t partition, ...) {
    if (request->count == request->cap) {
        request->cap = request->cap ? request->cap * 2 : 8;
        request->commands = mem_resize(request->commands, request->cap, sizeof *request->commands);
    }
    command_t *command = &request->commands[request->count++];
    *command = (command_t){.partition = partition};
    va_list args;
    va_start(args, partition);
    for (const char *word; (word = va_arg(args, const char *)); command->words++)
        strbuf_add(&request->words, word, strlen(word) + 1);
    va_end(args);
}

redisReply *lookup_reply(lookup_request_t *request, size_t i) {
    return redis_reply(request->redis, request->first + i);
}

static void request_finish(lookup_request_t *request, status_t status, const err_t *error) {
    request->done(request, status, error, request->context);
    request_free(request);
}

static void queue_add(queue_t *queue, lookup_request_t *request) {
    if (!queue->first) queue->end = &queue->first;
    *queue->end = request;
    queue->end = &request->next;
    queue->count++;
}

static lookup_request_t *queue_take(queue_t *queue) {
    lookup_request_t *request = queue->first;
    if (!request) return NULL;
    queue->first = request->next;
    request->next = NULL;
    queue->count--;
    return request;
}

static void queue_refuse(queue_t *queue, const err_t *error) {
    for (lookup_request_t *request; (request = queue_take(queue));) request_finish(request, STATUS_RETRY, error);
}

void lookup_submit(lookup_t *lookup, lookup_request_t *request) {
    err_t why = {""};
    pthread_mutex_lock(&lookup->lock);
    if (lookup->ended)
        err_set(&why, STATUS_RETRY, "redis %s: ending", lookup->name);
    else if (lookup->away.text[0])
        why = lookup->away;
    else if (lookup->waiting.count >= lookup->queue_max)
        err_set(&why, STATUS_RETRY, "redis %s: too many requests wait for it", lookup->name);
    else
        queue_add(&lookup->waiting, request);
    pthread_cond_signal(&lookup->wake);
    pthread_mutex_unlock(&lookup->lock);
    if (why.text[0]) request_finish(request, STATUS_RETRY, &why);
}

/* ---- the store's thread ---- */

static void queue_commands(lookup_t *lookup, lookup_request_t *request) {
    const char *word = request->words.data;
    for (size_t i = 0; i < request->count; i++) {
        const command_t *command = &request->commands[i];
        redis_args_clear(&lookup->args);
        for (int w = 0; w < command->words; w++, word += strlen(word) + 1) redis_args_adds(&lookup->args, word);
        redis_queue(lookup->redis, command->partition, lookup->args.count, lookup->args.argv, lookup->args.lens);
    }
}

static status_t exchange_once(lookup_t *lookup, const queue_t *batch, err_t *error) {
    size_t total = 0;
    for (lookup_request_t *request = batch->first; request; request = request->next) {
        request->redis = lookup->redis;
        request->first = total;
        total += request->count;
        queue_commands(lookup, request);
    }
    return redis_exchange(lookup->redis, error);
}

/* A server that restarted has closed the old connection, which only shows now: a quick failure says nothing about the
   server of today. */
static status_t exchange(lookup_t *lookup, const queue_t *batch, err_t *error) {
    int64_t start = clock_monotonic_us();
    status_t status = exchange_once(lookup, batch, error);
    if (status == STATUS_RETRY && clock_monotonic_us() - start < QUICK_MS * 1000)
        status = exchange_once(lookup, batch, error);
    return status;
}

static status_t request_check(lookup_t *lookup, lookup_request_t *request, err_t *error) {
    status_t status = STATUS_OK;
    for (size_t i = 0; i < request->count && status == STATUS_OK; i++)
        status = redis_check(lookup->redis, lookup_reply(request, i), error);
    return status;
}

/* Hands the answers out; in `error` stays why the store does not serve reads, if so. */
static status_t finish_all(lookup_t *lookup, queue_t *batch, err_t *error) {
    status_t worst = STATUS_OK;
    for (lookup_request_t *request; (request = queue_take(batch));) {
        err_t why = {""};
        status_t status = request_check(lookup, request, &why);
        if (status == STATUS_RETRY) {
            worst = status;
            *error = why;
        }
        if (status == STATUS_FATAL) log_error("%s", why.text);
        request_finish(request, status, &why);
    }
    return worst;
}

/* Sets whether requests are taken; when not, those that wait are refused now and not one by one. */
static void set_away(lookup_t *lookup, const char *why) {
    queue_t refused = {0};
    pthread_mutex_lock(&lookup->lock);
    err_set(&lookup->away, STATUS_RETRY, "%s", why);
    if (why[0])
        for (lookup_request_t *request; (request = queue_take(&lookup->waiting));) queue_add(&refused, request);
    pthread_mutex_unlock(&lookup->lock);
    atomic_store(&lookup->connected, !why[0]);
    char what[80];
    snprintf(what, sizeof what, "store \"%s\"", lookup->name);
    if (why[0])
        log_condition_begin(&lookup->trouble, what, why);
    else
        log_condition_end(&lookup->trouble, what);
    queue_refuse(&refused, &lookup->away); /* only this thread writes it */
}

static void serve(lookup_t *lookup, queue_t *batch) {
    err_t error = {""};
    status_t status = exchange(lookup, batch, &error);
    if (status == STATUS_OK)
        status = finish_all(lookup, batch, &error);
    else
        queue_refuse(batch, &error);
    set_away(lookup, status == STATUS_OK ? "" : error.text);
}

static struct timespec in_ms(int ms) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_nsec += (long)(ms % 1000) * 1000000;
    at.tv_sec += ms / 1000 + at.tv_nsec / 1000000000;
    at.tv_nsec %= 1000000000;
    return at;
}

/* Waits for requests, and takes as many as make a good pipeline. False: it is time to end. */
static bool next_batch(lookup_t *lookup, queue_t *batch) {
    size_t commands = 0;
    pthread_mutex_lock(&lookup->lock);
    struct timespec until = in_ms(lookup->away.text[0] ? AWAY_MS : IDLE_MS);
    while (!lookup->waiting.first && !lookup->ending)
        if (pthread_cond_timedwait(&lookup->wake, &lookup->lock, &until)) break;
    while (lookup->waiting.first && commands < BATCH_COMMANDS) {
        lookup_request_t *request = queue_take(&lookup->waiting);
        commands += request->count;
        queue_add(batch, request);
    }
    if (batch->first) metric_observe(lookup->sizes, (double)batch->count);
    lookup->ended = lookup->ending && !batch->first;
    bool go_on = !lookup->ended;
    pthread_mutex_unlock(&lookup->lock);
    return go_on;
}

static void ignore(lookup_request_t *request, status_t status, const err_t *error, void *context) {
    (void)request, (void)status, (void)error, (void)context;
}

/* Asks each server whether it answers: a batch like any other. */
static void add_ping(lookup_t *lookup, queue_t *batch) {
    lookup_request_t *request = lookup_request_new(ignore, NULL);
    for (size_t i = 0; i < lookup->servers; i++) lookup_add(request, (int32_t)i, "PING", NULL);
    queue_add(batch, request);
}

static void *work(void *context) {
    lookup_t *lookup = context;
    queue_t batch = {0};
    do {
        if (!batch.first) add_ping(lookup, &batch);
        serve(lookup, &batch);
    } while (next_batch(lookup, &batch));
    return NULL;
}

/* ---- the store ---- */

lookup_t *lookup_new(const char *name, char *const *servers, size_t count, size_t queue_max, err_t *error) {
    redis_t *redis = redis_new(name, servers, count, error);
    if (!redis) return NULL;
    lookup_t *lookup = mem_zero(1, sizeof *lookup);
    lookup->name = name;
    lookup->redis = redis;
    lookup->servers = count;
    lookup->queue_max = queue_max;
    pthread_mutex_init(&lookup->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&lookup->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    char labels[80];
    snprintf(labels, sizeof labels, "store=\"%s\"", name);
    lookup->sizes = metric_histogram("odradek_lookup_batch_requests", "Requests that were looked up in one pipeline.",
                                     labels, metric_sizes, METRIC_SIZES_COUNT);
    lookup->joined = pthread_create(&lookup->thread, NULL, work, lookup) != 0;
    if (!lookup->joined) return lookup;
    err_set(error, STATUS_FATAL, "redis %s: its thread cannot be started", name);
    lookup_free(lookup);
    return NULL;
}

void lookup_end(lookup_t *lookup) {
    pthread_mutex_lock(&lookup->lock);
    lookup->ending = true;
    pthread_cond_signal(&lookup->wake);
    pthread_mutex_unlock(&lookup->lock);
    if (!lookup->joined) pthread_join(lookup->thread, NULL);
    lookup->joined = true;
}

void lookup_free(lookup_t *lookup) {
    if (!lookup) return;
    lookup_end(lookup);
    pthread_mutex_destroy(&lookup->lock);
    pthread_cond_destroy(&lookup->wake);
    redis_args_free(&lookup->args);
    redis_free(lookup->redis);
    free(lookup);
}

bool lookup_connected(lookup_t *lookup) {
    return atomic_load(&lookup->connected);
}
