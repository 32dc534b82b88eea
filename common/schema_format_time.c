/* Dates, times and durations of RFC 3339. */
#include "common/schema_format.h"

#include <string.h>

/* `count` digits as a number; -1 when they are not that. */
static int digits(const char *text, size_t count) {
    int number = 0;
    for (size_t i = 0; i < count; i++) {
        if (!format_is_digit(text[i])) return -1;
        number = number * 10 + (text[i] - '0');
    }
    return number;
}

bool format_date(const char *text, size_t len) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (len != 10 || text[4] != '-' || text[7] != '-') return false;
    int year = digits(text, 4), month = digits(text + 5, 2), day = digits(text + 8, 2);
    if (year < 0 || month < 1 || month > 12 || day < 1) return false;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return day <= days[month - 1] + (month == 2 && leap);
}

/* Minutes east of UTC; false when it is no offset. */
static bool read_offset(const char *text, size_t len, int *minutes) {
    *minutes = 0;
    if (len == 1) return text[0] == 'Z' || text[0] == 'z';
    if (len != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':') return false;
    int hour = digits(text + 1, 2), minute = digits(text + 4, 2);
    *minutes = (text[0] == '-' ? -1 : 1) * (hour * 60 + minute);
    return hour >= 0 && hour <= 23 && minute >= 0 && minute <= 59;
}

/* A leap second is the last of a day in UTC. */
bool format_time(const char *text, size_t len) {
    if (len < 9 || text[2] != ':' || text[5] != ':') return false;
    int hour = digits(text, 2), minute = digits(text + 3, 2), second = digits(text + 6, 2), offset;
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) return false;
    size_t at = 8;
    if (text[at] == '.') {
        size_t start = ++at;
        while (at < len && format_is_digit(text[at])) at++;
        if (at == start) return false;
    }
    if (!read_offset(text + at, len - at, &offset)) return false;
    int utc = ((hour * 60 + minute - offset) % 1440 + 1440) % 1440;
    return second < 60 || utc == 1439;
}

bool format_date_time(const char *text, size_t len) {
    return len > 11 && format_date(text, 10) && (text[10] == 'T' || text[10] == 't') &&
           format_time(text + 11, len - 11);
}

/* Numbers, each with the next of `units`, none left out in between. How much was read; 0 when there is none. */
static size_t read_units(const char *text, size_t len, const char *units) {
    size_t at = 0;
    const char *expected = NULL; /* any, to begin with */
    while (at < len && format_is_digit(text[at])) {
        while (at < len && format_is_digit(text[at])) at++;
        const char *unit = at < len && text[at] ? strchr(units, text[at]) : NULL;
        if (!unit || (expected && unit != expected)) return 0;
        expected = unit + 1;
        at++;
    }
    return at;
}

/* RFC 3339, appendix A. */
bool format_duration(const char *text, size_t len) {
    if (len < 3 || text[0] != 'P') return false;
    text++;
    len--;
    if (text[len - 1] == 'W') return len >= 2 && read_units(text, len, "W") == len;
    size_t date = text[0] == 'T' ? 0 : read_units(text, len, "YMD");
    if (date == len) return true;
    if (text[date] != 'T' || (date == 0 && text[0] != 'T')) return false;
    size_t rest = len - date - 1;
    return rest > 0 && read_units(text + date + 1, rest, "HMS") == rest;
}
