/* The end of a topic's partition in the log: where it is, and what is in it. */
#ifndef ODRADEK_VALIDATOR_TAIL_H
#define ODRADEK_VALIDATOR_TAIL_H

#include "common/kafka.h"

typedef struct tail tail_t;

/* `kafka` is borrowed. Clients connect by themselves. */
tail_t *tail_new(const kafka_options_t *kafka, err_t *error) MUST_CHECK;
void tail_free(tail_t *tail); /* NULL is fine */

/* The end of what is committed. RETRY: Kafka does not answer. */
status_t tail_end(tail_t *tail, const char *topic, int32_t partition, int64_t *end, err_t *error) MUST_CHECK;
/* The same, and the first offset that is kept, once no transaction is open on the partition. RETRY also while one is. */
status_t tail_settled_end(tail_t *tail, const char *topic, int32_t partition, int64_t *first, int64_t *end,
                          err_t *error) MUST_CHECK;
/* The ends of all that was written to the partitions that are `wanted`, of open transactions too, into `ends`, in one
   request to each broker. RETRY: not all are known. */
status_t tail_written(tail_t *tail, const char *topic, const bool *wanted, int partitions, int64_t *ends,
                      err_t *error) MUST_CHECK;
/* Calls `each` for all that is committed from `from` on and before `end`. RETRY: not all could be read. */
status_t tail_read(tail_t *tail, const char *topic, int32_t partition, int64_t from, int64_t end,
                   void (*each)(const rd_kafka_message_t *message, void *context), void *context,
                   err_t *error) MUST_CHECK;

#endif
