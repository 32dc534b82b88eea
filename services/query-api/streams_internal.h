/* What the files of live streams share. All of it is under one lock; the calls say where they must be without. */
#ifndef ODRADEK_QUERY_STREAMS_INTERNAL_H
#define ODRADEK_QUERY_STREAMS_INTERNAL_H

#include "common/metric.h"
#include "services/query-api/ring.h"
#include "services/query-api/streams.h"

#include <pthread.h>

/* PARKED ──▶ LIVE                          from now on
     │  └───▶ QUEUED ⇄ CATCHING ──▶ JOINING ──▶ LIVE      from a position; at once JOINING where the ring has it
   HISTORY ⇄ LIVE                           of an entity: from the event store, then live */
typedef enum stream_stage {
    STREAM_PARKED,   /* until the end of the log is known */
    STREAM_QUEUED,   /* until it is its turn to catch up */
    STREAM_CATCHING, /* is given what a thread reads from the log for it */
    STREAM_JOINING,  /* reads the ring and leaves out what it had */
    STREAM_LIVE,
    STREAM_HISTORY,  /* of an entity: waits for the event store */
} stream_stage_t;

typedef struct stream {
    streams_t *streams;
    struct stream *newer, **link; /* among all */
    struct stream *queued;        /* the next that waits for its turn */
    int references;               /* the connection, and each thread or lookup that is at it */
    http_request_t *request;      /* NULL: it is answered */
    http_stream_t *http;          /* NULL: not answered, or gone */
    stream_stage_t stage;
    bool beat, cut, left;
    sieve_t filter;
    int64_t *next;   /* while it is not LIVE */
    uint64_t cursor; /* in the ring */
    const entity_type_t *type; /* of an entity's */
    char *entity;
    int64_t version;
    stream_from_t from;
    bool ask, more;  /* the event store is to be asked; there is more in it */
    bool gap;        /* the ring has a later event than the next one */
    int64_t ask_us;  /* when; 0: not */
    ring_event_t *first, *last; /* read for it alone, to be sent */
    size_t kept_bytes;
    strbuf_t said; /* a line or a few before the event */
    size_t said_at;
    ring_event_t *event; /* being sent */
    size_t event_at;
    int64_t said_us; /* when it was last sent something */
    int64_t since_us;
} stream_t;

struct streams {
    streams_options_t options;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* there is a stream in the queue, or room in one, or the end */
    bool ready, ending;     /* the ring is being filled */
    ring_t ring;
    strbuf_t now;           /* the ring's end as text */
    stream_t *all, *queue, **queue_end;
    int count;
    rd_kafka_t *consumer;
    pthread_t tail;
    pthread_t *catchers;
    int catchers_count;
    metric_t *open, *events, *cut_behind, *cut_stalled, *cut_invalid;
};

/* ---- streams.c ---- */

rd_kafka_t *streams_consumer_new(const streams_options_t *options, const char *wait_ms, const char *queue_kb, err_t *error);

/* ---- stream.c: one of them ---- */

stream_t *stream_new(streams_t *streams, http_request_t *request, stream_wish_t *wish);
void stream_hold(stream_t *stream);
void stream_release(stream_t *stream);
/* Gives it its place, where it has none yet; needs the ring to be ready. */
void stream_place(stream_t *stream);
/* Answers its request with 200 and the position it begins at; nothing where that was done. */
void stream_answer(stream_t *stream);
/* Answers with a problem and lets go of it; one that is answered already is cut. */
void stream_refuse(stream_t *stream, int code, const char *type, const char *detail);
void stream_cut(stream_t *stream, metric_t *why);
void stream_wake(stream_t *stream);
void stream_queue(stream_t *stream);
/* For it alone, to be sent in this order. Steals `event`. */
void stream_give(stream_t *stream, ring_event_t *event);
bool stream_wants(const stream_t *stream, const ring_event_t *event);
/* Begins to read the ring: it has all that was before. */
void stream_join(stream_t *stream);

/* ---- stream_history.c: an entity's ---- */

/* Asks the event store for what comes next, without the lock. Takes over a reference. */
void stream_history_ask(stream_t *stream);

/* ---- catch_up.c ---- */

void *catch_up_work(void *streams); /* a thread */

#endif
