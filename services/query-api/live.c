/* GET /events, /entries/events and /entries/{id}/events as text/event-stream. */
#include "common/mem.h"
#include "model/id.h"
#include "services/query-api/accept.h"
#include "services/query-api/position.h"
#include "services/query-api/query_api.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What a request may say in its parameters; all borrowed. */
typedef struct asked {
    const char *type, *id, *from, *last_event_id;
    err_t error; /* empty: all is well so far */
} asked_t;

static const struct row {
    const char *name;
    size_t place;
    bool of_entity; /* also for the stream of one entity */
} rows[] = {
    {"type", offsetof(asked_t, type), false},
    {"id", offsetof(asked_t, id), false},
    {"from", offsetof(asked_t, from), true},
    {"lastEventId", offsetof(asked_t, last_event_id), true},
};

typedef struct reading {
    asked_t *asked;
    bool entity;
} reading_t;

static bool each(const char *name, const char *value, void *context) {
    const reading_t *reading = context;
    asked_t *asked = reading->asked;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (strcmp(rows[i].name, name) || (reading->entity && !rows[i].of_entity)) continue;
        const char **place = (const char **)((char *)asked + rows[i].place);
        if (*place)
            err_set(&asked->error, STATUS_FATAL, "The parameter \"%s\" is given twice.", name);
        else
            *place = value ? value : "";
        return !asked->error.text[0];
    }
    err_set(&asked->error, STATUS_FATAL, "There is no parameter \"%.64s\" here.", name);
    return false;
}

static bool read_parameters(http_request_t *request, asked_t *asked, bool entity) {
    *asked = (asked_t){0};
    http_each_query(request, each, &(reading_t){asked, entity});
    if (!asked->error.text[0] && asked->from && strcmp(asked->from, "now") && strcmp(asked->from, "beginning"))
        err_set(&asked->error, STATUS_FATAL, "The parameter \"from\" must be \"now\" or \"beginning\".");
    if (!asked->error.text[0]) return true;
    http_problem(request, 400, "invalid-parameter", asked->error.text, NULL);
    return false;
}

/* The id of the last event that the client had: the header, which a client that comes back sends, before the parameter,
   which is in its address for ever. NULL: none. */
static const char *last_event_id(http_request_t *request, const asked_t *asked) {
    const char *header = http_header(request, "Last-Event-ID");
    if (header && *header) return header;
    if (asked->last_event_id) return asked->last_event_id;
    return asked->from && !strcmp(asked->from, "beginning") ? "0" : NULL;
}

static void refuse_id(http_request_t *request, stream_wish_t *wish) {
    sieve_free(&wish->filter);
    free(wish->next);
    http_problem(request, 400, "invalid-last-event-id", "The last event id is none of this stream.", NULL);
}

/* ---- of all, or of a type ---- */

static bool set_sieve(const query_route_t *route, const asked_t *asked, sieve_t *filter, err_t *error) {
    const types_t *types = route->api->types;
    if (route->type) sieve_set_type(filter, types, route->type);
    if (asked->type && !sieve_set_types(filter, types, asked->type, error)) return false;
    return !asked->id || sieve_set_ids(filter, asked->id, error);
}

void query_events_handle(http_request_t *request, void *context) {
    const query_route_t *route = context;
    stream_wish_t wish = {.from = STREAM_FROM_NOW};
    asked_t asked;
    if (!accept_event_stream(http_header(request, "Accept"))) {
        http_problem(request, 406, "not-acceptable", "This is a live stream, which is given as text/event-stream to those who "
                     "accept it by name.", NULL);
        return;
    }
    if (!read_parameters(request, &asked, false)) return;
    if (!set_sieve(route, &asked, &wish.filter, &asked.error)) {
        sieve_free(&wish.filter);
        http_problem(request, 400, "invalid-parameter", asked.error.text, NULL);
        return;
    }
    const char *last = last_event_id(request, &asked);
    if (last) {
        int partitions = route->api->settings->partitions;
        wish.from = STREAM_FROM_POSITION;
        wish.next = mem_zero((size_t)partitions, sizeof *wish.next);
        if (!position_read(last, wish.next, partitions)) {
            refuse_id(request, &wish);
            return;
        }
    }
    streams_begin(route->api->streams, request, &wish);
}

/* ---- of an entity ---- */

static bool read_version(const char *text, int64_t *version) {
    if (!*text || strlen(text) > 18 || text[strspn(text, "0123456789")]) return false;
    *version = strtoll(text, NULL, 10);
    return true;
}

static void stream_entity(http_request_t *request, const query_route_t *route) {
    stream_wish_t wish = {.from = STREAM_FROM_NOW, .type = route->type, .entity = http_segment(request, 0)};
    asked_t asked;
    if (!id_valid(wish.entity)) {
        http_problem(request, 404, "not-found", "No entity has such an id.", NULL);
        return;
    }
    if (!read_parameters(request, &asked, true)) return;
    const char *last = last_event_id(request, &asked);
    if (last) wish.from = STREAM_FROM_POSITION;
    if (last && !read_version(last, &wish.version)) {
        refuse_id(request, &wish);
        return;
    }
    sieve_set_type(&wish.filter, route->api->types, route->type);
    streams_begin(route->api->streams, request, &wish);
}

void query_entity_events_handle(http_request_t *request, void *context) {
    http_add_header(request, "Vary", "Accept");
    if (accept_event_stream(http_header(request, "Accept")))
        stream_entity(request, context);
    else
        query_history_handle(request, context);
}
