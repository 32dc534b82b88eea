/* Claims on unique values, in real stores. */
#include "common/clock.h"
#include "services/validator/claims.h"
#include "tests/unit/model.h"
#include "tests/unit/redis_server.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { PARTITIONS = 4, LEASE_MS = 60000 };

static redis_server_t servers[2];
static model_t model;
static redis_t *stores[3];
static claims_t *mine, *others, *back; /* two instances, and the first come back after a crash */

static unique_t value_of(int number) {
    unique_t value = {.field = number % 2 ? "mail" : "code"};
    json_t *json = json_integer(number);
    unique_digest(json, value.digest);
    json_decref(json);
    return value;
}

static void add(claims_t *claims, int number, const char *command) {
    unique_t value = value_of(number);
    claims_add(claims, model.entry, &value, command);
}

static claim_state_t state_of(const claims_t *claims, int number) {
    unique_t value = value_of(number);
    return claims_state(claims, model.entry, &value);
}

/* Returns whether one is new. */
static bool take(claims_t *claims) {
    err_t error = {""};
    bool anew;
    if (claims_take(claims, &anew, &error) != STATUS_OK) fail_msg("%s", error.text);
    return anew;
}

static bool are_held(claims_t *claims) {
    err_t error = {""};
    return claims_check(claims, &error) == STATUS_OK;
}

static void of_two_that_claim_a_value_one_gets_it(void **state) {
    (void)state;
    assert_int_equal(state_of(mine, 1), CLAIM_UNKNOWN);
    add(mine, 1, "e1/c1");
    assert_int_equal(state_of(mine, 1), CLAIM_WANTED);
    assert_true(take(mine));
    assert_int_equal(state_of(mine, 1), CLAIM_HELD);
    add(others, 1, "e2/c2");
    add(others, 2, "e2/c2");
    assert_true(take(others));
    assert_int_equal(state_of(others, 1), CLAIM_REFUSED);
    assert_int_equal(state_of(others, 2), CLAIM_HELD);
    assert_true(are_held(mine) && are_held(others));
    assert_int_equal(claims_count(others), 2);
    claims_clear(mine);
    assert_int_equal(claims_count(mine), 0);
    assert_true(take(others));
    assert_int_equal(state_of(others, 1), CLAIM_HELD);
}

static void what_is_held_is_renewed_and_not_new(void **state) {
    (void)state;
    add(mine, 1, "e1/c1");
    assert_true(take(mine));
    assert_false(take(mine));
    add(mine, 2, "e1/c1");
    add(mine, 1, "another/command"); /* it is claimed already */
    assert_true(take(mine));
    assert_false(take(mine));
    assert_true(are_held(mine));
}

static void what_was_released_is_anothers_to_take_and_is_not_touched_then(void **state) {
    (void)state;
    add(mine, 1, "e1/c1");
    take(mine);
    claims_release(mine);
    assert_int_equal(state_of(mine, 1), CLAIM_WANTED);
    add(others, 1, "e2/c2");
    take(others);
    claims_release(mine);
    claims_clear(mine);
    assert_true(are_held(others));
}

static void a_claim_that_is_gone_is_noticed(void **state) {
    (void)state;
    err_t error = {""};
    for (int i = 0; i < 8; i++) add(mine, i, "e1/c1");
    take(mine);
    assert_true(are_held(mine));
    for (int s = 0; s < 2; s++) redis_server_do(&servers[s], "FLUSHALL");
    assert_int_equal(claims_check(mine, &error), STATUS_RETRY);
    assert_non_null(strstr(error.text, "was lost"));
    assert_true(take(mine)); /* and is not taken for one that held all the time */
    assert_true(are_held(mine));
}

static void a_claim_that_another_had_in_between_is_noticed(void **state) {
    (void)state;
    add(mine, 1, "e1/c1");
    take(mine);
    for (int s = 0; s < 2; s++) redis_server_do(&servers[s], "FLUSHALL"); /* as a lease that ends */
    add(others, 1, "e2/c2");
    take(others);
    assert_false(are_held(mine));
    claims_clear(others);
    assert_false(are_held(mine));
}

static void an_instance_that_comes_back_takes_its_claims_over(void **state) {
    (void)state;
    add(mine, 1, "e1/c1");
    take(mine);
    add(back, 1, "e3/c3"); /* for another command of its batch */
    assert_true(take(back));
    assert_int_equal(state_of(back, 1), CLAIM_HELD);
    assert_false(are_held(mine)); /* should it live still */
    claims_clear(mine);
    assert_true(are_held(back));
}

