/* Failures with a class and a text. */
#include "common/base.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

status_t err_set(err_t *error, status_t status, const char *format, ...) {
    if (error) {
        va_list args;
        va_start(args, format);
        vsnprintf(error->text, sizeof error->text, format, args);
        va_end(args);
        err_mend(error->text);
    }
    return status;
}

void err_mend(char *text) {
    size_t len = strlen(text), lead = len;
    while (lead > 0 && len - lead < 4) {
        unsigned char c = (unsigned char)text[--lead];
        if ((c & 0xc0) == 0x80) continue; /* not the first of its character */
        size_t whole = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
        if (len - lead < whole) text[lead] = '\0';
        return;
    }
}
