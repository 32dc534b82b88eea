/* Where each setting goes in the struct. What they mean, their defaults and bounds are in schemas/settings.json. */
#include "model/settings.h"

#include "common/config.h"
#include "common/embed.h"

#include <string.h>

EMBED(settings_schema_text, "schemas/settings.json");

enum { TEXT = CYAML_FLAG_POINTER, LIST = CYAML_FLAG_POINTER, TEXT_MAX = 4096, LIST_MAX = 1024 };

#define INT(key, group, member) CYAML_FIELD_INT(key, CYAML_FLAG_DEFAULT, struct settings_##group, member)

static const cyaml_schema_field_t ports[] = {
    INT("commandApi", ports, command_api),
    INT("queryApi", ports, query_api),
    INT("validator", ports, validator),
    INT("persister", ports, persister),
    INT("materializer", ports, materializer),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t type_fields[] = {
    CYAML_FIELD_STRING_PTR("name", TEXT, settings_type_t, name, 1, TEXT_MAX),
    CYAML_FIELD_STRING_PTR("base", TEXT, settings_type_t, base, 1, TEXT_MAX),
    CYAML_FIELD_STRING_PTR("schema", TEXT, settings_type_t, schema, 1, TEXT_MAX),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t type = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, settings_type_t, type_fields)};

static const cyaml_schema_field_t remote_fields[] = {
    CYAML_FIELD_STRING_PTR("base", TEXT, settings_remote_t, base, 1, TEXT_MAX),
    CYAML_FIELD_STRING_PTR("path", TEXT, settings_remote_t, path, 1, TEXT_MAX),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t remote = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, settings_remote_t, remote_fields)};

static const cyaml_strval_t formats[] = {{"annotate", FORMAT_ANNOTATE}, {"assert", FORMAT_ASSERT}};

static const cyaml_schema_field_t schemas[] = {
    CYAML_FIELD_SEQUENCE("remotes", LIST, struct settings_schemas, remotes, &remote, 0, LIST_MAX),
    CYAML_FIELD_ENUM("format", CYAML_FLAG_STRICT, struct settings_schemas, format, formats, ARRAY_LEN(formats)),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t property_fields[] = {
    CYAML_FIELD_STRING_PTR("name", TEXT, kafka_property_t, name, 0, TEXT_MAX),
    CYAML_FIELD_STRING_PTR("value", TEXT, kafka_property_t, value, 0, CYAML_UNLIMITED),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t property = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, kafka_property_t, property_fields)};

