/* What a client takes. */
#include "services/query-api/accept.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A media type, and what the header says of it. */
typedef struct wanted {
    const char *type, *family; /* "text/event-stream", "text/ *" */
    int specific;              /* of the range that was found: 0 none, 1 any, 2 the family, 3 the type */
    double quality;
} wanted_t;

static int match(const wanted_t *wanted, const char *range, size_t len) {
    const char *const forms[] = {"*/*", wanted->family, wanted->type};
    for (int i = 0; i < 3; i++)
        if (strlen(forms[i]) == len && !strncasecmp(forms[i], range, len)) return i + 1;
    return 0;
}

/* The weight among a range's parameters, which end with `end`; 1 where there is none. */
static double quality_of(const char *at, const char *end) {
    for (; at < end; at += strcspn(at, ";,")) {
        at += strspn(at, "; \t");
        if (!strncasecmp(at, "q=", 2)) return strtod(at + 2, NULL);
        if (*at == ',' || !*at) break;
    }
    return 1;
}

/* The most specific range counts. */
static void weigh(wanted_t *wanted, const char *header) {
    for (const char *at = header; *at; at += strspn(at, ", \t")) {
        const char *end = at + strcspn(at, ",");
        size_t len = strcspn(at, ",; \t");
        int specific = match(wanted, at, len);
        if (specific > wanted->specific) {
            wanted->specific = specific;
            wanted->quality = quality_of(at + len, end);
        }
        at = end;
    }
}

bool accept_event_stream(const char *header) {
    wanted_t stream = {.type = "text/event-stream", .family = "text/*"};
    wanted_t json = {.type = "application/json", .family = "application/*"};
    if (!header) return false;
    weigh(&stream, header);
    weigh(&json, header);
    if (stream.specific < 2 || !(stream.quality > 0)) return false;
    return stream.quality >= json.quality;
}
