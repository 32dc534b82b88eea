/* SIGTERM and SIGINT as a flag that loops look at. A second signal ends the process at once. */
#ifndef ODRADEK_STOP_H
#define ODRADEK_STOP_H

#include <stdbool.h>

void stop_install(void);      /* also ignores SIGPIPE: a peer that went away is an error of that write */
bool stop_requested(void);    /* true from the first signal, or stop_request, on */
void stop_request(void);      /* the same from inside, when a loop cannot go on */

#endif
