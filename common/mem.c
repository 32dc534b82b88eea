/* Allocation that ends the process when memory is out. */
#include "common/mem.h"

#include "common/clock.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *memory) {
    if (!memory) {
        fputs("out of memory\n", stderr);
        abort();
    }
    return memory;
}

void *mem_alloc(size_t size) {
    return checked(malloc(size ? size : 1));
}

void *mem_zero(size_t count, size_t size) {
    return checked(calloc(count ? count : 1, size ? size : 1));
}

void *mem_resize(void *memory, size_t count, size_t size) {
    return checked(reallocarray(memory, count ? count : 1, size ? size : 1));
}

char *mem_string(const char *text) {
    return checked(strdup(text));
}

char *mem_copy(const void *data, size_t len) {
    char *copy = mem_alloc(len + 1);
    if (len > 0) memcpy(copy, data, len);
    copy[len] = '\0';
    return copy;
}

char *mem_printf(const char *format, ...) {
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int len = vasprintf(&text, format, args);
    va_end(args);
    return checked(len < 0 ? NULL : text);
}

void mem_rest(mem_rest_t *rest, bool worked) {
    enum { FIRST_US = 1000000, LAST_US = 16000000 };
    int64_t now = clock_monotonic_us();
    if (worked) {
        *rest = (mem_rest_t){.due_us = now + FIRST_US, .pause_us = FIRST_US};
    } else if (rest->pause_us > 0 && now >= rest->due_us) {
        malloc_trim(0);
        rest->pause_us = rest->pause_us < LAST_US ? rest->pause_us * 2 : 0;
        rest->due_us = now + rest->pause_us;
    }
}
