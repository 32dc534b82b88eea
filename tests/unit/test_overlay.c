/* What was decided and is not in the snapshot store yet. */
#include "common/json.h"
#include "services/validator/overlay.h"
#include "tests/unit/model.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static model_t model;
static overlay_t *overlay;

/* Puts an Entry at a version with this data (NULL: deleted), its event at `offset`. */
static void put(int32_t partition, const char *id, int64_t version, const char *data, int64_t offset) {
    json_t *value = data ? json_read(data, strlen(data), NULL) : NULL;
    entity_state_t entity = {.version = version, .deleted = !data, .updated_ms = version * 1000};
    json_span_t bytes = {data, data ? strlen(data) : 0};
    *overlay_put(overlay, partition, model.entry, id, &entity, value, bytes) = offset;
    json_decref(value);
}

static int64_t version_of(int32_t partition, const char *id) {
    const entity_state_t *entity = overlay_get(overlay, partition, "Entry", id);
    return entity ? entity->version : -1;
}

static void the_latest_state_is_found_by_partition_type_and_id(void **state) {
    (void)state;
    put(1, "a", 1, "{}", 0);
    put(1, "a", 2, NULL, 1);
    const entity_state_t *entity = overlay_get(overlay, 1, "Entry", "a");
    assert_int_equal(entity->version, 2);
    assert_true(entity->deleted);
    assert_int_equal(entity->updated_ms, 2000);
    assert_ptr_equal(overlay_get_key(overlay, 1, "Entry:a"), entity);
    assert_null(overlay_get(overlay, 0, "Entry", "a"));
    assert_null(overlay_get(overlay, 1, "Asset", "a"));
    assert_null(overlay_get(overlay, 1, "Entry", "b"));
    assert_null(overlay_get_key(overlay, 1, "Entry:"));
    assert_int_equal(overlay_writes(overlay), 2);
    assert_int_equal(overlay_entities(overlay, 1), 1);
    assert_int_equal(overlay_entities(overlay, 0), 0);
}

static void the_latest_data_is_kept_byte_for_byte_and_counted(void **state) {
    (void)state;
    assert_int_equal(overlay_bytes(overlay), 0);
    char data[] = "{ \"title\" : \"x\", \"size\": 1.0 }";
    put(0, "a", 1, data, 0);
    put(1, "a", 1, "{}", 0);
    data[2] = '?'; /* it was copied */
    json_span_t kept = overlay_data(overlay, 0, "Entry", "a");
    assert_int_equal(kept.len, strlen(data));
    assert_memory_equal(kept.text, "{ \"title\" : \"x\", \"size\": 1.0 }", kept.len);
    assert_int_equal(overlay_bytes(overlay), strlen(data) + 2);
    put(0, "a", 2, "{\"s\":1}", 1);
    assert_int_equal(overlay_bytes(overlay), 7 + 2);
    put(0, "a", 3, NULL, 2);
    assert_null(overlay_data(overlay, 0, "Entry", "a").text);
    assert_null(overlay_data(overlay, 0, "Entry", "b").text);
    assert_int_equal(overlay_bytes(overlay), 2);
    put(0, "a", 4, "{\"s\":1}", 3);
    overlay_trim(overlay, 0, 3); /* earlier writes leave, the data stays */
    assert_int_equal(overlay_bytes(overlay), 7 + 2);
    overlay_trim(overlay, 0, 4);
    overlay_drop(overlay, 1);
    assert_int_equal(overlay_bytes(overlay), 0);
}

static void an_entity_leaves_with_its_last_write(void **state) {
    (void)state;
    put(0, "a", 1, "{}", 10);
    put(0, "b", 1, "{}", 11);
    put(0, "a", 2, "{}", 12);
    overlay_trim(overlay, 0, 10); /* the store is before all of them */
    assert_int_equal(overlay_writes(overlay), 3);
    overlay_trim(overlay, 0, 12); /* the store has passed 11 */
    assert_int_equal(version_of(0, "a"), 2);
    assert_int_equal(version_of(0, "b"), -1);
    assert_int_equal(overlay_writes(overlay), 1);
    overlay_trim(overlay, 1, 100);
    assert_int_equal(version_of(0, "a"), 2);
    overlay_trim(overlay, 0, 13);
    assert_int_equal(version_of(0, "a"), -1);
    assert_int_equal(overlay_writes(overlay), 0);
    put(0, "a", 3, "{}", 13); /* and it is ready for more */
    assert_int_equal(version_of(0, "a"), 3);
}

