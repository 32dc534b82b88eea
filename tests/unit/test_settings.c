/* Settings: file → defaults and environment → check → struct. */
#include "common/config.h"
#include "model/settings.h"
#include "tests/unit/temp.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define TYPES "\"contentTypes\":[{\"name\":\"Entry\",\"base\":\"entries\",\"schema\":\"entry.json\"}]"

static temp_t temp;
static char path[256];
static err_t error;

static settings_t *load(const char *text) {
    error.text[0] = '\0';
    return settings_load(temp_write(&temp, "settings.json", text, path), &error);
}

/* Loads what must be refused, with all of `parts` in the error behind the file's name. */
static void assert_refused(const char *text, const char *const *parts) {
    settings_t *settings = load(text);
    if (settings) fail_msg("%s is accepted", text);
    assert_memory_equal(error.text, path, strlen(path));
    for (size_t i = 0; parts[i]; i++)
        if (!strstr(error.text, parts[i])) fail_msg("%s: no \"%s\" in \"%s\"", text, parts[i], error.text);
}

#define REFUSED(text, ...) assert_refused(text, (const char *const[]){__VA_ARGS__, NULL})

static void what_is_not_written_has_its_default(void **state) {
    (void)state;
    settings_t *s = load("{" TYPES "}");
    if (!s) fail_msg("%s", error.text);
    assert_string_equal(s->host, "127.0.0.1");
    assert_false(s->debug);
    assert_int_equal(s->ports.command_api, 4000);
    assert_int_equal(s->ports.query_api, 4001);
    assert_int_equal(s->ports.validator, 4002);
    assert_int_equal(s->ports.persister, 4003);
    assert_int_equal(s->ports.materializer, 4004);
    assert_int_equal(s->types_count, 1);
    assert_string_equal(s->types[0].name, "Entry");
    assert_string_equal(s->types[0].base, "entries");
    assert_string_equal(s->types[0].schema, "entry.json");
    assert_int_equal(s->partitions, 8);
    assert_string_equal(s->kafka.bootstrap_servers, "127.0.0.1:9092");
    assert_int_equal(s->kafka.replication_factor, 1);
    assert_int_equal(s->kafka.transaction_timeout_ms, 10000);
    assert_int_equal(s->kafka.properties_count, 0);
    assert_int_equal(s->redis.snapshots_count, 1);
    assert_string_equal(s->redis.snapshots[0], "127.0.0.1:6379");
    assert_int_equal(s->redis.events_count, 1);
    assert_string_equal(s->redis.events[0], "127.0.0.1:6380");
    assert_int_equal(s->retention.commands_hours, 168);
    assert_int_equal(s->retention.outcomes_hours, 168);
    assert_int_equal(s->retention.dead_letters_hours, 720);
    assert_int_equal(s->rules.delete_linked, DELETE_LINKED_RESTRICT);
    assert_int_equal(s->http.cors.origins_count, 0);
    assert_false(s->http.cors.credentials);
    assert_int_equal(s->http.cors.max_age_seconds, 600);
    assert_int_equal(s->rules.link_wait_ms, 2000);
    assert_int_equal(s->limits.body_bytes, 1048576);
    assert_int_equal(s->limits.connections, 8192);
    assert_int_equal(s->limits.pending_commands, 20000);
    assert_int_equal(s->limits.overlay_entities, 500000);
    assert_int_equal(s->limits.pending_seconds, 600);
    assert_int_equal(s->limits.batch_records, 5000);
    assert_int_equal(s->http.threads, 2);
    settings_free(s);
}

static void what_is_written_counts_and_the_rest_of_its_group_keeps_its_default(void **state) {
    (void)state;
    settings_t *s = load("{" TYPES ",\"host\":\"::1\",\"debug\":true,\"partitions\":3,\"ports\":{\"queryApi\":5001},"
                         "\"kafka\":{\"properties\":{\"security.protocol\":\"ssl\",\"ssl.ca.location\":\"/a \\\"b\\\": # c\"}},"
                         "\"redis\":{\"events\":[\"a:1\",\"b:2\"]},\"rules\":{\"deleteLinked\":\"allow\"}}");
    if (!s) fail_msg("%s", error.text);
    assert_string_equal(s->host, "::1");
    assert_true(s->debug);
    assert_int_equal(s->partitions, 3);
    assert_int_equal(s->ports.query_api, 5001);
    assert_int_equal(s->ports.command_api, 4000);
    assert_int_equal(s->kafka.properties_count, 2);
    assert_string_equal(s->kafka.properties[0].name, "security.protocol");
    assert_string_equal(s->kafka.properties[0].value, "ssl");
    assert_string_equal(s->kafka.properties[1].value, "/a \"b\": # c");
    assert_int_equal(s->redis.events_count, 2);
    assert_string_equal(s->redis.events[1], "b:2");
    assert_string_equal(s->redis.snapshots[0], "127.0.0.1:6379");
    assert_int_equal(s->rules.delete_linked, DELETE_LINKED_ALLOW);
    settings_free(s);
}

