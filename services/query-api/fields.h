/* Only some members of an entity's data. */
#ifndef ODRADEK_QUERY_FIELDS_H
#define ODRADEK_QUERY_FIELDS_H

#include "common/strbuf.h"

/* Appends the object `data` with only the members of `names` (with commas between them), in that order, each once and as it
   stands there; what is not there is left out. */
void fields_add(strbuf_t *out, const char *names, const char *data, size_t len);

#endif
