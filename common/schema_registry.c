/* Knows every document of a compilation: which resources, anchors and subschemas are in them, and so what a
   reference means. */
#include "common/mem.h"
#include "common/schema_internal.h"
#include "common/strbuf.h"

#include <stdio.h>
#include <stdlib.h>

#define MAX_NESTING 1024 /* of subschemas in a document */
#define MAX_DOCUMENTS 1000

struct registry {
    json_t *uris;    /* URI of a resource → its index */
    json_t *anchors; /* "resource#name" → place; "resource#!name" when dynamic */
    json_t *dynamic; /* name of a dynamic anchor → places, an array */
    uint32_t *slots; /* places by the address of their schema: open addressing */
    uint32_t used, mask;
};

static bool scan(compiler_t *compiler, uint32_t index, unsigned depth);

/* ---- Places by address ---- */

static uint32_t address_slot(const registry_t *registry, const schema_t *schema, const json_t *node) {
    uint32_t i = (uint32_t)schema_mix((uintptr_t)node, 0) & registry->mask;
    while (registry->slots[i] != NONE && schema->places.items[registry->slots[i]].schema != node)
        i = (i + 1) & registry->mask;
    return i;
}

static void grow_slots(registry_t *registry, const schema_t *schema) {
    uint32_t *old = registry->slots, old_room = registry->slots ? registry->mask + 1 : 0;
    registry->mask = old_room ? old_room * 2 - 1 : 127;
    registry->slots = mem_alloc((registry->mask + 1) * sizeof *registry->slots);
    memset(registry->slots, 0xff, (registry->mask + 1) * sizeof *registry->slots);
    for (uint32_t i = 0; i < old_room; i++) {
        if (old[i] != NONE)
            registry->slots[address_slot(registry, schema, schema->places.items[old[i]].schema)] = old[i];
    }
    free(old);
}

static uint32_t known_place(const compiler_t *compiler, const json_t *node) {
    if (!json_is_object(node) || compiler->registry->used == 0) return NONE; /* true and false are no addresses */
    return compiler->registry->slots[address_slot(compiler->registry, compiler->schema, node)];
}

static void remember_place(compiler_t *compiler, uint32_t index) {
    registry_t *registry = compiler->registry;
    const schema_t *schema = compiler->schema;
    const json_t *node = schema->places.items[index].schema;
    if (!json_is_object(node)) return;
    if (!registry->slots || registry->used * 2 > registry->mask) grow_slots(registry, schema);
    registry->slots[address_slot(registry, schema, node)] = index;
    registry->used++;
}

/* ---- Adding ---- */

void schema_registry_open(compiler_t *compiler) {
    registry_t *registry = mem_zero(1, sizeof *registry);
    registry->uris = json_object();
    registry->anchors = json_object();
    registry->dynamic = json_object();
    compiler->registry = registry;
}

void schema_registry_close(compiler_t *compiler) {
    registry_t *registry = compiler->registry;
    if (!registry) return;
    json_decref(registry->uris);
    json_decref(registry->anchors);
    json_decref(registry->dynamic);
    free(registry->slots);
    free(registry);
    compiler->registry = NULL;
}

static uint32_t add_place(compiler_t *compiler, const json_t *node, uint32_t parent, uint32_t resource) {
    place_t *place = LIST_ADD(&compiler->schema->places);
    *place = (place_t){.schema = node, .parent = parent, .resource = resource, .block = NONE};
    uint32_t index = compiler->schema->places.count - 1;
    remember_place(compiler, index);
    return index;
}

uint32_t schema_registry_child(compiler_t *compiler, uint32_t parent, const char *keyword, const step_t *step,
                               const json_t *node) {
    uint32_t known = known_place(compiler, node);
    if (known != NONE) return known;
    uint32_t index = add_place(compiler, node, parent, compiler->schema->places.items[parent].resource);
    place_t *place = &compiler->schema->places.items[index];
    place->steps[0] = (step_t){.text = {keyword, strlen(keyword)}};
    if (step) place->steps[1] = *step;
    place->step_count = step ? 2 : 1;
    return index;
}

