/* What the parts of the schema module share: the program that a schema is compiled into, and the calls between parts.

       keywords  the table of keywords: in which drafts, where subschemas are, what compiles them
       registry  documents, resources, anchors: finds what a reference means     (uri, remote, meta below it)
       compile   subschemas into blocks of instructions                          (names, number, value, pattern)
       run       a document against the program                                  (format, trace)

   A program is a few flat arrays. A subschema is a block: which types it allows, and the instructions for each group
   of types. Blocks, instructions and what they need refer to each other by index. */
#ifndef ODRADEK_SCHEMA_INTERNAL_H
#define ODRADEK_SCHEMA_INTERNAL_H

#include "common/schema.h"
#include "common/schema_keywords.h"
#include "common/schema_members.h"

#include <string.h>

#define NONE UINT32_MAX /* no such index */

/* A growing array; LIST_ADD makes room for one more, cleared, and gives its address. */
#define LIST(type)                                                                                                 \
    struct {                                                                                                       \
        type *items;                                                                                               \
        uint32_t count, room;                                                                                      \
    }
#define LIST_ADD(list)                                                                                             \
    ((list)->items = schema_list_grow((list)->items, (list)->count++, &(list)->room, sizeof *(list)->items),       \
     &(list)->items[(list)->count - 1])
void *schema_list_grow(void *items, uint32_t count, uint32_t *room, size_t size);

/* A text with its length, borrowed. */
typedef struct text {
    const char *data;
    size_t len;
} text_t;

/* Types as a mask: a bit for each json_type, and one for numbers that are reals without a fraction. */
enum {
    TYPE_OBJECT = 1 << JSON_OBJECT,
    TYPE_ARRAY = 1 << JSON_ARRAY,
    TYPE_STRING = 1 << JSON_STRING,
    TYPE_INTEGER = 1 << JSON_INTEGER,
    TYPE_REAL = 1 << JSON_REAL,
    TYPE_TRUE = 1 << JSON_TRUE,
    TYPE_FALSE = 1 << JSON_FALSE,
    TYPE_NULL = 1 << JSON_NULL,
    TYPE_WHOLE_REAL = 1 << 8,
    TYPE_ALL = (1 << 9) - 1,
};

typedef enum op_code {
    OP_OBJECT, /* a: plan */
    OP_MIN_PROPERTIES,
    OP_MAX_PROPERTIES,
    OP_DEPENDENCIES, /* a: first dependency, b: count */
    OP_PREFIX,       /* a: first child, b: count */
    OP_ITEMS,        /* a: block, b: index of the first item it is for, c: the block behind a reference */
    OP_MIN_ITEMS,
    OP_MAX_ITEMS,
    OP_UNIQUE,
    OP_CONTAINS, /* a: block, b: least, c: most; flag: the items count as evaluated */
    OP_MIN_LENGTH,
    OP_MAX_LENGTH,
    OP_PATTERN, /* a: pattern */
    OP_FORMAT,  /* a: format */
    OP_MINIMUM, /* the bounds: `integer`, or `real` when flag is set */
    OP_MAXIMUM,
    OP_EXCLUSIVE_MINIMUM,
    OP_EXCLUSIVE_MAXIMUM,
    OP_MULTIPLE,  /* a: divisor */
    OP_CONST,     /* json */
    OP_ENUM,      /* a: value set */
    OP_REF,       /* a: block, c: the block behind it */
    OP_DYNAMIC,   /* a: block that the reference means by itself, b: first candidate, c: count */
    OP_ALL,       /* a: first child, b: count; so OP_ANY, OP_ONE */
    OP_ANY,
    OP_ONE,
    OP_NOT, /* a: block */
    OP_IF,  /* a: if, b: then, c: else; blocks or NONE */
    OP_UNEVALUATED_PROPERTIES, /* a: block */
    OP_UNEVALUATED_ITEMS,
} op_code_t;

/* Instructions of a block stand in this order: those for the value's own type, then those for all, then what must
   see what the others evaluated. */
