/* The ground for every Kafka client here. */
#include "common/kafka.h"

#include "common/log.h"
#include "common/mem.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* librdkafka's lines become ours: a lost broker is a warning, not an error, since it is tried again by itself. */
static void on_log(const rd_kafka_t *client, int level, const char *facility, const char *text) {
    (void)client;
    /* Properties are for producers, consumers or both, and each client warns of the others'. */
    if (!strcmp(facility, "CONFWARN")) level = 7;
    log_write(level <= 3 ? LOG_WARN : level <= 5 ? LOG_INFO : LOG_DEBUG, "kafka: %s: %s", facility, text);
}

static void on_error(rd_kafka_t *client, int code, const char *reason, void *opaque) {
    kafka_health_t *health = opaque;
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && health) atomic_store(&health->down, true);
    if (code == RD_KAFKA_RESP_ERR__FATAL) {
        char text[256];
        rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(client, text, sizeof text);
        if (health) atomic_store(&health->fatal, true);
        log_error("kafka: fatal: %s: %s", rd_kafka_err2name(fatal), text);
    }
    (void)reason;
}

static status_t set(rd_kafka_conf_t *conf, const char *name, const char *value, err_t *error) {
    char why[256];
    if (rd_kafka_conf_set(conf, name, value, why, sizeof why) == RD_KAFKA_CONF_OK) return STATUS_OK;
    return err_set(error, STATUS_FATAL, "kafka property \"%s\": %s", name, why);
}

rd_kafka_conf_t *kafka_conf_new(const kafka_options_t *options, const char *const *defaults, kafka_health_t *health,
                                err_t *error) {
    char bytes[16];
    snprintf(bytes, sizeof bytes, "%d", options->message_bytes);
    const char *const common[] = {
        "bootstrap.servers", options->bootstrap_servers,
        "client.id", options->client_id,
        "message.max.bytes", bytes,
        "socket.keepalive.enable", "true",
        /* A broker that restarts is back within a second; waiting ten for it would be our own outage. */
        "reconnect.backoff.ms", "50",
        "reconnect.backoff.max.ms", "1000",
        NULL};
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    status_t status = STATUS_OK;
    for (size_t i = 0; common[i] && status == STATUS_OK; i += 2) status = set(conf, common[i], common[i + 1], error);
    for (size_t i = 0; defaults[i] && status == STATUS_OK; i += 2) status = set(conf, defaults[i], defaults[i + 1], error);
    for (size_t i = 0; i < options->properties_count && status == STATUS_OK; i++)
        status = set(conf, options->properties[i].name, options->properties[i].value, error);
    if (status != STATUS_OK) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_opaque(conf, health);
    return conf;
}

rd_kafka_t *kafka_client_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, err_t *error) {
    char why[256];
    rd_kafka_t *client = rd_kafka_new(type, conf, why, sizeof why);
    if (client) return client;
    rd_kafka_conf_destroy(conf);
    err_set(error, STATUS_FATAL, "kafka client: %s", why);
    return NULL;
}

void kafka_learn_topics(rd_kafka_t *client, int timeout_ms) {
    const rd_kafka_metadata_t *metadata;
    if (!rd_kafka_metadata(client, 1, NULL, &metadata, timeout_ms)) rd_kafka_metadata_destroy(metadata);
}

int32_t kafka_partition(const void *key, size_t len, int32_t partitions) {
    return rd_kafka_msg_partitioner_murmur2(NULL, key, len, partitions, NULL, NULL);
}

/* ---- topics ---- */

/* The number of partitions of a topic in `metadata`; 0: there is no such topic; -1: not known now. */
static int partitions_of(const rd_kafka_metadata_t *metadata, const char *name) {
    for (int i = 0; i < metadata->topic_cnt; i++) {
        const rd_kafka_metadata_topic_t *topic = &metadata->topics[i];
        if (strcmp(topic->topic, name)) continue;
        if (topic->err == RD_KAFKA_RESP_ERR_NO_ERROR) return topic->partition_cnt;
        return topic->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ? 0 : -1;
    }
    return 0;
}

static rd_kafka_NewTopic_t *new_topic(const kafka_topic_t *topic, err_t *error) {
    char why[256], retention[32], bytes[16];
    rd_kafka_NewTopic_t *made = rd_kafka_NewTopic_new(topic->name, topic->partitions, topic->replication, why, sizeof why);
    if (!made) {
        err_set(error, STATUS_FATAL, "topic \"%s\": %s", topic->name, why);
        return NULL;
    }
    snprintf(retention, sizeof retention, "%" PRId64, topic->retention_ms);
    snprintf(bytes, sizeof bytes, "%d", topic->message_bytes);
    rd_kafka_NewTopic_set_config(made, "retention.ms", retention);
    rd_kafka_NewTopic_set_config(made, "max.message.bytes", bytes);
    return made;
}

