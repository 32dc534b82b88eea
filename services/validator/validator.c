/* The validator: a handler on the consumer runtime.

   An entity is always decided against its latest version: snapshot and overlay, of which the higher counts. For that
   the overlay must hold all that the snapshot store does not have yet: what was decided here stays in it until the
   store's position has passed it, and what a former owner of the partition decided is read from `events` before the
   first decision. A store whose position went back has forgotten what the overlay let go of: nothing is decided until
   the materializer has brought it there again. The same holds for commands that were decided, with the event store,
   `outcomes` and the persister. */
#include "services/validator/validator.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/metric.h"
#include "common/stop.h"
#include "model/shape.h"
#include "services/validator/batch.h"
#include "services/validator/tail.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { WAIT_STEP_MS = 5, CATCH_UP_EVERY_US = 200000, UNKNOWN_END = -1 };

/* A store, and what is remembered here of its topic's end until the store has it. */
typedef struct memory {
    const char *store, *topic, *writer;
    view_t *view;
    int64_t *position; /* by partition: the highest that the store was seen at */
    void (*put)(decider_t *decider, int32_t partition, const rd_kafka_message_t *message);
    void (*trim)(decider_t *decider, int32_t partition, int64_t position);
    void (*drop)(decider_t *decider, int32_t partition);
} memory_t;

enum { SNAPSHOTS, EVENTS, MEMORIES };

typedef struct validator {
    const service_context_t *context;
    redis_t *redis[MEMORIES];
    memory_t memories[MEMORIES];
    decider_t decider;
    tail_t *tail;
    bool *owned;          /* by partition */
    int64_t *commands_at; /* by partition: behind the last command decided */
    int64_t *hold_ends;   /* by partition: what a batch is held for; 0: it is not */
    int64_t hold_until_us; /* 0: no batch is held */
    char shape[DIGEST_TEXT_SIZE]; /* of the snapshot store, as types are here */
    claims_t *claims;
    int64_t *claimed_at;  /* by partition not decided here: the end of `events` after the claims; or UNKNOWN_END */
    bool claims_again;    /* the batch was given up for a claim: its claims are wanted by the next try */
    int64_t resign_at_us; /* when a claim that is refused is given up; 0: none is refused */
    int64_t catch_up_at_us; /* when the stores are asked next, without a batch */
    metric_t *overlay_gauge, *seen_gauge, *waits, *unique_waits, *contended;
} validator_t;

static int partitions(const validator_t *v) {
    return v->context->settings->partitions;
}

/* ---- what is remembered ---- */

static void put_event(decider_t *d, int32_t partition, const rd_kafka_message_t *message) {
    event_t event;
    if (!event_decode(d->context->shapes, message->payload, message->len, &event, NULL)) return;
    verb_t verb;
    const entity_type_t *type = types_of_event(d->context->types, event.type, &verb);
    const entity_state_t *known = type ? overlay_get(d->overlay, partition, type->name, event.id) : NULL;
    if (type && (!known || known->version < event.version)) {
        entity_state_t state = {.version = event.version, .deleted = verb == VERB_DELETE};
        clock_parse(event.time, &state.updated_ms);
        *overlay_put(d->overlay, partition, type, event.id, &state, event.body, event.body_bytes) = message->offset;
    }
    event_clear(&event);
}

static void trim_overlay(decider_t *d, int32_t partition, int64_t position) {
    overlay_trim(d->overlay, partition, position);
}

static void drop_overlay(decider_t *d, int32_t partition) {
    overlay_drop(d->overlay, partition);
}

static void put_outcome(decider_t *d, int32_t partition, const rd_kafka_message_t *message) {
    outcome_t outcome;
    if (!outcome_decode(d->context->shapes, message->payload, message->len, &outcome, NULL)) return;
    verb_t verb;
    const entity_type_t *type = types_of_command(d->context->types, outcome.type, &verb);
    key_text_t scope;
    bool keyed = type && outcome.idempotency_key;
    if (keyed) key_scope(scope, type->name, outcome.id, outcome.idempotency_key);
    if (!seen_has(d->seen, partition, outcome.command_id))
        *seen_put(d->seen, partition, outcome.command_id, keyed ? scope : NULL) = message->offset;
    outcome_clear(&outcome);
}

