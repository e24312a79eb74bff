//! Times as people read and write them: in the zone and the language of the person.

use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime, PrimitiveDateTime, UtcOffset};

use crate::preferences::{Preferences, Zone};
use crate::words::Language;

const DAY: &[BorrowedFormatItem<'static>] = format_description!("[year]-[month]-[day]");
const INPUT: &[BorrowedFormatItem<'static>] = format_description!("[year]-[month]-[day]T[hour]:[minute]");
const INPUT_WITH_SECONDS: &[BorrowedFormatItem<'static>] = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");

/// A time for reading: `9 Nov 2026, 14:03 UTC`. Only UTC is named; the foot of the page names other zones.
pub(crate) fn readable(moment: OffsetDateTime, preferences: &Preferences) -> String {
    let local = preferences.zone.local(moment);
    let stop = if preferences.language == Language::German { "." } else { "" };
    let month = preferences.words().months[usize::from(u8::from(local.month())) - 1];
    let zone = if preferences.zone.is_utc() { " UTC" } else { "" };
    format!("{}{stop} {month} {}, {:02}:{:02}{zone}", local.day(), local.year(), local.hour(), local.minute())
}

/// A time for machines, RFC 3339.
pub(crate) fn machine(moment: OffsetDateTime) -> String {
    moment.to_offset(UtcOffset::UTC).format(&Rfc3339).unwrap_or_default()
}

/// A time as an `<input type="datetime-local">` takes it.
pub(crate) fn input(moment: OffsetDateTime, zone: &Zone) -> String {
    zone.local(moment).format(INPUT).unwrap_or_default()
}

/// Reads what an `<input type="datetime-local">` sends, as a time in the zone.
pub(crate) fn from_input(text: &str, zone: &Zone) -> Option<OffsetDateTime> {
    let text = text.trim();
    let moment = PrimitiveDateTime::parse(text, INPUT).or_else(|_| PrimitiveDateTime::parse(text, INPUT_WITH_SECONDS));
    zone.moment(moment.ok()?)
}

/// When a day begins and ends in the zone; reads what an `<input type="date">` sends.
pub(crate) fn day(text: &str, zone: &Zone) -> Option<(OffsetDateTime, OffsetDateTime)> {
    let date = Date::parse(text.trim(), DAY).ok()?;
    Some((zone.moment(date.midnight())?, zone.moment(date.next_day()?.midnight())?))
}

#[cfg(test)]
mod tests {
    use super::{day, from_input, input, machine, readable};
    use crate::preferences::{Preferences, Zone};
    use crate::words::Language;

    #[test]
    fn a_time_survives_a_form() {
        let utc = Zone::default();
        let moment = from_input("2026-11-09T14:03", &utc).expect("a time");

        assert_eq!(readable(moment, &Preferences::default()), "9 Nov 2026, 14:03 UTC");
        assert_eq!(input(moment, &utc), "2026-11-09T14:03");
        assert_eq!(machine(moment), "2026-11-09T14:03:00Z");
        assert_eq!(from_input("2026-11-09T14:03:00", &utc), Some(moment));
        assert_eq!(from_input("tomorrow", &utc), None);
    }

    #[test]
    fn a_time_is_read_and_written_in_the_persons_zone_and_language() {
        let zone = Zone::parse("Europe/Berlin").expect("a zone");
        let moment = from_input("2026-07-09T14:03", &zone).expect("a time");
        let preferences = Preferences { language: Language::German, zone: zone.clone(), ..Preferences::default() };

        assert_eq!(machine(moment), "2026-07-09T12:03:00Z");
        assert_eq!(input(moment, &zone), "2026-07-09T14:03");
        assert_eq!(readable(moment, &preferences), "9. Juli 2026, 14:03");
    }

    #[test]
    fn a_day_has_the_hours_of_the_persons_zone() {
        let zone = Zone::parse("Europe/Berlin").expect("a zone");

        let (begin, end) = day("2026-10-25", &zone).expect("a day");
        assert_eq!((machine(begin), machine(end)), ("2026-10-24T22:00:00Z".to_owned(), "2026-10-25T23:00:00Z".to_owned()));
        assert_eq!(day("25.10.2026", &zone), None);
        assert_eq!(day("", &zone), None);
    }
}
