# shellcheck shell=bash disable=SC2034
# How control.sh talks: short lines on standard output, one clear line on standard error when something is wrong.

if [ -t 1 ]; then
    readonly ON_TERMINAL=yes GREEN=$'\e[32m' RED=$'\e[31m' DIM=$'\e[2m' PLAIN=$'\e[0m' WIPE=$'\r\e[K'
else
    readonly ON_TERMINAL='' GREEN='' RED='' DIM='' PLAIN='' WIPE=''
fi

say() { printf '%s  %s\n' "$WIPE" "$*"; }

done_with() { say "$1 ${GREEN}$2${PLAIN}"; }        # done_with 'service "kafka"' started

complain() { printf '%s%s: %s\n' "$WIPE" "${0##*/}" "$*" >&2; }

fail() { complain "$*"; exit 1; }

usage_error() { complain "$*"; printf 'Try ./control.sh help\n' >&2; exit 2; }

# A passing line that the next one replaces; only where somebody watches.
progress() { [ -z "$ON_TERMINAL" ] || printf '%s  %s%s%s' "$WIPE" "$DIM" "$*" "$PLAIN"; }

# A path as the user would type it.
short_path() { case $1 in "$PWD"/*) printf '%s' "${1#"$PWD"/}" ;; *) printf '%s' "$1" ;; esac; }

STEP_PID='' STEP_LOG=''

# step LABEL DONE COMMAND…: runs COMMAND with its output in the set-up log and shows that time passes.
# Its status is COMMAND's; what COMMAND said last is for the caller to judge, in $STEP_LOG.
step() {
    local label=$1 finished=$2 status=0 began=$SECONDS
    shift 2
    STEP_LOG=$STATE/logs/setup.log
    mkdir -p "$STATE/logs" || return 1
    [ -n "$ON_TERMINAL" ] || say "$label …"
    printf '== %s\n' "$label" >"$STEP_LOG"
    "$@" >>"$STEP_LOG" 2>&1 </dev/null &
    STEP_PID=$!
    while kill -0 "$STEP_PID" 2>/dev/null; do
        progress "$label … $((SECONDS - began)) s"
        sleep 0.2
    done
    wait "$STEP_PID" || status=$?
    STEP_PID=''
    [ -z "$ON_TERMINAL" ] || printf '%s' "$WIPE"
    [ "$status" -ne 0 ] || say "$finished ${DIM}($((SECONDS - began)) s)${PLAIN}"
    return "$status"
}

# An interrupted step is not left running behind the user's back.
end_step() {
    [ -n "$STEP_PID" ] || return 0
    kill -TERM "$STEP_PID" 2>/dev/null
    wait "$STEP_PID" 2>/dev/null
    STEP_PID=''
}

# The last lines of a log on standard error, set off from our own.
show_end() { tail -n "${2:-8}" "$1" 2>/dev/null | sed 's/^/    | /' >&2; }
