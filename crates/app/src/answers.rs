//! Asking personas. What the model is given is found with the asker's rights before it is asked; while it writes, no
//! connection to the database is held.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use picard_domain::commands::{AnswerCitation, AnswerMode, AnsweringPersona, QueryAnswer, QueryUser, TurnRole, UsedMemory};
use picard_domain::memory::Tag;
use picard_domain::page::AnswerLimit;
use picard_domain::persona::Temperature;
use picard_domain::query::SearchHit;
use picard_domain::{Caller, Error, PersonaId, Scope};
use picard_llm::{Answered, Condition, Conversation, LlmError, Options, Piece, Source, Speaker, Turn, Usage};
use picard_storage::personas::Answerer;
use picard_storage::questions::NewQuestion;

use crate::App;
use crate::patience::{LONGEST_CALL, LONGEST_LOOK, within};

/// What is away when the model is.
const MODEL: &str = "The model that answers";
/// What is said when nothing fits.
const NOTHING: &str = "I have no memory of that.";
/// How many memories an answer rests on when nobody says.
const DEFAULT_MEMORIES: u32 = 10;

/// The longest that finding memories may take: a provider of embeddings that is silent costs ten seconds of it, and then
/// words alone are compared.
const LONGEST_RECALL: Duration = Duration::from_secs(15);

/// Is given the answer's text as it is written.
pub type Pieces = dyn Fn(&str) + Send + Sync;

/// What was written.
struct Written {
    text: String,
    done: Answered,
}

