#!/usr/bin/env bash
# Makes packages once more, from a copy of the sources in another folder, and compares every byte: `packaging/reproducible.sh static-linux debian`
# after `packaging/static-linux.sh` and `packaging/debian.sh`. Where CARGO_TARGET_DIR is set, both folders have it, and only nnue itself is
# compiled again; without it each has its own, and everything is.
. "$(dirname "$0")/common.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
copy=$work/another/folder
mkdir -p "$copy"
git ls-files -z | xargs -0 cp --parents -t "$copy"
for package in "$@"; do
    (cd "$copy" && "packaging/$package.sh")
done
for made in "$copy/$packages"/*; do
    cmp "$made" "$packages/${made##*/}"
    echo "the same bytes: ${made##*/}"
done
