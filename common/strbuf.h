/* A text that grows. */
#ifndef ODRADEK_STRBUF_H
#define ODRADEK_STRBUF_H

#include "common/base.h"

#include <stdint.h>

/* `data` is always terminated once something was added, and owned by the buffer. A zeroed one is empty and ready. */
typedef struct strbuf {
    char *data;
    size_t len;
    size_t cap;
} strbuf_t;

void strbuf_free(strbuf_t *sb);  /* leaves it empty and ready; NULL is fine */
void strbuf_clear(strbuf_t *sb); /* keeps the memory */
/* Hands the text (never NULL) over to the caller, who frees it, and leaves the buffer empty. */
char *strbuf_steal(strbuf_t *sb);

void strbuf_add(strbuf_t *sb, const void *data, size_t len);
void strbuf_adds(strbuf_t *sb, const char *text);
void strbuf_addc(strbuf_t *sb, char c);
void strbuf_addi(strbuf_t *sb, int64_t number); /* decimal */
void strbuf_addf(strbuf_t *sb, const char *format, ...) PRINTF_LIKE(2, 3);
/* `text` as a JSON string with its quotes (RFC 8259, section 7). */
void strbuf_add_json(strbuf_t *sb, const char *text, size_t len);
void strbuf_add_jsons(strbuf_t *sb, const char *text);

#endif
