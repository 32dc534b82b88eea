/* The scripts of persister and materializer, in a real Redis. */
#include "tests/unit/redis_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

extern const char history_script[], outcomes_script[], snapshots_script[];

static redis_server_t server;
static redisContext *client;

/* Runs a script on partition 3; words are its arguments: from, to, prefix, lifetime, then the records. The answer as one text. */
static const char *run(const char *script, const char *position_key, const char *const *words) {
    static char answer[512];
    const char *argv[128] = {"EVAL", script, "1", position_key};
    int argc = 4;
    for (; *words; words++) argv[argc++] = *words;
    redisReply *reply = redisCommandArgv(client, argc, argv, NULL);
    answer[0] = '\0';
    if (reply->type == REDIS_REPLY_ERROR) snprintf(answer, sizeof answer, "error: %s", reply->str);
    for (size_t i = 0; i < reply->elements; i++) {
        size_t len = strlen(answer);
        snprintf(answer + len, sizeof answer - len, "%s%s", i ? " " : "", reply->element[i]->str);
    }
    freeReplyObject(reply);
    return answer;
}

#define HISTORY(...) run(history_script, "{3}:offset", (const char *const[]){__VA_ARGS__, NULL})
#define OUTCOMES(...) run(outcomes_script, "{3}:outcomes:offset", (const char *const[]){__VA_ARGS__, NULL})
#define SNAPSHOTS(...) run(snapshots_script, "{3}:offset", (const char *const[]){__VA_ARGS__, NULL})

/* The answer to a command as one text, parts separated by a blank. */
static void flatten(const redisReply *reply, char *out, size_t size) {
    size_t len = strlen(out);
    if (reply->type == REDIS_REPLY_INTEGER) snprintf(out + len, size - len, "%s%lld", len ? " " : "", reply->integer);
    else if (reply->str) snprintf(out + len, size - len, "%s%s", len ? " " : "", reply->str);
    for (size_t i = 0; i < reply->elements; i++) flatten(reply->element[i], out, size);
}

static const char *ask(const char *command) {
    static char answer[1024];
    redisReply *reply = redisCommand(client, command);
    answer[0] = '\0';
    flatten(reply, answer, sizeof answer);
    freeReplyObject(reply);
    return answer;
}

/* The members of a hash or a set do not have an order: sorted. */
static const char *ask_sorted(const char *command) {
    static char sorted[1024];
    char copy[1024], *words[64], *save = NULL;
    size_t count = 0;
    snprintf(copy, sizeof copy, "%s", ask(command));
    for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        size_t at = count++;
        for (; at > 0 && strcmp(words[at - 1], word) > 0; at--) words[at] = words[at - 1];
        words[at] = word;
    }
    sorted[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(sorted);
        snprintf(sorted + len, sizeof sorted - len, "%s%s", i ? " " : "", words[i]);
    }
    return sorted;
}

/* ---- all of them ---- */

static void a_store_that_is_empty_is_nowhere_and_is_filled_from_there(void **state) {
    (void)state;
    assert_string_equal(HISTORY("-1", "5", "{3}:", "0"), "ok");
    assert_string_equal(ask("GET {3}:offset"), "5");
    assert_string_equal(OUTCOMES("-1", "7", "{3}:", "60"), "ok");
    assert_string_equal(ask("GET {3}:outcomes:offset"), "7");
    ask("DEL {3}:offset");
    assert_string_equal(SNAPSHOTS("-1", "6", "{3}:", "0"), "ok");
    assert_string_equal(ask("GET {3}:offset"), "6");
}

static void a_store_that_is_elsewhere_is_left_as_it_is(void **state) {
    (void)state;
    ask("SET {3}:offset 9");
    assert_string_equal(HISTORY("5", "10", "{3}:", "0", "5", "Entry", "a", "1", "e1"), "moved 9");
    assert_string_equal(SNAPSHOTS("5", "10", "{3}:", "0", "5", "create", "Entry", "a", "1", "t", "{}", "", "", ""), "moved 9");
    assert_string_equal(HISTORY("-1", "10", "{3}:", "0"), "moved 9");
    assert_string_equal(OUTCOMES("5", "10", "{3}:", "60", "5", "c", "o", "", "60"), "moved -1"); /* it was flushed */
    assert_string_equal(ask_sorted("KEYS *"), "{3}:offset {3}:shape");
    assert_string_equal(ask("GET {3}:offset"), "9");
}

