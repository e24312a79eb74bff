//! From a stream to memories, whatever the format. Blocking: it runs on a thread of its own.

use std::io::{self, BufRead, BufReader, Read};

use picard_domain::Error;
use serde_json::{Map, Value};

use super::foreign;
use super::items::{JsonItems, Lines};
use super::row::ImportMemory;
use crate::json;

/// What an import looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportFormat {
    /// One JSON object a line.
    Ndjson,
    /// A JSON array, an object that holds one, or objects that follow each other.
    Json,
    /// Comma-separated values (RFC 4180) with a header.
    Csv,
}

/// Calls back for every memory with the number of the row that it comes from, counted from 1. It stops when the callback
/// does not want more.
///
/// # Errors
/// When the stream breaks.
pub(crate) fn read(
    format: ImportFormat,
    source: impl Read,
    mut found: impl FnMut(u64, Result<ImportMemory, Error>) -> bool,
) -> io::Result<()> {
    let mut source = BufReader::with_capacity(64 << 10, source);
    // A byte order mark is no part of the first row.
    if source.fill_buf()?.starts_with(b"\xef\xbb\xbf") {
        source.consume(3);
    }
    match format {
        ImportFormat::Csv => read_csv(source, found),
        ImportFormat::Json => {
            let mut items = JsonItems::new(source);
            let mut number = 0;
            while let Some(item) = items.next_item()? {
                number += 1;
                if !read_value(number, item, &mut found) {
                    break;
                }
            }
            Ok(())
        }
        ImportFormat::Ndjson => {
            let mut lines = Lines::new(source);
            let mut number = 0;
            while let Some(line) = lines.next_line()? {
                number += 1;
                let is_empty = line.as_ref().is_ok_and(|line| line.trim_ascii().is_empty());
                if !is_empty && !read_value(number, line, &mut found) {
                    break;
                }
            }
            Ok(())
        }
    }
}

fn read_value(
    number: u64,
    text: Result<Vec<u8>, &'static str>,
    found: &mut impl FnMut(u64, Result<ImportMemory, Error>) -> bool,
) -> bool {
    let value = text.map_err(|wrong| Error::invalid("", wrong));
    let value = value.and_then(|text| json::parse(&text).map_err(|error| Error::invalid("", format!("is no JSON: {error}"))));
    match value {
        Ok(value) => foreign::memories(value).into_iter().all(|memory| found(number, memory)),
        Err(error) => found(number, Err(error)),
    }
}

/// The columns are found by their names; others are ignored.
fn read_csv(source: impl Read, mut found: impl FnMut(u64, Result<ImportMemory, Error>) -> bool) -> io::Result<()> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(source);
    let header: Vec<String> = match reader.headers() {
        Ok(header) => header.iter().map(|name| name.trim().to_lowercase()).collect(),
        Err(error) => return broken(error, 1, &mut found),
    };
    if !header.iter().any(|name| name == "text") && !header.is_empty() {
        found(1, Err(Error::invalid("text", "is missing: the first line must name the columns, one of them text")));
        return Ok(());
    }
    if let Some(twice) = header.iter().enumerate().find_map(|(place, name)| header[..place].contains(name).then_some(name)) {
        found(1, Err(Error::invalid(twice.as_str(), "is the name of two columns")));
        return Ok(());
    }
    let mut record = csv::StringRecord::new();
    let mut number = 1;
    loop {
        number += 1;
        match reader.read_record(&mut record) {
            Ok(false) => return Ok(()),
            Ok(true) => {
                if !found(number, csv_memory(&header, &record)) {
                    return Ok(());
                }
            }
            Err(error) if matches!(error.kind(), csv::ErrorKind::Io(_)) => return broken(error, number, &mut found),
            Err(error) => {
                if !found(number, Err(Error::invalid("", format!("is no CSV: {error}")))) {
                    return Ok(());
                }
            }
        }
    }
}

