/* What a command is answered with, whoever asked: a request of its own, or a batch that it is an item of. */
#ifndef ODRADEK_COMMAND_API_ANSWER_H
#define ODRADEK_COMMAND_API_ANSWER_H

#include "common/http.h"

typedef struct answer {
    int code;
    const char *media_type;
    strbuf_t body;
    char location[256], etag[32]; /* headers; empty: none */
    int waited;                   /* the wait that was applied, in seconds; -1: none */
    bool passing;                 /* the same may succeed soon: Retry-After */
} answer_t;

/* Who is answered. `give` is called once, on any thread, perhaps before the call that it was given to returns; it
   may steal the body. */
typedef struct asker {
    void (*give)(void *context, answer_t *answer);
    void *context;
} asker_t;

/* The sender of `request`. */
asker_t answer_asker(http_request_t *request);
/* Gives the answer, and frees what is left of it. */
void answer_give(const asker_t *asker, answer_t *answer);

/* Why something is refused: a row for each problem that the API answers with. */
typedef struct refusal {
    int code;
    const char *type;
    const char *detail; /* NULL: the case has its own */
    bool passing;       /* the same request may succeed soon */
} refusal_t;

/* Counts the refusal and answers with its problem; `detail` and `more`, members of JSON, may be NULL. */
void answer_refuse(const asker_t *asker, const refusal_t *refusal, const char *detail, const char *more);

#endif
