/* A page of ids out of what each partition has. */
#ifndef ODRADEK_QUERY_PAGE_H
#define ODRADEK_QUERY_PAGE_H

#include <hiredis/hiredis.h>
#include <stdbool.h>

/* Merges `count` lists of ids (`replies`, each sorted by bytes, rising or falling) into the first `limit` of all.
   `ids` receives them, borrowed from the replies. Returns how many there are; `*more` says whether some are left. */
size_t page_merge(redisReply *const *replies, size_t count, bool descending, const char **ids, size_t limit, bool *more);

#endif
