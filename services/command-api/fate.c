/* What became of a command, and how its request is answered:

       written ──────────▶ 202, or, where the request waits, the wait goes on
       not written, unknown ──▶ 503, 504
       outcome ──▶ 201, 200, or the rejection as a problem; none in time ──▶ 202                                  */
#include "services/command-api/command_api.h"

#include "common/clock.h"
#include "model/keys.h"

#include <stdio.h>
#include <string.h>

const refusal_t refused_away = {503, "log-unavailable", "The command was not written: the log does not answer.", true};
static const refusal_t refused_unknown = {
    504, "unknown-fate",
    "The log did not confirm the command in time, and may or may not have it. Ask for /commands/{commandId}.", false};

/* The status of each rejection; those that are not here are 422. */
static const struct {
    const char *type;
    int code;
} rejections[] = {
    {"not-found", 404}, {"already-exists", 409}, {"not-unique", 409}, {"linked", 409}, {"version-mismatch", 412}, {"too-large", 413},
};

void command_refuse(sending_t *sending, const refusal_t *refusal, const char *more) {
    answer_refuse(&sending->asker, refusal, NULL, more);
    command_free(sending);
}

/* Gives the answer and ends the sending. */
static void answer(sending_t *sending, answer_t *answer) {
    answer_give(&sending->asker, answer);
    command_free(sending);
}

static const char *command_type(const sending_t *sending) {
    return sending->route->type->commands[sending->terms.verb];
}

static void count_accepted(const sending_t *sending) {
    char labels[128];
    snprintf(labels, sizeof labels, "type=\"%s\"", command_type(sending));
    metric_add(metric_counter("odradek_commands_accepted_total", "Commands that were written to the log.", labels), 1);
}

static void answer_accepted(sending_t *sending) {
    answer_t accepted = {.code = 202, .media_type = "application/json", .waited = -1};
    snprintf(accepted.location, sizeof accepted.location, "/commands/%s", sending->command_id);
    strbuf_addf(&accepted.body, "{\"commandId\":\"%s\",\"id\":\"%s\",\"type\":\"%s\"}", sending->command_id, sending->id,
                command_type(sending));
    answer(sending, &accepted);
}

/* ---- with the outcome ---- */

static int rejection_code(const sending_t *sending, const char *type) {
    /* RFC 9110, 13.1.2: a condition that is not met is 412, also "If-None-Match: *". */
    if (sending->terms.conditional && !strcmp(type, "already-exists")) return 412;
    for (size_t i = 0; i < ARRAY_LEN(rejections); i++)
        if (!strcmp(rejections[i].type, type)) return rejections[i].code;
    return 422;
}

static void add_rejection(const sending_t *sending, const json_t *outcome, answer_t *out) {
    const json_t *error = json_object_get(outcome, "error"), *errors = json_object_get(error, "errors");
    const char *type = json_text(error, "type"), *detail = json_text(error, "detail");
    strbuf_t more = {0};
    strbuf_addf(&more, "\"commandId\":\"%s\",\"id\":\"%s\",\"version\":%lld", sending->command_id, sending->id,
                (long long)json_integer_value(json_object_get(outcome, "version")));
    if (errors) {
        strbuf_adds(&more, ",\"errors\":");
        json_add_value(&more, errors);
    }
    out->code = rejection_code(sending, type);
    out->media_type = HTTP_PROBLEM_TYPE;
    http_problem_add(&out->body, out->code, type, detail, more.data);
    strbuf_free(&more);
}

static void add_success(const sending_t *sending, const json_t *outcome, answer_t *out) {
    long long version = json_integer_value(json_object_get(outcome, "version"));
    bool created = sending->terms.verb == VERB_CREATE;
    snprintf(out->etag, sizeof out->etag, "\"%lld\"", version);
    if (created)
        snprintf(out->location, sizeof out->location, "/%s/%s", sending->route->type->base, sending->id);
    out->code = created ? 201 : 200;
}

