/* The settings of all services: schemas/settings.json as a struct. */
#ifndef ODRADEK_MODEL_SETTINGS_H
#define ODRADEK_MODEL_SETTINGS_H

#include "common/base.h"
#include "common/kafka.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct settings_type {
    char *name;   /* "Entry" */
    char *base;   /* "entries" */
    char *schema; /* a file, seen from the settings file */
} settings_type_t;

typedef struct settings_remote {
    char *base; /* "https://example.com/schemas/" */
    char *path; /* a directory or a file, seen from the settings file */
} settings_remote_t;

typedef enum format_use { FORMAT_ANNOTATE, FORMAT_ASSERT } format_use_t;

typedef enum delete_linked { DELETE_LINKED_RESTRICT, DELETE_LINKED_ALLOW } delete_linked_t;

typedef struct settings {
    char *host;
    bool debug;
    struct settings_ports {
        int command_api, query_api, validator, persister, materializer;
    } ports;
    settings_type_t *types;
    uint32_t types_count;
    struct settings_schemas {
        settings_remote_t *remotes;
        uint32_t remotes_count;
        format_use_t format;
    } schemas;
    int partitions;
    struct settings_kafka {
        char *bootstrap_servers;
        int replication_factor;
        int transaction_timeout_ms;
        kafka_property_t *properties;
        uint32_t properties_count;
    } kafka;
    struct settings_redis {
        char **snapshots, **events;
        uint32_t snapshots_count, events_count;
    } redis;
    struct settings_retention {
        int commands_hours, outcomes_hours, idempotency_hours, dead_letters_hours;
    } retention;
    struct settings_rules {
        delete_linked_t delete_linked;
        bool require_conditions;
        int link_wait_ms;
    } rules;
    struct settings_limits {
        int body_bytes, connections, pending_commands, overlay_entities, overlay_megabytes, pending_seconds, wait_seconds,
            batch_items, batch_records, streams, stream_megabytes;
    } limits;
    struct settings_http {
        int threads, heartbeat_seconds;
        struct settings_cors {
            char **origins; /* "*": all */
            uint32_t origins_count;
            bool credentials;
            int max_age_seconds;
        } cors;
        char *viewer; /* a folder; empty: the checkout's own */
    } http;
} settings_t;

/* Reads the file; see config_load. The caller frees with settings_free. */
settings_t *settings_load(const char *path, err_t *error) MUST_CHECK;
void settings_free(settings_t *settings); /* NULL is fine */

#endif
