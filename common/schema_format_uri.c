/* URIs (RFC 3986), IRIs (RFC 3987) and URI templates (RFC 6570). */
#include "common/schema_format.h"

#include <string.h>

typedef struct kind {
    bool iri;       /* beyond ASCII, too */
    bool reference; /* the scheme may be missing */
} kind_t;

/* Which characters a part may have, besides letters, digits and percent-encoding. */
#define UNRESERVED "-._~"
#define SUB_DELIMS "!$&'()*+,;="
#define SEGMENT_CHARS UNRESERVED SUB_DELIMS ":@"

static bool is_ucschar(uint32_t point) {
    if (point < 0xa0) return false;
    if (point <= 0xffff)
        return point <= 0xd7ff || (point >= 0xf900 && point <= 0xfdcf) || (point >= 0xfdf0 && point <= 0xffef);
    return point <= 0xefffd && (point & 0xffff) <= 0xfffd && !(point >= 0xe0000 && point < 0xe1000);
}

static bool is_private(uint32_t point) {
    return (point >= 0xe000 && point <= 0xf8ff) || (point >= 0xf0000 && point <= 0xffffd) ||
           (point >= 0x100000 && point <= 0x10fffd);
}

static bool is_percent(const char *p, const char *end) {
    return end - p >= 3 && p[0] == '%' && format_is_hex(p[1]) && format_is_hex(p[2]);
}

static bool is_part(const char *p, const char *end, const char *more, bool iri, bool private) {
    while (p < end) {
        if ((unsigned char)*p >= 0x80) {
            uint32_t point = format_point(&p, end);
            if (!iri || point == UINT32_MAX || !(is_ucschar(point) || (private && is_private(point)))) return false;
        } else if (*p == '%') {
            if (!is_percent(p, end)) return false;
            p += 3;
        } else {
            if (!format_is_alnum(*p) && (*p == '\0' || !strchr(more, *p))) return false;
            p++;
        }
    }
    return true;
}

/* The first of `stops` in the text, or its end. */
static const char *find(const char *p, const char *end, const char *stops) {
    while (p < end && (*p == '\0' || !strchr(stops, *p))) p++;
    return p;
}

/* IPvFuture: "v" hexadecimal digits "." characters. */
static bool is_future(const char *p, const char *end) {
    if (p >= end || (*p != 'v' && *p != 'V')) return false;
    const char *start = ++p;
    while (p < end && format_is_hex(*p)) p++;
    if (p == start || p >= end || *p != '.' || p + 1 == end) return false;
    for (p++; p < end; p++) {
        if (!format_is_alnum(*p) && (*p == '\0' || !strchr(UNRESERVED SUB_DELIMS ":", *p))) return false;
    }
    return true;
}

static bool is_port(const char *p, const char *end) {
    while (p < end && format_is_digit(*p)) p++;
    return p == end;
}

static bool is_authority(const char *p, const char *end, bool iri) {
    const char *at = find(p, end, "@");
    if (at < end) {
        if (!is_part(p, at, UNRESERVED SUB_DELIMS ":", iri, false)) return false;
        p = at + 1;
    }
    if (p < end && *p == '[') {
        const char *close = find(p, end, "]");
        if (close == end) return false;
        if (!format_ipv6(p + 1, (size_t)(close - p - 1)) && !is_future(p + 1, close)) return false;
        return close + 1 == end || (close[1] == ':' && is_port(close + 2, end));
    }
    const char *colon = find(p, end, ":");
    return is_part(p, colon, UNRESERVED SUB_DELIMS, iri, false) && (colon == end || is_port(colon + 1, end));
}

/* The end of the scheme, that is its colon; NULL without one. */
static const char *find_scheme(const char *p, const char *end) {
    if (p >= end || !format_is_alpha(*p)) return NULL;
    while (p < end && (format_is_alnum(*p) || *p == '+' || *p == '-' || *p == '.')) p++;
    return p < end && *p == ':' ? p : NULL;
}

static bool is_uri(const char *p, size_t len, kind_t kind) {
    const char *end = p + len, *colon = find_scheme(p, end);
    if (!colon && !kind.reference) return false;
    if (colon) p = colon + 1;
    const char *fragment = find(p, end, "#"), *query = find(p, fragment, "?"), *path = p;
    if (query - p >= 2 && p[0] == '/' && p[1] == '/') {
        path = find(p + 2, query, "/");
        if (!is_authority(p + 2, path, kind.iri)) return false;
    } else if (!colon) { /* a colon in the first segment would look like that of a scheme */
        const char *slash = find(p, query, "/");
        if (find(p, slash, ":") != slash) return false;
    }
    if (!is_part(path, query, SEGMENT_CHARS "/", kind.iri, false)) return false;
    if (query < fragment && !is_part(query + 1, fragment, SEGMENT_CHARS "/?", kind.iri, true)) return false;
    return fragment == end || is_part(fragment + 1, end, SEGMENT_CHARS "/?", kind.iri, false);
}

bool format_uri(const char *text, size_t len) {
    return is_uri(text, len, (kind_t){.iri = false, .reference = false});
}

bool format_uri_reference(const char *text, size_t len) {
    return is_uri(text, len, (kind_t){.iri = false, .reference = true});
}

bool format_iri(const char *text, size_t len) {
    return is_uri(text, len, (kind_t){.iri = true, .reference = false});
}

bool format_iri_reference(const char *text, size_t len) {
    return is_uri(text, len, (kind_t){.iri = true, .reference = true});
}

/* ---- Templates ---- */

/* A name of a variable, with dots between its parts; its end, NULL when it is none. */
static const char *read_name(const char *p, const char *end) {
    bool begins = true;
    while (p < end) {
        if (*p == '%') {
            if (!is_percent(p, end)) return NULL;
            p += 3;
            begins = false;
        } else if (format_is_alnum(*p) || *p == '_' || (*p == '.' && !begins)) {
            begins = *p++ == '.';
        } else {
            break;
        }
    }
    return begins ? NULL : p;
}

/* A variable with its modifier: ":" and up to four digits, or "*". */
static const char *read_variable(const char *p, const char *end) {
    p = read_name(p, end);
    if (!p || p >= end) return p;
    if (*p == '*') return p + 1;
    if (*p != ':') return p;
    const char *start = ++p;
    while (p < end && p - start < 4 && format_is_digit(*p)) p++;
    return p > start && *start != '0' ? p : NULL;
}

/* What is between braces. */
static bool is_expression(const char *p, const char *end) {
    if (p < end && *p && strchr("+#./;?&=,!@|", *p)) p++;
    for (;;) {
        p = read_variable(p, end);
        if (!p || p == end) return p != NULL;
        if (*p++ != ',') return false;
    }
}

static bool is_literal(uint32_t point) {
    if (point >= 0x80) return is_ucschar(point) || is_private(point);
    return point > ' ' && point < 0x7f && !strchr("\"'%<>\\^`{|}", (int)point);
}

bool format_uri_template(const char *text, size_t len) {
    const char *p = text, *end = text + len;
    while (p < end) {
        if (*p == '{') {
            const char *close = find(p, end, "}");
            if (close == end || !is_expression(p + 1, close)) return false;
            p = close + 1;
        } else if (*p == '%') {
            if (!is_percent(p, end)) return false;
            p += 3;
        } else {
            uint32_t point = format_point(&p, end);
            if (point == UINT32_MAX || !is_literal(point)) return false;
        }
    }
    return true;
}
