/* What a client takes: the Accept header of RFC 9110, 12.5.1. */
#ifndef ODRADEK_QUERY_ACCEPT_H
#define ODRADEK_QUERY_ACCEPT_H

#include <stdbool.h>

/* Whether an answer without end is wanted: text/event-stream is asked for by name (or as text/ *), and not less than JSON.
   A client that takes anything, or says nothing, is not one that asked. `header` NULL: there is none. */
bool accept_event_stream(const char *header);

#endif
