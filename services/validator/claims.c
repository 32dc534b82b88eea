/* Unique values that this validator is about to set. */
#include "services/validator/claims.h"

#include "common/clock.h"
#include "common/embed.h"
#include "common/kafka.h"
#include "common/mem.h"
#include "common/uuid.h"
#include "model/keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define uthash_fatal(message) abort()
#include <uthash.h>

EMBED(claims_script, "services/validator/claims.lua");

typedef struct claim {
    const entity_type_t *type;
    unique_t value;
    char *command;
    claim_state_t state;
    int32_t partition; /* of its key */
    UT_hash_handle hh;
    char name[]; /* "<type>:<field>:<digest>" */
} claim_t;

struct claims {
    redis_t *redis;
    const char *instance;
    int partitions, lease_ms;
    char sha[41];
    char token[UUID_TEXT_SIZE]; /* another one whenever claims were let go of, or their fate is not known */
    claim_t *all;               /* by name */
};

static void renew_token(claims_t *claims) {
    uuid7(clock_ms(), claims->token);
}

claims_t *claims_new(redis_t *redis, const char *instance, int partitions, int lease_ms) {
    claims_t *claims = mem_zero(1, sizeof *claims);
    claims->redis = redis;
    claims->instance = instance;
    claims->partitions = partitions;
    claims->lease_ms = lease_ms;
    redis_script(redis, claims_script, claims->sha);
    renew_token(claims);
    return claims;
}

static void forget_all(claims_t *claims) {
    claim_t *claim, *next;
    HASH_ITER(hh, claims->all, claim, next) {
        HASH_DEL(claims->all, claim);
        free(claim->command);
        free(claim);
    }
}

void claims_free(claims_t *claims) {
    if (!claims) return;
    forget_all(claims);
    free(claims);
}

/* ---- what is wanted ---- */

enum { NAME_SIZE = 256 }; /* 64, 128 and 43 characters at most, and what is between */

static claim_t *find(const claims_t *claims, char name[NAME_SIZE], const entity_type_t *type, const unique_t *value) {
    claim_t *claim;
    snprintf(name, NAME_SIZE, "%s:%s:%s", type->name, value->field, value->digest);
    HASH_FIND_STR(claims->all, name, claim);
    return claim;
}

void claims_add(claims_t *claims, const entity_type_t *type, const unique_t *value, const char *command) {
    char name[NAME_SIZE];
    if (find(claims, name, type, value)) return;
    size_t size = strlen(name) + 1;
    claim_t *claim = mem_zero(1, sizeof *claim + size);
    claim->type = type;
    claim->value = *value;
    claim->command = mem_string(command);
    claim->state = CLAIM_WANTED;
    claim->partition = kafka_partition(value->digest, strlen(value->digest), claims->partitions);
    memcpy(claim->name, name, size);
    HASH_ADD_STR(claims->all, name, claim);
}

claim_state_t claims_state(const claims_t *claims, const entity_type_t *type, const unique_t *value) {
    char name[NAME_SIZE];
    const claim_t *claim = find(claims, name, type, value);
    return claim ? claim->state : CLAIM_UNKNOWN;
}

size_t claims_count(const claims_t *claims) {
    return HASH_COUNT(claims->all);
}

void claims_each(const claims_t *claims, void (*each)(const entity_type_t *type, const unique_t *value, void *context),
                 void *context) {
    for (const claim_t *claim = claims->all; claim; claim = claim->hh.next) each(claim->type, &claim->value, context);
}

/* ---- the store ---- */

static bool is_held(const claim_t *claim) {
    return claim->state == CLAIM_HELD;
}

static int by_partition(const claim_t *a, const claim_t *b) {
    return a->partition - b->partition;
}

/* The first claim behind those of one partition; they stand in its order. */
static claim_t *behind(claim_t *first) {
    claim_t *claim = first;
    while (claim && claim->partition == first->partition) claim = claim->hh.next;
    return claim;
}

static void add_key(redis_args_t *args, const claim_t *claim) {
    key_text_t key;
    key_claim(key, claim->partition, claim->type->name, claim->value.field, claim->value.digest);
    redis_args_copys(args, key);
}

