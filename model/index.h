/* How values stand in the indexes of fields that a schema marks "x-index".

   An index is a sorted set in the order of its members' bytes. A member is a value, the byte 1, and the entity's id; the
   byte 1 is in no value and no id and comes before all that is, so members are in order of value, then of id:

       0                   null, and where the member is not there
       1, 2                false, true
       3 and 16 digits     a number: its double's bits, turned so that they sort; from 2^53 on, four more digits tell
                           apart the integers that share a double
       4 and a text        its bytes in UTF-8; 1 and 2 stand there as 2 2 and 2 3

   Of a text only the first INDEX_TEXT_BYTES are in it; what is longer ends in 2 4 and a digest of all of it. So what is equal
   stays exact, and the order of long texts that begin alike is any, but always the same.

   Of an array each item is in the index, so that it can be found; the one that comes first stands for the entity where a
   list is sorted, and the members of the others end in another byte 1. An array in it is no item, nor is an object; what has
   nothing to index stands there as null. */
#ifndef ODRADEK_MODEL_INDEX_H
#define ODRADEK_MODEL_INDEX_H

#include "common/json.h"
#include "model/id.h"
#include "model/types.h"

enum {
    INDEX_TEXT_BYTES = 128,
    INDEX_VALUE_SIZE = 1 + 2 * INDEX_TEXT_BYTES + 2 + 64 + 1, /* with its end */
    INDEX_ITEMS_MAX = 1000 /* of an array: those that come first */
};

#define INDEX_END '\1'

/* Appends the text of a string; any bytes but 0. */
void index_add_text(strbuf_t *out, const char *text, size_t len);
/* Appends the text of a value. False: it is an array or an object, nothing was added. */
bool index_add_value(strbuf_t *out, const json_t *value);

/* Appends what an entity has in its type's indexes: for each field and value the field's name, INDEX_END, the value's text,
   INDEX_END. The values of a field are together, in their order. */
void index_add_entries(strbuf_t *out, const entity_type_t *type, const json_t *data);

typedef struct index_entry {
    json_span_t field, value;
} index_entry_t;

/* Reads the next of such entries; `*at` moves behind it. False: there is none. */
bool index_next(const char **at, const char *end, index_entry_t *entry);

#endif
