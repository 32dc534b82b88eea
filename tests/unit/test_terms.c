/* What a request's headers say of a command. */
#include "services/command-api/terms.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { WAIT_MAX = 60 };

static terms_result_t read_terms(const terms_headers_t *headers, const char *method, verb_t verb, terms_t *terms) {
    err_t error = {""};
    terms_result_t result = terms_read(headers, method, verb, WAIT_MAX, terms, &error);
    if ((result == TERMS_INVALID) != (error.text[0] != '\0')) fail_msg("%d with \"%s\"", (int)result, error.text);
    return result;
}

static void without_headers_there_are_no_terms(void **state) {
    (void)state;
    static const struct {
        const char *method;
        verb_t verb;
    } cases[] = {{"POST", VERB_CREATE}, {"PUT", VERB_UPDATE}, {"POST", VERB_UPDATE}, {"DELETE", VERB_DELETE}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        terms_t terms;
        assert_int_equal(read_terms(&(terms_headers_t){0}, cases[i].method, cases[i].verb, &terms), TERMS_OK);
        assert_int_equal(terms.verb, cases[i].verb);
        assert_int_equal(terms.expected_version, RECORD_NO_VERSION);
        assert_false(terms.conditional);
        assert_int_equal(terms.patch, COMMAND_REPLACE);
        assert_string_equal(terms.key, "");
        assert_int_equal(terms.wait_seconds, -1);
    }
}

static void if_match_is_a_version_a_star_or_refused(void **state) {
    (void)state;
    static const struct {
        const char *tag;
        terms_result_t result;
        int64_t version;
    } cases[] = {
        {"\"1\"", TERMS_OK, 1},
        {"\"42\"", TERMS_OK, 42},
        {"\"999999999999999999\"", TERMS_OK, 999999999999999999},
        {"*", TERMS_OK, RECORD_NO_VERSION},
        {"\"0\"", TERMS_NEVER_MATCH, 0},
        {"\"01\"", TERMS_NEVER_MATCH, 0},
        {"\"-1\"", TERMS_NEVER_MATCH, 0},
        {"\"+1\"", TERMS_NEVER_MATCH, 0},
        {"\" 1\"", TERMS_NEVER_MATCH, 0},
        {"\"1 \"", TERMS_NEVER_MATCH, 0},
        {"\"1.0\"", TERMS_NEVER_MATCH, 0},
        {"\"0x1\"", TERMS_NEVER_MATCH, 0},
        {"\"\"", TERMS_NEVER_MATCH, 0},
        {"\"abc\"", TERMS_NEVER_MATCH, 0},
        {"\"1000000000000000000\"", TERMS_NEVER_MATCH, 0},
        {"\"99999999999999999999999\"", TERMS_NEVER_MATCH, 0},
        {"W/\"1\"", TERMS_NEVER_MATCH, 0}, /* weak tags never match strongly */
        {"", TERMS_INVALID, 0},
        {"1", TERMS_INVALID, 0},
        {"\"", TERMS_INVALID, 0},
        {"\"1", TERMS_INVALID, 0},
        {"1\"", TERMS_INVALID, 0},
        {"W/", TERMS_INVALID, 0},
        {"W/1", TERMS_INVALID, 0},
        {"w/\"1\"", TERMS_INVALID, 0},
        {"'1'", TERMS_INVALID, 0},
        {"\"1\", \"2\"", TERMS_INVALID, 0},
        {"*, \"1\"", TERMS_INVALID, 0},
        {"**", TERMS_INVALID, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        terms_t terms;
        terms_result_t result = read_terms(&(terms_headers_t){.if_match = cases[i].tag}, "PUT", VERB_UPDATE, &terms);
        if (result != cases[i].result) fail_msg("%s: %d", cases[i].tag, (int)result);
        if (result != TERMS_OK) continue;
        assert_true(terms.conditional);
        assert_int_equal(terms.verb, VERB_UPDATE);
        assert_int_equal(terms.expected_version, cases[i].version);
    }
}

static void a_create_has_nothing_that_if_match_could_mean(void **state) {
    (void)state;
    terms_t terms;
    assert_int_equal(read_terms(&(terms_headers_t){.if_match = "\"3\""}, "POST", VERB_CREATE, &terms), TERMS_OK);
    assert_int_equal(terms.expected_version, RECORD_NO_VERSION);
    assert_false(terms.conditional);
}

static void if_none_match_with_a_star_makes_a_put_a_create(void **state) {
    (void)state;
    terms_t terms;
    assert_int_equal(read_terms(&(terms_headers_t){.if_none_match = "*"}, "PUT", VERB_UPDATE, &terms), TERMS_OK);
    assert_int_equal(terms.verb, VERB_CREATE);
    assert_true(terms.conditional);
    static const struct {
        const char *method, *if_match, *if_none_match;
        verb_t verb;
    } wrong[] = {
        {"POST", NULL, "*", VERB_UPDATE},     {"POST", NULL, "*", VERB_CREATE}, {"PATCH", NULL, "*", VERB_UPDATE},
        {"DELETE", NULL, "*", VERB_DELETE},   {"PUT", NULL, "\"1\"", VERB_UPDATE}, {"PUT", NULL, "", VERB_UPDATE},
        {"PUT", NULL, "*, *", VERB_UPDATE}, {"PUT", "*", "*", VERB_UPDATE},   {"PUT", "\"1\"", "*", VERB_UPDATE},
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        const terms_headers_t headers = {.if_match = wrong[i].if_match, .if_none_match = wrong[i].if_none_match};
        if (read_terms(&headers, wrong[i].method, wrong[i].verb, &terms) != TERMS_INVALID) fail_msg("case %zu is taken", i);
    }
}

static void a_key_is_1_to_255_visible_characters_bare_or_quoted(void **state) {
    (void)state;
    char longest[TERMS_KEY_SIZE + 3];
    terms_t terms;
    memset(longest, 'x', sizeof longest);
    longest[255] = '\0';
    static const char *const good[][2] = {
        {"k", "k"}, {"\"k\"", "k"}, {"!~", "!~"}, {"a\"b", "a\"b"}, {"\"a\"b\"", "a\"b"}, {"\"", "\""}, {"\"k", "\"k"},
        {"k\"", "k\""}, {"\"\"\"", "\""}, {"8e03978e-40d5-43dd-bc93-6894a57f9324", "8e03978e-40d5-43dd-bc93-6894a57f9324"},
    };
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_int_equal(read_terms(&(terms_headers_t){.idempotency_key = good[i][0]}, "POST", VERB_CREATE, &terms), TERMS_OK);
        assert_string_equal(terms.key, good[i][1]);
    }
    assert_int_equal(read_terms(&(terms_headers_t){.idempotency_key = longest}, "POST", VERB_CREATE, &terms), TERMS_OK);
    assert_int_equal(strlen(terms.key), 255);
    longest[255] = 'x', longest[256] = '\0';
    char quoted[] = {"\""}, too_long_quoted[300];
    snprintf(too_long_quoted, sizeof too_long_quoted, "%s%s%s", quoted, longest, quoted);
    const char *const wrong[] = {"", "\"\"", " ", "a b", "a\tb", "\x7f", "\x1f", "\xc3\xa4", "\" \"", longest, too_long_quoted};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        if (read_terms(&(terms_headers_t){.idempotency_key = wrong[i]}, "POST", VERB_CREATE, &terms) != TERMS_INVALID)
            fail_msg("\"%s\" is taken", wrong[i]);
}

