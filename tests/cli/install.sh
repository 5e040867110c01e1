#!/usr/bin/env bash
# make install puts everything under DESTDIR, a program builds against it with
# pkg-config, make uninstall takes all of it away.
# limit: 120
. tests/lib.sh

dest=$PWD/$B/install-test
rm -rf "$dest"
make -s -j"$(nproc)" --no-print-directory B="$B" DESTDIR="$dest" PREFIX=/usr install >"$T/log" 2>&1 || fail "make install: $(cat "$T/log")"
for file in bin/pollscope lib/libpollscope-loop.a lib/pkgconfig/pollscope-loop.pc share/man/man1/pollscope.1 \
	share/bash-completion/completions/pollscope include/pollscope/ps_loop.h include/pollscope/ps_event.h include/pollscope/ps_ring.h; do
	[ -s "$dest/usr/$file" ] || fail "not installed: $file"
done
"$dest/usr/bin/pollscope" --version >/dev/null || fail "the installed tool does not run"
cat >"$T/user.c" <<'C'
#include <ps_loop.h>
#include <stdio.h>
static void fire(void *arg) { puts("fired"); }
int main(void)
{
	struct ps_loop *loop;
	struct ps_timer *timer;
	if (ps_loop_open(&loop, NULL) || ps_timer_open(loop, &timer, fire, NULL) || ps_timer_start(timer, 1000, 0))
		return 1;
	return ps_loop_run(loop, PS_RUN_ONCE) < 0;
}
C
pkg_config=$(program pkg-config) || skip "pkg-config is not installed"
flags=$(PKG_CONFIG_PATH="$dest/usr/lib/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$dest" "$pkg_config" --cflags --libs pollscope-loop) || fail "pkg-config"
# shellcheck disable=SC2086
${CC:-cc} -o "$T/user" "$T/user.c" $flags || fail "a program does not build with: $flags"
LD_LIBRARY_PATH=$dest/usr/lib "$T/user" | grep -q fired || fail "the program does not run"

make -s --no-print-directory B="$B" DESTDIR="$dest" prefix=/usr uninstall || fail "make uninstall"
left=$(find "$dest" -type f -o -type l)
[ -z "$left" ] || fail "left behind: $left"
rm -rf "$dest"
