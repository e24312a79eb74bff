//! Searching memories: by meaning, by words, or by both.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::field_errors::{FieldErrors, FieldName};
use super::memory_view::MemoryView;
use crate::error::{PageError, see_other};
use crate::frame::{Frame, Section, page};
use crate::moments;
use crate::preferences::Zone;
use crate::server_client::{Hit, SearchHits, ToolError};
use crate::state::AppState;
use crate::tokens::{self, CallError};
use crate::visitor::Member;
use crate::words::{Words, fill};

/// Hits that each wish for more adds.
const PAGE_SIZE: u32 = 20;
/// Hits that the server gives at most; a search has no pages.
const MOST: u32 = 100;

/// What the address asks for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Wish {
    q: String,
    scope: String,
    mode: String,
    tag: String,
    category: String,
    expiry: String,
    /// Days, as calendars in the person's zone have them.
    since: String,
    until: String,
    /// The least match, 0 to 1.
    least: String,
    /// How many hits are wanted.
    n: String,
}

struct HitView {
    memory: MemoryView,
    /// 0.00 to 1.00, for machines and for reading.
    meter: String,
    score: String,
    /// How near the meaning is, from -1.00 to 1.00; there is none where only words were compared.
    similarity: Option<String>,
}

/// What was found, with how many there are in words.
struct Found {
    hits: Vec<HitView>,
    count: String,
    /// The address with more of them.
    more: Option<String>,
}

#[derive(Template)]
#[template(path = "search.html")]
struct SearchPage {
    frame: Frame,
    wish: Wish,
    errors: FieldErrors,
    found: Option<Found>,
}

impl Wish {
    fn is_filtered(&self) -> bool {
        let filters = [&self.tag, &self.category, &self.expiry, &self.since, &self.until, &self.least];
        filters.iter().any(|value| !value.trim().is_empty())
    }

    fn limit(&self) -> u32 {
        self.n.parse().unwrap_or(PAGE_SIZE).clamp(PAGE_SIZE, MOST)
    }

    /// The address of the same search with more hits.
    fn path_to_more(&self) -> String {
        let more = (self.limit() + PAGE_SIZE).min(MOST).to_string();
        let members = [
            ("q", self.q.trim()),
            ("scope", self.scope.as_str()),
            ("mode", self.mode.as_str()),
            ("tag", self.tag.trim()),
            ("category", self.category.trim()),
            ("expiry", self.expiry.as_str()),
            ("since", self.since.as_str()),
            ("until", self.until.as_str()),
            ("least", self.least.as_str()),
            ("n", more.as_str()),
        ];
        let given = members.iter().filter(|(_, value)| !value.is_empty());
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(given).finish();
        format!("/search?{query}")
    }

    fn data(&self, zone: &Zone) -> Value {
        let mut data = json!({ "query": self.q.trim(), "limit": self.limit() });
        if matches!(self.scope.as_str(), "shared" | "public" | "all") {
            data["scope"] = self.scope.as_str().into();
        }
        if matches!(self.mode.as_str(), "semantic" | "keyword") {
            data["mode"] = self.mode.as_str().into();
        }
        if !self.tag.trim().is_empty() {
            data["tags"] = json!([self.tag.trim()]);
        }
        if !self.category.trim().is_empty() {
            data["category"] = self.category.trim().into();
        }
        if matches!(self.expiry.as_str(), "expired" | "all") {
            data["expiration_status"] = self.expiry.as_str().into();
        }
        if let Some((begin, _)) = moments::day(&self.since, zone) {
            data["created_after"] = moments::machine(begin).into();
        }
        if let Some((_, end)) = moments::day(&self.until, zone) {
            data["created_before"] = moments::machine(end).into();
        }
        if let Some(least) = self.least.parse::<f64>().ok().filter(|least| *least > 0.0 && *least <= 1.0) {
            data["min_score"] = least.into();
        }
        data
    }
}

/// `GET /search?q=`
pub(crate) async fn show(State(state): State<AppState>, member: Member, Query(wish): Query<Wish>) -> Result<Response, PageError> {
    if member.person.connection.is_none() {
        return Ok(see_other("/connect"));
    }
    let frame = Frame::new(&member.visitor, member.words().search.title, Section::Search);
    let mut template = SearchPage { frame, wish, errors: FieldErrors::none(), found: None };
    if !template.wish.q.trim().is_empty() {
        let data = template.wish.data(&member.preferences().zone);
        match tokens::call_tool::<SearchHits>(&state, &member.person, "query_memory", &data).await {
            Ok(hits) => template.found = Some(found(&hits, &template.wish, &member)),
            Err(error @ CallError::Tool(ToolError::Invalid(_))) => template.errors = errors_of(&error, member.words()),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(page(template.errors.status, &template))
}

fn found(answer: &SearchHits, wish: &Wish, member: &Member) -> Found {
    let view = |hit: &Hit| HitView {
        memory: MemoryView::new(&hit.memory, member),
        meter: format!("{:.2}", hit.score.clamp(0.0, 1.0)),
        score: member.words().decimal(hit.score.clamp(0.0, 1.0)),
        similarity: hit.similarity.map(|similarity| member.words().decimal(similarity)),
    };
    let words = &member.words().search;
    let count = match answer.total_found {
        1 => words.found_one.to_owned(),
        many => fill(words.found_many, many),
    };
    let shown = i64::try_from(answer.memories.len()).unwrap_or(i64::MAX);
    let has_more = answer.total_found > shown && wish.limit() < MOST;
    Found { hits: answer.memories.iter().map(view).collect(), count, more: has_more.then(|| wish.path_to_more()) }
}

fn errors_of(error: &CallError, words: &Words) -> FieldErrors {
    let fields = [
        FieldName::new("query", "q", words.search.question_label, words.search.question_rule),
        FieldName::new("tags", "tag", words.memory.tag_label, words.memory.tags_rule),
        FieldName::new("category", "category", words.memory.category_label, words.memory.category_rule),
    ];
    FieldErrors::of_call(error, &fields, words)
}
