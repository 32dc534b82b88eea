/* What the persister writes to the event store: events as histories, outcomes by command. */
#include "services/persister/persister.h"

#include "common/embed.h"


EMBED(history_script, "services/persister/history.lua");
EMBED(outcomes_script, "services/persister/outcomes.lua");

bool persister_add_event(const service_context_t *context, const rd_kafka_message_t *message, redis_args_t *args,
                         err_t *why) {
    event_t event;
    if (!event_decode(context->shapes, message->payload, message->len, &event, why)) return false;
    verb_t verb;
    const entity_type_t *type = types_of_event(context->types, event.type, &verb);
    if (type) {
        redis_args_adds(args, type->name);
        redis_args_copys(args, event.id);
        redis_args_number(args, event.version);
        redis_args_add(args, message->payload, message->len);
    } else {
        err_set(why, STATUS_FATAL, "unknown event type \"%s\"", event.type);
    }
    event_clear(&event);
    return type != NULL;
}

bool persister_add_outcome(const service_context_t *context, const rd_kafka_message_t *message, redis_args_t *args,
                           err_t *why) {
    outcome_t outcome;
    if (!outcome_decode(context->shapes, message->payload, message->len, &outcome, why)) return false;
    verb_t verb;
    const entity_type_t *type = types_of_command(context->types, outcome.type, &verb);
    key_text_t scope = "";
    if (type && outcome.idempotency_key) key_scope(scope, type->name, outcome.id, outcome.idempotency_key);
    redis_args_copys(args, outcome.command_id);
    redis_args_add(args, message->payload, message->len);
    redis_args_copys(args, scope);
    redis_args_number(args, context->settings->retention.idempotency_hours * INT64_C(3600));
    outcome_clear(&outcome);
    return true;
}

void *persister_open(const service_context_t *context, err_t *error) {
    const settings_t *settings = context->settings;
    const sink_topic_t topics[] = {
        {topic_names[TOPIC_EVENTS], history_script, key_offset, 0, persister_add_event},
        {topic_names[TOPIC_OUTCOMES], outcomes_script, key_outcomes_offset, settings->retention.outcomes_hours * INT64_C(3600),
         persister_add_outcome},
    };
    return sink_new(
        &(sink_options_t){
            .context = context,
            .group = "persister",
            .store = "events",
            .servers = settings->redis.events,
            .servers_count = settings->redis.events_count,
            .topics = topics,
            .topics_count = ARRAY_LEN(topics),
        },
        error);
}
