/* What is emitted, and transactions.

   A transaction ends in one of three ways: committed; aborted, when the broker or the handler wants it; or unknown,
   when nobody could say in time. After an abort all partitions are taken anew from what is committed; after an
   unknown end, and after fencing, the producer is closed and a new one initialised first, which waits for the broker
   to end the old transaction: a late commit or abort must never meet the next one. */
#include "common/clock.h"
#include "common/consume_internal.h"
#include "common/stop.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CALL_MS = 1000, INIT_MS = 5000, FLUSH_MS = 5000, UNKNOWN_AFTER_MS = 5000 };

/* ---- the producer ---- */

static void on_delivery(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque) {
    (void)client;
    consume_t *c = consume_of(opaque);
    int64_t *offset = message->_private;
    if (message->err)
        c->failed_deliveries++; /* in a transaction it also makes the commit fail */
    else if (offset)
        *offset = message->offset;
}

static rd_kafka_t *producer_new(consume_t *c, err_t *error) {
    char timeout[16];
    snprintf(timeout, sizeof timeout, "%d", c->options.transaction_timeout_ms);
    const char *const transactional[] = {
        "transactional.id", c->options.instance,
        "transaction.timeout.ms", timeout,
        "message.timeout.ms", timeout,
        "linger.ms", "1",
        NULL};
    const char *const idempotent[] = {"enable.idempotence", "true", "linger.ms", "1", NULL};
    rd_kafka_conf_t *conf = kafka_conf_new(c->options.kafka, c->options.transactional ? transactional : idempotent,
                                           &c->health, error);
    if (!conf) return NULL;
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    return kafka_client_new(RD_KAFKA_PRODUCER, conf, error);
}

/* Waits for the broker to end what an earlier producer of this name left open; without end, but for stopping. */
static status_t init_transactions(consume_t *c, err_t *error) {
    status_t status = STATUS_RETRY;
    for (int pause = 50; status == STATUS_RETRY && !stop_requested(); pause = pause < 1000 ? pause * 2 : 1000) {
        status = kafka_error(rd_kafka_init_transactions(c->producer, INIT_MS), "init transactions", error);
        if (status != STATUS_RETRY) break;
        log_condition_begin(&c->transaction, "waiting for the transaction coordinator", error->text);
        clock_sleep_ms(pause);
    }
    if (status == STATUS_OK) log_condition_end(&c->transaction, "transactions");
    return status == STATUS_OK ? STATUS_OK : STATUS_ABORT;
}

status_t consume_producer_open(consume_t *c, err_t *error) {
    if (c->producer) return STATUS_OK;
    c->producer = producer_new(c, error);
    c->in_transaction = false;
    c->failed_deliveries = 0;
    if (!c->producer) return STATUS_FATAL;
    kafka_learn_topics(c->producer, INIT_MS);
    return c->options.transactional ? init_transactions(c, error) : STATUS_OK;
}

void consume_producer_close(consume_t *c) {
    if (!c->producer) return;
    /* What is queued must not be written any more, and its delivery reports must not touch what the handler kept. */
    rd_kafka_purge(c->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_destroy_flags(c->producer, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    c->producer = NULL;
    c->in_transaction = false;
}

/* ---- emitting ---- */

static rd_kafka_resp_err_t produce(consume_t *c, const consume_output_t *output) {
    rd_kafka_vu_t fields[] = {
        {.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = output->topic},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = output->partition},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void *)output->key, output->key_len}},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {(void *)output->value, output->value_len}},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = output->offset},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = output->headers},
    };
    size_t count = ARRAY_LEN(fields) - (output->headers ? 0 : 1);
    rd_kafka_error_t *failed = rd_kafka_produceva(c->producer, fields, count);
    rd_kafka_resp_err_t code = failed ? rd_kafka_error_code(failed) : RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_error_destroy(failed);
    return code;
}

status_t consume_emit(consume_t *c, const consume_output_t *output, err_t *error) {
    status_t status = consume_producer_open(c, error);
    if (status != STATUS_OK) return status;
    rd_kafka_resp_err_t code;
    while ((code = produce(c, output)) == RD_KAFKA_RESP_ERR__QUEUE_FULL && !stop_requested())
        rd_kafka_poll(c->producer, CALL_MS);
    if (!code) return STATUS_OK;
    if (output->headers) rd_kafka_headers_destroy(output->headers);
    return err_set(error, STATUS_ABORT, "%s[%d]: %s", output->topic, (int)output->partition, rd_kafka_err2str(code));
}

static void add_number(rd_kafka_headers_t *headers, const char *name, int64_t number) {
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, number);
    rd_kafka_header_add(headers, name, -1, text, -1);
}

status_t consume_dead_letter(consume_t *c, const rd_kafka_message_t *message, const char *reason, err_t *error) {
    rd_kafka_headers_t *headers = kafka_headers_copy(message);
    trace_t trace;
    const char *topic = rd_kafka_topic_name(message->rkt);
    rd_kafka_header_add(headers, "reason", -1, reason, -1);
    rd_kafka_header_add(headers, "topic", -1, topic, -1);
    add_number(headers, "partition", message->partition);
    add_number(headers, "offset", message->offset);
    kafka_trace_read(message, &trace);
    log_warn("dead letter: %s[%d] at %" PRId64 "%s%s: %s", topic, (int)message->partition, message->offset,
             trace.request_id[0] ? " of request " : "", trace.request_id, reason);
    metric_add(c->dead_letters, 1);
    return consume_emit(c,
                        &(consume_output_t){
                            .topic = c->options.dead_letters,
                            .partition = message->partition,
                            .key = message->key,
                            .key_len = message->key_len,
                            .value = message->payload,
                            .value_len = message->len,
                            .headers = headers,
                        },
                        error);
}

