/* Writes commands to the log, and says of each what became of it.

       AWAY ──a broker answers──▶ SERVING ──drain──▶ ENDED
         ▲                           │
         └── all brokers are lost, or the client broke and is made anew                                             */
#include "services/command-api/producer.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/stop.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    POLL_MS = 100,
    PROBE_MS = 500,         /* how long a probe waits for a broker */
    PROBE_PAUSE_MS = 200,   /* until the next; meanwhile reports are served */
    LINGER_MS = 1000,       /* of a drain, while records may still come */
    DRAIN_MS = 6000,        /* beyond message.timeout.ms, so that in time all have met their fate by themselves */
    PURGE_MS = 2000
};

typedef enum state { AWAY, SERVING, ENDED } state_t;

struct producer {
    producer_options_t options;
    kafka_health_t health;
    rd_kafka_t *client; /* changes only while the state is AWAY */
    rd_kafka_topic_t *topic;
    pthread_rwlock_t lock; /* of `state`: whoever sends holds it, so that the state is true while he does */
    _Atomic state_t state;
    int64_t probe_us; /* not before this time */
    log_condition_t trouble;
};

/* ---- the client ---- */

static fate_t fate_of(const rd_kafka_message_t *message) {
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) return FATE_WRITTEN;
    return rd_kafka_message_status(message) == RD_KAFKA_MSG_STATUS_NOT_PERSISTED ? FATE_NOT_WRITTEN : FATE_UNKNOWN;
}

/* A record's private pointer is what `done` receives; the function itself is the topic's opaque. */
static void on_delivery(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque) {
    const producer_t *producer = rd_kafka_topic_opaque(message->rkt);
    (void)client, (void)opaque;
    fate_t fate = fate_of(message);
    producer->options.done(message->_private, fate, fate == FATE_WRITTEN ? "" : rd_kafka_err2str(message->err));
}

static status_t client_open(producer_t *producer, err_t *error) {
    char pending[16];
    snprintf(pending, sizeof pending, "%d", producer->options.pending_max);
    const char *const defaults[] = {
        "enable.idempotence", "true", /* and with it acks=all */
        "message.timeout.ms", "5000", /* as long as a client may be kept waiting */
        "linger.ms", "0",             /* what comes while the last requests are on their way is a batch anyway */
        "socket.nagle.disable", "true",
        "queue.buffering.max.messages", pending,
        "queue.buffering.max.kbytes", "262144",
        NULL};
    rd_kafka_conf_t *conf = kafka_conf_new(producer->options.kafka, defaults, &producer->health, error);
    if (!conf) return STATUS_FATAL;
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    producer->client = kafka_client_new(RD_KAFKA_PRODUCER, conf, error);
    if (!producer->client) return STATUS_FATAL;
    rd_kafka_topic_conf_t *topic_conf = rd_kafka_default_topic_conf_dup(producer->client);
    rd_kafka_topic_conf_set_opaque(topic_conf, producer);
    producer->topic = rd_kafka_topic_new(producer->client, producer->options.topic, topic_conf);
    if (!producer->topic) return err_set(error, STATUS_FATAL, "topic \"%s\": %s", producer->options.topic,
                                         rd_kafka_err2str(rd_kafka_last_error()));
    atomic_store(&producer->health.fatal, false);
    atomic_store(&producer->health.down, true); /* until the first probe */
    return STATUS_OK;
}

static void client_close(producer_t *producer) {
    if (producer->topic) rd_kafka_topic_destroy(producer->topic);
    if (producer->client) rd_kafka_destroy(producer->client);
    producer->topic = NULL;
    producer->client = NULL;
}

/* Serves reports for so long, or until some came. */
static void serve(producer_t *producer, int ms) {
    rd_kafka_poll(producer->client, ms);
    if (producer->options.served) producer->options.served(producer->options.context);
}

/* Serves reports until none is outstanding. False: some are after `ms`. */
static bool await_reports(producer_t *producer, int ms) {
    int64_t deadline = clock_monotonic_us() + (int64_t)ms * 1000;
    while (rd_kafka_outq_len(producer->client) > 0) {
        if (clock_monotonic_us() > deadline) return false;
        serve(producer, 10);
    }
    return true;
}

