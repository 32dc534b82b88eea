/* The terms that a request's headers set for a command: which version it is meant for, whether it is a repeat, and how
   long its sender waits. Pure. */
#ifndef ODRADEK_COMMAND_API_TERMS_H
#define ODRADEK_COMMAND_API_TERMS_H

#include "common/record.h"
#include "model/types.h"

enum { TERMS_KEY_SIZE = 256 }; /* with its end */

/* A request's headers; NULL: not there. */
typedef struct terms_headers {
    const char *if_match, *if_none_match, *idempotency_key, *prefer, *content_type;
} terms_headers_t;

typedef struct terms {
    verb_t verb; /* PUT with If-None-Match: * creates */
    int64_t expected_version; /* RECORD_NO_VERSION: any */
    bool conditional;         /* it said so */
    command_patch_t patch;
    char key[TERMS_KEY_SIZE]; /* empty: none */
    int wait_seconds;         /* for the outcome; -1: it does not wait */
} terms_t;

typedef enum terms_result {
    TERMS_OK,
    TERMS_INVALID,     /* 400: a header cannot be understood */
    TERMS_NEVER_MATCH, /* 412: no version has such a tag */
} terms_result_t;

/* Reads the headers of a request of `method` that would be `verb` without them. On INVALID `error` says which header.
   `wait_max`: longer waits are cut to it. */
terms_result_t terms_read(const terms_headers_t *headers, const char *method, verb_t verb, int wait_max, terms_t *terms,
                          err_t *error);

#endif
