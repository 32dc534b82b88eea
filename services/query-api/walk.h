/* A walk along an index through all partitions, in its order, some members at a time: the ids of entities that pass filters.

       every partition's index ──▶ merge ──▶ what else they must have ──▶ found

   A step begins behind the last member that the step before it looked at. So what is written meanwhile moves nothing: an
   entity that stays as it is is met once, wherever others appear or vanish. */
#ifndef ODRADEK_QUERY_WALK_H
#define ODRADEK_QUERY_WALK_H

#include "services/query-api/cursor.h"
#include "services/query-api/query_api.h"

typedef struct walk walk_t;

typedef struct walk_found {
    char *value; /* of the index; empty where it is that of ids, or a filter's */
    char id[ID_SIZE];
} walk_found_t;

typedef void (*walk_done_t)(walk_t *walk, status_t status, void *context);

/* Filled in by who walks, up to `context`; freed by walk_free. */
struct walk {
    const query_route_t *route;
    const char *sort; /* borrowed like the filters: "id", or a member that is indexed */
    bool descending;
    const filters_t *filters;
    const filter_t *within; /* one of them, only with "id": its index is walked along, and not that of ids; or NULL */
    char value[INDEX_VALUE_SIZE], id[ID_SIZE]; /* behind which the next step begins; no id: the beginning */
    walk_done_t done;
    void *context;
    walk_found_t *found; /* of all steps, until walk_forget */
    size_t found_count, found_cap;
    size_t seen; /* members that were looked at, of all steps */
    bool ended;  /* there is no more */
    size_t step_first; /* of the found: where those of this step begin */
    size_t step_each;  /* how many members were asked of each index */
};

/* Looks for `wanted` more, perhaps finding fewer or a few more; then calls `done`. */
void walk_step(walk_t *walk, size_t wanted);
void walk_forget(walk_t *walk);
void walk_free(walk_t *walk); /* what is in it */

#endif