static void whoever_decides_the_command_now_takes_its_claim_over(void **state) {
    (void)state;
    add(mine, 1, "e1/c1");
    take(mine);
    add(others, 1, "e1/c1");
    assert_true(take(others));
    assert_int_equal(state_of(others, 1), CLAIM_HELD);
    assert_false(are_held(mine));
    assert_true(are_held(others));
}

static void a_lease_ends(void **state) {
    (void)state;
    err_t error;
    redis_t *store = redis_new("snapshots", (char *const[]){servers[0].address, servers[1].address}, 2, &error);
    claims_t *brief = claims_new(store, "brief", PARTITIONS, 20);
    add(brief, 1, "e1/c1");
    take(brief);
    add(others, 1, "e2/c2");
    for (int64_t end = clock_monotonic_us() + 20000000; clock_monotonic_us() < end && state_of(others, 1) != CLAIM_HELD;) take(others);
    assert_int_equal(state_of(others, 1), CLAIM_HELD);
    assert_false(are_held(brief));
    claims_free(brief);
    redis_free(store);
}

static void many_claims_of_all_partitions_find_their_answers(void **state) {
    (void)state;
    for (int i = 0; i < 200; i += 2) add(others, i, "e2/c2");
    take(others);
    for (int i = 0; i < 200; i++) add(mine, i, "e1/c1");
    take(mine);
    for (int i = 0; i < 200; i++) assert_int_equal(state_of(mine, i), i % 2 ? CLAIM_HELD : CLAIM_REFUSED);
    assert_true(are_held(mine) && are_held(others));
    claims_clear(others);
    take(mine);
    for (int i = 0; i < 200; i++) assert_int_equal(state_of(mine, i), CLAIM_HELD);
}

static void a_store_that_does_not_answer_holds_nothing(void **state) {
    (void)state;
    err_t error = {""};
    bool anew;
    for (int i = 0; i < 8; i++) add(mine, i, "e1/c1");
    take(mine);
    redis_server_down(&servers[0]);
    assert_int_equal(claims_check(mine, &error), STATUS_RETRY);
    assert_int_equal(claims_take(mine, &anew, &error), STATUS_RETRY);
    for (int i = 0; i < 8; i++) assert_int_equal(state_of(mine, i), CLAIM_WANTED);
    claims_release(mine);
    assert_true(redis_server_up(&servers[0]));
    assert_true(take(mine)); /* those on the other server too are new: nobody knows what they went through */
    for (int i = 0; i < 8; i++) assert_int_equal(state_of(mine, i), CLAIM_HELD);
    assert_true(are_held(mine));
}

static int start(void **state) {
    (void)state;
    for (int s = 0; s < 2; s++) servers[s] = redis_server_start();
    model = model_new("");
    return 0;
}

static int end(void **state) {
    (void)state;
    for (int s = 0; s < 2; s++) redis_server_down(&servers[s]);
    model_free(&model);
    return 0;
}

static int make(void **state) {
    (void)state;
    err_t error;
    for (int s = 0; s < 2; s++) redis_server_do(&servers[s], "FLUSHALL");
    for (int i = 0; i < 3; i++) stores[i] = redis_new("snapshots", (char *const[]){servers[0].address, servers[1].address}, 2, &error);
    mine = claims_new(stores[0], "validator-a-1", PARTITIONS, LEASE_MS);
    others = claims_new(stores[1], "validator-a-2", PARTITIONS, LEASE_MS);
    back = claims_new(stores[2], "validator-a-1", PARTITIONS, LEASE_MS);
    return 0;
}

static int unmake(void **state) {
    (void)state;
    claims_free(mine);
    claims_free(others);
    claims_free(back);
    claims_free(NULL);
    for (int i = 0; i < 3; i++) redis_free(stores[i]);
    return 0;
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, make, unmake)

int main(void) {
    const struct CMUnitTest tests[] = {
        EACH(of_two_that_claim_a_value_one_gets_it),
        EACH(what_is_held_is_renewed_and_not_new),
        EACH(what_was_released_is_anothers_to_take_and_is_not_touched_then),
        EACH(a_claim_that_is_gone_is_noticed),
        EACH(a_claim_that_another_had_in_between_is_noticed),
        EACH(an_instance_that_comes_back_takes_its_claims_over),
        EACH(whoever_decides_the_command_now_takes_its_claim_over),
        EACH(a_lease_ends),
        EACH(many_claims_of_all_partitions_find_their_answers),
        EACH(a_store_that_does_not_answer_holds_nothing),
    };
    return cmocka_run_group_tests_name("claims", tests, start, end);
}