static void trim_seen(decider_t *d, int32_t partition, int64_t position) {
    seen_trim(d->seen, partition, position);
}

static void drop_seen(decider_t *d, int32_t partition) {
    seen_drop(d->seen, partition);
}

static void show_memories(const validator_t *v) {
    metric_set(v->overlay_gauge, (double)overlay_writes(v->decider.overlay));
    metric_set(v->seen_gauge, (double)seen_count(v->decider.seen));
}

static void trim_all(validator_t *v) {
    for (int m = 0; m < MEMORIES; m++)
        for (int32_t p = 0; p < partitions(v); p++)
            if (v->owned[p]) v->memories[m].trim(&v->decider, p, v->memories[m].position[p]);
    show_memories(v);
}

/* ---- positions of the stores ---- */

/* Takes note of where the store is in the partitions just read. */
static status_t note_positions(validator_t *v, memory_t *memory, err_t *error) {
    for (int32_t p = 0; p < partitions(v); p++) {
        if (!view_has(memory->view, p)) continue;
        int64_t position = view_position(memory->view, p);
        if (position < memory->position[p])
            return err_set(error, STATUS_RETRY,
                           "the %s store went back from %" PRId64 " to %" PRId64 " of %s[%d]: waiting for the %s",
                           memory->store, memory->position[p], position, memory->topic, (int)p, memory->writer);
        memory->position[p] = position;
    }
    return STATUS_OK;
}

static status_t read_memory(validator_t *v, memory_t *memory, err_t *error) {
    status_t status = view_read(memory->view, error);
    return status == STATUS_OK ? note_positions(v, memory, error) : status;
}

static status_t read_positions(validator_t *v, memory_t *memory, const bool *wanted, err_t *error) {
    view_clear(memory->view);
    for (int32_t p = 0; p < partitions(v); p++)
        if (wanted[p]) view_want_position(memory->view, p);
    status_t status = read_memory(v, memory, error);
    view_clear(memory->view);
    return status;
}

static status_t read_all(validator_t *v, err_t *error) {
    status_t status = STATUS_OK;
    for (int m = 0; m < MEMORIES && status == STATUS_OK; m++) status = read_memory(v, &v->memories[m], error);
    return status;
}

/* ---- a partition ---- */

typedef struct filling {
    validator_t *validator;
    const memory_t *memory;
    int32_t partition;
} filling_t;

static void fill_one(const rd_kafka_message_t *message, void *context) {
    filling_t *filling = context;
    if (message->payload) filling->memory->put(&filling->validator->decider, filling->partition, message);
}

static status_t store_position(memory_t *memory, int32_t partition, int64_t *position, err_t *error) {
    view_clear(memory->view);
    view_want_position(memory->view, partition);
    status_t status = view_read(memory->view, error);
    if (status == STATUS_OK) *position = view_position(memory->view, partition);
    view_clear(memory->view);
    return status;
}

/* Remembers what was decided before and is not in the store yet. */
static status_t fill(validator_t *v, memory_t *memory, int32_t partition, err_t *error) {
    int64_t position, first, end;
    status_t status = store_position(memory, partition, &position, error);
    if (status == STATUS_OK) status = tail_settled_end(v->tail, memory->topic, partition, &first, &end, error);
    if (status != STATUS_OK) return status;
    if (position > end)
        return err_set(error, STATUS_RETRY,
                       "the %s store has applied %s[%d] up to %" PRId64 ", the log ends at %" PRId64
                       ": the store belongs to another log, or the log was lost",
                       memory->store, memory->topic, (int)partition, position, end);
    int64_t from = position > first ? position : first; /* what is no longer kept, nobody can remember */
    if (end - from > v->context->settings->limits.overlay_entities)
        return err_set(error, STATUS_RETRY, "the %s is %" PRId64 " records behind in %s[%d]", memory->writer,
                       end - from, memory->topic, (int)partition);
    memory->drop(&v->decider, partition);
    memory->position[partition] = position;
    return tail_read(v->tail, memory->topic, partition, from, end, fill_one, &(filling_t){v, memory, partition}, error);
}

