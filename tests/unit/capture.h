/* What is written to a descriptor, into a text. */
#ifndef ODRADEK_TEST_CAPTURE_H
#define ODRADEK_TEST_CAPTURE_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct capture {
    int fd, saved; /* the descriptor, and where it led */
    FILE *file;
    char text[16384];
} capture_t;

static inline void capture_begin(capture_t *capture, int fd) {
    fflush(NULL);
    capture->fd = fd;
    capture->saved = dup(fd);
    capture->file = tmpfile();
    if (!capture->file || dup2(fileno(capture->file), fd) < 0) abort();
}

/* What was written since; the descriptor leads where it led before. */
static inline const char *capture_end(capture_t *capture) {
    fflush(NULL);
    dup2(capture->saved, capture->fd);
    close(capture->saved);
    rewind(capture->file);
    size_t len = fread(capture->text, 1, sizeof capture->text - 1, capture->file);
    capture->text[len] = '\0';
    fclose(capture->file);
    return capture->text;
}

#endif
