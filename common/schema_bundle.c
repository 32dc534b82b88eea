/* A schema, and all that it references, as a set of named schemas of draft 2020-12 in which every reference is
   "<prefix><name>": for documents that hold schemas and whose readers know neither base URIs, nor anchors, nor other
   drafts, nor files beside the document.

   Each subschema that a reference leads to becomes one of the set. What a dynamic reference means depends on the
   resources that were entered on the way to it; so a subschema is one of the set for each list of such resources. */
#include "common/mem.h"
#include "common/schema_internal.h"
#include "common/strbuf.h"

#include <ctype.h>
#include <stdlib.h>

/* A subschema of the set; `scope` lists the resources whose dynamic anchors are in force, outermost first: "0,3,". */
typedef struct part {
    uint32_t place;
    char *scope, *name;
} part_t;

typedef struct bundler {
    compiler_t *compiler;
    const schema_bundle_t *bundle;
    json_t *names; /* "place|scope" → the name */
    LIST(part_t) parts;
    bool failed;
} bundler_t;

static json_t *copy(bundler_t *bundler, uint32_t place, const char *scope);

/* ---- names ---- */

/* Two names are the same to code that is made from them when their letters and digits are. */
static bool same_name(const char *a, const char *b) {
    for (;;) {
        while (*a && !isalnum((unsigned char)*a)) a++;
        while (*b && !isalnum((unsigned char)*b)) b++;
        if (tolower((unsigned char)*a) != tolower((unsigned char)*b)) return false;
        if (!*a) return true;
        a++, b++;
    }
}

static bool is_taken(const json_t *schemas, const char *name) {
    const char *other;
    json_t *value;
    json_object_foreach((json_t *)schemas, other, value) {
        if (same_name(name, other)) return true;
    }
    return false;
}

/* What is behind the last slash, without the ending of a file's name. */
static void add_last(strbuf_t *out, const char *path) {
    const char *slash = strrchr(path, '/'), *last = slash ? slash + 1 : path, *dot = strrchr(last, '.');
    size_t len = dot && dot > last ? (size_t)(dot - last) : strlen(last);
    for (size_t i = 0; i < len; i++) strbuf_addc(out, isalnum((unsigned char)last[i]) || last[i] == '-' ? last[i] : '_');
}

static char *name_of(const bundler_t *bundler, uint32_t place) {
    const schema_t *schema = bundler->compiler->schema;
    char *pointer = schema_place_pointer(schema, place, true);
    strbuf_t name = {0};
    strbuf_adds(&name, bundler->bundle->below);
    add_last(&name, *pointer ? pointer : schema->resources.items[schema->places.items[place].resource].uri);
    free(pointer);
    size_t len = name.len;
    for (int number = 2; is_taken(bundler->bundle->schemas, name.data); number++) {
        name.data[name.len = len] = '\0';
        strbuf_addi(&name, number);
    }
    return strbuf_steal(&name);
}

static const char *add_part(bundler_t *bundler, uint32_t place, const char *scope, char *name) {
    char *key = mem_printf("%u|%s", place, scope);
    *LIST_ADD(&bundler->parts) = (part_t){place, mem_string(scope), name};
    json_object_set_new(bundler->names, key, json_string(name));
    json_object_set_new(bundler->bundle->schemas, name, json_null()); /* the name is taken from now on */
    free(key);
    return name;
}

static const char *name_part(bundler_t *bundler, uint32_t place, const char *scope) {
    char *key = mem_printf("%u|%s", place, scope);
    const char *known = json_string_value(json_object_get(bundler->names, key));
    free(key);
    return known ? known : add_part(bundler, place, scope, name_of(bundler, place));
}

/* ---- scopes ---- */

/* The outermost place of the dynamic anchor; NONE: no resource of the scope has it. */
static uint32_t outermost(const bundler_t *bundler, const char *scope, const char *anchor) {
    for (const char *at = scope; *at; at = strchr(at, ',') + 1) {
        uint32_t found = schema_registry_dynamic(bundler->compiler, (uint32_t)strtoul(at, NULL, 10), anchor);
        if (found != NONE) return found;
    }
    return NONE;
}

/* The scope behind entering the resource of `place`, which is another one where that has a dynamic anchor that none
   before it had. The caller frees it. */
static char *enter(const bundler_t *bundler, uint32_t place, const char *scope) {
    uint32_t resource = bundler->compiler->schema->places.items[place].resource;
    const char *anchor;
    for (size_t i = 0; (anchor = schema_registry_anchor(bundler->compiler, resource, i)); i++)
        if (outermost(bundler, scope, anchor) == NONE) return mem_printf("%s%u,", scope, resource);
    return mem_string(scope);
}

