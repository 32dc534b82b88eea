/* What the schema module promises beyond the official suite: refusals, messages, numbers, patterns, limits. */
#include "common/mem.h"
#include "common/schema.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static json_t *parse(const char *text) {
    json_error_t reason;
    json_t *value = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, &reason);
    if (!value) fail_msg("%s: %s", text, reason.text);
    return value;
}

static schema_t *compile_with(const char *text, const schema_options_t *options) {
    err_t error;
    json_t *document = parse(text);
    schema_t *schema = schema_compile(document, "test.json", options, &error);
    json_decref(document);
    if (!schema) fail_msg("%s: %s", text, error.text);
    return schema;
}

static bool is_valid_with(const char *schema_text, const char *text, const schema_options_t *options) {
    schema_t *schema = compile_with(schema_text, options);
    json_t *value = parse(text);
    schema_failures_t failures = {0};
    bool valid = schema_valid(schema, value);
    assert_int_equal(valid, schema_validate(schema, value, &failures) == 0);
    schema_failures_free(&failures);
    json_decref(value);
    schema_free(schema);
    return valid;
}

static void accepts(const char *schema, const char *text) {
    if (!is_valid_with(schema, text, NULL)) fail_msg("%s does not accept %s", schema, text);
}

static void rejects(const char *schema, const char *text) {
    if (is_valid_with(schema, text, NULL)) fail_msg("%s accepts %s", schema, text);
}

static void refuses_with(const char *text, const schema_options_t *options, const char *message) {
    err_t error = {0};
    json_t *document = parse(text);
    schema_t *schema = schema_compile(document, "test.json", options, &error);
    json_decref(document);
    schema_free(schema);
    if (schema) fail_msg("%s is taken for a schema", text);
    if (!strstr(error.text, message)) fail_msg("%s: %s, where \"%s\" was expected", text, error.text, message);
}

static void refuses(const char *text, const char *message) {
    refuses_with(text, NULL, message);
}

/* ---- What is taken of memory ---- */

/* Counts what is asked for, unless a sanitizer has its own allocator. */
static size_t asked_times, asked_bytes;

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#endif
#else
#define SANITIZED
#endif

#ifndef SANITIZED
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);

void *malloc(size_t size) {
    asked_times++;
    asked_bytes += size;
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    asked_times++;
    asked_bytes += count * size;
    return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size) {
    asked_times++;
    asked_bytes += size;
    return __libc_realloc(memory, size);
}
#endif

/* ---- Schemas ---- */

static void a_wrong_schema_is_refused_with_its_place_and_the_reason(void **state) {
    (void)state;
    refuses("{\"properties\":{\"a\":{\"type\":\"strin\"}}}", "test.json#/properties/a/type: must be one of");
    refuses("{\"properties\":{\"a/b~c\":{\"minLength\":-1}}}", "test.json#/properties/a~1b~0c/minLength: ");
    refuses("{\"items\":[{}]}", "test.json#/items: must be object or boolean, is array");
    refuses("{\"multipleOf\":0}", "/multipleOf: must be above 0");
    refuses("{\"required\":[\"a\",\"a\"]}", "/required: items 0 and 1 are equal");
    refuses("[]", "test.json#: must be object or boolean, is array");
    refuses("{\"$schema\":\"https://example.com/none\"}", "https://example.com/none is not a metaschema that is known");
    refuses("{\"pattern\":\"a(\"}", "test.json#/pattern: the pattern a(: ");
    refuses("{\"$anchor\":\"a\",\"items\":{\"$anchor\":\"a\"}}",
            "test.json#/items/$anchor: the anchor \"a\" is there twice");
}

static void a_reference_that_leads_nowhere_is_refused(void **state) {
    (void)state;
    refuses("{\"items\":{\"$ref\":\"#/$defs/a\"}}", "test.json#/items/$ref: \"#/$defs/a\" leads nowhere");
    refuses("{\"$ref\":\"#none\"}", "test.json#/$ref: \"#none\" leads nowhere");
    refuses("{\"$ref\":\"https://example.com/a\"}", "no schema is known for https://example.com/a");
    refuses("{\"$defs\":{\"unused\":{\"$ref\":\"#/none\"}}}", "test.json#/$defs/unused/$ref: ");
    refuses("{\"$ref\":\"#/minimum\",\"minimum\":1}", "a schema is an object or a boolean");
}

static void references_in_a_circle_are_refused(void **state) {
    (void)state;
    refuses("{\"$ref\":\"#\"}", "without end");
    refuses("{\"$defs\":{\"a\":{\"allOf\":[{\"$ref\":\"#/$defs/b\"}]},\"b\":{\"not\":{\"$ref\":\"#/$defs/a\"}}}}",
            "without end");
    refuses("{\"if\":true,\"then\":{\"$ref\":\"#\"}}", "without end");
    refuses("{\"dependentSchemas\":{\"a\":{\"$ref\":\"#\"}}}", "without end");
    accepts("{\"properties\":{\"a\":{\"$ref\":\"#\"}}}", "{\"a\":{\"a\":{}}}");
}

static void a_circle_through_dynamic_references_ends_at_a_limit(void **state) {
    (void)state;
    const char *schema =
        "{\"$id\":\"http://x/a\",\"$dynamicAnchor\":\"n\",\"$ref\":\"b\",\"$defs\":{\"b\":{\"$id\":\"b\","
        "\"$dynamicAnchor\":\"n\",\"properties\":{\"a\":true},\"not\":{\"$dynamicRef\":\"#n\"}}}}";
    rejects(schema, "{}");
}

static void keywords_that_no_draft_knows_are_refused_when_strict(void **state) {
    (void)state;
    schema_options_t strict = {.strict = true};
    refuses_with("{\"properties\":{\"a\":{\"requird\":[]}}}", &strict,
                 "#/properties/a/requird: no draft has this keyword");
    assert_true(is_valid_with("{\"x-link\":\"Asset\",\"$ref\":\"https://json-schema.org/draft/2020-12/schema\"}", "{}",
                              &strict));
    accepts("{\"requird\":[\"a\"]}", "{}");
}

