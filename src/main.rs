//! The binary: hands its arguments to the library, and the library's answer to the system.

fn main() -> std::process::ExitCode {
    idlehands::cli::main().into()
}
