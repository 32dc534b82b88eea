/* What stands for the value of a unique member: equal values have one digest, and others another. */
#ifndef ODRADEK_MODEL_UNIQUE_H
#define ODRADEK_MODEL_UNIQUE_H

#include "common/digest.h"

#include <jansson.h>

enum {
    UNIQUE_DIGEST_SIZE = DIGEST_TEXT_SIZE,
    UNIQUE_FIELD_MAX = 128 /* bytes of a unique member's name */
};

/* A unique value that an entity's data has; borrowed from type and data. */
typedef struct unique {
    const char *field;
    char digest[UNIQUE_DIGEST_SIZE];
} unique_t;

/* Values are equal as JSON Schema has it (2020-12 core, 4.2.2): numbers by what they are, 1 and 1.0 alike, members in
   any order. */
void unique_digest(const json_t *value, char digest[UNIQUE_DIGEST_SIZE]);

#endif
