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
        print(clients[fd].getpeername()[1], begun, time.monotonic_ns() - begun, flush=True)
        clients[fd].send(data)
PY
cat >"$T/clients.py" <<'PY'
import socket, sys, threading, time
def run(name):
    c = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
    for _ in range(20):
        sys.stdout.write(f'{c.getsockname()[1]} {time.monotonic_ns()}\n')
        c.sendall(b'x' * 100)
        c.recv(4096)
    sys.stdout.write('done\n')
    sys.stdout.flush()
    if name == 'b':
        time.sleep(30)
for name in 'ab':
    threading.Thread(target=run, args=name).start()
PY
python3 "$T/server.py" >"$T/port" & pids+=("$!")
pid=$!
until_ok 10 test -s "$T/port" || fail "the server did not start"
mkfifo "$T/ready"
$PS stat -d 40s --json --ready-fd 3 "$pid" >"$T/stat.json" 2>"$T/err" 3>"$T/ready" & stat=$!; pids+=("$stat")
head -c 1 "$T/ready" >/dev/null
sleep 0.2 # one look at the poller: what is registered from now on is followed
python3 "$T/clients.py" "$(head -1 "$T/port")" >"$T/sent" & pids+=("$!")
done_both() { [ "$(grep -c "done" "$T/sent")" = 2 ]; }
until_ok 30 done_both || fail "the clients are not served"
kill -INT "$stat"
wait "$stat" || fail "stat: exit $?: $(cat "$T/err")"
python3 - "$T/stat.json" "$T/port" "$T/sent" <<'PY' || fail "not as it is"
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
# whoever comes second waits for the first one's 50 ms, as long as they really were on this machine:
# from when the client says that it sends until the server says that it begins, request by request
def rows(path, fields):
    return [list(map(int, line.split())) for line in open(path) if line.count(' ') == fields - 1 and line.endswith('\n')]
t0, t1 = loop['window']['first_ns'], loop['window']['last_ns']
really = []
for port in {row[0] for row in rows(sys.argv[3], 2)}:
    sent = [row[1] for row in rows(sys.argv[3], 2) if row[0] == port]
    begun = [row[1] for row in rows(sys.argv[2], 3) if row[0] == port]
    really += [at - since for since, at in zip(sent, begun) if t0 <= since and at <= t1]
really = sum(really) / len(really)
waited = [f['lag_ns'] for f in clients]
waited = sum(w['mean'] * w['count'] for w in waited) / sum(w['count'] for w in waited)
print('really', really, 'waited', waited)
assert really >= 30 * ms and abs(waited - really) <= 5 * ms, (waited, really)
# the parts add up: of the same turns, in the mean
whole, kernel, turn = (loop[k] for k in ('lag_ns', 'lag_kernel_ns', 'lag_turn_ns'))
assert kernel['count'] == whole['count']
assert abs(kernel['mean'] + turn['mean'] * turn['count'] / whole['count'] - whole['mean']) < 0.1 * whole['mean'] + ms, (kernel, turn, whole)
PY