static void a_text_that_looks_like_another_kind_stays_a_text(void **state) {
    (void)state;
    static const char *const values[] = {"true", "null", "1", "~", "0x10", "- a", "{a: b}", "&a", "*a", "!x", "%", "@", "", " ", "\xc3\xa4 \xf0\x9f\xaa\xb2", "a\\tb\\n"};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        char text[512], expected[64];
        snprintf(text, sizeof text, "{" TYPES ",\"kafka\":{\"properties\":{\"x\":\"%s\"}}}", values[i]);
        snprintf(expected, sizeof expected, "%s", strcmp(values[i], "a\\tb\\n") ? values[i] : "a\tb\n");
        settings_t *s = load(text);
        if (!s) fail_msg("%s: %s", values[i], error.text);
        assert_string_equal(s->kafka.properties[0].value, expected);
        settings_free(s);
    }
}

static void a_whole_number_may_be_written_as_a_fraction(void **state) {
    (void)state;
    settings_t *s = load("{" TYPES ",\"partitions\":16.0,\"limits\":{\"bodyBytes\":1.048576e6}}");
    if (!s) fail_msg("%s", error.text);
    assert_int_equal(s->partitions, 16);
    assert_int_equal(s->limits.body_bytes, 1048576);
    settings_free(s);
}

static void the_environment_overrides_each_kind_of_setting(void **state) {
    (void)state;
    static const char *const variables[][2] = {
        {"ODRADEK_HOST", "0.0.0.0"},
        {"ODRADEK_DEBUG", "true"},
        {"ODRADEK_PARTITIONS", "12"},
        {"ODRADEK_PORTS_COMMAND_API", "4100"},
        {"ODRADEK_KAFKA_BOOTSTRAP_SERVERS", "a:1,b:2"}, /* a text, not a list */
        {"ODRADEK_REDIS_SNAPSHOTS", "a:1,b:2,c:3"},
        {"ODRADEK_REDIS_EVENTS", "d:4"},
        {"ODRADEK_RULES_DELETE_LINKED", "allow"},
        {"ODRADEK_KAFKA_PROPERTIES_SECURITY_PROTOCOL", "sasl_ssl"},
        {"ODRADEK_KAFKA_PROPERTIES_SASL_PASSWORD", "a=b,c"},
    };
    for (size_t i = 0; i < ARRAY_LEN(variables); i++) setenv(variables[i][0], variables[i][1], 1);
    settings_t *s = load("{" TYPES ",\"host\":\"x\",\"partitions\":3,\"kafka\":{\"properties\":"
                         "{\"security.protocol\":\"ssl\",\"sasl.username\":\"u\"}}}");
    for (size_t i = 0; i < ARRAY_LEN(variables); i++) unsetenv(variables[i][0]);
    if (!s) fail_msg("%s", error.text);
    assert_string_equal(s->host, "0.0.0.0");
    assert_true(s->debug);
    assert_int_equal(s->partitions, 12);
    assert_int_equal(s->ports.command_api, 4100);
    assert_int_equal(s->ports.query_api, 4001);
    assert_string_equal(s->kafka.bootstrap_servers, "a:1,b:2");
    assert_int_equal(s->redis.snapshots_count, 3);
    assert_string_equal(s->redis.snapshots[2], "c:3");
    assert_int_equal(s->redis.events_count, 1);
    assert_string_equal(s->redis.events[0], "d:4");
    assert_int_equal(s->rules.delete_linked, DELETE_LINKED_ALLOW);
    assert_int_equal(s->kafka.properties_count, 3);
    int seen = 0;
    for (uint32_t i = 0; i < s->kafka.properties_count; i++) {
        const kafka_property_t *property = &s->kafka.properties[i];
        if (!strcmp(property->name, "security.protocol")) seen += !strcmp(property->value, "sasl_ssl");
        if (!strcmp(property->name, "sasl.username")) seen += !strcmp(property->value, "u");
        if (!strcmp(property->name, "sasl.password")) seen += !strcmp(property->value, "a=b,c");
    }
    assert_int_equal(seen, 3);
    settings_free(s);
}

