/* What was decided and is not in the snapshot store yet. */
#include "services/validator/overlay.h"

#include "common/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define uthash_fatal(message) abort()
#include <uthash.h>

enum { NAME_SIZE = 256 }; /* "<type>:<id>" and "<type>:<field>:<digest>": 64, 128 and 43 characters at most */

typedef struct names {
    char **items;
    size_t count;
} names_t;

typedef struct entity {
    entity_state_t state;
    char *data; /* NULL: none */
    size_t data_len;
    size_t writes;    /* that are still held */
    names_t links;    /* "<type>:<id>" of what it links to */
    names_t values;   /* "<type>:<field>:<digest>" of the unique values that it has */
    UT_hash_handle hh;
    char name[]; /* "<type>:<id>" */
} entity_t;

/* How many entities link to a target, or have a unique value. */
typedef struct tally {
    size_t count;
    UT_hash_handle hh;
    char name[];
} tally_t;

typedef struct write {
    struct write *next;
    entity_t *entity;
    int64_t offset; /* -1: not known yet */
} write_t;

typedef struct part {
    entity_t *entities; /* by name */
    tally_t *targets;   /* of links, by name */
    write_t *first, **end;
} part_t;

struct overlay {
    part_t *parts;
    int count;
    tally_t *values; /* unique ones, of all partitions */
    size_t writes, bytes;
};

overlay_t *overlay_new(int partitions) {
    overlay_t *overlay = mem_zero(1, sizeof *overlay);
    overlay->parts = mem_zero((size_t)partitions, sizeof *overlay->parts);
    overlay->count = partitions;
    for (int p = 0; p < partitions; p++) overlay->parts[p].end = &overlay->parts[p].first;
    return overlay;
}

void overlay_free(overlay_t *overlay) {
    if (!overlay) return;
    for (int p = 0; p < overlay->count; p++) overlay_drop(overlay, p);
    free(overlay->parts);
    free(overlay);
}

static void name_of(char name[NAME_SIZE], const char *type, const char *id) {
    snprintf(name, NAME_SIZE, "%s:%s", type, id);
}

/* ---- names that are counted ---- */

static tally_t *tally_of(tally_t *tallies, const char *name) {
    tally_t *tally;
    HASH_FIND_STR(tallies, name, tally);
    return tally;
}

static void count_name(tally_t **tallies, const char *name, int change) {
    tally_t *tally = tally_of(*tallies, name);
    if (!tally) {
        size_t size = strlen(name) + 1;
        tally = mem_zero(1, sizeof *tally + size);
        memcpy(tally->name, name, size);
        HASH_ADD_STR(*tallies, name, tally);
    }
    tally->count += (size_t)change;
    if (tally->count > 0) return;
    HASH_DEL(*tallies, tally);
    free(tally);
}

static void keep_name(names_t *names, tally_t **tallies, const char *name) {
    names->items = mem_resize(names->items, names->count + 1, sizeof *names->items);
    names->items[names->count++] = mem_string(name);
    count_name(tallies, name, 1);
}

static void forget_names(names_t *names, tally_t **tallies) {
    for (size_t i = 0; i < names->count; i++) {
        count_name(tallies, names->items[i], -1);
        free(names->items[i]);
    }
    free(names->items);
    *names = (names_t){0};
}

/* ---- links ---- */

typedef struct linking {
    part_t *part;
    entity_t *entity;
} linking_t;

static bool keep_link(const link_t *link, void *context) {
    linking_t *linking = context;
    char name[NAME_SIZE];
    name_of(name, link->target->name, link->id);
    entity_t *entity = linking->entity;
    if (!strcmp(name, entity->name)) return true; /* a link to itself keeps nobody from deleting it */
    keep_name(&entity->links, &linking->part->targets, name);
    return true;
}

bool overlay_links_to(const overlay_t *overlay, int32_t partition, const char *target_type, const char *target_id) {
    char name[NAME_SIZE];
    name_of(name, target_type, target_id);
    return tally_of(overlay->parts[partition].targets, name) != NULL;
}

/* ---- unique values ---- */

typedef struct valuing {
    overlay_t *overlay;
    entity_t *entity;
    const char *type;
} valuing_t;

static void value_name(char name[NAME_SIZE], const char *type, const unique_t *value) {
    snprintf(name, NAME_SIZE, "%s:%s:%s", type, value->field, value->digest);
}

static bool keep_value(const unique_t *value, void *context) {
    valuing_t *valuing = context;
    char name[NAME_SIZE];
    value_name(name, valuing->type, value);
    keep_name(&valuing->entity->values, &valuing->overlay->values, name);
    return true;
}