static void each_resource_is_read_by_its_own_draft(void **state) {
    (void)state;
    const char *schema = "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"properties\":{\"a\":{"
                         "\"$id\":\"http://x/old\",\"$schema\":\"http://json-schema.org/draft-07/schema#\","
                         "\"items\":[{\"type\":\"string\"}],\"additionalItems\":false,\"prefixItems\":[false]}}}";
    accepts(schema, "{\"a\":[\"x\"]}");
    rejects(schema, "{\"a\":[1]}");
    rejects(schema, "{\"a\":[\"x\",1]}");
    schema_options_t old = {.draft = SCHEMA_DRAFT_07};
    assert_true(is_valid_with("{\"dependentRequired\":{\"a\":[\"b\"]}}", "{\"a\":1}", &old));
    assert_false(is_valid_with("{\"$ref\":\"#/definitions/a\",\"minimum\":9,\"definitions\":{\"a\":{\"maximum\":3}}}",
                               "5", &old));
    assert_true(is_valid_with("{\"$ref\":\"#/definitions/a\",\"minimum\":9,\"definitions\":{\"a\":{\"maximum\":3}}}",
                              "2", &old));
}

static void remotes_in_memory_and_in_directories_are_found(void **state) {
    (void)state;
    json_t *document = parse("{\"$defs\":{\"n\":{\"type\":\"integer\"}}}");
    schema_remote_t remotes[] = {{.base_uri = "http://x/common.json", .document = document},
                                 {.base_uri = "http://x/meta/", .path = "schemas/meta"}};
    schema_options_t options = {.remotes = remotes, .remote_count = ARRAY_LEN(remotes)};
    assert_false(is_valid_with("{\"$ref\":\"http://x/common.json#/$defs/n\"}", "\"a\"", &options));
    assert_true(is_valid_with("{\"$ref\":\"http://x/common.json#/$defs/n\"}", "1", &options));
    refuses_with("{\"$ref\":\"http://x/meta/../meta/none.json\"}", &options,
                 "no schema is known for http://x/meta/none.json");
    refuses_with("{\"$ref\":\"http://x/meta/%2e%2e/%2e%2e/settings.json\"}", &options, "no schema is known for");
    json_decref(document);
}

static void a_file_finds_those_beside_it(void **state) {
    (void)state;
    char directory[] = "/tmp/schema-test-XXXXXX";
    assert_non_null(mkdtemp(directory));
    char *path = mem_printf("%s/a b.json", directory), *other = mem_printf("%s/b.json", directory);
    json_t *schema_document = parse("{\"$ref\":\"b.json#/$defs/n\"}"),
           *other_document = parse("{\"$defs\":{\"n\":{\"const\":1}}}");
    assert_int_equal(json_dump_file(schema_document, path, 0), 0);
    assert_int_equal(json_dump_file(other_document, other, 0), 0);
    err_t error;
    schema_t *schema = schema_load(path, NULL, &error);
    if (!schema) fail_msg("%s", error.text);
    json_t *one = json_integer(1);
    assert_true(schema_valid(schema, one));
    json_decref(one);
    schema_free(schema);
    unlink(path);
    unlink(other);
    rmdir(directory);
    free(path);
    free(other);
    json_decref(schema_document);
    json_decref(other_document);
}

static void refuses_file(const char *text, const char *message) {
    char path[] = "/tmp/schema-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (int)strlen(text));
    close(fd);
    err_t error = {0};
    schema_t *schema = schema_load(path, NULL, &error);
    unlink(path);
    assert_null(schema);
    if (!strstr(error.text, message) || !strstr(error.text, path)) fail_msg("%s: %s", text, error.text);
}

static void numbers_that_cannot_be_kept_are_refused_when_a_file_is_loaded(void **state) {
    (void)state;
    refuses_file("{\"maximum\":123456789012345678901234567890}", "too big integer");
    refuses_file("{\"multipleOf\":0.12345678901234567891}", "0.12345678901234567891 has more digits than can be kept");
    refuses_file("{\"minimum\":1e-400}", "1e-400 has more digits");
    refuses_file("{\"a\":1,\"a\":2}", "duplicate");
    refuses_file("{\"type\":", ":1:");
}

/* ---- Numbers and values ---- */

static void multiples_are_counted_in_decimal_digits(void **state) {
    (void)state;
    accepts("{\"multipleOf\":0.1}", "0.3");
    accepts("{\"multipleOf\":0.01}", "4.35");
    accepts("{\"multipleOf\":0.0001}", "0.0075");
    accepts("{\"multipleOf\":0.3}", "900000000000000000000.0");
    rejects("{\"multipleOf\":0.1}", "0.35");
    rejects("{\"multipleOf\":0.01}", "0.30000000000000004");
    rejects("{\"multipleOf\":0.123456789}", "1e308");
    accepts("{\"multipleOf\":1e-8}", "12391239123");
    accepts("{\"multipleOf\":5e-324}", "1e308");
    rejects("{\"multipleOf\":7}", "1e308");
    accepts("{\"multipleOf\":2}", "1e308");
    rejects("{\"multipleOf\":1e308}", "1e307");
    accepts("{\"multipleOf\":3}", "-9223372036854775806");
    rejects("{\"multipleOf\":3}", "-9223372036854775808");
    accepts("{\"multipleOf\":2.5}", "-7.5");
    accepts("{\"multipleOf\":10}", "0.0");
}

static void bounds_are_exact_between_integers_and_reals(void **state) {
    (void)state;
    rejects("{\"maximum\":9007199254740992.0}", "9007199254740993");
    accepts("{\"exclusiveMinimum\":9007199254740992.0}", "9007199254740993");
    accepts("{\"maximum\":9223372036854775807}", "9223372036854775807");
    rejects("{\"maximum\":9223372036854775807}", "9223372036854775808.0");
    rejects("{\"minimum\":-9223372036854775808}", "-1e300");
    accepts("{\"minimum\":-9223372036854775808}", "-9223372036854775808.0");
    rejects("{\"exclusiveMaximum\":1.5}", "1.5");
    accepts("{\"exclusiveMaximum\":1.5}", "1");
}

