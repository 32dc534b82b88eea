/* Changes to a JSON document: RFC 7396 and RFC 6902. */
#include "common/json.h"
#include "common/patch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static json_t *must_read(const char *text) {
    err_t error = {""};
    json_t *value = json_read(text, strlen(text), &error);
    if (!value) fail_msg("%s: %s", text, error.text);
    return value;
}

static char *text_of(const json_t *value) {
    strbuf_t out = {0};
    json_add_value(&out, value);
    return strbuf_steal(&out);
}

static void assert_text(const json_t *value, const char *expected, const char *of) {
    char *text = text_of(value);
    if (strcmp(text, expected)) fail_msg("%s: %s, not %s", of, text, expected);
    free(text);
}

/* ---- RFC 7396 ---- */

static void check_merge(const char *target_text, const char *patch_text, const char *expected) {
    json_t *target = must_read(target_text), *patch = must_read(patch_text), *made = patch_merge(target, patch);
    assert_text(made, expected, patch_text);
    assert_text(target, target_text, "the target");
    assert_text(patch, patch_text, "the patch");
    json_decref(target);
    json_decref(patch);
    assert_text(made, expected, patch_text); /* shares nothing with them */
    json_decref(made);
}

static void a_merge_patch_does_what_appendix_a_of_the_rfc_shows(void **state) {
    (void)state;
    static const char *const cases[][3] = {
        {"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}"},
        {"{\"a\":\"b\"}", "{\"a\":null}", "{}"},
        {"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}"},
        {"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {"{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}"},
        {"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}"},
        {"{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}"},
        {"[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]"},
        {"{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]"},
        {"{\"a\":\"foo\"}", "null", "null"},
        {"{\"a\":\"foo\"}", "\"bar\"", "\"bar\""},
        {"{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}"},
        {"[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}"},
        {"{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) check_merge(cases[i][0], cases[i][1], cases[i][2]);
}

static void a_merge_patch_leaves_members_in_their_order_and_nulls_in_arrays(void **state) {
    (void)state;
    check_merge("{\"a\":1,\"b\":{\"x\":1,\"y\":2},\"c\":3}", "{\"d\":4,\"b\":{\"x\":9,\"z\":[null]},\"a\":0}",
                "{\"a\":0,\"b\":{\"x\":9,\"y\":2,\"z\":[null]},\"c\":3,\"d\":4}");
    check_merge("{\"a\":1.5,\"b\":2.0}", "{}", "{\"a\":1.5,\"b\":2.0}");
    check_merge("{\"a\":{\"b\":1}}", "{\"a\":{}}", "{\"a\":{\"b\":1}}");
    check_merge("{\"a\":1}", "{\"a\":{}}", "{\"a\":{}}");
    check_merge("7", "{}", "{}");
}

/* {"a":{"a":…{leaf}…}} */
static json_t *nested(int depth, json_t *leaf) {
    for (int i = 0; i < depth; i++) {
        json_t *outer = json_object();
        json_object_set_new(outer, "a", leaf);
        leaf = outer;
    }
    return leaf;
}

/* A copy at each level would be 2000 times 100,000 values. */
static void a_deep_merge_patch_costs_no_copy_at_each_level(void **state) {
    (void)state;
    json_t *many = json_array(), *leaf = json_object();
    for (int i = 0; i < 100000; i++) json_array_append_new(many, json_integer(i));
    json_object_set_new(leaf, "many", many);
    json_t *target = nested(2000, leaf), *patch = nested(2000, json_pack("{s:i}", "one", 1));
    json_t *made = patch_merge(target, patch), *inner = made;
    for (int i = 0; i < 2000; i++) inner = json_object_get(inner, "a");
    assert_int_equal(json_array_size(json_object_get(inner, "many")), 100000);
    assert_int_equal(json_integer_value(json_object_get(inner, "one")), 1);
    assert_int_equal(json_object_size(leaf), 1); /* the target's own */
    json_decref(made);
    json_decref(target);
    json_decref(patch);
}

/* ---- RFC 6902 ---- */

static void check_patch(const char *target_text, const char *patch_text, const char *expected, const char *said) {
    err_t error = {""};
    json_t *target = must_read(target_text), *patch = must_read(patch_text), *made = patch_apply(target, patch, &error);
    assert_text(target, target_text, "the target"); /* also where it failed half-way */
    assert_text(patch, patch_text, "the patch");
    json_decref(target);
    json_decref(patch);
    if (!expected) {
        if (made) fail_msg("%s was done", patch_text);
        if (strcmp(error.text, said)) fail_msg("%s: \"%s\", not \"%s\"", patch_text, error.text, said);
        return;
    }
    if (!made) fail_msg("%s: %s", patch_text, error.text);
    assert_text(made, expected, patch_text);
    json_decref(made);
}

typedef struct done_case {
    const char *target, *patch, *expected;
} done_case_t;

static void check_done(const done_case_t *cases, size_t count) {
    for (size_t i = 0; i < count; i++) check_patch(cases[i].target, cases[i].patch, cases[i].expected, NULL);
}

#define OP(op, more) "{\"op\":\"" op "\"," more "}"
#define ADD(path, value) OP("add", "\"path\":\"" path "\",\"value\":" value)
#define REPLACE(path, value) OP("replace", "\"path\":\"" path "\",\"value\":" value)
#define TEST(path, value) OP("test", "\"path\":\"" path "\",\"value\":" value)
#define REMOVE(path) OP("remove", "\"path\":\"" path "\"")
#define MOVE(from, path) OP("move", "\"from\":\"" from "\",\"path\":\"" path "\"")
#define COPY(from, path) OP("copy", "\"from\":\"" from "\",\"path\":\"" path "\"")

static void add_sets_a_member_and_inserts_into_an_array(void **state) {
    (void)state;
    static const done_case_t cases[] = {
        {"{\"foo\":\"bar\"}", "[" ADD("/baz", "\"qux\"") "]", "{\"foo\":\"bar\",\"baz\":\"qux\"}"},
        {"{\"foo\":1,\"b\":2}", "[" ADD("/foo", "3") "]", "{\"foo\":3,\"b\":2}"},
        {"{\"foo\":[\"bar\",\"baz\"]}", "[" ADD("/foo/1", "\"qux\"") "]", "{\"foo\":[\"bar\",\"qux\",\"baz\"]}"},
        {"[1,2]", "[" ADD("/0", "0") "]", "[0,1,2]"},
        {"[1,2]", "[" ADD("/2", "3") "]", "[1,2,3]"}, /* just behind the end */
        {"[1,2]", "[" ADD("/-", "[3]") "]", "[1,2,[3]]"},
        {"[]", "[" ADD("/-", "1") "]", "[1]"},
        {"[]", "[" ADD("/0", "1") "]", "[1]"},
        {"{\"foo\":\"bar\"}", "[" ADD("/child", "{\"grand\":{}}") "]", "{\"foo\":\"bar\",\"child\":{\"grand\":{}}}"},
        {"{\"a\":1}", "[" ADD("", "[7]") "]", "[7]"}, /* the whole document */
        {"{\"a\":1}", "[" ADD("/b", "null") "]", "{\"a\":1,\"b\":null}"},
        {"{\"foo\":1}", "[{\"op\":\"add\",\"path\":\"/b\",\"value\":2,\"xyz\":9}]", "{\"foo\":1,\"b\":2}"}, /* ignored */
        {"{}", "[" ADD("/0", "1") "," ADD("/-", "2") "," ADD("/01", "3") "]", "{\"0\":1,\"-\":2,\"01\":3}"}, /* just names */
        {"{}", "[]", "{}"},
    };
    check_done(cases, ARRAY_LEN(cases));
}

static void remove_and_replace_need_what_they_point_to(void **state) {
    (void)state;
    static const done_case_t cases[] = {
        {"{\"baz\":\"qux\",\"foo\":\"bar\"}", "[" REMOVE("/baz") "]", "{\"foo\":\"bar\"}"},
        {"{\"foo\":[\"bar\",\"qux\",\"baz\"]}", "[" REMOVE("/foo/1") "]", "{\"foo\":[\"bar\",\"baz\"]}"},
        {"{\"a\":null}", "[" REMOVE("/a") "]", "{}"},
        {"{\"a\":1}", "[" REMOVE("") "]", "null"},
        {"{\"baz\":\"qux\",\"foo\":\"bar\"}", "[" REPLACE("/baz", "\"boo\"") "]", "{\"baz\":\"boo\",\"foo\":\"bar\"}"},
        {"[1,2,3]", "[" REPLACE("/1", "{}") "]", "[1,{},3]"},
        {"{\"a\":1}", "[" REPLACE("", "\"all\"") "]", "\"all\""},
        {"{\"a\":{\"b\":[{\"c\":1}]}}", "[" REPLACE("/a/b/0/c", "2") "]", "{\"a\":{\"b\":[{\"c\":2}]}}"},
    };
    check_done(cases, ARRAY_LEN(cases));
}

static void move_and_copy_take_what_from_points_to(void **state) {
    (void)state;
    static const done_case_t cases[] = {
        {"{\"foo\":{\"bar\":\"baz\",\"waldo\":\"fred\"},\"qux\":{\"corge\":\"grault\"}}", "[" MOVE("/foo/waldo", "/qux/thud") "]",
         "{\"foo\":{\"bar\":\"baz\"},\"qux\":{\"corge\":\"grault\",\"thud\":\"fred\"}}"},
        {"{\"foo\":[\"all\",\"grass\",\"cows\",\"eat\"]}", "[" MOVE("/foo/1", "/foo/3") "]",
         "{\"foo\":[\"all\",\"cows\",\"eat\",\"grass\"]}"},
        {"[1,2,3]", "[" MOVE("/2", "/0") "]", "[3,1,2]"},
        {"[1,2,3]", "[" MOVE("/0", "/-") "]", "[2,3,1]"},
        {"{\"a\":1}", "[" MOVE("/a", "/a") "]", "{\"a\":1}"},
        {"{\"a\":{\"b\":1}}", "[" MOVE("/a/b", "/a") "]", "{\"a\":1}"}, /* out of itself */
        {"{\"a\":1,\"ab\":{}}", "[" MOVE("/a", "/ab/c") "]", "{\"ab\":{\"c\":1}}"}, /* not within, though it begins so */
        {"{\"a\":{\"b\":[1]}}", "[" COPY("/a", "/c") "," ADD("/c/b/-", "2") "]", "{\"a\":{\"b\":[1]},\"c\":{\"b\":[1,2]}}"},
        {"{\"a\":{\"b\":1}}", "[" COPY("/a", "/a/c") "]", "{\"a\":{\"b\":1,\"c\":{\"b\":1}}}"},
        {"{\"a\":1}", "[" COPY("", "/self") "]", "{\"a\":1,\"self\":{\"a\":1}}"},
        {"[1]", "[" COPY("/0", "/0") "]", "[1,1]"},
        {"{\"a\":1}", "[" COPY("/a", "") "]", "1"},
    };
    check_done(cases, ARRAY_LEN(cases));
}

static void test_compares_by_value(void **state) {
    (void)state;
    static const char *const same[][2] = {
        {"1", "1.0"}, {"-0.0", "0"}, {"1e2", "100"}, {"\"\\u00e4\"", "\"ä\""}, {"null", "null"}, {"{}", "{}"}, {"[]", "[]"},
        {"{\"a\":1,\"b\":[2.0]}", "{\"b\":[2],\"a\":1.0}"}, {"[1,[2]]", "[1.0,[2.0]]"}, {"true", "true"},
    };
    static const char *const different[][2] = {
        {"1", "\"1\""}, {"null", "0"}, {"false", "null"}, {"[1,2]", "[2,1]"}, {"[1]", "[1,1]"}, {"{\"a\":1}", "{\"a\":1,\"b\":2}"},
        {"{\"a\":1}", "{\"b\":1}"}, {"{}", "[]"}, {"\"a\"", "\"A\""}, {"{\"a\":{\"b\":1}}", "{\"a\":{\"b\":1.5}}"}, {"1", "true"},
    };
    char target[128], patch[128];
    for (size_t i = 0; i < ARRAY_LEN(same); i++) {
        json_t *read = json_object();
        json_object_set_new(read, "v", must_read(same[i][0]));
        char *text = text_of(read);
        snprintf(patch, sizeof patch, "[{\"op\":\"test\",\"path\":\"/v\",\"value\":%s}]", same[i][1]);
        json_t *steps = must_read(patch), *made = patch_apply(read, steps, NULL);
        if (!made) fail_msg("%s is not %s", text, same[i][1]);
        json_decref(made);
        json_decref(steps);
        json_decref(read);
        free(text);
    }
    for (size_t i = 0; i < ARRAY_LEN(different); i++) {
        snprintf(target, sizeof target, "{\"v\":%s}", different[i][0]);
        snprintf(patch, sizeof patch, "[{\"op\":\"test\",\"path\":\"/v\",\"value\":%s}]", different[i][1]);
        check_patch(target, patch, NULL, "operation 0: the test failed");
    }
    check_patch("{\"a\":1}", "[" TEST("", "{\"a\":1}") "]", "{\"a\":1}", NULL);
    check_patch("{\"a\":1}", "[" TEST("/b", "null") "]", NULL, "operation 0: the test failed");
}

static void a_pointer_is_read_as_rfc_6901_says(void **state) {
    (void)state;
    static const done_case_t cases[] = {
        {"{\"a/b\":0,\"m~n\":0,\"\":0,\" \":0,\"~1\":0,\"k\\\"l\":0,\"i\\\\j\":0}",
         "[" REPLACE("/a~1b", "1") "," REPLACE("/m~0n", "2") "," REPLACE("/", "3") "," REPLACE("/ ", "4") ","
             REPLACE("/~01", "5") "," REPLACE("/k\\\"l", "6") "," REPLACE("/i\\\\j", "7") "]",
         "{\"a/b\":1,\"m~n\":2,\"\":3,\" \":4,\"~1\":5,\"k\\\"l\":6,\"i\\\\j\":7}"},
        {"{\"/\":9,\"~1\":10}", "[" TEST("/~01", "10") "," TEST("/~1", "9") "]", "{\"/\":9,\"~1\":10}"},
        {"{\"\":{\"\":1}}", "[" REPLACE("//", "2") "]", "{\"\":{\"\":2}}"},
        {"{\"a\":[0,1,2,3,4,5,6,7,8,9,10]}", "[" REMOVE("/a/10") "]", "{\"a\":[0,1,2,3,4,5,6,7,8,9]}"},
        {"{\"%25\":1,\"ä\":2}", "[" REMOVE("/%25") "," REMOVE("/ä") "]", "{}"},
    };
    check_done(cases, ARRAY_LEN(cases));
    static const char *const wrong[] = {"a", "a/b", "/a~", "/a~2b", "/~", "#/a", "/b/c", "/a/b", "/l/1", "/l/-", "/l/00", "/l/+0", "/l/0x0",
                                        "/l/-1", "/l/4294967296", "/l/18446744073709551616", "/l/ 0", "/l/", "/l/a", "/n/a", "~0"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        char patch[128];
        snprintf(patch, sizeof patch, "[{\"op\":\"remove\",\"path\":\"%s\"}]", wrong[i]);
        check_patch("{\"a\":1,\"l\":[5],\"n\":null}", patch, NULL, "operation 0: \"path\" points to nothing");
        snprintf(patch, sizeof patch, "[{\"op\":\"copy\",\"from\":\"%s\",\"path\":\"/x\"}]", wrong[i]);
        check_patch("{\"a\":1,\"l\":[5],\"n\":null}", patch, NULL, "operation 0: \"from\" points to nothing");
    }
}

static void what_cannot_be_done_is_told_and_changes_nothing(void **state) {
    (void)state;
    static const struct {
        const char *target, *patch, *said;
    } cases[] = {
        {"{}", "{}", "a JSON Patch is an array"},
        {"{}", "null", "a JSON Patch is an array"},
        {"{}", "[1]", "operation 0: \"op\" is missing"},
        {"{}", "[null]", "operation 0: \"op\" is missing"},
        {"{}", "[{\"path\":\"/a\"}]", "operation 0: \"op\" is missing"},
        {"{}", "[{\"op\":7,\"path\":\"/a\"}]", "operation 0: \"op\" is missing"},
        {"{}", "[{\"op\":\"add\",\"value\":1}]", "operation 0: \"path\" is missing"},
        {"{}", "[{\"op\":\"add\",\"path\":null,\"value\":1}]", "operation 0: \"path\" is missing"},
        {"{}", "[{\"op\":\"add\",\"path\":\"/a\"}]", "operation 0: \"value\" is missing"},
        {"{\"a\":1}", "[{\"op\":\"replace\",\"path\":\"/a\"}]", "operation 0: \"value\" is missing"},
        {"{\"a\":1}", "[{\"op\":\"test\",\"path\":\"/a\"}]", "operation 0: \"value\" is missing"},
        {"{\"a\":1}", "[{\"op\":\"move\",\"path\":\"/b\"}]", "operation 0: \"from\" is missing"},
        {"{\"a\":1}", "[{\"op\":\"copy\",\"from\":1,\"path\":\"/b\"}]", "operation 0: \"from\" is missing"},
        {"{}", "[{\"op\":\"Add\",\"path\":\"/a\",\"value\":1}]",
         "operation 0: \"op\" is none of add, remove, replace, move, copy and test"},
        {"{}", "[" ADD("/a/b", "1") "]", "operation 0: \"path\" points to nothing"},
        {"[1]", "[" ADD("/2", "1") "]", "operation 0: \"path\" points to nothing"},
        {"[1]", "[" ADD("/a", "1") "]", "operation 0: \"path\" points to nothing"},
        {"{\"a\":\"text\"}", "[" ADD("/a/0", "1") "]", "operation 0: \"path\" points to nothing"},
        {"{}", "[" REPLACE("/a", "1") "]", "operation 0: \"path\" points to nothing"},
        {"[1]", "[" REPLACE("/-", "1") "]", "operation 0: \"path\" points to nothing"},
        {"[1]", "[" REPLACE("/1", "1") "]", "operation 0: \"path\" points to nothing"},
        {"{}", "[" REMOVE("/a") "]", "operation 0: \"path\" points to nothing"},
        {"{}", "[" MOVE("/a", "/b") "]", "operation 0: \"from\" points to nothing"},
        {"{\"a\":1}", "[" COPY("/a", "/b/c") "]", "operation 0: \"path\" points to nothing"},
        {"{\"a\":1}", "[" MOVE("/a", "/b/c") "]", "operation 0: \"path\" points to nothing"},
        {"{\"a\":1,\"l\":[]}", "[" COPY("/a", "/l/1") "]", "operation 0: \"path\" points to no place for a value"},
        {"{\"a\":1,\"l\":[]}", "[" MOVE("/a", "/l/x") "]", "operation 0: \"path\" points to no place for a value"},
        {"{\"a\":{\"b\":1}}", "[" MOVE("/a", "/a/b/c") "]", "operation 0: nothing can be moved into itself"},
        {"{\"a\":1}", "[" MOVE("", "/b") "]", "operation 0: nothing can be moved into itself"},
        /* all or none */
        {"{\"a\":1,\"l\":[1,2]}",
         "[" ADD("/b", "2") "," REMOVE("/l/0") "," MOVE("/a", "/c") "," ADD("", "[]") "," REMOVE("/9") "]",
         "operation 4: \"path\" points to nothing"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) check_patch(cases[i].target, cases[i].patch, NULL, cases[i].said);
}

/* ---- what a patch may cost ---- */

static void assert_refused(json_t *target, json_t *patch, const char *said) {
    err_t error = {""};
    json_t *made = patch_apply(target, patch, &error);
    assert_null(made);
    if (!strstr(error.text, said)) fail_msg("\"%s\", not \"%s\"", error.text, said);
    json_decref(target);
    json_decref(patch);
}

static json_t *steps(int count, const char *from, const char *path) {
    json_t *patch = json_array();
    for (int i = 0; i < count; i++) {
        char to[64];
        snprintf(to, sizeof to, path, i);
        json_array_append_new(patch, json_pack("{s:s,s:s,s:s}", "op", "copy", "from", from, "path", to));
    }
    return patch;
}

static void copies_that_double_are_refused_before_they_fill_the_memory(void **state) {
    (void)state;
    assert_refused(must_read("{\"o\":{\"a\":1}}"), steps(200, "/o", "/o/c%d"), "too much");
    assert_refused(must_read("[[1]]"), steps(200, "", "/0/%d"), "too much");
    /* few values, but large ones: 60 of these are 60 MB, and the 17th would have made 64 GB */
    char *large = malloc(1000001);
    memset(large, 'x', 1000000);
    large[1000000] = '\0';
    json_t *target = json_pack("{s:{s:s}}", "o", "text", large);
    assert_refused(target, steps(17, "/o", "/o/c%d"), "too much");
    json_t *named = json_object(); /* a name costs as a text does */
    json_object_set_new(named, "o", json_pack("{s:i}", large, 1));
    assert_refused(named, steps(17, "/o", "/o/c%d"), "too much");
    json_t *some = json_pack("{s:{s:s}}", "o", "text", large), *patch = steps(5, "/o", "/o/c%d");
    json_t *made = patch_apply(some, patch, NULL);
    assert_non_null(made);
    json_decref(made);
    json_decref(some);
    json_decref(patch);
    free(large);
}

static void the_number_of_operations_is_bounded(void **state) {
    (void)state;
    json_t *patch = json_array(), *target = json_object();
    for (int i = 0; i < PATCH_OPERATIONS_MAX; i++)
        json_array_append_new(patch, json_pack("{s:s,s:s,s:i}", "op", "add", "path", "/a", "value", i));
    json_t *made = patch_apply(target, patch, NULL);
    assert_int_equal(json_integer_value(json_object_get(made, "a")), PATCH_OPERATIONS_MAX - 1);
    json_decref(made);
    json_array_append(patch, json_array_get(patch, 0));
    assert_refused(target, patch, "the patch has too many operations");
}

static void what_is_written_may_not_lie_too_deep(void **state) {
    (void)state;
    json_t *value = nested(PATCH_DEPTH_MAX - 2, json_integer(1)); /* below one step of the path */
    json_t *patch = json_pack("[{s:s,s:s,s:o}]", "op", "add", "path", "/x", "value", value);
    json_t *target = json_object(), *made = patch_apply(target, patch, NULL);
    assert_non_null(made);
    json_decref(made);
    json_object_set_new(json_array_get(patch, 0), "path", json_string("/x/y"));
    json_object_set_new(target, "x", json_object());
    assert_refused(target, patch, "too deep");
}

static void a_failure_may_be_of_no_interest(void **state) {
    (void)state;
    json_t *target = json_object(), *patch = must_read("[" REMOVE("/a") "]");
    assert_null(patch_apply(target, patch, NULL));
    assert_null(patch_apply(target, target, NULL));
    json_decref(target);
    json_decref(patch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_merge_patch_does_what_appendix_a_of_the_rfc_shows),
        cmocka_unit_test(a_merge_patch_leaves_members_in_their_order_and_nulls_in_arrays),
        cmocka_unit_test(a_deep_merge_patch_costs_no_copy_at_each_level),
        cmocka_unit_test(add_sets_a_member_and_inserts_into_an_array),
        cmocka_unit_test(remove_and_replace_need_what_they_point_to),
        cmocka_unit_test(move_and_copy_take_what_from_points_to),
        cmocka_unit_test(test_compares_by_value),
        cmocka_unit_test(a_pointer_is_read_as_rfc_6901_says),
        cmocka_unit_test(what_cannot_be_done_is_told_and_changes_nothing),
        cmocka_unit_test(copies_that_double_are_refused_before_they_fill_the_memory),
        cmocka_unit_test(the_number_of_operations_is_bounded),
        cmocka_unit_test(what_is_written_may_not_lie_too_deep),
        cmocka_unit_test(a_failure_may_be_of_no_interest),
    };
    return cmocka_run_group_tests_name("patch", tests, NULL, NULL);
}