/* Kafka's committed offset is known already, so no former owner's transaction that could still commit is unseen: it is
   settled, or waited for. */
static status_t take(void *self, int topic, int32_t partition, int64_t *offset, err_t *error) {
    (void)topic;
    validator_t *v = self;
    status_t status = STATUS_OK;
    for (int m = 0; m < MEMORIES && status == STATUS_OK; m++) status = fill(v, &v->memories[m], partition, error);
    v->owned[partition] = status == STATUS_OK;
    v->commands_at[partition] = *offset;
    return status;
}

static void release(void *self, int topic, int32_t partition) {
    (void)topic;
    validator_t *v = self;
    for (int m = 0; m < MEMORIES; m++) v->memories[m].drop(&v->decider, partition);
    v->owned[partition] = false;
    v->claimed_at[partition] = UNKNOWN_END;
}

/* ---- a batch ---- */

/* Whether the store has passed `ends` in all partitions that are marked; `stale` keeps those where it has not. */
static bool passed(validator_t *v, const int64_t *ends, bool *stale) {
    bool all = true;
    for (int32_t p = 0; p < partitions(v); p++) {
        if (stale[p] && v->memories[SNAPSHOTS].position[p] >= ends[p]) stale[p] = false;
        if (stale[p]) all = false;
    }
    return all;
}

/* The transaction that is open meanwhile must not reach its time-out. */
static int wait_ms(const settings_t *settings) {
    int most = settings->kafka.transaction_timeout_ms / 2;
    return settings->rules.link_wait_ms < most ? settings->rules.link_wait_ms : most;
}

/* Waits, within bounds, until the store has what is known of the marked partitions at this moment. Afterwards they
   count as they are, whether they made it or not. */
static void await_partitions(validator_t *v) {
    bool *stale = v->decider.stale;
    memory_t *snapshots = &v->memories[SNAPSHOTS];
    int64_t *ends = mem_zero((size_t)partitions(v), sizeof *ends);
    int64_t deadline = clock_monotonic_us() + wait_ms(v->context->settings) * 1000LL;
    err_t ignored;
    metric_add(v->waits, 1);
    for (int32_t p = 0; p < partitions(v); p++) {
        if (!stale[p]) continue;
        v->decider.caught_up[p] = true;
        if (tail_end(v->tail, snapshots->topic, p, &ends[p], &ignored) != STATUS_OK) ends[p] = INT64_MAX;
    }
    while (read_positions(v, snapshots, stale, &ignored) == STATUS_OK && !passed(v, ends, stale) &&
           clock_monotonic_us() < deadline && !stop_requested())
        clock_sleep_ms(WAIT_STEP_MS);
    memset(stale, 0, (size_t)partitions(v) * sizeof *stale);
    free(ends);
}

static bool has_room(const validator_t *v) {
    const struct settings_limits *limits = &v->context->settings->limits;
    return overlay_writes(v->decider.overlay) <= (size_t)limits->overlay_entities &&
           overlay_bytes(v->decider.overlay) <= (size_t)limits->overlay_megabytes << 20 &&
           seen_count(v->decider.seen) <= (size_t)limits->overlay_entities;
}

/* Asks the stores where they are now, and forgets what they have. */
static status_t catch_up(validator_t *v, err_t *error) {
    status_t status = STATUS_OK;
    for (int m = 0; m < MEMORIES && status == STATUS_OK; m++)
        status = read_positions(v, &v->memories[m], v->owned, error);
    trim_all(v);
    return status;
}

