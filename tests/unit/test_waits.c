/* Requests that wait for outcomes, with librdkafka's mock cluster as the log. */
#include "services/command-api/waits.h"
#include "common/mem.h"
#include "common/metric.h"
#include "tests/unit/mock_kafka.h"
#include "tests/unit/until.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { PARTITIONS = 2, LONG = 3600 };
static const char topic[] = "outcomes";

static mock_kafka_t mock;
static waits_t *waits;

/* A request: how often it was told, and what. */
typedef struct told {
    _Atomic int times;
    char outcome[256]; /* before `times` counts */
    bool over;
} told_t;

static void tell(void *waiting, const char *outcome, size_t len) {
    told_t *told = waiting;
    told->over = outcome == NULL;
    snprintf(told->outcome, sizeof told->outcome, "%.*s", (int)len, outcome ? outcome : "");
    atomic_fetch_add(&told->times, 1);
}

static const char *outcome_of(const char *command_id) {
    static char text[128];
    snprintf(text, sizeof text, "{\"type\":\"t\",\"commandId\":\"%s\",\"status\":\"accepted\"}", command_id);
    return text;
}

static void write_outcome(int32_t partition, const char *command_id) {
    mock_kafka_write(&mock, topic, partition, "key", outcome_of(command_id));
}

/* Returns when everything that was written before is read: a request of its own has its outcome. */
static void write_and_await(int32_t partition) {
    static int number;
    char id[32];
    told_t told = {0};
    snprintf(id, sizeof id, "pilot-%d", number++);
    waits_sent(waits, waits_expect(waits, id, &told, LONG));
    write_outcome(partition, id);
    UNTIL(atomic_load(&told.times));
}

static void assert_told(told_t *told, const char *command_id) {
    UNTIL(atomic_load(&told->times));
    assert_int_equal(atomic_load(&told->times), 1);
    assert_false(told->over);
    assert_string_equal(told->outcome, outcome_of(command_id));
}

static void an_outcome_after_the_command_was_sent_ends_the_wait(void **state) {
    (void)state;
    for (int32_t p = 0; p < PARTITIONS; p++) {
        char id[16];
        told_t told = {0};
        snprintf(id, sizeof id, "after-%d", (int)p);
        waits_sent(waits, waits_expect(waits, id, &told, LONG));
        assert_int_equal(atomic_load(&told.times), 0);
        write_outcome(p, id);
        assert_told(&told, id);
    }
}

static void an_outcome_that_comes_before_the_command_is_known_to_be_sent_is_kept(void **state) {
    (void)state;
    told_t told = {0};
    wait_t *wait = waits_expect(waits, "before", &told, LONG);
    write_outcome(0, "before");
    write_and_await(0);
    assert_int_equal(atomic_load(&told.times), 0); /* its request is still with the producer */
    waits_sent(waits, wait);
    assert_int_equal(atomic_load(&told.times), 1); /* at once */
    assert_told(&told, "before");
}

static void a_wait_is_not_over_before_its_command_is_sent(void **state) {
    (void)state;
    told_t told = {0}, other = {0};
    wait_t *wait = waits_expect(waits, "slow", &told, 0);
    waits_sent(waits, waits_expect(waits, "quick", &other, 0));
    UNTIL(atomic_load(&other.times));
    assert_true(other.over);
    assert_int_equal(atomic_load(&told.times), 0);
    waits_sent(waits, wait);
    UNTIL(atomic_load(&told.times));
    assert_true(told.over);
}

static void when_the_time_is_over_a_request_is_told_so_and_later_outcomes_are_nobodys(void **state) {
    (void)state;
    told_t told = {0};
    int64_t start = clock_monotonic_us();
    waits_sent(waits, waits_expect(waits, "late", &told, 1));
    UNTIL(atomic_load(&told.times));
    assert_true(told.over);
    assert_true(clock_monotonic_us() - start >= 1000000);
    write_outcome(1, "late");
    write_and_await(1);
    assert_int_equal(atomic_load(&told.times), 1);
}

