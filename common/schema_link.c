/* The last step of compiling: what dynamic references may mean, that no reference leads back to itself, and where
   things are. */
#include "common/mem.h"
#include "common/schema_internal.h"

#include <math.h>
#include <stdlib.h>

/* ---- Dynamic references ---- */

/* Whether an earlier reference looks for the same name: then that one stands for both. */
static bool is_repeated(json_t *names, const dynamic_t *dynamic, uint32_t index) {
    if (json_object_get(names, dynamic->name)) return true;
    json_object_set_new_nocheck(names, dynamic->name, json_integer(index));
    return false;
}

static bool compile_places(compiler_t *compiler, const char *name) {
    for (size_t i = 0; i < schema_registry_places(compiler, name); i++) {
        uint32_t place = schema_registry_place(compiler, name, i);
        if (compiler->schema->resources.items[compiler->schema->places.items[place].resource].reached)
            schema_block(compiler, place);
    }
    return schema_compile_pending(compiler);
}

/* Compiles what any resource that can be in scope has for the dynamic references, until that brings nothing new. */
static bool compile_candidates(compiler_t *compiler) {
    for (uint32_t known = NONE; known != compiler->schema->blocks.count;) {
        known = compiler->schema->blocks.count;
        json_t *names = json_object();
        bool fine = true;
        for (uint32_t d = 0; d < compiler->dynamic.count && fine; d++) {
            if (!is_repeated(names, &compiler->dynamic.items[d], d))
                fine = compile_places(compiler, compiler->dynamic.items[d].name);
        }
        json_decref(names);
        if (!fine) return false;
    }
    return true;
}

/* The candidates for a name, for the first reference that looks for it. */
static void add_candidates(compiler_t *compiler, op_t *op, const char *name) {
    schema_t *schema = compiler->schema;
    op->b = schema->candidates.count;
    for (size_t i = 0; i < schema_registry_places(compiler, name); i++) {
        const place_t *place = &schema->places.items[schema_registry_place(compiler, name, i)];
        if (place->block == NONE) continue;
        *LIST_ADD(&schema->candidates) = (candidate_t){place->resource, place->block};
        op->c++;
    }
}

/* Where there is only one answer, it is an ordinary reference. Whether any is more than that. */
static bool settle_candidates(compiler_t *compiler) {
    schema_t *schema = compiler->schema;
    json_t *names = json_object();
    bool any = false;
    for (uint32_t d = 0; d < compiler->dynamic.count; d++) {
        const dynamic_t *dynamic = &compiler->dynamic.items[d];
        op_t *op = &schema->ops.items[dynamic->op];
        if (is_repeated(names, dynamic, d)) {
            json_int_t first = json_integer_value(json_object_get(names, dynamic->name));
            op->b = schema->ops.items[compiler->dynamic.items[first].op].b;
            op->c = schema->ops.items[compiler->dynamic.items[first].op].c;
        } else {
            add_candidates(compiler, op, dynamic->name);
        }
        if (op->c == 1 && schema->candidates.items[op->b].block == op->a) op->code = OP_REF;
        any |= op->code == OP_DYNAMIC;
    }
    json_decref(names);
    return any;
}

static uint32_t resource_of(const schema_t *schema, uint32_t block) {
    return schema->places.items[schema->blocks.items[block].place].resource;
}

/* Blocks through which a resource is entered put it into the dynamic scope: its root, and what is referenced from
   another resource. */
static void flag_scopes(schema_t *schema) {
    for (uint32_t b = 0; b < schema->blocks.count; b++) {
        block_t *block = &schema->blocks.items[b];
        uint32_t own = resource_of(schema, b);
        if (schema->resources.items[own].place == block->place) block->flags |= BLOCK_SCOPE;
        for (uint32_t i = 0; i < block->cut[GROUP_COUNT]; i++) {
            const op_t *op = &schema->ops.items[block->ops + i];
            if (op->code != OP_REF && op->code != OP_DYNAMIC) continue;
            if (resource_of(schema, op->a) != own) schema->blocks.items[op->a].flags |= BLOCK_SCOPE;
        }
    }
    for (uint32_t i = 0; i < schema->candidates.count; i++)
        schema->blocks.items[schema->candidates.items[i].block].flags |= BLOCK_SCOPE;
}

