//! Every word of the application, English and German side by side: a text that lacks one of the two does not compile.
//!
//! A `{}` stands for what `fill` puts there. Words that nothing uses are a warning, so none pile up.

/// Declares a group of words: a name, then the English and the German text.
macro_rules! words {
    ($(#[$doc:meta])* $group:ident { $($name:ident: $english:literal, $german:literal;)* }) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub(crate) struct $group {
            $(pub(crate) $name: &'static str,)*
        }

        impl $group {
            pub(super) const ENGLISH: Self = Self { $($name: $english,)* };
            pub(super) const GERMAN: Self = Self { $($name: $german,)* };
            #[cfg(test)]
            pub(super) const ALL: &'static [(&'static str, &'static str, &'static str)] =
                &[$((stringify!($name), $english, $german),)*];
        }
    };
}

mod accounts;
mod administration;
mod connections;
mod figures;
mod frame;
mod groups;
mod memories;
mod personas;
mod problems;
mod search;
mod transfers;

use accounts::AccountWords;
use administration::AdministrationWords;
use connections::ConnectionWords;
pub(crate) use figures::FigureWords;
use frame::{FrameWords, NoticeWords};
use groups::GroupWords;
pub(crate) use memories::MemoryWords;
pub(crate) use personas::PersonaWords;
use problems::ProblemWords;
use search::SearchWords;
use transfers::TransferWords;

/// A language that the application speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Language {
    #[default]
    English,
    German,
}

/// All texts in one language.
#[derive(Debug)]
pub(crate) struct Words {
    /// The language's code (BCP 47), for `lang`.
    pub(crate) code: &'static str,
    pub(crate) months: [&'static str; 12],
    pub(crate) account: AccountWords,
    pub(crate) administration: AdministrationWords,
    pub(crate) connection: ConnectionWords,
    pub(crate) frame: FrameWords,
    pub(crate) figure: FigureWords,
    pub(crate) group: GroupWords,
    pub(crate) notice: NoticeWords,
    pub(crate) memory: MemoryWords,
    pub(crate) persona: PersonaWords,
    pub(crate) problem: ProblemWords,
    pub(crate) search: SearchWords,
    pub(crate) transfer: TransferWords,
}

static ENGLISH: Words = Words {
    code: "en",
    months: ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"],
    account: AccountWords::ENGLISH,
    administration: AdministrationWords::ENGLISH,
    connection: ConnectionWords::ENGLISH,
    frame: FrameWords::ENGLISH,
    figure: FigureWords::ENGLISH,
    group: GroupWords::ENGLISH,
    notice: NoticeWords::ENGLISH,
    memory: MemoryWords::ENGLISH,
    persona: PersonaWords::ENGLISH,
    problem: ProblemWords::ENGLISH,
    search: SearchWords::ENGLISH,
    transfer: TransferWords::ENGLISH,
};

static GERMAN: Words = Words {
    code: "de",
    months: ["Jan.", "Feb.", "März", "Apr.", "Mai", "Juni", "Juli", "Aug.", "Sept.", "Okt.", "Nov.", "Dez."],
    account: AccountWords::GERMAN,
    administration: AdministrationWords::GERMAN,
    connection: ConnectionWords::GERMAN,
    frame: FrameWords::GERMAN,
    figure: FigureWords::GERMAN,
    group: GroupWords::GERMAN,
    notice: NoticeWords::GERMAN,
    memory: MemoryWords::GERMAN,
    persona: PersonaWords::GERMAN,
    problem: ProblemWords::GERMAN,
    search: SearchWords::GERMAN,
    transfer: TransferWords::GERMAN,
};

impl Words {
    /// A number with two decimals, as the language writes it.
    pub(crate) fn decimal(&self, number: f64) -> String {
        let text = format!("{number:.2}");
        if self.code == GERMAN.code { text.replace('.', ",") } else { text }
    }

