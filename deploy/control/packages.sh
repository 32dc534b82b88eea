# shellcheck shell=bash
# Set-up: Debian's packages, Kafka's jars, our own programs. Each does only what is missing.

readonly PACKAGES=$ROOT/deploy/packages.txt
readonly POLICY=/usr/sbin/policy-rc.d
POLICY_IS_OURS=''

# The packages of the groups given that are neither installed nor stood in for by a command. Where there is no
# dpkg to ask, a package without a command counts as there: the compiler tells if it is not.
missing_packages() {
    local group package command wanted=() installed
    while read -r group package command; do
        case " $* " in *" $group "*) ;; *) continue ;; esac
        if [ -n "$command" ]; then
            ! command -v "$command" >/dev/null || continue
        elif ! command -v dpkg-query >/dev/null; then
            continue
        fi
        wanted+=("$package")
    done < <(sed 's/#.*//; /^[[:space:]]*$/d' "$PACKAGES")
    [ "${#wanted[@]}" -gt 0 ] || return 0
    command -v dpkg-query >/dev/null || { printf '%s\n' "${wanted[@]}"; return; }
    installed=" $(dpkg-query -W -f='${Package}:${db:Status-Status} ' "${wanted[@]}" 2>/dev/null)"
    for package in "${wanted[@]}"; do
        case $installed in *" $package:installed "*) ;; *) printf '%s\n' "$package" ;; esac
    done
}

ensure_packages() {
    local missing count
    mapfile -t missing < <(missing_packages "$@")
    count=${#missing[@]}
    [ "$count" -gt 0 ] || return 0
    [ -z "$NO_INSTALL" ] || fail "not installed: ${missing[*]} (--no-install forbids to install them)"
    check_system "${missing[*]}"
    say "Debian packages to install: ${missing[*]}"
    install_packages "${missing[@]}"
}

check_system() {
    local id='' version=''
    [ "$(uname -s)" = Linux ] || fail "this system is $(uname -s): Odradek runs on Linux, set-up knows Debian 12 and later"
    # shellcheck disable=SC1091
    id=$(. /etc/os-release 2>/dev/null && printf '%s' "${ID:-} ${ID_LIKE:-}")
    # shellcheck disable=SC1091
    version=$(. /etc/os-release 2>/dev/null && printf '%s' "${VERSION_ID:-}")
    command -v apt-get >/dev/null || fail "this system (${id%% *}) has no apt-get: install what Debian calls $1, then try again"
    case $id in 'debian '*) [ -z "$version" ] || [ "${version%%.*}" -ge 12 ] || fail "this is Debian $version: Odradek needs Debian 12 or later" ;; esac
    [ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null ||
        fail "no privilege to install packages: become root, or install sudo, or have root run: apt-get install --no-install-recommends $1"
    [ "$(id -u)" -eq 0 ] || sudo -n true 2>/dev/null || { [ -t 0 ] && sudo -v; } ||
        fail "sudo does not let $(id -un) in: have root run: apt-get install --no-install-recommends $1"
}

as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi; }

apt() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 "$@"; }

install_packages() {
    local before after
    before=$(installed_packages)
    hold_services
    if ! { lists_are_fresh && install_step "$@"; }; then
        # A list that cannot be had (somebody's own repository) matters only if a package is missing then.
        step "reading Debian's package lists" "Debian's package lists read" apt update || true
        install_step "$@" || { release_services; explain_apt; }
    fi
    release_services
    after=$(installed_packages)
    disable_services "$(comm -13 <(printf '%s\n' "$before") <(printf '%s\n' "$after"))"
}

