/* Rows of descriptions that both APIs have. */
#ifndef ODRADEK_SERVICES_OPENAPI_ROWS_H
#define ODRADEK_SERVICES_OPENAPI_ROWS_H

#include "services/openapi.h"

/* Lists, ended as they must be, in place. */
#define PARAMS(...) ((const openapi_param_t *const[]){__VA_ARGS__, NULL})
#define HEADERS(...) ((const openapi_header_t *const[]){__VA_ARGS__, NULL})
#define PROBLEMS(...) ((const openapi_problem_t *const[]){__VA_ARGS__, NULL})
#define ANSWERS(...) ((const openapi_answer_t[]){__VA_ARGS__, {0}})
#define LINKS(...) ((const openapi_link_t[]){__VA_ARGS__, {0}})
#define BODIES(...) ((const openapi_body_t[]){__VA_ARGS__, {0}})
/* A body of JSON with a schema of the components: JSON_BODY("${Type}"). */
#define JSON_BODY(name) BODIES({"application/json", "{\"$ref\":\"#/components/schemas/" name "\"}", NULL})

/* What ids are, of entities and of commands; beside id_valid, without "." and "..", which clients take for steps. */
#define ID_SCHEMA JSON({"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[A-Za-z0-9._~-]+$"})

extern const openapi_param_t param_id;
extern const openapi_param_t param_if_none_match;
extern const openapi_header_t header_etag, header_retry_after;
extern const openapi_problem_t problem_invalid_parameter, problem_not_found, problem_internal, problem_store_unavailable;

/* Of the routes that every service has. */
extern const openapi_operation_t operation_health, operation_ready, operation_metrics;
/* Of those by which an API shows itself. */
extern const openapi_operation_t operation_directory, operation_openapi, operation_docs, operation_docs_file;

#endif