static void what_the_environment_gets_wrong_is_refused_like_what_the_file_does(void **state) {
    (void)state;
    static const struct {
        const char *name, *value, *parts[2];
    } cases[] = {
        {"ODRADEK_PARTITIONS", "many", {"/partitions", "integer"}},
        {"ODRADEK_PARTITIONS", "", {"/partitions", "integer"}},
        {"ODRADEK_PARTITIONS", "0", {"/partitions", "1"}},
        {"ODRADEK_PORTS_QUERY_API", "65536", {"/ports/queryApi", "65535"}},
        {"ODRADEK_DEBUG", "yes", {"/debug", "boolean"}},
        {"ODRADEK_REDIS_EVENTS", "a:1,b", {"/redis/events/1", "The event store."}},
        {"ODRADEK_REDIS_EVENTS", "", {"/redis/events/0", "The event store."}},
        {"ODRADEK_RULES_DELETE_LINKED", "maybe", {"/rules/deleteLinked", "restrict or allow"}},
        {"ODRADEK_HTTP_CORS_ORIGINS", "https://a.example,b", {"/http/cors/origins/1", "scheme, host"}},
        {"ODRADEK_HOST", "", {"/host", "listen"}},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        setenv(cases[i].name, cases[i].value, 1);
        assert_refused("{" TYPES "}", (const char *const[]){cases[i].parts[0], cases[i].parts[1], NULL});
        unsetenv(cases[i].name);
    }
}

static void an_error_names_file_place_and_what_was_expected(void **state) {
    (void)state;
    REFUSED("{" TYPES ",\"partitions\":\"8\"}", ": /partitions: ", "integer", "Expected: How many partitions each topic has");
    REFUSED("{" TYPES ",\"ports\":{\"validator\":0}}", ": /ports/validator: ", "Expected: The port of validator");
    REFUSED("{" TYPES ",\"kafka\":{\"properties\":{\"a\":1}}}", ": /kafka/properties/a: ", "string", "librdkafka");
    REFUSED("{" TYPES ",\"redis\":{\"snapshots\":[]}}", ": /redis/snapshots: ", "Expected: The snapshot store.");
    REFUSED("{" TYPES ",\"redis\":{\"snapshots\":\"a:1\"}}", ": /redis/snapshots: ", "array");
    REFUSED("{" TYPES ",\"redis\":{\"snapshots\":[\"a:1\",\"b\"]}}", ": /redis/snapshots/1: ", "Expected: The snapshot store.");
    REFUSED("{" TYPES ",\"rules\":{\"deleteLinked\":\"x\"}}", ": /rules/deleteLinked: ", "restrict or allow");
    REFUSED("{" TYPES ",\"kafka\":[]}", ": /kafka: ", "object", "How Kafka is reached");
    REFUSED("{\"contentTypes\":[{\"name\":\"entry\",\"base\":\"entries\",\"schema\":\"x\"}]}", ": /contentTypes/0/name: ", "a capital letter");
    REFUSED("{\"contentTypes\":[{\"name\":\"Entry\",\"base\":\"a/b\",\"schema\":\"x\"}]}", ": /contentTypes/0/base: ", "entries gives /entries");
    REFUSED("{\"contentTypes\":[{\"name\":\"Entry\",\"base\":\"entries\"}]}", ": /contentTypes/0: ", "schema");
    REFUSED("{\"contentTypes\":[]}", ": /contentTypes: ", "The entity types.");
    REFUSED("{}", ": /: ", "contentTypes");
    REFUSED("[]", ": /: ", "object");
}

static void cors_origins_are_written_as_browsers_send_them(void **state) {
    static const char *const refused[] = {"", "example.org", "https://example.org/", "https://a.example/x", "https://A.example",
                                          "https://", "null", "https://a.example https://b.example", "https://u@a.example", "**"};
    (void)state;
    settings_t *s = load("{" TYPES ",\"http\":{\"cors\":{\"origins\":[\"https://a.example\",\"http://localhost:8080\",\"http://[::1]:80\"],"
                         "\"credentials\":true,\"maxAgeSeconds\":5}}}");
    if (!s) fail_msg("%s", error.text);
    assert_int_equal(s->http.threads, 2);
    assert_int_equal(s->http.cors.origins_count, 3);
    assert_string_equal(s->http.cors.origins[1], "http://localhost:8080");
    assert_true(s->http.cors.credentials);
    assert_int_equal(s->http.cors.max_age_seconds, 5);
    settings_free(s);
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        char text[256];
        snprintf(text, sizeof text, "{" TYPES ",\"http\":{\"cors\":{\"origins\":[\"%s\"]}}}", refused[i]);
        REFUSED(text, ": /http/cors/origins/0: ", "scheme, host");
    }
}

static void all_origins_with_credentials_are_refused(void **state) {
    (void)state;
    REFUSED("{" TYPES ",\"http\":{\"cors\":{\"origins\":[\"https://a.example\",\"*\"],\"credentials\":true}}}", ": /http/cors/credentials: ",
            "\"*\"", "Expected: false, or the origins one by one");
    settings_t *s = load("{" TYPES ",\"http\":{\"cors\":{\"origins\":[\"*\"]}}}");
    if (!s) fail_msg("%s", error.text);
    settings_free(s);
}

