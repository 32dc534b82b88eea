/* A Redis store, against real servers. */
#include "common/mem.h"
#include "common/redis.h"
#include "tests/unit/redis_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static redis_server_t servers[2];
static char *addresses[2];
static redis_t *redis; /* over both */

static void queue(int32_t partition, const char *const *words) {
    int argc = 0;
    while (words[argc]) argc++;
    redis_queue(redis, partition, argc, (const char **)words, NULL);
}

#define QUEUE(partition, ...) queue(partition, (const char *const[]){__VA_ARGS__, NULL})

static void exchange(void) {
    err_t error = {""};
    if (redis_exchange(redis, &error) != STATUS_OK) fail_msg("%s", error.text);
}

static const char *text(size_t i) {
    const redisReply *reply = redis_reply(redis, i);
    return reply->str ? reply->str : "(none)";
}

static void answers_come_in_the_order_of_the_commands(void **state) {
    (void)state;
    for (int i = 0; i < 500; i++) {
        char value[16];
        snprintf(value, sizeof value, "%d", i);
        QUEUE(i % 5, "ECHO", value);
    }
    exchange();
    for (int i = 0; i < 500; i++) assert_int_equal(atoi(text((size_t)i)), i);
    QUEUE(0, "ECHO", "next"); /* begins a new exchange */
    exchange();
    assert_string_equal(text(0), "next");
}

static void partitions_spread_over_the_servers(void **state) {
    (void)state;
    for (int32_t p = 0; p < 6; p++) {
        char key[16];
        snprintf(key, sizeof key, "{%d}:key", (int)p);
        QUEUE(p, "SET", key, "x");
    }
    exchange();
    for (int s = 0; s < 2; s++) {
        redisContext *client = servers[s].client;
        redisReply *reply = redisCommand(client, "KEYS *");
        assert_int_equal(reply->elements, 3);
        for (size_t i = 0; i < 3; i++) assert_int_equal((reply->element[i]->str[1] - '0') % 2, s);
        freeReplyObject(reply);
    }
}

static void arguments_are_taken_by_their_lengths(void **state) {
    (void)state;
    redis_queue(redis, 0, 3, (const char *[]){"SET", "k", "a\0b\r\n"}, (size_t[]){3, 1, 5});
    QUEUE(0, "GET", "k");
    exchange();
    assert_int_equal(redis_reply(redis, 1)->len, 5);
    assert_memory_equal(redis_reply(redis, 1)->str, "a\0b\r\n", 5);
}

static void an_exchange_of_nothing_is_fine(void **state) {
    (void)state;
    exchange();
    redis_discard(redis);
    exchange();
}

static void collected_arguments_are_borrowed_or_copied(void **state) {
    (void)state;
    redis_args_t args = {0};
    char copied[] = "copied", *large = mem_alloc(200000);
    memset(large, 'x', 200000);
    for (int turn = 0; turn < 3; turn++) {
        redis_args_clear(&args);
        redis_args_adds(&args, "RPUSH");
        strcpy(copied, "list");
        redis_args_copys(&args, copied);
        strcpy(copied, "??");
        redis_args_copy(&args, NULL, 0);
        redis_args_copy(&args, "a\0b", 3);
        redis_args_copy(&args, large, 200000); /* more than a block */
        redis_args_number(&args, INT64_MIN);
        for (int i = 0; i < 1000; i++) redis_args_number(&args, i);
        redis_args_add(&args, "borrowed!", 8);
        assert_int_equal(args.count, 1007);
        QUEUE(0, "DEL", "list");
        redis_queue(redis, 0, args.count, args.argv, args.lens);
        QUEUE(0, "LRANGE", "list", "0", "-1");
        exchange();
        const redisReply *list = redis_reply(redis, 2);
        assert_int_equal(list->elements, 1005);
        assert_int_equal(list->element[0]->len, 0);
        assert_memory_equal(list->element[1]->str, "a\0b", 3);
        assert_int_equal(list->element[2]->len, 200000);
        assert_string_equal(list->element[3]->str, "-9223372036854775808");
        assert_string_equal(list->element[1003]->str, "999");
        assert_string_equal(list->element[1004]->str, "borrowed");
    }
    redis_args_free(&args);
    redis_args_free(&args);
    free(large);
}

