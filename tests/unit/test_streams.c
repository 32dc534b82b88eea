/* What live streams are made of: places in the log, filters, what is accepted, and the ring of events. */
#include "common/mem.h"
#include "services/query-api/accept.h"
#include "services/query-api/sieve.h"
#include "services/query-api/position.h"
#include "services/query-api/ring.h"
#include "tests/unit/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { P = 3 };

/* ---- places ---- */

static void a_place_is_read_as_it_was_written(void **state) {
    static const int64_t places[][P] = {{0, 0, 0}, {1, 35, 36}, {1296, 7, 4738381338321616895}, {99999999999, 0, 1}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        strbuf_t text = {0};
        int64_t back[P] = {-1, -1, -1};
        position_add(&text, places[i], P);
        assert_true(position_read(text.data, back, P));
        assert_memory_equal(back, places[i], sizeof back);
        strbuf_free(&text);
    }
}

static void a_place_is_small(void **state) {
    strbuf_t text = {0};
    (void)state;
    position_add(&text, (int64_t[]){1000000, 36, 35}, P);
    assert_string_equal(text.data, "lfls.10.z");
    strbuf_free(&text);
}

static void the_beginning_is_0_for_any_number_of_partitions(void **state) {
    int64_t next[P] = {1, 2, 3};
    (void)state;
    assert_true(position_read("0", next, P));
    assert_memory_equal(next, ((int64_t[]){0, 0, 0}), sizeof next);
}

static void what_is_no_place_of_so_many_partitions_is_refused(void **state) {
    static const char *const texts[] = {"", "1", "1.2", "1.2.3.4", "1.2.", ".1.2", "1..2", "1.2.3.", "1.2.-3", "1.2.+3", " 1.2.3",
                                        "1.2.3 ", "A.2.3", "1.2.1000000000000", "0.0"};
    int64_t next[P];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (position_read(texts[i], next, P)) fail_msg("\"%s\" is taken", texts[i]);
}

static void a_place_reaches_another_in_every_partition(void **state) {
    (void)state;
    assert_true(position_reaches((int64_t[]){1, 2, 3}, (int64_t[]){1, 2, 3}, P));
    assert_true(position_reaches((int64_t[]){1, 9, 3}, (int64_t[]){0, 2, 3}, P));
    assert_false(position_reaches((int64_t[]){9, 9, 2}, (int64_t[]){1, 2, 3}, P));
}

/* ---- what is accepted ---- */

