/* A batch of commands on its way through the validator: read, wanted, decided. */
#include "services/validator/batch_internal.h"

#include "common/mem.h"
#include "common/metric.h"
#include "common/patch.h"
#include "common/uuid.h"
#include "model/id.h"
#include "model/keys.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- reading ---- */

static int32_t partition_of(const decider_t *d, const char *id) {
    return kafka_partition(id, strlen(id), d->context->settings->partitions);
}

/* An id for what came without one, the same whenever this record is read. */
static char *make_id(const rd_kafka_message_t *message, const char *what) {
    char name[96], id[UUID_TEXT_SIZE];
    int len = snprintf(name, sizeof name, "%s/%d/%" PRId64, what, (int)message->partition, message->offset);
    uuid8(name, (size_t)len, id);
    return mem_string(id);
}

/* Steals `reason`. */
static fate_t dead(item_t *item, char *reason) {
    item->reason = reason;
    return FATE_DEAD;
}

static void identify(item_t *item) {
    const command_t *command = &item->command;
    if (!command->id) item->made_id = make_id(item->message, "entity");
    if (!command->command_id) item->made_command_id = make_id(item->message, "command");
    item->id = command->id ? command->id : item->made_id;
    item->command_id = command->command_id ? command->command_id : item->made_command_id;
    if (!command->idempotency_key) return;
    key_text_t scope;
    key_scope(scope, item->type->name, item->id, command->idempotency_key);
    item->scope = mem_string(scope);
}

static fate_t read_command(decider_t *d, item_t *item) {
    const rd_kafka_message_t *message = item->message;
    command_t *command = &item->command;
    err_t why;
    if (!message->payload) return dead(item, mem_string("the record has no value"));
    if (!command_decode(d->context->shapes, message->payload, message->len, command, &why))
        return dead(item, mem_string(why.text));
    item->type = types_of_command(d->context->types, command->type, &item->verb);
    if (!item->type) {
        err_set(&why, STATUS_FATAL, "unknown command type \"%s\"", command->type);
        return dead(item, mem_string(why.text));
    }
    if (!command->id && item->verb != VERB_CREATE) return dead(item, mem_string("not a command: /params/id is missing"));
    identify(item);
    item->partition = partition_of(d, item->id);
    return message->key && item->partition == message->partition ? FATE_DECIDE : FATE_FORWARD;
}

static item_t *next_item(decider_t *d) {
    if (d->count == d->cap) {
        d->cap = d->cap ? d->cap * 2 : 64;
        d->items = mem_resize(d->items, d->cap, sizeof *d->items);
    }
    item_t *item = &d->items[d->count++];
    memset(item, 0, sizeof *item);
    return item;
}

void batch_read(decider_t *d, const consume_slice_t *slices, size_t count) {
    d->runs_cap = count > d->runs_cap ? count : d->runs_cap;
    d->runs = mem_resize(d->runs, d->runs_cap, sizeof *d->runs);
    for (size_t s = 0; s < count; s++) {
        d->runs[d->runs_count++] = (run_t){slices[s].partition, d->count, d->count + slices[s].count};
        for (size_t i = 0; i < slices[s].count; i++) {
            item_t *item = next_item(d);
            item->message = slices[s].messages[i];
            item->fate = read_command(d, item);
        }
    }
}

static void forget_patched(item_t *item) {
    json_decref(item->before);
    json_decref(item->patched);
    free(item->patched_bytes);
    free(item->patch_error);
    item->before = item->patched = NULL;
    item->patched_bytes = NULL;
    item->patch_error = NULL;
}

void batch_clear(decider_t *d) {
    for (size_t i = 0; i < d->count; i++) {
        item_t *item = &d->items[i];
        forget_patched(item);
        command_clear(&item->command);
        free(item->made_id);
        free(item->made_command_id);
        free(item->scope);
        free(item->reason);
    }
    d->count = d->done = d->runs_count = 0;
    memset(d->caught_up, 0, (size_t)d->context->settings->partitions * sizeof *d->caught_up);
    view_clear(d->view);
    view_clear(d->decided);
}

void batch_free(decider_t *d) {
    free(d->items);
    free(d->runs);
}

/* ---- what is wanted ---- */

/* What a partition that is decided here holds in its overlay need not be read: it is the latest. */
static void want_entity(decider_t *d, int32_t partition, const char *type, const char *id) {
    if (!d->owned[partition] || !overlay_get(d->overlay, partition, type, id))
        view_want_entity(d->view, partition, type, id);
}

