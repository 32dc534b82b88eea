/* Signals to a flag. */
#include "common/stop.h"

#include <signal.h>
#include <unistd.h>

static volatile sig_atomic_t requested;

static void on_signal(int signal) {
    if (requested) _exit(128 + signal);
    requested = 1;
}

void stop_install(void) {
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
}

bool stop_requested(void) {
    return requested;
}

void stop_request(void) {
    requested = 1;
}
