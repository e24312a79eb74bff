//! How far something has come, on standard error: a bar on a terminal, a line now and then elsewhere.

use std::cell::Cell;
use std::io::{IsTerminal as _, stderr};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

const MEBIBYTE: u64 = 1 << 20;

/// Bytes of one download.
pub struct Progress {
    label: &'static str,
    total: Option<u64>,
    bar: Option<ProgressBar>,
    last_line: Cell<Instant>,
}

impl Progress {
    /// Begins, and says what is fetched.
    pub fn start(label: &'static str, total: Option<u64>) -> Self {
        let bar = stderr().is_terminal().then(|| bar(label, total));
        if bar.is_none() {
            let size = total.map(|total| format!(" ({} MiB)", total.div_ceil(MEBIBYTE))).unwrap_or_default();
            eprintln!("picard: fetching {label}{size}");
        }
        Self { label, total, bar, last_line: Cell::new(Instant::now()) }
    }

    /// Shows how many bytes have arrived.
    pub fn set(&self, bytes: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(bytes);
            return;
        }
        if self.last_line.get().elapsed() < Duration::from_secs(5) {
            return;
        }
        self.last_line.set(Instant::now());
        let of = self.total.map(|total| format!(" of {}", total.div_ceil(MEBIBYTE))).unwrap_or_default();
        eprintln!("picard: {}: {}{of} MiB", self.label, bytes / MEBIBYTE);
    }

    /// Ends well.
    pub fn finish(self) {
        match self.bar {
            Some(bar) => {
                bar.finish_and_clear();
                eprintln!("picard: fetched {}", self.label);
            }
            None => eprintln!("picard: fetched {}", self.label),
        }
    }

    /// Ends because of a failure, which is told elsewhere.
    pub fn abandon(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(label: &'static str, total: Option<u64>) -> ProgressBar {
    let (bar, template) = match total {
        Some(total) => (ProgressBar::new(total), "{msg} [{bar:30}] {bytes} of {total_bytes}, {eta} left"),
        None => (ProgressBar::new_spinner(), "{spinner} {msg} {bytes}"),
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style.progress_chars("=> "));
    bar.set_message(format!("fetching {label}"));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
