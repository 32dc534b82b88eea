/* Headers of records: the request and the trace that a record belongs to. */
#include "common/kafka.h"

#include <string.h>

/* In Kafka's format a header has two lengths of at most five bytes each. */
enum { HEADER_LENGTHS = 10 };

void kafka_trace_read(const rd_kafka_message_t *message, trace_t *trace) {
    rd_kafka_headers_t *headers;
    trace_reader_t reader = {0};
    const char *name;
    const void *value;
    size_t len;
    if (!rd_kafka_message_headers(message, &headers))
        for (size_t i = 0; !rd_kafka_header_get_all(headers, i, &name, &value, &len); i++)
            if (value) trace_read_header(&reader, name, value, len);
    trace_read_end(&reader, trace);
}

rd_kafka_headers_t *kafka_trace_headers(const trace_t *trace) {
    rd_kafka_headers_t *headers = NULL;
    for (size_t i = 0; trace && i < TRACE_HEADERS; i++) {
        const char *value = trace_value(trace, i);
        if (!value) continue;
        if (!headers) headers = rd_kafka_headers_new(TRACE_HEADERS);
        rd_kafka_header_add(headers, trace_name(i), -1, value, -1);
    }
    return headers;
}

rd_kafka_headers_t *kafka_headers_copy(const rd_kafka_message_t *message) {
    rd_kafka_headers_t *own;
    return rd_kafka_message_headers(message, &own) ? rd_kafka_headers_new(4) : rd_kafka_headers_copy(own);
}

size_t kafka_headers_bytes(const rd_kafka_headers_t *headers) {
    const char *name;
    const void *value;
    size_t len, total = 0;
    for (size_t i = 0; headers && !rd_kafka_header_get_all(headers, i, &name, &value, &len); i++)
        total += strlen(name) + len + HEADER_LENGTHS;
    return total;
}
