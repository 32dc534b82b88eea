/* Gzip, inflated piece by piece. */
#include "common/gunzip.h"

#include "common/mem.h"
#include "tests/unit/gzip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

typedef enum end { WHOLE, CUT, DAMAGED } end_t;

/* Inflates all of `gzip`, given `piece` bytes at a time, with room for `room`. */
static end_t inflate_all(const strbuf_t *gzip, size_t piece, size_t room, strbuf_t *out) {
    gunzip_t *gunzip = gunzip_new();
    char *made = mem_alloc(room);
    bool good = true;
    for (size_t at = 0; at < gzip->len && good; at += piece) {
        const char *in = gzip->data + at;
        size_t left = gzip->len - at < piece ? gzip->len - at : piece, count = room;
        while (good && (left > 0 || count == room)) {
            good = gunzip_next(gunzip, &in, &left, made, room, &count);
            strbuf_add(out, made, count);
        }
    }
    end_t end = !good ? DAMAGED : gunzip_whole(gunzip) ? WHOLE : CUT;
    gunzip_free(gunzip);
    free(made);
    return end;
}

static void check(const strbuf_t *gzip, end_t end, const char *text, size_t len) {
    static const size_t sizes[] = {1, 2, 3, 7, 64, 1000, 100000};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        for (size_t j = 0; j < ARRAY_LEN(sizes); j++) {
            strbuf_t out = {0};
            assert_int_equal(inflate_all(gzip, sizes[i], sizes[j], &out), end);
            if (end == WHOLE) {
                assert_int_equal(out.len, len);
                assert_memory_equal(out.data ? out.data : "", text, len);
            }
            strbuf_free(&out);
        }
    }
}

static char text[5000];

static int make_text(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof text; i++) text[i] = (char)(i * i % 251);
    return 0;
}

static void it_inflates_however_it_is_cut(void **state) {
    (void)state;
    strbuf_t gzip = {0};
    gzip_add(&gzip, text, sizeof text);
    check(&gzip, WHOLE, text, sizeof text);
    strbuf_free(&gzip);
}

static void nothing_is_a_text_as_well(void **state) {
    (void)state;
    strbuf_t gzip = {0};
    gzip_add(&gzip, "", 0);
    check(&gzip, WHOLE, "", 0);
    strbuf_free(&gzip);
}

static void members_that_follow_one_another_are_one_text(void **state) {
    (void)state;
    strbuf_t gzip = {0};
    gzip_add(&gzip, text, 1000);
    gzip_add(&gzip, "", 0);
    gzip_add(&gzip, text + 1000, sizeof text - 1000);
    check(&gzip, WHOLE, text, sizeof text);
    strbuf_free(&gzip);
}

static void what_ends_too_early_is_not_whole(void **state) {
    (void)state;
    strbuf_t gzip = {0};
    check(&gzip, CUT, NULL, 0);
    gzip_add(&gzip, text, 100);
    size_t one = gzip.len;
    for (gzip.len = one - 1; gzip.len > 0; gzip.len--) {
        strbuf_t out = {0};
        assert_int_equal(inflate_all(&gzip, 1000, 1000, &out), CUT);
        strbuf_free(&out);
    }
    gzip.len = one;
    gzip_add(&gzip, text, 100);
    gzip.len = one + 5;
    check(&gzip, CUT, NULL, 0);
    strbuf_free(&gzip);
}

static void what_is_damaged_or_followed_by_something_else_is_refused(void **state) {
    (void)state;
    strbuf_t gzip = {0};
    strbuf_adds(&gzip, "{\"title\":\"this is no gzip\"}");
    check(&gzip, DAMAGED, NULL, 0);
    strbuf_clear(&gzip);
    gzip_add(&gzip, text, 1000);
    gzip.data[gzip.len - 6] ^= 1; /* of its checksum */
    check(&gzip, DAMAGED, NULL, 0);
    gzip.data[gzip.len - 6] ^= 1;
    strbuf_adds(&gzip, "rubbish");
    check(&gzip, DAMAGED, NULL, 0);
    strbuf_free(&gzip);
}

static void a_bomb_gives_no_more_than_there_is_room_for(void **state) {
    enum { SIZE = 1 << 24 };
    (void)state;
    char *zeros = mem_zero(1, SIZE), room[100];
    strbuf_t gzip = {0};
    gzip_add(&gzip, zeros, SIZE);
    gunzip_t *gunzip = gunzip_new();
    const char *in = gzip.data;
    size_t left = gzip.len, made;
    assert_true(gunzip_next(gunzip, &in, &left, room, sizeof room, &made));
    assert_int_equal(made, sizeof room);
    assert_true(left > gzip.len / 2); /* it reads no further ahead than it needs to */
    gunzip_free(gunzip);
    strbuf_free(&gzip);
    free(zeros);
    gunzip_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_inflates_however_it_is_cut),
        cmocka_unit_test(nothing_is_a_text_as_well),
        cmocka_unit_test(members_that_follow_one_another_are_one_text),
        cmocka_unit_test(what_ends_too_early_is_not_whole),
        cmocka_unit_test(what_is_damaged_or_followed_by_something_else_is_refused),
        cmocka_unit_test(a_bomb_gives_no_more_than_there_is_room_for),
    };
    return cmocka_run_group_tests(tests, make_text, NULL);
}
