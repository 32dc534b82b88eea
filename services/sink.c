/* A sink on the consumer runtime. */
#include "services/sink.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/metric.h"
#include "services/sink_shape.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Records that one run of a script applies: Redis serves nobody else meanwhile. */
enum { CHUNK_RECORDS = 500, CHUNKS_BYTES = 4 * 1024 * 1024, NOWHERE = -1, CHECK_EVERY_US = 1000000 };

/* Where the store is, as far as the sink knows, in one partition of one topic. */
typedef struct place {
    bool taken;
    int64_t stored; /* the position in the store; NOWHERE: it has none */
    int64_t dead;   /* the offset of a record that is a dead letter already; NOWHERE: none */
} place_t;

struct sink {
    sink_options_t options;
    const service_context_t *context;
    redis_t *redis;
    sink_shape_t *shape; /* NULL: the store has none */
    sink_topic_t topics[SINK_TOPICS_MAX];
    const char *names[SINK_TOPICS_MAX];    /* of the topics */
    char shas[SINK_TOPICS_MAX][41];        /* of their scripts */
    place_t *places[SINK_TOPICS_MAX];      /* by partition */
    consume_t *consume;
    redis_args_t args;
    struct sent { /* the chunks of an exchange, in order */
        const consume_slice_t *slice;
        int64_t next;
    } *sent;
    size_t sent_count, sent_cap;
    int64_t check_at_us; /* when the store is asked next where it is */
    metric_t *moved;
};

/* ---- the position in the store ---- */

static int64_t position_in(const redisReply *reply) {
    return reply->type == REDIS_REPLY_STRING ? strtoll(reply->str, NULL, 10) : NOWHERE;
}

static status_t take(void *self, int topic, int32_t partition, int64_t *offset, err_t *error) {
    sink_t *sink = self;
    key_text_t key;
    if (sink->shape && sink_shape_take(sink->shape, partition, error) != STATUS_OK) return STATUS_RETRY;
    sink->topics[topic].offset_key(key, partition);
    redis_queue(sink->redis, partition, 2, (const char *[]){"GET", key}, (size_t[]){3, strlen(key)});
    status_t status = redis_exchange(sink->redis, error);
    if (status == STATUS_OK) status = redis_check(sink->redis, redis_reply(sink->redis, 0), error);
    if (status != STATUS_OK) return STATUS_RETRY;
    const redisReply *reply = redis_reply(sink->redis, 0);
    int64_t stored = position_in(reply);
    sink->places[topic][partition] = (place_t){.taken = true, .stored = stored, .dead = NOWHERE};
    if (stored == NOWHERE) { /* Kafka may have an offset committed, but the store is what counts */
        log_debug("%s[%d]: the store is empty and is filled from the beginning", sink->topics[topic].name,
                 (int)partition);
        *offset = 0;
    } else {
        *offset = stored;
    }
    return STATUS_OK;
}

static void release(void *self, int topic, int32_t partition) {
    sink_t *sink = self;
    sink->places[topic][partition].taken = false;
}

static void moved(sink_t *sink, int topic, int32_t partition) {
    metric_add(sink->moved, 1);
    consume_retake(sink->consume, topic, partition);
}

/* Calls `each` for every partition that is taken. */
static void each_place(sink_t *sink, void (*each)(sink_t *sink, int topic, int32_t partition, size_t *count)) {
    size_t count = 0;
    for (int topic = 0; topic < (int)sink->options.topics_count; topic++)
        for (int32_t p = 0; p < sink->context->settings->partitions; p++)
            if (sink->places[topic][p].taken) each(sink, topic, p, &count);
}

static void ask_place(sink_t *sink, int topic, int32_t partition, size_t *count) {
    key_text_t key;
    size_t len = (size_t)sink->topics[topic].offset_key(key, partition);
    redis_queue(sink->redis, partition, 2, (const char *[]){"GET", key}, (size_t[]){3, len});
    (*count)++;
}

static void compare_place(sink_t *sink, int topic, int32_t partition, size_t *count) {
    const redisReply *reply = redis_reply(sink->redis, (*count)++);
    if (reply->type == REDIS_REPLY_ERROR || position_in(reply) == sink->places[topic][partition].stored) return;
    moved(sink, topic, partition);
}

/* A store that was flushed or set back is noticed by the next batch; where none comes, by this. */
static void check_places(sink_t *sink) {
    int64_t now = clock_monotonic_us();
    err_t ignored;
    if (now < sink->check_at_us) return;
    sink->check_at_us = now + CHECK_EVERY_US;
    each_place(sink, ask_place);
    if (redis_exchange(sink->redis, &ignored) == STATUS_OK) each_place(sink, compare_place);
}

