/* What a batch needs to know of a store, read in one pipelined exchange: for each partition atomically, together with its
   position. What is wanted is collected first, each thing once; then it is read, again if need be. */
#ifndef ODRADEK_VALIDATOR_VIEW_H
#define ODRADEK_VALIDATOR_VIEW_H

#include "common/json.h"
#include "common/redis.h"
#include "model/keys.h"
#include "services/validator/overlay.h"

typedef struct view view_t;

/* `redis` is borrowed; `position_key` is that of the position, of the function's kind in keys.h. */
view_t *view_new(redis_t *redis, int partitions, int (*position_key)(key_text_t key, int32_t partition));
void view_free(view_t *view);                     /* NULL is fine */
void view_clear(view_t *view);

void view_want_position(view_t *view, int32_t partition);
void view_want_entity(view_t *view, int32_t partition, const char *type, const char *id);
/* The same with its data. */
void view_want_data(view_t *view, int32_t partition, const char *type, const char *id);
/* Up to `most` of the entities in `partition` that link to the target. */
void view_want_linkers(view_t *view, int32_t partition, const char *target_type, const char *target_id, size_t most);
/* Which entity of a type has a unique value, in each partition. */
void view_want_holder(view_t *view, const char *type, const unique_t *value);
/* The text at `key`. */
void view_want_text(view_t *view, int32_t partition, const char *key);

/* OK: all that is wanted is known. Else RETRY. */
status_t view_read(view_t *view, err_t *error) MUST_CHECK;

/* ---- after view_read, of what was wanted by then; borrowed until the next read or clear ---- */

bool view_has(const view_t *view, int32_t partition);         /* whether anything was wanted of it */
bool view_has_entity(const view_t *view, int32_t partition, const char *type, const char *id); /* and was read */
int64_t view_position(const view_t *view, int32_t partition); /* the next offset to apply; 0: none yet */
entity_state_t view_entity(const view_t *view, int32_t partition, const char *type, const char *id);
/* Of an entity that was wanted with its data; text NULL: it has none. */
json_span_t view_data(const view_t *view, int32_t partition, const char *type, const char *id);
/* Calls `each` with "<type>:<id>" of the linkers read; it returns false to end. */
void view_each_linker(const view_t *view, int32_t partition, const char *target_type, const char *target_id,
                      bool (*each)(const char *name, void *context), void *context);
bool view_has_holder(const view_t *view, const char *type, const unique_t *value); /* and was read */
/* The id of the entity in `partition` that has a unique value; NULL: none has it, or it was not read. */
const char *view_holder(const view_t *view, int32_t partition, const char *type, const unique_t *value);
const char *view_text(const view_t *view, const char *key); /* NULL: there is none */

#endif
