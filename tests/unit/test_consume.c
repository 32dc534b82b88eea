/* The consumer runtime, on librdkafka's mock cluster. Its log keeps what was aborted, and it forgets the offsets of
   transactions: what is taken anew begins with the first record, and what counts is what the handler is asked to do. */
#include "common/clock.h"
#include "common/consume.h"
#include "common/mem.h"
#include "common/metric.h"
#include "common/stop.h"
#include "tests/unit/capture.h"
#include "tests/unit/mock_kafka.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>

#include <cmocka.h>

/* ---- stopping, which a test can take back (in place of common/stop.c) ---- */

static bool stopped;

void stop_install(void) {}
bool stop_requested(void) { return stopped; }
void stop_request(void) { stopped = true; }

/* librdkafka 2.0.2 does not free what it was about to send when a transaction ends in an error while its offsets are on
   their way. What this hides of our own are objects of librdkafka's that the runtime would forget to destroy. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
    return "leak:librdkafka.so";
}

/* ---- a handler that notes all that it is asked ---- */

enum { PARTITIONS = 2, RECORDS_MAX = 4096, DEADLINE_US = 120000000 };

typedef struct seen {
    int32_t partition;
    int64_t offset;
    char value[32];
} seen_t;

typedef struct handler {
    consume_t *consume;
    int64_t deadline;
    bool late;              /* what was waited for did not come */
    size_t wanted;          /* stops when so many records are done */
    seen_t done[RECORDS_MAX]; /* what was applied and not taken back, in order */
    size_t count;
    bool transactional;
    int takes, releases, applies, largest, idles;
    bool held[PARTITIONS];  /* taken and not released */
    int64_t position[PARTITIONS]; /* where the next slice must begin */
    const char *broken;     /* a promise of the runtime that was not kept */
    /* what a test adds; NULL: nothing */
    status_t (*on_take)(struct handler *handler, int32_t partition, int64_t *offset, err_t *error);
    status_t (*on_apply)(struct handler *handler, const consume_slice_t *slices, size_t count, err_t *error);
    void (*on_idle)(struct handler *handler);
    err_t ready; /* why it was not, when a test looked */
    int64_t offsets[RECORDS_MAX]; /* of what was emitted */
    size_t emitted;
} handler_t;

static mock_kafka_t mock;
static handler_t h;
static capture_t capture;
static char topic[32], dead[32], out[32], group[32];

static void watch(void) {
    if (clock_monotonic_us() < h.deadline) return;
    h.late = true;
    stop_request();
}

static status_t take(void *self, int number, int32_t partition, int64_t *offset, err_t *error) {
    (void)self;
    watch();
    if (number != 0 || partition < 0 || partition >= PARTITIONS) h.broken = "a partition that there is not";
    h.takes++;
    status_t status = h.on_take ? h.on_take(&h, partition, offset, error) : STATUS_OK;
    h.held[partition] = status == STATUS_OK;
    h.position[partition] = *offset;
    return status;
}

/* What is released in a transactional run, but for its end, is taken anew from the first record: all comes again. */
static void release(void *self, int number, int32_t partition) {
    (void)self, (void)number;
    h.releases++;
    h.held[partition] = false;
    if (h.transactional && !stopped) h.count = 0;
}

static void note(const rd_kafka_message_t *message) {
    if (h.count == RECORDS_MAX) abort();
    seen_t *seen = &h.done[h.count++];
    seen->partition = message->partition;
    seen->offset = message->offset;
    snprintf(seen->value, sizeof seen->value, "%.*s", (int)message->len, message->payload ? (const char *)message->payload : "");
}

static void check_slice(const consume_slice_t *slice) {
    if (!h.held[slice->partition]) h.broken = "a slice of a partition that was not taken";
    if (slice->first != h.position[slice->partition]) h.broken = "a slice that does not begin where the last ended";
    if (slice->next < slice->first + (int64_t)slice->count) h.broken = "a slice that ends before its records";
    for (size_t i = 0; i < slice->count; i++)
        if (slice->messages[i]->offset != slice->first + (int64_t)i || slice->messages[i]->partition != slice->partition)
            h.broken = "records that are not consecutive";
}

