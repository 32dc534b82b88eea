/* Time: the wall's in milliseconds for records, the monotonic in microseconds for measuring. */
#ifndef ODRADEK_CLOCK_H
#define ODRADEK_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define CLOCK_TEXT_SIZE 25 /* of "2026-11-21T07:00:00.000Z" with its end */

int64_t clock_ms(void);           /* since 1970, UTC */
int64_t clock_monotonic_us(void); /* since some start; never goes back */
void clock_sleep_ms(int64_t ms);  /* may be cut short by a signal */

/* RFC 3339, UTC, with milliseconds. */
void clock_format(int64_t ms, char text[CLOCK_TEXT_SIZE]);
/* Reads what clock_format writes; any fraction, and offsets other than Z, are understood. False: not such a time. */
bool clock_parse(const char *text, int64_t *ms);

#endif
