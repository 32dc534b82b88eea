/* What an API tells of itself. */
#include "services/self.h"

#include "common/json.h"
#include "common/mem.h"
#include "common/uuid.h"
#include "services/docs.h"
#include "services/openapi.h"
#include "services/openapi_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DOCUMENT_ABOUT                                                                                                 \
    "Odradek's %s: it %s.\n\nErrors are problems as RFC 9457 has them; the `type` of each is stable. Where there is GET " \
    "there is HEAD, and every path answers OPTIONS with the methods that it knows in `Allow`; these are not listed. A "   \
    "method that a path does not know is 405 (`/problems/method-not-allowed`), a path that does not exist 404 "           \
    "(`/problems/not-found`). Where settings list origins (`http.cors`), OPTIONS answers their browsers' preflights, too."

/* A text that stays as it is while the service runs. */
typedef struct fixed {
    char *text;
    char etag[UUID_TEXT_SIZE + 2];
} fixed_t;

struct self {
    self_options_t options;
    docs_t *docs;
    fixed_t directory, document;
};

/* ---- texts ---- */

static void fix(fixed_t *fixed, const json_t *value) {
    char name[UUID_TEXT_SIZE];
    strbuf_t text = {0};
    json_add_value(&text, value);
    uuid8(text.data, text.len, name);
    snprintf(fixed->etag, sizeof fixed->etag, "\"%s\"", name);
    fixed->text = strbuf_steal(&text);
}

static void answer(http_request_t *request, const fixed_t *fixed) {
    strbuf_t body = {0};
    http_add_header(request, "ETag", fixed->etag);
    if (http_has_etag(request, fixed->etag)) {
        http_answer(request, 304, "", &body);
        return;
    }
    strbuf_adds(&body, fixed->text);
    http_answer_json(request, 200, &body);
}

static void handle_directory(http_request_t *request, void *context) {
    answer(request, &((const self_t *)context)->directory);
}

static void handle_document(http_request_t *request, void *context) {
    answer(request, &((const self_t *)context)->document);
}

/* ---- making them ---- */

static bool is_collection(const self_t *self, const http_route_t *route) {
    return openapi_type_of(self->options.types, route->path) && !strchr(route->path + 1, '/');
}

/* A row for each type that has a collection here, and the other paths by their operation's name. */
static json_t *directory_of(const self_t *self, const http_route_t *routes, size_t count) {
    json_t *collections = json_array(), *links = json_object();
    for (size_t i = 0; i < count; i++) {
        const openapi_operation_t *operation = routes[i].about;
        const entity_type_t *type = openapi_type_of(self->options.types, routes[i].path);
        if (is_collection(self, &routes[i])) {
            json_array_append_new(collections, json_pack("{s:s, s:s}", "type", type->name, "href", routes[i].path));
        } else if (!type) {
            json_object_set_new(links, operation->id, json_string(routes[i].path));
        }
    }
    return json_pack("{s:s, s:s, s:s, s:o, s:o}", "service", self->options.service, "version", ODRADEK_VERSION, "about",
                     self->options.about, "collections", collections, "links", links);
}

status_t self_describe(self_t *self, const http_route_t *routes, size_t count, err_t *error) {
    const self_options_t *own = &self->options;
    char *title = mem_printf("Odradek %s", own->service), *about = mem_printf(DOCUMENT_ABOUT, own->service, own->about);
    json_t *document =
        openapi_build(&(openapi_options_t){title, about, own->settings, own->types, routes, count}, error);
    free(title);
    free(about);
    if (!document) return STATUS_FATAL;
    json_t *directory = directory_of(self, routes, count);
    fix(&self->document, document);
    fix(&self->directory, directory);
    json_decref(document);
    json_decref(directory);
    return STATUS_OK;
}

#define SHOWN(path_, handle_, context_, about_)                                                                       \
    (http_route_t){.method = "GET", .path = path_, .handle = handle_, .context = context_, .about = about_}

void self_routes(self_t *self, http_route_t routes[SELF_ROUTES]) {
    routes[0] = SHOWN("/", handle_directory, self, &operation_directory);
    routes[1] = SHOWN("/openapi.json", handle_document, self, &operation_openapi);
    routes[2] = SHOWN("/docs", docs_handle, self->docs, &operation_docs);
    routes[3] = SHOWN("/docs/{file}", docs_handle_file, self->docs, &operation_docs_file);
}

self_t *self_new(const self_options_t *options) {
    self_t *self = mem_zero(1, sizeof *self);
    self->options = *options;
    self->docs = docs_new(options->settings->http.viewer);
    return self;
}

void self_free(self_t *self) {
    if (!self) return;
    docs_free(self->docs);
    free(self->directory.text);
    free(self->document.text);
    free(self);
}
