//! Where a message came from, as the receiving daemon sees it.

/// Where a message came from. Worked out by the daemon that receives it, never claimed by a sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// This machine, or another of the user's own devices.
    Own,
    /// A person whom the user trusts.
    Friends,
    /// Anyone else.
    Public,
}

impl Scope {
    /// All scopes, the nearest first.
    pub const ALL: [Self; 3] = [Self::Own, Self::Friends, Self::Public];

    /// The word that patterns and messages use: `self`, `friends` or `public`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Own => "self",
            Self::Friends => "friends",
            Self::Public => "public",
        }
    }

    /// The scope of this name, if it is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }

    /// The number that binary frames carry: 0, 1, 2.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The scope with this number, if there is one.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.number() == number)
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
