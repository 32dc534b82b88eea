/* An OpenAPI 3.1 document out of tables.

       routes ── operation of each ──▶ paths
                     │ parameters, headers, problems that are the same everywhere ──▶ components, referenced
       schemas/api.json, the types' schemas ── those that something refers to ──▶ components                       */
#include "services/openapi.h"

#include "common/embed.h"
#include "common/json.h"
#include "common/mem.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

EMBED(openapi_schemas_text, "schemas/api.json");

#define COMPONENTS "#/components/"

typedef struct builder {
    const openapi_options_t *options;
    const entity_type_t *type; /* of the route at hand; NULL: none */
    bool is_get;               /* it is one of GET */
    json_t *document, *components;
    err_t *error; /* the first one stays */
} builder_t;

static void fail(builder_t *builder, const char *what, const char *text) {
    if (!builder->error->text[0]) err_set(builder->error, STATUS_FATAL, "OpenAPI: %s: %s", what, text);
}

/* ---- templates ---- */

/* The settings that texts may name. */
static const struct variable {
    const char *name;
    size_t offset; /* of an int in the settings */
} variables[] = {
    {"limits.batchItems", offsetof(settings_t, limits.batch_items)},
    {"limits.bodyBytes", offsetof(settings_t, limits.body_bytes)},
    {"limits.pendingCommands", offsetof(settings_t, limits.pending_commands)},
    {"limits.pendingSeconds", offsetof(settings_t, limits.pending_seconds)},
    {"http.heartbeatSeconds", offsetof(settings_t, http.heartbeat_seconds)},
    {"limits.streams", offsetof(settings_t, limits.streams)},
    {"limits.waitSeconds", offsetof(settings_t, limits.wait_seconds)},
    {"retention.idempotencyHours", offsetof(settings_t, retention.idempotency_hours)},
    {"retention.outcomesHours", offsetof(settings_t, retention.outcomes_hours)},
};

static bool add_setting(const builder_t *builder, strbuf_t *out, const char *name, size_t len) {
    for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
        if (strlen(variables[i].name) != len || strncmp(variables[i].name, name, len) != 0) continue;
        strbuf_addi(out, *(const int *)((const char *)builder->options->settings + variables[i].offset));
        return true;
    }
    return false;
}

/* ---- lists of a type's members, as JSON ---- */

static void add_item(strbuf_t *out, const char *before, const char *name) {
    char *text = mem_printf("%s%s", before, name);
    if (out->len > 0 && !strchr("[{", out->data[out->len - 1])) strbuf_addc(out, ',');
    strbuf_add_jsons(out, text);
    free(text);
}

/* What lists can be sorted by: "id", "-id" and so on. */
static void add_sorts(strbuf_t *out, const entity_type_t *type) {
    strbuf_adds(out, "[\"id\",\"-id\"");
    for (size_t i = 0; i < type->indexes_count; i++) {
        add_item(out, "", type->indexes[i]);
        add_item(out, "-", type->indexes[i]);
    }
    strbuf_addc(out, ']');
}

/* What lists can be filtered by, as properties. */
static void add_filters(strbuf_t *out, const entity_type_t *type) {
    strbuf_addc(out, '{');
    for (size_t i = 0; i < type->indexes_count; i++) {
        add_item(out, "", type->indexes[i]);
        strbuf_adds(out, ":{\"type\":\"string\"}");
    }
    strbuf_addc(out, '}');
}

static void add_links(strbuf_t *out, const entity_type_t *type) {
    strbuf_addc(out, '[');
    for (size_t i = 0; i < type->links_count; i++) add_item(out, "", type->links[i].name);
    strbuf_addc(out, ']');
}

static const struct list {
    const char *name;
    void (*add)(strbuf_t *out, const entity_type_t *type);
} lists[] = {{"sorts", add_sorts}, {"filters", add_filters}, {"links", add_links}};

static bool add_list(strbuf_t *out, const entity_type_t *type, const char *name, size_t len) {
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        if (strlen(lists[i].name) != len || strncmp(lists[i].name, name, len) != 0) continue;
        lists[i].add(out, type);
        return true;
    }
    return false;
}

