/* librdkafka's mock cluster: brokers of this process, with producers, groups and transactions, and errors on demand. */
#ifndef ODRADEK_TEST_MOCK_KAFKA_H
#define ODRADEK_TEST_MOCK_KAFKA_H

#include "common/kafka.h"

#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Requests, by their numbers in Kafka's protocol. */
enum {
    MOCK_PRODUCE = 0,
    MOCK_LIST_OFFSETS = 2,
    MOCK_METADATA = 3,
    MOCK_INIT_PRODUCER_ID = 22,
    MOCK_ADD_PARTITIONS = 24,
    MOCK_ADD_OFFSETS = 25,
    MOCK_END_TRANSACTION = 26,
    MOCK_COMMIT_OFFSETS = 28,
};

typedef struct mock_kafka {
    rd_kafka_t *owner; /* also writes and asks for the test */
    rd_kafka_mock_cluster_t *cluster;
    kafka_options_t options; /* for clients of the cluster */
} mock_kafka_t;

static inline void mock_kafka_quiet(const rd_kafka_t *client, int level, const char *facility, const char *text) {
    (void)client, (void)level, (void)facility, (void)text;
}

static inline mock_kafka_t mock_kafka_start(void) {
    mock_kafka_t mock = {0};
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "test.mock.num.brokers", "1", why, sizeof why);
    rd_kafka_conf_set(conf, "linger.ms", "0", why, sizeof why);
    rd_kafka_conf_set_log_cb(conf, mock_kafka_quiet);
    mock.owner = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    if (!mock.owner) abort();
    mock.cluster = rd_kafka_handle_mock_cluster(mock.owner);
    mock.options = (kafka_options_t){
        .bootstrap_servers = rd_kafka_mock_cluster_bootstraps(mock.cluster),
        .client_id = "test",
        .message_bytes = 1000000,
    };
    return mock;
}

static inline void mock_kafka_end(mock_kafka_t *mock) {
    rd_kafka_destroy(mock->owner);
}

/* Writes a record and waits until it is there; `text` NULL: without value. */
static inline void mock_kafka_write(mock_kafka_t *mock, const char *topic, int32_t partition, const char *key,
                                    const char *text) {
    rd_kafka_resp_err_t code =
        rd_kafka_producev(mock->owner, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
                          RD_KAFKA_V_KEY(key, key ? strlen(key) : 0), RD_KAFKA_V_VALUE((void *)text, text ? strlen(text) : 0),
                          RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    if (code || rd_kafka_flush(mock->owner, 30000)) abort();
}

/* Reads the first `count` records of a partition, which live until mock_kafka_forget. */
static inline rd_kafka_t *mock_kafka_read(mock_kafka_t *mock, const char *topic, int32_t partition, rd_kafka_message_t **messages,
                                   size_t count) {
    err_t error;
    const char *const defaults[] = {"group.id", "reader", "enable.auto.commit", "false", NULL};
    rd_kafka_conf_t *conf = kafka_conf_new(&mock->options, defaults, NULL, &error);
    rd_kafka_t *client = conf ? kafka_client_new(RD_KAFKA_CONSUMER, conf, &error) : NULL;
    if (!client) abort();
    rd_kafka_poll_set_consumer(client);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, partition)->offset = 0;
    rd_kafka_assign(client, list);
    rd_kafka_topic_partition_list_destroy(list);
    for (size_t i = 0; i < count;) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(client, 30000);
        if (!message) abort();
        if (message->err) rd_kafka_message_destroy(message);
        else messages[i++] = message;
    }
    return client;
}

static inline void mock_kafka_forget(rd_kafka_t *client, rd_kafka_message_t **messages, size_t count) {
    for (size_t i = 0; i < count; i++) rd_kafka_message_destroy(messages[i]);
    rd_kafka_consumer_close(client);
    rd_kafka_destroy(client);
}

/* How many records a partition has. */
static inline int64_t mock_kafka_count(mock_kafka_t *mock, const char *topic, int32_t partition) {
    int64_t first = 0, end = -1;
    if (rd_kafka_query_watermark_offsets(mock->owner, topic, partition, &first, &end, 30000)) return -1;
    return end - first;
}

#endif
