/* What can be known before any document comes: which members and items `unevaluatedProperties` and `unevaluatedItems`
   are for, where no condition decides about that; and blocks that say in one what several say together.

   Both work on compiled blocks whose references lead round in no circle. What they look at for one block is bounded,
   so that no schema can make them multiply; beyond the bound a block stays as it is. */
#include "common/mem.h"
#include "common/schema_internal.h"

#include <stdlib.h>

#define MOST_BLOCKS 256 /* that are looked at for one */
#define MOST_NAMES 256  /* that are put together for one */
#define MOST_PATTERNS 8

/* What a block and those that it applies to the same value evaluate for certain. */
typedef struct surely {
    const schema_t *schema;
    LIST(text_t) names;
    LIST(uint32_t) patterns; /* of other blocks' patternProperties */
    uint32_t upto;             /* items */
    bool all_names, all_items; /* everything there is */
    bool open_names, open_items; /* a condition or a dynamic reference decides: it cannot be told */
    unsigned budget;
} surely_t;

static bool has_name(const surely_t *surely, text_t name) {
    for (uint32_t i = 0; i < surely->names.count; i++) {
        const text_t *other = &surely->names.items[i];
        if (other->len == name.len && memcmp(other->data, name.data, name.len) == 0) return true;
    }
    return false;
}

static bool has_pattern(const surely_t *surely, uint32_t pattern) {
    for (uint32_t i = 0; i < surely->patterns.count; i++) {
        if (surely->patterns.items[i] == pattern) return true;
    }
    return false;
}

static void see_patterns(surely_t *surely, const plan_t *plan, bool always) {
    for (uint32_t i = 0; i < plan->pattern_count; i++) {
        uint32_t pattern = surely->schema->pattern_properties.items[plan->patterns + i].pattern;
        if (has_pattern(surely, pattern)) continue;
        if (!always || surely->patterns.count == MOST_PATTERNS)
            surely->open_names = true;
        else
            *LIST_ADD(&surely->patterns) = pattern;
    }
}

static void see_names(surely_t *surely, const plan_t *plan, bool always, bool own) {
    if (plan->additional != NONE) *(always ? &surely->all_names : &surely->open_names) = true;
    if (!own) see_patterns(surely, plan, always);
    for (uint32_t i = 0; i < plan->name_count; i++) {
        const name_t *name = &surely->schema->names.items[plan->names + i];
        if ((name->block == NONE && !name->elsewhere) || has_name(surely, name->text)) continue;
        if (!always || surely->names.count == MOST_NAMES)
            surely->open_names = true;
        else
            *LIST_ADD(&surely->names) = name->text;
    }
}

static void see_prefix(surely_t *surely, uint32_t count, bool always) {
    if (count <= surely->upto) return;
    if (always)
        surely->upto = count;
    else
        surely->open_items = true;
}

static void see_block(surely_t *surely, uint32_t index, bool always, bool own);

static void see_children(surely_t *surely, const op_t *op, bool always) {
    for (uint32_t i = 0; i < op->b; i++) see_block(surely, surely->schema->children.items[op->a + i], always, false);
}

/* An instruction that evaluates nothing, or only if something holds, or always. The first round sees what is always
   so; the second, what is not, of which nothing may be new. */
static void see_op(surely_t *surely, const op_t *op, bool always, bool own) {
    const schema_t *schema = surely->schema;
    switch (op->code) {
    case OP_OBJECT: see_names(surely, &schema->plans.items[op->a], always, own); break;
    case OP_PREFIX: see_prefix(surely, op->b, always); break;
    case OP_ITEMS: *(always ? &surely->all_items : &surely->open_items) = true; break;
    case OP_CONTAINS: surely->open_items |= op->flag; break;
    case OP_UNEVALUATED_PROPERTIES:
        if (!own) *(always ? &surely->all_names : &surely->open_names) = true;
        break;
    case OP_UNEVALUATED_ITEMS:
        if (!own) *(always ? &surely->all_items : &surely->open_items) = true;
        break;
    case OP_REF: see_block(surely, op->a, always, false); break;
    case OP_ALL: see_children(surely, op, always); break;
    case OP_DYNAMIC: surely->open_names = surely->open_items = true; break;
    default: break;
    }
}

static void see_condition(surely_t *surely, const op_t *op) {
    switch (op->code) {
    case OP_REF: see_block(surely, op->a, false, false); break;
    case OP_ALL:
    case OP_ANY:
    case OP_ONE: see_children(surely, op, false); break;
    case OP_IF:
        see_block(surely, op->a, false, false);
        if (op->b != NONE) see_block(surely, op->b, false, false);
        if (op->c != NONE) see_block(surely, op->c, false, false);
        break;
    case OP_DEPENDENCIES:
        for (uint32_t i = 0; i < op->b; i++) {
            uint32_t block = surely->schema->dependencies.items[op->a + i].block;
            if (block != NONE) see_block(surely, block, false, false);
        }
        break;
    default: break;
    }
}

