"""Four of schemathesis' checks where they know less than the API: each takes the place of the one that it calls, for
everything but what it says."""

import re

import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance, use_after_free

# What is refused for what there is, or was before, and not for what the request says.
STATE = {"already-exists", "condition-required", "gone", "idempotency-key-reused", "link-missing", "linked", "not-found",
         "not-unique", "patch-failed", "version-mismatch"}


def problem(response):
    if response.headers.get("content-type", [""])[0] != "application/problem+json":
        return {}
    return response.json()


def header(case, name):
    return next((value for key, value in (case.headers or {}).items() if key.lower() == name), None)


def is_beyond_any_schema(case, told):
    """What no OpenAPI document can say of a request that is refused."""
    kind = told.get("type", "").removeprefix("/problems/")
    return (kind in STATE
            # These are what a page, or a stream, said before, and opaque.
            or kind in ("invalid-cursor", "invalid-last-event-id")
            # Every request asks for JSON, which a live stream is not.
            or kind == "not-acceptable"
            or (kind == "invalid-parameter" and re.search("do not go together|goes with .* only", told["detail"]))
            # Each of the two is fine, both are not.
            or (kind == "invalid-header" and header(case, "if-match") and header(case, "if-none-match"))
            # Integers have 64 bits, wherever they are; a schema says that of one place.
            or (kind == "invalid-json" and re.search("too big (negative )?integer", told["detail"]))
            # What a patch makes is checked, and that depends on what there is; the patch itself was fine.
            or (kind == "schema-violation" and case.method == "PATCH"))


@schemathesis.check
def valid_data_is_accepted(ctx, response, case):
    if is_beyond_any_schema(case, problem(response)):
        return None
    return positive_data_acceptance(ctx, response, case)


@schemathesis.check
def invalid_data_is_refused(ctx, response, case):
    # A patch is looked at when it is decided: that the log has it says nothing of it yet.
    if case.method == "PATCH" and response.status_code == 202:
        return None
    # One bad item of a batch does not stop the others: each has a status of its own.
    if case.method == "POST" and response.status_code == 200 and isinstance(case.body, list):
        return None
    return negative_data_rejection(ctx, response, case)


@schemathesis.check
def what_was_deleted_is_gone(ctx, response, case):
    # 202 says that the log has the command, not that there is something to change: that is decided later.
    if response.status_code == 202:
        return None
    return use_after_free(ctx, response, case)


@schemathesis.check
def no_server_error(ctx, response, case):
    # A client that asked to wait for a version that did not come in time is told just that.
    if response.status_code == 504 and problem(response).get("type") == "/problems/not-yet":
        return None
    return not_a_server_error(ctx, response, case)
