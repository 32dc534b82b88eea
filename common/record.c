/* The records of the topics, from and to JSON. */
#include "common/record.h"

#include "common/clock.h"
#include "common/embed.h"
#include "common/mem.h"
#include "common/schema.h"

#include <stdlib.h>
#include <string.h>

EMBED(command_schema_text, "schemas/command.json");
EMBED(event_schema_text, "schemas/event.json");
EMBED(outcome_schema_text, "schemas/outcome.json");

struct record_shapes {
    schema_t *command, *event, *outcome;
};

/* The shapes are part of the program: one that does not compile is a bug. */
static schema_t *compile(const char *text, const char *name) {
    err_t error;
    json_t *document = json_read(text, strlen(text), &error);
    schema_t *schema = document ? schema_compile(document, name, NULL, &error) : NULL;
    json_decref(document);
    if (!schema) abort();
    return schema;
}

record_shapes_t *record_shapes_new(void) {
    record_shapes_t *shapes = mem_zero(1, sizeof *shapes);
    shapes->command = compile(command_schema_text, "command.json");
    shapes->event = compile(event_schema_text, "event.json");
    shapes->outcome = compile(outcome_schema_text, "outcome.json");
    return shapes;
}

void record_shapes_free(record_shapes_t *shapes) {
    if (!shapes) return;
    schema_free(shapes->command);
    schema_free(shapes->event);
    schema_free(shapes->outcome);
    free(shapes);
}

/* Parses and checks. NULL: `error` says where and what. */
static json_t *read(const schema_t *shape, const char *what, const char *text, size_t len, err_t *error) {
    err_t why;
    json_t *root = json_read(text, len, &why);
    if (!root) {
        err_set(error, STATUS_FATAL, "not JSON: %s", why.text);
        return NULL;
    }
    if (schema_valid(shape, root)) return root;
    schema_failures_t failures = {.max = 1};
    schema_validate(shape, root, &failures);
    err_set(error, STATUS_FATAL, "not %s: %s: %s", what, failures.items[0].instance_location, failures.items[0].message);
    schema_failures_free(&failures);
    json_decref(root);
    return NULL;
}

/* The bytes of the body as they came, or, where its key was spelled with escapes, written anew (then `*owned`). */
static json_span_t body_span(const char *text, size_t len, const json_t *body, char **owned) {
    json_span_t span = {0};
    *owned = NULL;
    if (!body || json_member_span(text, len, "body", &span)) return span;
    strbuf_t anew = {0};
    json_add_value(&anew, body);
    span.len = anew.len;
    span.text = *owned = strbuf_steal(&anew);
    return span;
}

const char *const command_patches[] = {
    [COMMAND_REPLACE] = NULL, [COMMAND_MERGE_PATCH] = "merge-patch", [COMMAND_JSON_PATCH] = "json-patch"};

/* The schema has refused all but these names. */
static command_patch_t patch_named(const char *name) {
    command_patch_t patch = COMMAND_REPLACE;
    if (name) patch = !strcmp(name, command_patches[COMMAND_MERGE_PATCH]) ? COMMAND_MERGE_PATCH : COMMAND_JSON_PATCH;
    return patch;
}

/* A number of which the schema says that it is whole; jansson makes a double of 2.0. */
static int64_t whole(const json_t *number) {
    double value = json_real_value(number);
    if (json_is_integer(number)) return json_integer_value(number);
    return value >= 0x1p63 ? INT64_MAX : (int64_t)value;
}

bool command_decode(const record_shapes_t *shapes, const char *text, size_t len, command_t *command, err_t *error) {
    json_t *root = read(shapes->command, "a command", text, len, error);
    if (!root) return false;
    const json_t *meta = json_object_get(root, "meta"), *expected = json_object_get(meta, "expectedVersion");
    *command = (command_t){
        .root = root,
        .type = json_text(root, "type"),
        .id = json_text(json_object_get(root, "params"), "id"),
        .command_id = json_text(meta, "id"),
        .body = json_object_get(root, "body"),
        .patch = patch_named(json_text(root, "patch")),
        .user = json_object_get(meta, "user"),
        .idempotency_key = json_text(meta, "idempotencyKey"),
        .expected_version = expected ? whole(expected) : RECORD_NO_VERSION,
    };
    command->body_bytes = body_span(text, len, command->body, &command->owned);
    return true;
}

void command_clear(command_t *command) {
    json_decref(command->root);
    free(command->owned);
    *command = (command_t){0};
}

static void add_user(strbuf_t *out, const json_t *user) {
    if (!user) return;
    strbuf_adds(out, ",\"user\":");
    json_add_value(out, user);
}

static void add_time(strbuf_t *out, int64_t ms) {
    char time[CLOCK_TEXT_SIZE];
    clock_format(ms, time);
    strbuf_adds(out, ",\"time\":\"");
    strbuf_adds(out, time);
    strbuf_addc(out, '"');
}

static void add_member(strbuf_t *out, const char *prefix, const char *text) {
    strbuf_adds(out, prefix);
    strbuf_add_jsons(out, text);
}