static void see_block(surely_t *surely, uint32_t index, bool always, bool own) {
    const block_t *block = &surely->schema->blocks.items[index];
    if (surely->budget == 0) {
        surely->open_names = surely->open_items = true;
        return;
    }
    surely->budget--;
    const op_t *ops = &surely->schema->ops.items[block->ops];
    for (uint32_t i = 0; i < block->cut[GROUP_COUNT]; i++) {
        if (always || (ops[i].code != OP_REF && ops[i].code != OP_ALL)) see_op(surely, &ops[i], always, own);
        if (!always) see_condition(surely, &ops[i]);
    }
}

static surely_t see(const schema_t *schema, uint32_t index) {
    surely_t surely = {.schema = schema, .budget = MOST_BLOCKS};
    see_block(&surely, index, true, true);
    const block_t *block = &schema->blocks.items[index];
    for (uint32_t i = 0; i < block->cut[GROUP_COUNT]; i++) see_condition(&surely, &schema->ops.items[block->ops + i]);
    return surely;
}

/* ---- A block's instructions, taken apart and put together again ---- */

typedef struct draft {
    op_t ops[GROUP_COUNT][UINT8_MAX];
    uint8_t counts[GROUP_COUNT];
} draft_t;

static void take_apart(const schema_t *schema, const block_t *block, draft_t *draft) {
    for (unsigned g = 0; g < GROUP_COUNT; g++) {
        draft->counts[g] = (uint8_t)(block->cut[g + 1] - block->cut[g]);
        memcpy(draft->ops[g], &schema->ops.items[block->ops + block->cut[g]], draft->counts[g] * sizeof(op_t));
    }
}

static void drop(draft_t *draft, op_group_t group, unsigned i) {
    draft->counts[group]--;
    memmove(&draft->ops[group][i], &draft->ops[group][i + 1], (draft->counts[group] - i) * sizeof(op_t));
}

static op_t *find_op(draft_t *draft, op_group_t group, op_code_t code) {
    for (unsigned i = 0; i < draft->counts[group]; i++) {
        if (draft->ops[group][i].code == code) return &draft->ops[group][i];
    }
    return NULL;
}

static void put_together(schema_t *schema, uint32_t index, const draft_t *draft) {
    block_t *block = &schema->blocks.items[index];
    block->ops = schema->ops.count;
    for (unsigned g = 0; g < GROUP_COUNT; g++) {
        block->cut[g] = (uint8_t)(schema->ops.count - block->ops);
        for (unsigned i = 0; i < draft->counts[g]; i++) *LIST_ADD(&schema->ops) = draft->ops[g][i];
    }
    block->cut[GROUP_COUNT] = (uint8_t)(schema->ops.count - block->ops);
    block->active = schema_active_types(draft->counts);
}

static name_t *name_of(name_t *names, uint32_t count, text_t text) {
    for (uint32_t i = 0; i < count; i++) {
        if (names[i].text.len == text.len && memcmp(names[i].text.data, text.data, text.len) == 0) return &names[i];
    }
    return NULL;
}

/* The names of a plan as a list of their own, into which others go. */
typedef struct names {
    LIST(name_t) list;
} names_t;

static void add_plan_names(const schema_t *schema, const plan_t *plan, names_t *names) {
    for (uint32_t i = 0; i < plan->name_count; i++) *LIST_ADD(&names->list) = schema->names.items[plan->names + i];
}

/* ---- Unevaluated ---- */

static const plan_t no_plan = {.additional = NONE, .property_names = NONE, .rest = KEYWORD_ADDITIONAL_PROPERTIES};

/* Adds what other blocks evaluate by pattern. */
static void add_patterns(schema_t *schema, plan_t *plan, const surely_t *surely) {
    if (surely->patterns.count == 0) return;
    uint32_t first = schema->pattern_properties.count;
    for (uint32_t i = 0; i < plan->pattern_count; i++) {
        pattern_property_t own = schema->pattern_properties.items[plan->patterns + i];
        *LIST_ADD(&schema->pattern_properties) = own;
    }
    for (uint32_t i = 0; i < surely->patterns.count; i++)
        *LIST_ADD(&schema->pattern_properties) = (pattern_property_t){surely->patterns.items[i], NONE};
    plan->patterns = first;
    plan->pattern_count = schema->pattern_properties.count - first;
}

