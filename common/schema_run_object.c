/* Keywords for objects: most of them in one pass over the members. */
#include "common/schema_internal.h"
#include "common/schema_members.h"

#define LOOKUP_FACTOR 4 /* how many members for each known name make looking the names up the shorter way */

static step_t step_of(const member_t *member) {
    return (step_t){.text = {member->key, member->key_len}};
}

/* A block for a member, under `keyword` and perhaps a name within it. Whether to go on; *valid says the rest. */
static inline bool run_member(run_t *run, uint32_t index, const member_t *member, keyword_t keyword, const text_t *sub,
                              bool *valid) {
    size_t mark = schema_trace_mark(run);
    if (schema_apply(run, index, member->value, NULL)) return true;
    *valid = false;
    if (!run->trace) return false;
    step_t step = step_of(member);
    return schema_climb(run, mark, keyword, sub ? &(step_t){.text = *sub} : NULL, &step);
}

/* A block for a name. Where only instructions for strings are concerned, no value is made of it. */
static bool run_name_block(run_t *run, uint32_t index, text_t name) {
    const block_t *block = &run->schema->blocks.items[index];
    if (block->types & TYPE_STRING && !(block->active & TYPE_STRING)) return true;
    if (!(block->types & TYPE_STRING) || block->flags || block->cut[GROUP_ANY] != block->cut[GROUP_COUNT]) {
        json_t *value = json_stringn_nocheck(name.data, name.len);
        bool valid = value && schema_apply(run, index, value, NULL);
        json_decref(value);
        return valid;
    }
    if (--run->steps < 0) return schema_run_limit(run, "the document takes more steps than are allowed");
    const op_t *ops = run->schema->ops.items + block->ops;
    return schema_run_string(run, block, ops + block->cut[GROUP_STRING], ops + block->cut[GROUP_STRING + 1], name);
}

static bool run_name(run_t *run, const plan_t *plan, const member_t *member, bool *valid) {
    size_t mark = schema_trace_mark(run);
    if (run_name_block(run, plan->property_names, (text_t){member->key, member->key_len})) return true;
    *valid = false;
    if (!run->trace) return false;
    step_t step = step_of(member);
    return schema_climb(run, mark, KEYWORD_PROPERTY_NAMES, NULL, &step);
}

static bool run_patterns(run_t *run, const plan_t *plan, const member_t *member, bool *matched, bool *valid) {
    for (uint32_t i = 0; i < plan->pattern_count; i++) {
        const pattern_property_t *property = &run->schema->pattern_properties.items[plan->patterns + i];
        const pattern_t *pattern = run->schema->patterns.items[property->pattern];
        if (property->block == NONE && *matched) continue;
        match_result_t result =
            schema_pattern_match(pattern, &run->matcher, member->key, member->key_len, &run->steps);
        if (result == MATCH_LIMIT) {
            *valid = false;
            return schema_run_limit(run, "a name of a member takes too long to match a pattern");
        }
        if (result == MATCH_NO) continue;
        *matched = true;
        if (property->block == NONE) continue;
        const char *source = schema_pattern_source(pattern);
        if (!run_member(run, property->block, member, KEYWORD_PATTERN_PROPERTIES, &(text_t){source, strlen(source)},
                        valid))
            return false;
    }
    return true;
}

static bool run_additional(run_t *run, const block_t *block, const plan_t *plan, const member_t *member, bool *valid) {
    if (run->schema->blocks.items[plan->additional].flags & BLOCK_NOTHING) {
        step_t step = step_of(member);
        *valid = false;
        FAIL_AT(run, block, plan->rest, &step, "this member is not allowed");
        return schema_goes_on(run);
    }
    return run_member(run, plan->additional, member, plan->rest, NULL, valid);
}

/* One member. Whether to go on; *required counts those that are and were found. */
static inline bool visit(run_t *run, const block_t *block, const plan_t *plan, const member_t *member,
                         const name_t **guess, evaluated_t *evaluated, uint32_t *required, bool *valid) {
    const name_t *name = plan->name_count ? schema_names_find(plan, *guess, member->key, member->key_len) : NULL;
    bool known = false;
    if (name) {
        unsigned bit = 1u << json_typeof(member->value);
        *guess = name + 1;
        *required += name->required;
        known = name->block != NONE || name->elsewhere;
        bool plain = name->types & bit && !(name->active & bit);
        if (name->block != NONE && !plain && !run_member(run, name->block, member, KEYWORD_PROPERTIES, &name->text, valid))
            return false;
    }
    if (plan->property_names != NONE && !run_name(run, plan, member, valid)) return false;
    if (plan->pattern_count && !run_patterns(run, plan, member, &known, valid)) return false;
    if (!known && plan->additional != NONE) {
        known = true;
        if (!run_additional(run, block, plan, member, valid)) return false;
    }
    if (known && evaluated) schema_mark(evaluated, member->index);
    return true;
}

