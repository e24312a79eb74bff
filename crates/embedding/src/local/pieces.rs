//! Text to word pieces, and long texts to windows.

use super::wordpiece::WordPiece;

/// What the model was trained with: more pieces than this in one go make its vectors worse.
pub(super) const MAX_PIECES: usize = 256;

/// `[CLS]` before and `[SEP]` after.
const MAX_INNER: usize = MAX_PIECES - 2;

/// Pieces a window shares with the one before it, so that no sentence is only seen cut in two.
const OVERLAP: usize = 32;

/// A text of so many bytes is one window without asking the tokenizer: after lower-casing and removing
/// accents a text has at most as many characters as it had bytes, and a piece has at least one.
const SURELY_SHORT: usize = 250;

/// The tokenizer of the model.
pub(super) struct Pieces {
    tokenizer: WordPiece,
    cls: u32,
    sep: u32,
}

impl Pieces {
    pub(super) fn parse(json: &[u8]) -> Result<Self, String> {
        let tokenizer = WordPiece::parse(json)?;
        let special = |name: &str| tokenizer.id(name).ok_or(format!("no {name}"));
        let (cls, sep) = (special("[CLS]")?, special("[SEP]")?);
        Ok(Self { tokenizer, cls, sep })
    }

    /// The text as the model wants it, cut at [`MAX_PIECES`].
    pub(super) fn ids(&self, text: &str) -> Vec<u32> {
        let inner = self.tokenizer.ids(text).into_iter().take(MAX_INNER);
        [self.cls].into_iter().chain(inner).chain([self.sep]).collect()
    }

    /// Cuts between words, never inside one: half a word may have more pieces than the whole.
    pub(super) fn windows<'a>(&self, text: &'a str) -> Vec<&'a str> {
        if text.len() <= SURELY_SHORT {
            return vec![text];
        }
        let words: Vec<Word> = self.tokenizer.words(text).into_iter().map(|(start, pieces)| Word { start, pieces }).collect();
        if words.iter().map(|word| word.pieces).sum::<usize>() <= MAX_INNER {
            return vec![text];
        }
        cut(&words, text.len()).into_iter().map(|(start, end)| &text[start..end]).collect()
    }
}

/// A word of the text: where it starts, and how many pieces it has.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Word {
    start: usize,
    pieces: usize,
}

/// The windows as byte ranges. They cover all of the text, and each starts a little before the end of the last.
fn cut(words: &[Word], length: usize) -> Vec<(usize, usize)> {
    let mut windows = Vec::new();
    let mut first = 0;
    loop {
        let end = first + fitting(words[first..].iter(), MAX_INNER).max(1);
        let start = if first == 0 { 0 } else { words[first].start };
        let Some(next) = words.get(end) else {
            windows.push((start, length));
            return windows;
        };
        windows.push((start, next.start));
        // At least one word further each time, whatever the overlap would take back.
        first = (end - fitting(words[..end].iter().rev(), OVERLAP)).max(first + 1);
    }
}

/// How many words from the front have no more than `limit` pieces together.
fn fitting<'a>(words: impl Iterator<Item = &'a Word>, limit: usize) -> usize {
    words
        .scan(0, |sum, word| {
            *sum += word.pieces;
            Some(*sum)
        })
        .take_while(|sum| *sum <= limit)
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn even(count: usize, pieces: usize) -> Vec<Word> {
        let word = |n| Word { start: n * 10, pieces };
        (0..count).map(word).collect()
    }

    #[test]
    fn windows_overlap_and_cover_everything() {
        let windows = cut(&even(600, 1), 6000);

        assert_eq!(windows, [(0, 2540), (2220, 4760), (4440, 6000)]);
    }

    #[test]
    fn long_words_never_stop_the_cut() {
        let windows = cut(&even(5, 100), 50);

        // Two words a window, and no word is short enough to be repeated.
        assert_eq!(windows, [(0, 20), (20, 40), (40, 50)]);
        // A tokenizer that breaks its own limit still leads to an end.
        assert_eq!(cut(&even(3, 300), 30).len(), 3);
    }
}
