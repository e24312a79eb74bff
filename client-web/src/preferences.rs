//! How a page speaks and looks: what the person has set or, where they have not, what the browser says.

use http::HeaderMap;
use http::header::{ACCEPT_LANGUAGE, COOKIE};
use jiff::tz::TimeZone;
use time::{OffsetDateTime, PrimitiveDateTime, UtcOffset};

use crate::words::{Language, Words};

/// The cookie in which the page's script says where the browser is.
fn zone_cookie(is_https: bool) -> &'static str {
    if is_https { "__Host-picard_zone" } else { "picard_zone" }
}

/// The cookie with the language that somebody chose who is not signed in. Browsers accept the `__Host-` prefix only over
/// HTTPS (LOG-03).
pub(crate) fn language_cookie(is_https: bool) -> &'static str {
    if is_https { "__Host-picard_language" } else { "picard_language" }
}

/// A time zone of the IANA database.
#[derive(Debug, Clone, Default)]
pub(crate) struct Zone(Option<TimeZone>);

impl Zone {
    /// Finds a zone by its name, such as `Europe/Berlin`.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '+');
        if name.is_empty() || name.len() > 64 || !name.chars().all(is_name) {
            return None;
        }
        TimeZone::get(name).ok().map(|zone| Self(Some(zone)))
    }

    /// The zone's name as people read it.
    pub(crate) fn name(&self) -> &str {
        self.0.as_ref().and_then(TimeZone::iana_name).unwrap_or("UTC")
    }

    /// Whether it is UTC.
    pub(crate) fn is_utc(&self) -> bool {
        matches!(self.name(), "UTC" | "Etc/UTC")
    }

    /// A moment as clocks in this zone show it.
    pub(crate) fn local(&self, moment: OffsetDateTime) -> OffsetDateTime {
        let offset = self.0.as_ref().and_then(|zone| {
            let moment = jiff::Timestamp::from_second(moment.unix_timestamp()).ok()?;
            UtcOffset::from_whole_seconds(zone.to_offset(moment).seconds()).ok()
        });
        moment.checked_to_offset(offset.unwrap_or(UtcOffset::UTC)).unwrap_or(moment)
    }

    /// The moment at which clocks in this zone show something; the later one of two, when a clock is put back.
    pub(crate) fn moment(&self, local: PrimitiveDateTime) -> Option<OffsetDateTime> {
        let Some(zone) = &self.0 else {
            return Some(local.assume_utc());
        };
        let (hour, minute, second) = local.as_hms();
        let day = i8::try_from(local.day()).ok()?;
        let month = i8::try_from(u8::from(local.month())).ok()?;
        let [hour, minute, second] = [hour, minute, second].map(|part| i8::try_from(part).unwrap_or_default());
        let shown = jiff::civil::DateTime::new(i16::try_from(local.year()).ok()?, month, day, hour, minute, second, 0).ok()?;
        let moment = zone.to_ambiguous_timestamp(shown).later().ok()?;
        OffsetDateTime::from_unix_timestamp(moment.as_second()).ok()
    }
}

/// Light or dark.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Theme {
    /// As the system says.
    #[default]
    System,
    Light,
    Dark,
}

impl Theme {
    /// The word in forms, in the database and on `<html>`.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::System => "",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// Reads what `code` wrote; anything else is the system's.
    pub(crate) fn from_code(code: &str) -> Self {
        match code {
            "light" => Self::Light,
            "dark" => Self::Dark,
            _ => Self::System,
        }
    }
}

/// What a person set; empty where they left it to the browser.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    pub(crate) language: Option<Language>,
    pub(crate) theme: Theme,
    pub(crate) zone: Option<Zone>,
}

/// The value of a cookie.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    let all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
    let mut pairs = all.filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == wanted).map(|(_, value)| value)
}

/// What holds for one page.
#[derive(Debug, Clone, Default)]
pub(crate) struct Preferences {
    pub(crate) language: Language,
    pub(crate) theme: Theme,
    pub(crate) zone: Zone,
}

impl Preferences {
    /// What the browser says by itself.
    pub(crate) fn of_browser(headers: &HeaderMap, is_https: bool) -> Self {
        let accepted = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let chosen = cookie(headers, language_cookie(is_https)).and_then(Language::from_code);
        Self {
            language: chosen.unwrap_or_else(|| Language::accepted(accepted)),
            theme: Theme::System,
            zone: cookie(headers, zone_cookie(is_https)).and_then(Zone::parse).unwrap_or_default(),
        }
    }

    /// The same, but for what the person set.
    pub(crate) fn with(self, settings: &Settings) -> Self {
        Self {
            language: settings.language.unwrap_or(self.language),
            theme: settings.theme,
            zone: settings.zone.clone().unwrap_or(self.zone),
        }
    }

    /// All texts in the language that holds.
    pub(crate) fn words(&self) -> &'static Words {
        self.language.words()
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use time::macros::datetime;

    use super::{Preferences, Settings, Theme, Zone};
    use crate::words::Language;

    #[test]
    fn a_zone_knows_summer_and_winter() {
        let berlin = Zone::parse("Europe/Berlin").expect("a zone");

        // Two moments are equal whatever their offsets, so it is the clocks that are compared.
        assert_eq!(berlin.local(datetime!(2026-07-01 12:00 UTC)).hour(), 14);
        assert_eq!(berlin.local(datetime!(2026-12-01 12:00 UTC)).hour(), 13);
        assert_eq!(berlin.moment(datetime!(2026-07-01 14:00)), Some(datetime!(2026-07-01 12:00 UTC)));
        assert_eq!(berlin.moment(datetime!(2026-12-01 13:00)), Some(datetime!(2026-12-01 12:00 UTC)));
        assert_eq!((berlin.name(), berlin.is_utc()), ("Europe/Berlin", false));
        assert!(Zone::default().is_utc() && Zone::parse("UTC").is_some_and(|zone| zone.is_utc()));
    }

    #[test]
    fn what_is_no_zone_is_refused() {
        for bad in ["", "Mars/Olympus", "../../etc/passwd", "Europe/Berlin\n", &"x".repeat(65)] {
            assert!(Zone::parse(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn what_a_person_sets_comes_before_what_the_browser_says() {
        let mut headers = HeaderMap::new();
        headers.insert("accept-language", "de".parse().expect("a value"));
        headers.insert("cookie", "a=b; picard_zone=Asia/Tokyo".parse().expect("a value"));
        let browser = Preferences::of_browser(&headers, false);
        let set = Settings { language: Some(Language::English), theme: Theme::Dark, zone: Zone::parse("Europe/Berlin") };

        assert_eq!((browser.language, browser.zone.name()), (Language::German, "Asia/Tokyo"));
        let unset = browser.clone().with(&Settings::default());
        assert_eq!((unset.language, unset.zone.name()), (Language::German, "Asia/Tokyo"));
        headers.insert("cookie", "picard_language=en; picard_zone=Asia/Tokyo".parse().expect("a value"));
        assert_eq!(Preferences::of_browser(&headers, false).language, Language::English, "what was chosen comes first");
        headers.insert("cookie", "picard_zone=Asia/Tokyo; __Host-picard_zone=Asia/Seoul".parse().expect("a value"));
        assert_eq!(Preferences::of_browser(&headers, true).zone.name(), "Asia/Seoul", "LOG-03: only what this host said");
        let preferences = browser.with(&set);
        assert_eq!((preferences.language, preferences.theme), (Language::English, Theme::Dark));
        assert_eq!(preferences.zone.name(), "Europe/Berlin");
    }
}
