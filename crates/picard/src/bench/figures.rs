//! Median and quartiles: what a few slow outliers cannot move.

use std::time::Duration;

use serde::Serialize;

/// What is kept of many measured values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Figures {
    pub(super) first_quartile: f64,
    pub(super) median: f64,
    pub(super) third_quartile: f64,
    pub(super) count: usize,
}

impl Figures {
    /// Sums up values in any order; there must be at least one.
    pub(super) fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self {
            first_quartile: quantile(&values, 0.25),
            median: quantile(&values, 0.5),
            third_quartile: quantile(&values, 0.75),
            count: values.len(),
        }
    }

    /// Sums up values of which the mean counts and not the median, such as shares of what was missed.
    pub(super) fn of_mean(values: Vec<f64>) -> Self {
        let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
        Self { median: mean, ..Self::of(values) }
    }

    /// Sums up times, in milliseconds.
    pub(super) fn of_times(times: &[Duration]) -> Self {
        Self::of(times.iter().copied().map(milliseconds).collect())
    }
}

/// A time in milliseconds.
pub(super) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// The time within which this share of all lies, in milliseconds: 0.95 for the 95th percentile.
pub(super) fn within(times: &[Duration], share: f64) -> f64 {
    let mut values: Vec<f64> = times.iter().copied().map(milliseconds).collect();
    values.sort_by(f64::total_cmp);
    quantile(&values, share)
}

/// Between two neighbours, the value that lies in proportion.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    // Exact: nobody measures 2^52 values.
    let place = last as f64 * share;
    let below = place.floor() as usize;
    let above = (below + 1).min(last);
    sorted[below] + (sorted[above] - sorted[below]) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_lie_between_their_neighbours() {
        let figures = Figures::of(vec![4.0, 1.0, 3.0, 2.0]);

        assert_eq!((figures.first_quartile, figures.median, figures.third_quartile), (1.75, 2.5, 3.25));
        assert_eq!(figures.count, 4);
    }

    #[test]
    fn a_share_of_all_times_lies_within_its_percentile() {
        let times: Vec<Duration> = (0..=100).rev().map(Duration::from_millis).collect();

        assert_eq!(within(&times, 0.95), 95.0);
    }

    #[test]
    fn a_single_value_is_its_own_median() {
        let figures = Figures::of(vec![7.0]);

        assert_eq!((figures.first_quartile, figures.third_quartile), (7.0, 7.0));
    }
}
