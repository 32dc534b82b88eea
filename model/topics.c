/* The four topics, in one table. */
#include "model/topics.h"

const char *const topic_names[TOPIC_COUNT] = {
    [TOPIC_COMMANDS] = "commands",
    [TOPIC_EVENTS] = "events",
    [TOPIC_OUTCOMES] = "outcomes",
    [TOPIC_DEAD_LETTERS] = "dead-letters",
};

/* A topic's limit holds for batches too, which librdkafka fills up to a million bytes: it is never below that. */
enum { WRAPPING_BYTES = 64 * 1024, LEAST_BYTES = 1024 * 1024 };

int topics_command_bytes(const settings_t *settings) {
    int body = settings->limits.body_bytes;
    return (body > LEAST_BYTES ? body : LEAST_BYTES) + WRAPPING_BYTES;
}

int topics_message_bytes(const settings_t *settings) {
    return topics_command_bytes(settings) + WRAPPING_BYTES;
}

/* A dead letter is any record as it came, with headers that tell why. */
static int dead_letter_bytes(const settings_t *settings) {
    return topics_message_bytes(settings) + WRAPPING_BYTES;
}

static int topic_bytes(const settings_t *settings, topic_t topic) {
    if (topic == TOPIC_COMMANDS) return topics_command_bytes(settings);
    return topic == TOPIC_DEAD_LETTERS ? dead_letter_bytes(settings) : topics_message_bytes(settings);
}

static int64_t hours(int count) {
    return (int64_t)count * 3600 * 1000;
}

void topics_from(const settings_t *settings, kafka_topic_t topics[TOPIC_COUNT]) {
    const int64_t retention[TOPIC_COUNT] = {
        [TOPIC_COMMANDS] = hours(settings->retention.commands_hours),
        [TOPIC_EVENTS] = -1, /* the log itself: for ever */
        [TOPIC_OUTCOMES] = hours(settings->retention.outcomes_hours),
        [TOPIC_DEAD_LETTERS] = hours(settings->retention.dead_letters_hours),
    };
    for (int i = 0; i < TOPIC_COUNT; i++)
        topics[i] = (kafka_topic_t){
            .name = topic_names[i],
            .partitions = settings->partitions,
            .replication = settings->kafka.replication_factor,
            .retention_ms = retention[i],
            .message_bytes = topic_bytes(settings, (topic_t)i),
        };
}

kafka_options_t topics_kafka_options(const settings_t *settings, const char *client_id) {
    return (kafka_options_t){
        .bootstrap_servers = settings->kafka.bootstrap_servers,
        .client_id = client_id,
        .properties = settings->kafka.properties,
        .properties_count = settings->kafka.properties_count,
        .message_bytes = dead_letter_bytes(settings), /* the largest of them */
    };
}
