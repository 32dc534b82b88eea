/* The command API: what it says of outcomes, and its answers over HTTP with librdkafka's mock cluster as the log. */
#include "common/json.h"
#include "common/stop.h"
#include "common/uuid.h"
#include "model/id.h"
#include "model/keys.h"
#include "services/command-api/command_api.h"
#include "tests/unit/http_client.h"
#include "tests/unit/redis_server.h"
#include "tests/unit/until.h"

#include <inttypes.h>
#include <librdkafka/rdkafka_mock.h>
#include <pthread.h>
#include <signal.h>

enum { PARTITIONS = 4, PENDING = 8, PENDING_SECONDS = 600, BROKER = 1, PRODUCE = 0, INIT_PRODUCER_ID = 22,
       BODY_BYTES = 128 * 1024, ITEMS = 600 };

/* ---- what needs no server ---- */

static void ids_have_1_to_128_of_the_plain_characters(void **state) {
    char longest[ID_SIZE + 1] = {0};
    (void)state;
    memset(longest, 'x', ID_SIZE - 1);
    assert_true(id_valid(longest));
    assert_true(id_valid("aZ09._~-"));
    longest[ID_SIZE - 1] = 'x';
    assert_false(id_valid(longest));
    static const char *const wrong[] = {"", "a b", "a/b", "a:b", "ä", "a\n", "{a}", "a%20"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        if (id_valid(wrong[i])) fail_msg("\"%s\" is taken for an id", wrong[i]);
}

static void check_outcome(const char *record, const char *expected) {
    strbuf_t out = {0};
    bool good = command_outcome_add(&out, record, strlen(record));
    assert_int_equal(good, expected != NULL);
    if (expected) assert_string_equal(out.data, expected);
    strbuf_free(&out);
}

static void an_outcome_is_told_in_the_words_of_the_api(void **state) {
    (void)state;
    check_outcome("{\"time\":\"2026\", \"id\":\"e\",\"commandId\":\"c\",\"status\":\"accepted\",\"type\":\"createEntry\",\"version\":1}",
                  "{\"commandId\":\"c\",\"status\":\"accepted\",\"type\":\"createEntry\",\"id\":\"e\",\"version\":1}");
    check_outcome("{\"commandId\":\"c\",\"status\":\"rejected\",\"type\":\"t\",\"id\":\"e\",\"version\":0,"
                  "\"error\":{\"type\":\"conflict\",\"detail\":\"\\\"no\\\"\"}}",
                  "{\"commandId\":\"c\",\"status\":\"rejected\",\"type\":\"t\",\"id\":\"e\",\"version\":0,"
                  "\"error\":{\"type\":\"conflict\",\"detail\":\"\\\"no\\\"\"}}");
    check_outcome("[]", NULL);
    check_outcome("{", NULL);
    check_outcome("", NULL);
}

static void a_command_is_pending_while_its_id_is_young(void **state) {
    char id[UUID_TEXT_SIZE];
    int64_t now = 1800000000000;
    (void)state;
    uuid7(now, id);
    assert_true(command_outcome_pending(id, now, 10));
    assert_true(command_outcome_pending(id, now + 9999, 10));
    assert_false(command_outcome_pending(id, now + 10000, 10));
    assert_true(command_outcome_pending(id, now - 1000, 10));     /* clocks of machines differ */
    assert_false(command_outcome_pending(id, now - 3600000, 10)); /* but not by hours */
    assert_false(command_outcome_pending("from-a-console", now, 10));
    id[14] = '4';
    assert_false(command_outcome_pending(id, now, 10));
}

/* ---- the service ---- */

static redis_server_t events;
static settings_type_t content_types[] = {{"Entry", "entries", "schemas/entry.json"},
                                          {"Asset", "assets", "schemas/asset.json"}};
static char *event_servers[1];
static settings_t settings = {
    .types = content_types,
    .types_count = ARRAY_LEN(content_types),
    .partitions = PARTITIONS,
    .redis = {.events = event_servers, .events_count = 1},
    .limits = {.connections = 100, .pending_commands = PENDING, .pending_seconds = PENDING_SECONDS,
               .body_bytes = BODY_BYTES, .batch_items = ITEMS, .wait_seconds = 60},
};
static kafka_property_t properties[] = {{"message.timeout.ms", "2000"}};
static service_context_t context = {
    .settings = &settings,
    .kafka = {.client_id = "test", .properties = properties, .properties_count = 1, .message_bytes = 64 * 1024},
};
static types_t *types;
static rd_kafka_t *mock_owner;
static rd_kafka_mock_cluster_t *cluster;
static command_api_t *api;
static http_server_t *server;
static int port;
static pthread_t runner;

static void start_cluster(void) {
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "log_level", "2", NULL, 0);
    mock_owner = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    assert_non_null(mock_owner);
    cluster = rd_kafka_mock_cluster_new(mock_owner, 1);
    assert_non_null(cluster);
    rd_kafka_mock_topic_create(cluster, "commands", PARTITIONS, 1);
}

