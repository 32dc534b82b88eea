/* A Redis store: one or several servers over which partitions spread, spoken to in pipelines.
   Commands are queued, then sent and answered together; partition p lives on server p mod n. A server that cannot be
   reached, or whose connection broke, makes the exchange fail as RETRY and is connected anew by the next one.
   Used from one thread. */
#ifndef ODRADEK_REDIS_H
#define ODRADEK_REDIS_H

#include "common/base.h"

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct redis redis_t;

enum { REDIS_CONNECT_TIMEOUT_MS = 1000, REDIS_TIMEOUT_MS = 5000 };

/* `servers`: `count` times "host:port", borrowed like `name`, which metrics and errors carry. Connects at first use.
   NULL: a server's text is not of that form. */
redis_t *redis_new(const char *name, char *const *servers, size_t count, err_t *error) MUST_CHECK;
void redis_free(redis_t *redis);

/* Makes `text` known to each server from its next connection on; `sha` (41 bytes) receives the name for EVALSHA. */
void redis_script(redis_t *redis, const char *text, char sha[41]);

/* Queues a command for the server of `partition`; the arguments are copied. */
void redis_queue(redis_t *redis, int32_t partition, int argc, const char **argv, const size_t *lens);
/* Sends what was queued and waits for all answers. On OK `redis_reply(redis, i)` is the answer to the i-th command
   queued, which may be an error answer; borrowed until the next redis_queue. Anything but OK: there are no answers,
   and what the servers did is unknown. */
status_t redis_exchange(redis_t *redis, err_t *error) MUST_CHECK;
redisReply *redis_reply(redis_t *redis, size_t i);
/* Forgets what was queued and not exchanged. */
void redis_discard(redis_t *redis);

/* The class of an answer: OK, or for an error answer RETRY (the server is loading, full, or lost the script; in the
   last case it is connected anew) or FATAL. */
status_t redis_check(redis_t *redis, const redisReply *reply, err_t *error) MUST_CHECK;

/* Whether every server answered its last exchange; one that was never asked counts as well. Any thread. */
bool redis_connected(const redis_t *redis);

/* A command's arguments, collected in a row; a zeroed one is empty and ready. */
typedef struct redis_args {
    const char **argv;
    size_t *lens;
    int count, cap;
    struct redis_block *blocks; /* of copies */
} redis_args_t;

void redis_args_free(redis_args_t *args);  /* leaves it empty and ready */
void redis_args_clear(redis_args_t *args); /* keeps the memory for the next command */
void redis_args_add(redis_args_t *args, const char *text, size_t len); /* borrowed until the clear */
void redis_args_adds(redis_args_t *args, const char *text);
void redis_args_copy(redis_args_t *args, const char *text, size_t len);
void redis_args_copys(redis_args_t *args, const char *text);
void redis_args_number(redis_args_t *args, int64_t number);

#endif
