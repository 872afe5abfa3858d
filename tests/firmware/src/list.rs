//! A list with a fixed capacity, as there is no heap.

use core::ops::Deref;

/// Up to `N` values.
#[derive(Clone, Copy, Debug)]
pub struct List<T, const N: usize> {
    values: [T; N],
    length: usize,
}

/// The list is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl<T: Copy + Default, const N: usize> List<T, N> {
    /// An empty list.
    pub fn new() -> Self {
        Self {
            values: [T::default(); N],
            length: 0,
        }
    }

    /// Adds a value at the end.
    ///
    /// # Errors
    ///
    /// [`Full`], and nothing has changed.
    pub fn push(&mut self, value: T) -> Result<(), Full> {
        *self.values.get_mut(self.length).ok_or(Full)? = value;
        self.length += 1;
        Ok(())
    }
}

impl<T: Copy + Default, const N: usize> Default for List<T, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, const N: usize> Deref for List<T, N> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.values[..self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_list_takes_no_more() {
        let mut list: List<u8, 2> = List::new();
        assert_eq!((list.push(1), list.push(2)), (Ok(()), Ok(())));
        assert_eq!(list.push(3), Err(Full));
        assert_eq!(*list, [1, 2]);
    }
}
