/* The query parameters that lists and histories know. */
#ifndef ODRADEK_QUERY_PARAMS_H
#define ODRADEK_QUERY_PARAMS_H

#include "common/http.h"

/* As bits, for those that a request may have and those that it has. */
typedef enum query_param {
    PARAM_LIMIT = 1,
    PARAM_CURSOR = 2,
    PARAM_ORDER = 4,
    PARAM_AFTER = 8,
} query_param_t;

typedef struct query_params {
    unsigned given;
    int64_t limit;
    bool descending;
    int64_t after;
    const char *cursor; /* borrowed from the request */
} query_params_t;

/* Reads the request's parameters, with defaults for what is not given. False: one is unknown or wrong, and the request
   is answered. */
bool query_params_read(http_request_t *request, unsigned allowed, query_params_t *params);
/* Takes one over. False: `error` says what is wrong with it. */
bool query_params_set(query_params_t *params, unsigned allowed, const char *name, const char *value, err_t *error);

#endif