static void what_is_discarded_is_never_sent(void **state) {
    (void)state;
    QUEUE(0, "SET", "discarded", "x");
    QUEUE(1, "SET", "discarded", "x");
    redis_discard(redis);
    QUEUE(0, "EXISTS", "discarded");
    QUEUE(1, "EXISTS", "discarded");
    exchange();
    assert_int_equal(redis_reply(redis, 0)->integer, 0);
    assert_int_equal(redis_reply(redis, 1)->integer, 0);
    redis_discard(redis); /* of answers */
    QUEUE(0, "ECHO", "fine");
    exchange();
    assert_string_equal(text(0), "fine");
}

static char sha[41];

static status_t eval(int32_t partition, const char *argument, err_t *error) {
    redis_queue(redis, partition, 4, (const char *[]){"EVALSHA", sha, "0", argument}, (size_t[]){7, 40, 1, strlen(argument)});
    status_t status = redis_exchange(redis, error);
    return status == STATUS_OK ? redis_check(redis, redis_reply(redis, 0), error) : status;
}

static void scripts_are_there_from_the_first_connection_on(void **state) {
    (void)state;
    err_t error;
    redis_script(redis, "return 'script:' .. ARGV[1]", sha);
    assert_string_equal(sha, "");
    QUEUE(0, "PING");
    QUEUE(1, "PING");
    exchange();
    assert_int_equal(strlen(sha), 40);
    for (int32_t p = 0; p < 2; p++) {
        assert_int_equal(eval(p, "x", &error), STATUS_OK);
        assert_string_equal(text(0), "script:x");
    }
}

static void scripts_that_a_server_lost_are_brought_again(void **state) {
    (void)state;
    err_t error = {""};
    scripts_are_there_from_the_first_connection_on(state);
    redis_server_do(&servers[0], "SCRIPT FLUSH");
    assert_int_equal(eval(0, "x", &error), STATUS_RETRY);
    assert_non_null(strstr(error.text, "NOSCRIPT"));
    assert_true(redis_connected(redis)); /* the server is well, and answers */
    assert_int_equal(eval(0, "y", &error), STATUS_OK);
    assert_string_equal(text(0), "script:y");
}

static void a_script_that_is_none_fails_the_exchange(void **state) {
    (void)state;
    err_t error = {""};
    redis_script(redis, "this is not Lua", sha);
    assert_int_equal(eval(0, "x", &error), STATUS_RETRY);
    assert_non_null(strstr(error.text, servers[0].address));
}

static void answers_are_classed_by_what_can_be_done(void **state) {
    (void)state;
    err_t error = {""};
    QUEUE(0, "SET", "text", "x");
    QUEUE(0, "LPUSH", "text", "y"); /* WRONGTYPE */
    QUEUE(0, "NONSENSE");
    QUEUE(0, "GET", "none");
    exchange();
    assert_int_equal(redis_check(redis, redis_reply(redis, 0), &error), STATUS_OK);
    assert_int_equal(redis_check(redis, redis_reply(redis, 1), &error), STATUS_FATAL);
    assert_non_null(strstr(error.text, "redis test: WRONGTYPE"));
    assert_int_equal(redis_check(redis, redis_reply(redis, 2), &error), STATUS_FATAL);
    assert_int_equal(redis_check(redis, redis_reply(redis, 3), &error), STATUS_OK);
    static const char *const passing[] = {"LOADING Redis is loading", "OOM command not allowed", "BUSY Redis is busy",
                                          "MASTERDOWN Link", "READONLY You can't write", "MISCONF Redis is configured",
                                          "NOSCRIPT No matching script"};
    for (size_t i = 0; i < ARRAY_LEN(passing); i++) {
        redisReply reply = {.type = REDIS_REPLY_ERROR, .str = (char *)passing[i], .len = strlen(passing[i])};
        assert_int_equal(redis_check(redis, &reply, &error), STATUS_RETRY);
    }
}

static void a_server_that_is_full_is_to_be_tried_again_even_from_a_script(void **state) {
    (void)state;
    err_t error = {""};
    redis_script(redis, "return redis.call('SET', 'big', ARGV[1])", sha);
    QUEUE(0, "CONFIG", "SET", "maxmemory", "1");
    exchange();
    QUEUE(0, "SET", "k", "v");
    exchange();
    assert_int_equal(redis_check(redis, redis_reply(redis, 0), &error), STATUS_RETRY);
    assert_int_equal(eval(0, "x", &error), STATUS_RETRY);
    assert_non_null(strstr(error.text, "OOM"));
    QUEUE(0, "CONFIG", "SET", "maxmemory", "0");
    exchange();
    assert_int_equal(eval(0, "x", &error), STATUS_OK);
}

