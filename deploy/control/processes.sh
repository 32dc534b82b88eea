# shellcheck shell=bash
# Processes: started apart from the shell, known by pid file, ended gently. A pid file holds the pid, when
# the process began and in which boot, so that a pid that was given to another process is never touched.

pid_file() { printf '%s/run/%s.pid' "$STATE" "$1"; }
log_file() { printf '%s/logs/%s.log' "$STATE" "$1"; }

# When a process began, in ticks since boot; nothing when there is none, or only its remains.
process_began() {
    local stat
    read -r stat 2>/dev/null <"/proc/$1/stat" || return 1
    # shellcheck disable=SC2086
    set -- ${stat##*) }
    [ "$1" != Z ] && printf '%s' "${20}"
}

boot_id() { cat /proc/sys/kernel/random/boot_id 2>/dev/null; }

# The pid of an instance that runs; fails when it does not.
pid_of() {
    local pid began boot
    read -r pid began boot 2>/dev/null <"$(pid_file "$1")" || return 1
    [ "$boot" = "$(boot_id)" ] && [ "$began" = "$(process_began "$pid")" ] && printf '%s' "$pid"
}

is_running() { pid_of "$1" >/dev/null; }

readonly LOG_LIMIT=$((50 * 1024 * 1024))

rotate_log() {
    local log
    log=$(log_file "$1")
    [ "$(stat -c %s "$log" 2>/dev/null || echo 0)" -le "$LOG_LIMIT" ] || mv -f "$log" "$log.1"
}

# Ctrl-C and its like end control.sh by way of its EXIT trap, which takes back what was half done.
heed_signals() { trap 'exit 130' INT; trap 'exit 143' TERM; }

# launch INSTANCE COMMAND…: in a session of its own, its output in its log. The pid file is there before it begins,
# and a signal to control.sh waits for that: what is not known cannot be taken back.
launch() {
    local instance=$1 pid signalled=''
    shift
    rotate_log "$instance"
    trap 'signalled=130' INT
    trap 'signalled=143' TERM
    rm -f "$(pid_file "$instance")"
    (
        pid=$BASHPID
        printf '%s %s %s\n' "$pid" "$(process_began "$pid")" "$(boot_id)" >"$(pid_file "$instance")"
        cd "$ROOT" || exit 1
        trap - INT TERM EXIT
        exec setsid "$@"
    ) >>"$(log_file "$instance")" 2>&1 </dev/null 8>&- 9>&- &
    pid=$!
    until [ -s "$(pid_file "$instance")" ] || ! kill -0 "$pid" 2>/dev/null; do sleep 0.01; done
    heed_signals
    [ -z "$signalled" ] || exit "$signalled"
}

# end_process INSTANCE SECONDS: asks it to end and waits; after SECONDS it is killed, which is told as a failure.
end_process() {
    local pid began=$SECONDS
    pid=$(pid_of "$1") || { rm -f "$(pid_file "$1")"; return 0; }
    if ! kill -TERM "$pid" 2>/dev/null && is_running "$1"; then
        complain "service \"$1\" (pid $pid) belongs to another user: stop it as that user"
        return 1
    fi
    while is_running "$1"; do
        if [ $((SECONDS - began)) -ge "$2" ]; then
            kill -KILL "$pid" 2>/dev/null
            rm -f "$(pid_file "$1")"
            complain "service \"$1\" did not end within $2 s and was killed: see $(short_path "$(log_file "$1")")"
            return 1
        fi
        progress "service \"$1\" stopping … $((SECONDS - began)) s"
        sleep 0.05
    done
    rm -f "$(pid_file "$1")"
}

# One control.sh at a time changes what runs in a state folder.
lock_state() {
    exec 9>"$STATE/lock" || fail "cannot write to $STATE: name another folder with ODRADEK_STATE_DIR"
    flock -n 9 && return
    progress "waiting for another control.sh on $(short_path "$STATE")"
    flock -w 600 9 || fail "another control.sh has been busy with $(short_path "$STATE") for 10 minutes"
}
