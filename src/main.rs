//! The `nnue` binary: parse, run, exit code. Everything else is in the library.

fn main() -> std::process::ExitCode {
    nnue::main()
}
