/* What the materializer writes to the snapshot store: every entity as its latest event leaves it. */
#ifndef ODRADEK_MATERIALIZER_H
#define ODRADEK_MATERIALIZER_H

#include "services/sink.h"

/* As service_t has it; the sink is the service. */
void *materializer_open(const service_context_t *context, err_t *error);

/* The arguments of snapshots.lua for a record; as sink_topic_t has it. */
bool materializer_add_event(const service_context_t *context, const rd_kafka_message_t *message, redis_args_t *args,
                            err_t *why);

#endif
