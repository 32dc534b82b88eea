/* The materializer: events → snapshots. */
#include "services/materializer/materializer.h"

static int port(const settings_t *settings) {
    return settings->ports.materializer;
}

int main(int argc, char **argv) {
    return service_main(
        &(service_t){
            .name = "materializer",
            .about = "keeps the snapshot of every entity",
            .port = port,
            .open = materializer_open,
            .ready = sink_ready,
            .run = sink_run,
            .close = sink_free,
        },
        argc, argv);
}
