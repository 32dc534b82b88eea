/* Which events a live stream gives. */
#ifndef ODRADEK_QUERY_SIEVE_H
#define ODRADEK_QUERY_SIEVE_H

#include "model/types.h"

/* A kind of event: a type and a verb as one number; SIEVE_UNKNOWN: none that settings know. */
enum { SIEVE_UNKNOWN = -1, SIEVE_KINDS = 1024 };
int sieve_kind(const types_t *types, const char *event, size_t len);

/* A zeroed one takes all. */
typedef struct sieve {
    bool by_kind;
    uint64_t kinds[SIEVE_KINDS / 64];
    char **ids; /* sorted; `ids_count` 0: any */
    size_t ids_count;
} sieve_t;

void sieve_free(sieve_t *filter); /* leaves it empty */
/* Takes a type's events only. */
void sieve_set_type(sieve_t *filter, const types_t *types, const entity_type_t *type);
/* Narrows it to a list, with commas, of names of events or entity types. False: one is not among what it took. */
bool sieve_set_types(sieve_t *filter, const types_t *types, const char *list, err_t *error);
/* Narrows it to a list of ids. False: one is no id, or they are too many. */
bool sieve_set_ids(sieve_t *filter, const char *list, err_t *error);
bool sieve_takes(const sieve_t *filter, int kind, const char *id);

#endif