fn broken(error: csv::Error, number: u64, found: &mut impl FnMut(u64, Result<ImportMemory, Error>) -> bool) -> io::Result<()> {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => Err(error),
        other => {
            found(number, Err(Error::invalid("", format!("is no CSV: {other:?}"))));
            Ok(())
        }
    }
}

fn csv_memory(header: &[String], record: &csv::StringRecord) -> Result<ImportMemory, Error> {
    // A comma in a text without quotes would cut the text off here, and nobody would know.
    if record.iter().skip(header.len()).any(|cell| !cell.is_empty()) {
        return Err(Error::invalid("", format!("has {} cells, but the first line names {} columns", record.len(), header.len())));
    }
    let mut members = Map::new();
    for (name, cell) in header.iter().zip(record) {
        let cell = unescaped(cell);
        match name.as_str() {
            "tags" if !cell.is_empty() => {
                let tags = serde_json::from_str(cell).ok().filter(Value::is_array);
                members.insert(name.clone(), tags.ok_or_else(|| Error::invalid("tags", "must be a JSON array of texts"))?);
            }
            "shared_with" if !cell.is_empty() => {
                let list = serde_json::from_str(cell).ok().filter(Value::is_object);
                members.insert(name.clone(), list.ok_or_else(|| Error::invalid("shared_with", "must be a JSON object"))?);
            }
            // An empty cell says nothing, except that a text is missing.
            _ if cell.is_empty() && name != "text" => {}
            _ => {
                members.insert(name.clone(), cell.into());
            }
        }
    }
    crate::arguments::parse(Value::Object(members))
}

/// Whether a spreadsheet would take a cell for a formula, or for one that was kept from being one.
pub(crate) fn is_formula(cell: &str) -> bool {
    cell.trim_start_matches('\'').starts_with(['=', '+', '-', '@'])
}

/// Takes the apostrophe away that keeps spreadsheets from calculating.
fn unescaped(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(rest) if is_formula(rest) => rest,
        _ => cell,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(format: ImportFormat, text: &str) -> Vec<(u64, Result<String, String>)> {
        let mut rows = Vec::new();
        let keep = |number, row: Result<ImportMemory, Error>| {
            rows.push((number, row.map(|row| row.text.into()).map_err(|error| error.to_string())));
            true
        };
        read(format, text.as_bytes(), keep).expect("a stream");
        rows
    }

    #[test]
    fn rows_keep_their_numbers_and_wrong_ones_are_named() {
        let rows = all(ImportFormat::Ndjson, "\u{feff}{\"text\": \"a\"}\n\n{\"text\": 1}\nno JSON\n{\"text\": \"b\"}");
        assert_eq!(rows[0], (1, Ok("a".to_owned())));
        assert!(rows[1].0 == 3 && rows[1].1.as_ref().is_err_and(|error| error.starts_with("text:")), "{rows:?}");
        assert!(rows[2].0 == 4 && rows[2].1.is_err());
        assert_eq!(rows[3], (5, Ok("b".to_owned())));
    }

    #[test]
    fn csv_is_read_by_its_header() {
        let text =
            "category,text,tags,color\n,\"a \"\"quoted\"\",\nline\",\"[\"\"x\"\"]\",red\nc,'=1+1,,\n,,,\n,b,no,\n,''@x,,\n";
        let rows = all(ImportFormat::Csv, text);
        let texts: Vec<_> = rows.iter().map(|(number, row)| (*number, row.as_deref().unwrap_or("wrong"))).collect();
        assert_eq!(texts, [(2, "a \"quoted\",\nline"), (3, "=1+1"), (4, "wrong"), (5, "wrong"), (6, "'@x")]);
        assert!(all(ImportFormat::Csv, "text,Text\na,b\n")[0].1.as_ref().is_err_and(|error| error.contains("two columns")));
        assert!(all(ImportFormat::Csv, "text\na, and b\n")[0].1.as_ref().is_err_and(|error| error.contains("2 cells")));
        assert!(all(ImportFormat::Csv, "a,b\n1,2\n")[0].1.as_ref().is_err_and(|error| error.contains("columns")));
    }
}
