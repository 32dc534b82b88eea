/* The entity types that settings name. */
#include "common/json.h"
#include "tests/unit/model.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void commands_and_events_are_named_after_the_type(void **state) {
    (void)state;
    model_t model = model_new("");
    static const char *const commands[] = {"createEntry", "updateEntry", "deleteEntry"};
    static const char *const events[] = {"entryCreated", "entryUpdated", "entryDeleted"};
    for (int verb = 0; verb < VERB_COUNT; verb++) {
        verb_t found = VERB_COUNT;
        assert_string_equal(model.entry->commands[verb], commands[verb]);
        assert_string_equal(model.entry->events[verb], events[verb]);
        assert_ptr_equal(types_of_command(model.types, commands[verb], &found), model.entry);
        assert_int_equal(found, verb);
        found = VERB_COUNT;
        assert_ptr_equal(types_of_event(model.types, events[verb], &found), model.entry);
        assert_int_equal(found, verb);
    }
    verb_t verb;
    assert_ptr_equal(types_of_command(model.types, "deleteAsset", &verb), model.asset);
    assert_ptr_equal(types_of_event(model.types, "assetUpdated", &verb), model.asset);
    static const char *const unknown[] = {"", "create", "createentry", "CreateEntry", "createEntries", "createEntryx", "entryCreated"};
    for (size_t i = 0; i < ARRAY_LEN(unknown); i++) assert_null(types_of_command(model.types, unknown[i], &verb));
    assert_null(types_of_event(model.types, "createEntry", &verb));
    assert_null(types_of_event(model.types, "EntryCreated", &verb));
    model_free(&model);
}

static bool write_link(const link_t *link, void *context) {
    strbuf_addf(context, "%s=%s:%s ", link->field, link->target->name, link->id);
    return true;
}

static void links_are_found_in_members_and_lists(void **state) {
    (void)state;
    model_t model = model_new("");
    static const struct {
        const char *data, *links;
    } cases[] = {
        {"{\"title\":\"x\"}", ""},
        {"{\"heroImage\":\"a\"}", "heroImage=Asset:a "},
        {"{\"images\":[\"a\",\"b\",\"a\"]}", "images=Asset:a images=Asset:b images=Asset:a "},
        {"{\"parent\":\"e\",\"images\":[\"b\"],\"heroImage\":\"a\"}", "heroImage=Asset:a images=Asset:b parent=Entry:e "},
        {"{\"heroImage\":1,\"images\":[2,null,\"a\"],\"parent\":{}}", "images=Asset:a "}, /* what the schema refuses */
        {"{\"images\":[]}", ""},
        {"{\"other\":\"a\"}", ""},
        {"[\"a\"]", ""},
        {"null", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        json_t *data = json_read(cases[i].data, strlen(cases[i].data), NULL);
        strbuf_t links = {0};
        strbuf_adds(&links, "");
        types_each_link(model.entry, data, write_link, &links);
        assert_string_equal(links.data, cases[i].links);
        strbuf_clear(&links);
        types_each_link(model.asset, data, write_link, &links);
        assert_string_equal(links.data, "");
        strbuf_free(&links);
        json_decref(data);
    }
    types_each_link(model.entry, NULL, write_link, NULL);
    model_free(&model);
}

static bool count_to_two(const link_t *link, void *context) {
    (void)link;
    return ++*(int *)context < 2;
}

static void the_caller_can_stop_at_a_link(void **state) {
    (void)state;
    model_t model = model_new("");
    const char *text = "{\"images\":[\"a\",\"b\",\"c\"],\"parent\":\"e\"}";
    json_t *data = json_read(text, strlen(text), NULL);
    int count = 0;
    types_each_link(model.entry, data, count_to_two, &count);
    assert_int_equal(count, 2);
    json_decref(data);
    model_free(&model);
}

/* ---- unique members ---- */

static void digest_of(const char *text, char digest[UNIQUE_DIGEST_SIZE]) {
    json_t *value = json_read(text, strlen(text), NULL);
    unique_digest(value, digest);
    json_decref(value);
}

static void equal_values_have_one_digest_and_others_another(void **state) {
    (void)state;
    /* A row is equal within itself, and to no other row. */
    static const char *const rows[][4] = {
        {"1", "1.0", "1e0", "10e-1"}, {"0", "-0.0", "0.0", "-0"}, {"\"1\""}, {"true"}, {"false"}, {"\"true\""}, {"\"\""},
        {"9007199254740992", "9007199254740992.0"}, {"9007199254740993"}, {"-9223372036854775808", "-9223372036854775808.0"},
        {"9223372036854775807"}, {"9223372036854775808.0", "9.223372036854775808e18"}, {"1e300", "10e299"}, {"0.1", "1e-1"}, {"0.10000000000000002"},
        {"\"\u00e9\"", "\"\xc3\xa9\""}, {"\"e\u0301\""}, {"\"a\\nb\""}, {"[]"}, {"{}"}, {"[1]", "[1.0]", "[ 1 ]"}, {"[1,2]"}, {"[2,1]"}, {"[[1],2]"},
        {"{\"a\":1,\"b\":2}", "{\"b\":2.0,\"a\":1}"}, {"{\"a\":{\"b\":2},\"c\":[{\"d\":1,\"e\":1}]}", "{\"c\":[{\"e\":1,\"d\":1}],\"a\":{\"b\":2}}"},
        {"{\"a\":null}"}, {"{\"a\":1}"}, {"\"{}\""}, {"null"},
    };
    char digests[ARRAY_LEN(rows)][UNIQUE_DIGEST_SIZE], other[UNIQUE_DIGEST_SIZE];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        digest_of(rows[i][0], digests[i]);
        assert_int_equal(strlen(digests[i]), UNIQUE_DIGEST_SIZE - 1);
        assert_int_equal(strspn(digests[i], "0123456789abcdef"), UNIQUE_DIGEST_SIZE - 1);
        for (size_t n = 1; n < 4 && rows[i][n]; n++) {
            digest_of(rows[i][n], other);
            if (strcmp(other, digests[i])) fail_msg("%s is not %s", rows[i][n], rows[i][0]);
        }
        for (size_t n = 0; n < i; n++)
            if (!strcmp(digests[n], digests[i])) fail_msg("%s is %s", rows[n][0], rows[i][0]);
    }
    digest_of("\"abc\"", other); /* what is stored stays valid: SHA-256 of the five bytes */
    assert_string_equal(other, "6cc43f858fbb763301637b5af970e2a46b46f461f27e5a0f41e009c59b827b25");
}

