/* The filters of a list: each names a member that is indexed, and what it must be. */
#ifndef ODRADEK_QUERY_FILTER_H
#define ODRADEK_QUERY_FILTER_H

#include "model/index.h"

enum { FILTERS_MAX = 8, FILTER_VALUES = 2 };

/* `values` are texts as indexes have them (model/index.h). A text that a client gives stands for the string, and where
   it is written like one, for the number, boolean or null too: then there are two, else the second is empty. */
typedef struct filter {
    char field[INDEX_NAME_MAX + 1];
    char values[FILTER_VALUES][INDEX_VALUE_SIZE];
} filter_t;

typedef struct filters {
    filter_t items[FILTERS_MAX]; /* in order of their fields */
    size_t count;
} filters_t;

/* Adds one; there must be room, `field` must be short enough, and none of its name there. */
void filter_add(filters_t *filters, const char *field, const char *text);
bool filter_same(const filters_t *a, const filters_t *b);

/* Whether an entity with these entries in its indexes (model/index.h) passes them all, but for `except` (NULL: none). */
bool filter_pass(const filters_t *filters, const filter_t *except, const char *entries, size_t len);

#endif