/* Gives up all records: those that were never sent are reported as not written, the others as unknown. */
static void give_up(producer_t *producer) {
    rd_kafka_purge(producer->client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    if (!await_reports(producer, PURGE_MS))
        log_error("%d commands have no report after they were given up", rd_kafka_outq_len(producer->client));
}

/* ---- its states ---- */

static void set_state(producer_t *producer, state_t state) {
    pthread_rwlock_wrlock(&producer->lock);
    atomic_store(&producer->state, state);
    pthread_rwlock_unlock(&producer->lock);
    if (state == SERVING) log_condition_end(&producer->trouble, "writing to Kafka");
}

/* All brokers seem lost. A client that was idle for long says so too, when its broker closes the connection; so that is
   believed only when no broker answers now. */
static void probe(producer_t *producer) {
    if (clock_monotonic_us() < producer->probe_us) return;
    const rd_kafka_metadata_t *metadata;
    rd_kafka_resp_err_t code = rd_kafka_metadata(producer->client, 0, producer->topic, &metadata, PROBE_MS);
    producer->probe_us = clock_monotonic_us() + PROBE_PAUSE_MS * 1000;
    if (code) {
        set_state(producer, AWAY);
        log_condition_begin(&producer->trouble, "writing to Kafka", rd_kafka_err2str(code));
        return;
    }
    rd_kafka_metadata_destroy(metadata);
    atomic_store(&producer->health.down, false);
    set_state(producer, SERVING);
}

/* A client that broke takes nothing any more, and never recovers. */
static status_t renew(producer_t *producer, err_t *error) {
    set_state(producer, AWAY);
    give_up(producer);
    client_close(producer);
    return client_open(producer, error);
}

status_t producer_run(producer_t *producer, err_t *error) {
    status_t status = STATUS_OK;
    while (!stop_requested() && status == STATUS_OK) {
        if (atomic_load(&producer->health.fatal))
            status = renew(producer, error);
        else if (atomic_load(&producer->health.down))
            probe(producer);
        if (status == STATUS_OK) serve(producer, POLL_MS);
    }
    return status;
}

/* Connections that are kept alive may each bring one more request: those that come soon are served. */
void producer_drain(producer_t *producer) {
    if (!producer->client) return;
    await_reports(producer, LINGER_MS);
    set_state(producer, ENDED);
    if (!await_reports(producer, DRAIN_MS)) give_up(producer);
    serve(producer, 0);
}

bool producer_ready(producer_t *producer, err_t *why) {
    if (atomic_load(&producer->state) == SERVING) return true;
    err_set(why, STATUS_RETRY, "Kafka does not answer");
    return false;
}

/* ---- records ---- */

static rd_kafka_resp_err_t produce(producer_t *producer, int32_t partition, const char *key, const strbuf_t *value,
                                   rd_kafka_headers_t *headers, void *record) {
    rd_kafka_vu_t fields[] = {
        {.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = producer->topic},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = partition},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void *)key, strlen(key)}},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {value->data, value->len}},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_FREE},
        {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = record},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
    };
    size_t count = ARRAY_LEN(fields) - (headers ? 0 : 1);
    rd_kafka_error_t *failed = rd_kafka_produceva(producer->client, fields, count);
    rd_kafka_resp_err_t code = failed ? rd_kafka_error_code(failed) : RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_error_destroy(failed);
    return code;
}

static producer_sent_t send_locked(producer_t *producer, int32_t partition, const char *key, strbuf_t *value,
                                   const trace_t *trace, void *record) {
    if (atomic_load(&producer->state) != SERVING) return PRODUCER_AWAY;
    rd_kafka_headers_t *headers = kafka_trace_headers(trace);
    rd_kafka_resp_err_t code = produce(producer, partition, key, value, headers, record);
    if (code && headers) rd_kafka_headers_destroy(headers);
    switch (code) {
    case RD_KAFKA_RESP_ERR_NO_ERROR: *value = (strbuf_t){0}; return PRODUCER_SENT;
    case RD_KAFKA_RESP_ERR__QUEUE_FULL: return PRODUCER_FULL;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE: return PRODUCER_TOO_LARGE;
    default: return PRODUCER_AWAY; /* broken, and about to be renewed */
    }
}

producer_sent_t producer_send(producer_t *producer, int32_t partition, const char *key, strbuf_t *value,
                              const trace_t *trace, void *record) {
    pthread_rwlock_rdlock(&producer->lock);
    producer_sent_t sent = send_locked(producer, partition, key, value, trace, record);
    pthread_rwlock_unlock(&producer->lock);
    return sent;
}

/* ---- life ---- */

producer_t *producer_new(const producer_options_t *options, err_t *error) {
    producer_t *producer = mem_zero(1, sizeof *producer);
    producer->options = *options;
    pthread_rwlock_init(&producer->lock, NULL);
    if (client_open(producer, error) == STATUS_OK) return producer;
    producer_free(producer);
    return NULL;
}

void producer_free(producer_t *producer) {
    if (!producer) return;
    client_close(producer);
    pthread_rwlock_destroy(&producer->lock);
    free(producer);
}
