//! Opening a store: made if there is none, read through if there is one, put aside if it is
//! damaged.
//!
//! All of it is read once, so that what is damaged is known before anything is built on it. A store
//! of a hundred thousand messages takes a fraction of a second.

use std::ops::ControlFlow;
use std::path::Path;

use kith_store::{Backend, Failure, Store};

use crate::files::sync_tree;
use crate::kind::Engine;
use crate::place::{Place, Quarantine};
use crate::salvage::salvage;
use crate::verify::{take_out, verify, write_aside};
use crate::{Kind, OpenError, failure};

/// A store over whichever engine.
pub(crate) type AnyStore = Store<Box<dyn Engine>>;

/// What was found on opening.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// Whether there was none before.
    pub is_new: bool,
    /// Records in it.
    pub records: u64,
    /// Bytes of their keys and values, seals included.
    pub bytes: u64,
    /// What could not be used. Say it as loudly as you can.
    pub quarantined: Option<Quarantine>,
}

/// Opens the store of this kind in a directory.
pub(crate) fn open(directory: &Path, kind: Kind) -> Result<(Place, AnyStore, Opened), OpenError> {
    let place = Place::take(directory, kind)?;
    let (store, opened) = open_in(&place, false)?;
    Ok((place, store, opened))
}

/// The same in a place that is taken. With `thorough` the engine checks all that it can first.
pub(crate) fn open_in(place: &Place, thorough: bool) -> Result<(AnyStore, Opened), OpenError> {
    if !place.path().exists() {
        let store = make(place)?;
        return Ok((store, Opened { is_new: true, ..Opened::default() }));
    }
    match open_existing(place, thorough) {
        Err(OpenError::Failure(Failure::Damaged { text })) => {
            let quarantine = salvage(place, &text)?;
            let (store, opened) = open_existing(place, false)?;
            Ok((store, Opened { quarantined: Some(quarantine), ..opened }))
        }
        other => other,
    }
}

fn make(place: &Place) -> Result<AnyStore, OpenError> {
    let wrong = |error| failure::from_io(place.directory(), &error);
    let path = place.begin_new().map_err(wrong)?;
    let store = Store::open(place.kind().create(&path)?)?;
    store.into_backend().close();
    sync_tree(&path).map_err(wrong)?;
    place.settle().map_err(wrong)?;
    Ok(Store::open(place.kind().open(&place.path())?)?)
}

fn open_existing(place: &Place, thorough: bool) -> Result<(AnyStore, Opened), OpenError> {
    let mut engine = place.kind().open(&place.path())?;
    engine.inspect(thorough)?;
    if is_empty(&mut *engine)? {
        return Err(failure::damaged(&place.path(), "it is empty, and no store ever is").into());
    }
    let mut store = Store::look(engine)?;
    let head = store.head();
    let backend = store.backend_mut();
    let mut verified = verify(backend, head, &mut |_| {})?;
    let mut quarantined = None;
    if verified.n_damaged > 0 {
        let n_damaged = verified.n_damaged;
        let beyond = || {
            let what = format!("{n_damaged} records are damaged");
            OpenError::from(failure::damaged(&place.path(), &what))
        };
        if verified.is_beyond_mending() {
            return Err(beyond());
        }
        let wrong = |error| failure::from_io(place.directory(), &error);
        let path = place.unused("damaged-records").map_err(wrong)?;
        write_aside(&path, &verified.damaged).map_err(wrong)?;
        take_out(backend, &verified.damaged)?;
        let lone = verified.damaged;
        verified = verify(backend, head, &mut |_| {})?;
        if verified.n_damaged > 0 {
            return Err(beyond());
        }
        let first = lone.first().map_or("", |lone| lone.text.as_str());
        quarantined = Some(Quarantine {
            path,
            reason: format!("{n_damaged} of its records; of the first, {first}"),
            saved: verified.records,
            lost: format!("{n_damaged} records, which are in that file"),
            next: "send again what they held, if you can tell, and look whether the disk is sound \
                   (smartctl, journalctl -k)"
                .to_owned(),
        });
    }
    let store = Store::open(store.into_backend())?;
    let (records, bytes) = (verified.records, verified.bytes);
    Ok((store, Opened { is_new: false, records, bytes, quarantined }))
}

fn is_empty(backend: &mut dyn Backend) -> Result<bool, Failure> {
    let mut is_empty = true;
    backend.scan(b"", None, &mut |_, _| {
        is_empty = false;
        ControlFlow::Break(())
    })?;
    Ok(is_empty)
}
