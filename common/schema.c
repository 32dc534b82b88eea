/* The module's own calls: compiling, loading, and validating a document. */
#include "common/schema.h"

#include "common/mem.h"
#include "common/schema_internal.h"
#include "common/schema_members.h"
#include "common/strbuf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#define MAX_NESTING 2048          /* of a schema's JSON, as in jansson's parser */
#define MAX_FILE_SIZE (64u << 20) /* bytes */

/* ---- Compiling ---- */

static void close_compiler(compiler_t *compiler) {
    schema_registry_close(compiler);
    free(compiler->pending.items);
    for (uint32_t i = 0; i < compiler->dynamic.count; i++) free(compiler->dynamic.items[i].name);
    free(compiler->dynamic.items);
    for (uint32_t i = 0; i < compiler->schema->dialects.count; i++) {
        schema_free(compiler->schema->dialects.items[i].metaschema);
        compiler->schema->dialects.items[i].metaschema = NULL;
    }
}

static bool compile_all(compiler_t *compiler, json_t *document, const char *name, const char *uri) {
    uint32_t dialect = schema_dialect(compiler, schema_meta_uri(compiler->options->draft), name);
    size_t len;
    bool builtin = compiler->depth > 0 && schema_meta_text(uri, &len);
    uint32_t place = schema_registry_add(compiler, document, name, uri, dialect, builtin);
    if (place == NONE) return false;
    compiler->schema->root = schema_block(compiler, place);
    if (!schema_compile_pending(compiler) || !schema_link(compiler)) return false;
    const schema_bundle_t *bundle = compiler->depth == 0 ? compiler->options->bundle : NULL; /* of no metaschema */
    return !bundle || schema_bundle_fill(compiler, place, bundle);
}

schema_t *schema_compile_document(json_t *document, const char *name, const char *uri,
                                  const schema_options_t *options, err_t *error, uint32_t depth) {
    static const schema_options_t defaults = {0};
    schema_t *schema = mem_zero(1, sizeof *schema);
    compiler_t compiler = {.schema = schema, .options = options ? options : &defaults, .error = error, .depth = depth};
    err_t unheard;
    if (!error) compiler.error = &unheard;
    err_set(compiler.error, STATUS_OK, "%s: not a usable schema", name); /* until there is a better reason */
    schema->max_depth = compiler.options->max_depth ? compiler.options->max_depth : SCHEMA_MAX_DEPTH;
    schema->max_steps = compiler.options->max_steps ? compiler.options->max_steps : SCHEMA_MAX_STEPS;
    if (schema->max_steps > INT64_MAX) schema->max_steps = INT64_MAX;
    if (getrandom(&schema->secret, sizeof schema->secret, 0) < 0) schema->secret = (uintptr_t)schema;
    *LIST_ADD(&schema->children) = NONE; /* so that even an empty `allOf` has an address, */
    *LIST_ADD(&schema->ops) = (op_t){0}; /* and a block without instructions */
    schema->direct = !compiler.options->literal && schema_members_are_direct();
    schema_registry_open(&compiler);
    bool fine = compile_all(&compiler, document, name, uri);
    close_compiler(&compiler);
    if (fine) compiler.error->text[0] = '\0';
    if (fine) return schema;
    schema_free(schema);
    return NULL;
}

/* Also of true: containers may hold each other when they were made by hand. */
static bool is_too_deep(const json_t *value, unsigned depth) {
    if (depth > MAX_NESTING) return true;
    for (size_t i = 0; i < json_array_size(value); i++) {
        if (is_too_deep(json_array_get(value, i), depth + 1)) return true;
    }
    const char *key;
    json_t *member;
    json_object_foreach((json_t *)value, key, member) {
        if (is_too_deep(member, depth + 1)) return true;
    }
    return false;
}

schema_t *schema_compile(const json_t *document, const char *uri, const schema_options_t *options, err_t *error) {
    const char *name = uri ? uri : "schema";
    json_t *copy = document && !is_too_deep(document, 0) ? json_deep_copy(document) : NULL;
    if (copy) return schema_compile_document(copy, name, uri ? uri : "", options, error, 0);
    err_set(error, STATUS_FATAL, "%s#: %s", name, document ? "nested too deep" : "there is no document");
    return NULL;
}

void schema_free(schema_t *schema) {
    if (!schema) return;
    for (uint32_t i = 0; i < schema->patterns.count; i++) schema_pattern_free(schema->patterns.items[i]);
    for (uint32_t i = 0; i < schema->places.count; i++) free(schema->places.items[i].pointer);
    for (uint32_t i = 0; i < schema->resources.count; i++) free(schema->resources.items[i].uri);
    for (uint32_t i = 0; i < schema->dialects.count; i++) {
        free(schema->dialects.items[i].uri);
        schema_free(schema->dialects.items[i].metaschema);
    }
    for (uint32_t i = 0; i < schema->documents.count; i++) {
        free(schema->documents.items[i].name);
        json_decref(schema->documents.items[i].root);
    }
    void *const lists[] = {
        schema->blocks.items,     schema->ops.items,       schema->children.items,           schema->plans.items,
        schema->names.items,      schema->slots.items,     schema->pattern_properties.items, schema->dependencies.items,
        schema->texts.items,      schema->divisors.items,  schema->sets.items,               schema->candidates.items,
        schema->patterns.items,   schema->places.items,    schema->resources.items,          schema->documents.items,
        schema->dialects.items,
    };
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) free(lists[i]);
    free(schema);
}

