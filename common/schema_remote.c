/* Where documents come from that a schema references: the built-in metaschemas and the caller's table. Never a
   network, and never a file outside the directories of the table. */
#include "common/mem.h"
#include "common/schema_internal.h"

#include <stdlib.h>
#include <sys/stat.h>

/* What of `uri` follows the row's base; NULL where the row is not for it. */
static const char *below(const schema_remote_t *remote, const char *uri) {
    size_t len = strlen(remote->base_uri);
    if (strncmp(uri, remote->base_uri, len) != 0) return NULL;
    if (uri[len] == '\0') return uri + len;
    if (len > 0 && remote->base_uri[len - 1] == '/') return uri + len;
    return uri[len] == '/' ? uri + len + 1 : NULL;
}

static const schema_remote_t *find(const schema_options_t *options, const char *uri) {
    const schema_remote_t *best = NULL;
    for (size_t i = 0; i < options->remote_count; i++) {
        const schema_remote_t *remote = &options->remotes[i];
        const char *rest = below(remote, uri);
        if (!rest || (remote->document && *rest)) continue;
        if (!best || strlen(remote->base_uri) > strlen(best->base_uri)) best = remote;
    }
    return best;
}

static bool leaves_directory(const char *path) {
    for (const char *p = path; p; p = strchr(p, '/')) {
        if (*p == '/') p++;
        if (p[0] == '.' && p[1] == '.' && (p[2] == '/' || p[2] == '\0')) return true;
    }
    return false;
}

/* NULL where the URI is no path below the row's directory. */
static char *file_path(const schema_remote_t *remote, const char *rest) {
    if (*rest == '\0') return mem_string(remote->path);
    char *decoded = schema_uri_decode(rest);
    char *path = decoded && decoded[0] != '/' && !leaves_directory(decoded)
                     ? mem_printf("%s/%s", remote->path, decoded)
                     : NULL;
    free(decoded);
    return path;
}

static json_t *load_file(const char *path, bool *found, err_t *error) {
    struct stat info;
    *found = stat(path, &info) == 0 && S_ISREG(info.st_mode);
    if (!*found) return NULL;
    json_error_t reason;
    json_t *document = json_load_file(path, JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &reason);
    if (!document) err_set(error, STATUS_FATAL, "%s:%d:%d: %s", path, reason.line, reason.column, reason.text);
    return document;
}

json_t *schema_remote_load(const schema_options_t *options, const char *uri, bool *builtin, bool *found, char **name,
                           err_t *error) {
    *builtin = *found = false;
    *name = NULL;
    const schema_remote_t *remote = find(options, uri);
    if (remote && remote->document) {
        *found = true;
        *name = mem_string(uri);
        json_t *copy = json_deep_copy(remote->document);
        if (!copy) err_set(error, STATUS_FATAL, "%s: the document cannot be copied", uri);
        return copy;
    }
    if (remote && remote->path) {
        char *path = file_path(remote, below(remote, uri));
        json_t *document = path ? load_file(path, found, error) : NULL;
        *name = path;
        if (*found) return document;
    }
    size_t len;
    const char *text = schema_meta_text(uri, &len);
    if (!text) return NULL;
    free(*name);
    *name = mem_string(uri);
    *builtin = *found = true;
    return json_loadb(text, len, 0, NULL);
}
