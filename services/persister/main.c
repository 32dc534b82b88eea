/* The persister: events and outcomes → event store. */
#include "services/persister/persister.h"

static int port(const settings_t *settings) {
    return settings->ports.persister;
}

int main(int argc, char **argv) {
    return service_main(
        &(service_t){
            .name = "persister",
            .about = "keeps the history of every entity and the outcome of every command",
            .port = port,
            .open = persister_open,
            .ready = sink_ready,
            .run = sink_run,
            .close = sink_free,
        },
        argc, argv);
}