static const cyaml_schema_field_t kafka[] = {
    CYAML_FIELD_STRING_PTR("bootstrapServers", TEXT, struct settings_kafka, bootstrap_servers, 1, TEXT_MAX),
    INT("replicationFactor", kafka, replication_factor),
    INT("transactionTimeoutMs", kafka, transaction_timeout_ms),
    CYAML_FIELD_SEQUENCE("properties", LIST, struct settings_kafka, properties, &property, 0, LIST_MAX),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t server = {CYAML_VALUE_STRING(TEXT, char *, 1, TEXT_MAX)};

static const cyaml_schema_field_t redis[] = {
    CYAML_FIELD_SEQUENCE("snapshots", LIST, struct settings_redis, snapshots, &server, 1, LIST_MAX),
    CYAML_FIELD_SEQUENCE("events", LIST, struct settings_redis, events, &server, 1, LIST_MAX),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t retention[] = {
    INT("commandsHours", retention, commands_hours),
    INT("outcomesHours", retention, outcomes_hours),
    INT("idempotencyHours", retention, idempotency_hours),
    INT("deadLettersHours", retention, dead_letters_hours),
    CYAML_FIELD_END,
};

static const cyaml_strval_t delete_linked[] = {{"restrict", DELETE_LINKED_RESTRICT}, {"allow", DELETE_LINKED_ALLOW}};

static const cyaml_schema_field_t rules[] = {
    CYAML_FIELD_ENUM("deleteLinked", CYAML_FLAG_STRICT, struct settings_rules, delete_linked, delete_linked,
                     ARRAY_LEN(delete_linked)),
    CYAML_FIELD_BOOL("requireConditions", CYAML_FLAG_DEFAULT, struct settings_rules, require_conditions),
    INT("linkWaitMs", rules, link_wait_ms),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t limits[] = {
    INT("bodyBytes", limits, body_bytes),
    INT("connections", limits, connections),
    INT("pendingCommands", limits, pending_commands),
    INT("overlayEntities", limits, overlay_entities),
    INT("overlayMegabytes", limits, overlay_megabytes),
    INT("pendingSeconds", limits, pending_seconds),
    INT("waitSeconds", limits, wait_seconds),
    INT("batchItems", limits, batch_items),
    INT("batchRecords", limits, batch_records),
    INT("streams", limits, streams),
    INT("streamMegabytes", limits, stream_megabytes),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t origin = {CYAML_VALUE_STRING(TEXT, char *, 1, TEXT_MAX)};

static const cyaml_schema_field_t cors[] = {
    CYAML_FIELD_SEQUENCE("origins", LIST, struct settings_cors, origins, &origin, 0, LIST_MAX),
    CYAML_FIELD_BOOL("credentials", CYAML_FLAG_DEFAULT, struct settings_cors, credentials),
    INT("maxAgeSeconds", cors, max_age_seconds),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t http[] = {
    INT("threads", http, threads),
    CYAML_FIELD_MAPPING("cors", CYAML_FLAG_DEFAULT, struct settings_http, cors, cors),
    INT("heartbeatSeconds", http, heartbeat_seconds),
    CYAML_FIELD_STRING_PTR("viewer", TEXT, struct settings_http, viewer, 0, TEXT_MAX),
    CYAML_FIELD_END,
};

#define GROUP(name) CYAML_FIELD_MAPPING(#name, CYAML_FLAG_DEFAULT, settings_t, name, name)

static const cyaml_schema_field_t fields[] = {
    CYAML_FIELD_STRING_PTR("host", TEXT, settings_t, host, 1, TEXT_MAX),
    CYAML_FIELD_BOOL("debug", CYAML_FLAG_DEFAULT, settings_t, debug),
    GROUP(ports),
    CYAML_FIELD_SEQUENCE("contentTypes", LIST, settings_t, types, &type, 1, LIST_MAX),
    GROUP(schemas),
    CYAML_FIELD_INT("partitions", CYAML_FLAG_DEFAULT, settings_t, partitions),
    GROUP(kafka),
    GROUP(redis),
    GROUP(retention),
    GROUP(rules),
    GROUP(limits),
    GROUP(http),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t layout = {CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, settings_t, fields)};
static const config_spec_t spec = {settings_schema_text, "ODRADEK", &layout};

/* Both stores keep their positions under the same keys: on one server they would overwrite each other's. */
static status_t check_servers(const settings_t *settings, const char *path, err_t *error) {
    const struct settings_redis *stores = &settings->redis;
    for (uint32_t i = 0; i < stores->events_count; i++)
        for (uint32_t j = 0; j < stores->snapshots_count; j++)
            if (!strcmp(stores->events[i], stores->snapshots[j]))
                return err_set(error, STATUS_FATAL,
                               "%s: /redis/events/%u: %s is a server of the snapshot store already. Expected: servers of "
                               "its own for each store",
                               path, i, stores->events[i]);
    return STATUS_OK;
}

/* The Fetch standard lets no browser read such an answer; and what is private must not be open to every page. */
static status_t check_cors(const settings_t *settings, const char *path, err_t *error) {
    const struct settings_cors *allowed = &settings->http.cors;
    for (uint32_t i = 0; allowed->credentials && i < allowed->origins_count; i++)
        if (!strcmp(allowed->origins[i], "*"))
            return err_set(error, STATUS_FATAL,
                           "%s: /http/cors/credentials: true cannot go with the origin \"*\". Expected: false, or the "
                           "origins one by one in /http/cors/origins",
                           path);
    return STATUS_OK;
}

settings_t *settings_load(const char *path, err_t *error) {
    void *settings;
    if (config_load(path, &spec, &settings, error) != STATUS_OK) return NULL;
    if (check_servers(settings, path, error) == STATUS_OK && check_cors(settings, path, error) == STATUS_OK)
        return settings;
    settings_free(settings);
    return NULL;
}

void settings_free(settings_t *settings) {
    config_free(&spec, settings);
}
