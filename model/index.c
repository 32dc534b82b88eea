/* How values stand in the indexes. */
#include "model/index.h"

#include "common/digest.h"
#include "common/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define EXACT_INTEGERS 0x1p53 /* from here on several integers share a double */

/* ---- a value ---- */

static uint64_t sortable(double number) {
    uint64_t bits;
    number = number == 0 ? 0 : number; /* -0 is 0 */
    memcpy(&bits, &number, sizeof bits);
    return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

static void add_number(strbuf_t *out, const json_t *value) {
    double number = json_number_value(value);
    strbuf_addf(out, "3%016" PRIx64, sortable(number));
    if (number < EXACT_INTEGERS && number > -EXACT_INTEGERS) return;
    __int128 rest = json_is_integer(value) ? (__int128)json_integer_value(value) - (__int128)number : 0;
    strbuf_addf(out, "%04x", (unsigned)(rest + 0x8000));
}

void index_add_text(strbuf_t *out, const char *text, size_t len) {
    strbuf_addc(out, '4');
    for (size_t i = 0; i < len && i < INDEX_TEXT_BYTES; i++) {
        if (text[i] == 1 || text[i] == 2) strbuf_addc(out, 2);
        strbuf_addc(out, text[i] == 1 || text[i] == 2 ? (char)(text[i] + 1) : text[i]);
    }
    if (len <= INDEX_TEXT_BYTES) return;
    char digest[DIGEST_TEXT_SIZE];
    digest_text(text, len, digest);
    strbuf_adds(out, "\2\4");
    strbuf_adds(out, digest);
}

bool index_add_value(strbuf_t *out, const json_t *value) {
    switch (json_typeof(value)) {
    case JSON_NULL: strbuf_addc(out, '0'); return true;
    case JSON_FALSE: strbuf_addc(out, '1'); return true;
    case JSON_TRUE: strbuf_addc(out, '2'); return true;
    case JSON_INTEGER:
    case JSON_REAL: add_number(out, value); return true;
    case JSON_STRING: index_add_text(out, json_string_value(value), json_string_length(value)); return true;
    default: return false;
    }
}

/* ---- an entity's ---- */

static void add_entry(strbuf_t *out, const char *field, const char *value) {
    strbuf_adds(out, field);
    strbuf_addc(out, INDEX_END);
    strbuf_adds(out, value);
    strbuf_addc(out, INDEX_END);
}

static int compare_texts(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The items' texts, sorted, each once; the caller frees them. */
static size_t sorted_items(const json_t *array, char **texts) {
    size_t count = 0, kept = 0, i;
    json_t *item;
    json_array_foreach((json_t *)array, i, item) {
        strbuf_t text = {0};
        if (index_add_value(&text, item)) texts[count++] = strbuf_steal(&text);
    }
    qsort(texts, count, sizeof *texts, compare_texts);
    for (i = 0; i < count; i++) {
        if (kept > 0 && !strcmp(texts[i], texts[kept - 1])) free(texts[i]);
        else texts[kept++] = texts[i];
    }
    return kept;
}

static void add_items(strbuf_t *out, const char *field, const json_t *array) {
    char **texts = mem_zero(json_array_size(array) + 1, sizeof *texts);
    size_t count = sorted_items(array, texts);
    if (count == 0) add_entry(out, field, "0");
    for (size_t i = 0; i < count; i++) {
        if (i < INDEX_ITEMS_MAX) add_entry(out, field, texts[i]);
        free(texts[i]);
    }
    free(texts);
}

void index_add_entries(strbuf_t *out, const entity_type_t *type, const json_t *data) {
    for (size_t i = 0; i < type->indexes_count; i++) {
        const json_t *value = json_object_get(data, type->indexes[i]);
        strbuf_t text = {0};
        if (json_is_array(value)) {
            add_items(out, type->indexes[i], value);
        } else {
            if (!value || !index_add_value(&text, value)) strbuf_addc(&text, '0');
            add_entry(out, type->indexes[i], text.data);
        }
        strbuf_free(&text);
    }
}

static bool next_span(const char **at, const char *end, json_span_t *span) {
    const char *behind = *at < end ? memchr(*at, INDEX_END, (size_t)(end - *at)) : NULL;
    if (!behind) return false;
    *span = (json_span_t){*at, (size_t)(behind - *at)};
    *at = behind + 1;
    return true;
}

bool index_next(const char **at, const char *end, index_entry_t *entry) {
    return next_span(at, end, &entry->field) && next_span(at, end, &entry->value);
}
