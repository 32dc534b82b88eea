/* The ground for Kafka clients, on librdkafka's mock cluster. */
#include "common/clock.h"
#include "tests/unit/capture.h"
#include "tests/unit/mock_kafka.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static mock_kafka_t mock;
static capture_t capture;

/* ---- partitions ---- */

/* murmur2 as it is published by its author, with the seed of Kafka's Java client. */
static uint32_t murmur2(const unsigned char *data, size_t len) {
    const uint32_t m = 0x5bd1e995;
    uint32_t h = 0x9747b28c ^ (uint32_t)len;
    for (; len >= 4; data += 4, len -= 4) {
        uint32_t k = data[0] | (uint32_t)data[1] << 8 | (uint32_t)data[2] << 16 | (uint32_t)data[3] << 24;
        k *= m;
        k ^= k >> 24;
        k *= m;
        h = (h * m) ^ k;
    }
    if (len > 2) h ^= (uint32_t)data[2] << 16;
    if (len > 1) h ^= (uint32_t)data[1] << 8;
    if (len > 0) h = (h ^ data[0]) * m;
    h = (h ^ h >> 13) * m;
    return h ^ h >> 15;
}

static void the_hash_is_that_of_the_java_client(void **state) {
    (void)state;
    /* The values that the Java client's own test has. */
    static const struct {
        const char *key;
        int32_t hash;
    } known[] = {
        {"21", -973932308}, {"foobar", -790332482}, {"a-little-bit-long-string", -985981536},
        {"a-little-bit-longer-string", -1486304829}, {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
    };
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        size_t len = strlen(known[i].key);
        assert_int_equal((int32_t)murmur2((const unsigned char *)known[i].key, len), known[i].hash);
        for (int32_t partitions = 1; partitions < 100; partitions++)
            assert_int_equal(kafka_partition(known[i].key, len, partitions), (known[i].hash & 0x7fffffff) % partitions);
    }
}

static void every_key_lands_where_the_java_client_puts_it(void **state) {
    (void)state;
    unsigned char key[64];
    uint32_t random = 1;
    for (int i = 0; i < 20000; i++) {
        size_t len = (size_t)i % sizeof key;
        for (size_t n = 0; n < len; n++) key[n] = (unsigned char)((random = random * 1664525 + 1013904223) >> 24);
        int32_t partitions = 1 + i % 257;
        assert_int_equal(kafka_partition(key, len, partitions), (int32_t)((murmur2(key, len) & 0x7fffffff) % (uint32_t)partitions));
    }
}

/* ---- configuration ---- */

static char *value_of(rd_kafka_conf_t *conf, const char *name) {
    static char value[256];
    size_t size = sizeof value;
    assert_int_equal(rd_kafka_conf_get(conf, name, value, &size), RD_KAFKA_CONF_OK);
    return value;
}

static void the_users_properties_stand_over_the_defaults(void **state) {
    (void)state;
    kafka_property_t properties[] = {{(char *)"linger.ms", (char *)"77"}, {(char *)"client.rack", (char *)"r1"}};
    kafka_options_t options = {.bootstrap_servers = "a:1,b:2", .client_id = "me", .properties = properties,
                               .properties_count = 2, .message_bytes = 123456};
    const char *const defaults[] = {"linger.ms", "5", "acks", "all", NULL};
    err_t error;
    rd_kafka_conf_t *conf = kafka_conf_new(&options, defaults, NULL, &error);
    assert_non_null(conf);
    assert_string_equal(value_of(conf, "bootstrap.servers"), "a:1,b:2");
    assert_string_equal(value_of(conf, "client.id"), "me");
    assert_string_equal(value_of(conf, "message.max.bytes"), "123456");
    assert_true(atof(value_of(conf, "linger.ms")) == 77);
    assert_string_equal(value_of(conf, "client.rack"), "r1");
    rd_kafka_conf_destroy(conf);
}

static void a_property_that_is_not_known_is_refused_by_name(void **state) {
    (void)state;
    static const kafka_property_t wrong[] = {{(char *)"no.such.thing", (char *)"1"}, {(char *)"linger.ms", (char *)"soon"},
                                             {(char *)"security.protocol", (char *)"none"}};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        kafka_options_t options = {.bootstrap_servers = "a:1", .client_id = "me", .properties = &wrong[i],
                                   .properties_count = 1, .message_bytes = 123456};
        err_t error = {""};
        char expected[64];
        assert_null(kafka_conf_new(&options, (const char *const[]){NULL}, NULL, &error));
        snprintf(expected, sizeof expected, "kafka property \"%s\": ", wrong[i].name);
        assert_memory_equal(error.text, expected, strlen(expected));
        assert_true(strlen(error.text) > strlen(expected));
    }
}

