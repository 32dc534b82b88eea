/* A batch of commands on its way through the validator: against real stores, with what it emits caught before Kafka. */
#include "common/log.h"
#include "common/mem.h"
#include "services/validator/batch.h"
#include "tests/unit/model.h"
#include "tests/unit/redis_server.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { PARTITIONS = 4, EMITTED_MAX = 256 };

/* ---- what is emitted (in place of common/consume.c) ---- */

typedef struct emitted {
    char topic[16]; /* "dead-letters" too */
    int32_t partition;
    char key[256];
    char *value;
    char from[64];  /* the header of what was forwarded */
    char headers[1024]; /* all, as "name=value;" */
    json_t *json;   /* of the value */
} emitted_t;

static emitted_t emitted[EMITTED_MAX];
static size_t emitted_count;
static int fail_after; /* so many records are written, then none; -1: all */

static status_t refused(err_t *error) {
    if (fail_after < 0) return STATUS_OK;
    return fail_after-- > 0 ? STATUS_OK : err_set(error, STATUS_ABORT, "fenced");
}

static void list_headers(const rd_kafka_headers_t *headers, emitted_t *out) {
    const char *name;
    const void *value;
    size_t len, at = 0;
    out->headers[0] = '\0';
    for (size_t i = 0; headers && !rd_kafka_header_get_all(headers, i, &name, &value, &len); i++)
        if (at < sizeof out->headers) /* as far as there is room */
            at += (size_t)snprintf(out->headers + at, sizeof out->headers - at, "%s=%.*s;", name, (int)len, (const char *)value);
}

status_t consume_emit(consume_t *consume, const consume_output_t *output, err_t *error) {
    (void)consume;
    const void *from = "";
    size_t size = 0;
    if (emitted_count == EMITTED_MAX) abort();
    if (output->headers) rd_kafka_header_get_last(output->headers, "forwarded-from", &from, &size);
    emitted_t *out = &emitted[emitted_count];
    snprintf(out->from, sizeof out->from, "%s", (const char *)from);
    list_headers(output->headers, out);
    if (output->headers) rd_kafka_headers_destroy(output->headers);
    if (refused(error) != STATUS_OK) return STATUS_ABORT;
    snprintf(out->topic, sizeof out->topic, "%s", output->topic);
    snprintf(out->key, sizeof out->key, "%.*s", (int)output->key_len, (const char *)output->key);
    out->partition = output->partition;
    out->value = mem_copy(output->value, output->value_len);
    out->json = json_read(output->value, output->value_len, error);
    if (output->offset) *output->offset = (int64_t)emitted_count;
    emitted_count++;
    return STATUS_OK;
}

status_t consume_dead_letter(consume_t *consume, const rd_kafka_message_t *message, const char *reason, err_t *error) {
    (void)consume;
    if (refused(error) != STATUS_OK) return STATUS_ABORT;
    emitted_t *out = &emitted[emitted_count++];
    *out = (emitted_t){.topic = "dead-letters", .partition = message->partition, .value = mem_string(reason)};
    return STATUS_OK;
}

consume_t *consume_new(const consume_options_t *options) { return (void)options, NULL; }
void consume_free(consume_t *consume) { (void)consume; }
status_t consume_run(consume_t *consume, err_t *error) { return (void)consume, (void)error, STATUS_OK; }
bool consume_ready(consume_t *consume, err_t *why) { return (void)consume, (void)why, true; }
status_t consume_flush(consume_t *consume, err_t *error) { return (void)consume, (void)error, STATUS_OK; }
void consume_retake(consume_t *consume, int topic, int32_t partition) { (void)consume, (void)topic, (void)partition; }

/* ---- a validator without Kafka ---- */

static redis_server_t server;
static model_t model;
static record_shapes_t *shapes;
static service_context_t context;
static redis_t *snapshots, *events; /* both stores are one server here */
static decider_t d;
static bool owned[PARTITIONS], stale[PARTITIONS], caught_up[PARTITIONS];
static int catch_ups;
static bool contended;
static bool alone; /* else other replicas decide as well, even where all partitions are owned */
static void (*on_claimed)(void); /* what another replica does before the claims are made */
static void (*on_catch_up)(void); /* what the other replica's materializer does meanwhile */

static void forget_emitted(void) {
    for (size_t i = 0; i < emitted_count; i++) {
        free(emitted[i].value);
        json_decref(emitted[i].json);
    }
    memset(emitted, 0, sizeof emitted);
    emitted_count = 0;
}

/* An id of a partition: "<name>0", "<name>1" … */
static const char *id_in(int32_t partition, const char *name) {
    static char ids[8][32];
    static int next;
    char *id = ids[next++ % 8];
    for (int i = 0;; i++) {
        snprintf(id, sizeof ids[0], "%s%d", name, i);
        if (kafka_partition(id, strlen(id), PARTITIONS) == partition) return id;
    }
}

/* A record as a consumer hands it over: librdkafka keeps its time behind what everybody sees. */
typedef struct record {
    rd_kafka_message_t message;
    char behind[1024];
} record_t;

enum { RECORDS_MAX = 16 };
static record_t records[RECORDS_MAX];
static size_t records_count;
static int64_t next_offset;

/* Adds a record to the next batch; the texts live until it was decided. */
static void add_record(int32_t partition, const char *key, const char *value) {
    records[records_count++].message = (rd_kafka_message_t){
        .partition = partition, .offset = next_offset++, .key = (void *)key, .key_len = key ? strlen(key) : 0,
        .payload = (void *)value, .len = value ? strlen(value) : 0};
}

static char texts[RECORDS_MAX][1024];

