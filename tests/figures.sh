#!/bin/sh
# Runs the tests that attack the program, and prints what each of them counted: the figures of SECURITY.md.
#
# usage: tests/figures.sh [--all]        (--all: every fault of every call, a quarter of an hour more)
set -u
cd "$(dirname "$0")/.." || exit 2
more=
[ "${1:-}" = --all ] && more=--include-ignored
failed=0
run() {
    output=$(cargo test --locked "$@" -- --nocapture $more 2>&1) || failed=1
    echo "$output" | grep -E '(planted|injected|kinds of faults|kills:|killed:|swept|edits during|damaged|chunks were told|test result:)'
}
run --test attacks
run --test builds
run --test properties
run --lib cache::
run --lib files::
echo "hostile files kept: $(ls tests/attacks/files | wc -l)"
exit $failed
