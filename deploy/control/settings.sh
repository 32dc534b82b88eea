# shellcheck shell=bash
# Settings: the values of the settings file by their paths (ports.commandApi), each overridden by its
# environment variable (ODRADEK_PORTS_COMMAND_API). A list is its values with commas between them.

declare -A SETTINGS=()

# ports.commandApi -> ODRADEK_PORTS_COMMAND_API
setting_variable() {
    local name=${1//./_}
    local LC_ALL=C
    while [[ $name =~ ^(.*[a-z0-9])([A-Z].*)$ ]]; do
        name=${BASH_REMATCH[1]}_${BASH_REMATCH[2]}
    done
    printf 'ODRADEK_%s' "${name^^}"
}

# shellcheck disable=SC2016  # jq's own variables
readonly SETTINGS_AS_LINES='
  paths as $path | select(all($path[]; type == "string")) | getpath($path) as $value
  | select($value | if type == "array" then all(.[]; scalars // false | . != null) else type != "object" end)
  | [ ($path | join(".")), ($value | if type == "array" then map(tostring) | join(",") else tostring end) ]
  | @tsv'

load_settings() {
    local lines path value
    [ "${#SETTINGS[@]}" -eq 0 ] || return 0
    command -v jq >/dev/null || fail "jq is missing, which reads the settings: ./control.sh setup installs it"
    [ -r "$SETTINGS_FILE" ] || fail "settings file $(short_path "$SETTINGS_FILE") cannot be read: name another with --settings FILE or ODRADEK_SETTINGS"
    lines=$(jq -r "$SETTINGS_AS_LINES" "$SETTINGS_FILE" 2>&1) ||
        fail "settings file $(short_path "$SETTINGS_FILE") is not JSON as expected: ${lines#jq: }"
    while IFS=$'\t' read -r path value; do
        [ -z "$path" ] || SETTINGS[$path]=$value
    done <<<"$lines"
}

# setting PATH DEFAULT
setting() {
    local variable
    variable=$(setting_variable "$1")
    if [ -n "${!variable:-}" ]; then
        printf '%s' "${!variable}"
    else
        printf '%s' "${SETTINGS[$1]:-$2}"
    fi
}

# How to change a setting, for an error: 'ports.commandApi in settings.json or ODRADEK_PORTS_COMMAND_API'
setting_places() {
    printf '%s in %s or %s' "$1" "$(short_path "$SETTINGS_FILE")" "$(setting_variable "$1")"
}

list_length() { local commas=${1//[!,]/}; printf '%s' "$((${#commas} + 1))"; }

# list_item LIST NUMBER, from 1
list_item() { printf '%s' "$1" | cut -d, -f"$2"; }

is_loopback() { case $1 in 127.*|localhost|::1|'[::1]') return 0 ;; *) return 1 ;; esac; }
