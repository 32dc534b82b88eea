/* From a request to a command in the log.

       request ── id, terms ──▶ order ── JSON ── schema ──▶ (seen before? ──▶ its answer) ──▶ record ──▶ producer ──▶ fate.c      */
#include "services/command-api/batch.h"

#include "common/clock.h"
#include "common/mem.h"
#include "model/keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const refusal_t refused_no_such_id = {
    404, "not-found", "Ids have 1 to 128 of the characters A-Z, a-z, 0-9, '.', '_', '~' and '-'.", false};
static const refusal_t refused_header = {400, "invalid-header", NULL, false};
static const refusal_t refused_no_match = {412, "version-mismatch", "No version of an entity has this tag.", false};
static const refusal_t refused_no_condition = {
    428, "condition-required", "A change must say which version it is meant for: send If-Match with the entity's ETag.",
    false};
static const refusal_t refused_json = {400, "invalid-json", NULL, false};
static const refusal_t refused_schema = {422, "schema-violation", "The body does not match the schema of its type.", false};
static const refusal_t refused_size = {413, "too-large", "The command is larger than the log takes.", false};
static const refusal_t refused_full = {429, "too-many-commands", "Too many commands are waiting to be written.", true};
static const refusal_t refused_key = {
    422, "idempotency-key-reused", "The idempotency key came with another request before.", false};

/* ---- checks, each of which answers where it fails ---- */

bool command_terms(http_request_t *request, const command_route_t *route, terms_t *terms, const asker_t *asker) {
    const settings_t *settings = route->api->settings;
    const terms_headers_t headers = {
        .if_match = http_header(request, "If-Match"),
        .if_none_match = http_header(request, "If-None-Match"),
        .idempotency_key = http_header(request, "Idempotency-Key"),
        .prefer = http_header(request, "Prefer"),
        .content_type = http_header(request, "Content-Type"),
    };
    err_t error;
    terms_result_t result =
        terms_read(&headers, route->method, route->verb, settings->limits.wait_seconds, terms, &error);
    if (result == TERMS_INVALID)
        answer_refuse(asker, &refused_header, error.text, NULL);
    else if (result == TERMS_NEVER_MATCH)
        answer_refuse(asker, &refused_no_match, NULL, NULL);
    else if (settings->rules.require_conditions && route->verb != VERB_CREATE && !terms->conditional)
        answer_refuse(asker, &refused_no_condition, NULL, NULL);
    else
        return true;
    return false;
}

int64_t command_deadline(const terms_t *terms) {
    return clock_monotonic_us() + terms->wait_seconds * 1000000LL;
}

static void refuse_schema(const order_t *order, const schema_t *schema, const json_t *data) {
    strbuf_t more = {0};
    strbuf_adds(&more, "\"errors\":");
    record_add_failures(&more, schema, data);
    answer_refuse(&order->asker, &refused_schema, NULL, more.data);
    strbuf_free(&more);
}

/* How deep a body may be nested: well within what every reader of the records that it becomes part of takes. */
enum { DEPTH_MAX = 512 };

static bool is_deeper(const json_t *value, int most) {
    size_t index;
    const char *key;
    json_t *child;
    if (most == 0) return json_is_object(value) || json_is_array(value);
    json_object_foreach((json_t *)value, key, child) {
        if (is_deeper(child, most - 1)) return true;
    }
    json_array_foreach((json_t *)value, index, child) {
        if (is_deeper(child, most - 1)) return true;
    }
    return false;
}

static json_t *read_body(const char *text, size_t len, err_t *error) {
    json_t *data = json_read(text, len, error);
    if (!data || !is_deeper(data, DEPTH_MAX)) return data;
    err_set(error, STATUS_FATAL, "nested more than %d deep", DEPTH_MAX);
    json_decref(data);
    return NULL;
}

