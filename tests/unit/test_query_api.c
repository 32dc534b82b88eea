/* The query API: its cursor, parameters and pages, and its answers over HTTP from real stores. */
#include "common/json.h"
#include "model/keys.h"
#include "services/query-api/cursor.h"
#include "services/query-api/fields.h"
#include "services/query-api/params.h"
#include "services/query-api/query_api.h"
#include "tests/unit/http_client.h"
#include "tests/unit/redis_server.h"
#include "tests/unit/until.h"

#include <inttypes.h>

enum { PARTITIONS = 3 };

/* ---- the cursor ---- */

static char *encoded(bool descending, const char *type, const char *sort, const char *value, const char *id) {
    cursor_t cursor = {.descending = descending};
    strbuf_t text = {0};
    snprintf(cursor.type, sizeof cursor.type, "%s", type);
    snprintf(cursor.sort, sizeof cursor.sort, "%s", sort);
    snprintf(cursor.value, sizeof cursor.value, "%s", value);
    snprintf(cursor.id, sizeof cursor.id, "%s", id);
    cursor_encode(&text, &cursor);
    return strbuf_steal(&text);
}

static void check_cursor(const cursor_t *given) {
    cursor_t cursor;
    strbuf_t text = {0};
    cursor_encode(&text, given);
    assert_int_equal(strspn(text.data, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), text.len);
    assert_true(cursor_decode(text.data, &cursor));
    assert_int_equal(cursor.descending, given->descending);
    assert_string_equal(cursor.type, given->type);
    assert_string_equal(cursor.sort, given->sort);
    assert_string_equal(cursor.value, given->value);
    assert_string_equal(cursor.id, given->id);
    assert_true(filter_same(&cursor.filters, &given->filters));
    strbuf_free(&text);
}

static void a_cursor_is_read_as_it_was_written(void **state) {
    static const char *const ids[] = {"0198c987-af87-7000-8000-000000000000", "a", "ab", "abc"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        cursor_t cursor = {.type = "Entry", .sort = "id", .descending = i % 2};
        strcpy(cursor.id, ids[i]);
        check_cursor(&cursor);
    }
    cursor_t cursor = {.type = "Entry", .sort = "title", .value = "4\n\2\2x", .id = "a"};
    check_cursor(&cursor);
    filter_add(&cursor.filters, "status", "open");
    filter_add(&cursor.filters, "rank", "7");
    filter_add(&cursor.filters, "empty", "");
    check_cursor(&cursor);
}

static void the_longest_cursor_has_room(void **state) {
    cursor_t cursor = {.descending = true};
    char longest[INDEX_VALUE_SIZE];
    (void)state;
    memset(longest, 1, sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    memset(cursor.type, 'T', sizeof cursor.type - 1);
    memset(cursor.sort, 's', sizeof cursor.sort - 1);
    memset(cursor.value, 'v', sizeof cursor.value - 1);
    memset(cursor.id, '~', sizeof cursor.id - 1);
    for (int i = 0; i < FILTERS_MAX; i++) {
        char field[INDEX_NAME_MAX + 1];
        memset(field, 'a' + i, INDEX_NAME_MAX);
        field[INDEX_NAME_MAX] = '\0';
        filter_add(&cursor.filters, field, longest);
    }
    check_cursor(&cursor);
}

/* A cursor of this text. */
static char *cursor_of(const char *plain, size_t len) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    strbuf_t text = {0};
    uint32_t bits = 0, have = 0;
    for (size_t i = 0; i < len; i++) {
        bits = bits << 8 | (unsigned char)plain[i];
        for (have += 8; have >= 6; have -= 6) strbuf_addc(&text, digits[bits >> (have - 6) & 63]);
    }
    if (have > 0) strbuf_addc(&text, digits[bits << (6 - have) & 63]);
    return strbuf_steal(&text);
}

static void what_is_no_cursor_is_refused(void **state) {
#define PLAIN(text) {text, sizeof text - 1}
    static const struct {
        const char *text;
        size_t len;
    } plain[] = {
        PLAIN("2aEntry\1id\1\1x"), /* this one is a cursor */
        PLAIN("1aEntry\1id\1\1x"), PLAIN("2xEntry\1id\1\1x"), PLAIN("2aEntry\1id\1\1"), PLAIN("2aEntry\1id\1x"),
        PLAIN("2aEntry\1id\1\1a b"), PLAIN("2aEntry\1id\1\1x\0"), PLAIN("2a\1id\1\1x"), PLAIN("2aEntry\1\1\1x"),
        PLAIN("2aEntry\1id\1" "4v\1x"), PLAIN("2aEntry\1title\1\1x"), PLAIN("2aEntry\1id\1\1x\1f"), PLAIN("2aEntry\1id\1\1x\1f\1v"),
        PLAIN("2aEntry\1id\1\1x\1\1v\1"), PLAIN("2aEntry\1id\1\1x\1f\1\1v"), PLAIN("2a"), PLAIN("2"), PLAIN(""),
        PLAIN("2aEntry\1id\1\1x\1f\1v\1\1f\1v\1\1f\1v\1\1f\1v\1\1f\1v\1\1f\1v\1\1f\1v\1\1f\1v\1\1f\1v\1"),
    };
    static const char *const texts[] = {"M", "MWFF+nRyeS94", "MWFFbnRyeS94=", "\xc3\xa4"};
    cursor_t cursor;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
        char *text = cursor_of(plain[i].text, plain[i].len);
        if (cursor_decode(text, &cursor) != (i == 0)) fail_msg("\"%s\"", plain[i].text);
        free(text);
    }
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (cursor_decode(texts[i], &cursor)) fail_msg("\"%s\" is taken for a cursor", texts[i]);
    char *longer = mem_zero(1, 20000);
    memset(longer, 'A', 19999);
    assert_false(cursor_decode(longer, &cursor));
    free(longer);
}

