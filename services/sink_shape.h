/* Which shape a partition's part of a store has, and how one of another shape is emptied.

   The shape stands in the store itself, {p}:shape. Where it is not the one that is wanted, a mark of this sink takes its
   place and in the same step the position goes: from then on nobody applies to it. Then the partition's keys are removed,
   some at a time, each time only where the mark still stands; at last the shape takes the mark's place, and the partition is
   filled from the beginning. A crash in between leaves the mark, which is another shape: whoever comes next starts again. */
#ifndef ODRADEK_SERVICES_SINK_SHAPE_H
#define ODRADEK_SERVICES_SINK_SHAPE_H

#include "common/redis.h"
#include "model/keys.h"

typedef struct sink_shape sink_shape_t;

/* `redis` is borrowed, texts are copied. */
sink_shape_t *sink_shape_new(redis_t *redis, const char *shape, const char *instance, int partitions);
void sink_shape_free(sink_shape_t *shape); /* NULL is fine */
const char *sink_shape_text(const sink_shape_t *shape);

/* OK: the partition has the shape. RETRY: it is being emptied, for a second of each call, or the store does not answer. */
status_t sink_shape_take(sink_shape_t *shape, int32_t partition, err_t *error) MUST_CHECK;

#endif
