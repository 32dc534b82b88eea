/* What the files of the consumer runtime share.

       consume.c             the loop: collect a batch, have it applied, commit it
       consume_partition.c   partitions: assigned → taken → released
       consume_producer.c    what is emitted, and transactions                                            */
#ifndef ODRADEK_CONSUME_INTERNAL_H
#define ODRADEK_CONSUME_INTERNAL_H

#include "common/consume.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/metric.h"

enum { CONSUME_POLL_MS = 100, CONSUME_TAKE_POLL_MS = 10, CONSUME_REQUEST_MS = 2000 };

/* ABSENT: another replica's. PENDING: ours, but not taken yet. RUNNING: its records are collected. */
typedef enum partition_state { PARTITION_ABSENT, PARTITION_PENDING, PARTITION_RUNNING } partition_state_t;

typedef struct partition {
    partition_state_t state;
    bool known; /* the handler was told of it by `take`, and will be by `release` */
    bool retake;
    bool paused; /* nothing is fetched of it */
    int topic;
    int32_t number;
    int64_t next;     /* position behind what was collected */
    int64_t position; /* position behind what was applied; below 0: never taken here */
    rd_kafka_message_t **messages; /* collected and not yet applied */
    size_t count, cap;
    bool touched; /* collected from since the last batch */
    metric_t *lag;
} partition_t;

struct consume {
    consume_options_t options;
    kafka_health_t health;
    rd_kafka_t *consumer;
    rd_kafka_t *probe;    /* for questions to brokers: the consumer's would wait behind its long fetches */
    rd_kafka_t *producer; /* transactional: always there; sink: made by the first dead letter */
    bool in_transaction;
    partition_t **partitions; /* [topic][number] */
    size_t *partitions_count; /* [topic] */
    size_t records, bytes;    /* collected in this batch */
    bool touched;             /* anything was collected, be it only the end of a partition */
    consume_slice_t *slices;
    size_t slices_cap;
    int64_t take_at_us; /* when pending partitions are tried again */
    int take_pause_ms;
    int64_t lag_at_us, probe_at_us;
    mem_rest_t rest;
    log_condition_t taking, applying, transaction, broker, brokers;
    _Atomic int pending_count;
    _Atomic bool member;
    metric_t *batch_records, *batch_seconds, *retries, *dead_letters, *assigned;
    metric_t **records_total; /* [topic] */
    metric_t *committed, *aborted, *unknown, *transaction_seconds;
    int failed_deliveries; /* of a sink's dead letters since the last flush */
};

/* The runtime of a callback's opaque, which is that of kafka_conf_new: the health. */
static inline consume_t *consume_of(void *opaque) {
    return (consume_t *)((char *)opaque - offsetof(consume_t, health));
}

/* consume_partition.c */
partition_t *consume_partition(consume_t *consume, int topic, int32_t number);
partition_t *consume_partition_of(consume_t *consume, const rd_kafka_message_t *message);
/* Calls `each` for every partition that is not ABSENT. */
void consume_each(consume_t *consume, void (*each)(consume_t *consume, partition_t *partition));
void consume_drop_messages(consume_t *consume, partition_t *partition);
void consume_on_rebalance(rd_kafka_t *client, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *list,
                          void *opaque);
/* Something of a partition came that is not collected: it is not fetched any more until it is taken. */
void consume_not_yet(consume_t *consume, partition_t *partition);
/* Tries to take what is pending. */
void consume_take_pending(consume_t *consume);
/* Releases all that runs, so that it is taken anew from what is committed. */
void consume_retake_all(consume_t *consume);
void consume_release_marked(consume_t *consume);
void consume_update_lag(consume_t *consume);
void consume_partitions_free(consume_t *consume);

/* consume_producer.c */
status_t consume_producer_open(consume_t *consume, err_t *error) MUST_CHECK;
void consume_producer_close(consume_t *consume);
/* Has the batch applied and commits it with its offsets. */
status_t consume_transaction(consume_t *consume, size_t slices, err_t *error) MUST_CHECK;

#endif
