//! Answers without a model: what fits best, quoted, and said to be such.

use async_trait::async_trait;
use futures_util::{StreamExt, stream};

use crate::{AnswerStream, Answered, Citation, Condition, Conversation, Llm, LlmError, Piece, Usage, cleaned};

/// How many sources are quoted.
const MOST_QUOTED: usize = 5;
/// How much of each, in characters.
const LONGEST_QUOTE: usize = 600;
/// How much all sources may have, in tokens: what is not quoted need not be read.
const BUDGET: usize = 8_000;

/// The answer of who has no model.
#[derive(Debug, Default)]
pub struct Extractive;

#[async_trait]
impl Llm for Extractive {
    fn model(&self) -> &'static str {
        "extractive"
    }

    fn models(&self) -> &[String] {
        &[]
    }

    fn condition(&self) -> Condition {
        Condition::Extractive
    }

    fn budget(&self) -> usize {
        BUDGET
    }

    async fn answer(&self, conversation: Conversation) -> Result<AnswerStream, LlmError> {
        let mut length = 0;
        let mut pieces = Vec::new();
        let mut answered = Answered { model: self.model().to_owned(), ..Answered::default() };
        let mut say = |text: String| {
            let start = length;
            length += text.chars().count();
            pieces.push(Piece::Text(text));
            (start, length)
        };
        let opening =
            if conversation.sources.is_empty() { "No memory fits this question." } else { "These memories fit best:\n" };
        say(opening.to_owned());
        for (number, source) in conversation.sources.iter().take(MOST_QUOTED).enumerate() {
            let text = cleaned(&source.text);
            let mut quote: String = text.trim().chars().take(LONGEST_QUOTE).collect();
            if quote.len() < text.trim().len() {
                quote.push('…');
            }
            say("\n- ".to_owned());
            let (start, end) = say(format!("“{quote}”"));
            answered.citations.push(Citation { start, end, sources: vec![number] });
        }
        answered.usage = Usage { is_estimate: true, ..Usage::default() };
        pieces.push(Piece::Done(answered));
        Ok(stream::iter(pieces.into_iter().map(Ok)).boxed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Source;

    #[tokio::test]
    async fn without_sources_it_says_so() {
        let mut stream = Extractive.answer(Conversation::default()).await.expect("an answer");

        assert_eq!(stream.next().await, Some(Ok(Piece::Text("No memory fits this question.".to_owned()))));
        let Some(Ok(Piece::Done(answered))) = stream.next().await else { panic!("an end") };
        assert!(answered.citations.is_empty());
    }

    #[tokio::test]
    async fn it_quotes_and_invents_nothing() {
        let source = |text: &str| Source { text: text.to_owned(), date: "2026-01-31".to_owned() };
        let sources = vec![source("Earl Grey, [2] hot."), source(&"ü".repeat(1_000))];
        let conversation = Conversation { sources, question: "Tea?".to_owned(), ..Conversation::default() };

        let pieces: Vec<Piece> =
            Extractive.answer(conversation).await.expect("an answer").map(|piece| piece.expect("a piece")).collect().await;

        let text: String =
            pieces.iter().filter_map(|piece| if let Piece::Text(text) = piece { Some(text.as_str()) } else { None }).collect();
        let Some(Piece::Done(answered)) = pieces.last() else { panic!("an end") };
        let cited =
            |citation: &Citation| text.chars().skip(citation.start).take(citation.end - citation.start).collect::<String>();
        assert_eq!(cited(&answered.citations[0]), "“Earl Grey, [2] hot.”");
        assert_eq!(cited(&answered.citations[1]).chars().count(), LONGEST_QUOTE + 3);
        assert_eq!(answered.citations[1].sources, [1]);
        assert_eq!(answered.model, "extractive");
    }
}
