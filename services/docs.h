/* The page that shows the OpenAPI document in a browser. The viewer's files are a package that set-up brings; they are
   read when they are asked for, so that a service needs no restart when they come. */
#ifndef ODRADEK_SERVICES_DOCS_H
#define ODRADEK_SERVICES_DOCS_H

#include "common/http.h"

typedef struct docs docs_t;

/* `folder` has the viewer's files; empty: build/viewer beside the folder of the program. */
docs_t *docs_new(const char *folder);
void docs_free(docs_t *docs); /* NULL is fine */

/* GET /docs and GET /docs/{file}; `context` is the docs_t. */
void docs_handle(http_request_t *request, void *context);
void docs_handle_file(http_request_t *request, void *context);

#endif