static void a_server_that_was_killed_fails_the_exchange_until_it_is_back(void **state) {
    (void)state;
    err_t error = {""};
    assert_true(redis_connected(redis)); /* nothing was asked yet, nothing is wrong */
    QUEUE(0, "ECHO", "before");
    QUEUE(1, "ECHO", "before");
    exchange();
    assert_true(redis_connected(redis));
    redis_server_down(&servers[0]);
    for (int i = 0; i < 3; i++) {
        QUEUE(1, "SET", "meanwhile", "x");
        QUEUE(0, "ECHO", "away");
        assert_int_equal(redis_exchange(redis, &error), STATUS_RETRY);
        assert_non_null(strstr(error.text, "redis test at "));
        assert_non_null(strstr(error.text, servers[0].address));
        assert_false(redis_connected(redis));
    }
    QUEUE(1, "ECHO", "the other works"); /* alone */
    exchange();
    assert_string_equal(text(0), "the other works");
    assert_false(redis_connected(redis));
    assert_true(redis_server_up(&servers[0]));
    QUEUE(0, "ECHO", "back");
    QUEUE(1, "ECHO", "too");
    exchange();
    assert_string_equal(text(0), "back");
    assert_string_equal(text(1), "too");
    assert_true(redis_connected(redis));
}

static void a_connection_that_was_cut_is_made_anew(void **state) {
    (void)state;
    err_t error;
    QUEUE(0, "PING");
    exchange();
    redis_server_do(&servers[0], "CLIENT KILL TYPE normal SKIPME yes");
    QUEUE(0, "PING");
    assert_int_equal(redis_exchange(redis, &error), STATUS_RETRY);
    QUEUE(0, "ECHO", "again");
    exchange();
    assert_string_equal(text(0), "again");
}

static void an_address_that_is_none_is_refused_at_once(void **state) {
    (void)state;
    static char *const wrong[] = {(char *)"host", (char *)":1", (char *)"host:", (char *)"host:x", (char *)"host:0", (char *)"host:65536", (char *)"host:1x", (char *)""};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        err_t error = {""};
        char *const two[] = {addresses[0], wrong[i]};
        assert_null(redis_new("test", two, 2, &error));
        char expected[64];
        snprintf(expected, sizeof expected, "redis test: \"%s\" is not host:port", wrong[i]);
        assert_string_equal(error.text, expected);
    }
    redis_free(NULL);
}

static int start(void **state) {
    (void)state;
    for (int s = 0; s < 2; s++) {
        servers[s] = redis_server_start();
        addresses[s] = servers[s].address;
    }
    return 0;
}

static int end(void **state) {
    (void)state;
    for (int s = 0; s < 2; s++) redis_server_down(&servers[s]);
    return 0;
}

static int make(void **state) {
    (void)state;
    err_t error;
    for (int s = 0; s < 2; s++) redis_server_do(&servers[s], "FLUSHALL");
    redis = redis_new("test", addresses, 2, &error);
    return redis ? 0 : -1;
}

static int unmake(void **state) {
    (void)state;
    redis_free(redis);
    return 0;
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, make, unmake)

int main(void) {
    const struct CMUnitTest tests[] = {
        EACH(answers_come_in_the_order_of_the_commands),
        EACH(partitions_spread_over_the_servers),
        EACH(arguments_are_taken_by_their_lengths),
        EACH(an_exchange_of_nothing_is_fine),
        EACH(collected_arguments_are_borrowed_or_copied),
        EACH(what_is_discarded_is_never_sent),
        EACH(scripts_are_there_from_the_first_connection_on),
        EACH(scripts_that_a_server_lost_are_brought_again),
        EACH(a_script_that_is_none_fails_the_exchange),
        EACH(answers_are_classed_by_what_can_be_done),
        EACH(a_server_that_is_full_is_to_be_tried_again_even_from_a_script),
        EACH(a_server_that_was_killed_fails_the_exchange_until_it_is_back),
        EACH(a_connection_that_was_cut_is_made_anew),
        EACH(an_address_that_is_none_is_refused_at_once),
    };
    return cmocka_run_group_tests_name("redis", tests, start, end);
}
