/* URI references: taken apart, resolved and put together as RFC 3986 says (sections 5.2 and 5.3). */
#include "common/mem.h"
#include "common/schema_internal.h"
#include "common/strbuf.h"

#include <stdlib.h>

typedef struct part {
    const char *data; /* NULL: not there, which is something else than empty */
    size_t len;
} part_t;

typedef struct uri {
    part_t scheme, authority, path, query, fragment;
} uri_t;

static bool is_alpha(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static size_t scheme_len(const char *text) {
    if (!is_alpha(*text)) return 0;
    size_t len = 1;
    while (is_alpha(text[len]) || is_digit(text[len]) || text[len] == '+' || text[len] == '-' || text[len] == '.')
        len++;
    return text[len] == ':' ? len : 0;
}

static uri_t parse(const char *text) {
    uri_t uri = {0};
    size_t len = scheme_len(text);
    if (len > 0) {
        uri.scheme = (part_t){text, len};
        text += len + 1;
    }
    if (text[0] == '/' && text[1] == '/') {
        text += 2;
        len = strcspn(text, "/?#");
        uri.authority = (part_t){text, len};
        text += len;
    }
    len = strcspn(text, "?#");
    uri.path = (part_t){text, len};
    text += len;
    if (*text == '?') {
        len = strcspn(++text, "#");
        uri.query = (part_t){text, len};
        text += len;
    }
    if (*text == '#') uri.fragment = (part_t){text + 1, strlen(text + 1)};
    return uri;
}

static void drop_segment(strbuf_t *path) {
    while (path->len > 0 && path->data[path->len - 1] != '/') path->len--;
    if (path->len > 0) path->len--;
}

/* Section 5.2.4: "." and ".." segments are carried out. */
static void add_path(strbuf_t *out, const char *path, size_t len) {
    strbuf_t done = {0};
    const char *end = path + len;
    while (path < end) {
        const char *slash = memchr(path + 1, '/', (size_t)(end - path - 1));
        const char *next = slash ? slash : end;
        size_t segment = (size_t)(next - path);
        bool rooted = *path == '/';
        const char *name = path + rooted;
        size_t name_len = segment - rooted;
        bool up = name_len == 2 && name[0] == '.' && name[1] == '.', here = name_len == 1 && name[0] == '.';
        if (up) drop_segment(&done);
        if (!up && !here)
            strbuf_add(&done, path, segment);
        else if (next == end)
            strbuf_addc(&done, '/');
        path = next;
    }
    strbuf_add(out, done.data ? done.data : "", done.len);
    strbuf_free(&done);
}

/* The path of a reference that is relative to the base's path (section 5.2.3). */
static void add_merged(strbuf_t *out, const uri_t *base, part_t reference) {
    strbuf_t merged = {0};
    if (base->authority.data && base->path.len == 0) {
        strbuf_addc(&merged, '/');
    } else {
        size_t keep = base->path.len;
        while (keep > 0 && base->path.data[keep - 1] != '/') keep--;
        strbuf_add(&merged, base->path.data, keep);
    }
    strbuf_add(&merged, reference.data, reference.len);
    add_path(out, merged.data, merged.len);
    strbuf_free(&merged);
}

static void add_scheme_authority(strbuf_t *out, part_t scheme, part_t authority) {
    for (size_t i = 0; i < scheme.len; i++)
        strbuf_addc(out,
                    (char)(scheme.data[i] >= 'A' && scheme.data[i] <= 'Z' ? scheme.data[i] | 0x20 : scheme.data[i]));
    if (scheme.data) strbuf_addc(out, ':');
    if (authority.data) {
        strbuf_adds(out, "//");
        strbuf_add(out, authority.data, authority.len);
    }
}

static void add_after(strbuf_t *out, char mark, part_t part) {
    if (!part.data) return;
    strbuf_addc(out, mark);
    strbuf_add(out, part.data, part.len);
}

char *schema_uri_resolve(const char *base_text, const char *reference) {
    uri_t base = parse(base_text), ref = parse(reference);
    strbuf_t out = {0};
    part_t query = ref.query;
    if (ref.scheme.data || ref.authority.data) {
        add_scheme_authority(&out, ref.scheme.data ? ref.scheme : base.scheme, ref.authority);
        if (ref.path.len > 0 && ref.path.data[0] == '/')
            add_path(&out, ref.path.data, ref.path.len);
        else
            strbuf_add(&out, ref.path.data, ref.path.len);
    } else {
        add_scheme_authority(&out, base.scheme, base.authority);
        if (ref.path.len == 0) {
            strbuf_add(&out, base.path.data, base.path.len);
            if (!ref.query.data) query = base.query;
        } else if (ref.path.data[0] == '/') {
            add_path(&out, ref.path.data, ref.path.len);
        } else {
            add_merged(&out, &base, ref.path);
        }
    }
    add_after(&out, '?', query);
    add_after(&out, '#', ref.fragment);
    return strbuf_steal(&out);
}

static int hex(char c) {
    if (is_digit(c)) return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

char *schema_uri_decode(const char *text) {
    char *out = mem_alloc(strlen(text) + 1), *end = out;
    for (; *text; text++) {
        if (*text != '%') {
            *end++ = *text;
            continue;
        }
        int high = hex(text[1]), low = high < 0 ? -1 : hex(text[2]);
        if (low < 0 || high + low == 0) {
            free(out);
            return NULL;
        }
        *end++ = (char)(high << 4 | low);
        text += 2;
    }
    *end = '\0';
    return out;
}

char *schema_uri_split(const char *uri, char **fragment) {
    size_t len = strcspn(uri, "#");
    if (fragment) *fragment = uri[len] == '#' ? mem_string(uri + len + 1) : NULL;
    return mem_copy(uri, len);
}

char *schema_uri_from_path(const char *path) {
    strbuf_t out = {0};
    strbuf_adds(&out, "file://");
    for (; *path; path++) {
        if (is_alpha(*path) || is_digit(*path) || strchr("/-._~!$&'()*+,;=:@", *path))
            strbuf_addc(&out, *path);
        else
            strbuf_addf(&out, "%%%02X", (unsigned char)*path);
    }
    return strbuf_steal(&out);
}