/* ---- history ---- */

static void events_become_a_stream_with_versions_as_ids(void **state) {
    (void)state;
    assert_string_equal(HISTORY("-1", "3", "{3}:", "0", "0", "Entry", "a", "1", "first", "1", "Entry", "b", "1", "other", "2",
                                "Entry", "a", "2", "second"), "ok");
    assert_string_equal(ask("XRANGE {3}:events:Entry:a - +"), "1-0 event first 2-0 event second");
    assert_string_equal(ask("XRANGE {3}:events:Entry:b - +"), "1-0 event other");
    assert_string_equal(ask("GET {3}:offset"), "3");
}

static void events_that_are_there_already_are_not_written_again(void **state) {
    (void)state;
    HISTORY("-1", "2", "{3}:", "0", "0", "Entry", "a", "1", "first", "1", "Entry", "a", "2", "second");
    ask("SET {3}:offset 0"); /* read again from the beginning */
    assert_string_equal(HISTORY("0", "3", "{3}:", "0", "0", "Entry", "a", "1", "FIRST", "1", "Entry", "a", "2", "SECOND", "2",
                                "Entry", "a", "3", "third"), "ok");
    assert_string_equal(ask("XRANGE {3}:events:Entry:a - +"), "1-0 event first 2-0 event second 3-0 event third");
}

static void a_hole_in_a_history_stops_before_it(void **state) {
    (void)state;
    assert_string_equal(HISTORY("-1", "9", "{3}:", "0", "4", "Entry", "a", "1", "first", "6", "Entry", "a", "3", "third", "7",
                                "Entry", "b", "1", "other"), "gap 6 version 3 does not follow version 1 in the history");
    assert_string_equal(ask("XRANGE {3}:events:Entry:a - +"), "1-0 event first");
    assert_string_equal(ask("EXISTS {3}:events:Entry:b"), "0");
    assert_string_equal(ask("GET {3}:offset"), "6"); /* what stands before it was applied */
    assert_string_equal(HISTORY("6", "9", "{3}:", "0", "7", "Entry", "b", "1", "other"), "ok");
    assert_string_equal(ask("GET {3}:offset"), "9");
}

static void versions_of_two_digits_are_compared_as_numbers(void **state) {
    (void)state;
    for (int version = 1; version <= 12; version++) {
        char from[8], to[8], number[8];
        snprintf(from, sizeof from, "%d", version == 1 ? -1 : version - 1);
        snprintf(to, sizeof to, "%d", version);
        snprintf(number, sizeof number, "%d", version);
        assert_string_equal(HISTORY(from, to, "{3}:", "0", from, "Entry", "a", number, "e"), "ok");
    }
    assert_string_equal(ask("XLEN {3}:events:Entry:a"), "12");
}

/* ---- outcomes ---- */

static void outcomes_are_kept_until_they_expire(void **state) {
    (void)state;
    assert_string_equal(OUTCOMES("-1", "2", "{3}:", "3153600000", "0", "c1", "accepted", "", "60", "1", "c2", "rejected", "", "60"), "ok");
    assert_string_equal(ask("GET {3}:outcome:c1"), "accepted");
    assert_string_equal(ask("GET {3}:outcome:c2"), "rejected");
    assert_true(atoll(ask("TTL {3}:outcome:c1")) > 3153599000); /* the longest that settings allow is a century */
    assert_string_equal(OUTCOMES("2", "3", "{3}:", "60", "2", "c1", "again", "", "60"), "ok");
    assert_string_equal(ask("GET {3}:outcome:c1"), "again");
    assert_in_range(atoll(ask("TTL {3}:outcome:c1")), 50, 60);
    assert_string_equal(ask("TTL {3}:outcomes:offset"), "-1"); /* the position is kept */
}

