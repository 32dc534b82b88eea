/* The OpenAPI document out of tables: what is in it, and which descriptions are refused. That the documents of both APIs
   are good ones is what tests/pipeline/test_openapi.py has. */
#include "common/json.h"
#include "services/openapi_rows.h"
#include "services/self.h"
#include "tests/unit/http_client.h"
#include "tests/unit/model.h"

static void handle(http_request_t *request, void *context) {
    (void)request, (void)context;
}

static const openapi_param_t param_wait = {
    "header", "Wait", "At most ${limits.waitSeconds} s.", JSON({"type": "integer", "maximum": ${limits.waitSeconds}}), NULL};
static const openapi_problem_t busy = {429, "busy", "Busy.", HEADERS(&header_retry_after)};
static const openapi_problem_t full = {429, "full", "Full.", NULL};

static const openapi_operation_t create = {
    .id = "create${Type}",
    .tag = "${Type}",
    .summary = "Below ${base}: ${type}Created",
    .params = PARAMS(&param_wait),
    .bodies = JSON_BODY("${Type}"),
    .answers = ANSWERS({201, "Done.", JSON_BODY("${Type}.entity"), HEADERS(&header_etag), NULL}),
    .problems = PROBLEMS(&busy, &full),
};
static const openapi_operation_t get = {
    .id = "get${Type}", .tag = "${Type}", .summary = "Get", .params = PARAMS(&param_id, &param_wait)};

#define CREATE(path_) {.method = "POST", .path = path_, .handle = handle, .accepts = "application/json", .about = &create}
#define GET(path_) {.method = "GET", .path = path_, .handle = handle, .about = &get}

static json_t *built(const model_t *model, const http_route_t *routes, size_t count, err_t *error) {
    return openapi_build(&(openapi_options_t){"Title", "About.", model->settings, model->types, routes, count}, error);
}

static const json_t *at(const json_t *document, const char *pointer) {
    char path[256];
    snprintf(path, sizeof path, "%s", pointer);
    for (char *step = strtok(path, " "); step && document; step = strtok(NULL, " "))
        document = json_is_array(document) ? json_array_get(document, strtoul(step, NULL, 10))
                                           : json_object_get(document, step);
    if (!document) fail_msg("there is nothing at %s", pointer);
    return document;
}

static void says(const json_t *document, const char *pointer, const char *expected) {
    strbuf_t found = {0};
    json_add_value(&found, at(document, pointer));
    assert_string_equal(found.data, expected);
    strbuf_free(&found);
}

static void texts_name_the_type_and_the_settings(void **state) {
    (void)state;
    err_t error;
    model_t model = model_new(",\"limits\":{\"waitSeconds\":7,\"bodyBytes\":2000}");
    const http_route_t routes[] = {CREATE("/entries"), CREATE("/assets"), GET("/entries/{id}")};
    json_t *document = built(&model, routes, ARRAY_LEN(routes), &error);
    if (!document) fail_msg("%s", error.text);
    says(document, "paths /entries post operationId", "\"createEntry\"");
    says(document, "paths /entries post summary", "\"Below entries: entryCreated\"");
    says(document, "paths /assets post tags", "[\"Asset\"]");
    says(document, "components parameters Wait schema", "{\"type\":\"integer\",\"maximum\":7}");
    says(document, "paths /entries/{id} get parameters 0", "{\"$ref\":\"#/components/parameters/id\"}");
    says(document, "paths /entries post responses 413", "{\"$ref\":\"#/components/responses/413.too-large.change\"}");
    says(document, "components responses 413.too-large.change description", "\"The body has more than 2000 bytes, as it came or inflated.\"");
    json_decref(document);
    model_free(&model);
}