static int start_service(void **state) {
    err_t error = {""};
    http_route_t routes[SERVICE_ROUTES_MAX];
    (void)state;
    events = redis_server_start();
    event_servers[0] = events.address;
    start_cluster();
    types = types_load(&settings, "settings.json", &error);
    if (!types) fail_msg("%s", error.text);
    context.types = types;
    context.kafka.bootstrap_servers = rd_kafka_mock_cluster_bootstraps(cluster);
    api = command_api_open(&context, &error);
    if (!api) fail_msg("%s", error.text);
    size_t count = command_api_routes(api, routes);
    server = http_start(&(http_options_t){.host = "127.0.0.1", .threads = 2, .body_bytes = BODY_BYTES, .connections = 100,
                                          .routes = routes, .routes_count = count},
                        &error);
    if (!server) fail_msg("%s", error.text);
    port = http_port(server);
    return 0;
}

static void *run(void *unused) {
    err_t error;
    (void)unused;
    return command_api_run(api, &error) == STATUS_OK ? api : NULL;
}

static int stop_service(void **state) {
    (void)state;
    http_stop(server);
    command_api_close(api);
    types_free(types);
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(mock_owner);
    redis_server_down(&events);
    return 0;
}

static bool is_ready(void) {
    err_t why;
    return command_api_ready(api, &why);
}

/* Each test of the running service begins with a log that works. */
static int well(void **state) {
    (void)state;
    rd_kafka_mock_clear_request_errors(cluster, PRODUCE);
    rd_kafka_mock_clear_request_errors(cluster, INIT_PRODUCER_ID);
    rd_kafka_mock_broker_set_rtt(cluster, BROKER, 0);
    rd_kafka_mock_broker_set_up(cluster, BROKER);
    UNTIL(is_ready());
    return 0;
}

static void check_refused(const char *method, const char *target, const char *headers, const char *body, int code,
                          const char *type) {
    reply_t reply = http_ask(port, method, target, headers, body);
    char problem[80];
    snprintf(problem, sizeof problem, "\"/problems/%s\"", type);
    if (reply.code != code || !strstr(reply.body, problem))
        fail_msg("%s %s: %d %s instead of %d %s", method, target, reply.code, reply.body, code, type);
    bool passing = code == 429 || code == 503;
    assert_int_equal(reply_header(&reply, "Retry-After") != NULL, passing);
    reply_free(&reply);
}

static bool accepts(void) {
    reply_t reply = http_ask(port, "DELETE", "/entries/x", NULL, NULL);
    int code = reply.code;
    reply_free(&reply);
    return code == 202;
}

static void await_accepted(void) {
    UNTIL(accepts());
}

/* ---- before and when it begins to run ---- */

static void before_it_runs_commands_are_refused_for_now(void **state) {
    (void)state;
    check_refused("POST", "/entries", NULL, "{\"title\":\"x\"}", 503, "log-unavailable");
    assert_false(is_ready());
}

static void a_client_that_breaks_at_its_start_is_made_anew(void **state) {
    (void)state;
    rd_kafka_mock_push_request_errors(cluster, INIT_PRODUCER_ID, 1, RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED);
    assert_int_equal(pthread_create(&runner, NULL, run, NULL), 0);
    UNTIL(is_ready());
    await_accepted();
}

/* ---- commands ---- */

static bool is_record(const rd_kafka_message_t *message, const char *id) {
    return !message->err && message->key_len == strlen(id) && !memcmp(message->key, id, message->key_len);
}

