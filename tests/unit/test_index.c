/* How values stand in indexes, and the shape of what a store keeps. */
#include "common/mem.h"
#include "model/index.h"
#include "model/shape.h"
#include "tests/unit/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static char *text_of(const json_t *value) {
    strbuf_t text = {0};
    assert_true(index_add_value(&text, value));
    assert_true(text.len < INDEX_VALUE_SIZE);
    assert_null(memchr(text.data, INDEX_END, text.len));
    assert_null(memchr(text.data, '\0', text.len));
    return strbuf_steal(&text);
}

static json_t *value_of(const char *text) {
    err_t error = {""};
    json_t *value = json_read(text, strlen(text), &error);
    if (!value) fail_msg("%s: %s", text, error.text);
    return value;
}

static int sign(int number) {
    return (number > 0) - (number < 0);
}

/* As a sorted set compares members: the texts, each with its end, by bytes. */
static int compare_members(const json_t *a, const json_t *b) {
    char *first = text_of(a), *second = text_of(b);
    char *one = mem_printf("%s\1id", first), *other = mem_printf("%s\1id", second);
    int order = strcmp(one, other);
    free(first), free(second), free(one), free(other);
    return sign(order);
}

static void values_are_in_the_order_that_is_documented(void **state) {
    static const char *const rising[] = {
        "null", "false", "true", "-1e308", "-9223372036854775808", "-9223372036854775807", "-9007199254740993",
        "-9007199254740992", "-2", "-1.5", "-1", "-1e-300", "0", "1e-300", "0.5", "1", "2", "10", "9007199254740991",
        "9007199254740992", "9007199254740993", "9007199254740994", "9223372036854775806", "9223372036854775807", "1e19", "1e308",
        "\"\"", "\"\\u0001\"", "\"\\u0001a\"", "\"\\u0002\"", "\"\\u0002\\u0002\"", "\"\\u0003\"", "\" \"", "\"2026-01-01T00:00:00Z\"",
        "\"2026-01-02T00:00:00Z\"", "\"A\"", "\"a\"", "\"a\\u0001\"", "\"a\\u0002\"", "\"a b\"", "\"aa\"", "\"b\"", "\"é\"", "\"\xf0\x9f\x98\x80\""};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rising); i++)
        for (size_t j = 0; j < ARRAY_LEN(rising); j++) {
            json_t *a = value_of(rising[i]), *b = value_of(rising[j]);
            if (compare_members(a, b) != sign((int)i - (int)j)) fail_msg("%s and %s", rising[i], rising[j]);
            json_decref(a);
            json_decref(b);
        }
}

static void numbers_that_are_equal_have_one_text(void **state) {
    static const char *const pairs[][2] = {{"0", "-0.0"}, {"1", "1.0"}, {"100", "1e2"}, {"9007199254740992", "9007199254740992.0"},
                                           {"-9223372036854775808", "-9223372036854775808.0"}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        json_t *a = value_of(pairs[i][0]), *b = value_of(pairs[i][1]);
        if (compare_members(a, b)) fail_msg("%s and %s", pairs[i][0], pairs[i][1]);
        json_decref(a);
        json_decref(b);
    }
}

/* ---- any values ---- */

static json_t *any_number(void) {
    union {
        uint64_t bits;
        double number;
    } any = {(uint64_t)random() << 33 ^ (uint64_t)random() << 11 ^ (uint64_t)random()};
    switch (random() % 4) {
    case 0: return json_integer((json_int_t)any.bits);
    case 1: return json_integer(random() % 7 - 3);
    case 2: return json_real((double)(random() % 1000 - 500) / 8);
    default: return json_real(any.number - any.number == 0 ? any.number : 0.5); /* no infinity, no NaN */
    }
}

static json_t *any_text(void) {
    char text[8];
    size_t len = (size_t)random() % sizeof text;
    for (size_t i = 0; i < len; i++) text[i] = (char)(random() % 5 + 1);
    return json_stringn(text, len);
}

static int compare_numbers(const json_t *a, const json_t *b) {
    if (json_is_integer(a) && json_is_integer(b))
        return (json_integer_value(a) > json_integer_value(b)) - (json_integer_value(a) < json_integer_value(b));
    long double x = json_is_integer(a) ? (long double)json_integer_value(a) : json_real_value(a);
    long double y = json_is_integer(b) ? (long double)json_integer_value(b) : json_real_value(b);
    return (x > y) - (x < y);
}

