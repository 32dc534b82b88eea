/* Measures the validator. Reads a table of cases, a line for each: name, draft, schema file, documents file (a JSON
   array), tab-separated; then, from its input, "CASE MILLISECONDS" as often as wanted, and answers with the
   nanoseconds that one document took and how many of the documents are valid. The peers do the same. */
#include "common/base.h"
#include "common/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_CASES 64

typedef struct bench {
    schema_t *schema;
    json_t *documents; /* and the same as a plain array, so that only validating is measured: */
    const json_t **items;
    size_t count;
} bench_t;

static double now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec * 1e9 + (double)at.tv_nsec;
}

static schema_draft_t draft_of(const char *name) {
    return strcmp(name, "07") == 0 ? SCHEMA_DRAFT_07 : SCHEMA_DRAFT_2020_12;
}

static bool open_case(bench_t *bench, char *line) {
    strtok(line, "\t");
    const char *draft = strtok(NULL, "\t"), *schema = strtok(NULL, "\t"), *documents = strtok(NULL, "\t\n");
    if (!documents) return false;
    err_t error = {0};
    schema_options_t options = {.draft = draft_of(draft), .format = SCHEMA_FORMAT_ANNOTATE};
    bench->schema = schema_load(schema, &options, &error);
    bench->documents = json_load_file(documents, 0, NULL);
    bench->count = json_array_size(bench->documents);
    bench->items = calloc(bench->count + 1, sizeof *bench->items);
    for (size_t i = 0; bench->items && i < bench->count; i++) bench->items[i] = json_array_get(bench->documents, i);
    if (bench->schema && bench->items && bench->count > 0) return true;
    fprintf(stderr, "bench: %s %s\n", documents, error.text);
    return false;
}

static unsigned validate_all(const bench_t *bench) {
    unsigned valid = 0;
    for (size_t i = 0; i < bench->count; i++) valid += schema_valid(bench->schema, bench->items[i]);
    return valid;
}

static void measure(const bench_t *bench, double milliseconds) {
    double begin = now(), spent = 0;
    unsigned rounds = 0, step = 1, valid = 0;
    for (; spent < milliseconds * 1e6; step *= 2) {
        for (unsigned i = 0; i < step; i++) valid = validate_all(bench);
        rounds += step;
        spent = now() - begin;
    }
    printf("%.3f %u\n", spent / rounds / (double)bench->count, valid);
    fflush(stdout);
}

int main(int argc, char **argv) {
    bench_t cases[MAX_CASES] = {0};
    unsigned count = 0;
    char line[4096];
    FILE *table = argc == 2 ? fopen(argv[1], "re") : NULL;
    if (!table) return 2;
    while (count < MAX_CASES && fgets(line, sizeof line, table)) {
        if (!open_case(&cases[count++], line)) return 2;
    }
    fclose(table);
    printf("%s\n", ODRADEK_VERSION);
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        char *rest;
        unsigned long number = strtoul(line, &rest, 10);
        if (number < count) measure(&cases[number], strtod(rest, NULL));
    }
    for (unsigned i = 0; i < count; i++) {
        schema_free(cases[i].schema);
        json_decref(cases[i].documents);
        free(cases[i].items);
    }
    return 0;
}