/* The value of the first record of `id` in its partition; the caller frees it. */
static char *record_of(const char *id) {
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", context.kafka.bootstrap_servers, NULL, 0);
    rd_kafka_conf_set(conf, "group.id", "test", NULL, 0);
    rd_kafka_t *consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, NULL, 0);
    rd_kafka_topic_partition_list_t *partitions = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(partitions, "commands", kafka_partition(id, strlen(id), PARTITIONS))->offset = 0;
    rd_kafka_assign(consumer, partitions);
    rd_kafka_topic_partition_list_destroy(partitions);
    char *value = NULL;
    for (int64_t end = clock_monotonic_us() + UNTIL_DEADLINE_US; !value && clock_monotonic_us() < end;) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, 100);
        if (!message) continue;
        if (is_record(message, id)) value = mem_copy(message->payload, message->len);
        rd_kafka_message_destroy(message);
    }
    rd_kafka_consumer_close(consumer);
    rd_kafka_destroy(consumer);
    if (!value) fail_msg("no record of %s", id);
    return value;
}

/* Sends a command that is accepted, and compares what was answered and written; `id` NULL: the answer brings one. */
static void check_accepted(const char *method, const char *target, const char *body, const char *type, const char *id) {
    reply_t reply = http_ask(port, method, target, NULL, body);
    if (reply.code != 202) fail_msg("%s %s: %d %s", method, target, reply.code, reply.body);
    json_t *answer = json_read(reply.body, reply.len, NULL);
    const char *command_id = json_text(answer, "commandId"), *entity = json_text(answer, "id");
    int64_t made_ms;
    assert_true(uuid7_time(command_id, &made_ms));
    assert_string_equal(json_text(answer, "type"), type);
    if (id)
        assert_string_equal(entity, id);
    else
        assert_true(uuid7_time(entity, &made_ms));
    char *location = mem_printf("/commands/%s", command_id), *record = record_of(entity);
    assert_string_equal(reply_header(&reply, "Location"), location);
    json_t *command = json_read(record, strlen(record), NULL), *meta = json_object_get(command, "meta");
    assert_string_equal(json_text(command, "type"), type);
    assert_string_equal(json_text(json_object_get(command, "params"), "id"), entity);
    assert_string_equal(json_text(meta, "id"), command_id);
    assert_non_null(json_text(meta, "time"));
    if (body)
        assert_non_null(strstr(record, body)); /* to the byte */
    else
        assert_null(json_object_get(command, "body"));
    json_decref(command);
    json_decref(answer);
    free(location);
    free(record);
    reply_free(&reply);
}

static void a_command_is_answered_when_the_log_has_it(void **state) {
    (void)state;
    check_accepted("POST", "/entries", "{ \"title\" : \"\\u0041\",\n\"description\":\"ä\" }", "createEntry", NULL);
    check_accepted("PUT", "/entries/one", "{\"title\":\"x\"}", "updateEntry", "one");
    check_accepted("POST", "/entries/two", "{\"title\":\"x\"}", "updateEntry", "two");
    check_accepted("DELETE", "/entries/three", NULL, "deleteEntry", "three");
}

static void what_is_wrong_with_a_request_is_said(void **state) {
    char *large = mem_zero(1, 70 * 1024);
    (void)state;
    memset(large, ' ', 70 * 1024 - 1);
    memcpy(large, "{\"title\":\"x\"}", 13);
    check_refused("POST", "/entries", NULL, "{\"title\":", 400, "invalid-json");
    check_refused("POST", "/entries", NULL, "", 400, "invalid-json");
    check_refused("POST", "/entries", NULL, "{\"title\":\"a\",\"title\":\"b\"}", 400, "invalid-json");
    check_refused("POST", "/entries", NULL, "{\"title\":5}", 422, "schema-violation");
    check_refused("PUT", "/entries/one", NULL, "[]", 422, "schema-violation");
    check_refused("POST", "/entries", "Content-Type: text/plain\r\n", "x", 415, "unsupported-media-type");
    check_refused("PUT", "/entries/a%20b", NULL, "{\"title\":\"x\"}", 404, "not-found");
    check_refused("DELETE", "/entries/a%20b", NULL, NULL, 404, "not-found");
    check_refused("POST", "/nothing", NULL, "{}", 404, "not-found");
    check_refused("LOCK", "/entries/one", NULL, "{}", 405, "method-not-allowed");
    check_refused("POST", "/entries", NULL, large, 413, "too-large"); /* more than the log takes */
    free(large);
}

