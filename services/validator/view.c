/* What a batch needs to know of a store. */
#include "services/validator/view.h"

#include "common/clock.h"
#include "common/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define uthash_fatal(message) abort()
#include <uthash.h>

typedef enum kind { WANT_STATE, WANT_DATA, WANT_LINKERS, WANT_TEXT } kind_t;

typedef struct want {
    int32_t partition;
    size_t index; /* of its answer within the partition's */
    kind_t kind;
    size_t most;  /* of linkers */
    bool known;   /* it was read */
    UT_hash_handle hh;
    char key[];
} want_t;

typedef struct part {
    bool wanted;
    size_t count;     /* of answers: the position and the wants */
    want_t **wants;   /* in the order of their answers, from the second on */
    size_t wants_cap;
    size_t reply;     /* where the transaction's answer stands in the exchange */
} part_t;

struct view {
    redis_t *redis;
    int (*position_key)(key_text_t key, int32_t partition);
    part_t *parts;
    int count;
    want_t *wants; /* by key */
};

view_t *view_new(redis_t *redis, int partitions, int (*position_key)(key_text_t key, int32_t partition)) {
    view_t *view = mem_zero(1, sizeof *view);
    view->position_key = position_key;
    view->redis = redis;
    view->count = partitions;
    view->parts = mem_zero((size_t)partitions, sizeof *view->parts);
    return view;
}

void view_clear(view_t *view) {
    want_t *want, *next;
    HASH_ITER(hh, view->wants, want, next) {
        HASH_DEL(view->wants, want);
        free(want);
    }
    for (int p = 0; p < view->count; p++) {
        view->parts[p].wanted = false;
        view->parts[p].count = 0;
    }
}

void view_free(view_t *view) {
    if (!view) return;
    view_clear(view);
    for (int p = 0; p < view->count; p++) free(view->parts[p].wants);
    free(view->parts);
    free(view);
}

/* ---- what is wanted ---- */

void view_want_position(view_t *view, int32_t partition) {
    part_t *part = &view->parts[partition];
    if (part->wanted) return;
    part->wanted = true;
    part->count = 1;
}

static want_t *want(view_t *view, int32_t partition, const char *key, kind_t kind) {
    want_t *found;
    HASH_FIND_STR(view->wants, key, found);
    if (found) return found;
    view_want_position(view, partition);
    part_t *part = &view->parts[partition];
    size_t size = strlen(key) + 1;
    found = mem_zero(1, sizeof *found + size);
    found->partition = partition;
    found->index = part->count++;
    found->kind = kind;
    memcpy(found->key, key, size);
    HASH_ADD_STR(view->wants, key, found);
    if (found->index >= part->wants_cap) {
        part->wants_cap = part->wants_cap ? part->wants_cap * 2 : 16;
        part->wants = mem_resize(part->wants, part->wants_cap, sizeof *part->wants);
    }
    part->wants[found->index] = found;
    return found;
}

void view_want_entity(view_t *view, int32_t partition, const char *type, const char *id) {
    key_text_t key;
    key_snapshot(key, partition, type, id);
    want(view, partition, key, WANT_STATE);
}

void view_want_data(view_t *view, int32_t partition, const char *type, const char *id) {
    key_text_t key;
    key_snapshot(key, partition, type, id);
    want(view, partition, key, WANT_DATA)->kind = WANT_DATA; /* also where its state is wanted already */
}

void view_want_linkers(view_t *view, int32_t partition, const char *target_type, const char *target_id, size_t most) {
    key_text_t key;
    key_links(key, partition, target_type, target_id);
    want(view, partition, key, WANT_LINKERS)->most = most;
}

void view_want_text(view_t *view, int32_t partition, const char *key) {
    want(view, partition, key, WANT_TEXT);
}

/* ---- reading ---- */

static void queue(view_t *view, int32_t partition, int argc, const char **argv) {
    redis_queue(view->redis, partition, argc, argv, NULL);
}

static void queue_want(view_t *view, const want_t *wanted) {
    const char *key = wanted->key;
    char most[24];
    snprintf(most, sizeof most, "%zu", wanted->most);
    const char *words[][6] = {
        [WANT_STATE] = {"HMGET", key, "version", "deletedAt", "updatedAt", NULL},
        [WANT_DATA] = {"HMGET", key, "version", "deletedAt", "updatedAt", "data"},
        [WANT_LINKERS] = {"SRANDMEMBER", key, most, NULL},
        [WANT_TEXT] = {"GET", key, NULL},
    };
    int count = 0;
    while (count < 6 && words[wanted->kind][count]) count++;
    queue(view, wanted->partition, count, words[wanted->kind]);
}

