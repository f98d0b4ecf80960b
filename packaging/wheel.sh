#!/usr/bin/env bash
# A Python wheel that puts the program on the path of an environment: target/packages/nnue-VERSION-py3-none-….whl
. "$(dirname "$0")/common.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/tools"
"$work/tools/bin/pip" install -q --disable-pip-version-check 'maturin>=1.9,<2'
rm -f "$packages"/nnue-*.whl
PATH=$work/tools/bin:$PATH maturin build --locked --profile "$profile" --out "$packages"

python3 -m venv "$work/empty"
"$work/empty/bin/pip" install -q --disable-pip-version-check --no-index "$packages"/nnue-*.whl
try_it "$work/empty/bin/nnue"
ls -l "$packages"/nnue-*.whl
