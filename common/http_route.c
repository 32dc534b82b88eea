/* Which route a request takes. */
#include "common/http_internal.h"

#include <stdlib.h>
#include <string.h>

enum { PARTS_MAX = 8 };

/* Cuts "/a/b" into "a", "b" in place. 0 parts: "/". -1: too many. */
static int cut(char *path, const char *parts[PARTS_MAX]) {
    int count = 0;
    if (*path == '/') path++;
    if (!*path) return 0;
    for (char *slash; path; path = slash ? slash + 1 : NULL) {
        if (count == PARTS_MAX) return -1;
        slash = strchr(path, '/');
        if (slash) *slash = '\0';
        parts[count++] = path;
    }
    return count;
}

/* Whether `pattern` has just the parts of the path; its braces' matches go to `segments`. */
static bool matches(const char *pattern, const char *const *parts, int count, const char **segments) {
    size_t captured = 0;
    for (int i = 0; i < count; i++) {
        if (*pattern != '/') return false;
        const char *part = pattern + 1;
        size_t len = strcspn(part, "/");
        if (*part == '{') {
            if (!*parts[i] || captured == HTTP_SEGMENTS_MAX) return false;
            segments[captured++] = parts[i];
        } else if (len != strlen(parts[i]) || strncmp(part, parts[i], len)) {
            return false;
        }
        pattern = part + len;
    }
    return count == 0 ? !strcmp(pattern, "/") : *pattern == '\0';
}

static bool same_method(const http_route_t *route, const char *method) {
    return !strcmp(route->method, method) || (!strcmp(method, "HEAD") && !strcmp(route->method, "GET"));
}

/* Whether a list of methods has one. */
static bool lists(const strbuf_t *methods, const char *method) {
    size_t len = strlen(method);
    for (const char *at = methods->len ? methods->data : NULL; at; at = strchr(at, ' ')) {
        at += strspn(at, " ");
        if (!strncmp(at, method, len) && (at[len] == ',' || !at[len])) return true;
    }
    return false;
}

static void add_method(strbuf_t *methods, const char *method) {
    if (lists(methods, method)) return;
    strbuf_addf(methods, "%s%s%s", methods->len ? ", " : "", method, !strcmp(method, "GET") ? ", HEAD" : "");
}

http_counted_t *http_find_route(http_server_t *server, const char *method, char *path, const char **segments,
                                char **allow) {
    const char *parts[PARTS_MAX];
    bool whole = !strcmp(path, "*"); /* the server itself: RFC 9110, 9.3.7 */
    int count = cut(path, parts);
    strbuf_t methods = {0};
    *allow = NULL;
    for (size_t i = 0; i < server->routes_count && count >= 0; i++) {
        const http_route_t *route = &server->routes[i].route;
        if (!whole && !matches(route->path, parts, count, segments)) continue;
        if (!whole && same_method(route, method)) {
            strbuf_free(&methods);
            return &server->routes[i];
        }
        add_method(&methods, route->method);
    }
    if (methods.len > 0) {
        strbuf_adds(&methods, ", OPTIONS");
        *allow = strbuf_steal(&methods);
    }
    return NULL;
}
