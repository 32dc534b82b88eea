/* Values as the specification compares them: numbers by value, objects without order. Sets of values are found by
   hash, under a secret, so that no document can be made of values that all meet. */
#include "common/mem.h"
#include "common/schema_internal.h"

#include <stdlib.h>

#define MAX_NESTING 4096   /* of values that are compared */
#define SMALL 16           /* items that are compared pair by pair */
#define STACK_SLOTS 512    /* of the table for arrays of up to half as many items */

static bool equal(const json_t *a, const json_t *b, int64_t *steps, unsigned depth);

static bool equal_numbers(const json_t *a, const json_t *b) {
    if (json_is_integer(a)) {
        return json_is_integer(b) ? json_integer_value(a) == json_integer_value(b)
                                  : schema_compare_mixed(json_integer_value(a), json_real_value(b)) == 0;
    }
    return json_is_integer(b) ? schema_compare_mixed(json_integer_value(b), json_real_value(a)) == 0
                              : json_real_value(a) == json_real_value(b);
}

static bool equal_strings(const json_t *a, const json_t *b) {
    size_t len = json_string_length(a);
    return len == json_string_length(b) && memcmp(json_string_value(a), json_string_value(b), len) == 0;
}

static bool equal_arrays(const json_t *a, const json_t *b, int64_t *steps, unsigned depth) {
    size_t count = json_array_size(a);
    if (count != json_array_size(b)) return false;
    for (size_t i = 0; i < count; i++) {
        if (!equal(json_array_get(a, i), json_array_get(b, i), steps, depth)) return false;
    }
    return true;
}

static bool equal_objects(const json_t *a, const json_t *b, int64_t *steps, unsigned depth) {
    if (json_object_size(a) != json_object_size(b)) return false;
    const char *key;
    size_t len;
    json_t *value;
    json_object_keylen_foreach((json_t *)a, key, len, value) {
        const json_t *other = json_object_getn(b, key, len);
        if (!other || !equal(value, other, steps, depth)) return false;
    }
    return true;
}

static bool equal(const json_t *a, const json_t *b, int64_t *steps, unsigned depth) {
    if (--*steps < 0 || depth > MAX_NESTING) {
        *steps = -1;
        return false;
    }
    if (json_is_number(a)) return json_is_number(b) && equal_numbers(a, b);
    if (json_typeof(a) != json_typeof(b)) return false;
    switch (json_typeof(a)) {
    case JSON_STRING: return equal_strings(a, b);
    case JSON_ARRAY: return equal_arrays(a, b, steps, depth + 1);
    case JSON_OBJECT: return equal_objects(a, b, steps, depth + 1);
    default: return true;
    }
}

bool schema_equal(const json_t *a, const json_t *b, int64_t *steps) {
    return equal(a, b, steps, 0);
}

/* ---- Hashes ---- */

static uint64_t hash_bytes(const char *data, size_t len, uint64_t seed) {
    uint64_t hash = schema_mix(seed, len), a, b;
    for (; len > 16; data += 16, len -= 16) {
        memcpy(&a, data, 8);
        memcpy(&b, data + 8, 8);
        hash = schema_mix(a ^ seed, b ^ hash);
    }
    schema_key_words(data, len, &a, &b);
    return schema_mix(a ^ seed, b ^ hash);
}

static uint64_t hash_number(const json_t *number, uint64_t secret) {
    if (json_is_integer(number)) return schema_mix((uint64_t)json_integer_value(number) ^ secret, 3);
    double real = json_real_value(number);
    if (real >= -0x1p63 && real < 0x1p63 && schema_real_is_whole(real))
        return schema_mix((uint64_t)(int64_t)real ^ secret, 3);
    uint64_t bits;
    memcpy(&bits, &real, sizeof bits);
    return schema_mix(bits ^ secret, 4);
}

static uint64_t hash(const json_t *value, uint64_t secret, int64_t *steps, unsigned depth);

static uint64_t hash_object(const json_t *object, uint64_t secret, int64_t *steps, unsigned depth) {
    uint64_t sum = json_object_size(object);
    const char *key;
    size_t len;
    json_t *value;
    json_object_keylen_foreach((json_t *)object, key, len, value)
        sum += schema_mix(hash_bytes(key, len, secret), hash(value, secret, steps, depth));
    return schema_mix(sum ^ secret, 5);
}

static uint64_t hash_array(const json_t *array, uint64_t secret, int64_t *steps, unsigned depth) {
    uint64_t sum = secret;
    for (size_t i = 0; i < json_array_size(array); i++)
        sum = schema_mix(sum, hash(json_array_get(array, i), secret, steps, depth));
    return schema_mix(sum ^ secret, 6);
}

