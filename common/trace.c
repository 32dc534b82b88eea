/* Request ids and traces: headers in, headers out. */
#include "common/trace.h"

#include "common/uuid.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { REQUEST_ID, PARENT, STATE };
enum { TRACE_ID_BYTES = 16, SPAN_ID_BYTES = 8 };
/* Where the parts of a traceparent begin. */
enum { TRACE_ID_AT = 3, SPAN_ID_AT = 36, FLAGS_AT = 53, PARENT_LEN = TRACE_PARENT_SIZE - 1 };
enum { FLAG_SAMPLED = 1, FLAG_RANDOM = 2 };
enum {
    STATE_RAW_MAX = 8192, /* of a list that is looked at at all */
    MEMBERS_MAX = 32,
    MEMBER_LONG = 128, /* longer ones go first where the list is too long */
    KEY_MAX = 256,
    VALUE_MAX = 256
};

static const struct {
    const char *name;
    size_t at; /* in trace_t */
} rows[TRACE_HEADERS] = {
    [REQUEST_ID] = {"x-request-id", offsetof(trace_t, request_id)},
    [PARENT] = {"traceparent", offsetof(trace_t, parent)},
    [STATE] = {"tracestate", offsetof(trace_t, state)},
};

const char *trace_name(size_t i) {
    return rows[i].name;
}

const char *trace_value(const trace_t *trace, size_t i) {
    const char *value = (const char *)trace + rows[i].at;
    return *value ? value : NULL;
}

/* ---- characters ---- */

static bool is_alnum(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_one_of(char c, const char *list) {
    return c && strchr(list, c);
}

/* Cuts optional white space from both ends. */
static void trim(const char **text, size_t *len) {
    while (*len > 0 && is_one_of(**text, " \t")) {
        ++*text;
        --*len;
    }
    while (*len > 0 && is_one_of((*text)[*len - 1], " \t")) --*len;
}

/* ---- the request's id ---- */

static void read_request_id(const char *text, size_t len, char out[TRACE_REQUEST_ID_SIZE]) {
    if (len >= TRACE_REQUEST_ID_SIZE) return;
    for (size_t i = 0; i < len; i++)
        if (!is_alnum(text[i]) && !is_one_of(text[i], "-._~+/=:@|")) return;
    memcpy(out, text, len);
}

/* ---- traceparent ---- */

/* -1: no digit; capital letters are none here. */
static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_hex(const char *text, size_t len) {
    for (size_t i = 0; i < len; i++)
        if (hex_digit(text[i]) < 0) return false;
    return true;
}

/* Digits, and not all of them zero. */
static bool is_id(const char *text, size_t len) {
    return is_hex(text, len) && strspn(text, "0") < len;
}

/* Versions to come may have more behind the flags. Of theirs, just "sampled" is what it was; of today's flags those that
   have no meaning yet must not be passed on. */
static void read_parent(const char *text, size_t len, char out[TRACE_PARENT_SIZE]) {
    char copy[TRACE_PARENT_SIZE] = "";
    if (len < PARENT_LEN) return;
    memcpy(copy, text, PARENT_LEN);
    bool future = strncmp(copy, "00", 2) != 0;
    if (!is_hex(copy, 2) || !strncmp(copy, "ff", 2)) return;
    if (len > PARENT_LEN && (!future || text[PARENT_LEN] != '-')) return;
    if (copy[TRACE_ID_AT - 1] != '-' || copy[SPAN_ID_AT - 1] != '-' || copy[FLAGS_AT - 1] != '-') return;
    if (!is_id(copy + TRACE_ID_AT, 2 * TRACE_ID_BYTES) || !is_id(copy + SPAN_ID_AT, 2 * SPAN_ID_BYTES)) return;
    if (!is_hex(copy + FLAGS_AT, 2)) return;
    int flags = hex_digit(copy[FLAGS_AT + 1]) & (future ? FLAG_SAMPLED : FLAG_SAMPLED | FLAG_RANDOM);
    snprintf(out, TRACE_PARENT_SIZE, "00-%.*s-0%d", FLAGS_AT - 1 - TRACE_ID_AT, copy + TRACE_ID_AT, flags);
}

/* ---- tracestate ---- */

typedef struct member {
    const char *text;
    size_t len;
} member_t;

static bool is_key(const char *key, size_t len) {
    if (len == 0 || len > KEY_MAX || (key[0] >= 'A' && key[0] <= 'Z') || !is_alnum(key[0])) return false;
    for (size_t i = 1; i < len; i++)
        if ((key[i] >= 'A' && key[i] <= 'Z') || (!is_alnum(key[i]) && !is_one_of(key[i], "_-*/@"))) return false;
    return true;
}

static bool is_value(const char *value, size_t len) {
    if (len == 0 || len > VALUE_MAX || value[len - 1] == ' ') return false;
    for (size_t i = 0; i < len; i++)
        if (value[i] < ' ' || value[i] > '~' || value[i] == ',' || value[i] == '=') return false;
    return true;
}

static bool is_member(const member_t *member) {
    const char *equals = memchr(member->text, '=', member->len);
    if (!equals) return false;
    size_t key_len = (size_t)(equals - member->text);
    return is_key(member->text, key_len) && is_value(equals + 1, member->len - key_len - 1);
}

/* The members of a list, of which some may be empty. -1: it is none, or has too many. */
static int cut(const strbuf_t *list, member_t members[MEMBERS_MAX]) {
    int count = 0;
    const char *end = list->data + list->len;
    for (const char *at = list->data; at <= end;) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        member_t member = {at, (size_t)((comma ? comma : end) - at)};
        at = comma ? comma + 1 : end + 1;
        trim(&member.text, &member.len);
        if (member.len == 0) continue;
        if (count == MEMBERS_MAX || !is_member(&member)) return -1;
        members[count++] = member;
    }
    return count;
}

