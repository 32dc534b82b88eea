/* Growing text. */
#include "common/strbuf.h"

#include "common/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void a_zeroed_buffer_is_empty_and_ready(void **state) {
    (void)state;
    strbuf_t sb = {0};
    strbuf_adds(&sb, "");
    assert_string_equal(sb.data, "");
    assert_int_equal(sb.len, 0);
    strbuf_free(&sb);
    strbuf_free(&sb);
    strbuf_free(NULL);
    assert_null(sb.data);
}

static void text_is_whole_and_terminated_at_every_length(void **state) {
    (void)state;
    strbuf_t sb = {0};
    for (size_t len = 1; len <= 5000; len++) {
        strbuf_addc(&sb, (char)('a' + len % 26));
        assert_int_equal(sb.len, len);
        assert_int_equal(sb.data[len], '\0');
        assert_true(sb.cap > len);
    }
    for (size_t i = 1; i <= 5000; i++) assert_int_equal(sb.data[i - 1], 'a' + i % 26);
    strbuf_free(&sb);
}

static void one_large_piece_fits_at_once(void **state) {
    (void)state;
    strbuf_t sb = {0};
    char *large = malloc(1000000);
    memset(large, 'x', 1000000);
    strbuf_adds(&sb, "before ");
    strbuf_add(&sb, large, 1000000);
    assert_int_equal(sb.len, 1000007);
    assert_memory_equal(sb.data + 7, large, 1000000);
    assert_int_equal(sb.data[sb.len], '\0');
    free(large);
    strbuf_free(&sb);
}

static void bytes_with_zero_among_them_are_kept(void **state) {
    (void)state;
    strbuf_t sb = {0};
    strbuf_add(&sb, "a\0b", 3);
    strbuf_add(&sb, NULL, 0);
    assert_int_equal(sb.len, 3);
    assert_memory_equal(sb.data, "a\0b\0", 4);
    strbuf_free(&sb);
}

static void formatted_text_of_any_length_is_appended(void **state) {
    (void)state;
    char expected[3000];
    for (int width = 0; width < 2000; width += 61) {
        strbuf_t sb = {0};
        strbuf_adds(&sb, "head:");
        strbuf_addf(&sb, "%*d|%s", width, 7, "end");
        int len = snprintf(expected, sizeof expected, "head:%*d|%s", width, 7, "end");
        assert_int_equal(sb.len, len);
        assert_string_equal(sb.data, expected);
        strbuf_free(&sb);
    }
}

static void integers_are_written_to_their_last_digit(void **state) {
    (void)state;
    static const int64_t numbers[] = {0, 1, -1, 9, 10, -10, 99, 100, 1234567890123456789, INT64_MAX, INT64_MIN, INT64_MIN + 1};
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        strbuf_t sb = {0};
        char expected[32];
        strbuf_addi(&sb, numbers[i]);
        snprintf(expected, sizeof expected, "%lld", (long long)numbers[i]);
        assert_string_equal(sb.data, expected);
        strbuf_free(&sb);
    }
}

static void clearing_keeps_the_memory_and_stealing_gives_it_away(void **state) {
    (void)state;
    strbuf_t sb = {0};
    strbuf_adds(&sb, "first");
    char *memory = sb.data;
    strbuf_clear(&sb);
    assert_string_equal(sb.data, "");
    strbuf_adds(&sb, "next");
    assert_ptr_equal(sb.data, memory);
    char *stolen = strbuf_steal(&sb);
    assert_string_equal(stolen, "next");
    assert_null(sb.data);
    assert_int_equal(sb.len, 0);
    strbuf_adds(&sb, "again");
    assert_string_equal(sb.data, "again");
    assert_string_equal(stolen, "next");
    free(stolen);
    strbuf_free(&sb);
}

static void stealing_from_an_empty_buffer_gives_an_empty_text(void **state) {
    (void)state;
    strbuf_t sb = {0};
    strbuf_clear(&sb);
    char *text = strbuf_steal(&sb);
    assert_string_equal(text, "");
    free(text);
}

static void json_escapes_what_must_be_escaped_and_nothing_else(void **state) {
    (void)state;
    static const struct {
        const char *text, *json;
    } cases[] = {
        {"", "\"\""},
        {"plain", "\"plain\""},
        {"\"", "\"\\\"\""},
        {"\\", "\"\\\\\""},
        {"a\"b\\c", "\"a\\\"b\\\\c\""},
        {"\b\f\n\r\t", "\"\\b\\f\\n\\r\\t\""},
        {"\x01\x1f", "\"\\u0001\\u001f\""},
        {"/<>&'", "\"/<>&'\""},
        {"\x7f", "\"\x7f\""},
        {"K\xc3\xa4""fer \xf0\x9f\xaa\xb2", "\"K\xc3\xa4""fer \xf0\x9f\xaa\xb2\""},
        {"\n\nend", "\"\\n\\nend\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        strbuf_t sb = {0};
        strbuf_add_jsons(&sb, cases[i].text);
        assert_string_equal(sb.data, cases[i].json);
        strbuf_free(&sb);
    }
}

static void every_character_comes_back_from_its_json(void **state) {
    (void)state;
    for (int c = 0; c < 128; c++) {
        strbuf_t sb = {0};
        char text[3] = {'<', (char)c, '>'};
        strbuf_add_json(&sb, text, 3);
        json_t *value = json_loadb(sb.data, sb.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        assert_non_null(value);
        assert_int_equal(json_string_length(value), 3);
        assert_memory_equal(json_string_value(value), text, 3);
        json_decref(value);
        strbuf_free(&sb);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_zeroed_buffer_is_empty_and_ready),
        cmocka_unit_test(text_is_whole_and_terminated_at_every_length),
        cmocka_unit_test(one_large_piece_fits_at_once),
        cmocka_unit_test(bytes_with_zero_among_them_are_kept),
        cmocka_unit_test(formatted_text_of_any_length_is_appended),
        cmocka_unit_test(integers_are_written_to_their_last_digit),
        cmocka_unit_test(clearing_keeps_the_memory_and_stealing_gives_it_away),
        cmocka_unit_test(stealing_from_an_empty_buffer_gives_an_empty_text),
        cmocka_unit_test(json_escapes_what_must_be_escaped_and_nothing_else),
        cmocka_unit_test(every_character_comes_back_from_its_json),
    };
    return cmocka_run_group_tests_name("strbuf", tests, NULL, NULL);
}
