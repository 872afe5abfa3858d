//! Weighted least squares with two or three columns, and what its errors are relative to.
//!
//! Times and sizes err by a share of themselves, so each value counts by its inverse square: what is made
//! small is the sum of squared *relative* errors.

/// Values with the columns that are to explain them.
pub(super) struct Problem<'a, const N: usize> {
    /// A row for each value.
    pub(super) rows: &'a [[f64; N]],
    /// The values, above 0.
    pub(super) values: &'a [f64],
}

/// Coefficients, none below 0, and the sum of squared relative errors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Solution<const N: usize> {
    pub(super) coefficients: [f64; N],
    pub(super) error: f64,
}

impl<const N: usize> Problem<'_, N> {
    /// The best coefficients of those that are not below 0: a cost is none that pays. Of so few columns every
    /// choice is tried. `None` where no choice can be told from another, as with too few values.
    pub(super) fn solve(&self) -> Option<Solution<N>> {
        let choices = (1..1_u32 << N).filter_map(|choice| self.with_columns(choice));
        choices.min_by(|a, b| a.error.total_cmp(&b.error))
    }

    /// The best with these columns, as bits, and 0 for the others.
    fn with_columns(&self, choice: u32) -> Option<Solution<N>> {
        let is_chosen = |column: usize| choice & 1 << column != 0;
        // The normal equations of rows and values that are both divided by the value. A column that is left
        // out has an equation of its own, that its coefficient is 0.
        let mut equations = [[0.0; N]; N];
        let mut right = [0.0; N];
        for (row, value) in self.rows.iter().zip(self.values) {
            for i in (0..N).filter(|&i| is_chosen(i)) {
                right[i] += row[i] / value;
                for j in (0..N).filter(|&j| is_chosen(j)) {
                    equations[i][j] += row[i] * row[j] / (value * value);
                }
            }
        }
        for column in (0..N).filter(|&column| !is_chosen(column)) {
            equations[column][column] = 1.0;
        }
        let coefficients = eliminate(equations, right)?;
        coefficients.iter().all(|&it| it >= 0.0).then(|| Solution {
            coefficients,
            error: self.error(&coefficients),
        })
    }

    fn error(&self, coefficients: &[f64; N]) -> f64 {
        let rows = self.rows.iter().zip(self.values);
        let errors = rows.map(|(row, value)| {
            let explained: f64 = row.iter().zip(coefficients).map(|(a, b)| a * b).sum();
            (explained / value - 1.0).powi(2)
        });
        errors.sum()
    }
}

/// Solves symmetric equations by elimination, each time with the largest pivot that is left. The columns are
/// brought to one size before, as those of a constant and of squares differ by many powers of ten.
fn eliminate<const N: usize>(mut left: [[f64; N]; N], mut right: [f64; N]) -> Option<[f64; N]> {
    const SINGULAR: f64 = 1e-12;
    let scale: [f64; N] = std::array::from_fn(|i| left[i][i].sqrt());
    if scale.iter().any(|&it| it <= 0.0 || !it.is_finite()) {
        return None;
    }
    for i in 0..N {
        right[i] /= scale[i];
        for j in 0..N {
            left[i][j] /= scale[i] * scale[j];
        }
    }
    for step in 0..N {
        let size = |row: &usize| left[*row][step].abs();
        let pivot = (step..N).max_by(|a, b| size(a).total_cmp(&size(b)))?;
        if left[pivot][step].abs() < SINGULAR {
            return None;
        }
        left.swap(step, pivot);
        right.swap(step, pivot);
        for row in step + 1..N {
            let factor = left[row][step] / left[step][step];
            let (above, below) = left.split_at_mut(row);
            for (cell, pivots) in below[0].iter_mut().zip(above[step]).skip(step) {
                *cell -= factor * pivots;
            }
            right[row] -= factor * right[step];
        }
    }
    let mut solution = [0.0; N];
    for row in (0..N).rev() {
        let known: f64 = (row + 1..N).map(|j| left[row][j] * solution[j]).sum();
        solution[row] = (right[row] - known) / left[row][row];
    }
    for (value, scale) in solution.iter_mut().zip(scale) {
        *value /= scale;
    }
    Some(solution)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn solve<const N: usize>(rows: &[[f64; N]], values: &[f64]) -> Option<Solution<N>> {
        Problem { rows, values }.solve()
    }

    #[test]
    fn what_is_explained_exactly_has_no_error() {
        let sizes = [1.0, 3.0, 7.0, 15.0, 511.0];
        let rows = sizes.map(|n: f64| [1.0, n, n * n]);
        let values = sizes.map(|n| 4.0 + 2.0 * n + 0.5 * n * n);
        let Solution {
            coefficients,
            error,
        } = solve(&rows, &values).expect("there are enough");
        for (found, expected) in coefficients.iter().zip([4.0, 2.0, 0.5]) {
            assert!((found - expected).abs() < 1e-6, "{coefficients:?}");
        }
        assert!(error < 1e-12, "{error}");
    }

    #[test]
    fn no_coefficient_is_below_0() {
        // The best straight line would begin at -10.
        let rows = [10.0, 20.0, 40.0].map(|n| [1.0, n]);
        let found = solve(&rows, &[1.0, 10.0, 30.0]).expect("there are enough");
        assert_eq!(found.coefficients[0], 0.0);
        assert!(found.coefficients[1] > 0.0);
    }

    #[test]
    fn a_large_value_does_not_drown_the_small_ones() {
        let rows = [1.0, 2.0, 1000.0].map(|n| [1.0, n]);
        // The last errs by a tenth, which is more than all others together.
        let found = solve(&rows, &[3.0, 4.0, 1102.0]).expect("there are enough");
        assert!((found.coefficients[0] - 2.0).abs() < 0.2, "{found:?}");
    }

    #[test]
    fn columns_that_cannot_be_told_apart_are_not_both_used() {
        let found = solve(&[[1.0, 1.0], [2.0, 2.0]], &[3.0, 6.0]).expect("one will do");
        assert!(found.coefficients.contains(&0.0), "{found:?}");
        assert!(found.error < 1e-12);
        assert_eq!(solve::<2>(&[], &[]), None);
    }
}
