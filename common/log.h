/* Log lines on stderr: JSON, one object a line ({"time","level","service","message"}); on a terminal a line to read.
   Any thread may log. Nothing below `service` does, but for the threads that have no caller to return an error to. */
#ifndef ODRADEK_LOG_H
#define ODRADEK_LOG_H

#include "common/base.h"

#include <stdbool.h>

typedef enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG } log_level_t;

/* `service` is borrowed. Without this call lines name no service and debug lines are dropped. */
void log_open(const char *service, bool debug);
void log_write(log_level_t level, const char *format, ...) PRINTF_LIKE(2, 3);

#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_write(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)

/* A condition that lasts, said when it begins, when its text changes, and when it ends: not at every turn of a loop.
   A zeroed one is ready. */
typedef struct log_condition {
    char text[256]; /* what was said last; empty: all is well */
} log_condition_t;

void log_condition_begin(log_condition_t *condition, const char *what, const char *why);
void log_condition_end(log_condition_t *condition, const char *what);

#endif