/* Adds a command with an id of its own, under its key in its partition. `body`, `more` (in meta) may be NULL. */
static void add(const char *type, const char *id, const char *body, const char *more) {
    static int number;
    char *text = texts[records_count];
    int len = snprintf(text, sizeof texts[0], "{\"type\":\"%s\",\"params\":{\"id\":\"%s\"}%s%s,\"meta\":{\"id\":\"c%d\"%s%s}}", type, id,
                       body ? ",\"body\":" : "", body ? body : "", ++number, more ? "," : "", more ? more : "");
    assert_in_range(len, 1, sizeof texts[0] - 1);
    add_record(kafka_partition(id, strlen(id), PARTITIONS), id, text);
}

static status_t read_stores(err_t *error) {
    status_t status = view_read(d.view, error);
    return status == STATUS_OK ? view_read(d.decided, error) : status;
}

/* As the validator does it: claims, and then reads who has the values. */
static status_t claim(err_t *error) {
    bool anew;
    d.alone = alone;
    d.sets_values = false;
    if (alone || !batch_claims(&d)) return STATUS_OK;
    if (on_claimed) on_claimed();
    status_t status = claims_take(d.claims, &anew, error);
    batch_want(&d);
    batch_want_claimed(&d);
    if (status == STATUS_OK) status = view_read(d.view, error);
    if (status == STATUS_OK) contended = batch_contends(&d);
    return status;
}

/* As the validator does it. */
static status_t decide(err_t *error) {
    rd_kafka_message_t *messages[RECORDS_MAX];
    for (size_t i = 0; i < records_count; i++) messages[i] = &records[i].message;
    const consume_slice_t slice = {.messages = messages, .count = records_count};
    need_t need = NEED_NOTHING;
    forget_emitted();
    batch_read(&d, &slice, 1);
    batch_want(&d);
    status_t status = read_stores(error);
    if (status == STATUS_OK) status = claim(error);
    if (status == STATUS_OK) status = batch_decide(&d, &need, error);
    for (int turns = 0; status == STATUS_OK && need != NEED_NOTHING && turns < 50; turns++) {
        if (need == NEED_CLAIM) {
            batch_clear(&d);
            return err_set(error, STATUS_RETRY, "a claim is needed");
        }
        if (need == NEED_CATCH_UP) {
            catch_ups++;
            if (on_catch_up) on_catch_up();
            for (int p = 0; p < PARTITIONS; p++) {
                caught_up[p] |= stale[p];
                stale[p] = false;
            }
            view_clear(d.view);
            batch_want(&d);
        }
        status = view_read(d.view, error);
        if (status == STATUS_OK) status = batch_decide(&d, &need, error);
    }
    assert_int_equal(need, NEED_NOTHING);
    batch_clear(&d);
    records_count = 0;
    if (status == STATUS_OK && !alone) status = claims_check(d.claims, error);
    return status;
}

static void must_decide(void) {
    err_t error = {""};
    if (decide(&error) != STATUS_OK) fail_msg("%s", error.text);
}

/* What became of all, as one line: "entryCreated:1 accepted" … with dead letters as "dead". */
static const char *became(void) {
    static char line[4096];
    line[0] = '\0';
    for (size_t i = 0; i < emitted_count; i++) {
        const emitted_t *out = &emitted[i];
        size_t len = strlen(line);
        const char *blank = len ? " " : "";
        if (!strcmp(out->topic, "events"))
            snprintf(line + len, sizeof line - len, "%s%s:%d", blank, json_text(out->json, "type"),
                     (int)json_integer_value(json_object_get(out->json, "version")));
        else if (!strcmp(out->topic, "outcomes"))
            snprintf(line + len, sizeof line - len, "%s%s", blank, json_object_get(out->json, "error")
                         ? json_text(json_object_get(out->json, "error"), "type") : json_text(out->json, "status"));
        else
            snprintf(line + len, sizeof line - len, "%s%s", blank, strcmp(out->topic, "commands") ? "dead" : "forwarded");
    }
    return line;
}

#define ENTITY "{\"title\":\"x\"}"

/* ---- fates ---- */

static void what_is_no_command_becomes_a_dead_letter_with_its_reason(void **state) {
    (void)state;
    static const struct {
        const char *value, *reason;
    } cases[] = {
        {NULL, "the record has no value"},
        {"", "not JSON"},
        {"hello", "not JSON"},
        {"{}", "not a command: : "},
        {"{\"type\":\"createEntry\",\"params\":{\"id\":\"a b\"}}", "not a command: /params/id: "},
        {"{\"type\":\"createNothing\"}", "unknown command type \"createNothing\""},
        {"{\"type\":\"entryCreated\"}", "unknown command type \"entryCreated\""},
        {"{\"type\":\"updateEntry\",\"body\":{}}", "not a command: /params/id is missing"},
        {"{\"type\":\"deleteEntry\",\"params\":{}}", "not a command: /params/id is missing"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        add_record(1, "k", cases[i].value);
        must_decide();
        assert_string_equal(became(), "dead");
        if (strncmp(emitted[0].value, cases[i].reason, strlen(cases[i].reason))) fail_msg("%s", emitted[0].value);
    }
}

static void an_unknown_type_is_not_cut_within_a_character(void **state) {
    (void)state;
    for (int start = 0; start < 4; start++) {
        strbuf_t text = {0};
        strbuf_addf(&text, "{\"type\":\"%.*s", start, "xxx");
        for (int i = 0; i < 500; i++) strbuf_adds(&text, "\xf0\x9f\xaa\xb2");
        strbuf_adds(&text, "\"}");
        add_record(1, "k", text.data);
        must_decide();
        json_t *reason = json_string(emitted[0].value); /* which refuses a half character */
        assert_non_null(reason);
        json_decref(reason);
        strbuf_free(&text);
    }
}

static void what_lies_in_the_wrong_partition_is_forwarded_as_it_is(void **state) {
    (void)state;
    const char *id = id_in(2, "e");
    char text[512];
    snprintf(text, sizeof text, "{\"type\":\"createEntry\",\"body\":{ \"title\" : \"x\", \"size\":1.0 },\"params\":{\"id\":\"%s\"},"
             "\"meta\":{\"id\":\"c-1\",\"user\":7,\"time\":\"2026-11-21T08:00:00+01:00\",\"expectedVersion\":0,\"idempotencyKey\":\"k\"}}", id);
    add_record(0, id, text);   /* another partition */
    add_record(2, NULL, text); /* no key */
    next_offset = 42;
    add_record(3, "other", text);
    must_decide();
    assert_string_equal(became(), "forwarded forwarded forwarded");
    assert_string_equal(emitted[2].from, "3/42");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(emitted[i].partition, 2);
        assert_string_equal(emitted[i].key, id);
        assert_non_null(strstr(emitted[i].value, "\"body\":{ \"title\" : \"x\", \"size\":1.0 },"));
        const json_t *meta = json_object_get(emitted[i].json, "meta");
        assert_string_equal(json_text(meta, "id"), "c-1");
        assert_string_equal(json_text(meta, "time"), "2026-11-21T07:00:00.000Z");
        assert_string_equal(json_text(meta, "idempotencyKey"), "k");
        assert_int_equal(json_integer_value(json_object_get(meta, "user")), 7);
        assert_int_equal(json_integer_value(json_object_get(meta, "expectedVersion")), 0);
    }
}

