/* Rows of descriptions that both APIs have. */
#include "services/openapi_rows.h"

const openapi_param_t param_id = {"path", "id", "The id.", ID_SCHEMA, JSON("welcome")};

const openapi_param_t param_if_none_match = {
    "header", "If-None-Match", "The ETag of what the client has (RFC 9110): 304 where it is still that.",
    JSON({"type": "string"}), NULL};

const openapi_header_t header_etag = {
    "ETag", "What is there now, as an entity tag (RFC 9110); of an entity its version.", JSON({"type": "string"}),
    JSON("\"3\""), true};

const openapi_header_t header_retry_after = {
    "Retry-After", "In how many seconds to try again.", JSON({"type": "integer", "minimum": 0}), "1", true};

static const openapi_header_t header_csp = {
    "Content-Security-Policy", "What the page may load: nothing from elsewhere.", JSON({"type": "string"}), NULL, true};

const openapi_problem_t problem_invalid_parameter = {
    400, "invalid-parameter", "A query parameter is unknown, wrong, there twice, or does not go with another.", NULL};
const openapi_problem_t problem_not_found = {404, "not-found", "There is nothing of this id.", NULL};
const openapi_problem_t problem_internal = {
    500, "internal", "A store refused to answer, or holds what cannot be read.", NULL};
const openapi_problem_t problem_store_unavailable = {
    503, "store-unavailable", "A store does not answer.", HEADERS(&header_retry_after)};

static const openapi_problem_t problem_no_viewer = {
    404, "viewer-missing", "The viewer is not installed: ./control.sh setup brings it.", NULL};
static const openapi_problem_t problem_no_file = {404, "not-found", "The viewer has no such file.", NULL};

#define TAG_SERVICE "service"

const openapi_operation_t operation_health = {
    .id = "health",
    .tag = TAG_SERVICE,
    .summary = "Whether the process lives",
    .answers = ANSWERS({200, "It does.", JSON_BODY("health"), NULL, NULL}),
};

const openapi_operation_t operation_ready = {
    .id = "ready",
    .tag = TAG_SERVICE,
    .summary = "Whether it can do its work now",
    .answers = ANSWERS({200, "It can.", JSON_BODY("readiness"), NULL, NULL},
                       {503, "It cannot; the reason is said.", JSON_BODY("readiness"), NULL, NULL}),
};

const openapi_operation_t operation_metrics = {
    .id = "metrics",
    .tag = TAG_SERVICE,
    .summary = "Metrics for Prometheus",
    .answers = ANSWERS({200, "All metrics, in Prometheus' text format.",
                        BODIES({"text/plain", JSON({"type": "string"}), NULL}), NULL, NULL}),
};

const openapi_operation_t operation_directory = {
    .id = "directory",
    .tag = TAG_SERVICE,
    .summary = "What there is",
    .params = PARAMS(&param_if_none_match),
    .answers = ANSWERS({200, "Collections and links.", JSON_BODY("directory"), HEADERS(&header_etag), NULL},
                       {304, "It is as the client has it.", NULL, HEADERS(&header_etag), NULL}),
};

const openapi_operation_t operation_openapi = {
    .id = "openapi",
    .tag = TAG_SERVICE,
    .summary = "This document",
    .params = PARAMS(&param_if_none_match),
    .answers = ANSWERS({200, "An OpenAPI 3.1 document.", BODIES({"application/json", JSON({"type": "object"}), NULL}),
                        HEADERS(&header_etag), NULL},
                       {304, "It is as the client has it.", NULL, HEADERS(&header_etag), NULL}),
};

const openapi_operation_t operation_docs = {
    .id = "docs",
    .tag = TAG_SERVICE,
    .summary = "This document in a browser",
    .params = PARAMS(&param_if_none_match),
    .answers = ANSWERS({200, "A page that shows it, and needs nothing from elsewhere.",
                        BODIES({"text/html", JSON({"type": "string"}), NULL}),
                        HEADERS(&header_etag, &header_csp), NULL},
                       {304, "It is as the client has it.", NULL, HEADERS(&header_etag), NULL}),
    .problems = PROBLEMS(&problem_no_viewer),
};

static const openapi_param_t param_file = {
    "path", "file", "A file of the viewer.",
    JSON({"type": "string", "enum": ["page.js", "swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png"]}), NULL};

const openapi_operation_t operation_docs_file = {
    .id = "docsFile",
    .tag = TAG_SERVICE,
    .summary = "A file of that page",
    .params = PARAMS(&param_file, &param_if_none_match),
    .answers = ANSWERS({200, "The file.",
                        BODIES({"text/css", JSON({"type": "string"}), NULL},
                               {"text/javascript", JSON({"type": "string"}), NULL},
                               {"image/png", JSON({"type": "string", "contentMediaType": "image/png"}), NULL}),
                        HEADERS(&header_etag), NULL},
                       {304, "It is as the client has it.", NULL, HEADERS(&header_etag), NULL}),
    .problems = PROBLEMS(&problem_no_file, &problem_no_viewer),
};