static void texts_and_numbers_compare_like_what_they_stand_for(void **state) {
    (void)state;
    srandom(7);
    for (int i = 0; i < 200000; i++) {
        bool numbers = i % 2;
        json_t *a = numbers ? any_number() : any_text(), *b = numbers ? any_number() : any_text();
        int expected = numbers ? compare_numbers(a, b) : sign(strcmp(json_string_value(a), json_string_value(b)));
        if (compare_members(a, b) != expected) fail_msg("%s %s", json_dumps(a, JSON_ENCODE_ANY), json_dumps(b, JSON_ENCODE_ANY));
        json_decref(a);
        json_decref(b);
    }
}

/* ---- long texts ---- */

static void long_texts_are_cut_and_stay_apart(void **state) {
    char texts[5][300];
    (void)state;
    for (int i = 0; i < 5; i++) memset(texts[i], 'x', sizeof texts[i]);
    texts[0][INDEX_TEXT_BYTES] = '\0';          /* just as long as fits */
    texts[1][INDEX_TEXT_BYTES + 1] = '\0';      /* one more */
    texts[2][299] = '\0', texts[2][298] = 'a';  /* these differ at the end */
    texts[3][299] = '\0', texts[3][298] = 'b';
    texts[4][299] = '\0', texts[4][0] = 'y';    /* and this at the beginning */
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < 5; j++) {
            json_t *a = json_string(texts[i]), *b = json_string(texts[j]);
            int order = compare_members(a, b);
            if ((order == 0) != (i == j)) fail_msg("%d and %d", i, j);
            if (i == 0 && j > 0) assert_int_equal(order, -1);
            if (i < 4 && j == 4) assert_int_equal(order, -1);
            json_decref(a);
            json_decref(b);
        }
    /* What a long text ends in can be no part of a short one. */
    json_t *longer = json_string(texts[1]);
    char *text = text_of(longer);
    json_t *imitation = json_string(text + 1);
    assert_int_not_equal(compare_members(longer, imitation), 0);
    json_decref(imitation);
    json_decref(longer);
    free(text);
}

static void the_longest_text_has_room(void **state) {
    char text[400];
    (void)state;
    memset(text, 1, sizeof text);
    json_t *value = json_stringn(text, sizeof text);
    char *longest = text_of(value);
    assert_int_equal(strlen(longest), INDEX_VALUE_SIZE - 1);
    free(longest);
    json_decref(value);
}

/* ---- an entity's entries ---- */

static void check_entries(const char *data, const char *expected) {
    model_t model = model_new("");
    json_t *value = value_of(data);
    strbuf_t entries = {0}, read = {0};
    index_entry_t entry;
    strbuf_adds(&entries, "");
    index_add_entries(&entries, model.entry, value);
    const char *at = entries.data, *end = entries.data + entries.len;
    strbuf_adds(&read, "");
    while (index_next(&at, end, &entry))
        strbuf_addf(&read, "%.*s=%.*s ", (int)entry.field.len, entry.field.text, (int)entry.value.len, entry.value.text);
    assert_ptr_equal(at, end);
    assert_string_equal(read.data, expected);
    strbuf_free(&read);
    strbuf_free(&entries);
    json_decref(value);
    model_free(&model);
}

static void an_entity_has_an_entry_for_each_field_and_value(void **state) {
    (void)state;
    check_entries("{\"title\":\"x\",\"size\":true,\"other\":1}", "title=4x size=2 ");
    check_entries("{}", "title=0 size=0 ");
    check_entries("{\"title\":null,\"size\":{\"a\":1}}", "title=0 size=0 ");
    check_entries("{\"title\":[\"b\",\"a\",\"b\",[\"c\"],{},null],\"size\":[]}", "title=0 title=4a title=4b size=0 ");
    check_entries("{\"title\":[[]],\"size\":[1,\"1\"]}", "title=0 size=3bff0000000000000 size=41 ");
}

static void of_an_array_only_so_many_items_are_taken(void **state) {
    (void)state;
    model_t model = model_new("");
    json_t *data = json_pack("{s:[]}", "title"), *items = json_object_get(data, "title");
    for (int i = 0; i < 2 * INDEX_ITEMS_MAX; i++) json_array_append_new(items, json_integer(i));
    strbuf_t entries = {0};
    index_entry_t entry;
    int count = 0;
    index_add_entries(&entries, model.entry, data);
    const char *at = entries.data;
    while (index_next(&at, entries.data + entries.len, &entry)) count++;
    assert_int_equal(count, INDEX_ITEMS_MAX + 1); /* and the size */
    strbuf_free(&entries);
    json_decref(data);
    model_free(&model);
}

