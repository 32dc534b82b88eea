/* Inflates gzip (RFC 1952) piece by piece, on zlib: as much at a time as there is room for, so that nobody can make more
   of it than its reader takes. Members that follow one another are one text, as the RFC has it. */
#ifndef ODRADEK_GUNZIP_H
#define ODRADEK_GUNZIP_H

#include "common/base.h"

#include <stdbool.h>

typedef struct gunzip gunzip_t;

gunzip_t *gunzip_new(void);
void gunzip_free(gunzip_t *gunzip); /* NULL is fine */

/* Inflates from `*in`, which moves on with `*len`, into the `room` (at least 1) bytes of `out`; `*made` is how many it
   made. It stops where the room is full or the input is used up: with `*made` below `room` and `*len` 0 it needs more
   input. False: the input is no gzip, or damaged; then it takes nothing any more. */
bool gunzip_next(gunzip_t *gunzip, const char **in, size_t *len, char *out, size_t room, size_t *made) MUST_CHECK;
/* Whether what was read so far is whole: at least one member, and the last one to its end. */
bool gunzip_whole(const gunzip_t *gunzip);

#endif