static bool add_variable(const builder_t *builder, strbuf_t *out, const char *name, size_t len) {
    const entity_type_t *type = builder->type;
    if (type && len == 4 && !strncmp(name, "Type", len)) {
        strbuf_adds(out, type->name);
    } else if (type && len == 4 && !strncmp(name, "type", len)) {
        strbuf_addc(out, (char)tolower((unsigned char)type->name[0]));
        strbuf_adds(out, type->name + 1);
    } else if (type && len == 4 && !strncmp(name, "base", len)) {
        strbuf_adds(out, type->base);
    } else {
        return (type && add_list(out, type, name, len)) || add_setting(builder, out, name, len);
    }
    return true;
}

/* The text with its variables filled in. The caller frees it. */
static char *expand(builder_t *builder, const char *text) {
    strbuf_t out = {0};
    for (const char *p = text; *p;) {
        size_t plain = strcspn(p, "$");
        strbuf_add(&out, p, plain);
        p += plain;
        if (*p != '$') break;
        size_t len = p[1] == '{' ? strcspn(p + 2, "}") : 0;
        if (len > 0) {
            if (!add_variable(builder, &out, p + 2, len)) fail(builder, "a text names an unknown variable", p);
            p += 2 + len + (p[2 + len] == '}');
        } else {
            strbuf_addc(&out, *p++); /* of a pattern, or "$ref" */
        }
    }
    return strbuf_steal(&out);
}

static json_t *text_of(builder_t *builder, const char *template) {
    char *text = expand(builder, template);
    json_t *string = json_string(text);
    free(text);
    return string;
}

/* What the template is as JSON; an empty object where it is none. */
static json_t *json_of(builder_t *builder, const char *template) {
    err_t why;
    char *text = expand(builder, template);
    json_t *value = json_read(text, strlen(text), &why);
    if (!value) {
        fail(builder, why.text, text);
        value = json_object();
    }
    free(text);
    return value;
}

static void set_text(builder_t *builder, json_t *object, const char *key, const char *template) {
    if (template) json_object_set_new(object, key, text_of(builder, template));
}

static void set_json(builder_t *builder, json_t *object, const char *key, const char *template) {
    if (template) json_object_set_new(object, key, json_of(builder, template));
}

/* ---- what the HTTP server does for all ---- */

/* Request headers of every operation. */
static const openapi_param_t of_requests[] = {
    {"header", "X-Request-Id",
     "The request's id: 1 to 128 letters, digits and - . _ ~ + / = : @ |. Another one is replaced, and where there is none "
     "one is made.",
     JSON({"type": "string"}), JSON("my-request-7")},
    {"header", "traceparent", "The trace that the request is part of (W3C Trace Context).", JSON({"type": "string"}),
     JSON("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")},
    {"header", "tracestate", "What comes with the trace (W3C Trace Context).", JSON({"type": "string"}), NULL},
};

/* Headers of every answer of which this is true. */
typedef enum answers { TO_ALL = 0, TO_GET = 1, WITH_BODY = 2, FROM_BROWSERS = 4 } answers_t;

static const struct {
    answers_t of;
    openapi_header_t header;
} of_answers[] = {
    {TO_ALL, {"X-Request-Id", "The request's id, in the records too that come of it.", JSON({"type": "string"}), NULL, true}},
    {TO_ALL, {"traceparent", "The trace that the request is part of.", JSON({"type": "string"}), NULL, true}},
    {TO_ALL, {"Vary", "Which headers of the request the answer depends on.", JSON({"type": "string"}), JSON("Origin"), false}},
    {TO_GET, {"Cache-Control", "That what is kept must be asked for again before it is used.", JSON({"type": "string"}),
              JSON("no-cache"), true}},
    {WITH_BODY, {"X-Content-Type-Options", "That Content-Type says what it is.",
                 JSON({"type": "string", "enum": ["nosniff"]}), NULL, true}},
    {FROM_BROWSERS, {"Access-Control-Allow-Origin", "Whose pages may read the answer (CORS).", JSON({"type": "string"}), NULL,
                     false}},
    {FROM_BROWSERS, {"Access-Control-Expose-Headers", "Which headers they may read.", JSON({"type": "string"}), NULL, false}},
    {FROM_BROWSERS, {"Access-Control-Allow-Credentials", "That cookies and the like may come along.",
                     JSON({"type": "string", "enum": ["true"]}), NULL, false}},
};

/* ---- components ---- */

