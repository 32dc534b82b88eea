/* The business rules: what is known of a command and its entity → accepted, or why not. Pure. */
#ifndef ODRADEK_VALIDATOR_RULES_H
#define ODRADEK_VALIDATOR_RULES_H

#include "model/types.h"
#include "services/validator/overlay.h"

#define RULES_KEY_REUSED "idempotency-key-reused"

typedef struct facts {
    const entity_type_t *type;
    verb_t verb;
    const char *id;
    entity_state_t state;     /* the entity's latest; version 0 where it never was */
    bool key_reused;          /* its idempotency key came with another command before */
    int64_t expected_version; /* RECORD_NO_VERSION: none was given */
    bool has_body;
    const char *patch_error;  /* why a patch cannot be applied to the latest data; NULL: it can, or is none */
    bool data_valid;          /* what the data would be, against the type's schema */
    const char *missing_link; /* "heroImage: Asset x": a link to nothing; NULL: none */
    const char *taken;        /* a unique member whose value another entity has; NULL: none */
    const char *contended;    /* a unique member whose value another command is about to set; NULL: none */
    bool linked;              /* another entity links to it, and settings restrict that */
} facts_t;

/* Why a command was rejected. */
typedef struct rejection {
    const char *type; /* stable, the last part of a problem's URI; NULL: the command is accepted */
    char detail[320];
} rejection_t;

rejection_t rules_decide(const facts_t *facts);

#endif