static void an_idempotency_key_stands_for_the_command_that_it_first_came_with(void **state) {
    (void)state;
    assert_string_equal(OUTCOMES("-1", "2", "{3}:", "600", "0", "c1", "o", "Entry:e:k", "60", "1", "c2", "o", "Entry:e:k", "60"), "ok");
    assert_string_equal(ask("GET {3}:key:Entry:e:k"), "c1");
    assert_in_range(atoll(ask("TTL {3}:key:Entry:e:k")), 50, 60);
}

/* ---- snapshots ---- */

#define CREATE(offset, id, version, data, links) CREATE_INDEXED(offset, id, version, data, links, "")
#define UPDATE(offset, id, version, data, links) UPDATE_INDEXED(offset, id, version, data, links, "")
#define CREATE_INDEXED(offset, id, version, data, links, index) \
    offset, "create", "Entry", id, version, "t" version, data, links, index, ""
#define UPDATE_INDEXED(offset, id, version, data, links, index) \
    offset, "update", "Entry", id, version, "t" version, data, links, index, ""
#define DELETE(offset, id, version) offset, "delete", "Entry", id, version, "t" version, "", "", "", ""
#define SET(offset, verb, id, version, values) offset, verb, "Entry", id, version, "t" version, "{}", "", "", values

static void a_snapshot_is_the_fold_of_its_events(void **state) {
    (void)state;
    assert_string_equal(SNAPSHOTS("-1", "1", "{3}:", "0", CREATE("0", "a", "1", "{1}", "")), "ok");
    assert_string_equal(ask("HMGET {3}:Entry:a version createdAt updatedAt data"), "1 t1 t1 {1}");
    assert_string_equal(SNAPSHOTS("1", "3", "{3}:", "0", UPDATE("1", "a", "2", "{2}", ""), UPDATE("2", "a", "3", "{3}", "")), "ok");
    assert_string_equal(ask("HMGET {3}:Entry:a version createdAt updatedAt data"), "3 t1 t3 {3}");
    assert_string_equal(ask("ZRANGE {3}:index:Entry:id 0 -1"), "a");
    assert_string_equal(ask("GET {3}:offset"), "3");
}

static void a_deleted_snapshot_keeps_its_version_and_leaves_the_index(void **state) {
    (void)state;
    SNAPSHOTS("-1", "3", "{3}:", "0", CREATE("0", "a", "1", "{1}", "Asset:x"), CREATE("1", "b", "1", "{1}", ""), DELETE("2", "a", "2"));
    assert_string_equal(ask_sorted("HGETALL {3}:Entry:a"), "2 createdAt deletedAt t1 t2 t2 updatedAt version");
    assert_string_equal(ask("ZRANGE {3}:index:Entry:id 0 -1"), "b");
    assert_string_equal(ask("EXISTS {3}:links:Asset:x"), "0");
}

static void what_was_deleted_can_be_created_again_and_goes_on_counting(void **state) {
    (void)state;
    SNAPSHOTS("-1", "2", "{3}:", "0", CREATE("0", "a", "1", "{1}", ""), DELETE("1", "a", "2"));
    assert_string_equal(SNAPSHOTS("2", "3", "{3}:", "0", CREATE("2", "a", "3", "{3}", "Asset:x")), "ok");
    assert_string_equal(ask_sorted("HGETALL {3}:Entry:a"), "3 Asset:x createdAt data links t3 t3 updatedAt version {3}");
    assert_string_equal(ask("ZRANGE {3}:index:Entry:id 0 -1"), "a");
    assert_string_equal(ask("SMEMBERS {3}:links:Asset:x"), "Entry:a");
}

