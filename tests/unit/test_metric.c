/* Counters, gauges and histograms. */
#include "common/metric.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const double bounds[] = {0.1, 1, 10};

/* Whether `line` stands among the metrics, as a line of its own. */
static bool has_line(const char *line) {
    strbuf_t out = {0}, wanted = {0};
    strbuf_addc(&out, '\n');
    metric_render(&out);
    strbuf_addf(&wanted, "\n%s\n", line);
    bool found = strstr(out.data, wanted.data);
    strbuf_free(&out);
    strbuf_free(&wanted);
    return found;
}

/* What is rendered of one family, from its HELP line to the next. */
static char *family_of(const char *name) {
    strbuf_t out = {0}, head = {0};
    metric_render(&out);
    strbuf_addf(&head, "# HELP %s ", name);
    char *start = strstr(out.data, head.data);
    assert_non_null(start);
    char *end = strstr(start + 1, "# HELP ");
    char *text = strndup(start, end ? (size_t)(end - start) : strlen(start));
    strbuf_free(&out);
    strbuf_free(&head);
    return text;
}

static void a_counter_is_shown_in_the_exposition_format(void **state) {
    (void)state;
    metric_add(metric_counter("odradek_test_shown_total", "What is shown.", NULL), 3);
    char *text = family_of("odradek_test_shown_total");
    assert_string_equal(text, "# HELP odradek_test_shown_total What is shown.\n"
                              "# TYPE odradek_test_shown_total counter\n"
                              "odradek_test_shown_total 3\n");
    free(text);
}

static void metrics_of_one_name_stand_together_under_one_head(void **state) {
    (void)state;
    metric_t *ok = metric_counter("odradek_test_requests_total", "Requests.", "route=\"/entries\",code=\"202\"");
    metric_counter("odradek_test_between_total", "Stands between.", NULL);
    metric_t *bad = metric_counter("odradek_test_requests_total", "Requests.", "route=\"/entries\",code=\"400\"");
    metric_add(ok, 2);
    metric_add(bad, 1);
    char *text = family_of("odradek_test_requests_total");
    assert_string_equal(text, "# HELP odradek_test_requests_total Requests.\n"
                              "# TYPE odradek_test_requests_total counter\n"
                              "odradek_test_requests_total{route=\"/entries\",code=\"202\"} 2\n"
                              "odradek_test_requests_total{route=\"/entries\",code=\"400\"} 1\n");
    free(text);
}

static void the_same_name_and_labels_give_the_same_metric(void **state) {
    (void)state;
    char name[] = "odradek_test_same_total", labels[] = "a=\"b\"";
    metric_t *first = metric_counter(name, "Same.", labels);
    memset(name + 8, 'x', 4); /* names and labels were copied */
    labels[3] = 'x';
    assert_ptr_equal(metric_counter("odradek_test_same_total", "Same.", "a=\"b\""), first);
    assert_ptr_not_equal(metric_counter("odradek_test_same_total", "Same.", "a=\"c\""), first);
    assert_ptr_not_equal(metric_counter("odradek_test_same_total", "Same.", NULL), first);
    assert_ptr_equal(metric_counter("odradek_test_same_total", "Same.", ""),
                     metric_counter("odradek_test_same_total", "Same.", NULL));
}

static void gauges_are_set_and_change_up_and_down(void **state) {
    (void)state;
    metric_t *set = metric_gauge("odradek_test_set", "Set.", NULL), *changed = metric_gauge("odradek_test_changed", "Changed.", NULL);
    metric_set(set, 1.5);
    metric_change(changed, 5);
    metric_change(changed, -7);
    assert_true(has_line("# TYPE odradek_test_set gauge"));
    assert_true(has_line("odradek_test_set 1.5"));
    assert_true(has_line("odradek_test_changed -2"));
    metric_set(set, 0);
    assert_true(has_line("odradek_test_set 0"));
}

