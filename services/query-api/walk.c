/* A walk along an index through all partitions. */
#include "services/query-api/walk.h"

#include "common/mem.h"
#include "model/keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EACH_LEAST = 16, STEP_MOST = 500, MEMBER_SIZE = INDEX_VALUE_SIZE + ID_SIZE + 4 };

/* The members that one index answered with. */
typedef struct source {
    const redisReply *reply;
    size_t at;
    size_t prefix; /* bytes of each that stand for the value which is walked within */
} source_t;

void walk_forget(walk_t *walk) {
    for (size_t i = 0; i < walk->found_count; i++) free(walk->found[i].value);
    walk->found_count = walk->step_first = 0;
}

void walk_free(walk_t *walk) {
    walk_forget(walk);
    free(walk->found);
    walk->found = NULL;
}

static size_t values_of(const walk_t *walk) {
    return !walk->within ? 1 : walk->within->values[1][0] ? 2 : 1;
}

static bool by_id(const walk_t *walk) {
    return !strcmp(walk->sort, "id");
}

/* ---- the members ---- */

/* What a member is in order by: without the filter's value before it, and the mark behind it, which says that the entity
   has another value that comes first. */
static json_span_t key_of(const walk_t *walk, const source_t *source) {
    const redisReply *member = source->reply->element[source->at];
    json_span_t key = {member->str + source->prefix, member->len - source->prefix};
    if (walk->within && key.len > 0 && key.text[key.len - 1] == INDEX_END) key.len--;
    return key;
}