/* ---- headers ---- */

/* Gives the record that was added last a header. */
static void add_header(const char *name, const char *value) {
    rd_kafka_message_t *message = &records[records_count - 1].message;
    rd_kafka_headers_t *headers;
    if (rd_kafka_message_headers(message, &headers)) {
        headers = rd_kafka_headers_new(4);
        rd_kafka_message_set_headers(message, headers);
    }
    rd_kafka_header_add(headers, name, -1, value, -1);
}

static void forget_headers(void) {
    for (size_t i = 0; i < RECORDS_MAX; i++) rd_kafka_message_set_headers(&records[i].message, NULL);
}

#define PARENT "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

static void what_comes_of_a_command_has_its_request_and_trace(void **state) {
    (void)state;
    add("createEntry", id_in(0, "e"), ENTITY, NULL);
    add_header("x-request-id", "mine");
    add_header("traceparent", PARENT);
    add_header("tracestate", "a=1");
    add_header("other", "of no concern");
    add("deleteEntry", id_in(0, "nothing"), NULL, NULL);
    add_header("x-request-id", "rejected");
    add("createEntry", id_in(0, "plain"), ENTITY, NULL);
    add("createEntry", id_in(0, "bad"), ENTITY, NULL);
    add_header("x-request-id", "no id");
    add_header("traceparent", "no parent");
    add_header("tracestate", "a=1");
    must_decide();
    assert_string_equal(became(), "entryCreated:1 accepted not-found entryCreated:1 accepted entryCreated:1 accepted");
    for (int i = 0; i < 2; i++) assert_string_equal(emitted[i].headers, "x-request-id=mine;traceparent=" PARENT ";tracestate=a=1;");
    assert_string_equal(emitted[2].headers, "x-request-id=rejected;");
    for (int i = 3; i < 7; i++) assert_string_equal(emitted[i].headers, "");
    forget_headers();
}

static void what_is_forwarded_keeps_its_headers(void **state) {
    (void)state;
    const char *id = id_in(2, "e");
    char text[128];
    snprintf(text, sizeof text, "{\"type\":\"createEntry\",\"params\":{\"id\":\"%s\"},\"body\":" ENTITY "}", id);
    next_offset = 7;
    add_record(0, id, text);
    add_header("x-request-id", "no id, but kept");
    add_header("mine", "too");
    must_decide();
    assert_string_equal(became(), "forwarded");
    assert_string_equal(emitted[0].headers, "x-request-id=no id, but kept;mine=too;forwarded-from=0/7;");
    forget_headers();
}

/* Value and headers together must fit into a record of the topic of commands. */
static void what_is_too_large_with_its_headers_is_a_dead_letter(void **state) {
    size_t room = (size_t)topics_command_bytes(context.settings);
    char *large = mem_zero(1, room);
    (void)state;
    memset(large, 'x', room - 3000);
    for (int i = 0; i < 2; i++) {
        add_record(0, "other", "{\"type\":\"createEntry\",\"params\":{\"id\":\"e\"},\"body\":{}}");
        if (i == 1) memset(large, 'x', room - 1);
        add_header("large", large);
        must_decide();
        assert_string_equal(became(), i == 0 ? "forwarded" : "dead");
    }
    forget_headers();
    free(large);
}

static void ids_that_were_not_given_are_made_the_same_each_time(void **state) {
    (void)state;
    char id[2][256], command[2][64];
    for (int i = 0; i < 2; i++) {
        next_offset = 17;
        add_record(1, NULL, "{\"type\":\"createEntry\",\"body\":" ENTITY "}");
        must_decide();
        assert_string_equal(became(), "forwarded");
        snprintf(id[i], sizeof id[i], "%s", emitted[0].key);
        snprintf(command[i], sizeof command[i], "%s", json_text(json_object_get(emitted[0].json, "meta"), "id"));
        assert_int_equal(emitted[0].partition, kafka_partition(id[i], strlen(id[i]), PARTITIONS));
    }
    assert_string_equal(id[0], id[1]);
    assert_string_equal(command[0], command[1]);
    assert_string_not_equal(id[0], command[0]);
    add_record(1, NULL, "{\"type\":\"createEntry\",\"body\":" ENTITY "}"); /* the next offset */
    must_decide();
    assert_string_not_equal(emitted[0].key, id[0]);
}