static COLD bool report_missing(run_t *run, const block_t *block, const plan_t *plan, const json_t *object) {
    for (uint32_t i = 0; run->trace && i < plan->name_count; i++) {
        const name_t *name = &run->schema->names.items[plan->names + i];
        if (!name->required || json_object_getn(object, name->text.data, name->text.len)) continue;
        schema_fail_at(run, block, KEYWORD_REQUIRED, NULL, "\"%s\" is missing", name->text.data);
    }
    return false;
}

/* The other way round, for a large object of which few names matter. */
static bool look_up(run_t *run, const plan_t *plan, const json_t *object, uint32_t *required, bool *valid) {
    for (uint32_t i = 0; i < plan->name_count; i++) {
        const name_t *name = &run->schema->names.items[plan->names + i];
        member_t member = {name->text.data, name->text.len, json_object_getn(object, name->text.data, name->text.len),
                           0};
        if (!member.value) continue;
        *required += name->required;
        if (name->block != NONE && !run_member(run, name->block, &member, KEYWORD_PROPERTIES, &name->text, valid))
            return false;
    }
    return true;
}

static bool visit_all(run_t *run, const block_t *block, const plan_t *plan, const json_t *object,
                      evaluated_t *evaluated, uint32_t *required, bool *valid) {
    members_t members = schema_members(object, run->schema->direct);
    const name_t *guess = plan->name_at;
    for (member_t member; schema_members_next(&members, &member);) {
        if (!visit(run, block, plan, &member, &guess, evaluated, required, valid)) return false;
    }
    return true;
}

/* The same for what most schemas are, when only the answer counts: names that are known and, perhaps, a schema for the
   rest. */
static bool visit_plainly(run_t *run, const plan_t *plan, const json_t *object, uint32_t *required) {
    members_t members = schema_members(object, run->schema->direct);
    const name_t *guess = plan->name_at;
    for (member_t member; schema_members_next(&members, &member);) {
        const name_t *name = schema_names_find(plan, guess, member.key, member.key_len);
        bool rest = plan->additional != NONE;
        if (name) {
            guess = name + 1;
            *required += name->required;
            rest &= name->block == NONE && !name->elsewhere;
            if (name->block != NONE && !schema_apply(run, name->target, member.value, NULL)) return false;
        }
        if (rest && !schema_apply(run, plan->additional_target, member.value, NULL)) return false;
    }
    return true;
}

static inline bool is_entry(const name_t *name, const member_entry_t *entry) {
    size_t len = entry->key_len;
    if (name->text.len != len || name->word != schema_entry_word(entry)) return false;
    if (LIKELY(len <= 8)) return true;
    uint64_t head;
    memcpy(&head, entry->key, sizeof head);
    return name->head == head && (len <= 16 || memcmp(name->text.data + 8, entry->key + 8, len - 16) == 0);
}

static __attribute__((noinline)) const name_t *find_entry(const plan_t *plan, const member_entry_t *entry) {
    if (plan->name_count == 0) return NULL;
    return schema_names_find(plan, plan->name_at + plan->name_count, entry->key, entry->key_len);
}

static __attribute__((noinline)) bool run_rest(run_t *run, const plan_t *plan, const json_t *value) {
    return plan->additional == NONE || schema_apply(run, plan->additional_target, value, NULL);
}

/* The same once more, on values that can be read directly: what most time is spent in. Documents tend to have members
   in the schema's order, so the name that follows the last one is looked at first. */