static size_t joined_len(const member_t *members, int count) {
    size_t len = 0;
    for (int i = 0; i < count; i++) len += members[i].len + (i > 0);
    return len;
}

static int drop_long(member_t *members, int count) {
    int kept = 0;
    for (int i = 0; i < count; i++)
        if (members[i].len <= MEMBER_LONG) members[kept++] = members[i];
    return kept;
}

/* One broken member makes the whole list worthless; a list that is too long loses the long ones, then the last ones. */
static void read_state(const strbuf_t *list, char out[TRACE_STATE_SIZE]) {
    member_t members[MEMBERS_MAX];
    int count = list->len > 0 && list->len <= STATE_RAW_MAX ? cut(list, members) : 0;
    if (count > 0 && joined_len(members, count) >= TRACE_STATE_SIZE) count = drop_long(members, count);
    while (count > 0 && joined_len(members, count) >= TRACE_STATE_SIZE) count--;
    for (int i = 0; i < count; i++) {
        if (i > 0) *out++ = ',';
        memcpy(out, members[i].text, members[i].len);
        out += members[i].len;
    }
    *out = '\0';
}

/* ---- reading ---- */

void trace_read_header(trace_reader_t *reader, const char *name, const char *value, size_t len) {
    size_t i = 0;
    while (i < TRACE_HEADERS && strcasecmp(name, rows[i].name) != 0) i++;
    if (i == TRACE_HEADERS) return;
    bool first = reader->seen[i]++ == 0;
    trim(&value, &len);
    if (i == REQUEST_ID && first) read_request_id(value, len, reader->trace.request_id);
    if (i == PARENT && first) read_parent(value, len, reader->trace.parent);
    if (i != STATE || reader->state.len > STATE_RAW_MAX) return;
    if (!first) strbuf_addc(&reader->state, ',');
    strbuf_add(&reader->state, value, len <= STATE_RAW_MAX ? len : STATE_RAW_MAX + 1);
}

void trace_read_end(trace_reader_t *reader, trace_t *trace) {
    if (reader->seen[REQUEST_ID] > 1) reader->trace.request_id[0] = '\0';
    if (reader->seen[PARENT] > 1) reader->trace.parent[0] = '\0';
    if (reader->trace.parent[0]) read_state(&reader->state, reader->trace.state);
    strbuf_free(&reader->state);
    *trace = reader->trace;
}

/* ---- here ---- */

static void put_random_id(char *out, size_t bytes) {
    static const char digits[] = "0123456789abcdef";
    unsigned char random[TRACE_ID_BYTES];
    uuid_random(random, bytes);
    random[bytes - 1] |= random[0] == 0; /* never all zero */
    for (size_t i = 0; i < bytes; i++) {
        *out++ = digits[random[i] >> 4];
        *out++ = digits[random[i] & 15];
    }
}

void trace_enter(trace_t *trace, int64_t ms) {
    if (!trace->request_id[0]) uuid7(ms, trace->request_id);
    if (!trace->parent[0]) {
        snprintf(trace->parent, sizeof trace->parent, "00-%32s-%16s-%02x", "", "", FLAG_RANDOM);
        put_random_id(trace->parent + TRACE_ID_AT, TRACE_ID_BYTES);
    }
    put_random_id(trace->parent + SPAN_ID_AT, SPAN_ID_BYTES);
}
