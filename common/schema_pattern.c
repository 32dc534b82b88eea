/* Patterns, compiled and matched with PCRE2, within limits. What is only a text with anchors needs no
   PCRE2, nor what an automaton can decide. */
#define PCRE2_CODE_UNIT_WIDTH 8

#include "common/mem.h"
#include "common/schema_internal.h"

#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>

#define FIRST_STEPS 2000     /* how often a match may go back and try again: enough for nearly all */
#define MATCH_STEPS 1000000  /* the same at its second try, which has a price */
#define MATCH_PRICE 100000   /* in steps of the run, so that a document cannot ask for many */
#define MATCH_MEMORY 16384   /* KiB, where compiled code has not stack enough */

typedef enum kind { KIND_REGEX, KIND_ALWAYS, KIND_EQUAL, KIND_PREFIX, KIND_SUFFIX, KIND_CONTAINS, KIND_AUTOMATON } kind_t;

struct pattern {
    kind_t kind;
    bool jit;
    char *source;
    const char *literal; /* in source */
    size_t literal_len;
    automaton_t *automaton;
    pcre2_code *code;
    pcre2_match_context *first, *second; /* limits */
};

/* Finds out whether a pattern is but a text, with ^ before it or $ behind it. */
static bool set_literal(pattern_t *pattern, size_t len) {
    const char *text = pattern->source;
    bool begins = len > 0 && text[0] == '^', ends = len > begins && text[len - 1] == '$';
    if (len == 2 && strcmp(text, ".*") == 0) len = 0;
    pattern->literal = text + begins;
    pattern->literal_len = len - begins - ends;
    for (size_t i = 0; i < pattern->literal_len; i++) {
        if (pattern->literal[i] == '\0' || strchr("^$\\.*+?()[]{}|", pattern->literal[i])) return false;
    }
    pattern->kind = begins && ends ? KIND_EQUAL : begins ? KIND_PREFIX : ends ? KIND_SUFFIX : KIND_CONTAINS;
    if (!(begins && ends) && pattern->literal_len == 0) pattern->kind = KIND_ALWAYS;
    return true;
}

static pcre2_match_context *new_limits(uint32_t steps) {
    pcre2_match_context *limits = pcre2_match_context_create(NULL);
    if (!limits) return NULL;
    pcre2_set_match_limit(limits, steps);
    pcre2_set_heap_limit(limits, MATCH_MEMORY);
    return limits;
}

static bool set_regex(pattern_t *pattern, const char *translated, char *why, size_t why_size) {
    int number;
    PCRE2_SIZE offset;
    pattern->code =
        pcre2_compile((PCRE2_SPTR)translated, PCRE2_ZERO_TERMINATED,
                      PCRE2_UTF | PCRE2_MATCH_UNSET_BACKREF | PCRE2_NEVER_BACKSLASH_C, &number, &offset, NULL);
    if (!pattern->code) {
        unsigned char message[120] = "";
        pcre2_get_error_message(number, message, sizeof message);
        snprintf(why, why_size, "not supported: %s", message);
        return false;
    }
    pattern->jit = pcre2_jit_compile(pattern->code, PCRE2_JIT_COMPLETE) == 0;
    pattern->first = new_limits(FIRST_STEPS);
    pattern->second = new_limits(MATCH_STEPS);
    return pattern->first && pattern->second;
}

static bool set_automaton(pattern_t *pattern, size_t len) {
    pattern->automaton = schema_automaton_new(pattern->source, len);
    if (pattern->automaton) pattern->kind = KIND_AUTOMATON;
    return pattern->automaton != NULL;
}

pattern_t *schema_pattern_new(const char *source, size_t len, bool literal, char *why, size_t why_size) {
    pattern_t *pattern = mem_zero(1, sizeof *pattern);
    pattern->source = mem_copy(source, len);
    snprintf(why, why_size, "out of memory");
    char *translated = schema_regex_translate(source, len, why, why_size);
    bool fine = translated && ((!literal && (set_literal(pattern, len) || set_automaton(pattern, len))) ||
                               set_regex(pattern, translated, why, why_size));
    free(translated);
    if (fine) return pattern;
    schema_pattern_free(pattern);
    return NULL;
}

