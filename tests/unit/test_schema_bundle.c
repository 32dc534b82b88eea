/* A schema as a set of named schemas of draft 2020-12: the names, and what older drafts become. That a set says the same
   as its schema is what test_schema_suite has for every case of the suite. */
#include "common/json.h"
#include "common/schema.h"
#include "common/strbuf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static json_t *parsed(const char *text) {
    json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
    if (!value) fail_msg("no JSON: %s", text);
    return value;
}

/* `schema` as a set, beside `others`, is just `expected`. */
static void becomes_beside(const char *schema, const char *others, const char *expected) {
    err_t error = {""};
    json_t *document = parsed(schema), *schemas = parsed(others), *wanted = parsed(expected);
    schema_options_t options = {.bundle = &(schema_bundle_t){schemas, "#/s/", "Book", "Book.data."}};
    schema_t *compiled = schema_compile(document, "book.json", &options, &error);
    if (!compiled) fail_msg("%s", error.text);
    strbuf_t found = {0};
    json_add_value(&found, schemas);
    if (!json_equal(schemas, wanted)) fail_msg("became %s,\nnot %s", found.data, expected);
    strbuf_free(&found);
    schema_free(compiled);
    json_decref(document);
    json_decref(schemas);
    json_decref(wanted);
}

static void becomes(const char *schema, const char *expected) {
    becomes_beside(schema, "{}", expected);
}

static void definitions_become_schemas_of_the_set(void **state) {
    (void)state;
    becomes("{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"$id\":\"https://a.test/book\",\"type\":\"object\","
            "\"properties\":{\"page\":{\"$ref\":\"#/$defs/page\",\"title\":\"A page\"},\"x\":{\"$ref\":\"#mark\"}},"
            "\"$defs\":{\"page\":{\"type\":\"integer\"},\"m/k\":{\"$anchor\":\"mark\",\"x-link\":\"Asset\"}}}",
            "{\"Book\":{\"type\":\"object\",\"properties\":{\"page\":{\"$ref\":\"#/s/Book.data.page\",\"title\":\"A page\"},"
            "\"x\":{\"$ref\":\"#/s/Book.data.m_1k\"}}},"
            "\"Book.data.page\":{\"type\":\"integer\"},\"Book.data.m_1k\":{\"x-link\":\"Asset\"}}");
}

static void a_schema_may_refer_to_itself_and_to_any_place_in_it(void **state) {
    (void)state;
    becomes("{\"properties\":{\"next\":{\"$ref\":\"#\"},\"again\":{\"$ref\":\"#/properties/next\"}}}",
            "{\"Book\":{\"properties\":{\"next\":{\"$ref\":\"#/s/Book\"},\"again\":{\"$ref\":\"#/s/Book.data.next\"}}},"
            "\"Book.data.next\":{\"$ref\":\"#/s/Book\"}}");
}

static void names_differ_by_letters_and_digits(void **state) {
    (void)state;
    becomes_beside("{\"allOf\":[{\"$ref\":\"#/$defs/a-b\"},{\"$ref\":\"#/$defs/aB\"},{\"$ref\":\"#/$defs/c\"}],"
                   "\"$defs\":{\"a-b\":true,\"aB\":false,\"c\":{}}}",
                   "{\"BookDataC\":null}",
                   "{\"BookDataC\":null,\"Book\":{\"allOf\":[{\"$ref\":\"#/s/Book.data.a-b\"},{\"$ref\":\"#/s/Book.data.aB2\"},"
                   "{\"$ref\":\"#/s/Book.data.c2\"}]},\"Book.data.a-b\":true,\"Book.data.aB2\":false,\"Book.data.c2\":{}}");
}

static void older_drafts_are_said_in_the_words_of_the_newest(void **state) {
    (void)state;
    becomes("{\"$schema\":\"http://json-schema.org/draft-07/schema#\",\"definitions\":{\"n\":{\"type\":\"number\"}},"
            "\"properties\":{\"ref\":{\"$ref\":\"#/definitions/n\",\"minimum\":3},\"pair\":{\"items\":[{\"$ref\":\"#/definitions/n\"},true],"
            "\"additionalItems\":false},\"list\":{\"items\":{\"type\":\"string\"},\"additionalItems\":false}},"
            "\"dependencies\":{\"a\":[\"b\"],\"c\":{\"required\":[\"d\"]}},\"dependentRequired\":{\"x\":[\"y\"]}}",
            "{\"Book\":{\"properties\":{\"ref\":{\"$ref\":\"#/s/Book.data.n\"},\"pair\":{\"prefixItems\":[{\"$ref\":\"#/s/Book.data.n\"},true],"
            "\"items\":false},\"list\":{\"items\":{\"type\":\"string\"}}},"
            "\"dependentRequired\":{\"a\":[\"b\"]},\"dependentSchemas\":{\"c\":{\"required\":[\"d\"]}}},"
            "\"Book.data.n\":{\"type\":\"number\"}}");
}

static void what_a_dynamic_reference_means_is_written_out(void **state) {
    (void)state;
    becomes("{\"$id\":\"https://a.test/strict\",\"$dynamicAnchor\":\"node\",\"$ref\":\"tree\",\"unevaluatedProperties\":false,"
            "\"$defs\":{\"tree\":{\"$id\":\"https://a.test/tree\",\"$dynamicAnchor\":\"node\",\"type\":\"object\","
            "\"properties\":{\"children\":{\"items\":{\"$dynamicRef\":\"#node\"}}}}}}",
            "{\"Book\":{\"$ref\":\"#/s/Book.data.tree\",\"unevaluatedProperties\":false},"
            "\"Book.data.tree\":{\"type\":\"object\",\"properties\":{\"children\":{\"items\":{\"$ref\":\"#/s/Book\"}}}}}");
}

static void what_the_surrounding_document_would_read_otherwise_is_left_out(void **state) {
    (void)state;
    becomes("{\"discriminator\":7,\"nullable\":true,\"x-index\":true,\"title\":\"t\",\"examples\":[1]}",
            "{\"Book\":{\"x-index\":true,\"title\":\"t\",\"examples\":[1]}}");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(definitions_become_schemas_of_the_set),
        cmocka_unit_test(a_schema_may_refer_to_itself_and_to_any_place_in_it),
        cmocka_unit_test(names_differ_by_letters_and_digits),
        cmocka_unit_test(older_drafts_are_said_in_the_words_of_the_newest),
        cmocka_unit_test(what_a_dynamic_reference_means_is_written_out),
        cmocka_unit_test(what_the_surrounding_document_would_read_otherwise_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
