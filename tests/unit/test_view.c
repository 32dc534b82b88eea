/* What a batch needs to know of the snapshot store, read from a real one. */
#include "common/strbuf.h"
#include "services/validator/view.h"
#include "tests/unit/redis_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static redis_server_t servers[2];
static redis_t *redis;
static view_t *view;

static void must_read(void) {
    err_t error = {""};
    if (view_read(view, &error) != STATUS_OK) fail_msg("%s", error.text);
}

static void an_empty_store_knows_nothing(void **state) {
    (void)state;
    view_want_position(view, 3);
    view_want_entity(view, 0, "Entry", "a");
    view_want_linkers(view, 1, "Asset", "a", 5);
    must_read();
    assert_int_equal(view_position(view, 3), 0);
    assert_int_equal(view_position(view, 0), 0); /* comes with whatever is wanted of a partition */
    assert_int_equal(view_entity(view, 0, "Entry", "a").version, 0);
    assert_false(view_entity(view, 0, "Entry", "a").deleted);
    assert_true(view_has(view, 0) && view_has(view, 1) && view_has(view, 3));
    assert_false(view_has(view, 2));
}

static void positions_and_entities_are_read_from_their_servers(void **state) {
    (void)state;
    redis_server_do(&servers[0], "SET {0}:offset 17");
    redis_server_do(&servers[1], "SET {3}:offset 9223372036854775807");
    redis_server_do(&servers[0], "HSET {0}:Entry:a version 4 updatedAt 2026-11-21T07:00:00.000Z data x");
    redis_server_do(&servers[1], "HSET {3}:Asset:b version 9 updatedAt 2026-11-21T07:00:00.001Z deletedAt 2026-11-21T07:00:00.001Z");
    view_want_entity(view, 0, "Entry", "a");
    view_want_entity(view, 3, "Asset", "b");
    view_want_entity(view, 3, "Entry", "b");
    must_read();
    assert_int_equal(view_position(view, 0), 17);
    assert_true(view_position(view, 3) == INT64_MAX);
    entity_state_t a = view_entity(view, 0, "Entry", "a"), b = view_entity(view, 3, "Asset", "b");
    assert_int_equal(a.version, 4);
    assert_false(a.deleted);
    assert_int_equal(a.updated_ms, 1795244400000);
    assert_int_equal(b.version, 9);
    assert_true(b.deleted);
    assert_int_equal(b.updated_ms, 1795244400001);
    assert_int_equal(view_entity(view, 3, "Entry", "b").version, 0);
    assert_int_equal(view_entity(view, 3, "Entry", "never wanted").version, 0);
}

static void data_and_texts_are_read_where_they_are_wanted(void **state) {
    (void)state;
    redis_server_do(&servers[0], "HSET {0}:Entry:a version 4 data %b", "{\"a\":\0}", (size_t)7);
    redis_server_do(&servers[0], "HSET {0}:Entry:b version 5 deletedAt t");
    redis_server_do(&servers[1], "SET {1}:outcome:c1 {}");
    view_want_entity(view, 0, "Entry", "a");
    view_want_data(view, 0, "Entry", "a"); /* also */
    view_want_data(view, 0, "Entry", "b");
    view_want_data(view, 0, "Entry", "none");
    view_want_text(view, 1, "{1}:outcome:c1");
    view_want_text(view, 1, "{1}:outcome:c2");
    must_read();
    json_span_t data = view_data(view, 0, "Entry", "a");
    assert_int_equal(data.len, 7);
    assert_memory_equal(data.text, "{\"a\":\0}", 7);
    assert_int_equal(view_entity(view, 0, "Entry", "a").version, 4);
    assert_true(view_entity(view, 0, "Entry", "b").deleted);
    assert_null(view_data(view, 0, "Entry", "b").text);
    assert_null(view_data(view, 0, "Entry", "none").text);
    assert_string_equal(view_text(view, "{1}:outcome:c1"), "{}");
    assert_null(view_text(view, "{1}:outcome:c2"));
    assert_null(view_text(view, "{1}:outcome:c3"));
}

