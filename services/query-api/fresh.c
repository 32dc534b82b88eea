/* Requests that wait until a snapshot is at a version.

       wait ──▶ waiting ──due──▶ batch ──▶ one lookup ──▶ there, or time over: again
                   ▲                            │
                   └────────── not yet ─────────┘                                    */
#include "services/query-api/fresh.h"

#include "common/clock.h"
#include "common/mem.h"
#include "common/metric.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Asked again after a quarter of the time that it waits already, within these. */
enum { PAUSE_MIN_US = 4000, PAUSE_MAX_US = 100000, BATCH = 1000 };

typedef struct waiting {
    struct waiting *next;
    fresh_again_t again;
    void *context;
    int64_t version, since_us, due_us, deadline_us;
    int32_t partition;
    bool over;
    char key[];
} waiting_t;

struct fresh {
    lookup_t *snapshots;
    pthread_t thread;
    bool joined;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t wake;
    waiting_t *waiting;
    bool ending;
    bool answered; /* the batch */
    waiting_t *batch;
    metric_t *gauge;
};

static void push(waiting_t **list, waiting_t *waiting) {
    waiting->next = *list;
    *list = waiting;
}

static waiting_t *pop(waiting_t **list) {
    waiting_t *waiting = *list;
    if (waiting) *list = waiting->next;
    return waiting;
}

bool fresh_wait(fresh_t *fresh, int32_t partition, const char *key, int64_t version, int64_t deadline_us,
                fresh_again_t again, void *context) {
    int64_t now = clock_monotonic_us();
    if (now >= deadline_us) return false;
    size_t size = strlen(key) + 1;
    waiting_t *waiting = mem_zero(1, sizeof *waiting + size);
    memcpy(waiting->key, key, size);
    waiting->again = again;
    waiting->context = context;
    waiting->version = version;
    waiting->since_us = now;
    waiting->due_us = now + PAUSE_MIN_US < deadline_us ? now + PAUSE_MIN_US : deadline_us;
    waiting->deadline_us = deadline_us;
    waiting->partition = partition;
    pthread_mutex_lock(&fresh->lock);
    bool taken = !fresh->ending;
    if (taken) {
        push(&fresh->waiting, waiting);
        metric_change(fresh->gauge, 1);
        pthread_cond_signal(&fresh->wake);
    }
    pthread_mutex_unlock(&fresh->lock);
    if (!taken) free(waiting);
    return taken;
}

/* ---- the thread ---- */

static void on_versions(lookup_request_t *lookup, status_t status, const err_t *error, void *context) {
    fresh_t *fresh = context;
    size_t i = 0;
    (void)error;
    for (waiting_t *waiting = fresh->batch; waiting && status == STATUS_OK; waiting = waiting->next) {
        const redisReply *version = lookup_reply(lookup, i++);
        waiting->over = version->type == REDIS_REPLY_STRING && strtoll(version->str, NULL, 10) >= waiting->version;
    }
    pthread_mutex_lock(&fresh->lock);
    fresh->answered = true;
    pthread_cond_signal(&fresh->wake);
    pthread_mutex_unlock(&fresh->lock);
}

/* Looks the batch up. A store that does not answer is one that is not there yet: the reader finds out at the deadline. */
static void ask(fresh_t *fresh) {
    lookup_request_t *lookup = lookup_request_new(on_versions, fresh);
    for (waiting_t *waiting = fresh->batch; waiting; waiting = waiting->next)
        lookup_add(lookup, waiting->partition, "HGET", waiting->key, "version", NULL);
    fresh->answered = false;
    lookup_submit(fresh->snapshots, lookup);
    pthread_mutex_lock(&fresh->lock);
    while (!fresh->answered) pthread_cond_wait(&fresh->wake, &fresh->lock);
    pthread_mutex_unlock(&fresh->lock);
}

