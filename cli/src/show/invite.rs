//! What `invite` and `join` print.

use crate::show::harmless::harmless;
use crate::show::line::moment;
use crate::show::paint::Paint;
use crate::show::people::{Person, safety};
use crate::show::quantity;
use jiff::tz::TimeZone;
use serde::Deserialize;

/// The answer of `people.invite`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub(crate) struct Invited {
    pub(crate) link: String,
    pub(crate) kind: String,
    pub(crate) expires_at: u64,
    pub(crate) uses: u64,
    pub(crate) endpoints: Vec<String>,
}

/// The answer of `people.join`: a person and what kind it was, or the device that was taken in.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub(crate) struct Joined {
    pub(crate) kind: String,
    pub(crate) device: Option<String>,
    #[serde(flatten)]
    pub(crate) person: Person,
}

/// What the link is for, until when, and how often.
pub(crate) fn invited(invited: &Invited, now_ms: u64, zone: &TimeZone) -> String {
    let times = match invited.uses {
        1 => "once".to_owned(),
        uses => format!("by {} devices", quantity::count(uses)),
    };
    let until = moment(invited.expires_at, zone);
    // A day that has just begun is one.
    let left = quantity::span(invited.expires_at.saturating_sub(now_ms).saturating_add(59_999));
    let what = if invited.kind == "device" {
        "Whoever uses this link takes this device in as one of theirs. On the device\n\
         that has your identity key, run `kith join --device`, and paste it there."
    } else {
        "Whoever uses this link becomes your friend, and you theirs: they run\n\
         `kith join`, and paste it there."
    };
    let at = harmless(&invited.endpoints.join(", ")).into_owned();
    format!(
        "{what}\nIt can be used {times}, until {until} (for {left}), while this device can be\n\
         reached at {at}.\nIt is a secret; send it as you would send a password.\n"
    )
}

/// Whom one has joined.
pub(crate) fn joined(joined: &Joined, paint: Paint) -> String {
    if joined.kind == "device" {
        let name = harmless(joined.person.name.as_deref().unwrap_or_default()).into_owned();
        return format!("{name} is one of your devices now: kith devices\n");
    }
    let person = &joined.person;
    let name = person.name.as_deref().filter(|name| !name.is_empty());
    let calls = name.map(|name| format!(", who calls themself {}", harmless(name)));
    let calls = calls.unwrap_or_default();
    let who = person.called();
    format!(
        "{who}{calls} is your friend now, and you are theirs: {}\nYour safety number:\n{}\
         Then: kith friends verify {who}\n",
        harmless(&person.identity),
        safety(person, paint),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_told_with_its_end() {
        let link = Invited {
            link: "kith://join/x".to_owned(),
            kind: "friend".to_owned(),
            expires_at: 1_700_086_400_000,
            uses: 1,
            endpoints: vec!["192.0.2.7:1".to_owned(), "[::1]:1".to_owned()],
        };
        let text = invited(&link, 1_700_000_000_000, &TimeZone::UTC);
        assert!(text.starts_with("Whoever uses this link becomes your friend"), "{text}");
        let expected = "It can be used once, until 2023-11-15 22:13 (for 24h), while this device \
                        can be\nreached at 192.0.2.7:1, [::1]:1.\n";
        assert!(text.contains(expected), "{text}");
        let link = Invited { kind: "device".to_owned(), uses: 20, ..link };
        let text = invited(&link, 1_700_000_000_000, &TimeZone::UTC);
        assert!(text.contains("`kith join --device`") && text.contains("by 20 devices"), "{text}");
    }

    #[test]
    fn whom_one_has_joined_is_told() {
        let answer = r#"{"kind":"friend","identity":"did:key:z6MkX","petname":"ada",
            "name":"Ada\u0007",
            "relation":"friend","safety_number":"1 2 3"}"#;
        let text = joined(&serde_json::from_str(answer).unwrap(), Paint::plain());
        let first = "ada, who calls themself Ada\\u0007 is your friend now, and you are theirs: \
                     did:key:z6MkX\n";
        assert!(text.starts_with(first), "{text}");
        assert!(text.contains("  1 2 3\n"), "{text}");
        assert!(text.ends_with("Then: kith friends verify ada\n"), "{text}");
        let answer = r#"{"kind":"device","device":"z6MkX","name":"phone"}"#;
        let text = joined(&serde_json::from_str(answer).unwrap(), Paint::plain());
        assert_eq!(text, "phone is one of your devices now: kith devices\n");
    }
}
