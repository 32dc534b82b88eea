/* Keywords for strings and numbers. */
#include "common/schema_internal.h"

#define BYTES_PER_STEP 64 /* of texts that are matched */

/* Code points of valid UTF-8: all bytes but those that continue one. */
static size_t count_points(text_t text) {
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++) count += ((unsigned char)text.data[i] & 0xc0) != 0x80;
    return count;
}

/* A code point is one to four bytes, so that mostly the bytes decide. */
static bool is_short_enough(text_t text, uint64_t most) {
    return text.len <= most || (text.len / 4 <= most && count_points(text) <= most);
}

static bool is_long_enough(text_t text, uint64_t least) {
    return text.len >= least && (text.len / 4 >= least || count_points(text) >= least);
}

static bool run_pattern(run_t *run, const block_t *block, const op_t *op, text_t text) {
    const pattern_t *pattern = run->schema->patterns.items[op->a];
    run->steps -= (int64_t)(text.len / BYTES_PER_STEP);
    match_result_t result = schema_pattern_match(pattern, &run->matcher, text.data, text.len, &run->steps);
    if (result == MATCH_YES) return true;
    if (result == MATCH_NO) return FAIL(run, block, op, "must match %s", schema_pattern_source(pattern));
    return schema_run_limit(run, "a string takes too long to match a pattern");
}

static bool run_string_op(run_t *run, const block_t *block, const op_t *op, text_t text) {
    switch (op->code) {
    case OP_MIN_LENGTH:
        return LIKELY(is_long_enough(text, (uint64_t)op->integer)) ||
               FAIL(run, block, op, "must have at least %lld characters, has %zu", (long long)op->integer,
                    count_points(text));
    case OP_MAX_LENGTH:
        return LIKELY(is_short_enough(text, (uint64_t)op->integer)) ||
               FAIL(run, block, op, "must have at most %lld characters, has %zu", (long long)op->integer,
                    count_points(text));
    case OP_PATTERN: return run_pattern(run, block, op, text);
    default:
        return schema_format_check(op->a, text.data, text.len) ||
               FAIL(run, block, op, "must be of the format %s", schema_format_name(op->a));
    }
}

bool schema_run_string(run_t *run, const block_t *block, const op_t *op, const op_t *end, text_t text) {
    bool valid = true;
    for (; op < end && (valid || schema_goes_on(run)); op++) valid &= run_string_op(run, block, op, text);
    return valid;
}

/* ---- Numbers ---- */

static int compare_mixed(const json_t *value, const op_t *op) {
    if (json_is_integer(value)) return schema_compare_mixed(json_integer_value(value), op->real);
    return -schema_compare_mixed(op->integer, json_real_value(value));
}

static inline int compare(const json_t *value, const op_t *op) {
    if (json_is_integer(value) == op->flag) return compare_mixed(value, op);
    if (op->flag) {
        double real = json_real_value(value);
        return (real > op->real) - (real < op->real);
    }
    int64_t integer = json_integer_value(value);
    return (integer > op->integer) - (integer < op->integer);
}

static COLD bool fail_bound(run_t *run, const block_t *block, const op_t *op) {
    static const char *const words[] = {[OP_MINIMUM] = "at least",
                                        [OP_MAXIMUM] = "at most",
                                        [OP_EXCLUSIVE_MINIMUM] = "above",
                                        [OP_EXCLUSIVE_MAXIMUM] = "below"};
    if (op->flag) return schema_fail(run, block, op, "must be %s %.15g", words[op->code], op->real);
    return schema_fail(run, block, op, "must be %s %lld", words[op->code], (long long)op->integer);
}

static COLD bool fail_multiple(run_t *run, const block_t *block, const op_t *op) {
    char text[40];
    return schema_fail(run, block, op, "must be a multiple of %s", schema_excerpt(op->json, text, sizeof text));
}

static inline bool holds(run_t *run, const op_t *op, const json_t *value) {
    switch (op->code) {
    case OP_MINIMUM: return compare(value, op) >= 0;
    case OP_MAXIMUM: return compare(value, op) <= 0;
    case OP_EXCLUSIVE_MINIMUM: return compare(value, op) > 0;
    case OP_EXCLUSIVE_MAXIMUM: return compare(value, op) < 0;
    default: return schema_is_multiple(value, &run->schema->divisors.items[op->a]);
    }
}

bool schema_run_number(run_t *run, const block_t *block, const op_t *op, const op_t *end, const json_t *value) {
    bool valid = true;
    for (; op < end && (valid || schema_goes_on(run)); op++) {
        if (LIKELY(holds(run, op, value))) continue;
        valid = false;
        if (run->trace) op->code == OP_MULTIPLE ? fail_multiple(run, block, op) : fail_bound(run, block, op);
    }
    return valid;
}
