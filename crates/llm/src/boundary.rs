//! Where sentences end.

/// Short words that end with a full stop and no sentence.
const ABBREVIATIONS: [&str; 14] = ["dr", "mr", "mrs", "ms", "st", "prof", "nr", "vs", "bzw", "ca", "jr", "sr", "approx", "abs"];

/// No abbreviation is longer, in bytes.
const LONGEST: usize = 8;

/// Reads a text, a character at a time.
#[derive(Debug, Default)]
pub(crate) struct Boundary {
    state: State,
    /// The word before a full stop, as far as it may be an abbreviation.
    word: String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Inside,
    /// A sentence has ended if a space follows: there is none in `3.5`.
    Ended,
    /// A sentence has ended, whatever follows: Chinese and Japanese have no spaces.
    EndedWide,
}

impl Boundary {
    /// Whether a sentence has ended before this character.
    pub(crate) fn is_before(&self, character: char) -> bool {
        match self.state {
            State::Inside => false,
            State::Ended => character.is_whitespace(),
            State::EndedWide => !closes(character) && !ends(character) && !ends_wide(character),
        }
    }

    /// Takes the next character.
    pub(crate) fn next(&mut self, character: char) {
        self.state = match character {
            _ if ends_wide(character) => State::EndedWide,
            '.' if self.is_abbreviation() => State::Inside,
            _ if ends(character) && self.state == State::Inside => State::Ended,
            _ if ends(character) || closes(character) => self.state,
            _ => State::Inside,
        };
        if !character.is_alphanumeric() {
            self.word.clear();
        } else if self.word.len() <= LONGEST {
            self.word.push(character);
        }
    }

    /// `Dr.`, the initial in `J. Picard`, and the last letter of `e.g.`, but not `So do I.`
    fn is_abbreviation(&self) -> bool {
        let word = self.word.to_lowercase();
        let mut letters = word.chars();
        let is_letter = letters.next().is_some_and(char::is_alphabetic) && letters.next().is_none();
        (is_letter && word != "i") || ABBREVIATIONS.contains(&word.as_str())
    }
}

fn ends(character: char) -> bool {
    matches!(character, '.' | '!' | '?' | '…')
}

fn ends_wide(character: char) -> bool {
    matches!(character, '。' | '！' | '？')
}

/// What may stand between the end of a sentence and the space after it.
fn closes(character: char) -> bool {
    matches!(character, '"' | '”' | '’' | '\'' | ')' | '»' | '*' | '_' | '」' | '』' | '）' | '》')
}
