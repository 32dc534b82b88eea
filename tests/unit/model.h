/* Entity types for tests: Entry, which links to an Asset (heroImage), to Assets (images) and to an Entry (parent), with
   two unique members (mail, code), and Asset. */
#ifndef ODRADEK_TEST_MODEL_H
#define ODRADEK_TEST_MODEL_H

#include "model/types.h"
#include "tests/unit/temp.h"

#define MODEL_ENTRY                                                                                                    \
    "{\"type\":\"object\",\"required\":[\"title\"],\"additionalProperties\":false,\"properties\":{"                    \
    "\"title\":{\"type\":\"string\",\"x-index\":true},\"size\":{\"type\":\"number\",\"x-index\":true},"                                                  \
    "\"mail\":{\"x-unique\":true},\"code\":{\"x-unique\":true},"                                                           \
    "\"heroImage\":{\"type\":\"string\",\"x-link\":\"Asset\"},"                                                        \
    "\"images\":{\"type\":\"array\",\"items\":{\"type\":\"string\",\"x-link\":\"Asset\"}},"                            \
    "\"parent\":{\"type\":\"string\",\"x-link\":\"Entry\"}}}"
#define MODEL_ASSET "{\"type\":\"object\",\"required\":[\"title\"],\"properties\":{\"title\":{\"type\":\"string\"}}}"
#define MODEL_TYPES                                                                                                    \
    "\"contentTypes\":[{\"name\":\"Entry\",\"base\":\"entries\",\"schema\":\"entry.json\"},"                           \
    "{\"name\":\"Asset\",\"base\":\"assets\",\"schema\":\"asset.json\"}]"

typedef struct model {
    temp_t temp;
    settings_t *settings;
    types_t *types;
    const entity_type_t *entry, *asset;
} model_t;

/* `more` is what stands in the settings beside the types: ",\"partitions\":4". */
static inline model_t model_new(const char *more) {
    model_t model = {.temp = temp_new()};
    err_t error;
    char path[256], text[1024];
    temp_write(&model.temp, "entry.json", MODEL_ENTRY, path);
    temp_write(&model.temp, "asset.json", MODEL_ASSET, path);
    snprintf(text, sizeof text, "{" MODEL_TYPES "%s}", more);
    model.settings = settings_load(temp_write(&model.temp, "settings.json", text, path), &error);
    model.types = model.settings ? types_load(model.settings, path, &error) : NULL;
    if (!model.types) {
        fprintf(stderr, "%s\n", error.text);
        abort();
    }
    model.entry = &model.types->items[0];
    model.asset = &model.types->items[1];
    return model;
}

static inline void model_free(model_t *model) {
    types_free(model->types);
    settings_free(model->settings);
    temp_free(&model->temp);
}

#endif
