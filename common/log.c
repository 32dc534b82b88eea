/* Log lines. */
#include "common/log.h"

#include "common/clock.h"
#include "common/strbuf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *name;
    const char *colour;
} levels[] = {
    [LOG_ERROR] = {"error", "\033[31m"},
    [LOG_WARN] = {"warn", "\033[33m"},
    [LOG_INFO] = {"info", ""},
    [LOG_DEBUG] = {"debug", "\033[2m"},
};

static const char *service_name = "";
static log_level_t lowest = LOG_INFO;
static bool terminal;

void log_open(const char *service, bool debug) {
    service_name = service;
    lowest = debug ? LOG_DEBUG : LOG_INFO;
    terminal = isatty(STDERR_FILENO);
}

static void add_json_line(strbuf_t *line, log_level_t level, const char *time, const char *message) {
    strbuf_addf(line, "{\"time\":\"%s\",\"level\":\"%s\",\"service\":", time, levels[level].name);
    strbuf_add_jsons(line, service_name);
    strbuf_adds(line, ",\"message\":");
    strbuf_add_jsons(line, message);
    strbuf_adds(line, "}\n");
}

void log_write(log_level_t level, const char *format, ...) {
    if (level > lowest) return;
    char message[1024], time[CLOCK_TEXT_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    err_mend(message);
    clock_format(clock_ms(), time);
    strbuf_t line = {0};
    if (terminal)
        strbuf_addf(&line, "%s%.12s %-5s %s\033[0m\n", levels[level].colour, time + 11, levels[level].name, message);
    else
        add_json_line(&line, level, time, message);
    /* One write, so that lines of several threads do not mix; a log that cannot be written has nobody to tell. */
    ssize_t written = write(STDERR_FILENO, line.data, line.len);
    (void)written;
    strbuf_free(&line);
}

void log_condition_begin(log_condition_t *condition, const char *what, const char *why) {
    if (!strncmp(condition->text, why, sizeof condition->text - 1)) return;
    snprintf(condition->text, sizeof condition->text, "%s", why);
    log_warn("%s: %s", what, why);
}

void log_condition_end(log_condition_t *condition, const char *what) {
    if (!condition->text[0]) return;
    condition->text[0] = '\0';
    log_info("%s: well again", what);
}
