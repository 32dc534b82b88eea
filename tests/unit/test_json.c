/* Helpers on jansson, and on the bytes of a document. */
#include "common/json.h"
#include "tests/unit/temp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static json_t *must_read(const char *text) {
    err_t error = {""};
    json_t *value = json_read(text, strlen(text), &error);
    if (!value) fail_msg("%s: %s", text, error.text);
    return value;
}

static void any_value_can_stand_alone(void **state) {
    (void)state;
    static const char *const texts[] = {"null", "true", "0", "-1.5e3", "\"text\"", "[]", "{}", " \n{\"a\": [1, {}]}\t"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) json_decref(must_read(texts[i]));
}

static void what_is_refused_is_told_with_line_and_column(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t len; /* 0: all */
        const char *position, *reason;
    } cases[] = {
        {"", 0, "line 1, column 0: ", "end of file"},
        {"{\"a\": 1,\n \"b\": x}", 0, "line 2, column 7: ", "near 'x'"},
        {"{\"a\":1}\n{", 0, "line 2, column 1: ", "end of file expected"},
        {"{\"a\":1,\"b\":2,\"a\":3}", 0, "line 1, column 16: ", "duplicate object key"},
        {"{\"a\":1,\"\\u0061\":3}", 0, "line 1, ", "duplicate object key"},
        {"\"a\\u0000b\"", 0, "line 1, ", "\\u0000"},
        {"\"a\0b\"", 5, "line 1, ", ""},
        {"\"\xff\"", 0, "line 1, ", "unable to decode byte 0xff"},
        {"\"\xc3\"", 0, "line 1, ", "unable to decode byte 0xc3"},
        {"\"\xed\xa0\x80\"", 0, "line 1, ", "unable to decode byte 0xed"}, /* a surrogate */
        {"{'a':1}", 0, "line 1, ", ""},
        {"01", 0, "line 1, ", ""},
        {"12345678901234567890123", 0, "line 1, ", "integer"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        err_t error = {""};
        size_t len = cases[i].len ? cases[i].len : strlen(cases[i].text);
        assert_null(json_read(cases[i].text, len, &error));
        if (strncmp(error.text, cases[i].position, strlen(cases[i].position)) || !strstr(error.text, cases[i].reason))
            fail_msg("%s: %s", cases[i].text, error.text);
    }
    assert_null(json_read("{", 1, NULL)); /* nobody has to ask */
}

static void only_the_given_bytes_are_read(void **state) {
    (void)state;
    json_t *value = json_read("[1]]]]", 3, NULL);
    assert_int_equal(json_array_size(value), 1);
    json_decref(value);
}

static void deep_nesting_is_refused_and_breaks_nothing(void **state) {
    (void)state;
    strbuf_t text = {0};
    for (int i = 0; i < 100000; i++) strbuf_addc(&text, '[');
    err_t error = {""};
    assert_null(json_read(text.data, text.len, &error));
    assert_non_null(strstr(error.text, "depth"));
    strbuf_free(&text);
}

static void errors_in_a_file_begin_with_its_name(void **state) {
    (void)state;
    temp_t temp = temp_new();
    char path[256], expected[300];
    err_t error = {""};
    json_t *value = json_read_file(temp_write(&temp, "good.json", "{\"a\":\n1}", path), &error);
    assert_int_equal(json_integer_value(json_object_get(value, "a")), 1);
    json_decref(value);
    assert_null(json_read_file(temp_write(&temp, "bad.json", "{\"a\":\n x}", path), &error));
    snprintf(expected, sizeof expected, "%s:2:2: ", path);
    assert_memory_equal(error.text, expected, strlen(expected));
    snprintf(path, sizeof path, "%s/none.json", temp.path);
    assert_null(json_read_file(path, &error));
    snprintf(expected, sizeof expected, "%s: No such file or directory", path);
    assert_string_equal(error.text, expected);
    assert_null(json_read_file(temp.path, &error)); /* a folder */
    assert_memory_equal(error.text, temp.path, strlen(temp.path));
    temp_free(&temp);
}

