/* Numbers as JSON has them: decimal. What jansson holds as a double stands for the shortest decimal that gives this
   double, which is what was written unless it had more digits than a double keeps. */
#include "common/schema_internal.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

__extension__ typedef unsigned __int128 wide_t;

int schema_compare_mixed(int64_t integer, double real) {
    if (real >= 0x1p63) return -1;
    if (real < -0x1p63) return 1;
    int64_t whole = (int64_t)real;
    if (integer != whole) return integer < whole ? -1 : 1;
    double fraction = real - (double)whole;
    return fraction > 0 ? -1 : fraction < 0;
}

bool schema_real_is_whole(double real) {
    return real == floor(real); /* reals are finite in jansson */
}

static decimal_t normal(uint64_t digits, int32_t exponent, bool negative) {
    if (digits == 0) return (decimal_t){0};
    for (; digits % 10 == 0; exponent++) digits /= 10;
    return (decimal_t){digits, exponent, negative};
}

/* Reads what printf's %e writes; whatever the locale's decimal point is, it is skipped. */
static decimal_t read_scientific(const char *text) {
    bool negative = *text == '-';
    uint64_t digits = 0;
    int count = 0;
    for (; *text && *text != 'e'; text++) {
        if (*text < '0' || *text > '9') continue;
        digits = digits * 10 + (uint64_t)(*text - '0');
        count++;
    }
    int exponent = *text == 'e' ? atoi(text + 1) : 0;
    return normal(digits, exponent - (count - 1), negative);
}

/* Any decimal of up to 15 digits comes back from a double, but from the smallest ones, which keep fewer. */
static decimal_t shortest(double real) {
    char text[40];
    for (int digits = fabs(real) < DBL_MIN ? 0 : 14; digits <= 16; digits++) {
        snprintf(text, sizeof text, "%.*e", digits, real);
        if (digits == 16 || strtod(text, NULL) == real) break;
    }
    return read_scientific(text);
}

decimal_t schema_decimal(const json_t *number) {
    if (json_is_integer(number)) {
        int64_t value = json_integer_value(number);
        return normal(value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 0, value < 0);
    }
    return shortest(json_real_value(number));
}

/* 10^exponent modulo `modulus`. */
static uint64_t power_of_ten(uint32_t exponent, uint64_t modulus) {
    uint64_t result = 1 % modulus, base = 10 % modulus;
    for (; exponent > 0; exponent >>= 1) {
        if (exponent & 1) result = (uint64_t)((wide_t)result * base % modulus);
        base = (uint64_t)((wide_t)base * base % modulus);
    }
    return result;
}

static bool decimal_is_multiple(decimal_t a, const decimal_t *b) {
    if (a.digits == 0) return true;
    if (a.exponent < b->exponent) return false; /* it has a digit below the divisor's last one */
    uint64_t power = power_of_ten((uint32_t)(a.exponent - b->exponent), b->digits);
    return (wide_t)(a.digits % b->digits) * power % b->digits == 0;
}

/* For the usual: a divisor with few decimals and a number of fewer than 15 digits. A double whose value times 10^n is
   a whole number below 10^15, and is that number divided by 10^n, stands for just this decimal. -1: not so easy. */
static int quick_multiple(double real, const decimal_t *divisor) {
    static const double powers[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};
    if (divisor->exponent > 0 || divisor->exponent <= -(int32_t)ARRAY_LEN(powers)) return -1;
    double power = powers[-divisor->exponent], scaled = fabs(real) * power;
    if (!(scaled < 1e15)) return -1;
    uint64_t whole = (uint64_t)(scaled + 0.5);
    if ((double)whole / power != fabs(real)) return 0;
    return divisor->digits == 1 || whole % divisor->digits == 0;
}

bool schema_is_multiple(const json_t *number, const decimal_t *divisor) {
    if (json_is_integer(number)) {
        int64_t value = json_integer_value(number);
        uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
        if (divisor->digits == 1 && divisor->exponent <= 0) return true;
        if (divisor->exponent == 0) return size % divisor->digits == 0;
        return decimal_is_multiple(normal(size, 0, false), divisor);
    }
    int quick = quick_multiple(json_real_value(number), divisor);
    if (quick >= 0) return quick;
    return decimal_is_multiple(shortest(json_real_value(number)), divisor);
}

/* ---- What is written, against what is kept ---- */

/* The significant digits of a JSON number, without its sign, leading and trailing zeros. */
static size_t significant(const char *text, size_t len, char *out, size_t size, int64_t *exponent) {
    size_t count = 0, kept = 0;
    int64_t point = 0;
    bool after_point = false;
    size_t i = 0;
    for (; i < len && (text[i] | 0x20) != 'e'; i++) {
        if (text[i] == '.') after_point = true;
        if (text[i] < '0' || text[i] > '9') continue;
        if (after_point) point--;
        if (text[i] == '0' && count == 0) continue;
        if (count < size) out[count] = text[i];
        count++;
        if (text[i] != '0') kept = count;
    }
    long written = i < len ? strtol(text + i + 1, NULL, 10) : 0;
    *exponent = point + written + (int64_t)(count - kept);
    return kept;
}

bool schema_number_is_kept(const char *text, size_t len) {
    char digits[20];
    int64_t exponent;
    if (!memchr(text, '.', len) && !memchr(text, 'e', len) && !memchr(text, 'E', len)) return true;
    size_t count = significant(text, len, digits, sizeof digits, &exponent);
    if (count == 0 || count > 17) return count == 0;
    uint64_t number = 0;
    for (size_t i = 0; i < count; i++) number = number * 10 + (uint64_t)(digits[i] - '0');
    json_t *kept = json_loadb(text, len, JSON_DECODE_ANY, NULL);
    decimal_t value = kept ? schema_decimal(kept) : (decimal_t){0};
    json_decref(kept);
    return value.digits == number && value.exponent == exponent;
}
