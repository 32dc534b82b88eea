/* The page that shows the OpenAPI document in a browser. Only files of a table are served, by name. */
#include "services/docs.h"

#include "common/embed.h"
#include "common/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

EMBED(docs_page_html, "services/docs_page.html");
EMBED(docs_page_js, "services/docs_page.js");

/* Nothing is loaded from elsewhere and nothing runs that is not a file of ours. Styles may stand in the page: the viewer
   writes some into its pictures. */
#define POLICY                                                                                                         \
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; " \
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

struct docs {
    char *folder;
};

static const struct file {
    const char *name;
    const char *media_type;
    const char *embedded; /* NULL: it is in the viewer's folder */
} files[] = {
    {"page.js", "text/javascript; charset=utf-8", docs_page_js},
    {"swagger-ui.css", "text/css; charset=utf-8", NULL},
    {"swagger-ui-bundle.js", "text/javascript; charset=utf-8", NULL},
    {"favicon-32x32.png", "image/png", NULL},
};

enum { FILE_MAX = 16 * 1024 * 1024 };

/* build/viewer of the checkout that the program was built in: bin/ is beside build/. */
static char *default_folder(void) {
    char program[4096];
    ssize_t len = readlink("/proc/self/exe", program, sizeof program - 1);
    program[len > 0 ? len : 0] = '\0';
    return mem_printf("%s/../build/viewer", dirname(program));
}

docs_t *docs_new(const char *folder) {
    docs_t *docs = mem_zero(1, sizeof *docs);
    docs->folder = folder && *folder ? mem_string(folder) : default_folder();
    return docs;
}

void docs_free(docs_t *docs) {
    if (!docs) return;
    free(docs->folder);
    free(docs);
}

/* ---- answers ---- */

static void answer_missing(http_request_t *request) {
    http_problem(request, 404, "viewer-missing",
                 "The viewer is not installed: ./control.sh setup brings it. The document is at /openapi.json.", NULL);
}

static void answer(http_request_t *request, const char *etag, const char *media_type, strbuf_t *body) {
    http_add_header(request, "ETag", etag);
    if (http_has_etag(request, etag)) {
        strbuf_clear(body);
        http_answer(request, 304, "", body);
    } else {
        http_answer(request, 200, media_type, body);
    }
}

static void answer_embedded(http_request_t *request, const char *media_type, const char *text) {
    strbuf_t body = {0};
    strbuf_adds(&body, text);
    answer(request, "\"" ODRADEK_VERSION "\"", media_type, &body);
}

/* The whole file, which is none that grows. False: there is none. */
static bool read_all(int fd, size_t size, strbuf_t *out) {
    char part[65536];
    ssize_t got;
    while ((got = read(fd, part, sizeof part)) != 0) {
        if (got < 0 && errno != EINTR) return false;
        if (got > 0) strbuf_add(out, part, (size_t)got);
        if (out->len > size) return false;
    }
    return out->len == size;
}

static void answer_file(http_request_t *request, const docs_t *docs, const struct file *file) {
    char *path = mem_printf("%s/%s", docs->folder, file->name), etag[64];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat info;
    strbuf_t body = {0};
    bool there = fd >= 0 && !fstat(fd, &info) && S_ISREG(info.st_mode) && info.st_size <= FILE_MAX &&
                 read_all(fd, (size_t)info.st_size, &body);
    if (fd >= 0) close(fd);
    free(path);
    if (there) {
        snprintf(etag, sizeof etag, "\"%llx-%llx\"", (long long)info.st_size, (long long)info.st_mtime);
        answer(request, etag, file->media_type, &body);
    } else {
        answer_missing(request);
    }
    strbuf_free(&body);
}

static bool is_installed(const docs_t *docs) {
    bool installed = true;
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        char *path = mem_printf("%s/%s", docs->folder, files[i].name);
        installed = installed && (files[i].embedded || !access(path, R_OK));
        free(path);
    }
    return installed;
}

void docs_handle(http_request_t *request, void *context) {
    if (!is_installed(context)) {
        answer_missing(request);
        return;
    }
    http_add_header(request, "Content-Security-Policy", POLICY);
    answer_embedded(request, "text/html; charset=utf-8", docs_page_html);
}

void docs_handle_file(http_request_t *request, void *context) {
    const char *name = http_segment(request, 0);
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        if (strcmp(files[i].name, name)) continue;
        if (files[i].embedded)
            answer_embedded(request, files[i].media_type, files[i].embedded);
        else
            answer_file(request, context, &files[i]);
        return;
    }
    http_problem(request, 404, "not-found", "The viewer has no such file.", NULL);
}
