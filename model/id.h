/* The ids of entities and commands, as the schemas of records have them: 1 to 128 of the characters that need no escape
   in a path. */
#ifndef ODRADEK_MODEL_ID_H
#define ODRADEK_MODEL_ID_H

#include <stdbool.h>

enum { ID_SIZE = 129 }; /* with its end */

bool id_valid(const char *text);

#endif
