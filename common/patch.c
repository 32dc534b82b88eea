/* Changes to a JSON document. */
#include "common/patch.h"

#include "common/mem.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* ---- RFC 7396 ---- */

/* Steals `target`. Changed in place: a copy at each level would cost depth times size. */
static json_t *merge(json_t *target, const json_t *patch) {
    if (!json_is_object(patch) || !json_is_object(target)) {
        json_decref(target);
        target = json_is_object(patch) ? json_object() : json_deep_copy(patch);
    }
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)patch, key, value) {
        if (json_is_null(value))
            json_object_del(target, key);
        else
            json_object_set_new(target, key, merge(json_incref(json_object_get(target, key)), value));
    }
    return target;
}

json_t *patch_merge(const json_t *target, const json_t *patch) {
    return merge(json_deep_copy(target), patch);
}

/* ---- RFC 6901: a pointer leads to a place in a parent ---- */

typedef struct place {
    json_t *parent; /* NULL: the whole document */
    char *token;    /* decoded: a member's name, or the text of an index */
} place_t;

static void place_clear(place_t *place) {
    free(place->token);
    place->token = NULL;
}

/* Decodes ~0 and ~1 in place. False: another character follows a tilde. */
static bool decode(char *token) {
    char *out = token;
    for (; *token; token++) {
        if (*token == '~') {
            if (token[1] != '0' && token[1] != '1') return false;
            *out++ = *++token == '0' ? '~' : '/';
        } else {
            *out++ = *token;
        }
    }
    *out = '\0';
    return true;
}

/* The index that `token` is in an array of `count` items, at most `last`. False: it is none. */
static bool index_of(const char *token, size_t last, size_t *index) {
    size_t len = strlen(token);
    if (len == 0 || len > 9 || strspn(token, "0123456789") != len || (token[0] == '0' && len > 1)) return false;
    *index = strtoul(token, NULL, 10);
    return *index <= last;
}

static json_t *child_of(const json_t *parent, const char *token) {
    size_t index, count = json_array_size(parent);
    if (json_is_object(parent)) return json_object_get(parent, token);
    if (count == 0 || !index_of(token, count - 1, &index)) return NULL;
    return json_array_get(parent, index);
}

/* Finds the parent of what `pointer` points to. False: there is none, or it is no pointer. */
static bool find_place(json_t *document, const char *pointer, place_t *place) {
    *place = (place_t){NULL, NULL};
    if (!*pointer) return true;
    if (*pointer != '/') return false;
    json_t *parent = NULL, *value = document;
    for (const char *start = pointer; *start == '/';) {
        size_t len = strcspn(start + 1, "/");
        place_clear(place);
        place->token = mem_copy(start + 1, len);
        start += 1 + len;
        parent = value;
        if (!parent || !decode(place->token)) break;
        value = child_of(parent, place->token);
        if (*start) continue;
        if (!json_is_object(parent) && !json_is_array(parent)) break;
        place->parent = parent;
        return true;
    }
    place_clear(place);
    return false;
}

static json_t *value_at(json_t *document, const place_t *place) {
    return place->parent ? child_of(place->parent, place->token) : document;
}

/* ---- RFC 6902 ---- */

/* An operation on the document, whose places were found. False: it cannot be done. */
typedef struct operation {
    json_t **document;
    place_t path;
    json_t *value; /* borrowed: of "value", or what "from" points to */
} operation_t;

static bool insert(operation_t *op, json_t *value) {
    json_t *parent = op->path.parent;
    size_t index, count = json_array_size(parent);
    if (!parent) {
        json_decref(*op->document);
        *op->document = value;
        return true;
    }
    if (json_is_object(parent)) return json_object_set_new(parent, op->path.token, value) == 0;
    if (!strcmp(op->path.token, "-")) return json_array_append_new(parent, value) == 0;
    if (index_of(op->path.token, count, &index)) return json_array_insert_new(parent, index, value) == 0;
    json_decref(value);
    return false;
}

static bool delete(json_t **document, const place_t *place) {
    size_t index;
    if (!value_at(*document, place)) return false;
    if (!place->parent) {
        json_decref(*document);
        *document = json_null();
        return true;
    }
    if (json_is_object(place->parent)) return json_object_del(place->parent, place->token) == 0;
    return index_of(place->token, json_array_size(place->parent) - 1, &index) &&
           json_array_remove(place->parent, index) == 0;
}

static bool do_add(operation_t *op) {
    return insert(op, json_deep_copy(op->value));
}

static bool do_remove(operation_t *op) {
    return delete (op->document, &op->path);
}

static bool do_replace(operation_t *op) {
    size_t index;
    if (!value_at(*op->document, &op->path)) return false;
    if (!op->path.parent || json_is_object(op->path.parent)) return do_add(op);
    return index_of(op->path.token, json_array_size(op->path.parent) - 1, &index) &&
           json_array_set_new(op->path.parent, index, json_deep_copy(op->value)) == 0;
}

static bool equal(const json_t *a, const json_t *b);

static bool equal_members(const json_t *a, const json_t *b) {
    const char *key;
    json_t *value;
    if (json_object_size(a) != json_object_size(b)) return false;
    json_object_foreach((json_t *)a, key, value) {
        if (!equal(value, json_object_get(b, key))) return false;
    }
    return true;
}

/* Numbers are equal by value: 1 is 1.0. */
static bool equal(const json_t *a, const json_t *b) {
    if (json_is_number(a) && json_is_number(b) && json_typeof(a) != json_typeof(b))
        return json_number_value(a) == json_number_value(b);
    if (json_is_object(a) && json_is_object(b)) return equal_members(a, b);
    if (!json_is_array(a) || !json_is_array(b)) return json_equal(a, b);
    if (json_array_size(a) != json_array_size(b)) return false;
    for (size_t i = 0; i < json_array_size(a); i++)
        if (!equal(json_array_get(a, i), json_array_get(b, i))) return false;
    return true;
}