void schema_pattern_free(pattern_t *pattern) {
    if (!pattern) return;
    free(pattern->automaton);
    pcre2_code_free(pattern->code);
    pcre2_match_context_free(pattern->first);
    pcre2_match_context_free(pattern->second);
    free(pattern->source);
    free(pattern);
}

const char *schema_pattern_source(const pattern_t *pattern) {
    return pattern->source;
}

/* ---- Memory of a run: the matcher's own as long as it lasts ---- */

static void *take_memory(size_t size, void *context) {
    matcher_t *matcher = context;
    size_t rounded = (size + 15) & ~(size_t)15;
    if (rounded > sizeof matcher->memory - matcher->used) return malloc(size);
    void *memory = matcher->memory + matcher->used;
    matcher->used += rounded;
    return memory;
}

static void give_memory(void *memory, void *context) {
    matcher_t *matcher = context;
    unsigned char *bytes = memory;
    if (bytes < matcher->memory || bytes >= matcher->memory + sizeof matcher->memory) free(memory);
}

static bool open_matcher(matcher_t *matcher) {
    if (matcher->match) return true;
    if (!matcher->general) matcher->general = pcre2_general_context_create(take_memory, give_memory, matcher);
    if (matcher->general) matcher->match = pcre2_match_data_create(1, matcher->general);
    return matcher->match != NULL;
}

void schema_matcher_close(matcher_t *matcher) {
    if (!matcher->general) return;
    pcre2_match_data_free(matcher->match);
    pcre2_general_context_free(matcher->general);
    matcher->general = matcher->match = NULL;
}

/* ---- Matching ---- */

static int try_match(const pattern_t *pattern, matcher_t *matcher, const char *text, size_t len,
                     pcre2_match_context *limits) {
    int result = PCRE2_ERROR_JIT_STACKLIMIT;
    PCRE2_SPTR subject = (PCRE2_SPTR)text;
    if (pattern->jit) result = pcre2_jit_match(pattern->code, subject, len, 0, 0, matcher->match, limits);
    if (result != PCRE2_ERROR_JIT_STACKLIMIT) return result;
    /* the interpreter keeps on the heap what it must remember */
    return pcre2_match(pattern->code, subject, len, 0, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, matcher->match, limits);
}

static match_result_t match_regex(const pattern_t *pattern, matcher_t *matcher, const char *text, size_t len,
                                  int64_t *steps) {
    if (!open_matcher(matcher)) return MATCH_LIMIT;
    int result = try_match(pattern, matcher, text, len, pattern->first);
    if (result == PCRE2_ERROR_MATCHLIMIT) {
        *steps -= MATCH_PRICE;
        if (*steps >= 0) result = try_match(pattern, matcher, text, len, pattern->second);
    }
    if (result >= 0) return MATCH_YES;
    return result == PCRE2_ERROR_NOMATCH ? MATCH_NO : MATCH_LIMIT;
}

match_result_t schema_pattern_match(const pattern_t *pattern, matcher_t *matcher, const char *text, size_t len,
                                    int64_t *steps) {
    size_t own = pattern->literal_len;
    switch (pattern->kind) {
    case KIND_ALWAYS: return MATCH_YES;
    case KIND_EQUAL: return len == own && memcmp(text, pattern->literal, own) == 0;
    case KIND_PREFIX: return len >= own && memcmp(text, pattern->literal, own) == 0;
    case KIND_SUFFIX: return len >= own && memcmp(text + len - own, pattern->literal, own) == 0;
    case KIND_CONTAINS: return memmem(text, len, pattern->literal, own) != NULL;
    case KIND_AUTOMATON: return schema_automaton_match(pattern->automaton, text, len);
    case KIND_REGEX: break;
    }
    return match_regex(pattern, matcher, text, len, steps);
}