impl App {
    /// Answers a question from somebody's memories; `pieces` hears the text as it is written.
    ///
    /// # Errors
    /// [`Error::InsufficientScope`]; [`Error::NotFound`] for whom the asker may not ask, who is not there, and who has
    /// nothing to say to them: nobody can tell which; [`Error::RateLimited`]; [`Error::Unavailable`] while the model is away.
    pub fn query_user<'a>(
        &'a self,
        caller: &'a Caller,
        command: QueryUser,
        pieces: Option<&'a Pieces>,
    ) -> BoxFuture<'a, Result<QueryAnswer, Error>> {
        Box::pin(async move {
            caller.require(Scope::Read)?;
            let answerer = within(LONGEST_CALL, self.admitted(caller, &command)).await?;
            let outcome = self.answered(caller, &command, &answerer, pieces).await;
            if let Err(Error::Unavailable { .. } | Error::Internal(_)) = &outcome {
                // Nobody pays for an answer that they did not get (LLM-07).
                self.give_answer_back(caller, answerer.owner).await;
            }
            outcome
        })
    }

    /// The memories that an answer would rest on, for who writes it elsewhere.
    ///
    /// # Errors
    /// As [`App::query_user`], but for those of the model.
    pub fn sources<'a>(&'a self, caller: &'a Caller, command: QueryUser) -> BoxFuture<'a, Result<Vec<SearchHit>, Error>> {
        Box::pin(within(LONGEST_RECALL, async move {
            caller.require(Scope::Read)?;
            self.count_tool_call(caller).await?;
            let answerer = self.answerer(caller, &command).await?;
            let hits = self.hits(caller, &command, &answerer).await?;
            self.note_reads(caller, "persona", hits.iter().map(|hit| &hit.memory));
            Ok(hits)
        }))
    }

    /// Who answers, once the question has been counted.
    async fn admitted(&self, caller: &Caller, command: &QueryUser) -> Result<Answerer, Error> {
        let answerer = self.answerer(caller, command).await?;
        self.count_answer(caller).await?;
        if let Err(refused) = self.count_for_owner(caller, answerer.owner).await {
            self.give_answer_back(caller, answerer.owner).await;
            return Err(refused);
        }
        Ok(answerer)
    }

    async fn hits(&self, caller: &Caller, command: &QueryUser, answerer: &Answerer) -> Result<Vec<SearchHit>, Error> {
        let persona = answerer.persona.as_ref();
        let tags: &[Tag] = persona.map_or(&[], |persona| persona.tags.as_slice());
        let most = command.top_n.map_or_else(|| persona.map_or(DEFAULT_MEMORIES, |persona| persona.top_n), AnswerLimit::get);
        self.recall(caller, answerer.owner, tags, command.prompt.as_str(), most as usize).await
    }

    async fn answerer(&self, caller: &Caller, command: &QueryUser) -> Result<Answerer, Error> {
        let store = &self.0.store;
        let (found, owner) = match (command.user_id, command.persona_id) {
            (Some(person), None) => (store.answering_person(caller.user_id, person).await?, person),
            (None, Some(persona)) => {
                let found = store.answering_persona(caller.user_id, persona).await?;
                let owner = found.as_ref().map_or(caller.user_id, |found| found.owner);
                (found, owner)
            }
            _ => return Err(Error::invalid("user_id", "or persona_id must be given, and not both")),
        };
        let found = found.ok_or(Error::NotFound)?;
        // Who has made nothing public is as silent as who does not exist (LLM-08).
        if owner != caller.user_id && !store.has_public(owner).await? {
            return Err(Error::NotFound);
        }
        Ok(found)
    }

    async fn answered(
        &self,
        caller: &Caller,
        command: &QueryUser,
        answerer: &Answerer,
        pieces: Option<&Pieces>,
    ) -> Result<QueryAnswer, Error> {
        let hits = within(LONGEST_RECALL, self.hits(caller, command, answerer)).await?;
        let (written, abstained) = if hits.is_empty() {
            (self.abstained(pieces), true)
        } else {
            (self.written(conversation(command, answerer, &hits), pieces).await?, false)
        };
        self.note_answer(caller, command, answerer, &hits, &written).await;
        self.note_reads(caller, "persona", hits.iter().map(|hit| &hit.memory));
        Ok(self.answer_of(command, answerer, &hits, written, abstained))
    }

    /// Says that there is nothing to say; no model is asked for that.
    fn abstained(&self, pieces: Option<&Pieces>) -> Written {
        if let Some(pieces) = pieces {
            pieces(NOTHING);
        }
        let done = Answered { model: self.0.llm.model().to_owned(), ..Answered::default() };
        Written { text: NOTHING.to_owned(), done }
    }

    async fn written(&self, conversation: Conversation, pieces: Option<&Pieces>) -> Result<Written, Error> {
        let mut stream = self.0.llm.answer(conversation).await.map_err(|error| unavailable(&error))?;
        let mut text = String::new();
        while let Some(piece) = stream.next().await {
            match piece.map_err(|error| unavailable(&error))? {
                Piece::Text(piece) => {
                    if let Some(pieces) = pieces {
                        pieces(&piece);
                    }
                    text.push_str(&piece);
                }
                Piece::Done(done) => return Ok(Written { text, done }),
            }
        }
        Err(unavailable(&LlmError::InvalidAnswer("the stream broke off".to_owned())))
    }

    /// Keeps for the owner who asked what, and counts what it cost. An answer is given even if it cannot be noted.
    async fn note_answer(
        &self,
        caller: &Caller,
        command: &QueryUser,
        answerer: &Answerer,
        hits: &[SearchHit],
        written: &Written,
    ) {
        let Usage { input, output, .. } = written.done.usage;
        self.0.spent.add(&written.done.model, input, output);
        let noted = NewQuestion {
            owner: answerer.owner,
            persona_id: answerer.persona.as_ref().map(|persona| persona.id),
            asker: caller.user_id,
            client_id: caller.client_id.0,
            question: self.0.settings.keeps_questions.then(|| command.prompt.as_str()),
            mode: self.mode().as_str(),
            model: &written.done.model,
            memory_ids: hits.iter().map(|hit| hit.memory.id.0).collect(),
            input_tokens: input,
            output_tokens: output,
        };
        if let Err(error) = within(LONGEST_LOOK, self.0.store.keep_question(&noted)).await {
            tracing::warn!(cause = %error, "A question to a persona was not noted.");
        }
    }

    fn mode(&self) -> AnswerMode {
        if self.0.llm.condition() == Condition::Extractive { AnswerMode::Extractive } else { AnswerMode::Llm }
    }

    fn answer_of(
        &self,
        command: &QueryUser,
        answerer: &Answerer,
        hits: &[SearchHit],
        written: Written,
        abstained: bool,
    ) -> QueryAnswer {
        let persona: Option<PersonaId> = answerer.persona.as_ref().map(|persona| persona.id);
        let used = |hit: &SearchHit| UsedMemory {
            id: hit.memory.id,
            text: command.include_memories.then(|| hit.memory.text.as_str().to_owned()),
            score: hit.score,
        };
        let citations = written.done.citations.into_iter().map(|citation| AnswerCitation {
            start: citation.start,
            end: citation.end,
            memory_ids: citation.sources.iter().filter_map(|source| Some(hits.get(*source)?.memory.id)).collect(),
        });
        let mode = self.mode();
        QueryAnswer {
            response: written.text,
            mode,
            model: written.done.model,
            persona: AnsweringPersona { id: persona, name: answerer.name.clone(), user_id: answerer.owner },
            memories: hits.iter().map(used).collect(),
            citations: citations.collect(),
            abstained,
            is_truncated: written.done.is_truncated,
            ai_generated: mode == AnswerMode::Llm && !abstained,
        }
    }
}

