/* Names and addresses of hosts, and mail addresses. */
#include "common/schema_format.h"

#include <idn2.h>
#include <stdlib.h>
#include <string.h>

#define MAX_NAME 253  /* RFC 1035, without the dot at its end */
#define MAX_LABEL 63
#define MAX_LOCAL 64  /* RFC 5321, section 4.5.3.1.1 */

bool format_ipv4(const char *text, size_t len) {
    size_t at = 0;
    for (int part = 0; part < 4; part++) {
        if (part > 0 && (at >= len || text[at++] != '.')) return false;
        size_t start = at;
        int number = 0;
        for (; at < len && at - start < 3 && format_is_digit(text[at]); at++) number = number * 10 + (text[at] - '0');
        if (at == start || number > 255 || (at - start > 1 && text[start] == '0')) return false;
    }
    return at == len;
}

/* RFC 4291, section 2.2. */
bool format_ipv6(const char *text, size_t len) {
    int groups = 0;
    bool gap = false;
    size_t at = 0;
    if (len >= 2 && text[0] == ':' && text[1] == ':') {
        gap = true;
        at = 2;
    }
    while (at < len) {
        size_t start = at;
        while (at < len && at - start < 5 && format_is_hex(text[at])) at++;
        if (at < len && text[at] == '.')
            return format_ipv4(text + start, len - start) && (gap ? groups + 2 < 8 : groups + 2 == 8);
        if (at == start || at - start > 4) return false;
        groups++;
        if (at == len) break;
        if (text[at++] != ':' || at == len) return false;
        if (text[at] == ':') {
            if (gap) return false;
            gap = true;
            at++;
        }
    }
    return gap ? groups < 8 : groups == 8;
}

/* ---- Host names ---- */

/* A label of letters, digits and hyphens, which are not at its ends. */
static bool is_ascii_label(const char *text, size_t len) {
    if (len == 0 || len > MAX_LABEL || text[0] == '-' || text[len - 1] == '-') return false;
    for (size_t i = 0; i < len; i++) {
        if (!format_is_alnum(text[i]) && text[i] != '-') return false;
    }
    return true;
}

static bool has_hyphens(const char *text, size_t len) {
    return len >= 4 && text[2] == '-' && text[3] == '-';
}

static bool is_encoded(const char *text, size_t len) {
    return has_hyphens(text, len) && (text[0] | 0x20) == 'x' && (text[1] | 0x20) == 'n';
}

/* A label by IDNA 2008 (RFC 5891, with the rules of RFC 5892 and 5893), in its own or in its encoded form. How long
   it is when encoded; 0 when it is none. */
static size_t idn_label(const char *text, size_t len) {
    char label[4 * MAX_LABEL + 1];
    if (len >= sizeof label || memchr(text, '\0', len)) return 0;
    memcpy(label, text, len);
    label[len] = '\0';
    bool encoded = is_encoded(text, len);
    for (size_t i = 0; encoded && i < len; i++)
        label[i] = (char)(format_is_alpha(label[i]) ? label[i] | 0x20 : label[i]);
    const uint8_t *own = (const uint8_t *)label;
    uint8_t *registered = NULL;
    int result = idn2_register_u8(encoded ? NULL : own, encoded ? own : NULL, &registered, 0);
    size_t size = result == IDN2_OK ? strlen((char *)registered) : 0;
    idn2_free(registered);
    return size <= MAX_LABEL ? size : 0;
}

static size_t label_size(const char *text, size_t len, bool international) {
    bool ascii = true;
    for (size_t i = 0; i < len; i++) ascii &= (unsigned char)text[i] < 0x80;
    if (!ascii) return international ? idn_label(text, len) : 0;
    if (!is_ascii_label(text, len) || (has_hyphens(text, len) && !is_encoded(text, len))) return 0;
    return is_encoded(text, len) ? idn_label(text, len) : len;
}

/* A dot, or one of those that IDNA takes for it; how many bytes, 0 when it is none. */
static size_t dot_size(const char *text, size_t len, bool international) {
    static const char *const dots[] = {"\xe3\x80\x82", "\xef\xbc\x8e", "\xef\xbd\xa1"};
    if (text[0] == '.') return 1;
    for (size_t i = 0; international && i < 3; i++) {
        if (len >= 3 && memcmp(text, dots[i], 3) == 0) return 3;
    }
    return 0;
}

static bool is_hostname(const char *text, size_t len, bool international) {
    size_t start = 0, total = 0;
    if (len == 0 || len > 4 * MAX_NAME) return false;
    for (size_t at = 0; at <= len; at++) {
        size_t dot = at == len ? 1 : dot_size(text + at, len - at, international);
        if (dot == 0) continue;
        size_t size = label_size(text + start, at - start, international);
        if (size == 0) return false;
        total += size + (total > 0);
        at += dot - 1;
        start = at + 1;
    }
    return total <= MAX_NAME;
}

bool format_hostname(const char *text, size_t len) {
    return is_hostname(text, len, false);
}

bool format_idn_hostname(const char *text, size_t len) {
    return is_hostname(text, len, true);
}

/* ---- Mail (RFC 5321, section 4.1.2; RFC 6531 for what is not ASCII) ---- */

static bool is_atom_char(char c, bool international) {
    if ((unsigned char)c >= 0x80) return international;
    return format_is_alnum(c) || (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

static bool is_dot_string(const char *text, size_t len, bool international) {
    bool begins = true;
    for (size_t i = 0; i < len; i++) {
        if (begins ? !is_atom_char(text[i], international) : text[i] != '.' && !is_atom_char(text[i], international))
            return false;
        begins = text[i] == '.';
    }
    return !begins;
}

static bool is_quoted_string(const char *text, size_t len, bool international) {
    if (len < 2 || text[0] != '"' || text[len - 1] != '"') return false;
    for (size_t i = 1; i < len - 1; i++) {
        if (text[i] == '\\' && ++i == len - 1) return false;
        bool escaped = text[i - 1] == '\\' && i > 1;
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x80 ? !international || escaped : c < 0x20 || c == 0x7f || (c == '"' && !escaped)) return false;
    }
    return true;
}

/* What is in the brackets: an address, or "tag:content" of a kind to come. */
static bool is_address_literal(const char *text, size_t len) {
    if (format_ipv4(text, len)) return true;
    if (len > 5 && strncasecmp(text, "IPv6:", 5) == 0) return format_ipv6(text + 5, len - 5);
    const char *colon = memchr(text, ':', len);
    if (!colon || colon == text || colon == text + len - 1 || !is_ascii_label(text, (size_t)(colon - text)))
        return false;
    for (const char *p = colon + 1; p < text + len; p++) {
        if (*p < 33 || *p > 126 || (*p >= 91 && *p <= 93)) return false;
    }
    return true;
}

static bool is_email(const char *text, size_t len, bool international) {
    const char *at = memrchr(text, '@', len);
    if (!at) return false;
    size_t local = (size_t)(at - text), domain = len - local - 1;
    if (local == 0 || local > MAX_LOCAL || domain == 0) return false;
    if (!is_dot_string(text, local, international) && !is_quoted_string(text, local, international)) return false;
    if (at[1] == '[') return at[domain] == ']' && domain > 2 && is_address_literal(at + 2, domain - 2);
    return is_hostname(at + 1, domain, international);
}

bool format_email(const char *text, size_t len) {
    return is_email(text, len, false);
}

bool format_idn_email(const char *text, size_t len) {
    return is_email(text, len, true);
}