static bool want_link(const link_t *link, void *context) {
    decider_t *d = context;
    if (id_valid(link->id)) want_entity(d, partition_of(d, link->id), link->target->name, link->id);
    return true;
}

static bool restricts(const decider_t *d, const item_t *item) {
    return item->verb == VERB_DELETE && d->context->settings->rules.delete_linked == DELETE_LINKED_RESTRICT;
}

/* Of the linkers in a partition that is decided here, the overlay may have seen some unlink: one more than it holds,
   and one for the entity itself, are enough to find one that still links. */
static void want_linkers(decider_t *d, const item_t *item) {
    for (int32_t p = 0; p < d->context->settings->partitions; p++) {
        size_t overridden = d->owned[p] ? overlay_entities(d->overlay, p) + d->count : 0;
        view_want_linkers(d->view, p, item->type->name, item->id, overridden + 2);
    }
}

static bool is_patch(const item_t *item) {
    return item->verb == VERB_UPDATE && item->command.patch != COMMAND_REPLACE;
}

/* A command whose id was made here comes from a record that is decided once: it needs no looking up. */
static void want_decided(decider_t *d, const item_t *item) {
    key_text_t key;
    if (item->made_command_id) return;
    key_outcome(key, item->partition, item->command_id);
    view_want_text(d->decided, item->partition, key);
    if (!item->scope) return;
    key_idempotency(key, item->partition, item->type->name, item->id, item->command.idempotency_key);
    view_want_text(d->decided, item->partition, key);
}

static void want_item(decider_t *d, const item_t *item) {
    want_decided(d, item);
    view_want_position(d->view, item->partition);
    want_entity(d, item->partition, item->type->name, item->id);
    if (is_patch(item)) view_want_data(d->view, item->partition, item->type->name, item->id);
    if (item->verb != VERB_DELETE) types_each_link(item->type, item->command.body, want_link, d);
    if (restricts(d, item)) want_linkers(d, item);
    batch_want_values(d, item);
}

void batch_want(decider_t *d) {
    d->names_values = false;
    for (size_t r = 0; r < d->runs_count; r++)
        for (size_t i = d->runs[r].at; i < d->runs[r].end; i++)
            if (d->items[i].fate == FATE_DECIDE) want_item(d, &d->items[i]);
    batch_want_shapes(d);
}

/* ---- what is known ---- */

static entity_state_t state_of(const decider_t *d, int32_t partition, const char *type, const char *id) {
    const entity_state_t *latest = d->owned[partition] ? overlay_get(d->overlay, partition, type, id) : NULL;
    return latest ? *latest : view_entity(d->view, partition, type, id);
}

static bool is_known(const decider_t *d, int32_t partition, const char *type, const char *id) {
    return (d->owned[partition] && overlay_get(d->overlay, partition, type, id)) ||
           view_has_entity(d->view, partition, type, id);
}

/* Notes that `partition`, of another replica, must catch up before what it has, or has not, counts. False: it had its
   chance, or it is decided here, where what is known is the latest. */
static bool must_catch_up(const decider_t *d, int32_t partition) {
    if (d->owned[partition] || d->caught_up[partition]) return false;
    return d->stale[partition] = true;
}

/* Whether an item that is not decided yet creates the entity. */
static bool will_be_created(const decider_t *d, int32_t partition, const entity_type_t *type, const char *id) {
    for (size_t r = 0; r < d->runs_count; r++) {
        if (d->runs[r].partition != partition) continue;
        for (size_t i = d->runs[r].at; i < d->runs[r].end; i++) {
            const item_t *item = &d->items[i];
            if (item->fate == FATE_DECIDE && item->verb == VERB_CREATE && item->type == type && !strcmp(item->id, id))
                return true;
        }
    }
    return false;
}

static bool exists(const decider_t *d, int32_t partition, const entity_type_t *type, const char *id) {
    entity_state_t state = state_of(d, partition, type->name, id);
    return state.version > 0 && !state.deleted;
}

/* What is found out about the links of an item's data. */
typedef struct links {
    decider_t *decider;
    need_t need;
    bool missing;   /* a link leads to nothing */
    char text[256]; /* which */
} links_t;