#define UNIQUE_ENTRY                                                                                                   \
    "{\"type\":\"object\",\"properties\":{\"mail\":{\"x-unique\":true},\"other\":{\"x-unique\":false},\"any\":true,"          \
    "\"number\":{\"x-unique\":true},\"deep\":{\"properties\":{\"x\":{\"x-unique\":true}}}}}"

static bool write_unique(const unique_t *value, void *context) {
    char one[UNIQUE_DIGEST_SIZE];
    digest_of("1", one);
    strbuf_addf(context, "%s=%s ", value->field, strcmp(value->digest, one) ? "other" : "1");
    return true;
}

static bool stop_at_once(const unique_t *value, void *context) {
    (void)value;
    ++*(int *)context;
    return false;
}

static void unique_values_are_those_of_members_of_the_root_that_are_not_null(void **state) {
    (void)state;
    temp_t temp = temp_new();
    char path[256];
    err_t error = {""};
    temp_write(&temp, "entry.json", UNIQUE_ENTRY, path);
    temp_write(&temp, "asset.json", MODEL_ASSET, path);
    settings_t *settings = settings_load(temp_write(&temp, "settings.json", "{" MODEL_TYPES "}", path), &error);
    types_t *types = types_load(settings, path, &error);
    if (!types) fail_msg("%s", error.text);
    static const struct {
        const char *data, *values;
    } cases[] = {
        {"{}", ""},
        {"{\"mail\":\"x\",\"other\":1,\"any\":1,\"deep\":{\"x\":1}}", "mail=other "},
        {"{\"number\":1.0,\"mail\":1}", "mail=1 number=1 "},
        {"{\"number\":null,\"mail\":false}", "mail=other "},
        {"[1]", ""},
        {"null", ""},
    };
    strbuf_t values = {0};
    int count = 0;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        json_t *data = json_read(cases[i].data, strlen(cases[i].data), NULL);
        strbuf_clear(&values);
        strbuf_adds(&values, "");
        types_each_unique(&types->items[0], data, write_unique, &values);
        assert_string_equal(values.data, cases[i].values);
        types_each_unique(&types->items[1], data, stop_at_once, &count); /* has none */
        assert_int_equal(count, 0);
        json_decref(data);
    }
    types_each_unique(&types->items[0], NULL, stop_at_once, &count);
    assert_int_equal(count, 0);
    json_t *both = json_pack("{s:i,s:i}", "mail", 1, "number", 1);
    types_each_unique(&types->items[0], both, stop_at_once, &count);
    assert_int_equal(count, 1);
    json_decref(both);
    strbuf_free(&values);
    types_free(types);
    settings_free(settings);
    temp_free(&temp);
}

