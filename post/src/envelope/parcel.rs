//! Parcels: what one device's post hands to another's.
//!
//! A parcel says whom it is from and what kind it is; the most common holds a ratcheted message.
//! It travels sealed into a letter, or bare on a link whose two ends have proved who they are. That
//! it is from whom it names is shown by what is inside: by the session, by a signature, or by the
//! proof of an invite. Asking for a card and showing one show nothing: a card speaks for itself.

use super::cbor::{FormError, Reader, Writer};
use super::lane::Lane;
use super::notice::{Notice, NoticeKind};
use crate::limits::{JOINED_TEXT_BYTES_MAX, PARCEL_BYTES_MAX};
use kith_people::DeviceId;
use kith_people::limits::{CARD_BYTES_MAX, NODE_INFO_BYTES_MAX};

/// What one device's post hands to another's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// The device that it says it is from.
    pub from: DeviceId,
    /// Its id. That of a message is the message's, so that a copy is known before it is opened.
    pub id: [u8; 16],
    /// What is in it.
    pub body: Body,
}

/// What is in a parcel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// A ratcheted message.
    Message {
        /// The lane of its session.
        lane: Lane,
        /// What [`Sessions::encrypt`](super::Sessions::encrypt) made.
        ratcheted: Vec<u8>,
    },
    /// Signed news of messages.
    Notice(Notice),
    /// A card and the record of the device that shows it.
    Card {
        /// The person's card.
        card: Vec<u8>,
        /// The device's NodeInfo.
        node_info: Vec<u8>,
    },
    /// Please show yours.
    WantCard,
    /// Somebody joins by an invite of the recipient's.
    Join {
        /// Which invite.
        invite: [u8; 16],
        /// That its secret is known.
        proof: [u8; 32],
        /// The card of who joins; to link a device, the one that lists it.
        card: Vec<u8>,
        /// The NodeInfo of the device that joins.
        node_info: Vec<u8>,
    },
    /// The answer to it.
    Joined {
        /// Which invite.
        invite: [u8; 16],
        /// That its secret is known to who answers, too.
        proof: [u8; 32],
        /// What came of it.
        answer: JoinAnswer,
    },
}

/// What came of joining.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JoinAnswer {
    /// Done.
    Welcome {
        /// The card of who invited.
        card: Vec<u8>,
        /// The NodeInfo of the device that invited.
        node_info: Vec<u8>,
    },
    /// Not done, and why, for people.
    Refused(String),
}

impl Parcel {
    /// The parcel as bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let (kind, fields) = match &self.body {
            Body::Message { .. } => (0, 6),
            Body::Notice(notice) => (notice_number(notice.kind), 6),
            Body::Card { .. } => (4, 6),
            Body::WantCard => (5, 4),
            Body::Join { .. } => (6, 8),
            Body::Joined { answer: JoinAnswer::Welcome { .. }, .. } => (7, 8),
            Body::Joined { answer: JoinAnswer::Refused(_), .. } => (8, 7),
        };
        let mut writer = Writer::new(fields, 128 + self.body.bytes());
        writer.bytes(1, self.from.as_bytes());
        writer.bytes(2, &self.id);
        writer.number(3, kind);
        match &self.body {
            Body::Message { lane, ratcheted } => {
                writer.number(4, lane.number().into());
                writer.bytes(5, ratcheted);
            }
            Body::Notice(notice) => {
                writer.bytes(4, &notice.bytes);
                writer.bytes(5, &notice.signature);
            }
            Body::Card { card, node_info } => {
                writer.bytes(4, card);
                writer.bytes(5, node_info);
            }
            Body::WantCard => {}
            Body::Join { invite, proof, card, node_info }
            | Body::Joined { invite, proof, answer: JoinAnswer::Welcome { card, node_info } } => {
                writer.bytes(4, invite);
                writer.bytes(5, proof);
                writer.bytes(6, card);
                writer.bytes(7, node_info);
            }
            Body::Joined { invite, proof, answer: JoinAnswer::Refused(text) } => {
                writer.bytes(4, invite);
                writer.bytes(5, proof);
                writer.text(6, text);
            }
        }
        writer.done()
    }

    /// Reads one. What is inside is as it came: no signature and no proof has been looked at.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParcelError> {
        if PARCEL_BYTES_MAX < bytes.len() {
            return Err(ParcelError::TooLarge);
        }
        let mut reader = Reader::new(bytes)?;
        let from = DeviceId::new(reader.array(1, "from")?);
        let id = reader.array(2, "id")?;
        let kind = reader.number(3, "kind")?;
        let body = body(&mut reader, kind)?;
        reader.end()?;
        let parcel = Self { from, id, body };
        if parcel.encode() != bytes {
            return Err(FormError::NotDeterministic.into());
        }
        Ok(parcel)
    }
}

