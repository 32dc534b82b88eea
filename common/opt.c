/* The command line as a table. */
#include "common/opt.h"

#include "common/base.h"

#include <stdio.h>
#include <string.h>

static void print_row(const char *name, const char *argument, const char *help) {
    char left[64];
    snprintf(left, sizeof left, "--%s%s%s", name, argument ? " " : "", argument ? argument : "");
    printf("  %-22s %s\n", left, help);
}

static void usage(const char *program, const char *about, const opt_t *rows, size_t count) {
    printf("%s: %s\n\nusage: %s [options]\n\noptions:\n", program, about, program);
    for (size_t i = 0; i < count; i++) print_row(rows[i].name, rows[i].argument, rows[i].help);
    print_row("help", NULL, "print this and exit");
    print_row("version", NULL, "print the version and exit");
    printf("\nAny setting can be overridden by the environment: ODRADEK_PORTS_COMMAND_API=4000.\n");
}

/* Finds the row that `word` names, as "--name" or "--name=value"; `*value` then points behind the '=' or is NULL. */
static const opt_t *find(const opt_t *rows, size_t count, const char *word, const char **value) {
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(rows[i].name);
        if (strncmp(word, "--", 2) || strncmp(word + 2, rows[i].name, len)) continue;
        char end = word[2 + len];
        if (end != '\0' && end != '=') continue;
        *value = end == '=' ? word + 3 + len : NULL;
        return &rows[i];
    }
    return NULL;
}

static opt_result_t wrong(const char *program, const char *what, const char *word) {
    fprintf(stderr, "%s: %s '%s'; see %s --help\n", program, what, word, program);
    return OPT_WRONG;
}

opt_result_t opt_parse(int argc, char **argv, const char *program, const char *about, const opt_t *rows, size_t count) {
    for (int i = 1; i < argc; i++) {
        const char *value;
        const opt_t *row = find(rows, count, argv[i], &value);
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
            usage(program, about, rows, count);
            return OPT_DONE;
        }
        if (!strcmp(argv[i], "--version")) {
            printf("%s %s\n", program, ODRADEK_VERSION);
            return OPT_DONE;
        }
        if (!row) return wrong(program, "unknown option", argv[i]);
        if (!row->argument && value) return wrong(program, "no value goes with", argv[i]);
        if (row->argument && !value && i + 1 == argc) return wrong(program, "a value must follow", argv[i]);
        *row->value = !row->argument ? "" : value ? value : argv[++i];
    }
    return OPT_RUN;
}
