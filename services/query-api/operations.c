/* What query-api's routes are: a row each, of rows for parameters, headers, answers and problems. */
#include "services/query-api/operations.h"

#include "services/openapi_rows.h"

/* ---- parameters ---- */

static const openapi_param_t param_limit = {
    "query", "limit", "How many items the page has at most.",
    JSON({"type": "integer", "minimum": 1, "maximum": 1000, "default": 50}), "2"};
static const openapi_param_t param_order = {
    "query", "order", "By id, rising or falling.", JSON({"type": "string", "enum": ["asc", "desc"], "default": "asc"}), NULL};
static const openapi_param_t param_cursor = {
    "query", "cursor", "Where the list goes on: next of the page before.",
    JSON({"type": "string", "pattern": "^[A-Za-z0-9_-]+$"}), NULL};
static const openapi_param_t param_after = {
    "query", "after", "A version: the events behind it.",
    JSON({"type": "integer", "format": "int64", "minimum": 0, "maximum": 9223372036854775806, "default": 0}), "2"};

static const openapi_param_t param_sort = {
    "query", "sort", "The member to sort by, with - before it the other way round. Not together with order.",
    JSON({"type": "string", "enum": ${sorts}}), NULL};
static const openapi_param_t param_filter = {
    "query", "filter", "Only what has this value, or these values, as filter[title]=Hello.",
    JSON({"type": "object", "additionalProperties": false, "maxProperties": 8, "properties": ${filters}}), NULL};
static const openapi_param_t param_fields = {
    "query", "fields", "Only these members of the data.",
    JSON({"type": "array", "minItems": 1, "items": {"type": "string", "pattern": "^[^,]+$"}}), NULL};
static const openapi_param_t param_include = {
    "query", "include", "Adds the entities that these members lead to.",
    JSON({"type": "array", "minItems": 1, "items": {"type": "string", "enum": ${links}}}), NULL};
static const openapi_param_t param_count = {
    "query", "count", "Adds how many there are on all pages together.", JSON({"type": "boolean", "default": false}), NULL};
static const openapi_param_t param_version = {
    "query", "version", "Shows the entity as it was at this version.",
    JSON({"type": "integer", "format": "int64", "minimum": 1, "maximum": 9223372036854775806}), "1"};
static const openapi_param_t param_at = {
    "query", "at", "Shows the entity as it was at this time, RFC 3339. Not together with version.",
    JSON({"type": "string", "format": "date-time"}), JSON("2026-11-21T07:00:00Z")};
static const openapi_param_t param_min_version = {
    "query", "min_version", "Waits until the entity is at this version or a later one. Not together with version or at.",
    JSON({"type": "integer", "format": "int64", "minimum": 1, "maximum": 9223372036854775806}), "1"};
static const openapi_param_t param_wait = {
    "query", "wait", "For how many seconds at most it waits for that. Only with min_version.",
    JSON({"type": "integer", "minimum": 0, "maximum": ${limits.waitSeconds}}), "1"};

/* Of live streams. */
static const openapi_param_t param_last_event_id = {
    "header", "Last-Event-ID", "Of a live stream: the id that came last, behind which it goes on.", JSON({"type": "string"}),
    NULL};
static const openapi_param_t param_last_event = {
    "query", "lastEventId", "The same as Last-Event-ID, where a header cannot be set; the header wins.",
    JSON({"type": "string"}), NULL};
static const openapi_param_t param_from = {
    "query", "from", "Where the stream begins, unless it goes on: now, or at the first event.",
    JSON({"type": "string", "enum": ["now", "beginning"], "default": "now"}), NULL};
static const openapi_param_t param_event_types = {
    "query", "type", "Only these: names of events, as entryCreated, or of types, as Entry.",
    JSON({"type": "array", "minItems": 1, "items": {"type": "string", "pattern": "^[^,]+$"}}), NULL};
static const openapi_param_t param_event_ids = {
    "query", "id", "Only those of these entities.",
    JSON({"type": "array", "minItems": 1, "maxItems": 1000, "items": {"type": "string", "pattern": "^[A-Za-z0-9._~-]{1,128}$"}}),
    NULL};

#define OF_STREAMS &param_event_types, &param_event_ids, &param_from, &param_last_event, &param_last_event_id

/* An answer that includes others has none. */
static const openapi_header_t header_own_etag = {
    "ETag", "The version that is shown; with include there is none.", JSON({"type": "string"}), JSON("\"3\""), false};

static const openapi_header_t header_unbuffered = {
    "X-Accel-Buffering", "With a stream: that proxies of the nginx kind pass it on as it comes.",
    JSON({"type": "string", "enum": ["no"]}), NULL, false};

/* ---- problems ---- */

static const openapi_problem_t invalid_cursor = {
    400, "invalid-cursor", "The cursor is none of this list and order.", NULL};
