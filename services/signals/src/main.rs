//! The mirror of D-Bus signals as a process of its own.

fn main() -> std::process::ExitCode {
    kith_plugins_api::process::main::<kith_service_signals::Signals>()
}
