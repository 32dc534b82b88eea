/* Reads ECMA-262 patterns with the u flag, and writes them as PCRE2 takes them. Whatever is no such pattern is
   refused, so that nothing of PCRE2's own syntax comes through. */
#include "common/schema_internal.h"
#include "common/schema_unicode.h"
#include "common/strbuf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_PATTERN 32768  /* bytes */
#define MAX_NESTING 200    /* of groups */
#define MAX_NAMED 100      /* groups with a name, and references to them */
#define MAX_REPEAT 65535   /* in PCRE2 */
#define MAX_POINT 0x10ffff
#define END UINT32_MAX /* no code point */

/* White space and line ends (12.2 and 12.3 of ECMA-262), and all but them. */
#define SPACES                                                                                                     \
    "\\x{9}-\\x{d}\\x{20}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}\\x{feff}"
#define NOT_SPACES                                                                                                 \
    "\\x{0}-\\x{8}\\x{e}-\\x{1f}\\x{21}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}"            \
    "\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{fefe}\\x{ff00}-\\x{10ffff}"
#define NEVER "(?:(?!))"
#define ANYTHING "[\\x{0}-\\x{10ffff}]"

typedef struct regex {
    const char *p, *start, *end;
    strbuf_t *out; /* NULL: only checked */
    char *why;
    size_t why_size;
    unsigned groups;     /* that capture, in all */
    unsigned named;      /* groups and references that were looked up by name */
    bool has_references; /* otherwise no group has to capture */
} regex_t;

static bool read_alternatives(regex_t *regex, unsigned depth);

/* ---- Reading and writing ---- */

static bool refuse(regex_t *regex, const char *format, ...) PRINTF_LIKE(2, 3);

static bool refuse(regex_t *regex, const char *format, ...) {
    if (!regex->why || regex->why[0]) return false;
    char reason[100];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    snprintf(regex->why, regex->why_size, "%s at byte %zu", reason, (size_t)(regex->p - regex->start));
    return false;
}

static void put(regex_t *regex, const char *text) {
    if (regex->out) strbuf_adds(regex->out, text);
}

static void put_point(regex_t *regex, uint32_t point) {
    if (!regex->out) return;
    bool plain = (point >= '0' && point <= '9') || (point >= 'A' && point <= 'Z') || (point >= 'a' && point <= 'z');
    if (plain)
        strbuf_addc(regex->out, (char)point);
    else
        strbuf_addf(regex->out, "\\x{%x}", point);
}

static bool is_surrogate(uint32_t point) {
    return point >= 0xd800 && point <= 0xdfff;
}

static bool at(const regex_t *regex, const char *text) {
    size_t len = strlen(text);
    return (size_t)(regex->end - regex->p) >= len && memcmp(regex->p, text, len) == 0;
}

static bool take(regex_t *regex, const char *text) {
    if (!at(regex, text)) return false;
    regex->p += strlen(text);
    return true;
}

