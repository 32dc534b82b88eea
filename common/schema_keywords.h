/* The keywords of all drafts, as one list; everything that depends on a keyword is a row here.

   X(symbol, name, drafts, vocabulary, where its subschemas are, what compiles it) */
#ifndef ODRADEK_SCHEMA_KEYWORDS_H
#define ODRADEK_SCHEMA_KEYWORDS_H

#include "common/schema.h"

/* Drafts as bits. */
enum {
    D6 = 1,
    D7 = 2,
    D19 = 4,
    D20 = 8,
    D_OLD = D6 | D7,
    D_NEW = D19 | D20,
    D_7UP = D7 | D_NEW,
    D_ALL = D_OLD | D_NEW
};

typedef enum vocabulary {
    V_CORE = 1,
    V_APPLICATOR = 2,
    V_UNEVALUATED = 4,
    V_VALIDATION = 8,
    V_METADATA = 16,
    V_FORMAT = 32,
    V_CONTENT = 64,
    V_ALL = 127,
} vocabulary_t;

/* Where a keyword's value has subschemas. */
typedef enum shape {
    SHAPE_NONE,
    SHAPE_SCHEMA,
    SHAPE_ARRAY,  /* of schemas */
    SHAPE_EITHER, /* a schema, or an array of them */
    SHAPE_MAP,    /* of names to schemas */
    SHAPE_NEEDS,  /* of names to schemas, or to arrays of names */
} shape_t;

