/* The events that came last, for all live streams together: what a stream holds of them is its place. Bounded in
   number and bytes; the oldest go. Not locked: its owner does that. */
#ifndef ODRADEK_QUERY_RING_H
#define ODRADEK_QUERY_RING_H

#include "services/query-api/sieve.h"

/* An event as a stream sends it, shared by all that do. */
typedef struct ring_event {
    int references;
    int kind;
    int32_t partition;
    int64_t offset, version;
    char *entity; /* its id; all texts are in one piece with the event */
    char *position; /* that a stream has behind it, as text */
    char *text;   /* "event: …\ndata: …\n\n" */
    size_t len;
    size_t bytes; /* of all of it */
    struct ring_event *next; /* for lists of who holds it alone */
} ring_event_t;

/* An event out of its record, with one reference. `position` is copied. NULL: the record is no event of
   one of the types: what the stores leave out, streams do too. */
ring_event_t *ring_event_new(const types_t *types, const char *record, size_t len, const char *position);
ring_event_t *ring_event_hold(ring_event_t *event);
void ring_event_release(ring_event_t *event); /* NULL is fine */

/* Events have numbers, from `first` up to before `end`; the position before the first is `oldest`, the one behind the
   last is `next`. */
typedef struct ring {
    uint64_t first, end;
    int64_t *oldest, *next;
    int partitions;
    size_t bytes, bytes_max;
    ring_event_t **events;
} ring_t;

void ring_open(ring_t *ring, int partitions, size_t bytes_max);
void ring_close(ring_t *ring);
/* Forgets all and goes on from `next`; numbers go on. */
void ring_reset(ring_t *ring, const int64_t *next);
/* Steals `event`, whose partition and offset are set. */
void ring_add(ring_t *ring, ring_event_t *event);
ring_event_t *ring_at(const ring_t *ring, uint64_t number); /* borrowed */

#endif
