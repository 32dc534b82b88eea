/* SHA-256, of what must be told apart but not kept. */
#ifndef ODRADEK_DIGEST_H
#define ODRADEK_DIGEST_H

#include <stddef.h>

#define DIGEST_BYTES 32
#define DIGEST_TEXT_SIZE 65 /* with its end */

void digest_bytes(const void *data, size_t len, unsigned char bytes[DIGEST_BYTES]);
/* The same as 64 hexadecimal digits. */
void digest_text(const void *data, size_t len, char text[DIGEST_TEXT_SIZE]);

#endif
