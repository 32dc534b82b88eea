/* Request ids and traces: what is taken over, and what is not. */
#include "common/mem.h"
#include "common/trace.h"
#include "common/uuid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TRACE_ID "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN_ID "00f067aa0ba902b7"
#define PARENT "00-" TRACE_ID "-" SPAN_ID "-01"

/* Headers in turns of name and value, ended by NULL. */
static trace_t read_all(const char *const *headers) {
    trace_reader_t reader = {0};
    trace_t trace;
    for (; *headers; headers += 2) trace_read_header(&reader, headers[0], headers[1], strlen(headers[1]));
    trace_read_end(&reader, &trace);
    return trace;
}

#define READ(...) read_all((const char *const[]){__VA_ARGS__, NULL})

static char *repeated(char c, size_t count) {
    char *text = mem_zero(count + 1, 1);
    memset(text, c, count);
    return text;
}

/* ---- request ids ---- */

static void a_request_id_of_plain_characters_is_kept(void **state) {
    static const char *const ids[] = {"a", "7", "01a1fd8a-1b7e-7c12-9d0e-2f6a54b1c8d3", "Root=1-67891233-abcdef", "a.b_c~d/e+f:g@h|i=="};
    char *longest = repeated('x', 128);
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) assert_string_equal(READ("X-Request-Id", ids[i]).request_id, ids[i]);
    assert_string_equal(READ("x-request-id", longest).request_id, longest);
    assert_string_equal(READ("X-REQUEST-ID", " \ta\t ").request_id, "a");
    free(longest);
}

static void what_is_no_request_id_is_left_out(void **state) {
    static const char *const none[] = {"", " ", "a b", "a\"b", "a\\b", "a,b", "a;b", "a<b", "a\tb", "a\nb", "a\x7f", "\xc3\xa4", "a'b", "{a}", "a%b"};
    char *too_long = repeated('x', 129);
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(none); i++) assert_string_equal(READ("x-request-id", none[i]).request_id, "");
    assert_string_equal(READ("x-request-id", too_long).request_id, "");
    assert_string_equal(READ("x-request-id", "a", "x-request-id", "b").request_id, "");
    assert_string_equal(READ("request-id", "a").request_id, "");
    free(too_long);
    trace_reader_t reader = {0};
    trace_t trace;
    trace_read_header(&reader, "x-request-id", "a\0b", 3);
    trace_read_end(&reader, &trace);
    assert_string_equal(trace.request_id, "");
}

/* ---- traceparent: the recommendation's rules, section 3.2 and 4.3 ---- */