/* A patch is checked when it is applied: only then there is an entity to check. */
static bool check_body(const order_t *order) {
    const schema_t *schema = order->route->type->schema;
    if (order->terms->verb == VERB_DELETE) return true;
    err_t error;
    json_t *data = read_body(order->body.text, order->body.len, &error);
    if (!data) {
        answer_refuse(&order->asker, &refused_json, error.text, NULL);
        return false;
    }
    bool valid = order->terms->patch != COMMAND_REPLACE || schema_valid(schema, data);
    if (!valid) refuse_schema(order, schema, data);
    json_decref(data);
    return valid;
}

/* ---- ids ---- */

static void add_part(strbuf_t *name, const void *data, size_t len) {
    strbuf_addi(name, (int64_t)len); /* so that no two lists of parts make the same name */
    strbuf_addc(name, ':');
    strbuf_add(name, data, len);
}

static void add_texts(strbuf_t *name, const char *const *texts) {
    for (; *texts; texts++) add_part(name, *texts, strlen(*texts));
}

/* The ids of a request with an idempotency key come from the request, so that its repeats have the same. */
static void derive_ids(sending_t *sending, const order_t *order) {
    const char *base = order->route->type->base;
    const terms_t *terms = order->terms;
    strbuf_t name = {0};
    if (!order->id) {
        add_texts(&name, (const char *const[]){"entity", base, terms->key, NULL});
        uuid8(name.data, name.len, sending->id);
        strbuf_clear(&name);
    }
    strbuf_addf(&name, "%d %d %lld ", (int)terms->verb, (int)terms->patch, (long long)terms->expected_version);
    add_texts(&name, (const char *const[]){"command", base, sending->id, terms->key, NULL});
    add_part(&name, order->body.text ? order->body.text : "", order->body.len);
    uuid8(name.data, name.len, sending->command_id);
    strbuf_free(&name);
}

static void encode(sending_t *sending, const order_t *order, int64_t now_ms) {
    const terms_t *terms = order->terms;
    command_encode(&sending->record, &(command_parts_t){
                                         .type = order->route->type->commands[terms->verb],
                                         .id = sending->id,
                                         .command_id = sending->command_id,
                                         .body = terms->verb == VERB_DELETE ? (json_span_t){0} : order->body,
                                         .patch = terms->patch,
                                         .idempotency_key = terms->key[0] ? terms->key : NULL,
                                         .expected_version = terms->expected_version,
                                         .time_ms = now_ms,
                                     });
}

static sending_t *sending_new(const order_t *order) {
    sending_t *sending = mem_zero(1, sizeof *sending);
    int64_t now_ms = clock_ms();
    sending->route = order->route;
    sending->terms = *order->terms;
    sending->asker = order->asker;
    if (order->trace) sending->trace = *order->trace;
    sending->start_us = clock_monotonic_us();
    sending->deadline_us = order->deadline_us;
    sending->patient = order->patient;
    uuid7(now_ms, sending->command_id);
    if (order->id)
        snprintf(sending->id, sizeof sending->id, "%s", order->id);
    else
        uuid7(now_ms, sending->id);
    if (order->terms->key[0]) derive_ids(sending, order);
    sending->partition = kafka_partition(sending->id, strlen(sending->id), order->route->api->settings->partitions);
    encode(sending, order, now_ms);
    return sending;
}

void command_free(sending_t *sending) {
    strbuf_free(&sending->record);
    free(sending);
}

/* ---- sending ---- */

/* False: there is no room, and it can wait. */
static bool try_send(sending_t *sending) {
    static const refusal_t *const refusals[] = {
        [PRODUCER_FULL] = &refused_full, [PRODUCER_AWAY] = &refused_away, [PRODUCER_TOO_LARGE] = &refused_size};
    const command_api_t *api = sending->route->api;
    if (sending->terms.wait_seconds >= 0) command_expect(sending);
    /* Once it is sent it belongs to command_done, and may be gone. */
    strbuf_t record = sending->record;
    sending->record = (strbuf_t){0};
    producer_sent_t sent = producer_send(api->producer, sending->partition, sending->id, &record,
                                         &sending->trace, sending);
    if (sent == PRODUCER_SENT) return true;
    sending->record = record;
    if (sending->wait) waits_forget(api->waits, sending->wait);
    sending->wait = NULL;
    if (sent == PRODUCER_FULL && sending->patient) return false;
    command_refuse(sending, refusals[sent], NULL);
    return true;
}

