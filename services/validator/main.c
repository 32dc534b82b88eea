/* The validator: commands → events and outcomes. */
#include "services/validator/validator.h"

static int port(const settings_t *settings) {
    return settings->ports.validator;
}

int main(int argc, char **argv) {
    return service_main(
        &(service_t){
            .name = "validator",
            .about = "decides commands by business rules into events and outcomes",
            .port = port,
            .open = validator_open,
            .ready = validator_ready,
            .run = validator_run,
            .close = validator_close,
        },
        argc, argv);
}