static int compare(json_span_t a, json_span_t b) {
    int order = memcmp(a.text, b.text, a.len < b.len ? a.len : b.len);
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

/* The source whose next member comes first; NULL: all are at their end. With the few that there are, looking at each is
   quicker than a heap. */
static source_t *first_of(const walk_t *walk, source_t *sources, size_t count) {
    source_t *best = NULL;
    for (size_t i = 0; i < count; i++) {
        if (sources[i].at == sources[i].reply->elements) continue;
        int order = best ? compare(key_of(walk, &sources[i]), key_of(walk, best)) : 0;
        if (!best || (walk->descending ? order > 0 : order < 0)) best = &sources[i];
    }
    return best;
}

/* The walk goes on behind this one. */
static void pass(walk_t *walk, json_span_t key) {
    const char *end = key.text + key.len, *id = memchr(key.text, INDEX_END, key.len);
    size_t value = id ? (size_t)(id - key.text) : 0;
    id = id ? id + 1 : key.text;
    size_t len = (size_t)(end - id);
    if (len > 0 && id[len - 1] == INDEX_END) len--;
    snprintf(walk->value, sizeof walk->value, "%.*s", (int)value, key.text);
    snprintf(walk->id, sizeof walk->id, "%.*s", (int)len, id);
    walk->seen++;
}

static void find(walk_t *walk) {
    if (walk->found_count == walk->found_cap) {
        walk->found_cap = walk->found_cap ? walk->found_cap * 2 : 64;
        walk->found = mem_resize(walk->found, walk->found_cap, sizeof *walk->found);
    }
    walk_found_t *found = &walk->found[walk->found_count++];
    found->value = mem_string(walk->value);
    memcpy(found->id, walk->id, sizeof found->id);
}

static bool is_last_found(const walk_t *walk) {
    return walk->found_count > walk->step_first && !strcmp(walk->found[walk->found_count - 1].id, walk->id);
}

static void take_member(walk_t *walk, source_t *source) {
    const redisReply *member = source->reply->element[source->at];
    bool further = member->len > 0 && member->str[member->len - 1] == INDEX_END;
    pass(walk, key_of(walk, source));
    source->at++;
    /* In a sorted list the first of its values stands for the entity; and what has two of a filter's values is one. */
    if (walk->within ? !is_last_found(walk) : !further) find(walk);
}

/* Merges up to where the first index that was not read to its end is used up: what comes next is not known. */
static void merge(walk_t *walk, source_t *sources, size_t count) {
    source_t *source;
    walk->ended = true;
    while ((source = first_of(walk, sources, count))) {
        if (walk->found_count - walk->step_first == STEP_MOST) {
            walk->ended = false;
            return;
        }
        take_member(walk, source);
        if (source->at == source->reply->elements && source->at == walk->step_each) {
            walk->ended = false;
            return;
        }
    }
}

/* ---- what else they must have ---- */

/* Those that do not pass, or were deleted meanwhile, are left out. */
static void on_entries(lookup_request_t *lookup, status_t status, const err_t *error, void *context) {
    walk_t *walk = context;
    (void)error;
    size_t kept = walk->step_first;
    for (size_t i = walk->step_first; i < walk->found_count && status == STATUS_OK; i++) {
        const redisReply *entries = lookup_reply(lookup, i - walk->step_first);
        bool passes = entries->type == REDIS_REPLY_STRING && filter_pass(walk->filters, walk->within, entries->str, entries->len);
        if (passes) walk->found[kept++] = walk->found[i];
        else free(walk->found[i].value);
    }
    if (status == STATUS_OK) walk->found_count = kept;
    walk->done(walk, status, walk->context);
}

static void ask_entries(walk_t *walk) {
    const query_route_t *route = walk->route;
    lookup_request_t *lookup = lookup_request_new(on_entries, walk);
    for (size_t i = walk->step_first; i < walk->found_count; i++) {
        int32_t partition = query_partition(route->api, walk->found[i].id);
        key_text_t key;
        key_snapshot(key, partition, route->type->name, walk->found[i].id);
        lookup_add(lookup, partition, "HGET", key, "index", NULL);
    }
    lookup_submit(route->api->snapshots, lookup);
}

static bool must_ask(const walk_t *walk) {
    return walk->found_count > walk->step_first && walk->filters->count > (walk->within ? 1 : 0);
}

static void on_members(lookup_request_t *lookup, status_t status, const err_t *error, void *context) {
    walk_t *walk = context;
    (void)error;
    if (status == STATUS_OK) {
        size_t values = values_of(walk), count = (size_t)walk->route->api->settings->partitions * values;
        source_t *sources = mem_zero(count, sizeof *sources);
        for (size_t i = 0; i < count; i++) {
            sources[i].reply = lookup_reply(lookup, i);
            if (walk->within) sources[i].prefix = strlen(walk->within->values[i % values]) + 1;
        }
        merge(walk, sources, count);
        free(sources);
    }
    if (status == STATUS_OK && must_ask(walk))
        ask_entries(walk);
    else
        walk->done(walk, status, walk->context);
}

/* ---- a step ---- */

typedef char bound_t[MEMBER_SIZE];

/* The bound behind which the step begins, or the beginning; and the one at the walk's end. */
static void bounds(const walk_t *walk, const char *value, bound_t from, bound_t to) {
    const char *first = walk->descending ? "+" : "-", *last = walk->descending ? "-" : "+";
    if (walk->within) {
        /* Behind an id is also the member with the mark; the value's members end before the byte 2. */
        const char *mark = walk->descending ? "" : "\1";
        if (walk->id[0]) snprintf(from, MEMBER_SIZE, "(%s\1%s%s", value, walk->id, mark);
        else snprintf(from, MEMBER_SIZE, walk->descending ? "(%s\2" : "(%s\1", value);
        snprintf(to, MEMBER_SIZE, walk->descending ? "(%s\1" : "(%s\2", value);
        return;
    }
    snprintf(from, MEMBER_SIZE, "%s", first);
    if (walk->id[0]) snprintf(from, MEMBER_SIZE, by_id(walk) ? "(%s%s" : "(%s\1%s", walk->value, walk->id);
    snprintf(to, MEMBER_SIZE, "%s", last);
}

static void ask_members(const walk_t *walk, lookup_request_t *lookup, int32_t partition, const char *value) {
    key_text_t key;
    bound_t from, to;
    char each[16];
    key_index(key, partition, walk->route->type->name, walk->within ? walk->within->field : walk->sort);
    bounds(walk, value, from, to);
    snprintf(each, sizeof each, "%zu", walk->step_each);
    lookup_add(lookup, partition, walk->descending ? "ZREVRANGEBYLEX" : "ZRANGEBYLEX", key, from, to, "LIMIT", "0", each, NULL);
}

void walk_step(walk_t *walk, size_t wanted) {
    int32_t partitions = walk->route->api->settings->partitions;
    if (wanted > STEP_MOST) wanted = STEP_MOST;
    walk->step_first = walk->found_count;
    /* Ids are spread evenly, mostly: twice the share of each partition does in one step. */
    walk->step_each = 2 * wanted / (size_t)partitions + EACH_LEAST;
    lookup_request_t *lookup = lookup_request_new(on_members, walk);
    for (int32_t partition = 0; partition < partitions; partition++)
        for (size_t i = 0; i < values_of(walk); i++) ask_members(walk, lookup, partition, walk->within ? walk->within->values[i] : "");
    lookup_submit(walk->route->api->snapshots, lookup);
}
