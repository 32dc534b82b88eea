/* What query-api's routes are, for its OpenAPI document. */
#ifndef ODRADEK_QUERY_API_OPERATIONS_H
#define ODRADEK_QUERY_API_OPERATIONS_H

#include "services/openapi.h"

extern const openapi_operation_t operation_list, operation_get, operation_history, operation_events, operation_all_events;

#endif