static void each_type_has_its_schema(void **state) {
    (void)state;
    model_t model = model_new("");
    json_t *good = json_pack("{s:s}", "title", "x"), *bad = json_pack("{s:i}", "title", 1);
    assert_true(schema_valid(model.entry->schema, good));
    assert_false(schema_valid(model.entry->schema, bad));
    json_decref(good);
    json_decref(bad);
    model_free(&model);
}

static void fields_that_are_indexed_are_those_that_say_so(void **state) {
    (void)state;
    model_t model = model_new("");
    assert_int_equal(model.entry->indexes_count, 2);
    assert_string_equal(model.entry->indexes[0], "title");
    assert_string_equal(model.entry->indexes[1], "size");
    assert_int_equal(model.asset->indexes_count, 0);
    model_free(&model);
}

/* Loads types from these files; what is refused must have all of `parts` in its error. */
static void assert_refused(const char *content_types, const char *entry, const char *const *parts) {
    temp_t temp = temp_new();
    char path[256], text[1024];
    err_t error = {""};
    temp_write(&temp, "asset.json", MODEL_ASSET, path);
    if (entry) temp_write(&temp, "entry.json", entry, path);
    snprintf(text, sizeof text, "{\"contentTypes\":[%s]}", content_types);
    settings_t *settings = settings_load(temp_write(&temp, "settings.json", text, path), &error);
    if (!settings) fail_msg("%s", error.text);
    types_t *types = types_load(settings, path, &error);
    if (types) fail_msg("%s is accepted", content_types);
    assert_memory_equal(error.text, temp.path, strlen(temp.path)); /* the file */
    for (size_t i = 0; parts[i]; i++)
        if (!strstr(error.text, parts[i])) fail_msg("no \"%s\" in \"%s\"", parts[i], error.text);
    settings_free(settings);
    temp_free(&temp);
}

#define REFUSED(types, entry, ...) assert_refused(types, entry, (const char *const[]){__VA_ARGS__, NULL})
#define ENTRY "{\"name\":\"Entry\",\"base\":\"entries\",\"schema\":\"entry.json\"}"
#define OTHER(name, base) "{\"name\":\"" name "\",\"base\":\"" base "\",\"schema\":\"asset.json\"}"

static void a_link_to_a_type_that_settings_do_not_name_is_refused(void **state) {
    (void)state;
    REFUSED(ENTRY, MODEL_ENTRY, "entry.json", "/properties/heroImage/x-link", "\"Asset\"");
    REFUSED(ENTRY, "{\"properties\":{\"list\":{\"items\":{\"x-link\":\"Nobody\"}}}}", "entry.json", "/properties/list", "\"Nobody\"");
}

static void an_index_that_cannot_be_is_refused(void **state) {
    (void)state;
#define INDEXED(name, mark) "{\"type\":\"object\",\"properties\":{\"" name "\":{\"x-index\":" mark "}}}"
    REFUSED(ENTRY, INDEXED("a", "\"true\""), "entry.json", "/properties/a/x-index", "true or false");
    REFUSED(ENTRY, INDEXED("a", "1"), "/properties/a/x-index", "true or false");
    REFUSED(ENTRY, INDEXED("a", "null"), "/properties/a/x-index", "true or false");
    REFUSED(ENTRY, INDEXED("id", "true"), "/properties/id/x-index", "another name");
    REFUSED(ENTRY, INDEXED("-a", "true"), "/properties/-a/x-index", "begin with");
    REFUSED(ENTRY, INDEXED("a,b", "true"), "/properties/a,b/x-index", "comma");
    REFUSED(ENTRY, INDEXED("a]", "true"), "/properties/a]/x-index", "bracket");
    REFUSED(ENTRY, INDEXED("\\u0001", "true"), "/x-index", "control character");
    REFUSED(ENTRY, INDEXED("", "true"), "/properties//x-index", "1 to 128");
}