static status_t creation_result(const rd_kafka_CreateTopics_result_t *result, err_t *error) {
    size_t count;
    const rd_kafka_topic_result_t **topics = rd_kafka_CreateTopics_result_topics(result, &count);
    for (size_t i = 0; i < count; i++) {
        rd_kafka_resp_err_t code = rd_kafka_topic_result_error(topics[i]);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
            log_info("topic \"%s\" created", rd_kafka_topic_result_name(topics[i]));
        else if (code != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) /* another service was quicker: fine */
            return err_set(error, STATUS_RETRY, "topic \"%s\" cannot be created: %s",
                           rd_kafka_topic_result_name(topics[i]), rd_kafka_topic_result_error_string(topics[i]));
    }
    return STATUS_OK;
}

static status_t create(rd_kafka_t *client, rd_kafka_NewTopic_t **topics, size_t count, int timeout_ms, err_t *error) {
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_CreateTopics(client, topics, count, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, timeout_ms);
    status_t status;
    if (!event)
        status = err_set(error, STATUS_RETRY, "no answer to the creation of topics");
    else if (rd_kafka_event_error(event))
        status = err_set(error, STATUS_RETRY, "topics cannot be created: %s", rd_kafka_event_error_string(event));
    else
        status = creation_result(rd_kafka_event_CreateTopics_result(event), error);
    if (event) rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    return status;
}

static status_t topics_compare(const rd_kafka_metadata_t *metadata, const kafka_topic_t *topics, size_t count,
                               size_t *missing, err_t *error) {
    *missing = 0;
    for (size_t i = 0; i < count; i++) {
        int partitions = partitions_of(metadata, topics[i].name);
        if (partitions < 0) return err_set(error, STATUS_RETRY, "topic \"%s\" is not ready yet", topics[i].name);
        if (partitions == 0)
            (*missing)++;
        else if (partitions != topics[i].partitions)
            return err_set(error, STATUS_FATAL,
                           "topic \"%s\" has %d partitions, settings say %d: the number is fixed once data exists; set "
                           "\"partitions\" to %d, or begin with new topics",
                           topics[i].name, partitions, topics[i].partitions, partitions);
    }
    return STATUS_OK;
}

status_t kafka_topics_ensure(rd_kafka_t *client, const kafka_topic_t *topics, size_t count, int timeout_ms,
                             err_t *error) {
    const rd_kafka_metadata_t *metadata;
    rd_kafka_resp_err_t code = rd_kafka_metadata(client, 1, NULL, &metadata, timeout_ms);
    if (code) return err_set(error, STATUS_RETRY, "Kafka does not answer: %s", rd_kafka_err2str(code));
    size_t missing;
    status_t status = topics_compare(metadata, topics, count, &missing, error);
    rd_kafka_NewTopic_t **wanted = mem_zero(count, sizeof *wanted);
    size_t made = 0;
    for (size_t i = 0; i < count && missing > 0 && status == STATUS_OK; i++) {
        if (partitions_of(metadata, topics[i].name) != 0) continue;
        wanted[made] = new_topic(&topics[i], error);
        if (!wanted[made]) status = STATUS_FATAL;
        else made++;
    }
    rd_kafka_metadata_destroy(metadata);
    if (made > 0 && status == STATUS_OK) {
        status = create(client, wanted, made, timeout_ms, error);
        /* Whether they are as wanted, and known to the brokers, the next call sees. */
        if (status == STATUS_OK) status = err_set(error, STATUS_RETRY, "topics were just created");
    }
    rd_kafka_NewTopic_destroy_array(wanted, made);
    free(wanted);
    return status;
}

status_t kafka_offsets(rd_kafka_t *client, const char *topic, int32_t partition, int64_t *first, int64_t *end,
                       int timeout_ms, err_t *error) {
    rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(client, topic, partition, first, end, timeout_ms);
    if (!code) return STATUS_OK;
    return err_set(error, STATUS_RETRY, "offsets of %s[%d]: %s", topic, (int)partition, rd_kafka_err2str(code));
}

status_t kafka_error(rd_kafka_error_t *why, const char *doing, err_t *error) {
    if (!why) return STATUS_OK;
    status_t status = rd_kafka_error_txn_requires_abort(why) ? STATUS_ABORT
                      : rd_kafka_error_is_retriable(why)     ? STATUS_RETRY
                                                             : STATUS_FATAL;
    err_set(error, status, "%s: %s: %s", doing, rd_kafka_error_name(why), rd_kafka_error_string(why));
    rd_kafka_error_destroy(why);
    return status;
}