/* ---- deciding ---- */

static void an_accepted_command_has_its_event_and_its_outcome(void **state) {
    (void)state;
    const char *id = id_in(1, "e");
    add("createEntry", id, "{ \"title\" : \"x\", \"size\":1.0 }", "\"user\":\"me\"");
    must_decide();
    assert_string_equal(became(), "entryCreated:1 accepted");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(emitted[i].partition, 1);
        assert_string_equal(emitted[i].key, id);
        assert_string_equal(json_text(emitted[i].json, "id"), id);
    }
    const json_t *meta = json_object_get(emitted[0].json, "meta");
    assert_non_null(strstr(emitted[0].value, "\"body\":{\"title\":\"x\",\"size\":1.0},"));
    assert_string_equal(json_text(meta, "user"), "me");
    assert_string_equal(json_text(meta, "command"), json_text(emitted[1].json, "commandId"));
    assert_string_equal(json_text(emitted[1].json, "type"), "createEntry");
    assert_int_equal(json_integer_value(json_object_get(emitted[1].json, "version")), 1);
    assert_int_equal(overlay_writes(d.overlay), 1);
    assert_int_equal(seen_count(d.seen), 1);
}

static void create_update_and_delete_follow_one_another_within_a_batch(void **state) {
    (void)state;
    const char *id = id_in(1, "e");
    add("createEntry", id, ENTITY, NULL);
    add("updateEntry", id, "{\"title\":\"y\"}", "\"expectedVersion\":1");
    add("deleteEntry", id, NULL, "\"expectedVersion\":2");
    add("updateEntry", id, ENTITY, NULL);
    add("createEntry", id, ENTITY, NULL);
    must_decide();
    assert_string_equal(became(), "entryCreated:1 accepted entryUpdated:2 accepted entryDeleted:3 accepted not-found entryCreated:4 accepted");
    assert_null(json_object_get(emitted[4].json, "body"));
}

static void of_two_that_expect_the_same_version_one_wins(void **state) {
    (void)state;
    const char *id = id_in(1, "e");
    redis_server_do(&server, "HSET {1}:Entry:%s version 3", id);
    add("updateEntry", id, "{\"title\":\"first\"}", "\"expectedVersion\":3");
    add("updateEntry", id, "{\"title\":\"second\"}", "\"expectedVersion\":3");
    must_decide();
    assert_string_equal(became(), "entryUpdated:4 accepted version-mismatch");
    assert_non_null(strstr(emitted[0].value, "first"));
    assert_int_equal(json_integer_value(json_object_get(emitted[2].json, "version")), 4);
}

static void of_snapshot_and_overlay_the_later_counts(void **state) {
    (void)state;
    const char *id = id_in(1, "e");
    redis_server_do(&server, "HSET {1}:Entry:%s version 3 updatedAt 2999-01-01T00:00:00.000Z", id);
    add("updateEntry", id, ENTITY, NULL);
    must_decide();
    assert_string_equal(became(), "entryUpdated:4 accepted");
    /* A clock that was set back does not make a later version look older. */
    assert_string_equal(json_text(json_object_get(emitted[0].json, "meta"), "time"), "2999-01-01T00:00:00.000Z");
    add("updateEntry", id, ENTITY, NULL); /* the store has not applied it yet */
    must_decide();
    assert_string_equal(became(), "entryUpdated:5 accepted");
    redis_server_do(&server, "HSET {1}:Entry:%s version 5 deletedAt t", id);
    overlay_drop(d.overlay, 1);
    add("updateEntry", id, ENTITY, NULL);
    must_decide();
    assert_string_equal(became(), "not-found");
}

static void what_the_schema_refuses_is_told_in_a_list(void **state) {
    (void)state;
    add("createEntry", id_in(1, "e"), "{\"title\":1,\"other\":2}", NULL);
    add("createEntry", id_in(1, "f"), NULL, NULL);
    must_decide();
    assert_string_equal(became(), "schema-violation schema-violation");
    const json_t *errors = json_object_get(json_object_get(emitted[0].json, "error"), "errors");
    assert_int_equal(json_array_size(errors), 2);
    assert_null(json_object_get(json_object_get(emitted[1].json, "error"), "errors"));
    assert_int_equal(overlay_writes(d.overlay), 0);
}

/* ---- patches ---- */

static void patches_change_the_latest_data(void **state) {
    (void)state;
    const char *id = id_in(1, "e");
    redis_server_do(&server, "HSET {1}:Entry:%s version 1 data {\"title\":\"x\",\"size\":1.5}", id);
    char text[4][256];
    static const char *const patches[] = {
        "\"patch\":\"merge-patch\",\"body\":{\"size\":null}",
        "\"patch\":\"json-patch\",\"body\":[{\"op\":\"replace\",\"path\":\"/title\",\"value\":\"y\"}]",
        "\"patch\":\"json-patch\",\"body\":[{\"op\":\"remove\",\"path\":\"/none\"}]",
        "\"patch\":\"merge-patch\",\"body\":{\"title\":null}",
    };
    for (int i = 0; i < 4; i++) {
        snprintf(text[i], sizeof text[i], "{\"type\":\"updateEntry\",\"params\":{\"id\":\"%s\"},\"meta\":{\"id\":\"p%d\"},%s}", id, i, patches[i]);
        add_record(1, id, text[i]);
    }
    must_decide();
    assert_string_equal(became(), "entryUpdated:2 accepted entryUpdated:3 accepted patch-failed schema-violation");
    assert_non_null(strstr(emitted[0].value, "\"body\":{\"title\":\"x\"},"));
    assert_non_null(strstr(emitted[2].value, "\"body\":{\"title\":\"y\"},"));
}

