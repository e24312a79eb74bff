//! What was measured, as a table and as JSON.

use std::fmt::Write as _;
use std::fs;
use std::io::{Write as _, stdout};
use std::path::Path;

use serde::Serialize;

use super::figures::Figures;
use crate::problem::Problem;

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) enum Unit {
    #[serde(rename = "ms")]
    Milliseconds,
    #[serde(rename = "MiB")]
    Mebibytes,
    #[serde(rename = "%")]
    Percent,
    #[serde(rename = "1/s")]
    PerSecond,
}

/// What a median has to be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Target {
    /// This or less.
    AtMost(f64),
    /// This or more.
    AtLeast(f64),
    /// Measured to compare with.
    None,
}

impl Target {
    fn is_met_by(self, median: f64) -> bool {
        match self {
            Self::AtMost(limit) => median <= limit,
            Self::AtLeast(limit) => median >= limit,
            Self::None => true,
        }
    }

    /// The line below a measurement.
    fn verdict(self, unit: &str, is_met: bool) -> Option<String> {
        let (word, limit) = match self {
            Self::AtMost(limit) => ("at most", limit),
            Self::AtLeast(limit) => ("at least", limit),
            Self::None => return None,
        };
        Some(format!("  target: {word} {limit} {unit}: {}\n", if is_met { "met" } else { "MISSED" }))
    }
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Self::Milliseconds => "ms",
            Self::Mebibytes => "MiB",
            Self::Percent => "%",
            Self::PerSecond => "1/s",
        }
    }
}

/// One thing that was measured.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Measurement {
    name: &'static str,
    unit: Unit,
    measured: Figures,
    /// What it is compared with.
    #[serde(skip_serializing_if = "Option::is_none")]
    bare: Option<Figures>,
    /// What of the bare time goes where.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    bare_parts: Vec<Part>,
    /// Measured by bare, pair by pair.
    #[serde(skip_serializing_if = "Option::is_none")]
    ratio: Option<Figures>,
    /// What the median has to be: of the ratio if there is one, else of what was measured.
    target: Target,
    is_met: bool,
}

#[derive(Debug, Clone, Serialize)]
struct Part {
    name: &'static str,
    #[serde(flatten)]
    figures: Figures,
}

impl Measurement {
    /// Something with a target of its own.
    pub(super) fn plain(name: &'static str, (unit, measured): (Unit, Figures), target: Target) -> Self {
        let is_met = target.is_met_by(measured.median);
        Self { name, unit, measured, bare: None, bare_parts: Vec::new(), ratio: None, target, is_met }
    }

    /// Times that are compared, the bare and the measured ones.
    pub(super) fn ratio(name: &'static str, times: (Figures, Figures), ratio: Figures, target: Target) -> Self {
        Self::compared(name, Unit::Milliseconds, times, ratio, target)
    }

    /// How many a second, bare and measured.
    pub(super) fn rates(name: &'static str, rates: (Figures, Figures), ratio: Figures, target: Target) -> Self {
        Self::compared(name, Unit::PerSecond, rates, ratio, target)
    }

    fn compared(name: &'static str, unit: Unit, both: (Figures, Figures), ratio: Figures, target: Target) -> Self {
        let is_met = target.is_met_by(ratio.median);
        Self { bare: Some(both.0), ratio: Some(ratio), is_met, ..Self::plain(name, (unit, both.1), target) }
    }

    /// Adds what the bare time is made of.
    pub(super) fn with_parts(mut self, parts: Vec<(&'static str, Figures)>) -> Self {
        let part = |(name, figures)| Part { name, figures };
        self.bare_parts = parts.into_iter().map(part).collect();
        self
    }

    fn write(&self, table: &mut String) {
        let unit = self.unit.name();
        line(table, self.name, self.measured, unit);
        if let Some(bare) = self.bare {
            line(table, "  bare", bare, unit);
        }
        for part in &self.bare_parts {
            line(table, &format!("    {}", part.name), part.figures, unit);
        }
        if let Some(ratio) = self.ratio {
            line(table, "  ratio", ratio, "x");
        }
        table.extend(self.target.verdict(if self.ratio.is_some() { "x" } else { unit }, self.is_met));
    }
}

fn line(table: &mut String, name: &str, figures: Figures, unit: &str) {
    let Figures { first_quartile, median, third_quartile, count } = figures;
    // Writing into a string cannot fail.
    let _ = writeln!(table, "{name:<58} {median:>9.3} {unit:<3} {first_quartile:>9.3} to {third_quartile:>9.3} {count:>7}");
}

/// One run of the bench.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// How long each measurement took.
    pub(super) seconds: u64,
    /// How many memories were searched.
    pub(super) memories: u32,
    pub(super) measurements: Vec<Measurement>,
}

impl Report {
    /// Prints the table on standard output.
    pub(super) fn print(&self) -> Result<(), Problem> {
        let printed = stdout().lock().write_all(self.table().as_bytes());
        printed.map_err(|error| Problem::from_error("write to standard output", &error))
    }

    fn table(&self) -> String {
        let mut table = format!(
            "{} memories to search in, {} seconds for each measurement\n\n{:<58} {:>13} {:>22} {:>7}\n",
            self.memories, self.seconds, "", "median", "quartiles", "count"
        );
        for measurement in &self.measurements {
            measurement.write(&mut table);
            table.push('\n');
        }
        table
    }

    /// Writes everything into a file.
    pub(super) fn write_json(&self, file: &Path) -> Result<(), Problem> {
        let json = serde_json::to_string_pretty(self);
        let json = json.map_err(|error| Problem::from_error("write the report as JSON", &error))?;
        fs::write(file, json + "\n").map_err(|error| Problem::file("write", file, &error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_judged_by_its_median() {
        let times = (Figures::of(vec![2.0]), Figures::of(vec![3.2]));

        let measurement = Measurement::ratio("a tool", times, Figures::of(vec![1.4, 1.5, 9.0]), Target::AtMost(1.5));
        let report = Report { seconds: 1, memories: 10, measurements: vec![measurement] };

        assert!(report.table().contains("target: at most 1.5 x: met"), "{}", report.table());
    }

    #[test]
    fn a_rate_has_a_least() {
        let rates = (Figures::of(vec![100.0]), Figures::of(vec![60.0]));

        let measurement = Measurement::rates("a tool", rates, Figures::of(vec![0.6]), Target::AtLeast(0.7));
        let report = Report { seconds: 1, memories: 10, measurements: vec![measurement] };

        assert!(report.table().contains("target: at least 0.7 x: MISSED"), "{}", report.table());
    }
}
