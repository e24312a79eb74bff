//! WordPiece, the tokenizer of BERT: text to the numbers of its word pieces.
//!
//! Only what the model's `tokenizer.json` asks for is here (lower case, no accents, no control characters, words cut at
//! punctuation and around Chinese characters); a file that asks for anything else is refused. The rules are those of the
//! published model: <https://github.com/google-research/bert#tokenization>.

use std::collections::HashMap;

use serde::Deserialize;
use unicode_normalization::char::decompose_canonical;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

/// What of `tokenizer.json` decides which pieces a text has.
#[derive(Deserialize)]
struct File {
    normalizer: Normalizer,
    pre_tokenizer: PreTokenizer,
    model: Model,
}

#[derive(Deserialize)]
struct Normalizer {
    r#type: String,
    clean_text: bool,
    handle_chinese_chars: bool,
    strip_accents: Option<bool>,
    lowercase: bool,
}

#[derive(Deserialize)]
struct PreTokenizer {
    r#type: String,
}

#[derive(Deserialize)]
struct Model {
    r#type: String,
    unk_token: String,
    continuing_subword_prefix: String,
    max_input_chars_per_word: usize,
    vocab: HashMap<String, u32>,
}

/// The vocabulary, and how to find a text's pieces in it.
pub(super) struct WordPiece {
    /// Pieces that begin a word.
    starts: HashMap<String, u32>,
    /// Pieces that go on with one, without their prefix.
    continuations: HashMap<String, u32>,
    unknown: u32,
    longest_word: usize,
    /// Bytes of the longest piece: nothing longer has to be looked up.
    longest_piece: usize,
}

/// A word of a text, normalised.
struct Word {
    text: String,
    /// Where it starts in the text as it was given, in bytes.
    start: usize,
}

impl WordPiece {
    pub(super) fn parse(json: &[u8]) -> Result<Self, String> {
        let File { normalizer, pre_tokenizer, model } = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        let known = normalizer.r#type == "BertNormalizer"
            && normalizer.clean_text
            && normalizer.handle_chinese_chars
            && normalizer.strip_accents.unwrap_or(normalizer.lowercase)
            && normalizer.lowercase
            && pre_tokenizer.r#type == "BertPreTokenizer"
            && model.r#type == "WordPiece";
        if !known {
            return Err("it is not the tokenizer of an uncased BERT".into());
        }

        let unknown = *model.vocab.get(&model.unk_token).ok_or("its unknown token is not in its vocabulary")?;
        let longest_piece = model.vocab.keys().map(String::len).max().unwrap_or_default();
        let (mut starts, mut continuations) = (HashMap::new(), HashMap::new());
        for (piece, id) in model.vocab {
            match piece.strip_prefix(&model.continuing_subword_prefix) {
                Some(rest) if !rest.is_empty() => continuations.insert(rest.to_owned(), id),
                _ => starts.insert(piece, id),
            };
        }
        Ok(Self { starts, continuations, unknown, longest_word: model.max_input_chars_per_word, longest_piece })
    }

    /// The number of a piece that begins a word, a special one (`[CLS]`) too. In a text such a name is text.
    pub(super) fn id(&self, piece: &str) -> Option<u32> {
        self.starts.get(piece).copied()
    }

    /// The pieces of the whole text.
    pub(super) fn ids(&self, text: &str) -> Vec<u32> {
        let mut ids = Vec::with_capacity(text.len() / 4 + 1);
        each_word(text, |word| self.push_pieces(&word.text, &mut ids));
        ids
    }

    /// Where each word starts, in bytes of `text`, and how many pieces it has.
    pub(super) fn words(&self, text: &str) -> Vec<(usize, usize)> {
        let mut pieces = Vec::new();
        let mut words = Vec::new();
        each_word(text, |word| {
            pieces.clear();
            self.push_pieces(&word.text, &mut pieces);
            words.push((word.start, pieces.len()));
        });
        words
    }

    /// From the left, always the longest piece there is. A word of which any part is unknown is unknown as a whole.
    fn push_pieces(&self, word: &str, ids: &mut Vec<u32>) {
        let before = ids.len();
        if word.chars().count() > self.longest_word {
            ids.push(self.unknown);
            return;
        }
        let mut rest = word;
        while !rest.is_empty() {
            let pieces = if rest.len() == word.len() { &self.starts } else { &self.continuations };
            let Some((length, id)) = longest(pieces, rest, self.longest_piece) else {
                ids.truncate(before);
                ids.push(self.unknown);
                return;
            };
            ids.push(id);
            rest = &rest[length..];
        }
    }
}

fn longest(pieces: &HashMap<String, u32>, rest: &str, at_most: usize) -> Option<(usize, u32)> {
    let mut length = rest.floor_char_boundary(at_most);
    while length > 0 {
        if let Some(id) = pieces.get(&rest[..length]) {
            return Some((length, *id));
        }
        length = rest.floor_char_boundary(length - 1);
    }
    None
}

