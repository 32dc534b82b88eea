/* The ground for every Kafka client here: configuration, partitions, topics and the class of an error.
   Above it the code speaks librdkafka directly; this hides nothing of it. */
#ifndef ODRADEK_KAFKA_H
#define ODRADEK_KAFKA_H

#include "common/base.h"
#include "common/trace.h"

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct kafka_property {
    char *name, *value;
} kafka_property_t;

/* What all clients of a process share; everything borrowed for the life of its clients. */
typedef struct kafka_options {
    const char *bootstrap_servers;
    const char *client_id;
    const kafka_property_t *properties; /* the user's: any of librdkafka's, passed on as they are */
    size_t properties_count;
    int message_bytes; /* the largest record */
} kafka_options_t;

/* Whether a client's brokers answer; a zeroed one is "not known yet". Written by librdkafka's threads. */
typedef struct kafka_health {
    _Atomic bool down; /* all brokers were lost, and none has answered since */
    _Atomic bool fatal;
} kafka_health_t;

/* A configuration: `defaults` (name and value in turns, ended by NULL), then the user's properties over them.
   `opaque` is what the callbacks set on it receive; `health` is kept by this module (may be NULL).
   NULL: a property is not known or its value is not. The caller gives it to kafka_client_new or destroys it. */
rd_kafka_conf_t *kafka_conf_new(const kafka_options_t *options, const char *const *defaults, kafka_health_t *health,
                                err_t *error) MUST_CHECK;
/* Steals `conf`, also on failure (NULL). The caller destroys the client with rd_kafka_destroy. */
rd_kafka_t *kafka_client_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, err_t *error) MUST_CHECK;

/* Lets a producer learn all topics at once, so that its first record to each does not wait for that. A cluster that does
   not answer in time is no error: the records wait then. */
void kafka_learn_topics(rd_kafka_t *client, int timeout_ms);

/* The partition of a key: murmur2, as the Java clients and the console tools compute it. */
int32_t kafka_partition(const void *key, size_t len, int32_t partitions);

typedef struct kafka_topic {
    const char *name;
    int partitions;
    int replication;
    int64_t retention_ms; /* -1: for ever */
    int message_bytes;    /* the largest record */
} kafka_topic_t;

/* Creates the topics that are missing and compares the partitions of the others. RETRY: the cluster does not answer
   or does not know them yet; FATAL: a topic has another number of partitions. Blocks for `timeout_ms` at most. */
status_t kafka_topics_ensure(rd_kafka_t *client, const kafka_topic_t *topics, size_t count, int timeout_ms,
                             err_t *error) MUST_CHECK;

/* The first offset of a partition and the one after the last, as `client`'s isolation level sees it: with
   read_committed the last stable offset, else the high watermark. */
status_t kafka_offsets(rd_kafka_t *client, const char *topic, int32_t partition, int64_t *first, int64_t *end,
                       int timeout_ms, err_t *error) MUST_CHECK;

/* ---- headers of records (kafka_trace.c) ---- */

/* What the headers of a record that was read say of its request; all empty where they say nothing. */
void kafka_trace_read(const rd_kafka_message_t *message, trace_t *trace);
/* The same as headers of a record to be written, for rd_kafka_headers_destroy; NULL: there are none, or `trace` is NULL. */
rd_kafka_headers_t *kafka_trace_headers(const trace_t *trace);
/* All headers of a record that was read, for one more to be added and rd_kafka_headers_destroy; never NULL. */
rd_kafka_headers_t *kafka_headers_copy(const rd_kafka_message_t *message);
/* What they take in a record, at most. NULL is fine. */
size_t kafka_headers_bytes(const rd_kafka_headers_t *headers);

/* ---- errors ---- */

/* The class of an error of the transactional API, its text in `error`; destroys `why` (NULL is OK). */
status_t kafka_error(rd_kafka_error_t *why, const char *doing, err_t *error) MUST_CHECK;

#endif