static void queue_last(command_queue_t *queue, sending_t *sending) {
    sending->next = NULL;
    pthread_mutex_lock(&queue->lock);
    if (!queue->first) queue->end = &queue->first;
    *queue->end = sending;
    queue->end = &sending->next;
    pthread_mutex_unlock(&queue->lock);
}

static void queue_first(command_queue_t *queue, sending_t *sending) {
    pthread_mutex_lock(&queue->lock);
    if (!queue->first) queue->end = &sending->next;
    sending->next = queue->first;
    queue->first = sending;
    pthread_mutex_unlock(&queue->lock);
}

static sending_t *queue_take(command_queue_t *queue) {
    pthread_mutex_lock(&queue->lock);
    sending_t *sending = queue->first;
    if (sending) queue->first = sending->next;
    pthread_mutex_unlock(&queue->lock);
    return sending;
}

void command_send_waiting(command_api_t *api) {
    for (sending_t *sending; (sending = queue_take(&api->waiting));) {
        if (try_send(sending)) continue;
        queue_first(&api->waiting, sending);
        return;
    }
}

/* One that waits is sent when the producer has made room, or is refused when it cannot. When it serves no more, nobody may
   look again. */
static void send_command(sending_t *sending) {
    command_api_t *api = sending->route->api;
    err_t why;
    if (try_send(sending)) return;
    queue_last(&api->waiting, sending);
    if (!producer_ready(api->producer, &why)) command_send_waiting(api);
}

/* What the event store knows of the key: the command that it first came with, and this command's outcome. A store that
   is away is no reason to wait: the validator knows repeats by itself. */
static void on_known(lookup_request_t *lookup, status_t status, const err_t *error, void *context) {
    sending_t *sending = context;
    const redisReply *first = status == STATUS_OK ? lookup_reply(lookup, 0) : NULL;
    const redisReply *outcome = status == STATUS_OK ? lookup_reply(lookup, 1) : NULL;
    (void)error;
    if (first && first->type == REDIS_REPLY_STRING && strcmp(first->str, sending->command_id)) {
        command_refuse(sending, &refused_key, NULL);
    } else if (outcome && outcome->type == REDIS_REPLY_STRING) {
        command_repeated(sending, outcome->str, outcome->len);
    } else {
        send_command(sending);
    }
}

static void look_up_key(sending_t *sending) {
    key_text_t key;
    lookup_request_t *lookup = lookup_request_new(on_known, sending);
    key_idempotency(key, sending->partition, sending->route->type->name, sending->id, sending->terms.key);
    lookup_add(lookup, sending->partition, "GET", key, NULL);
    key_outcome(key, sending->partition, sending->command_id);
    lookup_add(lookup, sending->partition, "GET", key, NULL);
    lookup_submit(sending->route->api->outcomes, lookup);
}

void command_order(const order_t *order) {
    if (!check_body(order)) return;
    sending_t *sending = sending_new(order);
    if (order->terms->key[0])
        look_up_key(sending);
    else
        send_command(sending);
}

void command_handle(http_request_t *request, void *context) {
    const command_route_t *route = context;
    const asker_t asker = answer_asker(request);
    json_span_t body;
    body.text = http_body(request, &body.len);
    if (route->batches && batch_is(body.text, body.len)) {
        batch_handle(request, route);
        return;
    }
    const char *id = route->verb == VERB_CREATE ? NULL : http_segment(request, 0);
    terms_t terms;
    if (id && !id_valid(id)) {
        answer_refuse(&asker, &refused_no_such_id, NULL, NULL);
        return;
    }
    if (!command_terms(request, route, &terms, &asker)) return;
    command_order(&(order_t){
        .route = route,
        .terms = &terms,
        .id = id,
        .body = body,
        .trace = http_trace(request),
        .deadline_us = command_deadline(&terms),
        .asker = asker,
    });
}
