/* The query parameters that lists and histories know: a row each. */
#include "services/query-api/params.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { LIMIT_DEFAULT = 50, LIMIT_MAX = 1000 };

/* Digits only: strtoll alone would take signs and white space. */
static bool read_number(const char *text, int64_t min, int64_t max, int64_t *number) {
    if (!*text || text[strspn(text, "0123456789")]) return false;
    errno = 0;
    *number = strtoll(text, NULL, 10);
    return !errno && *number >= min && *number <= max;
}

static bool read_limit(query_params_t *params, const char *value) {
    return read_number(value, 1, LIMIT_MAX, &params->limit);
}

static bool read_order(query_params_t *params, const char *value) {
    params->descending = !strcmp(value, "desc");
    return params->descending || !strcmp(value, "asc");
}

static bool read_after(query_params_t *params, const char *value) {
    return read_number(value, 0, INT64_MAX - 1, &params->after);
}

static bool read_cursor(query_params_t *params, const char *value) {
    params->cursor = value;
    return true; /* what it must be depends on the list */
}

static const struct row {
    query_param_t param;
    const char *name;
    bool (*read)(query_params_t *params, const char *value);
    const char *expected;
} rows[] = {
    {PARAM_LIMIT, "limit", read_limit, "a number from 1 to 1000"},
    {PARAM_ORDER, "order", read_order, "\"asc\" or \"desc\""},
    {PARAM_AFTER, "after", read_after, "a version: a number from 0 on"},
    {PARAM_CURSOR, "cursor", read_cursor, "a cursor"},
};

static const struct row *find(const char *name, unsigned allowed) {
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if ((rows[i].param & allowed) && !strcmp(rows[i].name, name)) return &rows[i];
    return NULL;
}

bool query_params_set(query_params_t *params, unsigned allowed, const char *name, const char *value, err_t *error) {
    const struct row *row = find(name, allowed);
    if (!row) {
        err_set(error, STATUS_FATAL, "There is no parameter \"%.64s\" here.", name);
        return false;
    }
    if (params->given & row->param) {
        err_set(error, STATUS_FATAL, "The parameter \"%s\" is given twice.", name);
        return false;
    }
    params->given |= row->param;
    if (value && row->read(params, value)) return true;
    err_set(error, STATUS_FATAL, "The parameter \"%s\" must be %s.", name, row->expected);
    return false;
}

typedef struct reading {
    query_params_t *params;
    unsigned allowed;
    err_t error; /* empty: all is well so far */
} reading_t;

static bool each(const char *name, const char *value, void *context) {
    reading_t *reading = context;
    return query_params_set(reading->params, reading->allowed, name, value, &reading->error);
}

bool query_params_read(http_request_t *request, unsigned allowed, query_params_t *params) {
    reading_t reading = {.params = params, .allowed = allowed};
    *params = (query_params_t){.limit = LIMIT_DEFAULT};
    http_each_query(request, each, &reading);
    if (!reading.error.text[0]) return true;
    http_problem(request, 400, "invalid-parameter", reading.error.text, NULL);
    return false;
}
