//! What `kith grants` prints: to whom, what, since when, and for how long still.

use crate::show::harmless::harmless;
use crate::show::paint::Paint;
use crate::show::table::{Row, Side, table};
use crate::show::{columns, quantity};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;

/// A row of `bus.grants.list`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub(crate) struct Grant {
    pub(crate) subject: String,
    pub(crate) right: String,
    pub(crate) added_at: u64,
    pub(crate) until: Option<u64>,
}

/// The table.
pub(crate) fn overview(grants: &[Grant], now_ms: u64, zone: &TimeZone, paint: Paint) -> String {
    const HEADING: [(&str, Side); 5] = [
        ("SUBJECT", Side::Left),
        ("RIGHT", Side::Left),
        ("SINCE", Side::Left),
        ("UNTIL", Side::Left),
        ("LEFT", Side::Right),
    ];
    if grants.is_empty() {
        return "nothing is granted to any program\n".to_owned();
    }
    let row = |grant: &Grant| {
        let left = grant.until.map(|until| quantity::span(until.saturating_sub(now_ms)));
        let until = grant.until.map(|until| moment(until, zone));
        Row::plain([
            columns::cut(&harmless(&grant.subject), 64),
            columns::cut(&harmless(&grant.right), 16),
            moment(grant.added_at, zone),
            until.unwrap_or_else(|| "revoked".to_owned()),
            left.unwrap_or_else(|| "-".to_owned()),
        ])
    };
    table(HEADING, grants.iter().map(row).collect(), paint)
}

/// A grant in a sentence.
pub(crate) fn sentence(grant: &Grant, now_ms: u64, zone: &TimeZone) -> String {
    let lasts = match grant.until {
        Some(until) => {
            let left = quantity::span(until.saturating_sub(now_ms));
            format!("until {} ({left})", moment(until, zone))
        }
        None => "until it is revoked".to_owned(),
    };
    let (subject, right) = (harmless(&grant.subject), harmless(&grant.right));
    format!("{subject} has the right `{right}` {lasts}\n")
}

/// Date and time to the minute; the moment as it is where no calendar has it.
fn moment(unix_ms: u64, zone: &TimeZone) -> String {
    let moment = i64::try_from(unix_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    match moment {
        Some(moment) => moment.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string(),
        None => unix_ms.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::tests::assert_harmless;

    const HOUR: u64 = 3_600_000;

    #[test]
    fn the_table_says_how_long_each_lasts() {
        let grants = r#"[
            {"subject":"flatpak:org.example.App","right":"reserved","added_at":0,
             "until":7200000,"new":1},
            {"subject":"exe:/usr/bin/x","right":"administer","added_at":3600000,"until":null},
            {"subject":"\u001b[2J","right":"\u202e"}]"#;
        let grants: Vec<Grant> = serde_json::from_str(grants).unwrap();
        let text = overview(&grants, HOUR, &TimeZone::UTC, Paint::plain());
        let expected = "  \
SUBJECT                  RIGHT       SINCE             UNTIL             LEFT
  flatpak:org.example.App  reserved    1970-01-01 00:00  1970-01-01 02:00    1h
  exe:/usr/bin/x           administer  1970-01-01 01:00  revoked              -
  \\u001b[2J                \\u202e      1970-01-01 00:00  revoked              -
";
        assert_eq!(text, expected);
        text.lines().for_each(assert_harmless);
        let said = sentence(&grants[0], HOUR, &TimeZone::UTC);
        let until = "until 1970-01-01 02:00 (1h)";
        assert_eq!(said, format!("flatpak:org.example.App has the right `reserved` {until}\n"));
        assert!(sentence(&grants[1], 0, &TimeZone::UTC).ends_with("until it is revoked\n"));
    }

    #[test]
    fn that_nothing_is_granted_is_said() {
        let text = overview(&[], 0, &TimeZone::UTC, Paint::plain());
        assert_eq!(text, "nothing is granted to any program\n");
    }
}