/* Puts `value`, which it steals, among the components of a kind, and returns a reference to it. Where another one has
   that name, `value` itself. */
static json_t *shared(builder_t *builder, const char *kind, const char *name, json_t *value) {
    json_t *all = json_object_get(builder->components, kind), *there;
    if (!all) json_object_set_new(builder->components, kind, all = json_object());
    there = json_object_get(all, name);
    if (there && !json_equal(there, value)) return value;
    if (!there) json_object_set(all, name, value);
    json_decref(value);
    char *reference = mem_printf(COMPONENTS "%s/%s", kind, name);
    value = json_pack("{s:s}", "$ref", reference);
    free(reference);
    return value;
}

/* How a parameter of several values is written: a list with commas, an object as name[member]=value. */
static void set_style(json_t *param) {
    const char *type = json_text(json_object_get(param, "schema"), "type");
    if (!type || (strcmp(type, "array") && strcmp(type, "object"))) return;
    bool is_list = !strcmp(type, "array");
    json_object_set_new(param, "style", json_string(is_list ? "form" : "deepObject"));
    json_object_set_new(param, "explode", json_boolean(!is_list));
}

static json_t *param_of(builder_t *builder, const openapi_param_t *param) {
    json_t *out = json_pack("{s:s, s:s}", "name", param->name, "in", param->in);
    set_text(builder, out, "description", param->about);
    if (!strcmp(param->in, "path")) json_object_set_new(out, "required", json_true());
    set_json(builder, out, "schema", param->schema);
    set_style(out);
    set_json(builder, out, "example", param->example);
    return shared(builder, "parameters", param->name, out);
}

static void add_header(builder_t *builder, json_t *out, const openapi_header_t *row) {
    json_t *header = json_object();
    set_text(builder, header, "description", row->about);
    if (row->always) json_object_set_new(header, "required", json_true());
    set_json(builder, header, "schema", row->schema);
    set_json(builder, header, "example", row->example);
    json_object_set_new(out, row->name, shared(builder, "headers", row->name, header));
}

static void add_headers(builder_t *builder, json_t *out, const openapi_header_t *const *headers) {
    for (; headers && *headers; headers++) add_header(builder, out, *headers);
}

/* Those that the HTTP server adds to an answer of the route at hand. */
static void add_common_headers(builder_t *builder, json_t *out, bool has_body) {
    unsigned is = (builder->is_get ? TO_GET : 0) | (has_body ? WITH_BODY : 0) |
             (builder->options->settings->http.cors.origins_count > 0 ? FROM_BROWSERS : 0);
    for (size_t i = 0; i < ARRAY_LEN(of_answers); i++)
        if ((of_answers[i].of & is) == of_answers[i].of) add_header(builder, out, &of_answers[i].header);
}

static json_t *content_of(builder_t *builder, const openapi_body_t *bodies) {
    json_t *out = json_object();
    for (; bodies && bodies->media_type; bodies++) {
        json_t *body = json_object();
        set_json(builder, body, "schema", bodies->schema);
        set_json(builder, body, "example", bodies->example);
        json_object_set_new(out, bodies->media_type, body);
    }
    return out;
}

static void set_unless_empty(json_t *object, const char *key, json_t *value) {
    if (json_object_size(value) + json_array_size(value) > 0)
        json_object_set_new(object, key, value);
    else
        json_decref(value);
}

static json_t *links_of(builder_t *builder, const openapi_link_t *links) {
    json_t *out = json_object();
    for (; links && links->operation; links++) {
        char *name = expand(builder, links->operation);
        json_object_set_new(out, name,
                            json_pack("{s:s, s:o}", "operationId", name, "parameters", json_of(builder, links->params)));
        free(name);
    }
    return out;
}

static json_t *answer_of(builder_t *builder, const openapi_answer_t *answer) {
    json_t *out = json_object(), *headers = json_object();
    set_text(builder, out, "description", answer->about);
    add_headers(builder, headers, answer->headers);
    add_common_headers(builder, headers, answer->bodies != NULL);
    json_object_set_new(out, "headers", headers);
    set_unless_empty(out, "content", content_of(builder, answer->bodies));
    set_unless_empty(out, "links", links_of(builder, answer->links));
    return out;
}

/* ---- problems ---- */

