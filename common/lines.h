/* Cuts a text that comes in pieces into its lines. Each ends with a line feed; the last one may end without. */
#ifndef ODRADEK_LINES_H
#define ODRADEK_LINES_H

#include "common/strbuf.h"

#include <stdbool.h>

/* Zeroed but for `max`, it is at the beginning of a text. */
typedef struct lines {
    size_t max;    /* bytes of a line, its end not counted; a longer one is not kept */
    strbuf_t part; /* of a line whose end has not come */
    bool skipping; /* that line is too long */
} lines_t;

typedef enum lines_found { LINES_NONE, LINES_ONE, LINES_TOO_LONG } lines_found_t;

void lines_free(lines_t *lines); /* leaves it empty and ready */

/* Reads on from `*text`, which moves on with `*len`, up to the end of a line. NONE: all of it was read, and no line has
   ended. The line, without its end, is borrowed from the text or from `lines` until the next call. */
lines_found_t lines_next(lines_t *lines, const char **text, size_t *len, const char **line, size_t *line_len);
/* The text has ended: what is left of it. NONE: nothing. */
lines_found_t lines_last(lines_t *lines, const char **line, size_t *line_len);

#endif