/* What is for all members but those that are known to be evaluated is what `additionalProperties` does. */
static void settle_names(schema_t *schema, draft_t *draft, const surely_t *surely, const op_t *late) {
    op_t *op = find_op(draft, GROUP_OBJECT, OP_OBJECT);
    plan_t plan = op ? schema->plans.items[op->a] : no_plan;
    names_t names = {0};
    add_plan_names(schema, &plan, &names);
    for (uint32_t i = 0; i < surely->names.count; i++) {
        name_t *name = name_of(names.list.items, names.list.count, surely->names.items[i]);
        if (!name) *(name = LIST_ADD(&names.list)) = (name_t){.text = surely->names.items[i], .block = NONE};
        name->elsewhere = name->block == NONE;
    }
    add_patterns(schema, &plan, surely);
    plan.additional = late->a;
    plan.rest = KEYWORD_UNEVALUATED_PROPERTIES;
    if (!op) op = &draft->ops[GROUP_OBJECT][draft->counts[GROUP_OBJECT]++];
    *op = (op_t){.code = OP_OBJECT, .keyword = KEYWORD_PROPERTIES};
    op->a = schema_add_plan(schema, &plan, names.list.items, names.list.count);
    free(names.list.items);
}

/* Whether nothing of it is left to be done while a document is validated. */
static bool settle_late(schema_t *schema, draft_t *draft, const surely_t *surely, const op_t *late) {
    if (late->code == OP_UNEVALUATED_ITEMS) {
        if (surely->all_items) return true;
        if (surely->open_items) return false;
        draft->ops[GROUP_ARRAY][draft->counts[GROUP_ARRAY]++] =
            (op_t){.code = OP_ITEMS, .keyword = late->keyword, .a = late->a, .b = surely->upto};
        return true;
    }
    if (surely->all_names) return true;
    if (surely->open_names) return false;
    settle_names(schema, draft, surely, late);
    return true;
}

static void settle_block(schema_t *schema, uint32_t index, draft_t *draft) {
    surely_t surely = see(schema, index);
    take_apart(schema, &schema->blocks.items[index], draft);
    for (unsigned i = draft->counts[GROUP_LATE]; i-- > 0;) {
        op_t late = draft->ops[GROUP_LATE][i];
        if (settle_late(schema, draft, &surely, &late)) drop(draft, GROUP_LATE, i);
    }
    free(surely.names.items);
    free(surely.patterns.items);
    if (draft->counts[GROUP_LATE] == 0) schema->blocks.items[index].flags &= (uint8_t)~BLOCK_TRACK;
    put_together(schema, index, draft);
}

/* ---- Several blocks as one ---- */

/* The plan of a block that only says which members there must be, and of what kind, and has nothing to say about the
   rest; NULL for others. */
static const plan_t *plain_plan(const schema_t *schema, const block_t *block) {
    if (block->flags || block->cut[GROUP_COUNT] > 1) return NULL;
    if (block->cut[GROUP_COUNT] == 0) return &no_plan;
    const op_t *op = &schema->ops.items[block->ops];
    return op->code == OP_OBJECT && schema->plans.items[op->a].few ? &schema->plans.items[op->a] : NULL;
}

typedef struct merge {
    schema_t *schema;
    uint16_t types;
    names_t names;
    draft_t *draft;
    unsigned budget;
    bool any, failed;
} merge_t;

/* Whether the names of a block can stand beside those that there are. */
static bool fits(const merge_t *merge, const plan_t *plan) {
    for (uint32_t i = 0; i < plan->name_count; i++) {
        const name_t *name = &merge->schema->names.items[plan->names + i];
        const name_t *other = name_of(merge->names.list.items, merge->names.list.count, name->text);
        if (other && other->block != NONE && name->block != NONE) return false;
    }
    return merge->names.list.count + plan->name_count <= MOST_NAMES;
}

static void merge_plan(merge_t *merge, const plan_t *plan) {
    for (uint32_t i = 0; i < plan->name_count; i++) {
        name_t name = merge->schema->names.items[plan->names + i];
        name_t *other = name_of(merge->names.list.items, merge->names.list.count, name.text);
        if (!other) {
            *LIST_ADD(&merge->names.list) = name;
            continue;
        }
        other->required |= name.required;
        if (name.block != NONE) other->block = name.block;
    }
}

