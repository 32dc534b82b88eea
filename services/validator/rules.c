/* The business rules: a row each, in the order in which they are asked. */
#include "services/validator/rules.h"

#include "common/record.h"

#include <inttypes.h>
#include <stdio.h>

static bool exists(const facts_t *facts) {
    return facts->state.version > 0 && !facts->state.deleted;
}

static bool writes(const facts_t *facts) {
    return facts->verb != VERB_DELETE;
}

/* Each is true where the rule is broken. */
static bool is_key_reused(const facts_t *facts) {
    return facts->key_reused;
}

static bool is_missing(const facts_t *facts) {
    return facts->verb != VERB_CREATE && !exists(facts);
}

static bool is_there(const facts_t *facts) {
    return facts->verb == VERB_CREATE && exists(facts);
}

static bool is_of_other_version(const facts_t *facts) {
    return facts->expected_version != RECORD_NO_VERSION && facts->expected_version != facts->state.version;
}

static bool is_without_body(const facts_t *facts) {
    return writes(facts) && !facts->has_body;
}

static bool is_not_applicable(const facts_t *facts) {
    return writes(facts) && facts->patch_error;
}

static bool is_against_schema(const facts_t *facts) {
    return writes(facts) && !facts->data_valid;
}

static bool links_to_nothing(const facts_t *facts) {
    return writes(facts) && facts->missing_link;
}

static bool is_not_unique(const facts_t *facts) {
    return writes(facts) && facts->taken;
}

static bool is_contended(const facts_t *facts) {
    return writes(facts) && facts->contended;
}

static bool is_linked(const facts_t *facts) {
    return facts->verb == VERB_DELETE && facts->linked;
}

/* The details' words: %T type, %I id, %V version, %E expected version, %P patch error, %L missing
   link, %U unique member that is taken, %C one that is contended. */
static const struct {
    bool (*broken)(const facts_t *facts);
    const char *type;
    const char *detail;
} rules[] = {
    {is_key_reused, RULES_KEY_REUSED, "The idempotency key came with another request before."},
    {is_missing, "not-found", "There is no %T with the id %I."},
    {is_there, "already-exists", "There is already a %T with the id %I."},
    {is_of_other_version, "version-mismatch", "%T %I is at version %V, the command expects version %E."},
    {is_without_body, "schema-violation", "The command has no body."},
    {is_not_applicable, "patch-failed", "The patch cannot be applied: %P."},
    {is_against_schema, "schema-violation", "The data does not match the schema of %T."},
    {links_to_nothing, "link-missing", "The body links to what does not exist: %L."},
    {is_not_unique, "not-unique", "Another %T has the same value: %U."},
    {is_contended, "not-unique", "Another command is setting the same value at this moment: %C."},
    {is_linked, "linked", "%T %I cannot be deleted: other entities link to it."},
};

static void write_detail(char *out, size_t size, const char *words, const facts_t *facts) {
    size_t len = 0;
    for (; *words && len + 1 < size; words++) {
        if (*words != '%') {
            out[len++] = *words;
            continue;
        }
        int added = 0;
        switch (*++words) {
        case 'T': added = snprintf(out + len, size - len, "%s", facts->type->name); break;
        case 'I': added = snprintf(out + len, size - len, "%s", facts->id); break;
        case 'V': added = snprintf(out + len, size - len, "%" PRId64, facts->state.version); break;
        case 'E': added = snprintf(out + len, size - len, "%" PRId64, facts->expected_version); break;
        case 'P': added = snprintf(out + len, size - len, "%s", facts->patch_error); break;
        case 'U': added = snprintf(out + len, size - len, "%s", facts->taken); break;
        case 'C': added = snprintf(out + len, size - len, "%s", facts->contended); break;
        case 'L': added = snprintf(out + len, size - len, "%s", facts->missing_link); break;
        }
        len += (size_t)added;
    }
    out[len < size ? len : size - 1] = '\0';
    err_mend(out);
}

rejection_t rules_decide(const facts_t *facts) {
    rejection_t rejection = {.type = NULL};
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        if (!rules[i].broken(facts)) continue;
        rejection.type = rules[i].type;
        write_detail(rejection.detail, sizeof rejection.detail, rules[i].detail, facts);
        break;
    }
    return rejection;
}
