/* Whether jansson's values can be read directly: the version, and the trial. */
#include "common/schema_internal.h"
#include "common/schema_members.h"

#include <stdio.h>

#define MEMBERS 40 /* enough for the table of an object to grow a few times */

/* Longer than whatever may be in front of them, so that even with another layout nothing outside is read. */
static const char key_format[] = "a key that is long enough for its part to hold a whole entry as it is expected, %d";

static bool is_entry(json_t *object, void *iter) {
    const member_entry_t *entry = iter;
    void *next = json_object_iter_next(object, iter);
    const void *ring = schema_members_ring((const object_layout_t *)(const void *)object);
    return json_object_iter_key(iter) == entry->key && json_object_iter_key_len(iter) == entry->key_len &&
           json_object_iter_value(iter) == entry->value && (const void *)entry->next == (next ? next : ring);
}

static bool is_object(json_t *object) {
    const object_layout_t *layout = (const void *)object;
    void *iter = json_object_iter(object);
    if (layout->size != json_object_size(object)) return false;
    if ((const void *)layout->first != (iter ? iter : (const void *)schema_members_ring(layout))) return false;
    for (; iter; iter = json_object_iter_next(object, iter)) {
        if (!is_entry(object, iter)) return false;
    }
    return true;
}

static bool try_object(void) {
    json_t *object = json_object();
    bool direct = object && is_object(object);
    for (int i = 0; i < MEMBERS && direct; i++) {
        char key[sizeof key_format + 8];
        snprintf(key, sizeof key, key_format, i);
        direct = json_object_set_new(object, key, json_integer(i)) == 0 && is_object(object);
        if (i % 3 == 2) direct = direct && json_object_del(object, key) == 0 && is_object(object);
    }
    json_decref(object);
    return direct;
}

static bool try_array(void) {
    json_t *array = json_array();
    const array_layout_t *layout = (const void *)array;
    bool direct = array && layout->size == 0;
    for (int i = 0; i < MEMBERS && direct; i++) {
        direct = json_array_append_new(array, json_integer(i)) == 0 && layout->size == json_array_size(array);
        for (size_t k = 0; k < json_array_size(array) && direct; k++)
            direct = layout->items[k] == json_array_get(array, k);
    }
    json_decref(array);
    return direct;
}

static bool try_scalars(void) {
    json_t *string = json_stringn("a\0text", 6), *integer = json_integer(-0x123456789abcdef), *real = json_real(0.1);
    const string_layout_t *text = (const void *)string;
    const number_layout_t *whole = (const void *)integer, *part = (const void *)real;
    bool direct = string && integer && real && text->text == json_string_value(string) && text->len == 6 &&
                  whole->integer == -0x123456789abcdef && part->real == json_real_value(real);
    json_decref(string);
    json_decref(integer);
    json_decref(real);
    return direct;
}

bool schema_members_are_direct(void) {
    bool known = jansson_version_cmp(2, 14, 0) >= 0 && jansson_version_cmp(2, 15, 0) < 0;
    return known && try_object() && try_array() && try_scalars();
}
