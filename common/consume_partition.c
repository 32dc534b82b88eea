/* Partitions: assigned → taken → released. */
#include "common/clock.h"
#include "common/consume_internal.h"
#include "common/mem.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TAKE_PAUSE_MIN_MS = 10, TAKE_PAUSE_MAX_MS = 500, TAKE_ROUND_US = 1000000, LAG_EVERY_US = 250000 };

static metric_t *lag_gauge(consume_t *c, int topic, int32_t number) {
    char labels[320];
    snprintf(labels, sizeof labels, "topic=\"%s\",partition=\"%d\"", c->options.topics[topic], (int)number);
    return metric_gauge("odradek_consumer_lag_records", "Records that are committed and not applied yet.", labels);
}

/* The table grows to the partition numbers that are met. */
partition_t *consume_partition(consume_t *c, int topic, int32_t number) {
    size_t count = c->partitions_count[topic];
    if ((size_t)number >= count) {
        size_t wanted = (size_t)number + 1;
        c->partitions[topic] = mem_resize(c->partitions[topic], wanted, sizeof(partition_t));
        for (size_t i = count; i < wanted; i++)
            c->partitions[topic][i] = (partition_t){.topic = topic, .number = (int32_t)i, .position = RD_KAFKA_OFFSET_INVALID};
        c->partitions_count[topic] = wanted;
    }
    return &c->partitions[topic][number];
}

static int topic_index(const consume_t *c, const char *name) {
    for (size_t i = 0; i < c->options.topics_count; i++)
        if (!strcmp(c->options.topics[i], name)) return (int)i;
    return -1;
}

partition_t *consume_partition_of(consume_t *c, const rd_kafka_message_t *message) {
    int topic = message->rkt ? topic_index(c, rd_kafka_topic_name(message->rkt)) : -1;
    return topic < 0 || message->partition < 0 ? NULL : consume_partition(c, topic, message->partition);
}

void consume_each(consume_t *c, void (*each)(consume_t *, partition_t *)) {
    for (size_t topic = 0; topic < c->options.topics_count; topic++)
        for (size_t i = 0; i < c->partitions_count[topic]; i++)
            if (c->partitions[topic][i].state != PARTITION_ABSENT) each(c, &c->partitions[topic][i]);
}

void consume_drop_messages(consume_t *c, partition_t *partition) {
    for (size_t i = 0; i < partition->count; i++) {
        c->bytes -= partition->messages[i]->len;
        rd_kafka_message_destroy(partition->messages[i]);
    }
    c->records -= partition->count;
    partition->count = 0;
    partition->touched = false;
}

/* One partition as the list that librdkafka's calls take. */
static rd_kafka_topic_partition_list_t *list_of(const consume_t *c, const partition_t *partition, int64_t offset) {
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, c->options.topics[partition->topic], partition->number)->offset = offset;
    return list;
}

/* ---- released ---- */

static void release(consume_t *c, partition_t *partition) {
    consume_drop_messages(c, partition);
    if (partition->known) c->options.handler.release(c->options.handler.self, partition->topic, partition->number);
    partition->known = partition->retake = false;
    if (partition->state == PARTITION_PENDING) atomic_fetch_sub(&c->pending_count, 1);
    partition->state = PARTITION_ABSENT;
}

static void make_pending(consume_t *c, partition_t *partition) {
    partition->state = PARTITION_PENDING;
    atomic_fetch_add(&c->pending_count, 1);
    c->take_at_us = 0;
    c->take_pause_ms = TAKE_PAUSE_MIN_MS;
}

/* Lets nothing be fetched that would only be thrown away. The partition's fetcher must have started: librdkafka (2.0.2)
   numbers the commands to a partition before it queues them, and a pause that overtakes the start makes it forget to
   start at all. */
