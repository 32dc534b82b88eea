/* The command line as a table: a row an option; the usage text comes from it. */
#ifndef ODRADEK_OPT_H
#define ODRADEK_OPT_H

#include <stddef.h>

typedef struct opt {
    const char *name;     /* without dashes: "settings" for --settings */
    const char *argument; /* its name in the usage text, or NULL where the option takes none */
    const char *help;
    const char **value; /* set to the argument (borrowed from argv), or to "" where there is none */
} opt_t;

typedef enum opt_result { OPT_RUN, OPT_DONE, OPT_WRONG } opt_result_t;

/* Reads `argv`. --help and --version (always there) print to stdout: OPT_DONE, exit 0. What is not understood is said
   on stderr: OPT_WRONG, exit 2. `about` is one sentence. */
opt_result_t opt_parse(int argc, char **argv, const char *program, const char *about, const opt_t *rows, size_t count);

#endif
