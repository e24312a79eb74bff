//! PostgreSQL's own load tool: what the database does without anything around it.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::ground::Ground;
use super::server::Embedding;
use crate::problem::Problem;

/// Scripts that PostgreSQL's clients run by turns.
pub(super) struct PgBench {
    program: PathBuf,
    url: String,
    scripts: Vec<PathBuf>,
}

impl PgBench {
    /// Writes each statement into a file, which is then prepared once a connection.
    pub(super) fn new(ground: &Ground, embedding: Embedding, name: &str, statements: &[String]) -> Result<Self, Problem> {
        let program = ground.program("pgbench");
        if !program.is_file() {
            return Err(Problem::new(format!("the bench needs pgbench, which is not in {}", program.display()))
                .advice("install PostgreSQL's contrib programs, or unset PICARD_POSTGRES_DIR"));
        }
        let folder = ground.folder.join("pgbench");
        fs::create_dir_all(&folder).map_err(|error| Problem::file("make", &folder, &error))?;
        let write = |(number, statement): (usize, &String)| {
            let file = folder.join(format!("{name}-{number}.sql"));
            fs::write(&file, format!("{statement};\n")).map_err(|error| Problem::file("write", &file, &error))?;
            Ok(file)
        };
        let scripts = statements.iter().enumerate().map(write).collect::<Result<_, Problem>>()?;
        Ok(Self { program, url: ground.database_url(embedding), scripts })
    }

    /// So many clients for so long: statements a second.
    pub(super) async fn rate(&self, clients: usize, time: Duration) -> Result<f64, Problem> {
        let mut command = Command::new(&self.program);
        command.args(["--no-vacuum", "--protocol=prepared", "--jobs=2"]);
        command.args([format!("--client={clients}"), format!("--time={}", time.as_secs().max(1))]);
        for script in &self.scripts {
            command.arg("--file").arg(script);
        }
        command.arg(&self.url).stdin(Stdio::null()).kill_on_drop(true);
        let output = command.output().await.map_err(|error| Problem::from_error("run pgbench", &error))?;
        let said = String::from_utf8_lossy(&output.stdout);
        match statements_a_second(&said) {
            Some(rate) if output.status.success() => Ok(rate),
            _ => {
                let why = String::from_utf8_lossy(&output.stderr);
                Err(Problem::new(format!("pgbench failed: {}", why.lines().last().unwrap_or("it says nothing"))))
            }
        }
    }
}

fn statements_a_second(said: &str) -> Option<f64> {
    let line = said.lines().find_map(|line| line.trim().strip_prefix("tps = "))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_read_as_pgbench_prints_it() {
        let said = "latency average = 1.2 ms\ninitial connection time = 3.1 ms\ntps = 841.25 (without initial connection time)\n";

        assert_eq!(statements_a_second(said), Some(841.25));
        assert_eq!(statements_a_second("pgbench: error"), None);
    }
}
