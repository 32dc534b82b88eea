/* A text that grows: doubling, always terminated. */
#include "common/strbuf.h"

#include "common/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void reserve(strbuf_t *sb, size_t more) {
    size_t need = sb->len + more + 1;
    if (need <= sb->cap) return;
    size_t cap = sb->cap ? sb->cap : 64;
    while (cap < need) cap *= 2;
    sb->data = mem_resize(sb->data, cap, 1);
    sb->cap = cap;
}

void strbuf_free(strbuf_t *sb) {
    if (!sb) return;
    free(sb->data);
    *sb = (strbuf_t){0};
}

void strbuf_clear(strbuf_t *sb) {
    sb->len = 0;
    if (sb->data) sb->data[0] = '\0';
}

char *strbuf_steal(strbuf_t *sb) {
    reserve(sb, 0);
    char *text = sb->data;
    text[sb->len] = '\0';
    *sb = (strbuf_t){0};
    return text;
}

void strbuf_add(strbuf_t *sb, const void *data, size_t len) {
    reserve(sb, len);
    if (len > 0) memcpy(sb->data + sb->len, data, len);
    sb->len += len;
    sb->data[sb->len] = '\0';
}

void strbuf_adds(strbuf_t *sb, const char *text) {
    strbuf_add(sb, text, strlen(text));
}

void strbuf_addc(strbuf_t *sb, char c) {
    strbuf_add(sb, &c, 1);
}

void strbuf_addi(strbuf_t *sb, int64_t number) {
    char digits[24];
    char *end = digits + sizeof digits, *p = end;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do *--p = (char)('0' + rest % 10); while (rest /= 10);
    if (number < 0) *--p = '-';
    strbuf_add(sb, p, (size_t)(end - p));
}

void strbuf_addf(strbuf_t *sb, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len > 0) {
        reserve(sb, (size_t)len);
        vsnprintf(sb->data + sb->len, (size_t)len + 1, format, again);
        sb->len += (size_t)len;
    }
    va_end(again);
}

static void add_escaped(strbuf_t *sb, unsigned char c) {
    static const char short_forms[128] = {
        ['"'] = '"', ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
    if (short_forms[c])
        strbuf_add(sb, (char[]){'\\', short_forms[c]}, 2);
    else
        strbuf_addf(sb, "\\u%04x", c);
}

void strbuf_add_json(strbuf_t *sb, const char *text, size_t len) {
    strbuf_addc(sb, '"');
    size_t plain = 0; /* where the run of characters that need no escape began */
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        strbuf_add(sb, text + plain, i - plain);
        add_escaped(sb, c);
        plain = i + 1;
    }
    strbuf_add(sb, text + plain, len - plain);
    strbuf_addc(sb, '"');
}

void strbuf_add_jsons(strbuf_t *sb, const char *text) {
    strbuf_add_json(sb, text, strlen(text));
}
