/* From a request to a command in the log.

       request ── id, terms ── JSON ── schema ──▶ (seen before? ──▶ its answer) ──▶ record ──▶ producer ──▶ fate.c      */
#include "services/command-api/command_api.h"

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

/* ---- checks, each of which answers the request where it fails ---- */

static bool check_terms(http_request_t *request, const command_route_t *route, terms_t *terms) {
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
        command_refuse(request, &refused_header, error.text, NULL);
    else if (result == TERMS_NEVER_MATCH)
        command_refuse(request, &refused_no_match, NULL, NULL);
    else if (settings->rules.require_conditions && route->verb != VERB_CREATE && !terms->conditional)
        command_refuse(request, &refused_no_condition, NULL, NULL);
    else
        return true;
    return false;
}

static void refuse_schema(http_request_t *request, const schema_t *schema, const json_t *data) {
    strbuf_t more = {0};
    strbuf_adds(&more, "\"errors\":");
    record_add_failures(&more, schema, data);
    command_refuse(request, &refused_schema, NULL, more.data);
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
static bool check_body(http_request_t *request, const command_route_t *route, const terms_t *terms) {
    if (terms->verb == VERB_DELETE) return true;
    size_t len;
    const char *text = http_body(request, &len);
    err_t error;
    json_t *data = read_body(text, len, &error);
    if (!data) {
        command_refuse(request, &refused_json, error.text, NULL);
        return false;
    }
    bool valid = terms->patch != COMMAND_REPLACE || schema_valid(route->type->schema, data);
    if (!valid) refuse_schema(request, route->type->schema, data);
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
static void derive_ids(sending_t *sending) {
    const command_route_t *route = sending->route;
    const terms_t *terms = &sending->terms;
    strbuf_t name = {0};
    if (terms->verb == VERB_CREATE && route->verb == VERB_CREATE) {
        add_texts(&name, (const char *const[]){"entity", route->type->base, terms->key, NULL});
        uuid8(name.data, name.len, sending->id);
        strbuf_clear(&name);
    }
    size_t len;
    const char *body = http_body(sending->request, &len);
    strbuf_addf(&name, "%d %d %lld ", (int)terms->verb, (int)terms->patch, (long long)terms->expected_version);
    add_texts(&name, (const char *const[]){"command", route->type->base, sending->id, terms->key, NULL});
    add_part(&name, body, len);
    uuid8(name.data, name.len, sending->command_id);
    strbuf_free(&name);
}

static sending_t *sending_new(http_request_t *request, const command_route_t *route, const terms_t *terms) {
    sending_t *sending = mem_zero(1, sizeof *sending);
    int64_t now_ms = clock_ms();
    sending->request = request;
    sending->route = route;
    sending->terms = *terms;
    sending->start_us = clock_monotonic_us();
    uuid7(now_ms, sending->command_id);
    if (route->verb == VERB_CREATE)
        uuid7(now_ms, sending->id);
    else
        snprintf(sending->id, sizeof sending->id, "%s", http_segment(request, 0));
    if (terms->key[0]) derive_ids(sending);
    sending->partition = kafka_partition(sending->id, strlen(sending->id), route->api->settings->partitions);
    return sending;
}

/* ---- sending ---- */

static void encode(strbuf_t *out, const sending_t *sending) {
    const terms_t *terms = &sending->terms;
    json_span_t body = {0};
    if (terms->verb != VERB_DELETE) body.text = http_body(sending->request, &body.len);
    command_encode(out, &(command_parts_t){
                            .type = sending->route->type->commands[terms->verb],
                            .id = sending->id,
                            .command_id = sending->command_id,
                            .body = body,
                            .patch = terms->patch,
                            .idempotency_key = terms->key[0] ? terms->key : NULL,
                            .expected_version = terms->expected_version,
                            .time_ms = clock_ms(),
                        });
}

static void send_command(sending_t *sending) {
    static const refusal_t *const refusals[] = {
        [PRODUCER_FULL] = &refused_full, [PRODUCER_AWAY] = &refused_away, [PRODUCER_TOO_LARGE] = &refused_size};
    const command_api_t *api = sending->route->api;
    strbuf_t record = {0};
    encode(&record, sending);
    if (sending->terms.wait_seconds >= 0) command_expect(sending);
    producer_sent_t sent = producer_send(api->producer, sending->partition, sending->id, &record, sending);
    if (sent == PRODUCER_SENT) return; /* from here on it belongs to command_done, and so does the request */
    strbuf_free(&record);
    if (sending->wait) waits_forget(api->waits, sending->wait);
    command_refuse(sending->request, refusals[sent], NULL, NULL);
    free(sending);
}

/* What the event store knows of the key: the command that it first came with, and this command's outcome. A store that
   is away is no reason to wait: the validator knows repeats by itself. */
static void on_known(lookup_request_t *lookup, status_t status, const err_t *error, void *context) {
    sending_t *sending = context;
    const redisReply *first = status == STATUS_OK ? lookup_reply(lookup, 0) : NULL;
    const redisReply *outcome = status == STATUS_OK ? lookup_reply(lookup, 1) : NULL;
    (void)error;
    if (first && first->type == REDIS_REPLY_STRING && strcmp(first->str, sending->command_id)) {
        command_refuse(sending->request, &refused_key, NULL, NULL);
        free(sending);
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

void command_handle(http_request_t *request, void *context) {
    const command_route_t *route = context;
    terms_t terms;
    if (route->verb != VERB_CREATE && !id_valid(http_segment(request, 0))) {
        command_refuse(request, &refused_no_such_id, NULL, NULL);
        return;
    }
    if (!check_terms(request, route, &terms) || !check_body(request, route, &terms)) return;
    sending_t *sending = sending_new(request, route, &terms);
    if (terms.key[0])
        look_up_key(sending);
    else
        send_command(sending);
}
