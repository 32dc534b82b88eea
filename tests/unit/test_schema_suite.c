/* Runs the JSON Schema organisation's own test suite, from the directory that ODRADEK_SUITE names: every draft that is
   there, the optional parts too. Where there is no suite, that is said and the tests are skipped. */
#include "common/mem.h"
#include "common/schema.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

/* What the optional parts ask for and this validator does otherwise, with the reason. */
static const struct {
    const char *file, *test; /* parts of their names; NULL: any test */
    const char *reason;
} departures[] = {
    {"draft7/optional/content.json", NULL, "what is encoded in strings is not looked into"},
};

static const struct {
    const char *directory;
    schema_draft_t draft;
} drafts[] = {
    {"draft2020-12", SCHEMA_DRAFT_2020_12},
    {"draft2019-09", SCHEMA_DRAFT_2019_09},
    {"draft7", SCHEMA_DRAFT_07},
    {"draft6", SCHEMA_DRAFT_06},
};

typedef struct tally {
    unsigned run, failed, departed;
} tally_t;

static const char *suite(void) {
    const char *path = getenv("ODRADEK_SUITE");
    return path ? path : "../shared/json-schema-test-suite";
}

static bool departs(const char *file, const char *test) {
    for (size_t i = 0; i < ARRAY_LEN(departures); i++) {
        if (strstr(file, departures[i].file) && (!departures[i].test || strstr(test, departures[i].test))) return true;
    }
    return false;
}

static const char *text_of(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static void note(tally_t *tally, const char *file, const json_t *group, const json_t *test, const char *what) {
    char name[512];
    snprintf(name, sizeof name, "%s / %s", text_of(group, "description"), text_of(test, "description"));
    if (departs(file, name)) {
        tally->departed++;
        return;
    }
    tally->failed++;
    print_error("%s: %s: %s\n", file, name, what);
}

static void check_test(const schema_t *schema, const schema_t *literal, const json_t *group, const json_t *test,
                       const char *file, tally_t *tally) {
    const json_t *data = json_object_get(test, "data");
    bool expected = json_is_true(json_object_get(test, "valid"));
    schema_failures_t failures = {0};
    tally->run++;
    bool valid = schema_valid(schema, data);
    if (valid != expected) note(tally, file, group, test, valid ? "is found valid" : "is found invalid");
    if (schema_valid(literal, data) != valid) note(tally, file, group, test, "is found otherwise by the schema as it stands");
    if ((schema_validate(schema, data, &failures) == 0) != valid)
        note(tally, file, group, test, "the two calls do not agree");
    schema_failures_free(&failures);
}

/* The same schema as a set of schemas in another document, which anything that knows only draft 2020-12 can read. */
static json_t *bundle_of(const json_t *schema, const schema_options_t *options) {
    json_t *schemas = json_object();
    schema_options_t bundling = *options;
    bundling.bundle = &(schema_bundle_t){schemas, "#/components/schemas/", "Root", "Root.data."};
    schema_t *compiled = schema_compile(schema, NULL, &bundling, NULL);
    schema_free(compiled);
    return json_pack("{s:s, s:{s:o}}", "$ref", "#/components/schemas/Root", "components", "schemas", schemas);
}

/* That a set says the same as the schema that it was made of, and refers to nothing outside. */
static void check_bundle(const json_t *group, const char *file, const schema_options_t *options, tally_t *tally) {
    err_t error;
    json_t *document = bundle_of(json_object_get(group, "schema"), options), *test;
    const schema_options_t alone = {.format = options->format};
    schema_t *schema = schema_compile(document, NULL, &alone, &error);
    size_t i;
    json_array_foreach(json_object_get(group, "tests"), i, test) {
        bool expected = json_is_true(json_object_get(test, "valid"));
        tally->run++;
        if (!schema)
            note(tally, file, group, test, error.text);
        else if (schema_valid(schema, json_object_get(test, "data")) != expected)
            note(tally, file, group, test, "is found otherwise by the schema as a set");
    }
    schema_free(schema);
    json_decref(document);
}

static void check_group(const json_t *group, const char *file, const schema_options_t *options, tally_t *tally) {
    err_t error;
    check_bundle(group, file, options, tally);
    schema_options_t literally = *options;
    literally.literal = true;
    schema_t *schema = schema_compile(json_object_get(group, "schema"), NULL, options, &error);
    schema_t *literal = schema ? schema_compile(json_object_get(group, "schema"), NULL, &literally, &error) : NULL;
    size_t i;
    json_t *test;
    json_array_foreach(json_object_get(group, "tests"), i, test) {
        if (literal) {
            check_test(schema, literal, group, test, file, tally);
        } else {
            tally->run++;
            note(tally, file, group, test, error.text);
        }
    }
    schema_free(literal);
    schema_free(schema);
}

static void check_file(const char *file, const schema_options_t *options, tally_t *tally) {
    json_error_t reason;
    json_t *groups = json_load_file(file, JSON_ALLOW_NUL, &reason), *group;
    size_t i;
    if (!groups && json_error_code(&reason) == json_error_numeric_overflow)
        groups = json_load_file(file, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &reason);
    if (!groups) {
        note(tally, file, NULL, NULL, reason.text);
        return;
    }
    json_array_foreach(groups, i, group) check_group(group, file, options, tally);
    json_decref(groups);
}

static void check_files(const char *draft, const char *part, schema_options_t options, tally_t *tally) {
    char *pattern = mem_printf("%s/tests/%s/%s*.json", suite(), draft, part);
    char *directory = mem_printf("%s/remotes", suite());
    const schema_remote_t remote = {.base_uri = "http://localhost:1234/", .path = directory};
    options.remotes = &remote;
    options.remote_count = 1;
    glob_t found;
    if (glob(pattern, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++) check_file(found.gl_pathv[i], &options, tally);
        globfree(&found);
    }
    free(pattern);
    free(directory);
}

static bool is_there(const char *draft) {
    struct stat info;
    char *path = mem_printf("%s/tests/%s", suite(), draft);
    bool there = stat(path, &info) == 0 && S_ISDIR(info.st_mode);
    free(path);
    return there;
}

static void report(const char *draft, const char *part, const tally_t *tally) {
    if (tally->run == 0) return;
    print_message("%s %s: %u tests, %u failed, %u departures\n", draft, part, tally->run, tally->failed,
                  tally->departed);
}

static unsigned check_draft(const char *draft, schema_draft_t number) {
    tally_t required = {0}, optional = {0}, formats = {0};
    check_files(draft, "", (schema_options_t){.draft = number}, &required);
    check_files(draft, "optional/", (schema_options_t){.draft = number}, &optional);
    check_files(draft, "optional/format/", (schema_options_t){.draft = number, .format = SCHEMA_FORMAT_ASSERT},
                &formats);
    report(draft, "required", &required);
    report(draft, "optional", &optional);
    report(draft, "formats", &formats);
    return required.failed + optional.failed + formats.failed;
}

static void every_draft_that_is_there_passes(void **state) {
    (void)state;
    unsigned failed = 0;
    if (!is_there(drafts[0].directory)) {
        print_message("no suite in %s (ODRADEK_SUITE): skipped\n", suite());
        skip();
    }
    for (size_t i = 0; i < ARRAY_LEN(drafts); i++) {
        if (is_there(drafts[i].directory)) failed += check_draft(drafts[i].directory, drafts[i].draft);
    }
    assert_int_equal(failed, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_draft_that_is_there_passes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