/* ---- parameters ---- */

static void parameters_are_read_by_their_rows(void **state) {
    enum { ALL = PARAM_LIMIT | PARAM_CURSOR | PARAM_ORDER | PARAM_AFTER };
    static const struct {
        const char *name, *value;
        unsigned allowed;
        bool good;
    } cases[] = {
        {"limit", "1", ALL, true},
        {"limit", "1000", ALL, true},
        {"limit", "0", ALL, false},
        {"limit", "1001", ALL, false},
        {"limit", "-1", ALL, false},
        {"limit", "+1", ALL, false},
        {"limit", " 1", ALL, false},
        {"limit", "1x", ALL, false},
        {"limit", "", ALL, false},
        {"limit", NULL, ALL, false},
        {"limit", "99999999999999999999", ALL, false},
        {"limit", "5", PARAM_CURSOR, false},
        {"order", "asc", ALL, true},
        {"order", "desc", ALL, true},
        {"order", "ASC", ALL, false},
        {"order", "", ALL, false},
        {"after", "0", ALL, true},
        {"after", "9223372036854775806", ALL, true},
        {"after", "9223372036854775807", ALL, false},
        {"cursor", "anything", ALL, true},
        {"Limit", "5", ALL, false},
        {"other", "5", ALL, false},
        {"sort", "title", PARAM_SORT, true},
        {"sort", "-title", PARAM_SORT, true},
        {"sort", "-", PARAM_SORT, false},
        {"sort", "", PARAM_SORT, false},
        {"fields", "a", PARAM_FIELDS, true},
        {"fields", "a,b", PARAM_FIELDS, true},
        {"fields", "", PARAM_FIELDS, false},
        {"fields", "a,", PARAM_FIELDS, false},
        {"fields", ",a", PARAM_FIELDS, false},
        {"include", "a,,b", PARAM_INCLUDE, false},
        {"count", "true", PARAM_COUNT, true},
        {"count", "false", PARAM_COUNT, true},
        {"count", "1", PARAM_COUNT, false},
        {"version", "1", PARAM_VERSION, true},
        {"version", "0", PARAM_VERSION, false},
        {"at", "2026-11-21T07:00:00Z", PARAM_AT, true},
        {"at", "2026-11-21T08:00:00.5+01:00", PARAM_AT, true},
        {"at", "2026-11-21T08:00:00 01:00", PARAM_AT, true}, /* the "+" was no %2B */
        {"at", "2026-11-21", PARAM_AT, false},
        {"at", "2026-11-21T07:00:00", PARAM_AT, false},
        {"at", "2026-13-21T07:00:00Z", PARAM_AT, false},
        {"at", "", PARAM_AT, false},
        {"min_version", "1", PARAM_MIN_VERSION, true},
        {"min_version", "x", PARAM_MIN_VERSION, false},
        {"wait", "0", PARAM_WAIT, true},
        {"wait", "-1", PARAM_WAIT, false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        query_params_t params = {0};
        err_t error = {""};
        if (query_params_set(&params, cases[i].allowed, cases[i].name, cases[i].value, &error) != cases[i].good)
            fail_msg("%s=%s: %s", cases[i].name, cases[i].value ? cases[i].value : "NULL", error.text);
        if (!cases[i].good) assert_non_null(strstr(error.text, cases[i].name));
    }
}

static void a_parameter_may_stand_once(void **state) {
    query_params_t params = {0};
    err_t error;
    (void)state;
    assert_true(query_params_set(&params, PARAM_LIMIT, "limit", "5", &error));
    assert_false(query_params_set(&params, PARAM_LIMIT, "limit", "5", &error));
}

static void filters_name_a_member_in_brackets(void **state) {
    static const struct {
        const char *name, *value;
        bool good;
    } cases[] = {{"filter[a]", "x", true},  {"filter[a]", "", true},    {"filter[a b/c]", "x", true}, {"filter[a]", NULL, false}, {"filter[]", "x", false},
                 {"filter[a", "x", false},  {"filter", "x", false},     {"filter[a]b", "x", false},   {"Filter[a]", "x", false}};
    char longest[256] = "filter[";
    err_t error;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        query_params_t params = {0};
        if (query_params_set(&params, PARAM_FILTER, cases[i].name, cases[i].value, &error) != cases[i].good)
            fail_msg("%s=%s", cases[i].name, cases[i].value ? cases[i].value : "NULL");
    }
    query_params_t params = {0};
    assert_false(query_params_set(&params, PARAM_LIMIT, "filter[a]", "x", &error));
    memset(longest + 7, 'n', INDEX_NAME_MAX + 1);
    longest[7 + INDEX_NAME_MAX] = ']';
    assert_true(query_params_set(&params, PARAM_FILTER, longest, "x", &error));
    longest[7 + INDEX_NAME_MAX] = 'n', longest[8 + INDEX_NAME_MAX] = ']';
    assert_false(query_params_set(&params, PARAM_FILTER, longest, "x", &error));
}

