//! Text that does nothing but be read.

/// Whether a character is kept: control, direction and invisible characters are not (LLM-05), but lines and tabs.
fn is_kept(character: char) -> bool {
    match character {
        '\n' | '\t' => true,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => false,
        '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}' => false,
        _ => !character.is_control(),
    }
}

/// The text without characters that nobody sees.
#[must_use]
pub fn cleaned(text: &str) -> String {
    text.chars().filter(|character| is_kept(*character)).collect()
}

/// Takes away what models say to themselves before they answer: one `<think>` block at the beginning.
#[derive(Debug, Default)]
pub(crate) struct Thoughts {
    state: State,
    held: String,
}

#[derive(Debug, Default, PartialEq)]
enum State {
    #[default]
    Beginning,
    Thinking,
    Answering,
}

const BEGIN: &str = "<think>";
const END: &str = "</think>";

impl Thoughts {
    /// What of the next piece belongs to the answer.
    pub(crate) fn answer_in(&mut self, piece: &str) -> String {
        if self.state == State::Answering {
            return piece.to_owned();
        }
        self.held.push_str(piece);
        if self.state == State::Beginning {
            let text = self.held.trim_start();
            if text.starts_with(BEGIN) {
                self.state = State::Thinking;
            } else if !BEGIN.starts_with(text) {
                self.state = State::Answering;
                return std::mem::take(&mut self.held);
            }
        }
        if self.state == State::Thinking {
            if let Some(at) = self.held.find(END) {
                let answer = self.held.split_off(at + END.len());
                self.held.clear();
                self.state = State::Answering;
                return answer.trim_start().to_owned();
            }
            // Nothing of it is needed but the beginning of what may be its end.
            let keep = self.held.char_indices().rev().nth(END.len()).map_or(0, |(at, _)| at);
            self.held.drain(..keep);
        }
        String::new()
    }

    /// What is left when the model has ended.
    pub(crate) fn rest(&mut self) -> String {
        if self.state == State::Beginning { std::mem::take(&mut self.held) } else { String::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invisible_characters_go() {
        assert_eq!(cleaned("a\u{0}b\u{202e}c\u{e0041}d\u{200b}e\u{1b}[31m\n\tf\u{85}"), "abcde[31m\n\tf", "LLM-05");
        assert_eq!(cleaned("Grüße, 世界 👋"), "Grüße, 世界 👋");
    }

    #[test]
    fn thoughts_are_not_part_of_the_answer() {
        let read = |pieces: &[&str]| {
            let mut thoughts = Thoughts::default();
            let mut answer: String = pieces.iter().map(|piece| thoughts.answer_in(piece)).collect();
            answer.push_str(&thoughts.rest());
            answer
        };
        assert_eq!(read(&["\n<thi", "nk>secret </th", "ink>\n\nTea.", " Yes."]), "Tea. Yes.");
        assert_eq!(read(&["<", "b>Tea</b>"]), "<b>Tea</b>");
        assert_eq!(read(&["<thin"]), "<thin");
        assert_eq!(read(&["<think>never ends ü"]), "");
        assert_eq!(read(&["Tea.", " <think>no</think>"]), "Tea. <think>no</think>");
    }
}
