//! What was granted to programs: to whom, what, and until when.
//!
//! A function of what was granted before and of the time. It is kept in `grants.toml`, which people
//! may read; the daemon replaces it as a whole.

use crate::limits::{GRANT_MS_MAX, GRANTS_MAX, SUBJECT_BYTES_MAX};
use kith_core::Allowed;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::Path;

/// Everything that was granted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    #[serde(default)]
    grant: Vec<Grant>,
}

/// One right of one subject.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Grant {
    pub(crate) subject: Subject,
    pub(crate) right: Right,
    /// When it was granted, in milliseconds since the epoch.
    pub(crate) added_at: u64,
    /// Until when it holds; for ever, where this is absent.
    #[serde(default)]
    pub(crate) until: Option<u64>,
}

/// What can be granted to programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Right {
    /// To subscribe to reserved topics and ask for lists, although it is sandboxed.
    Reserved,
    /// To administer the daemon.
    Administer,
}

/// Whom a grant is for: `flatpak:APP_ID`, `snap:NAME`, `exe:/PATH`, or `sandbox`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Subject(String);

/// Why something can't be granted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GrantError {
    /// Nobody is called so.
    #[error(
        "{0:?} is nobody: a subject is `flatpak:APP_ID`, `snap:NAME`, `exe:/PATH`, or `sandbox` \
         for every sandboxed program without a name"
    )]
    Subject(String),
    /// For no time, or too long.
    #[error("a grant holds for 1 ms to {GRANT_MS_MAX} ms (a year), or until it is revoked")]
    Time,
    /// More than anybody looks through.
    #[error("there are {GRANTS_MAX} grants, as many as there may be: revoke some")]
    TooMany,
}

impl Subject {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Subject {
    type Error = GrantError;

    fn try_from(text: String) -> Result<Self, GrantError> {
        let is_name = |name: &str| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
            !name.is_empty() && name.bytes().all(plain)
        };
        let is_known = match text.split_once(':') {
            Some(("flatpak" | "snap", name)) => is_name(name),
            Some(("exe", path)) => {
                Path::new(path).is_absolute() && !path.contains(char::is_control)
            }
            _ => text == crate::peer::NAMELESS,
        };
        if is_known && text.len() <= SUBJECT_BYTES_MAX {
            Ok(Self(text))
        } else {
            Err(GrantError::Subject(text.chars().take(SUBJECT_BYTES_MAX).collect()))
        }
    }
}