static void a_schema_violation_names_pointer_and_rule(void **state) {
    (void)state;
    reply_t reply = http_ask(port, "POST", "/entries", NULL, "{\"title\":5}");
    json_t *problem = json_read(reply.body, reply.len, NULL);
    const json_t *first = json_array_get(json_object_get(problem, "errors"), 0);
    assert_string_equal(json_text(first, "pointer"), "/title");
    assert_string_equal(json_text(first, "rule"), "type");
    assert_non_null(json_text(first, "message"));
    json_decref(problem);
    reply_free(&reply);
    reply = http_ask(port, "POST", "/entries", NULL, "{\n  \"title\": x}");
    assert_non_null(strstr(reply.body, "line 2, column 12"));
    reply_free(&reply);
}

/* ---- when the log does not do as it should ---- */

static void while_all_brokers_are_away_commands_are_refused_at_once(void **state) {
    (void)state;
    rd_kafka_mock_broker_set_down(cluster, BROKER);
    UNTIL(!is_ready());
    int64_t start = clock_monotonic_us();
    for (int i = 0; i < 20; i++) check_refused("DELETE", "/entries/x", NULL, NULL, 503, "log-unavailable");
    assert_true(clock_monotonic_us() - start < 1000000); /* half of the time that one would wait for the log */
    rd_kafka_mock_broker_set_up(cluster, BROKER);
    UNTIL(is_ready());
    check_accepted("DELETE", "/entries/after-the-outage", NULL, "deleteEntry", "after-the-outage");
}