/* ---- links ---- */

static char linking[128];

static const char *link_to(const char *id) {
    snprintf(linking, sizeof linking, "{\"title\":\"x\",\"heroImage\":\"%s\"}", id);
    return linking;
}

static void a_link_to_what_an_earlier_command_created_is_fine(void **state) {
    (void)state;
    const char *asset = id_in(3, "a"), *entry = id_in(1, "e");
    add("createEntry", id_in(1, "early"), link_to(asset), NULL); /* too early */
    add("createAsset", asset, ENTITY, NULL);
    add("createEntry", entry, link_to(asset), NULL);
    must_decide();
    assert_string_equal(became(), "link-missing assetCreated:1 accepted entryCreated:1 accepted");
    assert_int_equal(catch_ups, 0); /* all is decided here: nobody else can know more */
}

static void a_link_that_is_no_id_leads_to_nothing(void **state) {
    (void)state;
    add("createEntry", id_in(1, "e"), "{\"title\":\"x\",\"heroImage\":\"no id\"}", NULL);
    must_decide();
    assert_string_equal(became(), "link-missing");
    assert_non_null(strstr(emitted[0].value, "heroImage: not an id of Asset"));
}

static void what_the_batch_links_to_cannot_be_deleted_until_it_lets_go(void **state) {
    (void)state;
    const char *asset = id_in(3, "a"), *entry = id_in(1, "e");
    redis_server_do(&server, "HSET {3}:Asset:%s version 1", asset);
    add("createEntry", entry, link_to(asset), NULL);
    add("deleteAsset", asset, NULL, NULL);
    add("updateEntry", entry, ENTITY, NULL);
    add("deleteAsset", asset, NULL, NULL);
    must_decide();
    assert_string_equal(became(), "entryCreated:1 accepted linked entryUpdated:2 accepted assetDeleted:2 accepted");
}

static void what_a_snapshot_links_to_cannot_be_deleted_until_the_overlay_lets_go(void **state) {
    (void)state;
    const char *asset = id_in(3, "a"), *entry = id_in(1, "e");
    redis_server_do(&server, "HSET {3}:Asset:%s version 1", asset);
    redis_server_do(&server, "HSET {1}:Entry:%s version 1", entry);
    redis_server_do(&server, "SADD {1}:links:Asset:%s Entry:%s", asset, entry);
    add("deleteAsset", asset, NULL, NULL);
    must_decide();
    assert_string_equal(became(), "linked");
    add("deleteEntry", entry, NULL, NULL); /* the store still has its link */
    add("deleteAsset", asset, NULL, NULL);
    must_decide();
    assert_string_equal(became(), "entryDeleted:2 accepted assetDeleted:2 accepted");
}

static void a_link_to_itself_does_not_count(void **state) {
    (void)state;
    const char *id = id_in(1, "e");
    char body[128];
    snprintf(body, sizeof body, "{\"title\":\"x\",\"parent\":\"%s\"}", id);
    redis_server_do(&server, "HSET {1}:Entry:%s version 1", id);
    redis_server_do(&server, "SADD {1}:links:Entry:%s Entry:%s", id, id);
    add("updateEntry", id, body, NULL);
    add("deleteEntry", id, NULL, NULL);
    must_decide();
    assert_string_equal(became(), "entryUpdated:2 accepted entryDeleted:3 accepted");
}

/* ---- other replicas ---- */

static char late_asset[32];

static void materialize_late_asset(void) {
    redis_server_do(&server, "HSET {3}:Asset:%s version 1", late_asset);
}

static void another_replicas_partition_may_catch_up_before_a_link_is_missing(void **state) {
    (void)state;
    snprintf(late_asset, sizeof late_asset, "%s", id_in(3, "a"));
    owned[3] = false;
    on_catch_up = materialize_late_asset;
    add("createEntry", id_in(1, "e"), link_to(late_asset), NULL);
    must_decide();
    assert_string_equal(became(), "entryCreated:1 accepted");
    assert_int_equal(catch_ups, 1);
    on_catch_up = NULL;
    add("createEntry", id_in(1, "f"), link_to(id_in(3, "never")), NULL);
    add("createEntry", id_in(1, "g"), link_to(id_in(3, "never")), NULL);
    must_decide();
    assert_string_equal(became(), "link-missing link-missing");
    assert_int_equal(catch_ups, 2); /* once for a batch */
}

static void unlink_in_store(void) {
    redis_server_do(&server, "DEL {3}:links:Asset:%s", late_asset);
}

static void another_replicas_partition_may_catch_up_before_a_deletion_is_refused(void **state) {
    (void)state;
    snprintf(late_asset, sizeof late_asset, "%s", id_in(1, "a"));
    redis_server_do(&server, "HSET {1}:Asset:%s version 1", late_asset);
    redis_server_do(&server, "SADD {3}:links:Asset:%s Entry:x", late_asset);
    owned[3] = false;
    add("deleteAsset", late_asset, NULL, NULL);
    must_decide();
    assert_string_equal(became(), "linked");
    assert_int_equal(catch_ups, 1);
    on_catch_up = unlink_in_store;
    add("deleteAsset", late_asset, NULL, NULL);
    must_decide();
    assert_string_equal(became(), "assetDeleted:2 accepted");
}

/* ---- unique values ---- */

static char mailing[128];

static const char *mail(const char *value) {
    snprintf(mailing, sizeof mailing, "{\"title\":\"x\",\"mail\":\"%s\"}", value);
    return mailing;
}