static void equal_numbers_are_equal_however_they_are_written(void **state) {
    (void)state;
    accepts("{\"const\":1}", "1.0");
    accepts("{\"const\":1e3}", "1000");
    accepts("{\"const\":{\"a\":[1,{\"b\":2.0}],\"c\":null}}", "{\"c\":null,\"a\":[1.0,{\"b\":2}]}");
    rejects("{\"const\":1}", "true");
    rejects("{\"const\":9007199254740993}", "9007199254740992.0");
    accepts("{\"enum\":[\"a\",2.0,null,{\"a\":1}]}", "2");
    accepts("{\"enum\":[\"a\",2.0,null,{\"a\":1}]}", "{\"a\":1.0}");
    rejects("{\"enum\":[\"a\",2.0,null,{\"a\":1}]}", "false");
    rejects("{\"enum\":[]}", "1");
    rejects("{\"uniqueItems\":true}", "[1,2,1.0]");
    accepts("{\"uniqueItems\":true}", "[1,true,\"1\",[1],{\"a\":1},null,0,false]");
    accepts("{\"type\":\"integer\"}", "1.0");
    accepts("{\"type\":\"integer\"}", "1e300");
    rejects("{\"type\":\"integer\"}", "1.5");
    rejects("{\"uniqueItems\":true}", "[0.0,1,-0.0]");
}

static void lengths_count_code_points(void **state) {
    (void)state;
    accepts("{\"maxLength\":2}", "\"\\ud83d\\udca9\\ud83d\\udca9\"");
    rejects("{\"minLength\":3}", "\"\\ud83d\\udca9\\ud83d\\udca9\"");
    accepts("{\"minLength\":3,\"maxLength\":3}", "\"a\\u0000b\"");
    accepts("{\"maxLength\":1e30}", "\"abc\"");
    accepts("{\"const\":\"a\\u0000b\"}", "\"a\\u0000b\"");
    rejects("{\"const\":\"a\\u0000b\"}", "\"a\\u0000c\"");
}

static void all_names_are_told_apart(void **state) {
    (void)state;
    json_t *properties = json_object(),
           *schema_document = json_pack("{s:o, s:b}", "properties", properties, "additionalProperties", 0);
    json_t *right = json_object(), *wrong = json_object();
    for (int i = 0; i < 700; i++) { /* names that differ in the middle, in length, or at an end */
        char *name =
            mem_printf("%.*s%d%.*s", i % 23, "prefixprefixprefixprefix", i, i % 19, "suffixsuffixsuffixsuffix");
        json_object_set_new(properties, name, json_pack("{s:i}", "const", i));
        json_object_set_new(right, name, json_integer(i));
        json_object_set_new(wrong, name, json_integer(i + (i == 699)));
        free(name);
    }
    schema_t *schema = schema_compile(schema_document, NULL, NULL, NULL);
    assert_true(schema_valid(schema, right));
    assert_false(schema_valid(schema, wrong));
    json_object_set_new(right, "prefixprefi1prefixsuffix", json_null());
    assert_false(schema_valid(schema, right));
    schema_free(schema);
    json_decref(schema_document);
    json_decref(right);
    json_decref(wrong);
}

/* ---- Patterns ---- */

static void matches(const char *pattern, const char *text, bool expected) {
    json_t *schema_document = json_pack("{s:s}", "pattern", pattern), *value = json_string(text);
    err_t error;
    schema_t *schema = schema_compile(schema_document, NULL, NULL, &error);
    if (!schema) fail_msg("%s", error.text);
    if (schema_valid(schema, value) != expected)
        fail_msg("%s %s %s", pattern, expected ? "does not match" : "matches", text);
    schema_free(schema);
    json_decref(schema_document);
    json_decref(value);
}

static void patterns_mean_what_ecma_says(void **state) {
    (void)state;
    static const struct {
        const char *pattern, *text;
        bool match;
    } cases[] = {
        {"^\\d$", "٣", false},
        {"^\\w$", "é", false},
        {"^\\W$", "é", true},
        {"^\\s$", "\xef\xbb\xbf", true},
        {"^\\s$", "\xc2\xa0", true},
        {"^[^\\S]$", "\xe2\x80\xa8", true},
        {"^a$", "a\n", false},
        {"^[ab]$", "a\n", false},
        {"a.c", "a\nc", false},
        {"a.c", "a\xe2\x80\xa8" "c", false},
        {"^.$", "💩", true},
        {"^\\ud83d\\udca9$", "💩", true},
        {"^\\u{1f4a9}$", "💩", true},
        {"^[\\ud83d\\udca9-\\u{1f4ab}]$", "💫", true},
        {"^\\cA$", "\x01", true},
        {"^[\\b]$", "\b", true},
        {"^\\p{Letter}+$", "añΩ", true},
        {"^\\p{L}$", "1", false},
        {"^\\p{Script=Greek}$", "Ω", true},
        {"^\\p{sc=Cyrl}$", "Ω", false},
        {"^\\P{gc=Lowercase_Letter}$", "A", true},
        {"^\\p{Emoji_Presentation}$", "💩", true},
        {"^[\\p{ASCII}-]$", "-", true},
        {"^\\p{Assigned}$", "a", true},
        {"^(a)?\\1b$", "b", true},
        {"^(?<x>a|b)\\k<x>$", "bb", true},
        {"^(?<x>a|b)\\k<x>$", "ba", false},
        {"^(?:a|b){2,3}?$", "aba", true},
        {"(?<=\\$)\\d+", "$42", true},
        {"(?<!a)b", "ab", false},
        {"^(?=.*\\d)(?!x).+$", "ab1", true},
        {"^[[:alpha:]$", ":", true},
        {"[]", "a", false},
        {"^[^]$", "\n", true},
        {"^\\/$", "/", true},
        {"^#[ ]x$", "# x", true},
        {"\\0", "a", false},
        {"\\bfoo\\b", "a foo b", true},
        {"^$", "", true},
        {"", "anything", true},
        {"^x-", "x-a", true},
        {"^x-", "ax-", false},
        {"b$", "ab", true},
        {"^é$", "é", true},
        {"\\ud800", "a", false},
        {"a|^$", "b", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) matches(cases[i].pattern, cases[i].text, cases[i].match);
}

/* Simple patterns are decided by automata, and by PCRE2 when the schema is compiled as it stands. */
static void simple_patterns_mean_the_same_to_an_automaton(void **state) {
    (void)state;
    static const char *const patterns[] = {
        "^[ab]{2}-[0-9]{1,3}$", "^a*b+a?$", "^(a|b0)+$", "^(?:a|ab)(?:b0|0)?$", "^[a-]+0{0,2}$", "^a{2,}b{0,}$", "^(a*)*b$",
        "^(a?b?){2}0$", "^[A-Z0-9]+(-[A-Z0-9]+)*$", "^(|a)b$", "^\\w+-\\d$", "^a{1}(b{2}|0){1,2}$", "^[^a]b$", "^a.b$",
        "^a|b$", "^(a(b(0)?)*)?$", "^[]a$", "^a+?b*?$", "^(a{0,2}b){2,3}$", "^-a\\$$", "^$", "^(|a)*$",
        "^(?:(?:a{1,9}){1,9}){1,9}$", "^a{63}b$", "^[\\w-]+[\\d-]$",
    };
    static const char *const parts[] = {"a", "b", "A", "0", "-", "é", "$"};
    for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
        json_t *document = json_pack("{s:s}", "pattern", patterns[i]);
        schema_t *schema = schema_compile(document, NULL, NULL, NULL),
                 *literal = schema_compile(document, NULL, &(schema_options_t){.literal = true}, NULL);
        json_decref(document);
        if (!schema || !literal) fail_msg("%s is no pattern", patterns[i]);
        for (unsigned n = 0; n < 16807; n++) { /* all texts of up to five parts */
            char word[32] = "";
            for (unsigned rest = n; rest > 0; rest /= 7) strcat(word, parts[rest % 7]);
            json_t *value = json_string(word);
            if (schema_valid(schema, value) != schema_valid(literal, value)) fail_msg("%s: %s", patterns[i], word);
            json_decref(value);
        }
        schema_free(schema);
        schema_free(literal);
    }
}