static void a_member_that_nobody_knows_is_refused(void **state) {
    (void)state;
    REFUSED("{" TYPES ",\"partition\":8}", "partition");
    REFUSED("{" TYPES ",\"ports\":{\"api\":1}}", "/ports", "api");
    REFUSED("{" TYPES ",\"kafka\":{\"bootstrap\":\"x\"}}", "/kafka", "bootstrap");
}

static void what_only_the_control_script_reads_is_accepted(void **state) {
    (void)state;
    settings_t *s = load("{" TYPES ",\"ports\":{\"prometheus\":9190,\"kafkaMetrics\":7171}}");
    if (!s) fail_msg("%s", error.text);
    settings_free(s);
}

static void what_is_not_json_is_refused_with_its_position(void **state) {
    (void)state;
    char expected[300];
    assert_null(load("{\n \"host\": x\n}"));
    snprintf(expected, sizeof expected, "%s:2:10: ", path);
    assert_memory_equal(error.text, expected, strlen(expected));
    assert_null(load(""));
    assert_memory_equal(error.text, path, strlen(path));
    REFUSED("{\"host\":\"a\",\"host\":\"b\"}", "duplicate");
    REFUSED("host: a", "");
}

static void a_file_that_is_not_there_is_named(void **state) {
    (void)state;
    assert_null(settings_load("/nowhere/settings.json", &error));
    assert_string_equal(error.text, "/nowhere/settings.json: No such file or directory");
}

static void freeing_nothing_is_fine(void **state) {
    (void)state;
    settings_free(NULL);
}

/* ---- the loader with a table of another kind: it knows nothing of Odradek's settings ---- */

typedef struct small {
    int size;
    double ratio;
} small_t;

static const cyaml_schema_field_t small_fields[] = {
    CYAML_FIELD_INT("maxSize", CYAML_FLAG_DEFAULT, small_t, size),
    CYAML_FIELD_FLOAT("ratio", CYAML_FLAG_DEFAULT, small_t, ratio),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t small_layout = {CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, small_t, small_fields)};

static void any_table_can_be_loaded(void **state) {
    (void)state;
    const config_spec_t spec = {
        "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
        "\"maxSize\":{\"type\":\"integer\",\"default\":7},\"ratio\":{\"type\":\"number\",\"default\":0.5}}}",
        "TEST", &small_layout};
    void *loaded;
    setenv("TEST_MAX_SIZE", "9", 1);
    setenv("TEST_RATIO", "0.25", 1);
    assert_int_equal(config_load(temp_write(&temp, "small.json", "{}", path), &spec, &loaded, &error), STATUS_OK);
    unsetenv("TEST_MAX_SIZE");
    unsetenv("TEST_RATIO");
    const small_t *small = loaded;
    assert_int_equal(small->size, 9);
    assert_true(small->ratio == 0.25);
    config_free(&spec, loaded);
    assert_int_equal(config_load(temp_write(&temp, "small.json", "{\"maxSize\":true}", path), &spec, &loaded, &error), STATUS_FATAL);
    assert_null(loaded);
    config_free(&spec, NULL);
}

static int make_folder(void **state) {
    (void)state;
    temp = temp_new();
    return 0;
}

static int remove_folder(void **state) {
    (void)state;
    temp_free(&temp);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_written_has_its_default),
        cmocka_unit_test(what_is_written_counts_and_the_rest_of_its_group_keeps_its_default),
        cmocka_unit_test(a_text_that_looks_like_another_kind_stays_a_text),
        cmocka_unit_test(a_whole_number_may_be_written_as_a_fraction),
        cmocka_unit_test(the_environment_overrides_each_kind_of_setting),
        cmocka_unit_test(what_the_environment_gets_wrong_is_refused_like_what_the_file_does),
        cmocka_unit_test(an_error_names_file_place_and_what_was_expected),
        cmocka_unit_test(cors_origins_are_written_as_browsers_send_them),
        cmocka_unit_test(all_origins_with_credentials_are_refused),
        cmocka_unit_test(a_member_that_nobody_knows_is_refused),
        cmocka_unit_test(what_only_the_control_script_reads_is_accepted),
        cmocka_unit_test(what_is_not_json_is_refused_with_its_position),
        cmocka_unit_test(a_file_that_is_not_there_is_named),
        cmocka_unit_test(freeing_nothing_is_fine),
        cmocka_unit_test(any_table_can_be_loaded),
    };
    return cmocka_run_group_tests_name("settings", tests, make_folder, remove_folder);
}