static void a_list_has_each_filter_once_and_not_too_many(void **state) {
    query_params_t params = {0};
    err_t error;
    (void)state;
    for (int i = 0; i < FILTERS_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "filter[%c]", 'h' - i);
        assert_true(query_params_set(&params, PARAM_FILTER, name, "x", &error));
        assert_false(query_params_set(&params, PARAM_FILTER, name, "y", &error));
    }
    assert_non_null(strstr(error.text, "twice"));
    for (int i = 0; i < FILTERS_MAX; i++) assert_int_equal(params.filters.items[i].field[0], 'a' + i); /* in order */
    assert_false(query_params_set(&params, PARAM_FILTER, "filter[z]", "x", &error));
    assert_non_null(strstr(error.text, "8 filters"));
}

/* ---- filters ---- */

static void a_filters_text_stands_for_the_string_and_for_what_it_reads_like(void **state) {
    static const struct {
        const char *text, *second;
    } cases[] = {{"open", ""}, {"", ""}, {"7", "3c01c000000000000"}, {"7.0", "3c01c000000000000"}, {"-1", "3400fffffffffffff"}, {"true", "2"}, {"false", "1"},
                 {"null", "0"}, {"True", ""}, {"007", ""}, {" 7", ""}, {"\"7\"", ""}, {"[7]", ""}, {"{}", ""}, {"1e999", ""},
                 {"99999999999999999999", ""}, {"nul", ""}, {"7,8", ""}, {"\xff", ""}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        filters_t filters = {0};
        filter_add(&filters, "f", cases[i].text);
        assert_int_equal(filters.items[0].values[0][0], '4');
        assert_string_equal(filters.items[0].values[0] + 1, cases[i].text);
        assert_string_equal(filters.items[0].values[1], cases[i].second);
    }
}

static void filters_pass_what_has_all_their_values(void **state) {
    filters_t filters = {0};
#define ENTRIES(text) (text), sizeof(text) - 1
    (void)state;
    assert_true(filter_pass(&filters, NULL, ENTRIES("")));
    filter_add(&filters, "a", "x");
    filter_add(&filters, "b", "7");
    assert_true(filter_pass(&filters, NULL, ENTRIES("a\1" "4x\1" "b\1" "47\1")));
    assert_true(filter_pass(&filters, NULL, ENTRIES("a\1" "4w\1" "a\1" "4x\1" "b\1" "3c01c000000000000\1")));
    assert_false(filter_pass(&filters, NULL, ENTRIES("a\1" "4x\1" "b\1" "48\1")));
    assert_false(filter_pass(&filters, NULL, ENTRIES("a\1" "4xx\1" "b\1" "47\1")));
    assert_false(filter_pass(&filters, NULL, ENTRIES("")));
    assert_false(filter_pass(&filters, NULL, ENTRIES("c\1a\1" "4x\1" "4x\1" "b\1" "47\1"))); /* a is a value here */
    assert_true(filter_pass(&filters, &filters.items[0], ENTRIES("b\1" "47\1")));
}

/* ---- some members of data ---- */

