# shellcheck shell=bash
# The servers and services: for each kind how it is prepared, which command it is, and when it is ready.
#   prepare_KIND INSTANCE   makes its folders and configuration
#   command_KIND INSTANCE   puts the command into COMMAND
#   ready_KIND INSTANCE     succeeds once it does its work

COMMAND=()

prepare() { "prepare_$(kind_of "$1")" "$1"; }
is_ready() { "ready_$(kind_of "$1")" "$1"; }

start_process() {
    COMMAND=()
    "command_$(kind_of "$1")" "$1"
    launch "$1" "${COMMAND[@]}"
}

http_ok() { curl -fsS -o /dev/null --noproxy '*' -m "${2:-2}" "$1" 2>/dev/null; }

answers_tcp() { timeout 2 bash -c ": <>'/dev/tcp/${1%:*}/${1##*:}'" 2>/dev/null; }

# --- Kafka ----------------------------------------------------------------------------------------------

kafka_metrics_port() { setting ports.kafkaMetrics 7071; }
kafka_controller_port() { setting ports.kafkaController 9093; }

# What listens at the address is Kafka: it answers a metadata request and knows a broker.
kafka_answers() {
    local client=()
    [ ! -s "$STATE/kafka/client.conf" ] || client=(-F "$STATE/kafka/client.conf")
    kcat -b "$(value_of kafka)" "${client[@]}" -X log_level=0 -m 3 -L 2>/dev/null | grep -q '^ *[1-9][0-9]* brokers:'
}

# Somebody else's Kafka: on another machine, or named by the environment and answering already.
kafka_is_external() {
    local address
    for address in $(tr ',' ' ' <<<"$(value_of kafka)"); do
        is_loopback "${address%:*}" || return 0
    done
    [ -n "${ODRADEK_KAFKA_BOOTSTRAP_SERVERS:-}" ] && ! is_running kafka && port_holder "$(port_of kafka)" >/dev/null && kafka_answers
}

ready_kafka() { kafka_answers; }

# librdkafka's own properties from the settings (SASL, TLS), for kcat; in a file, since some are secrets.
write_kafka_client() {
    local path
    mkdir -p "$STATE/kafka" || return 1
    (
        umask 077
        for path in "${!SETTINGS[@]}"; do
            case $path in kafka.properties.*) printf '%s=%s\n' "${path#kafka.properties.}" "$(setting "$path" '')" ;; esac
        done >"$STATE/kafka/client.conf"
    )
}

prepare_kafka() {
    local folder=$STATE/kafka host id
    host=$(host_of kafka)
    mkdir -p "$folder/data"
    {
        printf '# Written by control.sh at every start.\n'
        cat "$ROOT/deploy/kafka/server.properties"
        printf '\nlisteners=PLAINTEXT://%s,CONTROLLER://%s:%s\n' "$(address_of kafka)" "$host" "$(kafka_controller_port)"
        printf 'advertised.listeners=PLAINTEXT://%s\n' "$(address_of kafka)"
        printf 'controller.quorum.voters=1@%s:%s\n' "$host" "$(kafka_controller_port)"
        printf 'log.dirs=%s\n' "$folder/data"
    } >"$folder/server.properties"
    [ ! -f "$folder/data/meta.properties" ] || return 0
    id=$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | cut -c 1-22)
    step "formatting Kafka's storage" "Kafka's storage formatted" \
        kafka_run storage format --cluster-id="$id" --config "$folder/server.properties" --ignore-formatted && return
    show_end "$STEP_LOG"
    return 1
}

command_kafka() {
    local agent heap
    # Seen from the checkout, where every process starts: Kafka's scripts break at a space in these paths.
    agent=-javaagent:build/kafka/agent/jmx-exporter.jar=$(host_of kafka):$(kafka_metrics_port):deploy/kafka/jmx-exporter.yml
    if [ -n "${KAFKA_HOME:-}" ]; then
        COMMAND=(env "KAFKA_OPTS=${KAFKA_OPTS:-} $agent" "KAFKA_HEAP_OPTS=$(kafka_heap)" "LOG_DIR=$STATE/kafka/logs"
            "$KAFKA_HOME/bin/kafka-server-start.sh" "$STATE/kafka/server.properties")
    else
        read -ra heap <<<"$(kafka_heap)"
        COMMAND=("$(find_java)" "${heap[@]}" -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -XX:InitiatingHeapOccupancyPercent=35
            -XX:+ExplicitGCInvokesConcurrent -Djava.awt.headless=true "$agent"
            "-Dlog4j2.configurationFile=$ROOT/deploy/kafka/log4j2.xml" -cp "$KAFKA_BUILD/lib/*"
            kafka.Kafka "$STATE/kafka/server.properties")
    fi
}

kafka_heap() { printf '%s' "${KAFKA_HEAP_OPTS:--Xms256m -Xmx512m}"; }

# The first Java that is new enough for Kafka.
find_java() {
    local java version
    for java in ${JAVA_HOME:+"$JAVA_HOME/bin/java"} java /usr/lib/jvm/default-java/bin/java /usr/lib/jvm/java-*-openjdk-*/bin/java; do
        version=$("$java" -version 2>&1 | sed -n '1s/.*version "\([0-9]*\).*/\1/p')
        [ -n "$version" ] && [ "$version" -ge 17 ] && { command -v "$java"; return 0; }
    done
    return 1
}