static void idle(void *self) {
    check_places(self);
}

/* ---- a batch ---- */

static void begin_chunk(sink_t *sink, const consume_slice_t *slice) {
    const sink_topic_t *topic = &sink->topics[slice->topic];
    key_text_t key;
    char prefix[16];
    topic->offset_key(key, slice->partition);
    snprintf(prefix, sizeof prefix, "{%d}:", (int)slice->partition);
    redis_args_clear(&sink->args);
    redis_args_adds(&sink->args, "EVALSHA");
    redis_args_add(&sink->args, sink->shas[slice->topic], 40);
    redis_args_adds(&sink->args, "1");
    redis_args_copys(&sink->args, key);
    redis_args_number(&sink->args, 0); /* from and to: filled in when the chunk ends */
    redis_args_number(&sink->args, 0);
    redis_args_copys(&sink->args, prefix);
    if (sink->shape)
        redis_args_adds(&sink->args, sink_shape_text(sink->shape));
    else
        redis_args_number(&sink->args, topic->expire_seconds);
}

enum { ARG_FROM = 4, ARG_NEXT = 5 };

static void put_number(redis_args_t *args, int at, char text[24], int64_t number) {
    args->lens[at] = (size_t)snprintf(text, 24, "%" PRId64, number);
    args->argv[at] = text;
}

static void end_chunk(sink_t *sink, const consume_slice_t *slice, int64_t from, int64_t next) {
    char from_text[24], next_text[24];
    put_number(&sink->args, ARG_FROM, from_text, from);
    put_number(&sink->args, ARG_NEXT, next_text, next);
    redis_queue(sink->redis, slice->partition, sink->args.count, sink->args.argv, sink->args.lens);
    if (sink->sent_count == sink->sent_cap) {
        sink->sent_cap = sink->sent_cap ? sink->sent_cap * 2 : 16;
        sink->sent = mem_resize(sink->sent, sink->sent_cap, sizeof *sink->sent);
    }
    sink->sent[sink->sent_count].slice = slice;
    sink->sent[sink->sent_count++].next = next;
}

static status_t add_record(sink_t *sink, const consume_slice_t *slice, const rd_kafka_message_t *message,
                           err_t *error) {
    place_t *place = &sink->places[slice->topic][slice->partition];
    if (message->offset == place->dead) return STATUS_OK;
    err_t why = {"the record has no value"};
    int before = sink->args.count;
    redis_args_number(&sink->args, message->offset);
    if (message->payload && sink->topics[slice->topic].add(sink->context, message, &sink->args, &why))
        return STATUS_OK;
    sink->args.count = before;
    return consume_dead_letter(sink->consume, message, why.text, error);
}

/* Queues what of the slice is not in the store yet, in chunks that follow one another. */
static status_t queue_slice(sink_t *sink, const consume_slice_t *slice, err_t *error) {
    int64_t from = sink->places[slice->topic][slice->partition].stored;
    size_t in_chunk = 0, bytes = 0;
    status_t status = STATUS_OK;
    begin_chunk(sink, slice);
    for (size_t i = 0; i < slice->count && status == STATUS_OK; i++) {
        const rd_kafka_message_t *message = slice->messages[i];
        if (message->offset < from) continue; /* an earlier try got that far */
        if (in_chunk == CHUNK_RECORDS || bytes > CHUNKS_BYTES) {
            end_chunk(sink, slice, from, message->offset);
            begin_chunk(sink, slice);
            from = message->offset;
            in_chunk = bytes = 0;
        }
        status = add_record(sink, slice, message, error);
        in_chunk++;
        bytes += message->len;
    }
    if (status == STATUS_OK && from < slice->next) end_chunk(sink, slice, from, slice->next);
    return status;
}

static const rd_kafka_message_t *message_at(const consume_slice_t *slice, int64_t offset) {
    for (size_t i = 0; i < slice->count; i++)
        if (slice->messages[i]->offset == offset) return slice->messages[i];
    return NULL;
}

/* A record that does not follow what is stored: it becomes a dead letter, and the rest is tried again without it. */
static status_t handle_gap(sink_t *sink, const consume_slice_t *slice, const redisReply *reply, err_t *error) {
    place_t *place = &sink->places[slice->topic][slice->partition];
    int64_t offset = strtoll(reply->element[1]->str, NULL, 10);
    const rd_kafka_message_t *message = message_at(slice, offset);
    if (!message) return err_set(error, STATUS_FATAL, "the script stopped at offset %" PRId64 " of no record", offset);
    status_t status = consume_dead_letter(sink->consume, message, reply->element[2]->str, error);
    if (status == STATUS_OK) status = consume_flush(sink->consume, error);
    if (status != STATUS_OK) return STATUS_RETRY;
    place->stored = place->dead = offset;
    return err_set(error, STATUS_RETRY, "a record became a dead letter");
}

