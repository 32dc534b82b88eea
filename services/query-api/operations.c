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

/* ---- problems ---- */

static const openapi_problem_t invalid_cursor = {
    400, "invalid-cursor", "The cursor is none of this list and order.", NULL};
static const openapi_problem_t gone = {410, "gone", "The entity was deleted.", NULL};

#define OF_ALL &problem_invalid_parameter, &problem_internal, &problem_store_unavailable

/* ---- operations ---- */

#define LINK_TO_FIRST(operation) {operation, JSON({"id": "$response.body#/items/0/id"})}


const openapi_operation_t operation_list = {
    .id = "list${Type}",
    .tag = "${Type}",
    .summary = "A list, page by page",
    .about = "All that is not deleted, by id. What stays as it is while the list is read is there exactly once.",
    .params = PARAMS(&param_limit, &param_order, &param_cursor),
    .answers = ANSWERS({200, "A page.", JSON_BODY("${Type}.page"), NULL,
                        LINKS(LINK_TO_FIRST("get${Type}"), LINK_TO_FIRST("history${Type}"))}),
    .problems = PROBLEMS(OF_ALL, &invalid_cursor),
};

const openapi_operation_t operation_get = {
    .id = "get${Type}",
    .tag = "${Type}",
    .summary = "An entity as it is now",
    .params = PARAMS(&param_id, &param_if_none_match),
    .answers = ANSWERS({200, "The entity.", JSON_BODY("${Type}.entity"), HEADERS(&header_etag), NULL},
                       {304, "It is at the version that the client has.", NULL, HEADERS(&header_etag), NULL}),
    .problems = PROBLEMS(OF_ALL, &problem_not_found, &gone),
};

const openapi_operation_t operation_history = {
    .id = "history${Type}",
    .tag = "${Type}",
    .summary = "An entity's history, page by page",
    .about = "Its events as they are in the log, from the oldest on; also of what was deleted.",
    .params = PARAMS(&param_id, &param_limit, &param_after),
    .answers = ANSWERS({200, "A page.", JSON_BODY("${Type}.history"), NULL, NULL}),
    .problems = PROBLEMS(OF_ALL, &problem_not_found),
};
