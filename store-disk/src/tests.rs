//! The store on a disk: one suite for every engine, the handle, and what opening does with damage.

mod conformance;
mod damage;
mod handle;

use std::sync::mpsc;

use kith_store::{Batch, Failure, Receipt, Scan};

use crate::{Disk, Kind};

/// The engines that are built in.
fn kinds() -> impl Iterator<Item = Kind> {
    Kind::ALL.into_iter().filter(|kind| kind.is_built_in())
}

fn batch(pairs: &[(&str, &str)]) -> Batch {
    let mut batch = Batch::new();
    pairs.iter().for_each(|(key, value)| batch.put(*key, *value));
    batch
}

/// Commits and waits.
fn commit(disk: &Disk, batch: Batch) -> Result<Receipt, Failure> {
    let (answer, answered) = mpsc::channel();
    disk.commit(batch, move |result| drop(answer.send(result)));
    answered.recv().expect("every batch is answered")
}

/// All of the records as text.
fn records(disk: &Disk) -> anyhow::Result<Vec<(String, String)>> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut found = Vec::new();
    let mut scan = Scan::all();
    loop {
        let page = disk.scan_now(scan.clone())?;
        assert_eq!(page.damaged, []);
        found.extend(page.records.iter().map(|one| (text(&one.key), text(&one.value))));
        match scan.after(&page) {
            Some(next) => scan = next,
            None => return Ok(found),
        }
    }
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}