static void a_histogram_is_cumulative(void **state) {
    (void)state;
    metric_t *histogram = metric_histogram("odradek_test_seconds", "Times.", "x=\"y\"", bounds, ARRAY_LEN(bounds));
    static const double values[] = {0, 0.1, 0.5, 1, 1.5, 100};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) metric_observe(histogram, values[i]);
    char *text = family_of("odradek_test_seconds");
    assert_string_equal(text, "# HELP odradek_test_seconds Times.\n"
                              "# TYPE odradek_test_seconds histogram\n"
                              "odradek_test_seconds_bucket{x=\"y\",le=\"0.1\"} 2\n" /* a bound is in its bucket */
                              "odradek_test_seconds_bucket{x=\"y\",le=\"1\"} 4\n"
                              "odradek_test_seconds_bucket{x=\"y\",le=\"10\"} 5\n"
                              "odradek_test_seconds_bucket{x=\"y\",le=\"+Inf\"} 6\n"
                              "odradek_test_seconds_sum{x=\"y\"} 103.1\n"
                              "odradek_test_seconds_count{x=\"y\"} 6\n");
    free(text);
}

static void a_histogram_without_labels_has_its_bounds_only(void **state) {
    (void)state;
    metric_histogram("odradek_test_bare_seconds", "Times.", NULL, bounds, ARRAY_LEN(bounds));
    assert_true(has_line("odradek_test_bare_seconds_bucket{le=\"+Inf\"} 0"));
    assert_true(has_line("odradek_test_bare_seconds_sum 0"));
    assert_true(has_line("odradek_test_bare_seconds_count 0"));
}

static void the_tables_of_bounds_rise(void **state) {
    (void)state;
    for (int i = 1; i < METRIC_SECONDS_COUNT; i++) assert_true(metric_seconds[i - 1] < metric_seconds[i]);
    for (int i = 1; i < METRIC_SIZES_COUNT; i++) assert_true(metric_sizes[i - 1] < metric_sizes[i]);
}

static void large_counts_keep_their_digits(void **state) {
    (void)state;
    metric_add(metric_counter("odradek_test_large_total", "Large.", NULL), 123456789012);
    assert_true(has_line("odradek_test_large_total 123456789012"));
}

enum { THREADS = 4, TURNS = 20000 };

static void *update(void *none) {
    (void)none;
    metric_t *histogram = metric_histogram("odradek_test_raced_size", "Raced.", NULL, bounds, ARRAY_LEN(bounds));
    for (int i = 0; i < TURNS; i++) {
        metric_add(metric_counter("odradek_test_raced_total", "Raced.", i % 2 ? "n=\"odd\"" : "n=\"even\""), 1);
        metric_change(metric_gauge("odradek_test_raced", "Raced.", NULL), i % 2 ? -1 : 1);
        metric_observe(histogram, 2);
    }
    return NULL;
}

static void nothing_is_lost_between_threads(void **state) {
    (void)state;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, update, NULL);
    for (int i = 0; i < 50; i++) { /* readers may come at any time */
        strbuf_t out = {0};
        metric_render(&out);
        strbuf_free(&out);
    }
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    assert_true(has_line("odradek_test_raced_total{n=\"odd\"} 40000"));
    assert_true(has_line("odradek_test_raced_total{n=\"even\"} 40000"));
    assert_true(has_line("odradek_test_raced 0"));
    assert_true(has_line("odradek_test_raced_size_sum 160000"));
    assert_true(has_line("odradek_test_raced_size_bucket{le=\"10\"} 80000"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_counter_is_shown_in_the_exposition_format),
        cmocka_unit_test(metrics_of_one_name_stand_together_under_one_head),
        cmocka_unit_test(the_same_name_and_labels_give_the_same_metric),
        cmocka_unit_test(gauges_are_set_and_change_up_and_down),
        cmocka_unit_test(a_histogram_is_cumulative),
        cmocka_unit_test(a_histogram_without_labels_has_its_bounds_only),
        cmocka_unit_test(the_tables_of_bounds_rise),
        cmocka_unit_test(large_counts_keep_their_digits),
        cmocka_unit_test(nothing_is_lost_between_threads),
    };
    return cmocka_run_group_tests_name("metric", tests, NULL, NULL);
}
