/* SHA-256, and its text. */
#include "common/digest.h"

#include <nettle/sha2.h>
#include <stdio.h>

void digest_bytes(const void *data, size_t len, unsigned char bytes[DIGEST_BYTES]) {
    struct sha256_ctx hash;
    sha256_init(&hash);
    sha256_update(&hash, len, data);
    sha256_digest(&hash, DIGEST_BYTES, bytes);
}

void digest_text(const void *data, size_t len, char text[DIGEST_TEXT_SIZE]) {
    unsigned char bytes[DIGEST_BYTES];
    digest_bytes(data, len, bytes);
    for (size_t i = 0; i < sizeof bytes; i++) snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}
