/* Reads jansson's values, above all the members of objects.

   jansson's own calls cost more than all that a schema does with most members. What they read is taken from memory
   directly where that is known to be safe: with the version of jansson whose layout stands here, after a trial on the
   library that is loaded has shown, value by value, that it is laid out so; the calls serve everywhere else. The trial
   is made whenever a schema is compiled. Nothing is ever written. */
#ifndef ODRADEK_SCHEMA_MEMBERS_H
#define ODRADEK_SCHEMA_MEMBERS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct member {
    const char *key;
    size_t key_len;
    json_t *value;
    size_t index;
} member_t;

/* What jansson's iterators point to. */
typedef struct __attribute__((may_alias)) member_entry {
    const struct member_entry *previous, *next; /* in the order in which they came; a ring through the object */
    size_t hash;
    json_t *value;
    size_t key_len;
    char key[];
} member_entry_t;

typedef struct __attribute__((may_alias)) object_layout {
    json_t json;
    size_t size;
    void *buckets;
    size_t order;
    void *list[2];
    const member_entry_t *last, *first;
} object_layout_t;

typedef struct __attribute__((may_alias)) array_layout {
    json_t json;
    size_t room, size;
    json_t **items;
} array_layout_t;

typedef struct __attribute__((may_alias)) string_layout {
    json_t json;
    char *text;
    size_t len;
} string_layout_t;

typedef struct __attribute__((may_alias)) number_layout {
    json_t json;
    union {
        json_int_t integer;
        double real;
    };
} number_layout_t;

_Static_assert(sizeof(size_t) == 8 && offsetof(member_entry_t, key) == offsetof(member_entry_t, key_len) + 8,
               "schema_entry_word() reads the length's bytes in front of a short key");

/* The version, and the trial. */
bool schema_members_are_direct(void);

/* Where the ring of members begins and ends. */
static inline const member_entry_t *schema_members_ring(const object_layout_t *object) {
    return (const member_entry_t *)(const void *)&object->last;
}

/* The last eight bytes of a key; in front of a shorter one those of its length, which stands there, are taken. */
static inline uint64_t schema_entry_word(const member_entry_t *entry) {
    uint64_t word;
    memcpy(&word, (const char *)entry + offsetof(member_entry_t, key_len) + entry->key_len, sizeof word);
    return word;
}

typedef struct members {
    json_t *object;
    void *at;
    size_t index, count;
    bool direct;
} members_t;

static inline members_t schema_members(const json_t *object, bool direct) {
    json_t *mutable = (json_t *)object; /* as the calls want it; nothing is changed */
    const object_layout_t *layout = (const void *)object;
    if (direct) return (members_t){mutable, (void *)layout->first, 0, layout->size, true};
    return (members_t){mutable, json_object_iter(mutable), 0, json_object_size(object), false};
}

/* The next member; false when there is none left. */
static inline bool schema_members_next(members_t *members, member_t *member) {
    if (members->index == members->count) return false;
    if (__builtin_expect(members->direct, 1)) {
        const member_entry_t *entry = members->at;
        *member = (member_t){entry->key, entry->key_len, entry->value, members->index++};
        members->at = (void *)entry->next;
        return true;
    }
    member->index = members->index++;
    member->key = json_object_iter_key(members->at);
    member->key_len = json_object_iter_key_len(members->at);
    member->value = json_object_iter_value(members->at);
    members->at = json_object_iter_next(members->object, members->at);
    return true;
}

#endif
