/* Requests that wait for their command's outcome.

       EXPECTED ── sent ──▶ WAITING ── outcome, or time over ──▶ done
           │                                                     ▲
           └── outcome ──▶ (kept) ── sent ───────────────────────┘        */
#include "services/command-api/waits.h"

#include "common/clock.h"
#include "common/json.h"
#include "common/mem.h"
#include "common/metric.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define uthash_fatal(message) abort()
#include <uthash.h>

enum { POLL_MS = 20, ASK_MS = 200 };

struct wait {
    struct wait *same; /* the next that waits for the same command */
    void *waiting;
    int64_t deadline_us;
    bool sent;
    char *outcome; /* came before the command was known to be sent; NULL: not yet */
    size_t len;
    UT_hash_handle hh; /* of the first for a command */
    char command_id[];
};

struct waits {
    rd_kafka_t *consumer;
    const char *topic;
    int partitions;
    waits_done_t done;
    pthread_t thread;
    _Atomic bool reading; /* from the end that `outcomes` had when it began */
    pthread_mutex_t lock; /* of `all` and `ending` */
    wait_t *all;          /* by command id: the first of each */
    bool ending;
    metric_t *gauge;
};

static wait_t *find(waits_t *waits, const char *command_id, size_t len) {
    wait_t *first;
    HASH_FIND(hh, waits->all, command_id, len, first);
    return first;
}

static void set_first(waits_t *waits, wait_t *first) {
    HASH_ADD_KEYPTR(hh, waits->all, first->command_id, strlen(first->command_id), first);
}

static void put_in(waits_t *waits, wait_t *wait) {
    wait_t *first = find(waits, wait->command_id, strlen(wait->command_id));
    metric_change(waits->gauge, 1);
    if (!first) {
        set_first(waits, wait);
        return;
    }
    wait->same = first->same;
    first->same = wait;
}

static wait_t *take_out(waits_t *waits, wait_t *wait) {
    wait_t *first = find(waits, wait->command_id, strlen(wait->command_id));
    metric_change(waits->gauge, -1);
    if (first == wait) {
        HASH_DEL(waits->all, wait);
        if (wait->same) set_first(waits, wait->same);
    } else {
        while (first->same != wait) first = first->same;
        first->same = wait->same;
    }
    return wait;
}

/* Outside the lock: the answer may take another. */
static void finish(waits_t *waits, wait_t *wait) {
    waits->done(wait->waiting, wait->outcome, wait->len);
    free(wait->outcome);
    free(wait);
}

wait_t *waits_expect(waits_t *waits, const char *command_id, void *waiting, int seconds) {
    size_t len = strlen(command_id);
    wait_t *wait = mem_zero(1, sizeof *wait + len + 1);
    memcpy(wait->command_id, command_id, len + 1);
    wait->waiting = waiting;
    wait->deadline_us = clock_monotonic_us() + seconds * 1000000LL;
    pthread_mutex_lock(&waits->lock);
    put_in(waits, wait);
    pthread_mutex_unlock(&waits->lock);
    return wait;
}

void waits_sent(waits_t *waits, wait_t *wait) {
    pthread_mutex_lock(&waits->lock);
    wait->sent = true;
    bool over = wait->outcome || waits->ending;
    if (over) take_out(waits, wait);
    pthread_mutex_unlock(&waits->lock);
    if (over) finish(waits, wait);
}

void waits_forget(waits_t *waits, wait_t *wait) {
    pthread_mutex_lock(&waits->lock);
    take_out(waits, wait);
    pthread_mutex_unlock(&waits->lock);
    free(wait->outcome);
    free(wait);
}

/* ---- outcomes ---- */

/* Keeps the outcome for those whose command is not known to be sent yet; returns the others, taken out, as a list. */
static wait_t *give(waits_t *waits, wait_t *wait, const rd_kafka_message_t *message) {
    wait_t *over = NULL;
    for (wait_t *next; wait; wait = next) {
        next = wait->same;
        if (!wait->outcome) {
            wait->outcome = mem_copy(message->payload, message->len);
            wait->len = message->len;
        }
        if (!wait->sent) continue;
        take_out(waits, wait)->same = over;
        over = wait;
    }
    return over;
}

static void finish_all(waits_t *waits, wait_t *wait) {
    for (wait_t *next; wait; wait = next) {
        next = wait->same;
        finish(waits, wait);
    }
}

static void deliver(waits_t *waits, const rd_kafka_message_t *message) {
    json_span_t id;
    if (!message->payload || !json_member_span(message->payload, message->len, "commandId", &id) || id.len < 2) return;
    pthread_mutex_lock(&waits->lock);
    wait_t *over = give(waits, find(waits, id.text + 1, id.len - 2), message);
    pthread_mutex_unlock(&waits->lock);
    finish_all(waits, over);
}