/* ---- Circles ---- */

typedef struct edges {
    LIST(uint32_t) targets;
    uint32_t *first; /* by block, and the end */
} edges_t;

static void add_edge(edges_t *edges, uint32_t block) {
    if (block != NONE) *LIST_ADD(&edges->targets) = block;
}

/* The blocks that an instruction applies to the same value. */
static void add_edges(edges_t *edges, const schema_t *schema, const op_t *op) {
    switch (op->code) {
    case OP_REF:
    case OP_NOT: add_edge(edges, op->a); break;
    case OP_ALL:
    case OP_ANY:
    case OP_ONE:
        for (uint32_t i = 0; i < op->b; i++) add_edge(edges, schema->children.items[op->a + i]);
        break;
    case OP_IF:
        add_edge(edges, op->a);
        add_edge(edges, op->b);
        add_edge(edges, op->c);
        break;
    case OP_DEPENDENCIES:
        for (uint32_t i = 0; i < op->b; i++) add_edge(edges, schema->dependencies.items[op->a + i].block);
        break;
    default: break;
    }
}

static void find_edges(edges_t *edges, const schema_t *schema) {
    edges->first = mem_alloc((schema->blocks.count + 1) * sizeof *edges->first);
    for (uint32_t b = 0; b < schema->blocks.count; b++) {
        const block_t *block = &schema->blocks.items[b];
        edges->first[b] = edges->targets.count;
        for (uint32_t i = 0; i < block->cut[GROUP_COUNT]; i++)
            add_edges(edges, schema, &schema->ops.items[block->ops + i]);
    }
    edges->first[schema->blocks.count] = edges->targets.count;
}

/* A block from which one comes back to it, NONE when there is none: a search in depth with its own stack. */
static uint32_t find_circle(const edges_t *edges, uint32_t count) {
    enum { NEW, OPEN, DONE };
    uint8_t *state = mem_zero(count, 1);
    uint32_t *next = mem_alloc(count * sizeof *next), *stack = mem_alloc(count * sizeof *stack), circle = NONE;
    for (uint32_t start = 0; start < count && circle == NONE; start++) {
        uint32_t depth = 0;
        if (state[start] != NEW) continue;
        stack[depth++] = start;
        while (depth > 0 && circle == NONE) {
            uint32_t block = stack[depth - 1];
            if (state[block] == NEW) next[block] = edges->first[block];
            state[block] = OPEN;
            if (next[block] == edges->first[block + 1]) {
                state[block] = DONE;
                depth--;
                continue;
            }
            uint32_t target = edges->targets.items[next[block]++];
            if (state[target] == OPEN) circle = target;
            if (state[target] == NEW) stack[depth++] = target;
        }
    }
    free(state);
    free(next);
    free(stack);
    return circle;
}

/* ---- Addresses ---- */

/* The block that decides where one is but a reference, or says the same in one. Only its answer is the same: paths
   lead through each. */
static uint32_t behind(const schema_t *schema, uint32_t index) {
    for (;;) {
        const block_t *block = &schema->blocks.items[index];
        const op_t *op = &schema->ops.items[block->ops];
        if (block->merged) return block->merged;
        if (block->types != TYPE_ALL || block->flags || block->cut[GROUP_COUNT] != 1 || op->code != OP_REF)
            return index;
        index = op->a;
    }
}

static void narrow_string(block_t *block, const op_t *op) {
    uint32_t count = op->integer < UINT32_MAX / 8 ? (uint32_t)op->integer : UINT32_MAX;
    if (op->code == OP_MAX_LENGTH)
        block->longest = count;
    else if (count > 0) /* a code point is at most four bytes */
        block->shortest = count == UINT32_MAX ? count : count * 4 - 3;
}

/* Numbers as large as this are left to the instructions. */
#define NEARLY_ALL 0x1p52

