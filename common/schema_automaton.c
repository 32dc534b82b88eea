/* Simple patterns as deterministic automata: what is anchored at both ends and made of ASCII characters, classes,
   groups, alternatives and counts needs one look at a table for each byte, and can go back nowhere.

   The automaton is Glushkov's, a position for each character of the pattern, made deterministic at once. Patterns that
   are anything else, or would need too many positions or states, are left to PCRE2. */
#include "common/mem.h"
#include "common/schema_internal.h"

#include <stdlib.h>

#define POSITIONS 64 /* bits of a set */
#define STATES 64
#define ATOMS 512 /* that are read, counting those that are read again for their counts */

struct automaton {
    uint32_t classes;       /* of bytes that no position tells apart; 0: of those that none has */
    uint8_t class_of[256];
    uint64_t accepting;     /* states; 0 is where nothing goes on, 1 the first */
    uint8_t next[];         /* state × class */
};

typedef struct reader {
    const char *at, *end;
    unsigned count, atoms;
    uint64_t follow[POSITIONS];
    uint64_t chars[POSITIONS][2]; /* ASCII, as bits */
    bool failed;
} reader_t;

/* A part of the pattern: positions that it may begin and end with, and whether it may be empty. */
typedef struct part {
    uint64_t first, last;
    bool empty;
} part_t;

static part_t fail_part(reader_t *reader) {
    reader->failed = true;
    reader->at = reader->end;
    return (part_t){0};
}

static void link_positions(reader_t *reader, uint64_t from, uint64_t to) {
    for (; from; from &= from - 1) reader->follow[__builtin_ctzll(from)] |= to;
}

static part_t join(reader_t *reader, part_t a, part_t b) {
    link_positions(reader, a.last, b.first);
    return (part_t){a.first | (a.empty ? b.first : 0), b.last | (b.empty ? a.last : 0), a.empty && b.empty};
}

static void add_range(uint64_t chars[2], unsigned from, unsigned to) {
    for (unsigned c = from; c <= to; c++) chars[c / 64] |= UINT64_C(1) << (c % 64);
}

/* What follows a backslash; the character where it is one, else 0 with the class added. False: something else. */
static bool read_escape(reader_t *reader, uint64_t chars[2], unsigned *c) {
    if (reader->at == reader->end) return false;
    *c = (unsigned char)*reader->at++;
    if (*c == 'd' || *c == 'w') add_range(chars, '0', '9');
    if (*c == 'w') {
        add_range(chars, 'a', 'z');
        add_range(chars, 'A', 'Z');
        add_range(chars, '_', '_');
    }
    if (*c == 'd' || *c == 'w') *c = 0;
    return *c == 0 || strchr("^$\\.*+?()[]{}|/-", (int)*c);
}

/* A character of a class; 0 where it was a class itself. */
static bool read_member(reader_t *reader, uint64_t chars[2], unsigned *c) {
    if (reader->at == reader->end) return false;
    *c = (unsigned char)*reader->at++;
    if (*c == '\\') return read_escape(reader, chars, c);
    return *c >= ' ' && *c < 127;
}

static bool read_class(reader_t *reader, uint64_t chars[2]) {
    if (reader->at == reader->end || *reader->at == '^') return false;
    while (reader->at < reader->end && *reader->at != ']') {
        unsigned from, to;
        if (!read_member(reader, chars, &from)) return false;
        if (from == 0) continue;
        to = from;
        if (reader->end - reader->at > 1 && reader->at[0] == '-' && reader->at[1] != ']') {
            reader->at++;
            if (!read_member(reader, chars, &to) || to < from) return false;
        }
        add_range(chars, from, to);
    }
    return reader->at++ < reader->end;
}

static part_t read_alternatives(reader_t *reader);

static part_t read_group(reader_t *reader) {
    if (reader->at < reader->end && *reader->at == '?') {
        if (reader->end - reader->at < 2 || reader->at[1] != ':') return fail_part(reader);
        reader->at += 2;
    }
    part_t part = read_alternatives(reader);
    if (reader->at == reader->end) return fail_part(reader);
    reader->at++;
    return part;
}

static part_t read_atom(reader_t *reader) {
    unsigned c = (unsigned char)*reader->at++;
    if (++reader->atoms > ATOMS) return fail_part(reader);
    if (c == '(') return read_group(reader);
    if (reader->count == POSITIONS || c < ' ' || c >= 127 || strchr("^$.*+?{}]", (int)c)) return fail_part(reader);
    unsigned position = reader->count++;
    uint64_t *chars = reader->chars[position], bit = UINT64_C(1) << position;
    bool fine = c == '[' ? read_class(reader, chars) : c != '\\' || read_escape(reader, chars, &c);
    if (!fine) return fail_part(reader);
    if (c != '[' && c != 0) add_range(chars, c, c);
    return (part_t){bit, bit, false};
}

/* {least,most}; most is 0 where there is none. */
static bool read_counts(reader_t *reader, unsigned *least, unsigned *most) {
    char *rest;
    *least = (unsigned)strtoul(reader->at, &rest, 10);
    *most = *least;
    if (*rest == ',') {
        bool open = rest[1] == '}';
        *most = open ? 0 : (unsigned)strtoul(rest + 1, &rest, 10);
        if (open) rest++;
    }
    if (*rest != '}' || *least > POSITIONS || *most > POSITIONS || (*least == 0 && *most == 0 && rest[-1] != ','))
        return false;
    reader->at = rest + 1;
    return true;
}