/* What the HTTP server answers by itself, to requests of routes that take bodies. */
static const openapi_header_t accept_patch = {
    "Accept-Patch", "The media types that a PATCH can have (RFC 5789).", JSON({"type": "string"}), NULL, false};
static const openapi_header_t accept_encoding = {
    "Accept-Encoding", "What a body may be encoded with (RFC 9110).", JSON({"type": "string"}), JSON("gzip"), false};
static const openapi_problem_t from_server[] = {
    {400, "invalid-encoding", "The body is no gzip, or damaged.", NULL},
    {413, "too-large", "The body has more than ${limits.bodyBytes} bytes, as it came or inflated.", NULL},
    {415, "unsupported-media-type", "The body's Content-Type is none of those that are taken.",
     (const openapi_header_t *const[]){&accept_patch, NULL}},
    {415, "unsupported-encoding", "The body's Content-Encoding is not gzip.",
     (const openapi_header_t *const[]){&accept_encoding, NULL}},
};

enum { SAME_CODE_MAX = 12 };

/* The problems of a code, of which there is at least one. */
typedef struct same_code {
    int code;
    const openapi_problem_t *rows[SAME_CODE_MAX];
    size_t count;
} same_code_t;

static void gather(same_code_t *same, const openapi_problem_t *row) {
    if (row->code != same->code || same->count == SAME_CODE_MAX) return;
    for (size_t i = 0; i < same->count; i++)
        if (!strcmp(same->rows[i]->type, row->type)) return;
    same->rows[same->count++] = row;
}

/* {"description": what it means, "value": a whole one} */
static json_t *example_of(builder_t *builder, const openapi_problem_t *row) {
    char *type = mem_printf("/problems/%s", row->type), *about = expand(builder, row->about);
    json_t *out = json_pack("{s:s, s:{s:s, s:s, s:i, s:s}}", "summary", about, "value", "type", type, "title",
                            http_reason(row->code), "status", row->code, "detail", about);
    free(type);
    free(about);
    return out;
}

static void add_problem(builder_t *builder, const openapi_problem_t *row, strbuf_t *about, json_t *types,
                        json_t *examples, json_t *headers) {
    char *type = mem_printf("/problems/%s", row->type), *text = expand(builder, row->about);
    strbuf_addf(about, "%s%s", about->len ? " Or: " : "", text);
    json_array_append_new(types, json_string(type));
    json_object_set_new(examples, row->type, example_of(builder, row));
    add_headers(builder, headers, row->headers);
    free(type);
    free(text);
}

/* One answer for all problems of a code: the types that it can have, an example and a sentence for each. */
static json_t *problems_of(builder_t *builder, const same_code_t *same) {
    strbuf_t name = {0}, about = {0};
    json_t *types = json_array(), *examples = json_object(), *headers = json_object();
    strbuf_addi(&name, same->code);
    for (size_t i = 0; i < same->count; i++) {
        add_problem(builder, same->rows[i], &about, types, examples, headers);
        strbuf_addf(&name, ".%s", same->rows[i]->type);
    }
    add_common_headers(builder, headers, true);
    if (!builder->is_get) strbuf_adds(&name, ".change"); /* whose headers are others */
    char title[24]; /* of which code that is made from the document takes a name */
    snprintf(title, sizeof title, "Problem %d", same->code);
    json_t *schema = json_pack("{s:s, s:[{s:s}, {s:s, s:{s:{s:s, s:o}, s:{s:s, s:[i]}}}]}", "title", title, "allOf", "$ref",
                               COMPONENTS "schemas/problem", "type", "object", "properties", "type", "type", "string",
                               "enum", types, "status", "type", "integer", "enum", same->code);
    json_t *out = json_pack("{s:s, s:{s:{s:o, s:o}}}", "description", about.data, "content", "application/problem+json",
                            "schema", schema, "examples", examples);
    json_object_set_new(out, "headers", headers);
    out = shared(builder, "responses", name.data, out);
    strbuf_free(&name);
    strbuf_free(&about);
    return out;
}

static void add_problems(builder_t *builder, json_t *responses, const openapi_operation_t *operation, bool has_body) {
    for (int code = 400; code < 600; code++) {
        same_code_t same = {.code = code};
        for (const openapi_problem_t *const *row = operation->problems; row && *row; row++) gather(&same, *row);
        for (size_t i = 0; has_body && i < ARRAY_LEN(from_server); i++) gather(&same, &from_server[i]);
        char key[8];
        snprintf(key, sizeof key, "%d", code);
        if (same.count > 0) json_object_set_new(responses, key, problems_of(builder, &same));
    }
}