typedef enum op_group {
    GROUP_OBJECT,
    GROUP_ARRAY,
    GROUP_STRING,
    GROUP_NUMBER,
    GROUP_ANY,
    GROUP_LATE,
    GROUP_COUNT,
} op_group_t;

typedef struct op {
    uint8_t code;
    uint8_t flag;
    uint16_t keyword; /* keyword_t: where the instruction comes from */
    uint32_t a, b, c;
    union {
        int64_t integer;
        double real;
        const json_t *json; /* in a document of the schema */
    };
} op_t;

enum { BLOCK_TRACK = 1, BLOCK_SCOPE = 2, BLOCK_NOTHING = 4 };

typedef struct block {
    uint16_t types;               /* allowed */
    uint8_t active;               /* bit for each json_type: there are instructions for it */
    uint8_t flags;                /* TRACK: has unevaluated…; SCOPE: enters a resource; NOTHING: is `false` */
    uint32_t ops;                 /* first instruction */
    uint8_t cut[GROUP_COUNT + 1]; /* where each group begins, from `ops`; the last is the end */
    uint8_t quick;                /* bit for each json_type whose instructions are no more than the bounds below */
    uint32_t place;
    uint32_t merged; /* the block that says the same in one, where only the answer counts; 0: none */
    uint32_t shortest, longest; /* bytes of a string that is valid for certain */
    int64_t least, most;        /* integers that are, and reals: */
    double least_real, most_real;
} block_t;

/* A name of an object's member that a schema knows. The first and last eight bytes decide at once for names of up to
   sixteen (see schema_key_words). */
typedef struct name {
    text_t text;
    uint64_t word;       /* see schema_entry_word() */
    uint64_t head, tail;
    uint32_t block;  /* NONE: only required, or elsewhere; not in `properties` */
    uint32_t target; /* the block behind it, where it is but a reference; its types are at hand: */
    uint16_t types;
    uint8_t active;
    bool required;
    bool elsewhere; /* evaluated by another block, and so none of the rest for this plan */
} name_t;

/* Behind the names of a plan stands one that no key is. */
#define NO_NAME SIZE_MAX /* its length */

/* properties, patternProperties, additionalProperties, propertyNames and required, in one pass over the members. */
typedef struct plan {
    uint32_t names, name_count;
    uint32_t slots, mask; /* hash table: index of a name, counted from `names`, or NONE */
    const name_t *name_at; /* the addresses of both, once all is compiled */
    const uint32_t *slot_at;
    uint64_t seed;
    uint32_t required;                /* how many are */
    uint32_t patterns, pattern_count; /* patternProperties */
    uint32_t additional;              /* block or NONE, for the rest */
    uint32_t additional_target;       /* the block behind it */
    keyword_t rest;                   /* additionalProperties, or unevaluatedProperties where that is the same */
    uint32_t property_names;          /* block or NONE */
    bool few;                         /* looking the names up is enough */
    bool quick;                       /* only names and additionalProperties */
} plan_t;

/* Without a block, the members that match are evaluated elsewhere. */
typedef struct pattern_property {
    uint32_t pattern, block;
} pattern_property_t;

/* Of dependentRequired, dependentSchemas and dependencies: what the presence of `name` asks for. */
typedef struct dependency {
    text_t name;
    uint32_t texts, text_count; /* names of other members */
    uint32_t block;             /* or NONE */
} dependency_t;

/* A decimal number: digits × 10^exponent; digits does not end in 0, and is 0 for 0. */
typedef struct decimal {
    uint64_t digits;
    int32_t exponent;
    bool negative;
} decimal_t;

/* Values of an `enum`: looked up by hash. */
typedef struct value_set {
    const json_t *values; /* the array */
    uint32_t slots, mask; /* hash table: index into values or NONE */
    uint16_t types;
} value_set_t;

/* A resource in whose dynamic scope the reference means another block. */
typedef struct candidate {
    uint32_t resource, block;
} candidate_t;

