/* The table of keywords, and a keyword by its name. */
#include "common/schema_keywords.h"

#include <string.h>

const keyword_row_t schema_keywords[KEYWORD_COUNT] = {
#define X(symbol, name, drafts, vocabulary, shape, compile) {name, drafts, vocabulary, shape},
    SCHEMA_KEYWORDS(X)
#undef X
};

keyword_t schema_keyword_find(const char *name) {
    for (unsigned i = 0; i < KEYWORD_COUNT; i++) {
        const char *other = schema_keywords[i].name;
        if (other[0] == name[0] && strcmp(other, name) == 0) return (keyword_t)i;
    }
    return KEYWORD_COUNT;
}
