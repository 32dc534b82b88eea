/* Requests that wait for their command's outcome. Every instance reads `outcomes` from its end on; an outcome finds the
   request by the command's id. No thread waits for a request, and none is lost: what an instance could not see is
   looked up in the event store before a request is told that its time is over. */
#ifndef ODRADEK_COMMAND_API_WAITS_H
#define ODRADEK_COMMAND_API_WAITS_H

#include "common/kafka.h"

typedef struct waits waits_t;

/* What a request is told; called once for each, on any thread. `outcome` is the record, or NULL: the time is over. */
typedef void (*waits_done_t)(void *waiting, const char *outcome, size_t len);

/* Starts a thread. `kafka` and `topic` are borrowed. */
waits_t *waits_new(const kafka_options_t *kafka, const char *topic, int partitions, waits_done_t done,
                   err_t *error) MUST_CHECK;
/* Whether outcomes are read, so that waits end in time. Any thread. */
bool waits_ready(const waits_t *waits);
/* Ends all waits, as if their time were over, and takes no more. */
void waits_end(waits_t *waits);
bool waits_ending(waits_t *waits); /* any thread */
void waits_free(waits_t *waits); /* NULL is fine */

/* A request that waits. */
typedef struct wait wait_t;

/* Begins to look out for the outcome, before the command is sent. `command_id` is copied; several requests may wait for
   the same command. */
wait_t *waits_expect(waits_t *waits, const char *command_id, void *waiting, int seconds);
/* The command is in the log: from now on `done` may be called, at once if the outcome is here already. Steals `wait`. */
void waits_sent(waits_t *waits, wait_t *wait);
/* The command was not sent after all: `done` will not be called. Steals `wait`. */
void waits_forget(waits_t *waits, wait_t *wait);

#endif