/* In the order in which they are compiled; a keyword without a function is read by another one's. */
#define SCHEMA_KEYWORDS(X)                                                                                         \
    X(SCHEMA, "$schema", D_ALL, V_CORE, SHAPE_NONE, NULL)                                                          \
    X(ID, "$id", D_ALL, V_CORE, SHAPE_NONE, NULL)                                                                  \
    X(ANCHOR, "$anchor", D_NEW, V_CORE, SHAPE_NONE, NULL)                                                          \
    X(DYNAMIC_ANCHOR, "$dynamicAnchor", D20, V_CORE, SHAPE_NONE, NULL)                                             \
    X(RECURSIVE_ANCHOR, "$recursiveAnchor", D19, V_CORE, SHAPE_NONE, NULL)                                         \
    X(VOCABULARY, "$vocabulary", D_NEW, V_CORE, SHAPE_NONE, NULL)                                                  \
    X(COMMENT, "$comment", D_7UP, V_CORE, SHAPE_NONE, NULL)                                                        \
    X(DEFS, "$defs", D_NEW, V_CORE, SHAPE_MAP, compile_definitions)                                                \
    X(DEFINITIONS, "definitions", D_ALL, V_CORE, SHAPE_MAP, compile_definitions)                                   \
    X(TYPE, "type", D_ALL, V_VALIDATION, SHAPE_NONE, compile_type)                                                 \
    X(CONST, "const", D_ALL, V_VALIDATION, SHAPE_NONE, compile_const)                                              \
    X(ENUM, "enum", D_ALL, V_VALIDATION, SHAPE_NONE, compile_enum)                                                 \
    X(MULTIPLE_OF, "multipleOf", D_ALL, V_VALIDATION, SHAPE_NONE, compile_multiple)                                \
    X(MINIMUM, "minimum", D_ALL, V_VALIDATION, SHAPE_NONE, compile_bound)                                          \
    X(MAXIMUM, "maximum", D_ALL, V_VALIDATION, SHAPE_NONE, compile_bound)                                          \
    X(EXCLUSIVE_MINIMUM, "exclusiveMinimum", D_ALL, V_VALIDATION, SHAPE_NONE, compile_bound)                       \
    X(EXCLUSIVE_MAXIMUM, "exclusiveMaximum", D_ALL, V_VALIDATION, SHAPE_NONE, compile_bound)                       \
    X(MIN_LENGTH, "minLength", D_ALL, V_VALIDATION, SHAPE_NONE, compile_size)                                      \
    X(MAX_LENGTH, "maxLength", D_ALL, V_VALIDATION, SHAPE_NONE, compile_size)                                      \
    X(FORMAT, "format", D_ALL, V_FORMAT, SHAPE_NONE, compile_format)                                               \
    X(PATTERN, "pattern", D_ALL, V_VALIDATION, SHAPE_NONE, compile_pattern)                                        \
    X(MIN_PROPERTIES, "minProperties", D_ALL, V_VALIDATION, SHAPE_NONE, compile_size)                              \
    X(MAX_PROPERTIES, "maxProperties", D_ALL, V_VALIDATION, SHAPE_NONE, compile_size)                              \
    X(PROPERTIES, "properties", D_ALL, V_APPLICATOR, SHAPE_MAP, compile_properties)                                \
    X(REQUIRED, "required", D_ALL, V_VALIDATION, SHAPE_NONE, compile_required)                                     \
    X(PATTERN_PROPERTIES, "patternProperties", D_ALL, V_APPLICATOR, SHAPE_MAP, compile_pattern_properties)         \
    X(ADDITIONAL_PROPERTIES, "additionalProperties", D_ALL, V_APPLICATOR, SHAPE_SCHEMA, compile_additional)        \
    X(PROPERTY_NAMES, "propertyNames", D_ALL, V_APPLICATOR, SHAPE_SCHEMA, compile_property_names)                  \
    X(DEPENDENT_REQUIRED, "dependentRequired", D_NEW, V_VALIDATION, SHAPE_NONE, compile_dependencies)              \
    X(DEPENDENT_SCHEMAS, "dependentSchemas", D_NEW, V_APPLICATOR, SHAPE_MAP, compile_dependencies)                 \
    X(DEPENDENCIES, "dependencies", D_ALL, V_APPLICATOR, SHAPE_NEEDS, compile_dependencies)                        \
    X(MIN_ITEMS, "minItems", D_ALL, V_VALIDATION, SHAPE_NONE, compile_size)                                        \
    X(MAX_ITEMS, "maxItems", D_ALL, V_VALIDATION, SHAPE_NONE, compile_size)                                        \
    X(PREFIX_ITEMS, "prefixItems", D20, V_APPLICATOR, SHAPE_ARRAY, compile_prefix)                                 \
    X(ITEMS, "items", D_ALL, V_APPLICATOR, SHAPE_EITHER, compile_items)                                            \
    X(ADDITIONAL_ITEMS, "additionalItems", D_OLD | D19, V_APPLICATOR, SHAPE_SCHEMA, compile_additional_items)      \
    X(CONTAINS, "contains", D_ALL, V_APPLICATOR, SHAPE_SCHEMA, compile_contains)                                   \
    X(MIN_CONTAINS, "minContains", D_NEW, V_VALIDATION, SHAPE_NONE, NULL)                                          \
    X(MAX_CONTAINS, "maxContains", D_NEW, V_VALIDATION, SHAPE_NONE, NULL)                                          \
    X(UNIQUE_ITEMS, "uniqueItems", D_ALL, V_VALIDATION, SHAPE_NONE, compile_unique)                                \
    X(REF, "$ref", D_ALL, V_CORE, SHAPE_NONE, compile_ref)                                                         \
    X(DYNAMIC_REF, "$dynamicRef", D20, V_CORE, SHAPE_NONE, compile_dynamic_ref)                                    \
    X(RECURSIVE_REF, "$recursiveRef", D19, V_CORE, SHAPE_NONE, compile_recursive_ref)                              \
    X(ALL_OF, "allOf", D_ALL, V_APPLICATOR, SHAPE_ARRAY, compile_branches)                                         \
    X(ANY_OF, "anyOf", D_ALL, V_APPLICATOR, SHAPE_ARRAY, compile_branches)                                         \
    X(ONE_OF, "oneOf", D_ALL, V_APPLICATOR, SHAPE_ARRAY, compile_branches)                                         \
    X(NOT, "not", D_ALL, V_APPLICATOR, SHAPE_SCHEMA, compile_not)                                                  \
    X(IF, "if", D_7UP, V_APPLICATOR, SHAPE_SCHEMA, compile_if)                                                     \
    X(THEN, "then", D_7UP, V_APPLICATOR, SHAPE_SCHEMA, NULL)                                                       \
    X(ELSE, "else", D_7UP, V_APPLICATOR, SHAPE_SCHEMA, NULL)                                                       \
    X(UNEVALUATED_PROPERTIES, "unevaluatedProperties", D_NEW, V_UNEVALUATED, SHAPE_SCHEMA, compile_unevaluated)    \
    X(UNEVALUATED_ITEMS, "unevaluatedItems", D_NEW, V_UNEVALUATED, SHAPE_SCHEMA, compile_unevaluated)              \
    X(TITLE, "title", D_ALL, V_METADATA, SHAPE_NONE, NULL)                                                         \
    X(DESCRIPTION, "description", D_ALL, V_METADATA, SHAPE_NONE, NULL)                                             \
    X(DEFAULT, "default", D_ALL, V_METADATA, SHAPE_NONE, NULL)                                                     \
    X(EXAMPLES, "examples", D_ALL, V_METADATA, SHAPE_NONE, NULL)                                                   \
    X(READ_ONLY, "readOnly", D_7UP, V_METADATA, SHAPE_NONE, NULL)                                                  \
    X(WRITE_ONLY, "writeOnly", D_7UP, V_METADATA, SHAPE_NONE, NULL)                                                \
    X(DEPRECATED, "deprecated", D_NEW, V_METADATA, SHAPE_NONE, NULL)                                               \
    X(CONTENT_ENCODING, "contentEncoding", D_7UP, V_CONTENT, SHAPE_NONE, NULL)                                     \
    X(CONTENT_MEDIA_TYPE, "contentMediaType", D_7UP, V_CONTENT, SHAPE_NONE, NULL)                                  \
    X(CONTENT_SCHEMA, "contentSchema", D_NEW, V_CONTENT, SHAPE_SCHEMA, NULL)

typedef enum keyword {
#define X(symbol, name, drafts, vocabulary, shape, compile) KEYWORD_##symbol,
    SCHEMA_KEYWORDS(X)
#undef X
        KEYWORD_COUNT,
} keyword_t;

typedef struct keyword_row {
    const char *name;
    uint32_t drafts;
    vocabulary_t vocabulary;
    shape_t shape;
} keyword_row_t;

extern const keyword_row_t schema_keywords[KEYWORD_COUNT];

/* KEYWORD_COUNT when no draft has it. */
keyword_t schema_keyword_find(const char *name);

#endif
