/* Reads from a Redis store for HTTP handlers: any thread asks, one thread per store sends what has gathered while the
   last exchange went on as one pipeline, and answers. So there is never a round trip for a single request, and no
   HTTP thread waits. */
#ifndef ODRADEK_LOOKUP_H
#define ODRADEK_LOOKUP_H

#include "common/redis.h"

typedef struct lookup lookup_t;
typedef struct lookup_request lookup_request_t;

/* Called once for each request. OK: all answers are there, and none is an error. RETRY: the store is away, or not ready
   to answer; FATAL: it refused a command. Then `error` says why, and there are no answers to look at.
   The request is freed when it returns; it may submit another one. Must not block. */
typedef void (*lookup_done_t)(lookup_request_t *request, status_t status, const err_t *error, void *context);

/* Starts the store's thread; see redis_new. At most `queue_max` requests wait at a time. */
lookup_t *lookup_new(const char *name, char *const *servers, size_t count, size_t queue_max, err_t *error) MUST_CHECK;
/* Answers all that wait and ends the store's thread; a request that comes later is ended with RETRY at once. Requests
   that `done` submits meanwhile are answered too. */
void lookup_end(lookup_t *lookup);
/* Ends it, where that was not done, and frees it. No thread may submit any more. NULL is fine. */
void lookup_free(lookup_t *lookup);
/* Whether the store answered last time. Any thread. An idle store is asked every second. */
bool lookup_connected(lookup_t *lookup);

/* A request: one or more commands, answered together. Only reads: a connection that breaks sends them again. */
lookup_request_t *lookup_request_new(lookup_done_t done, void *context);
/* Adds a command, words ended by NULL; copied. */
void lookup_add(lookup_request_t *request, int32_t partition, ...) __attribute__((sentinel));
/* Steals the request. Where the queue is full, or the store is known to be away, `done` is called with RETRY at once, on
   this thread; else on the store's. */
void lookup_submit(lookup_t *lookup, lookup_request_t *request);
/* The answer to the i-th command added; borrowed while `done` runs. */
redisReply *lookup_reply(lookup_request_t *request, size_t i);

#endif