static void problems_of_a_status_are_one_answer_with_all_their_types(void **state) {
    (void)state;
    err_t error;
    model_t model = model_new("");
    const http_route_t routes[] = {CREATE("/entries")};
    json_t *document = built(&model, routes, 1, &error);
    says(document, "paths /entries post responses 429", "{\"$ref\":\"#/components/responses/429.busy.full.change\"}");
    says(document, "components responses 429.busy.full.change content application/problem+json schema allOf 1 properties",
         "{\"type\":{\"type\":\"string\",\"enum\":[\"/problems/busy\",\"/problems/full\"]},"
         "\"status\":{\"type\":\"integer\",\"enum\":[429]}}");
    says(document, "components responses 429.busy.full.change headers Retry-After", "{\"$ref\":\"#/components/headers/Retry-After\"}");
    says(document, "components responses 429.busy.full.change content application/problem+json examples full value",
         "{\"type\":\"/problems/full\",\"title\":\"Too Many Requests\",\"status\":429,\"detail\":\"Full.\"}");
    json_decref(document);
    model_free(&model);
}

static void only_schemas_that_are_used_are_there(void **state) {
    (void)state;
    err_t error;
    model_t model = model_new("");
    const http_route_t routes[] = {CREATE("/entries")};
    json_t *document = built(&model, routes, 1, &error);
    const json_t *schemas = at(document, "components schemas");
    assert_non_null(json_object_get(schemas, "Entry"));
    assert_non_null(json_object_get(schemas, "Entry.entity"));
    assert_non_null(json_object_get(schemas, "problem"));
    assert_non_null(json_object_get(schemas, "violation")); /* which a problem refers to */
    assert_null(json_object_get(schemas, "Asset"));
    assert_null(json_object_get(schemas, "Entry.page"));
    json_decref(document);
    model_free(&model);
}

static void refused(const http_route_t *route, const char *why) {
    err_t error;
    model_t model = model_new("");
    json_t *document = built(&model, route, 1, &error);
    if (document) fail_msg("%s %s is described", route->method, route->path);
    if (!strstr(error.text, why)) fail_msg("%s, where \"%s\" was expected", error.text, why);
    model_free(&model);
}

static const openapi_operation_t no_setting = {.id = "a", .tag = "${limits.none}", .summary = "c"};
static const openapi_param_t no_json = {"query", "q", "A thing.", "{\"type\"", NULL};
static const openapi_operation_t no_schema = {.id = "a", .tag = "b", .summary = "c", .params = PARAMS(&no_json)};

static void a_route_without_a_description_or_with_a_wrong_one_is_refused(void **state) {
    (void)state;
    refused(&(http_route_t){.method = "GET", .path = "/entries"}, "/entries");
    refused(&(http_route_t)GET("/entries"), "parameters are described otherwise");
    refused(&(http_route_t)GET("/entries/{other}"), "parameters are described otherwise");
    refused(&(http_route_t)CREATE("/entries/{id}"), "parameters are described otherwise");
    refused(&(http_route_t){.method = "POST", .path = "/entries", .accepts = "text/plain", .about = &create}, "bodies are described otherwise");
    refused(&(http_route_t){.method = "POST", .path = "/entries", .about = &create}, "bodies are described otherwise");
    refused(&(http_route_t)CREATE("/others"), "unknown variable"); /* it is of no type */
    refused(&(http_route_t){.method = "GET", .path = "/a", .about = &no_setting}, "unknown variable");
    refused(&(http_route_t){.method = "GET", .path = "/a", .about = &no_schema}, "{\"type\"");
}

/* ---- served ---- */

typedef struct served {
    model_t model;
    self_t *self;
    http_server_t *http;
    int port;
} served_t;

static served_t serve(const char *more) {
    served_t served = {.model = model_new(more)};
    http_route_t routes[SELF_ROUTES + 2] = {CREATE("/entries"), GET("/entries/{id}")};
    err_t error;
    served.self = self_new(&(self_options_t){"test-api", "tests", served.model.settings, served.model.types});
    self_routes(served.self, routes + 2);
    if (self_describe(served.self, routes, ARRAY_LEN(routes), &error) != STATUS_OK) fail_msg("%s", error.text);
    served.http = http_start(&(http_options_t){.host = "127.0.0.1", .threads = 1, .body_bytes = 1000, .connections = 10,
                                               .routes = routes, .routes_count = ARRAY_LEN(routes)},
                             &error);
    if (!served.http) fail_msg("%s", error.text);
    served.port = http_port(served.http);
    return served;
}

static void unserve(served_t *served) {
    http_stop(served->http);
    self_free(served->self);
    model_free(&served->model);
}

