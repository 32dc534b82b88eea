/* What each keyword is compiled into. Values have been checked against the metaschema as a rule; what would not run
   is refused here, too, for metaschemas that ask for less. */
#include "common/schema_internal.h"

#include <stdlib.h>

typedef bool compile_fn(build_t *build, keyword_t keyword, const json_t *value);

static const op_group_t group_of[] = {
    [OP_OBJECT] = GROUP_OBJECT,
    [OP_MIN_PROPERTIES] = GROUP_OBJECT,
    [OP_MAX_PROPERTIES] = GROUP_OBJECT,
    [OP_DEPENDENCIES] = GROUP_OBJECT,
    [OP_PREFIX] = GROUP_ARRAY,
    [OP_ITEMS] = GROUP_ARRAY,
    [OP_MIN_ITEMS] = GROUP_ARRAY,
    [OP_MAX_ITEMS] = GROUP_ARRAY,
    [OP_UNIQUE] = GROUP_ARRAY,
    [OP_CONTAINS] = GROUP_ARRAY,
    [OP_MIN_LENGTH] = GROUP_STRING,
    [OP_MAX_LENGTH] = GROUP_STRING,
    [OP_PATTERN] = GROUP_STRING,
    [OP_FORMAT] = GROUP_STRING,
    [OP_MINIMUM] = GROUP_NUMBER,
    [OP_MAXIMUM] = GROUP_NUMBER,
    [OP_EXCLUSIVE_MINIMUM] = GROUP_NUMBER,
    [OP_EXCLUSIVE_MAXIMUM] = GROUP_NUMBER,
    [OP_MULTIPLE] = GROUP_NUMBER,
    [OP_CONST] = GROUP_ANY,
    [OP_ENUM] = GROUP_ANY,
    [OP_REF] = GROUP_ANY,
    [OP_DYNAMIC] = GROUP_ANY,
    [OP_ALL] = GROUP_ANY,
    [OP_ANY] = GROUP_ANY,
    [OP_ONE] = GROUP_ANY,
    [OP_NOT] = GROUP_ANY,
    [OP_IF] = GROUP_ANY,
    [OP_UNEVALUATED_PROPERTIES] = GROUP_LATE,
    [OP_UNEVALUATED_ITEMS] = GROUP_LATE,
};

static op_t *add_op(build_t *build, keyword_t keyword, op_code_t code) {
    op_group_t group = group_of[code];
    op_t *op = &build->ops[group][build->counts[group]++];
    *op = (op_t){.code = (uint8_t)code, .keyword = (uint16_t)keyword};
    return op;
}

static bool refuse(build_t *build, keyword_t keyword, const char *reason) {
    return schema_refuse(build->compiler, build->place, schema_keywords[keyword].name, "%s", reason);
}

/* The block of a subschema of this one. */
static uint32_t child(build_t *build, keyword_t keyword, const step_t *step, const json_t *node) {
    uint32_t place =
        schema_registry_child(build->compiler, build->place, schema_keywords[keyword].name, step, node);
    return schema_block(build->compiler, place);
}

static uint32_t array_child(build_t *build, keyword_t keyword, const json_t *array, size_t i) {
    return child(build, keyword, &(step_t){.index = i}, json_array_get(array, i));
}

static uint32_t map_child(build_t *build, keyword_t keyword, const char *key, size_t len, const json_t *node) {
    return child(build, keyword, &(step_t){.text = {key, len}}, node);
}

/* A whole number that is not negative; more than 63 bits are as many as there can be. False: it is none. */
static bool read_count(const json_t *value, int64_t *count) {
    if (json_is_integer(value)) {
        *count = json_integer_value(value);
        return *count >= 0;
    }
    double real = json_is_real(value) ? json_real_value(value) : -1;
    *count = real >= 0x1p63 ? INT64_MAX : (int64_t)real;
    return real >= 0 && schema_real_is_whole(real);
}

/* ---- Any type ---- */