static bool do_test(operation_t *op) {
    const json_t *value = value_at(*op->document, &op->path);
    return value && equal(value, op->value);
}

/* What a value costs, and what is left of a patch's bounds. */
typedef struct cost {
    size_t values, bytes; /* of strings and names */
    size_t depth;
} cost_t;

static cost_t measure(const json_t *value);

static void add_cost(cost_t *cost, const json_t *child) {
    cost_t below = measure(child);
    cost->values += below.values;
    cost->bytes += below.bytes;
    if (below.depth >= cost->depth) cost->depth = below.depth + 1;
}

static cost_t measure(const json_t *value) {
    cost_t cost = {.values = 1, .bytes = json_string_length(value), .depth = 1};
    size_t index;
    const char *key;
    json_t *child;
    json_object_foreach((json_t *)value, key, child) {
        cost.bytes += strlen(key);
        add_cost(&cost, child);
    }
    json_array_foreach((json_t *)value, index, child) add_cost(&cost, child);
    return cost;
}

/* Whether `value` may be written at `path`. */
static bool spend(cost_t *budget, const json_t *value, const char *path) {
    cost_t cost = measure(value);
    for (; *path; path++) cost.depth += *path == '/';
    if (cost.values > budget->values || cost.bytes > budget->bytes || cost.depth > budget->depth) return false;
    budget->values -= cost.values;
    budget->bytes -= cost.bytes;
    return true;
}

static const char too_large[] = "the patch writes too much, or too deep";

static const struct {
    const char *name;
    bool (*run)(operation_t *op);
    bool value, from; /* the members that it needs */
    bool moves;       /* what "from" points to is removed first */
} operations[] = {
    {"add", do_add, true, false, false},      {"remove", do_remove, false, false, false},
    {"replace", do_replace, true, false, false}, {"move", do_add, false, true, true},
    {"copy", do_add, false, true, false},     {"test", do_test, true, false, false},
};

/* Whether `path` lies within what `from` points to: nothing can be moved into itself. */
static bool is_within(const char *path, const char *from) {
    size_t len = strlen(from);
    return !strncmp(path, from, len) && path[len] == '/';
}

static const char *run_from(json_t **document, size_t kind, const char *from, const char *path, cost_t *budget) {
    place_t source, target;
    if (operations[kind].moves && is_within(path, from)) return "nothing can be moved into itself";
    if (!find_place(*document, from, &source)) return "\"from\" points to nothing";
    json_t *value = value_at(*document, &source);
    bool affordable = !value || spend(budget, value, path);
    json_t *kept = value && affordable ? json_deep_copy(value) : NULL;
    bool done = kept && (!operations[kind].moves || delete (document, &source));
    place_clear(&source);
    const char *failure = done ? NULL : affordable ? "\"from\" points to nothing" : too_large;
    if (done && !find_place(*document, path, &target)) failure = "\"path\" points to nothing";
    if (!failure) {
        operation_t op = {document, target, kept};
        if (!operations[kind].run(&op)) failure = "\"path\" points to no place for a value";
        place_clear(&target);
    }
    json_decref(kept);
    return failure;
}

static const char *run_plain(json_t **document, size_t kind, const json_t *step, const char *path, cost_t *budget) {
    operation_t op = {.document = document, .value = json_object_get(step, "value")};
    if (operations[kind].value && !op.value) return "\"value\" is missing";
    if (op.value && !spend(budget, op.value, path)) return too_large;
    if (!find_place(*document, path, &op.path)) return "\"path\" points to nothing";
    bool done = operations[kind].run(&op);
    place_clear(&op.path);
    if (done) return NULL;
    return operations[kind].run == do_test ? "the test failed" : "\"path\" points to nothing";
}

/* NULL: done. Else why not. */
static const char *run_step(json_t **document, const json_t *step, cost_t *budget) {
    const char *name = json_string_value(json_object_get(step, "op"));
    const char *path = json_string_value(json_object_get(step, "path"));
    const char *from = json_string_value(json_object_get(step, "from"));
    if (!name) return "\"op\" is missing";
    if (!path) return "\"path\" is missing";
    for (size_t i = 0; i < ARRAY_LEN(operations); i++) {
        if (strcmp(operations[i].name, name)) continue;
        if (!operations[i].from) return run_plain(document, i, step, path, budget);
        return from ? run_from(document, i, from, path, budget) : "\"from\" is missing";
    }
    return "\"op\" is none of add, remove, replace, move, copy and test";
}

static const char *run_steps(json_t **document, const json_t *patch, size_t *index) {
    cost_t budget = {PATCH_VALUES_MAX, PATCH_BYTES_MAX, PATCH_DEPTH_MAX};
    const char *failure = NULL;
    for (*index = 0; *index < json_array_size(patch) && !failure; (*index)++)
        failure = run_step(document, json_array_get(patch, *index), &budget);
    return failure;
}

json_t *patch_apply(const json_t *target, const json_t *patch, err_t *error) {
    const char *wrong = !json_is_array(patch)                           ? "a JSON Patch is an array"
                        : json_array_size(patch) > PATCH_OPERATIONS_MAX ? "the patch has too many operations"
                                                                        : NULL;
    if (wrong) {
        err_set(error, STATUS_FATAL, "%s", wrong);
        return NULL;
    }
    size_t index;
    json_t *document = json_deep_copy(target);
    const char *failure = run_steps(&document, patch, &index);
    if (!failure) return document;
    err_set(error, STATUS_FATAL, "operation %zu: %s", index - 1, failure);
    json_decref(document);
    return NULL;
}
