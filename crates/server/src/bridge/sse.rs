//! Event streams (HTML Living Standard, section 9.2), however they are cut into pieces.

use std::mem;
use std::time::Duration;

/// Something that stands in a stream. Events of a name and comments bring nothing that is for the client.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Event {
    /// The message; empty where the server only says how to go on.
    pub(super) data: Vec<u8>,
    /// The event's id: what comes after it can be asked for.
    pub(super) id: Option<String>,
    /// How long to wait before asking.
    pub(super) retry: Option<Duration>,
}

/// Puts events together.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    line: Vec<u8>,
    ended_with_return: bool,
    is_begun: bool,
    event: Event,
    has_data: bool,
}

impl Decoder {
    /// Takes the next piece and gives back the events that end in it.
    pub(super) fn push(&mut self, piece: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        for &byte in piece {
            // A line ends with CR, LF, or both, which need not come together.
            if mem::take(&mut self.ended_with_return) && byte == b'\n' {
                continue;
            }
            match byte {
                b'\n' | b'\r' => {
                    self.ended_with_return = byte == b'\r';
                    let line = mem::take(&mut self.line);
                    events.extend(self.end_of_line(&line));
                }
                _ => self.line.push(byte),
            }
        }
        events
    }

    fn end_of_line(&mut self, line: &[u8]) -> Option<Event> {
        let line = if mem::replace(&mut self.is_begun, true) { line } else { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line) };
        if line.is_empty() {
            self.has_data = false;
            return Some(mem::take(&mut self.event)).filter(|event| *event != Event::default());
        }
        let colon = line.iter().position(|byte| *byte == b':');
        let (name, value) = colon.map_or((line, &b""[..]), |colon| (&line[..colon], &line[colon + 1..]));
        self.field(name, value.strip_prefix(b" ").unwrap_or(value));
        None
    }

    fn field(&mut self, name: &[u8], value: &[u8]) {
        match name {
            b"data" => {
                if mem::replace(&mut self.has_data, true) {
                    self.event.data.push(b'\n');
                }
                self.event.data.extend_from_slice(value);
            }
            b"id" if !value.contains(&0) => self.event.id = Some(String::from_utf8_lossy(value).into_owned()),
            b"retry" => {
                let milliseconds = str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                self.event.retry = milliseconds.map(Duration::from_millis).or(self.event.retry);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = concat!(
        "\u{feff}: hello\r\nid: 0/7\r\nretry: 3000\r\ndata:\r\n\r\n",
        "event: message\nid: 1/7\ndata: {\"a\":\ndata:  \"ä\"}\n\n",
        ": still here\n\n",
        "data:{}\r\rdata: lost"
    );

    fn event(data: &str, id: Option<&str>, retry: Option<u64>) -> Event {
        Event { data: data.into(), id: id.map(str::to_owned), retry: retry.map(Duration::from_millis) }
    }

    fn expected() -> Vec<Event> {
        vec![event("", Some("0/7"), Some(3000)), event("{\"a\":\n \"ä\"}", Some("1/7"), None), event("{}", None, None)]
    }

    #[test]
    fn events_are_the_same_however_the_stream_is_cut() {
        let bytes = STREAM.as_bytes();
        for size in 1..=bytes.len() {
            let mut decoder = Decoder::default();
            let events: Vec<Event> = bytes.chunks(size).flat_map(|piece| decoder.push(piece)).collect();
            assert_eq!(events, expected(), "pieces of {size}");
        }
        for cut in 0..=bytes.len() {
            let mut decoder = Decoder::default();
            let (first, second) = bytes.split_at(cut);
            let mut events = decoder.push(first);
            events.extend(decoder.push(second));
            assert_eq!(events, expected(), "cut at {cut}");
        }
    }

    #[test]
    fn fields_without_a_value_and_strange_ones_do_no_harm() {
        let mut decoder = Decoder::default();

        assert_eq!(decoder.push(b"data\ndata\n\n"), [event("\n", None, None)]);
        assert!(decoder.push(b"id: a\0b\nretry: soon\nnothing: x\n\n").is_empty());
        assert!(decoder.push(b"\n\n\n").is_empty());
    }
}