static void a_write_whose_offset_is_not_known_stays_and_keeps_what_follows(void **state) {
    (void)state;
    put(0, "a", 1, "{}", 5);
    json_t *data = json_object();
    int64_t *offset = overlay_put(overlay, 0, model.entry, "b", &(entity_state_t){.version = 1}, data, (json_span_t){"{}", 2});
    json_decref(data);
    assert_int_equal(*offset, -1);
    put(0, "c", 1, "{}", 7);
    overlay_trim(overlay, 0, INT64_MAX);
    assert_int_equal(version_of(0, "a"), -1);
    assert_int_equal(version_of(0, "b"), 1);
    assert_int_equal(version_of(0, "c"), 1);
    *offset = 6; /* the delivery report came */
    overlay_trim(overlay, 0, 7);
    assert_int_equal(version_of(0, "b"), -1);
    assert_int_equal(version_of(0, "c"), 1);
}

static void dropping_forgets_one_partition(void **state) {
    (void)state;
    put(0, "a", 1, "{\"parent\":\"x\"}", -1);
    put(0, "b", 1, "{}", 3);
    put(1, "c", 1, "{}", 3);
    overlay_drop(overlay, 0);
    assert_int_equal(overlay_entities(overlay, 0), 0);
    assert_int_equal(overlay_writes(overlay), 1);
    assert_false(overlay_links_to(overlay, 0, "Entry", "x"));
    assert_int_equal(version_of(1, "c"), 1);
    overlay_drop(overlay, 0);
    put(0, "a", 1, "{}", 4);
    overlay_trim(overlay, 0, 5);
    assert_int_equal(overlay_entities(overlay, 0), 0);
}

static void links_count_until_the_last_linker_lets_go(void **state) {
    (void)state;
    put(0, "a", 1, "{\"heroImage\":\"i\",\"images\":[\"i\",\"j\"]}", 0);
    put(0, "b", 1, "{\"heroImage\":\"i\"}", 1);
    assert_true(overlay_links_to(overlay, 0, "Asset", "i"));
    assert_true(overlay_links_to(overlay, 0, "Asset", "j"));
    assert_false(overlay_links_to(overlay, 1, "Asset", "i")); /* the linkers are of partition 0 */
    assert_false(overlay_links_to(overlay, 0, "Entry", "i"));
    put(0, "a", 2, "{\"images\":[\"i\"]}", 2);
    assert_false(overlay_links_to(overlay, 0, "Asset", "j"));
    assert_true(overlay_links_to(overlay, 0, "Asset", "i"));
    put(0, "a", 3, NULL, 3);
    assert_true(overlay_links_to(overlay, 0, "Asset", "i"));
    put(0, "b", 2, "{}", 4);
    assert_false(overlay_links_to(overlay, 0, "Asset", "i"));
}

static void links_go_with_their_entity(void **state) {
    (void)state;
    put(0, "a", 1, "{\"heroImage\":\"i\"}", 0);
    put(0, "a", 2, "{\"heroImage\":\"i\"}", 1);
    overlay_trim(overlay, 0, 1);
    assert_true(overlay_links_to(overlay, 0, "Asset", "i"));
    overlay_trim(overlay, 0, 2);
    assert_false(overlay_links_to(overlay, 0, "Asset", "i"));
}

static void a_link_to_itself_keeps_nobody_from_deleting_it(void **state) {
    (void)state;
    put(0, "a", 1, "{\"parent\":\"a\"}", 0);
    assert_false(overlay_links_to(overlay, 0, "Entry", "a"));
    put(0, "b", 1, "{\"parent\":\"a\"}", 1);
    assert_true(overlay_links_to(overlay, 0, "Entry", "a"));
}

static unique_t value_of(const char *field, const char *text) {
    unique_t value = {.field = field};
    json_t *json = json_string(text);
    unique_digest(json, value.digest);
    json_decref(json);
    return value;
}

static bool others_have(const char *id, const char *field, const char *text) {
    unique_t value = value_of(field, text);
    return overlay_others_have_value(overlay, 0, "Entry", id, &value);
}

static bool has(int32_t partition, const char *id, const char *field, const char *text) {
    unique_t value = value_of(field, text);
    return overlay_has_value(overlay, partition, "Entry", id, &value);
}