/* The next code point, read; END at the end and where the UTF-8 is broken. */
static uint32_t next_point(regex_t *regex) {
    if (regex->p >= regex->end) return END;
    unsigned char first = (unsigned char)*regex->p++;
    if (first < 0x80) return first;
    int more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    uint32_t point = first & (0x3fu >> more);
    for (; more > 0; more--) {
        if (regex->p >= regex->end || ((unsigned char)*regex->p & 0xc0) != 0x80) return END;
        point = point << 6 | ((unsigned char)*regex->p++ & 0x3f);
    }
    return point <= MAX_POINT ? point : END;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hex(regex_t *regex, unsigned digits, uint32_t *value) {
    *value = 0;
    for (unsigned i = 0; i < digits; i++) {
        int digit = regex->p < regex->end ? hex_digit(*regex->p) : -1;
        if (digit < 0) return refuse(regex, "%u hexadecimal digits were expected", digits);
        *value = *value << 4 | (uint32_t)digit;
        regex->p++;
    }
    return true;
}

/* ---- Groups by number and name ---- */

typedef struct group_scan {
    const char *p, *end;
    bool in_class;
} group_scan_t;

/* The next group that captures: true, with its name (or NULL) behind the parenthesis. */
static bool next_group(group_scan_t *scan, const char **name, bool *reference) {
    while (scan->p < scan->end) {
        char c = *scan->p++;
        if (c == '\\' && scan->p < scan->end) {
            char next = *scan->p++;
            if (!scan->in_class && ((next >= '1' && next <= '9') || next == 'k')) *reference = true;
        } else if (c == '[' || c == ']') {
            scan->in_class = c == '[';
        } else if (c == '(' && !scan->in_class) {
            size_t left = (size_t)(scan->end - scan->p);
            *name = NULL;
            if (left == 0 || *scan->p != '?') return true;
            if (left < 3 || scan->p[1] != '<' || scan->p[2] == '=' || scan->p[2] == '!') continue;
            *name = scan->p + 2;
            return true;
        }
    }
    return false;
}

/* The number of the group with that name; 0 without one, and `count` of how many. */
static unsigned find_named(const regex_t *regex, const char *name, size_t len, unsigned *count) {
    group_scan_t scan = {regex->start, regex->end, false};
    const char *other;
    bool reference;
    unsigned found = 0;
    *count = 0;
    for (unsigned number = 1; next_group(&scan, &other, &reference); number++) {
        if (!other || (size_t)(regex->end - other) <= len || memcmp(other, name, len) != 0 || other[len] != '>')
            continue;
        found = number;
        ++*count;
    }
    return found;
}

static void count_groups(regex_t *regex) {
    group_scan_t scan = {regex->start, regex->end, false};
    const char *name;
    while (next_group(&scan, &name, &regex->has_references)) regex->groups++;
}

/* Reads a name up to its `>`; its first byte, NULL when it is none. */
static const char *read_name(regex_t *regex, size_t *len) {
    const char *name = regex->p;
    for (;;) {
        uint32_t point = next_point(regex);
        if (point == '>') break;
        bool digit = point >= '0' && point <= '9';
        bool letter = (point >= 'A' && point <= 'Z') || (point >= 'a' && point <= 'z') || point == '_' || point == '$';
        if (point == END || !(letter || point >= 0xaa || (digit && regex->p - 1 > name))) {
            refuse(regex, "a name of a group was expected");
            return NULL;
        }
    }
    *len = (size_t)(regex->p - 1 - name);
    if (*len == 0 || ++regex->named > MAX_NAMED) {
        refuse(regex, *len ? "too many names" : "a name of a group was expected");
        return NULL;
    }
    return name;
}

/* ---- Escapes ---- */

/* What an escape stands for: one code point, or a set. */
typedef struct escape {
    bool is_set;
    uint32_t point;
    char set[400]; /* for within brackets */
} escape_t;

static bool set_of(escape_t *escape, const char *set) {
    escape->is_set = true;
    snprintf(escape->set, sizeof escape->set, "%s", set);
    return true;
}

static bool read_property(regex_t *regex, bool negated, escape_t *escape) {
    char name[48], *value, property[64];
    if (!take(regex, "{")) return refuse(regex, "\\p needs a property in braces");
    size_t len = 0;
    while (regex->p < regex->end && *regex->p != '}' && len < sizeof name - 1) name[len++] = *regex->p++;
    name[len] = '\0';
    if (!take(regex, "}")) return refuse(regex, "there is no such property");
    value = strchr(name, '=');
    if (value) *value++ = '\0';
    bool inverted;
    if (strlen(name) + (value ? strlen(value) + 1 : 0) != len ||
        !schema_unicode_property(name, value, property, sizeof property, &inverted))
        return refuse(regex, "there is no property %s", name);
    escape->is_set = true;
    snprintf(escape->set, sizeof escape->set, "\\%c{%s}", negated != inverted ? 'P' : 'p', property);
    return true;
}

/* After \u: four digits, two such for a surrogate pair, or any number of them in braces. */
static bool read_unicode(regex_t *regex, uint32_t *point) {
    if (take(regex, "{")) {
        *point = 0;
        const char *digits = regex->p;
        for (int digit; regex->p < regex->end && (digit = hex_digit(*regex->p)) >= 0; regex->p++) {
            *point = *point << 4 | (uint32_t)digit;
            if (*point > MAX_POINT) return refuse(regex, "there is no such code point");
        }
        return regex->p > digits && take(regex, "}") ? true : refuse(regex, "hexadecimal digits were expected");
    }
    if (!read_hex(regex, 4, point)) return false;
    const char *before = regex->p;
    uint32_t low;
    if (*point >= 0xd800 && *point <= 0xdbff && take(regex, "\\u")) {
        bool hex = regex->end - regex->p >= 4;
        for (int i = 0; hex && i < 4; i++) hex = hex_digit(regex->p[i]) >= 0;
        if (hex && read_hex(regex, 4, &low) && low >= 0xdc00 && low <= 0xdfff)
            *point = 0x10000 + ((*point - 0xd800) << 10) + (low - 0xdc00);
        else
            regex->p = before;
    }
    return true;
}

static bool read_control(regex_t *regex, uint32_t *point) {
    char letter = regex->p < regex->end ? *regex->p : '\0';
    if (!((letter >= 'A' && letter <= 'Z') || (letter >= 'a' && letter <= 'z')))
        return refuse(regex, "\\c needs a letter");
    *point = (uint32_t)letter % 32;
    regex->p++;
    return true;
}

/* After the backslash, for what may stand within brackets and outside. */
static bool read_escape(regex_t *regex, bool in_class, escape_t *escape) {
    uint32_t c = next_point(regex);
    *escape = (escape_t){.point = c};
    switch (c) {
    case 'd': return set_of(escape, "0-9");
    case 'D': return set_of(escape, "\\x{0}-\\x{2f}\\x{3a}-\\x{10ffff}");
    case 'w': return set_of(escape, "0-9A-Za-z_");
    case 'W': return set_of(escape, "\\x{0}-\\x{2f}\\x{3a}-\\x{40}\\x{5b}-\\x{5e}\\x{60}\\x{7b}-\\x{10ffff}");
    case 's': return set_of(escape, SPACES);
    case 'S': return set_of(escape, NOT_SPACES);
    case 'p':
    case 'P': return read_property(regex, c == 'P', escape);
    case 't': escape->point = '\t'; return true;
    case 'n': escape->point = '\n'; return true;
    case 'v': escape->point = '\v'; return true;
    case 'f': escape->point = '\f'; return true;
    case 'r': escape->point = '\r'; return true;
    case 'c': return read_control(regex, &escape->point);
    case 'x': return read_hex(regex, 2, &escape->point);
    case 'u': return read_unicode(regex, &escape->point);
    case '0':
        escape->point = 0;
        if (regex->p < regex->end && *regex->p >= '0' && *regex->p <= '9') return refuse(regex, "octal is not allowed");
        return true;
    default: break;
    }
    if (in_class && (c == 'b' || c == '-')) {
        if (c == 'b') escape->point = '\b';
        return true;
    }
    return (c < 0x80 && c != 0 && strchr("^$\\.*+?()[]{}|/", (int)c)) || refuse(regex, "there is no such escape");
}

/* ---- Brackets ---- */

/* Writes a range as far as it is of characters: half of a surrogate pair is none. */
static void put_range(regex_t *regex, uint32_t low, uint32_t high, bool *empty) {
    if (is_surrogate(low)) low = 0xe000;
    if (is_surrogate(high)) high = 0xd7ff;
    if (low > high) return;
    put_point(regex, low);
    if (high > low) {
        put(regex, "-");
        put_point(regex, high);
    }
    *empty = false;
}

static bool read_class_atom(regex_t *regex, escape_t *atom) {
    if (take(regex, "\\")) return read_escape(regex, true, atom);
    *atom = (escape_t){.point = next_point(regex)};
    return atom->point != END || refuse(regex, "a bracket is not closed");
}

static bool read_class_item(regex_t *regex, bool *empty) {
    escape_t low, high;
    if (!read_class_atom(regex, &low)) return false;
    bool range = at(regex, "-") && regex->end - regex->p >= 2 && regex->p[1] != ']';
    if (!range) {
        if (low.is_set) put(regex, low.set);
        if (low.is_set) *empty = false;
        if (!low.is_set) put_range(regex, low.point, low.point, empty);
        return true;
    }
    regex->p++;
    if (!read_class_atom(regex, &high)) return false;
    if (low.is_set || high.is_set) return refuse(regex, "a range is of single characters");
    if (low.point > high.point) return refuse(regex, "a range ends before it begins");
    put_range(regex, low.point, high.point, empty);
    return true;
}

static bool read_class(regex_t *regex) {
    bool negated = take(regex, "^"), empty = true;
    size_t start = regex->out ? regex->out->len : 0;
    put(regex, negated ? "[^" : "[");
    while (!take(regex, "]")) {
        if (regex->p >= regex->end) return refuse(regex, "a bracket is not closed");
        if (!read_class_item(regex, &empty)) return false;
    }
    put(regex, "]");
    if (empty && regex->out) {
        regex->out->len = start;
        put(regex, negated ? ANYTHING : NEVER);
    }
    return true;
}

/* ---- Terms ---- */

static bool read_number(regex_t *regex, uint32_t *number) {
    const char *start = regex->p;
    *number = 0;
    for (; regex->p < regex->end && *regex->p >= '0' && *regex->p <= '9'; regex->p++) {
        *number = *number * 10 + (uint32_t)(*regex->p - '0');
        if (*number > MAX_REPEAT) *number = MAX_REPEAT + 1;
    }
    return regex->p > start;
}

static bool read_braces(regex_t *regex) {
    const char *start = regex->p - 1;
    uint32_t least, most;
    if (!read_number(regex, &least)) return refuse(regex, "a count was expected");
    most = least;
    if (take(regex, ",") && !at(regex, "}") && !read_number(regex, &most)) return refuse(regex, "a count was expected");
    if (!take(regex, "}")) return refuse(regex, "a brace is not closed");
    if (least > most) return refuse(regex, "a count ends below its beginning");
    if (least > MAX_REPEAT || most > MAX_REPEAT) return refuse(regex, "counts above %d are not supported", MAX_REPEAT);
    if (regex->out) strbuf_add(regex->out, start, (size_t)(regex->p - start));
    return true;
}

static bool read_quantifier(regex_t *regex) {
    static const char *const simple[] = {"*", "+", "?"};
    bool any = false;
    for (size_t i = 0; i < ARRAY_LEN(simple) && !any; i++) {
        any = take(regex, simple[i]);
        if (any) put(regex, simple[i]);
    }
    if (!any) {
        if (!take(regex, "{")) return true;
        if (!read_braces(regex)) return false;
    }
    if (take(regex, "?")) put(regex, "?");
    return true;
}

static bool read_backreference(regex_t *regex) {
    uint32_t number;
    if (take(regex, "k")) {
        size_t len;
        unsigned count;
        if (!take(regex, "<")) return refuse(regex, "\\k needs a name of a group");
        const char *name = read_name(regex, &len);
        if (!name) return false;
        number = find_named(regex, name, len, &count);
        if (count == 0) return refuse(regex, "there is no group of that name");
    } else {
        read_number(regex, &number);
        if (number > regex->groups) return refuse(regex, "there is no group %u", number);
    }
    if (regex->out) strbuf_addf(regex->out, "\\g{%u}", number);
    return read_quantifier(regex);
}

static bool read_atom_escape(regex_t *regex) {
    char c = regex->p < regex->end ? *regex->p : '\0';
    if (c == 'b' || c == 'B') { /* asserts; nothing repeats it */
        regex->p++;
        put(regex, c == 'b' ? "\\b" : "\\B");
        return true;
    }
    if (c == 'k' || (c >= '1' && c <= '9')) return read_backreference(regex);
    escape_t escape;
    if (!read_escape(regex, false, &escape)) return false;
    if (escape.is_set) {
        put(regex, "[");
        put(regex, escape.set);
        put(regex, "]");
    } else if (is_surrogate(escape.point)) {
        put(regex, NEVER);
    } else {
        put_point(regex, escape.point);
    }
    return read_quantifier(regex);
}

static bool read_group(regex_t *regex, unsigned depth) {
    static const char *const assertions[] = {"?=", "?!", "?<=", "?<!"};
    bool asserts = false;
    put(regex, "(");
    for (size_t i = 0; i < ARRAY_LEN(assertions) && !asserts; i++) {
        asserts = take(regex, assertions[i]);
        if (asserts) put(regex, assertions[i]);
    }
    bool plain = !asserts && take(regex, "?:");
    if (plain || (!asserts && !regex->has_references)) put(regex, "?:");
    if (!asserts && !plain && take(regex, "?<")) {
        size_t len;
        unsigned count;
        const char *name = read_name(regex, &len);
        if (!name) return false;
        find_named(regex, name, len, &count);
        if (count > 1) return refuse(regex, "two groups have the same name");
    } else if (!asserts && !plain && at(regex, "?")) {
        return refuse(regex, "there is no such group");
    }
    if (!read_alternatives(regex, depth + 1)) return false;
    if (!take(regex, ")")) return refuse(regex, "a group is not closed");
    put(regex, ")");
    return asserts || read_quantifier(regex);
}

static bool read_term(regex_t *regex, unsigned depth) {
    if (take(regex, "\\")) return read_atom_escape(regex);
    if (take(regex, "(")) return read_group(regex, depth);
    if (take(regex, "[")) return read_class(regex) && read_quantifier(regex);
    if (take(regex, "^")) {
        put(regex, "^");
        return true;
    }
    if (take(regex, "$")) {
        put(regex, "\\z");
        return true;
    }
    if (take(regex, ".")) {
        put(regex, "[^\\x{a}\\x{d}\\x{2028}\\x{2029}]");
        return read_quantifier(regex);
    }
    uint32_t point = next_point(regex);
    if (point == END) return refuse(regex, "this is no UTF-8");
    if (point < 0x80 && point != 0 && strchr("*+?{}]", (int)point)) {
        regex->p--;
        return refuse(regex, "'%c' stands where it means nothing", (char)point);
    }
    put_point(regex, point);
    return read_quantifier(regex);
}

static bool read_alternatives(regex_t *regex, unsigned depth) {
    if (depth > MAX_NESTING) return refuse(regex, "groups are nested too deep");
    while (regex->p < regex->end && *regex->p != ')') {
        if (take(regex, "|"))
            put(regex, "|");
        else if (!read_term(regex, depth))
            return false;
    }
    return true;
}

static bool read_pattern(regex_t *regex) {
    if (regex->end - regex->start > MAX_PATTERN) return refuse(regex, "it is longer than %d bytes", MAX_PATTERN);
    count_groups(regex);
    if (!read_alternatives(regex, 0)) return false;
    return regex->p == regex->end || refuse(regex, "a group ends that did not begin");
}

char *schema_regex_translate(const char *source, size_t len, char *why, size_t why_size) {
    strbuf_t out = {0};
    regex_t regex = {.p = source, .start = source, .end = source + len, .out = &out, .why = why, .why_size = why_size};
    why[0] = '\0';
    if (read_pattern(&regex)) return strbuf_steal(&out);
    strbuf_free(&out);
    return NULL;
}

bool schema_regex_check(const char *source, size_t len) {
    regex_t regex = {.p = source, .start = source, .end = source + len};
    return read_pattern(&regex);
}