/* Enters the URI for a resource; one that is taken by the same schema already is fine. */
static bool enter_uri(compiler_t *compiler, const char *uri, uint32_t resource, uint32_t place) {
    const schema_t *schema = compiler->schema;
    const json_t *taken = json_object_get(compiler->registry->uris, uri);
    if (!taken) {
        json_object_set_new_nocheck(compiler->registry->uris, uri, json_integer(resource));
        return true;
    }
    uint32_t other = schema->resources.items[json_integer_value(taken)].place;
    if (other == place || json_equal(schema->places.items[other].schema, schema->places.items[place].schema))
        return true;
    return schema_refuse(compiler, place, "$id", "another schema has the URI %s already", uri);
}

static uint32_t add_resource(compiler_t *compiler, char *uri, uint32_t place, uint32_t document, uint32_t dialect) {
    resource_t *resource = LIST_ADD(&compiler->schema->resources);
    *resource = (resource_t){.uri = uri, .place = place, .document = document, .dialect = dialect};
    return compiler->schema->resources.count - 1;
}

static bool add_anchor(compiler_t *compiler, uint32_t place, const char *keyword, const char *name, bool dynamic) {
    char *key = mem_printf("%u#%s", compiler->schema->places.items[place].resource, name);
    const json_t *taken = json_object_get(compiler->registry->anchors, key);
    bool fine = !taken || (uint32_t)json_integer_value(taken) == place;
    if (fine) json_object_set_new_nocheck(compiler->registry->anchors, key, json_integer(place));
    if (fine && dynamic) {
        free(key);
        key = mem_printf("%u#!%s", compiler->schema->places.items[place].resource, name);
        json_object_set_new_nocheck(compiler->registry->anchors, key, json_integer(place));
        json_t *places = json_object_get(compiler->registry->dynamic, name);
        if (!places) json_object_set_new_nocheck(compiler->registry->dynamic, name, places = json_array());
        json_array_append_new(places, json_integer(place));
    }
    free(key);
    return fine || schema_refuse(compiler, place, keyword, "the anchor \"%s\" is there twice", name);
}

uint32_t schema_registry_dynamic(const compiler_t *compiler, uint32_t resource, const char *name) {
    char *key = mem_printf("%u#!%s", resource, name);
    const json_t *found = json_object_get(compiler->registry->anchors, key);
    free(key);
    return found ? (uint32_t)json_integer_value(found) : NONE;
}

const char *schema_registry_anchor(const compiler_t *compiler, uint32_t resource, size_t i) {
    char prefix[16];
    const char *key;
    json_t *place;
    int len = snprintf(prefix, sizeof prefix, "%u#!", resource);
    json_object_foreach(compiler->registry->anchors, key, place) {
        if (!strncmp(key, prefix, (size_t)len) && i-- == 0) return key + len;
    }
    return NULL;
}

size_t schema_registry_places(const compiler_t *compiler, const char *name) {
    return json_array_size(json_object_get(compiler->registry->dynamic, name));
}

uint32_t schema_registry_place(const compiler_t *compiler, const char *name, size_t i) {
    return (uint32_t)json_integer_value(json_array_get(json_object_get(compiler->registry->dynamic, name), i));
}

/* ---- Scanning ---- */

static const dialect_t *dialect_of(const compiler_t *compiler, uint32_t place) {
    const schema_t *schema = compiler->schema;
    return &schema->dialects.items[schema->resources.items[schema->places.items[place].resource].dialect];
}

static const char *text_member(const json_t *node, const char *key) {
    const json_t *value = json_object_get(node, key);
    return json_is_string(value) && strlen(json_string_value(value)) == json_string_length(value)
               ? json_string_value(value)
               : NULL;
}

/* A subschema with an `$id` begins a resource, in old drafts unless that is only a fragment; the URI may then carry
   an anchor, too. */
