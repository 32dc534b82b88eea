/* The frame that every service stands in.

       options → settings → types → open → HTTP → topics → run ──stop──▶ quiesce → drain → HTTP ends → close */
#include "services/service.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/metric.h"
#include "common/opt.h"
#include "common/stop.h"
#include "services/openapi_rows.h"
#include "services/self.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_SETTINGS = 3, TOPICS_TIMEOUT_MS = 5000, DRAIN_MS = 10000 };

typedef struct frame {
    const service_t *service;
    service_context_t context;
    settings_t *settings;
    types_t *types;
    record_shapes_t *shapes;
    char *instance;
    void *self;
    self_t *description; /* NULL: it has no routes of its own */
    http_server_t *http;
    _Atomic bool topics_ready;
} frame_t;

/* ---- /health, /ready, /metrics ---- */

static void handle_health(http_request_t *request, void *context) {
    const frame_t *frame = context;
    strbuf_t body = {0};
    strbuf_addf(&body, "{\"status\":\"ok\",\"service\":\"%s\",\"version\":\"%s\",\"pid\":%d}", frame->service->name,
                ODRADEK_VERSION, (int)getpid());
    http_answer_json(request, 200, &body);
}

static void handle_ready(http_request_t *request, void *context) {
    frame_t *frame = context;
    err_t why = {"the topics are not there yet"};
    bool ready = atomic_load(&frame->topics_ready) && frame->service->ready(frame->self, &why);
    strbuf_t body = {0};
    strbuf_addf(&body, "{\"ready\":%s", ready ? "true" : "false");
    if (!ready) {
        strbuf_adds(&body, ",\"reason\":");
        strbuf_add_jsons(&body, why.text);
    }
    strbuf_addc(&body, '}');
    http_answer_json(request, ready ? 200 : 503, &body);
}

/* Figures of the process itself, under the names that Prometheus' client libraries use. */
static void add_process_metrics(strbuf_t *out) {
    struct rusage usage;
    unsigned long pages = 0;
    getrusage(RUSAGE_SELF, &usage);
    FILE *statm = fopen("/proc/self/statm", "r");
    if (statm) {
        if (fscanf(statm, "%*u %lu", &pages) != 1) pages = 0;
        fclose(statm);
    }
    double cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                 (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    strbuf_addf(out,
                "# HELP process_cpu_seconds_total CPU time of the process.\n# TYPE process_cpu_seconds_total counter\n"
                "process_cpu_seconds_total %.3f\n"
                "# HELP process_resident_memory_bytes Resident memory.\n# TYPE process_resident_memory_bytes gauge\n"
                "process_resident_memory_bytes %lu\n",
                cpu, pages * (unsigned long)sysconf(_SC_PAGESIZE));
}

static void handle_metrics(http_request_t *request, void *context) {
    (void)context;
    strbuf_t body = {0};
    metric_render(&body);
    add_process_metrics(&body);
    http_answer(request, 200, "text/plain; version=0.0.4; charset=utf-8", &body);
}

/* ---- set-ups, in their order ---- */

/* A server has a descriptor for each connection. */
static void raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit)) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static char *instance_name(const service_t *service, const settings_t *settings) {
    char host[256] = "localhost";
    gethostname(host, sizeof host - 1);
    return mem_printf("%s-%s-%d", service->name, host, service->port(settings));
}

static int load(frame_t *frame, const char *path, err_t *error) {
    frame->settings = settings_load(path, error);
    if (!frame->settings) return EXIT_SETTINGS;
    frame->types = types_load(frame->settings, path, error);
    if (!frame->types) return EXIT_SETTINGS;
    log_open(frame->service->name, frame->settings->debug);
    frame->shapes = record_shapes_new();
    frame->instance = instance_name(frame->service, frame->settings);
    frame->context = (service_context_t){
        .settings = frame->settings,
        .types = frame->types,
        .shapes = frame->shapes,
        .instance = frame->instance,
        .kafka = topics_kafka_options(frame->settings, frame->instance),
    };
    frame->self = frame->service->open(&frame->context, error);
    return frame->self ? EXIT_SUCCESS : EXIT_FAILED;
}

#define SHOWN(path_, handle_, about_)                                                                                  \
    (http_route_t){.method = "GET", .path = path_, .handle = handle_, .context = frame, .about = about_}

/* The routes of every service, and for an API those by which it tells what it is, and its own. */
static status_t fill_routes(frame_t *frame, http_route_t *routes, size_t *count, err_t *error) {
    const service_t *service = frame->service;
    *count = 0;
    routes[(*count)++] = SHOWN("/health", handle_health, &operation_health);
    routes[(*count)++] = SHOWN("/ready", handle_ready, &operation_ready);
    routes[(*count)++] = SHOWN("/metrics", handle_metrics, &operation_metrics);
    if (!service->routes) return STATUS_OK;
    frame->description = self_new(&(self_options_t){service->name, service->about, frame->settings, frame->types});
    self_routes(frame->description, routes + *count);
    *count += SELF_ROUTES;
    *count += service->routes(frame->self, routes + *count);
    return self_describe(frame->description, routes, *count, error);
}

