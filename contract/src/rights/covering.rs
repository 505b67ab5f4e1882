//! Whether all that one pattern asks for is also asked for by another.

use kith_wire::{Pattern, ProtocolSelector, ScopeSelector};

/// Whether every message that `inner` matches is matched by `outer`.
pub(super) fn covers(outer: &Pattern<'_>, inner: &Pattern<'_>) -> bool {
    let scope = match (outer.scope(), inner.scope()) {
        (ScopeSelector::Any, _) => true,
        (outer, inner) => outer == inner,
    };
    let protocol = match (outer.protocol(), inner.protocol()) {
        (ProtocolSelector::Any, _) => true,
        (ProtocolSelector::Only(outer), ProtocolSelector::Only(inner)) => {
            outer.as_str() == inner.as_str()
        }
        (ProtocolSelector::Only(_), ProtocolSelector::Any) => false,
    };
    scope && protocol && covers_topics(outer.topic(), inner.topic())
}

/// The same for their topic parts.
pub(super) fn covers_topics(outer: &str, inner: &str) -> bool {
    let mut inner = inner.split('.');
    for wanted in outer.split('.') {
        match (wanted, inner.next()) {
            // One or more of whatever follows, which may be one or more itself.
            (">", Some(_)) => return true,
            // One token; `>` may be several.
            ("*", Some(token)) if token != ">" => {}
            // A wildcard is never what a word is.
            (wanted, Some(token)) if wanted == token && wanted != "*" => {}
            _ => return false,
        }
    }
    inner.next().is_none()
}
