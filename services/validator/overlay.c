/* What was decided and is not in the snapshot store yet. */
#include "services/validator/overlay.h"

#include "common/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define uthash_fatal(message) abort()
#include <uthash.h>

enum { NAME_SIZE = 256 }; /* "<type>:<id>": 64 and 128 characters at most */

typedef struct entity {
    entity_state_t state;
    char *data; /* NULL: none */
    size_t data_len;
    size_t writes;    /* that are still held */
    char **links;     /* "<type>:<id>" of what it links to */
    size_t links_count;
    UT_hash_handle hh;
    char name[]; /* "<type>:<id>" */
} entity_t;

/* How many entities of the overlay link to a target. */
typedef struct target {
    size_t count;
    UT_hash_handle hh;
    char name[];
} target_t;

typedef struct write {
    struct write *next;
    entity_t *entity;
    int64_t offset; /* -1: not known yet */
} write_t;

typedef struct part {
    entity_t *entities; /* by name */
    target_t *targets;  /* by name */
    write_t *first, **end;
} part_t;

struct overlay {
    part_t *parts;
    int count;
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

/* ---- links ---- */

static void count_target(part_t *part, const char *name, int change) {
    target_t *target;
    HASH_FIND_STR(part->targets, name, target);
    if (!target) {
        size_t size = strlen(name) + 1;
        target = mem_zero(1, sizeof *target + size);
        memcpy(target->name, name, size);
        HASH_ADD_STR(part->targets, name, target);
    }
    target->count += (size_t)change;
    if (target->count > 0) return;
    HASH_DEL(part->targets, target);
    free(target);
}

static void forget_links(part_t *part, entity_t *entity) {
    for (size_t i = 0; i < entity->links_count; i++) {
        count_target(part, entity->links[i], -1);
        free(entity->links[i]);
    }
    free(entity->links);
    entity->links = NULL;
    entity->links_count = 0;
}

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
    entity->links = mem_resize(entity->links, entity->links_count + 1, sizeof *entity->links);
    entity->links[entity->links_count++] = mem_string(name);
    count_target(linking->part, name, 1);
    return true;
}

bool overlay_links_to(const overlay_t *overlay, int32_t partition, const char *target_type, const char *target_id) {
    char name[NAME_SIZE];
    target_t *target;
    name_of(name, target_type, target_id);
    HASH_FIND_STR(overlay->parts[partition].targets, name, target);
    return target != NULL;
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
    forget_links(part, entity);
    entity->state = *state;
    set_data(overlay, entity, bytes);
    if (data) types_each_link(type, data, keep_link, &(linking_t){part, entity});
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

static void forget_first(overlay_t *overlay, part_t *part) {
    write_t *write = part->first;
    entity_t *entity = write->entity;
    part->first = write->next;
    if (!part->first) part->end = &part->first;
    free(write);
    overlay->writes--;
    if (--entity->writes > 0) return;
    forget_links(part, entity);
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