static bool compile_definitions(build_t *build, keyword_t keyword, const json_t *value) {
    if (!json_is_object(value)) return refuse(build, keyword, "an object was expected");
    const resource_t *resource = &build->schema->resources.items[build->schema->places.items[build->place].resource];
    if (resource->document != 0) return true; /* of what is referenced, only what is used has to be right */
    const char *key;
    size_t len;
    json_t *node;
    json_object_keylen_foreach((json_t *)value, key, len, node) map_child(build, keyword, key, len, node);
    return true;
}

static uint16_t type_mask(const json_t *name) {
    static const struct {
        const char *name;
        uint16_t types;
    } types[] = {
        {"object", TYPE_OBJECT},
        {"array", TYPE_ARRAY},
        {"string", TYPE_STRING},
        {"integer", TYPE_INTEGER | TYPE_WHOLE_REAL},
        {"number", TYPE_INTEGER | TYPE_REAL | TYPE_WHOLE_REAL},
        {"boolean", TYPE_TRUE | TYPE_FALSE},
        {"null", TYPE_NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (json_is_string(name) && strcmp(json_string_value(name), types[i].name) == 0) return types[i].types;
    }
    return 0;
}

static bool compile_type(build_t *build, keyword_t keyword, const json_t *value) {
    uint16_t types = json_is_array(value) ? 0 : type_mask(value);
    if (!json_is_array(value) && !types) return refuse(build, keyword, "there is no such type");
    for (size_t i = 0; i < json_array_size(value); i++) {
        uint16_t one = type_mask(json_array_get(value, i));
        if (!one) return refuse(build, keyword, "there is no such type");
        types |= one;
    }
    build->types = types;
    return true;
}

static bool compile_const(build_t *build, keyword_t keyword, const json_t *value) {
    add_op(build, keyword, OP_CONST)->json = value;
    return true;
}

static bool compile_enum(build_t *build, keyword_t keyword, const json_t *value) {
    if (!json_is_array(value)) return refuse(build, keyword, "an array was expected");
    add_op(build, keyword, OP_ENUM)->a = schema_set_add(build->schema, value);
    return true;
}

static bool compile_ref(build_t *build, keyword_t keyword, const json_t *value) {
    if (!json_is_string(value)) return refuse(build, keyword, "a URI reference was expected");
    char *anchor;
    uint32_t place = schema_registry_resolve(build->compiler, build->place, schema_keywords[keyword].name,
                                             json_string_value(value), &anchor);
    free(anchor);
    if (place == NONE) return false;
    uint32_t block = schema_block(build->compiler, place);
    add_op(build, keyword, OP_REF)->a = block;
    return true;
}

static bool compile_dynamic_ref(build_t *build, keyword_t keyword, const json_t *value) {
    if (!json_is_string(value)) return refuse(build, keyword, "a URI reference was expected");
    uint32_t place = schema_registry_resolve(build->compiler, build->place, schema_keywords[keyword].name,
                                             json_string_value(value), &build->dynamic);
    if (place == NONE) return false;
    uint32_t block = schema_block(build->compiler, place);
    add_op(build, keyword, build->dynamic ? OP_DYNAMIC : OP_REF)->a = block;
    return true;
}

static bool compile_recursive_ref(build_t *build, keyword_t keyword, const json_t *value) {
    if (!json_is_string(value)) return refuse(build, keyword, "a URI reference was expected");
    char *anchor;
    uint32_t place = schema_registry_resolve(build->compiler, build->place, schema_keywords[keyword].name,
                                             json_string_value(value), &anchor);
    free(anchor);
    if (place == NONE) return false;
    uint32_t resource = build->schema->places.items[place].resource;
    bool dynamic = schema_registry_dynamic(build->compiler, resource, "") == place;
    uint32_t block = schema_block(build->compiler, place);
    add_op(build, keyword, dynamic ? OP_DYNAMIC : OP_REF)->a = block;
    if (dynamic) build->dynamic = strdup("");
    return true;
}

static bool compile_branches(build_t *build, keyword_t keyword, const json_t *value) {
    if (!json_is_array(value)) return refuse(build, keyword, "an array of schemas was expected");
    op_t op = {.a = build->schema->children.count, .b = (uint32_t)json_array_size(value)};
    for (size_t i = 0; i < json_array_size(value); i++) {
        uint32_t block = array_child(build, keyword, value, i);
        *LIST_ADD(&build->schema->children) = block;
    }
    op_t *added = add_op(build, keyword,
                         keyword == KEYWORD_ALL_OF   ? OP_ALL
                         : keyword == KEYWORD_ANY_OF ? OP_ANY
                                                     : OP_ONE);
    added->a = op.a;
    added->b = op.b;
    return true;
}

static bool compile_not(build_t *build, keyword_t keyword, const json_t *value) {
    add_op(build, keyword, OP_NOT)->a = child(build, keyword, NULL, value);
    return true;
}

static bool compile_if(build_t *build, keyword_t keyword, const json_t *value) {
    const json_t *then = build->found[KEYWORD_THEN], *otherwise = build->found[KEYWORD_ELSE];
    op_t *op = add_op(build, keyword, OP_IF);
    op->a = child(build, keyword, NULL, value);
    op->b = then ? child(build, KEYWORD_THEN, NULL, then) : NONE;
    op->c = otherwise ? child(build, KEYWORD_ELSE, NULL, otherwise) : NONE;
    return true;
}

static bool compile_unevaluated(build_t *build, keyword_t keyword, const json_t *value) {
    bool items = keyword == KEYWORD_UNEVALUATED_ITEMS;
    add_op(build, keyword, items ? OP_UNEVALUATED_ITEMS : OP_UNEVALUATED_PROPERTIES)->a =
        child(build, keyword, NULL, value);
    build->flags |= BLOCK_TRACK;
    return true;
}

/* ---- Sizes, of strings, arrays and objects ---- */

static bool compile_size(build_t *build, keyword_t keyword, const json_t *value) {
    static const op_code_t codes[KEYWORD_COUNT] = {
        [KEYWORD_MIN_LENGTH] = OP_MIN_LENGTH,         [KEYWORD_MAX_LENGTH] = OP_MAX_LENGTH,
        [KEYWORD_MIN_ITEMS] = OP_MIN_ITEMS,           [KEYWORD_MAX_ITEMS] = OP_MAX_ITEMS,
        [KEYWORD_MIN_PROPERTIES] = OP_MIN_PROPERTIES, [KEYWORD_MAX_PROPERTIES] = OP_MAX_PROPERTIES,
    };
    int64_t count;
    if (!read_count(value, &count)) return refuse(build, keyword, "a whole number that is not negative was expected");
    add_op(build, keyword, codes[keyword])->integer = count;
    return true;
}

/* ---- Numbers ---- */

static bool compile_bound(build_t *build, keyword_t keyword, const json_t *value) {
    static const op_code_t codes[KEYWORD_COUNT] = {
        [KEYWORD_MINIMUM] = OP_MINIMUM,
        [KEYWORD_MAXIMUM] = OP_MAXIMUM,
        [KEYWORD_EXCLUSIVE_MINIMUM] = OP_EXCLUSIVE_MINIMUM,
        [KEYWORD_EXCLUSIVE_MAXIMUM] = OP_EXCLUSIVE_MAXIMUM,
    };
    if (!json_is_number(value)) return refuse(build, keyword, "a number was expected");
    op_t *op = add_op(build, keyword, codes[keyword]);
    op->flag = json_is_real(value);
    if (op->flag)
        op->real = json_real_value(value);
    else
        op->integer = json_integer_value(value);
    return true;
}

static bool compile_multiple(build_t *build, keyword_t keyword, const json_t *value) {
    if (!json_is_number(value)) return refuse(build, keyword, "a number was expected");
    decimal_t divisor = schema_decimal(value);
    if (divisor.negative || divisor.digits == 0) return refuse(build, keyword, "a number above 0 was expected");
    *LIST_ADD(&build->schema->divisors) = divisor;
    op_t *op = add_op(build, keyword, OP_MULTIPLE);
    op->a = build->schema->divisors.count - 1;
    op->json = value;
    return true;
}

/* ---- Strings ---- */

static bool add_pattern(build_t *build, keyword_t keyword, const char *source, size_t len, uint32_t *index) {
    char why[160];
    pattern_t *pattern = schema_pattern_new(source, len, build->compiler->options->literal, why, sizeof why);
    if (!pattern) {
        int shown = len > 100 ? 100 : (int)len;
        return schema_refuse(build->compiler, build->place, schema_keywords[keyword].name, "the pattern %.*s: %s",
                             shown, source, why);
    }
    *LIST_ADD(&build->schema->patterns) = pattern;
    *index = build->schema->patterns.count - 1;
    return true;
}

static bool compile_pattern(build_t *build, keyword_t keyword, const json_t *value) {
    if (!json_is_string(value)) return refuse(build, keyword, "a string was expected");
    uint32_t index;
    if (!add_pattern(build, keyword, json_string_value(value), json_string_length(value), &index)) return false;
    add_op(build, keyword, OP_PATTERN)->a = index;
    return true;
}

static bool compile_format(build_t *build, keyword_t keyword, const json_t *value) {
    if (!json_is_string(value)) return refuse(build, keyword, "a string was expected");
    schema_format_mode_t mode = build->compiler->options->format;
    bool asserts =
        mode == SCHEMA_FORMAT_ASSERT || (mode == SCHEMA_FORMAT_BY_VOCABULARY && build->dialect.assert_format);
    uint32_t format = asserts ? schema_format_find(json_string_value(value)) : NONE;
    if (format != NONE) add_op(build, keyword, OP_FORMAT)->a = format;
    return true;
}

/* ---- Objects ---- */

static bool compile_properties(build_t *build, keyword_t keyword, const json_t *value) {
    if (!json_is_object(value)) return refuse(build, keyword, "an object was expected");
    const char *key;
    size_t len;
    json_t *node;
    build->has_plan = true;
    json_object_keylen_foreach((json_t *)value, key, len, node) {
        uint32_t block = map_child(build, keyword, key, len, node);
        *LIST_ADD(&build->names) = (name_t){.text = {key, len}, .block = block};
    }
    return true;
}

/* Names that are in `properties` are marked there; the others are added. */
static bool compile_required(build_t *build, keyword_t keyword, const json_t *value) {
    json_t *missing = json_object(), *name;
    size_t i;
    bool fine = json_is_array(value);
    json_array_foreach(value, i, name) {
        fine &= json_is_string(name);
        if (fine) json_object_setn_nocheck(missing, json_string_value(name), json_string_length(name), name);
    }
    for (uint32_t n = 0; n < build->names.count; n++) {
        name_t *known = &build->names.items[n];
        known->required = json_object_deln(missing, known->text.data, known->text.len) == 0;
    }
    const char *key;
    json_object_foreach(missing, key, name) {
        text_t text = {json_string_value(name), json_string_length(name)};
        *LIST_ADD(&build->names) = (name_t){.text = text, .block = NONE, .required = true};
    }
    json_decref(missing);
    build->has_plan |= build->names.count > 0;
    return fine || refuse(build, keyword, "an array of strings was expected");
}

static bool compile_pattern_properties(build_t *build, keyword_t keyword, const json_t *value) {
    if (!json_is_object(value)) return refuse(build, keyword, "an object was expected");
    const char *key;
    size_t len;
    json_t *node;
    build->has_plan = true;
    build->plan.patterns = build->schema->pattern_properties.count;
    json_object_keylen_foreach((json_t *)value, key, len, node) {
        pattern_property_t property = {.block = map_child(build, keyword, key, len, node)};
        if (!add_pattern(build, keyword, key, len, &property.pattern)) return false;
        *LIST_ADD(&build->schema->pattern_properties) = property;
        build->plan.pattern_count++;
    }
    return true;
}

static bool compile_additional(build_t *build, keyword_t keyword, const json_t *value) {
    build->plan.additional = child(build, keyword, NULL, value);
    return build->has_plan = true;
}

static bool compile_property_names(build_t *build, keyword_t keyword, const json_t *value) {
    build->plan.property_names = child(build, keyword, NULL, value);
    return build->has_plan = true;
}

static bool add_needed(build_t *build, keyword_t keyword, const json_t *names, dependency_t *dependency) {
    dependency->texts = build->schema->texts.count;
    for (size_t i = 0; i < json_array_size(names); i++) {
        const json_t *name = json_array_get(names, i);
        if (!json_is_string(name)) return refuse(build, keyword, "an array of strings was expected");
        *LIST_ADD(&build->schema->texts) = (text_t){json_string_value(name), json_string_length(name)};
        dependency->text_count++;
    }
    return true;
}

static bool compile_dependencies(build_t *build, keyword_t keyword, const json_t *value) {
    if (!json_is_object(value)) return refuse(build, keyword, "an object was expected");
    uint32_t first = build->schema->dependencies.count;
    const char *key;
    size_t len;
    json_t *node;
    json_object_keylen_foreach((json_t *)value, key, len, node) {
        dependency_t dependency = {.name = {key, len}, .block = NONE};
        bool names = keyword == KEYWORD_DEPENDENT_REQUIRED || (keyword == KEYWORD_DEPENDENCIES && json_is_array(node));
        if (!names)
            dependency.block = map_child(build, keyword, key, len, node);
        else if (!json_is_array(node) || !add_needed(build, keyword, node, &dependency))
            return refuse(build, keyword, "an array of strings was expected");
        *LIST_ADD(&build->schema->dependencies) = dependency;
    }
    op_t *op = add_op(build, keyword, OP_DEPENDENCIES);
    op->a = first;
    op->b = build->schema->dependencies.count - first;
    return true;
}

/* ---- Arrays ---- */

static bool compile_prefix(build_t *build, keyword_t keyword, const json_t *value) {
    if (!json_is_array(value)) return refuse(build, keyword, "an array of schemas was expected");
    uint32_t first = build->schema->children.count;
    for (size_t i = 0; i < json_array_size(value); i++) {
        uint32_t block = array_child(build, keyword, value, i);
        *LIST_ADD(&build->schema->children) = block;
    }
    op_t *op = add_op(build, keyword, OP_PREFIX);
    op->a = first;
    op->b = (uint32_t)json_array_size(value);
    return true;
}

static void add_items(build_t *build, keyword_t keyword, const json_t *node, size_t from) {
    op_t *op = add_op(build, keyword, OP_ITEMS);
    op->a = child(build, keyword, NULL, node);
    op->b = (uint32_t)from;
}

static bool compile_items(build_t *build, keyword_t keyword, const json_t *value) {
    bool old = !(build->dialect.drafts & D20);
    if (old && json_is_array(value)) return compile_prefix(build, keyword, value);
    add_items(build, keyword, value, json_array_size(build->found[KEYWORD_PREFIX_ITEMS]));
    return true;
}

static bool compile_additional_items(build_t *build, keyword_t keyword, const json_t *value) {
    const json_t *items = build->found[KEYWORD_ITEMS];
    if (json_is_array(items)) add_items(build, keyword, value, json_array_size(items));
    return true;
}

static bool compile_contains(build_t *build, keyword_t keyword, const json_t *value) {
    const json_t *min = build->found[KEYWORD_MIN_CONTAINS], *max = build->found[KEYWORD_MAX_CONTAINS];
    int64_t least = 1, most = NONE;
    if (min && !read_count(min, &least)) return refuse(build, KEYWORD_MIN_CONTAINS, "a count was expected");
    if (max && !read_count(max, &most)) return refuse(build, KEYWORD_MAX_CONTAINS, "a count was expected");
    op_t *op = add_op(build, keyword, OP_CONTAINS);
    op->a = child(build, keyword, NULL, value);
    op->b = least < NONE ? (uint32_t)least : NONE - 1;
    op->c = most < NONE ? (uint32_t)most : NONE;
    op->flag = (build->dialect.drafts & D20) != 0; /* in 2019-09 `contains` leaves no trace */
    return true;
}

static bool compile_unique(build_t *build, keyword_t keyword, const json_t *value) {
    if (json_is_true(value)) add_op(build, keyword, OP_UNIQUE);
    return true;
}

/* ---- The table ---- */

static compile_fn *const compile[KEYWORD_COUNT] = {
#define X(symbol, name, drafts, vocabulary, shape, function) [KEYWORD_##symbol] = function,
    SCHEMA_KEYWORDS(X)
#undef X
};

bool schema_compile_keyword(build_t *build, keyword_t keyword) {
    return !compile[keyword] || compile[keyword](build, keyword, build->found[keyword]);
}