static status_t check_room(validator_t *v, err_t *error) {
    if (has_room(v)) return STATUS_OK;
    status_t status = catch_up(v, error);
    if (status != STATUS_OK || has_room(v)) return status;
    return err_set(error, STATUS_RETRY, "the materializer is %zu events behind, the persister %zu outcomes",
                   overlay_writes(v->decider.overlay), seen_count(v->decider.seen));
}

static status_t meet(validator_t *v, need_t need, err_t *error) {
    if (need == NEED_CLAIM) {
        v->claims_again = true;
        return err_set(error, STATUS_RETRY, "a unique value was not foreseen: the batch is decided again");
    }
    if (need == NEED_CATCH_UP) {
        await_partitions(v);
        batch_want(&v->decider);
    }
    return read_memory(v, &v->memories[SNAPSHOTS], error);
}

static status_t decide(validator_t *v, err_t *error) {
    need_t need;
    status_t status = batch_decide(&v->decider, &need, error);
    while (status == STATUS_OK && need != NEED_NOTHING) {
        status = meet(v, need, error);
        /* What was decided so far is in the transaction and in memory: it cannot simply be tried again. */
        if (status == STATUS_RETRY && v->decider.done > 0) status = STATUS_ABORT;
        if (status == STATUS_OK) status = batch_decide(&v->decider, &need, error);
    }
    return status;
}

/* ---- unique values ----

   Where other replicas decide as well: the values that a batch may set are claimed; then the store must have what is in
   `events` at that moment, open transactions included; then it is asked who has them. After everything is
   emitted and in the log the claims must still be held, else nothing is committed. So of two that set the same value
   at the same time, either the later finds the event of the other in the log, or the earlier finds its claim gone. A
   replica that decides all partitions knows all values; what keeps it from committing when it does not decide them any
   more is the group's generation, which Kafka checks when offsets are sent, with the events in the log by then. */

static bool decides_all(const validator_t *v) {
    for (int32_t p = 0; p < partitions(v); p++)
        if (!v->owned[p]) return false;
    return true;
}

static void forget_ends(validator_t *v) {
    for (int32_t p = 0; p < partitions(v); p++) v->claimed_at[p] = UNKNOWN_END;
}

static status_t ask_ends(validator_t *v, err_t *error) {
    bool *wanted = mem_zero((size_t)partitions(v), sizeof *wanted);
    for (int32_t p = 0; p < partitions(v); p++) wanted[p] = !v->owned[p] && v->claimed_at[p] == UNKNOWN_END;
    status_t status =
        tail_written(v->tail, topic_names[TOPIC_EVENTS], wanted, partitions(v), v->claimed_at, error);
    if (status != STATUS_OK) forget_ends(v);
    free(wanted);
    return status;
}

/* Marks in `stale` the partitions where the store does not have what was in the log after the claims; false: it has all. */
static bool is_behind_claims(validator_t *v) {
    bool any = false;
    for (int32_t p = 0; p < partitions(v); p++) {
        v->decider.stale[p] = !v->owned[p] && v->memories[SNAPSHOTS].position[p] < v->claimed_at[p];
        any = any || v->decider.stale[p];
    }
    return any;
}

/* A store that was filled before a member became unique does not know who has which value. */
static status_t check_shape(const validator_t *v, err_t *error) {
    if (batch_is_shaped(&v->decider)) return STATUS_OK;
    return err_set(error, STATUS_RETRY, "the snapshot store was filled for other schemas: waiting for the materializer");
}

static status_t read_claimed(validator_t *v, err_t *error) {
    batch_want(&v->decider);
    batch_want_claimed(&v->decider);
    status_t status = read_memory(v, &v->memories[SNAPSHOTS], error);
    return status == STATUS_OK ? check_shape(v, error) : status;
}

