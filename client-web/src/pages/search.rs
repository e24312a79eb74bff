//! Searching memories by meaning.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::field_errors::{FieldErrors, FieldName};
use super::memory_view::MemoryView;
use crate::error::{PageError, see_other};
use crate::frame::{Frame, Section, page};
use crate::server_client::{SearchHits, ToolError};
use crate::state::AppState;
use crate::tokens::{self, CallError};
use crate::visitor::Member;
use crate::words::Words;

/// What the address asks for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Wish {
    q: String,
    scope: String,
}

struct HitView {
    memory: MemoryView,
    /// 0.00 to 1.00
    score: String,
}

#[derive(Template)]
#[template(path = "search.html")]
struct SearchPage {
    frame: Frame,
    wish: Wish,
    errors: FieldErrors,
    hits: Option<Vec<HitView>>,
}

impl Wish {
    fn data(&self) -> Value {
        let mut data = json!({ "query": self.q.trim(), "limit": 20 });
        if matches!(self.scope.as_str(), "public" | "all") {
            data["scope"] = self.scope.as_str().into();
        }
        data
    }
}

/// `GET /search?q=`
pub(crate) async fn show(State(state): State<AppState>, member: Member, Query(wish): Query<Wish>) -> Result<Response, PageError> {
    if member.person.connection.is_none() {
        return Ok(see_other("/connect"));
    }
    if wish.q.trim().is_empty() {
        return Ok(search_page(&member, wish, FieldErrors::none(), None));
    }
    match tokens::call_tool::<SearchHits>(&state, &member.person, "query_memory", &wish.data()).await {
        Ok(found) => {
            let hits = found.memories.iter().map(|hit| HitView {
                memory: MemoryView::new(&hit.memory, &member),
                score: format!("{:.2}", hit.score.clamp(0.0, 1.0)),
            });
            let hits = hits.collect();
            Ok(search_page(&member, wish, FieldErrors::none(), Some(hits)))
        }
        Err(error @ CallError::Tool(ToolError::Invalid(_))) => {
            let errors = errors_of(&error, member.words());
            Ok(search_page(&member, wish, errors, None))
        }
        Err(error) => Err(error.into()),
    }
}

fn errors_of(error: &CallError, words: &Words) -> FieldErrors {
    let question = FieldName::new("query", "q", words.search.question_label, words.search.question_rule);
    FieldErrors::of_call(error, &[question], words)
}

fn search_page(member: &Member, wish: Wish, errors: FieldErrors, hits: Option<Vec<HitView>>) -> Response {
    let frame = Frame::new(&member.visitor, member.words().search.title, Section::Search);
    page(errors.status, &SearchPage { frame, wish, errors, hits })
}