static void what_was_wanted_after_the_read_is_not_known_yet(void **state) {
    (void)state;
    redis_server_do(&servers[0], "HSET {0}:Entry:a version 4");
    view_want_position(view, 0);
    must_read();
    view_want_entity(view, 0, "Entry", "a");
    assert_false(view_has_entity(view, 0, "Entry", "a"));
    assert_int_equal(view_entity(view, 0, "Entry", "a").version, 0);
    must_read();
    assert_true(view_has_entity(view, 0, "Entry", "a"));
    assert_int_equal(view_entity(view, 0, "Entry", "a").version, 4);
    assert_false(view_has_entity(view, 0, "Entry", "b"));
}

static void the_position_stands_where_the_view_was_told(void **state) {
    (void)state;
    view_t *other = view_new(redis, 4, key_outcomes_offset);
    err_t error;
    redis_server_do(&servers[1], "SET {1}:offset 5");
    redis_server_do(&servers[1], "SET {1}:outcomes:offset 6");
    view_want_position(other, 1);
    assert_int_equal(view_read(other, &error), STATUS_OK);
    assert_int_equal(view_position(other, 1), 6);
    view_free(other);
}

static void each_thing_is_asked_for_once(void **state) {
    (void)state;
    redis_server_do(&servers[0], "HSET {0}:Entry:a version 4");
    redis_server_do(&servers[0], "CONFIG RESETSTAT");
    for (int i = 0; i < 100; i++) view_want_entity(view, 0, "Entry", "a");
    must_read();
    redisContext *client = servers[0].client;
    redisReply *reply = redisCommand(client, "INFO commandstats");
    assert_non_null(strstr(reply->str, "cmdstat_hmget:calls=1,"));
    freeReplyObject(reply);
    assert_int_equal(view_entity(view, 0, "Entry", "a").version, 4);
}

static void many_wants_of_several_partitions_find_their_answers(void **state) {
    (void)state;
    for (int i = 0; i < 200; i++) redis_server_do(&servers[i % 4 % 2], "HSET {%d}:Entry:e%d version %d", i % 4, i, i + 1);
    for (int i = 0; i < 300; i++) {
        char id[16];
        snprintf(id, sizeof id, "e%d", i);
        view_want_entity(view, i % 4, "Entry", id);
    }
    must_read();
    for (int i = 0; i < 300; i++) {
        char id[16];
        snprintf(id, sizeof id, "e%d", i);
        assert_int_equal(view_entity(view, i % 4, "Entry", id).version, i < 200 ? i + 1 : 0);
    }
}

static bool add_name(const char *name, void *context) {
    strbuf_addf(context, "%s ", name);
    return true;
}

static bool count_and_stop(const char *name, void *context) {
    (void)name;
    ++*(int *)context;
    return false;
}

static bool count(const char *name, void *context) {
    (void)name;
    ++*(int *)context;
    return true;
}

static void linkers_are_read_up_to_as_many_as_are_wanted(void **state) {
    (void)state;
    redis_server_do(&servers[1], "SADD {1}:links:Asset:one Entry:a");
    redis_server_do(&servers[1], "SADD {1}:links:Asset:many Entry:a Entry:b Entry:c Entry:d Entry:e");
    view_want_linkers(view, 1, "Asset", "one", 10);
    view_want_linkers(view, 1, "Asset", "many", 3);
    view_want_linkers(view, 0, "Asset", "one", 10);
    must_read();
    strbuf_t names = {0};
    strbuf_adds(&names, "");
    view_each_linker(view, 0, "Asset", "one", add_name, &names);
    view_each_linker(view, 1, "Asset", "unwanted", add_name, &names);
    assert_string_equal(names.data, "");
    view_each_linker(view, 1, "Asset", "one", add_name, &names);
    assert_string_equal(names.data, "Entry:a ");
    strbuf_free(&names);
    int all = 0, first = 0;
    view_each_linker(view, 1, "Asset", "many", count, &all);
    view_each_linker(view, 1, "Asset", "many", count_and_stop, &first);
    assert_int_equal(all, 3);
    assert_int_equal(first, 1);
}

