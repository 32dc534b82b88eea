/* Dialects: how a metaschema says that its schemas are to be read, and whether they are as it says. */
#include "common/mem.h"
#include "common/schema_internal.h"

#include <stdlib.h>

#define MAX_CHAIN 8     /* of metaschemas that are described by metaschemas */
#define MAX_FOREIGN 100 /* resources of another dialect in one document */

#define V19 "https://json-schema.org/draft/2019-09/vocab/"
#define V20 "https://json-schema.org/draft/2020-12/vocab/"

static const struct {
    const char *uri;
    uint32_t vocabularies;
    bool asserts; /* formats are checked where it is in use */
    bool unless_optional;
} vocabularies[] = {
    {V19 "core", V_CORE, false, false},
    {V19 "applicator", V_APPLICATOR | V_UNEVALUATED, false, false},
    {V19 "validation", V_VALIDATION, false, false},
    {V19 "meta-data", V_METADATA, false, false},
    {V19 "format", V_FORMAT, true, true},
    {V19 "content", V_CONTENT, false, false},
    {V20 "core", V_CORE, false, false},
    {V20 "applicator", V_APPLICATOR, false, false},
    {V20 "unevaluated", V_UNEVALUATED, false, false},
    {V20 "validation", V_VALIDATION, false, false},
    {V20 "meta-data", V_METADATA, false, false},
    {V20 "format-annotation", V_FORMAT, false, false},
    {V20 "format-assertion", V_FORMAT, true, false},
    {V20 "content", V_CONTENT, false, false},
};

static const struct {
    const char *uri;
    uint32_t draft;
} drafts[] = {
    {"https://json-schema.org/draft/2020-12/schema", D20},
    {"https://json-schema.org/draft/2019-09/schema", D19},
    {"http://json-schema.org/draft-07/schema", D7},
    {"http://json-schema.org/draft-06/schema", D6},
};

static uint32_t add_dialect(compiler_t *compiler, const char *uri, uint32_t draft, uint32_t words, bool asserts) {
    dialect_t *dialect = LIST_ADD(&compiler->schema->dialects);
    *dialect = (dialect_t){.uri = mem_string(uri), .drafts = draft, .vocabularies = words, .assert_format = asserts};
    return compiler->schema->dialects.count - 1;
}

/* Takes the vocabularies that a metaschema asks for; false, with the error set, when one is needed and not known. */
static bool read_vocabularies(compiler_t *compiler, const json_t *wanted, const char *uri, uint32_t *words,
                              bool *asserts) {
    const char *name;
    json_t *needed;
    *words = V_CORE;
    json_object_foreach((json_t *)wanted, name, needed) {
        size_t i = 0;
        while (i < ARRAY_LEN(vocabularies) && strcmp(vocabularies[i].uri, name) != 0) i++;
        if (i < ARRAY_LEN(vocabularies)) {
            *words |= vocabularies[i].vocabularies;
            if (vocabularies[i].asserts && (json_is_true(needed) || !vocabularies[i].unless_optional)) *asserts = true;
        } else if (json_is_true(needed)) {
            err_set(compiler->error, STATUS_FATAL, "%s#/$vocabulary: %s is needed and not known", uri, name);
            return false;
        }
    }
    return true;
}

static uint32_t find_dialect(compiler_t *compiler, const char *uri, const char *name, unsigned chain);

static uint32_t custom_dialect(compiler_t *compiler, const json_t *metaschema, const char *uri, const char *name,
                               unsigned chain) {
    const json_t *own = json_object_get(metaschema, "$schema");
    uint32_t base = NONE;
    if (json_is_string(own) && chain < MAX_CHAIN)
        base = find_dialect(compiler, json_string_value(own), uri, chain + 1);
    else
        err_set(compiler->error, STATUS_FATAL, "%s#/$schema: the metaschema %s does not say its draft", name, uri);
    if (base == NONE) return NONE;
    dialect_t like = compiler->schema->dialects.items[base];
    const json_t *wanted = json_object_get(metaschema, "$vocabulary");
    uint32_t words = like.drafts & D_NEW ? V_ALL : like.vocabularies;
    bool asserts = false;
    if (like.drafts & D_NEW && json_is_object(wanted) && !read_vocabularies(compiler, wanted, uri, &words, &asserts))
        return NONE;
    return add_dialect(compiler, uri, like.drafts, words, asserts);
}

static uint32_t load_dialect(compiler_t *compiler, const char *uri, const char *name, unsigned chain) {
    bool builtin, found;
    char *document_name;
    err_t error;
    uint32_t dialect = NONE;
    json_t *metaschema = schema_remote_load(compiler->options, uri, &builtin, &found, &document_name, &error);
    if (json_is_object(metaschema))
        dialect = custom_dialect(compiler, metaschema, uri, name, chain);
    else if (found && !metaschema)
        err_set(compiler->error, STATUS_FATAL, "%s#/$schema: %s", name, error.text);
    else
        err_set(compiler->error, STATUS_FATAL, "%s#/$schema: %s is not a metaschema that is known", name, uri);
    json_decref(metaschema);
    free(document_name);
    return dialect;
}

