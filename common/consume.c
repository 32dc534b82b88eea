/* The consumer runtime's loop: collect a batch, have it applied, commit it. */
#include "common/consume.h"

#include "common/clock.h"
#include "common/consume_internal.h"
#include "common/mem.h"
#include "common/stop.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { BATCH_BYTES = 16 * 1024 * 1024, PAUSE_MIN_MS = 20, PAUSE_MAX_MS = 1000, PROBE_EVERY_US = 500000 };

static void metrics_open(consume_t *c) {
    c->batch_records = metric_histogram("odradek_consumer_batch_records", "Records in a batch.", NULL, metric_sizes,
                                        METRIC_SIZES_COUNT);
    c->batch_seconds = metric_histogram("odradek_consumer_batch_seconds", "Time to apply and commit a batch.", NULL,
                                        metric_seconds, METRIC_SECONDS_COUNT);
    c->retries = metric_counter("odradek_consumer_retries_total", "Batches that had to be tried again.", NULL);
    c->dead_letters = metric_counter("odradek_dead_letters_total", "Records written to the dead letters.", NULL);
    c->assigned = metric_gauge("odradek_consumer_partitions", "Partitions assigned to this replica.", NULL);
    for (size_t i = 0; i < c->options.topics_count; i++) {
        char labels[300];
        snprintf(labels, sizeof labels, "topic=\"%s\"", c->options.topics[i]);
        c->records_total[i] = metric_counter("odradek_consumer_records_total", "Records applied.", labels);
    }
    if (!c->options.transactional) return;
    const char *name = "odradek_transactions_total", *help = "Transactions by how they ended.";
    c->committed = metric_counter(name, help, "result=\"committed\"");
    c->aborted = metric_counter(name, help, "result=\"aborted\"");
    c->unknown = metric_counter(name, help, "result=\"unknown\"");
    c->transaction_seconds = metric_histogram("odradek_transaction_commit_seconds", "Time to commit a transaction.",
                                              NULL, metric_seconds, METRIC_SECONDS_COUNT);
}

consume_t *consume_new(const consume_options_t *options) {
    consume_t *c = mem_zero(1, sizeof *c);
    c->options = *options;
    c->partitions = mem_zero(options->topics_count, sizeof *c->partitions);
    c->partitions_count = mem_zero(options->topics_count, sizeof *c->partitions_count);
    c->records_total = mem_zero(options->topics_count, sizeof(metric_t *));
    metrics_open(c);
    return c;
}

void consume_free(consume_t *c) {
    if (!c) return;
    consume_partitions_free(c);
    free(c->records_total);
    free(c->slices);
    free(c);
}

bool consume_ready(consume_t *c, err_t *why) {
    int pending = atomic_load(&c->pending_count);
    if (atomic_load(&c->health.down)) err_set(why, STATUS_RETRY, "Kafka does not answer");
    else if (!atomic_load(&c->member)) err_set(why, STATUS_RETRY, "not a member of the consumer group yet");
    else if (pending > 0) err_set(why, STATUS_RETRY, "%d partitions are not taken yet", pending);
    else return true;
    return false;
}

/* ---- the client ---- */

