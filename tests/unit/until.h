/* Waits for a condition, not for a time: it is looked at again and again until a deadline that only a failure meets. */
#ifndef ODRADEK_TEST_UNTIL_H
#define ODRADEK_TEST_UNTIL_H

#include "common/clock.h"

#define UNTIL_DEADLINE_US (60 * 1000000LL)

#define UNTIL(condition)                                                                                               \
    do {                                                                                                               \
        int64_t until_deadline = clock_monotonic_us() + UNTIL_DEADLINE_US;                                             \
        while (!(condition)) {                                                                                         \
            if (clock_monotonic_us() > until_deadline) fail_msg("not in time: %s", #condition);                        \
            clock_sleep_ms(1);                                                                                         \
        }                                                                                                              \
    } while (0)

#endif
