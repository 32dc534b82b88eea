/* What the persister writes to the event store: events as histories, outcomes by command. */
#ifndef ODRADEK_PERSISTER_H
#define ODRADEK_PERSISTER_H

#include "services/sink.h"

/* As service_t has it; the sink is the service. */
void *persister_open(const service_context_t *context, err_t *error);

/* The arguments of history.lua and outcomes.lua for a record; as sink_topic_t has them. */
bool persister_add_event(const service_context_t *context, const rd_kafka_message_t *message, redis_args_t *args,
                         err_t *why);
bool persister_add_outcome(const service_context_t *context, const rd_kafka_message_t *message, redis_args_t *args,
                           err_t *why);

#endif
