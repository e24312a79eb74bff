//! What keyword search compares: the words of a text, brought to one form.
//!
//! Text and query go through the same steps: Unicode compatibility form and case folding, runs of letters and digits,
//! English endings cut off (Snowball). Scripts that put no space between words are taken in pairs of characters.

use std::collections::{BTreeMap, HashMap};

use caseless::Caseless;
use rust_stemmers::{Algorithm, Stemmer};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Longer runs are no words; their beginning stands for them.
const MOST_WORD_CHARACTERS: usize = 64;

/// Words so common in English that they say nothing. They are kept with a text, because they may mean something in
/// another language, but neither counted in its length nor looked for beside other words.
const STOP_WORDS: &str = "a about above after again against all also am an and any are as at be because been before being below \
    between both but by can could did do does doing down during each either few for from further had has have having he her \
    here hers herself him himself his how i if in into is it its itself just me more most my myself neither no nor not now of \
    off on once only or other our ours ourselves out over own same shall she should so some such than that the their theirs \
    them themselves then there these they this those through to too under until up us very was we were what when where which \
    while who whom whose why will with would you your yours yourself yourselves cannot im ive id youre youve hes shes theyre \
    dont didnt doesnt isnt arent wasnt werent hasnt havent hadnt wont wouldnt cant couldnt shouldnt thats whats lets";

/// The words of one text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextWords {
    /// How often each word stands in the text.
    pub counts: BTreeMap<String, u16>,
    /// How many words the text has, stop words aside.
    pub length: u32,
}

/// Takes a text apart.
#[must_use]
pub fn words_of_text(text: &str) -> TextWords {
    let mut words = TextWords::default();
    words.length = WordReader::new(str::to_owned).read(text, |word| {
        let count = words.counts.entry(word.clone()).or_default();
        *count = count.saturating_add(1);
    });
    words
}

/// The words to look for, one that comes twice twice; stop words only where there is nothing else.
#[must_use]
pub fn words_of_query(query: &str) -> Vec<String> {
    let (mut words, mut stop_words, mut alone) = (Vec::new(), Vec::new(), Vec::new());
    WordReader::new(str::to_owned).each_word(query, |word, is_alone| {
        let list = if is_alone {
            &mut alone
        } else if word.is_stop_word {
            &mut stop_words
        } else {
            &mut words
        };
        list.push(word.made.clone());
    });
    [words, stop_words, alone].into_iter().find(|list| !list.is_empty()).map_or_else(Vec::new, |mut list| {
        list.sort_unstable();
        list
    })
}

/// Takes texts apart; what was made of a word serves for the next text too.
pub struct WordReader<T, F> {
    stemmer: Stemmer,
    make: F,
    known: HashMap<Box<str>, Known<T>>,
}

/// A word that was met before.
struct Known<T> {
    made: T,
    is_stop_word: bool,
}

impl<T, F: FnMut(&str) -> T> WordReader<T, F> {
    /// Knows no word yet; `make` makes of a word, in the one form for all its endings, what is wanted.
    pub fn new(make: F) -> Self {
        Self { stemmer: Stemmer::create(Algorithm::English), make, known: HashMap::new() }
    }

    /// Calls back for every word of a text, and answers how many it has, stop words aside.
    pub fn read(&mut self, text: &str, mut found: impl FnMut(&T)) -> u32 {
        let mut length = 0;
        self.each_word(text, |word, is_alone| {
            // A character of a run is kept besides its pairs, so that it is found alone; the pairs make up the length.
            length += u32::from(!is_alone && !word.is_stop_word);
            found(&word.made);
        });
        length
    }

    /// Calls back for each word in order; `true` marks a single character that also stands in pairs.
    fn each_word(&mut self, text: &str, mut found: impl FnMut(&Known<T>, bool)) {
        let text = folded(text);
        let (mut start, mut kind) = (0, Kind::Other);
        for (place, character) in text.char_indices() {
            let next = kind_of(character, kind, place > start);
            if next != kind || next == Kind::Sign {
                self.end_run(kind, &text[start..place], &mut found);
                start = place;
            }
            kind = next;
        }
        self.end_run(kind, &text[start..], &mut found);
    }

