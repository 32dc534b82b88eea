/* Unicode properties as patterns name them. */
#ifndef ODRADEK_SCHEMA_UNICODE_H
#define ODRADEK_SCHEMA_UNICODE_H

#include <stdbool.h>
#include <stddef.h>

/* What PCRE2 calls the property that is `name` in ECMA-262, or `name`=`value` where that is not NULL; `inverted` says
   that it is the opposite. False: there is none. */
bool schema_unicode_property(const char *name, const char *value, char *out, size_t size, bool *inverted);

#endif
