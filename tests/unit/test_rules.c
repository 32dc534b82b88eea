/* The business rules. */
#include "common/json.h"
#include "common/record.h"
#include "services/validator/rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const entity_type_t entry = {.name = "Entry"};

enum { C = VERB_CREATE, U = VERB_UPDATE, D = VERB_DELETE, ANY = RECORD_NO_VERSION };

/* What is known, and what becomes of it. `version` < 0: deleted at that version. */
static const struct {
    const char *what;
    int verb;
    int64_t version, expected;
    bool has_body, data_valid;
    const char *missing_link;
    bool linked;
    const char *type, *detail; /* NULL: accepted */
} cases[] = {
    {"create of what never was", C, 0, ANY, true, true, NULL, false, NULL, NULL},
    {"create that expects that it is not there", C, 0, 0, true, true, NULL, false, NULL, NULL},
    {"create of what was deleted", C, -4, ANY, true, true, NULL, false, NULL, NULL},
    {"create of what was deleted at the expected version", C, -4, 4, true, true, NULL, false, NULL, NULL},
    {"update", U, 3, ANY, true, true, NULL, false, NULL, NULL},
    {"update at the expected version", U, 3, 3, true, true, NULL, false, NULL, NULL},
    {"update of what others link to", U, 3, 3, true, true, NULL, true, NULL, NULL},
    {"delete", D, 3, ANY, false, false, NULL, false, NULL, NULL},
    {"delete with a body that nobody asked for", D, 3, 3, true, false, NULL, false, NULL, NULL},
    {"delete of what links to nothing", D, 3, 3, false, false, "parent: Entry x", false, NULL, NULL},

    {"update of what never was", U, 0, ANY, true, true, NULL, false, "not-found", "There is no Entry with the id e1."},
    {"update of what was deleted", U, -4, ANY, true, true, NULL, false, "not-found", NULL},
    {"delete of what never was", D, 0, ANY, false, false, NULL, false, "not-found", NULL},
    {"delete of what was deleted", D, -4, ANY, false, false, NULL, false, "not-found", NULL},
    {"create of what is there", C, 3, ANY, true, true, NULL, false, "already-exists", "There is already a Entry with the id e1."},
    {"update at another version", U, 3, 2, true, true, NULL, false, "version-mismatch", "Entry e1 is at version 3, the command expects version 2."},
    {"update of a later version", U, 3, 4, true, true, NULL, false, "version-mismatch", NULL},
    {"delete at another version", D, 3, 2, false, false, NULL, false, "version-mismatch", NULL},
    {"create that expects a version", C, 0, 1, true, true, NULL, false, "version-mismatch", "Entry e1 is at version 0, the command expects version 1."},
    {"create of what was deleted, expected never to have been", C, -4, 0, true, true, NULL, false, "version-mismatch", NULL},
    {"create without body", C, 0, ANY, false, false, NULL, false, "schema-violation", "The command has no body."},
    {"update without body", U, 3, ANY, false, false, NULL, false, "schema-violation", "The command has no body."},
    {"create against the schema", C, 0, ANY, true, false, NULL, false, "schema-violation", "The data does not match the schema of Entry."},
    {"update against the schema", U, 3, ANY, true, false, NULL, false, "schema-violation", NULL},
    {"create that links to nothing", C, 0, ANY, true, true, "parent: Entry x", false, "link-missing", "The body links to what does not exist: parent: Entry x."},
    {"update that links to nothing", U, 3, ANY, true, true, "parent: Entry x", false, "link-missing", NULL},
    {"delete of what others link to", D, 3, ANY, false, false, NULL, true, "linked", "Entry e1 cannot be deleted: other entities link to it."},

    /* Where several are broken, the first in their order is told. */
    {"not found before everything", U, 0, 7, false, false, "parent: Entry x", true, "not-found", NULL},
    {"already there before everything", C, 3, 7, false, false, "parent: Entry x", true, "already-exists", NULL},
    {"version before body", U, 3, 7, false, false, "parent: Entry x", true, "version-mismatch", NULL},
    {"body before schema", U, 3, 3, false, false, "parent: Entry x", true, "schema-violation", "The command has no body."},
    {"schema before links", U, 3, 3, true, false, "parent: Entry x", true, "schema-violation", "The data does not match the schema of Entry."},
    {"version before being linked", D, 3, 7, false, false, NULL, true, "version-mismatch", NULL},
    {"not found before being linked", D, 0, ANY, false, false, NULL, true, "not-found", NULL},
};

static void each_rule_decides_in_its_order(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t version = cases[i].version;
        rejection_t rejection = rules_decide(&(facts_t){
            .type = &entry,
            .verb = (verb_t)cases[i].verb,
            .id = "e1",
            .state = {.version = version < 0 ? -version : version, .deleted = version < 0},
            .expected_version = cases[i].expected,
            .has_body = cases[i].has_body,
            .data_valid = cases[i].data_valid,
            .missing_link = cases[i].missing_link,
            .linked = cases[i].linked,
        });
        const char *type = rejection.type ? rejection.type : "accepted", *expected = cases[i].type ? cases[i].type : "accepted";
        if (strcmp(type, expected)) fail_msg("%s: %s instead of %s", cases[i].what, type, expected);
        if (cases[i].detail) assert_string_equal(rejection.detail, cases[i].detail);
        if (!rejection.type) assert_string_equal(rejection.detail, "");
    }
}

