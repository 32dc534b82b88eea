/* Counters, gauges and histograms. */
#include "common/metric.h"

#include "common/mem.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

typedef enum kind { COUNTER, GAUGE, HISTOGRAM } kind_t;

static const char *const kind_names[] = {[COUNTER] = "counter", [GAUGE] = "gauge", [HISTOGRAM] = "histogram"};

struct metric {
    struct metric *next; /* within its family */
    char *labels;        /* never NULL */
    _Atomic int64_t count;
    _Atomic double value; /* of a gauge that is set; the sum of a histogram */
    const double *bounds;
    size_t bounds_count;
    _Atomic uint64_t *buckets; /* one more than bounds: the last is +Inf; not cumulative */
};

typedef struct family {
    struct family *next;
    char *name;
    char *help;
    kind_t kind;
    metric_t *first, **end;
} family_t;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static family_t *families, **families_end = &families;

const double metric_seconds[METRIC_SECONDS_COUNT] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.015, 0.025, 0.05,
                                                     0.1,    0.25,  0.5,    1,     2.5,  5,     10,    60};
const double metric_sizes[METRIC_SIZES_COUNT] = {1,   2,    5,    10,   20,    50,    100,
                                                 200, 500, 1000, 5000, 10000, 50000, 100000};

static family_t *family(const char *name, const char *help, kind_t kind) {
    for (family_t *f = families; f; f = f->next)
        if (!strcmp(f->name, name)) return f;
    family_t *f = mem_zero(1, sizeof *f);
    f->name = mem_string(name);
    f->help = mem_string(help);
    f->kind = kind;
    f->end = &f->first;
    *families_end = f;
    families_end = &f->next;
    return f;
}

static metric_t *get(const char *name, const char *help, const char *labels, kind_t kind, const double *bounds,
                     size_t count) {
    if (!labels) labels = "";
    pthread_mutex_lock(&lock);
    family_t *f = family(name, help, kind);
    metric_t *m = f->first;
    while (m && strcmp(m->labels, labels)) m = m->next;
    if (!m) {
        m = mem_zero(1, sizeof *m);
        m->labels = mem_string(labels);
        m->bounds = bounds;
        m->bounds_count = count;
        if (bounds) m->buckets = mem_zero(count + 1, sizeof *m->buckets);
        *f->end = m;
        f->end = &m->next;
    }
    pthread_mutex_unlock(&lock);
    return m;
}

metric_t *metric_counter(const char *name, const char *help, const char *labels) {
    return get(name, help, labels, COUNTER, NULL, 0);
}

metric_t *metric_gauge(const char *name, const char *help, const char *labels) {
    return get(name, help, labels, GAUGE, NULL, 0);
}

metric_t *metric_histogram(const char *name, const char *help, const char *labels, const double *bounds, size_t count) {
    return get(name, help, labels, HISTOGRAM, bounds, count);
}

void metric_add(metric_t *counter, uint64_t amount) {
    atomic_fetch_add_explicit(&counter->count, (int64_t)amount, memory_order_relaxed);
}

void metric_set(metric_t *gauge, double value) {
    atomic_store_explicit(&gauge->value, value, memory_order_relaxed);
}

void metric_change(metric_t *gauge, int64_t amount) {
    atomic_fetch_add_explicit(&gauge->count, amount, memory_order_relaxed);
}

void metric_observe(metric_t *histogram, double value) {
    size_t i = 0;
    while (i < histogram->bounds_count && value > histogram->bounds[i]) i++;
    atomic_fetch_add_explicit(&histogram->buckets[i], 1, memory_order_relaxed);
    double sum = atomic_load_explicit(&histogram->value, memory_order_relaxed);
    while (!atomic_compare_exchange_weak(&histogram->value, &sum, sum + value)) {}
}

static void sample(strbuf_t *out, const char *name, const char *suffix, const char *labels, const char *more,
                   double value) {
    const char *comma = labels[0] && more[0] ? "," : "";
    strbuf_addf(out, "%s%s", name, suffix);
    if (labels[0] || more[0]) strbuf_addf(out, "{%s%s%s}", labels, comma, more);
    if (value == floor(value) && fabs(value) < 1e15)
        strbuf_addf(out, " %.0f\n", value);
    else
        strbuf_addf(out, " %.9g\n", value);
}

static void render_histogram(strbuf_t *out, const char *name, metric_t *m) {
    uint64_t total = 0;
    for (size_t i = 0; i <= m->bounds_count; i++) {
        char bound[40] = "le=\"+Inf\"";
        if (i < m->bounds_count) snprintf(bound, sizeof bound, "le=\"%g\"", m->bounds[i]);
        total += atomic_load_explicit(&m->buckets[i], memory_order_relaxed);
        sample(out, name, "_bucket", m->labels, bound, (double)total);
    }
    sample(out, name, "_sum", m->labels, "", atomic_load_explicit(&m->value, memory_order_relaxed));
    sample(out, name, "_count", m->labels, "", (double)total);
}

void metric_render(strbuf_t *out) {
    pthread_mutex_lock(&lock);
    for (family_t *f = families; f; f = f->next) {
        strbuf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", f->name, f->help, f->name, kind_names[f->kind]);
        for (metric_t *m = f->first; m; m = m->next) {
            if (f->kind == HISTOGRAM)
                render_histogram(out, f->name, m);
            else
                sample(out, f->name, "", m->labels, "", (double)m->count + m->value);
        }
    }
    pthread_mutex_unlock(&lock);
}
