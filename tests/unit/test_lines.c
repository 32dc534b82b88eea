/* Lines of a text that comes in pieces. */
#include "common/lines.h"

#include "common/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MAX = 5 };

static void add(strbuf_t *out, lines_found_t found, const char *line, size_t len) {
    if (found == LINES_ONE) strbuf_addf(out, "<%.*s>", (int)len, line);
    if (found == LINES_TOO_LONG) strbuf_adds(out, "!");
}

/* All lines of `text`, given in pieces of `size` bytes, or of any size (0). */
static char *lines_of(const char *text, size_t len, size_t size) {
    strbuf_t out = {0};
    lines_t lines = {.max = MAX};
    const char *line;
    size_t line_len;
    while (len > 0) {
        size_t piece = size ? size : (size_t)random() % 12, left = piece < len ? piece : len;
        /* A copy, so that reading beside it is found out. */
        char *copy = mem_copy(text, left);
        const char *at = copy;
        text += left;
        len -= left;
        while (left > 0) {
            lines_found_t found = lines_next(&lines, &at, &left, &line, &line_len);
            if (found == LINES_NONE) assert_int_equal(left, 0);
            add(&out, found, line, line_len);
        }
        free(copy);
    }
    lines_found_t last = lines_last(&lines, &line, &line_len);
    add(&out, last, line, line_len);
    assert_int_equal(lines_last(&lines, &line, &line_len), LINES_NONE);
    lines_free(&lines);
    return strbuf_steal(&out);
}

static void check(const char *text, const char *expected) {
    for (size_t size = 1; size < 20; size++) {
        char *found = lines_of(text, strlen(text), size);
        assert_string_equal(found, expected);
        free(found);
    }
}

static void lines_are_found_however_the_text_comes(void **state) {
    (void)state;
    check("", "");
    check("a", "<a>");
    check("a\n", "<a>");
    check("a\nbc\n\nd", "<a><bc><><d>");
    check("\n\n", "<><>");
    check("a\r\nb", "<a\r><b>");
}

static void a_line_that_is_too_long_is_told_and_the_others_go_on(void **state) {
    (void)state;
    check("12345\n123456\n1\n", "<12345>!<1>");
    check("123456", "!");
    check("1\n12345678901234567890\n\n2", "<1>!<><2>");
    check("1234567890\n1234567890\n", "!!");
}

/* The plainest way to say what must be found. */
static char *expected_of(const char *text, size_t len) {
    strbuf_t out = {0};
    for (size_t from = 0; from < len;) {
        const char *feed = memchr(text + from, '\n', len - from);
        size_t part = feed ? (size_t)(feed - text) - from : len - from;
        add(&out, part > MAX ? LINES_TOO_LONG : LINES_ONE, text + from, part);
        from += part + 1;
    }
    return strbuf_steal(&out);
}

static void any_text_in_any_pieces_gives_the_same_lines(void **state) {
    (void)state;
    srandom(1);
    for (int i = 0; i < 20000; i++) {
        char text[40];
        size_t len = (size_t)random() % sizeof text;
        for (size_t at = 0; at < len; at++) text[at] = "\n\nabcdefg"[random() % 9];
        char *expected = expected_of(text, len), *found = lines_of(text, len, 0);
        assert_string_equal(found, expected);
        free(expected);
        free(found);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_found_however_the_text_comes),
        cmocka_unit_test(a_line_that_is_too_long_is_told_and_the_others_go_on),
        cmocka_unit_test(any_text_in_any_pieces_gives_the_same_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
