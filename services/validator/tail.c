/* The end of a topic's partition in the log. */
#include "services/validator/tail.h"

#include "common/clock.h"
#include "common/mem.h"

#include <inttypes.h>
#include <stdlib.h>

enum { REQUEST_MS = 2000, READ_MS = 5000, POLL_MS = 100 };

struct tail {
    rd_kafka_t *committed; /* a consumer that sees what is committed only */
    rd_kafka_t *all;       /* a client that sees the end of what was written */
};

static rd_kafka_t *client(rd_kafka_type_t type, const kafka_options_t *kafka, const char *isolation, err_t *error) {
    const char *const defaults[] = {
        "group.id", "validator-tail", /* must be set, nothing is ever committed under it */
        "enable.auto.commit", "false",
        "isolation.level", isolation,
        "enable.partition.eof", "true",
        "auto.offset.reset", "error",
        "fetch.wait.max.ms", "10",
        NULL};
    rd_kafka_conf_t *conf = kafka_conf_new(kafka, defaults, NULL, error);
    return conf ? kafka_client_new(type, conf, error) : NULL;
}

tail_t *tail_new(const kafka_options_t *kafka, err_t *error) {
    tail_t *tail = mem_zero(1, sizeof *tail);
    tail->committed = client(RD_KAFKA_CONSUMER, kafka, "read_committed", error);
    tail->all = tail->committed ? client(RD_KAFKA_PRODUCER, kafka, "read_uncommitted", error) : NULL;
    if (!tail->all) {
        tail_free(tail);
        return NULL;
    }
    rd_kafka_poll_set_consumer(tail->committed);
    return tail;
}

void tail_free(tail_t *tail) {
    if (!tail) return;
    if (tail->committed) {
        rd_kafka_consumer_close(tail->committed);
        rd_kafka_destroy(tail->committed);
    }
    if (tail->all) rd_kafka_destroy(tail->all);
    free(tail);
}

status_t tail_end(tail_t *tail, const char *topic, int32_t partition, int64_t *end, err_t *error) {
    int64_t first;
    return kafka_offsets(tail->committed, topic, partition, &first, end, REQUEST_MS, error);
}

status_t tail_settled_end(tail_t *tail, const char *topic, int32_t partition, int64_t *first, int64_t *end,
                          err_t *error) {
    int64_t written;
    /* In this order: what was written by now must be committed, or given up, by the second answer. */
    status_t status = kafka_offsets(tail->all, topic, partition, first, &written, REQUEST_MS, error);
    if (status == STATUS_OK) status = tail_end(tail, topic, partition, end, error);
    if (status != STATUS_OK || *end >= written) return status;
    return err_set(error, STATUS_RETRY, "a transaction is still open on %s[%d] (for minutes? see docs/operations.md)",
                   topic, (int)partition);
}

status_t tail_written(tail_t *tail, const char *topic, const bool *wanted, int partitions, int64_t *ends,
                      err_t *error) {
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
    for (int32_t p = 0; p < partitions; p++) /* Kafka's ListOffsets takes the end for a time */
        if (wanted[p]) rd_kafka_topic_partition_list_add(list, topic, p)->offset = RD_KAFKA_OFFSET_END;
    rd_kafka_resp_err_t code = list->cnt ? rd_kafka_offsets_for_times(tail->all, list, REQUEST_MS) : 0;
    for (int i = 0; i < list->cnt && !code; i++) {
        code = list->elems[i].err;
        if (!code && list->elems[i].offset < 0) code = RD_KAFKA_RESP_ERR__NO_OFFSET;
        ends[list->elems[i].partition] = list->elems[i].offset;
    }
    rd_kafka_topic_partition_list_destroy(list);
    if (!code) return STATUS_OK;
    return err_set(error, STATUS_RETRY, "the ends of %s: %s", topic, rd_kafka_err2str(code));
}

static void assign(tail_t *tail, const char *topic, int32_t partition, int64_t from) {
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, partition)->offset = from;
    rd_kafka_assign(tail->committed, list);
    rd_kafka_topic_partition_list_destroy(list);
}

status_t tail_read(tail_t *tail, const char *topic, int32_t partition, int64_t from, int64_t end,
                   void (*each)(const rd_kafka_message_t *message, void *context), void *context, err_t *error) {
    int64_t position = from, deadline = clock_monotonic_us() + READ_MS * 1000;
    if (position >= end) return STATUS_OK;
    assign(tail, topic, partition, from);
    while (position < end && clock_monotonic_us() < deadline) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(tail->committed, POLL_MS);
        if (!message) continue;
        bool ours = message->rkt && message->partition == partition;
        if (ours && !message->err && message->offset < end) {
            each(message, context);
            position = message->offset + 1;
            deadline = clock_monotonic_us() + READ_MS * 1000; /* progress */
        } else if (ours && (!message->err || message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)) {
            position = message->offset; /* behind the markers */
        }
        rd_kafka_message_destroy(message);
    }
    rd_kafka_assign(tail->committed, NULL);
    if (position >= end) return STATUS_OK;
    return err_set(error, STATUS_RETRY, "%s[%d] could be read up to %" PRId64 " of %" PRId64 " only", topic,
                   (int)partition, position, end);
}
