/* Any bytes as gzip: however they are cut, and however little room there is, the same comes out. */
#include "common/gunzip.h"
#include "common/mem.h"
#include "common/strbuf.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROOM_MAX = 4096, OUT_MAX = 1 << 20 };

typedef struct verdict {
    bool good, whole;
} verdict_t;

static verdict_t inflate_all(const char *data, size_t size, size_t piece, size_t room, strbuf_t *out) {
    gunzip_t *gunzip = gunzip_new();
    char made[ROOM_MAX];
    verdict_t verdict = {.good = true};
    for (size_t at = 0; at < size && verdict.good; at += piece) {
        const char *in = data + at;
        size_t left = size - at < piece ? size - at : piece, count = room;
        while (verdict.good && (left > 0 || count == room) && out->len < OUT_MAX) {
            verdict.good = gunzip_next(gunzip, &in, &left, made, room, &count);
            if (count > room) __builtin_trap();
            strbuf_add(out, made, count);
        }
    }
    verdict.whole = verdict.good && gunzip_whole(gunzip);
    gunzip_free(gunzip);
    return verdict;
}

/* The first two bytes: the size of a piece, and the room. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 3) return 0;
    const char *text = (const char *)data + 2;
    strbuf_t one = {0}, other = {0};
    verdict_t at_once = inflate_all(text, size - 2, size, ROOM_MAX, &one);
    verdict_t in_pieces = inflate_all(text, size - 2, data[0] + 1U, data[1] + 1U, &other);
    if (one.len < OUT_MAX && other.len < OUT_MAX) {
        if (at_once.good != in_pieces.good || at_once.whole != in_pieces.whole) __builtin_trap();
        if (at_once.good && (one.len != other.len || (one.len && memcmp(one.data, other.data, one.len)))) __builtin_trap();
    }
    strbuf_free(&one);
    strbuf_free(&other);
    return 0;
}
