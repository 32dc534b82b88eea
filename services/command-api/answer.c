/* What a command is answered with. */
#include "services/command-api/answer.h"

#include "common/metric.h"

#include <stdio.h>

void answer_give(const asker_t *asker, answer_t *answer) {
    asker->give(asker->context, answer);
    strbuf_free(&answer->body);
}

void answer_refuse(const asker_t *asker, const refusal_t *refusal, const char *detail, const char *more) {
    char labels[64];
    snprintf(labels, sizeof labels, "reason=\"%s\"", refusal->type);
    metric_add(metric_counter("odradek_commands_refused_total", "Commands that were not accepted.", labels), 1);
    answer_t answer = {
        .code = refusal->code, .media_type = HTTP_PROBLEM_TYPE, .waited = -1, .passing = refusal->passing};
    http_problem_add(&answer.body, refusal->code, refusal->type, detail ? detail : refusal->detail, more);
    answer_give(asker, &answer);
}

/* ---- to a request ---- */

static void give_request(void *context, answer_t *answer) {
    http_request_t *request = context;
    char applied[32];
    snprintf(applied, sizeof applied, "wait=%d", answer->waited);
    if (answer->etag[0]) http_add_header(request, "ETag", answer->etag);
    if (answer->location[0]) http_add_header(request, "Location", answer->location);
    if (answer->waited >= 0) http_add_header(request, "Preference-Applied", applied);
    if (answer->passing) http_add_retry_after(request);
    http_answer(request, answer->code, answer->media_type, &answer->body);
}

asker_t answer_asker(http_request_t *request) {
    return (asker_t){give_request, request};
}
