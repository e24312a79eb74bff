//! What a persona answered, as a page shows it: clean, with numbers that lead to the memories it rests on.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use uuid::Uuid;

use crate::frame::Frame;
use crate::markdown;
use crate::server_client::{PersonaAnswer, UsedMemory};
use crate::words::{PersonaWords, fill};

/// Stand for the brackets of a number until the text is clean. Nobody's text has them: `cited` takes care of that.
const OPEN: char = '\u{E000}';
const CLOSE: char = '\u{E001}';
/// As much of a memory as one needs to see that it says so.
const EXCERPT: usize = 400;

/// A memory that the answer rests on.
pub(super) struct SourceView {
    pub(super) id: Uuid,
    pub(super) text: String,
}

/// An answer, ready to be shown.
pub(super) struct AnswerView {
    pub(super) html: String,
    /// How it came about.
    pub(super) note: Option<&'static str>,
    pub(super) is_truncated: bool,
    pub(super) sources: Vec<SourceView>,
}

/// The answer alone, for the page's script.
#[derive(Template)]
#[template(path = "persona_answer.html")]
pub(super) struct AnswerFragment<'a> {
    pub(super) frame: &'a Frame,
    pub(super) answer: &'a AnswerView,
}

impl AnswerView {
    pub(super) fn new(answer: &PersonaAnswer, words: &PersonaWords) -> Self {
        let note = if answer.mode == "llm" { words.by_model } else { words.extractive };
        let source = |memory: &UsedMemory| SourceView { id: memory.id, text: markdown::excerpt(&memory.text, EXCERPT) };
        Self {
            html: cited(answer, words),
            note: (!answer.abstained).then_some(note),
            is_truncated: answer.is_truncated,
            sources: answer.memories.iter().map(source).collect(),
        }
    }
}

/// The text as clean HTML, with a link after every part that rests on memories. The text is hostile: a model wrote it
/// after reading what strangers had written (LLM-05).
fn cited(answer: &PersonaAnswer, words: &PersonaWords) -> String {
    let numbers = numbers(answer);
    let mut marked = String::with_capacity(answer.response.len() + 16);
    for (place, character) in answer.response.chars().enumerate() {
        mark(&mut marked, numbers.get(&place));
        // One character for one, so that the places stay.
        marked.push(if [OPEN, CLOSE].contains(&character) { '\u{FFFD}' } else { character });
    }
    mark(&mut marked, numbers.get(&answer.response.chars().count()));
    linked(&markdown::to_html(&marked), words)
}

/// At which places of the text the numbers of which memories stand.
fn numbers(answer: &PersonaAnswer) -> BTreeMap<usize, BTreeSet<usize>> {
    let length = answer.response.chars().count();
    let mut numbers: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for citation in &answer.citations {
        let known = citation.memory_ids.iter().filter_map(|id| answer.memories.iter().position(|memory| memory.id == *id));
        numbers.entry(citation.end.min(length)).or_default().extend(known.map(|index| index + 1));
    }
    numbers
}

fn mark(text: &mut String, numbers: Option<&BTreeSet<usize>>) {
    for number in numbers.into_iter().flatten() {
        text.push(OPEN);
        text.push_str(&number.to_string());
        text.push(CLOSE);
    }
}

fn linked(html: &str, words: &PersonaWords) -> String {
    let mut pieces = html.split(OPEN);
    let mut linked = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (number, rest) = piece.split_once(CLOSE).unwrap_or(("", piece));
        if let Ok(number) = number.parse::<usize>() {
            let name = fill(words.source, number);
            linked.push_str(&format!(r##"<a class="cite" href="#source-{number}" aria-label="{name}">{number}</a>"##));
        }
        linked.push_str(rest);
    }
    linked
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::cited;
    use crate::server_client::PersonaAnswer;
    use crate::words::Language;

    fn shown(response: &str, ends: &[usize]) -> String {
        let memory = "8c5e9fbc-7d0b-4b1b-8f5e-5f3c1b7a2d11";
        let citations: Vec<_> = ends.iter().map(|end| json!({"start": 0, "end": end, "memory_ids": [memory]})).collect();
        let answer = json!({
            "response": response, "mode": "llm", "memories": [{"id": memory, "text": "tea"}], "citations": citations,
        });
        let answer: PersonaAnswer = serde_json::from_value(answer).expect("an answer");
        cited(&answer, &Language::English.words().persona)
    }

    const LINK: &str = r##"<a class="cite" href="#source-1" aria-label="Memory 1">1</a>"##;

    #[test]
    fn numbers_stand_behind_what_rests_on_a_memory() {
        assert_eq!(shown("Grüner Tee. Immer.", &[11]).trim(), format!("<p>Grüner Tee.{LINK} Immer.</p>"));
        assert_eq!(shown("Tee.", &[99]).trim(), format!("<p>Tee.{LINK}</p>"), "a place outside of the text is its end");
    }

    #[test]
    fn an_answer_is_hostile_text_web_01_llm_05() {
        let html = shown("<img src=x onerror=alert(1)> [a](javascript:alert(1)) \u{E000}7\u{E001} **b**", &[3]);

        assert!(!html.contains("<img") && !html.contains("href=\"javascript") && !html.contains("source-7"), "{html}");
        assert!(html.contains("<strong>b</strong>") && html.matches("cite").count() == 1);
    }

    #[test]
    fn a_number_in_an_address_breaks_out_of_nothing() {
        let html = shown("[a](https://example.org/path) b", &[20]);

        assert!(!html.contains('\u{E000}') && !html.contains(r#"href="https://example.org/<a"#), "{html}");
    }
}