static void a_stream_must_be_asked_for_by_name(void **state) {
    static const struct {
        const char *header;
        bool wanted;
    } cases[] = {
        {NULL, false},
        {"", false},
        {"*/*", false},
        {"application/json", false},
        {"text/html", false},
        {"text/event-streams", false},
        {"text/event-stream", true},
        {"TEXT/Event-Stream", true},
        {"text/event-stream;charset=utf-8", true},
        {"text/*", true},
        {"text/*;q=0", false},
        {"text/event-stream;q=0", false},
        {"text/event-stream;q=0, */*", false},
        {"text/event-stream;q=0.000, text/*", false},
        {"*/*;q=0.5, text/event-stream", true},
        {"text/event-stream, */*", true},
        {"application/json, text/event-stream", true},
        {"application/json, text/event-stream;q=0.9", false},
        {"application/json;q=0.8 , text/event-stream ; q=0.9", true},
        {"application/*, text/event-stream;q=0.5", false},
        {",,;,", false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (accept_event_stream(cases[i].header) != cases[i].wanted)
            fail_msg("%s", cases[i].header ? cases[i].header : "no header");
}

/* ---- filters ---- */

static int kind(const types_t *types, const char *event) {
    return sieve_kind(types, event, strlen(event));
}

static void an_empty_filter_takes_all(void **state) {
    (void)state;
    sieve_t filter = {0};
    assert_true(sieve_takes(&filter, 0, "a"));
    assert_true(sieve_takes(&filter, SIEVE_UNKNOWN, "a"));
}

static void a_filter_takes_events_and_types_by_name(void **state) {
    const types_t *types = *state;
    err_t error = {""};
    sieve_t filter = {0};
    assert_true(sieve_set_types(&filter, types, "entryDeleted,Asset", &error));
    assert_true(sieve_takes(&filter, kind(types, "entryDeleted"), "a"));
    assert_true(sieve_takes(&filter, kind(types, "assetCreated"), "a"));
    assert_true(sieve_takes(&filter, kind(types, "assetDeleted"), "a"));
    assert_false(sieve_takes(&filter, kind(types, "entryCreated"), "a"));
    assert_false(sieve_takes(&filter, SIEVE_UNKNOWN, "a"));
    sieve_free(&filter);
}

static void a_filter_of_a_type_is_only_narrowed(void **state) {
    const types_t *types = *state;
    err_t error = {""};
    sieve_t filter = {0};
    sieve_set_type(&filter, types, &types->items[0]);
    assert_false(sieve_set_types(&filter, types, "assetCreated", &error));
    assert_non_null(strstr(error.text, "assetCreated"));
    assert_true(sieve_set_types(&filter, types, "entryCreated", &error));
    assert_true(sieve_takes(&filter, kind(types, "entryCreated"), "a"));
    assert_false(sieve_takes(&filter, kind(types, "entryUpdated"), "a"));
    sieve_free(&filter);
}

static void a_filter_takes_entities_by_id(void **state) {
    err_t error = {""};
    sieve_t filter = {0};
    (void)state;
    assert_true(sieve_set_ids(&filter, "b,a,c", &error));
    assert_true(sieve_takes(&filter, 0, "a") && sieve_takes(&filter, 0, "b") && sieve_takes(&filter, 0, "c"));
    assert_false(sieve_takes(&filter, 0, "d"));
    sieve_free(&filter);
}

static void names_and_ids_that_are_none_are_refused(void **state) {
    static const char *const names[] = {"", "entry", "entryCreated,", ",Entry", "entrycreated", "Entry Asset"};
    static const char *const ids[] = {"", "a,", ",a", "a b", "a,,b"};
    const types_t *types = *state;
    err_t error;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        sieve_t filter = {0};
        assert_false(sieve_set_types(&filter, types, names[i], &error));
        sieve_free(&filter);
    }
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        sieve_t filter = {0};
        assert_false(sieve_set_ids(&filter, ids[i], &error));
        sieve_free(&filter);
    }
}

/* ---- the ring ---- */

static ring_event_t *event_of(const types_t *types, const char *record) {
    char *exact = mem_alloc(strlen(record)); /* without an end, as records come */
    memcpy(exact, record, strlen(record));
    ring_event_t *event = ring_event_new(types, exact, strlen(record), "1.2.3");
    free(exact);
    return event;
}

static void an_event_is_said_line_by_line(void **state) {
    ring_event_t *event = event_of(*state, "{\"type\":\"entryCreated\",\n\"id\":\"a\",\r\n\"version\":12}");
    static const char expected[] = "event: entryCreated\ndata: {\"type\":\"entryCreated\",\ndata: \"id\":\"a\",\n"
                                   "data: \ndata: \"version\":12}\n\n";
    assert_int_equal(event->len, strlen(expected));
    assert_memory_equal(event->text, expected, event->len);
    assert_string_equal(event->entity, "a");
    assert_string_equal(event->position, "1.2.3");
    assert_int_equal(event->version, 12);
    assert_int_equal(event->kind, kind(*state, "entryCreated"));
    ring_event_release(event);
}

static void what_is_no_event_is_none(void **state) {
    static const char *const records[] = {"", "x", "{", "[]", "{}", "{\"type\":\"entryCreated\"}", "{\"type\":1,\"id\":\"a\",\"version\":1}",
                                          "{\"type\":\"a\\nb\",\"id\":\"a\",\"version\":1}", "{\"type\":\"a\",\"id\":\"a\"",
                                          "\"type\":\"a\""};
    for (size_t i = 0; i < ARRAY_LEN(records); i++)
        if (event_of(*state, records[i])) fail_msg("%s", records[i]);
    assert_null(ring_event_new(*state, NULL, 0, ""));
}

