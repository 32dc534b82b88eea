/* CORS: which headers an answer gets. */
#include "common/base.h"
#include "common/http_cors.h"
#include "common/strbuf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define A "https://a.example"
#define B "https://b.example:8443"

static const char *const two[] = {A, B};
static const char *const any[] = {"*"};

static void add(void *context, const char *name, const char *value) {
    strbuf_addf(context, "%s: %s\n", name, value);
}

/* The headers, a line each, in a text that the next call uses again. */
static const char *headers(const http_cors_t *cors, http_cors_case_t request) {
    static strbuf_t text;
    strbuf_clear(&text);
    strbuf_adds(&text, "");
    http_cors_each(cors, &request, add, &text);
    return text.len ? text.data : "";
}

static bool has(const char *text, const char *line) {
    return strstr(text, line) != NULL;
}

static const http_cors_t off, listed = {two, 2, false, 600}, trusted = {two, 2, true, 0}, open_to_all = {any, 1, false, 600};

static const http_cors_case_t simple = {.method = "GET", .origin = A};
static const http_cors_case_t preflight = {.method = "OPTIONS", .origin = A, .wanted = "PUT", .allow = "PUT, OPTIONS"};

static void without_origins_there_are_no_headers(void **state) {
    (void)state;
    assert_string_equal(headers(&off, simple), "");
    assert_string_equal(headers(&off, preflight), "");
}

static void an_origin_is_listed_only_when_it_is_the_same_to_the_letter(void **state) {
    static const char *const others[] = {"https://a.example:443", "http://a.example", "https://a.example/", "https://A.example",
                                         "https://a.example.org", "https://b.example", "null", "*", "", "https://"};
    (void)state;
    assert_true(has(headers(&listed, simple), "Access-Control-Allow-Origin: " A "\n"));
    assert_true(has(headers(&listed, (http_cors_case_t){.method = "GET", .origin = B}), "Access-Control-Allow-Origin: " B "\n"));
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        http_cors_case_t request = {.method = "GET", .origin = others[i]};
        assert_string_equal(headers(&listed, request), "Vary: Origin\n");
        request = preflight;
        request.origin = others[i];
        assert_string_equal(headers(&listed, request), "Vary: Origin\n");
    }
    assert_string_equal(headers(&listed, (http_cors_case_t){.method = "GET"}), "Vary: Origin\n");
}

static void all_origins_get_the_same_answer_whoever_asks(void **state) {
    const char *found = headers(&open_to_all, simple);
    (void)state;
    assert_true(has(found, "Access-Control-Allow-Origin: *\n"));
    assert_false(has(found, "Vary"));
    assert_true(has(headers(&open_to_all, (http_cors_case_t){.method = "GET"}), "Access-Control-Allow-Origin: *\n"));
    assert_true(has(headers(&open_to_all, (http_cors_case_t){.method = "GET", .origin = "null"}), "Access-Control-Allow-Origin: *\n"));
    assert_true(has(headers(&open_to_all, preflight), "Access-Control-Allow-Methods: PUT, OPTIONS\n"));
}

static void a_preflight_is_told_methods_headers_and_for_how_long(void **state) {
    static const char *const known[] = {"Content-Type", "If-Match", "If-None-Match", "Idempotency-Key", "Prefer", "Last-Event-ID",
                                        "X-Request-Id", "traceparent", "tracestate", "Content-Encoding"};
    (void)state;
    const char *found = headers(&listed, preflight);
    assert_true(has(found, "Vary: Origin\n"));
    assert_true(has(found, "Access-Control-Allow-Origin: " A "\n"));
    assert_true(has(found, "Access-Control-Allow-Methods: PUT, OPTIONS\n"));
    assert_true(has(found, "Access-Control-Max-Age: 600\n"));
    assert_false(has(found, "Access-Control-Expose-Headers"));
    assert_false(has(found, "Access-Control-Allow-Credentials"));
    const char *line = strstr(found, "Access-Control-Allow-Headers: ");
    assert_non_null(line);
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        const char *at = strstr(line, known[i]);
        if (!at || at > strchr(line, '\n')) fail_msg("no %s in %s", known[i], line);
    }
    assert_true(has(headers(&trusted, preflight), "Access-Control-Max-Age: 0\n"));
}

static void what_is_no_preflight_is_told_what_a_script_may_read(void **state) {
    static const http_cors_case_t none[] = {
        {.method = "GET", .origin = A},
        {.method = "OPTIONS", .origin = A, .allow = "GET, OPTIONS"},
        {.method = "OPTIONS", .origin = A, .wanted = "PUT"}, /* there is no such path */
        {.method = "DELETE", .origin = A, .wanted = "PUT", .allow = "GET"},
    };
    static const char *const exposed[] = {"ETag", "Location", "Preference-Applied", "Retry-After", "X-Request-Id", "Allow", "Accept-Patch"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(none); i++) {
        const char *found = headers(&listed, none[i]);
        assert_false(has(found, "Access-Control-Allow-Methods"));
        assert_false(has(found, "Access-Control-Max-Age"));
        const char *line = strstr(found, "Access-Control-Expose-Headers: ");
        assert_non_null(line);
        for (size_t k = 0; k < ARRAY_LEN(exposed); k++) assert_true(has(line, exposed[k]));
    }
}

static void credentials_are_allowed_where_settings_say_so(void **state) {
    (void)state;
    assert_true(has(headers(&trusted, simple), "Access-Control-Allow-Credentials: true\n"));
    assert_true(has(headers(&trusted, preflight), "Access-Control-Allow-Credentials: true\n"));
    assert_false(has(headers(&listed, simple), "Credentials"));
    assert_false(has(headers(&trusted, (http_cors_case_t){.method = "GET", .origin = "https://c.example"}), "Credentials"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_origins_there_are_no_headers),
        cmocka_unit_test(an_origin_is_listed_only_when_it_is_the_same_to_the_letter),
        cmocka_unit_test(all_origins_get_the_same_answer_whoever_asks),
        cmocka_unit_test(a_preflight_is_told_methods_headers_and_for_how_long),
        cmocka_unit_test(what_is_no_preflight_is_told_what_a_script_may_read),
        cmocka_unit_test(credentials_are_allowed_where_settings_say_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