static bool visit_quickly(run_t *run, const plan_t *plan, const object_layout_t *object, uint32_t *required) {
    const member_entry_t *ring = schema_members_ring(object);
    const name_t *name = plan->name_at;
    uint32_t found = 0;
    for (const member_entry_t *entry = object->first; entry != ring; entry = entry->next) {
        const json_t *value = entry->value;
        if (!LIKELY(is_entry(name, entry))) {
            const name_t *other = find_entry(plan, entry);
            if (!other) {
                if (!run_rest(run, plan, value)) return false;
                continue;
            }
            name = other;
        }
        found += name->required;
        unsigned bit = 1u << json_typeof(value);
        if (!LIKELY(name->types & bit)) {
            if (!(name->block == NONE ? run_rest(run, plan, value)
                                      : schema_run_typed(run, name->target, value, NULL)))
                return false;
        } else if (name->active & bit) {
            const block_t *block = &run->schema->blocks.items[name->target];
            if (!schema_is_quick(block, value, bit) && !schema_run(run, name->target, value, NULL)) return false;
        }
        name++;
    }
    *required = found;
    return true;
}

/* Few names in a large object: it is shorter to look them up. */
static bool is_large(const plan_t *plan, size_t size) {
    return plan->few && size > (size_t)plan->name_count * LOOKUP_FACTOR;
}

static bool run_plan_quickly(run_t *run, const plan_t *plan, const json_t *object) {
    uint32_t required = 0;
    bool valid = true;
    size_t size = run->schema->direct ? ((const object_layout_t *)(const void *)object)->size : json_object_size(object);
    if (size < plan->required) return false;
    if (is_large(plan, size)) return look_up(run, plan, object, &required, &valid) && required == plan->required;
    return (run->schema->direct ? visit_quickly(run, plan, (const void *)object, &required)
                                : visit_plainly(run, plan, object, &required)) &&
           required == plan->required;
}

static bool run_plan(run_t *run, const block_t *block, const op_t *op, const json_t *object, evaluated_t *evaluated) {
    const plan_t *plan = &run->schema->plans.items[op->a];
    uint32_t required = 0;
    bool valid = true;
    if (plan->quick && !evaluated && !run->trace) return run_plan_quickly(run, plan, object);
    bool all = !evaluated && is_large(plan, json_object_size(object))
                   ? look_up(run, plan, object, &required, &valid)
                   : visit_all(run, block, plan, object, evaluated, &required, &valid);
    if (!all) return false;
    return required == plan->required ? valid : report_missing(run, block, plan, object);
}

static bool run_dependency(run_t *run, const block_t *block, const op_t *op, const dependency_t *dependency,
                           const json_t *object, evaluated_t *evaluated) {
    if (!json_object_getn(object, dependency->name.data, dependency->name.len)) return true;
    step_t sub = {.text = dependency->name};
    if (dependency->block != NONE) return schema_descend(run, dependency->block, object, evaluated, op->keyword, &sub);
    bool valid = true;
    for (uint32_t i = 0; i < dependency->text_count && (valid || schema_goes_on(run)); i++) {
        const text_t *text = &run->schema->texts.items[dependency->texts + i];
        if (json_object_getn(object, text->data, text->len)) continue;
        valid = FAIL(run, block, op, "\"%s\" is missing, which \"%s\" asks for", text->data, dependency->name.data);
    }
    return valid;
}

static bool run_dependencies(run_t *run, const block_t *block, const op_t *op, const json_t *object,
                             evaluated_t *evaluated) {
    bool valid = true;
    for (uint32_t i = 0; i < op->b; i++) {
        const dependency_t *dependency = &run->schema->dependencies.items[op->a + i];
        if (run_dependency(run, block, op, dependency, object, evaluated)) continue;
        valid = false;
        if (!schema_goes_on(run)) break;
    }
    return valid;
}

static bool run_size(run_t *run, const block_t *block, const op_t *op, const json_t *object) {
    int64_t size = (int64_t)json_object_size(object);
    if (op->code == OP_MIN_PROPERTIES)
        return size >= op->integer || FAIL(run, block, op, "must have at least %lld members, has %lld",
                                           (long long)op->integer, (long long)size);
    return size <= op->integer ||
           FAIL(run, block, op, "must have at most %lld members, has %lld", (long long)op->integer, (long long)size);
}

bool schema_run_object(run_t *run, const block_t *block, const op_t *op, const op_t *end, const json_t *value,
                       evaluated_t *evaluated) {
    bool valid = true;
    for (; op < end && (valid || schema_goes_on(run)); op++) {
        bool one = op->code == OP_OBJECT         ? run_plan(run, block, op, value, evaluated)
                   : op->code == OP_DEPENDENCIES ? run_dependencies(run, block, op, value, evaluated)
                                                 : run_size(run, block, op, value);
        valid &= one;
    }
    return valid;
}