typedef struct pattern pattern_t;

/* A step of a JSON pointer: a name, or an index where text.data is NULL. */
typedef struct step {
    text_t text;
    size_t index;
} step_t;

/* A subschema where it stands. */
typedef struct place {
    const json_t *schema;
    uint32_t parent;   /* NONE: the root of a document */
    uint32_t resource; /* that it belongs to */
    uint32_t block;    /* NONE: not compiled */
    step_t steps[2];   /* from the parent: keyword and, perhaps, name or index within it */
    uint8_t step_count;
    char *pointer; /* instead of steps, where an odd reference led: owned, from the parent */
} place_t;

/* How the schemas of a resource are to be read: its metaschema. */
typedef struct dialect {
    char *uri;
    uint32_t drafts;       /* one bit of KEYWORD_… drafts */
    uint32_t vocabularies; /* bits of vocabulary_t */
    bool assert_format;
    schema_t *metaschema; /* while compiling, once something was checked against it */
} dialect_t;

/* A schema with a URI: a document's root, or a subschema with an `$id`. */
typedef struct resource {
    char *uri; /* without fragment */
    uint32_t place;
    uint32_t document;
    uint32_t dialect;
    bool reached; /* something in it was compiled */
} resource_t;

typedef struct document {
    char *name; /* for messages */
    json_t *root;
    bool builtin;
} document_t;

struct schema {
    LIST(block_t) blocks;
    LIST(op_t) ops;
    LIST(uint32_t) children; /* blocks */
    LIST(plan_t) plans;
    LIST(name_t) names;
    LIST(uint32_t) slots;
    LIST(pattern_property_t) pattern_properties;
    LIST(dependency_t) dependencies;
    LIST(text_t) texts;
    LIST(decimal_t) divisors;
    LIST(value_set_t) sets;
    LIST(candidate_t) candidates;
    LIST(pattern_t *) patterns;
    LIST(place_t) places;
    LIST(resource_t) resources;
    LIST(document_t) documents;
    LIST(dialect_t) dialects;
    uint32_t root;   /* block */
    uint32_t root_target;
    bool direct;     /* see schema_members.h */
    uint64_t secret; /* of hashes */
    uint32_t max_depth;
    uint64_t max_steps;
};

/* ---- A compilation, and what it reports ---- */

typedef struct registry registry_t;

/* An OP_DYNAMIC, and the name of the anchor that it looks for. */
typedef struct dynamic {
    uint32_t op;
    char *name;
} dynamic_t;

typedef struct compiler {
    schema_t *schema;
    const schema_options_t *options;
    err_t *error;
    registry_t *registry;
    uint32_t depth;         /* of metaschemas of metaschemas */
    LIST(uint32_t) pending; /* places whose blocks are to be filled */
    LIST(dynamic_t) dynamic;
} compiler_t;

/* A block while its keywords are compiled. */
typedef struct build {
    compiler_t *compiler;
    schema_t *schema;
    uint32_t place;
    dialect_t dialect;
    const json_t *found[KEYWORD_COUNT]; /* the values of those that are there and in force */
    uint16_t types;
    uint8_t flags;
    uint8_t counts[GROUP_COUNT];
    op_t ops[GROUP_COUNT][12];
    bool has_plan;
    plan_t plan;
    LIST(name_t) names;
    char *dynamic; /* name of the anchor that the OP_DYNAMIC looks for */
} build_t;

/* Sets the error to "document#pointer/keyword: reason" and returns false; keyword may be NULL. */
bool schema_refuse(compiler_t *compiler, uint32_t place, const char *keyword, const char *format, ...)
    PRINTF_LIKE(4, 5);
/* Steals the document. NULL on failure. */
schema_t *schema_compile_document(json_t *document, const char *name, const char *uri,
                                  const schema_options_t *options, err_t *error, uint32_t depth);