static void the_same_can_be_read_again(void **state) {
    (void)state;
    view_want_entity(view, 0, "Entry", "a");
    must_read();
    redis_server_do(&servers[0], "SET {0}:offset 5");
    redis_server_do(&servers[0], "HSET {0}:Entry:a version 1");
    assert_int_equal(view_entity(view, 0, "Entry", "a").version, 0); /* as it was when it was read */
    must_read();
    assert_int_equal(view_entity(view, 0, "Entry", "a").version, 1);
    assert_int_equal(view_position(view, 0), 5);
    view_clear(view);
    assert_false(view_has(view, 0));
    must_read(); /* nothing is wanted */
    view_want_position(view, 2);
    must_read();
    assert_false(view_has(view, 0));
    assert_int_equal(view_position(view, 2), 0);
}

/* A writer moves version and position together, again and again; no read may see one without the other. */
static void a_partition_is_read_at_one_instant(void **state) {
    (void)state;
    pid_t writer = fork();
    if (writer == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        redisContext *client = redisConnect("127.0.0.1", servers[0].port);
        for (int i = 1;; i++) {
            redisReply *reply = redisCommand(client, "EVAL %s 0 %d", "redis.call('SET', '{0}:offset', ARGV[1]) "
                                             "redis.call('HSET', '{0}:Entry:a', 'version', ARGV[1]) "
                                             "redis.call('HSET', '{0}:Entry:b', 'version', ARGV[1])", i);
            if (!reply) _exit(0);
            freeReplyObject(reply);
        }
    }
    int64_t last = 0;
    int seen = 0;
    view_want_entity(view, 0, "Entry", "a");
    view_want_entity(view, 0, "Entry", "b");
    for (int64_t end = clock_monotonic_us() + 20000000; seen < 300 && clock_monotonic_us() < end;) {
        must_read();
        int64_t position = view_position(view, 0);
        assert_int_equal(view_entity(view, 0, "Entry", "a").version, position);
        assert_int_equal(view_entity(view, 0, "Entry", "b").version, position);
        if (position > last) seen++;
        last = position;
    }
    kill(writer, SIGKILL);
    waitpid(writer, NULL, 0);
    assert_int_equal(seen, 300);
}

static void who_has_a_unique_value_is_read_in_every_partition(void **state) {
    (void)state;
    unique_t mail = {.field = "mail"}, other = {.field = "mail"}, code = {.field = "code"};
    digest_text("m", 1, mail.digest);
    digest_text("o", 1, other.digest);
    digest_text("m", 1, code.digest);
    redis_server_do(&servers[1], "HSET {1}:unique:Entry:mail %s e1", mail.digest);
    redis_server_do(&servers[0], "HSET {2}:unique:Entry:code %s e2", code.digest);
    view_want_entity(view, 1, "Entry", "e1");
    view_want_holder(view, "Entry", &mail);
    view_want_holder(view, "Entry", &code);
    view_want_holder(view, "Entry", &mail);
    assert_false(view_has_holder(view, "Entry", &mail));
    must_read();
    assert_true(view_has_holder(view, "Entry", &mail) && view_has_holder(view, "Entry", &code));
    for (int32_t p = 0; p < 4; p++) {
        assert_true(view_has(view, p));
        const char *has_mail = view_holder(view, p, "Entry", &mail), *has_code = view_holder(view, p, "Entry", &code);
        assert_true(p == 1 ? has_mail && !strcmp(has_mail, "e1") : !has_mail);
        assert_true(p == 2 ? has_code && !strcmp(has_code, "e2") : !has_code);
    }
    /* What is wanted afterwards is not known, and changes nothing of what is. */
    view_want_holder(view, "Entry", &other);
    view_want_holder(view, "Asset", &mail);
    view_want_entity(view, 1, "Entry", "e9");
    assert_false(view_has_holder(view, "Entry", &other) || view_has_holder(view, "Asset", &mail));
    assert_null(view_holder(view, 1, "Entry", &other));
    assert_string_equal(view_holder(view, 1, "Entry", &mail), "e1");
    redis_server_do(&servers[1], "HSET {3}:unique:Entry:mail %s e3", other.digest);
    must_read();
    assert_string_equal(view_holder(view, 3, "Entry", &other), "e3");
    assert_string_equal(view_holder(view, 1, "Entry", &mail), "e1");
    assert_null(view_holder(view, 1, "Asset", &mail));
    view_clear(view);
    assert_false(view_has_holder(view, "Entry", &mail));
}

