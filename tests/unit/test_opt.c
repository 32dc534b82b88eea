/* The command line as a table. */
#include "common/base.h"
#include "common/opt.h"
#include "tests/unit/capture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static capture_t out, err;
static const char *file, *quiet, *set;

static const opt_t rows[] = {
    {"settings", "FILE", "the settings file", &file},
    {"quiet", NULL, "say nothing", &quiet},
    {"set", "X", "another that begins the same", &set},
};

/* Parses the words behind the program's name; what it says is in `out` and `err`. */
static opt_result_t parse(const char *const *words) {
    char *argv[8] = {(char *)"program"};
    int argc = 1;
    while (words[argc - 1]) argv[argc] = (char *)words[argc - 1], argc++;
    file = quiet = set = NULL;
    capture_begin(&out, STDOUT_FILENO);
    capture_begin(&err, STDERR_FILENO);
    opt_result_t result = opt_parse(argc, argv, "program", "does something", rows, ARRAY_LEN(rows));
    capture_end(&err);
    capture_end(&out);
    return result;
}

#define PARSE(...) parse((const char *const[]){__VA_ARGS__, NULL})

static void nothing_is_fine_and_leaves_the_defaults(void **state) {
    (void)state;
    assert_int_equal(parse((const char *const[]){NULL}), OPT_RUN);
    assert_null(file);
    assert_string_equal(out.text, "");
    assert_string_equal(err.text, "");
}

static void a_value_follows_or_stands_behind_an_equals_sign(void **state) {
    (void)state;
    assert_int_equal(PARSE("--settings", "a.json", "--quiet"), OPT_RUN);
    assert_string_equal(file, "a.json");
    assert_string_equal(quiet, "");
    assert_null(set);
    assert_int_equal(PARSE("--settings=b.json", "--set=a=b"), OPT_RUN);
    assert_string_equal(file, "b.json");
    assert_string_equal(set, "a=b");
    assert_null(quiet);
    assert_int_equal(PARSE("--settings=", "--set", "--quiet"), OPT_RUN);
    assert_string_equal(file, "");
    assert_string_equal(set, "--quiet"); /* what follows is the value, whatever it looks like */
}

static void the_last_of_two_counts(void **state) {
    (void)state;
    assert_int_equal(PARSE("--settings", "a", "--settings", "b"), OPT_RUN);
    assert_string_equal(file, "b");
}

static void help_shows_every_row_of_the_table_on_stdout(void **state) {
    (void)state;
    static const char *const words[] = {"--help", "-h"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        assert_int_equal(PARSE(words[i]), OPT_DONE);
        assert_string_equal(err.text, "");
        assert_non_null(strstr(out.text, "program: does something"));
        assert_non_null(strstr(out.text, "usage: program [options]"));
        assert_non_null(strstr(out.text, "  --settings FILE        the settings file\n"));
        assert_non_null(strstr(out.text, "  --quiet                say nothing\n"));
        assert_non_null(strstr(out.text, "--help"));
        assert_non_null(strstr(out.text, "--version"));
    }
}

static void version_says_program_and_version_on_stdout(void **state) {
    (void)state;
    assert_int_equal(PARSE("--version"), OPT_DONE);
    assert_string_equal(out.text, "program " ODRADEK_VERSION "\n");
    assert_string_equal(err.text, "");
}

static void what_is_not_understood_is_said_on_stderr(void **state) {
    (void)state;
    static const struct {
        const char *words[3];
        const char *said;
    } cases[] = {
        {{"--unknown"}, "program: unknown option '--unknown'; see program --help\n"},
        {{"settings"}, "program: unknown option 'settings'; see program --help\n"},
        {{"--settingsfile", "x"}, "program: unknown option '--settingsfile'; see program --help\n"},
        {{"--setting", "x"}, "program: unknown option '--setting'; see program --help\n"},
        {{"-settings", "x"}, "program: unknown option '-settings'; see program --help\n"},
        {{""}, "program: unknown option ''; see program --help\n"},
        {{"--"}, "program: unknown option '--'; see program --help\n"},
        {{"--settings"}, "program: a value must follow '--settings'; see program --help\n"},
        {{"--quiet=yes"}, "program: no value goes with '--quiet=yes'; see program --help\n"},
        {{"--quiet", "yes"}, "program: unknown option 'yes'; see program --help\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(parse(cases[i].words), OPT_WRONG);
        assert_string_equal(err.text, cases[i].said);
        assert_string_equal(out.text, "");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_fine_and_leaves_the_defaults),
        cmocka_unit_test(a_value_follows_or_stands_behind_an_equals_sign),
        cmocka_unit_test(the_last_of_two_counts),
        cmocka_unit_test(help_shows_every_row_of_the_table_on_stdout),
        cmocka_unit_test(version_says_program_and_version_on_stdout),
        cmocka_unit_test(what_is_not_understood_is_said_on_stderr),
    };
    return cmocka_run_group_tests_name("opt", tests, NULL, NULL);
}