/* ---- references ---- */

/* The name of the dynamic anchor that a reference to `place` follows; NULL: it means just that place. */
static char *dynamic_anchor(bundler_t *bundler, keyword_t keyword, uint32_t place, char *anchor) {
    const compiler_t *compiler = bundler->compiler;
    uint32_t resource = compiler->schema->places.items[place].resource;
    if (keyword == KEYWORD_DYNAMIC_REF) return anchor;
    free(anchor);
    bool recursive = keyword == KEYWORD_RECURSIVE_REF && schema_registry_dynamic(compiler, resource, "") == place;
    return recursive ? mem_string("") : NULL;
}

static json_t *copy_reference(bundler_t *bundler, uint32_t from, keyword_t keyword, const char *reference,
                              const char *scope) {
    char *anchor;
    uint32_t place =
        schema_registry_resolve(bundler->compiler, from, schema_keywords[keyword].name, reference, &anchor);
    if (place == NONE) {
        bundler->failed = true;
        return NULL;
    }
    char *entered = enter(bundler, place, scope);
    anchor = dynamic_anchor(bundler, keyword, place, anchor);
    uint32_t outer = anchor ? outermost(bundler, entered, anchor) : NONE;
    if (outer != NONE && outer != place) {
        free(entered);
        place = outer;
        entered = enter(bundler, place, scope);
    }
    char *text = mem_printf("%s%s", bundler->bundle->prefix, name_part(bundler, place, entered));
    json_t *copied = json_string(text);
    free(text);
    free(entered);
    free(anchor);
    return copied;
}

/* ---- keywords ---- */

/* Sets a keyword; one that is there already, or takes part in no more than one place, goes into an `allOf`. Steals
   `value`. */
static void put(json_t *out, const char *keyword, json_t *value) {
    json_t *all = json_object_get(out, "allOf");
    if (!json_object_get(out, keyword)) {
        json_object_set_new(out, keyword, value);
    } else if (!strcmp(keyword, "allOf")) {
        json_array_extend(all, value);
        json_decref(value);
    } else {
        if (!all) json_object_set_new(out, "allOf", all = json_array());
        json_array_append_new(all, json_pack("{s:o}", keyword, value));
    }
}

static json_t *copy_child(bundler_t *bundler, uint32_t parent, const char *keyword, const step_t *step,
                          const json_t *node, const char *scope) {
    if (!json_is_object(node)) return json_deep_copy(node);
    uint32_t place = schema_registry_child(bundler->compiler, parent, keyword, step, node);
    char *entered = enter(bundler, place, scope);
    json_t *copied = copy(bundler, place, entered);
    free(entered);
    return copied;
}

static json_t *copy_array(bundler_t *bundler, uint32_t parent, const char *keyword, const json_t *array,
                          const char *scope) {
    json_t *out = json_array();
    for (size_t i = 0; i < json_array_size(array); i++)
        json_array_append_new(
            out, copy_child(bundler, parent, keyword, &(step_t){.index = i}, json_array_get(array, i), scope));
    return out;
}

static json_t *copy_map(bundler_t *bundler, uint32_t parent, const char *keyword, const json_t *map, const char *scope) {
    json_t *out = json_object(), *value;
    const char *key;
    size_t len;
    json_object_keylen_foreach((json_t *)map, key, len, value)
        json_object_setn_new_nocheck(out, key, len,
                                     copy_child(bundler, parent, keyword, &(step_t){.text = {key, len}}, value, scope));
    return out;
}

/* `dependencies` is two keywords now: by whether a member asks for names or for a schema. */
static void copy_needs(bundler_t *bundler, json_t *out, uint32_t parent, const json_t *needs, const char *scope) {
    json_t *names = json_object(), *schemas = json_object(), *value;
    const char *key;
    json_object_foreach((json_t *)needs, key, value) {
        if (json_is_array(value))
            json_object_set(names, key, value);
        else
            json_object_set_new(schemas, key,
                                copy_child(bundler, parent, "dependencies", &(step_t){.text = {key, strlen(key)}},
                                           value, scope));
    }
    put(out, "dependentRequired", names);
    put(out, "dependentSchemas", schemas);
}

/* The items of older drafts: a list of schemas for the first ones, and `additionalItems` for the rest. */
static void copy_items(bundler_t *bundler, json_t *out, uint32_t place, const json_t *items, const json_t *rest,
                       const char *scope) {
    if (!json_is_array(items)) {
        put(out, "items", copy_child(bundler, place, "items", NULL, items, scope));
        return;
    }
    if (json_array_size(items) > 0) put(out, "prefixItems", copy_array(bundler, place, "items", items, scope));
    if (rest) put(out, "items", copy_child(bundler, place, "additionalItems", NULL, rest, scope));
}