impl Body {
    /// About how long it is.
    const fn bytes(&self) -> usize {
        match self {
            Self::Message { ratcheted, .. } => ratcheted.len(),
            Self::Notice(notice) => notice.bytes.len(),
            _ => CARD_BYTES_MAX,
        }
    }
}

fn body(reader: &mut Reader<'_>, kind: u64) -> Result<Body, FormError> {
    Ok(match kind {
        0 => {
            let lane = u8::try_from(reader.number(4, "lane")?).ok();
            let lane = lane.and_then(Lane::from_number).ok_or(FormError::Field("lane"))?;
            Body::Message { lane, ratcheted: reader.bytes(5, "ratcheted")?.to_vec() }
        }
        1 => Body::Notice(notice(reader, NoticeKind::Acks)?),
        2 => Body::Notice(notice(reader, NoticeKind::Resend)?),
        3 => Body::Notice(notice(reader, NoticeKind::Recall)?),
        4 => {
            let (card, node_info) = records(reader, 4)?;
            Body::Card { card, node_info }
        }
        5 => Body::WantCard,
        6..=8 => {
            let (invite, proof) = (reader.array(4, "invite")?, reader.array(5, "proof")?);
            if kind == 8 {
                let text = reader.text(6, "text")?;
                if JOINED_TEXT_BYTES_MAX < text.len() || text.chars().any(char::is_control) {
                    return Err(FormError::Field("text"));
                }
                let answer = JoinAnswer::Refused(text.to_owned());
                return Ok(Body::Joined { invite, proof, answer });
            }
            let (card, node_info) = records(reader, 6)?;
            if kind == 6 {
                Body::Join { invite, proof, card, node_info }
            } else {
                let answer = JoinAnswer::Welcome { card, node_info };
                Body::Joined { invite, proof, answer }
            }
        }
        _ => return Err(FormError::Field("kind")),
    })
}

const fn notice_number(kind: NoticeKind) -> u64 {
    match kind {
        NoticeKind::Acks => 1,
        NoticeKind::Resend => 2,
        NoticeKind::Recall => 3,
    }
}

fn notice(reader: &mut Reader<'_>, kind: NoticeKind) -> Result<Notice, FormError> {
    let bytes = reader.bytes(4, "notice")?.to_vec();
    Ok(Notice { kind, bytes, signature: reader.array(5, "signature")? })
}

fn records(reader: &mut Reader<'_>, key: u64) -> Result<(Vec<u8>, Vec<u8>), FormError> {
    let mut one = |key, field, max| {
        let bytes = reader.bytes(key, field)?;
        if bytes.len() <= max { Ok(bytes.to_vec()) } else { Err(FormError::Field(field)) }
    };
    let card = one(key, "card", CARD_BYTES_MAX)?;
    Ok((card, one(key + 1, "node_info", NODE_INFO_BYTES_MAX)?))
}

/// Why bytes are no parcel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParcelError {
    /// Larger than anybody takes.
    #[error("the parcel has more than {PARCEL_BYTES_MAX} bytes")]
    TooLarge,
    /// Not a parcel at all.
    #[error("the parcel is malformed: {0}")]
    Form(#[from] FormError),
}
