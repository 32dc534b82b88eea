/* What command-api's routes are: a row each, of rows for parameters, headers, answers and problems. */
#include "services/command-api/operations.h"

#include "services/openapi_rows.h"

/* ---- parameters ---- */

static const openapi_param_t param_if_match = {
    "header", "If-Match", "The ETag of the version that the change is meant for (RFC 9110), or *: any of what exists.",
    JSON({"type": "string", "anyOf": [{"const": "*"}, {"pattern": "^(W/)?\"[!#-~]*\"$"}]}), JSON("\"3\"")};

static const openapi_param_t param_create_only = {
    "header", "If-None-Match", "Creates, under the id of the path, what must not exist yet. Not together with If-Match.",
    JSON({"type": "string", "enum": ["*"]}), NULL};

/* As terms.c reads it: bare, or a string in double quotes. */
static const openapi_param_t param_idempotency_key = {
    "header", "Idempotency-Key",
    "Makes the request one that can be sent again: the same key with the same request is the same command, for "
    "${retention.idempotencyHours} hours. 1 to 255 visible ASCII characters, bare or in double quotes.",
    JSON({"type": "string", "maxLength": 257,
          "pattern": "^(?:\"[!-~]{1,255}\"|[!#-~][!-~]{0,254}|\"(?:[!-~]{0,253}[!#-~])?)$"}),
    JSON("3f8e2c04-6a53-4d0f-9d5c-2b7f4c1e8a90")};

static const openapi_param_t param_prefer = {
    "header", "Prefer",
    "wait=N (RFC 7240): the answer waits for the outcome, N seconds at most, ${limits.waitSeconds} at the longest. "
    "Other preferences are ignored.",
    JSON({"type": "string"}), JSON("wait=10")};

#define TERMS &param_idempotency_key, &param_prefer

/* ---- headers ---- */

static const openapi_header_t header_location = {
    "Location", "Where to ask for what became of the command; where it created an entity, that.",
    JSON({"type": "string", "format": "uri-reference"}), JSON("/commands/01a1fd6e-4b7a-7c12-9d0e-2f6a54b1c8d3"), true};

static const openapi_header_t header_preference_applied = {
    "Preference-Applied", "That the answer waited, and for how long it would have (RFC 7240).", JSON({"type": "string"}),
    JSON("wait=10"), true};

/* A problem may be an outcome, and the answer have waited for it. */
static const openapi_header_t header_rejected_after = {
    "Preference-Applied", "That the answer waited, and for how long it would have (RFC 7240).", JSON({"type": "string"}),
    JSON("wait=10"), false};

/* A batch may wait for its items, and its answer begin before they are decided. */
static const openapi_header_t header_batch_waited = {
    "Preference-Applied", "That the answer waited, and for how long it would have (RFC 7240).", JSON({"type": "string"}),
    JSON("wait=10"), false};

/* ---- problems ---- */

#define REJECTION HEADERS(&header_rejected_after)

static const openapi_problem_t invalid_json = {
    400, "invalid-json", "The body is no JSON, gives a name twice, or is nested more than 512 deep.", NULL};
static const openapi_problem_t invalid_header = {400, "invalid-header", "A header cannot be understood.", NULL};
static const openapi_problem_t not_found = {404, "not-found", "There is no such entity.", REJECTION};
static const openapi_problem_t already_exists = {409, "already-exists", "What was to be created exists.", REJECTION};
static const openapi_problem_t exists_already = {412, "already-exists", "What was to be created exists.", REJECTION};
static const openapi_problem_t not_unique = {
    409, "not-unique", "Another entity has the same value in a member that must be unique.", REJECTION};
static const openapi_problem_t linked = {409, "linked", "What was to be deleted is linked to by others.", REJECTION};
static const openapi_problem_t version_mismatch = {
    412, "version-mismatch", "The entity is not at the version that If-Match names.", REJECTION};
static const openapi_problem_t too_large = {
    413, "too-large",
    "The body has more than ${limits.bodyBytes} bytes, or the data that a patch makes is larger than a record can be.",
    REJECTION};
static const openapi_problem_t too_many_items = {
    413, "too-many-items", "The batch has more than ${limits.batchItems} items.", NULL};
static const openapi_problem_t schema_violation = {
    422, "schema-violation", "The data does not match the type's schema; errors has every place.", REJECTION};
static const openapi_problem_t patch_failed = {
    422, "patch-failed", "The patch cannot be applied to the latest data.", REJECTION};
static const openapi_problem_t link_missing = {422, "link-missing", "A link leads to nothing.", REJECTION};
static const openapi_problem_t key_reused = {
    422, "idempotency-key-reused", "The key came with another request before.", REJECTION};
static const openapi_problem_t condition_required = {
    428, "condition-required", "A change must say which version it is meant for: send If-Match.", NULL};
static const openapi_problem_t too_many_commands = {
    429, "too-many-commands", "${limits.pendingCommands} commands wait to be written already.",
    HEADERS(&header_retry_after)};
static const openapi_problem_t log_unavailable = {
    503, "log-unavailable", "The log does not answer, and the command was not written.", HEADERS(&header_retry_after)};
static const openapi_problem_t unknown_fate = {
    504, "unknown-fate", "The log did not confirm the command in time and may or may not have it: ask for commandId.",
    NULL};

#define OF_ALL &invalid_header, &not_found, &too_large, &key_reused, &too_many_commands, &log_unavailable, &unknown_fate
#define OF_CHANGES &version_mismatch, &condition_required

