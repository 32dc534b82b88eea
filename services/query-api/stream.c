/* One live stream: where it gets its events from, and how they are sent. */
#include "common/clock.h"
#include "common/mem.h"
#include "services/query-api/position.h"
#include "services/query-api/streams_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_LINE "retry: 1000\n" /* milliseconds after which a client comes back */

enum { SAID_KEEP = 256 };

/* ---- its life ---- */

stream_t *stream_new(streams_t *streams, http_request_t *request, stream_wish_t *wish) {
    stream_t *stream = mem_zero(1, sizeof *stream);
    stream->streams = streams;
    stream->references = 1;
    stream->request = request;
    stream->stage = wish->entity ? STREAM_HISTORY : STREAM_PARKED;
    stream->filter = wish->filter;
    stream->next = wish->next;
    stream->type = wish->type;
    stream->entity = wish->entity ? mem_string(wish->entity) : NULL;
    stream->version = wish->version;
    stream->from = wish->from;
    stream->since_us = stream->said_us = clock_monotonic_us();
    stream->newer = streams->all;
    stream->link = &streams->all;
    if (stream->newer) stream->newer->link = &stream->newer;
    streams->all = stream;
    streams->count++;
    metric_change(streams->open, 1);
    return stream;
}

void stream_hold(stream_t *stream) {
    stream->references++;
}

void stream_release(stream_t *stream) {
    if (--stream->references > 0) return;
    for (ring_event_t *event = stream->first, *next; event; event = next) {
        next = event->next;
        ring_event_release(event);
    }
    ring_event_release(stream->event);
    sieve_free(&stream->filter);
    strbuf_free(&stream->said);
    free(stream->next);
    free(stream->entity);
    free(stream);
}

static void leave_queue(stream_t *stream) {
    stream_t **at = &stream->streams->queue;
    while (*at != stream) at = &(*at)->queued;
    *at = stream->queued;
    if (!*at) stream->streams->queue_end = at;
}

/* The connection, or the request, needs it no more. */
static void let_go(stream_t *stream) {
    streams_t *streams = stream->streams;
    *stream->link = stream->newer;
    if (stream->newer) stream->newer->link = stream->link;
    if (stream->stage == STREAM_QUEUED) leave_queue(stream);
    streams->count--;
    metric_change(streams->open, -1);
    stream->left = true;
    stream->http = NULL;
    pthread_cond_broadcast(&streams->changed);
    stream_release(stream);
}

static void on_gone(void *self) {
    stream_t *stream = self;
    streams_t *streams = stream->streams;
    pthread_mutex_lock(&streams->lock);
    let_go(stream);
    pthread_mutex_unlock(&streams->lock);
}

void stream_wake(stream_t *stream) {
    if (stream->http) http_stream_wake(stream->http);
}

void stream_cut(stream_t *stream, metric_t *why) {
    if (stream->cut) return;
    stream->cut = true;
    metric_add(why, 1);
    stream_wake(stream);
}

void stream_refuse(stream_t *stream, int code, const char *type, const char *detail) {
    http_request_t *request = stream->request;
    if (!request) {
        stream_cut(stream, stream->streams->cut_invalid);
        return;
    }
    stream->request = NULL;
    let_go(stream);
    if (code == 503)
        http_problem_for_now(request, code, type, detail);
    else
        http_problem(request, code, type, detail, NULL);
}

void stream_queue(stream_t *stream) {
    streams_t *streams = stream->streams;
    stream->stage = STREAM_QUEUED;
    stream->queued = NULL;
    *streams->queue_end = stream;
    streams->queue_end = &stream->queued;
    pthread_cond_broadcast(&streams->changed);
}

void stream_join(stream_t *stream) {
    stream->stage = STREAM_JOINING;
    stream->cursor = stream->streams->ring.first;
    stream_wake(stream);
}

void stream_place(stream_t *stream) {
    const ring_t *ring = &stream->streams->ring;
    if (stream->stage != STREAM_PARKED) return;
    if (stream->from == STREAM_FROM_NOW) {
        stream->stage = STREAM_LIVE;
        stream->cursor = ring->end;
        stream_answer(stream);
    } else if (!position_reaches(ring->next, stream->next, ring->partitions)) {
        stream_queue(stream); /* beyond what is known here: the log is asked before it is answered */
    } else {
        stream_answer(stream);
        if (position_reaches(stream->next, ring->oldest, ring->partitions))
            stream_join(stream);
        else
            stream_queue(stream);
    }
}

/* ---- what it says ---- */

/* An `id` without data sets where the client comes back to, and is no event. */
static void say_place(stream_t *stream) {
    strbuf_adds(&stream->said, "id: ");
    if (stream->entity)
        strbuf_addi(&stream->said, stream->version);
    else if (stream->next)
        position_add(&stream->said, stream->next, stream->streams->options.partitions);
    else
        strbuf_adds(&stream->said, stream->streams->now.data);
    strbuf_addc(&stream->said, '\n');
}

static void say_beat(stream_t *stream) {
    const ring_t *ring = &stream->streams->ring;
    stream->beat = false;
    strbuf_adds(&stream->said, ":\n");
    /* What was left out counts as well: a client that comes back need not pass it again. */
    if (stream->stage == STREAM_LIVE && !stream->first && (stream->entity || stream->cursor == ring->end)) say_place(stream);
    strbuf_addc(&stream->said, '\n');
}