static void events_that_a_snapshot_has_change_nothing(void **state) {
    (void)state;
    SNAPSHOTS("-1", "3", "{3}:", "0", CREATE("0", "a", "1", "{1}", "Asset:x"), UPDATE("1", "a", "2", "{2}", "Asset:y"), DELETE("2", "a", "3"));
    char before[1024];
    snprintf(before, sizeof before, "%s", ask_sorted("HGETALL {3}:Entry:a"));
    ask("SET {3}:offset 0");
    assert_string_equal(SNAPSHOTS("0", "3", "{3}:", "0", CREATE("0", "a", "1", "{X}", "Asset:x"), UPDATE("1", "a", "2", "{X}", "Asset:y"), DELETE("2", "a", "3")), "ok");
    assert_string_equal(ask_sorted("HGETALL {3}:Entry:a"), before);
    assert_string_equal(ask("EXISTS {3}:links:Asset:x {3}:links:Asset:y {3}:index:Entry:id"), "0");
    assert_string_equal(ask("GET {3}:offset"), "3");
}

static void a_hole_in_versions_stops_before_it(void **state) {
    (void)state;
    assert_string_equal(SNAPSHOTS("-1", "9", "{3}:", "0", CREATE("2", "a", "1", "{1}", ""), UPDATE("5", "a", "3", "{3}", ""), CREATE("6", "b", "1", "{1}", "")),
                        "gap 5 version 3 does not follow version 1 of the snapshot");
    assert_string_equal(ask("HGET {3}:Entry:a version"), "1");
    assert_string_equal(ask("EXISTS {3}:Entry:b"), "0");
    assert_string_equal(ask("GET {3}:offset"), "5");
}

static void links_follow_what_the_snapshot_links_to(void **state) {
    (void)state;
    SNAPSHOTS("-1", "2", "{3}:", "0", CREATE("0", "a", "1", "{}", "Asset:x\nAsset:y\nAsset:x"), CREATE("1", "b", "1", "{}", "Asset:y"));
    assert_string_equal(ask("SMEMBERS {3}:links:Asset:x"), "Entry:a");
    assert_string_equal(ask_sorted("SMEMBERS {3}:links:Asset:y"), "Entry:a Entry:b");
    SNAPSHOTS("2", "3", "{3}:", "0", UPDATE("2", "a", "2", "{}", "Entry:b\nAsset:y"));
    assert_string_equal(ask("EXISTS {3}:links:Asset:x"), "0");
    assert_string_equal(ask_sorted("SMEMBERS {3}:links:Asset:y"), "Entry:a Entry:b");
    assert_string_equal(ask("SMEMBERS {3}:links:Entry:b"), "Entry:a");
    SNAPSHOTS("3", "5", "{3}:", "0", UPDATE("3", "a", "3", "{}", ""), DELETE("4", "b", "2"));
    assert_string_equal(ask("EXISTS {3}:links:Asset:y {3}:links:Entry:b"), "0");
}

static void a_store_of_another_shape_is_left_as_it_is(void **state) {
    (void)state;
    SNAPSHOTS("-1", "1", "{3}:", "0", CREATE("0", "a", "1", "{1}", ""));
    assert_string_equal(SNAPSHOTS("1", "2", "{3}:", "other", UPDATE("1", "a", "2", "{2}", "")), "moved 1");
    assert_string_equal(ask("HGET {3}:Entry:a version"), "1");
    assert_string_equal(ask("GET {3}:offset"), "1");
}