static bool scan_id(compiler_t *compiler, uint32_t index) {
    schema_t *schema = compiler->schema;
    const json_t *node = schema->places.items[index].schema;
    const char *id = text_member(node, "$id");
    bool old = dialect_of(compiler, index)->drafts & D_OLD;
    if (!id || (old && json_object_get(node, "$ref"))) return true;
    resource_t *resource = &schema->resources.items[schema->places.items[index].resource];
    char *fragment, *full = schema_uri_resolve(resource->uri, id), *uri = schema_uri_split(full, &fragment);
    bool fine = true;
    if (id[0] != '#' && resource->place == index) { /* a document's root has its resource already */
        free(resource->uri);
        resource->uri = mem_string(uri);
        fine = enter_uri(compiler, uri, schema->places.items[index].resource, index);
    } else if (id[0] != '#') {
        const char *own = text_member(node, "$schema");
        uint32_t document = resource->document;
        uint32_t dialect = own ? schema_dialect(compiler, own, schema->documents.items[document].name)
                               : resource->dialect;
        fine = dialect != NONE;
        if (fine) {
            uint32_t added = add_resource(compiler, mem_string(uri), index, document, dialect);
            schema->places.items[index].resource = added;
            fine = enter_uri(compiler, uri, added, index);
        }
    }
    if (fine && fragment && fragment[0] && fragment[0] != '/' && old)
        fine = add_anchor(compiler, index, "$id", fragment, false);
    free(full);
    free(uri);
    free(fragment);
    return fine;
}

static bool scan_anchors(compiler_t *compiler, uint32_t index) {
    const json_t *node = compiler->schema->places.items[index].schema;
    uint32_t drafts = dialect_of(compiler, index)->drafts;
    const char *name = drafts & D_NEW ? text_member(node, "$anchor") : NULL;
    if (name && !add_anchor(compiler, index, "$anchor", name, false)) return false;
    name = drafts & D20 ? text_member(node, "$dynamicAnchor") : NULL;
    if (name && !add_anchor(compiler, index, "$dynamicAnchor", name, true)) return false;
    bool root = compiler->schema->resources.items[compiler->schema->places.items[index].resource].place == index;
    if (drafts & D19 && root && json_is_true(json_object_get(node, "$recursiveAnchor")))
        return add_anchor(compiler, index, "$recursiveAnchor", "", true);
    return true;
}

static bool scan_child(compiler_t *compiler, uint32_t parent, const char *keyword, const step_t *step,
                       const json_t *node, unsigned depth) {
    if (!json_is_object(node) || known_place(compiler, node) != NONE) return true;
    return scan(compiler, schema_registry_child(compiler, parent, keyword, step, node), depth + 1);
}

static bool scan_array(compiler_t *compiler, uint32_t parent, const char *keyword, const json_t *array,
                       unsigned depth) {
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (!scan_child(compiler, parent, keyword, &(step_t){.index = i}, json_array_get(array, i), depth))
            return false;
    }
    return true;
}

static bool scan_map(compiler_t *compiler, uint32_t parent, const char *keyword, const json_t *map, unsigned depth) {
    const char *key;
    size_t len;
    json_t *value;
    json_object_keylen_foreach((json_t *)map, key, len, value) {
        if (!scan_child(compiler, parent, keyword, &(step_t){.text = {key, len}}, value, depth)) return false;
    }
    return true;
}

static bool scan_keyword(compiler_t *compiler, uint32_t parent, const keyword_row_t *row, const json_t *value,
                         unsigned depth) {
    switch (row->shape) {
    case SHAPE_SCHEMA: return scan_child(compiler, parent, row->name, NULL, value, depth);
    case SHAPE_ARRAY: return scan_array(compiler, parent, row->name, value, depth);
    case SHAPE_EITHER:
        return json_is_array(value) ? scan_array(compiler, parent, row->name, value, depth)
                                    : scan_child(compiler, parent, row->name, NULL, value, depth);
    case SHAPE_MAP:
    case SHAPE_NEEDS: return scan_map(compiler, parent, row->name, value, depth);
    case SHAPE_NONE: break;
    }
    return true;
}