static uint32_t find_dialect(compiler_t *compiler, const char *full, const char *name, unsigned chain) {
    char *uri = schema_uri_split(full, NULL);
    uint32_t dialect = NONE;
    for (uint32_t i = 0; i < compiler->schema->dialects.count && dialect == NONE; i++) {
        if (strcmp(compiler->schema->dialects.items[i].uri, uri) == 0) dialect = i;
    }
    for (size_t i = 0; i < ARRAY_LEN(drafts) && dialect == NONE; i++) {
        if (strcmp(drafts[i].uri, uri) == 0) dialect = add_dialect(compiler, uri, drafts[i].draft, V_ALL, false);
    }
    if (dialect == NONE) dialect = load_dialect(compiler, uri, name, chain);
    free(uri);
    return dialect;
}

uint32_t schema_dialect(compiler_t *compiler, const char *uri, const char *name) {
    return find_dialect(compiler, uri, name, 0);
}

/* ---- Metaschemas ---- */

/* Whether the resource is of another dialect than what is around it. */
static bool is_foreign(const schema_t *schema, const resource_t *resource) {
    uint32_t parent = schema->places.items[resource->place].parent;
    return parent != NONE &&
           schema->resources.items[schema->places.items[parent].resource].dialect != resource->dialect;
}

static json_t *step_into(json_t *node, const char *name) {
    return json_is_array(node) ? json_array_get(node, strtoul(name, NULL, 10)) : json_object_get(node, name);
}

/* Puts `true` at `pointer` of a document. */
static void blank(json_t *node, char *pointer) {
    char *step = pointer + 1;
    for (char *slash; node && (slash = strchr(step, '/')); step = slash + 1) {
        *slash = '\0';
        node = step_into(node, step);
    }
    if (json_is_array(node))
        json_array_set_new(node, strtoul(step, NULL, 10), json_true());
    else if (node)
        json_object_set_new(node, step, json_true());
}

/* The schema of a resource, without what other metaschemas are for. Names with ~ or / are left as they are: then the
   outer metaschema has its say, too. */
static json_t *own_part(const schema_t *schema, const resource_t *resource) {
    json_t *copy = json_incref((json_t *)schema->places.items[resource->place].schema);
    char *prefix = schema_place_pointer(schema, resource->place, false);
    size_t len = strlen(prefix);
    bool copied = false;
    for (uint32_t i = 0; i < schema->resources.count; i++) {
        const resource_t *other = &schema->resources.items[i];
        if (other == resource || other->document != resource->document || !is_foreign(schema, other)) continue;
        char *pointer = schema_place_pointer(schema, other->place, false);
        if (strncmp(pointer, prefix, len) == 0 && pointer[len] == '/' && !strchr(pointer, '~')) {
            json_t *source = copy;
            if (!copied) copy = json_deep_copy(source), json_decref(source);
            copied = true;
            blank(copy, pointer + len);
        }
        free(pointer);
    }
    free(prefix);
    return copy;
}

/* Compiled once; NULL on failure. */
static const schema_t *metaschema_of(compiler_t *compiler, dialect_t *dialect) {
    if (dialect->metaschema) return dialect->metaschema;
    const char *uri = dialect->uri;
    bool builtin, found;
    char *name;
    json_t *document = schema_remote_load(compiler->options, uri, &builtin, &found, &name, compiler->error);
    if (document) {
        schema_options_t options = *compiler->options;
        options.strict = false;
        options.format = SCHEMA_FORMAT_ANNOTATE;
        dialect->metaschema =
            schema_compile_document(document, name, uri, &options, compiler->error, compiler->depth + 1);
    }
    free(name);
    return dialect->metaschema;
}

static bool check_resource(compiler_t *compiler, const resource_t *resource) {
    const schema_t *metaschema = metaschema_of(compiler, &compiler->schema->dialects.items[resource->dialect]);
    if (!metaschema) return false;
    json_t *part = own_part(compiler->schema, resource);
    schema_failures_t failures = {.max = 1};
    bool valid = schema_validate(metaschema, part, &failures) == 0;
    if (!valid) {
        char *pointer = schema_place_pointer(compiler->schema, resource->place, false);
        err_set(compiler->error, STATUS_FATAL, "%s#%s%s: %s",
                compiler->schema->documents.items[resource->document].name, pointer,
                failures.items[0].instance_location, failures.items[0].message);
        free(pointer);
    }
    schema_failures_free(&failures);
    json_decref(part);
    return valid;
}

bool schema_check_document(compiler_t *compiler, uint32_t document) {
    if (compiler->schema->documents.items[document].builtin || compiler->depth > 2) return true;
    unsigned foreign = 0;
    for (uint32_t i = 0; i < compiler->schema->resources.count; i++) {
        const resource_t *resource = &compiler->schema->resources.items[i];
        if (resource->document != document) continue;
        bool root = compiler->schema->places.items[resource->place].parent == NONE;
        if (!root && !is_foreign(compiler->schema, resource)) continue;
        if (foreign++ > MAX_FOREIGN)
            return schema_refuse(compiler, resource->place, "$schema", "more than %d other metaschemas are in use",
                                 MAX_FOREIGN);
        if (!check_resource(compiler, resource)) return false;
    }
    return true;
}