static void a_valid_parent_is_taken_over(void **state) {
    static const struct {
        const char *given, *kept;
    } rows[] = {
        {PARENT, PARENT},
        {"00-" TRACE_ID "-" SPAN_ID "-00", "00-" TRACE_ID "-" SPAN_ID "-00"},
        {" \t" PARENT "\t ", PARENT},
        /* Flags: sampled and random stay, those without meaning do not. */
        {"00-" TRACE_ID "-" SPAN_ID "-02", "00-" TRACE_ID "-" SPAN_ID "-02"},
        {"00-" TRACE_ID "-" SPAN_ID "-03", "00-" TRACE_ID "-" SPAN_ID "-03"},
        {"00-" TRACE_ID "-" SPAN_ID "-ff", "00-" TRACE_ID "-" SPAN_ID "-03"},
        {"00-" TRACE_ID "-" SPAN_ID "-fc", "00-" TRACE_ID "-" SPAN_ID "-00"},
        {"00-" TRACE_ID "-" SPAN_ID "-09", "00-" TRACE_ID "-" SPAN_ID "-01"},
        /* Versions to come: what is known of them goes on as version 00. */
        {"01-" TRACE_ID "-" SPAN_ID "-01", PARENT},
        {"cc-" TRACE_ID "-" SPAN_ID "-03", PARENT},
        {"fe-" TRACE_ID "-" SPAN_ID "-02", "00-" TRACE_ID "-" SPAN_ID "-00"},
        {"01-" TRACE_ID "-" SPAN_ID "-01-what-the-future-will-be-like", PARENT},
        {"01-" TRACE_ID "-" SPAN_ID "-01-", PARENT},
        /* Ids may begin and end with zeros. */
        {"00-00000000000000000000000000000001-0000000000000001-01", "00-00000000000000000000000000000001-0000000000000001-01"},
        {"00-10000000000000000000000000000000-1000000000000000-01", "00-10000000000000000000000000000000-1000000000000000-01"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_string_equal(READ("TraceParent", rows[i].given).parent, rows[i].kept);
}

static void a_malformed_parent_is_ignored(void **state) {
    static const char *const rows[] = {
        "", "00", "00-", "x", TRACE_ID,
        "ff-" TRACE_ID "-" SPAN_ID "-01", "FF-" TRACE_ID "-" SPAN_ID "-01",
        "00-00000000000000000000000000000000-" SPAN_ID "-01", "00-" TRACE_ID "-0000000000000000-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN_ID "-01", "00-" TRACE_ID "-00F067AA0BA902B7-01",
        "00-" TRACE_ID "-" SPAN_ID "-0A", "00-" TRACE_ID "-" SPAN_ID "-0x", "00-" TRACE_ID "-" SPAN_ID "-.0",
        "0.-" TRACE_ID "-" SPAN_ID "-01", ".0-" TRACE_ID "-" SPAN_ID "-01", "CC-" TRACE_ID "-" SPAN_ID "-01",
        "00-" TRACE_ID "-" SPAN_ID "-1", "00-" TRACE_ID "-" SPAN_ID "-", "00-" TRACE_ID "-" SPAN_ID,
        "00-" TRACE_ID "-" SPAN_ID "-011", "00-" TRACE_ID "-" SPAN_ID "-01-", "00-" TRACE_ID "-" SPAN_ID "-01-more",
        "01-" TRACE_ID "-" SPAN_ID "-011", "01-" TRACE_ID "-" SPAN_ID "-01.more",
        "000-" TRACE_ID "-" SPAN_ID "-01", "0-" TRACE_ID "-" SPAN_ID "-01", "-" TRACE_ID "-" SPAN_ID "-01",
        "00-.bf92f3577b34da6a3ce929d0e0e4736-" SPAN_ID "-01", "00-" TRACE_ID "-.0f067aa0ba902b7-01",
        "00-bf92f3577b34da6a3ce929d0e0e4736-" SPAN_ID "-01", "00-" TRACE_ID "a-" SPAN_ID "-01",
        "00_" TRACE_ID "-" SPAN_ID "-01", "00-" TRACE_ID "_" SPAN_ID "-01", "00-" TRACE_ID "-" SPAN_ID "_01",
        "00 -" TRACE_ID "-" SPAN_ID "-01", "00-" TRACE_ID "-" SPAN_ID "- 1",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        trace_t trace = READ("traceparent", rows[i], "tracestate", "a=1");
        if (trace.parent[0]) fail_msg("%s: %s", rows[i], trace.parent);
        assert_string_equal(trace.state, ""); /* which means nothing without a parent */
    }
    assert_string_equal(READ("traceparent", PARENT, "traceparent", PARENT).parent, "");
    assert_string_equal(READ("trace-parent", PARENT).parent, "");
}

/* ---- tracestate: section 3.3 ---- */

static const char *state_of(const char *given) {
    static trace_t trace;
    trace = READ("traceparent", PARENT, "tracestate", given);
    assert_string_equal(trace.parent, PARENT); /* whatever the state is */
    return trace.state;
}

static void a_valid_state_is_passed_on_in_its_order(void **state) {
    static const struct {
        const char *given, *kept;
    } rows[] = {
        {"foo=1", "foo=1"},
        {"foo=1,bar=2", "foo=1,bar=2"},
        {"foo=1 \t , \t bar=2, \t baz=3", "foo=1,bar=2,baz=3"},
        {"foo=1,,,bar=2,", "foo=1,bar=2"},
        {",", ""}, {"", ""}, {" ", ""},
        {"rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"},
        {"fw529a3039@dt=FfPmvZI=", ""}, /* "=" is not for values */
        {"tenant@system=1", "tenant@system=1"}, {"0a=1", "0a=1"}, {"a-b_c*d/e=1", "a-b_c*d/e=1"},
        {"foo= a b", "foo= a b"}, {"foo=!#$%&'()*+-./:;<>?@[]^_`{|}~\"\\", "foo=!#$%&'()*+-./:;<>?@[]^_`{|}~\"\\"},
        {"foo=1,foo=2", "foo=1,foo=2"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) assert_string_equal(state_of(rows[i].given), rows[i].kept);
    assert_string_equal(READ("traceparent", PARENT, "tracestate", "a=1", "TraceState", "", "tracestate", "b=2,c=3").state,
                        "a=1,b=2,c=3");
    assert_string_equal(READ("tracestate", "a=1", "traceparent", PARENT).state, "a=1");
    assert_string_equal(READ("tracestate", "a=1").state, "");
}

static void a_state_with_a_broken_member_is_dropped_and_the_parent_stays(void **state) {
    static const char *const rows[] = {"foo", "foo=1,bar", "=1", "foo=", "foo =1", "FOO=1", "fOo=1", "foo.bar=1", "foo=1;bar=2", "-foo=1",
                                       "@foo=1", "foo=\xc3\xa4", "foo=a\tb", "foo=a=b", "f\xc3\xb6=1"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) assert_string_equal(state_of(rows[i]), "");
}

static void keys_values_and_members_have_bounds(void **state) {
    char *key = repeated('k', 256), *value = repeated('v', 256);
    strbuf_t list = {0};
    (void)state;
    char *text = mem_printf("%s=1", key);
    assert_string_equal(state_of(text), text);
    free(text);
    text = mem_printf("k%s=1", key);
    assert_string_equal(state_of(text), "");
    free(text);
    text = mem_printf("a=%s", value);
    assert_string_equal(state_of(text), text);
    free(text);
    text = mem_printf("a=%sv", value);
    assert_string_equal(state_of(text), "");
    free(text);
    for (int i = 0; i < 32; i++) strbuf_addf(&list, "%sm%d=%d", i ? "," : "", i, i);
    assert_string_equal(state_of(list.data), list.data);
    strbuf_adds(&list, ",more=1");
    assert_string_equal(state_of(list.data), "");
    strbuf_free(&list);
    free(key);
    free(value);
}

static void a_state_that_is_too_long_loses_its_long_members_and_then_its_last(void **state) {
    char *long_value = repeated('v', 200), *value = repeated('v', 100);
    strbuf_t list = {0}, kept = {0};
    (void)state;
    strbuf_addf(&list, "a=1,long=%s", long_value);
    strbuf_addf(&kept, "a=1");
    for (int i = 0; i < 6; i++) {
        strbuf_addf(&list, ",m%d=%s", i, value);
        if (i < 4) strbuf_addf(&kept, ",m%d=%s", i, value);
    }
    assert_string_equal(state_of(list.data), kept.data);
    strbuf_clear(&list);
    strbuf_addf(&list, "a=%s,b=%s,c=%s,d=%s,e=", value, value, value, value); /* 4 * 102 + 4 + 2 */
    char *rest = repeated('v', 512 - list.len);
    strbuf_adds(&list, rest);
    assert_int_equal(list.len, 512);
    assert_string_equal(state_of(list.data), list.data);
    strbuf_addc(&list, 'v');
    assert_int_equal(strlen(state_of(list.data)), 4 * 102 + 3);
    strbuf_clear(&list);
    for (int i = 0; i < 100000; i++) strbuf_adds(&list, "a=1,");
    assert_string_equal(state_of(list.data), "");
    free(rest);
    free(long_value);
    free(value);
    strbuf_free(&list);
    strbuf_free(&kept);
}

/* ---- here ---- */

static void a_request_with_a_trace_goes_on_with_it_under_a_parent_id_of_its_own(void **state) {
    (void)state;
    trace_t trace = READ("x-request-id", "mine", "traceparent", PARENT, "tracestate", "a=1");
    trace_enter(&trace, 0);
    assert_string_equal(trace.request_id, "mine");
    assert_memory_equal(trace.parent, "00-" TRACE_ID "-", 36);
    assert_string_equal(trace.parent + 52, "-01");
    assert_memory_not_equal(trace.parent + 36, SPAN_ID, 16);
    assert_string_equal(trace.state, "a=1");
    trace_t again = READ("traceparent", trace.parent);
    assert_string_equal(again.parent, trace.parent);
}

static void a_request_without_any_gets_an_id_and_begins_a_trace(void **state) {
    trace_t first = {0}, second = {0};
    int64_t ms;
    (void)state;
    trace_enter(&first, 1700000000000);
    trace_enter(&second, 1700000000000);
    assert_true(uuid7_time(first.request_id, &ms));
    assert_int_equal(ms, 1700000000000);
    assert_string_not_equal(first.request_id, second.request_id);
    trace_t read = READ("traceparent", first.parent);
    assert_string_equal(read.parent, first.parent);
    assert_string_equal(first.parent + 52, "-02"); /* random, not sampled */
    assert_memory_not_equal(first.parent + 3, second.parent + 3, 32);
    assert_memory_not_equal(first.parent + 36, second.parent + 36, 16);
    assert_string_equal(first.state, "");
}

static void values_are_told_by_the_names_of_their_headers(void **state) {
    (void)state;
    trace_t trace = READ("x-request-id", "mine", "traceparent", PARENT);
    assert_string_equal(trace_name(0), "x-request-id");
    assert_string_equal(trace_value(&trace, 0), "mine");
    assert_string_equal(trace_name(1), "traceparent");
    assert_string_equal(trace_value(&trace, 1), PARENT);
    assert_string_equal(trace_name(2), "tracestate");
    assert_null(trace_value(&trace, 2));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_id_of_plain_characters_is_kept),
        cmocka_unit_test(what_is_no_request_id_is_left_out),
        cmocka_unit_test(a_valid_parent_is_taken_over),
        cmocka_unit_test(a_malformed_parent_is_ignored),
        cmocka_unit_test(a_valid_state_is_passed_on_in_its_order),
        cmocka_unit_test(a_state_with_a_broken_member_is_dropped_and_the_parent_stays),
        cmocka_unit_test(keys_values_and_members_have_bounds),
        cmocka_unit_test(a_state_that_is_too_long_loses_its_long_members_and_then_its_last),
        cmocka_unit_test(a_request_with_a_trace_goes_on_with_it_under_a_parent_id_of_its_own),
        cmocka_unit_test(a_request_without_any_gets_an_id_and_begins_a_trace),
        cmocka_unit_test(values_are_told_by_the_names_of_their_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
