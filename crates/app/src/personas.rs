//! Personas: made, changed, listed, deleted; the log of what they were asked, and who may not ask.

use futures_util::future::BoxFuture;
use picard_domain::commands::{CreatePersona, DeletePersona, ListPersonas, Once, PersonaDeleted, PersonaPage, UpdatePersona};
use picard_domain::memory::QueryText;
use picard_domain::page::{AnswerLimit, ListLimit};
use picard_domain::persona::{MOST_PERSONAS, Persona};
use picard_domain::{Caller, Error, PersonaId, Scope, UserId};
use picard_storage::questions::{Asker, Question};

use crate::App;

/// What a cursor of the log of questions is sealed for.
const LOG: &str = "persona questions";

/// The most answers a day that an owner can set.
const MOST_A_DAY: u32 = 1_000_000;

/// A page of the log of questions.
#[derive(Debug)]
pub struct QuestionPage {
    /// The questions, the newest first.
    pub questions: Vec<Question>,
    /// Where the next page begins; `None` at the end.
    pub next_cursor: Option<String>,
}

impl App {
    /// Lists personas: the caller's own; those of one person, or of everybody, as far as the caller may ask them.
    ///
    /// # Errors
    /// [`Error::InsufficientScope`]; [`Error::Invalid`] for a cursor of another list.
    pub fn list_personas<'a>(&'a self, caller: &'a Caller, command: ListPersonas) -> BoxFuture<'a, Result<PersonaPage, Error>> {
        Box::pin(async move {
            caller.require(Scope::Read)?;
            let query = command.query.as_ref().map(QueryText::as_str);
            let owner = command.user_id.or(query.is_none().then_some(caller.user_id));
            let list = format!("personas {owner:?} {query:?}");
            let cursors = &self.0.cursors;
            let after = command.cursor.as_deref().map(|cursor| cursors.open_place(caller.user_id, &list, cursor)).transpose()?;
            let limit = command.limit.get() as usize;
            let mut personas = self.0.store.personas(caller.user_id, owner, query, after, command.limit.get() + 1).await?;
            let is_more = personas.len() > limit;
            personas.truncate(limit);
            let last = personas.last().filter(|_| is_more);
            let next_cursor = last.map(|last| cursors.seal_place(caller.user_id, &list, last.created_at, last.id.0));
            Ok(PersonaPage { personas, next_cursor })
        })
    }