static const char *digest_of(const char *value) {
    static char digest[UNIQUE_DIGEST_SIZE];
    json_t *json = json_string(value);
    unique_digest(json, digest);
    json_decref(json);
    return digest;
}

/* As a materializer leaves it. */
static void store(int32_t partition, const char *id, const char *value) {
    redis_server_do(&server, "HSET {%d}:Entry:%s version 1 data %s unique mail:%s", (int)partition, id, mail(value), digest_of(value));
    redis_server_do(&server, "HSET {%d}:unique:Entry:mail %s %s", (int)partition, digest_of(value), id);
}

static int claims_there(void) {
    redisReply *reply = redisCommand(server.client, "KEYS *:claim:*");
    int count = (int)reply->elements;
    freeReplyObject(reply);
    return count;
}

/* Patches are what differs in a record; `rest` is "\"patch\":…,\"body\":…". */
static void add_patch(const char *id, const char *rest) {
    static int number;
    char *text = texts[records_count];
    snprintf(text, sizeof texts[0], "{\"type\":\"updateEntry\",\"params\":{\"id\":\"%s\"},\"meta\":{\"id\":\"p%d\"},%s}", id, ++number, rest);
    add_record(kafka_partition(id, strlen(id), PARTITIONS), id, text);
}

static void of_two_with_the_same_value_the_first_is_accepted(void **state) {
    (void)state;
    for (int turn = 0; turn < 2; turn++) {
        alone = turn == 0;
        const char *values = turn ? "b" : "a", *name = turn ? "f" : "e";
        add("createEntry", id_in(1, name), mail(values), NULL);
        add("createEntry", id_in(2, name), mail(values), NULL);
        must_decide();
        assert_string_equal(became(), "entryCreated:1 accepted not-unique");
        assert_true(d.sets_values);
        add("createEntry", id_in(3, name), mail(values), NULL); /* the store does not have it yet */
        must_decide();
        assert_string_equal(became(), "not-unique");
        assert_string_equal(json_text(json_object_get(emitted[0].json, "error"), "detail"), "Another Entry has the same value: mail.");
        assert_int_equal(claims_there(), turn); /* who decides everything needs none */
        claims_clear(d.claims);
        assert_int_equal(claims_there(), 0);
    }
}

static void what_the_store_has_is_taken_until_the_overlay_lets_go(void **state) {
    (void)state;
    for (int turn = 0; turn < 2; turn++) {
        alone = turn == 0;
        const char *holder = id_in(3, turn ? "h" : "g"), *value = turn ? "n" : "m";
        store(3, holder, value);
        add("createEntry", id_in(1, turn ? "f" : "e"), mail(value), NULL);
        add("updateEntry", holder, mail("other"), NULL);
        add("createEntry", id_in(1, turn ? "f" : "e"), mail(value), NULL);
        add("updateEntry", holder, mail(value), NULL);
        add("deleteEntry", holder, NULL, NULL);
        must_decide();
        assert_string_equal(became(), "not-unique entryUpdated:2 accepted entryCreated:1 accepted not-unique entryDeleted:3 accepted");
        claims_clear(d.claims);
    }
}

static void an_entity_keeps_its_value_without_a_claim(void **state) {
    (void)state;
    alone = false;
    const char *id = id_in(3, "h");
    store(3, id, "m");
    add("updateEntry", id, mail("m"), NULL);
    add_patch(id, "\"patch\":\"merge-patch\",\"body\":{\"title\":\"y\"}");
    add_patch(id, "\"patch\":\"json-patch\",\"body\":[{\"op\":\"replace\",\"path\":\"/mail\",\"value\":\"m\"}]");
    must_decide();
    assert_string_equal(became(), "entryUpdated:2 accepted entryUpdated:3 accepted entryUpdated:4 accepted");
    overlay_drop(d.overlay, 3);
    add_patch(id, "\"patch\":\"merge-patch\",\"body\":{\"title\":\"y\"}"); /* from the store's data */
    must_decide();
    assert_string_equal(became(), "entryUpdated:2 accepted");
    assert_false(d.sets_values);
    assert_int_equal(claims_there(), 0);
}

static void patches_to_a_taken_value_are_rejected(void **state) {
    (void)state;
    static const char *const patches[] = {
        "\"patch\":\"merge-patch\",\"body\":{\"mail\":\"m\"}",
        "\"patch\":\"json-patch\",\"body\":[{\"op\":\"add\",\"path\":\"/mail\",\"value\":\"m\"}]",
        "\"patch\":\"json-patch\",\"body\":[{\"op\":\"replace\",\"path\":\"\",\"value\":{\"title\":\"x\",\"mail\":\"m\"}}]",
    };
    for (int turn = 0; turn < 2; turn++) {
        alone = turn == 0;
        store(3, id_in(3, "h"), "m");
        store(1, id_in(1, "e"), "other");
        for (size_t i = 0; i < ARRAY_LEN(patches); i++) {
            add_patch(id_in(1, "e"), patches[i]);
            must_decide();
            assert_string_equal(became(), "not-unique");
            claims_clear(d.claims);
        }
    }
}

static void a_value_that_could_not_be_foreseen_is_claimed_by_the_next_try(void **state) {
    (void)state;
    err_t error = {""};
    alone = false;
    store(1, id_in(1, "e"), "m");
    for (int turn = 0; turn < 2; turn++) {
        records_count = 0;
        add_patch(id_in(1, "e"), "\"patch\":\"json-patch\",\"body\":[{\"op\":\"copy\",\"from\":\"/title\",\"path\":\"/mail\"}]");
        assert_int_equal(decide(&error), turn == 0 ? STATUS_RETRY : STATUS_OK);
        if (turn == 0) assert_string_equal(became(), "");
    }
    assert_string_equal(became(), "entryUpdated:2 accepted");
    assert_int_equal(claims_there(), 1);
    alone = true; /* who needs no claims only reads on */
    overlay_drop(d.overlay, 1);
    store(2, id_in(2, "h"), "x");
    add_patch(id_in(1, "e"), "\"patch\":\"json-patch\",\"body\":[{\"op\":\"copy\",\"from\":\"/title\",\"path\":\"/mail\"}]");
    must_decide();
    assert_string_equal(became(), "not-unique");
}