/* Reads what the batch needs to know, with who has the values, once the store has what was in the log after the claims. */
static status_t read_after_claims(validator_t *v, int64_t deadline_us, err_t *error) {
    bool *stale = v->decider.stale;
    status_t status = ask_ends(v, error);
    if (status == STATUS_OK) status = read_claimed(v, error);
    bool behind = status == STATUS_OK && is_behind_claims(v);
    if (behind) metric_add(v->unique_waits, 1);
    while (behind && status == STATUS_OK && clock_monotonic_us() < deadline_us && !stop_requested()) {
        clock_sleep_ms(WAIT_STEP_MS);
        status = read_positions(v, &v->memories[SNAPSHOTS], stale, error);
        behind = status != STATUS_OK || is_behind_claims(v);
        if (!behind) status = read_claimed(v, error);
    }
    memset(stale, 0, (size_t)partitions(v) * sizeof *stale);
    if (status != STATUS_OK || !behind) return status;
    return err_set(error, STATUS_RETRY, "unique values wait for the materializer, or for another replica's transaction");
}

/* What a validator may hold for longest: all its waits and a transaction. Then a lease has ended too. */
static int lease_ms(const settings_t *settings) {
    return settings->kafka.transaction_timeout_ms + 2 * wait_ms(settings);
}

/* Notes that another holds what is wanted here, and lets go of all, since it may wait for what is held here. OK: it was
   tried for long enough. */
static status_t yield_claims(validator_t *v, err_t *error) {
    int64_t now = clock_monotonic_us();
    if (v->resign_at_us == 0) v->resign_at_us = now + lease_ms(v->context->settings) * 1000LL;
    metric_add(v->contended, 1);
    v->decider.resigned = now > v->resign_at_us;
    if (v->decider.resigned) return STATUS_OK;
    claims_release(v->claims);
    forget_ends(v);
    return err_set(error, STATUS_RETRY, "another replica is setting the same unique values");
}

/* Nothing was emitted yet, so nobody waits for this replica's transaction. */
static status_t claim(validator_t *v, err_t *error) {
    decider_t *d = &v->decider;
    d->resigned = d->sets_values = false;
    d->alone = decides_all(v);
    if (check_shape(v, error) != STATUS_OK) return STATUS_RETRY;
    if (d->alone || !batch_claims(d)) return STATUS_OK;
    int64_t deadline = clock_monotonic_us() + wait_ms(v->context->settings) * 1000LL;
    for (;;) {
        bool anew;
        status_t status = claims_take(v->claims, &anew, error);
        if (anew || status != STATUS_OK) forget_ends(v);
        if (status == STATUS_OK) status = read_after_claims(v, deadline, error);
        if (status != STATUS_OK) return STATUS_RETRY;
        if (!batch_contends(d)) return STATUS_OK;
        status = yield_claims(v, error);
        if (status == STATUS_OK || clock_monotonic_us() > deadline || stop_requested()) return status;
        clock_sleep_ms(1 + (int)(random() % (4 * WAIT_STEP_MS)));
    }
}

/* Before the commit of what set unique values. */
static status_t secure(validator_t *v, err_t *error) {
    if (!v->decider.sets_values) return STATUS_OK;
    status_t status = consume_flush(v->decider.consume, error);
    if (status == STATUS_OK && !v->decider.alone) status = claims_check(v->claims, error);
    return status == STATUS_OK ? STATUS_OK : STATUS_ABORT;
}

/* After a batch, however it ended, its claims are of no use; but for one that has to be decided again. */
static void let_go(validator_t *v) {
    if (claims_count(v->claims) == 0) return;
    forget_ends(v);
    if (v->claims_again)
        claims_release(v->claims);
    else
        claims_clear(v->claims);
}

/* ---- a batch that is held ----

   Partitions are read side by side, so a command may come before one that was accepted earlier in another partition. Where
   it links to what does not exist, the batch is held until all commands of that partition that the log has at this
   moment are in it, or were decided: a client that creates one thing and then another that links to it need not
   wait in between. Each batch is held once, within bounds, and not when it is full. */

static void begin_hold(validator_t *v, const bool *awaited) {
    err_t ignored;
    v->hold_until_us = clock_monotonic_us() + wait_ms(v->context->settings) * 1000LL;
    for (int32_t p = 0; p < partitions(v); p++) {
        v->hold_ends[p] = 0;
        if (awaited[p] && tail_end(v->tail, topic_names[TOPIC_COMMANDS], p, &v->hold_ends[p], &ignored) != STATUS_OK)
            v->hold_ends[p] = 0;
    }
}

