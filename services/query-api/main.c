/* The query API: both stores → answers. */
#include "services/query-api/query_api.h"

static int port(const settings_t *settings) {
    return settings->ports.query_api;
}

int main(int argc, char **argv) {
    return service_main(
        &(service_t){
            .name = "query-api",
            .about = "answers with entities, lists of them and their histories",
            .port = port,
            .open = query_api_open,
            .routes = query_api_routes,
            .ready = query_api_ready,
            .run = query_api_run,
            .drain = query_api_drain,
            .close = query_api_close,
        },
        argc, argv);
}
