//! Both programs' own command lines inside this binary, and their configuration made from env files.

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

use clap::{ArgAction, Parser};

use crate::command::ProgramArguments;
use crate::problem::Problem;

/// One of the two programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// `picard-server`
    Server,
    /// `picard-web`
    Web,
}

impl Program {
    /// The name of its binary.
    pub fn name(self) -> &'static str {
        match self {
            Self::Server => "picard-server",
            Self::Web => "picard-web",
        }
    }

    /// The env file with its settings, inside the data folder.
    pub fn env_file(self) -> &'static str {
        match self {
            Self::Server => "server.env",
            Self::Web => "web.env",
        }
    }
}

/// Runs the program's own command line with the data folder's settings.
pub async fn run(program: Program, arguments: &ProgramArguments) -> ExitCode {
    let line = command_line(program, arguments);
    match program {
        Program::Server => picard_server::command::run(line).await,
        Program::Web => picard_web::command::run(line).await,
    }
}

fn command_line(program: Program, arguments: &ProgramArguments) -> Vec<OsString> {
    let mut line = vec![OsString::from(program.name())];
    let names_a_file = |argument: &OsString| argument.to_string_lossy().starts_with("--env-file");
    let env_file = arguments.data_dir.join(program.env_file());
    if env_file.is_file() && !arguments.arguments.iter().any(names_a_file) {
        line.extend([OsString::from("--env-file"), env_file.into_os_string()]);
    }
    line.extend(arguments.arguments.iter().cloned());
    line
}

/// A program's configuration from values by variable name, which win over the environment. Everything else comes
/// from the environment; a name that the program does not know is left out.
pub fn configure<C: Parser>(program: Program, values: &[(String, String)]) -> Result<C, Problem> {
    let command = C::command();
    let mut line = vec![program.name().to_owned()];
    for (name, value) in values {
        let argument = command.get_arguments().find(|argument| argument.get_env() == Some(OsStr::new(name)));
        let Some((argument, long)) = argument.and_then(|argument| Some((argument, argument.get_long()?))) else {
            continue;
        };
        match argument.get_action() {
            ArgAction::SetTrue if matches!(value.as_str(), "" | "0" | "false") => {}
            ArgAction::SetTrue => line.push(format!("--{long}")),
            _ => line.push(format!("--{long}={value}")),
        }
    }
    C::try_parse_from(line).map_err(|error| {
        // Its own words may quote a value that is a secret.
        let about = error.context().find_map(|(kind, value)| match kind {
            clap::error::ContextKind::InvalidArg => Some(format!(" ({value})")),
            _ => None,
        });
        Problem::new(format!("{} does not accept its settings{}", program.name(), about.unwrap_or_default()))
            .advice("check the variables that are set for it, and the env files in the data folder")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Parser)]
    struct Example {
        #[arg(long, env = "EXAMPLE_ADDRESS")]
        address: String,
        #[arg(long = "is-quiet", env = "EXAMPLE_QUIET")]
        quiet: bool,
    }

    #[test]
    fn values_reach_the_flag_of_their_variable() {
        let values = [("EXAMPLE_ADDRESS", "a=b c"), ("EXAMPLE_QUIET", "true"), ("UNKNOWN", "x")];
        let values = values.map(|(name, value)| (name.to_owned(), value.to_owned()));

        let example: Example = configure(Program::Server, &values).expect("accepted");

        assert_eq!(example.address, "a=b c");
        assert!(example.quiet);
    }
}
