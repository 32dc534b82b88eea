/* What was decided and is not in the snapshot store yet: entity → its latest version, for each partition that this
   replica decides. Snapshot and overlay together are an entity's latest state.

   Each event that was decided is a write, held until the snapshot store's position has passed its offset; an entity
   leaves the overlay with its last write. */
#ifndef ODRADEK_VALIDATOR_OVERLAY_H
#define ODRADEK_VALIDATOR_OVERLAY_H

#include "common/json.h"
#include "model/types.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct overlay overlay_t;

/* An entity as far as decisions need it. */
typedef struct entity_state {
    int64_t version; /* 0: it never was */
    bool deleted;
    int64_t updated_ms;
} entity_state_t;

overlay_t *overlay_new(int partitions);
void overlay_free(overlay_t *overlay); /* NULL is fine */

/* Puts an entity as an event leaves it; its data as a value (NULL: none) and as bytes, which are copied. Returns where
   the event's offset belongs, -1 as long as it is not known; it lives until the write is trimmed or the partition
   dropped. */
int64_t *overlay_put(overlay_t *overlay, int32_t partition, const entity_type_t *type, const char *id,
                     const entity_state_t *state, const json_t *data, json_span_t bytes);
/* NULL: not in the overlay. Borrowed until the next put, trim or drop. */
const entity_state_t *overlay_get(const overlay_t *overlay, int32_t partition, const char *type, const char *id);
/* The data of an entity that is in the overlay; text NULL: it has none. Borrowed likewise. */
json_span_t overlay_data(const overlay_t *overlay, int32_t partition, const char *type, const char *id);
/* The same as overlay_get by "<type>:<id>". */
const entity_state_t *overlay_get_key(const overlay_t *overlay, int32_t partition, const char *key);
/* Whether an entity in the overlay of `partition`, other than the target itself, links to the target. */
bool overlay_links_to(const overlay_t *overlay, int32_t partition, const char *target_type, const char *target_id);

/* Whether an entity in the overlay has a unique value itself, and whether any other than it has. */
bool overlay_has_value(const overlay_t *overlay, int32_t partition, const char *type, const char *id,
                       const unique_t *value);
bool overlay_others_have_value(const overlay_t *overlay, int32_t partition, const char *type, const char *id,
                               const unique_t *value);

/* Forgets the writes of events below `position`, which the snapshot store has applied. */
void overlay_trim(overlay_t *overlay, int32_t partition, int64_t position);
/* Forgets all of a partition. */
void overlay_drop(overlay_t *overlay, int32_t partition);

size_t overlay_writes(const overlay_t *overlay); /* of all partitions */
size_t overlay_bytes(const overlay_t *overlay);  /* of data held, of all partitions */
size_t overlay_entities(const overlay_t *overlay, int32_t partition);

#endif
