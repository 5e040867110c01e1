#!/usr/bin/env bash
# A server that sleeps 50 ms per request, two clients: the second waits 50 ms for
# its turn, part of it in the kernel and part behind the first one, and the parts
# add up; bytes, empty wake-ups and EAGAIN are counted.
# limit: 60
. tests/lib.sh
need_root
cat >"$T/server.py" <<'PY'
import select, socket, time
listener = socket.create_server(('127.0.0.1', 0)); listener.setblocking(False)
poller = select.epoll(); poller.register(listener.fileno(), select.EPOLLIN)
print(listener.getsockname()[1], flush=True)
clients = {}
while True:
    for fd, events in poller.poll():
        if fd == listener.fileno():
            client, _ = listener.accept()
            client.setblocking(False)
            clients[client.fileno()] = client
            poller.register(client.fileno(), select.EPOLLIN)
            continue
        data = clients[fd].recv(4096)
        if not data:
            clients.pop(fd).close()
            continue
        try:
            clients[fd].recv(4096) # until there is nothing
        except BlockingIOError:
            pass
        begun = time.monotonic_ns()
        time.sleep(0.05)
        print(begun, time.monotonic_ns() - begun, flush=True)
        clients[fd].send(data)
PY
cat >"$T/clients.py" <<'PY'
import socket, sys, threading, time
def run(name):
    c = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
    for _ in range(40):
        c.sendall(b'x' * 100)
        c.recv(4096)
    if name == 'b':
        time.sleep(30)
for name in 'ab':
    threading.Thread(target=run, args=name).start()
PY
python3 "$T/server.py" >"$T/port" & pids+=("$!")
pid=$!
until_ok 10 test -s "$T/port" || fail "the server did not start"
mkfifo "$T/ready"
$PS stat -d 3s --json --ready-fd 3 "$pid" >"$T/stat.json" 2>"$T/err" 3>"$T/ready" & stat=$!; pids+=("$stat")
head -c 1 "$T/ready" >/dev/null
sleep 0.2 # one look at the poller: what is registered from now on is followed
python3 "$T/clients.py" "$(head -1 "$T/port")" & pids+=("$!")
wait "$stat" || fail "stat: exit $?: $(cat "$T/err")"
python3 - "$T/stat.json" "$T/port" <<'PY' || { head -c 5000 "$T/stat.json"; fail "not as it is"; }
import json, sys
d = json.load(open(sys.argv[1])); ms = 1e6
ready = next(p for p in d['probes'] if p['group'] == 'ready')
print(ready['state'], ready['reason'])
assert ready['state'] == 'on' and d['lost']['total'] == 0
loop = d['loops'][0]
print({k: loop[k] for k in ('lag_ns', 'lag_kernel_ns', 'lag_turn_ns')})
clients = [f for f in loop['fds'] if f['kind'] == 'tcp' and f['dispatched']]
assert len(clients) == 2, clients
for f in clients:
    print(f['name'], f['ready'], f['dispatched'], f['read_bytes'], f['written_bytes'], f['eagain'], f['empty_wakeups'], f['lag_ns'])
    # of each request: one return, one use, one read that found nothing more
    assert f['dispatched'] >= 15 and abs(f['ready'] - f['dispatched']) <= 1
    assert f['read_bytes'] % 100 == 0 and abs(f['read_bytes'] // 100 - f['dispatched']) <= 1, f
    assert abs(f['eagain'] - f['dispatched']) <= 1 and f['empty_wakeups'] == 0, f
    assert f['written_bytes'] % 100 == 0 and f['written_bytes'] > 0
# whoever comes second waits for the first one's 50 ms, as long as they really were on this machine
rows = [list(map(int, line.split())) for line in open(sys.argv[2]) if line.count(' ') == 1]
t0, t1 = loop['window']['first_ns'], loop['window']['last_ns']
service = [r[1] for r in rows if t0 <= r[0] <= t1][2:]
service = sum(service) / len(service)
waited = [f['lag_ns'] for f in clients]
waited = sum(w['mean'] * w['count'] for w in waited) / sum(w['count'] for w in waited)
print('service', service, 'waited', waited)
assert abs(waited - service) <= 5 * ms, (waited, service)
# the parts add up: of the same turns, in the mean
whole, kernel, turn = (loop[k] for k in ('lag_ns', 'lag_kernel_ns', 'lag_turn_ns'))
assert kernel['count'] == whole['count']
assert abs(kernel['mean'] + turn['mean'] * turn['count'] / whole['count'] - whole['mean']) < 0.1 * whole['mean'] + ms, (kernel, turn, whole)
PY