/* Queues a run of the script on claims of one partition, which must be on one server. */
static void queue_script(claims_t *claims, const claim_t *first, const claim_t *end, bool take) {
    redis_args_t args = {0};
    int64_t count = 0;
    for (const claim_t *claim = first; claim != end; claim = claim->hh.next) count++;
    redis_args_adds(&args, "EVALSHA");
    redis_args_add(&args, claims->sha, 40); /* known once there is a connection */
    redis_args_number(&args, count);
    for (const claim_t *claim = first; claim != end; claim = claim->hh.next) add_key(&args, claim);
    redis_args_adds(&args, take ? "take" : "release");
    if (take) redis_args_number(&args, claims->lease_ms);
    redis_args_adds(&args, claims->instance);
    redis_args_adds(&args, claims->token);
    for (const claim_t *claim = first; claim != end; claim = claim->hh.next) redis_args_adds(&args, claim->command);
    redis_queue(claims->redis, first->partition, args.count, args.argv, args.lens);
    redis_args_free(&args);
}

static void queue_scripts(claims_t *claims, bool take) {
    HASH_SORT(claims->all, by_partition);
    for (claim_t *claim = claims->all, *end; claim; claim = end) {
        end = behind(claim);
        queue_script(claims, claim, end, take);
    }
}

static void set_all(claims_t *claims, claim_state_t state) {
    for (claim_t *claim = claims->all; claim; claim = claim->hh.next) claim->state = state;
}

static status_t read_taken(claims_t *claims, claim_t *first, const claim_t *end, const redisReply *reply, bool *anew,
                           err_t *error) {
    status_t status = redis_check(claims->redis, reply, error);
    size_t at = 0;
    if (status != STATUS_OK) return status;
    for (claim_t *claim = first; claim != end && at < reply->elements; claim = claim->hh.next) {
        long long answer = reply->element[at++]->integer;
        *anew = *anew || answer == 2;
        claim->state = answer > 0 ? CLAIM_HELD : CLAIM_REFUSED;
    }
    return STATUS_OK;
}

status_t claims_take(claims_t *claims, bool *anew, err_t *error) {
    *anew = false;
    if (!claims->all) return STATUS_OK;
    queue_scripts(claims, true);
    status_t status = redis_exchange(claims->redis, error);
    size_t reply = 0;
    for (claim_t *claim = claims->all, *end; claim && status == STATUS_OK; claim = end) {
        end = behind(claim);
        status = read_taken(claims, claim, end, redis_reply(claims->redis, reply++), anew, error);
    }
    if (status == STATUS_OK) return STATUS_OK;
    set_all(claims, CLAIM_WANTED);
    renew_token(claims);
    return STATUS_RETRY;
}

static bool is_mine(const claims_t *claims, const claim_t *claim, const redisReply *reply) {
    char *mine = mem_printf("%s %s %s", claims->instance, claim->command, claims->token);
    bool same = reply->type == REDIS_REPLY_STRING && !strcmp(reply->str, mine);
    free(mine);
    return same;
}

status_t claims_check(claims_t *claims, err_t *error) {
    size_t queued = 0;
    for (const claim_t *claim = claims->all; claim; claim = claim->hh.next) {
        if (!is_held(claim)) continue;
        key_text_t key;
        key_claim(key, claim->partition, claim->type->name, claim->value.field, claim->value.digest);
        redis_queue(claims->redis, claim->partition, 2, (const char *[]){"GET", key}, NULL);
        queued++;
    }
    if (queued == 0) return STATUS_OK;
    if (redis_exchange(claims->redis, error) != STATUS_OK) return STATUS_RETRY;
    size_t at = 0;
    for (const claim_t *claim = claims->all; claim; claim = claim->hh.next)
        if (is_held(claim) && !is_mine(claims, claim, redis_reply(claims->redis, at++)))
            return err_set(error, STATUS_RETRY, "the claim on a value of %s was lost", claim->value.field);
    return STATUS_OK;
}

void claims_release(claims_t *claims) {
    err_t ignored;
    bool any = false;
    for (const claim_t *claim = claims->all; claim && !any; claim = claim->hh.next) any = is_held(claim);
    if (!any) return;
    queue_scripts(claims, false);
    (void)!redis_exchange(claims->redis, &ignored);
    set_all(claims, CLAIM_WANTED);
    renew_token(claims);
}

void claims_clear(claims_t *claims) {
    if (!claims->all) return;
    claims_release(claims);
    forget_all(claims);
}