/* ---- answers ---- */

#define LINK_STATUS {"commandStatus", JSON({"id": "$response.body#/commandId"})}
#define LINK_TO(operation) {operation, JSON({"id": "$response.body#/id"})}
#define LINKS_TO_CHANGES LINK_TO("put${Type}"), LINK_TO("patch${Type}"), LINK_TO("replace${Type}"), LINK_TO("delete${Type}")

#define ACKNOWLEDGED                                                                                                   \
    {202, "The log has the command: it gets exactly one outcome.", JSON_BODY("acknowledgement"),                       \
     HEADERS(&header_location), LINKS(LINK_STATUS, LINKS_TO_CHANGES)}
#define CREATED                                                                                                        \
    {201, "It waited, and the entity is created.", JSON_BODY("outcome"),                                              \
     HEADERS(&header_location, &header_etag, &header_preference_applied), LINKS(LINK_STATUS, LINKS_TO_CHANGES)}
#define DONE                                                                                                           \
    {200, "It waited, and the command is carried out.", JSON_BODY("outcome"),                                         \
     HEADERS(&header_etag, &header_preference_applied), LINKS(LINK_STATUS)}

/* ---- operations ---- */

const openapi_operation_t operation_create = {
    .id = "create${Type}",
    .tag = "${Type}",
    .summary = "Create, under an id that is given",
    .about = "An array, or lines, of up to ${limits.batchItems} bodies creates many: each is a command of its own, and one that "
             "is bad does not stop the others.",
    .params = PARAMS(TERMS),
    .bodies = BODIES({"application/json",
                      JSON({"oneOf": [{"$ref": "#/components/schemas/${Type}"},
                                      {"type": "array", "maxItems": ${limits.batchItems},
                                       "items": {"$ref": "#/components/schemas/${Type}"}}]}),
                      NULL},
                     {"application/x-ndjson", JSON({"type": "string", "description": "A body on each line."}), NULL}),
    .answers = ANSWERS({200, "An answer to each body of a batch.",
                        BODIES({"application/json", JSON({"$ref": "#/components/schemas/batch-answer"}), NULL},
                               {"application/x-ndjson", JSON({"type": "string", "description": "An item on each line."}),
                                NULL}),
                        HEADERS(&header_batch_waited), NULL},
                       CREATED, ACKNOWLEDGED),
    .problems =
        PROBLEMS(&invalid_json, OF_ALL, &already_exists, &too_many_items, &schema_violation, &link_missing, &not_unique),
};

const openapi_operation_t operation_put = {
    .id = "put${Type}",
    .tag = "${Type}",
    .summary = "Replace the data; with If-None-Match: *, create",
    .params = PARAMS(&param_id, &param_if_match, &param_create_only, TERMS),
    .bodies = JSON_BODY("${Type}"),
    .answers = ANSWERS(DONE, CREATED, ACKNOWLEDGED),
    .problems = PROBLEMS(&invalid_json, OF_ALL, OF_CHANGES, &exists_already, &schema_violation, &link_missing, &not_unique),
};

const openapi_operation_t operation_replace = {
    .id = "replace${Type}",
    .tag = "${Type}",
    .summary = "Replace the data",
    .params = PARAMS(&param_id, &param_if_match, TERMS),
    .bodies = JSON_BODY("${Type}"),
    .answers = ANSWERS(DONE, ACKNOWLEDGED),
    .problems = PROBLEMS(&invalid_json, OF_ALL, OF_CHANGES, &schema_violation, &link_missing, &not_unique),
};

const openapi_operation_t operation_patch = {
    .id = "patch${Type}",
    .tag = "${Type}",
    .summary = "Change a part of the data",
    .about = "The patch is applied to the latest data when the command is decided. What it makes must match the schema.",
    .params = PARAMS(&param_id, &param_if_match, TERMS),
    .bodies = BODIES({"application/merge-patch+json",
                      JSON({"type": "object", "description": "Members to set; null removes one (RFC 7396)."}),
                      JSON({"description": null})},
                     {"application/json-patch+json", JSON({"$ref": "#/components/schemas/json-patch"}),
                      JSON([{"op": "test", "path": "/title", "value": "Hello"}])}),
    .answers = ANSWERS(DONE, ACKNOWLEDGED),
    .problems = PROBLEMS(&invalid_json, OF_ALL, OF_CHANGES, &schema_violation, &patch_failed, &link_missing, &not_unique),
};

const openapi_operation_t operation_delete = {
    .id = "delete${Type}",
    .tag = "${Type}",
    .summary = "Delete",
    .params = PARAMS(&param_id, &param_if_match, TERMS),
    .answers = ANSWERS(DONE, ACKNOWLEDGED),
    .problems = PROBLEMS(OF_ALL, OF_CHANGES, &linked),
};

static const openapi_problem_t no_such_command = {404, "not-found", "No command of this id is known.", NULL};

const openapi_operation_t operation_command_status = {
    .id = "commandStatus",
    .tag = "commands",
    .summary = "What became of a command",
    .about = "Until there is an outcome it is pending, for ${limits.pendingSeconds} seconds at most; outcomes are known for "
             "${retention.outcomesHours} hours.",
    .params = PARAMS(&param_id),
    .answers = ANSWERS({200, "What became of it so far.", JSON_BODY("command-status"), NULL, NULL}),
    .problems = PROBLEMS(&no_such_command, &problem_internal, &problem_store_unavailable),
};
