/* The terms that a request's headers set for a command. */
#include "services/command-api/terms.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static terms_result_t invalid(err_t *error, const char *why) {
    err_set(error, STATUS_FATAL, "%s", why);
    return TERMS_INVALID;
}

/* ---- If-Match, If-None-Match (RFC 9110, section 13.1) ---- */

/* The version in an entity tag: `"3"`. -1: a tag that no version has; -2: no tag at all. */
static int64_t version_in(const char *tag) {
    char *end;
    bool weak = !strncmp(tag, "W/", 2); /* which never match strongly */
    if (weak) tag += 2;
    size_t len = strlen(tag);
    if (len < 2 || tag[0] != '"' || tag[len - 1] != '"' || memchr(tag + 1, '"', len - 2)) return -2;
    if (weak || tag[1] < '1' || tag[1] > '9' || len > 20) return -1;
    long long version = strtoll(tag + 1, &end, 10);
    return *end == '"' ? version : -1;
}

static terms_result_t read_match(const char *if_match, terms_t *terms, err_t *error) {
    terms->conditional = true;
    if (!strcmp(if_match, "*")) return TERMS_OK; /* it must exist, as for any change */
    int64_t version = version_in(if_match);
    if (version == -2) return invalid(error, "If-Match must be \"*\" or one entity tag, such as \"3\" with its quotes");
    if (version == -1) return TERMS_NEVER_MATCH;
    terms->expected_version = version;
    return TERMS_OK;
}

static terms_result_t read_conditions(const terms_headers_t *headers, const char *method, terms_t *terms,
                                      err_t *error) {
    if (headers->if_match && headers->if_none_match)
        return invalid(error, "If-Match and If-None-Match cannot both be met");
    if (headers->if_none_match) {
        if (strcmp(method, "PUT") || strcmp(headers->if_none_match, "*"))
            return invalid(error, "If-None-Match can be \"*\" with PUT only, to create");
        terms->conditional = true;
        terms->verb = VERB_CREATE;
        return TERMS_OK;
    }
    /* A new entity has no version that could match, and its collection has no tag. */
    if (!headers->if_match || terms->verb == VERB_CREATE) return TERMS_OK;
    return read_match(headers->if_match, terms, error);
}

/* ---- Idempotency-Key: a string as in RFC 8941, or bare ---- */

static terms_result_t read_key(const char *key, terms_t *terms, err_t *error) {
    size_t len = strlen(key);
    if (len >= 2 && key[0] == '"' && key[len - 1] == '"') {
        key++;
        len -= 2;
    }
    if (len == 0 || len >= TERMS_KEY_SIZE) return invalid(error, "Idempotency-Key must have 1 to 255 characters");
    for (size_t i = 0; i < len; i++)
        if (key[i] < '!' || key[i] > '~') return invalid(error, "Idempotency-Key must be of visible ASCII characters");
    memcpy(terms->key, key, len);
    terms->key[len] = '\0';
    return TERMS_OK;
}

/* ---- Prefer: wait=N (RFC 7240): what is not understood is ignored ---- */

/* The seconds of a preference's value: digits, bare or quoted, then its end or its parameters. -1: it is none. */
static int seconds_in(const char *value, int wait_max) {
    bool quoted = *value == '"';
    if (quoted) value++;
    size_t digits = strspn(value, "0123456789");
    const char *end = value + digits;
    if (digits == 0 || (quoted && *end++ != '"')) return -1;
    end += strspn(end, " \t");
    if (*end && *end != ',' && *end != ';') return -1;
    long seconds = digits < 10 ? strtol(value, NULL, 10) : wait_max;
    return seconds < wait_max ? (int)seconds : wait_max;
}

static void read_prefer(const char *prefer, int wait_max, terms_t *terms) {
    for (const char *p = prefer; *p && terms->wait_seconds < 0; p += strcspn(p, ",")) {
        p += strspn(p, ", \t");
        if (strncasecmp(p, "wait", 4) != 0) continue;
        const char *value = p + 4 + strspn(p + 4, " \t");
        if (*value != '=') continue;
        terms->wait_seconds = seconds_in(value + 1 + strspn(value + 1, " \t"), wait_max);
    }
}

static command_patch_t patch_of(const char *content_type) {
    bool json_patch = content_type && !strncasecmp(content_type, "application/json-patch+json", 27);
    return json_patch ? COMMAND_JSON_PATCH : COMMAND_MERGE_PATCH;
}

terms_result_t terms_read(const terms_headers_t *headers, const char *method, verb_t verb, int wait_max, terms_t *terms,
                          err_t *error) {
    *terms = (terms_t){.verb = verb, .expected_version = RECORD_NO_VERSION, .wait_seconds = -1};
    if (!strcmp(method, "PATCH")) terms->patch = patch_of(headers->content_type);
    if (headers->prefer) read_prefer(headers->prefer, wait_max, terms);
    if (headers->idempotency_key) {
        terms_result_t result = read_key(headers->idempotency_key, terms, error);
        if (result != TERMS_OK) return result;
    }
    return read_conditions(headers, method, terms, error);
}
