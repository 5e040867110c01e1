#!/usr/bin/env bash
# The table "Conformance" of docs/loop.md maps one to one onto tests that exist,
# on epoll and on kqueue.
# limit: 20
. tests/lib.sh

tests/run --list loop/ | sort >"$T/tests"
sed -n '/^## Conformance/,/^## Figures/s/^| .* | `\([a-z]*\/[a-z0-9_]*\)` |$/\1/p' docs/loop.md >"$T/table"
[ "$(wc -l <"$T/table")" -ge 70 ] || fail "only $(wc -l <"$T/table") rows were found"
[ -z "$(sort "$T/table" | uniq -d)" ] || fail "two rows share a test: $(sort "$T/table" | uniq -d)"
while IFS=/ read -r file name; do
	grep -qxF "loop/$file/$name" "$T/tests" || fail "there is no test loop/$file/$name"
	case $B in *tsan*) continue ;; esac
	grep -qxF "loop/${file}_kqueue/$name" "$T/tests" || fail "$file/$name does not run on kqueue"
done <"$T/table"
# a behaviour with an oracle reads records, or what the kernel saw, in its test
while IFS=/ read -r file name; do
	awk -v name="TEST($name)" 'index($0, name) == 1 { on = 1 } on { print } on && /^}/ { exit }' "tests/loop/test_$file.c" |
		grep -qE 'records_read|read_waits|kernel_wait|ring_head' || fail "$file/$name has no oracle"
done < <(sed -n '/^## Conformance/,/^## Figures/s/^| .*(o.* | `\([a-z]*\/[a-z0-9_]*\)` |$/\1/p' docs/loop.md)
