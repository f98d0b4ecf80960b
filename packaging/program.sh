#!/usr/bin/env bash
# The program alone, for the kind of system that this machine is: target/packages/nnue-VERSION-TRIPLE.tar.gz, on Windows .zip. Without OpenCL where it is
# static, as with musl.
# `packaging/program.sh TRIPLE`, where TRIPLE is a target of the compiler whose programs run here.
. "$(dirname "$0")/common.sh"
triple=$1
features=(--features remote)
ending=
format=tar.gz
case $triple in
    *-musl)
        features=(--no-default-features --features "cli,remote")
        # The one of Debian's `musl-tools`.
        export "CC_${triple//-/_}=musl-gcc"
        ;;
    *-windows-*)
        ending=.exe
        format=zip
        # Nothing has to be installed beside it.
        export RUSTFLAGS="${RUSTFLAGS:-} -C target-feature=+crt-static"
        ;;
esac
python=$(command -v python3 || command -v python)
export CARGO_PROFILE_RELEASE_STRIP=symbols
cargo build --locked --profile "$profile" --target "$triple" "${features[@]}" --bin nnue
program=$target/$triple/$built/nnue$ending

name=nnue-$version-$triple
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/$name/bin"
cp "$program" "$work/$name/bin/"
extras "$program" "$work/$name"
cp README.md CHANGELOG.md LICENSE "$work/$name/"
"$python" packaging/archive.py "$work/$name" "$packages/$name.$format"

mkdir "$work/empty"
"$python" -c 'import shutil, sys; shutil.unpack_archive(*sys.argv[1:])' "$packages/$name.$format" "$work/empty"
chmod +x "$work/empty/$name/bin/nnue$ending"
try_it "$work/empty/$name/bin/nnue$ending"
test -s "$work/empty/$name/share/man/man1/nnue-build.1"
ls -l "$packages/$name.$format"