static void copy_subschemas(bundler_t *bundler, json_t *out, uint32_t place, keyword_t keyword, const json_t *value,
                            const char *scope) {
    const char *name = schema_keywords[keyword].name;
    switch (schema_keywords[keyword].shape) {
    case SHAPE_NONE: put(out, name, json_deep_copy(value)); break;
    case SHAPE_EITHER: /* `items`, which is copied by itself */
    case SHAPE_SCHEMA: put(out, name, copy_child(bundler, place, name, NULL, value, scope)); break;
    case SHAPE_ARRAY: put(out, name, copy_array(bundler, place, name, value, scope)); break;
    case SHAPE_MAP: put(out, name, copy_map(bundler, place, name, value, scope)); break;
    case SHAPE_NEEDS: copy_needs(bundler, out, place, value, scope); break;
    }
}

static void copy_keyword(bundler_t *bundler, json_t *out, uint32_t place, const json_t *node, keyword_t keyword,
                         const json_t *value, const char *scope) {
    switch (keyword) {
    case KEYWORD_SCHEMA:
    case KEYWORD_ID:
    case KEYWORD_ANCHOR:
    case KEYWORD_DYNAMIC_ANCHOR:
    case KEYWORD_RECURSIVE_ANCHOR:
    case KEYWORD_VOCABULARY:
    case KEYWORD_DEFS:
    case KEYWORD_DEFINITIONS:
    case KEYWORD_ADDITIONAL_ITEMS: break; /* of no use any more, or read with another one */
    case KEYWORD_REF:
    case KEYWORD_DYNAMIC_REF:
    case KEYWORD_RECURSIVE_REF: {
        json_t *reference = copy_reference(bundler, place, keyword, json_string_value(value), scope);
        if (reference) put(out, "$ref", reference);
        break;
    }
    case KEYWORD_ITEMS:
        copy_items(bundler, out, place, value, json_object_get(node, "additionalItems"), scope);
        break;
    default: copy_subschemas(bundler, out, place, keyword, value, scope);
    }
}

/* Keywords that the surrounding document may understand otherwise than as a remark, and that no draft has. */
static bool is_foreign(const char *key) {
    static const char *const foreign[] = {"discriminator", "xml", "externalDocs", "nullable"};
    for (size_t i = 0; i < ARRAY_LEN(foreign); i++)
        if (!strcmp(key, foreign[i])) return true;
    return false;
}

static json_t *copy(bundler_t *bundler, uint32_t place, const char *scope) {
    const schema_t *schema = bundler->compiler->schema;
    const json_t *node = schema->places.items[place].schema;
    if (!json_is_object(node)) return json_deep_copy(node);
    dialect_t dialect = schema->dialects.items[schema->resources.items[schema->places.items[place].resource].dialect];
    bool only_reference = dialect.drafts & D_OLD && json_is_string(json_object_get(node, "$ref"));
    json_t *out = json_object(), *value;
    const char *key;
    size_t len;
    json_object_keylen_foreach((json_t *)node, key, len, value) {
        keyword_t keyword = schema_keyword_find(key);
        const keyword_row_t *row = &schema_keywords[keyword];
        if (only_reference && keyword != KEYWORD_REF) continue;
        if (keyword == KEYWORD_COUNT) {
            if (!is_foreign(key)) json_object_setn_new_nocheck(out, key, len, json_deep_copy(value));
        } else if (row->drafts & dialect.drafts && row->vocabulary & dialect.vocabularies) {
            copy_keyword(bundler, out, place, node, keyword, value, scope);
        }
    }
    return out;
}

/* ---- all of it ---- */

bool schema_bundle_fill(compiler_t *compiler, uint32_t root, const schema_bundle_t *bundle) {
    bundler_t bundler = {.compiler = compiler, .bundle = bundle, .names = json_object()};
    char *scope = enter(&bundler, root, "");
    add_part(&bundler, root, scope, mem_string(bundle->name));
    free(scope);
    for (uint32_t i = 0; i < bundler.parts.count && !bundler.failed; i++) {
        part_t part = bundler.parts.items[i]; /* copying may add more, and move them */
        json_object_set_new(bundle->schemas, part.name, copy(&bundler, part.place, part.scope));
    }
    for (uint32_t i = 0; i < bundler.parts.count; i++) {
        free(bundler.parts.items[i].scope);
        free(bundler.parts.items[i].name);
    }
    free(bundler.parts.items);
    json_decref(bundler.names);
    return !bundler.failed;
}