static bool scan(compiler_t *compiler, uint32_t index, unsigned depth) {
    const json_t *node = compiler->schema->places.items[index].schema;
    if (!json_is_object(node)) return true;
    if (depth > MAX_NESTING) return schema_refuse(compiler, index, NULL, "subschemas are nested too deep");
    if (!scan_id(compiler, index) || !scan_anchors(compiler, index)) return false;
    dialect_t dialect = *dialect_of(compiler, index); /* the list of them may move */
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)node, key, value) {
        keyword_t keyword = schema_keyword_find(key);
        if (keyword == KEYWORD_COUNT) continue;
        const keyword_row_t *row = &schema_keywords[keyword];
        if (!(row->drafts & dialect.drafts) || !(row->vocabulary & dialect.vocabularies)) continue;
        if (!scan_keyword(compiler, index, row, value, depth)) return false;
    }
    return true;
}

uint32_t schema_registry_add(compiler_t *compiler, json_t *root, const char *name, const char *uri, uint32_t dialect,
                             bool builtin) {
    schema_t *schema = compiler->schema;
    *LIST_ADD(&schema->documents) = (document_t){.name = mem_string(name), .root = root, .builtin = builtin};
    uint32_t document = schema->documents.count - 1, place = schema->places.count;
    if (document >= MAX_DOCUMENTS) {
        err_set(compiler->error, STATUS_FATAL, "%s: more than %d documents are referenced", name, MAX_DOCUMENTS);
        return NONE;
    }
    const char *own = text_member(root, "$schema");
    if (own) dialect = schema_dialect(compiler, own, name);
    if (dialect == NONE) return NONE;
    uint32_t resource = add_resource(compiler, schema_uri_split(uri, NULL), place, document, dialect);
    add_place(compiler, root, NONE, resource);
    if (!enter_uri(compiler, schema->resources.items[resource].uri, resource, place)) return NONE;
    if (!scan(compiler, place, 0) || !schema_check_document(compiler, document)) return NONE;
    return place;
}

/* ---- References ---- */

/* The resource of a URI, whose document is loaded where need be; NONE on failure. */
static uint32_t find_resource(compiler_t *compiler, uint32_t from, const char *keyword, const char *uri) {
    const json_t *known = json_object_get(compiler->registry->uris, uri);
    if (known) return (uint32_t)json_integer_value(known);
    bool builtin, found;
    char *name;
    err_t error;
    json_t *root = schema_remote_load(compiler->options, uri, &builtin, &found, &name, &error);
    uint32_t resource = NONE;
    if (root) {
        uint32_t dialect = compiler->schema->resources.items[compiler->schema->places.items[from].resource].dialect;
        uint32_t place = schema_registry_add(compiler, root, name, uri, dialect, builtin);
        if (place != NONE) resource = compiler->schema->places.items[place].resource;
    } else if (found) {
        schema_refuse(compiler, from, keyword, "%s", error.text);
    } else {
        schema_refuse(compiler, from, keyword, "no schema is known for %s", uri);
    }
    free(name);
    return resource;
}

/* Undoes ~0 and ~1 in one step of a JSON pointer; NULL when it has another ~. */
static char *unescape(const char *text, size_t len) {
    char *out = mem_alloc(len + 1), *end = out;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c == '~') {
            c = ++i < len && text[i] == '0' ? '~' : i < len && text[i] == '1' ? '/' : '\0';
            if (!c) {
                free(out);
                return NULL;
            }
        }
        *end++ = c;
    }
    *end = '\0';
    return out;
}

static const json_t *array_at(const json_t *array, const char *text) {
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 9 || text[digits] || (text[0] == '0' && digits > 1)) return NULL;
    return json_array_get(array, strtoul(text, NULL, 10));
}

static const json_t *follow(const json_t *node, const char *text, size_t len) {
    char *step = unescape(text, len);
    const json_t *next = !step ? NULL : json_is_array(node) ? array_at(node, step) : json_object_get(node, step);
    free(step);
    return next;
}

/* The place that `pointer` leads to from `start`. On the way it may enter embedded resources; what is in none of the
   keywords that have subschemas becomes one by being referenced. */
