#!/usr/bin/env bash
# Help, man page and completion are made from the command and options tables,
# and none of them forgets a command or an option.
# limit: 30
. tests/lib.sh

mapfile -t commands < <($PS help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
[ "${#commands[@]}" -ge 11 ] || fail "help lists only: ${commands[*]}"
for wanted in top ls stat record report replay check export doctor demo help; do
	case " ${commands[*]} " in *" $wanted "*) ;; *) fail "help does not list $wanted" ;; esac
done

$PS _man >"$T/pollscope.1" || fail "_man: exit $?"
for command in "${commands[@]}"; do
	$PS help "$command" >"$T/help" || fail "help $command: exit $?"
	$PS "$command" --help >"$T/help2" || fail "$command --help: exit $?"
	cmp -s "$T/help" "$T/help2" || fail "help $command and $command --help differ"
	awk 'length > 80 { print; bad = 1 } END { exit bad }' "$T/help" || fail "help $command is wider than 80 columns"
	grep -q "^\.Ss $command\$" "$T/pollscope.1" || fail "the man page has no section on $command"
	for option in $(sed -n '/^Options:/,$s/^ .*--\([a-z-]*\).*/\1/p' "$T/help"); do
		grep -qF -- "Fl \\-$option" "$T/pollscope.1" || fail "the man page lacks --$option of $command"
	done
done
$PS >"$T/out" 2>"$T/err"
[ $? = 2 ] && [ ! -s "$T/out" ] && grep -q Usage "$T/err" || fail "no arguments: usage belongs to stderr, exit 2"
$PS --version | grep -qE '^pollscope [0-9]+\.[0-9]+' || fail "--version"
if mandoc=$(program mandoc); then
	"$mandoc" -Tlint -W warning "$T/pollscope.1" >"$T/lint" 2>&1 || fail "mandoc: $(cat "$T/lint")"
	"$mandoc" -Tascii "$T/pollscope.1" | sed 's/.\x08//g' >"$T/page" || fail "mandoc cannot print the page"
	grep -q 'EXIT STATUS' "$T/page" || fail "the page has no exit status"
fi

# the completion, asked as bash asks it
$PS _completion >"$T/completion" || fail "_completion: exit $?"
complete_words() {
	bash --norc -c '. "$0"; shift 0; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _pollscope; printf "%s\n" "${COMPREPLY[@]}"' \
		"$T/completion" "$@"
}
complete_words pollscope rep | sort | tr '\n' ' ' | grep -qx 'replay report ' || fail "completion of rep: $(complete_words pollscope rep)"
complete_words pollscope stat --st | grep -qx -- --stall || fail "completion of stat --st"
complete_words pollscope export --to per | grep -qx perfetto || fail "completion of export --to per"
complete_words pollscope 4711 --st | grep -qx -- --stall || fail "completion of the default command's options"
complete_words pollscope --al | grep -qx -- --all || fail "completion of an option in the place of a command"
[ "$(complete_words pollscope '' | grep -c '^-')" = 0 ] || fail "options among the commands"
complete_words pollscope demo comp | grep -qx computation || fail "completion of demo comp"

# what --without refuses, it names
for group in $(complete_words pollscope stat --without ''); do
	$PS stat --without nothing 1 2>&1 | grep -qw "$group" || fail "--without does not name $group"
done
