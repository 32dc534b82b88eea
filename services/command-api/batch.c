/* Many bodies in one request.

       lines, as they come ──▶ item ──▶ order ──▶ … ──▶ its answer ──▶ text, kept until those before it are there
         ▲    elements      ▲    │                          │
         │                  │    └── the window is full ──▶ the reader sleeps (http_take_body)
         └──────────────────┴───────────── room again ──────┘

   The reader is one thread of the HTTP library at a time; answers come on any. When all is read the answer begins, and
   goes out as items are answered. The library cannot begin it sooner, so items' texts are kept until then: a few
   hundred bytes for each. */
#include "services/command-api/batch.h"

#include "common/clock.h"
#include "common/lines.h"
#include "common/mem.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What one request may have on its way at once. Small, so that it neither needs much memory nor keeps others waiting. */
enum { WINDOW_ITEMS = 256, WINDOW_BYTES = 4 * 1024 * 1024 };

static const char lines_type[] = "application/x-ndjson";

static const refusal_t refused_conditions = {
    400, "invalid-header", "A batch creates, and takes neither If-Match nor If-None-Match.", false};
static const refusal_t refused_array = {400, "invalid-json", NULL, false};
static const refusal_t refused_items = {413, "too-many-items", NULL, false};
static const refusal_t refused_line = {413, "too-large", NULL, false};
static const refusal_t refused_encoding = {
    400, "invalid-encoding", "The body is damaged here; what came before was taken.", false};

typedef struct batch {
    http_request_t *request; /* the reader's */
    const command_route_t *route;
    terms_t terms;
    int64_t deadline_us;
    bool in_lines; /* else an array */
    /* Of the reader: */
    lines_t lines;
    const char *at, *end; /* of the array: what is not read yet */
    size_t begun;         /* items */
    bool over;            /* what still comes is not read */
    pthread_mutex_t lock; /* of what follows */
    size_t holds;         /* items without an answer, and the reader, or after it the stream */
    size_t bytes;         /* of bodies of such items */
    bool full, lost;      /* the reader sleeps; the client left before the end */
    char **texts;         /* of items' answers; NULL: not there, or told already */
    size_t texts_cap, told;
    strbuf_t out;         /* what was told; the stream gave the first `given` bytes away */
    size_t given;
    http_stream_t *stream; /* the answer; NULL: it has not begun, or is gone */
    bool complete;         /* all is told */
} batch_t;

/* What an item's answer finds it by. */
typedef struct item {
    batch_t *batch;
    size_t index, bytes;
} item_t;

static size_t items_max(const batch_t *batch) {
    return (size_t)batch->route->api->settings->limits.batch_items;
}

/* ---- its life ---- */

static metric_t *batches_gauge(void) {
    return metric_gauge("odradek_batches", "Batches under way.", NULL);
}

static batch_t *batch_new(http_request_t *request, const command_route_t *route, const terms_t *terms) {
    batch_t *batch = mem_zero(1, sizeof *batch);
    batch->request = request;
    batch->route = route;
    batch->terms = *terms;
    batch->deadline_us = command_deadline(terms);
    batch->lines.max = (size_t)route->api->settings->limits.body_bytes;
    batch->holds = 1;
    pthread_mutex_init(&batch->lock, NULL);
    metric_change(batches_gauge(), 1);
    return batch;
}

static void batch_free(batch_t *batch) {
    for (size_t i = batch->told; i < batch->texts_cap; i++) free(batch->texts[i]);
    free(batch->texts);
    lines_free(&batch->lines);
    strbuf_free(&batch->out);
    pthread_mutex_destroy(&batch->lock);
    metric_change(batches_gauge(), -1);
    free(batch);
}

/* Gives up a hold; `bytes` were an item's. */
static void let_go(batch_t *batch, size_t bytes) {
    pthread_mutex_lock(&batch->lock);
    size_t holds = --batch->holds;
    batch->bytes -= bytes;
    /* Half of the window: not for every single item the reader is woken. */
    bool room = holds <= WINDOW_ITEMS / 2 && batch->bytes <= WINDOW_BYTES / 2;
    if (batch->full && room && !batch->lost) {
        batch->full = false;
        http_go_on(batch->request); /* which lives, since the reader sleeps and has not been told otherwise */
    }
    pthread_mutex_unlock(&batch->lock);
    if (holds == 0) batch_free(batch);
}

/* ---- answers of items ---- */

static char *item_text(const answer_t *answer) {
    strbuf_t text = {0};
    strbuf_addf(&text, "{\"status\":%d", answer->code);
    if (answer->location[0]) {
        strbuf_adds(&text, ",\"location\":");
        strbuf_add_jsons(&text, answer->location);
    }
    if (answer->etag[0]) {
        strbuf_adds(&text, ",\"etag\":");
        strbuf_add_jsons(&text, answer->etag);
    }
    strbuf_addf(&text, ",\"body\":%s}", answer->body.data);
    return strbuf_steal(&text);
}

static void count_item(int code) {
    char labels[32];
    snprintf(labels, sizeof labels, "code=\"%d\"", code);
    metric_add(metric_counter("odradek_batch_items_total", "Items of batches that were answered.", labels), 1);
}

