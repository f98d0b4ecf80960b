#!/usr/bin/env bash
# A Python wheel that puts the program on the path of an environment: target/packages/nnue-VERSION-py3-none-….whl
. "$(dirname "$0")/common.sh"
wheel_environments
rm -f "$packages"/nnue-*.whl
CARGO_TARGET_DIR=$(realpath -m "$target") maturin build --locked --profile "$profile" --out "$packages"

"$work/empty/bin/pip" install -q --disable-pip-version-check --no-index "$packages"/nnue-*.whl
try_it "$work/empty/bin/nnue"
ls -l "$packages"/nnue-*.whl