static void all_who_wait_for_a_command_are_told_its_outcome(void **state) {
    (void)state;
    enum { COUNT = 5 };
    told_t told[COUNT] = {0}, forgotten = {0}, impatient = {0};
    wait_t *unsent[2];
    for (int i = 0; i < COUNT; i++) {
        wait_t *wait = waits_expect(waits, "shared", &told[i], LONG);
        if (i == 0 || i == 3) unsent[i / 3] = wait; /* the first of all, and one among them */
        else waits_sent(waits, wait);
    }
    waits_sent(waits, waits_expect(waits, "shared", &impatient, 0));
    waits_forget(waits, waits_expect(waits, "shared", &forgotten, LONG));
    UNTIL(atomic_load(&impatient.times));
    write_outcome(0, "shared");
    assert_told(&told[1], "shared");
    assert_told(&told[2], "shared");
    assert_told(&told[4], "shared");
    assert_int_equal(atomic_load(&told[0].times), 0);
    for (int i = 0; i < 2; i++) waits_sent(waits, unsent[i]);
    assert_told(&told[0], "shared");
    assert_told(&told[3], "shared");
    assert_int_equal(atomic_load(&forgotten.times), 0);
    assert_true(impatient.over);
}

static void one_that_is_forgotten_is_never_told(void **state) {
    (void)state;
    told_t told = {0};
    wait_t *first = waits_expect(waits, "gone", &told, 0), *second = waits_expect(waits, "gone", &told, 0);
    waits_forget(waits, first);
    write_outcome(0, "gone");
    write_and_await(0);
    waits_forget(waits, second); /* with an outcome kept for it */
    write_and_await(0);
    assert_int_equal(atomic_load(&told.times), 0);
}

static void a_record_that_is_no_outcome_disturbs_nobody(void **state) {
    (void)state;
    static const char *const records[] = {"", "x", "{}", "{\"commandId\":", "{\"commandId\":1}", "{\"commandId\":\"\"}", "[\"commandId\"]",
                                          "{\"commandId\":\"\\u0061\"}", NULL};
    told_t told = {0};
    waits_sent(waits, waits_expect(waits, "a", &told, LONG));
    for (size_t i = 0; i < ARRAY_LEN(records); i++) mock_kafka_write(&mock, topic, 0, "key", records[i]);
    write_and_await(0);
    assert_int_equal(atomic_load(&told.times), 0);
    write_outcome(0, "a");
    assert_told(&told, "a");
}

static void it_is_ready_only_when_outcomes_are_read_and_misses_none_from_then_on(void **state) {
    (void)state;
    mock_kafka_t other = mock_kafka_start();
    err_t error;
    told_t told = {0};
    rd_kafka_mock_topic_create(other.cluster, topic, PARTITIONS, 1);
    mock_kafka_write(&other, topic, 0, "key", outcome_of("old"));
    rd_kafka_mock_broker_set_down(other.cluster, 1);
    waits_t *late = waits_new(&other.options, topic, PARTITIONS, tell, &error);
    assert_non_null(late);
    assert_false(waits_ready(late));
    rd_kafka_mock_broker_set_up(other.cluster, 1);
    UNTIL(waits_ready(late));
    waits_sent(late, waits_expect(late, "old", &told, LONG)); /* from before: it stays with the log */
    told_t now = {0};
    waits_sent(late, waits_expect(late, "new", &now, LONG));
    mock_kafka_write(&other, topic, 0, "key", outcome_of("new"));
    assert_told(&now, "new");
    assert_int_equal(atomic_load(&told.times), 0);
    waits_free(late);
    assert_true(told.over);
    mock_kafka_end(&other);
}