static void set_by_another_replica(void) {
    store(3, id_in(3, "h"), "m");
}

static void what_another_replica_has_set_is_seen_after_the_claim(void **state) {
    (void)state;
    alone = owned[3] = false;
    on_claimed = set_by_another_replica;
    add("createEntry", id_in(1, "e"), mail("m"), NULL);
    must_decide();
    assert_string_equal(became(), "not-unique");
    assert_false(contended);
}

static void claimed_by_another_replica(void) {
    int32_t p = kafka_partition(digest_of("m"), UNIQUE_DIGEST_SIZE - 1, PARTITIONS);
    redis_server_do(&server, "SET {%d}:claim:Entry:mail:%s another%se9/c9%stoken", (int)p, digest_of("m"), " ", " ");
}

static void what_another_replica_is_setting_is_not_set_here(void **state) {
    (void)state;
    err_t error = {""};
    alone = owned[3] = false;
    on_claimed = claimed_by_another_replica;
    add("createEntry", id_in(1, "e"), mail("m"), NULL);
    assert_int_equal(decide(&error), STATUS_RETRY); /* the validator would not even have tried */
    assert_true(contended);
    assert_string_equal(became(), "");
    d.resigned = true;
    must_decide();
    assert_string_equal(became(), "not-unique");
    assert_string_equal(json_text(json_object_get(emitted[0].json, "error"), "detail"), "Another command is setting the same value at this moment: mail.");
}

static void a_store_of_another_shape_does_not_know_unique_values(void **state) {
    (void)state;
    err_t error;
    static const struct {
        const char *body, *shapes[PARTITIONS];
        bool shaped;
    } cases[] = {
#define HALF "0123456789abcdef0123456789abcdef"
        {"{\"title\":\"x\",\"mail\":\"m\"}", {HALF HALF, HALF HALF, HALF HALF, HALF HALF}, true},
        {"{\"title\":\"x\",\"mail\":\"m\"}", {HALF HALF, "f123456789abcdef0123456789abcdef" HALF, HALF HALF, HALF HALF}, true},
        {"{\"title\":\"x\",\"mail\":\"m\"}", {HALF HALF, HALF HALF, HALF HALF, HALF "0123456789abcdef0123456789abcdee"}, false},
        {"{\"title\":\"x\",\"mail\":\"m\"}", {HALF HALF, HALF HALF, NULL, HALF HALF}, false},
        {"{\"title\":\"x\",\"mail\":\"m\"}", {"emptied", HALF HALF, HALF HALF, HALF HALF}, false},
        {"{\"title\":\"x\"}", {"other", HALF HALF, NULL, HALF HALF}, true}, /* nothing has to be known */
    };
    d.shape = HALF HALF;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        redis_server_do(&server, "FLUSHALL");
        for (int p = 0; p < PARTITIONS; p++)
            if (cases[i].shapes[p]) redis_server_do(&server, "SET {%d}:shape %s", p, cases[i].shapes[p]);
        add("createEntry", id_in(1, "e"), cases[i].body, NULL);
        rd_kafka_message_t *message = &records[0].message;
        batch_read(&d, &(consume_slice_t){.messages = &message, .count = 1}, 1);
        batch_want(&d);
        assert_int_equal(read_stores(&error), STATUS_OK);
        assert_int_equal(batch_is_shaped(&d), cases[i].shaped);
        batch_clear(&d);
        records_count = 0;
    }
}

static void what_was_decided_before_claims_nothing(void **state) {
    (void)state;
    alone = false;
    const char *id = id_in(1, "e");
    char text[256];
    snprintf(text, sizeof text, "{\"type\":\"createEntry\",\"body\":%s,\"params\":{\"id\":\"%s\"},\"meta\":{\"id\":\"same\"}}", mail("m"), id);
    redis_server_do(&server, "SET {1}:outcome:same {}");
    add_record(1, id, text);
    must_decide();
    assert_string_equal(became(), "");
    assert_int_equal(claims_there(), 0);
}

/* ---- what comes again ---- */

static void a_command_that_comes_again_is_left_out(void **state) {
    (void)state;
    const char *id = id_in(1, "e");
    char text[256];
    snprintf(text, sizeof text, "{\"type\":\"createEntry\",\"body\":" ENTITY ",\"params\":{\"id\":\"%s\"},\"meta\":{\"id\":\"same\"}}", id);
    add_record(1, id, text);
    add_record(1, id, text);
    must_decide();
    assert_string_equal(became(), "entryCreated:1 accepted");
    add_record(1, id, text); /* in a later batch */
    must_decide();
    assert_string_equal(became(), "");
    seen_drop(d.seen, 1); /* the event store has it by now */
    redis_server_do(&server, "SET {1}:outcome:same {}");
    add_record(1, id, text);
    must_decide();
    assert_string_equal(became(), "");
}

