//! A good day: the program starts, and shows that it lives.

use crate::limits::{HEARTBEATS, SETTLE_MS};
use crate::outcome::{Stop, failed};
use crate::stage::Stage;

pub(super) fn starts(stage: &mut Stage<'_>) -> Result<(), Stop> {
    stage.start_and_settle()?;
    stage.poke()?;
    let change = "pass over what is not understood";
    stage.pass(SETTLE_MS, "after it was sent null, a text, a number and an object", change)?;
    if stage.bus.refused() > 0 {
        let seen = format!("it was refused what it did:{}", stage.refusals());
        let change = "ask for it in the manifest (`publishes`, `subscribes` or `roles`), or don't \
                      do it";
        return Err(failed(seen, change));
    }
    Ok(())
}

pub(super) fn heartbeat(stage: &mut Stage<'_>) -> Result<(), Stop> {
    stage.start()?;
    for _ in 0..HEARTBEATS {
        stage.first_beat()?;
    }
    Ok(())
}