static uint32_t follow_pointer(compiler_t *compiler, uint32_t start, const char *pointer) {
    const json_t *node = compiler->schema->places.items[start].schema;
    uint32_t known = start;
    const char *rest = pointer; /* from the last subschema that is known */
    while (*pointer == '/') {
        size_t len = strcspn(pointer + 1, "/");
        node = follow(node, pointer + 1, len);
        if (!node) return NONE;
        pointer += len + 1;
        uint32_t place = known_place(compiler, node);
        if (place != NONE) {
            known = place;
            rest = pointer;
        }
    }
    if (*rest == '\0') return known;
    uint32_t place = add_place(compiler, node, known, compiler->schema->places.items[known].resource);
    compiler->schema->places.items[place].pointer = mem_string(rest);
    return place;
}

static uint32_t find_anchor(const compiler_t *compiler, uint32_t resource, const char *name) {
    char *key = mem_printf("%u#%s", resource, name);
    const json_t *found = json_object_get(compiler->registry->anchors, key);
    free(key);
    return found ? (uint32_t)json_integer_value(found) : NONE;
}

static uint32_t find_fragment(compiler_t *compiler, uint32_t resource, const char *fragment, char **anchor) {
    uint32_t root = compiler->schema->resources.items[resource].place;
    if (!fragment || !*fragment) return root;
    char *decoded = schema_uri_decode(fragment);
    uint32_t place = NONE;
    if (decoded && decoded[0] == '/') {
        uint32_t before = compiler->schema->places.count;
        place = follow_pointer(compiler, root, decoded);
        if (place != NONE && place >= before && !scan(compiler, place, 0)) place = NONE;
    } else if (decoded) {
        place = find_anchor(compiler, resource, decoded);
        if (place != NONE && schema_registry_dynamic(compiler, resource, decoded) == place)
            *anchor = mem_string(decoded);
    }
    free(decoded);
    return place;
}

uint32_t schema_registry_resolve(compiler_t *compiler, uint32_t from, const char *keyword, const char *reference,
                                 char **anchor) {
    *anchor = NULL;
    const schema_t *schema = compiler->schema;
    char *full = schema_uri_resolve(schema->resources.items[schema->places.items[from].resource].uri, reference);
    char *fragment, *uri = schema_uri_split(full, &fragment);
    uint32_t resource = find_resource(compiler, from, keyword, uri), place = NONE;
    if (resource != NONE) {
        if (compiler->error) compiler->error->text[0] = '\0';
        place = find_fragment(compiler, resource, fragment, anchor);
        if (place == NONE && (!compiler->error || !compiler->error->text[0]))
            schema_refuse(compiler, from, keyword, "\"%s\" leads nowhere", reference);
    }
    free(full);
    free(fragment);
    free(uri);
    return place;
}

/* ---- Pointers ---- */

static void add_step(strbuf_t *out, const step_t *step) {
    strbuf_addc(out, '/');
    if (!step->text.data) {
        strbuf_addi(out, (int64_t)step->index);
        return;
    }
    for (size_t i = 0; i < step->text.len; i++) {
        char c = step->text.data[i];
        if (c == '~' || c == '/')
            strbuf_adds(out, c == '~' ? "~0" : "~1");
        else
            strbuf_addc(out, c);
    }
}

char *schema_place_pointer(const schema_t *schema, uint32_t index, bool from_resource) {
    LIST(uint32_t) chain = {0};
    uint32_t root = from_resource ? schema->resources.items[schema->places.items[index].resource].place : NONE;
    for (uint32_t i = index; i != root && i != NONE; i = schema->places.items[i].parent) *LIST_ADD(&chain) = i;
    strbuf_t out = {0};
    for (uint32_t i = chain.count; i-- > 0;) {
        const place_t *place = &schema->places.items[chain.items[i]];
        if (place->pointer) strbuf_adds(&out, place->pointer);
        for (unsigned k = 0; k < place->step_count; k++) add_step(&out, &place->steps[k]);
    }
    free(chain.items);
    return strbuf_steal(&out);
}
