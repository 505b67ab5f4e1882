//! The service on buses in memory, with real sockets on the loopback address.

#[cfg(test)]
mod device;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod links;
#[cfg(test)]
mod stranger;
#[cfg(test)]
mod wire;
