//! Keys and settings of both programs, kept in the data folder in `server.env` and `web.env`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use url::Url;

use super::addresses::local_url;
use crate::env_file::EnvFile;
use crate::environment::Environment;
use crate::problem::Problem;
use crate::program::Program;
use crate::random;

/// Both env files.
pub(super) struct Secrets {
    pub(super) server: EnvFile,
    pub(super) web: EnvFile,
}

/// What is known about this start and written into the env files.
pub(super) struct Known {
    pub(super) server_database_url: String,
    pub(super) web_database_url: String,
    /// The database was there before this start, as far as can be known.
    pub(super) had_database: bool,
    /// The PostgreSQL is ours: its port may change from start to start.
    pub(super) is_private: bool,
    pub(super) model_dir: Option<PathBuf>,
    pub(super) server_address: SocketAddr,
    pub(super) web_address: SocketAddr,
}

impl Secrets {
    /// Reads both files and makes the keys that are missing. They are saved before there is a database, so that no
    /// start leaves data behind whose key is lost. `has_data` says that there is a database already.
    pub(super) fn load(data_dir: &Path, environment: &Environment, has_data: bool) -> Result<Self, Problem> {
        let server = EnvFile::load(&data_dir.join(Program::Server.env_file()))?;
        let web = EnvFile::load(&data_dir.join(Program::Web.env_file()))?;
        let mut secrets = Self { server, web };
        for (file, name) in [(&mut secrets.server, "ENCRYPTION_KEYS"), (&mut secrets.web, "WEB_ENCRYPTION_KEYS")] {
            ensure_key(file, name, environment, has_data)?;
        }
        Ok(secrets)
    }

    /// Writes what is known into the files. What the person set in the environment wins.
    /// Answers whether an earlier start has settled everything with the same database.
    pub(super) fn complete(&mut self, known: &Known, environment: &Environment) -> Result<bool, Problem> {
        let is_settled = known.had_database && self.is_registered() && self.is_same_database(known);
        let given = |name: &str, otherwise: String| environment.get(name).map_or(otherwise, str::to_owned);
        let server_url = local_url(known.server_address);
        self.server.set("DATABASE_URL", &known.server_database_url);
        self.server.set("SERVER_ADDR", &known.server_address.to_string());
        self.server.set("PUBLIC_URL", &given("PUBLIC_URL", server_url.clone()));
        match &known.model_dir {
            Some(folder) => self.server.set("EMBEDDING_MODEL_DIR", &folder.to_string_lossy()),
            None => self.server.remove("EMBEDDING_MODEL_DIR"),
        }
        self.server.save()?;
        self.web.set("WEB_DATABASE_URL", &known.web_database_url);
        self.web.set("WEB_ADDR", &known.web_address.to_string());
        self.web.set("WEB_PUBLIC_URL", &given("WEB_PUBLIC_URL", local_url(known.web_address)));
        self.web.set("SERVER_URL", &given("SERVER_URL", server_url));
        self.web.save()?;
        Ok(is_settled)
    }

    fn is_same_database(&self, known: &Known) -> bool {
        let place = |url: &str| {
            let mut url = Url::parse(url).ok()?;
            if known.is_private {
                url.set_port(None).ok()?;
            }
            Some(url)
        };
        let before = self.server.get("DATABASE_URL").and_then(|url| place(&url));
        before.is_some() && before == place(&known.server_database_url)
    }

    /// Whether the web application has credentials for the server.
    pub(super) fn is_registered(&self) -> bool {
        self.web.get("CLIENT_ID").is_some() && self.web.get("CLIENT_SECRET").is_some()
    }

    /// Removes the web application's credentials.
    pub(super) fn forget_client(&mut self) -> Result<(), Problem> {
        self.web.remove("CLIENT_ID");
        self.web.remove("CLIENT_SECRET");
        self.web.save()
    }

    /// The variables that [`Secrets::complete`] has decided, the environment included: a flag may have overruled it.
    pub(super) fn is_decided(name: &str) -> bool {
        let decided = ["DATABASE_URL", "SERVER_ADDR", "PUBLIC_URL", "EMBEDDING_MODEL_DIR"];
        let decided_web = ["WEB_DATABASE_URL", "WEB_ADDR", "WEB_PUBLIC_URL", "SERVER_URL"];
        decided.contains(&name) || decided_web.contains(&name)
    }
}

fn ensure_key(file: &mut EnvFile, name: &str, environment: &Environment, has_data: bool) -> Result<(), Problem> {
    if environment.has(name) || file.get(name).is_some() {
        return Ok(());
    }
    if has_data {
        return Err(Problem::new(format!(
            "{name} is missing from {}, and there is a database that was encrypted with it",
            file.path().display()
        ))
        .advice("restore the file from a backup; or, to begin anew and lose all memories, remove the whole data folder"));
    }
    file.comment_if_new(
        "Written by `picard up`. Lines that you add stay. Keep the keys safe: without them the data cannot be read.",
    );
    file.set(name, &random::fernet_key()?);
    file.save()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_key_is_never_replaced_while_there_is_data() {
        let folder = tempfile::tempdir().expect("a folder");

        let first = Secrets::load(folder.path(), &Environment::default(), false).expect("keys are made");
        std::fs::remove_file(folder.path().join("server.env")).expect("it was written");
        let second = Secrets::load(folder.path(), &Environment::default(), true);

        assert!(first.server.get("ENCRYPTION_KEYS").is_some_and(|key| key.len() == 44));
        assert!(second.is_err_and(|problem| problem.what().contains("ENCRYPTION_KEYS is missing")));
    }
}
