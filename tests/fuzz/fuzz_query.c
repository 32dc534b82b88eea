/* Any text as a cursor, and as a query parameter's name and value: read or refused; what was read is written the same. */
#include "services/query-api/cursor.h"
#include "services/query-api/fields.h"
#include "services/query-api/params.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_cursor(const char *text) {
    cursor_t cursor, again;
    strbuf_t written = {0};
    if (!cursor_decode(text, &cursor)) return;
    cursor_encode(&written, &cursor);
    if (!cursor_decode(written.data, &again)) __builtin_trap();
    if (strcmp(cursor.type, again.type) || strcmp(cursor.sort, again.sort) || strcmp(cursor.value, again.value) ||
        strcmp(cursor.id, again.id) || cursor.descending != again.descending || !filter_same(&cursor.filters, &again.filters))
        __builtin_trap();
    strbuf_free(&written);
}

/* A cursor of what a fuzzer finds more easily than base64. */
static void check_written(const char *type, const char *sort, const char *id) {
    cursor_t cursor = {.descending = *sort == '-'};
    strbuf_t written = {0};
    strncpy(cursor.type, type, sizeof cursor.type - 1);
    strncpy(cursor.sort, sort, sizeof cursor.sort - 1);
    strncpy(cursor.id, id, sizeof cursor.id - 1);
    cursor_encode(&written, &cursor);
    check_cursor(written.data);
    strbuf_free(&written);
}

static void check_filters(const filters_t *filters) {
    strbuf_t entries = {0};
    strbuf_adds(&entries, "");
    for (size_t i = 0; i < filters->count; i++) {
        const filter_t *filter = &filters->items[i];
        if (i > 0 && strcmp(filters->items[i - 1].field, filter->field) >= 0) __builtin_trap();
        for (int v = 0; v < FILTER_VALUES; v++)
            if (strlen(filter->values[v]) >= INDEX_VALUE_SIZE || strchr(filter->values[v], INDEX_END)) __builtin_trap();
        strbuf_addf(&entries, "%s\1%s\1", filter->field, filter->values[i % 2 && filter->values[1][0]]);
    }
    bool parts = !filters->count || !memchr(filters->items[0].field, INDEX_END, strlen(filters->items[0].field));
    if (parts && filters->count == 1 && !filter_pass(filters, NULL, entries.data, entries.len)) __builtin_trap();
    strbuf_free(&entries);
}

/* Lines: names and values of parameters in turn. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char object[] = "{\"a\":[1,{\"b\":2}],\"\\u0062\":\"x\",\"c\":null}";
    char *text = malloc(size + 1), *rest = text, *lines[32];
    size_t count = 0;
    query_params_t params = {0};
    err_t error;
    memcpy(text, data, size);
    text[size] = '\0';
    check_cursor(text);
    while (rest && count < 32) lines[count++] = strsep(&rest, "\n");
    for (size_t i = 0; i + 1 < count; i += 2)
        if (!query_params_set(&params, ~0U, lines[i], lines[i + 1], &error) && !error.text[0]) __builtin_trap();
    check_filters(&params.filters);
    if (count >= 3) check_written(lines[0], lines[1], lines[2]);
    strbuf_t shown = {0};
    if (params.fields) fields_add(&shown, params.fields, object, sizeof object - 1);
    strbuf_free(&shown);
    free(text);
    return 0;
}
