/* Where a list goes on: "1a<type>/<id>", or "1d…" for a descending one, as base64url (RFC 4648, section 5) without
   padding. The 1 is the form's version. */
#include "services/query-api/cursor.h"

#include <stdio.h>
#include <string.h>

enum { PLAIN_SIZE = 2 + 64 + 1 + ID_SIZE };

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void base64url_add(strbuf_t *out, const char *data, size_t len) {
    for (size_t i = 0; i < len; i += 3) {
        size_t left = len - i;
        uint32_t bits = (uint32_t)(unsigned char)data[i] << 16;
        if (left > 1) bits |= (uint32_t)(unsigned char)data[i + 1] << 8;
        if (left > 2) bits |= (uint32_t)(unsigned char)data[i + 2];
        for (size_t digit = 0; digit <= (left > 2 ? 3 : left); digit++)
            strbuf_addc(out, digits[bits >> (18 - 6 * digit) & 63]);
    }
}

/* The length of what `text` stands for, at most `size`; -1: it is no base64url. */
static int base64url_read(const char *text, char *data, size_t size) {
    uint32_t bits = 0, have = 0;
    size_t len = 0;
    for (; *text; text++) {
        const char *digit = strchr(digits, *text);
        if (!digit) return -1;
        bits = bits << 6 | (uint32_t)(digit - digits);
        have += 6;
        if (have < 8) continue;
        if (len == size) return -1;
        have -= 8;
        data[len++] = (char)(bits >> have & 255);
    }
    return have < 6 ? (int)len : -1;
}

void cursor_encode(strbuf_t *out, const cursor_t *cursor) {
    char plain[PLAIN_SIZE];
    int len = snprintf(plain, sizeof plain, "1%c%s/%s", cursor->descending ? 'd' : 'a', cursor->type, cursor->id);
    base64url_add(out, plain, (size_t)len);
}

bool cursor_decode(const char *text, cursor_t *cursor) {
    char plain[PLAIN_SIZE + 1];
    int len = base64url_read(text, plain, PLAIN_SIZE);
    if (len < 2 || memchr(plain, '\0', (size_t)len)) return false;
    plain[len] = '\0';
    char *type = plain + 2, *slash = strchr(type, '/');
    if (plain[0] != '1' || (plain[1] != 'a' && plain[1] != 'd') || !slash) return false;
    *slash = '\0';
    if (strlen(type) >= sizeof cursor->type || !id_valid(slash + 1)) return false;
    cursor->descending = plain[1] == 'd';
    strcpy(cursor->type, type);
    strcpy(cursor->id, slash + 1);
    return true;
}