/* ---- the shape ---- */

static void shape_of_schema(const char *entry, char shape[DIGEST_TEXT_SIZE]) {
    temp_t temp = temp_new();
    char path[256];
    err_t error = {""};
    temp_write(&temp, "entry.json", entry, path);
    temp_write(&temp, "asset.json", MODEL_ASSET, path);
    settings_t *settings = settings_load(temp_write(&temp, "settings.json", "{" MODEL_TYPES "}", path), &error);
    types_t *types = settings ? types_load(settings, path, &error) : NULL;
    if (!types) fail_msg("%s", error.text);
    shape_text(types, shape);
    types_free(types);
    settings_free(settings);
    temp_free(&temp);
}

#define SCHEMA(properties) "{\"type\":\"object\",\"properties\":{" properties "}}"
#define INDEXED_A "\"a\":{\"x-index\":true}"
#define INDEXED_B "\"b\":{\"type\":\"string\",\"x-index\":true}"
#define LINK_C "\"c\":{\"x-link\":\"Asset\"}"

static void the_shape_changes_with_what_is_indexed_and_linked_and_with_nothing_else(void **state) {
    char shape[DIGEST_TEXT_SIZE], other[DIGEST_TEXT_SIZE];
    static const char *const others[] = {SCHEMA(INDEXED_A "," LINK_C), SCHEMA(INDEXED_B "," LINK_C), SCHEMA(INDEXED_A "," INDEXED_B),
                                         SCHEMA(INDEXED_A "," INDEXED_B ",\"c\":{\"x-link\":\"Entry\"}"),
                                         SCHEMA(INDEXED_A "," INDEXED_B ",\"c\":{\"x-link\":\"Asset\",\"x-index\":true}"), SCHEMA("")};
    (void)state;
    shape_of_schema(SCHEMA(INDEXED_A "," INDEXED_B "," LINK_C), shape);
    shape_of_schema(SCHEMA(LINK_C "," INDEXED_B ",\"d\":{\"x-index\":false,\"type\":\"number\"}," INDEXED_A), other);
    assert_string_equal(shape, other);
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        shape_of_schema(others[i], other);
        assert_string_not_equal(shape, other);
    }
}

static void a_shape_tells_whether_unique_members_are_the_same(void **state) {
    char shape[DIGEST_TEXT_SIZE], other[DIGEST_TEXT_SIZE];
#define UNIQUE_D "\"d\":{\"x-unique\":true}"
    (void)state;
    shape_of_schema(SCHEMA(INDEXED_A "," UNIQUE_D), shape);
    shape_of_schema(SCHEMA(UNIQUE_D "," INDEXED_B "," LINK_C), other);
    assert_string_not_equal(shape, other);
    assert_true(shape_same_unique(shape, other));
    shape_of_schema(SCHEMA(INDEXED_A ",\"d\":{\"x-unique\":false}"), other);
    assert_string_not_equal(shape, other);
    assert_false(shape_same_unique(shape, other));
    shape_of_schema(SCHEMA(INDEXED_A "," UNIQUE_D ",\"e\":{\"x-unique\":true}"), other);
    assert_false(shape_same_unique(shape, other));
    assert_false(shape_same_unique(shape, ""));
    assert_false(shape_same_unique("emptied by somebody", shape));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_in_the_order_that_is_documented),
        cmocka_unit_test(numbers_that_are_equal_have_one_text),
        cmocka_unit_test(texts_and_numbers_compare_like_what_they_stand_for),
        cmocka_unit_test(long_texts_are_cut_and_stay_apart),
        cmocka_unit_test(the_longest_text_has_room),
        cmocka_unit_test(an_entity_has_an_entry_for_each_field_and_value),
        cmocka_unit_test(of_an_array_only_so_many_items_are_taken),
        cmocka_unit_test(the_shape_changes_with_what_is_indexed_and_linked_and_with_nothing_else),
        cmocka_unit_test(a_shape_tells_whether_unique_members_are_the_same),
    };
    return cmocka_run_group_tests_name("index", tests, NULL, NULL);
}
