/* Many bodies in one request: a POST to a collection with a JSON array, or with lines of JSON. Each is an order of its
   own, and the answer has an item for each, in their order. */
#ifndef ODRADEK_COMMAND_API_BATCH_H
#define ODRADEK_COMMAND_API_BATCH_H

#include "services/command-api/command_api.h"

/* A route's `begin`: takes the body where it comes in lines. `context` is its command_route_t. */
void batch_begin(http_request_t *request, void *context);
/* Whether a body is an array, and so a batch. */
bool batch_is(const char *body, size_t len);
/* A request whose body is one. */
void batch_handle(http_request_t *request, const command_route_t *route);

#endif