static void answer_outcome(sending_t *sending, const char *record, size_t len) {
    answer_t told = {.media_type = "application/json", .waited = sending->terms.wait_seconds};
    json_t *outcome = json_read(record, len, NULL);
    const char *status = json_text(outcome, "status");
    if (!status) {
        answer_accepted(sending); /* what is in the store cannot be read; the command was accepted all the same */
    } else if (!strcmp(status, "accepted")) {
        add_success(sending, outcome, &told);
        command_outcome_add(&told.body, record, len);
        answer(sending, &told);
    } else {
        add_rejection(sending, outcome, &told);
        answer(sending, &told);
    }
    json_decref(outcome);
}

void command_repeated(sending_t *sending, const char *outcome, size_t len) {
    if (sending->terms.wait_seconds >= 0)
        answer_outcome(sending, outcome, len);
    else
        answer_accepted(sending);
}

/* ---- waiting ---- */

/* A repeat may begin to wait when its outcome has passed by here already and the event store does not have it yet. So one
   with a key looks there again and again. */
enum { LOOK_SECONDS = 1 };

static int64_t left_us(const sending_t *sending) {
    return sending->deadline_us - clock_monotonic_us();
}

void command_expect(sending_t *sending) {
    int64_t left = left_us(sending);
    int seconds = left > 0 ? (int)((left + 999999) / 1000000) : 0;
    if (sending->terms.key[0] && seconds > LOOK_SECONDS) seconds = LOOK_SECONDS;
    sending->wait = waits_expect(sending->route->api->waits, sending->command_id, sending, seconds);
}

static bool may_wait_on(const sending_t *sending) {
    return sending->terms.key[0] && left_us(sending) > 0 && !waits_ending(sending->route->api->waits);
}

static void on_look(lookup_request_t *lookup, status_t status, const err_t *error, void *context) {
    sending_t *sending = context;
    const redisReply *reply = status == STATUS_OK ? lookup_reply(lookup, 0) : NULL;
    (void)error;
    bool found = reply && reply->type == REDIS_REPLY_STRING;
    if (!found && may_wait_on(sending)) {
        command_expect(sending);
        waits_sent(sending->route->api->waits, sending->wait);
        return;
    }
    if (found)
        answer_outcome(sending, reply->str, reply->len);
    else
        answer_accepted(sending);
}

void command_waited(void *context, const char *outcome, size_t len) {
    sending_t *sending = context;
    if (outcome) {
        answer_outcome(sending, outcome, len);
        return;
    }
    /* It may have passed by while the reader of outcomes was away. */
    key_text_t key;
    key_outcome(key, sending->partition, sending->command_id);
    lookup_request_t *lookup = lookup_request_new(on_look, sending);
    lookup_add(lookup, sending->partition, "GET", key, NULL);
    lookup_submit(sending->route->api->outcomes, lookup);
}

/* ---- from the producer ---- */

static void command_written(sending_t *sending) {
    const command_api_t *api = sending->route->api;
    metric_observe(api->acknowledge_seconds, (double)(clock_monotonic_us() - sending->start_us) / 1e6);
    count_accepted(sending);
    if (sending->wait) { /* and with it the sending, which may be gone now */
        waits_sent(api->waits, sending->wait);
        return;
    }
    answer_accepted(sending);
}

void command_done(void *context, fate_t fate, const char *why) {
    sending_t *sending = context;
    char more[64];
    (void)why;
    if (fate == FATE_WRITTEN) {
        command_written(sending);
        return;
    }
    snprintf(more, sizeof more, "\"commandId\":\"%s\"", sending->command_id);
    if (sending->wait) waits_forget(sending->route->api->waits, sending->wait);
    if (fate == FATE_NOT_WRITTEN)
        command_refuse(sending, &refused_away, NULL);
    else
        command_refuse(sending, &refused_unknown, more);
}