/* The block of a place, to be filled later where it is new. */
uint32_t schema_block(compiler_t *compiler, uint32_t place);
/* Compiles a keyword of `build->found`. */
bool schema_compile_keyword(build_t *build, keyword_t keyword);
/* The types for which there are instructions, of so many in each group. */
uint8_t schema_active_types(const uint8_t counts[GROUP_COUNT]);
/* Adds a plan with these names; its index. */
uint32_t schema_add_plan(schema_t *schema, const plan_t *plan, const name_t *names, uint32_t count);
/* Fills all pending blocks, and those that they need. */
bool schema_compile_pending(compiler_t *compiler);
/* Settles dynamic references once all blocks are known, and refuses references that lead back to where they are
   without entering the value. */
bool schema_link(compiler_t *compiler);
/* Settles what is unevaluated where no document is needed for that, and merges blocks. */
void schema_settle(schema_t *schema);

/* ---- Registry ---- */

void schema_registry_open(compiler_t *compiler);
void schema_registry_close(compiler_t *compiler);
/* Takes a document over and finds its resources, anchors and subschemas. NONE on failure, else the root's place. */
uint32_t schema_registry_add(compiler_t *compiler, json_t *root, const char *name, const char *uri,
                             uint32_t dialect, bool builtin);
/* The place of the subschema at `keyword` (and `step`, unless NULL) of `parent`. */
uint32_t schema_registry_child(compiler_t *compiler, uint32_t parent, const char *keyword, const step_t *step,
                               const json_t *schema);
/* The place a reference of `from` means, NONE on failure. `anchor`, which the caller frees, is the name of the
   dynamic anchor that it leads to, NULL for others. */
uint32_t schema_registry_resolve(compiler_t *compiler, uint32_t from, const char *keyword, const char *reference,
                                 char **anchor);
/* The place of a resource's dynamic anchor; NONE when it has none of that name. That of `$recursiveAnchor` is "". */
uint32_t schema_registry_dynamic(const compiler_t *compiler, uint32_t resource, const char *name);
/* The places of all dynamic anchors of that name: how many, and each. */
size_t schema_registry_places(const compiler_t *compiler, const char *name);
uint32_t schema_registry_place(const compiler_t *compiler, const char *name, size_t i);

/* The name of a resource's i-th dynamic anchor, borrowed; NULL: it has no more. */
const char *schema_registry_anchor(const compiler_t *compiler, uint32_t resource, size_t i);

/* Adds the schema at `root`, whose references are known to lead somewhere, to `bundle`. */
bool schema_bundle_fill(compiler_t *compiler, uint32_t root, const schema_bundle_t *bundle);

/* The dialect of a metaschema's URI, for the schema at `name` of messages; NONE on failure. */
uint32_t schema_dialect(compiler_t *compiler, const char *uri, const char *name);
/* Checks a document against its metaschema, and what is embedded in it against theirs. */
bool schema_check_document(compiler_t *compiler, uint32_t document);

/* A document for a URI, from the metaschemas or the caller's remotes, with its name for messages. NULL with `found`
   false: there is none; true: it cannot be read, as `error` tells. */
json_t *schema_remote_load(const schema_options_t *options, const char *uri, bool *builtin, bool *found,
                           char **name, err_t *error);
/* The text of a built-in metaschema; NULL when there is none of that URI. */
const char *schema_meta_text(const char *uri, size_t *len);
const char *schema_meta_uri(schema_draft_t draft);

/* JSON pointer of a place, from its document's root or its resource's; the caller frees it. */
char *schema_place_pointer(const schema_t *schema, uint32_t place, bool from_resource);

/* ---- URIs (RFC 3986); all return memory that the caller frees ---- */

char *schema_uri_resolve(const char *base, const char *reference);
/* Without fragment; *fragment, when asked for, is it with percent-encoding undone, NULL when there is none. */
char *schema_uri_split(const char *uri, char **fragment);
/* Undoes percent-encoding; NULL when it is wrong or hides a zero. */
char *schema_uri_decode(const char *text);
char *schema_uri_from_path(const char *path);