static void unique_values_are_found_whoever_has_them(void **state) {
    (void)state;
    put(0, "a", 1, "{\"mail\":\"m\",\"code\":\"c\"}", 0);
    assert_true(has(0, "a", "mail", "m") && has(0, "a", "code", "c"));
    assert_false(has(0, "a", "code", "m") || has(1, "a", "mail", "m") || has(0, "b", "mail", "m"));
    assert_false(others_have("a", "mail", "m")); /* it is its own */
    assert_true(others_have("b", "mail", "m"));
    assert_false(others_have("b", "code", "m"));
    put(1, "b", 1, "{\"mail\":\"n\"}", 0);
    assert_true(others_have("a", "mail", "n")); /* of another partition */
    unique_t value = value_of("mail", "m");
    assert_false(overlay_others_have_value(overlay, 0, "Asset", "x", &value));
}

static void unique_values_are_let_go_with_the_data_that_had_them(void **state) {
    (void)state;
    put(0, "a", 1, "{\"mail\":\"m\"}", 0);
    put(0, "a", 2, "{\"mail\":\"n\"}", 1);
    assert_false(others_have("b", "mail", "m"));
    assert_true(others_have("b", "mail", "n"));
    put(0, "b", 1, "{\"mail\":\"m\"}", 2);
    put(0, "a", 3, NULL, 3);
    assert_false(others_have("b", "mail", "n"));
    overlay_trim(overlay, 0, 3); /* "a" stays, deleted */
    assert_false(others_have("x", "mail", "m"));
    put(0, "c", 1, "{\"mail\":\"o\"}", 4);
    overlay_drop(overlay, 0);
    assert_false(others_have("x", "mail", "o"));
}

static void of_two_that_have_a_value_one_may_let_go(void **state) {
    (void)state;
    put(0, "a", 1, "{\"mail\":\"m\"}", 0); /* as before it had to be unique */
    put(0, "b", 1, "{\"mail\":\"m\"}", 1);
    assert_true(others_have("a", "mail", "m"));
    put(0, "b", 2, "{}", 2);
    assert_false(others_have("a", "mail", "m"));
    assert_true(others_have("b", "mail", "m"));
}

static void what_was_forgotten_takes_no_memory(void **state) {
    (void)state;
    put(0, "warm", 1, "{\"parent\":\"x\"}", 0);
    overlay_drop(overlay, 0);
    size_t before = mallinfo2().uordblks;
    for (int i = 0; i < 10000; i++) {
        char id[32], data[64];
        snprintf(id, sizeof id, "id-%d", i);
        snprintf(data, sizeof data, "{\"parent\":\"p-%d\",\"images\":[\"a\",\"b-%d\"],\"mail\":%d}", i % 7, i, i);
        put(0, id, 1, data, i);
        put(0, id, 2, "{\"heroImage\":\"z\"}", i);
    }
    overlay_trim(overlay, 0, 10000);
    assert_int_equal(overlay_writes(overlay), 0);
#ifndef __SANITIZE_ADDRESS__ /* whose own accounts are checked at the end instead */
    assert_true(mallinfo2().uordblks < before + 4096);
#endif
    (void)before;
}

static int make(void **state) {
    (void)state;
    overlay = overlay_new(2);
    return 0;
}

static int unmake(void **state) {
    (void)state;
    overlay_free(overlay);
    return 0;
}

static int load(void **state) {
    (void)state;
    model = model_new(",\"partitions\":2");
    return 0;
}

static int unload(void **state) {
    (void)state;
    overlay_free(NULL);
    model_free(&model);
    return 0;
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, make, unmake)

int main(void) {
    const struct CMUnitTest tests[] = {
        EACH(the_latest_state_is_found_by_partition_type_and_id),
        EACH(the_latest_data_is_kept_byte_for_byte_and_counted),
        EACH(an_entity_leaves_with_its_last_write),
        EACH(a_write_whose_offset_is_not_known_stays_and_keeps_what_follows),
        EACH(dropping_forgets_one_partition),
        EACH(links_count_until_the_last_linker_lets_go),
        EACH(links_go_with_their_entity),
        EACH(a_link_to_itself_keeps_nobody_from_deleting_it),
        EACH(unique_values_are_found_whoever_has_them),
        EACH(unique_values_are_let_go_with_the_data_that_had_them),
        EACH(of_two_that_have_a_value_one_may_let_go),
        EACH(what_was_forgotten_takes_no_memory),
    };
    return cmocka_run_group_tests_name("overlay", tests, load, unload);
}