static wait_t *take_expired(waits_t *waits, int64_t now_us) {
    wait_t *over = NULL, *first, *next_first;
    HASH_ITER(hh, waits->all, first, next_first) {
        for (wait_t *wait = first, *next; wait; wait = next) {
            next = wait->same;
            if (!wait->sent || (!waits->ending && wait->deadline_us > now_us)) continue;
            take_out(waits, wait)->same = over;
            over = wait;
        }
    }
    return over;
}

static void expire(waits_t *waits) {
    pthread_mutex_lock(&waits->lock);
    wait_t *over = take_expired(waits, clock_monotonic_us());
    pthread_mutex_unlock(&waits->lock);
    finish_all(waits, over);
}

bool waits_ending(waits_t *waits) {
    pthread_mutex_lock(&waits->lock);
    bool ending = waits->ending;
    pthread_mutex_unlock(&waits->lock);
    return ending;
}

/* Begins to read at the ends of all partitions. These are asked for first: once something is fetched, the broker would
   answer such questions only between long fetches, and what is decided meanwhile would be missed. */
static status_t assign_all(waits_t *waits, err_t *error) {
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(waits->partitions);
    status_t status = STATUS_OK;
    for (int32_t p = 0; p < waits->partitions && status == STATUS_OK; p++) {
        int64_t first, end;
        status = kafka_offsets(waits->consumer, waits->topic, p, &first, &end, ASK_MS, error);
        if (status == STATUS_OK) rd_kafka_topic_partition_list_add(list, waits->topic, p)->offset = end;
    }
    if (status == STATUS_OK) rd_kafka_assign(waits->consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    atomic_store(&waits->reading, status == STATUS_OK);
    return status;
}

static void *work(void *context) {
    waits_t *waits = context;
    int64_t expire_at_us = 0;
    err_t ignored;
    while (!waits_ending(waits)) {
        if (!atomic_load(&waits->reading) && assign_all(waits, &ignored) != STATUS_OK) clock_sleep_ms(POLL_MS);
        rd_kafka_message_t *message = rd_kafka_consumer_poll(waits->consumer, POLL_MS);
        if (message && !message->err) deliver(waits, message);
        if (message) rd_kafka_message_destroy(message);
        if (clock_monotonic_us() < expire_at_us) continue;
        expire(waits);
        expire_at_us = clock_monotonic_us() + POLL_MS * 1000;
    }
    expire(waits);
    return NULL;
}

/* ---- its life ---- */

static rd_kafka_t *consumer_new(const kafka_options_t *kafka, err_t *error) {
    const char *const defaults[] = {
        "group.id", "command-api-waits", /* must be set; nothing is ever committed under it */
        "enable.auto.commit", "false",
        "isolation.level", "read_committed",
        "auto.offset.reset", "latest",
        "fetch.wait.max.ms", "500",
        "fetch.error.backoff.ms", "50",
        "queued.max.messages.kbytes", "4096",
        NULL};
    rd_kafka_conf_t *conf = kafka_conf_new(kafka, defaults, NULL, error);
    return conf ? kafka_client_new(RD_KAFKA_CONSUMER, conf, error) : NULL;
}

waits_t *waits_new(const kafka_options_t *kafka, const char *topic, int partitions, waits_done_t done, err_t *error) {
    rd_kafka_t *consumer = consumer_new(kafka, error);
    if (!consumer) return NULL;
    waits_t *waits = mem_zero(1, sizeof *waits);
    waits->consumer = consumer;
    waits->topic = topic;
    waits->partitions = partitions;
    waits->done = done;
    waits->gauge = metric_gauge("odradek_command_waits", "Requests that wait for their outcome.", NULL);
    pthread_mutex_init(&waits->lock, NULL);
    rd_kafka_poll_set_consumer(consumer);
    if (pthread_create(&waits->thread, NULL, work, waits) == 0) return waits;
    err_set(error, STATUS_FATAL, "the thread of waits cannot be started");
    rd_kafka_destroy(consumer);
    free(waits);
    return NULL;
}

bool waits_ready(const waits_t *waits) {
    return atomic_load(&waits->reading);
}

void waits_end(waits_t *waits) {
    pthread_mutex_lock(&waits->lock);
    bool ended = waits->ending;
    waits->ending = true;
    pthread_mutex_unlock(&waits->lock);
    if (!ended) pthread_join(waits->thread, NULL);
}

void waits_free(waits_t *waits) {
    if (!waits) return;
    waits_end(waits);
    rd_kafka_consumer_close(waits->consumer);
    rd_kafka_destroy(waits->consumer);
    pthread_mutex_destroy(&waits->lock);
    free(waits);
}