/* ---- Names, numbers and values ---- */

/* Builds the hash table of a plan whose names are set. */
void schema_names_index(schema_t *schema, plan_t *plan);

/* The first and the last eight bytes of a key, which overlap in shorter ones; with the length they tell keys of up
   to sixteen bytes apart. */
static inline void schema_key_words(const char *key, size_t len, uint64_t *head, uint64_t *tail) {
    if (len >= 8) {
        memcpy(head, key, 8);
        memcpy(tail, key + len - 8, 8);
    } else if (len >= 4) {
        uint32_t first, last;
        memcpy(&first, key, 4);
        memcpy(&last, key + len - 4, 4);
        *head = first;
        *tail = last;
    } else {
        const unsigned char *k = (const unsigned char *)key;
        *head = len > 0 ? (uint64_t)k[0] << 16 | (uint64_t)k[len / 2] << 8 | k[len - 1] : 0;
        *tail = 0;
    }
}

static inline uint64_t schema_mix(uint64_t a, uint64_t b) {
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)(a ^ 0x9e3779b97f4a7c15u) * (b ^ 0xd1b54a32d192ed03u);
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t schema_key_hash(uint64_t head, uint64_t tail, size_t len, uint64_t seed) {
    return schema_mix(head ^ seed, tail ^ (len << 56));
}

static inline bool schema_name_is(const name_t *name, const char *key, size_t len, uint64_t head, uint64_t tail) {
    return name->text.len == len && name->head == head && name->tail == tail &&
           (len <= 16 || memcmp(name->text.data + 8, key + 8, len - 16) == 0);
}

/* The name that is `key`, or NULL. `guess` is looked at first: documents tend to have members in the schema's order. */
static inline __attribute__((always_inline)) const name_t *schema_names_find(const plan_t *plan, const name_t *guess,
                                                                             const char *key, size_t len) {
    uint64_t head, tail;
    schema_key_words(key, len, &head, &tail);
    if (schema_name_is(guess, key, len, head, tail)) return guess;
    for (uint32_t i = (uint32_t)schema_key_hash(head, tail, len, plan->seed) & plan->mask;; i = (i + 1) & plan->mask) {
        if (plan->slot_at[i] == NONE) return NULL;
        const name_t *name = plan->name_at + plan->slot_at[i];
        if (schema_name_is(name, key, len, head, tail)) return name;
    }
}

/* Exact order of an integer and a real: -1, 0, 1. */
int schema_compare_mixed(int64_t integer, double real);
bool schema_real_is_whole(double real);
decimal_t schema_decimal(const json_t *number);
bool schema_is_multiple(const json_t *number, const decimal_t *divisor);
/* Whether a number as it is written is what jansson makes of it. */
bool schema_number_is_kept(const char *text, size_t len);

/* Equality as the specification has it: numbers by value, objects without order. Costs are taken from `steps`. */
bool schema_equal(const json_t *a, const json_t *b, int64_t *steps);
/* Whether no two items of an array are equal; the indices of two that are go to pair. */
bool schema_unique(const json_t *array, uint64_t secret, int64_t *steps, size_t pair[2]);
uint32_t schema_set_add(schema_t *schema, const json_t *values);
bool schema_set_has(const schema_t *schema, const value_set_t *set, const json_t *value, int64_t *steps);

/* ---- Patterns and formats ---- */

/* What a matcher needs while one document is validated. Zeroed, it is ready; memory is taken at first use, from
   `memory` as long as that is enough. */
typedef struct matcher {
    void *general, *match;
    size_t used;
    _Alignas(16) unsigned char memory[768];
} matcher_t;

typedef enum match_result { MATCH_NO, MATCH_YES, MATCH_LIMIT } match_result_t;