static status_t subscribe(consume_t *c, err_t *error) {
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)c->options.topics_count);
    for (size_t i = 0; i < c->options.topics_count; i++)
        rd_kafka_topic_partition_list_add(list, c->options.topics[i], RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t code = rd_kafka_subscribe(c->consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    return code ? err_set(error, STATUS_FATAL, "subscribe: %s", rd_kafka_err2str(code)) : STATUS_OK;
}

/* Sees the log as the consumer does: up to what is committed. */
static status_t probe_open(consume_t *c, err_t *error) {
    const char *const defaults[] = {"isolation.level", "read_committed", NULL};
    rd_kafka_conf_t *conf = kafka_conf_new(c->options.kafka, defaults, NULL, error);
    c->probe = conf ? kafka_client_new(RD_KAFKA_PRODUCER, conf, error) : NULL;
    return c->probe ? STATUS_OK : STATUS_FATAL;
}

static status_t consumer_open(consume_t *c, err_t *error) {
    const char *const defaults[] = {
        "group.id", c->options.group,
        /* A replica that comes back under its name gets its partitions back at once, dead or restarted. */
        "group.instance.id", c->options.instance,
        "session.timeout.ms", "10000",
        "partition.assignment.strategy", "cooperative-sticky",
        "isolation.level", "read_committed",
        "auto.offset.reset", "earliest",
        /* Offsets are committed in transactions, or for people to see: never because a record was merely fetched. */
        "enable.auto.commit", c->options.transactional ? "false" : "true",
        "auto.commit.interval.ms", "1000",
        "enable.auto.offset.store", "false",
        /* The end of a partition tells where transaction markers end; it comes with the first empty fetch. */
        "enable.partition.eof", "true",
        "fetch.wait.max.ms", "100",
        "fetch.error.backoff.ms", "50",
        "queued.max.messages.kbytes", "16384",
        NULL};
    rd_kafka_conf_t *conf = kafka_conf_new(c->options.kafka, defaults, &c->health, error);
    if (!conf) return STATUS_FATAL;
    rd_kafka_conf_set_rebalance_cb(conf, consume_on_rebalance);
    c->consumer = kafka_client_new(RD_KAFKA_CONSUMER, conf, error);
    if (!c->consumer) return STATUS_FATAL;
    rd_kafka_poll_set_consumer(c->consumer);
    return subscribe(c, error);
}

static void consumer_close(consume_t *c) {
    if (c->probe) rd_kafka_destroy(c->probe);
    c->probe = NULL;
    if (!c->consumer) return;
    rd_kafka_consumer_close(c->consumer); /* revokes, and so releases, all partitions */
    rd_kafka_destroy(c->consumer);
    c->consumer = NULL;
    atomic_store(&c->member, false);
}

/* ---- collecting ---- */

static void keep(consume_t *c, partition_t *partition, rd_kafka_message_t *message) {
    if (partition->count == partition->cap) {
        partition->cap = partition->cap ? partition->cap * 2 : 64;
        partition->messages = mem_resize(partition->messages, partition->cap, sizeof(rd_kafka_message_t *));
    }
    partition->messages[partition->count++] = message;
    partition->next = message->offset + 1;
    partition->touched = c->touched = true;
    c->records++;
    c->bytes += message->len;
}

static void receive(consume_t *c, rd_kafka_message_t *message) {
    partition_t *partition = consume_partition_of(c, message);
    bool running = partition && partition->state == PARTITION_RUNNING;
    bool fetched = !message->err || message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
    if (partition && fetched) consume_not_yet(c, partition);
    if (!message->err) atomic_store(&c->health.down, false);
    if (running && !message->err && message->offset >= partition->next) {
        keep(c, partition, message);
        return;
    }
    if (running && message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF && message->offset > partition->next) {
        partition->next = message->offset; /* behind the markers */
        partition->touched = c->touched = true;
    } else if (message->err && message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        log_condition_begin(&c->broker, "kafka consumer", rd_kafka_message_errstr(message));
    }
    rd_kafka_message_destroy(message);
}

static bool full(const consume_t *c) {
    return c->records >= (size_t)c->options.batch_records || c->bytes >= BATCH_BYTES;
}

/* Waits for the first record, then takes what else is there: a batch is what came in while the last one went out. */
static void collect(consume_t *c, int timeout_ms) {
    for (int wait = timeout_ms; !full(c); wait = 0) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(c->consumer, wait);
        if (!message) return;
        receive(c, message);
    }
}

static void add_slice(consume_t *c, partition_t *partition) {
    if (!partition->touched || partition->state != PARTITION_RUNNING) return;
    size_t i = 0;
    while (c->slices[i].topic >= 0) i++;
    c->slices[i] = (consume_slice_t){
        .topic = partition->topic,
        .partition = partition->number,
        .first = partition->position,
        .next = partition->next,
        .messages = partition->messages,
        .count = partition->count,
    };
    c->slices[i + 1].topic = -1;
}

static void count_partition(consume_t *c, partition_t *partition) {
    (void)partition;
    c->slices_cap++;
}

/* What was collected, a slice for each partition; the list ends with a topic of -1. */
static size_t build_slices(consume_t *c) {
    c->slices_cap = 1;
    consume_each(c, count_partition);
    c->slices = mem_resize(c->slices, c->slices_cap, sizeof *c->slices);
    c->slices[0].topic = -1;
    consume_each(c, add_slice);
    size_t count = 0;
    while (c->slices[count].topic >= 0) count++;
    return count;
}

/* ---- applying ---- */

static void settle(consume_t *c, partition_t *partition) {
    if (!partition->touched || partition->state != PARTITION_RUNNING) return;
    metric_add(c->records_total[partition->topic], partition->count);
    partition->position = partition->next;
    if (!c->options.transactional && !partition->retake) {
        rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
        rd_kafka_topic_partition_list_add(list, c->options.topics[partition->topic], partition->number)->offset =
            partition->next;
        rd_kafka_offsets_store(c->consumer, list);
        rd_kafka_topic_partition_list_destroy(list);
    }
    consume_drop_messages(c, partition);
}

