/* Live streams: the end of the log, read once for all of them.

       log ──▶ consumer ──▶ ring ──▶ streams ──▶ connections        */
#include "services/query-api/streams.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "services/query-api/position.h"
#include "services/query-api/streams_internal.h"

#include <stdlib.h>
#include <string.h>

enum {
    POLL_MS = 20,
    ASK_MS = 1000,
    BATCH = 500,        /* records that are put into the ring at once */
    TEST_EVENTS = 32,   /* of a batch of more, all streams are woken unlooked */
    SWEEP_US = 100000,
    PATIENCE_US = 10000000, /* for the log's end, before a request is answered without it */
    CATCHERS = 4
};

rd_kafka_t *streams_consumer_new(const streams_options_t *options, const char *wait_ms, const char *queue_kb, err_t *error) {
    const char *const defaults[] = {
        "group.id", "query-api-streams", /* must be set; nothing is ever committed under it */
        "enable.auto.commit", "false",
        "isolation.level", "read_committed",
        "enable.partition.eof", "true", /* tells where transaction markers end */
        "auto.offset.reset", "error",
        "fetch.wait.max.ms", wait_ms,
        "fetch.error.backoff.ms", "50",
        "queued.max.messages.kbytes", queue_kb,
        NULL};
    rd_kafka_conf_t *conf = kafka_conf_new(options->kafka, defaults, NULL, error);
    rd_kafka_t *consumer = conf ? kafka_client_new(RD_KAFKA_CONSUMER, conf, error) : NULL;
    if (consumer) rd_kafka_poll_set_consumer(consumer);
    return consumer;
}

/* ---- the ring ---- */

static void set_now(streams_t *streams) {
    strbuf_clear(&streams->now);
    position_add(&streams->now, streams->ring.next, streams->options.partitions);
}

/* An entity's may have missed what came before the ring, the others go on from where they were. */
static void begin_anew(streams_t *streams, const int64_t *ends) {
    pthread_mutex_lock(&streams->lock);
    ring_reset(&streams->ring, ends);
    set_now(streams);
    streams->ready = true;
    for (stream_t *stream = streams->all, *next; stream; stream = next) {
        next = stream->newer;
        if (stream->entity && stream->stage == STREAM_LIVE) {
            stream->stage = STREAM_HISTORY;
            stream->ask_us = 1;
        }
        stream_place(stream);
    }
    pthread_mutex_unlock(&streams->lock);
}

/* Begins to read at the ends of all partitions, asked for before anything is fetched: later the broker would answer such
   questions only between long fetches. */
static status_t assign_ends(streams_t *streams, err_t *error) {
    const streams_options_t *options = &streams->options;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(options->partitions);
    int64_t *ends = mem_zero((size_t)options->partitions, sizeof *ends), first;
    status_t status = STATUS_OK;
    for (int32_t p = 0; p < options->partitions && status == STATUS_OK; p++) {
        status = kafka_offsets(streams->consumer, options->topic, p, &first, &ends[p], ASK_MS, error);
        if (status == STATUS_OK) rd_kafka_topic_partition_list_add(list, options->topic, p)->offset = ends[p];
    }
    if (status == STATUS_OK) {
        rd_kafka_assign(streams->consumer, list);
        begin_anew(streams, ends);
    }
    rd_kafka_topic_partition_list_destroy(list);
    free(ends);
    return status;
}

/* The partitions are not what they were: another log, or one that lost its end. All begin anew. */
static void lose_place(streams_t *streams, const char *why) {
    log_warn("live streams begin anew: %s", why);
    rd_kafka_assign(streams->consumer, NULL);
    pthread_mutex_lock(&streams->lock);
    streams->ready = false;
    for (stream_t *stream = streams->all; stream; stream = stream->newer)
        if (!stream->entity && !stream->request) stream_cut(stream, streams->cut_invalid);
    pthread_mutex_unlock(&streams->lock);
}

static void add(streams_t *streams, const rd_kafka_message_t *message) {
    ring_t *ring = &streams->ring;
    if (message->partition < 0 || message->partition >= ring->partitions) return;
    int64_t *next = &ring->next[message->partition];
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF && message->offset > *next) *next = message->offset; /* markers */
    if (message->err || message->offset < *next) return;
    *next = message->offset + 1;
    set_now(streams);
    ring_event_t *event = ring_event_new(streams->options.types, message->payload, message->len, streams->now.data);
    if (!event) return; /* a tombstone, or something that somebody wrote by hand */
    event->partition = message->partition;
    event->offset = message->offset;
    ring_add(ring, event);
}

