/* What the materializer writes to the snapshot store. */
#include "services/materializer/materializer.h"

#include "common/embed.h"
#include "model/index.h"
#include "model/shape.h"

#include <string.h>

EMBED(snapshots_script, "services/materializer/snapshots.lua");

/* The entities linked to, as "<type>:<id>", a line each. */
static bool add_link(const link_t *link, void *context) {
    strbuf_t *links = context;
    strbuf_addf(links, "%s%s:%s", links->len ? "\n" : "", link->target->name, link->id);
    return true;
}

/* The unique values, as "<field>:<digest>", a line each. */
static bool add_unique(const unique_t *value, void *context) {
    strbuf_t *values = context;
    strbuf_addf(values, "%s%s:%s", values->len ? "\n" : "", value->field, value->digest);
    return true;
}

static void add_arguments(redis_args_t *args, const rd_kafka_message_t *message, const event_t *event,
                          const entity_type_t *type, verb_t verb) {
    static const char *const verbs[VERB_COUNT] = {"create", "update", "delete"};
    strbuf_t links = {0}, entries = {0}, values = {0};
    types_each_link(type, event->body, add_link, &links);
    if (verb != VERB_DELETE) index_add_entries(&entries, type, event->body);
    if (verb != VERB_DELETE) types_each_unique(type, event->body, add_unique, &values);
    redis_args_adds(args, verbs[verb]);
    redis_args_adds(args, type->name);
    redis_args_copys(args, event->id);
    redis_args_number(args, event->version);
    redis_args_copys(args, event->time);
    if (event->owned) /* not a part of the record, which lives longer */
        redis_args_copy(args, event->body_bytes.text, event->body_bytes.len);
    else
        redis_args_add(args, event->body ? event->body_bytes.text : message->payload, event->body_bytes.len);
    redis_args_copy(args, links.data, links.len);
    redis_args_copy(args, entries.data, entries.len);
    redis_args_copy(args, values.data, values.len);
    strbuf_free(&links);
    strbuf_free(&entries);
    strbuf_free(&values);
}

bool materializer_add_event(const service_context_t *context, const rd_kafka_message_t *message, redis_args_t *args,
                            err_t *why) {
    event_t event;
    if (!event_decode(context->shapes, message->payload, message->len, &event, why)) return false;
    verb_t verb;
    const entity_type_t *type = types_of_event(context->types, event.type, &verb);
    bool usable = type && (verb == VERB_DELETE || event.body);
    if (!type) err_set(why, STATUS_FATAL, "unknown event type \"%s\"", event.type);
    else if (!usable) err_set(why, STATUS_FATAL, "the event has no body");
    else add_arguments(args, message, &event, type, verb);
    event_clear(&event);
    return usable;
}

void *materializer_open(const service_context_t *context, err_t *error) {
    const settings_t *settings = context->settings;
    const sink_topic_t topics[] = {
        {topic_names[TOPIC_EVENTS], snapshots_script, key_offset, 0, materializer_add_event},
    };
    char shape[DIGEST_TEXT_SIZE];
    shape_text(context->types, shape);
    return sink_new(
        &(sink_options_t){
            .context = context,
            .group = "materializer",
            .store = "snapshots",
            .servers = settings->redis.snapshots,
            .servers_count = settings->redis.snapshots_count,
            .shape = shape,
            .topics = topics,
            .topics_count = ARRAY_LEN(topics),
        },
        error);
}
