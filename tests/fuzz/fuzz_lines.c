/* Any text in any pieces: its lines are those of the whole. */
#include "common/lines.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Compares a line that was found with what stands at `*at`, and moves on behind it. */
static void check(const char *text, size_t len, size_t *at, size_t max, lines_found_t found, const char *line,
                  size_t line_len) {
    const char *feed = memchr(text + *at, '\n', len - *at);
    size_t part = feed ? (size_t)(feed - text) - *at : len - *at;
    if ((found == LINES_TOO_LONG) != (part > max)) __builtin_trap();
    if (found == LINES_ONE && (line_len != part || memcmp(line, text + *at, part))) __builtin_trap();
    *at += part + (feed != NULL);
}

/* The first two bytes: the longest line, and what the sizes of pieces are made of. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    const char *text = (const char *)data + 2, *line;
    size_t len = size - 2, at = 0, line_len;
    unsigned step = data[1];
    lines_t lines = {.max = data[0]};
    for (size_t from = 0; from < len; step = step * 73 + 11) {
        size_t piece = step % 50 < len - from ? step % 50 : len - from, left = piece;
        char *copy = malloc(piece + 1);
        memcpy(copy, text + from, piece);
        const char *in = copy;
        while (left > 0) {
            lines_found_t found = lines_next(&lines, &in, &left, &line, &line_len);
            if (found != LINES_NONE) check(text, len, &at, lines.max, found, line, line_len);
        }
        from += piece;
        free(copy);
    }
    lines_found_t found = lines_last(&lines, &line, &line_len);
    if (found != LINES_NONE) check(text, len, &at, lines.max, found, line, line_len);
    if (at != len) __builtin_trap();
    lines_free(&lines);
    return 0;
}