static void what_is_no_ecma_pattern_is_refused(void **state) {
    (void)state;
    static const char *const patterns[] = {
        "\\A",      "\\Z",    "\\z",     "\\a",       "\\h",       "\\-",       "\\_",     "(",           ")",
        "[",        "a{2,1}", "a{",      "{",         "}",         "]",         "*",       "a**",         "a++",
        "^*",       "(?=a)*", "\\b+",    "(?i)a",     "(?>a)",     "(?#a)",     "(?P<a>)", "(*ACCEPT)",   "\\1",
        "(a)\\2",   "\\k<a>", "(?<a>)(?<a>)", "(?<1>a)",   "\\x1",      "\\u12",     "\\u{110000}", "\\u{}",
        "\\c1", "\\c", "\\01", "[b-a]", "[\\d-x]", "\\p", "\\pL", "\\p{Foo}", "\\p{Script=greek}",
        "\\p{Letter=L}", "\\p{gc=Greek}", "\\",  "\\Qa\\E",   "[\\B]",     "\\N",       "\\R",     "\\X",
    };
    for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
        json_t *document = json_pack("{s:s}", "pattern", patterns[i]);
        err_t error;
        schema_t *schema = schema_compile(document, NULL, NULL, &error);
        if (schema) fail_msg("%s is taken for a pattern", patterns[i]);
        json_decref(document);
    }
}

static void every_property_of_ecma_is_known(void **state) {
    (void)state;
    static const char *const names[] = {
        "ASCII", "AHex", "Alpha", "Any", "Assigned", "Bidi_C", "Bidi_M", "CI", "Cased", "CWCF", "CWCM", "CWL",
        "CWT", "CWU",
        "Dash", "DI", "Dep", "Dia", "Emoji", "EComp", "EMod", "EBase", "EPres", "ExtPict", "Ext", "Gr_Base",
        "Gr_Ext", "Hex",
        "IDSB", "IDST", "IDC", "IDS", "Ideo", "Join_C", "LOE", "Lower", "Math", "NChar", "Pat_Syn", "Pat_WS", "QMark",
        "Radical", "RI", "STerm", "SD", "Term", "UIdeo", "Upper", "VS", "space", "XIDC", "XIDS", "LC", "Lu", "Cn",
        "Zp", "punct",
        "Script=Latin", "sc=Zyyy", "scx=Deva", "Script_Extensions=Old_Italic", "Script=SignWriting",
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char *pattern = mem_printf("^\\p{%s}|\\P{%s}$", names[i], names[i]);
        matches(pattern, "x", true);
        free(pattern);
    }
}

/* ---- Formats ---- */

static void formats_are_checked_when_asked_for(void **state) {
    (void)state;
    static const struct {
        const char *format, *text;
        bool valid;
    } cases[] = {
        {"date", "2024-02-29", true},
        {"date", "2023-02-29", false},
        {"date", "1900-02-29", false},
        {"time", "23:59:60Z", true},
        {"time", "22:59:60Z", false},
        {"time", "01:29:60+01:30", true},
        {"time", "12:00:00", false},
        {"date-time", "2024-01-01T00:00:00.5-08:00", true},
        {"date-time", "2024-01-01 00:00:00Z", false},
        {"duration", "P1Y2M3DT4H5M6S", true},
        {"duration", "P1Y2D", false},
        {"duration", "PT1H2S", false},
        {"duration", "P1W", true},
        {"duration", "P1W1D", false},
        {"duration", "P", false},
        {"email", "a.b@example.com", true},
        {"email", "\"a b\"@example.com", true},
        {"email", "a@[IPv6:::1]", true},
        {"email", "a@[127.0.0.256]", false},
        {"email", "a..b@example.com", false},
        {"idn-email", "실례@실례.테스트", true},
        {"email", "실례@example.com", false},
        {"hostname", "a-b.example", true},
        {"hostname", "-a.example", false},
        {"hostname", "a.example.", false},
        {"idn-hostname", "실례.테스트", true},
        {"idn-hostname", "〮실례.테스트", false},
        {"idn-hostname", "a·l", false},
        {"idn-hostname", "l·l", true},
        {"hostname", "xn--X", false},
        {"ipv4", "127.0.0.1", true},
        {"ipv4", "127.0.0.01", false},
        {"ipv4", "1.2.3", false},
        {"ipv6", "::ffff:1.2.3.4", true},
        {"ipv6", "1:2:3:4:5:6:7::", true},
        {"ipv6", "1::2::3", false},
        {"ipv6", ":1::", false},
        {"ipv6", "fe80::1%eth0", false},
        {"ipv6", "1:2:3:4:5:6:7:8:9", false},
        {"uri", "http://u:p@[::1]:80/a?b#c", true},
        {"uri", "//example.com", false},
        {"uri", "http://a b", false},
        {"uri", "http://a/%zz", false},
        {"uri-reference", "../a?b", true},
        {"uri-reference", "1a:b", false},
        {"iri", "http://ƒøø.ßår/?∂éœ", true},
        {"uri", "http://ƒøø.ßår/", false},
        {"uri-template", "http://a/{+b:3,c*}{?d.e}", true},
        {"uri-template", "http://a/{b", false},
        {"uri-template", "a}", false},
        {"uuid", "2EB8AA08-aa98-11ea-b4aa-73b441d16380", true},
        {"uuid", "2eb8aa08aa9811eab4aa73b441d16380", false},
        {"json-pointer", "/a~0b/~1", true},
        {"json-pointer", "/a~2", false},
        {"json-pointer", "a", false},
        {"relative-json-pointer", "1/a", true},
        {"relative-json-pointer", "0#", true},
        {"relative-json-pointer", "01/a", false},
        {"regex", "^(?<a>b)\\k<a>$", true},
        {"regex", "^\\S(|(.|\\n)*\\S)\\Z", false},
        {"unheard-of", "anything", true},
    };
    schema_options_t options = {.format = SCHEMA_FORMAT_ASSERT};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *schema = mem_printf("{\"format\":\"%s\"}", cases[i].format);
        json_t *value = json_string(cases[i].text);
        char *text = json_dumps(value, JSON_ENCODE_ANY);
        if (is_valid_with(schema, text, &options) != cases[i].valid) fail_msg("%s: %s", cases[i].format, cases[i].text);
        assert_true(is_valid_with(schema, text, NULL)); /* an annotation, as a rule */
        free(schema);
        free(text);
        json_decref(value);
    }
}

