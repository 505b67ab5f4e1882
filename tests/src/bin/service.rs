//! The tests' service as a program of its own.

fn main() -> std::process::ExitCode {
    kith_plugins_api::process::main::<kith_tests::service::Probe>()
}
