//! Times as people read and write them. Pages have no script, so all times are UTC and say so.

use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime, UtcOffset};

const READABLE: &[BorrowedFormatItem<'static>] =
    format_description!("[day padding:none] [month repr:short] [year], [hour]:[minute] UTC");
const INPUT: &[BorrowedFormatItem<'static>] = format_description!("[year]-[month]-[day]T[hour]:[minute]");
const INPUT_WITH_SECONDS: &[BorrowedFormatItem<'static>] = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");

/// A time for reading: `9 Nov 2026, 14:03 UTC`.
pub(crate) fn readable(moment: OffsetDateTime) -> String {
    moment.to_offset(UtcOffset::UTC).format(READABLE).unwrap_or_default()
}

/// A time for machines, RFC 3339.
pub(crate) fn machine(moment: OffsetDateTime) -> String {
    moment.to_offset(UtcOffset::UTC).format(&Rfc3339).unwrap_or_default()
}

/// A time as an `<input type="datetime-local">` takes it.
pub(crate) fn input(moment: OffsetDateTime) -> String {
    moment.to_offset(UtcOffset::UTC).format(INPUT).unwrap_or_default()
}

/// Reads what an `<input type="datetime-local">` sends, as UTC.
pub(crate) fn from_input(text: &str) -> Option<OffsetDateTime> {
    let text = text.trim();
    let moment = PrimitiveDateTime::parse(text, INPUT).or_else(|_| PrimitiveDateTime::parse(text, INPUT_WITH_SECONDS));
    moment.ok().map(PrimitiveDateTime::assume_utc)
}

#[cfg(test)]
mod tests {
    use super::{from_input, input, machine, readable};

    #[test]
    fn a_time_survives_a_form() {
        let moment = from_input("2026-11-09T14:03").expect("a time");

        assert_eq!(readable(moment), "9 Nov 2026, 14:03 UTC");
        assert_eq!(input(moment), "2026-11-09T14:03");
        assert_eq!(machine(moment), "2026-11-09T14:03:00Z");
        assert_eq!(from_input("2026-11-09T14:03:00"), Some(moment));
        assert_eq!(from_input("tomorrow"), None);
    }
}