/* NULL with the reason in `why` when it is no ECMA-262 pattern. `literal`: left to PCRE2 whatever it is. */
pattern_t *schema_pattern_new(const char *source, size_t len, bool literal, char *why, size_t why_size);
void schema_pattern_free(pattern_t *pattern);
const char *schema_pattern_source(const pattern_t *pattern);
/* Costs are taken from `steps`. */
match_result_t schema_pattern_match(const pattern_t *pattern, matcher_t *matcher, const char *text, size_t len,
                                    int64_t *steps);
void schema_matcher_close(matcher_t *matcher);

typedef struct automaton automaton_t;

/* An automaton for a pattern that is one; NULL for what is too much for it. free() frees it. */
automaton_t *schema_automaton_new(const char *source, size_t len);
bool schema_automaton_match(const automaton_t *automaton, const char *text, size_t len);

/* An ECMA-262 pattern (u flag) in PCRE2's syntax; the caller frees it. NULL with the reason in `why`. */
char *schema_regex_translate(const char *source, size_t len, char *why, size_t why_size);
/* Whether it is a pattern; takes no memory. */
bool schema_regex_check(const char *source, size_t len);

/* NONE where the format is not known. */
uint32_t schema_format_find(const char *name);
const char *schema_format_name(uint32_t format);
bool schema_format_check(uint32_t format, const char *text, size_t len);

/* ---- Running ---- */

/* Which members or items of one value were evaluated: all below `upto`, and those with their bit set. */
typedef struct evaluated {
    size_t upto;
    uint64_t *bits;
    size_t words;
} evaluated_t;

typedef struct scope {
    const struct scope *outer;
    uint32_t resource;
} scope_t;

typedef struct trace trace_t;

/* One document on its way through a program. */
typedef struct run {
    const schema_t *schema;
    int64_t steps;
    uint32_t depth;
    trace_t *trace; /* NULL: only whether it is valid */
    const scope_t *scope;
    const char *limit; /* the one that was reached */
    matcher_t matcher;
} run_t;

bool schema_run(run_t *run, uint32_t block, const json_t *value, evaluated_t *evaluated);
/* For a value whose type is not allowed, unless it is a real without a fraction where integers are. */
bool schema_run_typed(run_t *run, uint32_t block, const json_t *value, evaluated_t *evaluated);
/* Applies a block to learn whether it holds: no failure is recorded, and what is evaluated counts when it does. */
bool schema_run_quietly(run_t *run, uint32_t block, const json_t *value, evaluated_t *evaluated);
/* The instructions from `op` to `end` of a group of types. */
bool schema_run_object(run_t *run, const block_t *block, const op_t *op, const op_t *end, const json_t *value,
                       evaluated_t *evaluated);
bool schema_run_array(run_t *run, const block_t *block, const op_t *op, const op_t *end, const json_t *value,
                      evaluated_t *evaluated);
bool schema_run_string(run_t *run, const block_t *block, const op_t *op, const op_t *end, text_t text);
bool schema_run_number(run_t *run, const block_t *block, const op_t *op, const op_t *end, const json_t *value);
bool schema_run_unevaluated(run_t *run, const block_t *block, const op_t *op, const json_t *value,
                            evaluated_t *evaluated);
/* Marks the run as over; returns false. */
bool schema_run_limit(run_t *run, const char *limit);

#define LIKELY(condition) __builtin_expect(!!(condition), 1)
/* For what has failed: out of the way of what has not, and of its stack. */
#define COLD __attribute__((noinline, cold))

/* Applies a block to a value. What only asks for a type is decided here, without a call. */
static inline bool schema_apply(run_t *run, uint32_t index, const json_t *value, evaluated_t *evaluated) {
    const block_t *block = &run->schema->blocks.items[index];
    unsigned bit = 1u << json_typeof(value);
    if (!LIKELY(block->types & bit)) return schema_run_typed(run, index, value, evaluated);
    if (!(block->active & bit)) return true;
    return schema_run(run, index, value, evaluated);
}

/* Whether a value of a type that a block allows is so far within its bounds that nothing else needs to be asked.
   Only where values can be read directly. */