/* ---- operations ---- */

static json_t *responses_of(builder_t *builder, const openapi_operation_t *operation, bool has_body) {
    json_t *out = json_object();
    for (const openapi_answer_t *answer = operation->answers; answer && answer->code; answer++) {
        char key[8];
        snprintf(key, sizeof key, "%d", answer->code);
        json_object_set_new(out, key, answer_of(builder, answer));
    }
    add_problems(builder, out, operation, has_body);
    return out;
}

/* That a description's media types are those that the route accepts. */
static void check_bodies(builder_t *builder, const http_route_t *route, const openapi_operation_t *operation) {
    strbuf_t described = {0};
    strbuf_adds(&described, "");
    for (const openapi_body_t *body = operation->bodies; body && body->media_type; body++)
        strbuf_addf(&described, "%s%s", described.len ? ", " : "", body->media_type);
    if (strcmp(described.data, route->accepts ? route->accepts : ""))
        fail(builder, "bodies are described otherwise than they are taken", route->path);
    strbuf_free(&described);
}

/* That the description has a parameter for each brace of the path, and no others in the path. */
static void check_path(builder_t *builder, const http_route_t *route, const openapi_operation_t *operation) {
    size_t braces = 0, described = 0, found = 0;
    for (const char *p = route->path; *p; p++) braces += *p == '{';
    for (const openapi_param_t *const *row = operation->params; row && *row; row++) {
        char brace[80];
        snprintf(brace, sizeof brace, "{%s}", (*row)->name);
        bool in_path = !strcmp((*row)->in, "path");
        described += in_path;
        found += in_path && strstr(route->path, brace);
    }
    if (braces != described || braces != found) fail(builder, "parameters are described otherwise than the path has them", route->path);
}

/* What names a type's links, or indexes, is no parameter of one that has none. */
static bool has_param(const builder_t *builder, const openapi_param_t *param) {
    if (strstr(param->schema, "${links}")) return builder->type && builder->type->links_count > 0;
    if (strstr(param->schema, "${filters}")) return builder->type && builder->type->indexes_count > 0;
    return true;
}

static json_t *operation_of(builder_t *builder, const http_route_t *route, const openapi_operation_t *operation) {
    json_t *out = json_object(), *tags = json_array(), *params = json_array();
    check_bodies(builder, route, operation);
    check_path(builder, route, operation);
    set_text(builder, out, "operationId", operation->id);
    json_array_append_new(tags, text_of(builder, operation->tag));
    json_object_set_new(out, "tags", tags);
    set_text(builder, out, "summary", operation->summary);
    set_text(builder, out, "description", operation->about);
    for (const openapi_param_t *const *row = operation->params; row && *row; row++)
        if (has_param(builder, *row)) json_array_append_new(params, param_of(builder, *row));
    for (size_t i = 0; i < ARRAY_LEN(of_requests); i++)
        json_array_append_new(params, param_of(builder, &of_requests[i]));
    json_object_set_new(out, "parameters", params);
    if (operation->bodies)
        json_object_set_new(out, "requestBody",
                            json_pack("{s:b, s:s, s:o}", "required", 1, "description",
                                      "It may come as gzip, with Content-Encoding: gzip.", "content",
                                      content_of(builder, operation->bodies)));
    json_object_set_new(out, "responses", responses_of(builder, operation, route->accepts != NULL));
    return out;
}

const entity_type_t *openapi_type_of(const types_t *types, const char *path) {
    size_t len = strcspn(path + 1, "/");
    for (size_t i = 0; i < types->count; i++)
        if (strlen(types->items[i].base) == len && !strncmp(types->items[i].base, path + 1, len)) return &types->items[i];
    return NULL;
}

static void add_route(builder_t *builder, json_t *paths, const http_route_t *route) {
    char method[16];
    size_t len = 0;
    for (; route->method[len] && len + 1 < sizeof method; len++)
        method[len] = (char)tolower((unsigned char)route->method[len]);
    method[len] = '\0';
    if (!route->about) {
        fail(builder, "a route has no description", route->path);
        return;
    }
    builder->type = openapi_type_of(builder->options->types, route->path);
    builder->is_get = !strcmp(route->method, "GET");
    json_t *path = json_object_get(paths, route->path);
    if (!path) json_object_set_new(paths, route->path, path = json_object());
    json_object_set_new(path, method, operation_of(builder, route, route->about));
    builder->type = NULL;
}