static bool is_among(const names_t *names, const char *name) {
    for (size_t i = 0; i < names->count; i++)
        if (!strcmp(names->items[i], name)) return true;
    return false;
}

/* ---- entities ---- */

static entity_t *entity_at(part_t *part, const char *name) {
    entity_t *entity;
    HASH_FIND_STR(part->entities, name, entity);
    if (entity) return entity;
    size_t size = strlen(name) + 1;
    entity = mem_zero(1, sizeof *entity + size);
    memcpy(entity->name, name, size);
    HASH_ADD_STR(part->entities, name, entity);
    return entity;
}

static void set_data(overlay_t *overlay, entity_t *entity, json_span_t bytes) {
    overlay->bytes -= entity->data_len;
    free(entity->data);
    entity->data = bytes.text ? mem_copy(bytes.text, bytes.len) : NULL;
    entity->data_len = bytes.len;
    overlay->bytes += bytes.len;
}

int64_t *overlay_put(overlay_t *overlay, int32_t partition, const entity_type_t *type, const char *id,
                     const entity_state_t *state, const json_t *data, json_span_t bytes) {
    part_t *part = &overlay->parts[partition];
    char name[NAME_SIZE];
    name_of(name, type->name, id);
    entity_t *entity = entity_at(part, name);
    forget_names(&entity->links, &part->targets);
    forget_names(&entity->values, &overlay->values);
    entity->state = *state;
    set_data(overlay, entity, bytes);
    if (data) types_each_link(type, data, keep_link, &(linking_t){part, entity});
    if (data) types_each_unique(type, data, keep_value, &(valuing_t){overlay, entity, type->name});
    write_t *write = mem_zero(1, sizeof *write);
    *write = (write_t){.entity = entity, .offset = -1};
    entity->writes++;
    *part->end = write;
    part->end = &write->next;
    overlay->writes++;
    return &write->offset;
}

static const entity_t *find(const overlay_t *overlay, int32_t partition, const char *name) {
    entity_t *entity;
    HASH_FIND_STR(overlay->parts[partition].entities, name, entity);
    return entity;
}

const entity_state_t *overlay_get_key(const overlay_t *overlay, int32_t partition, const char *key) {
    const entity_t *entity = find(overlay, partition, key);
    return entity ? &entity->state : NULL;
}

json_span_t overlay_data(const overlay_t *overlay, int32_t partition, const char *type, const char *id) {
    char name[NAME_SIZE];
    name_of(name, type, id);
    const entity_t *entity = find(overlay, partition, name);
    return entity ? (json_span_t){entity->data, entity->data_len} : (json_span_t){0};
}

const entity_state_t *overlay_get(const overlay_t *overlay, int32_t partition, const char *type, const char *id) {
    char name[NAME_SIZE];
    name_of(name, type, id);
    return overlay_get_key(overlay, partition, name);
}

bool overlay_has_value(const overlay_t *overlay, int32_t partition, const char *type, const char *id,
                       const unique_t *value) {
    char name[NAME_SIZE];
    name_of(name, type, id);
    const entity_t *entity = find(overlay, partition, name);
    value_name(name, type, value);
    return entity && is_among(&entity->values, name);
}

bool overlay_others_have_value(const overlay_t *overlay, int32_t partition, const char *type, const char *id,
                               const unique_t *value) {
    char name[NAME_SIZE];
    value_name(name, type, value);
    const tally_t *tally = tally_of(overlay->values, name);
    return tally && tally->count > (size_t)overlay_has_value(overlay, partition, type, id, value);
}

static void forget_first(overlay_t *overlay, part_t *part) {
    write_t *write = part->first;
    entity_t *entity = write->entity;
    part->first = write->next;
    if (!part->first) part->end = &part->first;
    free(write);
    overlay->writes--;
    if (--entity->writes > 0) return;
    forget_names(&entity->links, &part->targets);
    forget_names(&entity->values, &overlay->values);
    set_data(overlay, entity, (json_span_t){0});
    HASH_DEL(part->entities, entity);
    free(entity);
}

void overlay_trim(overlay_t *overlay, int32_t partition, int64_t position) {
    part_t *part = &overlay->parts[partition];
    while (part->first && part->first->offset >= 0 && part->first->offset < position) forget_first(overlay, part);
}

void overlay_drop(overlay_t *overlay, int32_t partition) {
    part_t *part = &overlay->parts[partition];
    while (part->first) forget_first(overlay, part);
}

size_t overlay_writes(const overlay_t *overlay) {
    return overlay->writes;
}

size_t overlay_bytes(const overlay_t *overlay) {
    return overlay->bytes;
}

size_t overlay_entities(const overlay_t *overlay, int32_t partition) {
    return HASH_COUNT(overlay->parts[partition].entities);
}