fn conversation(command: &QueryUser, answerer: &Answerer, hits: &[SearchHit]) -> Conversation {
    let persona = answerer.persona.as_ref();
    let turn = |turn: &picard_domain::commands::Turn| Turn {
        speaker: match turn.role {
            TurnRole::User => Speaker::Asker,
            TurnRole::Persona => Speaker::Persona,
        },
        text: turn.text.as_str().to_owned(),
    };
    let source = |hit: &SearchHit| Source {
        text: hit.memory.text.as_str().to_owned(),
        date: hit.memory.updated_at.to_string().chars().take(10).collect(),
    };
    Conversation {
        // The account's name of a default persona is nobody's business but the asker's.
        persona: persona.map_or_else(String::new, |persona| persona.name.as_str().to_owned()),
        instructions: persona.map_or_else(String::new, |persona| persona.instructions.as_str().to_owned()),
        sources: hits.iter().map(source).collect(),
        turns: command.turns.iter().map(turn).collect(),
        question: command.prompt.as_str().to_owned(),
        options: Options {
            model: persona.and_then(|persona| persona.model.clone()),
            temperature: persona.and_then(|persona| persona.temperature).map(Temperature::get),
        },
    }
}

fn unavailable(error: &LlmError) -> Error {
    let cause = error.to_string();
    match error {
        LlmError::Unavailable { retry_after: Some(wait), .. } => {
            Error::Unavailable { what: MODEL, retry_after: *wait, source: Some(cause.into()) }
        }
        _ => Error::unavailable(MODEL, cause),
    }
}

/// What answers have cost since the server began, by model.
#[derive(Debug, Default)]
pub(crate) struct Spent(std::sync::Mutex<std::collections::BTreeMap<String, (u64, u64)>>);

impl Spent {
    fn add(&self, model: &str, input: u32, output: u32) {
        let mut spent = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Endpoints name their models as they like; not for ever new ones.
        let name = if spent.len() < 50 || spent.contains_key(model) { model } else { "other" };
        let sum = spent.entry(name.to_owned()).or_default();
        sum.0 += u64::from(input);
        sum.1 += u64::from(output);
    }

    /// By model: tokens of prompts, tokens of answers.
    pub(crate) fn sums(&self) -> Vec<(String, u64, u64)> {
        let spent = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        spent.iter().map(|(model, (input, output))| (model.clone(), *input, *output)).collect()
    }
}