static status_t apply(void *self, const consume_slice_t *slices, size_t count, err_t *error) {
    (void)self;
    watch();
    h.applies++;
    int records = 0;
    for (size_t i = 0; i < count; i++) {
        check_slice(&slices[i]);
        records += (int)slices[i].count;
    }
    if (records > h.largest) h.largest = records;
    status_t status = h.on_apply ? h.on_apply(&h, slices, count, error) : STATUS_OK;
    if (status != STATUS_OK) return status;
    for (size_t i = 0; i < count; i++) {
        for (size_t n = 0; n < slices[i].count; n++) note(slices[i].messages[n]);
        h.position[slices[i].partition] = slices[i].next;
    }
    return STATUS_OK;
}

static void idle(void *self) {
    (void)self;
    watch();
    h.idles++;
    if (h.on_idle) h.on_idle(&h);
    if (h.wanted && h.count >= h.wanted) stop_request();
}

/* ---- a run ---- */

static consume_options_t options_of(bool transactional) {
    static const char *topics[1];
    topics[0] = topic;
    return (consume_options_t){
        .kafka = &mock.options, .group = group, .instance = group, .topics = topics, .topics_count = 1,
        .dead_letters = dead, .transactional = transactional, .transaction_timeout_ms = 10000, .batch_records = 100,
        .handler = {.self = &h, .take = take, .release = release, .apply = apply, .idle = idle},
    };
}

/* Names of its own for each test, so that none meets what another left. */
static int make(void **state) {
    (void)state;
    static int number;
    number++;
    snprintf(topic, sizeof topic, "in-%d", number);
    snprintf(dead, sizeof dead, "dead-%d", number);
    snprintf(out, sizeof out, "out-%d", number);
    snprintf(group, sizeof group, "group-%d", number);
    rd_kafka_mock_topic_create(mock.cluster, topic, PARTITIONS, 1);
    rd_kafka_mock_topic_create(mock.cluster, dead, PARTITIONS, 1);
    rd_kafka_mock_topic_create(mock.cluster, out, PARTITIONS, 1);
    memset(&h, 0, sizeof h);
    return 0;
}

static void write_records(int from, int count) {
    for (int i = from; i < from + count; i++) {
        char value[32];
        snprintf(value, sizeof value, "v%d", i);
        mock_kafka_write(&mock, topic, i % PARTITIONS, "key", value);
    }
}

static status_t run(consume_options_t options, err_t *error) {
    stopped = false;
    h.transactional = options.transactional;
    h.deadline = clock_monotonic_us() + DEADLINE_US;
    h.consume = consume_new(&options);
    capture_begin(&capture, STDERR_FILENO);
    status_t status = consume_run(h.consume, error);
    capture_end(&capture);
    consume_free(h.consume);
    return status;
}

static void must_run(bool transactional) {
    err_t error = {""};
    status_t status = run(options_of(transactional), &error);
    if (status != STATUS_OK) fail_msg("%s", error.text);
    if (h.broken) fail_msg("%s", h.broken);
    if (h.late) fail_msg("not in time: %zu of %zu records; %s", h.count, h.wanted, capture.text);
    for (int p = 0; p < PARTITIONS; p++) assert_false(h.held[p]);
}

/* All of them once, in the order of their partitions. */
static void assert_done(size_t count) {
    int64_t next[PARTITIONS] = {0};
    assert_int_equal(h.count, count);
    for (size_t i = 0; i < h.count; i++) {
        char expected[32];
        int32_t p = h.done[i].partition;
        assert_int_equal(h.done[i].offset, next[p]);
        snprintf(expected, sizeof expected, "v%d", (int)next[p] * PARTITIONS + (int)p);
        assert_string_equal(h.done[i].value, expected);
        next[p]++;
    }
}

