#!/usr/bin/env bash
# A static program for any Linux on this kind of machine: target/packages/nnue-VERSION-ARCH-unknown-linux-gnu.tar.gz
. "$(dirname "$0")/common.sh"
triple=$(uname -m)-unknown-linux-gnu
# Only the last step is another than that of a usual build: it links the C library into the program. So the crates are compiled once for all.
# Addresses that are filled in at the start take one bit each instead of 24 bytes (the C library must be glibc 2.36 or newer).
cargo rustc --locked --profile "$profile" --no-default-features --features cli,remote --bin nnue -- \
    -C target-feature=+crt-static -C link-arg=-Wl,-z,pack-relative-relocs
program=$target/$built/nnue

# Nothing is loaded beside it.
if readelf -d "$program" | grep -q NEEDED; then
    echo "$program is not static" >&2
    exit 1
fi

name=nnue-$version-$triple
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
install -D "$program" "$work/$name/bin/nnue"
strip "$work/$name/bin/nnue"
extras "$program" "$work/$name"
cp README.md CHANGELOG.md LICENSE "$work/$name/"
tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" -C "$work" -c "$name" | gzip -n9 > "$packages/$name.tar.gz"

mkdir "$work/empty"
tar -xf "$packages/$name.tar.gz" -C "$work/empty"
try_it "$work/empty/$name/bin/nnue"
test -s "$work/empty/$name/share/man/man1/nnue-build.1"
ls -l "$packages/$name.tar.gz"