/* Returns how many commands were queued. */
static size_t queue_part(view_t *view, int32_t partition) {
    part_t *part = &view->parts[partition];
    key_text_t key;
    view->position_key(key, partition);
    queue(view, partition, 1, (const char *[]){"MULTI"});
    queue(view, partition, 2, (const char *[]){"GET", key});
    for (size_t i = 1; i < part->count; i++) queue_want(view, part->wants[i]);
    queue(view, partition, 1, (const char *[]){"EXEC"});
    return part->count + 2;
}

/* Of a transaction's answer each part too: what cannot be read must not look like what never was. */
static status_t check_all(view_t *view, const redisReply *reply, err_t *error) {
    status_t status = redis_check(view->redis, reply, error);
    for (size_t i = 0; i < reply->elements && status == STATUS_OK; i++)
        status = redis_check(view->redis, reply->element[i], error);
    return status;
}

status_t view_read(view_t *view, err_t *error) {
    size_t queued = 0;
    for (int p = 0; p < view->count; p++) {
        if (!view->parts[p].wanted) continue;
        queued += queue_part(view, p);
        view->parts[p].reply = queued - 1;
    }
    if (queued == 0) return STATUS_OK;
    status_t status = redis_exchange(view->redis, error);
    for (size_t i = 0; i < queued && status == STATUS_OK; i++)
        status = check_all(view, redis_reply(view->redis, i), error);
    for (want_t *wanted = view->wants; wanted; wanted = wanted->hh.next) wanted->known = status == STATUS_OK;
    return status == STATUS_OK ? STATUS_OK : STATUS_RETRY;
}

/* ---- what was read ---- */

bool view_has(const view_t *view, int32_t partition) {
    return view->parts[partition].wanted;
}

static const redisReply *answer(const view_t *view, int32_t partition, size_t index) {
    return redis_reply(view->redis, view->parts[partition].reply)->element[index];
}

static const redisReply *answer_to(const view_t *view, const char *key) {
    want_t *found;
    HASH_FIND_STR(view->wants, key, found);
    return found && found->known ? answer(view, found->partition, found->index) : NULL;
}

int64_t view_position(const view_t *view, int32_t partition) {
    const redisReply *reply = answer(view, partition, 0);
    return reply->type == REDIS_REPLY_STRING ? strtoll(reply->str, NULL, 10) : 0;
}

entity_state_t view_entity(const view_t *view, int32_t partition, const char *type, const char *id) {
    key_text_t key;
    key_snapshot(key, partition, type, id);
    const redisReply *reply = answer_to(view, key);
    entity_state_t state = {0};
    if (!reply || reply->type != REDIS_REPLY_ARRAY || reply->elements < 3) return state;
    const redisReply *version = reply->element[0], *deleted = reply->element[1], *updated = reply->element[2];
    if (version->type != REDIS_REPLY_STRING) return state;
    state.version = strtoll(version->str, NULL, 10);
    state.deleted = deleted->type == REDIS_REPLY_STRING;
    if (updated->type == REDIS_REPLY_STRING) clock_parse(updated->str, &state.updated_ms);
    return state;
}

bool view_has_entity(const view_t *view, int32_t partition, const char *type, const char *id) {
    key_text_t key;
    key_snapshot(key, partition, type, id);
    return answer_to(view, key) != NULL;
}

json_span_t view_data(const view_t *view, int32_t partition, const char *type, const char *id) {
    key_text_t key;
    key_snapshot(key, partition, type, id);
    const redisReply *reply = answer_to(view, key);
    const redisReply *data = reply && reply->type == REDIS_REPLY_ARRAY && reply->elements > 3 ? reply->element[3] : NULL;
    return data && data->type == REDIS_REPLY_STRING ? (json_span_t){data->str, data->len} : (json_span_t){0};
}

void view_each_linker(const view_t *view, int32_t partition, const char *target_type, const char *target_id,
                      bool (*each)(const char *name, void *context), void *context) {
    key_text_t key;
    key_links(key, partition, target_type, target_id);
    const redisReply *reply = answer_to(view, key);
    if (!reply || reply->type != REDIS_REPLY_ARRAY) return;
    for (size_t i = 0; i < reply->elements; i++)
        if (!each(reply->element[i]->str, context)) return;
}

const char *view_text(const view_t *view, const char *key) {
    const redisReply *reply = answer_to(view, key);
    return reply && reply->type == REDIS_REPLY_STRING ? reply->str : NULL;
}