/* Keeps the group membership alive while a batch waits to be tried again. What still comes in joins the batch. */
static void pause_before_retry(consume_t *c, int pause_ms) {
    int64_t end = clock_monotonic_us() + pause_ms * 1000LL;
    while (clock_monotonic_us() < end && !stop_requested()) {
        rd_kafka_message_t *message = full(c) ? NULL : rd_kafka_consumer_poll(c->consumer, pause_ms);
        if (message) receive(c, message);
        if (full(c)) clock_sleep_ms(pause_ms);
    }
}

static status_t apply_once(consume_t *c, err_t *error) {
    size_t count = build_slices(c);
    if (count == 0) return STATUS_OK; /* all of it was revoked meanwhile */
    if (c->options.transactional) return consume_transaction(c, count, error);
    return c->options.handler.apply(c->options.handler.self, c->slices, count, error);
}

static status_t apply(consume_t *c, err_t *error) {
    c->touched = false;
    int64_t start = clock_monotonic_us();
    metric_observe(c->batch_records, (double)c->records);
    status_t status = apply_once(c, error);
    for (int pause = PAUSE_MIN_MS; status == STATUS_RETRY && !stop_requested();) {
        metric_add(c->retries, 1);
        if (error->text[0]) log_condition_begin(&c->applying, "a batch has to wait", error->text);
        consume_update_lag(c);
        pause_before_retry(c, pause / 2 + (int)(random() % pause));
        pause = pause < PAUSE_MAX_MS ? pause * 2 : PAUSE_MAX_MS;
        status = apply_once(c, error);
    }
    if (status != STATUS_OK) return status;
    log_condition_end(&c->applying, "applying");
    consume_each(c, settle);
    metric_observe(c->batch_seconds, (double)(clock_monotonic_us() - start) / 1e6);
    return STATUS_OK;
}

/* Brokers that were lost are asked whether they are back, since nothing else would tell while no records come. */
static void probe_brokers(consume_t *c) {
    int64_t now = clock_monotonic_us();
    if (!atomic_load(&c->health.down) || now < c->probe_at_us) return;
    const rd_kafka_metadata_t *metadata;
    c->probe_at_us = now + PROBE_EVERY_US;
    if (rd_kafka_metadata(c->probe, 0, NULL, &metadata, CONSUME_POLL_MS)) return;
    rd_kafka_metadata_destroy(metadata);
    atomic_store(&c->health.down, false);
}

static status_t step(consume_t *c, err_t *error) {
    collect(c, atomic_load(&c->pending_count) > 0 ? CONSUME_TAKE_POLL_MS : CONSUME_POLL_MS);
    consume_take_pending(c);
    if (c->producer) rd_kafka_poll(c->producer, 0);
    mem_rest(&c->rest, c->touched);
    status_t status = c->touched ? apply(c, error) : STATUS_OK;
    if (status == STATUS_OK && c->options.handler.idle)
        c->options.handler.idle(c->options.handler.self);
    consume_release_marked(c);
    probe_brokers(c);
    consume_update_lag(c);
    return status;
}

/* A client that was fenced or met a fatal error never works again: it is replaced. */
static bool broken(consume_t *c) {
    char text[8];
    return rd_kafka_fatal_error(c->consumer, text, sizeof text) != RD_KAFKA_RESP_ERR_NO_ERROR;
}

static status_t session(consume_t *c, err_t *error) {
    status_t status = c->options.transactional ? consume_producer_open(c, error) : STATUS_OK;
    if (status == STATUS_OK) status = probe_open(c, error);
    if (status == STATUS_OK) status = consumer_open(c, error);
    bool open = status == STATUS_OK;
    while (open && !stop_requested() && status != STATUS_FATAL && !broken(c)) status = step(c, error);
    consumer_close(c);
    consume_producer_close(c);
    return status;
}

status_t consume_run(consume_t *c, err_t *error) {
    status_t status = STATUS_OK;
    for (int pause = PAUSE_MIN_MS; !stop_requested(); pause = pause < PAUSE_MAX_MS ? pause * 2 : PAUSE_MAX_MS) {
        status = session(c, error);
        if (status == STATUS_FATAL) return status;
        if (!stop_requested()) {
            log_warn("the Kafka clients are replaced");
            clock_sleep_ms(pause / 2 + random() % pause);
        }
    }
    return STATUS_OK;
}
