/* Which shape a partition's part of a store has, and how one of another shape is emptied. */
#include "services/sink_shape.h"

#include "common/clock.h"
#include "common/embed.h"
#include "common/log.h"
#include "common/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

EMBED(sweep_script, "services/sweep.lua");

enum { ROUND_US = 1000000, MARK_SIZE = 400, CURSOR_SIZE = 24 };
#define SCAN_COUNT "1000"

typedef struct sweep {
    char mark[MARK_SIZE]; /* empty: none goes on */
    char cursor[CURSOR_SIZE];
} sweep_t;

struct sink_shape {
    redis_t *redis;
    char *text, *instance;
    sweep_t *sweeps; /* by partition */
    char sha[41];
    redis_args_t args;
};

sink_shape_t *sink_shape_new(redis_t *redis, const char *text, const char *instance, int partitions) {
    sink_shape_t *shape = mem_zero(1, sizeof *shape);
    shape->redis = redis;
    shape->text = mem_string(text);
    shape->instance = mem_string(instance);
    shape->sweeps = mem_zero((size_t)partitions, sizeof *shape->sweeps);
    redis_script(redis, sweep_script, shape->sha);
    return shape;
}

void sink_shape_free(sink_shape_t *shape) {
    if (!shape) return;
    redis_args_free(&shape->args);
    free(shape->sweeps);
    free(shape->instance);
    free(shape->text);
    free(shape);
}

const char *sink_shape_text(const sink_shape_t *shape) {
    return shape->text;
}

/* ---- the store ---- */

/* Sends the command in `args`. */
static status_t ask(sink_shape_t *shape, int32_t partition, err_t *error) {
    redis_queue(shape->redis, partition, shape->args.count, shape->args.argv, shape->args.lens);
    status_t status = redis_exchange(shape->redis, error);
    if (status == STATUS_OK) status = redis_check(shape->redis, redis_reply(shape->redis, 0), error);
    return status == STATUS_OK ? STATUS_OK : STATUS_RETRY;
}

static status_t get(sink_shape_t *shape, int32_t partition, const char *key, err_t *error) {
    redis_args_clear(&shape->args);
    redis_args_adds(&shape->args, "GET");
    redis_args_adds(&shape->args, key);
    return ask(shape, partition, error);
}

/* Begins a step of the script; keys to remove may follow in `args`. */
static void begin_step(sink_shape_t *shape, int32_t partition, const char *expected, const char *afterwards) {
    key_text_t key;
    key_shape(key, partition);
    redis_args_clear(&shape->args);
    redis_args_adds(&shape->args, "EVALSHA");
    redis_args_add(&shape->args, shape->sha, 40);
    redis_args_adds(&shape->args, "1");
    redis_args_copys(&shape->args, key);
    redis_args_copys(&shape->args, expected);
    redis_args_copys(&shape->args, afterwards);
}

static status_t run_step(sink_shape_t *shape, int32_t partition, err_t *error) {
    status_t status = ask(shape, partition, error);
    if (status != STATUS_OK || redis_reply(shape->redis, 0)->integer == 1) return status;
    shape->sweeps[partition].mark[0] = '\0';
    return err_set(error, STATUS_RETRY, "somebody else empties partition %d too", (int)partition);
}

/* ---- emptying ---- */

static status_t begin(sink_shape_t *shape, int32_t partition, err_t *error) {
    sweep_t *sweep = &shape->sweeps[partition];
    key_text_t position;
    key_offset(position, partition);
    status_t status = get(shape, partition, position, error);
    if (status != STATUS_OK) return status;
    bool filled = redis_reply(shape->redis, 0)->type == REDIS_REPLY_STRING;
    char mark[MARK_SIZE];
    snprintf(mark, sizeof mark, "emptied by %.300s since %" PRId64, shape->instance, clock_monotonic_us());
    begin_step(shape, partition, "", mark);
    redis_args_adds(&shape->args, position);
    status = run_step(shape, partition, error);
    if (status != STATUS_OK) return status;
    if (filled) log_info("partition %d was filled for other links or indexes, and is filled anew", (int)partition);
    memcpy(sweep->mark, mark, sizeof mark);
    strcpy(sweep->cursor, "0");
    return STATUS_OK;
}

/* Removes some of the partition's keys. */
static status_t step(sink_shape_t *shape, int32_t partition, err_t *error) {
    sweep_t *sweep = &shape->sweeps[partition];
    key_text_t own;
    char pattern[24];
    key_shape(own, partition);
    snprintf(pattern, sizeof pattern, "{%d}:*", (int)partition);
    const char *words[] = {"SCAN", sweep->cursor, "MATCH", pattern, "COUNT", SCAN_COUNT};
    redis_args_clear(&shape->args);
    for (size_t i = 0; i < ARRAY_LEN(words); i++) redis_args_adds(&shape->args, words[i]);
    status_t status = ask(shape, partition, error);
    if (status != STATUS_OK) return status;
    const redisReply *cursor = redis_reply(shape->redis, 0)->element[0], *keys = redis_reply(shape->redis, 0)->element[1];
    char next[CURSOR_SIZE];
    snprintf(next, sizeof next, "%s", cursor->str);
    begin_step(shape, partition, sweep->mark, sweep->mark);
    for (size_t i = 0; i < keys->elements; i++)
        if (strcmp(keys->element[i]->str, own)) redis_args_copy(&shape->args, keys->element[i]->str, keys->element[i]->len);
    status = run_step(shape, partition, error);
    if (status == STATUS_OK) memcpy(sweep->cursor, next, sizeof next);
    return status;
}

static status_t finish(sink_shape_t *shape, int32_t partition, err_t *error) {
    sweep_t *sweep = &shape->sweeps[partition];
    begin_step(shape, partition, sweep->mark, shape->text);
    status_t status = run_step(shape, partition, error);
    if (status == STATUS_OK) sweep->mark[0] = '\0';
    return status;
}

static status_t sweep(sink_shape_t *shape, int32_t partition, err_t *error) {
    int64_t end = clock_monotonic_us() + ROUND_US;
    do {
        status_t status = step(shape, partition, error);
        if (status != STATUS_OK) return status;
        if (!strcmp(shape->sweeps[partition].cursor, "0")) return finish(shape, partition, error);
    } while (clock_monotonic_us() < end);
    return err_set(error, STATUS_RETRY, "partition %d is being emptied", (int)partition);
}

status_t sink_shape_take(sink_shape_t *shape, int32_t partition, err_t *error) {
    if (!shape->sweeps[partition].mark[0]) {
        key_text_t key;
        key_shape(key, partition);
        status_t status = get(shape, partition, key, error);
        if (status != STATUS_OK) return status;
        const redisReply *found = redis_reply(shape->redis, 0);
        if (found->type == REDIS_REPLY_STRING && !strcmp(found->str, shape->text)) return STATUS_OK;
        status = begin(shape, partition, error);
        if (status != STATUS_OK) return status;
    }
    return sweep(shape, partition, error);
}
