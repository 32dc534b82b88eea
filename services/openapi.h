/* What an API says of itself as an OpenAPI 3.1 document, made at start from its routes, the settings and the schemas of
   the types. Each form of a route has a description, a row of tables; a route without one is not served.

   All texts are templates: ${Type}, ${type} and ${base} stand for the type that the route belongs to (Entry, entry,
   entries), ${limits.waitSeconds} and others for a setting. */
#ifndef ODRADEK_SERVICES_OPENAPI_H
#define ODRADEK_SERVICES_OPENAPI_H

#include "common/http.h"
#include "model/types.h"

/* JSON in the source as it is. */
#define JSON(...) #__VA_ARGS__

typedef struct openapi_param {
    const char *in; /* "path", "query" or "header" */
    const char *name;
    const char *about;
    const char *schema;  /* JSON, like all schemas and examples */
    const char *example; /* NULL: none */
} openapi_param_t;

/* A header of an answer. */
typedef struct openapi_header {
    const char *name;
    const char *about;
    const char *schema;
    const char *example;
    bool always; /* it is never missing */
} openapi_header_t;

/* Lists of pointers are ended by NULL, lists of rows by one of zeros. */

typedef struct openapi_body {
    const char *media_type;
    const char *schema;
    const char *example; /* NULL: none */
} openapi_body_t;

/* What an answer leads to: an operation of the same document, and its parameters out of the answer. */
typedef struct openapi_link {
    const char *operation; /* its id; the link has that name */
    const char *params;    /* JSON: {"id": "$response.body#/id"} */
} openapi_link_t;

typedef struct openapi_answer {
    int code;
    const char *about;
    const openapi_body_t *bodies; /* NULL: it has none */
    const openapi_header_t *const *headers;
    const openapi_link_t *links; /* NULL: it leads nowhere */
} openapi_answer_t;

/* A problem (RFC 9457); those of the same code are one answer. */
typedef struct openapi_problem {
    int code;
    const char *type; /* "not-found" */
    const char *about;
    const openapi_header_t *const *headers;
} openapi_problem_t;

typedef struct openapi_operation {
    const char *id; /* unique: "create${Type}" */
    const char *tag;
    const char *summary;
    const char *about; /* NULL: the summary says it */
    const openapi_param_t *const *params;
    const openapi_body_t *bodies; /* of a request; their media types are what the route accepts */
    const openapi_answer_t *answers;
    const openapi_problem_t *const *problems; /* beside those that the HTTP server answers with */
} openapi_operation_t;

/* The type that a route's path belongs to; NULL: none. */
const entity_type_t *openapi_type_of(const types_t *types, const char *path);

typedef struct openapi_options {
    const char *title, *about;
    const settings_t *settings;
    const types_t *types;
    const http_route_t *routes; /* `about` of each is its openapi_operation_t */
    size_t routes_count;
} openapi_options_t;

/* The document. NULL: a route has no description, or one that cannot be; `error` says which. The caller owns it. */
json_t *openapi_build(const openapi_options_t *options, err_t *error) MUST_CHECK;

#endif