static status_t handle_reply(sink_t *sink, size_t i, err_t *error) {
    const consume_slice_t *slice = sink->sent[i].slice;
    const redisReply *reply = redis_reply(sink->redis, i);
    status_t status = redis_check(sink->redis, reply, error);
    if (status != STATUS_OK) return status;
    const char *word = reply->type == REDIS_REPLY_ARRAY && reply->elements > 0 ? reply->element[0]->str : "";
    if (!strcmp(word, "ok")) {
        sink->places[slice->topic][slice->partition].stored = sink->sent[i].next;
        return STATUS_OK;
    }
    if (!strcmp(word, "gap") && reply->elements == 3) return handle_gap(sink, slice, reply, error);
    moved(sink, slice->topic, slice->partition);
    return STATUS_OK;
}

static status_t apply(void *self, const consume_slice_t *slices, size_t count, err_t *error) {
    sink_t *sink = self;
    sink->sent_count = 0;
    status_t status = STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) status = queue_slice(sink, &slices[i], error);
    if (status == STATUS_OK) status = consume_flush(sink->consume, error);
    if (status != STATUS_OK) {
        redis_discard(sink->redis);
        return STATUS_RETRY; /* a dead letter could not be written */
    }
    if (sink->sent_count == 0) return STATUS_OK;
    status = redis_exchange(sink->redis, error);
    if (status != STATUS_OK) { /* what was applied is unknown: the stores are asked */
        for (size_t i = 0; i < count; i++) consume_retake(sink->consume, slices[i].topic, slices[i].partition);
        return STATUS_OK;
    }
    /* All answers are looked at: each tells where its partition is now. */
    for (size_t i = 0; i < sink->sent_count; i++) {
        err_t why;
        status_t one = handle_reply(sink, i, &why);
        if (one > status) status = err_set(error, one, "%s", why.text);
    }
    return status;
}

/* ---- the service ---- */

sink_t *sink_new(const sink_options_t *options, err_t *error) {
    const service_context_t *context = options->context;
    sink_t *sink = mem_zero(1, sizeof *sink);
    sink->options = *options;
    sink->context = context;
    sink->moved = metric_counter("odradek_sink_moved_total", "Batches given up as the store was not where it was left.",
                                 NULL);
    sink->redis = redis_new(options->store, options->servers, options->servers_count, error);
    if (!sink->redis) {
        sink_free(sink);
        return NULL;
    }
    if (options->shape)
        sink->shape = sink_shape_new(sink->redis, options->shape, context->instance, context->settings->partitions);
    for (size_t i = 0; i < options->topics_count; i++) {
        sink->topics[i] = options->topics[i];
        sink->names[i] = options->topics[i].name;
        redis_script(sink->redis, options->topics[i].script, sink->shas[i]);
        sink->places[i] = mem_zero((size_t)context->settings->partitions, sizeof(place_t));
    }
    sink->consume = consume_new(&(consume_options_t){
        .kafka = &context->kafka,
        .group = options->group,
        .instance = context->instance,
        .topics = sink->names,
        .topics_count = options->topics_count,
        .dead_letters = topic_names[TOPIC_DEAD_LETTERS],
        .batch_records = context->settings->limits.batch_records,
        .handler = {.self = sink, .take = take, .release = release, .apply = apply, .idle = idle},
    });
    return sink;
}

status_t sink_run(void *self, err_t *error) {
    sink_t *sink = self;
    return consume_run(sink->consume, error);
}

bool sink_ready(void *self, err_t *why) {
    sink_t *sink = self;
    if (!consume_ready(sink->consume, why)) return false;
    if (redis_connected(sink->redis)) return true;
    err_set(why, STATUS_RETRY, "the %s store does not answer", sink->options.store);
    return false;
}

void sink_free(void *self) {
    sink_t *sink = self;
    if (!sink) return;
    consume_free(sink->consume);
    sink_shape_free(sink->shape);
    redis_free(sink->redis);
    redis_args_free(&sink->args);
    for (size_t i = 0; i < SINK_TOPICS_MAX; i++) free(sink->places[i]);
    free(sink->sent);
    free(sink);
}