static void what_the_log_refuses_was_not_written(void **state) {
    (void)state;
    rd_kafka_mock_push_request_errors(cluster, PRODUCE, 1, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    check_refused("DELETE", "/entries/refused", NULL, NULL, 503, "log-unavailable");
    await_accepted(); /* the client looks at the topic again first */
}

static void what_was_sent_and_never_confirmed_has_an_unknown_fate(void **state) {
    (void)state;
    for (int i = 0; i < 100; i++)
        rd_kafka_mock_push_request_errors(cluster, PRODUCE, 1, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT);
    reply_t reply = http_ask(port, "DELETE", "/entries/x", NULL, NULL);
    assert_int_equal(reply.code, 504);
    json_t *problem = json_read(reply.body, reply.len, NULL);
    int64_t made_ms;
    assert_string_equal(json_text(problem, "type"), "/problems/unknown-fate");
    assert_true(uuid7_time(json_text(problem, "commandId"), &made_ms));
    json_decref(problem);
    reply_free(&reply);
}

static void more_commands_than_may_be_pending_are_refused(void **state) {
    enum { COUNT = 3 * PENDING };
    int fds[COUNT], accepted = 0, refused = 0;
    (void)state;
    rd_kafka_mock_broker_set_rtt(cluster, BROKER, 300);
    for (int i = 0; i < COUNT; i++) {
        fds[i] = connect_to(port);
        http_write(fds[i], "DELETE /entries/x HTTP/1.1\r\nHost: t\r\n\r\n");
    }
    for (int i = 0; i < COUNT; i++) {
        reply_t reply;
        assert_true(http_read(fds[i], &reply, false));
        accepted += reply.code == 202;
        refused += reply.code == 429 && reply_header(&reply, "Retry-After");
        reply_free(&reply);
        close(fds[i]);
    }
    assert_int_equal(accepted + refused, COUNT);
    assert_true(accepted >= PENDING && refused > 0);
}

/* An idempotent producer needs a new id after this error, and breaks when it does not get one. */
static void a_client_that_breaks_with_commands_under_way_answers_them_and_is_made_anew(void **state) {
    (void)state;
    rd_kafka_mock_push_request_errors(cluster, INIT_PRODUCER_ID, 1, RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED);
    rd_kafka_mock_push_request_errors(cluster, PRODUCE, 1, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    int fds[PENDING];
    for (int i = 0; i < PENDING; i++) {
        fds[i] = connect_to(port);
        http_write(fds[i], "DELETE /entries/x HTTP/1.1\r\nHost: t\r\n\r\n");
    }
    for (int i = 0; i < PENDING; i++) {
        reply_t reply;
        assert_true(http_read(fds[i], &reply, false));
        assert_true(reply.code == 202 || reply.code == 503 || reply.code == 504);
        reply_free(&reply);
        close(fds[i]);
    }
    UNTIL(is_ready());
    await_accepted();
}

/* ---- batches ---- */

#define LINES "Content-Type: application/x-ndjson\r\n"
#define GOOD "{\"title\":\"x\"}"

/* Sends a batch and returns its items as a JSON array. */
static json_t *send_batch(const char *headers, const char *body) {
    reply_t reply = http_ask(port, "POST", "/entries", headers, body);
    bool lines = headers && strstr(headers, "ndjson");
    if (reply.code != 200) fail_msg("%d %s", reply.code, reply.body);
    if (reply.len > 0) assert_string_equal(reply_header(&reply, "Content-Type"), lines ? "application/x-ndjson" : "application/json");
    json_t *items = lines ? json_array() : json_read(reply.body, reply.len, NULL);
    for (char *line = reply.body, *feed; lines && (feed = strchr(line, '\n')); line = feed + 1)
        json_array_append_new(items, json_read(line, (size_t)(feed - line), NULL));
    assert_true(json_is_array(items));
    reply_free(&reply);
    return items;
}

static long long status_of(const json_t *items, size_t i) {
    const json_t *item = json_array_get(items, i);
    return json_integer_value(json_object_get(item, "status"));
}

/* Compares the items' codes: "202 422". */
static void check_batch(const char *headers, const char *body, const char *codes) {
    strbuf_t found = {0};
    json_t *items = send_batch(headers, body);
    for (size_t i = 0; i < json_array_size(items); i++)
        strbuf_addf(&found, "%s%lld", i ? " " : "", status_of(items, i));
    if (strcmp(found.data ? found.data : "", codes)) fail_msg("%s: %s instead of %s", body, found.data, codes);
    strbuf_free(&found);
    json_decref(items);
}

static void an_item_is_what_the_single_request_would_have_been_answered(void **state) {
    (void)state;
    json_t *items = send_batch(NULL, "[" GOOD ", {\"title\":7}]");
    const json_t *first = json_array_get(items, 0), *body = json_object_get(first, "body");
    char location[64];
    snprintf(location, sizeof location, "/commands/%s", json_text(body, "commandId"));
    assert_string_equal(json_text(first, "location"), location);
    assert_string_equal(json_text(body, "type"), "createEntry");
    char *record = record_of(json_text(body, "id"));
    assert_non_null(strstr(record, "\"body\":" GOOD ","));
    free(record);
    body = json_object_get(json_array_get(items, 1), "body");
    assert_string_equal(json_text(body, "type"), "/problems/schema-violation");
    assert_int_equal(json_array_size(json_object_get(body, "errors")), 1);
    json_decref(items);
}

static void one_bad_body_does_not_stop_the_others(void **state) {
    (void)state;
    check_batch(NULL, "[" GOOD ",7," GOOD ",{\"title\":\"a\",\"title\":\"b\"},[]," GOOD "]", "202 422 202 400 422 202");
    check_batch(LINES, GOOD "\n7\n" GOOD "\n{\"title\":\n" GOOD " " GOOD "\n[]\n" GOOD, "202 422 202 400 400 422 202");
    char *line = mem_zero(1, BODY_BYTES + 2), *long_line;
    memset(line, ' ', BODY_BYTES + 1);
    line[BODY_BYTES] = '1';
    long_line = mem_printf(GOOD "\n%s\n" GOOD "\n", line);
    check_batch(LINES, long_line, "202 413 202");
    free(long_line);
    free(line);
}

static void an_empty_batch_has_an_empty_answer(void **state) {
    (void)state;
    check_batch(NULL, "[]", "");
    check_batch(NULL, " \r\n\t[ ] ", "");
    check_batch(LINES, "", "");
    check_batch(LINES, "\n \r\n\n", "");
}

static void blank_lines_are_skipped_and_the_last_needs_no_end(void **state) {
    (void)state;
    check_batch(LINES, "\n" GOOD "\r\n\r\n \t" GOOD " \n\n" GOOD, "202 202 202");
}

static void a_batch_that_is_wrong_as_a_whole_is_refused_as_a_whole(void **state) {
    (void)state;
    check_refused("POST", "/entries", NULL, "[" GOOD ",]", 400, "invalid-json");
    check_refused("POST", "/entries", NULL, "[" GOOD "] x", 400, "invalid-json");
    check_refused("POST", "/entries", NULL, "[", 400, "invalid-json");
    check_refused("POST", "/entries", "If-Match: \"1\"\r\n", "[]", 400, "invalid-header");
    check_refused("POST", "/entries", LINES "If-None-Match: *\r\n", GOOD, 400, "invalid-header");
    check_refused("POST", "/entries", LINES "Idempotency-Key: \r\n", GOOD, 400, "invalid-header");
    check_refused("POST", "/entries/x", LINES, GOOD, 415, "unsupported-media-type");
    check_refused("POST", "/entries/x", NULL, "[" GOOD "]", 422, "schema-violation");
    check_refused("POST", "/entries", "Content-Type: application/jsonl\r\n", GOOD, 415, "unsupported-media-type");
}

/* `count` bodies as an array, or as lines. */
static char *bodies(size_t count, bool lines) {
    strbuf_t text = {0};
    if (!lines) strbuf_addc(&text, '[');
    for (size_t i = 0; i < count; i++)
        strbuf_addf(&text, "%s{\"title\":\"%zu\"}", i == 0 ? "" : lines ? "\n" : ",", i);
    if (!lines) strbuf_addc(&text, ']');
    return strbuf_steal(&text);
}

/* Also many more than may be pending at once: a batch waits for room, where a single request is told to come again. */
static void a_batch_has_no_more_items_than_it_may(void **state) {
    (void)state;
    for (int lines = 0; lines < 2; lines++) {
        char *text = bodies(ITEMS, lines);
        json_t *items = send_batch(lines ? LINES : NULL, text);
        assert_int_equal(json_array_size(items), ITEMS);
        for (size_t i = 0; i < ITEMS; i++) assert_int_equal(status_of(items, i), 202);
        json_decref(items);
        free(text);
    }
    char *text = bodies(ITEMS + 1, false);
    check_refused("POST", "/entries", NULL, text, 413, "too-many-items");
    free(text);
    text = bodies(ITEMS + 3, true);
    json_t *items = send_batch(LINES, text);
    assert_int_equal(json_array_size(items), ITEMS + 1);
    assert_int_equal(status_of(items, ITEMS - 1), 202);
    assert_int_equal(status_of(items, ITEMS), 413);
    json_decref(items);
    free(text);
}

static void items_are_answered_in_their_order(void **state) {
    (void)state;
    char *text = bodies(ITEMS, true);
    json_t *items = send_batch(LINES, text);
    for (size_t i = 0; i < ITEMS; i += 99) {
        char *record = record_of(json_text(json_object_get(json_array_get(items, i), "body"), "id")), title[40];
        snprintf(title, sizeof title, "{\"title\":\"%zu\"}", i);
        assert_non_null(strstr(record, title));
        free(record);
    }
    json_decref(items);
    free(text);
}

static void the_same_batch_with_the_same_key_has_the_same_commands(void **state) {
    char key[300];
    (void)state;
    snprintf(key, sizeof key, "Idempotency-Key: %0255d\r\n", 7); /* the longest */
    json_t *array = send_batch(key, "[" GOOD ", " GOOD ",{\"title\":\"y\"}]");
    char *headers = mem_printf(LINES "%s", key);
    json_t *lines = send_batch(headers, "\n" GOOD "\r\n  " GOOD "\n{\"title\":\"y\"}");
    assert_true(json_equal(array, lines));
    const json_t *one = json_array_get(array, 0), *two = json_array_get(array, 1);
    assert_string_not_equal(json_text(json_object_get(one, "body"), "id"), json_text(json_object_get(two, "body"), "id"));
    assert_int_equal(json_array_size(array), 3);
    json_decref(array);
    json_decref(lines);
    free(headers);
}

static void while_the_log_is_away_each_item_says_so(void **state) {
    (void)state;
    rd_kafka_mock_broker_set_down(cluster, BROKER);
    UNTIL(!is_ready());
    check_batch(NULL, "[" GOOD ",7," GOOD "]", "503 422 503");
    check_batch(LINES, GOOD "\n7\n" GOOD, "503 422 503");
}

/* The value of the metric that is shown as `name`; 0: it is not there. */
static double shown(const char *name) {
    strbuf_t out = {0};
    metric_render(&out);
    const char *line = strstr(out.data, name);
    double value = line ? strtod(line + strlen(name), NULL) : 0;
    strbuf_free(&out);
    return value;
}

static void a_batch_that_comes_slowly_is_sent_as_it_comes(void **state) {
    reply_t reply;
    (void)state;
    static const char accepted[] = "\nodradek_commands_accepted_total{type=\"createEntry\"} ";
    double before = shown(accepted);
    int fd = connect_to(port);
    http_write(fd, "POST /entries HTTP/1.1\r\nHost: t\r\n" LINES "Transfer-Encoding: chunked\r\n\r\n");
    for (int i = 1; i <= 3; i++) {
        http_write(fd, "e\r\n{\"title\":\"x\"}\r\n1\r\n\n\r\n");
        UNTIL(shown(accepted) == before + i); /* while the rest has not come */
    }
    http_write(fd, "0\r\n\r\n");
    assert_true(http_read(fd, &reply, false));
    assert_int_equal(reply.code, 200);
    reply_free(&reply);
    close(fd);
}

static void a_client_that_leaves_in_the_middle_of_a_batch_does_no_harm(void **state) {
    (void)state;
    char *text = bodies(400, true);
    for (int round = 0; round < 4; round++) {
        rd_kafka_mock_broker_set_rtt(cluster, BROKER, round % 2 ? 100 : 0);
        int fd = connect_to(port);
        char *head = mem_printf("POST /entries HTTP/1.1\r\nHost: t\r\n" LINES "Content-Length: %zu\r\n\r\n",
                                strlen(text) + (round < 2 ? 100 : 0));
        http_write(fd, head);
        http_write(fd, text);
        free(head);
        struct linger at_once = {.l_onoff = 1};
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        close(fd);
        UNTIL(http_pending(server) == 0);
    }
    free(text);
    await_accepted();
    UNTIL(shown("\nodradek_batches ") == 0);
}

static void a_batch_that_waits_for_outcomes_ends_in_time(void **state) {
    (void)state;
    reply_t reply = http_ask(port, "POST", "/entries", LINES "Prefer: wait=1\r\n", GOOD "\n" GOOD);
    assert_int_equal(reply.code, 200);
    assert_string_equal(reply_header(&reply, "Preference-Applied"), "wait=1");
    assert_non_null(strstr(reply.body, "{\"status\":202,"));
    reply_free(&reply);
}

/* ---- what became of commands ---- */

static void put_outcome(int32_t partition, const char *command_id, const char *record) {
    key_text_t key;
    key_outcome(key, partition, command_id);
    redis_server_do(&events, "SET %s %s", key, record);
}

static void check_outcome_at(const char *command_id, int code, const char *part) {
    char target[200];
    snprintf(target, sizeof target, "/commands/%s", command_id);
    reply_t reply = http_ask(port, "GET", target, NULL, NULL);
    if (reply.code != code || !strstr(reply.body, part)) fail_msg("%s: %d %s", target, reply.code, reply.body);
    assert_int_equal(reply_header(&reply, "Retry-After") != NULL, code == 503);
    reply_free(&reply);
    reply = http_ask(port, "HEAD", target, NULL, NULL);
    assert_int_equal(reply.code, code);
    reply_free(&reply);
}

static void outcomes_are_found_in_whatever_partition(void **state) {
    char young[UUID_TEXT_SIZE], old[UUID_TEXT_SIZE];
    (void)state;
    for (int32_t partition = 0; partition < PARTITIONS; partition++) {
        char id[16];
        snprintf(id, sizeof id, "command-%d", (int)partition);
        put_outcome(partition, id, "{\"commandId\":\"c\",\"status\":\"accepted\",\"type\":\"t\",\"id\":\"e\",\"version\":7}");
        check_outcome_at(id, 200, "\"version\":7");
    }
    uuid7(clock_ms(), young);
    uuid7(clock_ms() - (PENDING_SECONDS + 1) * 1000, old);
    check_outcome_at(young, 200, "\"status\":\"pending\"");
    check_outcome_at(old, 404, "/problems/not-found");
    check_outcome_at("nothing", 404, "/problems/not-found");
    check_outcome_at("a%20b", 404, "/problems/not-found");
    put_outcome(0, young, "not JSON");
    check_outcome_at(young, 500, "/problems/internal");
}

static void while_the_event_store_is_away_outcomes_are_unknown_and_commands_taken(void **state) {
    char young[UUID_TEXT_SIZE];
    (void)state;
    uuid7(clock_ms(), young);
    redis_server_down(&events);
    check_outcome_at(young, 503, "/problems/store-unavailable");
    assert_false(is_ready());
    assert_true(accepts());
    assert_true(redis_server_up(&events));
    UNTIL(is_ready());
    check_outcome_at(young, 200, "\"status\":\"pending\"");
}

/* ---- the end ---- */

/* How a command ends that the log does not confirm: it was sent, or librdkafka still had it. */
static bool is_given_up(int code) {
    return code == 504 || code == 503;
}

/* Also what the log never confirms: a connection that waited for that would keep the process from ending. */
static void what_is_under_way_at_the_end_is_answered(void **state) {
    enum { COUNT = 4 };
    int fds[COUNT];
    (void)state;
    double before = shown("\nodradek_batch_items_total{code=\"422\"} ");
    rd_kafka_mock_broker_set_rtt(cluster, BROKER, 60000);
    for (int i = 0; i < COUNT; i++) {
        fds[i] = connect_to(port);
        http_write(fds[i], "DELETE /entries/x HTTP/1.1\r\nHost: t\r\n\r\n");
    }
    int batch = connect_to(port);
    char *text = http_text("POST", "/entries", NULL, "[" GOOD ",7," GOOD "]");
    http_write(batch, text);
    free(text);
    UNTIL(http_pending(server) == COUNT + 1 && shown("\nodradek_batch_items_total{code=\"422\"} ") > before);
    void *ran;
    stop_request();
    pthread_join(runner, &ran);
    assert_non_null(ran);
    http_quiesce(server);
    command_api_drain(api);
    int unknown = 0;
    for (int i = 0; i < COUNT; i++) {
        reply_t reply;
        assert_true(http_read(fds[i], &reply, false));
        assert_true(is_given_up(reply.code));
        unknown += reply.code == 504;
        reply_free(&reply);
        close(fds[i]);
    }
    assert_true(unknown > 0);
    reply_t reply;
    assert_true(http_read(batch, &reply, false));
    json_t *items = json_read(reply.body, reply.len, NULL);
    assert_int_equal(json_array_size(items), 3);
    for (size_t i = 0; i < 3; i++) assert_true(i == 1 ? status_of(items, i) == 422 : is_given_up(status_of(items, i)));
    json_decref(items);
    reply_free(&reply);
    close(batch);
    UNTIL(http_pending(server) == 0);
}

#define RUNNING_TEST(test) cmocka_unit_test_setup(test, well)

int main(void) {
    const struct CMUnitTest pure[] = {
        cmocka_unit_test(ids_have_1_to_128_of_the_plain_characters),
        cmocka_unit_test(an_outcome_is_told_in_the_words_of_the_api),
        cmocka_unit_test(a_command_is_pending_while_its_id_is_young),
    };
    const struct CMUnitTest served[] = {
        cmocka_unit_test(before_it_runs_commands_are_refused_for_now),
        cmocka_unit_test(a_client_that_breaks_at_its_start_is_made_anew),
        RUNNING_TEST(a_command_is_answered_when_the_log_has_it),
        RUNNING_TEST(what_is_wrong_with_a_request_is_said),
        RUNNING_TEST(a_schema_violation_names_pointer_and_rule),
        RUNNING_TEST(while_all_brokers_are_away_commands_are_refused_at_once),
        RUNNING_TEST(what_the_log_refuses_was_not_written),
        RUNNING_TEST(what_was_sent_and_never_confirmed_has_an_unknown_fate),
        RUNNING_TEST(more_commands_than_may_be_pending_are_refused),
        RUNNING_TEST(a_client_that_breaks_with_commands_under_way_answers_them_and_is_made_anew),
        RUNNING_TEST(an_item_is_what_the_single_request_would_have_been_answered),
        RUNNING_TEST(one_bad_body_does_not_stop_the_others),
        RUNNING_TEST(an_empty_batch_has_an_empty_answer),
        RUNNING_TEST(blank_lines_are_skipped_and_the_last_needs_no_end),
        RUNNING_TEST(a_batch_that_is_wrong_as_a_whole_is_refused_as_a_whole),
        RUNNING_TEST(a_batch_has_no_more_items_than_it_may),
        RUNNING_TEST(items_are_answered_in_their_order),
        RUNNING_TEST(the_same_batch_with_the_same_key_has_the_same_commands),
        RUNNING_TEST(while_the_log_is_away_each_item_says_so),
        RUNNING_TEST(a_batch_that_comes_slowly_is_sent_as_it_comes),
        RUNNING_TEST(a_client_that_leaves_in_the_middle_of_a_batch_does_no_harm),
        RUNNING_TEST(a_batch_that_waits_for_outcomes_ends_in_time),
        RUNNING_TEST(outcomes_are_found_in_whatever_partition),
        RUNNING_TEST(while_the_event_store_is_away_outcomes_are_unknown_and_commands_taken),
        RUNNING_TEST(what_is_under_way_at_the_end_is_answered),
    };
    signal(SIGPIPE, SIG_IGN);
    int failed = cmocka_run_group_tests(pure, NULL, NULL);
    return failed + cmocka_run_group_tests(served, start_service, stop_service);
}