static void many_unique_values_find_their_holders(void **state) {
    (void)state;
    unique_t values[300];
    for (int i = 0; i < 300; i++) {
        values[i].field = i % 2 ? "mail" : "code";
        snprintf(values[i].digest, sizeof values[i].digest, "%064d", i);
        if (i % 3 == 0) redis_server_do(&servers[i % 2], "HSET {%d}:unique:Entry:%s %s e%d", i % 4, values[i].field, values[i].digest, i);
        view_want_holder(view, "Entry", &values[i]);
    }
    must_read();
    for (int i = 0; i < 300; i++) {
        char id[8];
        snprintf(id, sizeof id, "e%d", i);
        const char *holder = view_holder(view, i % 4, "Entry", &values[i]);
        assert_true(i % 3 == 0 ? holder && !strcmp(holder, id) : !holder);
        assert_null(view_holder(view, (i + 1) % 4, "Entry", &values[i]));
    }
}

static void a_store_that_does_not_answer_is_to_be_tried_again(void **state) {
    (void)state;
    err_t error = {""};
    redis_server_do(&servers[1], "HSET {1}:Entry:a version 1");
    view_want_entity(view, 0, "Entry", "a");
    view_want_entity(view, 1, "Entry", "a");
    redis_server_down(&servers[0]);
    assert_int_equal(view_read(view, &error), STATUS_RETRY);
    assert_true(error.text[0]);
    assert_true(redis_server_up(&servers[0]));
    must_read();
    assert_int_equal(view_entity(view, 1, "Entry", "a").version, 1);
}

/* A store with something else under an entity's key must not look like one where the entity never was. */
static void what_cannot_be_read_is_not_taken_for_nothing(void **state) {
    (void)state;
    err_t error = {""};
    redis_server_do(&servers[0], "SET {0}:Entry:a x");
    view_want_entity(view, 0, "Entry", "a");
    assert_int_equal(view_read(view, &error), STATUS_RETRY);
    assert_non_null(strstr(error.text, "WRONGTYPE"));
}

static int start(void **state) {
    (void)state;
    for (int s = 0; s < 2; s++) servers[s] = redis_server_start();
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
    redis = redis_new("snapshots", (char *const[]){servers[0].address, servers[1].address}, 2, &error);
    view = view_new(redis, 4, key_offset);
    return 0;
}

static int unmake(void **state) {
    (void)state;
    view_free(view);
    redis_free(redis);
    view_free(NULL);
    return 0;
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, make, unmake)

int main(void) {
    const struct CMUnitTest tests[] = {
        EACH(an_empty_store_knows_nothing),
        EACH(positions_and_entities_are_read_from_their_servers),
        EACH(data_and_texts_are_read_where_they_are_wanted),
        EACH(what_was_wanted_after_the_read_is_not_known_yet),
        EACH(the_position_stands_where_the_view_was_told),
        EACH(each_thing_is_asked_for_once),
        EACH(many_wants_of_several_partitions_find_their_answers),
        EACH(linkers_are_read_up_to_as_many_as_are_wanted),
        EACH(the_same_can_be_read_again),
        EACH(a_partition_is_read_at_one_instant),
        EACH(who_has_a_unique_value_is_read_in_every_partition),
        EACH(many_unique_values_find_their_holders),
        EACH(a_store_that_does_not_answer_is_to_be_tried_again),
        EACH(what_cannot_be_read_is_not_taken_for_nothing),
    };
    return cmocka_run_group_tests_name("view", tests, start, end);
}
