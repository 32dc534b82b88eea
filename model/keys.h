/* The keys of the two Redis stores. Each begins with its partition as a hash tag, so that the keys of a partition share
   a slot and change together. */
#ifndef ODRADEK_MODEL_KEYS_H
#define ODRADEK_MODEL_KEYS_H

#include <stdint.h>

#define KEY_SIZE 512 /* the longest key: names of types have 64 characters at most, ids 128, idempotency keys 255 */

typedef char key_text_t[KEY_SIZE];

/* Both stores: the next offset of `events` to apply. */
int key_offset(key_text_t key, int32_t partition);
/* Event store: the next offset of `outcomes` to apply. */
int key_outcomes_offset(key_text_t key, int32_t partition);
/* Event store: an entity's history, a stream with entry ids <version>-0, each with one field `event`. */
int key_history(key_text_t key, int32_t partition, const char *type, const char *id);
/* Event store: what became of a command, as the outcome's record. */
int key_outcome(key_text_t key, int32_t partition, const char *command_id);
/* What an idempotency key stands for is an entity's own: "<type>:<id>:<key>". */
int key_scope(key_text_t scope, const char *type, const char *id, const char *idempotency_key);
/* Event store: the id of the command that an idempotency key of an entity belongs to. */
int key_idempotency(key_text_t key, int32_t partition, const char *type, const char *id, const char *idempotency_key);
/* Snapshot store: the shape of what it keeps for this partition (model/shape.h). */
int key_shape(key_text_t key, int32_t partition);
/* Snapshot store: an entity now, a hash: version, data, createdAt, updatedAt, links, index, unique, and of a deleted one
   deletedAt. */
int key_snapshot(key_text_t key, int32_t partition, const char *type, const char *id);
/* Snapshot store: a type's entities that are not deleted, a sorted set: by "id" their ids, and by a field that is indexed
   what model/index.h says. */
int key_index(key_text_t key, int32_t partition, const char *type, const char *field);
/* Snapshot store: the entities of this partition that link to an entity of any, a set of "<type>:<id>". */
int key_links(key_text_t key, int32_t partition, const char *target_type, const char *target_id);
/* Snapshot store: the entities of this partition by their values of a unique member, a hash of digest → id. */
int key_unique(key_text_t key, int32_t partition, const char *type, const char *field);
/* Snapshot store: who is about to set a unique value, of any partition's entities; `partition` is that of the digest. */
int key_claim(key_text_t key, int32_t partition, const char *type, const char *field, const char *digest);

/* All return the length. */

#endif
