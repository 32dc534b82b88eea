# shellcheck shell=bash
# What there is to run: a row for each, in the order of start; stop goes the other way. An instance is a row's
# name, or name-2, name-3, … where there are several: replicas of a service, further Redis servers of a store.

#   name          kind        setting of its address or port   default          seconds to end
readonly TABLE='
    kafka         kafka       kafka.bootstrapServers           127.0.0.1:9092   60
    snapshots     redis       redis.snapshots                  127.0.0.1:6379   60
    events        redis       redis.events                     127.0.0.1:6380   60
    prometheus    prometheus  ports.prometheus                 9090             20
    materializer  service     ports.materializer               4004             30
    persister     service     ports.persister                  4003             30
    validator     service     ports.validator                  4002             30
    query-api     service     ports.queryApi                   4001             30
    command-api   service     ports.commandApi                 4000             30
'

readonly REPLICA_PORT_STEP=100

NAMES=()
declare -A KIND=() SETTING=() DEFAULT=() PATIENCE=()
while read -r name KIND_ SETTING_ DEFAULT_ PATIENCE_; do
    [ -n "$name" ] || continue
    NAMES+=("$name")
    KIND[$name]=$KIND_ SETTING[$name]=$SETTING_ DEFAULT[$name]=$DEFAULT_ PATIENCE[$name]=$PATIENCE_
done <<<"$TABLE"

kind_of() { printf '%s' "${KIND[$(name_of "$1")]}"; }
setting_of() { printf '%s' "${SETTING[$(name_of "$1")]}"; }
patience_of() { printf '%s' "${PATIENCE[$(name_of "$1")]}"; }
name_of() { if [[ -z ${KIND[$1]:-} && $1 =~ ^(.+)-[0-9]+$ ]]; then printf '%s' "${BASH_REMATCH[1]}"; else printf '%s' "$1"; fi; }
number_of() { if [[ $1 =~ -([0-9]+)$ ]]; then printf '%s' "${BASH_REMATCH[1]}"; else printf 1; fi; }
instance_of() { if [ "$2" -eq 1 ]; then printf '%s\n' "$1"; else printf '%s-%s\n' "$1" "$2"; fi; }

exists() { [[ ! $1 =~ -(0.*|1)$ && -n ${KIND[$(name_of "$1")]:-} ]]; }

# The value of an instance's own setting, or the default.
value_of() { setting "$(setting_of "$1")" "${DEFAULT[$(name_of "$1")]}"; }

host_of() { local address; address=$(address_of "$1"); printf '%s' "${address%:*}"; }
port_of() { local address; address=$(address_of "$1"); printf '%s' "${address##*:}"; }

# host:port where an instance is to be reached.
address_of() {
    case $(kind_of "$1") in
        kafka) list_item "$(value_of "$1")" 1 ;;
        redis) list_item "$(value_of "$1")" "$(number_of "$1")" ;;
        prometheus) printf '127.0.0.1:%s' "$(value_of "$1")" ;;
        service) printf '%s:%s' "$(reachable_host)" "$(($(value_of "$1") + REPLICA_PORT_STEP * ($(number_of "$1") - 1)))" ;;
    esac
}

# A service that listens everywhere is asked on the loopback address.
reachable_host() {
    local host
    host=$(setting host 127.0.0.1)
    case $host in 0.0.0.0|::|'[::]'|'*') host=127.0.0.1 ;; esac
    printf '%s' "$host"
}

# Every port that an instance listens on, a line each with its setting: '9092 kafka.bootstrapServers'.
ports_of() {
    printf '%s %s\n' "$(port_of "$1")" "$(setting_of "$1")"
    [ "$(kind_of "$1")" = kafka ] || return 0
    printf '%s %s\n' "$(kafka_metrics_port)" ports.kafkaMetrics "$(kafka_controller_port)" ports.kafkaController
}

# What a row consists of when nothing else is said: one, but for a store every server of its list.
instances_of() {
    local count=1 number
    [ "$(kind_of "$1")" != redis ] || count=$(list_length "$(value_of "$1")")
    for ((number = 1; number <= count; number++)); do instance_of "$1" "$number"; done
}

# Every instance of a row that runs, in order.
running_of() {
    local file instance
    for file in "$STATE/run/$1.pid" "$STATE/run/$1"-*.pid; do
        instance=${file##*/}
        instance=${instance%.pid}
        [ "$(name_of "$instance")" = "$1" ] && is_running "$instance" && printf '%s\n' "$instance"
    done | sort -V
}

# A server that is somebody else's: used, never started or stopped.
is_external() {
    case $(kind_of "$1") in
        kafka) kafka_is_external ;;
        redis) ! is_loopback "$(host_of "$1")" ;;
        *) return 1 ;;
    esac
}