/* ---- Failures ---- */

static void failures_tell_where_and_why(void **state) {
    (void)state;
    schema_t *schema = compile_with(
        "{\"$id\":\"http://x/s\",\"properties\":{\"a/b\":{\"items\":{\"$ref\":\"#/$defs/n\"}}},\"required\":[\"c\"],"
        "\"$defs\":{\"n\":{\"type\":\"string\"}}}", NULL);
    json_t *value = parse("{\"a/b\":[\"x\",1]}");
    schema_failures_t failures = {0};
    assert_int_equal(schema_validate(schema, value, &failures), 2);
    assert_string_equal(failures.items[0].instance_location, "/a~1b/1");
    assert_string_equal(failures.items[0].keyword_location, "/properties/a~1b/items/$ref/type");
    assert_string_equal(failures.items[0].absolute_location, "http://x/s#/$defs/n/type");
    assert_string_equal(failures.items[0].keyword, "type");
    assert_string_equal(failures.items[0].message, "must be string, is integer");
    assert_string_equal(failures.items[1].instance_location, "");
    assert_string_equal(failures.items[1].keyword_location, "/required");
    assert_string_equal(failures.items[1].message, "\"c\" is missing");
    schema_failures_free(&failures);
    json_decref(value);
    schema_free(schema);
}

static void failures_of_a_branch_are_forgotten_when_another_holds(void **state) {
    (void)state;
    schema_t *schema = compile_with(
        "{\"properties\":{\"a\":{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"null\"}]},\"b\":{\"type\":\"null\"}}}",
        NULL);
    json_t *value = parse("{\"a\":null,\"b\":1}");
    schema_failures_t failures = {0};
    assert_int_equal(schema_validate(schema, value, &failures), 1);
    assert_string_equal(failures.items[0].instance_location, "/b");
    schema_failures_free(&failures);
    json_decref(value);
    schema_free(schema);
}

static void failures_are_listed_up_to_a_bound(void **state) {
    (void)state;
    schema_t *schema = compile_with("{\"items\":{\"type\":\"string\"}}", NULL);
    json_t *value = json_array();
    for (int i = 0; i < 1000; i++) json_array_append_new(value, json_integer(i));
    schema_failures_t failures = {0};
    assert_int_equal(schema_validate(schema, value, &failures), SCHEMA_MAX_FAILURES);
    assert_true(failures.truncated);
    schema_failures_free(&failures);
    failures.max = 3;
    assert_int_equal(schema_validate(schema, value, &failures), 3);
    schema_failures_free(&failures);
    json_decref(value);
    schema_free(schema);
}

/* ---- Limits ---- */

static void refused_for(const schema_t *schema, const json_t *value, const char *message) {
    schema_failures_t failures = {0};
    assert_false(schema_valid(schema, value));
    assert_true(schema_validate(schema, value, &failures) >= 1);
    const char *last = failures.items[failures.count - 1].message;
    if (!strstr(last, message)) fail_msg("%s, where \"%s\" was expected", last, message);
    schema_failures_free(&failures);
}

static void a_hostile_pattern_ends_at_a_limit(void **state) {
    (void)state;
    static const char *const patterns[] = {"^(a+)+$",  "^(a|aa)+$",     "^([a-z]+)*[0-9]$",
                                           "(x+x+)+y", "^(?:(a*)*)*b$", "^((a|b)*c|a*)*$"};
    char text[4001];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 2] = '!';
    text[sizeof text - 1] = '\0';
    json_t *value = json_string(text);
    for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
        json_t *document = json_pack("{s:s}", "pattern", patterns[i]);
        for (int literal = 0; literal < 2; literal++) {
            schema_t *schema = schema_compile(document, NULL, &(schema_options_t){.literal = literal}, NULL);
            assert_non_null(schema);
            assert_false(schema_valid(schema, value));
            schema_free(schema);
        }
        json_decref(document);
    }
    schema_t *schema = compile_with("{\"not\":{\"pattern\":\"^(a+)+[^!]$\"}}", NULL);
    refused_for(schema, value, "takes too long to match a pattern"); /* not valid because it cannot be told */
    schema_free(schema);
    json_decref(value);
}

static void a_long_text_matches_without_much_stack(void **state) {
    (void)state;
    char *text = mem_zero(60001, 1);
    memset(text, 'a', 60000);
    matches("^(a|b)*$", text, true);
    matches("^[a-z]+$", text, true);
    free(text);
}