static void a_client_that_cannot_be_made_says_why(void **state) {
    (void)state;
    kafka_property_t property = {(char *)"ssl.ca.location", (char *)"/nowhere"};
    kafka_property_t properties[] = {property, {(char *)"security.protocol", (char *)"ssl"}};
    kafka_options_t options = {.bootstrap_servers = "a:1", .client_id = "me", .properties = properties,
                               .properties_count = 2, .message_bytes = 123456};
    err_t error = {""};
    rd_kafka_conf_t *conf = kafka_conf_new(&options, (const char *const[]){NULL}, NULL, &error);
    assert_non_null(conf);
    capture_begin(&capture, STDERR_FILENO);
    rd_kafka_t *client = kafka_client_new(RD_KAFKA_PRODUCER, conf, &error);
    capture_end(&capture);
    assert_null(client);
    assert_memory_equal(error.text, "kafka client: ", 14);
}

/* ---- topics ---- */

static rd_kafka_t *client_of(kafka_health_t *health, const char *const *defaults) {
    err_t error = {""};
    rd_kafka_conf_t *conf = kafka_conf_new(&mock.options, defaults, health, &error);
    rd_kafka_t *client = conf ? kafka_client_new(RD_KAFKA_PRODUCER, conf, &error) : NULL;
    if (!client) fail_msg("%s", error.text);
    return client;
}

static rd_kafka_t *producer(void) {
    return client_of(NULL, (const char *const[]){NULL});
}

static void topics_that_are_as_wanted_are_fine(void **state) {
    (void)state;
    rd_kafka_mock_topic_create(mock.cluster, "ensure-a", 3, 1);
    rd_kafka_mock_topic_create(mock.cluster, "ensure-b", 5, 1);
    const kafka_topic_t topics[] = {{"ensure-a", 3, 1, -1, 1000000}, {"ensure-b", 5, 1, 1000, 1000000}};
    rd_kafka_t *client = producer();
    err_t error = {""};
    if (kafka_topics_ensure(client, topics, 2, 20000, &error) != STATUS_OK) fail_msg("%s", error.text);
    assert_int_equal(kafka_topics_ensure(client, topics, 0, 20000, &error), STATUS_OK);
    rd_kafka_destroy(client);
}

static void another_number_of_partitions_is_fatal_and_says_what_to_do(void **state) {
    (void)state;
    rd_kafka_mock_topic_create(mock.cluster, "ensure-c", 3, 1);
    const kafka_topic_t topic = {"ensure-c", 8, 1, -1, 1000000};
    rd_kafka_t *client = producer();
    err_t error = {""};
    assert_int_equal(kafka_topics_ensure(client, &topic, 1, 20000, &error), STATUS_FATAL);
    assert_non_null(strstr(error.text, "topic \"ensure-c\" has 3 partitions, settings say 8"));
    assert_non_null(strstr(error.text, "set \"partitions\" to 3"));
    rd_kafka_destroy(client);
}

static void a_topic_that_is_missing_is_asked_for_again_and_again(void **state) {
    (void)state;
    const kafka_topic_t topic = {"ensure-missing", 2, 1, -1, 1000000};
    rd_kafka_t *client = producer();
    err_t error = {""};
    capture_begin(&capture, STDERR_FILENO);
    status_t status = kafka_topics_ensure(client, &topic, 1, 500, &error); /* the mock cannot create any */
    capture_end(&capture);
    assert_int_equal(status, STATUS_RETRY);
    assert_non_null(strstr(error.text, "topics"));
    rd_kafka_mock_topic_create(mock.cluster, "ensure-missing", 2, 1); /* another service was quicker */
    assert_int_equal(kafka_topics_ensure(client, &topic, 1, 20000, &error), STATUS_OK);
    rd_kafka_destroy(client);
}

static void a_topic_that_cannot_be_made_is_fatal(void **state) {
    (void)state;
    const kafka_topic_t topic = {"unmade", 2000000, 1, -1, 1000000}; /* more than there can be */
    rd_kafka_t *client = producer();
    err_t error = {""};
    assert_int_equal(kafka_topics_ensure(client, &topic, 1, 20000, &error), STATUS_FATAL);
    if (!strstr(error.text, "topic \"unmade\": ")) fail_msg("%s", error.text);
    rd_kafka_destroy(client);
}

static void a_cluster_that_does_not_answer_is_to_be_asked_again(void **state) {
    (void)state;
    kafka_options_t nowhere = mock.options;
    nowhere.bootstrap_servers = "127.0.0.1:1";
    err_t error = {""};
    capture_begin(&capture, STDERR_FILENO);
    kafka_health_t health = {0};
    rd_kafka_conf_t *conf = kafka_conf_new(&nowhere, (const char *const[]){NULL}, &health, &error);
    rd_kafka_t *client = kafka_client_new(RD_KAFKA_PRODUCER, conf, &error);
    const kafka_topic_t topic = {"x", 2, 1, -1, 1000000};
    int64_t first, end;
    status_t ensured = kafka_topics_ensure(client, &topic, 1, 200, &error);
    status_t asked = kafka_offsets(client, "x", 0, &first, &end, 200, &error);
    for (int64_t deadline = clock_monotonic_us() + 30000000; !health.down && clock_monotonic_us() < deadline;) rd_kafka_poll(client, 10);
    kafka_learn_topics(client, 50); /* is no error */
    rd_kafka_destroy(client);
    capture_end(&capture);
    assert_int_equal(ensured, STATUS_RETRY);
    assert_int_equal(asked, STATUS_RETRY);
    assert_non_null(strstr(error.text, "offsets of x[0]: "));
    assert_true(health.down);
    assert_non_null(strstr(capture.text, "\"level\":\"warn\"")); /* it is tried again by itself: not an error */
    assert_null(strstr(capture.text, "\"level\":\"error\""));
}

