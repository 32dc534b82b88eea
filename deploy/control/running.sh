# shellcheck shell=bash
# Starting, stopping and telling about what runs.

STARTED=()      # what this call started, to be taken back when it comes to nothing

# port_holder PORT: 'redis-server (pid 12)' when something listens there, as far as we may see it.
port_holder() {
    local line
    line=$(ss -Hltnp "sport = :$1" 2>/dev/null | awk '$4 ~ /^(127\.|0\.0\.0\.0|\*|\[::|\[::1\]|\[::ffff:127)/' | head -n 1)
    [ -n "$line" ] || return 1
    if [[ $line =~ \(\(\"([^\"]+)\",pid=([0-9]+) ]]; then
        printf '%s (pid %s)' "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"
    else
        printf 'another program'
    fi
}

# All ports are looked at before anything is started.
check_ports() {
    local instance port path holder taken='' seen=' '
    for instance in "$@"; do
        while read -r port path; do
            [[ $port =~ ^[1-9][0-9]{0,4}$ && $port -le 65535 ]] ||
                fail "'$port' is no port for $instance: change $(setting_places "$path")"
            case $seen in *" $port "*) fail "port $port is given twice, the second time to $instance: change $(setting_places "$path")" ;; esac
            seen="$seen$port "
            holder=$(port_holder "$port") || continue
            complain "port $port for $instance is taken by $holder: stop that, or change $(setting_places "$path")"
            taken=yes
        done < <(ports_of "$instance")
    done
    [ -z "$taken" ] || exit 1
}

# await INSTANCE…: until every one is ready. One that ends meanwhile spoils it; one that is slow is left to go on.
await() {
    local waiting=("$@") still instance began=$SECONDS told=$SECONDS
    while [ "${#waiting[@]}" -gt 0 ]; do
        still=()
        for instance in "${waiting[@]}"; do
            if ! is_running "$instance"; then
                told_end "$instance"
                return 1
            elif is_ready "$instance"; then
                done_with "service \"$instance\"" started
            else
                still+=("$instance")
            fi
        done
        waiting=(${still[@]+"${still[@]}"})
        [ "${#waiting[@]}" -gt 0 ] || break
        if [ $((SECONDS - began)) -ge "$START_TIMEOUT" ]; then
            complain "not ready after $START_TIMEOUT s: ${waiting[*]}; left to go on starting: see ./control.sh status and ./control.sh logs"
            STARTED=()
            return 1
        fi
        progress "waiting for ${waiting[*]} … $((SECONDS - began)) s"
        [ -n "$ON_TERMINAL" ] || [ $((SECONDS - told)) -lt 10 ] || { told=$SECONDS; say "waiting for ${waiting[*]} … $((SECONDS - began)) s"; }
        sleep 0.1
    done
}

told_end() {
    complain "service \"$1\" ended while it started; what it said last, in $(short_path "$(log_file "$1")"):"
    show_end "$(log_file "$1")"
}

# start_instances INSTANCE…: servers first, since services would only wait for them.
start_instances() {
    local instance group kinds
    for instance in "$@"; do prepare "$instance" || return 1; done
    for kinds in 'kafka redis prometheus' service; do
        group=()
        for instance in "$@"; do
            case " $kinds " in *" $(kind_of "$instance") "*) ;; *) continue ;; esac
            STARTED+=("$instance")
            start_process "$instance"
            group+=("$instance")
        done
        [ "${#group[@]}" -eq 0 ] || await "${group[@]}" || return 1
    done
    STARTED=()
}

take_back() {
    local instance undo=(${STARTED[@]+"${STARTED[@]}"}) number
    STARTED=()
    for ((number = ${#undo[@]} - 1; number >= 0; number--)); do
        instance=${undo[number]}
        end_process "$instance" "$(patience_of "$instance")"
        complain "service \"$instance\" stopped again"
    done
}

# stop_instances INSTANCE…, in the order given.
stop_instances() {
    local instance status=0
    for instance in "$@"; do
        is_running "$instance" || { rm -f "$(pid_file "$instance")"; continue; }
        if end_process "$instance" "$(patience_of "$instance")"; then
            done_with "service \"$instance\"" stopped
        else
            status=1
        fi
    done
    return "$status"
}

# Everything that runs, in the order in which to stop it.
all_running() {
    local number
    for ((number = ${#NAMES[@]} - 1; number >= 0; number--)); do
        running_of "${NAMES[number]}" | sort -rV
    done
}

# --- status ---------------------------------------------------------------------------------------------

readonly STATUS_FORMAT='  %-14s %-8s %8s  %-21s %-10s %9s %9s %8s\n'

# What status lists: every row as it should be, and whatever else runs.
listed_instances() {
    local name
    for name in "${NAMES[@]}"; do { instances_of "$name"; running_of "$name"; } | sort -uV; done
}

# A line per instance: name, state, pid, address, health, uptime in seconds, memory in KiB, lag.
status_lines() {
    local instance pid state health uptime memory lag
    for instance in $(listed_instances); do
        state=stopped pid=- health=- uptime=- memory=- lag=-
        if pid=$(pid_of "$instance"); then
            state=running
            uptime=$(ps -o etimes= -p "$pid" | tr -d ' ')
            memory=$(awk '/^VmRSS/ { print $2 }' "/proc/$pid/status" 2>/dev/null)
        elif is_external "$instance"; then
            state=external pid=-
        else
            pid=-
        fi
        if [ "$state" != stopped ]; then
            health=$(health_of "$instance")
            lag=$(lag_of "$instance")
        fi
        printf '%s %s %s %s %s %s %s %s\n' "$instance" "$state" "$pid" "$(address_of "$instance")" "$health" "${uptime:--}" "${memory:--}" "$lag"
    done
}

health_of() {
    if is_ready "$1"; then
        printf ready
    elif [ "$(kind_of "$1")" = service ] && http_ok "http://$(address_of "$1")/health"; then
        printf waiting
    else
        printf silent
    fi
}

# How many records a consumer is behind, over all its partitions.
lag_of() {
    [ "$(kind_of "$1")" = service ] || { printf -- -; return; }
    curl -fsS --noproxy '*' -m 2 "http://$(address_of "$1")/metrics" 2>/dev/null |
        awk '/^odradek_consumer_lag_records[{ ]/ { sum += $NF; found = 1 } END { if (found) printf "%d", sum; else printf "-" }'
}

show_status() {
    local instance state pid address health uptime memory lag colour
    # shellcheck disable=SC2059
    printf "$STATUS_FORMAT" NAME STATE PID ADDRESS HEALTH UPTIME MEMORY LAG
    while read -r instance state pid address health uptime memory lag; do
        colour=""
        [ "$health" = ready ] || colour=$RED
        # shellcheck disable=SC2059
        printf "%s$STATUS_FORMAT%s" "$colour" "$instance" "$state" "$pid" "$address" "$health" "$(as_duration "$uptime")" "$(as_size "$memory")" "$lag" "$PLAIN"
    done
}

as_duration() {
    [ "$1" != - ] || { printf -- -; return; }
    if [ "$1" -ge 86400 ]; then printf '%dd %dh' $(($1 / 86400)) $(($1 % 86400 / 3600))
    elif [ "$1" -ge 3600 ]; then printf '%dh %dm' $(($1 / 3600)) $(($1 % 3600 / 60))
    elif [ "$1" -ge 60 ]; then printf '%dm %ds' $(($1 / 60)) $(($1 % 60))
    else printf '%ds' "$1"; fi
}

as_size() { if [ "$1" = - ]; then printf -- -; else awk -v kib="$1" 'BEGIN { printf "%.1f MiB", kib / 1024 }'; fi; }

# shellcheck disable=SC2034
readonly STATUS_AS_JSON='
  def number: if . == "-" then null else tonumber end;
  [inputs | split(" ") | {name: .[0], state: .[1], pid: (.[2] | number), address: .[3],
    health: (if .[4] == "-" then null else .[4] end), uptimeSeconds: (.[5] | number), memoryKiB: (.[6] | number), lag: (.[7] | number)}]'
