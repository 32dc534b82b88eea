/* Where a live stream is in the log: the next offset of each partition, and as the text that clients get as event id. */
#ifndef ODRADEK_QUERY_POSITION_H
#define ODRADEK_QUERY_POSITION_H

#include "common/strbuf.h"

#include <stdbool.h>

/* Appends the offsets, in base 36 with dots between them. */
void position_add(strbuf_t *out, const int64_t *next, int partitions);
/* Reads what position_add writes; "0" alone is the beginning. False: the text is none of so many partitions. */
bool position_read(const char *text, int64_t *next, int partitions);
/* Whether `next` is nowhere before `from`. */
bool position_reaches(const int64_t *next, const int64_t *from, int partitions);

#endif
