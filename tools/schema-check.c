/* Checks a JSON Schema, and documents against it. */
#include "common/base.h"
#include "common/mem.h"
#include "common/schema.h"
#include "common/strbuf.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_VALID, EXIT_INVALID, EXIT_UNUSABLE };

/* X(letter, name, argument or NULL, help) */
#define OPTIONS(X)                                                                                                 \
    X('d', "draft", "DRAFT", "of schemas without $schema: 2020-12 (default), 2019-09, 07, 06")                     \
    X('r', "remotes", "URL=PATH", "where references to URL, or below it, lead: a file or a directory; repeatable") \
    X('f', "format-assertion", NULL, "check `format`, which is an annotation otherwise")                           \
    X('s', "strict", NULL, "refuse keywords that no draft knows, but for x-...")                                   \
    X('o', "output", "HOW", "flag (default): a line for each document; list: failures as JSON, too")               \
    X('h', "help", NULL, "this text")                                                                              \
    X('V', "version", NULL, "the version")

typedef struct check {
    schema_options_t options;
    schema_remote_t *remotes;
    bool list;
} check_t;

static const struct option long_options[] = {
#define X(letter, name, argument, help) {name, argument ? required_argument : no_argument, NULL, letter},
    OPTIONS(X)
#undef X
        {0},
};

static void print_usage(FILE *out) {
    static const struct {
        const char *name, *argument, *help;
    } rows[] = {
#define X(letter, name, argument, help) {name, argument, help},
        OPTIONS(X)
#undef X
    };
    fputs("usage: schema-check [OPTION]... SCHEMA.json [DOCUMENT.json | -]...\n"
          "Checks a JSON Schema, and documents against it. Exits with 0 when all is valid, 1 when a document is not,\n"
          "2 when the schema, or what should be JSON, cannot be used.\n\n",
          out);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char name[40];
        snprintf(name, sizeof name, "--%s%s%s", rows[i].name, rows[i].argument ? " " : "",
                 rows[i].argument ? rows[i].argument : "");
        fprintf(out, "  %-22s %s\n", name, rows[i].help);
    }
}

static bool read_draft(const char *text, schema_draft_t *draft) {
    static const struct {
        const char *name;
        schema_draft_t draft;
    } names[] = {
        {"2020-12", SCHEMA_DRAFT_2020_12}, {"draft2020-12", SCHEMA_DRAFT_2020_12}, {"2019-09", SCHEMA_DRAFT_2019_09},
        {"draft2019-09", SCHEMA_DRAFT_2019_09}, {"07", SCHEMA_DRAFT_07}, {"7", SCHEMA_DRAFT_07},
        {"draft-07", SCHEMA_DRAFT_07}, {"draft7", SCHEMA_DRAFT_07}, {"06", SCHEMA_DRAFT_06}, {"6", SCHEMA_DRAFT_06},
        {"draft-06", SCHEMA_DRAFT_06}, {"draft6", SCHEMA_DRAFT_06},
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(names[i].name, text) != 0) continue;
        *draft = names[i].draft;
        return true;
    }
    return false;
}

/* Takes URL=PATH apart; an = in the URL belongs to it. */
static bool add_remote(check_t *check, const char *text) {
    const char *equal = strrchr(text, '=');
    if (!equal || equal == text || !equal[1]) return false;
    check->remotes = mem_resize(check->remotes, check->options.remote_count + 1, sizeof *check->remotes);
    check->remotes[check->options.remote_count++] =
        (schema_remote_t){.base_uri = mem_copy(text, (size_t)(equal - text)), .path = equal + 1};
    return true;
}

static bool read_output(check_t *check, const char *text) {
    check->list = strcmp(text, "list") == 0;
    return check->list || strcmp(text, "flag") == 0;
}

static bool read_option(check_t *check, int letter, const char *argument) {
    switch (letter) {
    case 'd': return read_draft(argument, &check->options.draft);
    case 'r': return add_remote(check, argument);
    case 'f': check->options.format = SCHEMA_FORMAT_ASSERT; return true;
    case 's': return check->options.strict = true;
    case 'o': return read_output(check, argument);
    default: return false;
    }
}