    fn end_run(&mut self, kind: Kind, run: &str, found: &mut impl FnMut(&Known<T>, bool)) {
        match kind {
            Kind::Other => {}
            Kind::Sign => found(self.word(run), false),
            Kind::Letter if run.contains(['\'', '\u{2019}']) => {
                let word = run.replace('\u{2019}', "'");
                let parts = parts(word.trim_matches('\''));
                parts.iter().filter(|part| !part.is_empty()).for_each(|part| found(self.word(part), false));
            }
            Kind::Letter => found(self.word(run), false),
            Kind::Unspaced => {
                let characters: Vec<char> = run.chars().collect();
                let is_single = characters.len() == 1;
                characters.iter().for_each(|character| found(self.word(character.encode_utf8(&mut [0; 4])), !is_single));
                characters.windows(2).for_each(|pair| found(self.word(&pair.iter().collect::<String>()), false));
            }
        }
    }

    fn word(&mut self, word: &str) -> &Known<T> {
        let word = word.char_indices().nth(MOST_WORD_CHARACTERS).map_or(word, |(end, _)| &word[..end]);
        if !self.known.contains_key(word) {
            let is_stop_word = is_stop_word(word);
            let is_english = word.is_ascii() && !is_stop_word;
            let stem = if is_english { self.stemmer.stem(word) } else { word.into() };
            let known = Known { made: (self.make)(&stem), is_stop_word: is_stop_word || self::is_stop_word(&stem) };
            self.known.insert(word.into(), known);
        }
        &self.known[word]
    }
}

fn is_stop_word(word: &str) -> bool {
    static SET: std::sync::LazyLock<std::collections::HashSet<&str>> =
        std::sync::LazyLock::new(|| STOP_WORDS.split_whitespace().collect());
    SET.contains(word)
}

/// One form for all ways of writing a word.
fn folded(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    // Folding may undo the compatibility form; once more settles it.
    let folded: String = text.nfkc().default_case_fold().collect();
    folded.nfkc().filter(|character| !is_invisible(*character)).map(without_dot).collect()
}

/// Soft hyphens and joiners of lines stand in words without being seen, and so does the dot that folding leaves of a
/// Turkish capital I.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{ad}' | '\u{2060}' | '\u{feff}' | '\u{307}')
}

/// The i without a dot is the capital I of other languages.
fn without_dot(character: char) -> char {
    if character == 'ı' { 'i' } else { character }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A letter or digit of a script that puts spaces between words.
    Letter,
    /// A character of a script that does not.
    Unspaced,
    /// A picture, which is a word of its own.
    Sign,
    Other,
}

fn kind_of(character: char, before: Kind, is_in_run: bool) -> Kind {
    match character {
        'a'..='z' | '0'..='9' => Kind::Letter,
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' // Thai, Lao, Myanmar, Khmer
        | '\u{3005}'..='\u{3007}' | '\u{3041}'..='\u{312f}' | '\u{31f0}'..='\u{31ff}' // Kana, Bopomofo
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}' // Han
        | '\u{1100}'..='\u{11ff}' | '\u{ac00}'..='\u{d7af}' // Hangul
            if character.is_alphanumeric() || is_combining_mark(character) => Kind::Unspaced,
        // Flags are pairs of letters of their own.
        '\u{1f1e6}'..='\u{1f1ff}' => Kind::Unspaced,
        '\u{2600}'..='\u{27bf}' | '\u{1f300}'..='\u{1faff}' => Kind::Sign,
        _ if character.is_alphanumeric() => Kind::Letter,
        // Marks belong to the letter before them, and so does an apostrophe.
        _ if is_combining_mark(character) && matches!(before, Kind::Letter | Kind::Unspaced) => before,
        '\'' | '\u{2019}' if before == Kind::Letter && is_in_run => Kind::Letter,
        _ => Kind::Other,
    }
}

