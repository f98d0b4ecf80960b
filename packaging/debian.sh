#!/usr/bin/env bash
# A Debian package: target/packages/nnue_VERSION_ARCH.deb
. "$(dirname "$0")/common.sh"
cargo build --locked --profile "$profile"
program=$target/$built/nnue

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/tree
doc=$tree/usr/share/doc/nnue
install -D -m 755 "$program" "$tree/usr/bin/nnue"
strip "$tree/usr/bin/nnue"
extras "$program" "$tree/usr"
# Debian's place for zsh.
mkdir -p "$tree/usr/share/zsh/vendor-completions"
mv "$tree/usr/share/zsh/site-functions/_nnue" "$tree/usr/share/zsh/vendor-completions/"
rmdir "$tree/usr/share/zsh/site-functions"
gzip -n9 "$tree"/usr/share/man/man1/*.1
install -D -m 644 -t "$doc" README.md
install -D -m 644 nnue.toml.example "$doc/examples/nnue.toml"
gzip -n9 < CHANGELOG.md > "$doc/changelog.gz"
cat > "$doc/copyright" <<COPYRIGHT
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: nnue

Files: *
Copyright: 2026 the nnue contributors
License: GPL-3.0-or-later
 On Debian systems the full text is in /usr/share/common-licenses/GPL-3.
COPYRIGHT

# The oldest libc that has all that the program asks of it.
libc=$(readelf -V "$program" | grep -o 'GLIBC_[0-9.]*' | sed 's/GLIBC_//' | sort -uV | tail -n 1)
architecture=$(dpkg --print-architecture)
mkdir "$tree/DEBIAN"
cat > "$tree/DEBIAN/control" <<CONTROL
Package: nnue
Version: $version
Architecture: $architecture
Maintainer: The nnue contributors <nnue@localhost>
Installed-Size: $(du -k -s "$tree" | cut -f1)
Depends: libc6 (>= $libc), libgcc-s1
Suggests: ocl-icd-libopencl1
Section: games
Priority: optional
Description: exact and reproducible builds of chess NNUE networks
 Turns training checkpoints and existing nets into publishable chess NNUE
 files, declared in a small nnue.toml and built as a graph of cached stages.
 The same inputs give the same bytes on every machine, and nothing in a
 checkpoint is ever executed.
CONTROL
package=$packages/nnue_${version}_$architecture.deb
dpkg-deb --root-owner-group --build "$tree" "$package" >/dev/null

dpkg-deb --extract "$package" "$work/empty"
try_it "$work/empty/usr/bin/nnue"
dpkg-deb --info "$package" | grep -E 'Package|Version|Depends'
test -s "$work/empty/usr/share/man/man1/nnue-build.1.gz" && test -s "$work/empty/usr/share/bash-completion/completions/nnue"
ls -l "$package"
