/* Answers whose body is made piece by piece: the library pulls, and sleeps while there is nothing.

       AWAKE ── read: nothing ── suspended ──▶ ASLEEP ── wake: resumed ──▶ WOKEN ── the next read ──▶ AWAKE
         └────────────── wake while it reads: it is asked once more ─────────▲                             */
#include "common/http_internal.h"
#include "common/mem.h"

#include <stdlib.h>

enum { BLOCK_BYTES = 1024 }; /* for clients of HTTP/1.0; others are written into the connection's own buffer */

typedef enum stream_state { STREAM_AWAKE, STREAM_WOKEN, STREAM_ASLEEP } stream_state_t;

struct http_stream {
    http_server_t *server;
    struct MHD_Connection *connection;
    http_stream_source_t source;
    _Atomic stream_state_t state;
    http_stream_t *next, **link; /* in the server's list */
};

/* ---- the server's list of streams, for its end ---- */

static void list_add(http_stream_t *stream) {
    http_server_t *server = stream->server;
    pthread_mutex_lock(&server->streams_lock);
    stream->next = server->streams;
    stream->link = &server->streams;
    if (stream->next) stream->next->link = &stream->next;
    server->streams = stream;
    pthread_mutex_unlock(&server->streams_lock);
}

static void list_remove(http_stream_t *stream) {
    http_server_t *server = stream->server;
    pthread_mutex_lock(&server->streams_lock);
    *stream->link = stream->next;
    if (stream->next) stream->next->link = stream->link;
    pthread_mutex_unlock(&server->streams_lock);
}

void http_stream_wake_all(http_server_t *server) {
    pthread_mutex_lock(&server->streams_lock);
    for (http_stream_t *stream = server->streams; stream; stream = stream->next) http_stream_wake(stream);
    pthread_mutex_unlock(&server->streams_lock);
}

/* ---- a stream ---- */

void http_answer_stream(http_request_t *request, int code, const char *media_type, const http_stream_source_t *source,
                        http_stream_t **stream) {
    http_stream_t *made = mem_zero(1, sizeof *made);
    made->server = request->server;
    made->connection = request->connection;
    made->source = *source;
    list_add(made);
    request->stream = made;
    request->media_type = media_type;
    *stream = made;
    http_publish(request, code);
}

/* From ASLEEP to WOKEN is one caller's step, and until it has resumed the connection nothing else happens to it. */
void http_stream_wake(http_stream_t *stream) {
    struct MHD_Connection *connection = stream->connection;
    if (atomic_exchange(&stream->state, STREAM_WOKEN) == STREAM_ASLEEP) MHD_resume_connection(connection);
}

/* Suspended first, then the state says so; a wake that came in between is seen by the exchange, and undoes it here. */
static ssize_t sleep_until_woken(http_stream_t *stream) {
    stream_state_t expected = STREAM_AWAKE;
    struct MHD_Connection *connection = stream->connection;
    MHD_suspend_connection(connection);
    if (!atomic_compare_exchange_strong(&stream->state, &expected, STREAM_ASLEEP)) MHD_resume_connection(connection);
    return 0;
}

static ssize_t on_read(void *context, uint64_t position, char *out, size_t size) {
    http_stream_t *stream = context;
    (void)position;
    /* In this order: a server that ends says so first, and wakes then. */
    atomic_store(&stream->state, STREAM_AWAKE);
    bool ending = atomic_load(&stream->server->ending), stopping = atomic_load(&stream->server->stopping);
    ssize_t given = stream->source.read(stream->source.self, out, size);
    if (given > 0) return given;
    bool soon = given == HTTP_STREAM_SOON;
    if (given == HTTP_STREAM_CUT || (soon && stopping)) return MHD_CONTENT_READER_END_WITH_ERROR;
    if (given == HTTP_STREAM_END || (ending && !soon)) return MHD_CONTENT_READER_END_OF_STREAM;
    return sleep_until_woken(stream);
}

/* To HEAD the library sends the last chunk of a body that there is not, which would be taken for the next answer: there
   the answer is the connection's last, and is not chunked. */
struct MHD_Response *http_stream_response(http_stream_t *stream, bool headless) {
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, on_read, stream, NULL);
    if (response && headless) MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
    return response;
}

void http_stream_free(http_stream_t *stream) {
    if (!stream) return;
    list_remove(stream);
    stream->source.gone(stream->source.self);
    free(stream);
}
