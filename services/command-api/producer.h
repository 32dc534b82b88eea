/* Writes commands to the log, and says of each what became of it. */
#ifndef ODRADEK_COMMAND_API_PRODUCER_H
#define ODRADEK_COMMAND_API_PRODUCER_H

#include "common/kafka.h"
#include "common/strbuf.h"
#include "common/trace.h"

typedef struct producer producer_t;

typedef enum fate {
    FATE_WRITTEN,     /* all in-sync replicas have it */
    FATE_NOT_WRITTEN, /* it is not in the log and will not be */
    FATE_UNKNOWN,     /* it was sent, and no answer came: it may be there */
} fate_t;

/* Called once for each record that was sent, on the thread of producer_run or producer_drain. `why` is empty for one
   that was written. */
typedef void (*producer_done_t)(void *record, fate_t fate, const char *why);

typedef struct producer_options {
    const kafka_options_t *kafka; /* borrowed for the producer's life, like `topic` */
    const char *topic;
    int pending_max; /* records on their way at once */
    producer_done_t done;
    /* NULL, or called again and again on the thread of producer_run or producer_drain, also after the last record was
       taken: there may be room again, or the log be away. */
    void (*served)(void *context);
    void *context;
} producer_options_t;

/* Waits for nobody. NULL: a property is wrong. */
producer_t *producer_new(const producer_options_t *options, err_t *error) MUST_CHECK;
void producer_free(producer_t *producer); /* after producer_drain, or without any record sent; NULL is fine */

typedef enum producer_sent { PRODUCER_SENT, PRODUCER_FULL, PRODUCER_AWAY, PRODUCER_TOO_LARGE } producer_sent_t;

/* Any thread, also before producer_run. On SENT the text of `value` is stolen, and `done` is called with `record`,
   perhaps before this returns; on all others nothing was done. `trace`: goes into the record's headers; NULL: none. */
producer_sent_t producer_send(producer_t *producer, int32_t partition, const char *key, strbuf_t *value,
                              const trace_t *trace, void *record);
/* Whether the log takes records now; else `why` says why not. Any thread. */
bool producer_ready(producer_t *producer, err_t *why);

/* Serves the producer until stop_requested(). */
status_t producer_run(producer_t *producer, err_t *error) MUST_CHECK;
/* Takes no more records, and waits until each has met its fate. */
void producer_drain(producer_t *producer);

#endif
