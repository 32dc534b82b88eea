#!/usr/bin/env bash
# Measures the pipeline on a stack of its own: started by control.sh in a temporary folder and on free ports,
# stopped and removed afterwards. What is given is passed on to bench-pipeline: bench/run.sh --rate 1000 --seconds 10

set -u

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd) || exit 1
readonly ROOT
cd "$ROOT" || exit 1

fail() { printf 'bench: %s\n' "$*" >&2; exit 1; }

make -s -j "$(nproc)" all build/gcc/bin/bench-pipeline || fail "it does not build"

FOLDER=$(mktemp -d -t odradek-bench-XXXXXX) || exit 1
export ODRADEK_STATE_DIR=$FOLDER/state ODRADEK_SETTINGS=$FOLDER/settings.json

end() {
    local status=$?
    trap - EXIT INT TERM
    ./control.sh clean --yes >/dev/null 2>&1
    rm -rf "$FOLDER"
    exit "$status"
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# A row of ports of which none is taken, below those that the kernel gives to outgoing connections.
free_ports() {
    local base port taken
    taken=$(ss -Hltn | awk '{ sub(/.*:/, "", $4); print $4 }')
    for _ in $(seq 100); do
        base=$((20000 + RANDOM % 1200 * 10))
        for ((port = base; port < base + 10; port++)); do
            ! grep -qx "$port" <<<"$taken" || continue 2
        done
        printf '%s' "$base"
        return
    done
    fail "there are no free ports"
}

BASE=$(free_ports)
port() { printf '%s' "$((BASE + $1))"; }

cat >"$ODRADEK_SETTINGS" <<SETTINGS
{
  "contentTypes": [
    {"name": "Entry", "base": "entries", "schema": "$ROOT/schemas/entry.json"},
    {"name": "Asset", "base": "assets", "schema": "$ROOT/schemas/asset.json"}
  ],
  "ports": {
    "commandApi": $(port 0), "queryApi": $(port 1), "validator": $(port 2), "persister": $(port 3),
    "materializer": $(port 4), "kafkaMetrics": $(port 5), "kafkaController": $(port 6)
  },
  "kafka": {"bootstrapServers": "127.0.0.1:$(port 7)"},
  "redis": {"snapshots": ["127.0.0.1:$(port 8)"], "events": ["127.0.0.1:$(port 9)"]}
}
SETTINGS

readonly PARTS='kafka snapshots events materializer persister validator query-api command-api'

# A line for each process: name, seconds of processor time in its own code and in the kernel, resident MiB.
# shellcheck disable=SC2086  # PARTS is a list
processes() {
    local part pid ticks
    ticks=$(getconf CLK_TCK)
    for part in $PARTS; do
        read -r pid _ <"$ODRADEK_STATE_DIR/run/$part.pid" || continue
        sed 's/.*) //' "/proc/$pid/stat" | awk -v part="$part" -v ticks="$ticks" -v rss="$(awk '/^VmRSS/ { print $2 }' "/proc/$pid/status")" \
            '{ printf "%s %.2f %.2f %.1f\n", part, $12 / ticks, $13 / ticks, rss / 1024 }'
    done
}

# shellcheck disable=SC2086
./control.sh start $PARTS || fail "the stack does not start"

measure() {
    local before after status
    before=$(processes)
    build/gcc/bin/bench-pipeline --command-api "127.0.0.1:$(port 0)" --query-api "127.0.0.1:$(port 1)" \
        --consumers "127.0.0.1:$(port 2),127.0.0.1:$(port 3),127.0.0.1:$(port 4)" "$@"
    status=$?
    after=$(processes)
    printf '\nProcessor time\n  %-34s %9s %9s %9s %9s\n' '' 'own s' 'kernel s' 'sum s' 'MiB now'
    paste -d ' ' <(printf '%s\n' "$before") <(printf '%s\n' "$after") | awk \
        '{ printf "  %-34s %9.2f %9.2f %9.2f %9.1f\n", $1, $6 - $2, $7 - $3, $6 - $2 + $7 - $3, $8 }'
    return "$status"
}

measure "$@"