static bool is_complete(const validator_t *v, const consume_slice_t *slices, size_t count) {
    for (int32_t p = 0; p < partitions(v); p++) {
        int64_t at = v->commands_at[p];
        for (size_t i = 0; i < count; i++)
            if (slices[i].partition == p) at = slices[i].next;
        if (at < v->hold_ends[p]) return false;
    }
    return true;
}

static status_t hold(validator_t *v, const consume_slice_t *slices, size_t count, err_t *error) {
    bool *awaited = mem_zero((size_t)partitions(v), sizeof *awaited);
    bool awaits = batch_awaits(&v->decider, awaited);
    if (awaits && v->hold_until_us == 0) begin_hold(v, awaited);
    free(awaited);
    bool full = v->decider.count >= (size_t)v->context->settings->limits.batch_records;
    if (!awaits || full || is_complete(v, slices, count) || clock_monotonic_us() > v->hold_until_us) return STATUS_OK;
    return err_set(error, STATUS_RETRY, "%s", ""); /* nothing that somebody must know of */
}

static void note_decided(validator_t *v, const consume_slice_t *slices, size_t count) {
    v->hold_until_us = v->resign_at_us = 0;
    v->claims_again = false;
    for (size_t i = 0; i < count; i++) v->commands_at[slices[i].partition] = slices[i].next;
}

static status_t apply(void *self, const consume_slice_t *slices, size_t count, err_t *error) {
    validator_t *v = self;
    trim_all(v);
    status_t status = check_room(v, error);
    if (status == STATUS_OK) {
        batch_read(&v->decider, slices, count);
        batch_want(&v->decider);
        status = read_all(v, error);
    }
    if (status == STATUS_OK) status = hold(v, slices, count, error);
    if (status == STATUS_OK) status = claim(v, error);
    if (status == STATUS_OK) status = decide(v, error);
    if (status == STATUS_OK) status = secure(v, error);
    if (status == STATUS_OK) note_decided(v, slices, count);
    show_memories(v);
    batch_clear(&v->decider);
    return status;
}

static void idle(void *self) {
    validator_t *v = self;
    err_t ignored;
    let_go(v);
    bool remembers = overlay_writes(v->decider.overlay) > 0 || seen_count(v->decider.seen) > 0;
    int64_t now = clock_monotonic_us();
    if (now < v->catch_up_at_us) return; /* batches ask by themselves */
    v->catch_up_at_us = now + CATCH_UP_EVERY_US;
    if (remembers && catch_up(v, &ignored) != STATUS_OK) log_debug("%s", ignored.text);
}

/* ---- the service ---- */

static consume_t *consume_open(validator_t *v) {
    const settings_t *settings = v->context->settings;
    return consume_new(&(consume_options_t){
        .kafka = &v->context->kafka,
        .group = "validator",
        .instance = v->context->instance,
        .topics = &topic_names[TOPIC_COMMANDS],
        .topics_count = 1,
        .dead_letters = topic_names[TOPIC_DEAD_LETTERS],
        .transactional = true,
        .transaction_timeout_ms = settings->kafka.transaction_timeout_ms,
        .batch_records = settings->limits.batch_records,
        .handler = {.self = v, .take = take, .release = release, .apply = apply, .idle = idle},
    });
}

