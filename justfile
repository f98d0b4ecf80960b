# Recipes for people who work on nnue; `just` lists them. None is needed: each is the command that stands in it.

# List the recipes
default:
    @just --list

# Everything that gates a change
ci:
    bash .ci/run

# Format, and fail on any lint
lint:
    cargo fmt
    cargo clippy --locked --all-targets -- -D warnings

# The tests of one binary, or of one of its files: `just test cli docs::`
test binary="cli" filter="":
    cargo test --locked --test {{ binary }} {{ filter }}

# Make again what is made: schema, pages, the picture in the README
generate:
    cargo build --locked
    target/debug/nnue schema > schemas/nnue.schema.json
    target/debug/nnue man --markdown > docs/commands.md
    UPDATE=1 cargo test --locked --test manifest keys::
    python3 docs/demo.py

# The documentation as a book, in target/book (needs mdbook and python3)
book:
    cd docs && mdbook build

# The crate's documentation
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --open

# Build the committed example
example:
    cargo run --locked --release -- -C examples/quickstart build

# Packages, each tried in an empty place: `just package static-linux` (or debian, wheel, python)
package what:
    packaging/{{ what }}.sh