static bool look_at_link(const link_t *link, void *context) {
    links_t *links = context;
    decider_t *d = links->decider;
    if (!id_valid(link->id)) {
        links->missing = true;
        snprintf(links->text, sizeof links->text, "%s: not an id of %s", link->field, link->target->name);
        err_mend(links->text);
        return false;
    }
    int32_t partition = partition_of(d, link->id);
    if (!is_known(d, partition, link->target->name, link->id)) {
        view_want_entity(d->view, partition, link->target->name, link->id);
        links->need = NEED_READ;
        return true;
    }
    if (exists(d, partition, link->target, link->id)) return true;
    if (must_catch_up(d, partition)) {
        if (links->need != NEED_READ) links->need = NEED_CATCH_UP;
        return true;
    }
    if (!d->insist && will_be_created(d, partition, link->target, link->id)) {
        if (links->need == NEED_NOTHING) links->need = NEED_LATER;
        return true;
    }
    links->missing = true;
    snprintf(links->text, sizeof links->text, "%s: %s %s", link->field, link->target->name, link->id);
    err_mend(links->text);
    return false;
}

typedef struct linkers {
    const decider_t *decider;
    int32_t partition;
    const char *self; /* "<type>:<id>" of the target */
    bool found;
} linkers_t;

static bool look_at_linker(const char *name, void *context) {
    linkers_t *linkers = context;
    const decider_t *d = linkers->decider;
    bool overridden = d->owned[linkers->partition] && overlay_get_key(d->overlay, linkers->partition, name);
    linkers->found = !overridden && strcmp(name, linkers->self) != 0;
    return !linkers->found;
}

static bool is_linked_in(const decider_t *d, const item_t *item, int32_t partition) {
    char self[256];
    snprintf(self, sizeof self, "%s:%s", item->type->name, item->id);
    linkers_t linkers = {.decider = d, .partition = partition, .self = self};
    if (d->owned[partition] && overlay_links_to(d->overlay, partition, item->type->name, item->id)) return true;
    view_each_linker(d->view, partition, item->type->name, item->id, look_at_linker, &linkers);
    return linkers.found;
}

static bool is_linked(const decider_t *d, const item_t *item, need_t *need) {
    for (int32_t p = 0; restricts(d, item) && p < d->context->settings->partitions; p++) {
        if (!is_linked_in(d, item, p)) continue;
        if (!must_catch_up(d, p)) return true;
        *need = NEED_CATCH_UP;
    }
    return false;
}

typedef struct awaiting {
    const decider_t *decider;
    bool *partitions;
    bool any;
} awaiting_t;

static bool look_ahead(const link_t *link, void *context) {
    awaiting_t *awaiting = context;
    const decider_t *d = awaiting->decider;
    int32_t partition = id_valid(link->id) ? partition_of(d, link->id) : -1;
    if (partition < 0 || !d->owned[partition] || exists(d, partition, link->target, link->id) ||
        will_be_created(d, partition, link->target, link->id))
        return true;
    return awaiting->any = awaiting->partitions[partition] = true;
}

bool batch_awaits(decider_t *d, bool *partitions) {
    awaiting_t awaiting = {d, partitions, false};
    for (size_t i = 0; i < d->count; i++) {
        const item_t *item = &d->items[i];
        if (item->fate == FATE_DECIDE && item->verb != VERB_DELETE)
            types_each_link(item->type, item->command.body, look_ahead, &awaiting);
    }
    return awaiting.any;
}

/* ---- what was decided before ---- */

bool batch_was_decided(const decider_t *d, const item_t *item) {
    key_text_t key;
    if (item->made_command_id) return false;
    key_outcome(key, item->partition, item->command_id);
    return seen_has(d->seen, item->partition, item->command_id) || view_text(d->decided, key);
}

/* Whether the item's idempotency key came with another command before. */
static bool is_key_reused(const decider_t *d, const item_t *item) {
    key_text_t key;
    if (!item->scope) return false;
    key_idempotency(key, item->partition, item->type->name, item->id, item->command.idempotency_key);
    const char *first = seen_by_key(d->seen, item->partition, item->scope);
    if (!first) first = view_text(d->decided, key);
    return first && strcmp(first, item->command_id) != 0;
}

/* ---- the data that an item would leave ---- */

static json_t *patched_from(item_t *item, json_span_t before, err_t *error) {
    json_t *old = before.text ? json_read(before.text, before.len, error) : json_object();
    if (!old) return NULL;
    json_t *made = item->command.patch == COMMAND_MERGE_PATCH ? patch_merge(old, item->command.body)
                                                              : patch_apply(old, item->command.body, error);
    if (item->type->uniques_count > 0)
        item->before = old;
    else
        json_decref(old);
    return made;
}

