//! Two well-behaved clients, which must notice nothing of what services do.

use crate::door::{Client, FRAMINGS};
use crate::process::{Place, dial};
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// One speaks JSON lines, the other binary frames.
pub(crate) struct Neighbours {
    clients: [Client; 2],
    said: u64,
}

/// Neighbours that talk without a pause.
pub(crate) struct Talking {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Neighbours {
    pub(crate) fn at(place: &Place) -> Self {
        let mut clients = FRAMINGS.map(|framing| {
            let mut stream = dial(&place.socket());
            stream.write_all(framing.greeting()).unwrap();
            framing.client(stream)
        });
        clients[0].subscribe(1, "self.neighbour.back");
        clients[1].subscribe(1, "self.neighbour.out");
        let mut neighbours = Self { clients, said: 0 };
        neighbours.talk();
        neighbours
    }

    /// A message from each to the other, which has to arrive, and nothing else.
    pub(crate) fn talk(&mut self) {
        let [one, other] = &mut self.clients;
        self.said += 1;
        let payload = self.said.to_string();
        one.publish("neighbour.out", &payload);
        assert_eq!(other.message_on(1).text(), payload);
        other.publish("neighbour.back", &payload);
        assert_eq!(one.message_on(1).text(), payload);
    }

    /// Fails if anything came that nobody waited for.
    pub(crate) fn end(mut self) {
        self.talk();
        for client in &mut self.clients {
            assert_eq!(client.pending(), []);
        }
    }
}

impl Talking {
    /// Has two talk until they are told to stop.
    pub(crate) fn at(place: &Place) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let (heard, place) = (Arc::clone(&is_over), place.clone());
        let thread = std::thread::spawn(move || {
            let mut neighbours = Neighbours::at(&place);
            while !heard.load(Ordering::Relaxed) {
                neighbours.talk();
            }
            neighbours.end();
        });
        Self { is_over, thread }
    }

    /// Stops them; fails if a message was lost.
    pub(crate) fn stop(self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
    }
}
