/* Requests that wait until a snapshot is at a version. One thread asks the store for all of them, those that wait for
   long less often; none has a thread of its own. */
#ifndef ODRADEK_QUERY_FRESH_H
#define ODRADEK_QUERY_FRESH_H

#include "common/lookup.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct fresh fresh_t;
typedef void (*fresh_again_t)(void *context);

/* Starts the thread. `snapshots` is borrowed, and must end later than this. */
fresh_t *fresh_new(lookup_t *snapshots, err_t *error) MUST_CHECK;
/* All that wait are called now, and the thread ends. */
void fresh_end(fresh_t *fresh);
void fresh_free(fresh_t *fresh); /* NULL is fine */

/* Calls `again`, on any thread, when the snapshot at `key` (copied) is at `version`, at the deadline (of clock_monotonic_us),
   or when it ends. False: it has ended, or the deadline is over, and nothing is called. */
bool fresh_wait(fresh_t *fresh, int32_t partition, const char *key, int64_t version, int64_t deadline_us,
                fresh_again_t again, void *context);

#endif
