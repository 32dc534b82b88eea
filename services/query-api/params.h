/* The query parameters that the routes know. */
#ifndef ODRADEK_QUERY_PARAMS_H
#define ODRADEK_QUERY_PARAMS_H

#include "common/http.h"
#include "services/query-api/filter.h"

/* As bits, for those that a request may have and those that it has. */
typedef enum query_param {
    PARAM_LIMIT = 1 << 0,
    PARAM_CURSOR = 1 << 1,
    PARAM_ORDER = 1 << 2,
    PARAM_AFTER = 1 << 3,
    PARAM_SORT = 1 << 4,
    PARAM_FILTER = 1 << 5,
    PARAM_FIELDS = 1 << 6,
    PARAM_INCLUDE = 1 << 7,
    PARAM_COUNT = 1 << 8,
    PARAM_VERSION = 1 << 9,
    PARAM_AT = 1 << 10,
    PARAM_MIN_VERSION = 1 << 11,
    PARAM_WAIT = 1 << 12,
} query_param_t;

/* Texts are borrowed from the request. */
typedef struct query_params {
    unsigned given;
    int64_t limit;
    const char *sort; /* a name, without the "-" before it, which `descending` tells */
    bool descending;
    int64_t after;
    const char *cursor;
    filters_t filters;
    const char *fields, *include; /* names with commas between them */
    bool count;
    int64_t version, at_ms, min_version, wait;
} query_params_t;

/* Reads the request's parameters, with defaults for what is not given. False: one is unknown or wrong, and the request
   is answered. */
bool query_params_read(http_request_t *request, unsigned allowed, query_params_t *params);
/* Takes one over. False: `error` says what is wrong with it. */
bool query_params_set(query_params_t *params, unsigned allowed, const char *name, const char *value, err_t *error);
/* Whether those given may stand together. False: the request is answered. */
bool query_params_alone(http_request_t *request, const query_params_t *params, unsigned some, unsigned others);

/* The names in such a list, in turn: `*at` (NULL at the end) moves behind the one that is returned. */
json_span_t query_params_name(const char **at);

#endif
