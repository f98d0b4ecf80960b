#!/bin/sh
# Runs the tests that attack the program, and prints what each of them counted: the figures of SECURITY.md.
#
# usage: tests/figures.sh [--all]        (--all: for the night; every fault of every call, every call at which a build is told to end, ten times
#                                         the damaged files: some hours on two cores)
# NNUE_TEST_DATA names the golden data, as tests/README.md says: what needs it counts nothing without.
set -u
cd "$(dirname "$0")/.." || exit 2
more=
if [ "${1:-}" = --all ]; then
    more=--include-ignored
    export NNUE_TEST_ALL=1
fi
failed=0
# run NAME ARGUMENTS: what a test counted stands in a line with a number behind a colon.
run() {
    name=$1
    shift
    output=$(cargo test --locked "$@" --nocapture $more 2>&1) || failed=1
    echo "$output" | grep -E '^(test result:|[a-z][a-z ,]*: [0-9]|[0-9]+ (read|leftovers))|planted' | sed "s/^/$name  /"
}
run hostile-files --test attacks --
run builds --test builds --
run damaged-files --test properties -- mutations second_reader
run torch --test interop -- torch::
run cache --lib -- cache::
run files --lib -- files:: confined
echo "hostile-files  kept: $(find tests/attacks/files -type f | wc -l)"
exit $failed
