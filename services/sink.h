/* A sink on the consumer runtime: records of a partition go into a Redis store by a script, which moves the store's
   position in the same step and does nothing when the store is not where the sink thinks that it is: flushed, set
   back, or written by another replica. */
#ifndef ODRADEK_SERVICES_SINK_H
#define ODRADEK_SERVICES_SINK_H

#include "common/consume.h"
#include "common/redis.h"
#include "model/keys.h"
#include "services/service.h"

typedef struct sink sink_t;

/* A topic, and how its records are written.

   The script gets the position's key as KEYS[1] and as arguments: where the store must be (-1: nowhere yet), where it
   is afterwards, the partition's prefix "{p}:", the store's shape or else the lifetime in seconds of what expires; then for
   each record its offset and what `add` added, always as many. It answers {"ok"}, {"moved", position} or {"gap", offset, reason}; the
   last means that it stopped before the record at that offset, which then becomes a dead letter. */
typedef struct sink_topic {
    const char *name;
    const char *script;
    int (*offset_key)(key_text_t key, int32_t partition);
    int64_t expire_seconds;
    /* Adds a record's arguments. False: it is none, `why` says why, nothing was added. */
    bool (*add)(const service_context_t *context, const rd_kafka_message_t *message, redis_args_t *args, err_t *why);
} sink_topic_t;

enum { SINK_TOPICS_MAX = 4 };

typedef struct sink_options {
    const service_context_t *context; /* borrowed */
    const char *group;
    const char *store; /* its name, for errors and metrics */
    char *const *servers;
    size_t servers_count;
    const char *shape; /* of what the store keeps of this, copied: a partition of another shape is emptied and filled anew
                          (sink_shape.h); NULL: it has none */
    const sink_topic_t *topics; /* copied */
    size_t topics_count;
} sink_options_t;

sink_t *sink_new(const sink_options_t *options, err_t *error) MUST_CHECK;
/* As service_t has them. */
status_t sink_run(void *sink, err_t *error);
bool sink_ready(void *sink, err_t *why);
void sink_free(void *sink);

#endif
