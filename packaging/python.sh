#!/usr/bin/env bash
# A wheel of the Python module: target/packages/nnue_python-VERSION-….whl
. "$(dirname "$0")/common.sh"
wheel_environments
rm -f "$packages"/nnue_python-*.whl
CARGO_TARGET_DIR=$(realpath -m "$target") maturin build --locked --profile "$profile" --manifest-path python/Cargo.toml --out "$packages"

"$work/empty/bin/pip" install -q --disable-pip-version-check numpy
"$work/empty/bin/pip" install -q --disable-pip-version-check --no-index "$packages"/nnue_python-*.whl
# Without torch, which `.ci/run` has beside the same tests.
env -u CI "$work/empty/bin/python" -m unittest discover -s python/tests
"$work/empty/bin/python" python/examples/example.py
ls -l "$packages"/nnue_python-*.whl