static void tell_one(batch_t *batch, char *text) {
    if (!batch->in_lines) strbuf_addc(&batch->out, batch->told > 0 ? ',' : '[');
    strbuf_adds(&batch->out, text);
    if (batch->in_lines) strbuf_addc(&batch->out, '\n');
    free(text);
    batch->texts[batch->told++] = NULL;
}

/* Appends the texts whose turn it is, and lets the stream know. */
static void tell(batch_t *batch) {
    while (batch->told < batch->texts_cap && batch->texts[batch->told]) tell_one(batch, batch->texts[batch->told]);
    if (!batch->stream) return;
    bool complete = batch->told == batch->begun;
    if (complete && !batch->complete && !batch->in_lines) strbuf_adds(&batch->out, batch->told > 0 ? "]" : "[]");
    batch->complete = complete;
    if (complete || batch->out.len > batch->given) http_stream_wake(batch->stream);
}

static void on_answer(void *context, answer_t *answer) {
    item_t item = *(item_t *)context;
    free(context);
    char *text = item_text(answer);
    count_item(answer->code);
    pthread_mutex_lock(&item.batch->lock);
    item.batch->texts[item.index] = text;
    tell(item.batch);
    pthread_mutex_unlock(&item.batch->lock);
    let_go(item.batch, item.bytes);
}

/* ---- the answer of the batch ---- */

static ssize_t on_read(void *self, char *out, size_t size) {
    batch_t *batch = self;
    pthread_mutex_lock(&batch->lock);
    size_t left = batch->out.len - batch->given, count = left < size ? left : size;
    ssize_t result = count > 0 ? (ssize_t)count : batch->complete ? HTTP_STREAM_END : HTTP_STREAM_SOON;
    if (count > 0) memcpy(out, batch->out.data + batch->given, count);
    batch->given += count;
    if (batch->given == batch->out.len) {
        strbuf_clear(&batch->out);
        batch->given = 0;
    }
    pthread_mutex_unlock(&batch->lock);
    return result;
}

static void on_gone(void *self) {
    batch_t *batch = self;
    pthread_mutex_lock(&batch->lock);
    batch->stream = NULL;
    pthread_mutex_unlock(&batch->lock);
    let_go(batch, 0);
}

/* All is read: the stream has the reader's hold from now on. */
static void answer_begin(batch_t *batch) {
    const http_stream_source_t source = {on_read, on_gone, batch};
    char applied[32];
    snprintf(applied, sizeof applied, "wait=%d", batch->terms.wait_seconds);
    if (batch->terms.wait_seconds >= 0) http_add_header(batch->request, "Preference-Applied", applied);
    pthread_mutex_lock(&batch->lock);
    http_answer_stream(batch->request, 200, batch->in_lines ? lines_type : "application/json", &source, &batch->stream);
    tell(batch);
    pthread_mutex_unlock(&batch->lock);
}

/* ---- the reader ---- */

/* Whether one more item may be on its way. Where not, the reader is woken when there is room. */
static bool has_room(batch_t *batch) {
    pthread_mutex_lock(&batch->lock);
    batch->full = batch->holds > WINDOW_ITEMS || batch->bytes >= WINDOW_BYTES;
    bool room = !batch->full;
    pthread_mutex_unlock(&batch->lock);
    return room;
}

static void texts_reserve(batch_t *batch, size_t index) {
    if (index < batch->texts_cap) return;
    size_t cap = batch->texts_cap ? batch->texts_cap * 2 : WINDOW_ITEMS;
    batch->texts = mem_resize(batch->texts, cap, sizeof *batch->texts);
    memset(batch->texts + batch->texts_cap, 0, (cap - batch->texts_cap) * sizeof *batch->texts);
    batch->texts_cap = cap;
}

/* The next item, whose body has so many bytes; returns who is answered for it. */
static asker_t item_new(batch_t *batch, size_t bytes) {
    item_t *item = mem_zero(1, sizeof *item);
    *item = (item_t){batch, batch->begun++, bytes};
    pthread_mutex_lock(&batch->lock);
    texts_reserve(batch, item->index);
    batch->holds++;
    batch->bytes += bytes;
    pthread_mutex_unlock(&batch->lock);
    return (asker_t){on_answer, item};
}

static void refuse_item(batch_t *batch, const refusal_t *refusal, const char *detail) {
    asker_t asker = item_new(batch, 0);
    answer_refuse(&asker, refusal, detail, NULL);
}

/* Each item has a key of its own, made of the request's and its place: sent again, the same bodies at the same places are
   the same commands. */
static void derive_key(const batch_t *batch, size_t index, terms_t *terms) {
    if (!batch->terms.key[0]) return;
    char name[TERMS_KEY_SIZE + 32];
    int len = snprintf(name, sizeof name, "batch %zu %s", index, batch->terms.key);
    uuid8(name, (size_t)len, terms->key);
}

