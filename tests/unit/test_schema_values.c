/* What the schema module takes for the same number, value, pattern and format. */
#include "common/mem.h"
#include "tests/unit/schema_check.h"

#include <stdio.h>
#include <stdlib.h>

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

int main(void) {
    const struct CMUnitTest tests[] = {
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