static void indexes_follow_the_values_that_the_snapshot_has(void **state) {
    (void)state;
    SNAPSHOTS("-1", "2", "{3}:", "0", CREATE_INDEXED("0", "a", "1", "{}", "", "title\1" "4x\1size\1" "0\1"),
              CREATE_INDEXED("1", "b", "1", "{}", "", "title\1" "4\n\2\2\1size\1" "37\1"));
    assert_string_equal(ask("ZRANGE {3}:index:Entry:title 0 -1 WITHSCORES"), "4\n\2\2\1b 0 4x\1a 0");
    assert_string_equal(ask("ZRANGE {3}:index:Entry:size 0 -1"), "0\1a 37\1b");
    assert_string_equal(ask("HGET {3}:Entry:a index"), "title\1" "4x\1size\1" "0\1");
    SNAPSHOTS("2", "3", "{3}:", "0", UPDATE_INDEXED("2", "a", "2", "{}", "", "title\1" "4y\1size\1" "0\1"));
    assert_string_equal(ask("ZRANGE {3}:index:Entry:title 0 -1"), "4\n\2\2\1b 4y\1a");
    assert_string_equal(ask("ZRANGE {3}:index:Entry:size 0 -1"), "0\1a 37\1b");
    SNAPSHOTS("3", "5", "{3}:", "0", DELETE("3", "a", "3"), DELETE("4", "b", "2"));
    assert_string_equal(ask("EXISTS {3}:index:Entry:title {3}:index:Entry:size"), "0");
    assert_string_equal(ask("HEXISTS {3}:Entry:a index"), "0");
    SNAPSHOTS("5", "6", "{3}:", "0", CREATE_INDEXED("5", "a", "4", "{}", "", "title\1" "4y\1"));
    assert_string_equal(ask("ZRANGE {3}:index:Entry:title 0 -1"), "4y\1a");
}

static void further_values_of_a_field_have_members_that_end_in_a_mark(void **state) {
    (void)state;
    SNAPSHOTS("-1", "1", "{3}:", "0", CREATE_INDEXED("0", "a", "1", "{}", "", "tags\1" "4x\1tags\1" "4y\1tags\1" "4z\1title\1" "4x\1"));
    assert_string_equal(ask("ZRANGE {3}:index:Entry:tags 0 -1"), "4x\1a 4y\1a\1 4z\1a\1");
    assert_string_equal(ask("ZRANGE {3}:index:Entry:title 0 -1"), "4x\1a");
    SNAPSHOTS("1", "2", "{3}:", "0", UPDATE_INDEXED("1", "a", "2", "{}", "", "tags\1" "4y\1title\1" "4x\1"));
    assert_string_equal(ask("ZRANGE {3}:index:Entry:tags 0 -1"), "4y\1a");
}

static void unique_values_follow_what_the_snapshot_has(void **state) {
    (void)state;
    SNAPSHOTS("-1", "2", "{3}:", "0", SET("0", "create", "a", "1", "mail:A1\na:b:B1"), SET("1", "create", "b", "1", "mail:A2"));
    assert_string_equal(ask_sorted("HGETALL {3}:unique:Entry:mail"), "A1 A2 a b");
    assert_string_equal(ask("HGETALL {3}:unique:Entry:a:b"), "B1 a"); /* a name with a colon */
    assert_string_equal(ask("HGET {3}:Entry:b unique"), "mail:A2");
    /* One lets go of a value and the next takes it, in one step. */
    SNAPSHOTS("2", "4", "{3}:", "0", SET("2", "update", "a", "2", "mail:A3"), SET("3", "update", "b", "2", "mail:A1"));
    assert_string_equal(ask_sorted("HGETALL {3}:unique:Entry:mail"), "A1 A3 a b");
    assert_string_equal(ask("EXISTS {3}:unique:Entry:a:b"), "0");
    SNAPSHOTS("4", "5", "{3}:", "0", SET("4", "update", "a", "3", ""));
    assert_string_equal(ask("HEXISTS {3}:Entry:a unique"), "0");
    SNAPSHOTS("5", "6", "{3}:", "0", DELETE("5", "b", "3"));
    assert_string_equal(ask("EXISTS {3}:unique:Entry:mail"), "0");
    assert_string_equal(ask("HEXISTS {3}:Entry:b unique"), "0");
}

static void a_value_that_is_anothers_by_now_is_left_to_it(void **state) {
    (void)state;
    SNAPSHOTS("-1", "2", "{3}:", "0", SET("0", "create", "a", "1", "mail:A1"), SET("1", "create", "b", "1", "mail:A1"));
    SNAPSHOTS("2", "3", "{3}:", "0", DELETE("2", "a", "2"));
    assert_string_equal(ask("HGETALL {3}:unique:Entry:mail"), "A1 b");
}

