/* Failures with a class and a text; allocation that cannot fail quietly. */
#include "common/base.h"
#include "common/mem.h"
#include "tests/unit/capture.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cmocka.h>

static void a_failure_has_its_class_and_its_text(void **state) {
    (void)state;
    err_t error;
    assert_int_equal(err_set(&error, STATUS_ABORT, "%s at %d", "broken", 7), STATUS_ABORT);
    assert_string_equal(error.text, "broken at 7");
    assert_int_equal(err_set(NULL, STATUS_RETRY, "nobody asks"), STATUS_RETRY);
}

static void a_long_failure_is_cut_and_terminated(void **state) {
    (void)state;
    err_t error;
    char text[2000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_int_equal(err_set(&error, STATUS_FATAL, "%s", text), STATUS_FATAL);
    assert_int_equal(strlen(error.text), sizeof error.text - 1);
}

static void a_failure_is_not_cut_within_a_character(void **state) {
    (void)state;
    static const char *const characters[] = {"\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\xaa\xb2"};
    for (size_t i = 0; i < ARRAY_LEN(characters); i++)
        for (size_t start = 0; start < 4; start++) {
            err_t error;
            char text[2000] = "xxxx";
            size_t width = strlen(characters[i]), most = sizeof error.text - 1;
            for (size_t at = start; at + width < sizeof text; at += width) memcpy(text + at, characters[i], width);
            assert_int_equal(err_set(&error, STATUS_FATAL, "%s", text), STATUS_FATAL);
            size_t len = strlen(error.text);
            assert_int_equal(len, most - (most - start) % width); /* as many whole ones as fit */
            assert_memory_equal(error.text, text, len);
        }
}

static void mending_leaves_whole_texts_as_they_are(void **state) {
    (void)state;
    static const char *const texts[] = {"", "x", "\xc3\xa4", "a\xe2\x82\xac", "\xf0\x9f\xaa\xb2", "\xf0\x9f\xaa\xb2."};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        char text[16];
        strcpy(text, texts[i]);
        err_mend(text);
        assert_string_equal(text, texts[i]);
    }
}

static void nothing_can_be_allocated_in_no_size(void **state) {
    (void)state;
    void *none = mem_alloc(0), *zero = mem_zero(0, 8), *resized = mem_resize(NULL, 0, 8);
    assert_non_null(none);
    assert_non_null(zero);
    assert_non_null(resized);
    free(none);
    free(zero);
    free(resized);
}

static void zeroed_memory_is_zero_and_resized_memory_keeps_its_content(void **state) {
    (void)state;
    int *numbers = mem_zero(100, sizeof *numbers);
    for (int i = 0; i < 100; i++) assert_int_equal(numbers[i], 0);
    for (int i = 0; i < 100; i++) numbers[i] = i;
    numbers = mem_resize(numbers, 10000, sizeof *numbers);
    for (int i = 0; i < 100; i++) assert_int_equal(numbers[i], i);
    free(numbers);
}

static void copies_are_whole_and_terminated(void **state) {
    (void)state;
    char *string = mem_string("text"), *copy = mem_copy("a\0b", 3), *empty = mem_copy(NULL, 0);
    char *formatted = mem_printf("%s-%d", "x", 12);
    assert_string_equal(string, "text");
    assert_memory_equal(copy, "a\0b\0", 4);
    assert_string_equal(empty, "");
    assert_string_equal(formatted, "x-12");
    free(string);
    free(copy);
    free(empty);
    free(formatted);
}

/* How a child process ends that does `act`, and what it says on stderr. */
static int fate_of(void (*act)(void), capture_t *capture) {
    int status = 0;
    capture_begin(capture, STDERR_FILENO);
    pid_t child = fork();
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        signal(SIGABRT, SIG_DFL);
        act();
        _exit(0);
    }
    waitpid(child, &status, 0);
    capture_end(capture);
    return status;
}

static void ask_for_too_many(void) {
    void *memory = mem_resize(NULL, SIZE_MAX / 2, 16);
    free(memory);
}

static void a_product_that_overflows_ends_the_process_with_a_clear_line(void **state) {
    (void)state;
    static capture_t capture;
    int status = fate_of(ask_for_too_many, &capture);
    assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
#ifndef __SANITIZE_ADDRESS__ /* which says it in its own words */
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_string_equal(capture.text, "out of memory\n");
#endif
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_has_its_class_and_its_text),
        cmocka_unit_test(a_long_failure_is_cut_and_terminated),
        cmocka_unit_test(a_failure_is_not_cut_within_a_character),
        cmocka_unit_test(mending_leaves_whole_texts_as_they_are),
        cmocka_unit_test(nothing_can_be_allocated_in_no_size),
        cmocka_unit_test(zeroed_memory_is_zero_and_resized_memory_keeps_its_content),
        cmocka_unit_test(copies_are_whole_and_terminated),
        cmocka_unit_test(a_product_that_overflows_ends_the_process_with_a_clear_line),
    };
    return cmocka_run_group_tests_name("mem", tests, NULL, NULL);
}
