//! Trouble: too much is said to the program, what it says is refused, what it asks is not answered.

use crate::limits::{
    AFTERMATH_MS, FLOOD_LOST_MIN, FLOOD_MESSAGES_MAX, FLOOD_PAYLOAD_BYTES, PUBLISH_MS, REQUEST_MS,
};
use crate::outcome::{Stop, failed, skipped};
use crate::reserved::announcements;
use crate::stage::{Stage, Waited};
use crate::stimulus::Said;
use kith_plugins_api::contract::Rights;
use rustix::process::Signal;
use serde_json::json;
use std::time::Duration;

pub(super) fn lag(stage: &mut Stage<'_>) -> Result<(), Stop> {
    let (ears, announcements) = (stage.ears(), announcements(stage.manifest()));
    if ears.is_empty() && announcements.is_empty() {
        return Err(skipped("it subscribes to nothing"));
    }
    stage.start()?;
    stage.first_beat()?;
    stage.signal(Signal::STOP);
    let text = json!("x".repeat(FLOOD_PAYLOAD_BYTES)).to_string();
    let bytes = text.as_bytes();
    for _ in 0..FLOOD_MESSAGES_MAX {
        if FLOOD_LOST_MIN <= stage.bus.lost() {
            break;
        }
        for found in &announcements {
            found.say(&mut stage.bus, &found.large)?;
        }
        for ear in &ears {
            let said = if ear.hears_json() { Said::Json(&text) } else { Said::Bytes(bytes) };
            ear.say(&mut stage.bus, said, false)?;
        }
    }
    stage.signal(Signal::CONT);
    if stage.bus.lost() == 0 {
        let seen = "nothing that matches what its manifest subscribes to reaches it";
        return Err(failed(seen, "subscribe to what the manifest names, or take it out of it"));
    }
    let change = "when `lag` comes (so many messages were dropped here), go on: ask for what is \
                  needed again, or begin anew, but don't end";
    let during = "after it was stopped for a while, and messages for it were lost";
    stage.beat(during, change)?;
    stage.beat(during, change)
}

pub(super) fn refused_publish(stage: &mut Stage<'_>) -> Result<(), Stop> {
    let manifest = stage.manifest();
    if manifest.publishes.is_empty() {
        return Err(skipped("its `publishes` asks for nothing"));
    }
    // All that it may hear and that its roles say, and nothing more to say.
    let rights = Rights::new(&manifest.name, &manifest.roles, &[], &manifest.subscribes);
    stage.start_with(rights.map_err(|error| failed(error.to_string(), "mend the manifest"))?)?;
    stage.first_beat()?;
    stage.poke()?;
    let is_refused = |stage: &Stage<'_>| stage.bus.refused() > 0;
    let change = "take an `err` for what it is: one message was not published; try again later, or \
                  do without it, but don't end";
    let during = "when what it published was refused";
    // Its answer comes behind what it publishes because of that, however slow the machine is.
    stage.beat(during, change)?;
    match stage.wait(Duration::from_millis(PUBLISH_MS), is_refused)? {
        Waited::Happened => {}
        Waited::Ended => return Err(stage.died(during, change)),
        Waited::TimeIsOver => {
            let ms = PUBLISH_MS;
            return Err(skipped(format!("it published nothing within {ms} ms, nor when asked")));
        }
    }
    stage.pass(AFTERMATH_MS, during, change)?;
    stage.beat(during, change)
}

pub(super) fn slow_reply(stage: &mut Stage<'_>) -> Result<(), Stop> {
    // Whatever is asked on this bus is asked from the kit.
    let listen = json!({ "op": "sub", "id": 1, "pattern": "*/self.>" });
    stage.bus.say(listen)?;
    stage.start()?;
    stage.first_beat()?;
    stage.poke()?;
    let change = "wait for an answer with a time-out, and answer heartbeats meanwhile";
    let during = "while its request was not answered";
    // Its answer comes behind what it asks because of that, however slow the machine is.
    stage.beat(during, change)?;
    let waited = stage.wait(Duration::from_millis(REQUEST_MS), |stage| stage.bus.has_request())?;
    let Some(reply_to) = stage.bus.take_request() else {
        return match waited {
            Waited::Ended => Err(stage.died(during, change)),
            _ => Err(skipped(format!("it asked nothing within {REQUEST_MS} ms, nor when asked"))),
        };
    };
    stage.beat(during, change)?;
    // If it waits no more, nobody is there to hear it; which is as late as can be.
    stage.bus.say(json!({ "op": "pub", "topic": reply_to, "payload": null }))?;
    stage.beat("after an answer had come late", change)
}
