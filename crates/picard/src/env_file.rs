//! Files of `NAME=value` lines: kept in order with their comments, read by both programs' `--env-file`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::files;
use crate::problem::Problem;

/// An env file in memory; nothing is written before [`EnvFile::save`].
#[derive(Clone)]
pub struct EnvFile {
    path: PathBuf,
    lines: Vec<String>,
}

impl EnvFile {
    /// Reads the file; a missing one is empty.
    pub fn load(path: &Path) -> Result<Self, Problem> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(Problem::file("read", path, &error)),
        };
        Ok(Self { path: path.to_owned(), lines: text.lines().map(str::to_owned).collect() })
    }

    /// Where it is kept.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it holds nothing at all.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The value of a variable, or nothing when it is missing or empty.
    pub fn get(&self, name: &str) -> Option<String> {
        self.values().into_iter().rfind(|(found, value)| found == name && !value.is_empty()).map(|(_, value)| value)
    }

    /// Every variable with its value, in the order of the file.
    pub fn values(&self) -> Vec<(String, String)> {
        self.lines.iter().filter_map(|line| parse(line)).collect()
    }

    /// Sets a variable in its place, or at the end when it is new.
    pub fn set(&mut self, name: &str, value: &str) {
        let line = format!("{name}={}", quote(value));
        match self.lines.iter_mut().find(|line| name_of(line) == Some(name)) {
            Some(found) => *found = line,
            None => self.lines.push(line),
        }
    }

    /// Removes a variable.
    pub fn remove(&mut self, name: &str) {
        self.lines.retain(|line| name_of(line) != Some(name));
    }

    /// Adds a comment at the end of a file that has nothing yet.
    pub fn comment_if_new(&mut self, comment: &str) {
        if self.lines.is_empty() {
            self.lines.extend(comment.lines().map(|line| format!("# {line}")));
        }
    }

    /// Writes the file at once with mode 0600.
    pub fn save(&self) -> Result<(), Problem> {
        let mut text = self.lines.join("\n");
        text.push('\n');
        files::write_private(&self.path, &text)
    }
}

fn name_of(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let (name, _) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
    let name = name.trim();
    let is_name = name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_');
    (is_name && !name.is_empty()).then_some(name)
}

fn parse(line: &str) -> Option<(String, String)> {
    let name = name_of(line)?;
    let (_, value) = line.split_once('=')?;
    Some((name.to_owned(), unquote(value.trim())))
}

/// Quotes what a reader of env files would not take literally.
fn quote(value: &str) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "_-.,:/@+=%?&".contains(character);
    if value.chars().all(is_plain) {
        return value.to_owned();
    }
    if !value.contains('\'') {
        return format!("'{value}'");
    }
    let mut quoted = String::from('"');
    for character in value.chars() {
        if matches!(character, '"' | '\\' | '$') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted.push('"');
    quoted
}

fn unquote(value: &str) -> String {
    if let Some(inner) = value.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        return inner.to_owned();
    }
    if let Some(inner) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        return unescape(inner);
    }
    value.split(" #").next().unwrap_or_default().trim_end().to_owned()
}

fn unescape(inner: &str) -> String {
    let mut value = String::new();
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => value.extend(characters.next()),
            other => value.push(other),
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_value_comes_back_as_it_was_set() {
        for value in ["plain", "with space", "a$b", "a'b", "it's \"q\" $HOME \\ #x", "a#b", ""] {
            assert_eq!(unquote(&quote(value)), value);
        }
    }

    #[test]
    fn comments_and_foreign_lines_stay_where_they_are() {
        let lines = ["# mine", "A=1", "export B='two words'", "OPENAI_API_KEY=x # a note"];
        let lines = lines.map(str::to_owned).to_vec();
        let mut file = EnvFile { path: PathBuf::new(), lines };

        file.set("A", "2");
        file.set("C", "3");
        file.remove("B");

        assert_eq!(file.lines, ["# mine", "A=2", "OPENAI_API_KEY=x # a note", "C=3"]);
        assert_eq!(file.get("OPENAI_API_KEY").as_deref(), Some("x"));
    }
}
