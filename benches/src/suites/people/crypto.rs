//! The cryptography alone: what one message costs where nothing is stored, carried or waited for.
//!
//! Both devices are in this thread, so a figure is that of both ends together.

use super::PAYLOAD_BYTES;
use anyhow::{Context, anyhow};
use kith_people::{DeviceKeys, PersonId};
use kith_post::envelope::{
    Account, Binding, Body, Content, Kind, Lane, Letter, Parcel, Party, PeerKeys, Sessions, bare,
    open, seal,
};
use kith_wire::{Headers, MessageId, Priority, Protocol, Topic};
use serde_json::{Value, json};
use std::time::Instant;

const ROUNDS: u32 = 4_000;
const LANE: Lane = Lane::Normal;
/// When the message is from, in milliseconds since the Unix epoch.
const SENT_AT: u64 = 1_700_000_000_000;

/// One of the two.
struct End {
    keys: DeviceKeys,
    account: Account,
    sessions: Sessions,
    party: Party,
}

impl End {
    fn new(number: u8) -> Self {
        let keys = DeviceKeys::from_seeds([number; 32], [number + 100; 32]);
        let party = Party { person: PersonId::new([number; 32]), device: keys.sign_id() };
        Self { keys, account: Account::new(), sessions: Sessions::new(), party }
    }

    fn public(&self) -> PeerKeys {
        PeerKeys { curve: self.account.curve_key(), prekey: Some(self.account.prekey()) }
    }

    fn encrypt(&mut self, to: &Self, plaintext: &[u8]) -> anyhow::Result<Vec<u8>> {
        let device = to.party.device;
        Ok(self.sessions.encrypt(&self.account, device, LANE, &to.public(), plaintext)?)
    }

    fn decrypt(&mut self, from: &Self, bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
        let (device, curve) = (from.party.device, from.account.curve_key());
        let opened = self.sessions.decrypt(&mut self.account, device, LANE, &curve, bytes)?;
        Ok(opened.plaintext)
    }
}

/// Microseconds of a message, by what is done with it.
pub(super) fn run() -> anyhow::Result<Vec<(&'static str, Value)>> {
    let (mut one, mut other) = (End::new(1), End::new(2));
    let content = content(one.party, other.party)?;
    let plaintext = content.encode()?;
    // Beyond the first messages, which are larger.
    pass(&mut one, &mut other, &plaintext)?;
    pass(&mut other, &mut one, &plaintext)?;
    let chain = timed(|| pass(&mut one, &mut other, &plaintext).map(drop))?;
    let turn = timed(|| {
        pass(&mut one, &mut other, &plaintext)?;
        pass(&mut other, &mut one, &plaintext).map(drop)
    })? / 2.0;
    let ratcheted = one.encrypt(&other, &plaintext)?;
    let body = Body::Message { lane: LANE, ratcheted };
    let parcel = Parcel { from: one.party.device, id: *content.id.as_bytes(), body };
    let carried = timed(|| is_whole(&open(&other.keys, &bare(&parcel))?))?;
    let sealed = timed(|| {
        let letter = seal(other.keys.box_id(), &parcel, [7; 32])?;
        is_whole(&open(&other.keys, &letter)?)
    })?;
    let binding = Binding { from: one.party, to: other.party, lane: LANE };
    let written = timed(|| {
        let _read = Content::parse(&content.encode()?, &binding)?;
        Ok(())
    })?;
    let figures = [
        ("ratchet, in one direction", chain),
        ("ratchet, turning", turn),
        ("content", written),
        ("parcel, bare", carried),
        ("parcel, sealed", sealed),
    ];
    Ok(figures.map(|(unit, us)| (unit, json!({"us": us}))).to_vec())
}

/// One message from one to the other.
fn pass(from: &mut End, to: &mut End, plaintext: &[u8]) -> anyhow::Result<Vec<u8>> {
    let bytes = from.encrypt(to, plaintext)?;
    to.decrypt(from, &bytes)
}

fn is_whole(letter: &Letter) -> anyhow::Result<()> {
    matches!(letter, Letter::Bare(_) | Letter::Sealed(_)).then_some(()).context("a piece")
}

fn timed(mut what: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    for _ in 0..ROUNDS / 10 {
        what()?;
    }
    let began = Instant::now();
    for _ in 0..ROUNDS {
        what()?;
    }
    Ok(began.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS))
}

fn content(from: Party, to: Party) -> anyhow::Result<Content> {
    let bad = |what: &str| anyhow!("{what}");
    Ok(Content {
        from,
        to,
        id: MessageId::from_parts(SENT_AT, &[1; 10]),
        kind: Kind::Message,
        seq: 1,
        sent_at: SENT_AT,
        expires_at: SENT_AT + 1_000,
        protocol: Protocol::new("raw").map_err(|_| bad("protocol"))?,
        topic: Topic::new(super::TOPIC).map_err(|_| bad("topic"))?,
        headers: Headers::new(),
        priority: Priority::Normal,
        is_realtime: false,
        reply_topic: None,
        room: None,
        echo: None,
        payload: vec![b'a'; PAYLOAD_BYTES],
    })
}
