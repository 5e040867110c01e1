#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Makes the pictures of this folder from real screens: runs the tool in tmux, on the demo and (as root, with node) on a
# node server under load, and draws what the terminal shows. Needs tmux, python3-pil and fonts-dejavu-core.
set -eu
cd "$(dirname "$0")/../.."
B=${B:-build} out=${OUT:-docs/pictures}
tool=$PWD/$B/pollscope
python=$(for p in /usr/bin/python3 python3; do $p -c 'import PIL' 2>/dev/null && { echo $p; break; }; done)
[ -n "$python" ] && [ -f /usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf ] ||
	{ echo "drawing needs: apt-get install python3-pil fonts-dejavu-core" >&2; exit 1; }
T=$(mktemp -d)
number=0 socket=pollscope-pictures-$$
pids=()
end() {
	tmux -L "$socket" kill-server 2>/dev/null || true
	for pid in "${pids[@]:-}"; do [ -n "$pid" ] && kill "$pid" 2>/dev/null; done
	rm -rf "$T"
}
trap end EXIT
# open COLUMNS ROWS COMMAND…
open() {
	columns=$1 rows=$2; shift 2
	tmux -L "$socket" kill-server 2>/dev/null || true
	rm -rf "$T/pollscope" # what was chosen in the picture before
	socket=pollscope-pictures-$$-$((number += 1)) # the old server may still be on its way out
	tmux -L "$socket" -f /dev/null new-session -d -x "$columns" -y "$rows" \
		"cd '$T' && env -u NO_COLOR LC_ALL=C.UTF-8 XDG_CONFIG_HOME='$T' TERM=${TERMINAL:-screen-256color} ${SETTING:-A=1} $*"
}
keys() { for key in "$@"; do tmux -L "$socket" send-keys -- "$key"; sleep 0.15; done; sleep 0.5; }
shoot() { tmux -L "$socket" capture-pane -e -p | $python docs/pictures/draw.py "$columns" "$rows" "${2:-dark}" "$out/$1.png"; }

# ---- the demo ----
open 120 36 "$tool demo computation"; sleep 7
shoot demo-overview
keys Enter; shoot demo-evidence
keys Escape 7; shoot demo-timeline
keys 8; shoot demo-diagnosis
open 120 36 "$tool demo pool-congestion"; sleep 6
keys 4; shoot demo-pool
open 80 24 "$tool demo sync-io"; sleep 5
shoot demo-80x24
tmux -L "$socket" resize-window -x 40 -y 8; columns=40 rows=8; sleep 1
shoot demo-40x8
SETTING=NO_COLOR=1 open 80 24 "$tool demo computation"; sleep 5
shoot demo-no-color
SETTING=LC_ALL=C TERMINAL=screen open 80 24 "$tool demo computation --ascii"; sleep 5
shoot demo-8-colours
open 80 24 "$tool demo timer-storm"; sleep 4
keys : t h e m e Space l i g h t Enter; shoot demo-light light
keys : c o l o u r - b l i n d Enter; shoot demo-colour-blind
$tool demo -q computation -d 4s -o "$T/run.psr" >/dev/null
open 120 36 "$tool replay run.psr"; sleep 2
keys + n 1; shoot replay

# ---- node under load ----
[ "$(id -u)" = 0 ] && command -v node >/dev/null || exit 0
cat >"$T/server.js" <<'JS'
const http = require('http'), crypto = require('crypto'), fs = require('fs');
function hashPw(pw) { return crypto.pbkdf2Sync(pw, 'salt', 90000, 64, 'sha512'); }
function validate(text) { return /^(a+)+$/.test(text); }
let n = 0;
http.createServer((request, response) => {
  if (++n % 80 === 0) hashPw('x');
  if (n % 130 === 0) validate('aaaaaaaaaaaaaaaaaaaaaaa!');
  if (n % 7 === 0) fs.readFile('/etc/passwd', () => {});
  if (n % 20 === 0) crypto.pbkdf2('a', 'b', 60000, 64, 'sha512', () => {});
  response.end('hello');
}).listen(0, '127.0.0.1', function () {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 8 }), port = this.address().port;
  setInterval(() => http.get({ port, agent }, (answer) => answer.resume()), 12);
});
JS
(cd "$T" && exec node server.js) & pids+=($!)
sleep 1
open 120 36 "$tool top ${pids[0]}"; sleep 12
shoot node-overview
keys Enter; shoot node-evidence
keys Escape 2 g; shoot node-culprits
keys g 3; shoot node-phases
keys 4; shoot node-pool
keys 6; shoot node-fds
open 120 36 "$tool"; sleep 2
keys / s e r v e r . j s Enter
shoot picker