/* All that the scripts keep of what these tests write. */
static const char *everything(void) {
    static char all[4096];
    static const char *const commands[] = {"KEYS *", "GET {3}:offset", "HGETALL {3}:Entry:a", "HGETALL {3}:Entry:b",
                                           "ZRANGE {3}:index:Entry:id 0 -1", "SMEMBERS {3}:links:Asset:x",
                                           "SMEMBERS {3}:links:Asset:y", "SMEMBERS {3}:links:Entry:a"};
    all[0] = '\0';
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        size_t len = strlen(all);
        snprintf(all + len, sizeof all - len, "%s: %s\n", commands[i], ask_sorted(commands[i]));
    }
    return all;
}

static void a_store_that_is_filled_anew_is_the_same(void **state) {
    (void)state;
#define ALL CREATE("0", "a", "1", "{1}", "Asset:x"), CREATE("1", "b", "1", "{1}", "Entry:a"), UPDATE("2", "a", "2", "{2}", "Asset:y"), \
            DELETE("3", "b", "2"), CREATE("4", "b", "3", "{3}", "Asset:y")
    SNAPSHOTS("-1", "2", "{3}:", "0", CREATE("0", "a", "1", "{1}", "Asset:x"), CREATE("1", "b", "1", "{1}", "Entry:a"));
    SNAPSHOTS("2", "5", "{3}:", "0", UPDATE("2", "a", "2", "{2}", "Asset:y"), DELETE("3", "b", "2"), CREATE("4", "b", "3", "{3}", "Asset:y"));
    char before[4096];
    snprintf(before, sizeof before, "%s", everything());
    ask("FLUSHALL");
    assert_string_equal(SNAPSHOTS("-1", "5", "{3}:", "0", ALL), "moved -1"); /* its shape is gone */
    ask("SET {3}:shape 0");
    assert_string_not_equal(everything(), before);
    assert_string_equal(SNAPSHOTS("-1", "5", "{3}:", "0", ALL), "ok");
    assert_string_equal(everything(), before);
}

static int start(void **state) {
    (void)state;
    server = redis_server_start();
    client = server.client;
    return 0;
}

static int end(void **state) {
    (void)state;
    redis_server_down(&server);
    return 0;
}

static int flush(void **state) {
    (void)state;
    ask("FLUSHALL");
    ask("SET {3}:shape 0");
    return 0;
}

#define EACH(test) cmocka_unit_test_setup(test, flush)

int main(void) {
    const struct CMUnitTest tests[] = {
        EACH(a_store_that_is_empty_is_nowhere_and_is_filled_from_there),
        EACH(a_store_that_is_elsewhere_is_left_as_it_is),
        EACH(events_become_a_stream_with_versions_as_ids),
        EACH(events_that_are_there_already_are_not_written_again),
        EACH(a_hole_in_a_history_stops_before_it),
        EACH(versions_of_two_digits_are_compared_as_numbers),
        EACH(outcomes_are_kept_until_they_expire),
        EACH(an_idempotency_key_stands_for_the_command_that_it_first_came_with),
        EACH(a_snapshot_is_the_fold_of_its_events),
        EACH(a_deleted_snapshot_keeps_its_version_and_leaves_the_index),
        EACH(what_was_deleted_can_be_created_again_and_goes_on_counting),
        EACH(events_that_a_snapshot_has_change_nothing),
        EACH(a_hole_in_versions_stops_before_it),
        EACH(links_follow_what_the_snapshot_links_to),
        EACH(a_store_of_another_shape_is_left_as_it_is),
        EACH(indexes_follow_the_values_that_the_snapshot_has),
        EACH(further_values_of_a_field_have_members_that_end_in_a_mark),
        EACH(unique_values_follow_what_the_snapshot_has),
        EACH(a_value_that_is_anothers_by_now_is_left_to_it),
        EACH(a_store_that_is_filled_anew_is_the_same),
    };
    return cmocka_run_group_tests_name("sink scripts", tests, start, end);
}