status_t consume_flush(consume_t *c, err_t *error) {
    if (!c->producer) return STATUS_OK;
    rd_kafka_resp_err_t code = rd_kafka_flush(c->producer, FLUSH_MS);
    int failed = c->failed_deliveries;
    c->failed_deliveries = 0;
    if (!code && failed == 0) return STATUS_OK;
    if (c->options.transactional)
        return err_set(error, STATUS_ABORT, "records cannot be written: %s",
                       code ? rd_kafka_err2str(code) : "not delivered");
    consume_producer_close(c); /* what may still be queued is written again by the batch's next try */
    return err_set(error, STATUS_RETRY, "dead letters cannot be written: %s",
                   code ? rd_kafka_err2str(code) : "not delivered");
}

/* ---- a transaction ---- */

static rd_kafka_error_t *send_offsets(consume_t *c, int timeout_ms) {
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);
    for (size_t i = 0; i < c->slices_cap && c->slices[i].topic >= 0; i++) {
        const consume_slice_t *slice = &c->slices[i];
        if (slice->count == 0) continue;
        const char *topic = c->options.topics[slice->topic];
        rd_kafka_topic_partition_list_add(list, topic, slice->partition)->offset = slice->next;
    }
    rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata(c->consumer);
    rd_kafka_error_t *failed = rd_kafka_send_offsets_to_transaction(c->producer, list, group, timeout_ms);
    rd_kafka_consumer_group_metadata_destroy(group);
    rd_kafka_topic_partition_list_destroy(list);
    return failed;
}

static rd_kafka_error_t *commit(consume_t *c, int timeout_ms) {
    return rd_kafka_commit_transaction(c->producer, timeout_ms);
}

static rd_kafka_error_t *abort_open(consume_t *c, int timeout_ms) {
    return rd_kafka_abort_transaction(c->producer, timeout_ms);
}

/* Calls again what can be called again, until the broker must have ended the transaction by itself. RETRY is not
   returned: what still has no answer then is FATAL to this producer. */
static status_t persist(consume_t *c, rd_kafka_error_t *(*call)(consume_t *, int), const char *doing, err_t *error) {
    int64_t deadline = clock_monotonic_us() + (c->options.transaction_timeout_ms + UNKNOWN_AFTER_MS) * 1000LL;
    status_t status = STATUS_RETRY;
    while (status == STATUS_RETRY && clock_monotonic_us() < deadline) {
        status = kafka_error(call(c, CALL_MS), doing, error);
        if (status == STATUS_RETRY) log_condition_begin(&c->transaction, "transaction waits", error->text);
    }
    return status == STATUS_RETRY ? STATUS_FATAL : status;
}

/* Gives the transaction up and starts anew from what is committed. */
static status_t give_up(consume_t *c, status_t why, err_t *error) {
    err_t ignored;
    log_condition_begin(&c->transaction, "transaction given up", error->text);
    if (why == STATUS_ABORT && c->producer) why = persist(c, abort_open, "abort", &ignored);
    c->in_transaction = false;
    metric_add(why == STATUS_OK ? c->aborted : c->unknown, 1);
    if (why != STATUS_OK) consume_producer_close(c);
    consume_retake_all(c);
    return STATUS_ABORT;
}

static status_t begin(consume_t *c, err_t *error) {
    status_t status = consume_producer_open(c, error);
    if (status != STATUS_OK || c->in_transaction) return status;
    status = kafka_error(rd_kafka_begin_transaction(c->producer), "begin", error);
    c->in_transaction = status == STATUS_OK;
    c->failed_deliveries = 0; /* what an earlier one could not write is given up */
    return status;
}

static bool has_records(const consume_t *c, size_t slices) {
    for (size_t i = 0; i < slices; i++)
        if (c->slices[i].count > 0) return true;
    return false;
}

status_t consume_transaction(consume_t *c, size_t slices, err_t *error) {
    status_t status = begin(c, error);
    if (status == STATUS_FATAL || status == STATUS_ABORT) return give_up(c, STATUS_FATAL, error);
    if (status == STATUS_OK)
        status = c->options.handler.apply(c->options.handler.self, c->slices, slices, error);
    if (status == STATUS_RETRY || status == STATUS_FATAL) return status;
    if (status == STATUS_OK && !has_records(c, slices)) return STATUS_OK; /* the transaction stays open, and empty */
    int64_t start = clock_monotonic_us();
    if (status == STATUS_OK) status = persist(c, send_offsets, "send offsets", error);
    if (status == STATUS_OK) status = persist(c, commit, "commit", error);
    if (status != STATUS_OK) return give_up(c, status, error);
    c->in_transaction = false;
    rd_kafka_poll(c->producer, 0);
    metric_add(c->committed, 1);
    metric_observe(c->transaction_seconds, (double)(clock_monotonic_us() - start) / 1e6);
    log_condition_end(&c->transaction, "transactions");
    return STATUS_OK;
}
