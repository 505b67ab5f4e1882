//! What to do about a file, by what is at its place: nothing that is not ours is ever lost.

use super::mark::{Origin, origin};

/// What is at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Nothing,
    /// A file, and as much of it as one of ours may have.
    File(Vec<u8>),
    /// A symbolic link, wherever it leads.
    Link,
    Folder,
    /// Something that is no file at all.
    Other,
}

/// What is to be done, or why nothing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Create,
    Update,
    Remove,
    /// It is there already, or gone already.
    Nothing,
    /// Somebody else's.
    Leave(&'static str),
}

const CHANGED: &str = "it was changed since it was installed";
const FOREIGN: &str = "it was not installed by `kith install`";
const LINK: &str = "it is a symbolic link";
const OTHER: &str = "it is no file";
/// What no option replaces: there could be more in it than anybody thinks of.
const FOLDER: &str = "a directory is there; move it away";

/// How to have `wanted` in place.
pub(crate) fn install(found: &Found, wanted: &[u8], force: bool) -> Step {
    let replace = |reason| if force { Step::Update } else { Step::Leave(reason) };
    match found {
        Found::Nothing => Step::Create,
        Found::File(bytes) if bytes == wanted => Step::Nothing,
        Found::File(bytes) => match origin(bytes) {
            Origin::Ours => Step::Update,
            Origin::Changed => replace(CHANGED),
            Origin::Foreign => replace(FOREIGN),
        },
        // The link is replaced, never what it leads to.
        Found::Link => replace(LINK),
        Found::Folder => Step::Leave(FOLDER),
        Found::Other => Step::Leave(OTHER),
    }
}

/// How to have what was installed out of the way.
pub(crate) fn uninstall(found: &Found) -> Step {
    match found {
        Found::Nothing => Step::Nothing,
        Found::File(bytes) => match origin(bytes) {
            Origin::Ours => Step::Remove,
            Origin::Changed => Step::Leave(CHANGED),
            Origin::Foreign => Step::Leave(FOREIGN),
        },
        Found::Link => Step::Leave(LINK),
        Found::Folder | Found::Other => Step::Leave(OTHER),
    }
}

#[cfg(test)]
mod tests {
    use super::super::mark::marked;
    use super::*;
    use std::path::Path;

    fn ours(text: &str) -> Found {
        Found::File(marked(Path::new("/kith.service"), text).into_bytes())
    }

    #[test]
    fn only_what_is_ours_is_replaced_unless_it_is_asked_for() {
        let wanted = marked(Path::new("/kith.service"), "new\n").into_bytes();
        let changed = Found::File([&wanted[..], b"mine\n"].concat());
        let foreign = Found::File(b"other\n".to_vec());
        for (found, gentle, forced) in [
            (Found::Nothing, Step::Create, Step::Create),
            (ours("new\n"), Step::Nothing, Step::Nothing),
            (ours("old\n"), Step::Update, Step::Update),
            (changed, Step::Leave(CHANGED), Step::Update),
            (foreign, Step::Leave(FOREIGN), Step::Update),
            (Found::Link, Step::Leave(LINK), Step::Update),
            (Found::Folder, Step::Leave(FOLDER), Step::Leave(FOLDER)),
            (Found::Other, Step::Leave(OTHER), Step::Leave(OTHER)),
        ] {
            assert_eq!(install(&found, &wanted, false), gentle, "{found:?}");
            assert_eq!(install(&found, &wanted, true), forced, "{found:?}");
        }
    }

    #[test]
    fn only_what_is_ours_is_removed() {
        let changed = marked(Path::new("/k.1"), "old\n").replace("old", "mine");
        let changed = Found::File(changed.into_bytes());
        for (found, step) in [
            (Found::Nothing, Step::Nothing),
            (ours("of another version\n"), Step::Remove),
            (changed, Step::Leave(CHANGED)),
            (Found::File(Vec::new()), Step::Leave(FOREIGN)),
            (Found::Link, Step::Leave(LINK)),
            (Found::Other, Step::Leave(OTHER)),
        ] {
            assert_eq!(uninstall(&found), step, "{found:?}");
        }
    }
}