static int serve(frame_t *frame, err_t *error) {
    http_route_t routes[SERVICE_ROUTES_MAX + 3 + SELF_ROUTES];
    size_t count;
    if (fill_routes(frame, routes, &count, error) != STATUS_OK) return EXIT_FAILED;
    const settings_t *settings = frame->settings;
    const struct settings_cors *cors = &settings->http.cors;
    http_cors_t allowed = {(const char *const *)cors->origins, cors->origins_count, cors->credentials,
                           cors->max_age_seconds};
    frame->http = http_start(
        &(http_options_t){
            .host = settings->host,
            .port = frame->service->port(settings),
            .threads = frame->description ? settings->http.threads : 1,
            .body_bytes = (size_t)settings->limits.body_bytes,
            .connections = settings->limits.connections,
            .routes = routes,
            .routes_count = count,
            .cors = frame->description ? allowed : (http_cors_t){0},
        },
        error);
    return frame->http ? EXIT_SUCCESS : EXIT_FAILED;
}

/* Waits, with growing pauses, until all topics exist as settings want them. */
static status_t await_topics(frame_t *frame, err_t *error) {
    kafka_topic_t topics[TOPIC_COUNT];
    topics_from(frame->settings, topics);
    rd_kafka_conf_t *conf = kafka_conf_new(&frame->context.kafka, (const char *const[]){NULL}, NULL, error);
    rd_kafka_t *client = conf ? kafka_client_new(RD_KAFKA_PRODUCER, conf, error) : NULL;
    if (!client) return STATUS_FATAL;
    log_condition_t waiting = {0};
    status_t status = STATUS_RETRY;
    for (int pause = 50; status == STATUS_RETRY && !stop_requested(); pause = pause < 1000 ? pause * 2 : 1000) {
        status = kafka_topics_ensure(client, topics, TOPIC_COUNT, TOPICS_TIMEOUT_MS, error);
        if (status != STATUS_RETRY) break;
        log_condition_begin(&waiting, "waiting for Kafka's topics", error->text);
        clock_sleep_ms(pause);
    }
    if (status == STATUS_OK) log_condition_end(&waiting, "waiting for Kafka's topics");
    rd_kafka_destroy(client);
    atomic_store(&frame->topics_ready, status == STATUS_OK);
    return status;
}

static int work(frame_t *frame, err_t *error) {
    log_info("serving on %s:%d", frame->settings->host, frame->service->port(frame->settings));
    status_t status = await_topics(frame, error);
    if (status == STATUS_OK) status = frame->service->run(frame->self, error);
    return status == STATUS_OK || stop_requested() ? EXIT_SUCCESS : EXIT_FAILED;
}

/* ---- and backwards ---- */

static void end_http(frame_t *frame) {
    if (!frame->http) return;
    http_quiesce(frame->http);
    if (frame->service->drain) frame->service->drain(frame->self);
    int64_t deadline = clock_monotonic_us() + DRAIN_MS * 1000;
    while (http_pending(frame->http) > 0 && clock_monotonic_us() < deadline) clock_sleep_ms(5);
    http_stop(frame->http);
}

static void unload(frame_t *frame) {
    if (frame->self) frame->service->close(frame->self);
    self_free(frame->description);
    free(frame->instance);
    record_shapes_free(frame->shapes);
    types_free(frame->types);
    settings_free(frame->settings);
}

int service_main(const service_t *service, int argc, char **argv) {
    const char *settings_path = "settings.json";
    const opt_t rows[] = {{"settings", "FILE", "the settings file (settings.json)", &settings_path}};
    opt_result_t options = opt_parse(argc, argv, service->name, service->about, rows, ARRAY_LEN(rows));
    if (options != OPT_RUN) return options == OPT_DONE ? EXIT_SUCCESS : EXIT_USAGE;
    mallopt(M_ARENA_MAX, 2); /* an arena for each thread would be most of the memory at rest */
    raise_descriptor_limit();
    log_open(service->name, false);
    stop_install();
    srandom((unsigned)getpid()); /* of the jitter in pauses: replicas must not wait in step */
    frame_t frame = {.service = service};
    err_t error = {""};
    int code = load(&frame, settings_path, &error);
    if (code == EXIT_SUCCESS) code = serve(&frame, &error);
    if (code == EXIT_SUCCESS) code = work(&frame, &error);
    if (code != EXIT_SUCCESS) log_error("%s", error.text);
    end_http(&frame);
    unload(&frame);
    if (code == EXIT_SUCCESS) log_info("stopped");
    return code;
}
