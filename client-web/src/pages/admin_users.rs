//! The people of the Picard server, for its administrators.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::field_errors::FieldErrors;
use super::memory::id_in;
use super::memory_view::MomentView;
use crate::administration;
use crate::error::{Explanation, PageError, see_other};
use crate::form::MemberForm;
use crate::frame::{Frame, Section, page};
use crate::server_client::{Account, AccountPage, Call, ToolError};
use crate::state::AppState;
use crate::tokens::CallError;
use crate::visitor::Member;

/// What the address asks for.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Wish {
    cursor: String,
    done: Option<String>,
}

/// What shall happen to an account.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Fields {
    to: String,
}

struct AccountView {
    id: Uuid,
    username: String,
    email: Option<String>,
    is_active: bool,
    is_superuser: bool,
    created: MomentView,
}

#[derive(Template)]
#[template(path = "admin_users.html")]
struct UsersPage {
    frame: Frame,
    accounts: Vec<AccountView>,
    next: Option<String>,
    errors: FieldErrors,
}

/// `GET /admin/users`
pub(crate) async fn show(State(state): State<AppState>, member: Member, Query(wish): Query<Wish>) -> Result<Response, PageError> {
    users_page(&state, &member, &wish, FieldErrors::none()).await
}

/// `POST /admin/users/{id}`
pub(crate) async fn change(
    State(state): State<AppState>,
    Path(id): Path<String>,
    MemberForm { member, fields }: MemberForm<Fields>,
) -> Result<Response, PageError> {
    let id = id_in(&id)?;
    let path = format!("/api/admin/users/{id}");
    let set = |body: Value| Call::send(Method::PATCH, &path, Some(body));
    let call = match fields.to.as_str() {
        "active" => set(json!({ "is_active": true })),
        "inactive" => set(json!({ "is_active": false })),
        "superuser" => set(json!({ "is_superuser": true })),
        "ordinary" => set(json!({ "is_superuser": false })),
        "signed-out" => Call::send(Method::POST, "/api/admin/tokens/revoke", Some(json!({ "user_id": id }))),
        "deleted" => Call::send(Method::DELETE, &path, None),
        _ => return Err(Explanation::of_status(http::StatusCode::UNPROCESSABLE_ENTITY).into()),
    };
    let errors = match administration::call::<Option<Value>>(&state, &member, &call).await? {
        Ok(_) => {
            tracing::warn!(event = "account_administered", user.id = %member.person.id, subject.id = %id, act = fields.to.as_str(), "an account was administered");
            return Ok(see_other("/admin/users?done=saved"));
        }
        Err(error @ CallError::Tool(ToolError::Conflict)) => {
            let mut errors = FieldErrors::of_call(&error, &[], member.words());
            errors.list.clear();
            let status = errors.status;
            errors.add("", member.words().administration.last);
            errors.status = status;
            errors
        }
        Err(error) => FieldErrors::of_call(&error, &[], member.words()),
    };
    users_page(&state, &member, &Wish::default(), errors).await
}

async fn users_page(state: &AppState, member: &Member, wish: &Wish, errors: FieldErrors) -> Result<Response, PageError> {
    let query = [("cursor", wish.cursor.as_str())];
    let query: Vec<(&str, &str)> = query.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    let found: AccountPage = administration::call(state, member, &Call::get("/api/admin/users", &query)).await??;
    let next = found.next_cursor.map(|cursor| {
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("cursor", &cursor).finish();
        format!("/admin/users?{query}")
    });
    let frame = Frame::new(&member.visitor, member.words().administration.users, Section::None);
    let frame = frame.with_notice(wish.done.as_deref());
    let accounts = found.users.into_iter().map(|account| view(account, member)).collect();
    let status = errors.status;
    Ok(page(status, &UsersPage { frame, accounts, next, errors }))
}

fn view(account: Account, member: &Member) -> AccountView {
    AccountView {
        id: account.id,
        username: account.username,
        email: account.email,
        is_active: account.is_active,
        is_superuser: account.is_superuser,
        created: MomentView::new(account.created_at, member.preferences()),
    }
}