/* ---- offsets ---- */

static void the_ends_of_a_partition_are_told(void **state) {
    (void)state;
    rd_kafka_mock_topic_create(mock.cluster, "offsets", 2, 1);
    int64_t first = -7, end = -7;
    err_t error = {""};
    rd_kafka_t *client = producer();
    assert_int_equal(kafka_offsets(client, "offsets", 1, &first, &end, 20000, &error), STATUS_OK);
    assert_int_equal(first, 0);
    assert_int_equal(end, 0);
    for (int i = 0; i < 3; i++) mock_kafka_write(&mock, "offsets", 1, "k", "v");
    assert_int_equal(kafka_offsets(client, "offsets", 1, &first, &end, 20000, &error), STATUS_OK);
    assert_int_equal(first, 0);
    assert_int_equal(end, 3);
    assert_int_equal(kafka_offsets(client, "offsets", 0, &first, &end, 20000, &error), STATUS_OK);
    assert_int_equal(end, 0);
    assert_int_equal(kafka_offsets(client, "offsets", 9, &first, &end, 1000, &error), STATUS_RETRY);
    rd_kafka_destroy(client);
}

/* ---- errors ---- */

static void errors_of_transactions_have_their_class(void **state) {
    (void)state;
    err_t error = {""};
    assert_int_equal(kafka_error(NULL, "commit", &error), STATUS_OK);
    rd_kafka_t *client = client_of(NULL, (const char *const[]){"transactional.id", "t", NULL});
    rd_kafka_mock_topic_create(mock.cluster, "errors", 1, 1);
    /* Used in the wrong order: nothing that a repetition could heal. */
    assert_int_equal(kafka_error(rd_kafka_begin_transaction(client), "begin", &error), STATUS_FATAL);
    assert_memory_equal(error.text, "begin: ", 7);
    /* The coordinator is slow: the same call again. */
    rd_kafka_mock_broker_set_rtt(mock.cluster, -1, 2000);
    assert_int_equal(kafka_error(rd_kafka_init_transactions(client, 100), "init", &error), STATUS_RETRY);
    rd_kafka_mock_broker_set_rtt(mock.cluster, -1, 0);
    status_t status = STATUS_RETRY;
    for (int i = 0; i < 60 && status == STATUS_RETRY; i++) status = kafka_error(rd_kafka_init_transactions(client, 1000), "init", &error);
    if (status != STATUS_OK) fail_msg("%s", error.text);
    /* The broker does not want the partition: the transaction must be aborted. */
    assert_int_equal(kafka_error(rd_kafka_begin_transaction(client), "begin", &error), STATUS_OK);
    rd_kafka_mock_push_request_errors(mock.cluster, MOCK_ADD_PARTITIONS, 1, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    rd_kafka_producev(client, RD_KAFKA_V_TOPIC("errors"), RD_KAFKA_V_PARTITION(0), RD_KAFKA_V_VALUE((void *)"x", 1), RD_KAFKA_V_END);
    capture_begin(&capture, STDERR_FILENO);
    status = kafka_error(rd_kafka_commit_transaction(client, 20000), "commit", &error);
    capture_end(&capture);
    assert_int_equal(status, STATUS_ABORT);
    assert_int_equal(kafka_error(rd_kafka_abort_transaction(client, 20000), "abort", &error), STATUS_OK);
    rd_kafka_destroy(client);
}

static int start(void **state) {
    (void)state;
    mock = mock_kafka_start();
    return 0;
}

static int end(void **state) {
    (void)state;
    mock_kafka_end(&mock);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_hash_is_that_of_the_java_client),
        cmocka_unit_test(every_key_lands_where_the_java_client_puts_it),
        cmocka_unit_test(the_users_properties_stand_over_the_defaults),
        cmocka_unit_test(a_property_that_is_not_known_is_refused_by_name),
        cmocka_unit_test(a_client_that_cannot_be_made_says_why),
        cmocka_unit_test(topics_that_are_as_wanted_are_fine),
        cmocka_unit_test(another_number_of_partitions_is_fatal_and_says_what_to_do),
        cmocka_unit_test(a_topic_that_is_missing_is_asked_for_again_and_again),
        cmocka_unit_test(a_topic_that_cannot_be_made_is_fatal),
        cmocka_unit_test(a_cluster_that_does_not_answer_is_to_be_asked_again),
        cmocka_unit_test(the_ends_of_a_partition_are_told),
        cmocka_unit_test(errors_of_transactions_have_their_class),
    };
    return cmocka_run_group_tests_name("kafka", tests, start, end);
}
