/* Settings: file → defaults and environment → check → struct. */
#include "common/config.h"

#include "common/json.h"
#include "common/mem.h"
#include "common/schema.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

/* What `$ref` of a property's schema leads to, where it stands in $defs; else the schema itself. */
static const json_t *resolved(const json_t *root, const json_t *schema) {
    const char *ref = json_text(schema, "$ref");
    if (!ref || strncmp(ref, "#/$defs/", 8)) return schema;
    return json_object_get(json_object_get(root, "$defs"), ref + 8);
}

/* "commandApi" → "COMMAND_API". */
static void add_upper_snake(strbuf_t *out, const char *name) {
    for (; *name; name++) {
        if (isupper((unsigned char)*name)) strbuf_addc(out, '_');
        strbuf_addc(out, (char)toupper((unsigned char)*name));
    }
}

static json_t *list_from(const char *text) {
    json_t *list = json_array();
    char *copy = mem_string(text), *rest = copy;
    for (char *item; (item = strsep(&rest, ","));) json_array_append_new(list, json_string(item));
    free(copy);
    return list;
}

/* The value that `text` stands for where `schema` is expected; what does not fit becomes a string, and the check of
   the whole then says what was expected. */
static json_t *value_from(const json_t *schema, const char *text) {
    const char *type = json_text(schema, "type");
    if (type && !strcmp(type, "array")) return list_from(text);
    bool literal = type && (!strcmp(type, "integer") || !strcmp(type, "number") || !strcmp(type, "boolean"));
    json_t *value = literal ? json_read(text, strlen(text), NULL) : NULL;
    return value ? value : json_string(text);
}

/* A free map: each variable PREFIX_NAME_OF_ENTRY sets "name.of.entry". */
static void override_map(json_t *map, const char *prefix) {
    size_t len = strlen(prefix);
    for (char **variable = environ; *variable; variable++) {
        const char *equals = strchr(*variable, '=');
        if (strncmp(*variable, prefix, len) || (*variable)[len] != '_' || !equals) continue;
        char *name = mem_copy(*variable + len + 1, (size_t)(equals - *variable) - len - 1);
        for (char *p = name; *p; p++) *p = *p == '_' ? '.' : (char)tolower((unsigned char)*p);
        json_object_set_new(map, name, json_string(equals + 1));
        free(name);
    }
}

/* Lets the environment override the members of `object`, and fills in the defaults of those that are missing. */
static void complete(const json_t *root, const json_t *schema, json_t *object, const char *prefix) {
    const char *name;
    json_t *property;
    json_object_foreach(json_object_get(schema, "properties"), name, property) {
        const json_t *target = resolved(root, property);
        strbuf_t variable = {0};
        strbuf_addf(&variable, "%s_", prefix);
        add_upper_snake(&variable, name);
        const char *text = getenv(variable.data), *type = json_text(target, "type");
        const json_t *fallback = json_object_get(property, "default");
        bool nested = type && !strcmp(type, "object");
        if (text && !nested)
            json_object_set_new(object, name, value_from(target, text));
        else if (!json_object_get(object, name) && fallback)
            json_object_set_new(object, name, json_deep_copy(fallback));
        json_t *child = json_object_get(object, name);
        if (nested && json_is_object(child)) {
            if (json_object_get(target, "properties"))
                complete(root, target, child, variable.data);
            else
                override_map(child, variable.data);
        }
        strbuf_free(&variable);
    }
}

/* The description of what stands at the JSON pointer `pointer`, or NULL. */
static const char *description_at(const json_t *root, const char *pointer) {
    const json_t *schema = root;
    const char *description = NULL;
    char *copy = mem_string(pointer), *rest = copy;
    strsep(&rest, "/");
    for (char *part; schema && (part = strsep(&rest, "/"));) {
        const json_t *target = resolved(root, schema);
        const json_t *property = json_object_get(json_object_get(target, "properties"), part);
        if (!property) property = json_object_get(target, "items");
        schema = property;
        if (json_text(schema, "description")) description = json_text(schema, "description");
    }
    free(copy);
    return description;
}

static status_t check(const char *path, const json_t *root, const json_t *settings, err_t *error) {
    schema_t *schema = schema_compile(root, "settings schema", NULL, error);
    if (!schema) return STATUS_FATAL;
    schema_failures_t failures = {.max = 1};
    status_t status = STATUS_OK;
    if (schema_validate(schema, settings, &failures) > 0) {
        const schema_failure_t *first = &failures.items[0];
        const char *about = description_at(root, first->instance_location);
        status = err_set(error, STATUS_FATAL, "%s: %s: %s%s%s", path,
                         *first->instance_location ? first->instance_location : "/", first->message,
                         about ? ". Expected: " : "", about ? about : "");
    }
    schema_failures_free(&failures);
    schema_free(schema);
    return status;
}

/* libcyaml knows no maps with free keys: they become sequences of {name, value}. */
static void lay_out_maps(const json_t *root, const json_t *schema, json_t *object) {
    const char *name, *key;
    json_t *property, *value;
    json_object_foreach(json_object_get(schema, "properties"), name, property) {
        const json_t *target = resolved(root, property);
        const char *type = json_text(target, "type");
        json_t *child = json_object_get(object, name);
        if (!type || strcmp(type, "object") || !child) continue;
        if (json_object_get(target, "properties")) {
            lay_out_maps(root, target, child);
            continue;
        }
        json_t *list = json_array();
        json_object_foreach(child, key, value)
            json_array_append_new(list, json_pack("{s:s, s:O}", "name", key, "value", value));
        json_object_set_new(object, name, list);
    }
}

/* What only control.sh reads has no place in the struct; what is unknown to all, the schema has refused. */
static const cyaml_config_t cyaml = {
    .mem_fn = cyaml_mem, .log_level = CYAML_LOG_ERROR, .flags = CYAML_CFG_IGNORE_UNKNOWN_KEYS};

static status_t fill(const char *path, const config_spec_t *spec, const json_t *settings, void **out, err_t *error) {
    char *text = json_dumps(settings, JSON_INDENT(1));
    cyaml_err_t code = cyaml_load_data((const uint8_t *)text, strlen(text), &cyaml, spec->layout, out, NULL);
    free(text);
    if (code == CYAML_OK) return STATUS_OK;
    return err_set(error, STATUS_FATAL, "%s: %s", path, cyaml_strerror(code));
}

status_t config_load(const char *path, const config_spec_t *spec, void **out, err_t *error) {
    json_t *root = json_read(spec->schema, strlen(spec->schema), error);
    json_t *settings = root ? json_read_file(path, error) : NULL;
    status_t status = settings ? STATUS_OK : STATUS_FATAL;
    *out = NULL;
    if (json_is_object(settings)) complete(root, root, settings, spec->env_prefix);
    if (status == STATUS_OK) status = check(path, root, settings, error);
    if (status == STATUS_OK) {
        lay_out_maps(root, root, settings);
        status = fill(path, spec, settings, out, error);
    }
    json_decref(settings);
    json_decref(root);
    return status;
}

void config_free(const config_spec_t *spec, void *settings) {
    if (settings) cyaml_free(&cyaml, spec->layout, settings, 0);
}
