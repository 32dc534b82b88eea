/* A page of ids out of what each partition has. */
#include "services/query-api/page.h"

#include "common/mem.h"

#include <stdlib.h>
#include <string.h>

/* The list whose next id comes first; -1: all are at their end. With the few partitions that there are, looking at each
   is quicker than a heap. */
static int first_of(redisReply *const *replies, const size_t *at, size_t count, bool descending) {
    int best = -1;
    for (size_t i = 0; i < count; i++) {
        if (at[i] == replies[i]->elements) continue;
        int order = best < 0 ? -1 : strcmp(replies[i]->element[at[i]]->str, replies[best]->element[at[best]]->str);
        if (best < 0 || (descending ? order > 0 : order < 0)) best = (int)i;
    }
    return best;
}

size_t page_merge(redisReply *const *replies, size_t count, bool descending, const char **ids, size_t limit,
                  bool *more) {
    size_t *at = mem_zero(count, sizeof *at), taken = 0;
    int from;
    while ((from = first_of(replies, at, count, descending)) >= 0 && taken < limit)
        ids[taken++] = replies[from]->element[at[from]++]->str;
    *more = from >= 0;
    free(at);
    return taken;
}