void command_encode(strbuf_t *out, const command_parts_t *parts) {
    add_member(out, "{\"type\":", parts->type);
    if (parts->body.text) {
        strbuf_adds(out, ",\"body\":");
        strbuf_add(out, parts->body.text, parts->body.len);
    }
    if (parts->patch != COMMAND_REPLACE) add_member(out, ",\"patch\":", command_patches[parts->patch]);
    add_member(out, ",\"params\":{\"id\":", parts->id);
    add_member(out, "},\"meta\":{\"id\":", parts->command_id);
    add_user(out, parts->user);
    if (parts->idempotency_key) add_member(out, ",\"idempotencyKey\":", parts->idempotency_key);
    add_time(out, parts->time_ms);
    if (parts->expected_version != RECORD_NO_VERSION) {
        strbuf_adds(out, ",\"expectedVersion\":");
        strbuf_addi(out, parts->expected_version);
    }
    strbuf_adds(out, "}}");
}

bool event_decode(const record_shapes_t *shapes, const char *text, size_t len, event_t *event, err_t *error) {
    json_t *root = read(shapes->event, "an event", text, len, error);
    if (!root) return false;
    const json_t *meta = json_object_get(root, "meta");
    *event = (event_t){
        .root = root,
        .type = json_text(root, "type"),
        .id = json_text(root, "id"),
        .command_id = json_text(meta, "command"),
        .time = json_text(meta, "time"),
        .version = whole(json_object_get(root, "version")),
        .body = json_object_get(root, "body"),
    };
    event->body_bytes = body_span(text, len, event->body, &event->owned);
    return true;
}

void event_clear(event_t *event) {
    json_decref(event->root);
    free(event->owned);
    *event = (event_t){0};
}

void event_encode(strbuf_t *out, const event_parts_t *parts) {
    add_member(out, "{\"type\":", parts->type);
    add_member(out, ",\"id\":", parts->id);
    strbuf_adds(out, ",\"version\":");
    strbuf_addi(out, parts->version);
    if (parts->body.text) {
        strbuf_adds(out, ",\"body\":");
        json_add_compact(out, parts->body.text, parts->body.len);
    }
    add_member(out, ",\"meta\":{\"command\":", parts->command_id);
    add_user(out, parts->user);
    add_time(out, parts->time_ms);
    strbuf_adds(out, "}}");
}

void outcome_encode(strbuf_t *out, const outcome_parts_t *parts) {
    add_member(out, "{\"commandId\":", parts->command_id);
    add_member(out, ",\"status\":", parts->accepted ? "accepted" : "rejected");
    add_member(out, ",\"type\":", parts->type);
    add_member(out, ",\"id\":", parts->id);
    strbuf_adds(out, ",\"version\":");
    strbuf_addi(out, parts->version);
    if (parts->idempotency_key) add_member(out, ",\"idempotencyKey\":", parts->idempotency_key);
    add_time(out, parts->time_ms);
    if (!parts->accepted) {
        add_member(out, ",\"error\":{\"type\":", parts->error_type);
        add_member(out, ",\"detail\":", parts->error_detail);
        if (parts->error_list) {
            strbuf_adds(out, ",\"errors\":");
            strbuf_adds(out, parts->error_list);
        }
        strbuf_addc(out, '}');
    }
    strbuf_addc(out, '}');
}

bool outcome_decode(const record_shapes_t *shapes, const char *text, size_t len, outcome_t *outcome, err_t *error) {
    json_t *root = read(shapes->outcome, "an outcome", text, len, error);
    if (!root) return false;
    *outcome = (outcome_t){
        .root = root,
        .command_id = json_text(root, "commandId"),
        .type = json_text(root, "type"),
        .id = json_text(root, "id"),
        .idempotency_key = json_text(root, "idempotencyKey"),
    };
    return true;
}

void outcome_clear(outcome_t *outcome) {
    json_decref(outcome->root);
    *outcome = (outcome_t){0};
}

/* A text as a JSON string, cut where it is long: a failure quotes names that the sender chose. */
static void add_cut(strbuf_t *out, const char *prefix, const char *text) {
    enum { CUT = 256 };
    size_t len = strlen(text);
    if (len > CUT) /* but not within a character */
        for (len = CUT; len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80; len--) {}
    strbuf_adds(out, prefix);
    strbuf_add_json(out, text, len);
}

void record_add_failures(strbuf_t *out, const schema_t *schema, const json_t *instance) {
    schema_failures_t failures = {.max = 20};
    schema_validate(schema, instance, &failures);
    strbuf_addc(out, '[');
    for (size_t i = 0; i < failures.count; i++) {
        if (i > 0) strbuf_addc(out, ',');
        add_cut(out, "{\"pointer\":", failures.items[i].instance_location);
        add_member(out, ",\"rule\":", failures.items[i].keyword);
        add_cut(out, ",\"message\":", failures.items[i].message);
        strbuf_addc(out, '}');
    }
    strbuf_addc(out, ']');
    schema_failures_free(&failures);
}
