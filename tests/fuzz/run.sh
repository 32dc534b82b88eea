#!/usr/bin/env bash
# Builds each fuzz target, tests/fuzz/fuzz_*.c, with clang's fuzzer and sanitizers, and runs it for so many seconds
# (30) from its corpus. What a target finds stays in build/fuzz/found; what it learns, in build/fuzz/corpus.
#   tests/fuzz/run.sh [SECONDS [TARGET…]]

set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1

readonly SECONDS_EACH=${1:-30}
shift
readonly BUILD=build/fuzz OBJECTS=build/clang-fuzz
readonly SANITIZERS=address,undefined
readonly LIBS=(rdkafka hiredis jansson libmicrohttpd libcyaml libpcre2-8 libidn2 zlib nettle)
failed=0

mkdir -p "$BUILD/found"
make -j"$(nproc)" CC=clang BUILD="$OBJECTS" SANITIZE="fuzzer-no-link,$SANITIZERS" "$OBJECTS/logic.a" "$OBJECTS/lib.a" || exit
[ "$#" -gt 0 ] || set -- tests/fuzz/fuzz_*.c
for target in "$@"; do
    name=$(basename "$target" .c)
    mkdir -p "$BUILD/corpus/$name"
    # shellcheck disable=SC2046  # flags are words
    clang -std=c17 -D_GNU_SOURCE -I. -O1 -g -fsanitize="fuzzer,$SANITIZERS" -fno-sanitize-recover=all -pthread \
        $(pkg-config --cflags "${LIBS[@]}") -o "$BUILD/$name" "tests/fuzz/$name.c" "$OBJECTS/logic.a" "$OBJECTS/lib.a" \
        $(pkg-config --libs "${LIBS[@]}") -lm || { failed=1; continue; }
    printf '== %s for %s s\n' "$name" "$SECONDS_EACH"
    if ! "$BUILD/$name" -max_total_time="$SECONDS_EACH" -timeout=20 -rss_limit_mb=2048 -verbosity=0 \
        -print_final_stats=1 -artifact_prefix="$BUILD/found/$name-" "$BUILD/corpus/$name" \
        "tests/fuzz/corpus/$name" >"$BUILD/$name.log" 2>&1; then
        failed=1
        tail -n 40 "$BUILD/$name.log"
    fi
    grep -E 'number_of_executed_units|peak_rss' "$BUILD/$name.log"
done
exit "$failed"
