//! The kinds of calls that there are.

#![forbid(unsafe_code)]

use strum::{EnumCount, IntoStaticStr, VariantArray};

/// How a CPU calls another one, or several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumCount, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "kebab-case")]
#[repr(u8)]
pub enum Kind {
    /// One CPU; a task awaits the answer.
    Awaited,
    /// Several CPUs; a task awaits that all have answered.
    AwaitedMany,
    /// Any one of several CPUs; a task awaits its answer.
    AwaitedAny,
    /// One CPU, without an answer; a task awaits that there is room.
    Posted,
    /// The same where there is room; where there is none, the caller tries once more and waits for some.
    PostedAtOnce,
    /// One CPU; the caller waits without a task.
    Blocking,
    /// Several CPUs; likewise.
    BlockingMany,
}

impl Kind {
    /// All of them.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// As many as there are.
    pub const NUMBER: usize = Self::COUNT;

    /// The name in records.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Whether several CPUs are called.
    pub fn is_to_several(self) -> bool {
        matches!(
            self,
            Self::AwaitedMany | Self::AwaitedAny | Self::BlockingMany
        )
    }
}