static part_t again(reader_t *reader, const char *atom) {
    const char *behind = reader->at;
    reader->at = atom;
    part_t part = read_atom(reader);
    if (!reader->failed) reader->at = behind;
    return part;
}

static part_t repeat(reader_t *reader, part_t part, const char *atom, unsigned least, unsigned most) {
    part_t all = part;
    if (most == 0 && least <= 1) link_positions(reader, part.last, part.first);
    all.empty |= least == 0;
    for (unsigned i = 1; i < (most ? most : least) && !reader->failed; i++) {
        part_t next = again(reader, atom);
        if (most == 0 && i + 1 == least) link_positions(reader, next.last, next.first);
        next.empty |= i >= least;
        all = join(reader, all, next);
    }
    return all;
}

static part_t read_piece(reader_t *reader) {
    const char *atom = reader->at;
    part_t part = read_atom(reader);
    unsigned least = 1, most = 1;
    if (reader->at == reader->end) return part;
    char c = *reader->at;
    if (!strchr("*+?{", c)) return part;
    reader->at++;
    if (c == '{' && !read_counts(reader, &least, &most)) return fail_part(reader);
    if (c == '*' || c == '?') least = 0;
    if (c == '*' || c == '+') most = 0;
    if (reader->at < reader->end && *reader->at == '?') reader->at++; /* as few as may be: it is all the same */
    return repeat(reader, part, atom, least, most);
}

static part_t read_sequence(reader_t *reader) {
    part_t all = {.empty = true};
    while (reader->at < reader->end && *reader->at != '|' && *reader->at != ')')
        all = join(reader, all, read_piece(reader));
    return all;
}

static part_t read_alternatives(reader_t *reader) {
    part_t all = read_sequence(reader);
    while (reader->at < reader->end && *reader->at == '|') {
        reader->at++;
        part_t other = read_sequence(reader);
        all = (part_t){all.first | other.first, all.last | other.last, all.empty || other.empty};
    }
    return all;
}

/* ---- Made deterministic ---- */

typedef struct builder {
    const reader_t *reader;
    part_t all;
    uint64_t sets[STATES]; /* positions that were just read; of the first state none were */
    uint64_t masks[129];   /* of each class: the positions that have it */
    uint32_t states, classes;
    uint8_t class_of[256];
    uint8_t next[STATES][129];
} builder_t;

static void find_classes(builder_t *builder) {
    builder->classes = 1;
    for (unsigned c = 0; c < 128; c++) {
        uint64_t mask = 0;
        for (unsigned p = 0; p < builder->reader->count; p++)
            mask |= (builder->reader->chars[p][c / 64] >> (c % 64) & 1) << p;
        uint32_t class = 0;
        while (class < builder->classes && builder->masks[class] != mask) class++;
        if (class == builder->classes) builder->masks[builder->classes++] = mask;
        builder->class_of[c] = (uint8_t)class;
    }
}

static uint64_t reach(const builder_t *builder, uint32_t state) {
    uint64_t reached = state == 1 ? builder->all.first : 0;
    for (uint64_t set = builder->sets[state]; set; set &= set - 1)
        reached |= builder->reader->follow[__builtin_ctzll(set)];
    return reached;
}

/* False: there are too many states. */
static bool find_states(builder_t *builder) {
    builder->states = 2;
    for (uint32_t state = 1; state < builder->states; state++) {
        uint64_t reached = reach(builder, state);
        for (uint32_t class = 1; class < builder->classes; class++) {
            uint64_t set = reached & builder->masks[class];
            uint32_t target = set ? 2 : 0;
            while (set && target < builder->states && builder->sets[target] != set) target++;
            if (target == STATES) return false;
            if (target == builder->states) builder->sets[builder->states++] = set;
            builder->next[state][class] = (uint8_t)target;
        }
    }
    return true;
}

static automaton_t *finish(const builder_t *builder) {
    automaton_t *automaton = mem_zero(1, sizeof *automaton + (size_t)builder->states * builder->classes);
    automaton->classes = builder->classes;
    memcpy(automaton->class_of, builder->class_of, sizeof automaton->class_of);
    for (uint32_t state = 0; state < builder->states; state++) {
        memcpy(automaton->next + state * builder->classes, builder->next[state], builder->classes);
        bool ends = builder->sets[state] & builder->all.last || (state == 1 && builder->all.empty);
        automaton->accepting |= (uint64_t)ends << state;
    }
    return automaton;
}

automaton_t *schema_automaton_new(const char *source, size_t len) {
    if (len < 2 || source[0] != '^' || source[len - 1] != '$' || memchr(source, '\0', len)) return NULL;
    reader_t *reader = mem_zero(1, sizeof *reader);
    builder_t *builder = mem_zero(1, sizeof *builder);
    reader->at = source + 1;
    reader->end = source + len - 1;
    builder->reader = reader;
    builder->all = read_sequence(reader);
    automaton_t *automaton = NULL;
    if (!reader->failed && reader->at == reader->end) {
        find_classes(builder);
        if (find_states(builder)) automaton = finish(builder);
    }
    free(builder);
    free(reader);
    return automaton;
}

bool schema_automaton_match(const automaton_t *automaton, const char *text, size_t len) {
    uint32_t state = 1;
    for (size_t i = 0; i < len && state; i++)
        state = automaton->next[state * automaton->classes + automaton->class_of[(unsigned char)text[i]]];
    return automaton->accepting >> state & 1;
}
