/* The consumer runtime: records in batches to a handler, whose work is committed with the position in the log.

   There are two ways to commit. Transactional: what the handler emits and the offsets of its input are one Kafka
   transaction (KIP-98, KIP-447). Sink: the handler writes to a store of its own, with the next offset in the same
   atomic step, and tells on assignment where the store is; Kafka is told the offset too, for people to see.

   A partition that was assigned is first *taken*: the handler gets ready for it and says from where; until then nothing
   is read from it. It is *released* when it moves to another replica, and released and taken anew whenever
   what was done with it is in doubt. All handler functions are called on the thread of consume_run. */
#ifndef ODRADEK_CONSUME_H
#define ODRADEK_CONSUME_H

#include "common/kafka.h"

typedef struct consume consume_t;

/* Consecutive records of one partition. */
typedef struct consume_slice {
    int topic;         /* index into the options' topics */
    int32_t partition;
    int64_t first;     /* the position before it */
    int64_t next;      /* the position after it: behind the last record, or further, where only transaction markers
                          follow */
    rd_kafka_message_t **messages; /* borrowed */
    size_t count;      /* may be 0, when only markers were passed */
} consume_slice_t;

typedef struct consume_handler {
    void *self;
    /* Gets ready for a partition. `*offset` is where Kafka has it committed, or the partition's first offset; a sink
       sets it to where its store is. OK: records follow from `*offset` on. RETRY: not yet, ask again. */
    status_t (*take)(void *self, int topic, int32_t partition, int64_t *offset, err_t *error);
    void (*release)(void *self, int topic, int32_t partition);
    /* Does the batch. RETRY: nothing was emitted or kept; the same, perhaps with more at its end, comes again after a
       pause (an empty error is not worth a word in the log). ABORT: transactional only: start anew from what is
       committed. FATAL: the process must end. */
    status_t (*apply)(void *self, const consume_slice_t *slices, size_t count, err_t *error);
    void (*idle)(void *self); /* at every turn of the loop, ten times a second at least; may be NULL */
} consume_handler_t;

typedef struct consume_options {
    const kafka_options_t *kafka; /* this and all texts borrowed */
    const char *group;
    const char *instance; /* unique among replicas, the same after a restart: static membership (KIP-345) and
                             transactional.id */
    const char *const *topics;
    size_t topics_count;
    const char *dead_letters; /* a topic with as many partitions */
    bool transactional;
    int transaction_timeout_ms;
    int batch_records; /* the most in a batch */
    consume_handler_t handler;
} consume_options_t;

/* Never fails: clients are made by consume_run. `options` is copied. */
consume_t *consume_new(const consume_options_t *options);
void consume_free(consume_t *consume); /* NULL is fine */

/* Consumes until stop_requested(). Lost brokers, fencing and failed transactions are overcome by itself. */
status_t consume_run(consume_t *consume, err_t *error) MUST_CHECK;
/* Whether it is a member of its group and all partitions that it was assigned are taken. Any thread. */
bool consume_ready(consume_t *consume, err_t *why);

/* ---- for handlers, while `apply` runs ---- */

typedef struct consume_output {
    const char *topic;
    int32_t partition;
    const void *key;
    size_t key_len;
    const void *value;
    size_t value_len;
    rd_kafka_headers_t *headers; /* stolen; NULL: none */
    int64_t *offset; /* receives the record's offset before the commit ends; must live until the partition is released
                        or the batch after; NULL: not wanted */
} consume_output_t;

/* Writes a record: transactional ones in the batch's transaction. Waits while the local queue is full. */
status_t consume_emit(consume_t *consume, const consume_output_t *output, err_t *error) MUST_CHECK;
/* Writes `message` to the dead letters as it came, with reason, topic, partition and offset in headers. */
status_t consume_dead_letter(consume_t *consume, const rd_kafka_message_t *message, const char *reason,
                             err_t *error) MUST_CHECK;
/* Waits until all that was emitted is acknowledged. A sink calls it before it moves its position: RETRY if that failed.
   Transactional: afterwards whoever asks for the end of a partition that was written to sees it behind the records, and
   the transaction open; ABORT if that failed. */
status_t consume_flush(consume_t *consume, err_t *error) MUST_CHECK;
/* Sink only: the store is not where it was thought to be: release the partition and take it anew after this batch. Also
   from `idle`. */
void consume_retake(consume_t *consume, int topic, int32_t partition);

#endif
