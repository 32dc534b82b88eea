/* The command API: a request becomes a record in the log, and is answered when the log has it. */
#ifndef ODRADEK_COMMAND_API_H
#define ODRADEK_COMMAND_API_H

#include "common/lookup.h"
#include "common/metric.h"
#include "services/command-api/answer.h"
#include "services/command-api/producer.h"
#include "services/command-api/terms.h"
#include "services/command-api/waits.h"
#include "services/service.h"

#include "common/uuid.h"
#include "model/id.h"

#include <pthread.h>

/* Commands that wait for room in the producer, in their order. */
typedef struct command_queue {
    pthread_mutex_t lock;
    struct sending *first, **end;
} command_queue_t;

typedef struct command_api {
    const settings_t *settings;
    producer_t *producer;
    lookup_t *outcomes; /* the event store, which has what became of commands */
    waits_t *waits;
    struct command_route *routes; /* one for each type and form of request */
    size_t routes_count;
    command_queue_t waiting;
    metric_t *acknowledge_seconds;
} command_api_t;

/* A form of request that is a command. */
typedef struct command_route {
    command_api_t *api;
    const entity_type_t *type;
    const char *method;
    verb_t verb;
    char *path; /* "/entries/{id}" */
    bool batches; /* an array is many bodies */
} command_route_t;

/* See service_t. */
void *command_api_open(const service_context_t *context, err_t *error) MUST_CHECK;
size_t command_api_routes(void *self, http_route_t routes[SERVICE_ROUTES_MAX]);
bool command_api_ready(void *self, err_t *why);
status_t command_api_run(void *self, err_t *error) MUST_CHECK;
void command_api_drain(void *self);
void command_api_close(void *self); /* also half-built */

/* What somebody wants done. All of it is borrowed for the call that it is given to. */
typedef struct order {
    const command_route_t *route;
    const terms_t *terms;
    const char *id;      /* the entity's; NULL: a new one */
    json_span_t body;    /* text NULL: none */
    const trace_t *trace; /* of the request that it came with: see http_trace; NULL: none */
    int64_t deadline_us; /* until when its sender waits for the outcome, where the terms say so */
    bool patient;        /* waits for room where too many commands are on their way */
    asker_t asker;
} order_t;

/* command.c */
/* A request that is a command. `context` is its command_route_t. */
void command_handle(http_request_t *request, void *context);
/* Reads and checks the terms that a request's headers set. False: they are refused, and `asker` was given the answer. */
bool command_terms(http_request_t *request, const command_route_t *route, terms_t *terms, const asker_t *asker);
/* When a wait of the terms is over that begins now. */
int64_t command_deadline(const terms_t *terms);
/* Checks the order and sends it on its way; its asker is given, now or later, exactly one answer. */
void command_order(const order_t *order);

/* A command on its way from its order to its answer. */
typedef struct sending {
    const command_route_t *route;
    terms_t terms;
    asker_t asker;
    trace_t trace;
    int64_t start_us, deadline_us;
    bool patient;
    struct sending *next; /* that waits for room */
    strbuf_t record; /* as it goes to the log; empty once that has it */
    wait_t *wait;    /* NULL: nobody waits for its outcome */
    int32_t partition;
    char command_id[UUID_TEXT_SIZE];
    char id[ID_SIZE]; /* the entity's */
} sending_t;

void command_free(sending_t *sending);
/* There may be room again: sends what waits for it, as far as there is. */
void command_send_waiting(command_api_t *api);

/* fate.c: what became of it; each but the first answers it and frees it, now or later. */
/* Looks out for the outcome; sets `wait`. */
void command_expect(sending_t *sending);
/* The producer's producer_done_t. */
void command_done(void *sending, fate_t fate, const char *why);
/* The waits' waits_done_t. */
void command_waited(void *sending, const char *outcome, size_t len);
/* The same request came before, and this is its outcome. */
void command_repeated(sending_t *sending, const char *outcome, size_t len);
extern const refusal_t refused_away;
void command_refuse(sending_t *sending, const refusal_t *refusal, const char *more);

/* outcome.c: GET /commands/{commandId}. `context` is the command_api_t. */
void command_outcome_handle(http_request_t *request, void *context);
/* Appends what the API says of an outcome's record. False: it is none. */
bool command_outcome_add(strbuf_t *out, const char *record, size_t len);
/* Whether a command that has no outcome may still get one: its id carries a time less than `seconds` ago. */
bool command_outcome_pending(const char *command_id, int64_t now_ms, int seconds);

#endif