    /// Makes a persona of the caller's.
    ///
    /// # Errors
    /// [`Error::InsufficientScope`]; [`Error::Invalid`] for a model that is not allowed; [`Error::Conflict`] for more
    /// personas than one may have; [`Error::IdempotencyMismatch`].
    pub fn create_persona<'a>(
        &'a self,
        caller: &'a Caller,
        command: CreatePersona,
        once: Option<&'a Once>,
    ) -> BoxFuture<'a, Result<Persona, Error>> {
        Box::pin(async move {
            caller.require(Scope::Write)?;
            self.check_model(command.model.as_deref())?;
            let now = self.0.clock.now();
            let persona = Persona {
                id: PersonaId::generate(),
                user_id: caller.user_id,
                name: command.name,
                description: command.description,
                instructions: command.instructions,
                tags: command.tags,
                model: command.model,
                temperature: command.temperature,
                top_n: command.top_n.get(),
                is_public: command.is_public,
                created_at: now,
                updated_at: now,
            };
            let made = self.0.store.create_persona(&persona, once).await?;
            made.ok_or_else(|| {
                Error::Conflict(format!("You have {MOST_PERSONAS} personas, as many as one may have: delete one first."))
            })
        })
    }

    /// Changes a persona of the caller's. Those of others are not there.
    ///
    /// # Errors
    /// [`Error::InsufficientScope`]; [`Error::NotFound`]; [`Error::Invalid`] for a model that is not allowed, or nothing
    /// to change; [`Error::IdempotencyMismatch`].
    pub fn update_persona<'a>(
        &'a self,
        caller: &'a Caller,
        command: UpdatePersona,
        once: Option<&'a Once>,
    ) -> BoxFuture<'a, Result<Persona, Error>> {
        Box::pin(async move {
            caller.require(Scope::Write)?;
            if command.is_empty() {
                return Err(Error::invalid("data", "must say what to change"));
            }
            self.check_model(command.model.as_ref().and_then(|model| model.as_deref()))?;
            let id = command.persona_id;
            let change = move |persona: &mut Persona| {
                let command = command.clone();
                set(&mut persona.name, command.name);
                set(&mut persona.description, command.description);
                set(&mut persona.instructions, command.instructions);
                set(&mut persona.tags, command.tags);
                set(&mut persona.model, command.model);
                set(&mut persona.temperature, command.temperature);
                set(&mut persona.top_n, command.top_n.map(AnswerLimit::get));
                set(&mut persona.is_public, command.is_public);
            };
            self.0.store.update_persona(caller.user_id, id, change, once).await?.ok_or(Error::NotFound)
        })
    }

    /// Deletes a persona of the caller's; the memories stay. Those of others are not there.
    ///
    /// # Errors
    /// [`Error::InsufficientScope`]; [`Error::NotFound`]; [`Error::IdempotencyMismatch`].
    pub fn delete_persona<'a>(
        &'a self,
        caller: &'a Caller,
        command: &'a DeletePersona,
        once: Option<&'a Once>,
    ) -> BoxFuture<'a, Result<PersonaDeleted, Error>> {
        Box::pin(async move {
            caller.require(Scope::Write)?;
            self.0.store.delete_persona(caller.user_id, command.persona_id, once).await?.ok_or(Error::NotFound)
        })
    }

    /// What was asked of the caller's memories, and by whom.
    ///
    /// # Errors
    /// [`Error::InsufficientScope`]; [`Error::Invalid`] for a cursor of another list.
    pub fn persona_questions<'a>(
        &'a self,
        caller: &'a Caller,
        persona_id: Option<PersonaId>,
        limit: ListLimit,
        cursor: Option<&'a str>,
    ) -> BoxFuture<'a, Result<QuestionPage, Error>> {
        Box::pin(async move {
            caller.require(Scope::Read)?;
            let list = format!("{LOG} {persona_id:?}");
            let cursors = &self.0.cursors;
            let after = cursor.map(|cursor| cursors.open_place(caller.user_id, &list, cursor)).transpose()?;
            let mut questions = self.0.store.questions(caller.user_id, persona_id, after, limit.get() + 1).await?;
            let is_more = questions.len() > limit.get() as usize;
            questions.truncate(limit.get() as usize);
            let last = questions.last().filter(|_| is_more);
            let next_cursor = last.map(|last| cursors.seal_place(caller.user_id, &list, last.asked_at, last.id));
            Ok(QuestionPage { questions, next_cursor })
        })
    }

    /// Has somebody's questions answered no more, or again. Whether there is such a person is not told.
    ///
    /// # Errors
    /// [`Error::InsufficientScope`]; [`Error::Invalid`] for oneself.
    pub fn block_asker<'a>(&'a self, caller: &'a Caller, asker: UserId, is_blocked: bool) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            caller.require(Scope::Write)?;
            if asker == caller.user_id {
                return Err(Error::invalid("user_id", "must be somebody else"));
            }
            self.0.store.block_asker(caller.user_id, asker, is_blocked).await
        })
    }

    /// How many answers a day the caller's memories give to others, all personas together; `None`: any number.
    ///
    /// # Errors
    /// [`Error::InsufficientScope`].
    pub fn answers_a_day<'a>(&'a self, caller: &'a Caller) -> BoxFuture<'a, Result<Option<u32>, Error>> {
        Box::pin(async move {
            caller.require(Scope::Read)?;
            self.0.store.answers_a_day(caller.user_id).await
        })
    }

    /// Sets how many answers a day the caller's memories give to others.
    ///
    /// # Errors
    /// [`Error::InsufficientScope`]; [`Error::Invalid`] above a million.
    pub fn set_answers_a_day<'a>(&'a self, caller: &'a Caller, limit: Option<u32>) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            caller.require(Scope::Write)?;
            if limit.is_some_and(|limit| limit > MOST_A_DAY) {
                return Err(Error::invalid("answers_a_day", format!("must be at most {MOST_A_DAY}, or null for any number")));
            }
            self.0.store.set_answers_a_day(caller.user_id, limit).await
        })
    }

    /// Whose questions are not answered.
    ///
    /// # Errors
    /// [`Error::InsufficientScope`].
    pub fn blocked_askers<'a>(&'a self, caller: &'a Caller) -> BoxFuture<'a, Result<Vec<Asker>, Error>> {
        Box::pin(async move {
            caller.require(Scope::Read)?;
            self.0.store.blocked_askers(caller.user_id).await
        })
    }

    /// Only what the operator allows is ever asked for (LLM-09).
    fn check_model(&self, model: Option<&str>) -> Result<(), Error> {
        let allowed = self.0.llm.models();
        match model {
            Some(model) if !allowed.iter().any(|name| name == model) => Err(Error::invalid(
                "model",
                if allowed.is_empty() {
                    "must be left out: this deployment has no models".to_owned()
                } else {
                    format!("must be one of {}", allowed.join(", "))
                },
            )),
            _ => Ok(()),
        }
    }
}

fn set<T>(member: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *member = value;
    }
}
