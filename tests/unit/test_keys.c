/* The keys of the stores, the topics, and the form of ids. */
#include "model/id.h"
#include "model/keys.h"
#include "model/topics.h"
#include "tests/unit/model.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void assert_key(const key_text_t key, int len, const char *expected) {
    assert_string_equal(key, expected);
    assert_int_equal(len, strlen(expected));
}

static void keys_begin_with_their_partition_as_hash_tag(void **state) {
    (void)state;
    key_text_t key;
    assert_key(key, key_offset(key, 3), "{3}:offset");
    assert_key(key, key_outcomes_offset(key, 12), "{12}:outcomes:offset");
    assert_key(key, key_history(key, 0, "Entry", "a"), "{0}:events:Entry:a");
    assert_key(key, key_outcome(key, 1, "c"), "{1}:outcome:c");
    assert_key(key, key_idempotency(key, 1, "Entry", "a", "k"), "{1}:key:Entry:a:k");
    assert_key(key, key_shape(key, 3), "{3}:shape");
    assert_key(key, key_snapshot(key, 9999, "Entry", "a-b"), "{9999}:Entry:a-b");
    assert_key(key, key_index(key, 3, "Entry", "id"), "{3}:index:Entry:id");
    assert_key(key, key_links(key, 3, "Asset", "a"), "{3}:links:Asset:a");
    assert_key(key, key_unique(key, 3, "Entry", "mail"), "{3}:unique:Entry:mail");
    assert_key(key, key_claim(key, 3, "Entry", "mail", "D"), "{3}:claim:Entry:mail:D");
}

static void the_longest_names_and_ids_fit_into_a_key(void **state) {
    (void)state;
    key_text_t key;
    char name[65], id[129];
    memset(name, 'N', 64);
    memset(id, 'i', 128);
    name[64] = id[128] = '\0';
    int len = key_history(key, INT32_MAX, name, id);
    assert_true(len < KEY_SIZE);
    assert_int_equal(strlen(key), len);
    assert_string_equal(key + len - 128, id);
    assert_true(key_links(key, INT32_MAX, name, id) < KEY_SIZE);
    char field[UNIQUE_FIELD_MAX + 1], digest[UNIQUE_DIGEST_SIZE];
    memset(field, 'f', UNIQUE_FIELD_MAX);
    memset(digest, 'd', UNIQUE_DIGEST_SIZE - 1);
    field[UNIQUE_FIELD_MAX] = digest[UNIQUE_DIGEST_SIZE - 1] = '\0';
    assert_true(key_claim(key, INT32_MAX, name, field, digest) < KEY_SIZE);
    char idempotency[256];
    memset(idempotency, 'k', 255);
    idempotency[255] = '\0';
    assert_true(key_idempotency(key, INT32_MAX, name, id, idempotency) < KEY_SIZE);
}

static void ids_have_1_to_128_characters_that_need_no_escape(void **state) {
    (void)state;
    char id[130];
    memset(id, 'x', 129);
    id[129] = '\0';
    assert_false(id_valid(id));
    id[128] = '\0';
    assert_true(id_valid(id));
    assert_true(id_valid("AZaz09._~-"));
    static const char *const none[] = {"", " ", "a b", "a/b", "a:b", "a\n", "\xc3\xa4", "a%20", "{a}", "a*"};
    for (size_t i = 0; i < ARRAY_LEN(none); i++) assert_false(id_valid(none[i]));
}

static void topics_are_as_settings_want_them(void **state) {
    (void)state;
    model_t model = model_new(",\"partitions\":5,\"kafka\":{\"replicationFactor\":3},\"retention\":{\"commandsHours\":1,"
                              "\"outcomesHours\":876000,\"deadLettersHours\":2}");
    kafka_topic_t topics[TOPIC_COUNT];
    topics_from(model.settings, topics);
    static const struct {
        const char *name;
        int64_t retention_ms;
    } expected[TOPIC_COUNT] = {
        {"commands", 3600000}, {"events", -1}, {"outcomes", 876000 * INT64_C(3600000)}, {"dead-letters", 7200000}};
    for (int i = 0; i < TOPIC_COUNT; i++) {
        assert_string_equal(topics[i].name, expected[i].name);
        assert_string_equal(topic_names[i], expected[i].name);
        assert_true(topics[i].retention_ms == expected[i].retention_ms);
        assert_int_equal(topics[i].partitions, 5);
        assert_int_equal(topics[i].replication, 3);
    }
    model_free(&model);
}

static void whatever_comes_of_the_largest_command_fits_into_the_other_topics(void **state) {
    (void)state;
    static const char *const sizes[] = {"1024", "1048576", "67108864"};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        char more[64];
        snprintf(more, sizeof more, ",\"limits\":{\"bodyBytes\":%s}", sizes[i]);
        model_t model = model_new(more);
        kafka_topic_t topics[TOPIC_COUNT];
        topics_from(model.settings, topics);
        assert_true(topics[TOPIC_COMMANDS].message_bytes > atoi(sizes[i]));
        for (int t = TOPIC_EVENTS; t < TOPIC_COUNT; t++)
            assert_true(topics[t].message_bytes > topics[TOPIC_COMMANDS].message_bytes);
        kafka_options_t options = topics_kafka_options(model.settings, "me");
        for (int t = 0; t < TOPIC_COUNT; t++) assert_true(options.message_bytes >= topics[t].message_bytes);
        model_free(&model);
    }
}

static void clients_are_told_servers_name_and_properties(void **state) {
    (void)state;
    model_t model = model_new(",\"kafka\":{\"bootstrapServers\":\"a:1\",\"properties\":{\"x\":\"y\"}}");
    kafka_options_t options = topics_kafka_options(model.settings, "me");
    assert_string_equal(options.bootstrap_servers, "a:1");
    assert_string_equal(options.client_id, "me");
    assert_int_equal(options.properties_count, 1);
    assert_string_equal(options.properties[0].name, "x");
    model_free(&model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_begin_with_their_partition_as_hash_tag),
        cmocka_unit_test(the_longest_names_and_ids_fit_into_a_key),
        cmocka_unit_test(ids_have_1_to_128_characters_that_need_no_escape),
        cmocka_unit_test(topics_are_as_settings_want_them),
        cmocka_unit_test(whatever_comes_of_the_largest_command_fits_into_the_other_topics),
        cmocka_unit_test(clients_are_told_servers_name_and_properties),
    };
    return cmocka_run_group_tests_name("keys", tests, NULL, NULL);
}
