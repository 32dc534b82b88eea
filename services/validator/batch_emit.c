/* What comes of the commands of a batch: events and outcomes, or the command itself, in the partition where it belongs. */
#include "services/validator/batch_internal.h"

#include "common/clock.h"
#include "common/metric.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What Kafka's format adds to a record's value, with key and the headers of a trace, at most. */
enum { RECORD_OVERHEAD = 1024 + TRACE_HEADERS_BYTES };

/* Counts one more with a label, and the label `outcome` where it is not NULL. */
static void count(const char *name, const char *help, const char *label, const char *value, const char *outcome) {
    char labels[256];
    int len = snprintf(labels, sizeof labels, "%s=\"%s\"", label, value);
    if (outcome) snprintf(labels + len, sizeof labels - (size_t)len, ",outcome=\"%s\"", outcome);
    metric_add(metric_counter(name, help, labels), 1);
}

static status_t emit(decider_t *d, topic_t topic, const item_t *item, const strbuf_t *value, rd_kafka_headers_t *headers,
                     int64_t *offset, err_t *error) {
    return consume_emit(d->consume,
                        &(consume_output_t){
                            .topic = topic_names[topic],
                            .partition = item->partition,
                            .key = item->id,
                            .key_len = strlen(item->id),
                            .value = value->data,
                            .value_len = value->len,
                            .headers = headers,
                            .offset = offset,
                        },
                        error);
}

/* All that the record had, and where it was. */
static rd_kafka_headers_t *forwarded_headers(const rd_kafka_message_t *message) {
    char from[64];
    snprintf(from, sizeof from, "%d/%" PRId64, (int)message->partition, message->offset);
    rd_kafka_headers_t *headers = kafka_headers_copy(message);
    rd_kafka_header_add(headers, "forwarded-from", -1, from, -1);
    return headers;
}

status_t batch_forward(decider_t *d, const item_t *item, err_t *error) {
    const command_t *command = &item->command;
    int64_t time_ms = rd_kafka_message_timestamp(item->message, NULL);
    const char *given = json_text(json_object_get(command->root, "meta"), "time");
    if (!given || !clock_parse(given, &time_ms))
        if (time_ms < 0) time_ms = clock_ms();
    strbuf_t value = {0};
    command_encode(&value, &(command_parts_t){
                               .type = command->type,
                               .id = item->id,
                               .command_id = item->command_id,
                               .body = command->body_bytes,
                               .patch = command->patch,
                               .user = command->user,
                               .idempotency_key = command->idempotency_key,
                               .expected_version = command->expected_version,
                               .time_ms = time_ms,
                           });
    rd_kafka_headers_t *headers = forwarded_headers(item->message);
    if (value.len + kafka_headers_bytes(headers) > (size_t)topics_command_bytes(d->context->settings) - RECORD_OVERHEAD) {
        strbuf_free(&value);
        rd_kafka_headers_destroy(headers);
        return consume_dead_letter(d->consume, item->message, "too large to be forwarded to its partition", error);
    }
    status_t status = emit(d, TOPIC_COMMANDS, item, &value, headers, NULL, error);
    strbuf_free(&value);
    return status;
}

static void encode_event(strbuf_t *value, const item_t *item, const entity_state_t *state) {
    const command_t *command = &item->command;
    event_encode(value, &(event_parts_t){
                            .type = item->type->events[item->verb],
                            .id = item->id,
                            .command_id = item->command_id,
                            .version = state->version,
                            .body = item->bytes,
                            .user = command->user,
                            .time_ms = state->updated_ms,
                        });
}

/* The request and the trace that a command belongs to, for what comes of it: as they are, the same each time that it is
   decided. The validator keeps no spans, and so names none of its own as a parent. */
static rd_kafka_headers_t *passed_on(const item_t *item) {
    trace_t trace;
    kafka_trace_read(item->message, &trace);
    return kafka_trace_headers(&trace);
}

static status_t emit_event(decider_t *d, const item_t *item, const entity_state_t *state, const strbuf_t *value,
                           err_t *error) {
    int64_t *offset =
        overlay_put(d->overlay, item->partition, item->type, item->id, state, item->data, item->bytes);
    count("odradek_events_total", "Events written, by type.", "type", item->type->events[item->verb], NULL);
    return emit(d, TOPIC_EVENTS, item, value, passed_on(item), offset, error);
}

static status_t emit_outcome(decider_t *d, const item_t *item, const rejection_t *rejection,
                             const entity_state_t *state, int64_t now_ms, err_t *error) {
    /* A key that was used before goes on standing for the command that it came with first. */
    bool reused = rejection->type && !strcmp(rejection->type, RULES_KEY_REUSED);
    strbuf_t value = {0}, errors = {0};
    bool violation = rejection->type && item->data && !item->data_valid && !strcmp(rejection->type, "schema-violation");
    if (violation) record_add_failures(&errors, item->type->schema, item->data);
    outcome_encode(&value, &(outcome_parts_t){
                               .command_id = item->command_id,
                               .type = item->command.type,
                               .id = item->id,
                               .idempotency_key = reused ? NULL : item->command.idempotency_key,
                               .accepted = !rejection->type,
                               .version = state->version,
                               .time_ms = now_ms,
                               .error_type = rejection->type,
                               .error_detail = rejection->detail,
                               .error_list = violation ? errors.data : NULL,
                           });
    int64_t *offset = seen_put(d->seen, item->partition, item->command_id, reused ? NULL : item->scope);
    status_t status = emit(d, TOPIC_OUTCOMES, item, &value, passed_on(item), offset, error);
    strbuf_free(&errors);
    strbuf_free(&value);
    return status;
}

status_t batch_emit_decision(decider_t *d, const item_t *item, const entity_state_t *state, rejection_t rejection,
                             err_t *error) {
    int64_t now_ms = clock_ms();
    entity_state_t next = {
        .version = state->version + 1,
        .deleted = item->verb == VERB_DELETE,
        /* A clock that was set back must not make a later version look older. */
        .updated_ms = now_ms > state->updated_ms ? now_ms : state->updated_ms,
    };
    status_t status = STATUS_OK;
    strbuf_t event = {0};
    if (!rejection.type) encode_event(&event, item, &next);
    if (event.len > (size_t)topics_message_bytes(d->context->settings) - RECORD_OVERHEAD)
        rejection = (rejection_t){"too-large", "The event would be larger than a record can be."};
    if (!rejection.type) status = emit_event(d, item, &next, &event, error);
    if (status == STATUS_OK) status = emit_outcome(d, item, &rejection, rejection.type ? state : &next, now_ms, error);
    strbuf_free(&event);
    count("odradek_outcomes_total", "Outcomes written, by the command's type.", "type", item->command.type,
          rejection.type ? rejection.type : "accepted");
    return status;
}
