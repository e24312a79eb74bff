//! What belongs to the account itself: what others see of the person, the password, the end.

use std::net::IpAddr;

use axum::extract::State;
use axum::response::Response;
use http::{Method, StatusCode};
use picard_crypto::{SecretString, Verdict};
use serde::Deserialize;
use serde_json::{Value, json};

use super::field_errors::{FieldErrors, FieldName};
use super::profile::{Kept, ProfilePage, Public};
use crate::accounts::{check_new_password, folded};
use crate::address::ClientAddress;
use crate::connecting;
use crate::db::people;
use crate::error::{Explanation, PageError, Reason, see_other};
use crate::form::MemberForm;
use crate::limits::{self, Decision, Try};
use crate::server_client::Call;
use crate::state::AppState;
use crate::tokens;
use crate::visitor::Member;

/// A change of the password.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct PasswordFields {
    current_password: String,
    new_password: String,
    #[serde(flatten)]
    kept: Kept,
}

/// The end of the account.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct DeleteFields {
    password: String,
    /// Not empty when the account at the Picard server shall go too, with all memories.
    everywhere: String,
    /// The password of that account.
    server_password: String,
    #[serde(flatten)]
    kept: Kept,
}

/// `POST /profile/public`: what others see, which the Picard server keeps.
pub(crate) async fn set_public(
    State(state): State<AppState>,
    MemberForm { member, mut fields }: MemberForm<Public>,
) -> Result<Response, PageError> {
    let given = |text: &str| Some(text.trim().replace("\r\n", "\n")).filter(|text| !text.is_empty());
    let body = json!({
        "display_name": given(&fields.display_name), "bio": given(&fields.bio), "is_listed": !fields.is_listed.is_empty(),
    });
    let call = Call::send(Method::PATCH, "/api/users/me", Some(body));
    match tokens::call::<Value>(&state, &member.person, &call).await {
        Ok(_) => Ok(see_other("/profile?done=settings")),
        Err(error) => {
            let words = &member.words().account;
            let names = [
                FieldName::new("display_name", "display_name", words.display_name, words.display_name_rule),
                FieldName::new("bio", "bio", words.bio, words.bio_rule),
            ];
            let errors = FieldErrors::of_call(&error, &names, member.words());
            let kept = std::mem::take(&mut fields.kept);
            let page = ProfilePage::with_public(&member, errors, kept, Some(fields));
            Ok(page.response())
        }
    }
}

/// `POST /profile/password`: every other session of the account ends.
pub(crate) async fn set_password(
    State(state): State<AppState>,
    ClientAddress(address): ClientAddress,
    MemberForm { member, fields }: MemberForm<PasswordFields>,
) -> Result<Response, PageError> {
    let words = member.words();
    let known = [member.person.username.as_str(), member.person.email.as_deref().unwrap_or_default()];
    if let Err(problem) = check_new_password(&fields.new_password, &known) {
        let errors = FieldErrors::one("new_password", problem.said(words));
        return Ok(ProfilePage::load(&state, &member, errors, fields.kept).await.response());
    }
    if !knows_password(&state, &member, address, &fields.current_password).await? {
        let errors = FieldErrors::one("current_password", words.account.password_wrong);
        return Ok(ProfilePage::load(&state, &member, errors, fields.kept).await.response());
    }
    let hash = state.passwords.hash(SecretString::from(fields.new_password.as_str())).await?;
    people::set_password(&state.pool, member.person.id, &hash).await?;
    member.visitor.sign_in(member.person.id).await?;
    tracing::warn!(event = "password_changed", user.id = %member.person.id, "a person changed their password");
    Ok(see_other("/profile?done=password"))
}

/// `POST /profile/delete`
pub(crate) async fn delete(
    State(state): State<AppState>,
    ClientAddress(address): ClientAddress,
    MemberForm { member, fields }: MemberForm<DeleteFields>,
) -> Result<Response, PageError> {
    if !knows_password(&state, &member, address, &fields.password).await? {
        let errors = FieldErrors::one("delete_password", member.words().account.password_wrong);
        return Ok(ProfilePage::load(&state, &member, errors, fields.kept).await.response());
    }
    if !fields.everywhere.is_empty() && member.person.connection.is_some() {
        // If this fails nothing has happened yet, and the page says why.
        if let Err(error) = connecting::delete_account(&state, &member.person, &fields.server_password).await {
            let words = &member.words().account;
            let name = FieldName::new("password", "server_password", words.server_password, words.server_password_rule);
            let errors = FieldErrors::of_call(&error, &[name], member.words());
            return Ok(ProfilePage::load(&state, &member, errors, fields.kept).await.response());
        }
    }
    connecting::disconnect(&state, &member.person).await?;
    people::delete(&state.pool, member.person.id).await?;
    member.visitor.session.flush().await?;
    tracing::warn!(event = "account_deleted", user.id = %member.person.id, "a person deleted their account");
    Ok(see_other("/?done=account-deleted"))
}

/// Asks for the password again, as often as at sign-in (LOG-07).
async fn knows_password(state: &AppState, member: &Member, address: IpAddr, password: &str) -> Result<bool, PageError> {
    let account = folded(&member.person.username);
    let permit = match limits::ask(&state.pool, Try::SignIn, &account, address).await? {
        Decision::GoOn(permit) => permit,
        Decision::Wait(seconds) => {
            let explanation = Explanation::new(StatusCode::TOO_MANY_REQUESTS, Reason::TooManySignIns(seconds));
            return Err(explanation.retry_after(seconds).into());
        }
    };
    // No password is longer (LOG-10).
    if password.len() > 4_096 {
        return Ok(false);
    }
    let stored = people::password_hash(&state.pool, member.person.id).await?;
    let verdict = state.passwords.verify(SecretString::from(password), stored.as_deref()).await?;
    let is_known = verdict != Verdict::NoMatch;
    if is_known {
        permit.take_back(&state.pool).await?;
    } else {
        tracing::warn!(event = "password_refused", user.id = %member.person.id, client.address = %address, "a wrong password");
    }
    Ok(is_known)
}
