/* The query parameters that the routes know: a row each. */
#include "services/query-api/params.h"

#include "common/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIMIT_DEFAULT = 50, LIMIT_MAX = 1000, WAIT_DEFAULT = 2, WAIT_MAX = 1000000 };

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

static bool read_sort(query_params_t *params, const char *value) {
    params->descending = *value == '-';
    params->sort = value + params->descending;
    return *params->sort != '\0'; /* which there are depends on the list */
}

static bool read_names(const char *value) {
    for (const char *at = value; at;)
        if (query_params_name(&at).len == 0) return false;
    return true;
}

static bool read_fields(query_params_t *params, const char *value) {
    params->fields = value;
    return read_names(value);
}

static bool read_include(query_params_t *params, const char *value) {
    params->include = value;
    return read_names(value);
}

static bool read_count(query_params_t *params, const char *value) {
    params->count = !strcmp(value, "true");
    return params->count || !strcmp(value, "false");
}

static bool read_version(query_params_t *params, const char *value) {
    return read_number(value, 1, INT64_MAX - 1, &params->version);
}

/* A "+" that is not written as %2B comes as a blank. */
static bool read_at(query_params_t *params, const char *value) {
    char text[64];
    size_t len = strlen(value);
    if (len >= sizeof text) return false;
    memcpy(text, value, len + 1);
    if (len > 6 && text[len - 6] == ' ') text[len - 6] = '+';
    return clock_parse(text, &params->at_ms);
}

static bool read_min_version(query_params_t *params, const char *value) {
    return read_number(value, 1, INT64_MAX - 1, &params->min_version);
}

static bool read_wait(query_params_t *params, const char *value) {
    return read_number(value, 0, WAIT_MAX, &params->wait);
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
    {PARAM_SORT, "sort", read_sort, "the name of a member, with \"-\" before it for the other direction"},
    {PARAM_FIELDS, "fields", read_fields, "names of members with commas between them"},
    {PARAM_INCLUDE, "include", read_include, "names of members with commas between them"},
    {PARAM_COUNT, "count", read_count, "\"true\" or \"false\""},
    {PARAM_VERSION, "version", read_version, "a version: a number from 1 on"},
    {PARAM_AT, "at", read_at, "a time as in 2026-11-21T07:00:00Z or 2026-11-21T08:00:00+01:00"},
    {PARAM_MIN_VERSION, "min_version", read_min_version, "a version: a number from 1 on"},
    {PARAM_WAIT, "wait", read_wait, "a number of seconds"},
};

static const struct row *find(const char *name, unsigned allowed) {
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if ((rows[i].param & allowed) && !strcmp(rows[i].name, name)) return &rows[i];
    return NULL;
}

/* ---- filter[field]=value ---- */

/* The name between the brackets, copied. False: `name` is no filter's. */
static bool filter_field(const char *name, char field[INDEX_NAME_MAX + 1]) {
    static const char before[] = "filter[";
    size_t len = strlen(name), begin = sizeof before - 1;
    if (strncmp(name, before, begin) || len < begin + 2 || name[len - 1] != ']' || len - begin - 1 > INDEX_NAME_MAX) return false;
    snprintf(field, INDEX_NAME_MAX + 1, "%.*s", (int)(len - begin - 1), name + begin);
    return true;
}

static bool add_filter(query_params_t *params, const char *field, const char *value, err_t *error) {
    filters_t *filters = &params->filters;
    for (size_t i = 0; i < filters->count; i++)
        if (!strcmp(filters->items[i].field, field)) {
            err_set(error, STATUS_FATAL, "The parameter \"filter[%s]\" is given twice.", field);
            return false;
        }
    if (!value) err_set(error, STATUS_FATAL, "The parameter \"filter[%s]\" must have a value.", field);
    else if (filters->count == FILTERS_MAX) err_set(error, STATUS_FATAL, "A list has %d filters at most.", FILTERS_MAX);
    if (!value || filters->count == FILTERS_MAX) return false;
    filter_add(filters, field, value);
    params->given |= PARAM_FILTER;
    return true;
}

/* ---- any ---- */

bool query_params_set(query_params_t *params, unsigned allowed, const char *name, const char *value, err_t *error) {
    char field[INDEX_NAME_MAX + 1];
    if ((allowed & PARAM_FILTER) && filter_field(name, field)) return add_filter(params, field, value, error);
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
    *params = (query_params_t){.limit = LIMIT_DEFAULT, .wait = WAIT_DEFAULT};
    http_each_query(request, each, &reading);
    if (!reading.error.text[0]) return true;
    http_problem(request, 400, "invalid-parameter", reading.error.text, NULL);
    return false;
}

static const char *name_of(unsigned param) {
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].param & param) return rows[i].name;
    return "filter[]";
}

bool query_params_alone(http_request_t *request, const query_params_t *params, unsigned some, unsigned others) {
    unsigned one = params->given & some, other = params->given & others;
    if (!one || !other) return true;
    err_t error;
    err_set(&error, STATUS_FATAL, "The parameters \"%s\" and \"%s\" do not go together.", name_of(one), name_of(other));
    http_problem(request, 400, "invalid-parameter", error.text, NULL);
    return false;
}

json_span_t query_params_name(const char **at) {
    size_t len = strcspn(*at, ",");
    json_span_t name = {*at, len};
    *at = (*at)[len] ? *at + len + 1 : NULL;
    return name;
}
