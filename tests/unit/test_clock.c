/* Time and its text. */
#include "common/base.h"
#include "common/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void the_wall_clock_counts_milliseconds_since_1970(void **state) {
    (void)state;
    int64_t now = clock_ms();
    assert_true(now > 1700000000000);  /* 2023 */
    assert_true(now < 10000000000000); /* 2286 */
}

static void the_monotonic_clock_does_not_go_back(void **state) {
    (void)state;
    int64_t last = clock_monotonic_us();
    for (int i = 0; i < 10000; i++) {
        int64_t now = clock_monotonic_us();
        assert_true(now >= last);
        last = now;
    }
    clock_sleep_ms(3);
    assert_true(clock_monotonic_us() - last >= 3000);
}

static const struct {
    int64_t ms;
    const char *text;
} times[] = {
    {0, "1970-01-01T00:00:00.000Z"},
    {1, "1970-01-01T00:00:00.001Z"},
    {-1, "1969-12-31T23:59:59.999Z"},
    {-86400000, "1969-12-31T00:00:00.000Z"},
    {951782400000, "2000-02-29T00:00:00.000Z"},
    {1709164800123, "2024-02-29T00:00:00.123Z"},
    {1795244400000, "2026-11-21T07:00:00.000Z"},
    {4107542399999, "2100-02-28T23:59:59.999Z"},
    {4107542400000, "2100-03-01T00:00:00.000Z"},
    {253402300799999, "9999-12-31T23:59:59.999Z"},
};

static void times_are_written_in_utc_with_milliseconds(void **state) {
    (void)state;
    char text[CLOCK_TEXT_SIZE];
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        clock_format(times[i].ms, text);
        assert_string_equal(text, times[i].text);
    }
}

static void what_is_written_is_read_back(void **state) {
    (void)state;
    setenv("TZ", "Asia/Kolkata", 1); /* the local zone must not matter */
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        int64_t ms;
        assert_true(clock_parse(times[i].text, &ms));
        assert_int_equal(ms, times[i].ms);
    }
}

static void fractions_and_offsets_are_understood(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01T00:00:00.5Z", 500},
        {"1970-01-01T00:00:00.05Z", 50},
        {"1970-01-01T00:00:00.1239999Z", 123},
        {"1970-01-01T00:00:00.000000001Z", 0},
        {"1970-01-01T02:00:00+02:00", 0},
        {"1969-12-31T18:30:00-05:30", 0},
        {"1970-01-01T00:00:00.250+00:00", 250},
        {"1970-01-01T00:00:00-00:00", 0},
        {"2024-03-01T00:30:00.007+01:00", 1709249400007},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t ms = -1;
        if (!clock_parse(cases[i].text, &ms)) fail_msg("%s is not understood", cases[i].text);
        assert_int_equal(ms, cases[i].ms);
    }
}

static void what_is_no_time_is_refused(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",
        "now",
        "2026-11-21",
        "2026-11-21T07:00:00",      /* in which zone? */
        "2026-11-21 07:00:00Z",
        "2026-11-21T07:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-11-31T00:00:00Z",
        "2026-02-29T00:00:00Z",     /* no leap year */
        "2100-02-29T00:00:00Z",     /* nor this */
        "2026-11-00T00:00:00Z",
        "2026-11-21T24:00:00Z",
        "2026-11-21T07:60:00Z",
        "2026-11-21T07:00:61Z",
        "2026-11-21T07:00:00.Z",
        "2026-11-21T07:00:00,5Z",
        "2026-11-21T07:00:00Zulu",
        "2026-11-21T07:00:00Z ",
        " 2026-11-21T07:00:00Z",
        "2026-11-21T07:00:00+2:00",
        "2026-11-21T07:00:00+02",
        "2026-11-21T07:00:00+0200",
        "2026-11-21T07:00:00+24:00",
        "2026-11-21T07:00:00+02:60",
        "2026-11-21T07:00:00++1:00",
        "2026-11-21T07:00:00+02:00Z",
        "2026-1-1T7:0:0Z",
        "26-11-21T07:00:00Z",
        "-026-11-21T07:00:00Z",
        "20260-11-21T07:00:00Z",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        int64_t ms;
        if (clock_parse(texts[i], &ms)) fail_msg("\"%s\" is taken for a time", texts[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_wall_clock_counts_milliseconds_since_1970),
        cmocka_unit_test(the_monotonic_clock_does_not_go_back),
        cmocka_unit_test(times_are_written_in_utc_with_milliseconds),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(fractions_and_offsets_are_understood),
        cmocka_unit_test(what_is_no_time_is_refused),
    };
    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