/* Applies a patch to the latest data. */
static void make_patched(decider_t *d, item_t *item) {
    bool latest = overlay_get(d->overlay, item->partition, item->type->name, item->id) != NULL;
    json_span_t before = latest ? overlay_data(d->overlay, item->partition, item->type->name, item->id)
                                : view_data(d->view, item->partition, item->type->name, item->id);
    err_t error;
    strbuf_t bytes = {0};
    forget_patched(item);
    item->patched = patched_from(item, before, &error);
    if (item->patched) {
        json_add_value(&bytes, item->patched);
        item->data = item->patched;
        item->bytes = (json_span_t){bytes.data, bytes.len};
        item->patched_bytes = strbuf_steal(&bytes);
    } else {
        item->patch_error = mem_string(error.text);
    }
}

static void make_data(decider_t *d, item_t *item, const entity_state_t *state) {
    item->data = NULL;
    item->bytes = (json_span_t){0};
    if (item->verb == VERB_DELETE || !item->command.body) return;
    if (!is_patch(item)) {
        item->data = item->command.body;
        item->bytes = item->command.body_bytes;
    } else if (state->version > 0 && !state->deleted) {
        make_patched(d, item);
    }
    item->data_valid = json_is_object(item->data) && schema_valid(item->type->schema, item->data);
}

/* ---- deciding ---- */

static status_t decide(decider_t *d, item_t *item, need_t *need, err_t *error) {
    if (batch_was_decided(d, item)) {
        metric_add(metric_counter("odradek_commands_repeated_total", "Commands that came again and were left out.", NULL), 1);
        return STATUS_OK;
    }
    entity_state_t state = state_of(d, item->partition, item->type->name, item->id);
    make_data(d, item, &state);
    links_t links = {.decider = d, .need = NEED_NOTHING};
    if (item->data_valid) types_each_link(item->type, item->data, look_at_link, &links);
    bool linked = is_linked(d, item, &links.need);
    batch_values_t values = {.decider = d, .item = item, .need = links.need};
    if (item->data_valid && values.need == NEED_NOTHING) types_each_unique(item->type, item->data, batch_look_at_value, &values);
    *need = values.taken ? NEED_NOTHING : values.need;
    if (*need != NEED_NOTHING) return STATUS_OK;
    rejection_t rejection = rules_decide(&(facts_t){
        .type = item->type,
        .verb = item->verb,
        .id = item->id,
        .state = state,
        .key_reused = is_key_reused(d, item),
        .expected_version = item->command.expected_version,
        .has_body = item->command.body != NULL,
        .patch_error = item->patch_error,
        .data_valid = item->data_valid,
        .missing_link = links.missing ? links.text : NULL,
        .taken = values.taken,
        .contended = values.contended,
        .linked = linked,
    });
    return batch_emit_decision(d, item, &state, rejection, error);
}

static status_t decide_item(decider_t *d, item_t *item, need_t *need, err_t *error) {
    switch (item->fate) {
    case FATE_DECIDE: return decide(d, item, need, error);
    case FATE_FORWARD: return batch_forward(d, item, error);
    case FATE_DEAD: return consume_dead_letter(d->consume, item->message, item->reason, error);
    }
    return STATUS_OK;
}

/* Goes on in one partition as far as that is possible now. */
static status_t decide_run(decider_t *d, run_t *run, need_t *need, err_t *error) {
    while (run->at < run->end) {
        status_t status = decide_item(d, &d->items[run->at], need, error);
        if (status != STATUS_OK || *need != NEED_NOTHING) return status;
        run->at++;
        d->done++;
        d->insist = false;
    }
    return STATUS_OK;
}

status_t batch_decide(decider_t *d, need_t *need, err_t *error) {
    while (d->done < d->count) {
        size_t before = d->done;
        for (size_t r = 0; r < d->runs_count; r++) {
            *need = NEED_NOTHING;
            if (decide_run(d, &d->runs[r], need, error) != STATUS_OK) return STATUS_ABORT;
            if (*need != NEED_NOTHING && *need != NEED_LATER) return STATUS_OK;
        }
        /* Items that each wait for one another are decided as things are. */
        d->insist = d->done == before;
    }
    *need = NEED_NOTHING;
    return STATUS_OK;
}
