# SPDX-License-Identifier: BSD-2-Clause
# pollscope-loop(3) from ps_loop.h: the head comment is the description, each
# "---- section ----" a subsection with its words and its declarations.
#   awk -f man.awk ps_loop.h

function escape(text)
{
	gsub(/\\/, "\\e", text)
	sub(/^[.']/, "\\\\\\&&", text)
	gsub(/\(\)/, "\\\\\\&()", text) # a name as it is, no markup
	return text
}

function flush_code(   i, first, last)
{
	for (first = 1; first <= lines && code[first] == ""; first++)
		;
	for (last = lines; last >= first && code[last] == ""; last--)
		;
	if (first <= last) {
		print ".Bd -literal"
		for (i = first; i <= last; i++)
			print escape(code[i])
		print ".Ed"
	}
	lines = 0
}

# Running text: short lines, a new sentence on a line of its own.
function say(text,   n, i, word, line)
{
	n = split(text, word, " ")
	line = ""
	for (i = 1; i <= n; i++) {
		if (line != "" && length(line) + length(word[i]) > 74 || line ~ /\.$/ && word[i] ~ /^[A-Z`]/) {
			print escape(line)
			line = ""
		}
		line = line (line == "" ? "" : " ") word[i]
	}
	if (line != "")
		print escape(line)
}

# Words of a comment: a blank line begins a paragraph, " - " an item of a list.
function words(text)
{
	sub(/^ \*\/?[ \t]?/, "", text)
	sub(/[ \t]*\*\/$/, "", text)
	if (text ~ /^[ \t]*$/) {
		end_paragraph()
		if (in_list)
			print ".El"
		in_list = 0
		pending = 1
		return
	}
	if (text ~ /^ - /) {
		end_paragraph()
		if (!in_list)
			print ".Bl -bullet"
		in_list = 1
		pending = 0
		print ".It"
		sub(/^ - /, "", text)
	}
	if (pending && paragraph == "")
		print ".Pp"
	pending = 0
	sub(/^[ \t]+/, "", text)
	paragraph = paragraph " " text
}

function end_paragraph()
{
	if (paragraph != "")
		say(paragraph)
	paragraph = ""
}

function end_words()
{
	end_paragraph()
	if (in_list)
		print ".El"
	in_list = pending = 0
}

function section(title)
{
	flush_code()
	print ".Ss " toupper(substr(title, 1, 1)) substr(title, 2)
}

BEGIN {
	state = "before"
	print ".\\\" generated from ps_loop.h"
	print ".Dd November 25, 2026\n.Dt POLLSCOPE-LOOP 3\n.Os\n.Sh NAME\n.Nm pollscope-loop\n.Nd event loop with a flight recorder"
	print ".Sh SYNOPSIS\n.In ps_loop.h\n.Pp"
	print "cc program.c $(pkg-config --cflags --libs pollscope-loop)\n.Sh DESCRIPTION"
}

/SPDX/ { next }
state == "before" && /^\/\*$/ { state = "head"; skip = 2; next }
state == "head" && skip > 0 { skip--; if (skip == 1) next; if ($0 ~ /^ \*$/) next }
state == "head" && /^ \*\/$/ { end_words(); state = "includes"; next }
state == "head" { words($0); next }
state == "includes" && /^extern "C"/ { state = "types"; next }
state == "types" && /^#endif/ { section("types"); state = "code"; next }
state == "code" && /^#ifdef __cplusplus/ { flush_code(); state = "end"; next }
state == "code" && /^\/\* ---- / {
	title = $0
	sub(/^\/\* ---- /, "", title)
	sub(/ ----.*$/, "", title)
	section(title)
	if ($0 !~ /\*\/$/)
		state = "words"
	next
}
state == "words" {
	words($0)
	if ($0 ~ /\*\/$/) {
		end_words()
		state = "code"
	}
	next
}
state == "code" {
	text = $0
	code[++lines] = text
}

END {
	print ".Sh SEE ALSO\n.Xr pollscope 1"
}