static void branches_that_multiply_end_at_the_limit_of_steps(void **state) {
    (void)state;
    json_t *definitions = json_object(),
           *document = json_pack("{s:s, s:o}", "$ref", "#/$defs/a0", "$defs", definitions);
    for (int i = 0; i < 60; i++) {
        char *name = mem_printf("a%d", i), *next = mem_printf("#/$defs/a%d", i + 1);
        json_object_set_new(definitions, name, json_pack("{s:[{s:s},{s:s}]}", "allOf", "$ref", next, "$ref", next));
        free(name);
        free(next);
    }
    json_object_set_new(definitions, "a60", json_pack("{s:i}", "minimum", 1));
    schema_t *schema = schema_compile(document, NULL, &(schema_options_t){.max_steps = 100000}, NULL);
    assert_non_null(schema);
    json_t *value = json_integer(5);
    refused_for(schema, value, "more steps than are allowed");
    schema_free(schema);
    json_decref(document);
    json_decref(value);
}

static void a_deep_document_ends_at_the_limit_of_depth(void **state) {
    (void)state;
    json_t *value = json_object();
    for (int i = 0; i < 20000; i++) value = json_pack("{s:o}", "a", value);
    schema_t *schema = compile_with("{\"properties\":{\"a\":{\"$ref\":\"#\"}}}", NULL);
    refused_for(schema, value, "nested too deep");
    schema_free(schema);
    schema = compile_with(
        "{\"not\":{\"$ref\":\"#/$defs/a\"},\"$defs\":{\"a\":{\"properties\":{\"a\":{\"$ref\":\"#/$defs/a\"}}}}}", NULL);
    refused_for(schema, value, "nested too deep");
    schema_free(schema);
    while (json_object_size(value) > 0) { /* jansson would free it by nesting as deep */
        json_t *inner = json_incref(json_object_get(value, "a"));
        json_object_clear(value);
        json_decref(value);
        value = inner;
    }
    json_decref(value);
}

static void unique_items_of_a_large_array_are_not_compared_pair_by_pair(void **state) {
    (void)state;
    schema_t *schema = compile_with("{\"uniqueItems\":true}", &(schema_options_t){.max_steps = 2000000});
    json_t *value = json_array();
    for (int i = 0; i < 200000; i++) json_array_append_new(value, json_pack("{s:i, s:s}", "a", i, "b", "text"));
    assert_true(schema_valid(schema, value)); /* within ten steps for each */
    json_array_append_new(value, json_pack("{s:s, s:f}", "b", "text", "a", 77.0));
    refused_for(schema, value, "items 77 and 200000 are equal");
    schema_free(schema);
    json_decref(value);
}

static void unevaluated_members_of_a_large_object_are_found(void **state) {
    (void)state;
    schema_t *schema =
        compile_with("{\"allOf\":[{\"patternProperties\":{\"^a\":true}}],\"unevaluatedProperties\":false}", NULL);
    json_t *value = json_object();
    for (int i = 0; i < 5000; i++) {
        char *name = mem_printf("a%d", i);
        json_object_set_new(value, name, json_null());
        free(name);
    }
    assert_true(schema_valid(schema, value));
    json_object_set_new(value, "b", json_null());
    assert_false(schema_valid(schema, value));
    schema_free(schema);
    json_decref(value);
}

static void valid_documents_are_validated_without_allocation(void **state) {
    (void)state;
    schema_t *schema = compile_with(
        "{\"type\":\"object\",\"allOf\":[{\"$ref\":\"#/$defs/named\"}],\"properties\":{\"lines\":{\"type\":\"array\","
        "\"uniqueItems\":true,\"items\":{\"type\":\"object\",\"required\":[\"n\"],\"properties\":{\"n\":{\"type\":\"integer\","
        "\"minimum\":1},\"tag\":{\"enum\":[\"a\",\"b\"]},\"code\":{\"pattern\":\"^(?:[A-Z]+-?)+$\"}},"
        "\"additionalProperties\":false}},\"kind\":{\"anyOf\":[{\"const\":1},{\"type\":\"string\",\"minLength\":2}]}},"
        "\"patternProperties\":{\"^x-\":{\"type\":[\"string\",\"null\"]}},\"unevaluatedProperties\":false,"
        "\"$defs\":{\"named\":{\"required\":[\"name\"],\"properties\":{\"name\":{\"type\":\"string\",\"format\":\"email\"}}}}}",
        &(schema_options_t){.format = SCHEMA_FORMAT_ASSERT});
    json_t *value = parse("{\"name\":\"a@example.com\",\"lines\":[{\"n\":1,\"tag\":\"a\",\"code\":\"AB-C\"},{\"n\":2.0}],"
                          "\"kind\":\"été\",\"x-a\":null}");
    assert_true(schema_valid(schema, value)); /* what libraries take at first use is taken */
    size_t before = asked_times;
    for (int i = 0; i < 100; i++) assert_true(schema_valid(schema, value));
    assert_int_equal(asked_times, before);
    json_decref(value);
    schema_free(schema);
}

/* A hostile schema with a hostile document; each is text with %s where `part` comes `count` times. */
typedef struct hostile {
    const char *what, *schema, *document, *part;
    unsigned count;
} hostile_t;

static char *repeated(const char *format, const char *part, unsigned count) {
    size_t len = strlen(part);
    char *parts = mem_zero(len * count + 1, 1);
    for (unsigned i = 0; i < count; i++) memcpy(parts + i * len, part, len);
    const char *at = strstr(format, "%s");
    char *text = at ? mem_printf("%.*s%s%s", (int)(at - format), format, parts, at + 2) : mem_string(format);
    free(parts);
    return text;
}

static void costs_little(const hostile_t *hostile) {
    char *document_text = repeated(hostile->document, hostile->part, hostile->count);
    json_t *schema_document = parse(hostile->schema), *document = parse(document_text);
    clock_t began = clock();
    size_t before = asked_bytes;
    schema_t *schema = schema_compile(schema_document, NULL, NULL, NULL);
    if (schema) {
        schema_failures_t failures = {0};
        bool valid = schema_valid(schema, document);
        assert_int_equal(schema_validate(schema, document, &failures) == 0, valid);
        schema_failures_free(&failures);
    }
    double seconds = (double)(clock() - began) / CLOCKS_PER_SEC;
    if (seconds > 20) fail_msg("%s took %g s", hostile->what, seconds); /* most take milliseconds; sanitizers, tenfold */
    if (asked_bytes - before > 128u << 20) fail_msg("%s took %zu bytes", hostile->what, asked_bytes - before);
    schema_free(schema);
    json_decref(document);
    json_decref(schema_document);
    free(document_text);
}

