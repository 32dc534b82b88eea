/* The metaschemas of the drafts, built into the program: the files of schemas/meta/ as they are. */
#include "common/embed.h"
#include "common/schema_internal.h"

/* X(symbol, URI, file) */
#define METASCHEMAS(X)                                                                                             \
    X(d06, "http://json-schema.org/draft-06/schema", "draft-06/schema.json")                                       \
    X(d07, "http://json-schema.org/draft-07/schema", "draft-07/schema.json")                                       \
    X(d19, "https://json-schema.org/draft/2019-09/schema", "draft2019-09/schema.json")                             \
    X(d19_core, "https://json-schema.org/draft/2019-09/meta/core", "draft2019-09/core.json")                       \
    X(d19_applicator, "https://json-schema.org/draft/2019-09/meta/applicator", "draft2019-09/applicator.json")     \
    X(d19_validation, "https://json-schema.org/draft/2019-09/meta/validation", "draft2019-09/validation.json")     \
    X(d19_metadata, "https://json-schema.org/draft/2019-09/meta/meta-data", "draft2019-09/meta-data.json")         \
    X(d19_format, "https://json-schema.org/draft/2019-09/meta/format", "draft2019-09/format.json")                 \
    X(d19_content, "https://json-schema.org/draft/2019-09/meta/content", "draft2019-09/content.json")              \
    X(d20, "https://json-schema.org/draft/2020-12/schema", "draft2020-12/schema.json")                             \
    X(d20_core, "https://json-schema.org/draft/2020-12/meta/core", "draft2020-12/core.json")                       \
    X(d20_applicator, "https://json-schema.org/draft/2020-12/meta/applicator", "draft2020-12/applicator.json")     \
    X(d20_unevaluated, "https://json-schema.org/draft/2020-12/meta/unevaluated", "draft2020-12/unevaluated.json")  \
    X(d20_validation, "https://json-schema.org/draft/2020-12/meta/validation", "draft2020-12/validation.json")     \
    X(d20_metadata, "https://json-schema.org/draft/2020-12/meta/meta-data", "draft2020-12/meta-data.json")         \
    X(d20_format, "https://json-schema.org/draft/2020-12/meta/format-annotation",                                  \
      "draft2020-12/format-annotation.json")                                                                       \
    X(d20_assertion, "https://json-schema.org/draft/2020-12/meta/format-assertion",                                \
      "draft2020-12/format-assertion.json")                                                                        \
    X(d20_content, "https://json-schema.org/draft/2020-12/meta/content", "draft2020-12/content.json")

#define X(symbol, uri, file) EMBED(schema_meta_##symbol, "schemas/meta/" file);
METASCHEMAS(X)
#undef X

static const struct {
    const char *uri, *text;
} metaschemas[] = {
#define X(symbol, uri, file) {uri, schema_meta_##symbol},
    METASCHEMAS(X)
#undef X
};

const char *schema_meta_text(const char *uri, size_t *len) {
    for (size_t i = 0; i < ARRAY_LEN(metaschemas); i++) {
        if (strcmp(metaschemas[i].uri, uri) != 0) continue;
        *len = strlen(metaschemas[i].text);
        return metaschemas[i].text;
    }
    return NULL;
}

const char *schema_meta_uri(schema_draft_t draft) {
    static const char *const uris[] = {
        [SCHEMA_DRAFT_2020_12] = "https://json-schema.org/draft/2020-12/schema",
        [SCHEMA_DRAFT_2019_09] = "https://json-schema.org/draft/2019-09/schema",
        [SCHEMA_DRAFT_07] = "http://json-schema.org/draft-07/schema",
        [SCHEMA_DRAFT_06] = "http://json-schema.org/draft-06/schema",
    };
    return (unsigned)draft < ARRAY_LEN(uris) ? uris[draft] : uris[0];
}
