/* Live streams of committed events, as Server-Sent Events (WHATWG HTML, 9.2): one consumer reads the end of the log for all
   of them into a ring of the events that came last, and a stream is a place in it. One that begins before the ring
   catches up from the log, as fast as its client reads, and joins the ring without gap or repeat. */
#ifndef ODRADEK_QUERY_STREAMS_H
#define ODRADEK_QUERY_STREAMS_H

#include "common/http.h"
#include "common/kafka.h"
#include "common/lookup.h"
#include "services/query-api/sieve.h"

typedef struct streams streams_t;

typedef struct streams_options {
    const kafka_options_t *kafka; /* borrowed, like all of it */
    const char *topic;
    int partitions;
    const types_t *types;
    lookup_t *events; /* the event store: the histories of entities */
    int count_max;
    size_t ring_bytes;
    int heartbeat_seconds;
} streams_options_t;

/* Starts the threads. */
streams_t *streams_new(const streams_options_t *options, err_t *error) MUST_CHECK;
/* Ends all streams and takes no more; each request is answered by then, or will be by the event store's thread. */
void streams_end(streams_t *streams);
void streams_free(streams_t *streams); /* after the HTTP server and the event store have ended; NULL is fine */

typedef enum stream_from { STREAM_FROM_NOW, STREAM_FROM_POSITION } stream_from_t;

/* What a request wants to hear. */
typedef struct stream_wish {
    stream_from_t from;
    int64_t *next;  /* the position, one for each partition; NULL where `entity` is not */
    sieve_t filter;
    const entity_type_t *type; /* of one entity; NULL: all that the filter takes */
    const char *entity;        /* its id; copied */
    int64_t version;           /* the last one that it knows */
} stream_wish_t;

/* Answers the request with a stream, now or soon. Steals the wish's `next` and what the filter has. */
void streams_begin(streams_t *streams, http_request_t *request, stream_wish_t *wish);

#endif
