/* The formats of the specification, each by its RFC. */
#ifndef ODRADEK_SCHEMA_FORMAT_H
#define ODRADEK_SCHEMA_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Each says whether the text is of the format; none needs it terminated. */
typedef bool format_fn(const char *text, size_t len);

format_fn format_date, format_time, format_date_time, format_duration;
format_fn format_email, format_idn_email, format_hostname, format_idn_hostname, format_ipv4, format_ipv6;
format_fn format_uri, format_uri_reference, format_iri, format_iri_reference, format_uri_template;
format_fn format_uuid, format_json_pointer, format_relative_json_pointer, format_regex;

static inline bool format_is_digit(char c) {
    return c >= '0' && c <= '9';
}

static inline bool format_is_alpha(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline bool format_is_alnum(char c) {
    return format_is_digit(c) || format_is_alpha(c);
}

static inline bool format_is_hex(char c) {
    return format_is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* The code point at *text, which moves behind it; UINT32_MAX where there is no UTF-8. */
uint32_t format_point(const char **text, const char *end);

#endif