/* Takes a block in, or leaves a reference to it. */
static void merge_block(merge_t *merge, uint32_t index, const op_t *origin) {
    const schema_t *schema = merge->schema;
    const block_t *block = &schema->blocks.items[index];
    const op_t *op = &schema->ops.items[block->ops];
    bool only_refers = !block->flags && block->cut[GROUP_COUNT] == 1 && (op->code == OP_REF || op->code == OP_ALL);
    if (merge->budget > 0 && only_refers) {
        merge->budget--;
        merge->types &= block->types;
        merge->any = true;
        op_t inner = *op;
        if (inner.code == OP_REF) merge_block(merge, inner.a, &inner);
        for (uint32_t i = 0; inner.code == OP_ALL && i < inner.b; i++)
            merge_block(merge, schema->children.items[inner.a + i], &inner);
        return;
    }
    const plan_t *plan = plain_plan(schema, block);
    if (merge->budget > 0 && plan && fits(merge, plan)) {
        merge->budget--;
        merge->types &= block->types;
        merge->any = true;
        merge_plan(merge, plan);
        return;
    }
    if (merge->draft->counts[GROUP_ANY] < UINT8_MAX / 2)
        merge->draft->ops[GROUP_ANY][merge->draft->counts[GROUP_ANY]++] =
            (op_t){.code = OP_REF, .keyword = origin->keyword, .a = index};
    else
        merge->failed = true; /* too many */
}

/* The plan that takes the others in; false where they would not have the same meaning there. */
static bool open_merge(merge_t *merge, const block_t *block, plan_t *plan) {
    unsigned references = 0, objects = 0;
    for (unsigned g = 0; g < GROUP_COUNT; g++) {
        for (unsigned i = 0; i < merge->draft->counts[g]; i++) {
            op_code_t code = (op_code_t)merge->draft->ops[g][i].code;
            references += code == OP_REF || code == OP_ALL;
            objects += code == OP_OBJECT;
        }
    }
    if (block->flags || references == 0) return false;
    if (objects == 0) return true;
    *plan = merge->schema->plans.items[find_op(merge->draft, GROUP_OBJECT, OP_OBJECT)->a];
    add_plan_names(merge->schema, plan, &merge->names);
    return plan->quick && (plan->additional == NONE || plan->rest == KEYWORD_UNEVALUATED_PROPERTIES);
}

static void close_merge(merge_t *merge, uint32_t index, plan_t *plan) {
    schema_t *schema = merge->schema;
    if (merge->names.list.count > 0) {
        op_t *op = find_op(merge->draft, GROUP_OBJECT, OP_OBJECT);
        if (!op) op = &merge->draft->ops[GROUP_OBJECT][merge->draft->counts[GROUP_OBJECT]++];
        *op = (op_t){.code = OP_OBJECT, .keyword = KEYWORD_PROPERTIES};
        op->a = schema_add_plan(schema, plan, merge->names.list.items, merge->names.list.count);
    }
    block_t block = schema->blocks.items[index];
    block.types = merge->types;
    *LIST_ADD(&schema->blocks) = block;
    put_together(schema, schema->blocks.count - 1, merge->draft);
    schema->blocks.items[index].merged = schema->blocks.count - 1;
}

static void merge_all(schema_t *schema, uint32_t index, draft_t *draft) {
    const block_t block = schema->blocks.items[index];
    merge_t merge = {.schema = schema, .types = block.types, .draft = draft, .budget = MOST_BLOCKS};
    plan_t plan = no_plan;
    take_apart(schema, &block, draft);
    if (open_merge(&merge, &block, &plan)) {
        op_t ops[UINT8_MAX];
        unsigned count = draft->counts[GROUP_ANY];
        memcpy(ops, draft->ops[GROUP_ANY], count * sizeof *ops);
        draft->counts[GROUP_ANY] = 0;
        for (unsigned i = 0; i < count; i++) {
            if (ops[i].code == OP_REF)
                merge_block(&merge, ops[i].a, &ops[i]);
            else if (ops[i].code != OP_ALL)
                draft->ops[GROUP_ANY][draft->counts[GROUP_ANY]++] = ops[i];
            for (uint32_t k = 0; ops[i].code == OP_ALL && k < ops[i].b; k++)
                merge_block(&merge, schema->children.items[ops[i].a + k], &ops[i]);
        }
        if (merge.any && !merge.failed) close_merge(&merge, index, &plan);
    }
    free(merge.names.list.items);
}

void schema_settle(schema_t *schema) {
    draft_t *draft = mem_alloc(sizeof *draft);
    uint32_t count = schema->blocks.count;
    for (uint32_t b = 0; b < count; b++) {
        if (schema->blocks.items[b].flags & BLOCK_TRACK) settle_block(schema, b, draft);
    }
    for (uint32_t b = 0; b < count; b++) merge_all(schema, b, draft);
    free(draft);
}