install_step() { step "installing $# Debian package$([ "$#" -eq 1 ] || printf s) and what they need" "Debian packages installed" apt install --no-install-recommends "$@"; }

installed_packages() { dpkg-query -W -f='${db:Status-Status} ${Package}\n' | sed -n 's/^installed //p' | sort -u; }

lists_are_fresh() { [ -n "$(find /var/lib/apt/lists -maxdepth 1 -name '*Packages*' -mtime -1 2>/dev/null | head -n 1)" ]; }

explain_apt() {
    if grep -q 'Unable to locate package\|has no installation candidate' "$STEP_LOG"; then
        fail "$(grep -m1 -o "Unable to locate package.*\|Package.*has no installation candidate" "$STEP_LOG"): is this Debian 12 or later, and are its lists reachable? ($(short_path "$STEP_LOG"))"
    elif grep -qi 'failed to fetch\|could not resolve\|could not connect\|temporary failure' "$STEP_LOG"; then
        fail "no network to Debian's packages: check the connection (and the proxy in /etc/apt/apt.conf.d), then try again ($(short_path "$STEP_LOG"))"
    fi
    show_end "$STEP_LOG"
    fail "the Debian packages could not be installed: see $(short_path "$STEP_LOG")"
}

# What we install brings services of its own, on the ports of ours: they are neither started nor enabled.
hold_services() {
    [ ! -e "$POLICY" ] || return 0
    POLICY_IS_OURS=yes
    printf '#!/bin/sh\n# Put here by Odradek while it installs packages.\nexit 101\n' | as_root tee "$POLICY" >/dev/null
    as_root chmod 755 "$POLICY"
}

release_services() {
    [ -n "$POLICY_IS_OURS" ] || return 0
    as_root rm -f "$POLICY"
    POLICY_IS_OURS=''
}

# disable_services PACKAGES: those that these packages, new on this machine, would start at the next boot.
disable_services() {
    local package unit
    while read -r package; do
        [ -n "$package" ] || continue
        while read -r unit; do
            unit=${unit##*/}
            if command -v systemctl >/dev/null; then
                as_root systemctl --quiet disable "$unit"
            else
                as_root deb-systemd-helper disable "$unit"
                [ ! -e "/etc/init.d/${unit%.service}" ] || as_root update-rc.d "${unit%.service}" disable
            fi >/dev/null 2>&1 || true
        done < <(dpkg-query -L "$package" 2>/dev/null | grep '/lib/systemd/system/[^/@]*\.service$')
    done <<<"$1"
}

# --- Kafka's jars ---------------------------------------------------------------------------------------

readonly KAFKA_BUILD=$ROOT/build/kafka

# What build/kafka holds: the jars of this pom, or only the agent, where KAFKA_HOME has the rest.
kafka_stamp() { printf '%s %s' "$(cksum <"$ROOT/deploy/kafka/pom.xml")" "$1"; }

has_kafka_jars() {
    local stamp
    stamp=$(cat "$KAFKA_BUILD/stamp" 2>/dev/null)
    [ "$stamp" = "$(kafka_stamp all)" ] || { [ -n "${KAFKA_HOME:-}" ] && [ "$stamp" = "$(kafka_stamp agent)" ]; }
}

kafka_version() { sed -n 's|.*<kafka.version>\(.*\)</kafka.version>.*|\1|p' "$ROOT/deploy/kafka/pom.xml"; }

ensure_kafka_jars() {
    local what
    if [ -n "${KAFKA_HOME:-}" ] && [ ! -x "$KAFKA_HOME/bin/kafka-server-start.sh" ]; then
        fail "KAFKA_HOME is $KAFKA_HOME, but there is no bin/kafka-server-start.sh in it: set it to an unpacked Kafka, or unset it"
    fi
    ! has_kafka_jars || return 0
    command -v mvn >/dev/null || fail "Maven is missing, which brings Kafka: ./control.sh setup installs it"
    what="Apache Kafka $(kafka_version)"
    [ -z "${KAFKA_HOME:-}" ] || what="the metrics agent for Kafka"
    step "bringing $what" "$what brought" bring_kafka_jars || explain_maven "$what"
}

bring_kafka_jars() {
    local new=$KAFKA_BUILD.new
    rm -rf "$new" && mkdir -p "$new/lib" "$new/agent" || return 1
    mvn -B -ntp -Dstyle.color=never -f "$ROOT/deploy/kafka/pom.xml" ${KAFKA_HOME:+-DkafkaHome} \
        dependency:copy-dependencies -DoutputDirectory="$new/lib" || return 1
    mv "$new"/lib/jmx_prometheus_javaagent-*.jar "$new/agent/jmx-exporter.jar" || return 1
    if [ -n "${KAFKA_HOME:-}" ]; then kafka_stamp agent; else kafka_stamp all; fi >"$new/stamp"
    rm -rf "$KAFKA_BUILD" && mv "$new" "$KAFKA_BUILD"
}

explain_maven() {
    if grep -qi 'unknown host\|could not transfer\|connect timed out\|connection refused\|network is unreachable\|name resolution' "$STEP_LOG"; then
        fail "no network to Maven's packages for $1: check the connection (and the proxy in ~/.m2/settings.xml), then try again ($(short_path "$STEP_LOG"))"
    fi
    grep -m3 '^\[ERROR\]' "$STEP_LOG" | sed 's/^/    | /' >&2
    fail "$1 could not be brought by Maven: see $(short_path "$STEP_LOG")"
}

# --- the viewer, and what only tests need ---------------------------------------------------------------

readonly VIEWER_BUILD=$ROOT/build/viewer TOOLS_BUILD=$ROOT/build/test-tools

# version_in POM NAME: what the pom says of a property.
version_in() { sed -n "s|.*<$2>\(.*\)</$2>.*|\1|p" "$ROOT/$1"; }

# is_brought FOLDER FILE…: whether the folder holds what these files name.
is_brought() { [ "$(cat "$1/stamp" 2>/dev/null)" = "$(cat "${@:2}" | cksum)" ]; }

run_maven() { mvn -B -ntp -Dstyle.color=never "$@"; }

# The viewer that GET /docs shows the APIs with. Its status tells whether it is there: all else works without.
ensure_viewer() {
    local what
    ! is_brought "$VIEWER_BUILD" "$ROOT/deploy/viewer/pom.xml" || return 0
    what="Swagger UI $(version_in deploy/viewer/pom.xml viewer.version)"
    step "bringing $what" "$what brought" bring_viewer && return
    complain "$what, which /docs shows the APIs with, could not be brought by Maven: see $(short_path "$STEP_LOG"); all else works without"
    return 1
}

bring_viewer() {
    local new=$VIEWER_BUILD.new
    rm -rf "$new" && mkdir -p "$new" || return 1
    run_maven -f "$ROOT/deploy/viewer/pom.xml" dependency:unpack-dependencies -DoutputDirectory="$new/jar" \
        -DmarkersDirectory="$new/jar/markers" \
        -Dmdep.unpack.includes='**/swagger-ui.css,**/swagger-ui-bundle.js,**/favicon-32x32.png' || return 1
    mv "$new"/jar/META-INF/resources/webjars/swagger-ui/*/* "$new" && rm -rf "$new/jar" || return 1
    cksum <"$ROOT/deploy/viewer/pom.xml" >"$new/stamp" || return 1
    rm -rf "$VIEWER_BUILD" && mv "$new" "$VIEWER_BUILD"
}

ensure_test_tools() {
    ! is_brought "$TOOLS_BUILD" "$ROOT/deploy/test/pom.xml" "$ROOT/deploy/test/requirements.txt" || return 0
    step "bringing the tests' tools" "the tests' tools brought" bring_test_tools && return
    if grep -q '^ERROR: ' "$STEP_LOG"; then
        grep -m3 '^ERROR: ' "$STEP_LOG" | sed 's/^/    | /' >&2
        fail "the tests' tools could not be brought by pip: check the connection, then try again ($(short_path "$STEP_LOG"))"
    fi
    explain_maven "the tests' tools"
}

# A virtual environment knows its own path, and so is made where it stays; the stamp comes last.
bring_test_tools() {
    rm -rf "$TOOLS_BUILD" && mkdir -p "$TOOLS_BUILD" || return 1
    run_maven -f "$ROOT/deploy/test/pom.xml" dependency:copy-dependencies -DoutputDirectory="$TOOLS_BUILD" \
        -Dmdep.stripVersion=true || return 1
    /usr/bin/python3 -m venv "$TOOLS_BUILD/python" || return 1
    "$TOOLS_BUILD/python/bin/pip" install --no-input --disable-pip-version-check --no-deps \
        -r "$ROOT/deploy/test/requirements.txt" || return 1
    cat "$ROOT/deploy/test/pom.xml" "$ROOT/deploy/test/requirements.txt" | cksum >"$TOOLS_BUILD/stamp"
}

# --- our own programs -----------------------------------------------------------------------------------

ensure_built() {
    [ -z "${ODRADEK_BIN_DIR:-}" ] || return 0
    [ -f "$ROOT/Makefile" ] || fail "there is no Makefile in $ROOT: is the checkout complete?"
    ! make -C "$ROOT" -q >/dev/null 2>&1 || return 0
    step "building" "services built" make -C "$ROOT" -j"$(nproc)" && return
    grep -m5 'error:\|undefined reference\|cannot find\|No rule to make' "$STEP_LOG" | sed 's/^/    | /' >&2
    fail "the services could not be built: see $(short_path "$STEP_LOG")"
}

# One set-up at a time in a checkout, also when several stacks of it start together.
locked_setup() {
    local status=0
    mkdir -p "$ROOT/build" || fail "cannot write to $ROOT/build"
    exec 8>"$ROOT/build/.lock"
    flock -n 8 || { progress "waiting for another set-up in this checkout"; flock 8; }
    "$@" || status=$?
    exec 8>&-
    return "$status"
}
