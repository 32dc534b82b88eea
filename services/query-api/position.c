/* Where a live stream is in the log. */
#include "services/query-api/position.h"

#include <stdlib.h>
#include <string.h>

enum { BASE = 36, DIGITS_MAX = 12 }; /* 36^12 < 2^63 */

static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";

static void add_number(strbuf_t *out, int64_t number) {
    char text[DIGITS_MAX + 2], *at = text + sizeof text;
    do *--at = digits[number % BASE];
    while (number /= BASE);
    strbuf_add(out, at, (size_t)(text + sizeof text - at));
}

void position_add(strbuf_t *out, const int64_t *next, int partitions) {
    for (int p = 0; p < partitions; p++) {
        if (p > 0) strbuf_addc(out, '.');
        add_number(out, next[p]);
    }
}

bool position_read(const char *text, int64_t *next, int partitions) {
    if (!strcmp(text, "0")) {
        memset(next, 0, (size_t)partitions * sizeof *next);
        return true;
    }
    for (int p = 0; p < partitions; p++) {
        size_t len = strspn(text, digits);
        if (len == 0 || len > DIGITS_MAX || text[len] != (p + 1 < partitions ? '.' : '\0')) return false;
        next[p] = strtoll(text, NULL, BASE);
        text += len + 1;
    }
    return true;
}

bool position_reaches(const int64_t *next, const int64_t *from, int partitions) {
    for (int p = 0; p < partitions; p++)
        if (next[p] < from[p]) return false;
    return true;
}