/// English endings behind an apostrophe belong to their word; elsewhere it parts two words.
fn parts(word: &str) -> Vec<String> {
    match word.rsplit_once('\'') {
        Some((head, "s")) => vec![head.replace('\'', "")],
        Some((_, "t" | "d" | "m" | "ll" | "re" | "ve")) => vec![word.replace('\'', "")],
        Some(_) => word.split('\'').map(str::to_owned).collect(),
        None => vec![word.to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<(String, u16)> {
        words_of_text(text).counts.into_iter().collect()
    }

    fn is_found(query: &str, text: &str) -> bool {
        let text = words_of_text(text);
        let query = words_of_query(query);
        !query.is_empty() && query.iter().all(|word| text.counts.contains_key(word))
    }

    #[test]
    fn english_words_are_stemmed_and_counted_without_stop_words() {
        let text = words_of_text("Caroline's running — and she RUNS the café's marathons, doesn’t she?");
        assert_eq!(text.length, 5);
        let counted = |word: &str| text.counts.get(word).copied();
        assert_eq!(
            (counted("run"), counted("carolin"), counted("café"), counted("marathon")),
            (Some(2), Some(1), Some(1), Some(1))
        );
        assert_eq!(words_of_query("When did she run?"), ["run"]);
        assert_eq!(words_of_query("to be or not to be"), ["be", "be", "not", "or", "to", "to"]);
        assert!(words_of_query(" -!? ").is_empty());
    }

    #[test]
    fn any_language_is_found_by_exact_word() {
        for (query, text) in [
            ("Straße", "In der STRASSE steht ein Haus"),
            ("wAS", "Ich weiß, was du meinst"),
            ("łódź", "Byłem w mieście ŁÓDŹ wczoraj"),
            ("привет", "Скажи ПРИВЕТ миру"),
            ("नमस्ते", "उसने नमस्ते कहा"),
            ("שלום", "אמרתי שלום"),
            ("مرحبا", "قال مرحبا"),
            ("e\u{301}te\u{301}", "un \u{e9}t\u{e9} chaud"),
            ("ﬁne", "a fine day"),
            ("東京", "私は東京に住んでいます"),
            ("猫", "黒猫がいる"),
            ("ラーメン", "美味しいラーメンを食べた"),
            ("서울", "나는 서울에 산다"),
            ("ไทย", "ฉันพูดภาษาไทย"),
            ("🎻", "She plays the 🎻 well"),
            ("2026", "on 23.11.2026"),
            ("🇩🇪", "flag 🇩🇪 here"),
            ("istanbul", "İSTANBUL'da yaşıyorum"),
            ("ışık", "IŞIK söndü"),
            ("amour", "l'amour"),
            ("cooperate", "we co\u{ad}operate"),
        ] {
            assert!(is_found(query, text), "{query} in {text}");
        }
        assert!(!is_found("京都", "東京に都がある"), "pairs keep their order");
    }

    #[test]
    fn pairs_make_up_the_length_and_single_characters_are_kept() {
        assert_eq!(words_of_text("東京都").length, 2);
        assert_eq!(words("猫"), [("猫".to_owned(), 1)]);
        assert_eq!(words_of_text("猫").length, 1);
        assert_eq!(words_of_query("東京都"), ["京都", "東京"]);
        assert_eq!(words_of_query("fish horse fish"), ["fish", "fish", "hors"]);
    }

    proptest::proptest! {
        #[test]
        fn whatever_stands_in_a_text_is_found_in_it(text: String) {
            let counts = words_of_text(&text).counts;
            for word in words_of_query(&text) {
                proptest::prop_assert!(counts.contains_key(&word));
            }
        }
    }
}
