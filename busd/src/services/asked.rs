//! What people and programs ask of the host: the lists, and to change something.
//!
//! Every connection that may ask the daemon's lists may ask for these; to change something takes an
//! administrator, or a grant.

use super::host::Host;
use super::record::Granted;
use crate::grants::{ChangeError, Grant, Right, Subject};
use crate::hub::Hub;
use crate::limits::LOG_LINES_KEPT_MAX;
use kith_core::ClientId;
use kith_wire::{Code, Refusal};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    name: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ToEnable {
    name: String,
    /// What was seen that it asks for.
    #[serde(default)]
    asked: Option<Granted>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LogsAsked {
    name: String,
    #[serde(default)]
    lines: Option<usize>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ToGrant {
    subject: Subject,
    right: Right,
    #[serde(default)]
    for_ms: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ToRevoke {
    subject: Subject,
    #[serde(default)]
    right: Option<Right>,
}

impl Host {
    /// Answers what somebody asks, in JSON.
    pub(super) fn answer(
        &mut self,
        hub: &Hub,
        client: ClientId,
        topic: &str,
        payload: &[u8],
    ) -> Result<String, Refusal> {
        match topic {
            "services.list" => {
                nothing(topic, payload)?;
                self.look();
                Ok(Value::from(self.rows(None)).to_string())
            }
            "services.logs" => {
                let LogsAsked { name, lines } = read(topic, payload)?;
                let count = lines.unwrap_or(LOG_LINES_KEPT_MAX);
                let last = self.entry(&name)?.log.last(count);
                let rows: Vec<_> =
                    last.map(|line| json!({"at": line.at_ms, "text": line.text})).collect();
                Ok(Value::from(rows).to_string())
            }
            "bus.grants.list" => {
                nothing(topic, payload)?;
                let now_ms = hub.now().unix_ms;
                let record = hub.gate.record();
                let rows: Vec<_> = record.holding(now_ms).map(row).collect();
                Ok(Value::from(rows).to_string())
            }
            _ if !hub.broker().may_administer(client) => Err(denied(topic)),
            "services.enable" => {
                let ToEnable { name, asked } = read(topic, payload)?;
                self.check_running()?;
                self.enable(&name, asked.as_ref())?;
                Ok(self.rows(Some(&name)).pop().unwrap_or_default().to_string())
            }
            "services.disable" | "services.restart" => {
                let Named { name } = read(topic, payload)?;
                self.check_running()?;
                match topic {
                    "services.disable" => self.disable(&name)?,
                    _ => self.restart(&name)?,
                }
                Ok(self.rows(Some(&name)).pop().unwrap_or_default().to_string())
            }
            "bus.grants.add" => {
                let ToGrant { subject, right, for_ms } = read(topic, payload)?;
                let now_ms = hub.now().unix_ms;
                let added =
                    hub.gate.change(|record| record.add(now_ms, subject, right, for_ms).cloned());
                let grant = added.map_err(|error| unchanged(&error))?;
                tracing::info!(subject = %grant.subject, right = ?grant.right, "granted");
                hub.review_grants();
                Ok(row(&grant).to_string())
            }
            "bus.grants.revoke" => {
                let ToRevoke { subject, right } = read(topic, payload)?;
                let revoked = hub.gate.change(|record| Ok(record.revoke(&subject, right)));
                let revoked = revoked.map_err(|error| unchanged(&error))?;
                tracing::info!(%subject, count = revoked.len(), "revoked");
                hub.review_grants();
                Ok(Value::from(revoked.iter().map(row).collect::<Vec<_>>()).to_string())
            }
            other => {
                let text = format!("the daemon does not know what to do with `{other}`");
                Err(Refusal::new(Code::NotAvailable, text))
            }
        }
    }
}

fn row(grant: &Grant) -> Value {
    let right = match grant.right {
        Right::Reserved => "reserved",
        Right::Administer => "administer",
    };
    json!({
        "subject": grant.subject.as_str(),
        "right": right,
        "added_at": grant.added_at,
        "until": grant.until,
    })
}

fn denied(topic: &str) -> Refusal {
    let text = format!(
        "`{topic}` takes an administrator: `kith` is one, and so is whoever shows the key in \
         `administration.key` of the daemon's state directory; another program needs a grant: \
         `kith grants add exe:/PATH administer`"
    );
    Refusal::new(Code::NotGranted, text)
}

fn unchanged(error: &ChangeError) -> Refusal {
    let code = match error {
        ChangeError::Grant(_) => Code::BadField,
        ChangeError::Text(_) | ChangeError::Io(_) => Code::NotAvailable,
    };
    Refusal::new(code, error.to_string())
}

fn nothing(topic: &str, payload: &[u8]) -> Result<(), Refusal> {
    match payload.trim_ascii() {
        b"" | b"null" | b"{}" => Ok(()),
        _ => Err(Refusal::new(Code::BadField, format!("`{topic}` takes null"))),
    }
}

fn read<T: DeserializeOwned>(topic: &str, payload: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(payload).map_err(|error| {
        // Without the place, which is in a payload that has one line.
        let text = error.to_string();
        let text = text.split(" at line ").next().unwrap_or_default();
        Refusal::new(Code::BadField, format!("`{topic}`: {text}"))
    })
}