static void what_is_hostile_costs_a_bounded_time_and_memory(void **state) {
    (void)state;
    static const hostile_t cases[] = {
        {"a pattern that goes back and forth", "{\"items\":{\"pattern\":\"^(a+)+$\"}}", "[%s1]",
         "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\",", 2000},
        {"such a pattern for names", "{\"propertyNames\":{\"pattern\":\"^(\\\\w*)*$\"}}", "{\"%s!\":1}", "a", 100000},
        {"a pattern on a long text", "{\"pattern\":\"(.*)*(.*)*x$\"}", "\"%s\"", "a", 1000000},
        {"a pattern that counts high", "{\"pattern\":\"^(?:(?:a{1,99}){1,99}){1,99}$\"}", "\"%sb\"", "a", 10000},
        {"branches within branches",
         "{\"$defs\":{\"a\":{\"anyOf\":[{\"type\":\"string\"},{\"items\":{\"$ref\":\"#/$defs/a\"}},{\"items\":{\"$ref\":"
         "\"#/$defs/a\"}}]}},\"not\":{\"not\":{\"items\":{\"$ref\":\"#/$defs/a\"}}},\"contains\":{\"$ref\":\"#/$defs/a\"}}",
         "[%s]", "[[[[[[[[[[[[[[[[[[[[[[[[1,{}]]]]]]]]]]]]]]]]]]]]]]]]", 1},
        {"objects of which each is asked about all members",
         "{\"items\":{\"patternProperties\":{\"a\":true,\"b\":true,\"c\":true,\"^(a|aa)+$\":true},\"unevaluatedProperties\":"
         "false}}",
         "[%s{}]", "{\"a\":1,\"b\":1,\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\":1},", 5000},
        {"many failures", "{\"items\":{\"enum\":[{\"a\":1}]}}", "[%s1]", "\"text\",", 200000},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) costs_little(&cases[i]);
}

static void a_schema_that_multiplies_is_compiled_in_a_bounded_time(void **state) {
    (void)state;
    json_t *definitions = json_object();
    for (int i = 0; i < 2000; i++) { /* each refers twice to the next, and asks for what is unevaluated */
        char *name = mem_printf("a%d", i), *next = mem_printf("#/$defs/a%d", i + 1), *own = mem_printf("p%d", i);
        json_t *properties = json_pack("{s:{s:s}}", own, "type", "string");
        json_object_set_new(definitions, name,
                            json_pack("{s:[{s:s},{s:s}],s:o,s:b}", "allOf", "$ref", next, "$ref", next, "properties",
                                      properties, "unevaluatedProperties", 0));
        free(name);
        free(next);
        free(own);
    }
    json_object_set_new(definitions, "a2000", json_pack("{s:i}", "minProperties", 1));
    json_t *document = json_pack("{s:s,s:o}", "$ref", "#/$defs/a0", "$defs", definitions), *value = parse("{\"b\":1}");
    clock_t began = clock();
    schema_t *schema = schema_compile(document, NULL, &(schema_options_t){.max_steps = 2000000}, NULL);
    assert_true((double)(clock() - began) / CLOCKS_PER_SEC < 20);
    assert_non_null(schema);
    assert_false(schema_valid(schema, value));
    schema_free(schema);
    json_decref(document);
    json_decref(value);
}

/* ---- What is settled when a schema is compiled ---- */

/* By the schema as it is, and as it stands. */
static void decides(const char *schema, const char *text, bool valid) {
    schema_options_t literal = {.literal = true};
    if (is_valid_with(schema, text, NULL) != valid) fail_msg("%s: %s", schema, text);
    if (is_valid_with(schema, text, &literal) != valid) fail_msg("%s: %s, as it stands", schema, text);
}

static void what_is_unevaluated_is_the_same_when_it_is_settled(void **state) {
    (void)state;
    const char *parts = "{\"allOf\":[{\"$ref\":\"#/$defs/a\"},{\"properties\":{\"c\":{\"maxLength\":2}}}],\"properties\":{\"b\":"
                        "{\"minimum\":1}},\"unevaluatedProperties\":{\"type\":\"null\"},\"$defs\":{\"a\":{\"type\":\"object\","
                        "\"required\":[\"a\"],\"properties\":{\"a\":{\"type\":\"integer\"}}}}}";
    decides(parts, "{\"a\":1,\"b\":2,\"c\":\"xy\",\"d\":null}", true);
    decides(parts, "{\"c\":\"xy\",\"d\":null,\"b\":2,\"a\":1.0}", true);
    decides(parts, "{\"a\":1,\"d\":1}", false);
    decides(parts, "{\"a\":1,\"c\":\"xyz\"}", false);
    decides(parts, "{\"b\":1}", false);
    decides(parts, "{\"a\":1.5}", false);
    decides(parts, "[]", false);
    const char *twice = "{\"allOf\":[{\"properties\":{\"a\":{\"minimum\":1}}},{\"properties\":{\"a\":{\"maximum\":3}}}],"
                        "\"unevaluatedProperties\":false}";
    decides(twice, "{\"a\":2}", true);
    decides(twice, "{\"a\":0}", false);
    decides(twice, "{\"a\":4}", false);
    const char *conditional = "{\"if\":{\"properties\":{\"k\":{\"const\":1}},\"required\":[\"k\"]},\"then\":{\"properties\":{\"x\":"
                              "true}},\"properties\":{\"k\":true},\"unevaluatedProperties\":false}";
    decides(conditional, "{\"k\":1,\"x\":1}", true);
    decides(conditional, "{\"k\":2,\"x\":1}", false);
    const char *only_required = "{\"allOf\":[{\"required\":[\"a\"]}],\"unevaluatedProperties\":false}";
    decides(only_required, "{\"a\":1}", false);
    decides("{\"allOf\":[{\"additionalProperties\":true}],\"unevaluatedProperties\":false}", "{\"a\":1}", true);
    decides("{\"patternProperties\":{\"^x\":true},\"unevaluatedProperties\":false}", "{\"x1\":1}", true);
    decides("{\"patternProperties\":{\"^x\":true},\"unevaluatedProperties\":false}", "{\"y1\":1}", false);
    const char *matching = "{\"allOf\":[{\"patternProperties\":{\"^x-\":{\"type\":\"null\"}}}],\"properties\":{\"a\":true},"
                           "\"patternProperties\":{\"^y\":true},\"unevaluatedProperties\":false}";
    decides(matching, "{\"a\":1,\"x-1\":null,\"y\":1}", true);
    decides(matching, "{\"x-1\":1}", false);
    decides(matching, "{\"z\":1}", false);
    const char *items = "{\"$ref\":\"#/$defs/l\",\"prefixItems\":[true],\"unevaluatedItems\":{\"type\":\"string\"},\"$defs\":"
                        "{\"l\":{\"prefixItems\":[true,{\"type\":\"number\"}]}}}";
    decides(items, "[null,1,\"a\",\"b\"]", true);
    decides(items, "[null,1,\"a\",2]", false);
    decides("{\"contains\":{\"const\":1},\"unevaluatedItems\":false}", "[1,1]", true);
    decides("{\"contains\":{\"const\":1},\"unevaluatedItems\":false}", "[1,2]", false);
}

