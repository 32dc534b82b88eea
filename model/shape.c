/* The shape of what the snapshot store keeps beside the data. */
#include "model/shape.h"

#include "common/mem.h"
#include "common/strbuf.h"

#include <stdlib.h>
#include <string.h>

/* Changes when the same fields are kept in another form. */
#define FORM "1"

typedef struct lines {
    char **items;
    size_t count;
} lines_t;

static void add(lines_t *lines, char *line) {
    lines->items = mem_resize(lines->items, lines->count + 1, sizeof *lines->items);
    lines->items[lines->count++] = line;
}

static void add_fields(lines_t *lines, const entity_type_t *type) {
    for (size_t i = 0; i < type->links_count; i++)
        add(lines, mem_printf("%s\1link\1%s\1%s\n", type->name, type->links[i].name, type->links[i].target->name));
    for (size_t i = 0; i < type->indexes_count; i++)
        add(lines, mem_printf("%s\1index\1%s\n", type->name, type->indexes[i]));
}

static void add_unique(lines_t *lines, const entity_type_t *type) {
    for (size_t i = 0; i < type->uniques_count; i++)
        add(lines, mem_printf("%s\1unique\1%s\n", type->name, type->uniques[i]));
}

static int compare(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void digest_lines(const types_t *types, void (*add_lines)(lines_t *lines, const entity_type_t *type),
                         char text[DIGEST_TEXT_SIZE]) {
    lines_t lines = {0};
    strbuf_t all = {0};
    for (size_t i = 0; i < types->count; i++) add_lines(&lines, &types->items[i]);
    if (lines.count > 0) qsort(lines.items, lines.count, sizeof *lines.items, compare);
    strbuf_adds(&all, FORM "\n");
    for (size_t i = 0; i < lines.count; i++) {
        strbuf_adds(&all, lines.items[i]);
        free(lines.items[i]);
    }
    free(lines.items);
    digest_text(all.data, all.len, text);
    strbuf_free(&all);
}

/* Half a digest each: validators ask for the second only. */
enum { HALF = (DIGEST_TEXT_SIZE - 1) / 2 };

void shape_text(const types_t *types, char text[DIGEST_TEXT_SIZE]) {
    char unique[DIGEST_TEXT_SIZE];
    digest_lines(types, add_fields, text);
    digest_lines(types, add_unique, unique);
    memcpy(text + HALF, unique, HALF);
}

bool shape_same_unique(const char *a, const char *b) {
    return strlen(a) == 2 * HALF && strlen(b) == 2 * HALF && !strcmp(a + HALF, b + HALF);
}
