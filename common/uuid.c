/* Identifiers of RFC 9562. */
#include "common/uuid.h"

#include "common/digest.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* Random bytes are fetched for many ids at once: a system call for each would be most of the cost. */
void uuid_random(unsigned char *out, size_t len) {
    static _Thread_local unsigned char pool[1024];
    static _Thread_local size_t left;
    if (left < len) {
        if (getrandom(pool, sizeof pool, 0) != (ssize_t)sizeof pool) abort();
        left = sizeof pool;
    }
    left -= len;
    memcpy(out, pool + left, len);
}

static void format(unsigned char bytes[16], int version, char text[UUID_TEXT_SIZE]) {
    static const char hex[] = "0123456789abcdef";
    bytes[6] = (unsigned char)((bytes[6] & 0x0f) | version << 4);
    bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80);
    char *p = text;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) *p++ = '-';
        *p++ = hex[bytes[i] >> 4];
        *p++ = hex[bytes[i] & 15];
    }
    *p = '\0';
}

void uuid7(int64_t ms, char text[UUID_TEXT_SIZE]) {
    unsigned char bytes[16];
    for (int i = 0; i < 6; i++) bytes[i] = (unsigned char)((uint64_t)ms >> (40 - 8 * i));
    uuid_random(bytes + 6, 10);
    format(bytes, 7, text);
}

bool uuid7_time(const char *text, int64_t *ms) {
    if (strlen(text) != UUID_TEXT_SIZE - 1) return false;
    for (int i = 0; i < UUID_TEXT_SIZE - 1; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text[i] != '-' : !isxdigit((unsigned char)text[i])) return false;
    }
    if (text[14] != '7' || !strchr("89abAB", text[19])) return false;
    unsigned long long high, low;
    if (sscanf(text, "%8llx-%4llx", &high, &low) != 2) return false;
    *ms = (int64_t)(high << 16 | low);
    return true;
}

void uuid8(const char *name, size_t len, char text[UUID_TEXT_SIZE]) {
    unsigned char bytes[DIGEST_BYTES]; /* of which it takes the first 16 */
    digest_bytes(name, len, bytes);
    format(bytes, 8, text);
}