static void pause_fetching(consume_t *c, partition_t *partition) {
    rd_kafka_topic_partition_list_t *list = list_of(c, partition, RD_KAFKA_OFFSET_INVALID);
    rd_kafka_pause_partitions(c->consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    partition->paused = true;
}

/* Only what is paused: for librdkafka it is a new beginning, and what it had fetched since the last one would be lost. */
static void resume_fetching(consume_t *c, partition_t *partition) {
    if (!partition->paused) return;
    rd_kafka_topic_partition_list_t *list = list_of(c, partition, RD_KAFKA_OFFSET_INVALID);
    rd_kafka_resume_partitions(c->consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    partition->paused = false;
}

/* A record of a partition that is not taken yet shows that its fetcher has started. */
void consume_not_yet(consume_t *c, partition_t *partition) {
    if (partition->state == PARTITION_PENDING && !partition->paused) pause_fetching(c, partition);
}

static void retake(consume_t *c, partition_t *partition) {
    if (partition->state != PARTITION_RUNNING) return;
    release(c, partition);
    pause_fetching(c, partition);
    make_pending(c, partition);
}

void consume_retake_all(consume_t *c) {
    consume_each(c, retake);
}

static void release_marked(consume_t *c, partition_t *partition) {
    if (partition->retake) retake(c, partition);
}

void consume_release_marked(consume_t *c) {
    consume_each(c, release_marked);
}

void consume_retake(consume_t *c, int topic, int32_t number) {
    consume_partition(c, topic, number)->retake = true;
}

/* ---- assigned ---- */

static void assigned(consume_t *c, const rd_kafka_topic_partition_list_t *list) {
    for (int i = 0; i < list->cnt; i++) {
        int topic = topic_index(c, list->elems[i].topic);
        if (topic < 0) continue;
        partition_t *partition = consume_partition(c, topic, list->elems[i].partition);
        if (partition->state != PARTITION_ABSENT) release(c, partition);
        if (!partition->lag) partition->lag = lag_gauge(c, topic, partition->number);
        make_pending(c, partition);
        metric_change(c->assigned, 1);
    }
}

static void revoked(consume_t *c, const rd_kafka_topic_partition_list_t *list) {
    for (int i = 0; i < list->cnt; i++) {
        int topic = topic_index(c, list->elems[i].topic);
        partition_t *partition = topic < 0 ? NULL : consume_partition(c, topic, list->elems[i].partition);
        if (!partition || partition->state == PARTITION_ABSENT) continue;
        resume_fetching(c, partition); /* librdkafka would remember it for the next assignment */
        release(c, partition);
        metric_set(partition->lag, 0); /* the lag is now its new owner's */
        metric_change(c->assigned, -1);
    }
}

void consume_on_rebalance(rd_kafka_t *client, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *list,
                          void *opaque) {
    consume_t *c = consume_of(opaque);
    bool cooperative = !strcmp(rd_kafka_rebalance_protocol(client), "COOPERATIVE");
    rd_kafka_error_t *failed = NULL;
    log_info("%d partitions %s%s", list->cnt, code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS ? "assigned" : "revoked",
             rd_kafka_assignment_lost(client) ? ", lost to another replica" : "");
    if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        if (cooperative) failed = rd_kafka_incremental_assign(client, list);
        else rd_kafka_assign(client, list);
        assigned(c, list);
    } else {
        revoked(c, list);
        if (cooperative) failed = rd_kafka_incremental_unassign(client, list);
        else rd_kafka_assign(client, NULL);
    }
    atomic_store(&c->member, true);
    if (failed) log_warn("kafka: rebalance: %s", rd_kafka_error_string(failed));
    rd_kafka_error_destroy(failed);
}

/* ---- taken ---- */

/* Where Kafka has the partition committed, once no transaction is open that might still move it. */
static status_t committed_offset(consume_t *c, const partition_t *partition, int64_t *offset, err_t *error) {
    rd_kafka_topic_partition_list_t *list = list_of(c, partition, RD_KAFKA_OFFSET_INVALID);
    rd_kafka_resp_err_t code = rd_kafka_committed(c->consumer, list, CONSUME_REQUEST_MS);
    if (!code) code = list->elems[0].err;
    *offset = list->elems[0].offset;
    rd_kafka_topic_partition_list_destroy(list);
    if (!code) return STATUS_OK;
    return err_set(error, STATUS_RETRY, "committed offset of %s[%d]: %s", c->options.topics[partition->topic],
                   (int)partition->number, rd_kafka_err2str(code));
}

/* Compares where the handler wants to begin with what the log has. */
static status_t check_offset(consume_t *c, const partition_t *partition, int64_t first, int64_t end, int64_t *offset,
                             err_t *error) {
    const char *topic = c->options.topics[partition->topic];
    if (*offset > end)
        return err_set(error, STATUS_RETRY,
                       "%s[%d] ends at %" PRId64 ", but %" PRId64 " was already applied: the store belongs to another "
                       "log, or the log was lost; drop the store to fill it anew from this log",
                       topic, (int)partition->number, end, *offset);
    if (*offset < first) {
        log_warn("%s[%d]: records %" PRId64 " to %" PRId64 " are no longer kept and are skipped", topic,
                 (int)partition->number, *offset, first - 1);
        *offset = first;
    }
    return STATUS_OK;
}

static status_t seek(consume_t *c, const partition_t *partition, int64_t offset, err_t *error) {
    rd_kafka_topic_partition_list_t *list = list_of(c, partition, offset);
    rd_kafka_error_t *failed = rd_kafka_seek_partitions(c->consumer, list, CONSUME_REQUEST_MS);
    rd_kafka_resp_err_t code = list->elems[0].err;
    status_t status = kafka_error(failed, "seek", error);
    if (status == STATUS_OK && code) status = err_set(error, STATUS_RETRY, "seek: %s", rd_kafka_err2str(code));
    rd_kafka_topic_partition_list_destroy(list);
    return status == STATUS_OK ? STATUS_OK : STATUS_RETRY;
}

static status_t take(consume_t *c, partition_t *partition, err_t *error) {
    int64_t offset = RD_KAFKA_OFFSET_INVALID, first, end;
    status_t status = STATUS_OK;
    if (c->options.transactional) status = committed_offset(c, partition, &offset, error);
    if (status == STATUS_OK)
        status = kafka_offsets(c->probe, c->options.topics[partition->topic], partition->number, &first, &end,
                               CONSUME_REQUEST_MS, error);
    if (status != STATUS_OK) return status;
    if (offset < 0) offset = first;
    partition->known = true;
    status = c->options.handler.take(c->options.handler.self, partition->topic, partition->number, &offset, error);
    if (status == STATUS_OK) status = check_offset(c, partition, first, end, &offset, error);
    if (status == STATUS_OK) status = seek(c, partition, offset, error);
    if (status != STATUS_OK) return status;
    resume_fetching(c, partition);
    partition->next = partition->position = offset;
    partition->state = PARTITION_RUNNING;
    atomic_fetch_sub(&c->pending_count, 1);
    log_debug("%s[%d] taken from %" PRId64, c->options.topics[partition->topic], (int)partition->number, offset);
    return STATUS_OK;
}

static void take_if_pending(consume_t *c, partition_t *partition) {
    /* A round is short, so that the group is polled between attempts that each wait for something. */
    if (partition->state != PARTITION_PENDING || clock_monotonic_us() > c->take_at_us + TAKE_ROUND_US) return;
    err_t error;
    if (take(c, partition, &error) != STATUS_OK)
        log_condition_begin(&c->taking, "a partition cannot be taken yet", error.text);
}

void consume_take_pending(consume_t *c) {
    int before = atomic_load(&c->pending_count);
    int64_t now = clock_monotonic_us();
    if (before == 0 || now < c->take_at_us) return;
    c->take_at_us = now;
    consume_each(c, take_if_pending);
    int after = atomic_load(&c->pending_count);
    if (after == 0) log_condition_end(&c->taking, "taking partitions");
    bool progress = after < before;
    c->take_pause_ms = progress ? TAKE_PAUSE_MIN_MS : c->take_pause_ms * 2;
    if (c->take_pause_ms > TAKE_PAUSE_MAX_MS) c->take_pause_ms = TAKE_PAUSE_MAX_MS;
    c->take_at_us = clock_monotonic_us() + c->take_pause_ms * 1000;
}

/* ---- lag ---- */

/* One that cannot be taken yet, since its store is away, say, lags behind where it was when it last ran here. */
static void update_lag(consume_t *c, partition_t *partition) {
    int64_t first, end;
    if (rd_kafka_get_watermark_offsets(c->consumer, c->options.topics[partition->topic], partition->number, &first,
                                       &end) ||
        end < 0 || partition->position < 0)
        return;
    metric_set(partition->lag, end > partition->position ? (double)(end - partition->position) : 0);
}

void consume_update_lag(consume_t *c) {
    int64_t now = clock_monotonic_us();
    if (now < c->lag_at_us) return;
    c->lag_at_us = now + LAG_EVERY_US;
    consume_each(c, update_lag);
}

void consume_partitions_free(consume_t *c) {
    for (size_t topic = 0; topic < c->options.topics_count; topic++) {
        for (size_t i = 0; i < c->partitions_count[topic]; i++) free(c->partitions[topic][i].messages);
        free(c->partitions[topic]);
    }
    free(c->partitions);
    free(c->partitions_count);
}
