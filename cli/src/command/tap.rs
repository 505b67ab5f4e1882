//! `kith tap`: everything that passes, as a table.

use super::{Stay, printing};
use crate::arguments::{Everywhere, TapArguments};
use crate::failure::Failure;
use crate::listen::Listening;
use crate::show::form::Form;
use crate::show::line::Setting;
use crate::show::tap;
use jiff::tz::TimeZone;
use kith_client::Subscribe;

pub(super) async fn run(arguments: &TapArguments, everywhere: &Everywhere) -> Result<u8, Failure> {
    let stay = Stay::start(everywhere, "kith tap").await?;
    let work = async |stay: &mut Stay| {
        // Looking on must not make a request wait that nobody answers.
        let listening =
            Listening::start(&stay.client, &arguments.patterns, Subscribe::monitor).await?;
        let form = if arguments.json {
            Form::RowsAsJson
        } else {
            Form::Rows(Setting { zone: TimeZone::system(), paint: stay.terminal.paint })
        };
        if !arguments.json && stay.terminal.is_read_by_a_person {
            let heading = tap::heading(stay.terminal.columns(), stay.terminal.paint);
            stay.output.write(heading.into_bytes()).await?;
        }
        printing::print(stay, listening, &arguments.until, &form).await
    };
    stay.work(work).await
}