static void send_event(stream_t *stream, ring_event_t *event) {
    strbuf_adds(&stream->said, "id: ");
    if (stream->entity)
        strbuf_addi(&stream->said, event->version);
    else if (stream->stage == STREAM_JOINING)
        position_add(&stream->said, stream->next, stream->streams->options.partitions);
    else
        strbuf_adds(&stream->said, event->position);
    strbuf_addc(&stream->said, '\n');
    stream->event = event;
    stream->event_at = 0;
    metric_add(stream->streams->events, 1);
}

void stream_give(stream_t *stream, ring_event_t *event) {
    event->next = NULL;
    if (stream->last)
        stream->last->next = event;
    else
        stream->first = event;
    stream->last = event;
    stream->kept_bytes += event->bytes;
}

static void send_kept(stream_t *stream) {
    ring_event_t *event = stream->first;
    stream->first = event->next;
    if (!stream->first) stream->last = NULL;
    stream->kept_bytes -= event->bytes;
    send_event(stream, event);
    if (!stream->first) pthread_cond_broadcast(&stream->streams->changed);
}

bool stream_wants(const stream_t *stream, const ring_event_t *event) {
    if (!sieve_takes(&stream->filter, event->kind, event->entity)) return false;
    return !stream->entity || !strcmp(stream->entity, event->entity);
}

/* Whether the stream had this event, or is to leave it out; else it is the next. */
static bool pass(stream_t *stream, const ring_event_t *event) {
    if (stream->stage == STREAM_JOINING) {
        int64_t *next = &stream->next[event->partition];
        if (event->offset < *next) return true;
        *next = event->offset + 1;
    }
    return !stream_wants(stream, event) || (stream->entity && event->version <= stream->version);
}

/* The ring's next event for it. Of an entity, a version that does not follow is behind some that the event store has, or
   will have. */
static bool send_from_ring(stream_t *stream) {
    const ring_t *ring = &stream->streams->ring;
    if (stream->cursor < ring->first) {
        stream_cut(stream, stream->streams->cut_behind);
        return false;
    }
    for (; stream->cursor < ring->end; stream->cursor++) {
        ring_event_t *event = ring_at(ring, stream->cursor);
        if (pass(stream, event)) continue;
        if (stream->entity && event->version != stream->version + 1) {
            stream->stage = STREAM_HISTORY;
            stream->ask = stream->gap = true;
            return false;
        }
        if (stream->entity) stream->version = event->version;
        stream->cursor++;
        send_event(stream, ring_event_hold(event));
        return true;
    }
    if (stream->stage == STREAM_JOINING && position_reaches(ring->next, stream->next, ring->partitions)) {
        stream->stage = STREAM_LIVE;
        free(stream->next);
        stream->next = NULL;
    }
    return false;
}

/* Finds the next thing to say. False: there is nothing. */
static bool go_on(stream_t *stream) {
    if (stream->cut || stream->streams->ending) return false;
    if (stream->beat) {
        say_beat(stream);
        return true;
    }
    if (stream->first) {
        send_kept(stream);
        return true;
    }
    if (stream->stage == STREAM_HISTORY && stream->more) {
        stream->more = false;
        stream->ask = true;
    }
    return stream->stage == STREAM_JOINING || stream->stage == STREAM_LIVE ? send_from_ring(stream) : false;
}

/* Copies of what is being said as much as there is room for. */
static size_t copy(stream_t *stream, char *out, size_t size) {
    bool lines = stream->said_at < stream->said.len;
    const char *from = lines ? stream->said.data + stream->said_at : stream->event->text + stream->event_at;
    size_t left = lines ? stream->said.len - stream->said_at : stream->event->len - stream->event_at;
    size_t len = left < size ? left : size;
    memcpy(out, from, len);
    if (lines) {
        stream->said_at += len;
    } else if ((stream->event_at += len) == stream->event->len) {
        ring_event_release(stream->event);
        stream->event = NULL;
        stream->said_at = 0;
        if (stream->said.cap > SAID_KEEP) strbuf_free(&stream->said);
        strbuf_clear(&stream->said);
    }
    return len;
}

static size_t fill(stream_t *stream, char *out, size_t size) {
    size_t len = 0;
    while (len < size) {
        if (stream->said_at < stream->said.len || stream->event) {
            len += copy(stream, out + len, size - len);
            continue;
        }
        strbuf_clear(&stream->said);
        stream->said_at = 0;
        if (!go_on(stream)) break;
    }
    if (len > 0) stream->said_us = clock_monotonic_us();
    return len;
}

/* ---- its connection ---- */

static ssize_t on_read(void *self, char *out, size_t size) {
    stream_t *stream = self;
    streams_t *streams = stream->streams;
    pthread_mutex_lock(&streams->lock);
    size_t len = fill(stream, out, size);
    ssize_t given = len > 0 ? (ssize_t)len : stream->cut ? HTTP_STREAM_CUT : streams->ending ? HTTP_STREAM_END : HTTP_STREAM_WAIT;
    bool ask = stream->ask;
    stream->ask = false;
    if (ask) stream_hold(stream);
    pthread_mutex_unlock(&streams->lock);
    if (ask) stream_history_ask(stream);
    return given;
}

void stream_answer(stream_t *stream) {
    http_request_t *request = stream->request;
    if (!request) return;
    stream->request = NULL;
    strbuf_adds(&stream->said, RETRY_LINE);
    say_place(stream);
    strbuf_addc(&stream->said, '\n');
    http_add_header(request, "Cache-Control", "no-store");
    http_add_header(request, "X-Accel-Buffering", "no"); /* proxies of the nginx kind pass it on as it comes */
    http_answer_stream(request, 200, "text/event-stream", &(http_stream_source_t){on_read, on_gone, stream}, &stream->http);
}