static void at_the_end_all_are_told_and_so_is_who_comes_after(void **state) {
    (void)state;
    enum { COUNT = 100 };
    told_t told[COUNT] = {0}, unsent = {0}, late = {0};
    char id[32];
    for (int i = 0; i < COUNT; i++) {
        snprintf(id, sizeof id, "end-%d", i % 7);
        waits_sent(waits, waits_expect(waits, id, &told[i], LONG));
    }
    wait_t *wait = waits_expect(waits, "end-0", &unsent, LONG), *never = waits_expect(waits, "never", &unsent, LONG);
    waits_end(waits);
    waits_end(waits); /* again is fine */
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(atomic_load(&told[i].times), 1);
        assert_true(told[i].over);
    }
    assert_int_equal(atomic_load(&unsent.times), 0);
    waits_sent(waits, wait);
    assert_int_equal(atomic_load(&unsent.times), 1);
    waits_sent(waits, waits_expect(waits, "late", &late, LONG));
    assert_int_equal(atomic_load(&late.times), 1);
    assert_true(late.over);
    waits_forget(waits, never);
    assert_int_equal(atomic_load(&unsent.times), 1);
}

/* ---- many threads ---- */

enum { THREADS = 4, EACH = 500 };

static void *wait_many(void *context) {
    told_t *told = context;
    char id[32];
    for (int i = 0; i < EACH; i++) {
        snprintf(id, sizeof id, "many-%d", i % 250); /* two of each thread wait for the same */
        wait_t *wait = waits_expect(waits, id, &told[i], LONG);
        if (i % 10 == 9) waits_forget(waits, waits_expect(waits, id, NULL, LONG));
        waits_sent(waits, wait);
    }
    return NULL;
}

static void many_threads_wait_and_each_request_is_told_once(void **state) {
    (void)state;
    told_t *told = mem_zero(THREADS * EACH, sizeof *told);
    pthread_t threads[THREADS];
    for (int t = 0; t < THREADS; t++) pthread_create(&threads[t], NULL, wait_many, told + t * EACH);
    for (int t = 0; t < THREADS; t++) pthread_join(threads[t], NULL);
    char id[32];
    for (int i = 0; i < 250; i++) {
        snprintf(id, sizeof id, "many-%d", i);
        write_outcome(i % PARTITIONS, id);
    }
    for (int i = 0; i < THREADS * EACH; i++) {
        snprintf(id, sizeof id, "many-%d", i % EACH % 250);
        assert_told(&told[i], id);
    }
    free(told);
}

static int open_all(void **state) {
    (void)state;
    err_t error;
    mock = mock_kafka_start();
    rd_kafka_mock_topic_create(mock.cluster, topic, PARTITIONS, 1);
    waits = waits_new(&mock.options, topic, PARTITIONS, tell, &error);
    if (!waits) return -1;
    UNTIL(waits_ready(waits));
    return 0;
}

static int close_all(void **state) {
    (void)state;
    waits_free(waits);
    waits_free(NULL);
    mock_kafka_end(&mock);
    return 0;
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, open_all, close_all)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH(an_outcome_after_the_command_was_sent_ends_the_wait),
        WITH(an_outcome_that_comes_before_the_command_is_known_to_be_sent_is_kept),
        WITH(a_wait_is_not_over_before_its_command_is_sent),
        WITH(when_the_time_is_over_a_request_is_told_so_and_later_outcomes_are_nobodys),
        WITH(all_who_wait_for_a_command_are_told_its_outcome),
        WITH(one_that_is_forgotten_is_never_told),
        WITH(a_record_that_is_no_outcome_disturbs_nobody),
        WITH(it_is_ready_only_when_outcomes_are_read_and_misses_none_from_then_on),
        WITH(at_the_end_all_are_told_and_so_is_who_comes_after),
        WITH(many_threads_wait_and_each_request_is_told_once),
    };
    return cmocka_run_group_tests_name("waits", tests, NULL, NULL);
}