/* Where Kafka has the group's offsets. */
static int64_t committed(int32_t partition) {
    err_t error;
    const char *const defaults[] = {"group.id", group, NULL};
    rd_kafka_conf_t *conf = kafka_conf_new(&mock.options, defaults, NULL, &error);
    rd_kafka_t *client = kafka_client_new(RD_KAFKA_CONSUMER, conf, &error);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, partition);
    rd_kafka_resp_err_t code = rd_kafka_committed(client, list, 20000);
    int64_t offset = code ? -7 : list->elems[0].offset;
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(client);
    return offset;
}

/* ---- sinks ---- */

static void records_come_in_order_and_the_offset_is_told_to_kafka(void **state) {
    (void)state;
    write_records(0, 250);
    h.wanted = 250;
    must_run(false);
    assert_done(250);
    assert_in_range(h.largest, 1, 100); /* the most in a batch */
    assert_int_equal(h.releases, PARTITIONS);
    assert_true(h.idles > 0);
    for (int32_t p = 0; p < PARTITIONS; p++) assert_int_equal(committed(p), 125);
}

static status_t from_three(handler_t *handler, int32_t partition, int64_t *offset, err_t *error) {
    (void)handler, (void)error;
    if (*offset != 0) h.broken = "the first offset is not that of the log";
    *offset = partition == 0 ? 3 : 0;
    return STATUS_OK;
}

static void a_sink_says_where_its_store_is(void **state) {
    (void)state;
    write_records(0, 20);
    h.on_take = from_three;
    h.wanted = 17;
    must_run(false);
    assert_int_equal(h.count, 17);
    for (size_t i = 0; i < h.count; i++) assert_true(h.done[i].partition == 1 || h.done[i].offset >= 3);
}

static status_t not_yet(handler_t *handler, int32_t partition, int64_t *offset, err_t *error) {
    (void)offset;
    if (partition == 1 && handler->takes < 6) return err_set(error, STATUS_RETRY, "the store is away");
    return STATUS_OK;
}

static void look_whether_ready(handler_t *handler) {
    err_t why = {""};
    if (!consume_ready(handler->consume, &why) && strstr(why.text, "1 partitions are not taken yet")) handler->ready = why;
}

static void a_partition_that_cannot_be_taken_is_tried_again_and_nothing_is_read_from_it(void **state) {
    (void)state;
    write_records(0, 20);
    h.on_take = not_yet;
    h.on_idle = look_whether_ready;
    h.wanted = 20;
    must_run(false);
    assert_done(20);
    assert_true(h.takes >= 6);
    assert_true(h.ready.text[0]);
    assert_non_null(strstr(capture.text, "the store is away"));
}

static status_t third_time(handler_t *handler, const consume_slice_t *slices, size_t count, err_t *error) {
    (void)slices, (void)count;
    if (handler->applies == 1) write_records(20, 20); /* comes in while the batch waits */
    return handler->applies < 4 ? err_set(error, STATUS_RETRY, "the store is busy") : STATUS_OK;
}

static void a_batch_that_is_tried_again_keeps_its_order_and_loses_nothing(void **state) {
    (void)state;
    write_records(0, 20);
    h.on_apply = third_time;
    h.wanted = 40;
    must_run(false);
    assert_done(40);
    assert_true(h.applies >= 4);
    assert_non_null(strstr(capture.text, "a batch has to wait: the store is busy"));
    assert_non_null(strstr(capture.text, "well again"));
}

static status_t fatal(handler_t *handler, const consume_slice_t *slices, size_t count, err_t *error) {
    (void)handler, (void)slices, (void)count;
    return err_set(error, STATUS_FATAL, "the script is wrong");
}

static void what_is_fatal_ends_the_run_with_its_text(void **state) {
    (void)state;
    write_records(0, 2);
    h.on_apply = fatal;
    err_t error = {""};
    assert_int_equal(run(options_of(false), &error), STATUS_FATAL);
    assert_string_equal(error.text, "the script is wrong");
    for (int p = 0; p < PARTITIONS; p++) assert_false(h.held[p]);
    for (int32_t p = 0; p < PARTITIONS; p++) assert_true(committed(p) < 0);
}

