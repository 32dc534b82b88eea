/* Brings streams that begin before the ring up to it: a thread and a consumer for one at a time, pulled as fast as its
   client reads. Who waits for longer than a turn takes goes on where it was. */
#include "common/clock.h"
#include "common/mem.h"
#include "services/query-api/position.h"
#include "services/query-api/streams_internal.h"

#include <stdlib.h>

enum {
    ASK_MS = 2000,
    POLL_MS = 100,
    KEPT_BYTES = 256 * 1024, /* read ahead of a client */
    TURN_US = 10000000,
    STALL_US = 30000000, /* a client that takes nothing for so long is cut off */
    AGAIN_MS = 200
};

typedef enum turn { TURN_GOES_ON, TURN_OVER, TURN_LATER } turn_t;

/* Without the lock: the log is asked for its first and last offsets. */
static status_t bounds(streams_t *streams, rd_kafka_t *consumer, int64_t *firsts, int64_t *ends, err_t *error) {
    status_t status = STATUS_OK;
    for (int32_t p = 0; p < streams->options.partitions && status == STATUS_OK; p++)
        status = kafka_offsets(consumer, streams->options.topic, p, &firsts[p], &ends[p], ASK_MS, error);
    return status;
}

/* Compares where it wants to begin with what there is. False: it cannot begin there. */
static bool prove(stream_t *stream, const int64_t *firsts, const int64_t *ends) {
    int partitions = stream->streams->options.partitions;
    if (!position_reaches(ends, stream->next, partitions)) {
        stream_refuse(stream, 400, "invalid-last-event-id", "The last event id is beyond the end of the log.");
        return false;
    }
    stream_answer(stream);
    for (int p = 0; p < partitions; p++)
        if (stream->next[p] < firsts[p]) stream->next[p] = firsts[p];
    return true;
}

/* With the lock. Whether it is told to go on. */
static turn_t look(stream_t *stream, int64_t begun_us) {
    streams_t *streams = stream->streams;
    if (streams->ending || stream->left || stream->cut) return TURN_OVER;
    if (streams->ready && position_reaches(stream->next, streams->ring.oldest, streams->options.partitions)) {
        stream_join(stream);
        return TURN_OVER;
    }
    return streams->queue && clock_monotonic_us() - begun_us > TURN_US ? TURN_LATER : TURN_GOES_ON;
}

/* With the lock: waits while the client has enough to read. */
static void await_room(stream_t *stream) {
    streams_t *streams = stream->streams;
    int64_t until_us = clock_monotonic_us() + STALL_US;
    struct timespec until = {until_us / 1000000, until_us % 1000000 * 1000};
    while (stream->kept_bytes > KEPT_BYTES && !streams->ending && !stream->left && !stream->cut)
        if (pthread_cond_timedwait(&streams->changed, &streams->lock, &until)) stream_cut(stream, streams->cut_stalled);
}

/* With the lock. */
static void take(stream_t *stream, const rd_kafka_message_t *message) {
    streams_t *streams = stream->streams;
    if (message->partition < 0 || message->partition >= streams->options.partitions) return;
    int64_t *next = &stream->next[message->partition];
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF && message->offset > *next) *next = message->offset;
    if (message->err || message->offset < *next) return;
    *next = message->offset + 1;
    strbuf_t position = {0};
    position_add(&position, stream->next, streams->options.partitions);
    ring_event_t *event = ring_event_new(streams->options.types, message->payload, message->len, position.data);
    strbuf_free(&position);
    if (!event) return;
    if (!stream_wants(stream, event)) {
        ring_event_release(event);
        return;
    }
    stream_give(stream, event);
    stream_wake(stream);
}

static void assign(stream_t *stream, rd_kafka_t *consumer) {
    const streams_options_t *options = &stream->streams->options;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(options->partitions);
    for (int32_t p = 0; p < options->partitions; p++)
        rd_kafka_topic_partition_list_add(list, options->topic, p)->offset = stream->next[p];
    rd_kafka_assign(consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
}

/* With the lock, which is given up while the log is waited for. */
static turn_t read_log(stream_t *stream, rd_kafka_t *consumer) {
    streams_t *streams = stream->streams;
    int64_t begun_us = clock_monotonic_us();
    turn_t turn;
    assign(stream, consumer);
    while ((turn = look(stream, begun_us)) == TURN_GOES_ON) {
        pthread_mutex_unlock(&streams->lock);
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, POLL_MS);
        pthread_mutex_lock(&streams->lock);
        if (!message) continue;
        bool lost = message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET;
        take(stream, message);
        rd_kafka_message_destroy(message);
        if (lost) return TURN_LATER; /* what it reads was deleted meanwhile: it is compared again */
        await_room(stream);
    }
    return turn;
}

/* With the lock. */
static turn_t catch_up(stream_t *stream, rd_kafka_t *consumer) {
    streams_t *streams = stream->streams;
    size_t partitions = (size_t)streams->options.partitions;
    int64_t *firsts = mem_zero(2 * partitions, sizeof *firsts), *ends = firsts + partitions;
    err_t ignored;
    pthread_mutex_unlock(&streams->lock);
    status_t status = bounds(streams, consumer, firsts, ends, &ignored);
    pthread_mutex_lock(&streams->lock);
    turn_t turn = TURN_LATER;
    if (stream->left || stream->cut || streams->ending)
        turn = TURN_OVER;
    else if (status != STATUS_OK)
        stream_answer(stream); /* it will be compared when the log is there */
    else
        turn = prove(stream, firsts, ends) ? read_log(stream, consumer) : TURN_OVER;
    free(firsts);
    if (status != STATUS_OK) {
        pthread_mutex_unlock(&streams->lock);
        clock_sleep_ms(AGAIN_MS);
        pthread_mutex_lock(&streams->lock);
    }
    return turn;
}

static void consumer_close(rd_kafka_t **consumer) {
    if (!*consumer) return;
    rd_kafka_consumer_close(*consumer);
    rd_kafka_destroy(*consumer);
    *consumer = NULL;
}

/* With the lock: the next in the queue, or NULL at the end. A consumer that has nothing to do is given up. */
static stream_t *await_turn(streams_t *streams, rd_kafka_t **consumer) {
    if (!streams->queue && *consumer) {
        pthread_mutex_unlock(&streams->lock);
        consumer_close(consumer);
        pthread_mutex_lock(&streams->lock);
    }
    while (!streams->queue && !streams->ending) pthread_cond_wait(&streams->changed, &streams->lock);
    if (streams->ending) return NULL;
    stream_t *stream = streams->queue;
    streams->queue = stream->queued;
    if (!streams->queue) streams->queue_end = &streams->queue;
    stream->stage = STREAM_CATCHING;
    stream_hold(stream);
    return stream;
}

void *catch_up_work(void *context) {
    streams_t *streams = context;
    rd_kafka_t *consumer = NULL;
    stream_t *stream;
    err_t error;
    pthread_mutex_lock(&streams->lock);
    while ((stream = await_turn(streams, &consumer))) {
        if (!consumer) consumer = streams_consumer_new(&streams->options, "100", "1024", &error);
        turn_t turn = consumer ? catch_up(stream, consumer) : TURN_LATER;
        if (consumer) rd_kafka_assign(consumer, NULL);
        if (turn == TURN_LATER && !stream->left && !stream->cut) stream_queue(stream);
        stream_release(stream);
    }
    pthread_mutex_unlock(&streams->lock);
    consumer_close(&consumer);
    return NULL;
}
