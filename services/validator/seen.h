/* Commands that were decided and whose outcomes are not in the event store yet, for each partition that this replica
   decides; and the idempotency keys that they came with. Store and this together know every command that was
   decided, as long as outcomes are kept: one that comes again is not decided again. */
#ifndef ODRADEK_VALIDATOR_SEEN_H
#define ODRADEK_VALIDATOR_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct seen seen_t;

seen_t *seen_new(int partitions);
void seen_free(seen_t *seen); /* NULL is fine */

/* Remembers a command, and the text that stands for its idempotency key (NULL: it has none). Returns where the offset
   of its outcome belongs, -1 as long as it is not known; it lives until it is trimmed or the partition dropped. */
int64_t *seen_put(seen_t *seen, int32_t partition, const char *command_id, const char *key);
bool seen_has(const seen_t *seen, int32_t partition, const char *command_id);
/* The command that came with `key`; NULL: none. Borrowed until the next trim or drop. */
const char *seen_by_key(const seen_t *seen, int32_t partition, const char *key);

/* Forgets those whose outcomes lie below `position`, which the event store has applied. */
void seen_trim(seen_t *seen, int32_t partition, int64_t position);
void seen_drop(seen_t *seen, int32_t partition);

size_t seen_count(const seen_t *seen); /* of all partitions */

#endif
