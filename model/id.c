/* The ids of entities and commands. */
#include "model/id.h"

#include <string.h>

bool id_valid(const char *text) {
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-";
    size_t len = strspn(text, allowed);
    return len > 0 && len < ID_SIZE && text[len] == '\0';
}
