/* Settings: a JSON file into a struct. A JSON Schema is the one table of what there is: it checks the file, gives the
   defaults (`default`), names what can be overridden by the environment, and its descriptions say what was expected.
   libcyaml fills the struct. */
#ifndef ODRADEK_CONFIG_H
#define ODRADEK_CONFIG_H

#include "common/base.h"

#include <cyaml/cyaml.h>

typedef struct config_spec {
    const char *schema;     /* the text of the JSON Schema */
    const char *env_prefix; /* "ODRADEK": /ports/commandApi is ODRADEK_PORTS_COMMAND_API */
    const cyaml_schema_value_t *layout; /* of the struct; a property that is a free map is laid out as a sequence of
                                           {name, value} */
} config_spec_t;

/* Reads `path`. Lists in the environment are separated by commas. On OK the struct is in `*out`, for config_free;
   else `error` names file or variable, the path within, and what was expected. */
status_t config_load(const char *path, const config_spec_t *spec, void **out, err_t *error) MUST_CHECK;
void config_free(const config_spec_t *spec, void *settings); /* NULL is fine */

#endif
