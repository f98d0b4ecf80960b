# shellcheck shell=bash
# What the scripts of this folder share. Sourced, with the repository's root as the current folder.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
profile=${PROFILE:-release}
[ "$profile" = dev ] && built=debug || built=$profile
target=${CARGO_TARGET_DIR:-target}
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
packages=target/packages
mkdir -p "$packages"
# Archives have the same bytes whoever packs them, and when: the first day that a zip can name.
export SOURCE_DATE_EPOCH=315532800
# No folder of this machine is named in what is released, so that a build in another one gives the same bytes.
if [ "$profile" = release ]; then
    export RUSTFLAGS="${RUSTFLAGS:-} --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo --remap-path-prefix=$PWD=/nnue"
fi

# extras PROGRAM FOLDER: manual pages and completions, where packages expect them below FOLDER.
extras() {
    mkdir -p "$2/share/bash-completion/completions" "$2/share/zsh/site-functions" "$2/share/fish/vendor_completions.d"
    "$1" -q man "$2/share/man/man1"
    "$1" completions bash > "$2/share/bash-completion/completions/nnue"
    "$1" completions zsh > "$2/share/zsh/site-functions/_nnue"
    "$1" completions fish > "$2/share/fish/vendor_completions.d/nnue.fish"
}

# try_it COMMAND…: builds the quick start with it in an empty folder, without what this machine has in its environment.
try_it() {
    local work name here
    work=$(mktemp -d)
    cp examples/quickstart/{nnue.toml,nnue.lock,random.nnue,positions.fen} "$work/"
    here=(PATH=/usr/bin:/bin HOME="$work")
    # Without it no program of Windows runs.
    [ -z "${SYSTEMROOT:-}" ] || here+=(SYSTEMROOT="$SYSTEMROOT")
    env -i "${here[@]}" "$@" -C "$work" build --locked
    env -i "${here[@]}" "$@" -C "$work" verify
    name=$(cd "$work/dist" && ls)
    rm -rf "$work"
    if [ "$name" != nn-1430bbee83b0.nnue ]; then
        echo "the quick start gave $name" >&2
        exit 1
    fi
    echo "tried: $*"
}

# wheel_environments: an environment with nothing in $work/empty. Without a maturin on the path, one comes from the index. Sets $work.
wheel_environments() {
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    python3 -m venv "$work/empty"
    if ! command -v maturin >/dev/null; then
        python3 -m venv "$work/tools"
        "$work/tools/bin/pip" install -q --disable-pip-version-check 'maturin>=1.9,<2'
        PATH=$work/tools/bin:$PATH
    fi
}
