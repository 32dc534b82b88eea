/* Reads from a Redis store, against real servers. */
#include "common/lookup.h"
#include "tests/unit/http_client.h"
#include "tests/unit/redis_server.h"
#include "tests/unit/until.h"

#include <pthread.h>
#include <stdatomic.h>

/* What became of a request: written by `done`, `over` last. */
typedef struct result {
    status_t status;
    char text[512]; /* the first answer's, or the error's */
    pthread_t thread;
    _Atomic bool over;
} result_t;

static redis_server_t store;

static int start_store(void **state) {
    (void)state;
    store = redis_server_start();
    return 0;
}

static int remove_store(void **state) {
    (void)state;
    redis_server_down(&store);
    return 0;
}

static void keep(lookup_request_t *request, status_t status, const err_t *error, void *context) {
    result_t *result = context;
    const redisReply *reply = status == STATUS_OK ? lookup_reply(request, 0) : NULL;
    result->status = status;
    result->thread = pthread_self();
    snprintf(result->text, sizeof result->text, "%s", !reply ? error->text : reply->str ? reply->str : "");
    atomic_store(&result->over, true);
}

static lookup_t *open_lookup(const redis_server_t *server, size_t queue_max) {
    err_t error;
    char *servers[] = {(char *)server->address};
    lookup_t *lookup = lookup_new("test", servers, 1, queue_max, &error);
    if (!lookup) fail_msg("%s", error.text);
    return lookup;
}

static void submit(lookup_t *lookup, const char *command, const char *key, result_t *result) {
    *result = (result_t){0};
    lookup_request_t *request = lookup_request_new(keep, result);
    lookup_add(request, 0, command, key, NULL);
    lookup_submit(lookup, request);
}

static status_t ask(lookup_t *lookup, const char *command, const char *key, result_t *result) {
    submit(lookup, command, key, result);
    UNTIL(atomic_load(&result->over));
    return result->status;
}

/* ---- answers ---- */

typedef struct asker {
    lookup_t *lookup;
    int number;
    int wrong;
} asker_t;

enum { ASKERS = 4, EACH = 300 };

static void *ask_many(void *context) {
    asker_t *asker = context;
    static _Thread_local result_t results[EACH];
    char keys[EACH][32];
    for (int i = 0; i < EACH; i++) {
        snprintf(keys[i], sizeof keys[i], "%d-%d", asker->number, i);
        submit(asker->lookup, "ECHO", keys[i], &results[i]);
    }
    for (int i = 0; i < EACH; i++) {
        while (!atomic_load(&results[i].over)) clock_sleep_ms(1);
        if (results[i].status != STATUS_OK || strcmp(results[i].text, keys[i])) asker->wrong++;
    }
    return NULL;
}

static void each_of_many_threads_gets_the_answers_to_its_own_questions(void **state) {
    (void)state;
    lookup_t *lookup = open_lookup(&store, ASKERS * EACH);
    asker_t askers[ASKERS];
    pthread_t threads[ASKERS];
    for (int i = 0; i < ASKERS; i++) {
        askers[i] = (asker_t){lookup, i, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, ask_many, &askers[i]), 0);
    }
    for (int i = 0; i < ASKERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(askers[i].wrong, 0);
    }
    lookup_free(lookup);
}

static void keep_three(lookup_request_t *request, status_t status, const err_t *error, void *context) {
    result_t *result = context;
    (void)error;
    result->status = status;
    if (status == STATUS_OK)
        snprintf(result->text, sizeof result->text, "%s %d %s", lookup_reply(request, 0)->str,
                 lookup_reply(request, 1)->type == REDIS_REPLY_NIL, lookup_reply(request, 2)->element[1]->str);
    atomic_store(&result->over, true);
}

static void the_commands_of_a_request_are_answered_together(void **state) {
    (void)state;
    redis_server_do(&store, "HSET hash a one b two");
    lookup_t *lookup = open_lookup(&store, 10);
    result_t result = {0};
    lookup_request_t *request = lookup_request_new(keep_three, &result);
    lookup_add(request, 3, "ECHO", "", NULL); /* an empty word is a word */
    lookup_add(request, 1, "GET", "nothing", NULL);
    lookup_add(request, 2, "HMGET", "hash", "a", "b", NULL);
    lookup_submit(lookup, request);
    UNTIL(atomic_load(&result.over));
    assert_int_equal(result.status, STATUS_OK);
    assert_string_equal(result.text, " 1 two");
    lookup_free(lookup);
}

