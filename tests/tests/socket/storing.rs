//! The client library's durable subscriptions, with a real daemon that is killed under them.

use crate::process::Place;
use kith_client::{Client, Incoming, Publish, Since, Subscribe};
use std::collections::BTreeSet;

/// Messages that are published one after the other.
const MESSAGES: usize = 300;
/// After how many of them the daemon is killed.
const KILLS: [usize; 3] = [50, 120, 200];

#[tokio::test]
async fn nothing_that_was_stored_is_lost_and_what_comes_twice_says_so() {
    let place = Place::new("");
    let mut daemon = Some(place.start());
    let connect = || Client::builder().path(place.socket()).connect();
    let (publisher, consumer) = (connect().await.unwrap(), connect().await.unwrap());
    let jobs = Subscribe::new("self.jobs").durable("worker").since(Since::Start);
    let mut jobs = consumer.subscribe_with(jobs).await.unwrap();
    let publishing = tokio::spawn(async move {
        for job in 0..MESSAGES {
            let publish = Publish::json("jobs", job.to_string()).until_stored();
            // The library repeats it until the daemon has answered.
            let published = publisher.send(publish).await.unwrap();
            assert!(published.stored, "{published:?}");
        }
    });

    let mut kills = KILLS.into_iter().peekable();
    let mut seen = BTreeSet::new();
    while seen.len() < MESSAGES {
        let Some(Incoming::Message(job)) = jobs.next().await else { panic!("{:?}", jobs.ended()) };
        let attempt = job.attempt().unwrap().get();
        let is_new = seen.insert(job.text().unwrap().parse::<usize>().unwrap());
        assert!(is_new || attempt > 1, "{job:?} came twice and does not say so");
        if kills.next_if(|after| *after <= seen.len()).is_some() {
            daemon.take().unwrap().kill();
            daemon = Some(place.start());
        }
        jobs.acknowledge(&job).unwrap();
    }
    publishing.await.unwrap();
    assert_eq!((kills.next(), seen.last()), (None, Some(&(MESSAGES - 1))));
}
