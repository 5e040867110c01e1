#!/bin/sh
# One build: records the test, judges it. Needs root (or sudo), for the kernel tells of system calls and stacks.
#   check.sh [BASELINE…]      recordings or summaries of the main branch
# POLLSCOPE names the program, RUN the recording that is made.
set -eu
cd "$(dirname "$0")"
pollscope=${POLLSCOPE:-pollscope} run=${RUN:-run.psr}
"$pollscope" record -q --force --stall 10ms --without runtime --without snapshot -o "$run" -- npm test
left=$#
while [ "$left" -gt 0 ]; do
	set -- "$@" --baseline "$1"
	shift
	left=$((left - 1))
done
exec "$pollscope" check "$run" --budget budget.yml --force --junit junit.xml ${GITHUB_STEP_SUMMARY:+--markdown "$GITHUB_STEP_SUMMARY"} "$@"
