/* Allocation that cannot fail quietly: for start-up and for small things, where going on without memory is no option.
   Each call ends the process with a clear line when memory is out; sizes that a client chooses are checked
   against a limit before they come here. */
#ifndef ODRADEK_MEM_H
#define ODRADEK_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All return memory that the caller frees with free(). */
void *mem_alloc(size_t size);                              /* not cleared */
void *mem_zero(size_t count, size_t size);                 /* cleared */
void *mem_resize(void *memory, size_t count, size_t size); /* checks count * size for overflow */
char *mem_string(const char *text);
char *mem_copy(const void *data, size_t len); /* terminated, whatever is in it */
char *mem_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Gives memory back to the system while a loop has no work, after one second, two, four … sixteen: what a burst needed
   is not held for ever, and threads of libraries free theirs later than we do. Call it at every turn, with whether
   there was work. A zeroed one is ready. */
typedef struct mem_rest {
    int64_t due_us; /* when to give back next; 0: not known yet */
    int64_t pause_us; /* 0: nothing was used since all was given back */
} mem_rest_t;

void mem_rest(mem_rest_t *rest, bool worked);

#endif
