/* Which list is asked for, and where it goes on, as base64url (RFC 4648, section 5) without padding: "2a", or "2d" where it is
   descending, and then with the byte 1 between them: type, sort, value, id, and of each filter field and values. The 2 is the
   form's version. */
#include "services/query-api/cursor.h"

#include <stdio.h>
#include <string.h>

enum {
    PARTS = 4, /* and for each filter: */
    FILTER_PARTS = 1 + FILTER_VALUES,
    PARTS_MAX = PARTS + FILTERS_MAX * FILTER_PARTS,
    PLAIN_SIZE = 2 + sizeof(cursor_t) + PARTS_MAX
};

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
    strbuf_t plain = {0};
    strbuf_addf(&plain, "2%c%s\1%s\1%s\1%s", cursor->descending ? 'd' : 'a', cursor->type, cursor->sort, cursor->value,
                cursor->id);
    for (size_t i = 0; i < cursor->filters.count; i++) {
        const filter_t *filter = &cursor->filters.items[i];
        strbuf_addf(&plain, "\1%s\1%s\1%s", filter->field, filter->values[0], filter->values[1]);
    }
    base64url_add(out, plain.data, plain.len);
    strbuf_free(&plain);
}

/* Cuts a text at its bytes 1, in place. The number of parts; more than `most` are counted as one more. */
static size_t cut(char *text, char **parts, size_t most) {
    size_t count = 0;
    for (char *end; text; text = end ? end + 1 : NULL) {
        end = strchr(text, INDEX_END);
        if (count == most) return most + 1;
        if (end) *end = '\0';
        parts[count++] = text;
    }
    return count;
}

static bool take(char *to, size_t size, const char *text) {
    size_t len = strlen(text);
    if (len >= size) return false;
    memcpy(to, text, len + 1);
    return true;
}

static bool take_filter(filters_t *filters, char *const *parts) {
    filter_t *filter = &filters->items[filters->count++];
    bool fits = *parts[0] && *parts[1] && take(filter->field, sizeof filter->field, parts[0]);
    for (int i = 0; i < FILTER_VALUES; i++) fits = fits && take(filter->values[i], INDEX_VALUE_SIZE, parts[1 + i]);
    return fits;
}

static bool take_parts(cursor_t *cursor, char *const *parts, size_t count) {
    bool fits = take(cursor->type, sizeof cursor->type, parts[0]) && take(cursor->sort, sizeof cursor->sort, parts[1]) &&
                take(cursor->value, sizeof cursor->value, parts[2]) && id_valid(parts[3]) &&
                take(cursor->id, sizeof cursor->id, parts[3]);
    for (size_t i = PARTS; i < count && fits; i += FILTER_PARTS) fits = take_filter(&cursor->filters, parts + i);
    return fits && *cursor->type && *cursor->sort && !strcmp(cursor->sort, "id") == !*cursor->value;
}

bool cursor_decode(const char *text, cursor_t *cursor) {
    char plain[PLAIN_SIZE + 1], *parts[PARTS_MAX];
    memset(cursor, 0, sizeof *cursor);
    int len = base64url_read(text, plain, PLAIN_SIZE);
    if (len < 2 || memchr(plain, '\0', (size_t)len)) return false;
    plain[len] = '\0';
    if (plain[0] != '2' || (plain[1] != 'a' && plain[1] != 'd')) return false;
    cursor->descending = plain[1] == 'd';
    size_t count = cut(plain + 2, parts, PARTS_MAX);
    return count >= PARTS && count <= PARTS_MAX && (count - PARTS) % FILTER_PARTS == 0 && take_parts(cursor, parts, count);
}