static void a_text_member_is_borrowed_and_anything_else_is_none(void **state) {
    (void)state;
    json_t *object = must_read("{\"text\":\"x\",\"number\":1,\"null\":null}"), *array = must_read("[\"text\"]");
    assert_string_equal(json_text(object, "text"), "x");
    assert_null(json_text(object, "number"));
    assert_null(json_text(object, "null"));
    assert_null(json_text(object, "none"));
    assert_null(json_text(array, "text"));
    assert_null(json_text(NULL, "text"));
    json_decref(object);
    json_decref(array);
}

static void the_bytes_of_a_member_are_found(void **state) {
    (void)state;
    static const struct {
        const char *text, *span; /* of the member "body"; NULL: not found */
    } cases[] = {
        {"{\"body\":1}", "1"},
        {"{\"body\":-1.50e+10,\"x\":1}", "-1.50e+10"},
        {"{\"x\":1,\"body\":true}", "true"},
        {"{\"body\":null }", "null"},
        {"{\"body\":\"a\"}", "\"a\""},
        {"{\"body\":\"}\\\"]\\\\\",\"x\":2}", "\"}\\\"]\\\\\""},
        {"{\"body\":{}}", "{}"},
        {"{\"body\":[]}", "[]"},
        {"{\"body\":{\"body\":{\"a\":[1,{\"b\":\"}\"}]}},\"x\":[]}", "{\"body\":{\"a\":[1,{\"b\":\"}\"}]}}"},
        {"{\"x\":{\"body\":1},\"y\":[{\"body\":2}],\"body\":3}", "3"},
        {"{\"x\":\"body\",\"body\":4}", "4"},
        {"{\"x\":\"\\\"body\\\":5\",\"body\":6}", "6"},
        {" \r\n{\t\"x\" : 1 ,\n\"body\"\n:\n{ \"a\" : 1 }\n}\n", "{ \"a\" : 1 }"},
        {"{\"bod\":1,\"bodys\":2,\"Body\":3,\"body\":4}", "4"},
        {"{\"x\":[[],[{}]],\"body\":[ [ ] ]}", "[ [ ] ]"},
        {"{\"x\":1.0,\"body\":\"K\xc3\xa4""fer\"}", "\"K\xc3\xa4""fer\""},
        {"{\"\":0,\"body\":1}", "1"},
        {"{}", NULL},
        {"{\"x\":{\"body\":1}}", NULL},
        {"{\"b\\u006fdy\":1}", NULL}, /* spelled with escapes */
        {"{\"b\\u006fdyx\":1,\"x\":\"body\"}", NULL},
        {"[\"body\",1]", NULL},
        {"\"body\"", NULL},
        {"1", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        json_decref(must_read(cases[i].text));
        json_span_t span = {0};
        bool found = json_member_span(cases[i].text, strlen(cases[i].text), "body", &span);
        if (found != (cases[i].span != NULL)) fail_msg("%s", cases[i].text);
        if (!found) continue;
        assert_in_range((uintptr_t)span.text, (uintptr_t)cases[i].text, (uintptr_t)cases[i].text + strlen(cases[i].text));
        assert_int_equal(span.len, strlen(cases[i].span));
        assert_memory_equal(span.text, cases[i].span, span.len);
    }
}

static void check_elements(const char *text, const char *expected) {
    const char *at = text, *end = text + strlen(text);
    json_span_t span;
    strbuf_t found = {0};
    err_t error;
    assert_true(json_well_formed(text, strlen(text), &error));
    while (json_next_element(&at, end, &span)) strbuf_addf(&found, "<%.*s>", (int)span.len, span.text);
    assert_false(json_next_element(&at, end, &span));
    assert_string_equal(found.data ? found.data : "", expected);
    strbuf_free(&found);
}

static void the_bytes_of_elements_are_found(void **state) {
    (void)state;
    check_elements("[]", "");
    check_elements(" [ \n] ", "");
    check_elements("[1]", "<1>");
    check_elements(" [ 1.0 , \"a,]\\\"\" ,{\"a\":[1,{}]}\t,[[],[ ]],null ] ", "<1.0><\"a,]\\\"\"><{\"a\":[1,{}]}><[[],[ ]]><null>");
    check_elements("[[1],[2]]", "<[1]><[2]>");
    check_elements("[{\"a\":1,\"a\":2}]", "<{\"a\":1,\"a\":2}>"); /* what is wrong with one is not wrong with all */
}

static void what_is_not_well_formed_is_told_with_line_and_column(void **state) {
    static const char *const wrong[] = {"", "[1,]", "[1 2]", "[1", "[1]]", "{", "[\"a]", "[01]", "nul"};
    err_t error;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        if (json_well_formed(wrong[i], strlen(wrong[i]), &error)) fail_msg("%s is taken for JSON", wrong[i]);
        assert_non_null(strstr(error.text, "line "));
    }
}