static status_t retake_once(handler_t *handler, const consume_slice_t *slices, size_t count, err_t *error) {
    (void)error;
    if (handler->releases > 0) return STATUS_OK;
    for (size_t i = 0; i < count; i++) consume_retake(handler->consume, slices[i].topic, slices[i].partition);
    return STATUS_OK;
}

static void stop_when_all_came(handler_t *handler) {
    if (handler->position[0] == 5 && handler->position[1] == 5 && handler->held[0] && handler->held[1]) stop_request();
}

static void a_store_that_is_elsewhere_is_taken_anew(void **state) {
    (void)state;
    write_records(0, 10);
    h.on_apply = retake_once;
    h.on_idle = stop_when_all_came;
    must_run(false);
    assert_true(h.releases > PARTITIONS);
    assert_true(h.count > 10); /* the store had nothing of it: it came again */
    assert_int_equal(h.position[0], 5);
    assert_int_equal(h.position[1], 5);
}

static status_t beyond(handler_t *handler, int32_t partition, int64_t *offset, err_t *error) {
    (void)error;
    if (partition == 0 && handler->takes < 5) *offset = 99; /* then somebody drops the store */
    return STATUS_OK;
}

static void a_store_that_is_further_than_the_log_is_not_used(void **state) {
    (void)state;
    write_records(0, 10);
    h.on_take = beyond;
    h.wanted = 10;
    must_run(false);
    assert_done(10);
    assert_non_null(strstr(capture.text, "[0] ends at 5, but 99 was already applied: the store belongs to another log"));
}

static const char *header(const rd_kafka_message_t *message, const char *name) {
    rd_kafka_headers_t *headers;
    const void *value;
    size_t size;
    if (rd_kafka_message_headers(message, &headers) || rd_kafka_header_get_last(headers, name, &value, &size)) return "";
    return value ? value : "";
}

static status_t all_dead(handler_t *handler, const consume_slice_t *slices, size_t count, err_t *error) {
    for (size_t i = 0; i < count; i++)
        for (size_t n = 0; n < slices[i].count; n++) {
            status_t status = consume_dead_letter(handler->consume, slices[i].messages[n], "it is broken", error);
            if (status != STATUS_OK) return status;
        }
    return consume_flush(handler->consume, error);
}

static void a_dead_letter_is_the_record_as_it_came_with_its_reason(void **state) {
    (void)state;
    mock_kafka_write(&mock, topic, 1, "k1", "first");
    rd_kafka_headers_t *own = rd_kafka_headers_new(1);
    rd_kafka_header_add(own, "from", -1, "somebody", -1);
    rd_kafka_producev(mock.owner, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(1), RD_KAFKA_V_VALUE((void *)"a\0b", 3),
                      RD_KAFKA_V_HEADERS(own), RD_KAFKA_V_END);
    assert_int_equal(rd_kafka_flush(mock.owner, 30000), 0);
    mock_kafka_write(&mock, topic, 1, "k3", NULL);
    h.on_apply = all_dead;
    h.wanted = 3;
    must_run(false);
    rd_kafka_message_t *letters[3];
    rd_kafka_t *reader = mock_kafka_read(&mock, dead, 1, letters, 3);
    for (int i = 0; i < 3; i++) {
        char offset[8];
        snprintf(offset, sizeof offset, "%d", i);
        assert_string_equal(header(letters[i], "reason"), "it is broken");
        assert_string_equal(header(letters[i], "topic"), topic);
        assert_string_equal(header(letters[i], "partition"), "1");
        assert_string_equal(header(letters[i], "offset"), offset);
    }
    assert_memory_equal(letters[0]->key, "k1", 2);
    assert_memory_equal(letters[0]->payload, "first", 5);
    assert_null(letters[1]->key);
    assert_int_equal(letters[1]->len, 3);
    assert_memory_equal(letters[1]->payload, "a\0b", 3);
    assert_string_equal(header(letters[1], "from"), "somebody");
    assert_int_equal(letters[2]->len, 0);
    mock_kafka_forget(reader, letters, 3);
    assert_non_null(strstr(capture.text, "dead letter: "));
}

