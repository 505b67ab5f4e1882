//! The echo service on a bus in memory.

use kith_plugins_api::testkit::TestBus;
use kith_plugins_api::{Code, Request};
use kith_service_echo::Echo;
use serde_json::json;

#[test]
fn it_answers_with_what_it_was_sent() {
    TestBus::run(1, async |bus| {
        let echo = bus.start(Echo).await;
        let answer = bus.request("echo", &json!({"a": [1, null]})).await.unwrap();
        assert_eq!(answer.text(), Some(r#"{"a":[1,null]}"#));
        let bytes = Request::bytes("echo", "x-raw", b"\x00\xff".as_slice());
        let answer = bus.ask(bytes).await.unwrap();
        assert_eq!((answer.protocol(), answer.payload()), ("x-raw", &b"\x00\xff"[..]));
        let sum = bus.request("echo.sum", &[1, 2, 3]).await.unwrap();
        assert_eq!(sum.text(), Some(r#"{"sum":6.0}"#));
        let error = bus.request("echo.sum", "three").await.unwrap();
        assert!(error.text().unwrap().starts_with(r#"{"error":"#));
        assert!(echo.is_alive().await);
        echo.stop().await.unwrap();
    });
}

#[test]
fn it_answers_where_it_is_told_to() {
    TestBus::run(1, async |bus| {
        let echo = bus.start_with(Echo, json!({"topic": "echo.lab"})).await;
        assert_eq!(bus.request("echo.lab", &1).await.unwrap().text(), Some("1"));
        assert!(bus.request("echo", &1).await.is_err());
        echo.stop().await.unwrap();
        for settings in [json!({"topic": "bus"}), json!({"topics": "echo"})] {
            let error = bus.start_with(Echo, settings).await.ended().await.unwrap_err();
            assert!(error.is_fatal(), "{error}");
        }
    });
}

#[test]
fn a_refused_answer_does_not_end_it() {
    TestBus::run(1, async |bus| {
        let echo = bus.start(Echo).await;
        echo.refuse_next(Code::QuotaMemory, "no room");
        bus.publish("echo", &1).await.unwrap();
        assert_eq!(bus.request("echo", &2).await.unwrap().text(), Some("2"));
        assert!(echo.is_running());
    });
}