static void an_idempotency_key_is_good_for_one_command(void **state) {
    (void)state;
    const char *id = id_in(1, "e");
    add("createEntry", id, ENTITY, "\"idempotencyKey\":\"k\"");
    add("updateEntry", id, ENTITY, "\"idempotencyKey\":\"k\"");
    add("updateEntry", id, ENTITY, "\"idempotencyKey\":\"l\"");
    must_decide();
    assert_string_equal(became(), "entryCreated:1 accepted idempotency-key-reused entryUpdated:2 accepted");
    assert_string_equal(json_text(emitted[1].json, "idempotencyKey"), "k");
    assert_null(json_text(emitted[2].json, "idempotencyKey")); /* it goes on standing for the first */
    redis_server_do(&server, "SET {1}:key:Entry:%s:m another", id);
    add("updateEntry", id, ENTITY, "\"idempotencyKey\":\"m\"");
    must_decide();
    assert_string_equal(became(), "idempotency-key-reused");
}

/* ---- failures ---- */

static void what_cannot_be_written_aborts_the_batch(void **state) {
    (void)state;
    for (int written = 0; written < 4; written++) {
        err_t error = {""};
        add("createEntry", id_in(1, "e"), ENTITY, NULL);
        add("createEntry", id_in(2, "e"), ENTITY, NULL);
        fail_after = written;
        assert_int_equal(decide(&error), STATUS_ABORT);
        assert_string_equal(error.text, "fenced");
        assert_int_equal(emitted_count, written);
        fail_after = -1;
        for (int p = 0; p < PARTITIONS; p++) { /* as the runtime has it released */
            overlay_drop(d.overlay, p);
            seen_drop(d.seen, p);
        }
    }
    add("createEntry", id_in(1, "e"), ENTITY, NULL);
    must_decide();
    assert_string_equal(became(), "entryCreated:1 accepted");
}

static int start(void **state) {
    (void)state;
    log_open("test", false);
    server = redis_server_start();
    model = model_new(",\"partitions\":4");
    shapes = record_shapes_new();
    context = (service_context_t){.settings = model.settings, .types = model.types, .shapes = shapes, .instance = "test"};
    return 0;
}

static int end(void **state) {
    (void)state;
    record_shapes_free(shapes);
    model_free(&model);
    redis_server_down(&server);
    return 0;
}

static int make(void **state) {
    (void)state;
    err_t error;
    redis_server_do(&server, "FLUSHALL");
    snapshots = redis_new("snapshots", (char *const[]){server.address}, 1, &error);
    events = redis_new("events", (char *const[]){server.address}, 1, &error);
    for (int p = 0; p < PARTITIONS; p++) {
        owned[p] = true;
        stale[p] = caught_up[p] = false;
    }
    d = (decider_t){.context = &context, .overlay = overlay_new(PARTITIONS), .view = view_new(snapshots, PARTITIONS, key_offset),
                    .seen = seen_new(PARTITIONS), .decided = view_new(events, PARTITIONS, key_outcomes_offset),
                    .claims = claims_new(snapshots, "test", PARTITIONS, 60000), .owned = owned, .stale = stale, .caught_up = caught_up};
    catch_ups = 0;
    alone = true;
    contended = false;
    on_claimed = NULL;
    on_catch_up = NULL;
    fail_after = -1;
    records_count = 0;
    next_offset = 0;
    return 0;
}

static int unmake(void **state) {
    (void)state;
    forget_emitted();
    overlay_free(d.overlay);
    claims_free(d.claims);
    seen_free(d.seen);
    view_free(d.view);
    view_free(d.decided);
    batch_free(&d);
    redis_free(snapshots);
    redis_free(events);
    return 0;
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, make, unmake)

int main(void) {
    const struct CMUnitTest tests[] = {
        EACH(what_is_no_command_becomes_a_dead_letter_with_its_reason),
        EACH(an_unknown_type_is_not_cut_within_a_character),
        EACH(what_lies_in_the_wrong_partition_is_forwarded_as_it_is),
        EACH(what_comes_of_a_command_has_its_request_and_trace),
        EACH(what_is_forwarded_keeps_its_headers),
        EACH(what_is_too_large_with_its_headers_is_a_dead_letter),
        EACH(ids_that_were_not_given_are_made_the_same_each_time),
        EACH(an_accepted_command_has_its_event_and_its_outcome),
        EACH(create_update_and_delete_follow_one_another_within_a_batch),
        EACH(of_two_that_expect_the_same_version_one_wins),
        EACH(of_snapshot_and_overlay_the_later_counts),
        EACH(what_the_schema_refuses_is_told_in_a_list),
        EACH(patches_change_the_latest_data),
        EACH(a_link_to_what_an_earlier_command_created_is_fine),
        EACH(a_link_that_is_no_id_leads_to_nothing),
        EACH(what_the_batch_links_to_cannot_be_deleted_until_it_lets_go),
        EACH(what_a_snapshot_links_to_cannot_be_deleted_until_the_overlay_lets_go),
        EACH(a_link_to_itself_does_not_count),
        EACH(another_replicas_partition_may_catch_up_before_a_link_is_missing),
        EACH(another_replicas_partition_may_catch_up_before_a_deletion_is_refused),
        EACH(of_two_with_the_same_value_the_first_is_accepted),
        EACH(what_the_store_has_is_taken_until_the_overlay_lets_go),
        EACH(an_entity_keeps_its_value_without_a_claim),
        EACH(patches_to_a_taken_value_are_rejected),
        EACH(a_value_that_could_not_be_foreseen_is_claimed_by_the_next_try),
        EACH(what_another_replica_has_set_is_seen_after_the_claim),
        EACH(what_another_replica_is_setting_is_not_set_here),
        EACH(a_store_of_another_shape_does_not_know_unique_values),
        EACH(what_was_decided_before_claims_nothing),
        EACH(a_command_that_comes_again_is_left_out),
        EACH(an_idempotency_key_is_good_for_one_command),
        EACH(what_cannot_be_written_aborts_the_batch),
    };
    return cmocka_run_group_tests_name("batch", tests, start, end);
}
