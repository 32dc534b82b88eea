/* How many entities of a type there are that pass filters, and which filter the fewest pass. */
#ifndef ODRADEK_QUERY_COUNT_H
#define ODRADEK_QUERY_COUNT_H

#include "services/query-api/cursor.h"
#include "services/query-api/query_api.h"

enum { COUNT_UNKNOWN = -1 }; /* too many would have to be looked at */

/* `best`: the filter that the fewest pass; NULL: there is none. */
typedef void (*count_done_t)(status_t status, const filter_t *best, int64_t total, void *context);

/* Finds the best filter, and, where `whole`, the total; then calls `done`. `filters` are borrowed until then. */
void count_start(const query_route_t *route, const filters_t *filters, bool whole, count_done_t done, void *context);

#endif
