/* Log lines. */
#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"
#include "tests/unit/capture.h"

#include <pthread.h>
#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static capture_t capture;

/* The only line that was written, read as JSON. */
static json_t *only_line(const char *text) {
    size_t len = strlen(text);
    assert_true(len > 0);
    assert_ptr_equal(strchr(text, '\n'), text + len - 1);
    err_t error = {""};
    json_t *line = json_read(text, len, &error);
    if (!line) fail_msg("%s: %s", error.text, text);
    return line;
}

static void a_line_is_one_json_object(void **state) {
    (void)state;
    capture_begin(&capture, STDERR_FILENO);
    log_open("validator", false);
    int64_t before = clock_ms();
    log_warn("%d partitions %s", 3, "assigned");
    json_t *line = only_line(capture_end(&capture));
    int64_t time = 0;
    assert_int_equal(json_object_size(line), 4);
    assert_string_equal(json_text(line, "level"), "warn");
    assert_string_equal(json_text(line, "service"), "validator");
    assert_string_equal(json_text(line, "message"), "3 partitions assigned");
    assert_true(clock_parse(json_text(line, "time"), &time));
    assert_in_range(time, before, clock_ms());
    assert_memory_equal(capture.text, "{\"time\":\"", 9); /* for people who read it as it is: the time first */
    json_decref(line);
}

static void control_characters_and_quotes_stay_within_the_line(void **state) {
    (void)state;
    const char *message = "a\nb\tc\"d\\e\x1b[31m\x01 \xc3\xa4";
    capture_begin(&capture, STDERR_FILENO);
    log_open("a \"name\"", false);
    log_error("%s", message);
    json_t *line = only_line(capture_end(&capture));
    assert_string_equal(json_text(line, "service"), "a \"name\"");
    assert_string_equal(json_text(line, "message"), message);
    json_decref(line);
}

static void a_message_that_is_too_long_is_cut_but_not_within_a_character(void **state) {
    (void)state;
    for (int start = 0; start < 4; start++) {
        strbuf_t message = {0};
        for (int i = 0; i < start; i++) strbuf_addc(&message, 'x');
        while (message.len < 3000) strbuf_adds(&message, "\xf0\x9f\xaa\xb2"); /* four bytes a character */
        capture_begin(&capture, STDERR_FILENO);
        log_open("test", false);
        log_error("%s", message.data);
        json_t *line = only_line(capture_end(&capture)); /* jansson refuses a half character */
        const char *text = json_text(line, "message");
        assert_in_range(strlen(text), 1000, 1023);
        assert_memory_equal(text, message.data, strlen(text));
        json_decref(line);
        strbuf_free(&message);
    }
}

static void every_level_has_its_name(void **state) {
    (void)state;
    static const char *const names[] = {"error", "warn", "info", "debug"};
    for (int level = LOG_ERROR; level <= LOG_DEBUG; level++) {
        capture_begin(&capture, STDERR_FILENO);
        log_open("test", true);
        log_write((log_level_t)level, "x");
        json_t *line = only_line(capture_end(&capture));
        assert_string_equal(json_text(line, "level"), names[level]);
        json_decref(line);
    }
}

static void debug_lines_are_dropped_unless_wanted(void **state) {
    (void)state;
    capture_begin(&capture, STDERR_FILENO);
    log_open("test", false);
    log_debug("unseen");
    assert_string_equal(capture_end(&capture), "");
}

static void on_a_terminal_a_line_is_for_people(void **state) {
    (void)state;
    int master, slave, saved = dup(STDERR_FILENO);
    assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
    dup2(slave, STDERR_FILENO);
    log_open("test", false);
    log_error("the broker is away");
    dup2(saved, STDERR_FILENO);
    char text[512];
    ssize_t len = read(master, text, sizeof text - 1);
    close(saved);
    close(slave);
    close(master);
    log_open("test", false);
    assert_true(len > 0);
    text[len] = '\0';
    int hours, minutes, seconds, ms, end = 0;
    assert_int_equal(sscanf(text, "\033[31m%2d:%2d:%2d.%3d error the broker is away\033[0m%n", &hours, &minutes,
                            &seconds, &ms, &end), 4);
    assert_true(end > 0);
    assert_true(text[end] == '\r' || text[end] == '\n');
}