/// Normalises the text and hands out its words in order. The word's buffer is used again for the next one.
fn each_word(text: &str, mut found: impl FnMut(&Word)) {
    let mut word = Word { text: String::new(), start: 0 };
    let mut end = |word: &mut Word| {
        if !word.text.is_empty() {
            found(word);
            word.text.clear();
        }
    };
    for (start, given) in text.char_indices() {
        if is_removed(given) {
            continue;
        }
        if given.is_whitespace() {
            end(&mut word);
            continue;
        }
        let alone = is_chinese(given);
        if alone {
            end(&mut word);
        }
        decompose_canonical(given, |part| {
            if part.general_category() == GeneralCategory::NonspacingMark {
                return;
            }
            for letter in part.to_lowercase() {
                let alone = is_punctuation(letter);
                if alone {
                    end(&mut word);
                }
                if word.text.is_empty() {
                    word.start = start;
                }
                word.text.push(letter);
                if alone {
                    end(&mut word);
                }
            }
        });
        if alone {
            end(&mut word);
        }
    }
    end(&mut word);
}

/// Control, format and private characters carry no meaning for the model.
fn is_removed(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control() && !matches!(c, '\t' | '\n' | '\r');
    }
    let category = c.general_category();
    c == '\u{fffd}' || matches!(category, GeneralCategory::Control | GeneralCategory::Format | GeneralCategory::PrivateUse)
}

/// In ASCII whatever is neither letter, digit nor space counts, `$` and `+` too.
fn is_punctuation(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_punctuation() } else { c.general_category_group() == GeneralCategoryGroup::Punctuation }
}

/// The blocks of Chinese characters, which are written without spaces: each is a word.
fn is_chinese(c: char) -> bool {
    matches!(u32::from(c),
        0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xF900..=0xFAFF | 0x20000..=0x2A6DF | 0x2A700..=0x2B81F | 0x2B920..=0x2CEAF | 0x2F800..=0x2FA1F)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> WordPiece {
        let json = serde_json::json!({
            "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true},
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 20,
                "vocab": {"[UNK]": 0, "un": 1, "##aff": 2, "##able": 3, "tea": 4, ",": 5, "日": 6, "本": 7, "cafe": 8, "##s": 9, "##": 10}},
        });
        WordPiece::parse(json.to_string().as_bytes()).expect("a tokenizer")
    }

    #[test]
    fn the_longest_piece_is_taken_from_the_left() {
        let pieces = small();

        assert_eq!(pieces.ids("unaffable teas"), [1, 2, 3, 4, 9]);
        assert_eq!(pieces.ids("tea unknown tea"), [4, 0, 4]);
        assert_eq!(pieces.ids(&"un".repeat(11)), [0]);
        assert_eq!(pieces.ids(""), [0_u32; 0]);
    }

    #[test]
    fn text_is_cleaned_lowered_and_cut() {
        let pieces = small();

        assert_eq!(pieces.ids("Tea,TEA\u{200b}\u{0}s"), [4, 5, 4, 9]);
        assert_eq!(pieces.ids("Café cafe\u{301}"), [8, 8]);
        assert_eq!(pieces.ids("日本tea"), [6, 7, 4]);
        assert_eq!(pieces.ids("tea\u{a0}tea\ttea"), [4, 4, 4]);
    }

    #[test]
    fn words_know_where_they_start() {
        assert_eq!(small().words("  Café, unaffable 日本"), [(2, 1), (7, 1), (9, 3), (19, 1), (22, 1)]);
    }

    #[test]
    fn another_kind_of_tokenizer_is_refused() {
        let json = br#"{"normalizer": {"type": "NFC"}, "pre_tokenizer": {"type": "x"}, "model": {}}"#;

        assert!(WordPiece::parse(json).is_err());
    }

    /// The library that the model's authors use says what is right.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "tests take the folder from the environment")]
    fn characters_are_treated_as_by_the_reference() {
        let Some(folder) = std::env::var_os("EMBEDDING_MODEL_DIR") else {
            eprintln!("left out: EMBEDDING_MODEL_DIR is not set");
            return;
        };
        let file = std::fs::read(std::path::Path::new(&folder).join("tokenizer.json")).expect("a file");
        let ours = WordPiece::parse(&file).expect("a tokenizer");
        let mut reference = tokenizers::Tokenizer::from_bytes(&file).expect("a tokenizer");
        reference.with_padding(None).with_truncation(None).expect("valid").set_encode_special_tokens(true);

        // The reference knows marks and punctuation as they were in Unicode 8.
        let is_old = |c: &char| {
            use GeneralCategoryGroup::{Letter, Number, Separator, Symbol};
            *c < '\u{590}' || matches!(c.general_category_group(), Letter | Number | Separator | Symbol)
        };
        let all = ('\0'..'\u{590}').chain(('\u{590}'..=char::MAX).filter(is_old).step_by(11));
        for character in all {
            let text = format!("Tea{character}s {character}");
            let expected = reference.encode_fast(text.as_str(), false).expect("pieces");
            assert_eq!(ours.ids(&text), expected.get_ids(), "with {character:?}");
        }
    }
}
