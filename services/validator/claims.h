/* Unique values that this validator is about to set, claimed in the snapshot store, so that no other validator sets them at
   the same time. A claim holds until it is released, or until its lease ends: the lease is there for progress
   only; nothing is right because time passes or does not.

   A claim is made by an instance for a command: after a crash both the instance, come back, and whoever decides the command
   then take it over. */
#ifndef ODRADEK_VALIDATOR_CLAIMS_H
#define ODRADEK_VALIDATOR_CLAIMS_H

#include "common/redis.h"
#include "model/types.h"

typedef struct claims claims_t;

/* UNKNOWN: nobody wants the value. WANTED: it was not asked for since it was added or released. REFUSED: somebody else
   holds it. */
typedef enum claim_state { CLAIM_UNKNOWN, CLAIM_WANTED, CLAIM_REFUSED, CLAIM_HELD } claim_state_t;

/* `redis`, the snapshot store, and `instance`, unique among replicas and without blanks, are borrowed. What others asked
   of `redis` is gone after each exchange here. */
claims_t *claims_new(redis_t *redis, const char *instance, int partitions, int lease_ms);
void claims_free(claims_t *claims); /* NULL is fine; leaves what is held to its lease */

/* Wants a value, unless it is wanted already. `command` names entity and command, the same whoever decides it, without
   blanks. */
void claims_add(claims_t *claims, const entity_type_t *type, const unique_t *value, const char *command);
claim_state_t claims_state(const claims_t *claims, const entity_type_t *type, const unique_t *value);
size_t claims_count(const claims_t *claims);
void claims_each(const claims_t *claims, void (*each)(const entity_type_t *type, const unique_t *value, void *context),
                 void *context);

/* Claims all that is wanted and renews what is held, in one exchange. `anew`: one is held that was not before, or not
   without a break. RETRY: nothing is held. */
status_t claims_take(claims_t *claims, bool *anew, err_t *error) MUST_CHECK;
/* OK: everything that was held after claims_take is still, and was all the time in between. RETRY: not all, or
   nobody knows. */
status_t claims_check(claims_t *claims, err_t *error) MUST_CHECK;
/* Lets go of all that is held, which is wanted again then; as well as it can. */
void claims_release(claims_t *claims);
/* The same, and wants nothing any more. */
void claims_clear(claims_t *claims);

#endif
