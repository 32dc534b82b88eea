/* The entity types that settings name. */
#include "model/types.h"

#include "common/json.h"
#include "common/mem.h"

#include <ctype.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>

/* A name of a command or an event, and whose it is. */
typedef struct indexed {
    const char *name;
    const entity_type_t *type;
    verb_t verb;
} indexed_t;

struct types_index {
    indexed_t *commands, *events; /* sorted by name, VERB_COUNT for each type */
};

static const char *const command_forms[VERB_COUNT] = {"create", "update", "delete"};
static const char *const event_forms[VERB_COUNT] = {"Created", "Updated", "Deleted"};

static void name_all(entity_type_t *type) {
    for (int verb = 0; verb < VERB_COUNT; verb++) {
        type->commands[verb] = mem_printf("%s%s", command_forms[verb], type->name);
        type->events[verb] = mem_printf("%s%s", type->name, event_forms[verb]);
        type->events[verb][0] = (char)tolower((unsigned char)type->events[verb][0]);
    }
}

static const entity_type_t *named(const types_t *types, const char *name) {
    for (size_t i = 0; i < types->count; i++)
        if (!strcmp(types->items[i].name, name)) return &types->items[i];
    return NULL;
}

/* The type that a property's schema links to, on itself or on its items; NULL: it is no link. */
static const char *link_target(const json_t *property) {
    const char *own = json_text(property, "x-link");
    return own ? own : json_text(json_object_get(property, "items"), "x-link");
}

static status_t find_links(const types_t *types, entity_type_t *type, const json_t *document, const char *path,
                           err_t *error) {
    const char *name;
    json_t *property;
    json_object_foreach(json_object_get(document, "properties"), name, property) {
        const char *target_name = link_target(property);
        if (!target_name) continue;
        const entity_type_t *target = named(types, target_name);
        if (!target)
            return err_set(error, STATUS_FATAL, "%s: /properties/%s/x-link: settings name no content type \"%s\"", path,
                           name, target_name);
        type->links = mem_resize(type->links, type->links_count + 1, sizeof *type->links);
        type->links[type->links_count++] = (link_field_t){mem_string(name), target};
    }
    return STATUS_OK;
}

/* Why a member of this name cannot be indexed; NULL: it can. The name becomes a part of a key, and of a parameter. */
static const char *index_refused(const char *name) {
    if (!strcmp(name, "id")) return "lists know the entity's id already: give the member another name";
    if (!*name || strlen(name) > INDEX_NAME_MAX) return "the member's name must have 1 to 128 bytes";
    if (*name == '-') return "the member's name must not begin with \"-\"";
    for (const char *p = name; *p; p++)
        if ((unsigned char)*p < ' ' || strchr(",[]", *p))
            return "the member's name must have no control character, comma or bracket";
    return NULL;
}

/* Why a member of this name cannot be unique; NULL: it can. The name becomes a part of keys. */
static const char *unique_refused(const char *name) {
    bool control = false;
    for (const char *p = name; *p; p++) control = control || iscntrl((unsigned char)*p);
    _Static_assert(UNIQUE_FIELD_MAX == 128, "the text below says so");
    return control || strlen(name) > UNIQUE_FIELD_MAX
               ? "the member's name must have at most 128 bytes and no control characters"
               : NULL;
}

/* The members that a schema marks: their names are added to a list that the type has. */
typedef struct marked {
    const char *mark;                         /* "x-index" */
    const char *(*refused)(const char *name); /* why a member of this name cannot be; NULL: it can */
    char ***names;
    size_t *count;
} marked_t;

static status_t find_marked(const marked_t *marked, const json_t *document, const char *path, err_t *error) {
    const char *name;
    json_t *property;
    json_object_foreach(json_object_get(document, "properties"), name, property) {
        const json_t *mark = json_object_get(property, marked->mark);
        const char *why = mark && !json_is_boolean(mark) ? "must be true or false" : NULL;
        if (!why && json_is_true(mark)) why = marked->refused(name);
        if (why) return err_set(error, STATUS_FATAL, "%s: /properties/%.128s/%s: %s", path, name, marked->mark, why);
        if (!json_is_true(mark)) continue;
        *marked->names = mem_resize(*marked->names, *marked->count + 1, sizeof **marked->names);
        (*marked->names)[(*marked->count)++] = mem_string(name);
    }
    return STATUS_OK;
}