static void of_data_only_the_members_that_are_named_are_shown(void **state) {
    static const struct {
        const char *data, *names, *shown;
    } cases[] = {
        {"{\"a\":1.50,\"b\":{\"a\":2},\"c\":[3]}", "a", "{\"a\":1.50}"},
        {"{\"a\":1.50,\"b\":{\"a\":2},\"c\":[3]}", "c,b,a,c", "{\"c\":[3],\"b\":{\"a\":2},\"a\":1.50}"},
        {"{\"a\":1}", "none", "{}"},
        {"{}", "a", "{}"},
        {"{\"\\u0061\":\"x\"}", "a", "{\"a\":\"x\"}"},
        {"{\"a\\\"b\":1}", "a\"b", "{\"a\\\"b\":1}"},
        {"{\"a\":1}", "a\"b", "{}"},
        {"{\"x\":\"\\n\",\"a\":2}", "a,y", "{\"a\":2}"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        strbuf_t shown = {0};
        fields_add(&shown, cases[i].names, cases[i].data, strlen(cases[i].data));
        assert_string_equal(shown.data, cases[i].shown);
        strbuf_free(&shown);
    }
}

/* ---- the service ---- */

static redis_server_t snapshots, events;
static settings_type_t content_types[] = {{"Entry", "entries", "schemas/entry.json"},
                                          {"Asset", "assets", "schemas/asset.json"}};
static char *snapshot_servers[1], *event_servers[1];
static settings_t settings = {
    .types = content_types,
    .types_count = ARRAY_LEN(content_types),
    .partitions = PARTITIONS,
    .redis = {.snapshots = snapshot_servers, .snapshots_count = 1, .events = event_servers, .events_count = 1},
    .limits = {.connections = 100, .streams = 10, .stream_megabytes = 1},
    .http = {.heartbeat_seconds = 1},
};
static types_t *types;
static query_api_t *api;
static http_server_t *server;
static int port;

static int start_service(void **state) {
    err_t error = {""};
    http_route_t routes[SERVICE_ROUTES_MAX];
    (void)state;
    snapshots = redis_server_start();
    events = redis_server_start();
    types = types_load(&settings, "settings.json", &error);
    if (!types) fail_msg("%s", error.text);
    snapshot_servers[0] = snapshots.address;
    event_servers[0] = events.address;
    /* There is no log: all that needs none is answered. */
    api = query_api_open(&(service_context_t){.settings = &settings, .types = types, .kafka = {.bootstrap_servers = "127.0.0.1:1", .client_id = "test", .message_bytes = 1000000}}, &error);
    if (!api) fail_msg("%s", error.text);
    size_t count = query_api_routes(api, routes);
    server = http_start(&(http_options_t){.host = "127.0.0.1", .threads = 2, .body_bytes = 1024, .connections = 100,
                                          .routes = routes, .routes_count = count},
                        &error);
    if (!server) fail_msg("%s", error.text);
    port = http_port(server);
    UNTIL(query_api_ready(api, &error));
    return 0;
}

static int stop_service(void **state) {
    (void)state;
    http_quiesce(server);
    query_api_drain(api);
    UNTIL(http_pending(server) == 0);
    http_stop(server);
    query_api_close(api);
    types_free(types);
    redis_server_down(&snapshots);
    redis_server_down(&events);
    return 0;
}

static int empty_stores(void **state) {
    (void)state;
    redis_server_do(&snapshots, "FLUSHALL");
    redis_server_do(&events, "FLUSHALL");
    return 0;
}

/* As the materializer and the persister write. */
static void put_index(const char *id) {
    key_text_t key;
    key_index(key, query_partition(api, id), "Entry", "id");
    redis_server_do(&snapshots, "ZADD %s 0 %s", key, id);
}

static void put_snapshot(const char *id, const char *data) {
    key_text_t key;
    key_snapshot(key, query_partition(api, id), "Entry", id);
    redis_server_do(&snapshots, "HSET %s version 3 data %s createdAt 2026-01-01 updatedAt 2026-01-02 links %s", key, data, "");
}

static void put(const char *id, const char *data) {
    put_index(id);
    put_snapshot(id, data);
}

static void put_deleted(const char *id) {
    key_text_t key;
    key_snapshot(key, query_partition(api, id), "Entry", id);
    redis_server_do(&snapshots, "HSET %s version 4 createdAt 2026-01-01 updatedAt 2026-01-03 deletedAt 2026-01-03", key);
}

static void take_from_index(const char *id) {
    key_text_t key;
    key_index(key, query_partition(api, id), "Entry", "id");
    redis_server_do(&snapshots, "ZREM %s %s", key, id);
}

static void put_event(const char *id, int version, const char *event) {
    key_text_t key;
    key_history(key, query_partition(api, id), "Entry", id);
    redis_server_do(&events, "XADD %s %d-0 event %s", key, version, event);
}

static json_t *get(const char *target, int code) {
    reply_t reply = http_ask(port, "GET", target, NULL, NULL);
    if (reply.code != code) fail_msg("%s: %d instead of %d: %s", target, reply.code, code, reply.body);
    err_t error;
    json_t *body = json_read(reply.body, reply.len, &error);
    if (!body) fail_msg("%s: %s: %s", target, error.text, reply.body);
    reply_free(&reply);
    return body;
}

static void check_problem(const char *target, int code, const char *type) {
    json_t *problem = get(target, code);
    const char *found = json_text(problem, "type");
    if (!found || strncmp(found, "/problems/", 10) || strcmp(found + 10, type))
        fail_msg("%s: problem %s instead of %s", target, found ? found : "none", type);
    json_decref(problem);
}

/* ---- one entity ---- */

static void an_entity_comes_with_its_data_as_it_was_written(void **state) {
    (void)state;
    put("one", "{\"title\":\"ä\",\"n\":1.50}");
    reply_t reply = http_ask(port, "GET", "/entries/one", NULL, NULL);
    assert_int_equal(reply.code, 200);
    assert_string_equal(reply.body, "{\"id\":\"one\",\"type\":\"Entry\",\"version\":3,\"createdAt\":\"2026-01-01\","
                                    "\"updatedAt\":\"2026-01-02\",\"data\":{\"title\":\"ä\",\"n\":1.50}}");
    assert_string_equal(reply_header(&reply, "ETag"), "\"3\"");
    assert_string_equal(reply_header(&reply, "Content-Type"), "application/json");
    reply_free(&reply);
    reply = http_ask(port, "HEAD", "/entries/one", NULL, NULL);
    assert_int_equal(reply.code, 200);
    assert_string_equal(reply_header(&reply, "ETag"), "\"3\"");
    reply_free(&reply);
}

static void none_deleted_and_impossible_entities_are_told_apart(void **state) {
    (void)state;
    put_deleted("old");
    check_problem("/entries/none", 404, "not-found");
    check_problem("/entries/old", 410, "gone");
    check_problem("/assets/old", 404, "not-found");
    check_problem("/entries/a%20b", 404, "not-found");
    check_problem("/entries/a*", 404, "not-found");
    check_problem("/entries/none?x=1", 400, "invalid-parameter");
}

/* ---- lists ---- */

static void put_numbered(int count) {
    char id[16];
    for (int i = 0; i < count; i++) {
        snprintf(id, sizeof id, "id-%04d", i);
        put(id, "{}");
    }
}

/* Goes through a list page by page; appends the ids, and calls `between` before each page but the first. */
static void walk(strbuf_t *ids, const char *order, int limit, void (*between)(int page)) {
    char target[512];
    snprintf(target, sizeof target, "/entries?limit=%d&order=%s", limit, order);
    for (int page = 1;; page++) {
        json_t *list = get(target, 200), *items = json_object_get(list, "items"), *item;
        size_t i;
        assert_true(json_array_size(items) <= (size_t)limit);
        json_array_foreach(items, i, item) strbuf_addf(ids, "%s ", json_text(item, "id"));
        const char *next = json_text(list, "next");
        if (next) snprintf(target, sizeof target, "/entries?limit=%d&cursor=%s", limit, next);
        json_decref(list);
        if (!next) return;
        if (page > 1000) fail_msg("the list does not end");
        if (between) between(page);
    }
}

static void a_list_comes_page_by_page_in_both_orders(void **state) {
    static const int limits[] = {1, 7, 49, 50, 51, 1000};
    enum { COUNT = 50 };
    (void)state;
    put_numbered(COUNT);
    for (size_t i = 0; i < ARRAY_LEN(limits); i++)
        for (int descending = 0; descending < 2; descending++) {
            strbuf_t walked = {0}, expected = {0};
            walk(&walked, descending ? "desc" : "asc", limits[i], NULL);
            for (int n = 0; n < COUNT; n++) strbuf_addf(&expected, "id-%04d ", descending ? COUNT - 1 - n : n);
            assert_string_equal(walked.data, expected.data);
            strbuf_free(&walked);
            strbuf_free(&expected);
        }
}

static void a_list_whose_entities_are_all_in_one_partition_goes_on_too(void **state) {
    char id[16];
    strbuf_t walked = {0}, expected = {0};
    (void)state;
    for (int i = 0; i < 60; i++) {
        snprintf(id, sizeof id, "id-%04d", i);
        if (query_partition(api, id) != 0) continue;
        put(id, "{}");
        strbuf_addf(&expected, "%s ", id);
    }
    walk(&walked, "asc", 4, NULL);
    assert_string_equal(walked.data, expected.data);
    strbuf_free(&walked);
    strbuf_free(&expected);
}

static void an_empty_list_is_no_error(void **state) {
    (void)state;
    json_t *list = get("/entries", 200);
    assert_int_equal(json_array_size(json_object_get(list, "items")), 0);
    assert_true(json_is_null(json_object_get(list, "next")));
    json_decref(list);
}

/* Before each page: one entity appears before the walk, one behind it, one vanishes before it and one behind. */
static void change_others(int page) {
    char id[16];
    snprintf(id, sizeof id, "id-0000a%d", page);
    put(id, "{}");
    snprintf(id, sizeof id, "id-9999a%d", page);
    put(id, "{}");
    snprintf(id, sizeof id, "id-%04d", page * 2 + 1);
    take_from_index(id);
    put_deleted(id);
    snprintf(id, sizeof id, "id-%04d", 39 - page * 2);
    take_from_index(id);
    put_deleted(id);
}

static void what_does_not_change_comes_once_whatever_else_is_written(void **state) {
    (void)state;
    put_numbered(40); /* the even ones stay */
    for (int descending = 0; descending < 2; descending++) {
        strbuf_t walked = {0};
        walk(&walked, descending ? "desc" : "asc", 5, change_others);
        for (int n = 0; n < 40; n += 2) {
            char id[16];
            snprintf(id, sizeof id, "id-%04d ", n);
            const char *found = strstr(walked.data, id);
            if (!found || strstr(found + 1, id)) fail_msg("%sis %s in %s", id, found ? "twice" : "not", walked.data);
        }
        strbuf_free(&walked);
    }
}

static void entities_that_vanished_since_the_index_was_read_are_left_out(void **state) {
    (void)state;
    put_index("a");
    put_index("b");
    put_deleted("b");
    put("c", "{}");
    json_t *list = get("/entries?limit=2", 200);
    assert_int_equal(json_array_size(json_object_get(list, "items")), 0);
    char *target = mem_printf("/entries?limit=2&cursor=%s", json_text(list, "next"));
    json_decref(list);
    list = get(target, 200);
    assert_string_equal(json_text(json_array_get(json_object_get(list, "items"), 0), "id"), "c");
    assert_true(json_is_null(json_object_get(list, "next")));
    json_decref(list);
    free(target);
}

static void a_page_of_large_entities_ends_early_and_goes_on(void **state) {
    enum { COUNT = 12, LARGE = 600 * 1024 };
    char id[16], *data = mem_zero(1, LARGE);
    (void)state;
    memset(data, ' ', LARGE - 1);
    memcpy(data, "{}", 2);
    for (int i = 0; i < COUNT; i++) {
        snprintf(id, sizeof id, "id-%02d", i);
        put(id, data);
        put_event("large", i + 1, data);
    }
    free(data);
    reply_t reply = http_ask(port, "GET", "/entries?limit=1000", NULL, NULL);
    assert_int_equal(reply.code, 200);
    assert_true(reply.len > QUERY_PAGE_BYTES && reply.len < QUERY_PAGE_BYTES + 2 * LARGE);
    reply_free(&reply);
    strbuf_t walked = {0};
    walk(&walked, "asc", 1000, NULL);
    assert_int_equal(walked.len, COUNT * strlen("id-00 "));
    strbuf_free(&walked);
    json_t *history = get("/entries/large/events?limit=1000", 200);
    json_int_t next = json_integer_value(json_object_get(history, "next"));
    assert_int_equal(json_array_size(json_object_get(history, "items")), next);
    assert_in_range(next, 1, COUNT - 1);
    json_decref(history);
}

static void wrong_parameters_of_a_list_are_refused(void **state) {
    char *other_type = encoded(false, "Asset", "id", "", "x"), *descending = encoded(true, "Entry", "id", "", "x");
    char *targets[] = {mem_printf("/entries?cursor=%s", other_type), mem_printf("/entries?cursor=%s&order=asc", descending),
                       mem_printf("/entries?cursor=%s&order=desc", descending)};
    (void)state;
    check_problem("/entries?limit=0", 400, "invalid-parameter");
    check_problem("/entries?order=up", 400, "invalid-parameter");
    check_problem("/entries?after=1", 400, "invalid-parameter");
    check_problem("/entries?cursor=xyz", 400, "invalid-cursor");
    check_problem("/entries?cursor=", 400, "invalid-cursor");
    check_problem(targets[0], 400, "invalid-cursor");
    check_problem(targets[1], 400, "invalid-cursor");
    json_decref(get(targets[2], 200));
    for (size_t i = 0; i < ARRAY_LEN(targets); i++) free(targets[i]);
    free(other_type);
    free(descending);
}

/* ---- lists by a member ---- */

typedef struct titled {
    char id[16];
    char *entries; /* that it has in the index */
    char *first;   /* value: the one that it is sorted by */
} titled_t;

/* An entity with this title, as JSON. */
static titled_t put_titled(int number, const char *title) {
    titled_t titled = {.first = NULL};
    char *data = mem_printf("{\"title\":%s}", title), member[512];
    strbuf_t entries = {0};
    index_entry_t entry;
    key_text_t key;
    snprintf(titled.id, sizeof titled.id, "id-%03d", number * 7919 % 1000);
    put(titled.id, data);
    json_t *value = json_loads(data, 0, NULL);
    index_add_entries(&entries, &types->items[0], value);
    json_decref(value);
    int32_t partition = query_partition(api, titled.id);
    key_index(key, partition, "Entry", "title");
    for (const char *at = entries.data; index_next(&at, entries.data + entries.len, &entry);) {
        snprintf(member, sizeof member, "%.*s\1%s%s", (int)entry.value.len, entry.value.text, titled.id, titled.first ? "\1" : "");
        redis_server_do(&snapshots, "ZADD %s 0 %b", key, member, strlen(member));
        if (!titled.first) titled.first = mem_copy(entry.value.text, entry.value.len);
    }
    key_snapshot(key, partition, "Entry", titled.id);
    redis_server_do(&snapshots, "HSET %s index %b", key, entries.data, entries.len);
    titled.entries = strbuf_steal(&entries);
    free(data);
    return titled;
}

static const char *sorted_by;

static int compare_titled(const void *a, const void *b) {
    const titled_t *one = a, *other = b;
    int order = strstr(sorted_by, "title") ? strcmp(one->first, other->first) : 0;
    if (!order) order = strcmp(one->id, other->id);
    return sorted_by[0] == '-' ? -order : order;
}

/* The ids of all pages, with a blank behind each. */
static char *walked(const char *query, int limit, int *count) {
    char *target = mem_printf("/entries?limit=%d&count=true&%s", limit, query);
    strbuf_t ids = {0};
    strbuf_adds(&ids, "");
    while (target) {
        json_t *list = get(target, 200), *item;
        size_t i;
        json_array_foreach(json_object_get(list, "items"), i, item) strbuf_addf(&ids, "%s ", json_text(item, "id"));
        const char *next = json_text(list, "next");
        *count = (int)json_integer_value(json_object_get(list, "count"));
        free(target);
        target = next ? mem_printf("/entries?limit=%d&count=true&cursor=%s", limit, next) : NULL;
        json_decref(list);
    }
    return strbuf_steal(&ids);
}

static void check_list(titled_t *all, size_t total, const char *sort, const char *filter, int limit) {
    filters_t filters = {0};
    strbuf_t expected = {0};
    int count = 0, found_count;
    if (filter) filter_add(&filters, "title", filter);
    sorted_by = sort;
    qsort(all, total, sizeof *all, compare_titled);
    strbuf_adds(&expected, "");
    for (size_t i = 0; i < total; i++) {
        if (!filter_pass(&filters, NULL, all[i].entries, strlen(all[i].entries))) continue;
        strbuf_addf(&expected, "%s ", all[i].id);
        count++;
    }
    char *query = filter ? mem_printf("sort=%s&filter[title]=%s", sort, filter) : mem_printf("sort=%s", sort);
    char *found = walked(query, limit, &found_count);
    if (strcmp(found, expected.data)) fail_msg("%s limit=%d:\n%s\ninstead of\n%s", query, limit, found, expected.data);
    assert_int_equal(found_count, count);
    free(found);
    free(query);
    strbuf_free(&expected);
}

static void lists_by_a_member_are_walked_in_order_each_entity_once(void **state) {
    static const char *const titles[] = {"null", "true", "7", "\"7\"", "7.5", "\"a\"", "[\"b\",\"a\"]", "[7,\"7\",\"a\"]", "[\"z\",\"7\"]", "{}", "\"ab\"",
                                         "[null,\"a\"]"};
    static const char *const sorts[] = {"title", "-title", "id", "-id"}, *const filters[] = {NULL, "7", "a", "null", "none"};
    static const int limits[] = {1, 2, 7, 1000};
    enum { COUNT = 4 * ARRAY_LEN(titles) };
    titled_t all[COUNT];
    (void)state;
    for (int i = 0; i < (int)COUNT; i++) all[i] = put_titled(i, titles[(size_t)i % ARRAY_LEN(titles)]);
    for (size_t s = 0; s < ARRAY_LEN(sorts); s++)
        for (size_t f = 0; f < ARRAY_LEN(filters); f++)
            for (size_t l = 0; l < ARRAY_LEN(limits); l++) check_list(all, COUNT, sorts[s], filters[f], limits[l]);
    for (size_t i = 0; i < COUNT; i++) {
        free(all[i].entries);
        free(all[i].first);
    }
}

/* The walk asks an index for a few members at a time: more than those are all in one partition, and none of them counts. */
static void many_members_that_are_passed_over_do_not_end_a_walk(void **state) {
    enum { COUNT = 90 };
    titled_t all[COUNT];
    (void)state;
    for (int i = 0; i < COUNT; i++) all[i] = put_titled(i, i == 0 ? "\"zz\"" : "[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\"]");
    check_list(all, COUNT, "title", NULL, 3);
    check_list(all, COUNT, "-title", NULL, 3);
    check_list(all, COUNT, "title", "zz", 3);
    check_list(all, COUNT, "id", "f", 3);
    for (size_t i = 0; i < COUNT; i++) {
        free(all[i].entries);
        free(all[i].first);
    }
}

/* ---- histories ---- */

static void check_history(const char *target, int first, int last, int next) {
    json_t *history = get(target, 200), *items = json_object_get(history, "items"), *found = json_object_get(history, "next");
    assert_int_equal(json_array_size(items), last - first + 1);
    for (int version = first; version <= last; version++)
        assert_int_equal(json_integer_value(json_object_get(json_array_get(items, (size_t)(version - first)), "version")), version);
    if (next)
        assert_int_equal(json_integer_value(found), next);
    else
        assert_true(json_is_null(found));
    json_decref(history);
}

static void a_history_comes_page_by_page(void **state) {
    char event[64];
    (void)state;
    for (int version = 1; version <= 250; version++) {
        snprintf(event, sizeof event, "{\"version\":%d}", version);
        put_event("one", version, event);
    }
    check_history("/entries/one/events", 1, 50, 50);
    check_history("/entries/one/events?limit=99", 1, 99, 99);
    check_history("/entries/one/events?limit=100", 1, 100, 100);
    check_history("/entries/one/events?limit=249", 1, 249, 249);
    check_history("/entries/one/events?limit=250", 1, 250, 0);
    check_history("/entries/one/events?limit=1000", 1, 250, 0);
    check_history("/entries/one/events?limit=100&after=150", 151, 250, 0);
    check_history("/entries/one/events?limit=100&after=149", 150, 249, 249);
    check_history("/entries/one/events?after=250", 251, 250, 0);
    check_history("/entries/one/events?after=9223372036854775806", 251, 250, 0);
    check_problem("/entries/one/events?cursor=x", 400, "invalid-parameter");
    check_problem("/entries/one/events?after=x", 400, "invalid-parameter");
}

static void events_come_as_they_were_written(void **state) {
    (void)state;
    put_event("one", 1, "{\"version\":1,\"n\":1.50}");
    put_event("one", 2, "{\"version\":2}");
    reply_t reply = http_ask(port, "GET", "/entries/one/events", NULL, NULL);
    assert_string_equal(reply.body, "{\"items\":[{\"version\":1,\"n\":1.50},{\"version\":2}],\"next\":null}");
    reply_free(&reply);
    check_problem("/entries/two/events", 404, "not-found");
    check_problem("/assets/one/events", 404, "not-found");
    check_problem("/entries/a%20b/events", 404, "not-found");
}

/* ---- stores that are away, or refuse ---- */

static void check_away(const char *target) {
    reply_t reply = http_ask(port, "GET", target, NULL, NULL);
    assert_int_equal(reply.code, 503);
    assert_string_equal(reply_header(&reply, "Retry-After"), "1");
    assert_non_null(strstr(reply.body, "/problems/store-unavailable"));
    reply_free(&reply);
}

static void a_store_that_is_away_leaves_the_paths_of_the_other(void **state) {
    err_t why;
    (void)state;
    put("one", "{}");
    put_event("one", 1, "{\"version\":1}");
    redis_server_down(&events);
    check_away("/entries/one/events");
    json_decref(get("/entries/one", 200));
    json_decref(get("/entries", 200));
    assert_false(query_api_ready(api, &why));
    assert_non_null(strstr(why.text, "event store"));
    assert_true(redis_server_up(&events));
    put_event("one", 1, "{\"version\":1}");
    UNTIL(query_api_ready(api, &why));
    redis_server_down(&snapshots);
    check_away("/entries/one");
    check_away("/entries");
    check_history("/entries/one/events", 1, 1, 0);
    assert_true(redis_server_up(&snapshots));
    UNTIL(query_api_ready(api, &why));
    check_problem("/entries/one", 404, "not-found");
}

static void a_store_that_has_something_else_there_is_an_error_of_ours(void **state) {
    key_text_t key;
    (void)state;
    key_snapshot(key, query_partition(api, "one"), "Entry", "one");
    redis_server_do(&snapshots, "SET %s x", key);
    key_history(key, query_partition(api, "one"), "Entry", "one");
    redis_server_do(&events, "SET %s x", key);
    key_index(key, 0, "Entry", "id");
    redis_server_do(&snapshots, "SET %s x", key);
    check_problem("/entries/one", 500, "internal");
    check_problem("/entries/one/events", 500, "internal");
    check_problem("/entries", 500, "internal");
}

#define SERVICE_TEST(test) cmocka_unit_test_setup(test, empty_stores)

int main(void) {
    const struct CMUnitTest pure[] = {
        cmocka_unit_test(a_cursor_is_read_as_it_was_written),
        cmocka_unit_test(the_longest_cursor_has_room),
        cmocka_unit_test(what_is_no_cursor_is_refused),
        cmocka_unit_test(parameters_are_read_by_their_rows),
        cmocka_unit_test(a_parameter_may_stand_once),
        cmocka_unit_test(filters_name_a_member_in_brackets),
        cmocka_unit_test(a_list_has_each_filter_once_and_not_too_many),
        cmocka_unit_test(a_filters_text_stands_for_the_string_and_for_what_it_reads_like),
        cmocka_unit_test(filters_pass_what_has_all_their_values),
        cmocka_unit_test(of_data_only_the_members_that_are_named_are_shown),
    };
    const struct CMUnitTest served[] = {
        SERVICE_TEST(an_entity_comes_with_its_data_as_it_was_written),
        SERVICE_TEST(none_deleted_and_impossible_entities_are_told_apart),
        SERVICE_TEST(a_list_comes_page_by_page_in_both_orders),
        SERVICE_TEST(a_list_whose_entities_are_all_in_one_partition_goes_on_too),
        SERVICE_TEST(an_empty_list_is_no_error),
        SERVICE_TEST(what_does_not_change_comes_once_whatever_else_is_written),
        SERVICE_TEST(entities_that_vanished_since_the_index_was_read_are_left_out),
        SERVICE_TEST(a_page_of_large_entities_ends_early_and_goes_on),
        SERVICE_TEST(wrong_parameters_of_a_list_are_refused),
        SERVICE_TEST(lists_by_a_member_are_walked_in_order_each_entity_once),
        SERVICE_TEST(many_members_that_are_passed_over_do_not_end_a_walk),
        SERVICE_TEST(a_history_comes_page_by_page),
        SERVICE_TEST(events_come_as_they_were_written),
        SERVICE_TEST(a_store_that_is_away_leaves_the_paths_of_the_other),
        SERVICE_TEST(a_store_that_has_something_else_there_is_an_error_of_ours),
    };
    signal(SIGPIPE, SIG_IGN);
    int failed = cmocka_run_group_tests(pure, NULL, NULL);
    return failed + cmocka_run_group_tests(served, start_service, stop_service);
}
