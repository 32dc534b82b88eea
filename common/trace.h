/* Which request something belongs to: its id (X-Request-Id), and the trace that it is part of (W3C Trace Context, level 2:
   traceparent and tracestate). As headers they come in with requests and records, and go on with what is made of
   them. What comes in is checked: an id that is none is left out, and what is malformed or of an unknown future is treated
   as the recommendation says. Everything that is kept is bounded, and visible ASCII. */
#ifndef ODRADEK_TRACE_H
#define ODRADEK_TRACE_H

#include "common/strbuf.h"

#include <stdbool.h>
#include <stdint.h>

/* Sizes with the end. */
enum { TRACE_REQUEST_ID_SIZE = 129, TRACE_PARENT_SIZE = 56, TRACE_STATE_SIZE = 513 };
/* What all three take as headers at most, with their names. */
enum { TRACE_HEADERS_BYTES = TRACE_REQUEST_ID_SIZE + TRACE_PARENT_SIZE + TRACE_STATE_SIZE + 64 };

typedef struct trace {
    char request_id[TRACE_REQUEST_ID_SIZE]; /* empty: none; letters, digits and "-._~+/=:@|" */
    char parent[TRACE_PARENT_SIZE];         /* empty: none; "00-<trace id>-<parent id>-<flags>" */
    char state[TRACE_STATE_SIZE];           /* empty: none; without a parent there is none */
} trace_t;

/* ---- as headers: a row for each ---- */

enum { TRACE_HEADERS = 3 };
/* The i-th header's name, in small letters. */
const char *trace_name(size_t i);
/* Its value; NULL: there is none. */
const char *trace_value(const trace_t *trace, size_t i);

/* ---- reading ---- */

/* A zeroed one is ready. */
typedef struct trace_reader {
    trace_t trace;
    int seen[TRACE_HEADERS]; /* how often each came */
    strbuf_t state;          /* all tracestate headers, as one list */
} trace_reader_t;

/* Takes headers in the order in which they came. Names in any case; others than these are ignored. */
void trace_read_header(trace_reader_t *reader, const char *name, const char *value, size_t len);
/* What they say together; frees what the reader holds. An id or a parent that came twice counts for none. */
void trace_read_end(trace_reader_t *reader, trace_t *trace);

/* ---- here ---- */

/* A request arrives: one without an id gets one, made of the time `ms`. The trace goes on with a new parent id, which stands
   for this service's work on it; where there is none, one begins, which nobody is asked to record. */
void trace_enter(trace_t *trace, int64_t ms);

#endif
