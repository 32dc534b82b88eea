/* Identifiers. */
#include "common/base.h"
#include "common/uuid.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_is_uuid(const char *text, char version) {
    assert_int_equal(strlen(text), UUID_TEXT_SIZE - 1);
    for (int i = 0; i < UUID_TEXT_SIZE - 1; i++) {
        if (i == 8 || i == 13 || i == 18 || i == 23) assert_int_equal(text[i], '-');
        else assert_non_null(strchr("0123456789abcdef", text[i]));
    }
    assert_int_equal(text[14], version);
    assert_non_null(strchr("89ab", text[19])); /* the variant of RFC 9562 */
}

static void version_7_has_its_bits_and_its_time_in_front(void **state) {
    (void)state;
    char text[UUID_TEXT_SIZE];
    uuid7(0x0198abcdef01, text);
    assert_is_uuid(text, '7');
    assert_memory_equal(text, "0198abcd-ef01-7", 15);
}

static void version_7_gives_its_time_back(void **state) {
    (void)state;
    static const int64_t times[] = {0, 1, 1795244400000, 0xffffffffffff};
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        char text[UUID_TEXT_SIZE];
        int64_t ms = -1;
        uuid7(times[i], text);
        assert_true(uuid7_time(text, &ms));
        assert_int_equal(ms, times[i]);
    }
    int64_t ms;
    assert_true(uuid7_time("0198ABCD-EF01-7000-A000-000000000000", &ms));
    assert_int_equal(ms, 0x0198abcdef01);
}

static void version_7_sorts_by_time(void **state) {
    (void)state;
    char last[UUID_TEXT_SIZE], next[UUID_TEXT_SIZE];
    uuid7(1795244400000, last);
    for (int64_t ms = 1795244400001; ms < 1795244405000; ms++) {
        uuid7(ms, next);
        assert_true(strcmp(last, next) < 0);
        memcpy(last, next, sizeof last);
    }
}

static void other_texts_have_no_time(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",
        "0198abcd",
        "0198abcd-ef01-4000-a000-000000000000",  /* version 4 */
        "0198abcd-ef01-7000-c000-000000000000",  /* another variant */
        "0198abcd-ef01-7000-a000-00000000000",   /* short */
        "0198abcd-ef01-7000-a000-0000000000000", /* long */
        "0198abcd-ef01-7000-a000-00000000000g",
        "0198abcdeef01-7000-a000-000000000000",
        "+198abcd-ef01-7000-a000-000000000000",
        " 198abcd-ef01-7000-a000-000000000000",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        int64_t ms;
        assert_false(uuid7_time(texts[i], &ms));
    }
}

enum { THREADS = 4, IDS = 5000 };

static void *make_ids(void *ids) {
    for (int i = 0; i < IDS; i++) uuid7(1795244400000, ((char(*)[UUID_TEXT_SIZE])ids)[i]);
    return NULL;
}

static int compare(const void *a, const void *b) {
    return strcmp(a, b);
}

static void ids_of_the_same_millisecond_differ_between_all_threads(void **state) {
    (void)state;
    static char ids[THREADS * IDS][UUID_TEXT_SIZE];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, make_ids, ids[i * IDS]);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    qsort(ids, THREADS * IDS, UUID_TEXT_SIZE, compare);
    for (int i = 0; i < THREADS * IDS; i++) assert_is_uuid(ids[i], '7');
    for (int i = 1; i < THREADS * IDS; i++) assert_string_not_equal(ids[i - 1], ids[i]);
}

static void version_8_is_the_same_for_the_same_name_for_ever(void **state) {
    (void)state;
    char text[UUID_TEXT_SIZE], again[UUID_TEXT_SIZE];
    uuid8("command/3/17", 12, text);
    uuid8("command/3/17", 12, again);
    assert_is_uuid(text, '8');
    assert_string_equal(text, again);
    /* Ids made yesterday must be made again today: this one is the beginning of the name's SHA-256. */
    assert_string_equal(text, "2dae7304-c17f-8ace-9ad5-62a890675d26");
}

static void version_8_differs_for_names_that_are_close(void **state) {
    (void)state;
    static char ids[20000][UUID_TEXT_SIZE];
    for (int i = 0; i < 20000; i++) {
        char name[64];
        int len = snprintf(name, sizeof name, "entity/%d/%d", i % 8, i / 8);
        uuid8(name, (size_t)len, ids[i]);
        assert_is_uuid(ids[i], '8');
    }
    qsort(ids, 20000, UUID_TEXT_SIZE, compare);
    for (int i = 1; i < 20000; i++) assert_string_not_equal(ids[i - 1], ids[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_7_has_its_bits_and_its_time_in_front),
        cmocka_unit_test(version_7_gives_its_time_back),
        cmocka_unit_test(version_7_sorts_by_time),
        cmocka_unit_test(other_texts_have_no_time),
        cmocka_unit_test(ids_of_the_same_millisecond_differ_between_all_threads),
        cmocka_unit_test(version_8_is_the_same_for_the_same_name_for_ever),
        cmocka_unit_test(version_8_differs_for_names_that_are_close),
    };
    return cmocka_run_group_tests_name("uuid", tests, NULL, NULL);
}