static void add(ring_t *ring, const types_t *types, int32_t partition, int64_t offset) {
    ring_event_t *event = event_of(types, "{\"type\":\"entryCreated\",\"id\":\"a\",\"version\":1}");
    event->partition = partition;
    event->offset = offset;
    ring_add(ring, event);
}

static void a_ring_forgets_the_oldest_and_knows_where_it_begins(void **state) {
    ring_t ring;
    ring_event_t *one = event_of(*state, "{\"type\":\"entryCreated\",\"id\":\"a\",\"version\":1}");
    ring_open(&ring, P, 4 * one->bytes);
    ring_event_release(one);
    ring_reset(&ring, (int64_t[]){10, 20, 30});
    for (int i = 0; i < 6; i++) add(&ring, *state, i % 2, 100 + i);
    assert_int_equal(ring.end - ring.first, 4);
    assert_int_equal(ring_at(&ring, ring.first)->offset, 102);
    assert_int_equal(ring_at(&ring, ring.end - 1)->offset, 105);
    assert_memory_equal(ring.oldest, ((int64_t[]){101, 102, 30}), sizeof(int64_t[P]));
    assert_memory_equal(ring.next, ((int64_t[]){105, 106, 30}), sizeof(int64_t[P]));
    ring_close(&ring);
}

static void an_event_that_is_held_outlives_the_ring(void **state) {
    ring_t ring;
    ring_open(&ring, P, 1); /* has room for the last one only */
    add(&ring, *state, 0, 1);
    ring_event_t *held = ring_event_hold(ring_at(&ring, ring.first));
    add(&ring, *state, 0, 2);
    assert_int_equal(ring.end - ring.first, 1);
    ring_close(&ring);
    assert_string_equal(held->entity, "a");
    ring_event_release(held);
}

static void a_ring_is_bounded_in_number(void **state) {
    ring_t ring;
    ring_open(&ring, P, SIZE_MAX / 2);
    for (int i = 0; i < 20000; i++) add(&ring, *state, 1, i);
    assert_int_equal(ring.end, 20000);
    assert_int_equal(ring.end - ring.first, 16384);
    assert_int_equal(ring_at(&ring, ring.first)->offset, 20000 - 16384);
    uint64_t end = ring.end;
    ring_reset(&ring, (int64_t[]){1, 2, 3});
    assert_int_equal(ring.first, end); /* numbers go on, so that no place becomes another */
    ring_close(&ring);
}

/* ---- */

static model_t model;

static int open_model(void **state) {
    model = model_new("");
    *state = model.types;
    return 0;
}

static int close_model(void **state) {
    (void)state;
    model_free(&model);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_place_is_read_as_it_was_written),
        cmocka_unit_test(a_place_is_small),
        cmocka_unit_test(the_beginning_is_0_for_any_number_of_partitions),
        cmocka_unit_test(what_is_no_place_of_so_many_partitions_is_refused),
        cmocka_unit_test(a_place_reaches_another_in_every_partition),
        cmocka_unit_test(a_stream_must_be_asked_for_by_name),
        cmocka_unit_test(an_empty_filter_takes_all),
        cmocka_unit_test(a_filter_takes_events_and_types_by_name),
        cmocka_unit_test(a_filter_of_a_type_is_only_narrowed),
        cmocka_unit_test(a_filter_takes_entities_by_id),
        cmocka_unit_test(names_and_ids_that_are_none_are_refused),
        cmocka_unit_test(an_event_is_said_line_by_line),
        cmocka_unit_test(what_is_no_event_is_none),
        cmocka_unit_test(a_ring_forgets_the_oldest_and_knows_where_it_begins),
        cmocka_unit_test(an_event_that_is_held_outlives_the_ring),
        cmocka_unit_test(a_ring_is_bounded_in_number),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
