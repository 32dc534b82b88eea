/* A batch of commands on its way through the validator:

       records ─▶ read: dead letter, forward, or decide
                  │
                  ▼
              wants ─▶ one read of the snapshot store, one of the event store
                  │
                  ▼
              claims on unique values, where other replicas decide as well
                  │
                  ▼
              decide in log order against overlay and snapshots ─▶ events, outcomes; what was decided before: nothing
                  │   ▲
                  ▼   │  an item needs to know more, or that other partitions have caught up
              (the validator reads, or waits, and goes on with that item)                                          */
#ifndef ODRADEK_VALIDATOR_BATCH_H
#define ODRADEK_VALIDATOR_BATCH_H

#include "common/consume.h"
#include "services/service.h"
#include "services/validator/claims.h"
#include "services/validator/overlay.h"
#include "services/validator/seen.h"
#include "services/validator/view.h"

/* What becomes of a record. */
typedef enum fate { FATE_DECIDE, FATE_FORWARD, FATE_DEAD } fate_t;

typedef struct item {
    const rd_kafka_message_t *message;
    fate_t fate;
    int32_t partition; /* where it belongs */
    command_t command;
    const entity_type_t *type;
    verb_t verb;
    const char *id, *command_id;   /* given or made */
    char *made_id, *made_command_id; /* what was made; NULL: it was given */
    char *scope; /* "<type>:<id>:<idempotency key>"; NULL: it came without a key */
    char *reason;         /* of a dead letter */
    const json_t *data;   /* what the entity's data would be; NULL: none */
    json_span_t bytes;    /* the same */
    json_t *before;       /* what a patch was applied to, where the type has unique members */
    json_t *patched;      /* data that was made by a patch, with its bytes; NULL: the data is the body */
    char *patched_bytes;
    char *patch_error;    /* why the patch could not be applied; NULL: it could, or there is none */
    bool data_valid;      /* against the type's schema */
} item_t;

/* What an item needs before it can be decided. */
typedef enum need {
    NEED_NOTHING,
    NEED_READ,    /* of what it has added to the view */
    NEED_CATCH_UP, /* the snapshot store has passed what is known now of the partitions marked in `stale` */
    NEED_CLAIM,   /* of what it has added to the claims: they are taken before anything is emitted, so the batch begins anew */
    NEED_LATER    /* other partitions' items of this batch come first: one creates what it links to; never returned */
} need_t;

/* The items of one partition, in their order. */
typedef struct run {
    int32_t partition;
    size_t at, end; /* the next to decide, and behind the last; in `items` */
} run_t;

/* What stays the same from batch to batch; all borrowed but `items`. */
typedef struct decider {
    const service_context_t *context;
    consume_t *consume;
    overlay_t *overlay;
    view_t *view;   /* of the snapshot store */
    seen_t *seen;
    view_t *decided; /* of the event store: what was decided before */
    const bool *owned; /* by partition: decided here */
    bool *stale;       /* by partition: must catch up */
    bool *caught_up;   /* by partition: did, since this batch began, or had its chance */
    claims_t *claims;
    bool alone;        /* all partitions are decided here: nobody else can set a unique value */
    bool resigned;     /* a claim that was refused will not be had any more */
    const char *shape; /* of whose unique members the snapshot store must be (model/shape.h); NULL: of any */
    bool names_values; /* unique values are wanted from the store by the batch at hand */
    bool sets_values;  /* the batch at hand gives an entity a unique value that it did not have */
    item_t *items;     /* of the batch at hand */
    size_t count, cap;
    size_t done;       /* how many of them are decided */
    run_t *runs;
    size_t runs_count, runs_cap;
    bool insist;       /* nothing is put off any more */
} decider_t;

/* Reads the records of all slices into items. */
void batch_read(decider_t *decider, const consume_slice_t *slices, size_t count);
/* Collects in the views what the items that are not decided need. */
void batch_want(decider_t *decider);
/* Marks partitions decided here in which an item links to something that does not exist, and that no item of the batch
   creates: it may be created by commands that are on their way. False: there is none. */
bool batch_awaits(decider_t *decider, bool *partitions);
/* Whether the store, as read, was filled for the unique members that types have now, where the batch needs to know of them. */
bool batch_is_shaped(const decider_t *decider);
/* Adds the unique values that items of the batch may set to the claims. False: there is none. */
bool batch_claims(decider_t *decider);
/* Collects in the view who has the values that are claimed. */
void batch_want_claimed(decider_t *decider);
/* Whether a claim was refused, of a value that no entity has: another validator is about to set it. */
bool batch_contends(const decider_t *decider);
/* Decides the items that are not decided yet and emits what comes of them; those of a partition in order. OK with
   NEED_NOTHING: all are decided. OK with another need: it must be met first. */
status_t batch_decide(decider_t *decider, need_t *need, err_t *error) MUST_CHECK;
void batch_clear(decider_t *decider);
void batch_free(decider_t *decider); /* the memory for items, after the last batch_clear */

#endif
