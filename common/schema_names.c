/* The hash table of the names that an object's schema knows. Names are known when it is built, so a seed is sought
   with which no two of them meet. */
#include "common/schema_internal.h"

#define SEEDS 64 /* that are tried before collisions are accepted */

static uint32_t fill(schema_t *schema, const plan_t *plan, uint64_t seed) {
    uint32_t *slots = schema->slots.items + plan->slots, collisions = 0;
    memset(slots, 0xff, (plan->mask + 1) * sizeof *slots);
    for (uint32_t n = 0; n < plan->name_count; n++) {
        const name_t *name = &schema->names.items[plan->names + n];
        uint32_t i = (uint32_t)schema_key_hash(name->head, name->tail, name->text.len, seed) & plan->mask;
        for (; slots[i] != NONE; i = (i + 1) & plan->mask) collisions++;
        slots[i] = n;
    }
    return collisions;
}

void schema_names_index(schema_t *schema, plan_t *plan) {
    uint32_t size = 4;
    while (size < plan->name_count * 3) size *= 2;
    plan->mask = size - 1;
    plan->slots = schema->slots.count;
    for (uint32_t i = 0; i < size; i++) *LIST_ADD(&schema->slots) = NONE;
    uint64_t best = schema->secret;
    uint32_t least = UINT32_MAX;
    for (uint64_t k = 0; k < SEEDS && least > 0; k++) {
        uint64_t seed = schema->secret + k * 0x9e3779b97f4a7c15u;
        uint32_t collisions = fill(schema, plan, seed);
        if (collisions < least) {
            least = collisions;
            best = seed;
        }
        if (plan->name_count > 256) break; /* many names meet with any seed */
    }
    plan->seed = best;
    fill(schema, plan, best);
}