static void partitions_spread_over_the_servers(void **state) {
    (void)state;
    redis_server_t second = redis_server_start();
    redis_server_do(&store, "SET where first");
    redis_server_do(&second, "SET where second");
    err_t error;
    char *servers[] = {store.address, second.address};
    lookup_t *lookup = lookup_new("test", servers, 2, 10, &error);
    UNTIL(lookup_connected(lookup));
    for (int32_t partition = 0; partition < 4; partition++) {
        result_t result = {0};
        lookup_request_t *request = lookup_request_new(keep, &result);
        lookup_add(request, partition, "GET", "where", NULL);
        lookup_submit(lookup, request);
        UNTIL(atomic_load(&result.over));
        assert_string_equal(result.text, partition % 2 ? "second" : "first");
    }
    redis_server_down(&second);
    UNTIL(!lookup_connected(lookup)); /* a store of which a part is away is away */
    lookup_free(lookup);
    redis_server_down(&second);
}

/* ---- failures ---- */

static void a_command_that_the_store_refuses_is_fatal_and_others_are_not_touched(void **state) {
    (void)state;
    redis_server_do(&store, "SET text x");
    lookup_t *lookup = open_lookup(&store, 10);
    result_t refused, fine;
    submit(lookup, "HGETALL", "text", &refused);
    assert_int_equal(ask(lookup, "GET", "text", &fine), STATUS_OK);
    UNTIL(atomic_load(&refused.over));
    assert_int_equal(refused.status, STATUS_FATAL);
    assert_non_null(strstr(refused.text, "WRONGTYPE"));
    assert_true(lookup_connected(lookup));
    lookup_free(lookup);
}

static void a_store_that_was_never_there_is_away_and_comes(void **state) {
    (void)state;
    redis_server_t late = redis_server_new();
    lookup_t *lookup = open_lookup(&late, 10);
    result_t result;
    assert_int_equal(ask(lookup, "ECHO", "x", &result), STATUS_RETRY);
    assert_false(lookup_connected(lookup));
    assert_non_null(strstr(result.text, late.address));
    assert_true(redis_server_up(&late));
    UNTIL(lookup_connected(lookup));
    assert_int_equal(ask(lookup, "ECHO", "x", &result), STATUS_OK);
    lookup_free(lookup);
    redis_server_down(&late);
}

static void while_the_store_is_away_requests_end_at_once_on_the_asking_thread(void **state) {
    (void)state;
    lookup_t *lookup = open_lookup(&store, 10);
    result_t result;
    UNTIL(lookup_connected(lookup));
    redis_server_down(&store);
    UNTIL(!lookup_connected(lookup)); /* nobody asks: the idle store is looked at by itself */
    for (int i = 0; i < 100; i++) {
        submit(lookup, "ECHO", "x", &result);
        assert_true(atomic_load(&result.over));
        assert_int_equal(result.status, STATUS_RETRY);
        assert_true(pthread_equal(result.thread, pthread_self()));
    }
    assert_true(redis_server_up(&store));
    UNTIL(lookup_connected(lookup));
    assert_int_equal(ask(lookup, "ECHO", "back", &result), STATUS_OK);
    assert_string_equal(result.text, "back");
    lookup_free(lookup);
}

static void a_connection_that_was_cut_is_made_anew_without_a_failure(void **state) {
    (void)state;
    lookup_t *lookup = open_lookup(&store, 10);
    result_t result;
    assert_int_equal(ask(lookup, "ECHO", "x", &result), STATUS_OK);
    for (int i = 0; i < 20; i++) {
        redis_server_do(&store, "CLIENT KILL TYPE normal SKIPME yes");
        assert_int_equal(ask(lookup, "ECHO", "x", &result), STATUS_OK);
    }
    lookup_free(lookup);
}

static void a_queue_that_is_full_refuses_at_once_and_keeps_what_it_has(void **state) {
    (void)state;
    enum { QUEUE = 5 };
    lookup_t *lookup = open_lookup(&store, QUEUE);
    result_t results[QUEUE * 2 + 2] = {0};
    UNTIL(lookup_connected(lookup));
    kill(store.pid, SIGSTOP); /* nothing is answered: one batch is on its way, the next waits */
    size_t count = 0;
    do {
        assert_true(count < ARRAY_LEN(results));
        submit(lookup, "ECHO", "x", &results[count]);
    } while (!atomic_load(&results[count++].over));
    assert_int_equal(results[count - 1].status, STATUS_RETRY);
    assert_true(count > QUEUE);
    kill(store.pid, SIGCONT);
    for (size_t i = 0; i + 1 < count; i++) {
        UNTIL(atomic_load(&results[i].over));
        assert_int_equal(results[i].status, STATUS_OK);
    }
    lookup_free(lookup);
}

