/* Cuts a text that comes in pieces into its lines. */
#include "common/lines.h"

#include <string.h>

void lines_free(lines_t *lines) {
    strbuf_free(&lines->part);
    lines->skipping = false;
}

/* Keeps a part of a line, unless the line is too long with it. */
static void keep(lines_t *lines, const char *text, size_t len) {
    if (len > lines->max - lines->part.len) lines->skipping = true;
    if (lines->skipping)
        strbuf_clear(&lines->part);
    else
        strbuf_add(&lines->part, text, len);
}

/* The line that is kept ends here. */
static lines_found_t finish(lines_t *lines, const char **line, size_t *line_len) {
    bool too_long = lines->skipping;
    *line = lines->part.data ? lines->part.data : "";
    *line_len = lines->part.len;
    lines->part.len = 0; /* its bytes stay until something is added */
    lines->skipping = false;
    return too_long ? LINES_TOO_LONG : LINES_ONE;
}

lines_found_t lines_next(lines_t *lines, const char **text, size_t *len, const char **line, size_t *line_len) {
    const char *from = *text, *feed = *len > 0 ? memchr(from, '\n', *len) : NULL;
    size_t part = feed ? (size_t)(feed - from) : *len, read = part + (feed != NULL);
    *text += read;
    *len -= read;
    if (feed && lines->part.len == 0 && !lines->skipping && part <= lines->max) { /* whole as it is: no copy */
        *line = from;
        *line_len = part;
        return LINES_ONE;
    }
    keep(lines, from, part);
    return feed ? finish(lines, line, line_len) : LINES_NONE;
}

lines_found_t lines_last(lines_t *lines, const char **line, size_t *line_len) {
    return lines->part.len > 0 || lines->skipping ? finish(lines, line, line_len) : LINES_NONE;
}
