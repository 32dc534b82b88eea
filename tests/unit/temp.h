/* A folder of its own for a test, and its files. */
#ifndef ODRADEK_TEST_TEMP_H
#define ODRADEK_TEST_TEMP_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct temp {
    char path[64];
} temp_t;

static inline temp_t temp_new(void) {
    temp_t temp = {"/tmp/odradek-test-XXXXXX"};
    if (!mkdtemp(temp.path)) abort();
    return temp;
}

static inline int temp_remove_one(const char *path, const struct stat *info, int kind, struct FTW *where) {
    (void)info, (void)kind, (void)where;
    return remove(path);
}

static inline void temp_free(temp_t *temp) {
    if (temp->path[0]) nftw(temp->path, temp_remove_one, 16, FTW_DEPTH | FTW_PHYS);
    temp->path[0] = '\0';
}

/* Writes a file into the folder; `path` receives its name. */
static inline const char *temp_write(const temp_t *temp, const char *name, const char *text, char path[256]) {
    snprintf(path, 256, "%s/%s", temp->path, name);
    FILE *file = fopen(path, "w");
    if (!file) abort();
    fputs(text, file);
    fclose(file);
    return path;
}

#endif
