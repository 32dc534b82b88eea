/* The filters of a list. */
#include "services/query-api/filter.h"

#include <stdio.h>
#include <string.h>

/* What a text stands for besides the string; NULL: nothing. Blanks would be passed over by the parser. */
static json_t *scalar_of(const char *text) {
    err_t ignored;
    if (!*text || strpbrk(text, " \t\r\n\"[{")) return NULL;
    return json_read(text, strlen(text), &ignored);
}

static void put_value(char value[INDEX_VALUE_SIZE], strbuf_t *text) {
    snprintf(value, INDEX_VALUE_SIZE, "%s", text->data);
    strbuf_clear(text);
}

static filter_t filter_of(const char *field, const char *text) {
    filter_t filter = {.values = {"", ""}};
    strbuf_t value = {0};
    snprintf(filter.field, sizeof filter.field, "%s", field);
    index_add_text(&value, text, strlen(text));
    put_value(filter.values[0], &value);
    json_t *scalar = scalar_of(text);
    if (scalar && index_add_value(&value, scalar)) put_value(filter.values[1], &value);
    json_decref(scalar);
    strbuf_free(&value);
    return filter;
}

void filter_add(filters_t *filters, const char *field, const char *text) {
    size_t at = filters->count++;
    for (; at > 0 && strcmp(filters->items[at - 1].field, field) > 0; at--) filters->items[at] = filters->items[at - 1];
    filters->items[at] = filter_of(field, text);
}

static bool same(const filter_t *a, const filter_t *b) {
    for (int i = 0; i < FILTER_VALUES; i++)
        if (strcmp(a->values[i], b->values[i])) return false;
    return !strcmp(a->field, b->field);
}

bool filter_same(const filters_t *a, const filters_t *b) {
    for (size_t i = 0; i < a->count && i < b->count; i++)
        if (!same(&a->items[i], &b->items[i])) return false;
    return a->count == b->count;
}

static bool is(json_span_t span, const char *text) {
    return span.len == strlen(text) && !memcmp(span.text, text, span.len);
}

static bool passes(const filter_t *filter, const char *entries, size_t len) {
    const char *at = entries, *end = entries + len;
    index_entry_t entry;
    while (index_next(&at, end, &entry))
        if (is(entry.field, filter->field) && (is(entry.value, filter->values[0]) || is(entry.value, filter->values[1])))
            return true;
    return false;
}

bool filter_pass(const filters_t *filters, const filter_t *except, const char *entries, size_t len) {
    for (size_t i = 0; i < filters->count; i++)
        if (&filters->items[i] != except && !passes(&filters->items[i], entries, len)) return false;
    return true;
}