static void set_due(waiting_t *waiting, int64_t now) {
    int64_t pause = (now - waiting->since_us) / 4;
    pause = pause < PAUSE_MIN_US ? PAUSE_MIN_US : pause > PAUSE_MAX_US ? PAUSE_MAX_US : pause;
    waiting->due_us = now + pause < waiting->deadline_us ? now + pause : waiting->deadline_us;
}

static void finish(fresh_t *fresh, waiting_t *waiting) {
    metric_change(fresh->gauge, -1);
    waiting->again(waiting->context);
    free(waiting);
}

/* Calls those that are done, and puts the others back. */
static void sort_out(fresh_t *fresh) {
    int64_t now = clock_monotonic_us();
    waiting_t *back = NULL, *waiting;
    while ((waiting = pop(&fresh->batch))) {
        if (waiting->over || now >= waiting->deadline_us) {
            finish(fresh, waiting);
        } else {
            set_due(waiting, now);
            push(&back, waiting);
        }
    }
    pthread_mutex_lock(&fresh->lock);
    while ((waiting = pop(&back))) push(&fresh->waiting, waiting);
    pthread_mutex_unlock(&fresh->lock);
}

/* Takes out what is due, under the lock; returns when the next is, or never. */
static int64_t take_due(fresh_t *fresh, int64_t now) {
    int64_t next = INT64_MAX;
    size_t count = 0;
    for (waiting_t **link = &fresh->waiting; *link;) {
        waiting_t *waiting = *link;
        if ((waiting->due_us <= now || fresh->ending) && count < BATCH) {
            *link = waiting->next;
            push(&fresh->batch, waiting);
            count++;
            continue;
        }
        if (waiting->due_us < next) next = waiting->due_us;
        link = &waiting->next;
    }
    return next;
}

static void sleep_until(fresh_t *fresh, int64_t due_us) {
    if (due_us == INT64_MAX) {
        pthread_cond_wait(&fresh->wake, &fresh->lock);
        return;
    }
    struct timespec at = {.tv_sec = due_us / 1000000, .tv_nsec = due_us % 1000000 * 1000};
    pthread_cond_timedwait(&fresh->wake, &fresh->lock, &at);
}

static void *work(void *context) {
    fresh_t *fresh = context;
    bool go_on = true;
    while (go_on) {
        pthread_mutex_lock(&fresh->lock);
        int64_t next = take_due(fresh, clock_monotonic_us());
        bool ending = fresh->ending;
        if (!fresh->batch && !ending) sleep_until(fresh, next);
        pthread_mutex_unlock(&fresh->lock);
        go_on = fresh->batch || !ending;
        if (ending)
            for (waiting_t *waiting; (waiting = pop(&fresh->batch));) finish(fresh, waiting);
        if (!fresh->batch) continue;
        ask(fresh);
        sort_out(fresh);
    }
    return NULL;
}

/* ---- its life ---- */

fresh_t *fresh_new(lookup_t *snapshots, err_t *error) {
    fresh_t *fresh = mem_zero(1, sizeof *fresh);
    pthread_condattr_t attributes;
    fresh->snapshots = snapshots;
    fresh->gauge = metric_gauge("odradek_query_waits", "Requests that wait for a version.", NULL);
    pthread_mutex_init(&fresh->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&fresh->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    fresh->joined = pthread_create(&fresh->thread, NULL, work, fresh) != 0;
    if (!fresh->joined) return fresh;
    err_set(error, STATUS_FATAL, "the thread of waiting requests cannot be started");
    fresh_free(fresh);
    return NULL;
}

void fresh_end(fresh_t *fresh) {
    pthread_mutex_lock(&fresh->lock);
    fresh->ending = true;
    pthread_cond_signal(&fresh->wake);
    pthread_mutex_unlock(&fresh->lock);
    if (!fresh->joined) pthread_join(fresh->thread, NULL);
    fresh->joined = true;
}

void fresh_free(fresh_t *fresh) {
    if (!fresh) return;
    fresh_end(fresh);
    pthread_mutex_destroy(&fresh->lock);
    pthread_cond_destroy(&fresh->wake);
    free(fresh);
}
