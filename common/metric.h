/* Counters, gauges and histograms of this process, as Prometheus' text format 0.0.4.
   Metrics live as long as the process; asking for the same name and labels again gives the same one. Updating is
   an atomic operation, any thread may do it. */
#ifndef ODRADEK_METRIC_H
#define ODRADEK_METRIC_H

#include "common/strbuf.h"

#include <stdint.h>

typedef struct metric metric_t;

/* `labels` is the text between the braces, as in `route="/entries",code="202"`, or NULL; names, help and labels are
   copied. Names carry their unit (`_seconds`, `_bytes`), counters end in `_total`. */
metric_t *metric_counter(const char *name, const char *help, const char *labels);
metric_t *metric_gauge(const char *name, const char *help, const char *labels);
/* `bounds`: the buckets' upper bounds, rising, borrowed for ever (one of the tables below). */
metric_t *metric_histogram(const char *name, const char *help, const char *labels, const double *bounds, size_t count);

void metric_add(metric_t *counter, uint64_t amount);
void metric_set(metric_t *gauge, double value);
void metric_change(metric_t *gauge, int64_t amount); /* for gauges that count up and down; not mixed with metric_set */
void metric_observe(metric_t *histogram, double value);

/* Appends all metrics. */
void metric_render(strbuf_t *out);

#define METRIC_SECONDS_COUNT 16
extern const double metric_seconds[METRIC_SECONDS_COUNT]; /* 0.5 ms … 60 s */
#define METRIC_SIZES_COUNT 14
extern const double metric_sizes[METRIC_SIZES_COUNT]; /* 1 … 100,000 */

#endif
