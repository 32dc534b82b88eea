/* A partition that is of another shape is emptied; in a real Redis. */
#include "common/mem.h"
#include "services/sink_shape.h"
#include "tests/unit/redis_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static redis_server_t server;
static redis_t *redis;

static sink_shape_t *shape_of(const char *text) {
    return sink_shape_new(redis, text, "a-sink", 4);
}

static long long number(const char *command) {
    redisReply *reply = redisCommand(server.client, command);
    long long found = reply->type == REDIS_REPLY_INTEGER ? reply->integer : reply->type == REDIS_REPLY_STRING ? atoll(reply->str) : -1;
    freeReplyObject(reply);
    return found;
}

static void assert_text(const char *key, const char *expected) {
    redisReply *reply = redisCommand(server.client, "GET %s", key);
    assert_string_equal(reply->type == REDIS_REPLY_STRING ? reply->str : "none", expected);
    freeReplyObject(reply);
}

static void fill(int partition, int count) {
    for (int i = 0; i < count; i++) redis_server_do(&server, "SET {%d}:Entry:%d x", partition, i);
    redis_server_do(&server, "SET {%d}:offset 9", partition);
}

static void take(sink_shape_t *shape, int32_t partition) {
    err_t error = {""};
    status_t status = sink_shape_take(shape, partition, &error);
    if (status != STATUS_OK) fail_msg("%s", error.text);
}

static void an_empty_partition_gets_the_shape(void **state) {
    (void)state;
    sink_shape_t *shape = shape_of("one");
    take(shape, 3);
    assert_text("{3}:shape", "one");
    assert_int_equal(number("DBSIZE"), 1);
    sink_shape_free(shape);
}

static void a_partition_of_the_shape_is_left_as_it_is(void **state) {
    (void)state;
    sink_shape_t *shape = shape_of("one");
    take(shape, 3);
    fill(3, 10);
    take(shape, 3);
    assert_int_equal(number("DBSIZE"), 12);
    assert_text("{3}:offset", "9");
    sink_shape_free(shape);
}

static void a_partition_of_another_or_no_shape_is_emptied_and_no_other(void **state) {
    (void)state;
    sink_shape_t *shape = shape_of("two");
    fill(3, 5000);
    fill(1, 10);
    take(shape, 3); /* it has none */
    assert_int_equal(number("DBSIZE"), 11 + 1);
    assert_text("{3}:shape", "two");
    assert_int_equal(number("EXISTS {3}:offset"), 0);
    fill(3, 10);
    redis_server_do(&server, "SET {3}:shape one");
    take(shape, 3);
    assert_int_equal(number("DBSIZE"), 11 + 1);
    sink_shape_free(shape);
}

/* The moments at which another sink, or a crash, can come in between are those between its steps: here before the second. */
static void what_was_begun_by_a_sink_that_died_is_begun_again(void **state) {
    (void)state;
    sink_shape_t *shape = shape_of("two");
    fill(3, 10);
    redis_server_do(&server, "DEL {3}:offset");
    redis_server_do(&server, "SET {3}:shape %s", "emptied by another since 1");
    take(shape, 3);
    assert_int_equal(number("DBSIZE"), 1);
    assert_text("{3}:shape", "two");
    sink_shape_free(shape);
}

static void a_sink_whose_mark_was_replaced_removes_nothing_any_more(void **state) {
    extern const char sweep_script[];
    (void)state;
    fill(3, 1);
    redis_server_do(&server, "SET {3}:shape one");
    redisReply *reply = redisCommand(server.client, "EVAL %s 1 {3}:shape mark mark {3}:Entry:0", sweep_script);
    assert_int_equal(reply->integer, 0);
    freeReplyObject(reply);
    assert_text("{3}:Entry:0", "x");
    assert_text("{3}:shape", "one");
}

static void a_store_that_is_away_is_asked_again(void **state) {
    err_t error = {""};
    (void)state;
    sink_shape_t *shape = shape_of("one");
    redis_server_down(&server);
    assert_int_equal(sink_shape_take(shape, 3, &error), STATUS_RETRY);
    assert_true(redis_server_up(&server));
    take(shape, 3);
    sink_shape_free(shape);
}

static int start(void **state) {
    static char *servers[1];
    err_t error = {""};
    (void)state;
    server = redis_server_start();
    servers[0] = server.address;
    redis = redis_new("snapshots", servers, 1, &error);
    return redis ? 0 : -1;
}

static int end(void **state) {
    (void)state;
    redis_free(redis);
    redis_server_down(&server);
    return 0;
}

/* Also a new connection: each shape makes its script known to the next one only. */
static int flush(void **state) {
    redis_server_do(&server, "FLUSHALL");
    redis_free(redis);
    static char *servers[1];
    err_t error;
    servers[0] = server.address;
    redis = redis_new("snapshots", servers, 1, &error);
    (void)state;
    return redis ? 0 : -1;
}

#define EACH(test) cmocka_unit_test_setup(test, flush)

int main(void) {
    const struct CMUnitTest tests[] = {
        EACH(an_empty_partition_gets_the_shape),
        EACH(a_partition_of_the_shape_is_left_as_it_is),
        EACH(a_partition_of_another_or_no_shape_is_emptied_and_no_other),
        EACH(what_was_begun_by_a_sink_that_died_is_begun_again),
        EACH(a_sink_whose_mark_was_replaced_removes_nothing_any_more),
        EACH(a_store_that_is_away_is_asked_again),
    };
    return cmocka_run_group_tests_name("sink shape", tests, start, end);
}