/* ---- schemas ---- */

/* The names in `from`, a template for all types or for the type at hand, and what stands at them. */
static void add_schemas(builder_t *builder, json_t *schemas, const json_t *from) {
    strbuf_t template = {0};
    json_add_value(&template, from);
    json_t *filled = json_of(builder, template.data);
    json_object_update(schemas, filled);
    json_decref(filled);
    strbuf_free(&template);
}

/* A part of a type's data: `fields` of a request says which. What is asked of all of it is left out. */
static void add_part(json_t *schemas, const char *name) {
    static const char *const kept[] = {"title", "description", "type", "properties", "patternProperties",
                                       "additionalProperties", "propertyNames"};
    const json_t *whole = json_object_get(schemas, name);
    json_t *part = json_object();
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        json_t *value = json_object_get(whole, kept[i]);
        if (value) json_object_set(part, kept[i], value);
    }
    char *key = mem_printf("%s.part", name), *title = mem_printf("Part of %s", name);
    json_object_set_new(part, "title", json_string(title));
    json_object_set_new(schemas, key, part);
    free(key);
    free(title);
}

static json_t *all_schemas(builder_t *builder) {
    const types_t *types = builder->options->types;
    json_t *schemas = json_deep_copy(types->schemas);
    json_t *templates = json_read(openapi_schemas_text, strlen(openapi_schemas_text), builder->error);
    add_schemas(builder, schemas, json_object_get(templates, "common"));
    for (size_t i = 0; i < types->count; i++) {
        builder->type = &types->items[i];
        add_schemas(builder, schemas, json_object_get(templates, "of each type"));
        add_part(schemas, types->items[i].name);
    }
    builder->type = NULL;
    json_decref(templates);
    return schemas;
}

/* Moves the schemas that `value` refers to from `all` to `used`, and those that these refer to. */
static void use(const json_t *value, json_t *all, json_t *used) {
    static const char prefix[] = COMPONENTS "schemas/";
    size_t index;
    const char *key, *reference = json_text(value, "$ref");
    json_t *child;
    if (reference && !strncmp(reference, prefix, sizeof prefix - 1)) {
        const char *name = reference + sizeof prefix - 1;
        json_t *schema = json_incref(json_object_get(all, name));
        if (schema && !json_object_get(used, name)) {
            json_object_set(used, name, schema);
            use(schema, all, used);
        }
        json_decref(schema);
    }
    json_object_foreach((json_t *)value, key, child) use(child, all, used);
    json_array_foreach((json_t *)value, index, child) use(child, all, used);
}

/* Only schemas that something refers to, in the order of all. */
static void add_used_schemas(builder_t *builder) {
    json_t *all = all_schemas(builder), *used = json_object(), *sorted = json_object(), *schema;
    const char *name;
    use(builder->document, all, used);
    json_object_foreach(all, name, schema) {
        if (json_object_get(used, name)) json_object_set(sorted, name, schema);
    }
    json_object_set_new(builder->components, "schemas", sorted);
    json_decref(used);
    json_decref(all);
}

/* ---- the document ---- */

json_t *openapi_build(const openapi_options_t *options, err_t *error) {
    builder_t builder = {.options = options, .error = error};
    json_t *paths = json_object();
    error->text[0] = '\0';
    builder.components = json_object();
    builder.document = json_pack("{s:s, s:{s:s, s:s, s:s}, s:[{s:s}], s:o, s:o}", "openapi", "3.1.0", "info", "title",
                                 options->title, "version", ODRADEK_VERSION, "description", options->about, "servers",
                                 "url", "/", "paths", paths, "components", builder.components);
    for (int rest = 0; rest < 2; rest++) /* the types first: what people come for */
        for (size_t i = 0; i < options->routes_count; i++)
            if ((openapi_type_of(options->types, options->routes[i].path) == NULL) == (rest == 1))
                add_route(&builder, paths, &options->routes[i]);
    add_used_schemas(&builder);
    if (!error->text[0]) return builder.document;
    json_decref(builder.document);
    return NULL;
}
