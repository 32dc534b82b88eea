#!/usr/bin/env bash
# Sets Odradek up, starts, stops, tests and shows it. What is to run stands in one table, in
# deploy/control/instances.sh; how each kind is run, beside it in servers.sh.

set -u
shopt -s nullglob

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd) || exit 1
readonly ROOT
SETTINGS_FILE=${ODRADEK_SETTINGS:-$ROOT/settings.json}
STATE=${ODRADEK_STATE_DIR:-$ROOT/.odradek}
START_TIMEOUT=${ODRADEK_START_TIMEOUT:-120}
NO_INSTALL=''

for part in output settings packages processes instances servers running; do
    # shellcheck source=/dev/null
    . "$ROOT/deploy/control/$part.sh" || exit 1
done

#   command   arguments                         what it does
readonly COMMANDS='
    setup    [--test]                          install what is missing, bring Kafka and a viewer, build
    build                                      compile the services into bin/
    start    [NAME…] [--replicas N]            set up what is missing, then start all or what is named
    stop     [NAME…]                           stop all or what is named, in the right order
    restart  [NAME…]                           stop and start again what runs, or what is named
    status   [--json]                          what runs, where, and how far behind it is
    logs     [NAME…] [-f] [-n LINES]           the end of the logs; -f goes on
    kafka    TOOL [ARGUMENT…]                  a console tool of Kafka on the running broker
    test     [-- PYTEST-ARGUMENT…]             set up what is missing, then run every test; or these
    clean    [--yes]                           stop all and remove all state
    help                                       this
'

show_help() {
    cat <<TEXT
Usage: ./control.sh COMMAND [--settings FILE] [--no-install]
$COMMANDS
Names: ${NAMES[*]}
       and NAME-2, NAME-3, … for further replicas.
Tools: $(awk 'NF { printf "%s ", $1 }' <<<"$KAFKA_TOOLS")

Environment:
    ODRADEK_SETTINGS        the settings file (settings.json)
    ODRADEK_STATE_DIR       the folder for data, logs and pid files (.odradek)
    ODRADEK_BIN_DIR         take the services' programs from here, and do not build
    ODRADEK_START_TIMEOUT   seconds to wait until everything is ready (120)
    ODRADEK_…               overrides a setting: ports.commandApi is ODRADEK_PORTS_COMMAND_API
    KAFKA_HOME              an unpacked Kafka to run instead of the one that Maven brings
    KAFKA_HEAP_OPTS         the broker's memory (-Xms256m -Xmx512m)
TEXT
}

# --- what the command line says -------------------------------------------------------------------------

WANTED=() REPLICAS='' AS_JSON='' YES='' FOLLOW='' LINES_WANTED=100 WITH_TESTS='' REST=()

# parse OPTIONS ARGUMENT…: OPTIONS lists what this command takes; 'names' stands for names.
# shellcheck disable=SC2034  # --no-install is read in packages.sh
parse() {
    local takes=" $1 --settings --no-install "
    shift
    while [ $# -gt 0 ]; do
        case $1 in
            -*) case $takes in *" $1 "*) ;; *) usage_error "unknown option $1" ;; esac ;;
        esac
        case $1 in
            --settings|--replicas|-n) [ $# -ge 2 ] || usage_error "$1 needs a value" ;;
        esac
        case $1 in
            --settings) SETTINGS_FILE=$2; shift ;;
            --no-install) NO_INSTALL=yes ;;
            --replicas) REPLICAS=$2; shift ;;
            --json) AS_JSON=yes ;;
            --yes) YES=yes ;;
            --test) WITH_TESTS=yes ;;
            -f) FOLLOW=-F ;;
            -n) LINES_WANTED=$2; shift ;;
            --) shift; REST=("$@"); break ;;
            *) case $takes in *" names "*) exists "$1" || usage_error "there is no '$1'; there are: ${NAMES[*]}" ;; *) usage_error "what is '$1'?" ;; esac
               WANTED+=("$1") ;;
        esac
        shift
    done
}

