//! The service on buses in memory, with real sockets on the loopback address.

mod device;
mod hostile;
mod links;
mod stranger;
mod wire;
