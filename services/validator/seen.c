/* Commands that were decided and whose outcomes are not in the event store yet. */
#include "services/validator/seen.h"

#include "common/mem.h"

#include <stdlib.h>
#include <string.h>

#define uthash_fatal(message) abort()
#include <uthash.h>

typedef struct entry {
    struct entry *next; /* decided after it */
    int64_t offset;     /* of the outcome; -1: not known yet */
    char *key;          /* NULL: none */
    UT_hash_handle by_id, by_key;
    char id[];
} entry_t;

typedef struct part {
    entry_t *ids, *keys;
    entry_t *first, **end;
} part_t;

struct seen {
    part_t *parts;
    int partitions;
    size_t count;
};

seen_t *seen_new(int partitions) {
    seen_t *seen = mem_zero(1, sizeof *seen);
    seen->parts = mem_zero((size_t)partitions, sizeof *seen->parts);
    seen->partitions = partitions;
    for (int p = 0; p < partitions; p++) seen->parts[p].end = &seen->parts[p].first;
    return seen;
}

void seen_free(seen_t *seen) {
    if (!seen) return;
    for (int p = 0; p < seen->partitions; p++) seen_drop(seen, p);
    free(seen->parts);
    free(seen);
}

static entry_t *find_id(const seen_t *seen, int32_t partition, const char *id) {
    entry_t *entry;
    HASH_FIND(by_id, seen->parts[partition].ids, id, strlen(id), entry);
    return entry;
}

static entry_t *find_key(const seen_t *seen, int32_t partition, const char *key) {
    entry_t *entry;
    HASH_FIND(by_key, seen->parts[partition].keys, key, strlen(key), entry);
    return entry;
}

int64_t *seen_put(seen_t *seen, int32_t partition, const char *command_id, const char *key) {
    part_t *part = &seen->parts[partition];
    size_t len = strlen(command_id);
    entry_t *entry = mem_zero(1, sizeof *entry + len + 1);
    memcpy(entry->id, command_id, len + 1);
    entry->offset = -1;
    HASH_ADD_KEYPTR(by_id, part->ids, entry->id, len, entry);
    if (key && !find_key(seen, partition, key)) {
        entry->key = mem_string(key);
        HASH_ADD_KEYPTR(by_key, part->keys, entry->key, strlen(key), entry);
    }
    *part->end = entry;
    part->end = &entry->next;
    seen->count++;
    return &entry->offset;
}

bool seen_has(const seen_t *seen, int32_t partition, const char *command_id) {
    return find_id(seen, partition, command_id) != NULL;
}

const char *seen_by_key(const seen_t *seen, int32_t partition, const char *key) {
    const entry_t *entry = find_key(seen, partition, key);
    return entry ? entry->id : NULL;
}

static void forget_first(seen_t *seen, part_t *part) {
    entry_t *entry = part->first;
    part->first = entry->next;
    if (!part->first) part->end = &part->first;
    HASH_DELETE(by_id, part->ids, entry);
    if (entry->key) HASH_DELETE(by_key, part->keys, entry);
    free(entry->key);
    free(entry);
    seen->count--;
}

void seen_trim(seen_t *seen, int32_t partition, int64_t position) {
    part_t *part = &seen->parts[partition];
    while (part->first && part->first->offset >= 0 && part->first->offset < position) forget_first(seen, part);
}

void seen_drop(seen_t *seen, int32_t partition) {
    part_t *part = &seen->parts[partition];
    while (part->first) forget_first(seen, part);
}

size_t seen_count(const seen_t *seen) {
    return seen->count;
}
