//! Cutting a stream into JSON values, one at a time: lines, the elements of an array, or values that follow each other.

use std::io::{self, BufRead};

/// The largest value; a conversation of a year fits.
pub(crate) const MOST_ITEM_BYTES: usize = 32 << 20;

/// Reads value after value. Memory is bounded by the largest one.
pub(crate) struct JsonItems<R> {
    source: R,
    is_in_array: bool,
}

impl<R: BufRead> JsonItems<R> {
    pub(crate) fn new(source: R) -> Self {
        Self { source, is_in_array: false }
    }

    /// The next value's text, complete as far as brackets and quotes go; `None` at the end. A value that is too large
    /// comes as an error, and reading goes on behind it.
    pub(crate) fn next_item(&mut self) -> io::Result<Option<Result<Vec<u8>, &'static str>>> {
        loop {
            let Some(byte) = self.peek()? else {
                // Said once: a file that was cut off must not look complete.
                let is_cut_off = std::mem::take(&mut self.is_in_array);
                return Ok(is_cut_off.then_some(Err("ends before its array is closed: it was cut off")));
            };
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' | b',' | 0x1e => self.source.consume(1),
                b'[' if !self.is_in_array => {
                    self.is_in_array = true;
                    self.source.consume(1);
                }
                b']' if self.is_in_array => {
                    self.is_in_array = false;
                    self.source.consume(1);
                }
                _ => return self.value().map(Some),
            }
        }
    }

    fn peek(&mut self) -> io::Result<Option<u8>> {
        Ok(self.source.fill_buf()?.first().copied())
    }

    fn value(&mut self) -> io::Result<Result<Vec<u8>, &'static str>> {
        let mut item = Vec::new();
        let mut is_too_large = false;
        let (mut depth, mut is_in_text, mut is_escaped) = (0_u32, false, false);
        while let Some(byte) = self.peek()? {
            if !is_in_text && depth == 0 && !item.is_empty() {
                let is_over = matches!(byte, b',' | b']' | b' ' | b'\t' | b'\r' | b'\n' | 0x1e);
                if is_over || matches!(item.last(), Some(b'}' | b']')) {
                    break;
                }
            }
            self.source.consume(1);
            if item.len() < MOST_ITEM_BYTES {
                item.push(byte);
            } else {
                is_too_large = true;
            }
            if is_in_text {
                // A text that is not closed on its line ends with it, or everything that follows would be lost.
                is_in_text = byte != b'\n' && (byte != b'"' || is_escaped);
                is_escaped = byte == b'\\' && !is_escaped;
                continue;
            }
            match byte {
                b'"' => is_in_text = true,
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        Ok(if is_too_large { Err("is larger than 32 MiB") } else { Ok(item) })
    }
}

/// Reads line after line, of newline-delimited JSON.
pub(crate) struct Lines<R> {
    source: R,
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(source: R) -> Self {
        Self { source }
    }

    /// The next line; one that is too long comes as an error, and reading goes on behind it.
    pub(crate) fn next_line(&mut self) -> io::Result<Option<Result<Vec<u8>, &'static str>>> {
        let mut line = Vec::new();
        let mut is_too_large = false;
        loop {
            let buffer = self.source.fill_buf()?;
            if buffer.is_empty() {
                let is_end = line.is_empty() && !is_too_large;
                let line = if is_too_large { Err("is longer than 32 MiB") } else { Ok(line) };
                return Ok((!is_end).then_some(line));
            }
            let (part, is_over) = match buffer.iter().position(|&byte| byte == b'\n') {
                Some(end) => (end + 1, true),
                None => (buffer.len(), false),
            };
            if line.len() + part <= MOST_ITEM_BYTES {
                line.extend_from_slice(&buffer[..part]);
            } else {
                is_too_large = true;
            }
            self.source.consume(part);
            if is_over {
                return Ok(Some(if is_too_large { Err("is longer than 32 MiB") } else { Ok(line) }));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(text: &str) -> Vec<String> {
        // A small buffer cuts everywhere.
        let mut items = JsonItems::new(io::BufReader::with_capacity(3, text.as_bytes()));
        let mut all = Vec::new();
        while let Some(item) = items.next_item().expect("a stream") {
            all.push(String::from_utf8(item.expect("a value")).expect("text"));
        }
        all
    }

    #[test]
    fn values_are_cut_where_they_end() {
        assert_eq!(
            items(r#"[{"a": "}]\"{"}, {"b": [1, {"c": 2}]} ,{}]"#),
            [r#"{"a": "}]\"{"}"#, r#"{"b": [1, {"c": 2}]}"#, "{}"]
        );
        assert_eq!(items("{\"a\": 1}\n{\"b\": 2}{\"c\": 3}\n"), ["{\"a\": 1}", "{\"b\": 2}", "{\"c\": 3}"]);
        assert_eq!(items(r#" {"memories": [{"text": "a"}]} "#), [r#"{"memories": [{"text": "a"}]}"#]);
        assert_eq!(items(r#"[1, "a, b", null, [[]]]"#), ["1", "\"a, b\"", "null", "[[]]"]);
        assert!(items(" [ ] ").is_empty() && items("").is_empty());
        let mut cut_off = JsonItems::new(&b"[{},"[..]);
        let all: Vec<bool> = std::iter::from_fn(|| cut_off.next_item().expect("a stream")).map(|item| item.is_ok()).collect();
        assert_eq!(all, [true, false], "what was cut off does not look complete");
    }

    #[test]
    fn lines_are_lines() {
        let mut lines = Lines::new(io::BufReader::with_capacity(2, &b"a\n\nbc"[..]));
        let mut all = Vec::new();
        while let Some(line) = lines.next_line().expect("a stream") {
            all.push(String::from_utf8(line.expect("a line")).expect("text"));
        }
        assert_eq!(all, ["a\n", "\n", "bc"]);
    }
}
