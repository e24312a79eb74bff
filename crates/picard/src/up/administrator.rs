//! The first administrator and the registration of the web application, safe against a crash half-way.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use picard_server::{AdministratorOutcome, NewAdministrator};
use picard_web::RegisterClient;
use secrecy::SecretString;

use super::secrets::Secrets;
use crate::env_file::EnvFile;
use crate::environment::Environment;
use crate::problem::Problem;
use crate::random;

/// The administrator of a first start. The password is kept in a file of the data folder until the web
/// application is registered with it: a crash in between must not lock everyone out.
pub(super) struct Administrator {
    username: String,
    email: Option<String>,
    password: String,
    /// The password was made here and the person does not know it yet.
    is_generated: bool,
    /// An earlier start did not come to its end.
    is_resumed: bool,
    file: PathBuf,
}

impl Administrator {
    /// Takes up an unfinished first start, or prepares a new one. The password is saved at once unless the web
    /// application `is_registered` already, which means that there is an administrator.
    pub(super) fn prepare(data_dir: &Path, environment: &Environment, is_registered: bool) -> Result<Self, Problem> {
        let kept = EnvFile::load(&data_dir.join("first-start.env"))?;
        let given = environment.get("ADMIN_PASSWORD").map(str::to_owned);
        let administrator = Self {
            username: environment.get("ADMIN_USERNAME").unwrap_or("admin").to_owned(),
            email: environment.get("ADMIN_EMAIL").map(str::to_owned),
            is_generated: given.is_none(),
            password: match given.or(kept.get("ADMIN_PASSWORD")) {
                Some(password) => password,
                None => random::password()?,
            },
            is_resumed: !kept.is_empty(),
            file: kept.path().to_owned(),
        };
        if !is_registered {
            administrator.save()?;
        }
        Ok(administrator)
    }

    /// Whether an earlier start was ended before the person was told the password.
    pub(super) fn is_resumed(&self) -> bool {
        self.is_resumed
    }

    /// The administrator's name.
    pub(super) fn username(&self) -> &str {
        &self.username
    }

    /// Creates the administrator unless there is one, and registers the web application unless it is registered.
    /// Answers the password when it was made here and the person must be told.
    pub(super) async fn settle(
        &self,
        config: &picard_server::Config,
        secrets: &mut Secrets,
        environment: &Environment,
    ) -> Result<Option<String>, Problem> {
        let outcome = picard_server::create_admin(config, self.new_administrator()).await;
        let outcome = outcome.map_err(|error| Problem::from_error("create the administrator", &error))?;
        let is_new = matches!(outcome, AdministratorOutcome::Created);
        if is_new && secrets.is_registered() {
            // A database without an administrator cannot know a client that an earlier database knew.
            self.save()?;
            secrets.forget_client()?;
        }
        let is_given = environment.has("CLIENT_ID") && environment.has("CLIENT_SECRET");
        if !is_given && !secrets.is_registered() {
            self.register(secrets, is_new).await?;
        }
        let tell = self.is_generated && (is_new || self.is_resumed);
        Ok(tell.then(|| self.password.clone()))
    }

    fn save(&self) -> Result<(), Problem> {
        let mut file = EnvFile::load(&self.file)?;
        file.comment_if_new("The administrator of a first start that is not finished; removed when it is.");
        if self.is_generated {
            file.set("ADMIN_PASSWORD", &self.password);
        }
        file.save()
    }

    /// Ends the first start: from here on the password is the person's to keep.
    pub(super) fn finish(&self) -> Result<(), Problem> {
        match fs::remove_file(&self.file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Problem::file("remove", &self.file, &error)),
            _ => Ok(()),
        }
    }

    fn new_administrator(&self) -> NewAdministrator {
        NewAdministrator {
            username: self.username.clone(),
            email: self.email.clone(),
            password: SecretString::from(self.password.clone()),
        }
    }

    async fn register(&self, secrets: &mut Secrets, is_new: bool) -> Result<(), Problem> {
        let knows_password = is_new || self.is_resumed || !self.is_generated;
        if !knows_password {
            self.finish()?;
            return Err(Problem::new(format!(
                "the web application is not registered at the server, which has an administrator {} already",
                self.username
            ))
            .advice("start once more with that administrator's password in ADMIN_PASSWORD"));
        }
        let url = |name: &str| secrets.web.get(name).unwrap_or_default();
        let request = RegisterClient {
            server_url: url("SERVER_URL"),
            admin_username: self.username.clone(),
            admin_password: SecretString::from(self.password.clone()),
            web_public_url: url("WEB_PUBLIC_URL"),
            env_file: Some(secrets.web.path().to_owned()),
        };
        let registered = picard_web::register_client(request).await;
        registered.map_err(|error| Problem::from_error("register the web application at the server", &error))?;
        secrets.web = EnvFile::load(secrets.web.path())?;
        Ok(())
    }
}
