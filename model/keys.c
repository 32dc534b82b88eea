/* The keys of the two Redis stores: a line each. */
#include "model/keys.h"

#include <stdio.h>

int key_offset(key_text_t key, int32_t partition) {
    return snprintf(key, KEY_SIZE, "{%d}:offset", partition);
}

int key_outcomes_offset(key_text_t key, int32_t partition) {
    return snprintf(key, KEY_SIZE, "{%d}:outcomes:offset", partition);
}

int key_history(key_text_t key, int32_t partition, const char *type, const char *id) {
    return snprintf(key, KEY_SIZE, "{%d}:events:%s:%s", partition, type, id);
}

int key_outcome(key_text_t key, int32_t partition, const char *command_id) {
    return snprintf(key, KEY_SIZE, "{%d}:outcome:%s", partition, command_id);
}

int key_scope(key_text_t scope, const char *type, const char *id, const char *idempotency_key) {
    return snprintf(scope, KEY_SIZE, "%s:%s:%s", type, id, idempotency_key);
}

int key_idempotency(key_text_t key, int32_t partition, const char *type, const char *id, const char *idempotency_key) {
    key_text_t scope;
    key_scope(scope, type, id, idempotency_key);
    return snprintf(key, KEY_SIZE, "{%d}:key:%.480s", partition, scope);
}

int key_shape(key_text_t key, int32_t partition) {
    return snprintf(key, KEY_SIZE, "{%d}:shape", partition);
}

int key_snapshot(key_text_t key, int32_t partition, const char *type, const char *id) {
    return snprintf(key, KEY_SIZE, "{%d}:%s:%s", partition, type, id);
}

int key_index(key_text_t key, int32_t partition, const char *type, const char *field) {
    return snprintf(key, KEY_SIZE, "{%d}:index:%s:%s", partition, type, field);
}

int key_links(key_text_t key, int32_t partition, const char *target_type, const char *target_id) {
    return snprintf(key, KEY_SIZE, "{%d}:links:%s:%s", partition, target_type, target_id);
}

int key_unique(key_text_t key, int32_t partition, const char *type, const char *field) {
    return snprintf(key, KEY_SIZE, "{%d}:unique:%s:%s", partition, type, field);
}

int key_claim(key_text_t key, int32_t partition, const char *type, const char *field, const char *digest) {
    return snprintf(key, KEY_SIZE, "{%d}:claim:%s:%s:%s", partition, type, field, digest);
}