impl From<Subject> for String {
    fn from(subject: Subject) -> Self {
        subject.0
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Grant {
    fn holds(&self, now_ms: u64) -> bool {
        self.until.is_none_or(|until| now_ms < until)
    }
}

impl Record {
    pub(crate) fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    pub(crate) fn text(&self) -> Result<String, toml::ser::Error> {
        let head = "# What `kith grants` granted. The daemon replaces this file.\n\n";
        Ok(format!("{head}{}", toml::to_string(self)?))
    }

    /// Grants a right, for so long or until it is revoked; instead of what was granted before.
    pub(crate) fn add(
        &mut self,
        now_ms: u64,
        subject: Subject,
        right: Right,
        for_ms: Option<u64>,
    ) -> Result<&Grant, GrantError> {
        if for_ms.is_some_and(|ms| !(1..=GRANT_MS_MAX).contains(&ms)) {
            return Err(GrantError::Time);
        }
        self.forget_expired(now_ms);
        self.grant.retain(|grant| grant.subject != subject || grant.right != right);
        if GRANTS_MAX <= self.grant.len() {
            return Err(GrantError::TooMany);
        }
        let until = for_ms.map(|ms| now_ms.saturating_add(ms));
        self.grant.push(Grant { subject, right, added_at: now_ms, until });
        self.grant.last().ok_or(GrantError::TooMany)
    }

    /// Takes back a right of a subject, or all of them. Returns what it had.
    pub(crate) fn revoke(&mut self, subject: &Subject, right: Option<Right>) -> Vec<Grant> {
        let is_meant = |grant: &mut Grant| {
            grant.subject == *subject && right.is_none_or(|right| grant.right == right)
        };
        self.grant.extract_if(.., is_meant).collect()
    }

    /// What holds now.
    pub(crate) fn holding(&self, now_ms: u64) -> impl Iterator<Item = &Grant> {
        self.grant.iter().filter(move |grant| grant.holds(now_ms))
    }

    /// What is granted to whoever has one of these names.
    pub(crate) fn allowed(&self, now_ms: u64, names: &[String]) -> Allowed {
        let mut allowed = Allowed::default();
        for grant in self.holding(now_ms) {
            if names.iter().any(|name| name == grant.subject.as_str()) {
                match grant.right {
                    Right::Reserved => allowed.reserved = true,
                    Right::Administer => allowed.administer = true,
                }
            }
        }
        allowed
    }

    /// When the next one ends.
    pub(crate) fn next_end_ms(&self, now_ms: u64) -> Option<u64> {
        self.holding(now_ms).filter_map(|grant| grant.until).min()
    }

    /// Whether programs have to be looked at by their files.
    pub(crate) fn names_files(&self) -> bool {
        self.grant.iter().any(|grant| grant.subject.as_str().starts_with("exe:"))
    }

    /// Whether there is any that holds no more.
    pub(crate) fn has_ended(&self, now_ms: u64) -> bool {
        self.grant.iter().any(|grant| !grant.holds(now_ms))
    }

    /// Forgets what holds no more.
    pub(crate) fn forget_expired(&mut self, now_ms: u64) {
        self.grant.retain(|grant| grant.holds(now_ms));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(text: &str) -> Subject {
        Subject::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn a_subject_is_one_that_the_daemon_can_tell_apart() {
        for text in ["flatpak:org.example.My-App", "snap:hello", "exe:/usr/bin/x y", "sandbox"] {
            assert_eq!(subject(text).as_str(), text);
        }
        let long = format!("flatpak:{}", "a".repeat(SUBJECT_BYTES_MAX));
        for text in ["", "flatpak:", "flatpak:a b", "exe:relative", "exe:/a\nb", "me", &long] {
            let error = Subject::try_from(text.to_owned()).unwrap_err();
            assert!(matches!(error, GrantError::Subject(_)), "{text}");
        }
    }

    #[test]
    fn what_is_granted_holds_for_its_time_and_comes_back_from_its_text() {
        let mut record = Record::default();
        let app = subject("flatpak:org.example.App");
        record.add(1_000, app.clone(), Right::Reserved, Some(500)).unwrap();
        record.add(1_000, app.clone(), Right::Administer, None).unwrap();
        let names = ["flatpak:org.example.App".to_owned()];
        let both = Allowed { reserved: true, administer: true };
        assert_eq!(record.allowed(1_499, &names), both);
        assert_eq!(record.next_end_ms(1_499), Some(1_500));
        assert_eq!(record.allowed(1_500, &names), Allowed { reserved: false, ..both });
        assert_eq!(record.next_end_ms(1_500), None);
        assert_eq!(record.allowed(0, &["sandbox".to_owned()]), Allowed::default());
        assert_eq!(Record::parse(&record.text().unwrap()).unwrap(), record);
        assert_eq!(record.revoke(&app, Some(Right::Administer)).len(), 1);
        assert_eq!(record.revoke(&app, None).len(), 1);
        assert_eq!(record, Record::default());
    }

    #[test]
    fn the_last_word_counts_and_there_is_an_end() {
        let mut record = Record::default();
        let nobody = subject("sandbox");
        record.add(0, nobody.clone(), Right::Reserved, None).unwrap();
        record.add(5, nobody.clone(), Right::Reserved, Some(10)).unwrap();
        assert_eq!(record.holding(5).count(), 1);
        assert_eq!(record.holding(15).count(), 0);
        for wrong in [0, GRANT_MS_MAX + 1] {
            let error = record.add(0, nobody.clone(), Right::Reserved, Some(wrong)).unwrap_err();
            assert_eq!(error, GrantError::Time);
        }
        for n in 0..GRANTS_MAX {
            record.add(20, subject(&format!("snap:n{n}")), Right::Reserved, None).unwrap();
        }
        let error = record.add(20, nobody, Right::Reserved, None).unwrap_err();
        assert_eq!(error, GrantError::TooMany);
    }

    #[test]
    fn a_text_that_says_anything_else_is_no_record() {
        assert_eq!(Record::parse("").unwrap(), Record::default());
        for text in ["x = 1", "[[grant]]\nsubject = 'me'", "[[grant]]\nright = 'all'", "grant"] {
            assert!(Record::parse(text).is_err(), "{text}");
        }
    }
}