static void how_long_to_wait_is_read_and_cut_and_the_rest_is_ignored(void **state) {
    (void)state;
    static const struct {
        const char *prefer;
        int seconds;
    } cases[] = {
        {"wait=5", 5}, {"wait=0", 0}, {"Wait=5", 5}, {"wait=\"5\"", 5}, {"wait = 5", 5}, {"  wait=5  ", 5}, {"wait=5;x=y", 5},
        {"wait=007", 7}, {"return=minimal, wait=5", 5}, {"wait=5,return=minimal", 5}, {",,wait=5,", 5}, {"a;b=c,wait=5", 5},
        {"wait=60", 60}, {"wait=61", 60}, {"wait=999999999", 60}, {"wait=99999999999999999999999", 60},
        {"wait=5, wait=7", 5}, {"wait=x, wait=7", 7}, /* the first that is one counts */
        {"", -1}, {"wait", -1}, {"wait=", -1}, {"wait=\"\"", -1}, {"wait=-1", -1}, {"wait=x", -1}, {"wait=5x", -1}, {"wait=5.5", -1},
        {"waiting=5", -1}, {"await=5", -1}, {"wait5", -1}, {"return=minimal", -1}, {"respond-async", -1}, {";wait=5", -1},
        {"x;wait=5", -1}, /* a parameter of another preference */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        terms_t terms;
        assert_int_equal(read_terms(&(terms_headers_t){.prefer = cases[i].prefer}, "POST", VERB_CREATE, &terms), TERMS_OK);
        if (terms.wait_seconds != cases[i].seconds) fail_msg("\"%s\": %d", cases[i].prefer, terms.wait_seconds);
    }
}

static void the_kind_of_a_patch_is_its_media_type(void **state) {
    (void)state;
    static const struct {
        const char *method, *media_type;
        command_patch_t patch;
    } cases[] = {
        {"PATCH", "application/merge-patch+json", COMMAND_MERGE_PATCH},
        {"PATCH", "Application/JSON-Patch+json; charset=utf-8", COMMAND_JSON_PATCH},
        {"PATCH", "application/json-patch+json", COMMAND_JSON_PATCH},
        {"PUT", "application/json", COMMAND_REPLACE},
        {"PUT", "application/json-patch+json", COMMAND_REPLACE},
        {"POST", NULL, COMMAND_REPLACE},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        terms_t terms;
        const terms_headers_t headers = {.content_type = cases[i].media_type};
        assert_int_equal(read_terms(&headers, cases[i].method, VERB_UPDATE, &terms), TERMS_OK);
        assert_int_equal(terms.patch, cases[i].patch);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_headers_there_are_no_terms),
        cmocka_unit_test(if_match_is_a_version_a_star_or_refused),
        cmocka_unit_test(a_create_has_nothing_that_if_match_could_mean),
        cmocka_unit_test(if_none_match_with_a_star_makes_a_put_a_create),
        cmocka_unit_test(a_key_is_1_to_255_visible_characters_bare_or_quoted),
        cmocka_unit_test(how_long_to_wait_is_read_and_cut_and_the_rest_is_ignored),
        cmocka_unit_test(the_kind_of_a_patch_is_its_media_type),
    };
    return cmocka_run_group_tests_name("terms", tests, NULL, NULL);
}