/* -1 to go on, else the exit status. */
static int read_options(check_t *check, int argc, char **argv) {
    for (int letter; (letter = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        if (letter == 'h') {
            print_usage(stdout);
            return EXIT_VALID;
        }
        if (letter == 'V') {
            printf("schema-check %s\n", ODRADEK_VERSION);
            return EXIT_VALID;
        }
        if (read_option(check, letter, optarg)) continue;
        if (letter != '?') fprintf(stderr, "schema-check: %s is no argument of that option\n", optarg);
        return EXIT_UNUSABLE;
    }
    if (optind < argc) return -1;
    print_usage(stderr);
    return EXIT_UNUSABLE;
}

static void add_member(strbuf_t *out, const char *name, const char *text) {
    strbuf_addf(out, ",\"%s\":", name);
    strbuf_add_jsons(out, text);
}

/* The specification's output, as one line. */
static void print_failures(const char *name, const schema_failures_t *failures) {
    strbuf_t out = {0};
    strbuf_adds(&out, "{\"document\":");
    strbuf_add_jsons(&out, name);
    strbuf_addf(&out, ",\"valid\":%s", failures->count ? "false" : "true");
    if (failures->count) strbuf_adds(&out, ",\"errors\":[");
    for (size_t i = 0; i < failures->count; i++) {
        const schema_failure_t *failure = &failures->items[i];
        strbuf_adds(&out, i ? ",{\"valid\":false" : "{\"valid\":false");
        add_member(&out, "instanceLocation", failure->instance_location);
        add_member(&out, "keywordLocation", failure->keyword_location);
        add_member(&out, "absoluteKeywordLocation", failure->absolute_location);
        add_member(&out, "error", failure->message);
        strbuf_addc(&out, '}');
    }
    if (failures->count) strbuf_addc(&out, ']');
    if (failures->truncated) strbuf_adds(&out, ",\"truncated\":true");
    printf("%s}\n", out.data);
    strbuf_free(&out);
}

static int check_document(const check_t *check, const schema_t *schema, const char *path) {
    json_error_t reason;
    bool piped = strcmp(path, "-") == 0;
    size_t flags = JSON_DECODE_ANY | JSON_ALLOW_NUL;
    json_t *document = piped ? json_loadf(stdin, flags, &reason) : json_load_file(path, flags, &reason);
    if (!document) {
        fprintf(stderr, "%s:%d:%d: %s\n", path, reason.line, reason.column, reason.text);
        return EXIT_UNUSABLE;
    }
    schema_failures_t failures = {0};
    bool valid = schema_validate(schema, document, &failures) == 0;
    if (check->list)
        print_failures(path, &failures);
    else
        printf("%s: %s\n", path, valid ? "valid" : "invalid");
    schema_failures_free(&failures);
    json_decref(document);
    return valid ? EXIT_VALID : EXIT_INVALID;
}

static int check_all(const check_t *check, const char *path, char **documents, int count) {
    err_t error;
    schema_t *schema = schema_load(path, &check->options, &error);
    if (!schema) {
        fprintf(stderr, "%s\n", error.text);
        return EXIT_UNUSABLE;
    }
    int status = EXIT_VALID;
    if (count == 0) printf("%s: a usable schema\n", path);
    for (int i = 0; i < count; i++) {
        int one = check_document(check, schema, documents[i]);
        if (one > status) status = one;
    }
    schema_free(schema);
    return status;
}

int main(int argc, char **argv) {
    check_t check = {0};
    int status = read_options(&check, argc, argv);
    check.options.remotes = check.remotes;
    if (status < 0) status = check_all(&check, argv[optind], argv + optind + 1, argc - optind - 1);
    for (size_t i = 0; i < check.options.remote_count; i++) free((char *)check.remotes[i].base_uri);
    free(check.remotes);
    return status;
}