static void a_unique_member_says_true_or_false_and_has_a_name_that_fits_into_a_key(void **state) {
    (void)state;
    REFUSED(ENTRY, "{\"type\":\"object\",\"properties\":{\"mail\":{\"x-unique\":\"yes\"}}}", "entry.json", "/properties/mail/x-unique", "true or false");
    REFUSED(ENTRY, "{\"type\":\"object\",\"properties\":{\"mail\":{\"x-unique\":null}}}", "/properties/mail/x-unique");
    REFUSED(ENTRY, "{\"type\":\"object\",\"properties\":{\"a\\nb\":{\"x-unique\":true}}}", "x-unique", "control characters");
    char text[512], name[UNIQUE_FIELD_MAX + 2];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    snprintf(text, sizeof text, "{\"type\":\"object\",\"properties\":{\"%s\":{\"x-unique\":true}}}", name);
    REFUSED(ENTRY, text, "x-unique", "at most 128 bytes");
}

static void two_types_of_one_name_or_base_are_refused(void **state) {
    (void)state;
    REFUSED(OTHER("A", "a") "," OTHER("B", "b") "," OTHER("A", "c"), NULL, "settings.json", "/contentTypes/2", "/contentTypes/0");
    REFUSED(OTHER("A", "a") "," OTHER("B", "a"), NULL, "settings.json", "/contentTypes/1", "/contentTypes/0");
}

static void a_base_that_is_a_path_of_odradek_is_refused(void **state) {
    (void)state;
    REFUSED(OTHER("A", "commands"), NULL, "settings.json", "/contentTypes/0/base", "\"commands\"");
    REFUSED(OTHER("A", "health"), NULL, "/contentTypes/0/base", "\"health\"");
    REFUSED(OTHER("A", "ready"), NULL, "/contentTypes/0/base", "\"ready\"");
    REFUSED(OTHER("B", "b") "," OTHER("A", "metrics"), NULL, "/contentTypes/1/base", "\"metrics\"");
}

static void a_schema_that_is_none_is_refused_with_its_file(void **state) {
    (void)state;
    REFUSED(ENTRY, "{\"type\":\"objekt\"}", "entry.json", "/type");
    REFUSED(ENTRY, "{\"properties\":", "entry.json:1:");
    REFUSED(ENTRY, "[]", "entry.json");
    REFUSED(ENTRY, "{\"properties\":{\"a\":{\"$ref\":\"#/$defs/none\"}}}", "entry.json");
    REFUSED(ENTRY, NULL, "entry.json", "No such file");
}

static void schemas_are_seen_from_the_settings_file_or_from_the_root(void **state) {
    (void)state;
    temp_t temp = temp_new();
    char path[256], text[1024], asset[256];
    err_t error = {""};
    temp_write(&temp, "asset.json", MODEL_ASSET, asset);
    snprintf(text, sizeof text, "{\"contentTypes\":[{\"name\":\"A\",\"base\":\"a\",\"schema\":\"%s\"},"
                                "{\"name\":\"B\",\"base\":\"b\",\"schema\":\"../%s/asset.json\"}]}",
             asset, temp.path + strlen("/tmp/"));
    settings_t *settings = settings_load(temp_write(&temp, "settings.json", text, path), &error);
    types_t *types = types_load(settings, path, &error);
    if (!types) fail_msg("%s", error.text);
    types_free(types);
    assert_int_equal(chdir(temp.path), 0);
    types = types_load(settings, "settings.json", &error);
    if (!types) fail_msg("%s", error.text);
    types_free(types);
    assert_int_equal(chdir("/"), 0);
    settings_free(settings);
    temp_free(&temp);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_and_events_are_named_after_the_type),
        cmocka_unit_test(links_are_found_in_members_and_lists),
        cmocka_unit_test(the_caller_can_stop_at_a_link),
        cmocka_unit_test(equal_values_have_one_digest_and_others_another),
        cmocka_unit_test(unique_values_are_those_of_members_of_the_root_that_are_not_null),
        cmocka_unit_test(each_type_has_its_schema),
        cmocka_unit_test(fields_that_are_indexed_are_those_that_say_so),
        cmocka_unit_test(an_index_that_cannot_be_is_refused),
        cmocka_unit_test(a_link_to_a_type_that_settings_do_not_name_is_refused),
        cmocka_unit_test(a_unique_member_says_true_or_false_and_has_a_name_that_fits_into_a_key),
        cmocka_unit_test(two_types_of_one_name_or_base_are_refused),
        cmocka_unit_test(a_base_that_is_a_path_of_odradek_is_refused),
        cmocka_unit_test(a_schema_that_is_none_is_refused_with_its_file),
        cmocka_unit_test(schemas_are_seen_from_the_settings_file_or_from_the_root),
    };
    return cmocka_run_group_tests_name("types", tests, NULL, NULL);
}