    /// A month that the server calls `2026-02`.
    pub(crate) fn month(&self, month: &str) -> String {
        let named = month.split_once('-').and_then(|(year, number)| {
            let name = self.months.get(number.parse::<usize>().ok()?.checked_sub(1)?)?;
            Some(format!("{name} {year}"))
        });
        named.unwrap_or_else(|| month.to_owned())
    }
}

impl Language {
    /// All texts in this language.
    pub(crate) fn words(self) -> &'static Words {
        match self {
            Self::English => &ENGLISH,
            Self::German => &GERMAN,
        }
    }

    /// Reads a code such as `de`; `None` for a language that is not spoken here.
    pub(crate) fn from_code(code: &str) -> Option<Self> {
        match code {
            "en" => Some(Self::English),
            "de" => Some(Self::German),
            _ => None,
        }
    }

    /// The language that an `Accept-Language` header likes best (RFC 9110, section 12.5.4); English if it likes none.
    pub(crate) fn accepted(header: &str) -> Self {
        let mut best = (Self::default(), 0.0);
        for range in header.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let tag = parts.next().unwrap_or_default().to_ascii_lowercase();
            let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(1.0, |weight| weight.parse().unwrap_or(0.0));
            let language = Self::from_code(tag.split('-').next().unwrap_or_default());
            if let Some(language) = language.filter(|_| weight > best.1) {
                best = (language, weight);
            }
        }
        best.0
    }
}

/// Puts a value where the text has `{}`.
pub(crate) fn fill(text: &str, value: impl std::fmt::Display) -> String {
    text.replacen("{}", &value.to_string(), 1)
}

#[cfg(test)]
mod tests {
    use super::{
        AccountWords, AdministrationWords, ConnectionWords, FigureWords, FrameWords, GroupWords, Language, MemoryWords,
        NoticeWords, PersonaWords, ProblemWords, SearchWords, TransferWords, fill,
    };

    #[test]
    fn every_text_is_there_in_both_languages_and_leaves_room_for_the_same_values() {
        let groups = [
            AccountWords::ALL,
            AdministrationWords::ALL,
            ConnectionWords::ALL,
            FigureWords::ALL,
            FrameWords::ALL,
            GroupWords::ALL,
            NoticeWords::ALL,
            MemoryWords::ALL,
            PersonaWords::ALL,
            ProblemWords::ALL,
            SearchWords::ALL,
            TransferWords::ALL,
        ];
        for (name, english, german) in groups.concat() {
            assert!(!german.is_empty(), "{name}");
            assert!(!english.is_empty() || name.ends_with("_rule"), "{name}: only rules may be left to the server");
            if !english.is_empty() {
                assert_eq!(english.matches("{}").count(), german.matches("{}").count(), "{name}");
            }
        }
    }

    #[test]
    fn the_language_is_the_one_that_the_browser_likes_best() {
        for german in ["de", "de-AT,de;q=0.9,en;q=0.8", "fr, de;q=0.5", "en;q=0.2, de;q=0.3", "DE"] {
            assert_eq!(Language::accepted(german), Language::German, "{german}");
        }
        for english in ["", "en-GB,de;q=0.9", "fr", "de;q=0", "*", "de;q=x", "den"] {
            assert_eq!(Language::accepted(english), Language::English, "{english}");
        }
        assert_eq!(fill("{} of {}", 3), "3 of {}");
    }

    #[test]
    fn numbers_and_months_are_written_as_the_language_does() {
        let (english, german) = (Language::English.words(), Language::German.words());

        assert_eq!((english.decimal(0.831), german.decimal(-0.5)), ("0.83".to_owned(), "-0,50".to_owned()));
        assert_eq!((english.month("2026-02"), german.month("2026-03")), ("Feb 2026".to_owned(), "März 2026".to_owned()));
        assert_eq!((german.month("2026-13"), german.month("x")), ("2026-13".to_owned(), "x".to_owned()));
    }
}