static size_t lines_in(const char *text) {
    size_t count = 0;
    for (; *text; text++) count += *text == '\n';
    return count;
}

static void a_condition_is_said_when_it_begins_changes_and_ends(void **state) {
    (void)state;
    log_condition_t condition = {0};
    capture_begin(&capture, STDERR_FILENO);
    log_open("test", false);
    for (int i = 0; i < 100; i++) log_condition_begin(&condition, "waiting", "no broker");
    assert_int_equal(lines_in(capture_end(&capture)), 1);
    assert_non_null(strstr(capture.text, "\"warn\""));
    assert_non_null(strstr(capture.text, "waiting: no broker"));

    capture_begin(&capture, STDERR_FILENO);
    for (int i = 0; i < 100; i++) log_condition_begin(&condition, "waiting", "no coordinator");
    assert_int_equal(lines_in(capture_end(&capture)), 1);

    capture_begin(&capture, STDERR_FILENO);
    for (int i = 0; i < 100; i++) log_condition_end(&condition, "waiting");
    assert_int_equal(lines_in(capture_end(&capture)), 1);
    assert_non_null(strstr(capture.text, "\"info\""));

    capture_begin(&capture, STDERR_FILENO);
    log_condition_begin(&condition, "waiting", "no coordinator"); /* again after it was well */
    assert_int_equal(lines_in(capture_end(&capture)), 1);
}

static void a_condition_whose_text_is_too_long_is_said_once_too(void **state) {
    (void)state;
    log_condition_t condition = {0};
    char why[1000];
    memset(why, 'x', sizeof why - 1);
    why[sizeof why - 1] = '\0';
    capture_begin(&capture, STDERR_FILENO);
    log_open("test", false);
    for (int i = 0; i < 10; i++) log_condition_begin(&condition, "waiting", why);
    assert_int_equal(lines_in(capture_end(&capture)), 1);
}

static void a_condition_that_never_began_does_not_end(void **state) {
    (void)state;
    log_condition_t condition = {0};
    capture_begin(&capture, STDERR_FILENO);
    log_condition_end(&condition, "waiting");
    assert_string_equal(capture_end(&capture), "");
}

enum { THREADS = 4, LINES = 200 };

static void *log_lines(void *name) {
    for (int i = 0; i < LINES; i++) log_info("%s %d ................................................", (char *)name, i);
    return NULL;
}

static void lines_of_several_threads_do_not_mix(void **state) {
    (void)state;
    int pipe_ends[2], saved = dup(STDERR_FILENO);
    assert_int_equal(pipe(pipe_ends), 0);
    fcntl(pipe_ends[1], F_SETPIPE_SZ, 1 << 20);
    dup2(pipe_ends[1], STDERR_FILENO);
    close(pipe_ends[1]);
    log_open("test", false);
    pthread_t threads[THREADS];
    char names[THREADS][2] = {"a", "b", "c", "d"};
    for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, log_lines, names[i]);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    dup2(saved, STDERR_FILENO);
    close(saved);
    FILE *file = fdopen(pipe_ends[0], "r");
    char line[1024];
    int count = 0;
    for (; fgets(line, sizeof line, file); count++) json_decref(only_line(line));
    fclose(file);
    assert_int_equal(count, THREADS * LINES);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_one_json_object),
        cmocka_unit_test(control_characters_and_quotes_stay_within_the_line),
        cmocka_unit_test(a_message_that_is_too_long_is_cut_but_not_within_a_character),
        cmocka_unit_test(every_level_has_its_name),
        cmocka_unit_test(debug_lines_are_dropped_unless_wanted),
        cmocka_unit_test(on_a_terminal_a_line_is_for_people),
        cmocka_unit_test(a_condition_is_said_when_it_begins_changes_and_ends),
        cmocka_unit_test(a_condition_whose_text_is_too_long_is_said_once_too),
        cmocka_unit_test(a_condition_that_never_began_does_not_end),
        cmocka_unit_test(lines_of_several_threads_do_not_mix),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