# Kafka's console tools: our name, the class in Kafka's jars, Kafka's own script, and whether it asks a broker.
readonly KAFKA_TOOLS='
    topics              org.apache.kafka.tools.TopicCommand                       kafka-topics              asks
    console-producer    org.apache.kafka.tools.ConsoleProducer                    kafka-console-producer    asks
    console-consumer    org.apache.kafka.tools.consumer.ConsoleConsumer           kafka-console-consumer    asks
    groups              org.apache.kafka.tools.consumer.group.ConsumerGroupCommand kafka-consumer-groups    asks
    offsets             org.apache.kafka.tools.GetOffsetShell                     kafka-get-offsets         asks
    configs             kafka.admin.ConfigCommand                                 kafka-configs             asks
    transactions        org.apache.kafka.tools.TransactionsCommand                kafka-transactions        asks
    delete-records      org.apache.kafka.tools.DeleteRecordsCommand               kafka-delete-records      asks
    log-dirs            org.apache.kafka.tools.LogDirsCommand                     kafka-log-dirs            asks
    broker-api-versions org.apache.kafka.tools.BrokerApiVersionsCommand           kafka-broker-api-versions asks
    producer-perf-test  org.apache.kafka.tools.ProducerPerformance                kafka-producer-perf-test  asks
    consumer-perf-test  org.apache.kafka.tools.ConsumerPerformance                kafka-consumer-perf-test  asks
    metadata-quorum     org.apache.kafka.tools.MetadataQuorumCommand              kafka-metadata-quorum     asks
    dump-log            org.apache.kafka.tools.DumpLogSegments                    kafka-dump-log            -
    storage             kafka.tools.StorageTool                                   kafka-storage             -
'

kafka_tool() { awk -v tool="$1" -v column="$2" '$1 == tool { print $column }' <<<"$KAFKA_TOOLS"; }

# kafka_run TOOL ARGUMENT…: becomes the tool.
kafka_run() {
    local tool=$1 quiet=()
    shift
    [ "$tool" != console-consumer ] || mapfile -t quiet < <(kafka_quiet_consumer "$@")
    if [ -n "${KAFKA_HOME:-}" ]; then
        exec "$KAFKA_HOME/bin/$(kafka_tool "$tool" 3).sh" "$@"
    fi
    exec "$(find_java)" -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
        "-Dlog4j2.configurationFile=$ROOT/deploy/kafka/tools-log4j2.xml" -cp "$KAFKA_BUILD/lib/*" "$(kafka_tool "$tool" 2)" "${quiet[@]}" "$@"
}

# Without a word about the group's protocol the console consumer recommends the new one, every time.
kafka_quiet_consumer() {
    case " $*" in *" --command-"*|*" --consumer"*) ;; *) printf '%s\n' --command-property group.protocol=consumer ;; esac
}

# --- Redis ----------------------------------------------------------------------------------------------

prepare_redis() {
    local folder=$STATE/redis/$1
    mkdir -p "$folder"
    {
        printf '# Written by control.sh at every start.\n'
        printf 'include "%s"\n' "$ROOT/deploy/redis/redis.conf"
        printf 'bind %s\nport %s\n' "$(host_of "$1" | sed 's/^localhost$/127.0.0.1/')" "$(port_of "$1")"
        printf 'dir "%s"\n' "$folder"
    } >"$folder/redis.conf"
}

command_redis() { COMMAND=(redis-server "$STATE/redis/$1/redis.conf"); }

ready_redis() {
    if is_external "$1"; then
        # It may want a password, which is for the services to know: that it listens is enough here.
        answers_tcp "$(address_of "$1")"
    else
        [ "$(timeout 2 redis-cli -h "$(host_of "$1")" -p "$(port_of "$1")" ping 2>/dev/null)" = PONG ]
    fi
}

# --- Prometheus -----------------------------------------------------------------------------------------

prepare_prometheus() {
    mkdir -p "$STATE/prometheus/targets" "$STATE/prometheus/data"
    cp "$ROOT/deploy/prometheus/prometheus.yml" "$STATE/prometheus/prometheus.yml"
    write_targets
}

command_prometheus() {
    COMMAND=(prometheus "--config.file=$STATE/prometheus/prometheus.yml" "--storage.tsdb.path=$STATE/prometheus/data"
        "--web.listen-address=$(address_of prometheus)" --log.level=warn)
}

ready_prometheus() { http_ok "http://$(address_of "$1")/-/ready"; }

# What Prometheus scrapes: Kafka and every service, one that is stopped too (so that it shows as down), and
# the replicas that run.
write_targets() {
    local folder=$STATE/prometheus/targets name instance
    mkdir -p "$folder"
    {
        is_external kafka || printf 'kafka %s:%s\n' "$(host_of kafka)" "$(kafka_metrics_port)"
        for name in "${NAMES[@]}"; do
            [ "$(kind_of "$name")" = service ] || continue
            for instance in $( { instances_of "$name"; running_of "$name"; } | sort -u); do
                printf '%s %s\n' "$name" "$(address_of "$instance")"
            done
        done
        printf 'prometheus %s\n' "$(address_of prometheus)"
    } | jq -Rn '[inputs | split(" ") | {labels: {job: .[0]}, targets: [.[1]]}]' >"$folder/odradek.json.new" &&
        mv "$folder/odradek.json.new" "$folder/odradek.json"
}

# --- the services ---------------------------------------------------------------------------------------

prepare_service() { [ -x "$(program_of "$1")" ] || fail "$(short_path "$(program_of "$1")") is missing: ./control.sh build makes it"; }

program_of() { printf '%s/%s' "${ODRADEK_BIN_DIR:-$ROOT/bin}" "$(name_of "$1")"; }

command_service() {
    COMMAND=(env "$(setting_variable "$(setting_of "$1")")=$(port_of "$1")" "$(program_of "$1")" --settings "$SETTINGS_FILE")
}

ready_service() { http_ok "http://$(address_of "$1")/ready"; }
