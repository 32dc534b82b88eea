/* Compiles subschemas into blocks of instructions. A block is reserved when something refers to it and filled later
   from a list, so that no schema nests calls, and what belongs to a block stands together. */
#include "common/mem.h"
#include "common/schema_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void *schema_list_grow(void *items, uint32_t count, uint32_t *room, size_t size) {
    if (count == *room) {
        *room = count ? count * 2 : 8;
        items = mem_resize(items, *room, size);
    }
    memset((char *)items + count * size, 0, size);
    return items;
}

bool schema_refuse(compiler_t *compiler, uint32_t place, const char *keyword, const char *format, ...) {
    const schema_t *schema = compiler->schema;
    char reason[384];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    char *pointer = schema_place_pointer(schema, place, false);
    const resource_t *resource = &schema->resources.items[schema->places.items[place].resource];
    err_set(compiler->error, STATUS_FATAL, "%s#%s%s%s: %s", schema->documents.items[resource->document].name, pointer,
            keyword ? "/" : "", keyword ? keyword : "", reason);
    free(pointer);
    return false;
}

uint32_t schema_block(compiler_t *compiler, uint32_t index) {
    schema_t *schema = compiler->schema;
    place_t *place = &schema->places.items[index];
    if (place->block == NONE) {
        LIST_ADD(&schema->blocks)->place = index;
        place->block = schema->blocks.count - 1;
        schema->resources.items[place->resource].reached = true;
        *LIST_ADD(&compiler->pending) = index;
    }
    return place->block;
}

/* In drafts 06 and 07 a reference stands for all that is beside it. */
static bool only_reference(const build_t *build, const json_t *node) {
    return build->dialect.drafts & D_OLD && json_is_string(json_object_get(node, "$ref"));
}

static bool find_keywords(build_t *build, const json_t *node) {
    bool only = only_reference(build, node);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)node, key, value) {
        keyword_t keyword = schema_keyword_find(key);
        if (keyword == KEYWORD_COUNT) {
            bool bad = build->compiler->options->strict && strncmp(key, "x-", 2) != 0;
            if (bad) return schema_refuse(build->compiler, build->place, key, "no draft has this keyword");
            continue;
        }
        const keyword_row_t *row = &schema_keywords[keyword];
        if (!(row->drafts & build->dialect.drafts) || !(row->vocabulary & build->dialect.vocabularies)) continue;
        if (only && keyword != KEYWORD_REF && keyword != KEYWORD_DEFINITIONS) continue;
        build->found[keyword] = value;
    }
    return true;
}

uint8_t schema_active_types(const uint8_t counts[GROUP_COUNT]) {
    static const uint8_t of_group[GROUP_COUNT] = {
        [GROUP_OBJECT] = TYPE_OBJECT,
        [GROUP_ARRAY] = TYPE_ARRAY,
        [GROUP_STRING] = TYPE_STRING,
        [GROUP_NUMBER] = TYPE_INTEGER | TYPE_REAL,
        [GROUP_ANY] = 0xff,
        [GROUP_LATE] = TYPE_OBJECT | TYPE_ARRAY,
    };
    uint8_t active = 0;
    for (unsigned g = 0; g < GROUP_COUNT; g++) active |= counts[g] ? of_group[g] : 0;
    return active;
}

/* What schema_entry_word() reads of an entry with this key. */
static uint64_t entry_word(text_t key) {
    char bytes[16];
    uint64_t word;
    if (key.len >= 8) {
        memcpy(&word, key.data + key.len - 8, 8);
        return word;
    }
    memcpy(bytes, &key.len, 8);
    memcpy(bytes + 8, key.data, key.len);
    memcpy(&word, bytes + key.len, 8);
    return word;
}

uint32_t schema_add_plan(schema_t *schema, const plan_t *from, const name_t *names, uint32_t count) {
    plan_t plan = *from;
    plan.names = schema->names.count;
    plan.name_count = count;
    plan.required = 0;
    for (uint32_t i = 0; i < count; i++) {
        name_t *name = LIST_ADD(&schema->names);
        *name = names[i];
        schema_key_words(name->text.data, name->text.len, &name->head, &name->tail);
        name->word = entry_word(name->text);
        plan.required += name->required;
    }
    LIST_ADD(&schema->names)->text.len = NO_NAME;
    plan.quick = !plan.pattern_count && plan.property_names == NONE;
    plan.few = plan.quick && plan.additional == NONE;
    schema_names_index(schema, &plan);
    *LIST_ADD(&schema->plans) = plan;
    return schema->plans.count - 1;
}

static void finish_plan(build_t *build) {
    uint32_t plan = schema_add_plan(build->schema, &build->plan, build->names.items, build->names.count);
    build->ops[GROUP_OBJECT][build->counts[GROUP_OBJECT]++] =
        (op_t){.code = OP_OBJECT, .keyword = KEYWORD_PROPERTIES, .a = plan};
}

static void finish_block(build_t *build, uint32_t index) {
    schema_t *schema = build->schema;
    if (build->has_plan) finish_plan(build);
    block_t *block = &schema->blocks.items[index];
    block->types = build->types;
    block->flags = build->flags;
    block->active = schema_active_types(build->counts);
    block->ops = schema->ops.count;
    for (unsigned g = 0; g < GROUP_COUNT; g++) {
        block->cut[g] = (uint8_t)(schema->ops.count - block->ops);
        for (unsigned i = 0; i < build->counts[g]; i++) {
            *LIST_ADD(&schema->ops) = build->ops[g][i];
            if (build->ops[g][i].code != OP_DYNAMIC) continue;
            *LIST_ADD(&build->compiler->dynamic) = (dynamic_t){schema->ops.count - 1, build->dynamic};
            build->dynamic = NULL;
        }
    }
    block->cut[GROUP_COUNT] = (uint8_t)(schema->ops.count - block->ops);
}

static bool fill_object(compiler_t *compiler, uint32_t index, const json_t *node) {
    schema_t *schema = compiler->schema;
    uint32_t place = schema->blocks.items[index].place;
    build_t build = {.compiler = compiler, .schema = schema, .place = place, .types = TYPE_ALL};
    build.plan.additional = build.plan.property_names = NONE;
    build.plan.rest = KEYWORD_ADDITIONAL_PROPERTIES;
    build.dialect = schema->dialects.items[schema->resources.items[schema->places.items[place].resource].dialect];
    bool fine = find_keywords(&build, node);
    for (unsigned k = 0; fine && k < KEYWORD_COUNT; k++) {
        if (build.found[k]) fine = schema_compile_keyword(&build, (keyword_t)k);
    }
    if (fine) finish_block(&build, index);
    free(build.names.items);
    free(build.dynamic);
    return fine;
}

static bool fill_block(compiler_t *compiler, uint32_t index) {
    block_t *block = &compiler->schema->blocks.items[index];
    const json_t *node = compiler->schema->places.items[block->place].schema;
    if (json_is_object(node)) return fill_object(compiler, index, node);
    if (!json_is_boolean(node))
        return schema_refuse(compiler, block->place, NULL, "a schema is an object or a boolean");
    block->types = json_is_true(node) ? TYPE_ALL : 0;
    block->flags = json_is_true(node) ? 0 : BLOCK_NOTHING;
    return true;
}

bool schema_compile_pending(compiler_t *compiler) {
    while (compiler->pending.count > 0) {
        uint32_t place = compiler->pending.items[--compiler->pending.count];
        if (!fill_block(compiler, compiler->schema->places.items[place].block)) return false;
    }
    return true;
}
