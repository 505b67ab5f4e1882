//! The greeting service on a bus in memory.

use kith_plugins_api::testkit::TestBus;
use kith_service_hello::Hello;

#[test]
fn it_greets_whoever_asks() {
    TestBus::run(1, async |bus| {
        let hello = bus.start(Hello).await;
        let answer = bus.request("hello.greet", "Ada").await.unwrap();
        assert_eq!(answer.text(), Some("\"Hello, Ada!\""));
        assert!(hello.is_alive().await);
        hello.stop().await.unwrap();
        let transcript = bus.transcript().await;
        assert!(transcript.contains(" hello.greeted ms \"Ada\"\n"), "{transcript}");
    });
}

#[test]
fn who_wants_no_answer_and_who_sends_nonsense_do_no_harm() {
    TestBus::run(1, async |bus| {
        let hello = bus.start(Hello).await;
        bus.publish("hello.greet", &42).await.unwrap();
        bus.publish("hello.greet", "Grace").await.unwrap();
        bus.settle().await;
        let transcript = bus.transcript().await;
        assert!(transcript.contains(" hello.greeted ms \"Grace\"\n"), "{transcript}");
        assert!(hello.is_running());
    });
}
