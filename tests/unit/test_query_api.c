/* The query API: its cursor, parameters and pages, and its answers over HTTP from real stores. */
#include "common/json.h"
#include "model/keys.h"
#include "services/query-api/cursor.h"
#include "services/query-api/page.h"
#include "services/query-api/params.h"
#include "services/query-api/query_api.h"
#include "tests/unit/http_client.h"
#include "tests/unit/redis_server.h"
#include "tests/unit/until.h"

#include <inttypes.h>

enum { PARTITIONS = 3 };

/* ---- the cursor ---- */

static char *encoded(bool descending, const char *type, const char *id) {
    cursor_t cursor = {.descending = descending};
    strbuf_t text = {0};
    snprintf(cursor.type, sizeof cursor.type, "%s", type);
    snprintf(cursor.id, sizeof cursor.id, "%s", id);
    cursor_encode(&text, &cursor);
    return strbuf_steal(&text);
}

static void check_cursor(bool descending, const char *type, const char *id) {
    cursor_t cursor;
    char *text = encoded(descending, type, id);
    assert_int_equal(strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), strlen(text));
    assert_true(cursor_decode(text, &cursor));
    assert_int_equal(cursor.descending, descending);
    assert_string_equal(cursor.type, type);
    assert_string_equal(cursor.id, id);
    free(text);
}

static void a_cursor_is_read_as_it_was_written(void **state) {
    char longest_id[ID_SIZE] = {0}, longest_type[65] = {0};
    (void)state;
    memset(longest_id, '~', ID_SIZE - 1);
    memset(longest_type, 'T', 64);
    check_cursor(false, "Entry", "0198c987-af87-7000-8000-000000000000");
    check_cursor(true, "Entry", "a");
    check_cursor(true, "Entry", "ab");
    check_cursor(true, "Entry", "abc");
    check_cursor(false, longest_type, longest_id);
}

static void what_is_no_cursor_is_refused(void **state) {
    /* "2aEntry/x", "1xEntry/x", "1aEntry", "1aEntry/", "1aEntry/a b", "1aEntry/x" with NUL, one digit too many, too
       few, wrong digits, padding */
    static const char *const texts[] = {"",         "MmFFbnRyeS94", "MXhFbnRyeS94", "MWFFbnRyeQ", "MWFFbnRyeS8",
                                        "MWFFbnRyeS9hIGI", "MWFFbnRyeS94AA", "MWFFbnRyeS94A", "M", "MWFF+nRyeS94",
                                        "MWFFbnRyeS94=", "ä"};
    cursor_t cursor;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (cursor_decode(texts[i], &cursor)) fail_msg("\"%s\" is taken for a cursor", texts[i]);
    assert_true(cursor_decode("MWFFbnRyeS94", &cursor));
    char *longer = mem_zero(1, 1000);
    memset(longer, 'A', 999);
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

/* ---- merging ---- */

static redisReply *list_of(const char *words) {
    redisReply *list = mem_zero(1, sizeof *list);
    char *copy = mem_string(words), *rest = copy;
    list->type = REDIS_REPLY_ARRAY;
    list->element = mem_zero(strlen(words) + 1, sizeof(redisReply *));
    for (char *word; (word = strsep(&rest, " "));) {
        if (!*word) continue;
        redisReply *element = list->element[list->elements++] = mem_zero(1, sizeof *element);
        element->type = REDIS_REPLY_STRING;
        element->str = mem_string(word);
        element->len = strlen(word);
    }
    free(copy);
    return list;
}

static void check_merge(const char *const lists[3], bool descending, size_t limit, const char *expected, bool expect_more) {
    redisReply *replies[3];
    const char *ids[16];
    bool more;
    strbuf_t merged = {0};
    for (int i = 0; i < 3; i++) replies[i] = list_of(lists[i]);
    size_t count = page_merge(replies, 3, descending, ids, limit, &more);
    strbuf_adds(&merged, "");
    for (size_t i = 0; i < count; i++) strbuf_addf(&merged, "%s%s", i ? " " : "", ids[i]);
    assert_string_equal(merged.data, expected);
    assert_int_equal(more, expect_more);
    strbuf_free(&merged);
    for (int i = 0; i < 3; i++) freeReplyObject(replies[i]);
}

static void lists_are_merged_in_order_up_to_the_limit(void **state) {
    const char *const rising[] = {"a d e", "", "b c f"}, *const falling[] = {"z", "y c", "x b"};
    const char *const empty[] = {"", "", ""};
    (void)state;
    check_merge(rising, false, 16, "a b c d e f", false);
    check_merge(rising, false, 6, "a b c d e f", false);
    check_merge(rising, false, 5, "a b c d e", true);
    check_merge(rising, false, 1, "a", true);
    check_merge(falling, true, 4, "z y x c", true);
    check_merge(falling, true, 5, "z y x c b", false);
    check_merge(empty, false, 3, "", false);
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
    .limits = {.connections = 100},
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
    api = query_api_open(&(service_context_t){.settings = &settings, .types = types}, &error);
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
    char *other_type = encoded(false, "Asset", "x"), *descending = encoded(true, "Entry", "x");
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
        cmocka_unit_test(what_is_no_cursor_is_refused),
        cmocka_unit_test(parameters_are_read_by_their_rows),
        cmocka_unit_test(a_parameter_may_stand_once),
        cmocka_unit_test(lists_are_merged_in_order_up_to_the_limit),
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
        SERVICE_TEST(a_history_comes_page_by_page),
        SERVICE_TEST(events_come_as_they_were_written),
        SERVICE_TEST(a_store_that_is_away_leaves_the_paths_of_the_other),
        SERVICE_TEST(a_store_that_has_something_else_there_is_an_error_of_ours),
    };
    signal(SIGPIPE, SIG_IGN);
    int failed = cmocka_run_group_tests(pure, NULL, NULL);
    return failed + cmocka_run_group_tests(served, start_service, stop_service);
}
