/* What the files of a batch share.

       batch.c         read, wanted, decided
       batch_values.c  the unique values that its commands set
       batch_emit.c    what comes of it                                                                        */
#ifndef ODRADEK_VALIDATOR_BATCH_INTERNAL_H
#define ODRADEK_VALIDATOR_BATCH_INTERNAL_H

#include "services/validator/batch.h"
#include "services/validator/rules.h"

/* batch.c */
/* Whether the same command was decided before: by an outcome that is remembered or in the event store. */
bool batch_was_decided(const decider_t *decider, const item_t *item);

/* batch_values.c */
void batch_want_values(decider_t *decider, const item_t *item);
/* The shape of the store, where values are wanted of it. */
void batch_want_shapes(decider_t *decider);

/* What is found out about the unique values of an item's data. */
typedef struct values {
    decider_t *decider;
    const item_t *item;
    need_t need;
    const char *taken, *contended; /* members; NULL: none */
} batch_values_t;

/* Called for each value that an item sets; `context` is its batch_values_t. */
bool batch_look_at_value(const unique_t *value, void *context);

/* batch_emit.c */
status_t batch_forward(decider_t *decider, const item_t *item, err_t *error);
status_t batch_emit_decision(decider_t *decider, const item_t *item, const entity_state_t *state, rejection_t rejection,
                             err_t *error);

#endif
