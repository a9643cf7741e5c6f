# shellcheck shell=sh
# Sourced by test scripts (sh or bash): starts and stops the peers of this folder.
#
#   . tests/servers/servers.sh
#   servers_begin "$dir"                         # certificates in $dir/certs, bearer token in $dir/token
#   server_start medplum ehr --strict            # KIND NAME OPTION…; sets $server_url; returns 77 when it must be skipped
#   curl --cacert "$dir/certs/ca.pem" "$server_url/metadata"
#   server_start restricted epic --rules epic --to "$server_url"   # that EHR's rules in front of it
#   server_stop ehr                              # or servers_end, which stops all; call it in a trap
#
# A later --cert and --key win: server_start faults bad --cert "$dir/certs/expired.pem" --key "$dir/certs/expired.key".
# Output goes to $dir/NAME.out, the log of a faults or restricted server to $dir/NAME.log.

servers_begin() {
    servers_dir=$1
    servers_home=${servers_home:-$(git rev-parse --show-toplevel)/tests/servers}
    mkdir -p "$servers_dir"
    "$servers_home/certs.sh" "$servers_dir/certs" || return 1
    (umask 077 && openssl rand -hex 24 >"$servers_dir/token")
}

server_start() {
    server_kind=$1 server_name=$2
    shift 2
    rm -f "$servers_dir/$server_name.ready" "$servers_dir/$server_name.log"
    set -- --cert "$servers_dir/certs/server.pem" --key "$servers_dir/certs/server.key" \
        --ready-file "$servers_dir/$server_name.ready" "$@"
    case $server_kind in
    medplum) set -- node "$servers_home/medplum/server.mjs" --token-file "$servers_dir/token" "$@" ;;
    token) set -- node "$servers_home/token/server.mjs" --log "$servers_dir/$server_name.log" --token-file "$servers_dir/token" "$@" ;;
    faults) set -- node "$servers_home/faults/server.mjs" --log "$servers_dir/$server_name.log" "$@" ;;
    restricted)
        set -- node "$servers_home/restricted/server.mjs" --log "$servers_dir/$server_name.log" \
            --ca "$servers_dir/certs/ca.pem" --token-file "$servers_dir/token" "$@" ;;
    hapi)
        "$servers_home/hapi/run.sh" --build || return $?
        set -- "$servers_home/hapi/run.sh" --token-file "$servers_dir/token" "$@"
        ;;
    *) echo "server_start: unknown kind $server_kind" >&2 && return 2 ;;
    esac
    "$@" >"$servers_dir/$server_name.out" 2>&1 &
    echo $! >"$servers_dir/$server_name.pid"
    server_wait "$server_name"
}

# A ready file, or five minutes (a server in Java has much to do on a machine that does other things too), or a process that has gone.
server_wait() {
    server_tries=0
    until [ -s "$servers_dir/$1.ready" ]; do
        server_tries=$((server_tries + 1))
        if [ $server_tries -gt 3000 ] || ! kill -0 "$(cat "$servers_dir/$1.pid")" 2>/dev/null; then
            echo "server $1 $(kill -0 "$(cat "$servers_dir/$1.pid")" 2>/dev/null && echo "is not ready after five minutes" || echo "has ended"):" >&2
            tail -n 20 "$servers_dir/$1.out" >&2
            return 1
        fi
        sleep 0.1
    done
    # shellcheck disable=SC2034
    server_url=https://127.0.0.1:$(cat "$servers_dir/$1.ready")/fhir/R4
}

server_stop() {
    [ -s "$servers_dir/$1.pid" ] || return 0
    server_pid=$(cat "$servers_dir/$1.pid")
    kill "$server_pid" 2>/dev/null || :
    wait "$server_pid" 2>/dev/null || :
    rm -f "$servers_dir/$1.pid"
}

servers_end() {
    for server_file in "${servers_dir:-/nonexistent}"/*.pid; do
        server_file=${server_file##*/}
        [ "$server_file" = '*.pid' ] || server_stop "${server_file%.pid}"
    done
}
