//! The footer: one row below all that is printed, for what is being typed.

/// What the row is to show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Footer<'a> {
    /// The row. It has to fit into one row of the terminal with a column to spare; control characters but
    /// for those of escape sequences that take no column (colours) do not belong here, and become spaces.
    /// What goes beyond [`MOST_BYTES`] is cut.
    pub text: &'a str,
    /// Columns from the left edge to the cursor.
    pub column: usize,
}

/// The longest row that is kept, in bytes: some 500 columns with colours.
pub const MOST_BYTES: usize = 2048;
