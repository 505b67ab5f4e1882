//! What goes wrong on a bus, made to go wrong.

use crate::services::{Does, doubling, manifest};
use kith_plugins_api::testkit::TestBus;
use kith_plugins_api::{Bus, Code, Incoming, PublishError, RequestError};
use std::time::Duration;

#[test]
fn a_service_that_reads_too_slowly_is_told_how_much_it_lost() {
    TestBus::run(1, async |bus| {
        let mut counted = bus.subscribe("self.it.>").await.unwrap();
        let counting = Does::new(manifest(), async |bus: Bus| {
            let mut asked = bus.subscribe("self.ask.>").await?;
            let mut received = 0_u64;
            while let Some(incoming) = asked.next_incoming().await {
                match incoming {
                    Incoming::Message(_) => received += 1,
                    Incoming::Lag { count } => {
                        let counts = (received, count, asked.lost(), bus.counts().lost);
                        bus.publish("it.lagged", &counts).await?;
                    }
                    Incoming::Gap => {}
                }
            }
            Ok(())
        });
        let service = bus.start(counting).await;
        service.hold();
        let lost = 17;
        for n in 0..bus.queue_messages_max() + lost {
            bus.post("ask.n", &n).await.unwrap();
        }
        bus.flush().await.unwrap();
        service.release();
        let (counts, _) = counted.next_json::<[u64; 4]>().await.unwrap();
        let [received, lag, lost_of_one, lost_of_all] = counts;
        assert_eq!(received + lag, (bus.queue_messages_max() + lost) as u64);
        assert!(lag >= lost as u64 && lag == lost_of_one && lag == lost_of_all, "{counts:?}");
        service.stop().await.unwrap();
    });
}

#[test]
fn a_refused_publish_is_an_error_and_a_refused_post_is_counted() {
    TestBus::run(1, async |bus| {
        let mut heard = bus.subscribe("self.it.>").await.unwrap();
        let service = Does::new(manifest(), async |bus: Bus| {
            let mut asked = bus.subscribe("self.ask.>").await?;
            asked.next().await;
            let error = bus.publish("it.published", &1).await.unwrap_err();
            assert!(matches!(error, PublishError::Refused { code: Some(Code::QuotaRate), .. }));
            bus.publish("it.published", &2).await?;
            asked.next().await;
            bus.post("it.posted", &1).await?;
            bus.post("it.posted", &2).await?;
            bus.flush().await?;
            bus.sleep(Duration::from_millis(1)).await?;
            assert_eq!(bus.counts().refused, 1);
            Ok(())
        });
        let service = bus.start(service).await;
        service.refuse_next(Code::QuotaRate, "too many");
        bus.publish("ask.go", &1).await.unwrap();
        let (number, _) = heard.next_json::<u32>().await.unwrap();
        assert_eq!(number, 2);
        service.refuse_next(Code::QuotaRate, "too many");
        bus.publish("ask.go", &2).await.unwrap();
        let (number, message) = heard.next_json::<u32>().await.unwrap();
        assert_eq!((number, message.topic()), (2, "it.posted"));
        service.ended().await.unwrap();
    });
}

#[test]
fn a_slow_reply_is_waited_for_and_a_missing_one_is_not() {
    TestBus::run(1, async |bus| {
        let mut asked = bus.subscribe("self.slow").await.unwrap();
        let service = Does::new(manifest().publishes("slow"), async |bus: Bus| {
            let reply = bus.request("slow", &1).await?;
            bus.publish("it.reply", &reply.text()).await?;
            let error = bus.request("slow", &2).await.unwrap_err();
            assert_eq!(error, RequestError::Timeout);
            let error = bus.request("it.nobody", &2).await.unwrap_err();
            assert_eq!(error, RequestError::NoResponders);
            Ok(())
        });
        let service = bus.start(service).await;
        let question = asked.next().await.unwrap();
        bus.sleep(Duration::from_secs(4)).await.unwrap();
        bus.reply(&question, "late").await.unwrap();
        service.ended().await.unwrap();
        let transcript = bus.transcript().await;
        assert!(transcript.contains(" it.reply ms \"\\\"late\\\"\"\n"), "{transcript}");
    });
}

#[test]
fn nonsense_is_counted_and_passed_over() {
    TestBus::run(1, async |bus| {
        let mut doubled = bus.subscribe("self.it.doubled").await.unwrap();
        let service = bus.start(doubling()).await;
        for text in ["\"seven\"", "null", "{}"] {
            let message = kith_plugins_api::Publish::json("ask.double", text);
            bus.send(message).await.unwrap();
        }
        bus.publish("ask.double", &21).await.unwrap();
        assert_eq!(doubled.next_json::<u64>().await.unwrap().0, 42);
        assert!(service.is_running());
    });
}