/* Texts without their end, each in memory of exactly its size: what reads behind it is found by the sanitizer. */
static void a_text_that_breaks_off_is_not_read_behind(void **state) {
    (void)state;
    const char *text = "{\"x\":\"a\\\"b\",\"y\":[{\"z\":1}],\"body\":{\"a\":\"\\\\\"}}";
    for (size_t len = 0; len < strlen(text); len++) {
        char *exact = malloc(len ? len : 1);
        memcpy(exact, text, len);
        json_span_t span;
        strbuf_t out = {0};
        if (json_member_span(exact, len, "body", &span)) {
            assert_true(span.text >= exact);
            assert_true(span.text + span.len <= exact + len);
        }
        json_add_compact(&out, exact, len);
        assert_true(out.len <= len);
        strbuf_free(&out);
        free(exact);
    }
}

static void compacting_removes_white_space_between_tokens_only(void **state) {
    (void)state;
    static const struct {
        const char *text, *compact;
    } cases[] = {
        {" { \"a\" : [ 1 , 2 ] ,\r\n\t\"b\" : null }\n", "{\"a\":[1,2],\"b\":null}"},
        {"{\"a b\":\" c\\t \\\" d \"}", "{\"a b\":\" c\\t \\\" d \"}"},
        {"[ \"\\\\\" , \" x \" ]", "[\"\\\\\",\" x \"]"},
        {"[1.0, 1.00, 1e5, 1E+05, -0, 0.1000000000000000055511151231257827]",
         "[1.0,1.00,1e5,1E+05,-0,0.1000000000000000055511151231257827]"},
        {"[9223372036854775807, 1.7976931348623157e308]", "[9223372036854775807,1.7976931348623157e308]"},
        {"{\"\\u0061\": \"\\u00e4\\/\"}", "{\"\\u0061\":\"\\u00e4\\/\"}"},
        {"[]", "[]"},
        {" 1 ", "1"},
        {" \" \" ", "\" \""},
        {"\"K\xc3\xa4""fer\xc2\xa0\"", "\"K\xc3\xa4""fer\xc2\xa0\""}, /* not the white space of JSON */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        strbuf_t out = {0};
        strbuf_adds(&out, ">");
        json_add_compact(&out, cases[i].text, strlen(cases[i].text));
        assert_string_equal(out.data + 1, cases[i].compact);
        strbuf_free(&out);
    }
}

static void check_added(const char *text, const char *expected) {
    json_t *value = must_read(text);
    strbuf_t out = {0};
    strbuf_adds(&out, ">");
    json_add_value(&out, value);
    if (strcmp(out.data + 1, expected)) fail_msg("%s is written as %s, not %s", text, out.data + 1, expected);
    json_t *again = must_read(out.data + 1);
    assert_true(json_equal(again, value));
    json_decref(again);
    json_decref(value);
    strbuf_free(&out);
}

