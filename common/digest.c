/* SHA-256 as text. */
#include "common/digest.h"

#include <nettle/sha2.h>
#include <stdio.h>

void digest_text(const void *data, size_t len, char text[DIGEST_TEXT_SIZE]) {
    struct sha256_ctx hash;
    unsigned char bytes[SHA256_DIGEST_SIZE];
    sha256_init(&hash);
    sha256_update(&hash, len, data);
    sha256_digest(&hash, sizeof bytes, bytes);
    for (size_t i = 0; i < sizeof bytes; i++) snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}
