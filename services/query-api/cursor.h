/* Where a list goes on: a text that only this service reads, safe in a URI. */
#ifndef ODRADEK_QUERY_CURSOR_H
#define ODRADEK_QUERY_CURSOR_H

#include "common/strbuf.h"
#include "model/id.h"

#include <stdbool.h>

typedef struct cursor {
    bool descending;
    char type[65];    /* whose list it is */
    char id[ID_SIZE]; /* the last one that was seen */
} cursor_t;

void cursor_encode(strbuf_t *out, const cursor_t *cursor);
/* False: `text` is no cursor. */
bool cursor_decode(const char *text, cursor_t *cursor);

#endif