static status_t find_all_marked(entity_type_t *type, const json_t *document, const char *path, err_t *error) {
    const marked_t all[] = {
        {"x-index", index_refused, &type->indexes, &type->indexes_count},
        {"x-unique", unique_refused, &type->uniques, &type->uniques_count},
    };
    status_t status = STATUS_OK;
    for (size_t i = 0; i < ARRAY_LEN(all) && status == STATUS_OK; i++)
        status = find_marked(&all[i], document, path, error);
    return status;
}

/* An entity's data are an object: what else a schema let pass would be a command that can never become an event. */
static status_t check_objects_only(const schema_t *schema, const char *path, err_t *error) {
    json_t *others = json_pack("[n, b, i, f, s, []]", 1, 1, 1.5, "text"), *other;
    size_t index;
    bool passes = false;
    json_array_foreach(others, index, other) passes = passes || schema_valid(schema, other);
    json_decref(others);
    if (!passes) return STATUS_OK;
    return err_set(error, STATUS_FATAL, "%s: /type: an entity's data must be an object: say \"type\": \"object\"", path);
}

/* Compiles the type's schema, and adds it to the schemas that the APIs describe themselves with. */
static status_t compile_schema(const types_t *types, entity_type_t *type, const char *path,
                               const schema_options_t *options, err_t *error) {
    schema_options_t bundling = *options;
    char *below = mem_printf("%s.data.", type->name);
    bundling.bundle = &(schema_bundle_t){types->schemas, "#/components/schemas/", type->name, below};
    type->schema = schema_load(path, &bundling, error);
    free(below);
    return type->schema ? STATUS_OK : STATUS_FATAL;
}

static status_t load_schema(const types_t *types, entity_type_t *type, const char *path,
                            const schema_options_t *options, err_t *error) {
    json_t *document = json_read_file(path, error);
    if (!document) return STATUS_FATAL;
    status_t status = find_links(types, type, document, path, error);
    if (status == STATUS_OK) status = find_all_marked(type, document, path, error);
    json_decref(document);
    if (status != STATUS_OK) return status;
    status = compile_schema(types, type, path, options, error);
    return status == STATUS_OK ? check_objects_only(type->schema, path, error) : status;
}

static int compare_names(const void *a, const void *b) {
    return strcmp(((const indexed_t *)a)->name, ((const indexed_t *)b)->name);
}

static void build_index(types_t *types) {
    size_t total = types->count * VERB_COUNT;
    types->index = mem_zero(1, sizeof *types->index);
    types->index->commands = mem_zero(total, sizeof(indexed_t));
    types->index->events = mem_zero(total, sizeof(indexed_t));
    for (size_t i = 0; i < total; i++) {
        const entity_type_t *type = &types->items[i / VERB_COUNT];
        verb_t verb = (verb_t)(i % VERB_COUNT);
        types->index->commands[i] = (indexed_t){type->commands[verb], type, verb};
        types->index->events[i] = (indexed_t){type->events[verb], type, verb};
    }
    qsort(types->index->commands, total, sizeof(indexed_t), compare_names);
    qsort(types->index->events, total, sizeof(indexed_t), compare_names);
}

static status_t check_unique(const settings_t *settings, const char *path, err_t *error) {
    static const char *const reserved[] = {"commands", "docs", "events", "health", "ready", "metrics"};
    for (uint32_t i = 0; i < settings->types_count; i++) {
        const settings_type_t *type = &settings->types[i];
        for (size_t r = 0; r < ARRAY_LEN(reserved); r++)
            if (!strcmp(type->base, reserved[r]))
                return err_set(error, STATUS_FATAL, "%s: /contentTypes/%u/base: \"%s\" is a path of Odradek's own", path,
                               i, type->base);
        for (uint32_t j = 0; j < i; j++)
            if (!strcmp(type->name, settings->types[j].name) || !strcmp(type->base, settings->types[j].base))
                return err_set(error, STATUS_FATAL, "%s: /contentTypes/%u: name or base stands already at /contentTypes/%u",
                               path, i, j);
    }
    return STATUS_OK;
}

/* A file that settings name, seen from them. The caller frees it. */
static char *seen_from(const char *directory, const char *file) {
    return file[0] == '/' ? mem_string(file) : mem_printf("%s/%s", directory, file);
}

static status_t load_each(types_t *types, const settings_t *settings, const char *directory,
                          const schema_options_t *options, err_t *error) {
    status_t status = STATUS_OK;
    for (size_t i = 0; i < types->count && status == STATUS_OK; i++) {
        char *path = seen_from(directory, settings->types[i].schema);
        status = load_schema(types, &types->items[i], path, options, error);
        free(path);
    }
    return status;
}

