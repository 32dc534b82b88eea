/* The table of formats, and those that are short. */
#include "common/schema_format.h"

#include "common/schema_internal.h"

static const struct {
    const char *name;
    format_fn *check;
} formats[] = {
    {"date-time", format_date_time},
    {"date", format_date},
    {"time", format_time},
    {"duration", format_duration},
    {"email", format_email},
    {"idn-email", format_idn_email},
    {"hostname", format_hostname},
    {"idn-hostname", format_idn_hostname},
    {"ipv4", format_ipv4},
    {"ipv6", format_ipv6},
    {"uri", format_uri},
    {"uri-reference", format_uri_reference},
    {"iri", format_iri},
    {"iri-reference", format_iri_reference},
    {"uri-template", format_uri_template},
    {"uuid", format_uuid},
    {"json-pointer", format_json_pointer},
    {"relative-json-pointer", format_relative_json_pointer},
    {"regex", format_regex},
};

uint32_t schema_format_find(const char *name) {
    for (uint32_t i = 0; i < ARRAY_LEN(formats); i++) {
        if (strcmp(formats[i].name, name) == 0) return i;
    }
    return NONE;
}

const char *schema_format_name(uint32_t format) {
    return formats[format].name;
}

bool schema_format_check(uint32_t format, const char *text, size_t len) {
    return formats[format].check(text, len);
}

uint32_t format_point(const char **text, const char *end) {
    if (*text >= end) return UINT32_MAX;
    unsigned char first = (unsigned char)*(*text)++;
    if (first < 0x80) return first;
    if (first < 0xc2) return UINT32_MAX;
    int more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    uint32_t point = first & (0x3fu >> more);
    for (; more > 0; more--) {
        if (*text >= end || ((unsigned char)**text & 0xc0) != 0x80) return UINT32_MAX;
        point = point << 6 | ((unsigned char)*(*text)++ & 0x3f);
    }
    return point;
}

/* RFC 9562, section 4. */
bool format_uuid(const char *text, size_t len) {
    if (len != 36) return false;
    for (size_t i = 0; i < len; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text[i] != '-' : !format_is_hex(text[i])) return false;
    }
    return true;
}

/* RFC 6901, section 3. */
bool format_json_pointer(const char *text, size_t len) {
    if (len == 0) return true;
    if (text[0] != '/') return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '~' && (i + 1 == len || (text[i + 1] != '0' && text[i + 1] != '1'))) return false;
    }
    return true;
}

/* A number without needless zeros; how many digits, 0 when it is none. */
static size_t plain_number(const char *text, size_t len) {
    size_t digits = 0;
    while (digits < len && format_is_digit(text[digits])) digits++;
    return digits > 1 && text[0] == '0' ? 0 : digits;
}

/* draft-bhutton-relative-json-pointer-00, section 3. */
bool format_relative_json_pointer(const char *text, size_t len) {
    size_t digits = plain_number(text, len);
    if (digits == 0) return false;
    if (digits < len && (text[digits] == '+' || text[digits] == '-')) {
        size_t more = plain_number(text + digits + 1, len - digits - 1);
        if (more == 0) return false;
        digits += 1 + more;
    }
    text += digits;
    len -= digits;
    return (len == 1 && text[0] == '#') || format_json_pointer(text, len);
}

bool format_regex(const char *text, size_t len) {
    return schema_regex_check(text, len);
}
