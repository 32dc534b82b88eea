/* What became of a command: its outcome in the event store, or that it is still young enough to have none. */
#include "services/command-api/command_api.h"

#include "common/clock.h"
#include "common/mem.h"
#include "common/uuid.h"
#include "model/id.h"
#include "model/keys.h"

#include <stdlib.h>
#include <string.h>

enum { CLOCKS_APART_MS = 60 * 1000 }; /* between the machines that make ids */

bool command_outcome_pending(const char *command_id, int64_t now_ms, int seconds) {
    int64_t made_ms;
    if (!uuid7_time(command_id, &made_ms)) return false;
    return made_ms > now_ms - (int64_t)seconds * 1000 && made_ms < now_ms + CLOCKS_APART_MS;
}

static void add_member(strbuf_t *out, const json_t *outcome, const char *name) {
    json_t *value = json_object_get(outcome, name);
    if (!value) return;
    strbuf_addf(out, "%s\"%s\":", out->len > 1 ? "," : "", name);
    json_add_value(out, value);
}

bool command_outcome_add(strbuf_t *out, const char *record, size_t len) {
    static const char *const members[] = {"commandId", "status", "type", "id", "version", "error"};
    json_t *outcome = json_read(record, len, NULL);
    if (!json_is_object(outcome)) {
        json_decref(outcome);
        return false;
    }
    strbuf_addc(out, '{');
    for (size_t i = 0; i < ARRAY_LEN(members); i++) add_member(out, outcome, members[i]);
    strbuf_addc(out, '}');
    json_decref(outcome);
    return true;
}

/* ---- GET /commands/{commandId} ---- */

typedef struct asking {
    http_request_t *request;
    const command_api_t *api;
} asking_t;

static void answer_found(http_request_t *request, const redisReply *reply) {
    strbuf_t body = {0};
    if (command_outcome_add(&body, reply->str, reply->len))
        http_answer_json(request, 200, &body);
    else
        http_problem(request, 500, "internal", "The outcome in the event store cannot be read.", NULL);
}

static void answer_not_found(http_request_t *request, const char *command_id, int pending_seconds) {
    if (!command_outcome_pending(command_id, clock_ms(), pending_seconds)) {
        http_problem(request, 404, "not-found", "No command of this id is known.", NULL);
        return;
    }
    strbuf_t body = {0};
    strbuf_addf(&body, "{\"commandId\":\"%s\",\"status\":\"pending\"}", command_id);
    http_answer_json(request, 200, &body);
}

static const redisReply *find(lookup_request_t *lookup, int partitions) {
    for (int i = 0; i < partitions; i++) {
        const redisReply *reply = lookup_reply(lookup, (size_t)i);
        if (reply->type == REDIS_REPLY_STRING) return reply;
    }
    return NULL;
}

static void on_answers(lookup_request_t *lookup, status_t status, const err_t *error, void *context) {
    asking_t asking = *(asking_t *)context;
    free(context);
    (void)error; /* said in the log, by whom it concerns; clients have no use for addresses */
    const redisReply *found = status == STATUS_OK ? find(lookup, asking.api->settings->partitions) : NULL;
    if (status == STATUS_RETRY)
        http_problem_for_now(asking.request, 503, "store-unavailable", "The event store does not answer.");
    else if (status != STATUS_OK)
        http_problem(asking.request, 500, "internal", "The event store refused to answer.", NULL);
    else if (found)
        answer_found(asking.request, found);
    else
        answer_not_found(asking.request, http_segment(asking.request, 0), asking.api->settings->limits.pending_seconds);
}

/* The partition of a command's entity is not to be seen from its id: all are asked, in one exchange. */
void command_outcome_handle(http_request_t *request, void *context) {
    const command_api_t *api = context;
    const char *command_id = http_segment(request, 0);
    if (!id_valid(command_id)) {
        http_problem(request, 404, "not-found", "No command has such an id.", NULL);
        return;
    }
    asking_t *asking = mem_zero(1, sizeof *asking);
    *asking = (asking_t){request, api};
    lookup_request_t *lookup = lookup_request_new(on_answers, asking);
    for (int32_t partition = 0; partition < api->settings->partitions; partition++) {
        key_text_t key;
        key_outcome(key, partition, command_id);
        lookup_add(lookup, partition, "GET", key, NULL);
    }
    lookup_submit(api->outcomes, lookup);
}
