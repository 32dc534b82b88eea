/* Makes gzip for tests. */
#ifndef ODRADEK_TEST_GZIP_H
#define ODRADEK_TEST_GZIP_H

#include "common/strbuf.h"

#include <stdlib.h>
#include <zlib.h>

/* Appends one member that holds `text`. */
static inline void gzip_add(strbuf_t *out, const char *text, size_t len) {
    z_stream stream = {.next_in = (Bytef *)text, .avail_in = (unsigned)len};
    if (deflateInit2(&stream, 9, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) abort();
    size_t room = deflateBound(&stream, len);
    char *made = malloc(room);
    stream.next_out = (Bytef *)made;
    stream.avail_out = (unsigned)room;
    if (deflate(&stream, Z_FINISH) != Z_STREAM_END) abort();
    strbuf_add(out, made, stream.total_out);
    deflateEnd(&stream);
    free(made);
}

#endif
