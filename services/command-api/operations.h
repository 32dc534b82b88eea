/* What command-api's routes are, for its OpenAPI document. */
#ifndef ODRADEK_COMMAND_API_OPERATIONS_H
#define ODRADEK_COMMAND_API_OPERATIONS_H

#include "services/openapi.h"

extern const openapi_operation_t operation_create, operation_put, operation_replace, operation_patch, operation_delete,
    operation_command_status;

#endif