static const openapi_problem_t gone = {410, "gone", "The entity was deleted.", NULL};

static const openapi_problem_t not_yet = {
    504, "not-yet", "The entity did not come to min_version in time; version tells where it is, 0: it is not there.", NULL};

static const openapi_problem_t invalid_last_event_id = {
    400, "invalid-last-event-id", "The last event id is none of this stream.", NULL};
static const openapi_problem_t not_acceptable = {
    406, "not-acceptable", "This is a live stream, for those who name text/event-stream in Accept.", NULL};
static const openapi_problem_t too_many_streams = {
    503, "too-many-streams", "${limits.streams} streams are open already.", HEADERS(&header_retry_after)};
static const openapi_problem_t log_unavailable = {
    503, "log-unavailable", "The log does not answer.", HEADERS(&header_retry_after)};

#define OF_OPENING &problem_invalid_parameter, &invalid_last_event_id, &too_many_streams, &log_unavailable

/* Server-Sent Events (WHATWG HTML, 9.2). */
#define STREAM                                                                                                         \
    {"text/event-stream",                                                                                              \
     JSON({"type": "string", "description": "Server-Sent Events: data is the record as it is in the log, event its type."}), NULL}

#define OF_ALL &problem_invalid_parameter, &problem_internal, &problem_store_unavailable

/* ---- operations ---- */

#define LINK_TO_FIRST(operation) {operation, JSON({"id": "$response.body#/items/0/id"})}


const openapi_operation_t operation_list = {
    .id = "list${Type}",
    .tag = "${Type}",
    .summary = "A list, page by page",
    .about = "All that is not deleted, by id or sorted by another member. What stays as it is while the list is read is there exactly once.",
    .params = PARAMS(&param_limit, &param_cursor, &param_sort, &param_order, &param_filter, &param_fields, &param_include,
                     &param_count),
    .answers = ANSWERS({200, "A page.", JSON_BODY("${Type}.page"), NULL,
                        LINKS(LINK_TO_FIRST("get${Type}"), LINK_TO_FIRST("history${Type}"))}),
    .problems = PROBLEMS(OF_ALL, &invalid_cursor),
};

const openapi_operation_t operation_get = {
    .id = "get${Type}",
    .tag = "${Type}",
    .summary = "An entity as it is now, or as it was",
    .params = PARAMS(&param_id, &param_fields, &param_include, &param_version, &param_at, &param_min_version, &param_wait,
                     &param_if_none_match),
    .answers = ANSWERS({200, "The entity.", JSON_BODY("${Type}.entity"), HEADERS(&header_own_etag), NULL},
                       {304, "It is at the version that the client has.", NULL, HEADERS(&header_etag), NULL}),
    .problems = PROBLEMS(OF_ALL, &problem_not_found, &gone, &not_yet),
};

const openapi_operation_t operation_history = {
    .id = "history${Type}",
    .tag = "${Type}",
    .summary = "An entity's history, page by page, or live",
    .about = "Its events as they are in the log, from the oldest on; also of what was deleted. With text/event-stream in Accept it is "
             "a live stream, which takes from and lastEventId instead of limit and after.",
    .params = PARAMS(&param_id, &param_limit, &param_after, &param_last_event_id),
    .answers = ANSWERS({200, "A page, or a stream.",
                        BODIES({"application/json", JSON({"$ref": "#/components/schemas/${Type}.history"}), NULL}, STREAM),
                        HEADERS(&header_unbuffered), NULL}),
    .problems = PROBLEMS(OF_ALL, &invalid_last_event_id, &too_many_streams, &log_unavailable, &problem_not_found),
};

#define STREAM_ABOUT                                                                                                   \
    "Committed events as they come, in order by entity, without loss or repeat behind a Last-Event-ID. Where nothing comes for " \
    "${http.heartbeatSeconds} seconds there is a comment."

const openapi_operation_t operation_events = {
    .id = "events${Type}",
    .tag = "${Type}",
    .summary = "Live stream of the type's events",
    .about = STREAM_ABOUT,
    .params = PARAMS(OF_STREAMS),
    .answers = ANSWERS({200, "The stream.", BODIES(STREAM), HEADERS(&header_unbuffered), NULL}),
    .problems = PROBLEMS(OF_OPENING, &not_acceptable),
};

const openapi_operation_t operation_all_events = {
    .id = "events",
    .tag = "events",
    .summary = "Live stream of all events",
    .about = STREAM_ABOUT,
    .params = PARAMS(OF_STREAMS),
    .answers = ANSWERS({200, "The stream.", BODIES(STREAM), HEADERS(&header_unbuffered), NULL}),
    .problems = PROBLEMS(OF_OPENING, &not_acceptable),
};
