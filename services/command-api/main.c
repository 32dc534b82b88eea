/* The command API: requests → commands. */
#include "services/command-api/command_api.h"

static int port(const settings_t *settings) {
    return settings->ports.command_api;
}

int main(int argc, char **argv) {
    return service_main(
        &(service_t){
            .name = "command-api",
            .about = "takes commands over HTTP, checks them and writes them to the log",
            .port = port,
            .open = command_api_open,
            .routes = command_api_routes,
            .ready = command_api_ready,
            .run = command_api_run,
            .drain = command_api_drain,
            .close = command_api_close,
        },
        argc, argv);
}
