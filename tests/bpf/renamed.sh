#!/usr/bin/env bash
# Servers whose program has another name are known by what they export: ls and
# stat tell node, with its version, redis and nginx, and what goes with them.
# limit: 60
. tests/lib.sh
need_root

declare -A pid_of
start() { # RUNTIME PROGRAM ARGUMENT…: a copy of the program by another name
	local runtime=$1 file=$2; shift 2
	[ -n "$file" ] || return 0
	local libraries=
	if [ "$(head -c 2 "$file")" = '#!' ]; then # unpacked by tests/peers: a script that names the program and its libraries
		libraries=$(sed -n 's/^LD_LIBRARY_PATH="\([^"]*\)".*/\1/p' "$file")
		file=$(sed -n 's/.* exec "\([^"]*\)".*/\1/p' "$file")
	fi
	cp -L "$file" "$T/my-$runtime" || fail "no copy of $file"
	env ${libraries:+"LD_LIBRARY_PATH=$libraries"} "$T/my-$runtime" "$@" >"$T/$runtime.log" 2>&1 & pids+=($!)
	pid_of[$runtime]=$!
}
start node "$(program node)" -e 'setInterval(() => {}, 20)'
start redis "$(program redis-server)" --port "$(free_port)" --bind 127.0.0.1 --save '' --appendonly no --dir "$T"
nginx=$(program nginx)
mkdir "$T/nginx"
cat >"$T/nginx.conf" <<CONF
daemon off; master_process off; pid $T/nginx/pid; error_log $T/nginx/error.log;
events { }
http { access_log off; client_body_temp_path $T/nginx/body; proxy_temp_path $T/nginx/proxy;
  fastcgi_temp_path $T/nginx/fastcgi; uwsgi_temp_path $T/nginx/uwsgi; scgi_temp_path $T/nginx/scgi;
  server { listen 127.0.0.1:$(free_port); } }
CONF
start nginx "$nginx" -p "$T/nginx" -c "$T/nginx.conf"
[ ${#pid_of[@]} -gt 0 ] || skip "neither node, redis nor nginx is to be had"

is() { # PID RUNTIME
	$PS ls --json >"$T/ls.json" && [ "$(json "$T/ls.json" "any(l['pid'] == $1 and l['runtime'] == '$2' for l in d['loops'])")" = True ]
}
for runtime in "${!pid_of[@]}"; do
	until_ok 10 is "${pid_of[$runtime]}" "$runtime" || fail "$runtime is not told: $(cat "$T/ls.json" "$T/$runtime.log")"
	$PS stat -d 1s --json "${pid_of[$runtime]}" >"$T/stat.json" 2>"$T/err" || fail "stat: exit $?: $(cat "$T/err")"
	holds "$T/stat.json" "d['target']['runtime'] == '$runtime' and d['target']['comm'] == 'my-$runtime'"
	case $runtime in
	node) holds "$T/stat.json" "d['target']['runtime_version'] == '$("$(program node)" -p process.versions.node)'" ;;
	*) holds "$T/stat.json" "any(p['group'] == 'snapshot' and p['state'] == 'on' for p in d['probes'])" ;;
	esac
done
