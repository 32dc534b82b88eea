/* Identifiers of RFC 9562. */
#ifndef ODRADEK_UUID_H
#define ODRADEK_UUID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UUID_TEXT_SIZE 37 /* with its end */

/* Version 7: the time in front, so that ids sort by when they were made; the rest random. Safe from any thread. */
void uuid7(int64_t ms, char text[UUID_TEXT_SIZE]);
/* The time in a version 7 id. False: `text` is none. */
bool uuid7_time(const char *text, int64_t *ms);
/* Version 8: made from `name` by SHA-256, always the same for the same name, and another for another. */
void uuid8(const char *name, size_t len, char text[UUID_TEXT_SIZE]);
/* Random bytes of the kernel's, 1024 at most; safe from any thread. */
void uuid_random(unsigned char *out, size_t len);

#endif
