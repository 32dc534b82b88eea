/* The unique values that the commands of a batch set: which are wanted, which must be claimed, and who has them. */
#include "services/validator/batch_internal.h"

#include "common/json.h"
#include "model/keys.h"
#include "model/shape.h"

#include <stdio.h>
#include <string.h>

/* ---- the unique values that an item may set ---- */

typedef struct setting {
    decider_t *decider;
    const item_t *item;
} setting_t;

/* Of a JSON Patch those that its operations name; what it copies or moves there is seen when it is applied. */
static void each_patched_value(const item_t *item, bool (*each)(const unique_t *value, void *context), void *context) {
    size_t index;
    json_t *operation;
    json_array_foreach(item->command.body, index, operation) {
        const char *path = json_text(operation, "path");
        json_t *value = json_object_get(operation, "value");
        if (!path || !value) continue;
        json_t *data = path[0] == '/' ? json_pack("{s:O}", path + 1, value) : json_incref(value);
        types_each_unique(item->type, data, each, context);
        json_decref(data);
    }
}

static void each_value(const item_t *item, bool (*each)(const unique_t *value, void *context), void *context) {
    if (item->verb == VERB_DELETE || item->type->uniques_count == 0) return;
    if (item->verb == VERB_UPDATE && item->command.patch == COMMAND_JSON_PATCH)
        each_patched_value(item, each, context);
    else
        types_each_unique(item->type, item->command.body, each, context);
}

static bool want_value(const unique_t *value, void *context) {
    setting_t *setting = context;
    setting->decider->names_values = true;
    view_want_holder(setting->decider->view, setting->item->type->name, value);
    return true;
}

void batch_want_values(decider_t *d, const item_t *item) {
    each_value(item, want_value, &(setting_t){d, item});
}

void batch_want_shapes(decider_t *d) {
    if (!d->shape || !d->names_values) return;
    key_text_t key;
    for (int32_t p = 0; p < d->context->settings->partitions; p++) {
        key_shape(key, p);
        view_want_text(d->view, p, key);
    }
}

bool batch_is_shaped(const decider_t *d) {
    key_text_t key;
    for (int32_t p = 0; d->shape && d->names_values && p < d->context->settings->partitions; p++) {
        key_shape(key, p);
        const char *shape = view_text(d->view, key);
        if (!shape || !shape_same_unique(shape, d->shape)) return false;
    }
    return true;
}

/* ---- who has them ---- */

typedef struct owning {
    const unique_t *value;
    bool found;
} owning_t;

static bool is_same(const unique_t *value, void *context) {
    owning_t *owning = context;
    owning->found = !strcmp(value->field, owning->value->field) && !strcmp(value->digest, owning->value->digest);
    return !owning->found;
}

/* Whether the item's entity has the value already: then it is nobody else's, and nothing has to be claimed. */
static bool has_itself(const decider_t *d, const item_t *item, const unique_t *value) {
    const char *type = item->type->name;
    if (overlay_get(d->overlay, item->partition, type, item->id))
        return overlay_has_value(d->overlay, item->partition, type, item->id, value);
    owning_t owning = {value, false};
    if (item->before) types_each_unique(item->type, item->before, is_same, &owning);
    const char *holder = view_holder(d->view, item->partition, type, value);
    return owning.found || (holder && !strcmp(holder, item->id));
}

/* Whether an entity of `partition` has a value, as far as the store knows and the overlay does not know better. */
static bool is_held_in(const decider_t *d, int32_t partition, const char *type, const unique_t *value,
                       const item_t *besides) {
    const char *holder = view_holder(d->view, partition, type, value);
    if (!holder || (d->owned[partition] && overlay_get(d->overlay, partition, type, holder))) return false;
    return !besides || strcmp(holder, besides->id) != 0;
}

static bool others_have(const decider_t *d, const item_t *item, const unique_t *value) {
    const char *type = item->type->name;
    if (overlay_others_have_value(d->overlay, item->partition, type, item->id, value)) return true;
    for (int32_t p = 0; p < d->context->settings->partitions; p++)
        if (is_held_in(d, p, type, value, item)) return true;
    return false;
}

static void claim(decider_t *d, const item_t *item, const unique_t *value) {
    char who[512];
    snprintf(who, sizeof who, "%s/%s", item->id, item->command_id);
    claims_add(d->claims, item->type, value, who);
}

static bool claim_value(const unique_t *value, void *context) {
    setting_t *setting = context;
    if (!has_itself(setting->decider, setting->item, value)) claim(setting->decider, setting->item, value);
    return true;
}

bool batch_claims(decider_t *d) {
    for (size_t i = 0; i < d->count; i++) {
        const item_t *item = &d->items[i];
        if (item->fate == FATE_DECIDE && !batch_was_decided(d, item)) each_value(item, claim_value, &(setting_t){d, item});
    }
    return claims_count(d->claims) > 0;
}

static void want_claimed(const entity_type_t *type, const unique_t *value, void *context) {
    const decider_t *d = context;
    view_want_holder(d->view, type->name, value);
}

void batch_want_claimed(decider_t *d) {
    claims_each(d->claims, want_claimed, d);
}

typedef struct contending {
    const decider_t *decider;
    bool found;
} contending_t;

static void look_at_claim(const entity_type_t *type, const unique_t *value, void *context) {
    contending_t *contending = context;
    const decider_t *d = contending->decider;
    if (contending->found || claims_state(d->claims, type, value) != CLAIM_REFUSED) return;
    bool held = overlay_others_have_value(d->overlay, 0, type->name, "", value);
    for (int32_t p = 0; p < d->context->settings->partitions && !held; p++)
        held = is_held_in(d, p, type->name, value, NULL);
    contending->found = !held;
}

bool batch_contends(const decider_t *d) {
    contending_t contending = {d, false};
    claims_each(d->claims, look_at_claim, &contending);
    return contending.found;
}

bool batch_look_at_value(const unique_t *value, void *context) {
    batch_values_t *values = context;
    decider_t *d = values->decider;
    const item_t *item = values->item;
    if (has_itself(d, item, value)) return true;
    claim_state_t state = d->alone ? CLAIM_HELD : claims_state(d->claims, item->type, value);
    if (state == CLAIM_UNKNOWN) {
        claim(d, item, value);
        values->need = NEED_CLAIM;
    } else if (!view_has_holder(d->view, item->type->name, value)) {
        view_want_holder(d->view, item->type->name, value);
        if (values->need == NEED_NOTHING) values->need = NEED_READ;
    } else if (others_have(d, item, value)) {
        values->taken = value->field;
    } else if (state != CLAIM_HELD && !d->resigned) {
        values->need = NEED_CLAIM;
    } else if (state != CLAIM_HELD) {
        values->contended = value->field;
    } else {
        d->sets_values = true;
    }
    return !values->taken;
}
