//! What is mirrored where: the settings, checked, and what is made of them.
//!
//! A mirror names an interface, and if it likes also the sender, the member and the path of the
//! signals that it wants. Names are checked before they are put into a match rule, where a quote
//! would end them. All of this is known before the first connection is made.

use crate::limits::{MIRRORS_MAX, TOPIC_BYTES_MAX};
use serde::Deserialize;

/// `[services.signals.settings]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What to mirror.
    #[serde(default)]
    pub mirror: Vec<Mirror>,
}

/// Which signals go to which topic.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mirror {
    /// `session`, `system`, or an address such as `unix:path=/run/user/1000/bus`.
    pub bus: String,
    /// Who sends them; anybody if it is left out.
    pub sender: Option<String>,
    /// The interface that they belong to.
    pub interface: String,
    /// Their name; any if it is left out.
    pub member: Option<String>,
    /// The object that they come from; any if it is left out.
    pub path: Option<String>,
    /// Where they are published: `dbus.SOMETHING`.
    pub topic: String,
}

impl Settings {
    /// # Errors
    /// Says what is wrong, and in which mirror.
    pub fn check(&self) -> Result<(), String> {
        if self.mirror.len() > MIRRORS_MAX {
            return Err(format!("{} mirrors; at most {MIRRORS_MAX}", self.mirror.len()));
        }
        for (nth, mirror) in self.mirror.iter().enumerate() {
            mirror.check().map_err(|what| format!("mirror {}: {what}", nth + 1))?;
        }
        Ok(())
    }
}

impl Mirror {
    fn check(&self) -> Result<(), String> {
        let is_address = self.bus.contains(':');
        if !is_address && self.bus != "session" && self.bus != "system" {
            return Err("`bus` has to be session, system, or an address".to_owned());
        }
        let words = [
            ("sender", self.sender.as_deref(), "._-:"),
            ("interface", Some(self.interface.as_str()), "._"),
            ("member", self.member.as_deref(), "_"),
            ("path", self.path.as_deref(), "/_"),
        ];
        for (key, word, also) in words {
            let is_right = |c: char| c.is_ascii_alphanumeric() || also.contains(c);
            if word.is_some_and(|word| word.is_empty() || !word.chars().all(is_right)) {
                return Err(format!("`{key}` is no name as D-Bus has them"));
            }
        }
        match self.topic.strip_prefix("dbus.") {
            Some(rest) if is_topic(rest) => Ok(()),
            _ => Err("`topic` has to be dbus.SOMETHING, without white space and wildcards".into()),
        }
    }

    /// The rule by which a message bus picks them.
    #[must_use]
    pub fn rule(&self) -> String {
        let mut rule = format!("type='signal',interface='{}'", self.interface);
        let more = [("sender", &self.sender), ("member", &self.member), ("path", &self.path)];
        for (key, value) in more {
            if let Some(value) = value {
                rule.push_str(&format!(",{key}='{value}'"));
            }
        }
        rule
    }
}

/// Whether this can be the rest of a topic.
fn is_topic(text: &str) -> bool {
    let is_token = |token: &str| {
        let is_wrong = |c: char| c.is_whitespace() || c.is_control() || c == '*' || c == '>';
        !token.is_empty() && !token.contains(is_wrong)
    };
    text.len() <= TOPIC_BYTES_MAX && text.split('.').all(is_token)
}

/// How all mirrors are: what is to be reported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    down: Vec<Option<String>>,
}

/// What a report says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// All are up.
    Well,
    /// Some are down, for instance for this reason.
    Some(String),
    /// All are.
    None(String),
}

impl Standing {
    /// All of so many are down.
    #[must_use]
    pub fn new(count: usize) -> Self {
        Self { down: vec![Some("not connected yet".to_owned()); count] }
    }

    /// One has come up, or gone down for this reason. Whether that is news.
    pub fn set(&mut self, nth: usize, down: Option<String>) -> bool {
        let Some(place) = self.down.get_mut(nth) else { return false };
        let is_news = *place != down;
        *place = down;
        is_news
    }

    /// How many are up.
    #[must_use]
    pub fn up(&self) -> usize {
        self.down.iter().filter(|one| one.is_none()).count()
    }

    /// What is to be said.
    #[must_use]
    pub fn report(&self) -> Report {
        match self.down.iter().flatten().next() {
            None => Report::Well,
            Some(why) if self.up() == 0 => Report::None(why.clone()),
            Some(why) => Report::Some(why.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mirror() -> Mirror {
        Mirror {
            bus: "system".to_owned(),
            sender: Some("org.freedesktop.login1".to_owned()),
            interface: "org.freedesktop.login1.Manager".to_owned(),
            member: Some("PrepareForSleep".to_owned()),
            path: Some("/org/freedesktop/login1".to_owned()),
            topic: "dbus.sleep".to_owned(),
        }
    }

    #[test]
    fn a_rule_says_what_is_wanted() {
        let rule = "type='signal',interface='org.freedesktop.login1.Manager',\
                    sender='org.freedesktop.login1',member='PrepareForSleep',\
                    path='/org/freedesktop/login1'";
        assert_eq!(mirror().rule(), rule);
        let any = Mirror { sender: None, member: None, path: None, ..mirror() };
        assert_eq!(any.rule(), "type='signal',interface='org.freedesktop.login1.Manager'");
    }

    #[test]
    fn what_makes_no_sense_is_found_before_anything_is_connected() {
        let check = |mirror: Mirror| Settings { mirror: vec![mirror] }.check();
        assert_eq!(check(mirror()), Ok(()));
        let wrong = [
            Mirror { bus: "user".to_owned(), ..mirror() },
            Mirror { interface: "a',member='b".to_owned(), ..mirror() },
            Mirror { path: Some("/a b".to_owned()), ..mirror() },
            Mirror { topic: "bus.stats".to_owned(), ..mirror() },
            Mirror { topic: "dbus.".to_owned(), ..mirror() },
            Mirror { topic: "dbus.*".to_owned(), ..mirror() },
        ];
        for mirror in wrong {
            assert!(check(mirror.clone()).unwrap_err().starts_with("mirror 1: "), "{mirror:?}");
        }
        assert!(Settings { mirror: vec![mirror(); MIRRORS_MAX + 1] }.check().is_err());
    }

    #[test]
    fn the_standing_is_that_of_all() {
        let mut standing = Standing::new(2);
        assert!(matches!(standing.report(), Report::None(_)));
        assert!(standing.set(0, None) && !standing.set(0, None));
        assert!(matches!(standing.report(), Report::Some(_)));
        assert!(standing.set(1, None));
        assert_eq!((standing.report(), standing.up()), (Report::Well, 2));
        assert!(!standing.set(7, None));
        assert_eq!(Standing::new(0).report(), Report::Well);
    }
}