static uint64_t hash(const json_t *value, uint64_t secret, int64_t *steps, unsigned depth) {
    if (--*steps < 0 || depth > MAX_NESTING) {
        *steps = -1;
        return 0;
    }
    switch (json_typeof(value)) {
    case JSON_STRING: return hash_bytes(json_string_value(value), json_string_length(value), secret);
    case JSON_INTEGER:
    case JSON_REAL: return hash_number(value, secret);
    case JSON_ARRAY: return hash_array(value, secret, steps, depth + 1);
    case JSON_OBJECT: return hash_object(value, secret, steps, depth + 1);
    default: return schema_mix(json_typeof(value) ^ secret, 7);
    }
}

/* ---- uniqueItems ---- */

static bool unique_pairs(const json_t *array, size_t count, int64_t *steps, size_t pair[2]) {
    for (size_t i = 1; i < count; i++) {
        for (size_t k = 0; k < i; k++) {
            if (!schema_equal(json_array_get(array, i), json_array_get(array, k), steps)) continue;
            pair[0] = k;
            pair[1] = i;
            return false;
        }
    }
    return true;
}

typedef struct slot {
    uint32_t hash, item; /* the item's index + 1; 0: free */
} slot_t;

static bool unique_hashed(const json_t *array, size_t count, slot_t *slots, uint32_t mask, uint64_t secret,
                          int64_t *steps, size_t pair[2]) {
    for (size_t i = 0; i < count && *steps >= 0; i++) {
        const json_t *item = json_array_get(array, i);
        uint64_t full = hash(item, secret, steps, 0);
        uint32_t at = (uint32_t)full & mask, tag = (uint32_t)(full >> 32);
        for (; slots[at].item; at = (at + 1) & mask) {
            if (slots[at].hash != tag || !schema_equal(item, json_array_get(array, slots[at].item - 1), steps))
                continue;
            pair[0] = slots[at].item - 1;
            pair[1] = i;
            return false;
        }
        slots[at] = (slot_t){tag, (uint32_t)i + 1};
    }
    return true;
}

bool schema_unique(const json_t *array, uint64_t secret, int64_t *steps, size_t pair[2]) {
    size_t count = json_array_size(array);
    if (count <= SMALL) return unique_pairs(array, count, steps, pair);
    if (count > UINT32_MAX / 8) {
        *steps = -1;
        return false;
    }
    uint32_t size = STACK_SLOTS;
    while (size < count * 2) size *= 2;
    slot_t on_stack[STACK_SLOTS] = {0}, *slots = size > STACK_SLOTS ? mem_zero(size, sizeof *slots) : on_stack;
    bool unique = unique_hashed(array, count, slots, size - 1, secret, steps, pair);
    if (slots != on_stack) free(slots);
    return unique;
}

/* ---- enum ---- */

uint32_t schema_set_add(schema_t *schema, const json_t *values) {
    uint32_t size = 4;
    while (size < json_array_size(values) * 2) size *= 2;
    value_set_t set = {.values = values, .slots = schema->slots.count, .mask = size - 1};
    for (uint32_t i = 0; i < size; i++) *LIST_ADD(&schema->slots) = NONE;
    uint32_t *slots = schema->slots.items + set.slots;
    for (size_t i = 0; i < json_array_size(values); i++) {
        const json_t *value = json_array_get(values, i);
        int64_t steps = INT64_MAX;
        uint32_t at = (uint32_t)hash(value, schema->secret, &steps, 0) & set.mask;
        while (slots[at] != NONE) at = (at + 1) & set.mask;
        slots[at] = (uint32_t)i;
        set.types |= json_is_number(value) ? TYPE_INTEGER | TYPE_REAL : (uint16_t)(1u << json_typeof(value));
    }
    *LIST_ADD(&schema->sets) = set;
    return schema->sets.count - 1;
}

bool schema_set_has(const schema_t *schema, const value_set_t *set, const json_t *value, int64_t *steps) {
    if (!(set->types >> json_typeof(value) & 1)) return false;
    const uint32_t *slots = schema->slots.items + set->slots;
    for (uint32_t at = (uint32_t)hash(value, schema->secret, steps, 0) & set->mask; slots[at] != NONE;
         at = (at + 1) & set->mask) {
        if (schema_equal(value, json_array_get(set->values, slots[at]), steps)) return true;
    }
    return false;
}