static status_t stores_open(validator_t *v, err_t *error) {
    const struct settings_redis *redis = &v->context->settings->redis;
    size_t count = (size_t)partitions(v);
    v->redis[SNAPSHOTS] = redis_new("snapshots", redis->snapshots, redis->snapshots_count, error);
    if (v->redis[SNAPSHOTS]) v->redis[EVENTS] = redis_new("events", redis->events, redis->events_count, error);
    if (!v->redis[EVENTS]) return STATUS_FATAL;
    v->memories[SNAPSHOTS] = (memory_t){
        .store = "snapshot", .topic = topic_names[TOPIC_EVENTS], .writer = "materializer",
        .view = view_new(v->redis[SNAPSHOTS], partitions(v), key_offset),
        .position = mem_zero(count, sizeof(int64_t)),
        .put = put_event, .trim = trim_overlay, .drop = drop_overlay};
    v->memories[EVENTS] = (memory_t){
        .store = "event", .topic = topic_names[TOPIC_OUTCOMES], .writer = "persister",
        .view = view_new(v->redis[EVENTS], partitions(v), key_outcomes_offset),
        .position = mem_zero(count, sizeof(int64_t)),
        .put = put_outcome, .trim = trim_seen, .drop = drop_seen};
    return STATUS_OK;
}

static void decider_open(validator_t *v) {
    size_t count = (size_t)partitions(v);
    v->owned = mem_zero(count, sizeof *v->owned);
    v->commands_at = mem_zero(count, sizeof *v->commands_at);
    v->hold_ends = mem_zero(count, sizeof *v->hold_ends);
    v->claimed_at = mem_zero(count, sizeof *v->claimed_at);
    forget_ends(v);
    v->claims = claims_new(v->redis[SNAPSHOTS], v->context->instance, partitions(v), lease_ms(v->context->settings));
    shape_text(v->context->types, v->shape);
    v->decider = (decider_t){
        .context = v->context,
        .shape = v->shape,
        .overlay = overlay_new(partitions(v)),
        .view = v->memories[SNAPSHOTS].view,
        .seen = seen_new(partitions(v)),
        .decided = v->memories[EVENTS].view,
        .claims = v->claims,
        .owned = v->owned,
        .stale = mem_zero(count, sizeof(bool)),
        .caught_up = mem_zero(count, sizeof(bool)),
        .consume = consume_open(v),
    };
}

void *validator_open(const service_context_t *context, err_t *error) {
    validator_t *v = mem_zero(1, sizeof *v);
    v->context = context;
    v->overlay_gauge = metric_gauge("odradek_overlay_writes", "Events decided that the snapshot store has not applied.",
                                    NULL);
    v->seen_gauge = metric_gauge("odradek_seen_commands", "Commands decided whose outcomes the event store has not applied.",
                                 NULL);
    v->waits = metric_counter("odradek_link_waits_total", "Batches that waited for links of other partitions.", NULL);
    v->unique_waits =
        metric_counter("odradek_unique_waits_total", "Batches with unique values that waited for other partitions.", NULL);
    v->contended = metric_counter("odradek_unique_contended_total",
                                  "Times that another replica was setting the same unique values.", NULL);
    status_t status = stores_open(v, error);
    if (status == STATUS_OK) v->tail = tail_new(&context->kafka, error);
    if (!v->tail) {
        validator_close(v);
        return NULL;
    }
    decider_open(v);
    return v;
}

bool validator_ready(void *self, err_t *why) {
    validator_t *v = self;
    if (!consume_ready(v->decider.consume, why)) return false;
    for (int m = 0; m < MEMORIES; m++) {
        if (redis_connected(v->redis[m])) continue;
        err_set(why, STATUS_RETRY, "the %s store does not answer", v->memories[m].store);
        return false;
    }
    return true;
}

status_t validator_run(void *self, err_t *error) {
    validator_t *v = self;
    return consume_run(v->decider.consume, error);
}

void validator_close(void *self) {
    validator_t *v = self;
    consume_free(v->decider.consume);
    tail_free(v->tail);
    claims_free(v->claims);
    overlay_free(v->decider.overlay);
    seen_free(v->decider.seen);
    for (int m = 0; m < MEMORIES; m++) {
        view_free(v->memories[m].view);
        free(v->memories[m].position);
        redis_free(v->redis[m]);
    }
    batch_free(&v->decider);
    free(v->commands_at);
    free(v->hold_ends);
    free(v->claimed_at);
    free(v->decider.stale);
    free(v->decider.caught_up);
    free(v->owned);
    free(v);
}
