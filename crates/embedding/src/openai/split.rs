//! Cutting texts to what the models take, and lists of texts to what one request takes.

/// The models take 8,191 tokens. Their tokens are runs of bytes (byte-level BPE), so each stands for at least one
/// byte and a text of so many bytes cannot have more tokens, whatever the language. English has four
/// bytes a token, so its windows are about 2,000 tokens: short enough for one vector to say what they are about.
const WINDOW: usize = 8_000;

/// Bytes a window shares with the one before it.
const OVERLAP: usize = 800;

/// How far back a cut looks for a space.
const SPACE_SEARCH: usize = 200;

const TEXTS_PER_REQUEST: usize = 128;

/// OpenAI takes 300,000 tokens a request; as above, no text has more tokens than bytes.
const BYTES_PER_REQUEST: usize = 300_000;

pub(super) fn windows(text: &str) -> Vec<&str> {
    let mut windows = Vec::new();
    let mut start = 0;
    while text.len() - start > WINDOW {
        let end = cut_before(text, start + WINDOW);
        windows.push(&text[start..end]);
        start = cut_before(text, end - OVERLAP);
    }
    windows.push(&text[start..]);
    windows
}

/// The nearest place at or before this one that is after a space, or else between characters.
fn cut_before(text: &str, place: usize) -> usize {
    let end = text.floor_char_boundary(place);
    let from = text.floor_char_boundary(end - SPACE_SEARCH);
    match text[from..end].rfind(char::is_whitespace) {
        Some(space) => text.ceil_char_boundary(from + space + 1),
        None => end,
    }
}

/// Neighbours that go into one request together.
pub(super) fn batches<'a, 'b>(mut texts: &'a [&'b str]) -> impl Iterator<Item = &'a [&'b str]> {
    std::iter::from_fn(move || {
        let sizes = texts.iter().scan(0, |sum, text| {
            *sum += text.len();
            Some(*sum)
        });
        let fitting = sizes.take(TEXTS_PER_REQUEST).take_while(|sum| *sum <= BYTES_PER_REQUEST).count().max(1);
        let (batch, rest) = texts.split_at_checked(fitting)?;
        texts = rest;
        Some(batch)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_text_is_one_window() {
        assert_eq!(windows(""), [""]);
        assert_eq!(windows(&"x".repeat(WINDOW)), ["x".repeat(WINDOW)]);
    }

    #[test]
    fn windows_fit_overlap_and_cover_everything() {
        for text in ["word ".repeat(9_000), "字".repeat(9_000), "🙂 ".repeat(5_000)] {
            let windows = windows(&text);

            assert!(windows.len() > 2);
            assert!(windows.iter().all(|window| window.len() <= WINDOW));
            let place = |window: &str| window.as_ptr().addr() - text.as_ptr().addr();
            for pair in windows.windows(2) {
                let shared = place(pair[0]) + pair[0].len() - place(pair[1]);
                assert!((OVERLAP..OVERLAP + SPACE_SEARCH + 4).contains(&shared), "{shared}");
            }
            assert!(text.starts_with(windows[0]));
            let last = windows[windows.len() - 1];
            assert_eq!(place(last) + last.len(), text.len());
        }
    }

    #[test]
    fn windows_are_cut_at_spaces() {
        let text = "memory ".repeat(3_000);
        assert!(windows(&text).iter().all(|window| window.starts_with("memory ")));
    }

    #[test]
    fn batches_are_bounded_by_number_and_by_size() {
        let sizes = |texts: &[&str]| batches(texts).map(<[_]>::len).collect::<Vec<_>>();
        let large = "x".repeat(BYTES_PER_REQUEST / 2);
        let huge = "x".repeat(BYTES_PER_REQUEST + 1);

        assert_eq!(sizes(&[]), [0; 0]);
        assert_eq!(sizes(&["a"; 300]), [128, 128, 44]);
        assert_eq!(sizes(&[large.as_str(); 5]), [2, 2, 1]);
        assert_eq!(sizes(&["a", huge.as_str(), "b"]), [1, 1, 1]);
    }
}
