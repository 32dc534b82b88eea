/* Commands that were decided and whose outcomes are not in the event store yet. */
#include "services/validator/seen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static seen_t *seen;

static void a_command_is_remembered_in_its_partition(void **state) {
    (void)state;
    assert_int_equal(*seen_put(seen, 0, "c1", NULL), -1);
    assert_true(seen_has(seen, 0, "c1"));
    assert_false(seen_has(seen, 1, "c1"));
    assert_false(seen_has(seen, 0, "c"));
    assert_false(seen_has(seen, 0, "c11"));
    assert_int_equal(seen_count(seen), 1);
}

static void a_key_stands_for_the_command_that_it_first_came_with(void **state) {
    (void)state;
    *seen_put(seen, 0, "c1", "Entry:a:k") = 0;
    *seen_put(seen, 0, "c2", "Entry:a:k") = 1;
    *seen_put(seen, 0, "c3", "Entry:b:k") = 2;
    assert_string_equal(seen_by_key(seen, 0, "Entry:a:k"), "c1");
    assert_string_equal(seen_by_key(seen, 0, "Entry:b:k"), "c3");
    assert_null(seen_by_key(seen, 1, "Entry:a:k"));
    assert_null(seen_by_key(seen, 0, "Entry:c:k"));
    seen_trim(seen, 0, 1); /* the store has c1, and that the key is its */
    assert_null(seen_by_key(seen, 0, "Entry:a:k"));
    assert_false(seen_has(seen, 0, "c1"));
    assert_true(seen_has(seen, 0, "c2"));
}

static void what_the_store_has_passed_is_forgotten(void **state) {
    (void)state;
    int64_t *offsets[3];
    for (int i = 0; i < 3; i++) {
        char id[8];
        snprintf(id, sizeof id, "c%d", i);
        offsets[i] = seen_put(seen, 0, id, NULL);
    }
    seen_trim(seen, 0, INT64_MAX); /* no offset is known */
    assert_int_equal(seen_count(seen), 3);
    *offsets[0] = 5;
    *offsets[2] = 7;
    seen_trim(seen, 0, 5);
    assert_int_equal(seen_count(seen), 3);
    seen_trim(seen, 0, INT64_MAX); /* what is not known keeps what follows */
    assert_int_equal(seen_count(seen), 2);
    *offsets[1] = 6;
    seen_trim(seen, 1, INT64_MAX);
    seen_trim(seen, 0, 7);
    assert_false(seen_has(seen, 0, "c1"));
    assert_true(seen_has(seen, 0, "c2"));
}

static void dropping_forgets_one_partition(void **state) {
    (void)state;
    seen_put(seen, 0, "c1", "k1");
    seen_put(seen, 0, "c2", NULL);
    seen_put(seen, 1, "c1", "k1");
    seen_drop(seen, 0);
    assert_int_equal(seen_count(seen), 1);
    assert_false(seen_has(seen, 0, "c1"));
    assert_null(seen_by_key(seen, 0, "k1"));
    assert_string_equal(seen_by_key(seen, 1, "k1"), "c1");
    *seen_put(seen, 0, "c1", "k1") = 3;
    seen_trim(seen, 0, 4);
    assert_int_equal(seen_count(seen), 1);
}

static void many_are_found_and_forgotten(void **state) {
    (void)state;
    char id[32], key[32];
    for (int i = 0; i < 20000; i++) {
        snprintf(id, sizeof id, "c%d", i);
        snprintf(key, sizeof key, "k%d", i);
        *seen_put(seen, i % 2, id, i % 3 ? key : NULL) = i;
    }
    for (int p = 0; p < 2; p++) seen_trim(seen, p, 10000);
    assert_int_equal(seen_count(seen), 10000);
    for (int i = 0; i < 20000; i++) {
        snprintf(id, sizeof id, "c%d", i);
        snprintf(key, sizeof key, "k%d", i);
        assert_int_equal(seen_has(seen, i % 2, id), i >= 10000);
        if (i % 3 && i >= 10000) assert_string_equal(seen_by_key(seen, i % 2, key), id);
        else assert_null(seen_by_key(seen, i % 2, key));
    }
}

static int make(void **state) {
    (void)state;
    seen = seen_new(2);
    return 0;
}

static int unmake(void **state) {
    (void)state;
    seen_free(seen);
    seen_free(NULL);
    return 0;
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, make, unmake)

int main(void) {
    const struct CMUnitTest tests[] = {
        EACH(a_command_is_remembered_in_its_partition),
        EACH(a_key_stands_for_the_command_that_it_first_came_with),
        EACH(what_the_store_has_passed_is_forgotten),
        EACH(dropping_forgets_one_partition),
        EACH(many_are_found_and_forgotten),
    };
    return cmocka_run_group_tests_name("seen", tests, NULL, NULL);
}