/* Answers each command with `-LOADING`, as a server does that reads its data after a start. */
static void *load_for_ever(void *context) {
    int listener = *(int *)context, fd;
    char text[4096];
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        ssize_t len;
        while ((len = recv(fd, text, sizeof text, 0)) > 0)
            for (ssize_t i = 0; i < len; i++)
                if (text[i] == '*') send(fd, "-LOADING wait\r\n", 15, MSG_NOSIGNAL);
        close(fd);
    }
    return NULL;
}

static void a_store_that_is_loading_is_away(void **state) {
    (void)state;
    redis_server_t loading = {0};
    int listener = listen_anywhere(&loading.port);
    snprintf(loading.address, sizeof loading.address, "127.0.0.1:%d", loading.port);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, load_for_ever, &listener), 0);
    lookup_t *lookup = open_lookup(&loading, 10);
    result_t result;
    assert_int_equal(ask(lookup, "ECHO", "x", &result), STATUS_RETRY);
    assert_non_null(strstr(result.text, "LOADING"));
    assert_false(lookup_connected(lookup));
    lookup_free(lookup);
    shutdown(listener, SHUT_RD);
    pthread_join(thread, NULL);
    close(listener);
}

static void a_server_that_is_no_address_is_refused(void **state) {
    (void)state;
    err_t error;
    char *servers[] = {"nowhere"};
    assert_null(lookup_new("test", servers, 1, 10, &error));
    assert_non_null(strstr(error.text, "nowhere"));
}

/* ---- the end ---- */

typedef struct chain {
    lookup_t *lookup;
    _Atomic int left;
    _Atomic int failed;
} chain_t;

static void next_link(lookup_request_t *request, status_t status, const err_t *error, void *context) {
    chain_t *chain = context;
    (void)request, (void)error;
    if (status != STATUS_OK) atomic_fetch_add(&chain->failed, 1);
    if (atomic_fetch_sub(&chain->left, 1) == 1) return;
    lookup_request_t *next = lookup_request_new(next_link, chain);
    lookup_add(next, 0, "PING", NULL);
    lookup_submit(chain->lookup, next);
}

static void what_waits_at_the_end_is_answered_also_what_it_leads_to(void **state) {
    (void)state;
    chain_t chain = {.lookup = open_lookup(&store, 10), .left = 50};
    UNTIL(lookup_connected(chain.lookup));
    lookup_request_t *first = lookup_request_new(next_link, &chain);
    lookup_add(first, 0, "PING", NULL);
    lookup_submit(chain.lookup, first);
    lookup_end(chain.lookup);
    assert_int_equal(atomic_load(&chain.left), 0);
    assert_int_equal(atomic_load(&chain.failed), 0);
    result_t result;
    submit(chain.lookup, "ECHO", "late", &result);
    assert_true(atomic_load(&result.over));
    assert_int_equal(result.status, STATUS_RETRY);
    lookup_free(chain.lookup);
}

static void ending_does_not_wait_for_a_store_that_is_away(void **state) {
    (void)state;
    redis_server_t nobody = redis_server_new();
    lookup_t *lookup = open_lookup(&nobody, 10);
    result_t result;
    submit(lookup, "ECHO", "x", &result);
    lookup_free(lookup);
    assert_true(atomic_load(&result.over));
    assert_int_equal(result.status, STATUS_RETRY);
    lookup_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_of_many_threads_gets_the_answers_to_its_own_questions),
        cmocka_unit_test(the_commands_of_a_request_are_answered_together),
        cmocka_unit_test(partitions_spread_over_the_servers),
        cmocka_unit_test(a_command_that_the_store_refuses_is_fatal_and_others_are_not_touched),
        cmocka_unit_test(a_store_that_was_never_there_is_away_and_comes),
        cmocka_unit_test(while_the_store_is_away_requests_end_at_once_on_the_asking_thread),
        cmocka_unit_test(a_connection_that_was_cut_is_made_anew_without_a_failure),
        cmocka_unit_test(a_queue_that_is_full_refuses_at_once_and_keeps_what_it_has),
        cmocka_unit_test(a_store_that_is_loading_is_away),
        cmocka_unit_test(a_server_that_is_no_address_is_refused),
        cmocka_unit_test(what_waits_at_the_end_is_answered_also_what_it_leads_to),
        cmocka_unit_test(ending_does_not_wait_for_a_store_that_is_away),
    };
    return cmocka_run_group_tests(tests, start_store, remove_store);
}