/* Whether a stream that has read the ring up to `from` wants something that came since. */
static bool has_news(const streams_t *streams, const stream_t *stream, uint64_t from) {
    if (stream->stage == STREAM_JOINING || from < streams->ring.first || streams->ring.end - from > TEST_EVENTS) return true;
    for (uint64_t i = from; i < streams->ring.end; i++)
        if (stream_wants(stream, ring_at(&streams->ring, i))) return true;
    return false;
}

/* Those that sleep at the ring's old end are woken where there is something for them, else brought to the new one. The
   others are on their way. */
static void tell(streams_t *streams, uint64_t from) {
    for (stream_t *stream = streams->all; stream; stream = stream->newer) {
        if (stream->stage != STREAM_JOINING && stream->stage != STREAM_LIVE) continue;
        if (stream->cursor != from) continue;
        if (has_news(streams, stream, from))
            stream_wake(stream);
        else
            stream->cursor = streams->ring.end;
    }
}

static void take(streams_t *streams, rd_kafka_message_t **messages, size_t count) {
    pthread_mutex_lock(&streams->lock);
    uint64_t from = streams->ring.end;
    for (size_t i = 0; i < count; i++) add(streams, messages[i]);
    set_now(streams);
    if (streams->ring.end > from) tell(streams, from);
    pthread_mutex_unlock(&streams->lock);
}

static void receive(streams_t *streams) {
    rd_kafka_message_t *messages[BATCH];
    size_t count = 0;
    bool lost = false;
    while (count < BATCH && (messages[count] = rd_kafka_consumer_poll(streams->consumer, count ? 0 : POLL_MS))) {
        lost = messages[count]->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET;
        count++;
        if (lost) break;
    }
    if (count > 0) take(streams, messages, count);
    if (lost) lose_place(streams, rd_kafka_message_errstr(messages[count - 1]));
    for (size_t i = 0; i < count; i++) rd_kafka_message_destroy(messages[i]);
}

/* ---- what time brings ---- */

/* Without the log's end: who comes back is answered and goes on later, others are told to come again. */
static void lose_patience(stream_t *stream) {
    if (stream->from == STREAM_FROM_NOW)
        stream_refuse(stream, 503, "log-unavailable", "The log does not answer.");
    else
        stream_answer(stream);
}

static void beat(stream_t *stream, int64_t now) {
    stream->beat = true;
    stream->said_us = now;
    /* The event store may have been behind when it was asked. */
    if (stream->entity && stream->stage == STREAM_LIVE) {
        stream->stage = STREAM_HISTORY;
        stream->ask_us = now;
    }
    stream_wake(stream);
}

/* The next stream whose event store is to be asked; NULL: all are looked after. */
static stream_t *sweep(streams_t *streams, int64_t now) {
    int64_t beat_us = streams->options.heartbeat_seconds * 1000000LL;
    for (stream_t *stream = streams->all, *next; stream; stream = next) {
        next = stream->newer;
        if (stream->request && stream->stage == STREAM_PARKED && now - stream->since_us > PATIENCE_US) {
            lose_patience(stream);
            continue;
        }
        if (stream->http && now - stream->said_us >= beat_us) beat(stream, now);
        if (!stream->ask_us || stream->ask_us > now) continue;
        stream->ask_us = 0;
        stream_hold(stream);
        return stream;
    }
    return NULL;
}

static void look_after(streams_t *streams) {
    int64_t now = clock_monotonic_us();
    stream_t *asking;
    do {
        pthread_mutex_lock(&streams->lock);
        asking = sweep(streams, now);
        pthread_mutex_unlock(&streams->lock);
        if (asking) stream_history_ask(asking);
    } while (asking);
}

static bool goes_on(streams_t *streams, bool *ready) {
    pthread_mutex_lock(&streams->lock);
    bool ending = streams->ending;
    *ready = streams->ready;
    pthread_mutex_unlock(&streams->lock);
    return !ending;
}

