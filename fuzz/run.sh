#!/bin/sh
# Runs every fuzz target for a share of the time, from the corpora of earlier runs, and adds a line a target to fuzz/LOG.md. Of each corpus the
# inputs below 4 KiB are kept in the repository (fuzz/corpora.tar.xz), where the next machine begins.
#
# usage: fuzz/run.sh MINUTES [TARGET …]        (all targets; MINUTES of wall-clock time in all, one process)
#
# Needs nightly Rust and cargo-fuzz. Afterwards each corpus is reduced to inputs that cover something, of at most 64 KiB each.
# The exit code is 1 where a target found something: the input lies in fuzz/artifacts/TARGET, and becomes a test.
set -u
cd "$(dirname "$0")/.." || exit 2
case "${1:-}" in
    '' | *[!0-9]*) echo "usage: fuzz/run.sh MINUTES [TARGET ...]" >&2; exit 2 ;;
esac
minutes=$1
shift
cargo +nightly fuzz --version > /dev/null 2>&1 || { echo "fuzz/run.sh: needs nightly Rust and cargo-fuzz (cargo install cargo-fuzz)" >&2; exit 2; }
targets=${*:-$(cargo +nightly fuzz list)}
count=$(echo "$targets" | wc -w)
seconds=$((minutes * 60 / count))
[ "$seconds" -gt 0 ] || seconds=1
failed=0
if [ ! -d fuzz/corpus ] && [ -f fuzz/corpora.tar.xz ]; then
    tar -xJf fuzz/corpora.tar.xz -C fuzz || exit 2
fi
for target in $targets; do
    corpus=fuzz/corpus/$target
    mkdir -p "$corpus"
    output=$(mktemp)
    # Hostile files that are known are a start for every parser; they are read, not kept.
    if cargo +nightly fuzz run "$target" "$corpus" tests/attacks/files -- \
        -max_total_time="$seconds" -max_len=65536 -rss_limit_mb=2048 -timeout=20 -print_final_stats=1 > "$output" 2>&1; then
        found=nothing
    else
        found="see fuzz/artifacts/$target"
        failed=1
        tail -n 40 "$output" >&2
    fi
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$output" | tail -n 1)
    if [ -z "$executions" ]; then
        found="did not run"
        failed=1
        tail -n 20 "$output" >&2
    fi
    rm -f "$output"
    cargo +nightly fuzz cmin "$target" "$corpus" -- -max_len=65536 > /dev/null 2>&1 || true
    echo "| $(date -u +%Y-%m-%d) | $target | $((seconds / 60)).$((seconds % 60 / 6)) | ${executions:-0} | $found |" | tee -a fuzz/LOG.md
done
(cd fuzz && find corpus -type f -size -4096c | LC_ALL=C sort |
    tar --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=644 -cf - -T - | xz -9e > corpora.tar.xz)
exit $failed
