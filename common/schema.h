/* JSON Schema: a schema, with everything that it references, is compiled once into a flat program; documents are
   validated against that without allocation as long as they are valid and of ordinary size.

       schema_t *schema = schema_load("schemas/entry.json", NULL, &error);
       if (!schema_valid(schema, body)) {
           schema_failures_t failures = {0};
           schema_validate(schema, body, &failures);
           ...
           schema_failures_free(&failures);
       }
       schema_free(schema);

   Drafts 2020-12, 2019-09, 07 and 06, chosen by `$schema` for each schema resource, so that they can be mixed.
   Patterns are ECMA-262 with the u flag. Nothing is ever fetched from a network: references reach the schema
   itself, the metaschemas of the drafts, which are built in, and what `remotes` names.

   A compiled schema never changes: any number of threads may use one at the same time.

   Documents are what jansson makes of JSON: integers are of 64 bits (jansson refuses larger ones), other numbers
   are doubles, and strings are valid UTF-8, which jansson checks unless told not to; strings with U+0000 are fine.
   Numbers are compared exactly, 1.0 is an integer and equals 1, and `multipleOf` counts in decimal digits, so that
   0.3 is a multiple of 0.1. */
#ifndef ODRADEK_SCHEMA_H
#define ODRADEK_SCHEMA_H

#include "common/base.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct schema schema_t;

typedef enum schema_draft {
    SCHEMA_DRAFT_2020_12, /* the default */
    SCHEMA_DRAFT_2019_09,
    SCHEMA_DRAFT_07,
    SCHEMA_DRAFT_06,
} schema_draft_t;

/* What `format` does. */
typedef enum schema_format_mode {
    SCHEMA_FORMAT_BY_VOCABULARY, /* as the specification says: checked where the metaschema's vocabularies ask for
                                    it, an annotation otherwise */
    SCHEMA_FORMAT_ASSERT,        /* checked always; unknown formats are ignored */
    SCHEMA_FORMAT_ANNOTATE,      /* never checked */
} schema_format_mode_t;

/* Where references that leave the schema lead. The longest `base_uri` that matches is taken. */
typedef struct schema_remote {
    const char *base_uri;   /* "https://example.com/schemas/" for what is below it, or the URI of one document */
    const char *path;       /* the directory, or the file; NULL when there is a `document` */
    const json_t *document; /* borrowed while compiling; for one document that is in memory */
} schema_remote_t;

/* Receives a schema, and all that it references, as named schemas of draft 2020-12 whose references are
   "<prefix><name>", without $id, anchors or definitions: for a document that holds schemas. */
typedef struct schema_bundle {
    json_t *schemas;    /* an object of names to schemas, to which they are added; borrowed, like the rest */
    const char *prefix; /* "#/components/schemas/" */
    const char *name;   /* of the schema itself; must be none of `schemas` */
    const char *below;  /* what the names of the others begin with; they differ by letters and digits from all others */
} schema_bundle_t;

/* A zeroed struct, or NULL where one is expected, means the defaults. */
typedef struct schema_options {
    schema_draft_t draft; /* of documents without `$schema` */
    schema_format_mode_t format;
    const schema_remote_t *remotes; /* borrowed while compiling */
    size_t remote_count;
    bool strict;        /* refuse keywords that no draft knows, but for those that begin with "x-" */
    bool literal;       /* for comparison: each block as it stands, nothing settled or merged, and values read by
                           jansson's calls only */
    const schema_bundle_t *bundle; /* NULL: none is wanted */
    uint32_t max_depth; /* how deep validation may nest; 0 is SCHEMA_MAX_DEPTH */
    uint64_t max_steps; /* how much work one document may cost, about one for each subschema that is applied to a
                           value; 0 is SCHEMA_MAX_STEPS */
} schema_options_t;

#define SCHEMA_MAX_DEPTH 4096
#define SCHEMA_MAX_STEPS 50000000
#define SCHEMA_MAX_FAILURES 100

/* One failure, in the words of the specification's output format. The strings belong to the list. */
typedef struct schema_failure {
    char *instance_location; /* JSON pointer into the document, "" for all of it */
    char *keyword_location;  /* JSON pointer from the schema's root, through the references that led here */
    char *absolute_location; /* URI of the keyword, with the references resolved */
    const char *keyword;     /* "required", "type", …; lives as long as the schema. "" for a schema `false`, and when
                                a limit of depth or steps was reached */
    char *message;           /* for people: what was expected, what was found */
} schema_failure_t;

/* A zeroed one is empty and ready. */
typedef struct schema_failures {
    schema_failure_t *items;
    size_t count;
    size_t max;     /* how many are wanted at most; 0 is SCHEMA_MAX_FAILURES */
    bool truncated; /* `max` was reached: there may be more */
} schema_failures_t;

/* Compiles `document`, of which nothing is kept (it is copied). `uri` names it in messages and is its base URI
   unless it has an `$id`; a file name is fine, NULL too. NULL on failure, with uri, JSON pointer and reason in
   `error` (which may be NULL): what is no schema, a reference that leads nowhere or round in a circle, a pattern
   that is none. Free with schema_free(). */
schema_t *schema_compile(const json_t *document, const char *uri, const schema_options_t *options,
                         err_t *error) MUST_CHECK;
/* The same for a file, whose base URI is its file: URI; references to files beside and below it are followed. A
   number that neither 64 bits nor a double can hold as it is written, and a name given twice, are refused. */
schema_t *schema_load(const char *path, const schema_options_t *options, err_t *error) MUST_CHECK;
/* NULL is fine. */
void schema_free(schema_t *schema);

/* Whether `instance` is valid; stops at the first failure. A document for which a limit was reached is not. */
bool schema_valid(const schema_t *schema, const json_t *instance) MUST_CHECK;
/* The number of failures, 0 for a valid document; they are listed in `out`, whose former content is freed. */
size_t schema_validate(const schema_t *schema, const json_t *instance, schema_failures_t *out);
/* Leaves it empty and ready, `max` as it was; NULL is fine. */
void schema_failures_free(schema_failures_t *failures);

#endif
