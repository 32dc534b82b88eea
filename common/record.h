/* The records of the topics: commands, events and outcomes, from and to JSON. Their shapes are schemas/command.json,
   event.json and outcome.json. */
#ifndef ODRADEK_RECORD_H
#define ODRADEK_RECORD_H

#include "common/json.h"

#include <stdint.h>

/* The compiled shapes; safe from any thread. */
typedef struct record_shapes record_shapes_t;
record_shapes_t *record_shapes_new(void);
void record_shapes_free(record_shapes_t *shapes); /* NULL is fine */

#define RECORD_NO_VERSION (-1) /* an expected version that was not given */

/* What an update's body is: the new data, or a change to the latest (RFC 7396, RFC 6902). */
typedef enum command_patch { COMMAND_REPLACE, COMMAND_MERGE_PATCH, COMMAND_JSON_PATCH } command_patch_t;
extern const char *const command_patches[]; /* "merge-patch", "json-patch" as records have them */

/* What somebody wants done. Texts are borrowed from `root` or from the text that was decoded. */
typedef struct command {
    json_t *root;
    const char *type;
    const char *id;         /* the entity; NULL: none was given */
    const char *command_id; /* NULL: none was given */
    const json_t *body;     /* NULL: none */
    json_span_t body_bytes; /* the same, as it came */
    command_patch_t patch;
    const json_t *user;     /* NULL: none */
    const char *idempotency_key; /* NULL: none */
    int64_t expected_version;
    char *owned; /* body_bytes, where they could not be borrowed */
} command_t;

/* False: `error` says what is wrong with the text. Else the caller clears `command`. */
bool command_decode(const record_shapes_t *shapes, const char *text, size_t len, command_t *command,
                    err_t *error) MUST_CHECK;
void command_clear(command_t *command);

typedef struct command_parts {
    const char *type, *id, *command_id;
    json_span_t body;   /* text NULL: none; taken over byte for byte */
    command_patch_t patch;
    const json_t *user; /* NULL: none */
    const char *idempotency_key; /* NULL: none */
    int64_t expected_version;
    int64_t time_ms;
} command_parts_t;

void command_encode(strbuf_t *out, const command_parts_t *parts);

/* What happened to an entity. */
typedef struct event {
    json_t *root;
    const char *type, *id, *command_id;
    const char *time; /* RFC 3339 */
    int64_t version;
    const json_t *body;     /* NULL: none */
    json_span_t body_bytes; /* the same, as it came */
    char *owned;
} event_t;

bool event_decode(const record_shapes_t *shapes, const char *text, size_t len, event_t *event, err_t *error) MUST_CHECK;
void event_clear(event_t *event);

typedef struct event_parts {
    const char *type, *id, *command_id;
    int64_t version;
    json_span_t body; /* text NULL: none; taken over without white space between tokens */
    const json_t *user;
    int64_t time_ms;
} event_parts_t;

void event_encode(strbuf_t *out, const event_parts_t *parts);

/* What became of a command. */
typedef struct outcome_parts {
    const char *command_id, *type, *id;
    bool accepted;
    const char *idempotency_key; /* NULL: none */
    int64_t version; /* the entity's after the command */
    int64_t time_ms;
    const char *error_type;   /* of a rejected one: "not-found", "conflict" … */
    const char *error_detail; /* for people */
    const char *error_list;   /* JSON array of {pointer, rule, message}, or NULL */
} outcome_parts_t;

void outcome_encode(strbuf_t *out, const outcome_parts_t *parts);
typedef struct outcome {
    json_t *root;
    const char *command_id, *type, *id;
    const char *idempotency_key; /* NULL: none */
} outcome_t;

bool outcome_decode(const record_shapes_t *shapes, const char *text, size_t len, outcome_t *outcome,
                    err_t *error) MUST_CHECK;
void outcome_clear(outcome_t *outcome);

/* Appends the first JSON Schema failures of `instance` as the JSON array of outcome errors; long texts are cut. */
struct schema;
void record_add_failures(strbuf_t *out, const struct schema *schema, const json_t *instance);

#endif
