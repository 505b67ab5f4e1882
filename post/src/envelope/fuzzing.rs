//! What the fuzz targets need of what is private: notices without their signatures, which no
//! fuzzer can make.

use super::notice::{News, NoticeKind};
use kith_people::DeviceId;

/// The news that these bytes are, of each kind that they can be, and the news as bytes again.
#[must_use]
pub fn news(bytes: &[u8], from: DeviceId, to: DeviceId) -> Vec<(News, Vec<u8>)> {
    let kinds = [NoticeKind::Acks, NoticeKind::Resend, NoticeKind::Recall];
    let news = kinds.into_iter().filter_map(|kind| News::parse(kind, bytes, from, to).ok());
    news.map(|news| (news.clone(), news.written(from, to))).collect()
}
