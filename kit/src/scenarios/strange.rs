//! Strange things: a clock that is set, and whatever may be said to a program that it did not
//! expect.

use crate::limits::{CLOCK_JUMP_MS, LARGE_PAYLOAD_BYTES, NESTED_MAX, SHOWN_CHARS_MAX};
use crate::outcome::{Stop, skipped};
use crate::reserved::announcements;
use crate::stage::Stage;
use crate::stimulus::Said;

pub(super) fn clock_jump(stage: &mut Stage<'_>) -> Result<(), Stop> {
    stage.start()?;
    stage.first_beat()?;
    let change = "measure how long something takes by a clock that only goes forward; a message's \
                  `sent_at` may lie a day ahead, or before that of the message before";
    for (skew_ms, during) in [
        (CLOCK_JUMP_MS, "after the clock was set a day forth"),
        (-CLOCK_JUMP_MS, "after the clock was set two days back"),
        (0, "after the clock was right again"),
    ] {
        stage.bus.set_clock(skew_ms);
        stage.poke()?;
        stage.beat(during, change)?;
    }
    Ok(())
}

/// What to change where what the daemon may say is too much.
const UNKNOWN: &str = "put up with what is not known: a device, a message, a person of which only \
                       the daemon has heard; answer with a failure where the contract has one";

/// As much of a payload as can be shown.
fn beginning(json: &str) -> String {
    let shown: String = json.chars().take(SHOWN_CHARS_MAX).collect();
    if shown.len() < json.len() { shown + "…" } else { shown }
}

pub(super) fn garbage(stage: &mut Stage<'_>) -> Result<(), Stop> {
    let (ears, announcements) = (stage.ears(), announcements(stage.manifest()));
    if ears.is_empty() && announcements.is_empty() {
        return Err(skipped("it subscribes to nothing"));
    }
    stage.start()?;
    stage.first_beat()?;
    let change = "look whether a payload is what it has to be before it is used, and pass over \
                  what is not; anybody on the bus may publish there";
    let large = format!("\"{}\"", "x".repeat(LARGE_PAYLOAD_BYTES));
    let nested = "[".repeat(NESTED_MAX) + &"]".repeat(NESTED_MAX);
    let texts: [(&str, &str); 9] = [
        ("null", "null"),
        ("a truth value", "true"),
        ("a number", "-1.5e300"),
        ("a text", "\"\\u0000\\u202e\""),
        ("an empty text", "\"\""),
        ("a list", "[null,[],{}]"),
        ("an object with unexpected fields", "{\"\":null,\"__proto__\":[{}],\"a\":{\"b\":[]}}"),
        ("lists within lists", &nested),
        ("a text of a megabyte", &large),
    ];
    for found in &announcements {
        for json in [&found.small, &found.large] {
            found.say(&mut stage.bus, json)?;
            let when = format!("after this came on `{}`: {}", found.topic, beginning(json));
            stage.beat(&when, UNKNOWN)?;
        }
    }
    for ear in &ears {
        for (name, text) in texts.iter().filter(|_| ear.hears_json()) {
            ear.say(&mut stage.bus, Said::Json(text), false)?;
            ear.say(&mut stage.bus, Said::Json(text), true)?;
            stage.beat(&format!("after {name} was published for `{}`", ear.pattern), change)?;
        }
        let bytes: [(&str, &[u8]); 3] = [
            ("nothing at all", b""),
            ("bytes that are no text", b"\xff\xfe\x00\x80"),
            ("a line feed and a brace", b"\n{"),
        ];
        for (name, bytes) in bytes.iter().filter(|_| ear.hears_bytes()) {
            ear.say(&mut stage.bus, Said::Bytes(bytes), false)?;
            let when = format!("after {name} in another protocol came for `{}`", ear.pattern);
            stage.beat(&when, change)?;
        }
    }
    Ok(())
}
