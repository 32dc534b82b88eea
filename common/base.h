/* The words that every module shares: attributes, sizes and the classes of failure. */
#ifndef ODRADEK_BASE_H
#define ODRADEK_BASE_H

#include <stddef.h>

#define ODRADEK_VERSION "0.1.0"

/* A call whose result must be looked at. */
#define MUST_CHECK __attribute__((warn_unused_result))
/* printf-like: `f` is the format's position, `a` that of the first argument. */
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

/* What a call that meets the outside world returns. The loop that called decides what to do with the class:
   OK; RETRY the same later (nothing was done, or doing it again is harmless); ABORT what was begun and start it
   anew; FATAL, the process cannot go on. */
typedef enum status {
    STATUS_OK,
    STATUS_RETRY,
    STATUS_ABORT,
    STATUS_FATAL,
} status_t;

/* The text of a failure (error_t is taken by libc), filled by the call that failed; always terminated. Longer texts are
   cut, but not within a character of UTF-8. */
typedef struct err {
    char text[512];
} err_t;

/* Writes the text of `error` (which may be NULL) and returns `status`, so that a failure is one line. */
status_t err_set(err_t *error, status_t status, const char *format, ...) PRINTF_LIKE(3, 4);

/* Shortens a text that was cut to fit by the character of UTF-8 that was broken in that, if any. */
void err_mend(char *text);

#endif