static void *work(void *context) {
    streams_t *streams = context;
    int64_t sweep_at_us = 0;
    bool ready;
    err_t error;
    mem_rest_t rest = {0};
    while (goes_on(streams, &ready)) {
        if (!ready && assign_ends(streams, &error) != STATUS_OK) clock_sleep_ms(POLL_MS);
        receive(streams);
        if (clock_monotonic_us() < sweep_at_us) continue;
        look_after(streams);
        mem_rest(&rest, false);
        sweep_at_us = clock_monotonic_us() + SWEEP_US;
    }
    return NULL;
}

/* ---- requests ---- */

static void wish_clear(stream_wish_t *wish) {
    sieve_free(&wish->filter);
    free(wish->next);
}

void streams_begin(streams_t *streams, http_request_t *request, stream_wish_t *wish) {
    pthread_mutex_lock(&streams->lock);
    const char *detail = streams->ending                                   ? "The service ends."
                         : streams->count >= streams->options.count_max ? "As many streams are open as there may be."
                                                                           : NULL;
    stream_t *stream = detail ? NULL : stream_new(streams, request, wish);
    bool entity = stream && stream->entity;
    if (entity)
        stream_hold(stream);
    else if (stream && streams->ready)
        stream_place(stream);
    pthread_mutex_unlock(&streams->lock);
    if (entity) stream_history_ask(stream);
    if (!detail) return;
    wish_clear(wish);
    http_problem_for_now(request, 503, "too-many-streams", detail);
}

/* ---- their life ---- */

static void metrics_open(streams_t *streams) {
    const char *name = "odradek_streams_cut_total", *help = "Live streams that were cut off.";
    streams->open = metric_gauge("odradek_streams", "Live streams that are open.", NULL);
    streams->events = metric_counter("odradek_stream_events_total", "Events sent to live streams.", NULL);
    streams->cut_behind = metric_counter(name, help, "reason=\"behind\"");
    streams->cut_stalled = metric_counter(name, help, "reason=\"stalled\"");
    streams->cut_invalid = metric_counter(name, help, "reason=\"invalid\"");
}

static void locks_open(streams_t *streams) {
    pthread_condattr_t attributes;
    pthread_mutex_init(&streams->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&streams->changed, &attributes);
    pthread_condattr_destroy(&attributes);
}

static status_t start(streams_t *streams, err_t *error) {
    if (pthread_create(&streams->tail, NULL, work, streams)) goto failed;
    streams->catchers = mem_zero(CATCHERS, sizeof *streams->catchers);
    for (; streams->catchers_count < CATCHERS; streams->catchers_count++)
        if (pthread_create(&streams->catchers[streams->catchers_count], NULL, catch_up_work, streams)) goto failed;
    return STATUS_OK;
failed:
    return err_set(error, STATUS_FATAL, "the threads of live streams cannot be started");
}

streams_t *streams_new(const streams_options_t *options, err_t *error) {
    streams_t *streams = mem_zero(1, sizeof *streams);
    streams->options = *options;
    streams->queue_end = &streams->queue;
    locks_open(streams);
    metrics_open(streams);
    ring_open(&streams->ring, options->partitions, options->ring_bytes);
    streams->consumer = streams_consumer_new(options, "500", "4096", error);
    if (streams->consumer && start(streams, error) == STATUS_OK) return streams;
    streams_free(streams);
    return NULL;
}

static void refuse_all(streams_t *streams) {
    for (stream_t *stream = streams->all, *next; stream; stream = next) {
        next = stream->newer;
        if (stream->request && !stream->entity) stream_refuse(stream, 503, "log-unavailable", "The service ends.");
        else stream_wake(stream);
    }
}

void streams_end(streams_t *streams) {
    pthread_mutex_lock(&streams->lock);
    bool ended = streams->ending;
    streams->ending = true;
    refuse_all(streams);
    pthread_cond_broadcast(&streams->changed);
    pthread_mutex_unlock(&streams->lock);
    if (ended) return;
    if (streams->tail) pthread_join(streams->tail, NULL);
    for (int i = 0; i < streams->catchers_count; i++) pthread_join(streams->catchers[i], NULL);
}

void streams_free(streams_t *streams) {
    if (!streams) return;
    streams_end(streams);
    if (streams->consumer) {
        rd_kafka_consumer_close(streams->consumer);
        rd_kafka_destroy(streams->consumer);
    }
    ring_close(&streams->ring);
    strbuf_free(&streams->now);
    free(streams->catchers);
    pthread_cond_destroy(&streams->changed);
    pthread_mutex_destroy(&streams->lock);
    free(streams);
}
