//! One way to write a time.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

const OUTGOING: &[BorrowedFormatItem<'static>] = format_description!(
    "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6][offset_hour sign:mandatory]:[offset_minute]"
);

/// A moment in UTC to the microsecond, which is what PostgreSQL keeps.
///
/// Written as `2026-01-01T00:00:00.000000+00:00`; read from any RFC 3339 time, without an offset as UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(OffsetDateTime);

/// Says that a text is not a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an RFC 3339 time such as 2026-12-31T23:59:59Z")]
pub struct TimestampError;

impl Timestamp {
    /// The moment as the `time` crate's type, always in UTC.
    #[must_use]
    pub fn as_offset_date_time(self) -> OffsetDateTime {
        self.0
    }

    /// Seconds since 1970-01-01T00:00:00Z, rounded down.
    #[must_use]
    pub fn unix_seconds(self) -> i64 {
        self.0.unix_timestamp()
    }
}

impl From<OffsetDateTime> for Timestamp {
    fn from(moment: OffsetDateTime) -> Self {
        let utc = moment.to_offset(UtcOffset::UTC);
        let whole = utc.microsecond() * 1_000;
        Self(utc.replace_nanosecond(whole).unwrap_or(utc))
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        let with_offset: Cow<'_, str> = match text.as_bytes().get(19..) {
            Some(rest) if !has_offset(rest) => format!("{text}Z").into(),
            _ => text.into(),
        };
        let moment = OffsetDateTime::parse(&with_offset, &Rfc3339).map_err(|_| TimestampError)?;
        // An offset can carry a time out of the years that four digits write.
        let utc = moment.checked_to_offset(UtcOffset::UTC).ok_or(TimestampError)?;
        if (0..=9999).contains(&utc.year()) { Ok(utc.into()) } else { Err(TimestampError) }
    }
}

fn has_offset(after_seconds: &[u8]) -> bool {
    after_seconds.iter().any(|byte| matches!(byte, b'Z' | b'z' | b'+' | b'-'))
}

impl TryFrom<String> for Timestamp {
    type Error = TimestampError;
    fn try_from(text: String) -> Result<Self, TimestampError> {
        text.parse()
    }
}

impl From<Timestamp> for String {
    fn from(moment: Timestamp) -> Self {
        moment.to_string()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.format(OUTGOING).map_err(|_| fmt::Error)?)
    }
}

impl JsonSchema for Timestamp {
    fn schema_name() -> Cow<'static, str> {
        "Timestamp".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_goes_out_in_utc_with_offset_and_microseconds() {
        for (incoming, outgoing) in [
            ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000000+00:00"),
            ("2026-01-01T00:00:00", "2026-01-01T00:00:00.000000+00:00"),
            ("2026-01-01T02:30:00.123456789+02:30", "2026-01-01T00:00:00.123456+00:00"),
            ("2026-01-01t00:00:00.5z", "2026-01-01T00:00:00.500000+00:00"),
            ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59.000000+00:00"),
        ] {
            assert_eq!(incoming.parse::<Timestamp>().map(String::from), Ok(outgoing.to_owned()), "{incoming}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["", "2025-12-31", "tomorrow", "2026-02-30T00:00:00Z", "10000-01-01T00:00:00Z", "2026-01-01T25:00:00"] {
            assert_eq!(text.parse::<Timestamp>(), Err(TimestampError), "{text}");
        }
        assert_eq!("9999-12-31T23:59:59-14:00".parse::<Timestamp>(), Err(TimestampError));
    }
}
