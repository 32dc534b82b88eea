/* The entities that others link to, to be sent with them: each once. */
#ifndef ODRADEK_QUERY_INCLUDE_H
#define ODRADEK_QUERY_INCLUDE_H

#include "services/query-api/query_api.h"

typedef struct include include_t;
typedef void (*include_done_t)(status_t status, void *context);

/* `names`: members with commas between them, borrowed. NULL: one of them is no link, and `error` says which there are. */
include_t *include_new(const query_route_t *route, const char *names, err_t *error) MUST_CHECK;
void include_free(include_t *include); /* NULL is fine */
/* Takes up what an entity with these data links to. */
void include_take(include_t *include, const char *data, size_t len);
/* Reads what was taken up; then calls `done`, perhaps at once. */
void include_read(include_t *include, include_done_t done, void *context);
/* Appends what was read, as members of an object: ,"included":[…], and where some had to be left out ,"includedMore":true. */
void include_add(const include_t *include, strbuf_t *out);

#endif
