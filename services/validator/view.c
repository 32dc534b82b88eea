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

/* A unique member whose values are wanted: one command asks for all of them, in each partition. */
typedef struct field {
    size_t index; /* of its answer, behind those of the wants */
    const char *type, *name;
    const char **digests; /* of values */
    size_t count, cap;
    size_t known; /* so many of them were read */
    UT_hash_handle hh;
    char key[]; /* "<type>:<name>" */
} field_t;

typedef struct value {
    field_t *field;
    size_t index; /* among the field's */
    UT_hash_handle hh;
    char key[]; /* "<type>:<field>:<digest>" */
} value_t;

typedef struct part {
    bool wanted;
    size_t count;     /* of answers: the position and the wants */
    size_t answered;  /* the same, when it was read */
    want_t **wants;   /* in the order of their answers, from the second on */
    size_t wants_cap;
    size_t reply;     /* where the transaction's answer stands in the exchange */
} part_t;

struct view {
    redis_t *redis;
    int (*position_key)(key_text_t key, int32_t partition);
    part_t *parts;
    int count;
    want_t *wants;   /* by key */
    field_t *fields; /* by key, in the order of their answers */
    value_t *values; /* by key */
};

view_t *view_new(redis_t *redis, int partitions, int (*position_key)(key_text_t key, int32_t partition)) {
    view_t *view = mem_zero(1, sizeof *view);
    view->position_key = position_key;
    view->redis = redis;
    view->count = partitions;
    view->parts = mem_zero((size_t)partitions, sizeof *view->parts);
    return view;
}

static void forget_values(view_t *view) {
    value_t *value, *next_value;
    HASH_ITER(hh, view->values, value, next_value) {
        HASH_DEL(view->values, value);
        free(value);
    }
    field_t *field, *next;
    HASH_ITER(hh, view->fields, field, next) {
        HASH_DEL(view->fields, field);
        free(field->digests);
        free(field);
    }
}

void view_clear(view_t *view) {
    want_t *want, *next;
    forget_values(view);
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

enum { VALUE_KEY_SIZE = 256 }; /* 64, 128 and 43 characters at most, and what is between */

static void value_key(char key[VALUE_KEY_SIZE], const char *type, const unique_t *value) {
    snprintf(key, VALUE_KEY_SIZE, "%s:%s:%s", type, value->field, value->digest);
}

static field_t *field_of(view_t *view, const char *type, const char *name) {
    char key[VALUE_KEY_SIZE];
    field_t *field;
    size_t size = (size_t)snprintf(key, sizeof key, "%s:%s", type, name) + 1;
    HASH_FIND_STR(view->fields, key, field);
    if (field) return field;
    field = mem_zero(1, sizeof *field + size);
    field->index = HASH_COUNT(view->fields);
    field->type = type;
    field->name = name;
    memcpy(field->key, key, size);
    HASH_ADD_STR(view->fields, key, field);
    for (int32_t p = 0; p < view->count; p++) view_want_position(view, p);
    return field;
}

static value_t *value_of(const view_t *view, const char *type, const unique_t *unique) {
    char key[VALUE_KEY_SIZE];
    value_t *value;
    value_key(key, type, unique);
    HASH_FIND_STR(view->values, key, value);
    return value;
}

void view_want_holder(view_t *view, const char *type, const unique_t *unique) {
    char key[VALUE_KEY_SIZE];
    if (value_of(view, type, unique)) return;
    value_key(key, type, unique);
    size_t size = strlen(key) + 1;
    value_t *value = mem_zero(1, sizeof *value + size);
    memcpy(value->key, key, size);
    HASH_ADD_STR(view->values, key, value);
    field_t *field = value->field = field_of(view, type, unique->field);
    if (field->count == field->cap) {
        field->cap = field->cap ? field->cap * 2 : 16;
        field->digests = mem_resize(field->digests, field->cap, sizeof *field->digests);
    }
    value->index = field->count++;
    field->digests[value->index] = value->key + size - UNIQUE_DIGEST_SIZE;
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

static void queue_field(view_t *view, int32_t partition, const field_t *field) {
    key_text_t key;
    const char **argv = mem_alloc((field->count + 2) * sizeof *argv);
    key_unique(key, partition, field->type, field->name);
    argv[0] = "HMGET";
    argv[1] = key;
    memcpy(argv + 2, field->digests, field->count * sizeof *argv);
    queue(view, partition, (int)field->count + 2, argv);
    free(argv);
}

/* Returns how many commands were queued. */
static size_t queue_part(view_t *view, int32_t partition) {
    part_t *part = &view->parts[partition];
    key_text_t key;
    view->position_key(key, partition);
    queue(view, partition, 1, (const char *[]){"MULTI"});
    queue(view, partition, 2, (const char *[]){"GET", key});
    for (size_t i = 1; i < part->count; i++) queue_want(view, part->wants[i]);
    for (const field_t *field = view->fields; field; field = field->hh.next) queue_field(view, partition, field);
    queue(view, partition, 1, (const char *[]){"EXEC"});
    part->answered = part->count;
    return part->count + HASH_COUNT(view->fields) + 2;
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
    for (field_t *field = view->fields; field; field = field->hh.next)
        field->known = status == STATUS_OK ? field->count : 0;
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

bool view_has_holder(const view_t *view, const char *type, const unique_t *unique) {
    const value_t *value = value_of(view, type, unique);
    return value && value->index < value->field->known;
}

const char *view_holder(const view_t *view, int32_t partition, const char *type, const unique_t *unique) {
    const value_t *value = value_of(view, type, unique);
    if (!value || value->index >= value->field->known) return NULL;
    const redisReply *reply = answer(view, partition, view->parts[partition].answered + value->field->index);
    if (reply->type != REDIS_REPLY_ARRAY || value->index >= reply->elements) return NULL;
    const redisReply *id = reply->element[value->index];
    return id->type == REDIS_REPLY_STRING ? id->str : NULL;
}

const char *view_text(const view_t *view, const char *key) {
    const redisReply *reply = answer_to(view, key);
    return reply && reply->type == REDIS_REPLY_STRING ? reply->str : NULL;
}
