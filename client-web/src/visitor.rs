//! Who is asking: the session, the person it belongs to, and the token that protects forms.

use axum::extract::FromRequestParts;
use axum::response::Response;
use http::request::Parts;
use picard_crypto::{ExposeSecret, random_token};
use time::Duration;
use tower_sessions::{Expiry, Session};
use uuid::Uuid;

use crate::clock;
use crate::db::connections::Flow;
use crate::db::people::{self, PersonRow};
use crate::error::{Explanation, PageError};
use crate::preferences::{Preferences, Settings, Theme, Zone};
use crate::server_client::ToolError;
use crate::state::AppState;
use crate::stranger::FormCookie;
use crate::words::{Language, Words};

/// Session member that holds the id of the signed-in person.
pub(crate) const PERSON_KEY: &str = "person_id";
const CSRF_KEY: &str = "csrf";
const SIGNED_IN_KEY: &str = "signed_in_at";
const SEEN_KEY: &str = "seen_at";

/// A session ends after this time without use.
pub(crate) const IDLE: Duration = Duration::days(14);
/// A session ends after this time in any case.
const LONGEST: Duration = Duration::days(90);

/// A person with an account here.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) id: Uuid,
    pub(crate) username: String,
    pub(crate) email: Option<String>,
    pub(crate) connection: Option<Connection>,
    /// Whether they have used an account here that they signed in to at the server.
    pub(crate) has_proved_account: bool,
    pub(crate) settings: Settings,
}

/// What the person granted this application at the server.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    pub(crate) server_user_id: Uuid,
    pub(crate) can_write: bool,
    /// Whether the person made it, at the server.
    pub(crate) is_by_code: bool,
}

impl From<PersonRow> for Person {
    fn from(row: PersonRow) -> Self {
        let connection = row.server_user_id.map(|server_user_id| Connection {
            server_user_id,
            is_by_code: row.flow.as_deref() == Some(Flow::AuthorizationCode.as_str()),
            can_write: row.scope.is_some_and(|scope| scope.split(' ').any(|word| word == "memories:write")),
        });
        let settings = Settings {
            language: row.language.as_deref().and_then(Language::from_code),
            theme: row.theme.as_deref().map(Theme::from_code).unwrap_or_default(),
            zone: row.time_zone.as_deref().and_then(Zone::parse),
        };
        let has_proved_account = row.has_proved_account;
        Self { id: row.id, username: row.username, email: row.email, connection, has_proved_account, settings }
    }
}

/// Anybody who asks for a page.
#[derive(Debug, Clone)]
pub(crate) struct Visitor {
    pub(crate) session: Session,
    pub(crate) person: Option<Person>,
    pub(crate) csrf: Option<String>,
    /// What a stranger's forms are bound to.
    form_cookie: Option<FormCookie>,
    pub(crate) preferences: Preferences,
}

impl Visitor {
    fn stranger(session: Session, preferences: Preferences) -> Self {
        Self { session, person: None, csrf: None, form_cookie: None, preferences }
    }

    /// Finds out who a session belongs to; `browser` is what the request says by itself.
    pub(crate) async fn of(session: Session, state: &AppState, browser: Preferences) -> Result<Self, PageError> {
        let Some(person_id) = session.get::<Uuid>(PERSON_KEY).await? else {
            return Ok(Self::stranger(session, browser));
        };
        let csrf = session.get::<String>(CSRF_KEY).await?;
        let now = clock::now().unix_timestamp();
        let signed_in_at = session.get::<i64>(SIGNED_IN_KEY).await?.unwrap_or_default();
        let person = people::find(&state.pool, person_id).await?.map(Person::from);
        if person.is_none() || now - signed_in_at > LONGEST.whole_seconds() {
            session.flush().await?;
            return Ok(Self::stranger(session, browser));
        }
        let seen_at = session.get::<i64>(SEEN_KEY).await?.unwrap_or_default();
        if now - seen_at > Duration::DAY.whole_seconds() {
            // Saving the session moves its end, and the cookie's, on.
            session.insert(SEEN_KEY, now).await?;
        }
        let preferences = match &person {
            Some(person) => browser.with(&person.settings),
            None => browser,
        };
        Ok(Self { session, person, csrf, form_cookie: None, preferences })
    }

    /// All texts in the visitor's language.
    pub(crate) fn words(&self) -> &'static Words {
        self.preferences.words()
    }

    /// Makes sure that a form can be shown to a stranger.
    pub(crate) fn prepare_form(&mut self, state: &AppState) {
        let cookie = self.form_cookie.get_or_insert_with(|| FormCookie::new(state.is_https));
        self.csrf = Some(cookie.token());
    }

    /// Gives a stranger the cookie that the form on the page is bound to.
    pub(crate) fn with_form_cookie(&self, mut response: Response) -> Response {
        if let Some(cookie) = &self.form_cookie {
            cookie.keep(&mut response);
        }
        response
    }

    /// Signs a person in: a new session id and a new form token, so that nothing known before is worth anything.
    pub(crate) async fn sign_in(&self, person_id: Uuid) -> Result<(), PageError> {
        let now = clock::now().unix_timestamp();
        self.session.cycle_id().await?;
        self.session.clear().await;
        self.session.insert(PERSON_KEY, person_id).await?;
        self.session.insert(CSRF_KEY, random_token().expose_secret()).await?;
        self.session.insert(SIGNED_IN_KEY, now).await?;
        self.session.insert(SEEN_KEY, now).await?;
        self.session.set_expiry(Some(Expiry::OnInactivity(IDLE)));
        Ok(())
    }
}

impl FromRequestParts<AppState> for Visitor {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, PageError> {
        let session = parts.extensions.get::<Session>().cloned();
        let session = session.ok_or_else(|| PageError::internal("a page outside of the session layer"))?;
        let browser = Preferences::of_browser(&parts.headers, state.is_https);
        let mut visitor = Self::of(session, state, browser).await?;
        if visitor.person.is_none() {
            visitor.form_cookie = FormCookie::sent(&parts.headers, state.is_https);
            visitor.csrf = visitor.form_cookie.as_ref().map(FormCookie::token);
        }
        Ok(visitor)
    }
}

/// A visitor who is signed in; others are sent to the sign-in page and come back afterwards.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) visitor: Visitor,
    pub(crate) person: Person,
}

impl Member {
    /// All texts in the person's language.
    pub(crate) fn words(&self) -> &'static Words {
        self.visitor.words()
    }

    /// Whether a page that writes makes sense: otherwise the person is led to where more can be allowed.
    pub(crate) fn may_write(&self) -> Result<(), PageError> {
        match &self.person.connection {
            Some(connection) if connection.can_write => Ok(()),
            Some(_) => Err(Explanation::from(&ToolError::MissingScope).into()),
            None => Err(PageError::Elsewhere("/connect".to_owned())),
        }
    }

    /// Who the person is at the Picard server.
    pub(crate) fn server_user_id(&self) -> Option<Uuid> {
        self.person.connection.as_ref().map(|connection| connection.server_user_id)
    }

    /// How pages speak and look to the person.
    pub(crate) fn preferences(&self) -> &Preferences {
        &self.visitor.preferences
    }
}

impl FromRequestParts<AppState> for Member {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, PageError> {
        let visitor = Visitor::from_request_parts(parts, state).await?;
        match visitor.person.clone() {
            Some(person) => Ok(Self { visitor, person }),
            None => {
                let wanted = parts.uri.path_and_query().map_or("/", |path| path.as_str());
                let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("next", wanted).finish();
                Err(PageError::Elsewhere(format!("/login?{query}")))
            }
        }
    }
}