static status_t dead_then_refused(handler_t *handler, const consume_slice_t *slices, size_t count, err_t *error) {
    if (handler->applies == 1)
        rd_kafka_mock_push_request_errors(mock.cluster, MOCK_PRODUCE, 1, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    return all_dead(handler, slices, count, error);
}

static void a_dead_letter_that_could_not_be_written_is_tried_again(void **state) {
    (void)state;
    write_records(0, 2);
    h.on_apply = dead_then_refused;
    h.wanted = 2;
    must_run(false);
    assert_done(2);
    assert_true(h.applies >= 2);
    for (int32_t p = 0; p < PARTITIONS; p++) assert_true(mock_kafka_count(&mock, dead, p) >= 1);
}

/* ---- transactions ---- */

static status_t emit_each(handler_t *handler, const consume_slice_t *slices, size_t count, err_t *error) {
    for (size_t i = 0; i < count; i++)
        for (size_t n = 0; n < slices[i].count; n++) {
            const rd_kafka_message_t *message = slices[i].messages[n];
            int64_t *offset = &handler->offsets[handler->emitted++ % RECORDS_MAX];
            *offset = -1;
            status_t status = consume_emit(handler->consume, &(consume_output_t){
                .topic = out, .partition = message->partition, .key = message->key, .key_len = message->key_len,
                .value = message->payload, .value_len = message->len, .offset = offset}, error);
            if (status != STATUS_OK) return status;
        }
    return STATUS_OK;
}

static void what_is_emitted_is_there_once_and_tells_its_offsets(void **state) {
    (void)state;
    write_records(0, 40);
    h.on_apply = emit_each;
    h.wanted = 40;
    must_run(true);
    assert_done(40);
    assert_int_equal(h.emitted, 40);
    int64_t sum = 0;
    for (int i = 0; i < 40; i++) sum += h.offsets[i];
    assert_int_equal(sum, 2 * (19 * 20 / 2)); /* each told its own before the run ended */
    for (int32_t p = 0; p < PARTITIONS; p++) {
        rd_kafka_message_t *messages[20];
        rd_kafka_t *reader = mock_kafka_read(&mock, out, p, messages, 20);
        for (int i = 0; i < 20; i++) {
            char expected[32];
            snprintf(expected, sizeof expected, "v%d", i * PARTITIONS + (int)p);
            assert_int_equal(messages[i]->len, strlen(expected));
            assert_memory_equal(messages[i]->payload, expected, strlen(expected));
        }
        mock_kafka_forget(reader, messages, 20);
    }
}

static status_t emit_at_the_second_time(handler_t *handler, const consume_slice_t *slices, size_t count, err_t *error) {
    if (handler->applies < 3) return err_set(error, STATUS_RETRY, "the store is away");
    return emit_each(handler, slices, count, error);
}

static void a_transaction_that_waits_for_its_handler_is_tried_again_as_it_is(void **state) {
    (void)state;
    write_records(0, 10);
    h.on_apply = emit_at_the_second_time;
    h.wanted = 10;
    must_run(true);
    assert_done(10);
    assert_int_equal(h.releases, PARTITIONS); /* at the end, not meanwhile */
    for (int32_t p = 0; p < PARTITIONS; p++) assert_int_equal(mock_kafka_count(&mock, out, p), 5);
}

static status_t abort_twice(handler_t *handler, const consume_slice_t *slices, size_t count, err_t *error) {
    status_t status = emit_each(handler, slices, count, error);
    if (status == STATUS_OK && handler->applies <= 2) return err_set(error, STATUS_ABORT, "decided on sand");
    return status;
}

static void what_the_handler_gives_up_is_decided_again(void **state) {
    (void)state;
    write_records(0, 10);
    h.on_apply = abort_twice;
    h.wanted = 10;
    must_run(true);
    assert_done(10);
    assert_int_equal(h.releases, 3 * PARTITIONS);
    assert_non_null(strstr(capture.text, "transaction given up: decided on sand"));
}

/* Notes how many records the brokers have when the handler has waited for them. */
static int64_t there_before_commit;

static status_t emit_and_flush(handler_t *handler, const consume_slice_t *slices, size_t count, err_t *error) {
    status_t status = emit_each(handler, slices, count, error);
    if (status == STATUS_OK) status = consume_flush(handler->consume, error);
    there_before_commit = mock_kafka_count(&mock, out, 0) + mock_kafka_count(&mock, out, 1);
    for (size_t i = 0; i < handler->emitted && status == STATUS_OK; i++)
        if (handler->offsets[i] < 0) h.broken = "a record without offset after the flush";
    return status;
}

static void what_a_transaction_has_flushed_is_on_the_brokers_before_the_commit(void **state) {
    (void)state;
    write_records(0, 10);
    h.on_apply = emit_and_flush;
    h.wanted = 10;
    must_run(true);
    assert_done(10);
    assert_int_equal(there_before_commit, 10);
}

static status_t emit_refused_and_flush(handler_t *handler, const consume_slice_t *slices, size_t count, err_t *error) {
    if (handler->applies == 1)
        rd_kafka_mock_push_request_errors(mock.cluster, MOCK_PRODUCE, 1, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
    status_t status = emit_each(handler, slices, count, error);
    if (status == STATUS_OK) status = consume_flush(handler->consume, error);
    if (handler->applies == 1 && status != STATUS_ABORT) h.broken = "a flush that failed and does not say so";
    return status;
}

static void a_transaction_whose_flush_fails_is_given_up_and_done_again(void **state) {
    (void)state;
    write_records(0, 10);
    h.on_apply = emit_refused_and_flush;
    h.wanted = 10;
    must_run(true);
    assert_done(10);
    assert_true(h.releases > PARTITIONS);
    assert_non_null(strstr(capture.text, "transaction given up: records cannot be written"));
}

/* The error meets the first transaction. */
static const struct {
    const char *what;
    int16_t request;
    rd_kafka_resp_err_t code;
    int times;
    int again; /* whether the records are decided anew; -1: librdkafka may try long enough or not */
} failures[] = {
    {"partitions refused", MOCK_ADD_PARTITIONS, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, 1, true},
    {"partitions not now", MOCK_ADD_PARTITIONS, RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS, 3, false},
    {"partitions by an old producer", MOCK_ADD_PARTITIONS, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, 1, true},
    {"offsets refused", MOCK_COMMIT_OFFSETS, RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, 1, true},
    {"offsets of an old generation", MOCK_COMMIT_OFFSETS, RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, 1, true},
    {"offsets not now", MOCK_COMMIT_OFFSETS, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, 3, -1},
    {"offsets by a fenced producer", MOCK_COMMIT_OFFSETS, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, 1, true},
    {"group refused", MOCK_ADD_OFFSETS, RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, 1, true},
    {"records refused", MOCK_PRODUCE, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, 1, true},
    {"records not now", MOCK_PRODUCE, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, 2, false},
    {"end not now", MOCK_END_TRANSACTION, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, 2, false},
    {"end by a fenced producer", MOCK_END_TRANSACTION, RD_KAFKA_RESP_ERR_PRODUCER_FENCED, 1, true},
    {"end of what the broker does not know", MOCK_END_TRANSACTION, RD_KAFKA_RESP_ERR_INVALID_TXN_STATE, 1, true},
    {"end lost on the way", MOCK_END_TRANSACTION, RD_KAFKA_RESP_ERR__TRANSPORT, 1, false},
};

static void what_a_failed_transaction_did_is_done_again_and_nothing_twice(void **state) {
    for (size_t i = 0; i < ARRAY_LEN(failures); i++) {
        make(state);
        write_records(0, 10);
        h.on_apply = emit_each;
        h.wanted = 10;
        rd_kafka_resp_err_t codes[8];
        for (int n = 0; n < failures[i].times; n++) codes[n] = failures[i].code;
        /* A record for the first write of a transaction, not for those of the test. */
        rd_kafka_mock_push_request_errors_array(mock.cluster, failures[i].request, (size_t)failures[i].times, codes);
        must_run(true);
        assert_done(10);
        if (failures[i].again >= 0 && failures[i].again != (h.releases > PARTITIONS))
            fail_msg("%s: released %d times; %s", failures[i].what, h.releases, capture.text);
        rd_kafka_mock_clear_request_errors(mock.cluster, failures[i].request);
    }
}

/* ---- brokers ---- */

static void take_brokers_away(handler_t *handler) {
    static int64_t since;
    err_t why = {""};
    if (handler->count == 10 && !since) {
        since = clock_monotonic_us();
        rd_kafka_mock_broker_set_down(mock.cluster, -1);
    }
    if (since && !handler->ready.text[0] && !consume_ready(handler->consume, &why) && strstr(why.text, "Kafka does not answer")) {
        handler->ready = why;
        rd_kafka_mock_broker_set_up(mock.cluster, -1);
        write_records(10, 10);
    }
}

static void brokers_that_went_away_and_came_back_are_overcome(void **state) {
    (void)state;
    write_records(0, 10);
    h.on_apply = emit_each;
    h.on_idle = take_brokers_away;
    h.wanted = 20;
    must_run(true);
    assert_done(20);
    assert_true(h.ready.text[0]);
}

static void what_was_done_is_counted(void **state) {
    (void)state;
    write_records(0, 6);
    h.on_apply = emit_each;
    h.wanted = 6;
    must_run(true);
    strbuf_t text = {0}, wanted = {0};
    metric_render(&text);
    strbuf_addf(&wanted, "odradek_consumer_records_total{topic=\"%s\"} 6\n", topic);
    assert_non_null(strstr(text.data, wanted.data));
    assert_non_null(strstr(text.data, "odradek_transactions_total{result=\"committed\"} "));
    assert_non_null(strstr(text.data, "odradek_consumer_partitions 0\n"));
    strbuf_free(&text);
    strbuf_free(&wanted);
}

static int start(void **state) {
    (void)state;
    mock = mock_kafka_start();
    return 0;
}

static int end(void **state) {
    (void)state;
    mock_kafka_end(&mock);
    return 0;
}

#define EACH(test) cmocka_unit_test_setup(test, make)

int main(void) {
    const struct CMUnitTest tests[] = {
        EACH(records_come_in_order_and_the_offset_is_told_to_kafka),
        EACH(a_sink_says_where_its_store_is),
        EACH(a_partition_that_cannot_be_taken_is_tried_again_and_nothing_is_read_from_it),
        EACH(a_batch_that_is_tried_again_keeps_its_order_and_loses_nothing),
        EACH(what_is_fatal_ends_the_run_with_its_text),
        EACH(a_store_that_is_elsewhere_is_taken_anew),
        EACH(a_store_that_is_further_than_the_log_is_not_used),
        EACH(a_dead_letter_is_the_record_as_it_came_with_its_reason),
        EACH(a_dead_letter_that_could_not_be_written_is_tried_again),
        EACH(what_is_emitted_is_there_once_and_tells_its_offsets),
        EACH(a_transaction_that_waits_for_its_handler_is_tried_again_as_it_is),
        EACH(what_the_handler_gives_up_is_decided_again),
        EACH(what_a_transaction_has_flushed_is_on_the_brokers_before_the_commit),
        EACH(a_transaction_whose_flush_fails_is_given_up_and_done_again),
        EACH(what_a_failed_transaction_did_is_done_again_and_nothing_twice),
        EACH(brokers_that_went_away_and_came_back_are_overcome),
        EACH(what_was_done_is_counted),
    };
    return cmocka_run_group_tests_name("consume", tests, start, end);
}
