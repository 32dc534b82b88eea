/* Inflates gzip piece by piece. */
#include "common/gunzip.h"

#include "common/mem.h"

#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

enum { GZIP_ONLY = 16 }; /* beside the window's bits: no raw or zlib format */

/* BETWEEN members is also where it begins; what is whole has at least one. */
typedef enum where { BEGINNING, WITHIN, BETWEEN, BROKEN } where_t;

struct gunzip {
    z_stream stream;
    where_t where;
};

static void *allocate(void *unused, unsigned count, unsigned size) {
    (void)unused;
    return mem_zero(count, size);
}

static void release(void *unused, void *memory) {
    (void)unused;
    free(memory);
}

gunzip_t *gunzip_new(void) {
    gunzip_t *gunzip = mem_zero(1, sizeof *gunzip);
    gunzip->stream.zalloc = allocate;
    gunzip->stream.zfree = release;
    if (inflateInit2(&gunzip->stream, MAX_WBITS + GZIP_ONLY) != Z_OK) abort(); /* the library is another version */
    return gunzip;
}

void gunzip_free(gunzip_t *gunzip) {
    if (!gunzip) return;
    inflateEnd(&gunzip->stream);
    free(gunzip);
}

static unsigned at_most(size_t len) {
    return len < INT_MAX ? (unsigned)len : INT_MAX;
}

/* One call of the library. False: there is nothing more to do with this input and this room, or it is broken. */
static bool step(gunzip_t *gunzip) {
    z_stream *stream = &gunzip->stream;
    if (gunzip->where == BROKEN || stream->avail_out == 0) return false;
    if (stream->avail_in == 0 && gunzip->where != WITHIN) return false;
    if (gunzip->where == BETWEEN) inflateReset(stream);
    gunzip->where = WITHIN;
    switch (inflate(stream, Z_NO_FLUSH)) {
    case Z_OK: return true;
    case Z_STREAM_END: gunzip->where = BETWEEN; return true;
    case Z_BUF_ERROR: return false; /* it needs more input */
    default: gunzip->where = BROKEN; return false;
    }
}

bool gunzip_next(gunzip_t *gunzip, const char **in, size_t *len, char *out, size_t room, size_t *made) {
    z_stream *stream = &gunzip->stream;
    unsigned given = at_most(*len), space = at_most(room);
    stream->next_in = (Bytef *)*in; /* which it does not change */
    stream->avail_in = given;
    stream->next_out = (Bytef *)out;
    stream->avail_out = space;
    while (step(gunzip)) continue;
    *in += given - stream->avail_in;
    *len -= given - stream->avail_in;
    *made = space - stream->avail_out;
    return gunzip->where != BROKEN;
}

bool gunzip_whole(const gunzip_t *gunzip) {
    return gunzip->where == BETWEEN;
}
