/* Small helpers on jansson (RFC 8259), and on the bytes of a document where they must stay as they came. */
#ifndef ODRADEK_JSON_H
#define ODRADEK_JSON_H

#include "common/base.h"
#include "common/strbuf.h"

#include <jansson.h>
#include <stdbool.h>

/* Any JSON value; members that stand twice and the character U+0000 are refused. NULL: `error` says what and where.
   The caller owns the value (json_decref). */
json_t *json_read(const char *text, size_t len, err_t *error) MUST_CHECK;
/* The same from a file; `error` begins with its name. */
json_t *json_read_file(const char *path, err_t *error) MUST_CHECK;

/* The string member `key` of `object`, borrowed; NULL: there is none, or it is no string, or `object` no object. */
const char *json_text(const json_t *object, const char *key);

/* A part of a document's bytes, borrowed. */
typedef struct json_span {
    const char *text;
    size_t len;
} json_span_t;

/* Finds the value of the member `key` of the object that `text`, a valid document, is. False: it has no such member,
   or spells the key with escapes. */
bool json_member_span(const char *text, size_t len, const char *key, json_span_t *span);
/* Finds the next element of the array that `*at`, up to `end` a valid document, begins with, and moves on behind it. False:
   there is no other. */
bool json_next_element(const char **at, const char *end, json_span_t *span);
/* Whether `text` is JSON (RFC 8259), of any value; names may stand twice. Else `error` says what is wrong and where. */
bool json_well_formed(const char *text, size_t len, err_t *error) MUST_CHECK;
/* Appends a valid document without the white space between its tokens; everything else stays, numbers to the digit. */
void json_add_compact(strbuf_t *out, const char *text, size_t len);
/* Appends `value` as compact JSON: members in their order, numbers with as few digits as read back the same. */
void json_add_value(strbuf_t *out, const json_t *value);

#endif