/* ---- Files ---- */

static char *read_file(const char *path, size_t *len, err_t *error) {
    FILE *file = fopen(path, "rbe");
    strbuf_t text = {0};
    char part[16384];
    for (size_t got; file && text.len <= MAX_FILE_SIZE && (got = fread(part, 1, sizeof part, file)) > 0;)
        strbuf_add(&text, part, got);
    bool fine = file && !ferror(file) && text.len <= MAX_FILE_SIZE;
    if (!fine) err_set(error, STATUS_FATAL, "%s: %s", path, text.len > MAX_FILE_SIZE ? "too large" : strerror(errno));
    if (file) fclose(file);
    *len = text.len;
    if (fine) return strbuf_steal(&text);
    strbuf_free(&text);
    return NULL;
}

/* The first number of a JSON text that jansson would not keep as it is written; NULL when there is none. */
static const char *find_lost_number(const char *text, const char *end, size_t *len) {
    while (text < end) {
        if (*text == '"') {
            for (text++; text < end && *text != '"'; text++) text += *text == '\\';
            text++;
        } else if (*text == '-' || (*text >= '0' && *text <= '9')) {
            *len = strspn(text, "+-.0123456789eE");
            if (!schema_number_is_kept(text, *len)) return text;
            text += *len;
        } else {
            text++;
        }
    }
    return NULL;
}

static json_t *parse_file(const char *path, err_t *error) {
    size_t len, digits;
    char *text = read_file(path, &len, error);
    if (!text) return NULL;
    json_error_t reason;
    json_t *document = json_loadb(text, len, JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &reason);
    if (!document)
        err_set(error, STATUS_FATAL, "%s:%d:%d: %s", path, reason.line, reason.column, reason.text);
    const char *lost = document ? find_lost_number(text, text + len, &digits) : NULL;
    if (lost) {
        err_set(error, STATUS_FATAL, "%s: %.*s has more digits than can be kept", path, digits > 60 ? 60 : (int)digits,
                lost);
        json_decref(document);
        document = NULL;
    }
    free(text);
    return document;
}

static schema_t *compile_file(json_t *document, const char *path, const char *full, const schema_options_t *options,
                              err_t *error) {
    static const schema_options_t defaults = {0};
    schema_options_t extended = options ? *options : defaults;
    schema_remote_t *remotes = mem_zero(extended.remote_count + 1, sizeof *remotes);
    if (extended.remote_count > 0) memcpy(remotes, extended.remotes, extended.remote_count * sizeof *remotes);
    char *directory = mem_copy(full, (size_t)(strrchr(full, '/') - full));
    char *uri = schema_uri_from_path(full), *base = mem_copy(uri, (size_t)(strrchr(uri, '/') + 1 - uri));
    remotes[extended.remote_count++] = (schema_remote_t){.base_uri = base, .path = directory};
    extended.remotes = remotes;
    schema_t *schema = schema_compile_document(document, path, uri, &extended, error, 0);
    free(remotes);
    free(directory);
    free(base);
    free(uri);
    return schema;
}

schema_t *schema_load(const char *path, const schema_options_t *options, err_t *error) {
    json_t *document = parse_file(path, error);
    if (!document) return NULL;
    char *full = realpath(path, NULL);
    schema_t *schema = compile_file(document, path, full ? full : "/", options, error);
    free(full);
    return schema;
}

/* ---- Validating ---- */

/* All but the matcher's memory is cleared. */
static void start(run_t *run, const schema_t *schema) {
    memset(run, 0, offsetof(run_t, matcher) + offsetof(matcher_t, memory));
    run->schema = schema;
    run->steps = (int64_t)schema->max_steps;
}

bool schema_valid(const schema_t *schema, const json_t *instance) {
    if (!instance) return false;
    run_t run;
    start(&run, schema);
    bool valid = schema_apply(&run, schema->root_target, instance, NULL);
    schema_matcher_close(&run.matcher);
    return valid && run.steps >= 0;
}

size_t schema_validate(const schema_t *schema, const json_t *instance, schema_failures_t *out) {
    schema_failures_free(out);
    if (schema_valid(schema, instance)) return 0;
    run_t run;
    start(&run, schema);
    trace_t *trace = run.trace = schema_trace_new(out->max ? out->max : SCHEMA_MAX_FAILURES);
    if (!instance)
        run.limit = "there is no document";
    else
        schema_apply(&run, schema->root, instance, NULL);
    schema_matcher_close(&run.matcher);
    if (run.steps < 0 && !run.limit) run.limit = "the document takes more steps than are allowed";
    if (run.limit) schema_fail(&run, &schema->blocks.items[schema->root], NULL, "%s", run.limit);
    schema_trace_finish(trace, schema, out);
    return out->count;
}

void schema_failures_free(schema_failures_t *failures) {
    if (!failures) return;
    for (size_t i = 0; i < failures->count; i++) {
        free(failures->items[i].instance_location);
        free(failures->items[i].keyword_location);
        free(failures->items[i].absolute_location);
        free(failures->items[i].message);
    }
    free(failures->items);
    *failures = (schema_failures_t){.max = failures->max};
}
