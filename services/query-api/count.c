/* How many entities pass filters.

   How many have a value, the indexes tell. Where an entity could be counted twice, or must have several values, those of the
   filter that the fewest pass are walked through and looked at, a step at a time: a step is all that is held in memory. */
#include "services/query-api/count.h"

#include "common/mem.h"
#include "model/keys.h"
#include "services/query-api/walk.h"

#include <stdio.h>
#include <stdlib.h>

enum { LOOK_MOST = 1000000, STEP = 500 };

typedef struct counting {
    const query_route_t *route;
    const filters_t *filters;
    bool whole;
    count_done_t done;
    void *context;
    const filter_t *best;
    int64_t total;
    walk_t walk;
} counting_t;

static void finish(counting_t *counting, status_t status) {
    counting->done(status, counting->best, counting->total, counting->context);
    walk_free(&counting->walk);
    free(counting);
}

static void on_step(walk_t *walk, status_t status, void *context) {
    counting_t *counting = context;
    counting->total += (int64_t)walk->found_count;
    walk_forget(walk);
    if (status != STATUS_OK || walk->ended)
        finish(counting, status);
    else
        walk_step(walk, STEP);
}

static void look_at_each(counting_t *counting) {
    counting->total = 0;
    counting->walk = (walk_t){
        .route = counting->route,
        .sort = "id",
        .filters = counting->filters,
        .within = counting->best,
        .done = on_step,
        .context = counting,
    };
    walk_step(&counting->walk, STEP);
}

/* ---- what the indexes tell ---- */

/* In each partition of all that there is, or of each value of each filter. */
static void ask(const counting_t *counting, lookup_request_t *lookup, int32_t partition) {
    const char *type = counting->route->type->name;
    key_text_t key;
    if (counting->filters->count == 0) {
        key_index(key, partition, type, "id");
        lookup_add(lookup, partition, "ZCARD", key, NULL);
    }
    for (size_t i = 0; i < counting->filters->count; i++)
        for (int v = 0; v < FILTER_VALUES; v++) {
            const filter_t *filter = &counting->filters->items[i];
            char from[INDEX_VALUE_SIZE + 2], to[INDEX_VALUE_SIZE + 2];
            key_index(key, partition, type, filter->field);
            snprintf(from, sizeof from, "(%s\1", filter->values[v]);
            snprintf(to, sizeof to, "(%s\2", filter->values[v]);
            lookup_add(lookup, partition, "ZLEXCOUNT", key, from, to, NULL);
        }
}

/* The sum over the partitions of the answers at this place in each. */
static int64_t sum(lookup_request_t *lookup, const counting_t *counting, size_t place, size_t each) {
    int64_t total = 0;
    for (int32_t p = 0; p < counting->route->api->settings->partitions; p++)
        total += lookup_reply(lookup, (size_t)p * each + place)->integer;
    return total;
}

/* Chooses the filter; whether its sum is the answer. */
static bool choose(counting_t *counting, lookup_request_t *lookup) {
    const filters_t *filters = counting->filters;
    size_t each = filters->count * FILTER_VALUES;
    bool twice = false;
    counting->total = filters->count > 0 ? INT64_MAX : sum(lookup, counting, 0, 1);
    for (size_t i = 0; i < filters->count; i++) {
        int64_t first = sum(lookup, counting, i * FILTER_VALUES, each);
        int64_t second = filters->items[i].values[1][0] ? sum(lookup, counting, i * FILTER_VALUES + 1, each) : 0;
        if (first + second >= counting->total) continue;
        counting->total = first + second;
        counting->best = &filters->items[i];
        twice = first > 0 && second > 0;
    }
    return counting->total == 0 || (filters->count <= 1 && !twice);
}

static void on_counts(lookup_request_t *lookup, status_t status, const err_t *error, void *context) {
    counting_t *counting = context;
    (void)error;
    bool known = status != STATUS_OK || choose(counting, lookup) || !counting->whole;
    if (!known && counting->total > LOOK_MOST) {
        counting->total = COUNT_UNKNOWN;
        known = true;
    }
    if (known)
        finish(counting, status);
    else
        look_at_each(counting);
}

void count_start(const query_route_t *route, const filters_t *filters, bool whole, count_done_t done, void *context) {
    counting_t *counting = mem_zero(1, sizeof *counting);
    *counting = (counting_t){.route = route, .filters = filters, .whole = whole, .done = done, .context = context};
    lookup_request_t *lookup = lookup_request_new(on_counts, counting);
    for (int32_t p = 0; p < route->api->settings->partitions; p++) ask(counting, lookup, p);
    lookup_submit(route->api->snapshots, lookup);
}
