/* The validator: commands → events and outcomes, each batch in one Kafka transaction. */
#ifndef ODRADEK_VALIDATOR_H
#define ODRADEK_VALIDATOR_H

#include "services/service.h"

/* As service_t has them. */
void *validator_open(const service_context_t *context, err_t *error);
bool validator_ready(void *self, err_t *why);
status_t validator_run(void *self, err_t *error);
void validator_close(void *self);

#endif