static void order_item(batch_t *batch, json_span_t body) {
    terms_t terms = batch->terms;
    derive_key(batch, batch->begun, &terms);
    command_order(&(order_t){
        .route = batch->route,
        .terms = &terms,
        .body = body,
        .trace = http_trace(batch->request),
        .deadline_us = batch->deadline_us,
        .patient = true,
        .asker = item_new(batch, body.len),
    });
}

static bool batch_terms(http_request_t *request, const command_route_t *route, terms_t *terms, const asker_t *asker) {
    if (!http_header(request, "If-Match") && !http_header(request, "If-None-Match"))
        return command_terms(request, route, terms, asker);
    answer_refuse(asker, &refused_conditions, NULL, NULL);
    return false;
}

/* ---- lines ---- */

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}

static json_span_t trimmed(json_span_t line) {
    while (line.len > 0 && is_space(line.text[line.len - 1])) line.len--;
    for (; line.len > 0 && is_space(*line.text); line.len--) line.text++;
    return line;
}

static void take_line(batch_t *batch, lines_found_t found, json_span_t line) {
    char detail[96];
    line = trimmed(line);
    if (found == LINES_ONE && line.len == 0) return;
    if (batch->begun == items_max(batch)) {
        snprintf(detail, sizeof detail, "A batch may have %zu items; what follows is not read.", items_max(batch));
        refuse_item(batch, &refused_items, detail);
        batch->over = true;
        http_ignore_rest(batch->request);
    } else if (found == LINES_TOO_LONG) {
        snprintf(detail, sizeof detail, "A line may have %zu bytes at most.", batch->lines.max);
        refuse_item(batch, &refused_line, detail);
    } else {
        order_item(batch, line);
    }
}

static size_t on_piece(void *context, const char *data, size_t len) {
    batch_t *batch = context;
    size_t left = len;
    while (left > 0 && !batch->over && has_room(batch)) {
        json_span_t line;
        lines_found_t found = lines_next(&batch->lines, &data, &left, &line.text, &line.len);
        if (found != LINES_NONE) take_line(batch, found, line);
    }
    return len - left;
}

/* The client has left: what was sent stays sent. */
static void leave(batch_t *batch) {
    pthread_mutex_lock(&batch->lock);
    batch->lost = true;
    pthread_mutex_unlock(&batch->lock);
    let_go(batch, 0);
}

static bool on_lines_end(void *context, http_end_t how) {
    batch_t *batch = context;
    json_span_t line;
    if (how == HTTP_END_LOST) {
        leave(batch);
        return true;
    }
    if (!batch->over && !has_room(batch)) return false;
    if (!batch->over && how == HTTP_END_BROKEN) {
        refuse_item(batch, &refused_encoding, NULL);
    } else if (!batch->over) {
        lines_found_t found = lines_last(&batch->lines, &line.text, &line.len);
        if (found != LINES_NONE) take_line(batch, found, line);
    }
    answer_begin(batch);
    return true;
}

void batch_begin(http_request_t *request, void *context) {
    const command_route_t *route = context;
    const asker_t asker = answer_asker(request);
    const char *type = http_header(request, "Content-Type");
    terms_t terms;
    if (!type || strncasecmp(type, lines_type, strlen(lines_type))) return;
    if (!batch_terms(request, route, &terms, &asker)) return;
    batch_t *batch = batch_new(request, route, &terms);
    batch->in_lines = true;
    http_take_body(request, &(http_taker_t){on_piece, on_lines_end, batch});
}

/* ---- an array ---- */

static size_t on_no_piece(void *context, const char *data, size_t len) {
    (void)context, (void)data;
    return len; /* the body was read already */
}

static bool on_array_end(void *context, http_end_t how) {
    batch_t *batch = context;
    json_span_t body;
    if (how == HTTP_END_LOST) {
        leave(batch);
        return true;
    }
    while (has_room(batch)) {
        if (!json_next_element(&batch->at, batch->end, &body)) {
            answer_begin(batch);
            return true;
        }
        order_item(batch, body);
    }
    return false;
}

static size_t count_elements(const char *at, const char *end) {
    size_t count = 0;
    for (json_span_t body; json_next_element(&at, end, &body);) count++;
    return count;
}

bool batch_is(const char *body, size_t len) {
    for (; len > 0 && (is_space(*body) || *body == '\n'); len--) body++;
    return len > 0 && *body == '[';
}

void batch_handle(http_request_t *request, const command_route_t *route) {
    const asker_t asker = answer_asker(request);
    size_t len, most = (size_t)route->api->settings->limits.batch_items;
    const char *text = http_body(request, &len);
    terms_t terms;
    err_t error;
    char detail[64];
    snprintf(detail, sizeof detail, "A batch may have %zu items.", most);
    if (!batch_terms(request, route, &terms, &asker)) return;
    if (!json_well_formed(text, len, &error)) {
        answer_refuse(&asker, &refused_array, error.text, NULL);
    } else if (count_elements(text, text + len) > most) {
        answer_refuse(&asker, &refused_items, detail, NULL);
    } else {
        batch_t *batch = batch_new(request, route, &terms);
        batch->at = text;
        batch->end = text + len;
        http_take_body(request, &(http_taker_t){on_no_piece, on_array_end, batch});
    }
}
