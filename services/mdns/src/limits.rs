//! Every limit of this service, with its unit in the name and its reason beside it.

use kith_plugins_api::contract::limits::ENDPOINTS_MAX;

/// Devices that are remembered: what a large office has. More are not told until others have gone.
pub const SEEN_MAX: usize = 256;
/// Addresses of one device: as many as a sighting has.
pub const ADDRESSES_MAX: usize = ENDPOINTS_MAX;
/// How long addresses of a device may go on coming in, one interface after the other, before they
/// are told together.
pub const GATHER_MS: u64 = 200;
/// The port of mDNS (RFC 6762).
pub const PORT: u16 = 5353;
/// What was heard and waits to be dealt with; beyond it the thread that listens waits.
pub const HEARD_MAX: usize = 256;
/// How long the network may go on changing before it is looked at.
pub const NETWORK_SETTLES_MS: u64 = 1_000;
/// How long to wait before trying again where multicast can't be had.
pub const RETRY_MS: u64 = 60_000;
/// How long the last words on the network may take, when the service ends.
pub const GOODBYE_MS: u64 = 500;
