/* The live stream of one entity: what it has not had comes from its history in the event store, then from the ring.
   Its versions follow one another, so that there can be no gap and no repeat. */
#include "common/clock.h"
#include "common/mem.h"
#include "model/keys.h"
#include "services/query-api/streams_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEP_EVENTS = 64, AGAIN_US = 250000 };

static void ask_again(stream_t *stream) {
    stream->ask_us = clock_monotonic_us() + AGAIN_US;
}

/* An entry is [id, [field, value]]: "<version>-0", and the one field `event`. */
static const redisReply *event_of(const redisReply *entry) {
    if (entry->type != REDIS_REPLY_ARRAY || entry->elements != 2 || entry->element[1]->elements < 2) return NULL;
    return entry->element[1]->element[1];
}

/* From now on: the version that it has now is the last that is known. */
static void begin_now(stream_t *stream, const redisReply *entries) {
    if (entries->elements > 0) stream->version = strtoll(entries->element[0]->element[0]->str, NULL, 10);
    stream->from = STREAM_FROM_POSITION;
}

static void take(stream_t *stream, const redisReply *entries) {
    for (size_t i = 0; i < entries->elements; i++) {
        const redisReply *record = event_of(entries->element[i]);
        ring_event_t *event =
            record ? ring_event_new(stream->streams->options.types, record->str, record->len, "") : NULL;
        if (!event) continue;
        if (event->version != stream->version + 1) {
            ring_event_release(event); /* a store that is being filled again: what lacks will come */
            break;
        }
        stream->version = event->version;
        stream_give(stream, event);
    }
}

static void take_answer(stream_t *stream, lookup_request_t *lookup) {
    bool now = stream->from == STREAM_FROM_NOW;
    const redisReply *length = lookup_reply(lookup, 0), *entries = lookup_reply(lookup, 1);
    if (length->integer == 0 && stream->version == 0 && stream->request) {
        stream_refuse(stream, 404, "not-found", "There is no entity of this id.");
        return;
    }
    int64_t had = stream->version;
    if (now) begin_now(stream, entries);
    stream_answer(stream);
    if (!now) take(stream, entries);
    stream->more = !now && entries->elements == STEP_EVENTS && stream->version > had;
    if (stream->gap && stream->version == had) {
        ask_again(stream); /* the event store is behind the log */
    } else if (!stream->more) {
        stream->gap = false;
        if (stream->cursor < stream->streams->ring.first) stream->cursor = stream->streams->ring.first;
        stream->stage = STREAM_LIVE;
    }
    stream_wake(stream);
}

static void take_failure(stream_t *stream) {
    if (stream->request && stream->from == STREAM_FROM_NOW) {
        stream_refuse(stream, 503, "store-unavailable", "The event store does not answer.");
        return;
    }
    stream_answer(stream); /* what it has not had will come when the store is back */
    stream->stage = STREAM_HISTORY;
    ask_again(stream);
}

static void on_events(lookup_request_t *lookup, status_t status, const err_t *error, void *context) {
    stream_t *stream = context;
    streams_t *streams = stream->streams;
    (void)error;
    pthread_mutex_lock(&streams->lock);
    if (streams->ending && stream->request)
        stream_refuse(stream, 503, "store-unavailable", "The service ends.");
    else if (!stream->left && status == STATUS_OK)
        take_answer(stream, lookup);
    else if (!stream->left && !streams->ending)
        take_failure(stream);
    stream_release(stream);
    pthread_mutex_unlock(&streams->lock);
}

void stream_history_ask(stream_t *stream) {
    const streams_options_t *options = &stream->streams->options;
    int32_t partition = kafka_partition(stream->entity, strlen(stream->entity), options->partitions);
    key_text_t key;
    char from[32], count[16];
    key_history(key, partition, stream->type->name, stream->entity);
    /* Neither changes while this is asked. */
    snprintf(from, sizeof from, "%" PRId64 "-0", stream->version + 1);
    snprintf(count, sizeof count, "%d", STEP_EVENTS);
    lookup_request_t *lookup = lookup_request_new(on_events, stream);
    lookup_add(lookup, partition, "XLEN", key, NULL);
    if (stream->from == STREAM_FROM_NOW)
        lookup_add(lookup, partition, "XREVRANGE", key, "+", "-", "COUNT", "1", NULL);
    else
        lookup_add(lookup, partition, "XRANGE", key, from, "+", "COUNT", count, NULL);
    lookup_submit(options->events, lookup);
}