static status_t load_all(types_t *types, const settings_t *settings, const char *settings_path, err_t *error) {
    uint32_t count = settings->schemas.remotes_count;
    char *copy = mem_string(settings_path), *directory = dirname(copy);
    schema_remote_t *remotes = mem_zero(count + 1, sizeof *remotes);
    for (uint32_t i = 0; i < count; i++) {
        remotes[i].base_uri = settings->schemas.remotes[i].base;
        remotes[i].path = seen_from(directory, settings->schemas.remotes[i].path);
    }
    schema_options_t options = {
        .format = settings->schemas.format == FORMAT_ASSERT ? SCHEMA_FORMAT_ASSERT : SCHEMA_FORMAT_BY_VOCABULARY,
        .remotes = remotes,
        .remote_count = count,
    };
    status_t status = load_each(types, settings, directory, &options, error);
    for (uint32_t i = 0; i < count; i++) free((char *)remotes[i].path);
    free(remotes);
    free(copy);
    return status;
}

types_t *types_load(const settings_t *settings, const char *settings_path, err_t *error) {
    if (check_unique(settings, settings_path, error) != STATUS_OK) return NULL;
    types_t *types = mem_zero(1, sizeof *types);
    types->items = mem_zero(settings->types_count, sizeof *types->items);
    types->count = settings->types_count;
    types->schemas = json_object();
    for (size_t i = 0; i < types->count; i++) {
        json_object_set_new(types->schemas, settings->types[i].name, json_null()); /* so that no other is named so */
        types->items[i].name = settings->types[i].name;
        types->items[i].base = settings->types[i].base;
        name_all(&types->items[i]);
    }
    build_index(types);
    if (load_all(types, settings, settings_path, error) == STATUS_OK) return types;
    types_free(types);
    return NULL;
}

static void type_free(entity_type_t *type) {
    schema_free(type->schema);
    for (int verb = 0; verb < VERB_COUNT; verb++) {
        free(type->commands[verb]);
        free(type->events[verb]);
    }
    for (size_t i = 0; i < type->links_count; i++) free(type->links[i].name);
    free(type->links);
    for (size_t i = 0; i < type->indexes_count; i++) free(type->indexes[i]);
    free(type->indexes);
    for (size_t i = 0; i < type->uniques_count; i++) free(type->uniques[i]);
    free(type->uniques);
}

void types_free(types_t *types) {
    if (!types) return;
    for (size_t i = 0; i < types->count; i++) type_free(&types->items[i]);
    if (types->index) {
        free(types->index->commands);
        free(types->index->events);
    }
    free(types->index);
    json_decref(types->schemas);
    free(types->items);
    free(types);
}

static const entity_type_t *find(const indexed_t *names, size_t count, const char *name, verb_t *verb) {
    indexed_t wanted = {.name = name};
    const indexed_t *found = bsearch(&wanted, names, count, sizeof *names, compare_names);
    if (!found) return NULL;
    *verb = found->verb;
    return found->type;
}

const entity_type_t *types_of_command(const types_t *types, const char *name, verb_t *verb) {
    return find(types->index->commands, types->count * VERB_COUNT, name, verb);
}

const entity_type_t *types_of_event(const types_t *types, const char *name, verb_t *verb) {
    return find(types->index->events, types->count * VERB_COUNT, name, verb);
}

void types_each_link(const entity_type_t *type, const json_t *data, bool (*each)(const link_t *link, void *context),
                     void *context) {
    for (size_t i = 0; i < type->links_count; i++) {
        const json_t *value = json_object_get(data, type->links[i].name), *item;
        link_t link = {type->links[i].target, type->links[i].name, json_string_value(value)};
        if (link.id && !each(&link, context)) return;
        size_t index;
        json_array_foreach((json_t *)value, index, item) {
            link.id = json_string_value(item);
            if (link.id && !each(&link, context)) return;
        }
    }
}

void types_each_unique(const entity_type_t *type, const json_t *data,
                       bool (*each)(const unique_t *value, void *context), void *context) {
    for (size_t i = 0; i < type->uniques_count; i++) {
        const json_t *member = json_object_get(data, type->uniques[i]);
        if (!member || json_is_null(member)) continue;
        unique_t value = {.field = type->uniques[i]};
        unique_digest(member, value.digest);
        if (!each(&value, context)) return;
    }
}
