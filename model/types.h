/* The entity types that settings name: their schemas, links, unique members, and the names of their commands and events. */
#ifndef ODRADEK_MODEL_TYPES_H
#define ODRADEK_MODEL_TYPES_H

#include "common/schema.h"
#include "model/settings.h"
#include "model/unique.h"

/* What commands do and events say, in this order everywhere. */
typedef enum verb { VERB_CREATE, VERB_UPDATE, VERB_DELETE, VERB_COUNT } verb_t;

enum { INDEX_NAME_MAX = 128 }; /* bytes of the name of a member that is indexed */

/* A member of the entity's data that holds the id of another entity ("x-link" in the schema); the member may be a
   string or a list of strings. */
typedef struct link_field {
    char *name;
    const struct entity_type *target;
} link_field_t;

typedef struct entity_type {
    const char *name; /* "Entry"; borrowed from settings, like base */
    const char *base; /* "entries" */
    schema_t *schema;
    char *commands[VERB_COUNT]; /* "createEntry" … */
    char *events[VERB_COUNT];   /* "entryCreated" … */
    link_field_t *links;
    size_t links_count;
    char **indexes; /* the members of its data that lists can be sorted and filtered by ("x-index" in the schema) */
    size_t indexes_count;
    char **uniques; /* members of which no two entities may have the same value ("x-unique" in the schema) */
    size_t uniques_count;
} entity_type_t;

typedef struct types {
    entity_type_t *items;
    size_t count;
    json_t *schemas; /* of all types by their names, and what they reference, as "#/components/schemas/<name>" */
    struct types_index *index; /* of names of commands and events */
} types_t;

/* Loads the schemas of `settings` (borrowed), whose files are seen from `settings_path`. NULL: `error` names file,
   place and reason. The caller frees with types_free. */
types_t *types_load(const settings_t *settings, const char *settings_path, err_t *error) MUST_CHECK;
void types_free(types_t *types); /* NULL is fine */

/* The type and verb of a command's or an event's name. NULL: there is none of that name. */
const entity_type_t *types_of_command(const types_t *types, const char *name, verb_t *verb);
const entity_type_t *types_of_event(const types_t *types, const char *name, verb_t *verb);

/* A link that an entity's data has: borrowed from type and data. */
typedef struct link {
    const entity_type_t *target;
    const char *field;
    const char *id;
} link_t;

/* Calls `each` for every link in `data` (NULL: none); it returns false to end. */
void types_each_link(const entity_type_t *type, const json_t *data, bool (*each)(const link_t *link, void *context),
                     void *context);

/* Calls `each` for every unique value in `data` (NULL: none); it returns false to end. What is null counts as not
   there. */
void types_each_unique(const entity_type_t *type, const json_t *data,
                       bool (*each)(const unique_t *value, void *context), void *context);

#endif
