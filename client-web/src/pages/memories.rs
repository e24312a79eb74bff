//! The list of a person's memories: filtered, sorted, page by page.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::field_errors::{FieldErrors, FieldName};
use super::memory::id_in;
use super::memory_view::MemoryView;
use crate::error::{PageError, see_other};
use crate::frame::{Frame, Section, page};
use crate::server_client::{MemoryPage, ToolError};
use crate::state::AppState;
use crate::tokens::{self, CallError};
use crate::visitor::Member;
use crate::words::Words;

/// Memories on one page.
const PAGE_SIZE: u32 = 20;

/// What the address asks for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Wish {
    permission: String,
    tag: String,
    category: String,
    expiry: String,
    sort: String,
    /// Another person, as far as the reader may see theirs.
    owner: String,
    cursor: String,
    done: String,
}

#[derive(Template)]
#[template(path = "memories.html")]
struct ListPage {
    frame: Frame,
    wish: Wish,
    errors: FieldErrors,
    memories: Vec<MemoryView>,
    total: Option<i64>,
    next: Option<String>,
}

impl Wish {
    fn is_filtered(&self) -> bool {
        [&self.permission, &self.tag, &self.category, &self.expiry, &self.owner].iter().any(|value| !value.trim().is_empty())
    }

    fn data(&self) -> Value {
        let mut data = json!({ "limit": PAGE_SIZE });
        if matches!(self.permission.as_str(), "private" | "public" | "shared" | "aggregate") {
            data["permission"] = self.permission.as_str().into();
        }
        if !self.tag.trim().is_empty() {
            data["tags"] = json!([self.tag.trim()]);
        }
        if matches!(self.expiry.as_str(), "expired" | "all") {
            data["expiration_status"] = self.expiry.as_str().into();
        }
        for (name, value) in [("category", &self.category), ("user_id", &self.owner), ("cursor", &self.cursor)] {
            if !value.trim().is_empty() {
                data[name] = value.trim().into();
            }
        }
        let (sort, order) = match self.sort.as_str() {
            "oldest" => ("created_at", "asc"),
            "changed" => ("updated_at", "desc"),
            "expires" => ("expiration_date", "asc"),
            _ => return data,
        };
        data["sort"] = sort.into();
        data["order"] = order.into();
        data
    }

    /// The address of the same list from a cursor on.
    fn path(&self, cursor: Option<&str>) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let members = [
            ("permission", self.permission.as_str()),
            ("tag", self.tag.trim()),
            ("category", self.category.trim()),
            ("expiry", self.expiry.as_str()),
            ("sort", self.sort.as_str()),
            ("owner", self.owner.as_str()),
        ];
        for (name, value) in members.into_iter().chain(cursor.map(|cursor| ("cursor", cursor))) {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        format!("/memories?{}", query.finish()).trim_end_matches('?').to_owned()
    }
}

/// `GET /memories`
pub(crate) async fn show(State(state): State<AppState>, member: Member, Query(wish): Query<Wish>) -> Result<Response, PageError> {
    if !wish.owner.is_empty() {
        id_in(&wish.owner)?;
    }
    let data = wish.data();
    let found = tokens::call_tool::<MemoryPage>(&state, &member.person, "get_memories", &data).await;
    match found {
        Ok(found) => Ok(list_page(&member, wish, FieldErrors::none(), found)),
        // A cursor that has outlived the list it was made for: start over.
        Err(CallError::Tool(ToolError::Invalid(_))) if !wish.cursor.is_empty() => Ok(see_other(&wish.path(None))),
        Err(error @ CallError::Tool(ToolError::Invalid(_))) => {
            let errors = errors_of(&error, member.words());
            let nothing = MemoryPage { memories: Vec::new(), next_cursor: None, total: Some(0) };
            Ok(list_page(&member, wish, errors, nothing))
        }
        Err(error) => Err(error.into()),
    }
}

fn errors_of(error: &CallError, words: &Words) -> FieldErrors {
    let words_of = &words.memory;
    let fields = [
        FieldName::new("tags", "tag", words_of.tag_label, words_of.tags_rule),
        FieldName::new("category", "category", words_of.category_label, words_of.category_rule),
    ];
    FieldErrors::of_call(error, &fields, words)
}

fn list_page(member: &Member, wish: Wish, errors: FieldErrors, found: MemoryPage) -> Response {
    let title = if wish.owner.is_empty() { member.words().memory.list_title } else { member.words().memory.others_title };
    let frame = Frame::new(&member.visitor, title, Section::Memories).with_notice(Some(&wish.done));
    let status = errors.status;
    let template = ListPage {
        frame,
        errors,
        memories: found.memories.iter().map(|memory| MemoryView::new(memory, member)).collect(),
        total: found.total,
        next: found.next_cursor.map(|cursor| wish.path(Some(&cursor))),
        wish,
    };
    page(status, &template)
}