static void check_served(const served_t *served, const char *target, int code, const char *part) {
    reply_t reply = http_ask(served->port, "GET", target, NULL, NULL);
    if (reply.code != code || !strstr(reply.body, part)) fail_msg("%s: %d %s", target, reply.code, reply.body);
    reply_free(&reply);
}

static void an_api_lists_what_it_has(void **state) {
    (void)state;
    served_t served = serve("");
    check_served(&served, "/", 200,
                 "\"collections\":[{\"type\":\"Entry\",\"href\":\"/entries\"}],\"links\":{\"directory\":\"/\",");
    check_served(&served, "/", 200, "\"service\":\"test-api\"");
    check_served(&served, "/openapi.json", 200, "\"/entries/{id}\"");
    unserve(&served);
}

static void what_a_client_has_already_is_not_sent_again(void **state) {
    (void)state;
    served_t served = serve("");
    static const char *const targets[] = {"/", "/openapi.json"};
    for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
        char header[1100];
        reply_t reply = http_ask(served.port, "GET", targets[i], NULL, NULL);
        snprintf(header, sizeof header, "If-None-Match: %s\r\n", reply_header(&reply, "ETag"));
        reply_free(&reply);
        reply = http_ask(served.port, "GET", targets[i], header, NULL);
        assert_int_equal(reply.code, 304);
        assert_int_equal(reply.len, 0);
        reply_free(&reply);
        reply = http_ask(served.port, "GET", targets[i], "If-None-Match: \"other\"\r\n", NULL);
        assert_int_equal(reply.code, 200);
        reply_free(&reply);
    }
    unserve(&served);
}

static void the_viewer_is_served_when_it_is_there(void **state) {
    (void)state;
    char path[256], more[128];
    temp_t viewer = temp_new();
    snprintf(more, sizeof more, ",\"http\":{\"viewer\":\"%s\"}", viewer.path);
    served_t served = serve(more);
    check_served(&served, "/docs", 404, "/problems/viewer-missing");
    check_served(&served, "/docs/swagger-ui.css", 404, "/problems/viewer-missing");
    static const char *const files[] = {"swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png"};
    for (size_t i = 0; i < ARRAY_LEN(files); i++) temp_write(&viewer, files[i], "some text", path);
    check_served(&served, "/docs", 200, "swagger-ui-bundle.js");
    check_served(&served, "/docs/swagger-ui.css", 200, "some text");
    check_served(&served, "/docs/page.js", 200, "openapi.json");
    reply_t reply = http_ask(served.port, "GET", "/docs", NULL, NULL);
    assert_non_null(strstr(reply_header(&reply, "Content-Security-Policy"), "default-src 'none'"));
    reply_free(&reply);
    unserve(&served);
    temp_free(&viewer);
}

static void no_file_but_those_of_the_viewer_is_served(void **state) {
    (void)state;
    char path[256], more[128];
    temp_t viewer = temp_new();
    temp_write(&viewer, "secret", "secret", path);
    snprintf(more, sizeof more, ",\"http\":{\"viewer\":\"%s\"}", viewer.path);
    served_t served = serve(more);
    static const char *const targets[] = {"/docs/secret", "/docs/..", "/docs/../secret", "/docs/%2e%2e%2fsecret", "/docs/",
                                          "/docs/swagger-ui.css/../secret", "/docs/page.js%00", "/docs/%2fetc%2fpasswd"};
    for (size_t i = 0; i < ARRAY_LEN(targets); i++) check_served(&served, targets[i], 404, "/problems/not-found");
    unserve(&served);
    temp_free(&viewer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_name_the_type_and_the_settings),
        cmocka_unit_test(problems_of_a_status_are_one_answer_with_all_their_types),
        cmocka_unit_test(only_schemas_that_are_used_are_there),
        cmocka_unit_test(a_route_without_a_description_or_with_a_wrong_one_is_refused),
        cmocka_unit_test(an_api_lists_what_it_has),
        cmocka_unit_test(what_a_client_has_already_is_not_sent_again),
        cmocka_unit_test(the_viewer_is_served_when_it_is_there),
        cmocka_unit_test(no_file_but_those_of_the_viewer_is_served),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
