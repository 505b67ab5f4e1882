//! The transport over named pipes as a process of its own.

fn main() -> std::process::ExitCode {
    kith_plugins_api::process::main::<kith_service_pipes::Pipes>()
}
