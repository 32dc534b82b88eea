/* The four topics, in one table. */
#ifndef ODRADEK_MODEL_TOPICS_H
#define ODRADEK_MODEL_TOPICS_H

#include "common/kafka.h"
#include "model/settings.h"

typedef enum topic { TOPIC_COMMANDS, TOPIC_EVENTS, TOPIC_OUTCOMES, TOPIC_DEAD_LETTERS, TOPIC_COUNT } topic_t;

extern const char *const topic_names[TOPIC_COUNT];

/* The largest command: a body of the largest size and what is wrapped around it. */
int topics_command_bytes(const settings_t *settings);
/* The largest event and outcome, so that whatever comes of a command fits. Dead letters may be larger still. */
int topics_message_bytes(const settings_t *settings);
/* The topics as settings want them. */
void topics_from(const settings_t *settings, kafka_topic_t topics[TOPIC_COUNT]);
/* The part of settings that each Kafka client needs; `client_id` is borrowed, like settings. */
kafka_options_t topics_kafka_options(const settings_t *settings, const char *client_id);

#endif
