/* The shape of what the snapshot store keeps beside the data: which fields are links, which are indexed, and which
   are unique. A partition that was filled for another shape has to be filled anew. */
#ifndef ODRADEK_MODEL_SHAPE_H
#define ODRADEK_MODEL_SHAPE_H

#include "common/digest.h"
#include "model/types.h"

#include <stdbool.h>

/* The same for the same fields, in whatever order types and fields stand. */
void shape_text(const types_t *types, char text[DIGEST_TEXT_SIZE]);
/* Whether two shapes are of the same unique fields; the others do not matter. */
bool shape_same_unique(const char *a, const char *b);

#endif