static inline __attribute__((always_inline)) bool schema_is_quick(const block_t *block, const json_t *value,
                                                                  unsigned bit) {
    if (!(block->quick & bit)) return false;
    if (bit == TYPE_STRING) {
        size_t len = ((const string_layout_t *)(const void *)value)->len;
        return len >= block->shortest && len <= block->longest;
    }
    const number_layout_t *number = (const void *)value;
    if (bit == TYPE_INTEGER) return number->integer >= block->least && number->integer <= block->most;
    return number->real >= block->least_real && number->real <= block->most_real;
}

/* The same as schema_apply() where values can be read directly and only the answer counts. */
static inline __attribute__((always_inline)) bool schema_apply_quickly(run_t *run, const block_t *block,
                                                                       uint32_t index, const json_t *value) {
    unsigned bit = 1u << json_typeof(value);
    if (!LIKELY(block->types & bit)) return schema_run_typed(run, index, value, NULL);
    return !(block->active & bit) || schema_is_quick(block, value, bit) || schema_run(run, index, value, NULL);
}

static inline void schema_mark(evaluated_t *evaluated, size_t i) {
    evaluated->bits[i / 64] |= UINT64_C(1) << (i % 64);
}

static inline bool schema_marked(const evaluated_t *evaluated, size_t i) {
    return i < evaluated->upto || (evaluated->bits[i / 64] >> (i % 64) & 1);
}

/* ---- Failures, while a run collects them ----

   A failure is recorded where it is found; on the way back up, each level adds its own step to the paths of what was
   recorded below it. So paths cost nothing while all is well. */

trace_t *schema_trace_new(size_t max);
/* Records a failure of an instruction's keyword, of the block itself where that is NULL. False always. */
bool schema_fail(run_t *run, const block_t *block, const op_t *op, const char *format, ...) PRINTF_LIKE(4, 5);
/* The same for any keyword, and for a member of the value unless that is NULL. */
bool schema_fail_at(run_t *run, const block_t *block, keyword_t keyword, const step_t *member, const char *format, ...)
    PRINTF_LIKE(5, 6);
/* Without the cost of the arguments where nobody listens. */
#define FAIL(run, ...) (LIKELY(!(run)->trace) ? false : schema_fail(run, __VA_ARGS__))
#define FAIL_AT(run, ...) (LIKELY(!(run)->trace) ? false : schema_fail_at(run, __VA_ARGS__))
/* Adds a level's steps to what was recorded since `mark`: the keyword's, that within the keyword, and that into the
   value; the latter two may be NULL. Whether to go on and find more. */
bool schema_climb(run_t *run, size_t mark, keyword_t keyword, const step_t *sub, const step_t *member);
size_t schema_trace_count(const trace_t *trace);
bool schema_trace_full(const trace_t *trace);
/* Forgets what was recorded since `mark`: another branch was valid. */
void schema_trace_forget(trace_t *trace, size_t mark);
/* Hands the failures over and frees the trace. */
void schema_trace_finish(trace_t *trace, const schema_t *schema, schema_failures_t *out);
/* A value as text for a message, cut to `size`. */
const char *schema_excerpt(const json_t *value, char *text, size_t size);
const char *schema_type_name(const json_t *value);

static inline size_t schema_trace_mark(const run_t *run) {
    return run->trace ? schema_trace_count(run->trace) : 0;
}

/* After a failure: whether more are wanted. */
static inline bool schema_goes_on(const run_t *run) {
    return run->trace && !schema_trace_full(run->trace);
}

/* Applies a block, as seen from a keyword. */
static inline bool schema_descend(run_t *run, uint32_t block, const json_t *value, evaluated_t *evaluated,
                                  keyword_t keyword, const step_t *sub) {
    size_t mark = schema_trace_mark(run);
    if (schema_apply(run, block, value, evaluated)) return true;
    if (run->trace) schema_climb(run, mark, keyword, sub, NULL);
    return false;
}

#endif
