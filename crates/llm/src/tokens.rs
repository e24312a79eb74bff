//! How many tokens a text has, without the model's tokenizer.

/// The longest run of letters that is likely to be a word; longer ones are mostly codes.
const LONGEST_WORD: usize = 14;

/// A safe estimate of a text's tokens: for prose, code and lists in any script at or above what the tokenizers of
/// common models count, for English by about a third.
#[must_use]
pub fn estimate(text: &str) -> usize {
    let mut tokens = 0;
    let mut run = 0;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character.is_ascii_alphabetic() {
            run += 1;
            if characters.peek().is_none_or(|next| !next.is_ascii_alphabetic()) {
                tokens += of_run(run);
                run = 0;
            }
        } else if character != ' ' || characters.peek().is_none_or(|next| !next.is_alphabetic()) {
            // A space belongs to the word after it.
            tokens += of_character(character);
        }
    }
    tokens
}

fn of_run(letters: usize) -> usize {
    if letters <= 4 {
        1
    } else if letters <= LONGEST_WORD {
        letters.div_ceil(3)
    } else {
        // Codes: two tokens for three letters.
        (2 * letters).div_ceil(3)
    }
}

fn of_character(character: char) -> usize {
    match character {
        '\u{0}'..='\u{7f}' => 1,
        // Letters of Europe and its neighbours.
        '\u{80}'..='\u{7ff}' => 1,
        // Everything else of the first plane, East Asian scripts above all.
        '\u{800}'..='\u{ffff}' => 2,
        // Emoji and rare characters: one token for each of their bytes.
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_never_below_a_known_count() {
        // Counts by cl100k, as OpenAI's cookbook gives them, and by hand for codes.
        for (text, count) in [
            ("antidisestablishmentarianism", 6),
            ("2 + 2 = 4", 7),
            ("お誕生日おめでとう", 9),
            ("tiktoken is great!", 6),
            ("hello world", 2),
            ("Straßenbahnhaltestelle", 7),
            ("🤔🙃", 6),
        ] {
            assert!(estimate(text) >= count, "{text}: {}", estimate(text));
        }
        assert_eq!(estimate(""), 0);
    }

    #[test]
    fn prose_is_not_counted_far_too_high() {
        let text = "She prefers Earl Grey to coffee and drinks it without milk in the morning.";
        assert!((16..=28).contains(&estimate(text)), "{}", estimate(text));
    }
}