static void a_value_is_written_compact_with_members_in_their_order(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"null", "null"}, {"true", "true"}, {"false", "false"}, {"{}", "{}"}, {"[]", "[]"}, {"\"\"", "\"\""},
        {" { \"b\" : [ 1 , { } ] , \"a\" : { \"z\" : null , \"y\" : [ [ ] ] } } ", "{\"b\":[1,{}],\"a\":{\"z\":null,\"y\":[[]]}}"},
        {"{\"z\":1,\"a\":2,\"m\":3,\"\":4}", "{\"z\":1,\"a\":2,\"m\":3,\"\":4}"},
        {"[9223372036854775807,-9223372036854775808,0,-1]", "[9223372036854775807,-9223372036854775808,0,-1]"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) check_added(cases[i][0], cases[i][1]);
}

static void a_written_number_has_as_few_digits_as_read_back_the_same_and_stays_real(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"3.0", "3.0"}, {"1.10", "1.1"}, {"-0.0", "-0.0"}, {"0.1", "0.1"}, {"1e2", "100.0"}, {"0.30000000000000004", "0.30000000000000004"},
        {"1e22", "1e+22"}, {"1e23", "1e+23"}, {"1.7976931348623157e308", "1.7976931348623157e+308"}, {"5e-324", "4.94065645841247e-324"}, /* the smallest have fewer digits than are tried */
       
        {"2.2250738585072014e-308", "2.2250738585072014e-308"}, {"0.1000000000000000055511151231257827", "0.1"},
        {"9007199254740993.0", "9007199254740992.0"}, {"123456789012345680.0", "1.2345678901234568e+17"}, {"-1.5e-7", "-1.5e-07"},
        {"1E5", "100000.0"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) check_added(cases[i][0], cases[i][1]);
    uint64_t bits = 88172645463325252u; /* xorshift: the same numbers at each run */
    for (int i = 0; i < 20000; i++) {
        double value;
        bits ^= bits << 13, bits ^= bits >> 7, bits ^= bits << 17;
        memcpy(&value, &bits, sizeof value);
        if (value - value != 0) continue; /* no JSON has these */
        json_t *real = json_real(value);
        strbuf_t out = {0};
        json_add_value(&out, real);
        json_t *again = must_read(out.data);
        assert_true(json_is_real(again));
        if (json_real_value(again) != value) fail_msg("%.17g is written as %s", value, out.data);
        json_decref(again);
        json_decref(real);
        strbuf_free(&out);
    }
}

static void written_texts_are_escaped_where_json_needs_it(void **state) {
    (void)state;
    check_added("\"\\\" \\\\ \\/ \\n \\t \\u0001 \\u001f \\u007f\"", "\"\\\" \\\\ / \\n \\t \\u0001 \\u001f \x7f\"");
    check_added("\"\\u00e4 \\ud83e\\uddf5 \\u2028\"", "\"\xc3\xa4 \xf0\x9f\xa7\xb5 \xe2\x80\xa8\"");
    check_added("{\"a\\\"b\\n\":\"\\b\\f\\r\"}", "{\"a\\\"b\\n\":\"\\b\\f\\r\"}");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_value_can_stand_alone),
        cmocka_unit_test(what_is_refused_is_told_with_line_and_column),
        cmocka_unit_test(only_the_given_bytes_are_read),
        cmocka_unit_test(deep_nesting_is_refused_and_breaks_nothing),
        cmocka_unit_test(errors_in_a_file_begin_with_its_name),
        cmocka_unit_test(a_text_member_is_borrowed_and_anything_else_is_none),
        cmocka_unit_test(the_bytes_of_a_member_are_found),
        cmocka_unit_test(the_bytes_of_elements_are_found),
        cmocka_unit_test(what_is_not_well_formed_is_told_with_line_and_column),
        cmocka_unit_test(a_text_that_breaks_off_is_not_read_behind),
        cmocka_unit_test(compacting_removes_white_space_between_tokens_only),
        cmocka_unit_test(a_value_is_written_compact_with_members_in_their_order),
        cmocka_unit_test(a_written_number_has_as_few_digits_as_read_back_the_same_and_stays_real),
        cmocka_unit_test(written_texts_are_escaped_where_json_needs_it),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
