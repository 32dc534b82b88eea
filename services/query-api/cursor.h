/* Which list is asked for, and where it goes on: a text that only this service reads, safe in a URI. */
#ifndef ODRADEK_QUERY_CURSOR_H
#define ODRADEK_QUERY_CURSOR_H

#include "services/query-api/filter.h"

typedef struct cursor {
    char type[65];                /* whose list it is */
    char sort[INDEX_NAME_MAX + 1]; /* "id", or the member that it is sorted by */
    bool descending;
    filters_t filters;
    char value[INDEX_VALUE_SIZE]; /* the last one that was seen: as the index has it, empty with "id" */
    char id[ID_SIZE];             /* and its id; empty: none was */
} cursor_t;

/* There must be an id. */
void cursor_encode(strbuf_t *out, const cursor_t *cursor);
/* False: `text` is no cursor. Whether the type has such members is not looked at. */
bool cursor_decode(const char *text, cursor_t *cursor);

#endif