make_absolute() { case $1 in /*) printf '%s' "$1" ;; *) printf '%s/%s' "$PWD" "$1" ;; esac; }

settle() {
    SETTINGS_FILE=$(make_absolute "$SETTINGS_FILE")
    STATE=$(make_absolute "$STATE")
    [[ $START_TIMEOUT =~ ^[0-9]+$ ]] || fail "ODRADEK_START_TIMEOUT is '$START_TIMEOUT', not a number of seconds"
}

# The mark by which clean knows that a folder is ours to remove.
readonly MARK='This folder belongs to Odradek: ./control.sh clean removes it with all that is in it.'

make_state() {
    mkdir -p "$STATE/run" "$STATE/logs" 2>/dev/null && printf '%s\n' "$MARK" 2>/dev/null >"$STATE/README" && return
    fail "cannot write to $STATE: make it writable or name another folder with ODRADEK_STATE_DIR"
}

# --- commands -------------------------------------------------------------------------------------------

do_setup() {
    parse --test "$@"; settle; make_state
    locked_setup set_up build run ${WITH_TESTS:+test} kafka program viewer ${WITH_TESTS:+tools} || exit 1
    load_settings
    say "set up"
}

# set_up PART…: groups of packages, 'kafka' for its jars, 'program' for our own programs, 'viewer' for that of /docs,
# 'tools' for what only tests need. Its status is that of the viewer, which alone is not needed.
set_up() {
    local part groups=() status=0
    for part in "$@"; do case $part in build|run|test) groups+=("$part") ;; esac; done
    [ "${#groups[@]}" -eq 0 ] || ensure_packages "${groups[@]}"
    for part in "$@"; do
        case $part in
            kafka) ensure_kafka_jars ;;
            program) ensure_built ;;
            viewer) ensure_viewer || status=1 ;;
            tools) ensure_test_tools ;;
        esac
    done
    return "$status"
}

do_build() {
    parse '' "$@"; settle; make_state
    locked_setup set_up build program
}

do_start() {
    local instance todo=() extra=() parts=() wanted=()
    parse 'names --replicas' "$@"; settle; make_state
    check_replicas
    ! wants service || parts+=(build program viewer)
    locked_setup set_up run "${parts[@]}" || true # without the viewer all else runs
    load_settings
    ! wants kafka || is_external kafka || locked_setup set_up kafka
    mapfile -t wanted < <(wanted_instances)
    lock_state
    write_kafka_client
    for instance in "${wanted[@]}"; do
        if is_running "$instance"; then continue
        elif is_external "$instance"; then say "service \"$instance\" is used where it is, at $(address_of "$instance")"
        else todo+=("$instance"); fi
    done
    [ -z "$REPLICAS" ] || mapfile -t extra < <(surplus_instances)
    if [ "${#todo[@]}" -eq 0 ] && [ "${#extra[@]}" -eq 0 ]; then
        say "nothing to start: it runs already"
    else
        [ "${#todo[@]}" -eq 0 ] || start_checked "${todo[@]}"
        stop_instances ${extra[@]+"${extra[@]}"}
        write_targets
    fi
    exec 9>&-
    [ "${#WANTED[@]}" -gt 0 ] || introduce
}

# Whether start is about something of a kind.
wants() {
    local name
    [ "${#WANTED[@]}" -gt 0 ] || return 0
    for name in "${WANTED[@]}"; do [ "$(kind_of "$name")" != "$1" ] || return 0; done
    return 1
}

start_checked() {
    case " $* " in *' kafka '*) [ -n "${KAFKA_HOME:-}" ] || find_java >/dev/null || fail "no Java 17 or later is found: install openjdk-17-jre-headless or set JAVA_HOME" ;; esac
    check_ports "$@"
    start_instances "$@" || { take_back; exit 1; }
}

check_replicas() {
    [ -n "$REPLICAS" ] || return 0
    [[ $REPLICAS =~ ^[1-9][0-9]?$ ]] || usage_error "--replicas takes a number from 1 to 99, not '$REPLICAS'"
    [ "${#WANTED[@]}" -eq 1 ] && [ "${KIND[${WANTED[0]}]:-}" = service ] && return
    usage_error "--replicas goes with the name of one service, as in: start validator --replicas 2"
}

# What start is about: all rows, or the names given; a name alone is the whole row.
wanted_instances() {
    local name number
    if [ -n "$REPLICAS" ]; then
        for ((number = 1; number <= REPLICAS; number++)); do instance_of "${WANTED[0]}" "$number"; done
        return
    fi
    for name in "${NAMES[@]}"; do
        if [ "${#WANTED[@]}" -eq 0 ]; then instances_of "$name"; continue; fi
        for number in "${WANTED[@]}"; do
            [ "$(name_of "$number")" = "$name" ] || continue
            if [ "$number" = "$name" ]; then instances_of "$name"; else printf '%s\n' "$number"; fi
        done
    done | awk '!seen[$0]++'
}

surplus_instances() {
    local instance
    for instance in $(running_of "${WANTED[0]}" | sort -rV); do
        [ "$(number_of "$instance")" -le "$REPLICAS" ] || printf '%s\n' "$instance"
    done
}

introduce() {
    local api
    api=$(address_of command-api)
    printf '\n'
    status_lines | show_status
    printf '\n  Topics: %s\n' "$(kafka_topics)"
    printf '  Logs and data: %s\n' "$(short_path "$STATE")"
    printf '\n  To try it:\n'
    printf "    curl -i -H 'Content-Type: application/json' -d '{\"title\":\"My Entry\"}' http://%s/entries\n" "$api"
    printf '    curl -s http://%s/entries\n' "$(address_of query-api)"
    printf '    ./control.sh kafka console-consumer --topic events --from-beginning\n'
}

kafka_topics() {
    local topics
    topics=$(kcat -b "$(value_of kafka)" -F "$STATE/kafka/client.conf" -X log_level=0 -m 3 -L -J 2>/dev/null |
        jq -r '[.topics[] | select(.topic | startswith("__") | not) | "\(.topic) (\(.partitions | length) partitions)"] | sort | join(", ")' 2>/dev/null)
    printf '%s' "${topics:-none yet}"
}

# What stop and restart are about: what runs of the names given, in the order of stop.
running_wanted() {
    local instance
    for instance in $(all_running); do
        case " ${WANTED[*]+${WANTED[*]}} " in
            '  '|*" $instance "*|*" $(name_of "$instance") "*) printf '%s\n' "$instance" ;;
        esac
    done
}

do_stop() {
    parse names "$@"; settle
    [ -d "$STATE" ] || { say "nothing runs"; return; }
    lock_state
    stop_wanted
}

stop_wanted() {
    local running status=0
    mapfile -t running < <(running_wanted)
    [ "${#running[@]}" -gt 0 ] || { say "nothing to stop: it does not run"; return; }
    stop_instances "${running[@]}" || status=1
    # shellcheck disable=SC2015
    [ ! -d "$STATE/prometheus" ] || { load_settings && write_targets; }
    return "$status"
}

do_restart() {
    local again status=0
    parse names "$@"; settle; make_state; load_settings
    lock_state
    # What ran comes back, replicas too, and what was named; with neither it is a start of everything.
    mapfile -t again < <(running_wanted | tac)
    [ "${#again[@]}" -eq 0 ] || stop_wanted || status=1
    exec 9>&-
    again+=(${WANTED[@]+"${WANTED[@]}"})
    WANTED=()
    do_start ${again[@]+"${again[@]}"}
    return "$status"
}

do_status() {
    local lines
    parse --json "$@"; settle; load_settings
    lines=$(status_lines)
    if [ -n "$AS_JSON" ]; then jq -Rn "$STATUS_AS_JSON" <<<"$lines"; else show_status <<<"$lines"; fi
    ! awk '$5 != "ready" { exit 1 }' <<<"$lines" || return 0
    return 3
}

do_logs() {
    local name logs=()
    parse 'names -f -n' "$@"; settle
    [[ $LINES_WANTED =~ ^[0-9]+$ ]] || usage_error "-n takes a number of lines, not '$LINES_WANTED'"
    if [ "${#WANTED[@]}" -eq 0 ]; then
        logs=("$STATE"/logs/*.log)
    else
        for name in "${WANTED[@]}"; do logs+=("$(log_file "$name")"); done
    fi
    [ "${#logs[@]}" -gt 0 ] || fail "there are no logs in $(short_path "$STATE")/logs: nothing has been started yet"
    for name in "${logs[@]}"; do [ -f "$name" ] || fail "there is no log $(short_path "$name"): it has not been started yet"; done
    exec tail -n "$LINES_WANTED" $FOLLOW -- "${logs[@]}"
}

do_clean() {
    local answer
    parse --yes "$@"; settle
    [ -d "$STATE" ] || { say "nothing to clean: there is no $(short_path "$STATE")"; return; }
    [ "$(cat "$STATE/README" 2>/dev/null)" = "$MARK" ] || fail "$STATE does not look like Odradek's: remove it yourself if it is to go"
    if [ -z "$YES" ] && [ -t 0 ]; then
        printf '  Stop everything and remove %s with all data in it? [y/N] ' "$(short_path "$STATE")"
        read -r answer
        case $answer in y|Y|yes) ;; *) say "left as it is"; return 1 ;; esac
    fi
    lock_state
    # shellcheck disable=SC2046
    stop_instances $(all_running)
    rm -rf "$STATE" || fail "$STATE could not be removed"
    say "state removed: $(short_path "$STATE")"
}

do_kafka() {
    local tool=${1:-} address
    [ $# -eq 0 ] || shift
    settle
    [ -n "$(kafka_tool "${tool:-none}" 2)" ] ||
        usage_error "kafka takes one of these tools: $(awk 'NF { printf "%s ", $1 }' <<<"$KAFKA_TOOLS")"
    make_state
    locked_setup set_up run kafka >&2
    load_settings
    if [ "$(kafka_tool "$tool" 4)" = asks ] && ! has_option --bootstrap-server "$@"; then
        address=$(value_of kafka)
        set -- --bootstrap-server "$address" "$@"
        has_option --help "$@" || answers_tcp "${address%%,*}" || fail "no Kafka answers at $address: ./control.sh start kafka starts it"
    fi
    kafka_run "$tool" "$@"
}

has_option() {
    local option=$1 argument
    shift
    for argument in "$@"; do case $argument in "$option"|"$option"=*) return 0 ;; esac; done
    return 1
}

do_test() {
    # shellcheck source=/dev/null
    . "$ROOT/deploy/control/test.sh"
    parse '--' "$@"; settle; make_state
    locked_setup set_up build run test kafka program viewer tools || exit 1
    run_tests ${REST[@]+"${REST[@]}"}
}

do_help() { show_help; }

# --- beginning and end ----------------------------------------------------------------------------------

leave() {
    local status=$?
    trap - EXIT INT TERM
    end_step
    release_services
    [ "${#STARTED[@]}" -eq 0 ] || take_back
    exit "$status"
}

main() {
    local command=${1:-help}
    [ $# -eq 0 ] || shift
    case $command in -h|--help) command=help ;; esac
    [ -n "$(awk -v command="$command" '$1 == command' <<<"$COMMANDS")" ] || usage_error "unknown command '$command'"
    trap leave EXIT
    heed_signals
    "do_$command" "$@"
}

main "$@"
