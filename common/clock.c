/* Time, and its text as RFC 3339 has it. */
#include "common/clock.h"

#include <stdio.h>
#include <time.h>

int64_t clock_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_monotonic_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void clock_sleep_ms(int64_t ms) {
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&pause, NULL);
}

void clock_format(int64_t ms, char text[CLOCK_TEXT_SIZE]) {
    int64_t fraction = ((ms % 1000) + 1000) % 1000;
    time_t seconds = (time_t)((ms - fraction) / 1000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    size_t len = strftime(text, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text + len, CLOCK_TEXT_SIZE - len, ".%03dZ", (int)fraction);
}

/* Reads exactly `count` digits; `*text` moves behind them. */
static bool parse_digits(const char **text, int count, int *number) {
    *number = 0;
    for (int i = 0; i < count; i++, (*text)++) {
        if (**text < '0' || **text > '9') return false;
        *number = *number * 10 + (**text - '0');
    }
    return true;
}

/* Milliseconds of a fraction like ".5" or ".123456", or of none; `*text` moves behind it. */
static bool parse_fraction(const char **text, int *ms) {
    *ms = 0;
    if (**text != '.') return true;
    const char *first = ++(*text);
    for (int unit = 100; **text >= '0' && **text <= '9'; (*text)++, unit /= 10) *ms += (**text - '0') * unit;
    return *text > first;
}

/* Seconds east of UTC of "Z" or "+hh:mm", which must end the text. */
static bool parse_offset(const char *text, int *seconds) {
    int hours, minutes, sign = *text == '-' ? -1 : 1;
    *seconds = 0;
    if (text[0] == 'Z') return text[1] == '\0';
    if (*text != '+' && *text != '-') return false;
    text++;
    if (!parse_digits(&text, 2, &hours) || *text++ != ':' || !parse_digits(&text, 2, &minutes)) return false;
    *seconds = sign * (hours * 3600 + minutes * 60);
    return *text == '\0' && hours < 24 && minutes < 60;
}

/* "2026-11-21T07:00:00"; `*text` moves behind it. Days that a month has not are found by the caller. */
static bool parse_date_time(const char **text, struct tm *utc) {
    const struct {
        int *number, digits, offset;
        char behind;
    } parts[] = {{&utc->tm_year, 4, 1900, '-'}, {&utc->tm_mon, 2, 1, '-'},  {&utc->tm_mday, 2, 0, 'T'},
                 {&utc->tm_hour, 2, 0, ':'},    {&utc->tm_min, 2, 0, ':'}, {&utc->tm_sec, 2, 0, '\0'}};
    for (int i = 0; i < 6; i++) {
        if (!parse_digits(text, parts[i].digits, parts[i].number)) return false;
        *parts[i].number -= parts[i].offset;
        if (parts[i].behind && *(*text)++ != parts[i].behind) return false;
    }
    return utc->tm_mon >= 0 && utc->tm_mon < 12 && utc->tm_hour < 24 && utc->tm_min < 60 && utc->tm_sec <= 60;
}

bool clock_parse(const char *text, int64_t *ms) {
    struct tm utc = {0};
    int fraction, offset;
    if (!parse_date_time(&text, &utc) || !parse_fraction(&text, &fraction) || !parse_offset(text, &offset)) return false;
    int day = utc.tm_mday, second = utc.tm_sec;
    int64_t seconds = (int64_t)timegm(&utc); /* which makes 1 March of 30 February */
    if (second < 60 && utc.tm_mday != day) return false;
    *ms = (seconds - offset) * 1000 + fraction;
    return true;
}
