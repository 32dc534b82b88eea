/* Changes to a JSON document: JSON Merge Patch (RFC 7396) and JSON Patch (RFC 6902), with JSON Pointer (RFC 6901). */
#ifndef ODRADEK_PATCH_H
#define ODRADEK_PATCH_H

#include "common/base.h"

#include <jansson.h>

/* The document that `patch` makes of `target`; a new one, nothing of the arguments is changed. */
json_t *patch_merge(const json_t *target, const json_t *patch) MUST_CHECK;

/* The same for a JSON Patch: an array of operations, done in order, all or none. NULL: `error` says which operation
   failed and why. What one patch can cost is bounded, since "copy" doubles: in operations, in the values that they
   write, in the bytes of these, and in how deep they lie. */
enum {
    PATCH_OPERATIONS_MAX = 256,
    PATCH_VALUES_MAX = 100000,
    PATCH_BYTES_MAX = 64 << 20, /* of strings and names: as much as the largest body that settings allow */
    PATCH_DEPTH_MAX = 512
};
json_t *patch_apply(const json_t *target, const json_t *patch, err_t *error) MUST_CHECK;

#endif
