/* Which events a live stream gives. */
#include "services/query-api/sieve.h"

#include "common/mem.h"
#include "model/id.h"

#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_BYTES = 256, IDS_MAX = 1000 };

int sieve_kind(const types_t *types, const char *event, size_t len) {
    char name[NAME_MAX_BYTES];
    verb_t verb;
    if (len >= sizeof name) return SIEVE_UNKNOWN;
    memcpy(name, event, len);
    name[len] = '\0';
    const entity_type_t *type = types_of_event(types, name, &verb);
    return type ? (int)(type - types->items) * VERB_COUNT + (int)verb : SIEVE_UNKNOWN;
}

void sieve_free(sieve_t *filter) {
    for (size_t i = 0; i < filter->ids_count; i++) free(filter->ids[i]);
    free(filter->ids);
    *filter = (sieve_t){0};
}

static bool has(const sieve_t *filter, int kind) {
    if (!filter->by_kind) return true;
    return kind >= 0 && kind < SIEVE_KINDS && filter->kinds[kind / 64] >> (kind % 64) & 1;
}

static void add_type(uint64_t *kinds, const types_t *types, const entity_type_t *type) {
    for (int verb = 0; verb < VERB_COUNT; verb++) {
        size_t kind = (size_t)(type - types->items) * VERB_COUNT + (size_t)verb;
        kinds[kind / 64] |= 1ULL << (kind % 64);
    }
}

void sieve_set_type(sieve_t *filter, const types_t *types, const entity_type_t *type) {
    filter->by_kind = true;
    add_type(filter->kinds, types, type);
}

/* Adds what a name stands for: an event, or all of a type. */
static bool add_name(const sieve_t *filter, uint64_t *kinds, const types_t *types, const char *name, size_t len) {
    int kind = sieve_kind(types, name, len);
    if (kind >= 0) kinds[kind / 64] |= 1ULL << (kind % 64);
    for (size_t i = 0; i < types->count && kind < 0; i++) {
        const entity_type_t *type = &types->items[i];
        if (strlen(type->name) != len || memcmp(type->name, name, len)) continue;
        kind = (int)i * VERB_COUNT;
        add_type(kinds, types, type);
    }
    return kind >= 0 && has(filter, kind);
}

bool sieve_set_types(sieve_t *filter, const types_t *types, const char *list, err_t *error) {
    uint64_t kinds[SIEVE_KINDS / 64] = {0};
    for (const char *at = list;; at++) {
        size_t len = strcspn(at, ",");
        if (!add_name(filter, kinds, types, at, len)) {
            err_set(error, STATUS_FATAL, "\"%.*s\" is no event and no entity type of this stream.",
                    (int)(len < 64 ? len : 64), at);
            return false;
        }
        at += len;
        if (!*at) break;
    }
    filter->by_kind = true;
    memcpy(filter->kinds, kinds, sizeof kinds);
    return true;
}

static int compare(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

bool sieve_set_ids(sieve_t *filter, const char *list, err_t *error) {
    for (const char *at = list;; at++) {
        size_t len = strcspn(at, ",");
        char *id = mem_copy(at, len);
        if (!id_valid(id) || filter->ids_count == IDS_MAX) {
            err_set(error, STATUS_FATAL, id_valid(id) ? "There may be %d ids at most." : "The parameter \"id\" must be a list of entity ids.",
                    IDS_MAX);
            free(id);
            return false;
        }
        filter->ids = mem_resize(filter->ids, filter->ids_count + 1, sizeof *filter->ids);
        filter->ids[filter->ids_count++] = id;
        at += len;
        if (!*at) break;
    }
    qsort(filter->ids, filter->ids_count, sizeof *filter->ids, compare);
    return true;
}

bool sieve_takes(const sieve_t *filter, int kind, const char *id) {
    if (!has(filter, kind)) return false;
    return filter->ids_count == 0 || bsearch(&id, filter->ids, filter->ids_count, sizeof *filter->ids, compare);
}
