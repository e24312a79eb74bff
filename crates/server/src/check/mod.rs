//! `picard-server check`: everything that is wrong with a configuration, said at once and before anything is started.
//! It changes nothing, and prints nothing that is secret.

mod database;
mod settings;

use crate::{Config, Environment, embedder};

/// What was found, each with what to do about it.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    problems: Vec<String>,
    warnings: Vec<String>,
}

impl Findings {
    /// Notes what keeps a server from starting, or from keeping what it is given safe.
    fn problem(&mut self, text: impl Into<String>) {
        self.problems.push(text.into());
    }

    /// Notes what works and should not stay so.
    fn warning(&mut self, text: impl Into<String>) {
        self.warnings.push(text.into());
    }

    /// Notes what is good enough for development only.
    fn weakness(&mut self, config: &Config, text: impl Into<String>) {
        match config.environment {
            Environment::Production => self.problem(text),
            Environment::Development => self.warning(text),
        }
    }

    /// Says everything; an error when there is any problem.
    fn tell(&self) -> Result<(), String> {
        for problem in &self.problems {
            println!("problem: {problem}");
        }
        for warning in &self.warnings {
            println!("warning: {warning}");
        }
        match self.problems.len() {
            0 => {
                println!("The configuration works; warnings: {}", self.warnings.len());
                Ok(())
            }
            count => Err(format!("problems: {count}, warnings: {}", self.warnings.len())),
        }
    }
}

/// Examines a configuration and prints what is wrong with it.
pub(crate) async fn check(config: &Config) -> Result<(), String> {
    let mut findings = Findings::default();
    settings::examine(config, &mut findings);
    examine_model(config, &mut findings);
    database::examine(config, &mut findings).await;
    findings.tell()
}

/// Loads the local model.
fn examine_model(config: &Config, findings: &mut Findings) {
    // What is wrong with a provider, and that there is neither, has been said among the settings.
    if config.embedding.openai_api_key.is_none()
        && config.embedding.embedding_model_dir.is_some()
        && let Err(error) = embedder(config)
    {
        findings.problem(format!("EMBEDDING_MODEL_DIR: {error}"));
    }
}
