/* SHA-256 as text, of what must be told apart but not kept. */
#ifndef ODRADEK_DIGEST_H
#define ODRADEK_DIGEST_H

#include <stddef.h>

#define DIGEST_TEXT_SIZE 65 /* with its end */

/* 64 hexadecimal digits. */
void digest_text(const void *data, size_t len, char text[DIGEST_TEXT_SIZE]);

#endif
