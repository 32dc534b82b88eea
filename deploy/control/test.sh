# shellcheck shell=bash
# The tests: every part runs, whatever became of the one before; the end tells what became of each.

readonly TEST_MARK=ODRADEK_TEST_RUN=$$-$RANDOM$RANDOM
TEST_RESULTS=() TESTS_FAILED=0

# test_part LABEL COMMAND…
test_part() {
    local label=$1 began=$SECONDS result="${GREEN}passed${PLAIN}"
    shift
    printf '\n'
    say "$label …"
    env "$TEST_MARK" PYTHONDONTWRITEBYTECODE=1 "$@" </dev/null || { result="${RED}FAILED${PLAIN} (status $?)" TESTS_FAILED=1; }
    TEST_RESULTS+=("$(printf '%-20s %s, %s s' "$label" "$result" "$((SECONDS - began))")")
}

# With arguments only pytest runs, with these.
run_tests() {
    cd "$ROOT" || return 1
    [ "$#" -gt 0 ] || test_part 'unit tests' make -j"$(nproc)" check
    [ "$#" -gt 0 ] || test_part 'shell scripts' shellcheck -x control.sh deploy/control/*.sh tests/fuzz/run.sh .ci/run
    [ "$#" -gt 0 ] || set -- tests
    test_part 'pipeline tests' /usr/bin/python3 -m pytest -ra -p no:cacheprovider "$@"
    nothing_left || { TESTS_FAILED=1; TEST_RESULTS+=("$(printf '%-20s %s' 'left behind' "${RED}processes, now ended${PLAIN}")"); }
    printf '\n'
    for result in "${TEST_RESULTS[@]}"; do say "$result"; done
    return "$TESTS_FAILED"
}

# What the tests started carries their mark in its environment.
marked_processes() {
    local environment pid
    for environment in /proc/[0-9]*/environ; do
        grep -qzxF -e "$TEST_MARK" "$environment" 2>/dev/null || continue
        pid=${environment#/proc/}
        printf '%s\n' "${pid%/environ}"
    done
}

nothing_left() {
    local pids
    mapfile -t pids < <(marked_processes)
    [ "${#pids[@]}" -gt 0 ] || return 0
    complain "the tests left processes behind:"
    ps -o pid=,args= -p "$(IFS=,; printf '%s' "${pids[*]}")" | cut -c 1-150 | sed 's/^/    | /' >&2
    kill -TERM "${pids[@]}" 2>/dev/null
    sleep 3
    kill -KILL "${pids[@]}" 2>/dev/null
    return 1
}