static void bounds_decide_alike_however_they_are_looked_at(void **state) {
    (void)state;
    static const char *const bounds[] = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"};
    static const char *const limits[] = {"0", "1", "-1", "0.5", "-0.5", "1.0", "-2.5", "4503599627370496",
                                         "4503599627370495.5", "-4503599627370497", "9223372036854775807",
                                         "-9223372036854775808", "1e300", "-1e300", "5e-324"};
    for (size_t b = 0; b < ARRAY_LEN(bounds); b++) {
        for (size_t l = 0; l < ARRAY_LEN(limits); l++) {
            char *text = mem_printf("{\"%s\":%s}", bounds[b], limits[l]);
            schema_t *schema = compile_with(text, NULL),
                     *literal = compile_with(text, &(schema_options_t){.literal = true});
            for (size_t v = 0; v < ARRAY_LEN(limits); v++) {
                json_t *value = parse(limits[v]);
                if (schema_valid(schema, value) != schema_valid(literal, value)) fail_msg("%s: %s", text, limits[v]);
                json_decref(value);
            }
            schema_free(schema);
            schema_free(literal);
            free(text);
        }
    }
}

static void a_failure_of_what_is_settled_names_its_keyword(void **state) {
    (void)state;
    schema_t *schema = compile_with("{\"allOf\":[{\"properties\":{\"a\":true}}],\"unevaluatedProperties\":false}", NULL);
    json_t *value = parse("{\"a\":1,\"b\":1}");
    schema_failures_t failures = {0};
    assert_int_equal(schema_validate(schema, value, &failures), 1);
    assert_string_equal(failures.items[0].instance_location, "/b");
    assert_string_equal(failures.items[0].keyword_location, "/unevaluatedProperties");
    schema_failures_free(&failures);
    json_decref(value);
    schema_free(schema);
}

/* ---- Threads ---- */

static void *validate_often(void *context) {
    const schema_t *schema = context;
    json_t *right = parse("{\"a\":\"x1\",\"b\":[1,2,3]}"), *wrong = parse("{\"a\":\"1x\",\"b\":[1,2,2]}");
    size_t errors = 0;
    for (int i = 0; i < 2000; i++) errors += !schema_valid(schema, right) + schema_valid(schema, wrong);
    json_decref(right);
    json_decref(wrong);
    return (void *)errors;
}

static void several_threads_use_one_schema(void **state) {
    (void)state;
    schema_t *schema = compile_with("{\"properties\":{\"a\":{\"pattern\":\"^[a-z]\\\\d$\"},\"b\":{\"uniqueItems\":true}"
                                    "},\"unevaluatedProperties\":false}",
                                    NULL);
    pthread_t threads[4];
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, validate_often, schema), 0);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        void *errors;
        pthread_join(threads[i], &errors);
        assert_null(errors);
    }
    schema_free(schema);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wrong_schema_is_refused_with_its_place_and_the_reason),
        cmocka_unit_test(a_reference_that_leads_nowhere_is_refused),
        cmocka_unit_test(references_in_a_circle_are_refused),
        cmocka_unit_test(a_circle_through_dynamic_references_ends_at_a_limit),
        cmocka_unit_test(keywords_that_no_draft_knows_are_refused_when_strict),
        cmocka_unit_test(each_resource_is_read_by_its_own_draft),
        cmocka_unit_test(remotes_in_memory_and_in_directories_are_found),
        cmocka_unit_test(a_file_finds_those_beside_it),
        cmocka_unit_test(numbers_that_cannot_be_kept_are_refused_when_a_file_is_loaded),
        cmocka_unit_test(multiples_are_counted_in_decimal_digits),
        cmocka_unit_test(bounds_are_exact_between_integers_and_reals),
        cmocka_unit_test(equal_numbers_are_equal_however_they_are_written),
        cmocka_unit_test(lengths_count_code_points),
        cmocka_unit_test(all_names_are_told_apart),
        cmocka_unit_test(patterns_mean_what_ecma_says),
        cmocka_unit_test(simple_patterns_mean_the_same_to_an_automaton),
        cmocka_unit_test(what_is_no_ecma_pattern_is_refused),
        cmocka_unit_test(every_property_of_ecma_is_known),
        cmocka_unit_test(formats_are_checked_when_asked_for),
        cmocka_unit_test(failures_tell_where_and_why),
        cmocka_unit_test(failures_of_a_branch_are_forgotten_when_another_holds),
        cmocka_unit_test(failures_are_listed_up_to_a_bound),
        cmocka_unit_test(a_hostile_pattern_ends_at_a_limit),
        cmocka_unit_test(a_long_text_matches_without_much_stack),
        cmocka_unit_test(branches_that_multiply_end_at_the_limit_of_steps),
        cmocka_unit_test(a_deep_document_ends_at_the_limit_of_depth),
        cmocka_unit_test(unique_items_of_a_large_array_are_not_compared_pair_by_pair),
        cmocka_unit_test(unevaluated_members_of_a_large_object_are_found),
        cmocka_unit_test(valid_documents_are_validated_without_allocation),
        cmocka_unit_test(what_is_hostile_costs_a_bounded_time_and_memory),
        cmocka_unit_test(a_schema_that_multiplies_is_compiled_in_a_bounded_time),
        cmocka_unit_test(what_is_unevaluated_is_the_same_when_it_is_settled),
        cmocka_unit_test(bounds_decide_alike_however_they_are_looked_at),
        cmocka_unit_test(a_failure_of_what_is_settled_names_its_keyword),
        cmocka_unit_test(several_threads_use_one_schema),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
