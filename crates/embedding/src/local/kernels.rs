//! The steps between the matrix products, each in one pass over memory and written so that the compiler vectorises it.
//!
//! Matrices lie row after row in one slice of numbers.

/// Adds a bias to every row.
pub(super) struct AddBias(pub(super) Vec<f32>);

/// Adds a bias to every row, then the exact GELU.
pub(super) struct BiasGelu(pub(super) Vec<f32>);

/// Adds a bias and the row of another matrix to every row, then brings each row to mean 0 and deviation 1
/// and scales it.
pub(super) struct AddNorm {
    pub(super) bias: Vec<f32>,
    pub(super) scale: Vec<f32>,
    pub(super) shift: Vec<f32>,
}

const EPSILON: f32 = 1e-12;

impl AddBias {
    pub(super) fn apply(&self, rows: &mut [f32]) {
        for row in rows.chunks_exact_mut(self.0.len()) {
            for (x, bias) in row.iter_mut().zip(&self.0) {
                *x += bias;
            }
        }
    }
}

impl BiasGelu {
    pub(super) fn apply(&self, rows: &mut [f32]) {
        for row in rows.chunks_exact_mut(self.0.len()) {
            for (x, bias) in row.iter_mut().zip(&self.0) {
                *x = gelu(*x + bias);
            }
        }
    }
}

impl AddNorm {
    pub(super) fn apply(&self, rows: &mut [f32], others: &[f32]) {
        let width = self.bias.len();
        for (row, other) in rows.chunks_exact_mut(width).zip(others.chunks_exact(width)) {
            for ((x, y), bias) in row.iter_mut().zip(other).zip(&self.bias) {
                *x += y + bias;
            }
            self.normalise(row);
        }
    }

    fn normalise(&self, row: &mut [f32]) {
        let count = row.len() as f32;
        let mean = sum(row, |x| x) / count;
        let variance = sum(row, |x| (x - mean) * (x - mean)) / count;
        let factor = (variance + EPSILON).sqrt().recip();
        for ((x, scale), shift) in row.iter_mut().zip(&self.scale).zip(&self.shift) {
            *x = (*x - mean) * factor * scale + shift;
        }
    }
}

/// Softmax of every row of so many numbers.
pub(super) fn softmax(rows: &mut [f32], width: usize) {
    for row in rows.chunks_exact_mut(width) {
        let highest = row.iter().copied().fold(f32::MIN, f32::max);
        for x in row.iter_mut() {
            *x = exp(*x - highest);
        }
        let factor = sum(row, |x| x).recip();
        for x in row.iter_mut() {
            *x *= factor;
        }
    }
}

/// Eight sums side by side: one alone could not be vectorised, as the order of additions matters to floats.
#[inline]
fn sum(row: &[f32], term: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0; 8];
    let chunks = row.chunks_exact(8);
    let rest: f32 = chunks.remainder().iter().map(|x| term(*x)).sum();
    for chunk in chunks {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane += term(*x);
        }
    }
    lanes.iter().sum::<f32>() + rest
}

/// x times the normal distribution's share below x.
///
/// erf by Abramowitz and Stegun 7.1.26, off by at most 1.5e-7.
#[inline]
fn gelu(x: f32) -> f32 {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let series = (((1.061_405_4 * t - 1.453_152) * t + 1.421_413_7) * t - 0.284_496_74) * t + 0.254_829_6;
    let tail = 0.5 * x * series * t * exp(-z * z);
    // Below zero only the tail is left; above, all but the tail.
    if x < 0.0 { tail } else { x - tail }
}

/// e to the x for x <= 0, without a call or a branch. Below -87 it stays at about 1e-38.
#[inline]
fn exp(x: f32) -> f32 {
    /// Adding 1.5 * 2^23 leaves the nearest whole number in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;

    let x = if x < -87.0 { -87.0 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let whole = shifted - ROUND;
    let r = x - whole * LN_2_HIGH - whole * LN_2_LOW;
    // Taylor's series; |r| <= 0.35, so the next term is under 4e-8.
    let series = ((((r / 720.0 + 1.0 / 120.0) * r + 1.0 / 24.0) * r + 1.0 / 6.0) * r + 0.5) * r;
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(1.0_f32.to_bits()));
    power * ((series + 1.0) * r + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_exact_to_a_few_units_in_the_last_place() {
        for step in 0..=87_000 {
            let x = -(step as f32) / 1000.0;
            let exact = f64::from(x).exp();
            let off = (f64::from(exp(x)) - exact).abs() / exact;
            assert!(off < 3e-7, "exp({x}) is off by {off:e}");
        }
        assert!(exp(-1000.0) < 1e-37);
    }

    #[test]
    fn gelu_is_the_exact_one() {
        // x, and x * 0.5 * (1 + erf(x / sqrt(2))) to ten places.
        let known = [
            (-10.0, 0.0),
            (-3.0, -0.004_049_694),
            (-1.0, -0.158_655_25),
            (-0.25, -0.100_323_42),
            (0.0, 0.0),
            (0.5, 0.345_731_23),
            (2.0, 1.954_499_7),
            (20.0, 20.0),
        ];
        for (x, expected) in known {
            let off: f32 = gelu(x) - expected;
            assert!(off.abs() < 1e-6, "gelu({x}) is off by {off:e}");
        }
    }

    #[test]
    fn a_normalised_row_has_mean_zero_and_deviation_one() {
        let norm = AddNorm { bias: vec![0.0; 20], scale: vec![1.0; 20], shift: vec![0.0; 20] };
        let mut row: Vec<f32> = (0..20).map(|n| 3.0 + n as f32).collect();

        norm.normalise(&mut row);

        let mean = row.iter().sum::<f32>() / 20.0;
        let variance = row.iter().map(|x| x * x).sum::<f32>() / 20.0;
        assert!(mean.abs() < 1e-6 && (variance - 1.0).abs() < 1e-5);
    }
}