static void a_patch_that_cannot_be_applied_is_told_after_the_version_and_before_the_schema(void **state) {
    (void)state;
    facts_t facts = {.type = &entry, .verb = VERB_UPDATE, .id = "e1", .state = {.version = 3}, .expected_version = 3,
                     .has_body = true, .patch_error = "/a is not there", .missing_link = "parent: Entry x"};
    rejection_t rejection = rules_decide(&facts);
    assert_string_equal(rejection.type, "patch-failed");
    assert_string_equal(rejection.detail, "The patch cannot be applied: /a is not there.");
    facts.expected_version = 2;
    assert_string_equal(rules_decide(&facts).type, "version-mismatch");
    facts.state.deleted = true;
    assert_string_equal(rules_decide(&facts).type, "not-found");
}

static void a_value_that_is_taken_is_told_after_links_and_names_its_member(void **state) {
    (void)state;
    facts_t facts = {.type = &entry, .verb = VERB_CREATE, .id = "e1", .expected_version = ANY, .has_body = true, .data_valid = true,
                     .taken = "mail"};
    rejection_t rejection = rules_decide(&facts);
    assert_string_equal(rejection.type, "not-unique");
    assert_string_equal(rejection.detail, "Another Entry has the same value: mail.");
    facts.missing_link = "parent: Entry x";
    assert_string_equal(rules_decide(&facts).type, "link-missing");
    facts.missing_link = facts.taken = NULL;
    facts.contended = "mail";
    rejection = rules_decide(&facts);
    assert_string_equal(rejection.type, "not-unique");
    assert_string_equal(rejection.detail, "Another command is setting the same value at this moment: mail.");
    facts.verb = VERB_DELETE;
    facts.state.version = 1;
    assert_null(rules_decide(&facts).type);
}

static void a_key_that_came_with_another_command_is_told_before_everything(void **state) {
    (void)state;
    facts_t facts = {.type = &entry, .verb = VERB_UPDATE, .id = "e1", .expected_version = 7, .key_reused = true};
    assert_string_equal(rules_decide(&facts).type, "idempotency-key-reused");
    facts = (facts_t){.type = &entry, .verb = VERB_DELETE, .id = "e1", .state = {.version = 1}, .expected_version = ANY, .key_reused = true};
    assert_string_equal(rules_decide(&facts).type, "idempotency-key-reused");
}

static void a_detail_that_is_too_long_is_cut_but_not_within_a_character(void **state) {
    (void)state;
    char link[1000];
    for (size_t start = 0; start < 4; start++) {
        memset(link, 'x', start);
        for (size_t at = start; at + 4 < sizeof link; at += 4) memcpy(link + at, "\xf0\x9f\xaa\xb2", 5);
        rejection_t rejection = rules_decide(&(facts_t){.type = &entry, .verb = VERB_CREATE, .id = "e1",
                                                        .expected_version = ANY, .has_body = true, .data_valid = true,
                                                        .missing_link = link});
        size_t len = strlen(rejection.detail);
        assert_in_range(len, sizeof rejection.detail - 4, sizeof rejection.detail - 1);
        json_t *text = json_stringn(rejection.detail, len); /* which refuses a half character */
        assert_non_null(text);
        json_decref(text);
    }
}

static void a_detail_of_every_length_is_terminated(void **state) {
    (void)state;
    char link[400];
    for (size_t len = 0; len < sizeof link; len++) {
        memset(link, 'x', len);
        link[len] = '\0';
        rejection_t rejection = rules_decide(&(facts_t){.type = &entry, .verb = VERB_CREATE, .id = "e1",
                                                        .expected_version = ANY, .has_body = true, .data_valid = true,
                                                        .missing_link = link});
        char whole[500];
        snprintf(whole, sizeof whole, "The body links to what does not exist: %s.", link);
        whole[sizeof rejection.detail - 1] = '\0';
        assert_string_equal(rejection.detail, whole);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_rule_decides_in_its_order),
        cmocka_unit_test(a_patch_that_cannot_be_applied_is_told_after_the_version_and_before_the_schema),
        cmocka_unit_test(a_value_that_is_taken_is_told_after_links_and_names_its_member),
        cmocka_unit_test(a_key_that_came_with_another_command_is_told_before_everything),
        cmocka_unit_test(a_detail_that_is_too_long_is_cut_but_not_within_a_character),
        cmocka_unit_test(a_detail_of_every_length_is_terminated),
    };
    return cmocka_run_group_tests_name("rules", tests, NULL, NULL);
}