static bool narrow_number(block_t *block, const op_t *op) {
    double real = op->flag ? op->real : (double)op->integer;
    if (op->code == OP_MULTIPLE || !(fabs(real) < NEARLY_ALL)) return false;
    bool upper = op->code == OP_MAXIMUM || op->code == OP_EXCLUSIVE_MAXIMUM;
    bool open = op->code == OP_EXCLUSIVE_MAXIMUM || op->code == OP_EXCLUSIVE_MINIMUM;
    if (upper) {
        double most = open ? nextafter(real, -INFINITY) : real;
        int64_t whole = (int64_t)floor(most);
        if (most < block->most_real) block->most_real = most;
        if (open && real == floor(real)) whole = (int64_t)real - 1;
        if (whole < block->most) block->most = whole;
    } else {
        double least = open ? nextafter(real, INFINITY) : real;
        int64_t whole = (int64_t)ceil(least);
        if (least > block->least_real) block->least_real = least;
        if (open && real == floor(real)) whole = (int64_t)real + 1;
        if (whole > block->least) block->least = whole;
    }
    return true;
}

/* Finds out for which types a block is no more than bounds. */
static void set_quick(const schema_t *schema, block_t *block) {
    const op_t *ops = &schema->ops.items[block->ops];
    uint8_t quick = TYPE_STRING | TYPE_INTEGER | TYPE_REAL;
    block->longest = UINT32_MAX;
    block->least = INT64_MIN;
    block->most = INT64_MAX;
    block->least_real = -INFINITY;
    block->most_real = INFINITY;
    for (unsigned i = block->cut[GROUP_STRING]; i < block->cut[GROUP_STRING + 1]; i++) {
        if (ops[i].code == OP_MIN_LENGTH || ops[i].code == OP_MAX_LENGTH)
            narrow_string(block, &ops[i]);
        else
            quick &= (uint8_t)~TYPE_STRING;
    }
    for (unsigned i = block->cut[GROUP_NUMBER]; i < block->cut[GROUP_NUMBER + 1]; i++) {
        if (!narrow_number(block, &ops[i])) quick &= (uint8_t)~(TYPE_INTEGER | TYPE_REAL);
    }
    bool more = block->flags || block->cut[GROUP_ANY] != block->cut[GROUP_COUNT];
    block->quick = schema->direct && !more ? quick : 0;
}

static void set_name(schema_t *schema, name_t *name, bool rest) {
    if (name->block == NONE) { /* anything will do, unless there is something to say about the rest */
        name->types = name->elsewhere || !rest ? TYPE_ALL : 0;
        return;
    }
    name->target = behind(schema, name->block);
    name->types = schema->blocks.items[name->target].types;
    name->active = schema->blocks.items[name->target].active;
}

/* The arrays stay where they are from now on. */
static void set_addresses(schema_t *schema) {
    for (uint32_t i = 0; i < schema->plans.count; i++) {
        plan_t *plan = &schema->plans.items[i];
        plan->slot_at = &schema->slots.items[plan->slots];
        plan->name_at = &schema->names.items[plan->names];
        if (plan->additional != NONE) plan->additional_target = behind(schema, plan->additional);
        for (uint32_t n = 0; n < plan->name_count; n++)
            set_name(schema, &schema->names.items[plan->names + n], plan->additional != NONE);
    }
    for (uint32_t i = 0; i < schema->blocks.count; i++) set_quick(schema, &schema->blocks.items[i]);
    for (uint32_t i = 0; i < schema->ops.count; i++) {
        op_t *op = &schema->ops.items[i];
        if (op->code == OP_ITEMS || op->code == OP_REF) op->c = behind(schema, op->a);
    }
    schema->root_target = behind(schema, schema->root);
}

bool schema_link(compiler_t *compiler) {
    schema_t *schema = compiler->schema;
    if (!compile_candidates(compiler)) return false;
    if (settle_candidates(compiler)) flag_scopes(schema);
    edges_t edges = {0};
    find_edges(&edges, schema);
    uint32_t circle = find_circle(&edges, schema->blocks.count);
    free(edges.targets.items);
    free(edges.first);
    if (circle != NONE)
        return schema_refuse(compiler, schema->blocks.items[circle].place, NULL,
                             "references lead back here on the same value, without end");
    if (!compiler->options->literal) schema_settle(schema);
    set_addresses(schema);
    return true;
}
