//! Taking memories out, page by page, so that any number of them fits.

use futures_util::Stream;
use futures_util::stream::try_unfold;
use picard_domain::commands::MemoryFilter;
use picard_domain::page::{ExpirationStatus, Order, Position, Sort};
use picard_domain::{Caller, Error, Memory, Reach, Scope};
use picard_storage::memories::PageRequest;
use serde_json::json;

use crate::App;
use crate::import::is_formula;
use crate::patience::{LONGEST_CALL, within};

/// How many memories are read at once.
const PAGE: u32 = 200;

/// What an export looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// One JSON object a line: the complete memory.
    Ndjson,
    /// Comma-separated values with a header, safe to open in a spreadsheet.
    Csv,
    /// For people to read.
    Markdown,
}

enum State {
    Header,
    /// Where the next page begins.
    Page(Option<Position>, Columns),
    End,
}

impl App {
    /// Everything that the caller owns, expired memories too, the earliest first, in pieces of text. The stream ends with
    /// an error when the database goes away.
    ///
    /// # Errors
    /// [`Error::InsufficientScope`] without `memories:read`.
    pub fn export_memories(
        &self,
        caller: &Caller,
        format: ExportFormat,
    ) -> Result<impl Stream<Item = Result<String, Error>> + Send + use<>, Error> {
        caller.require(Scope::Read)?;
        self.note_transfer(caller, "memories_exported", json!({ "format": format.as_str() }));
        let (app, owner) = (self.clone(), caller.user_id);
        let filter = MemoryFilter { expiration_status: ExpirationStatus::All, ..MemoryFilter::default() };
        Ok(try_unfold((app, filter, State::Header), move |(app, filter, state)| {
            Box::pin(async move {
                let (after, columns) = match state {
                    State::Header => {
                        let is_csv = format == ExportFormat::Csv;
                        let columns =
                            Columns { has_shares: is_csv && within(LONGEST_CALL, app.0.store.has_shares(owner)).await? };
                        return Ok(Some((columns.header(format), (app, filter, State::Page(None, columns)))));
                    }
                    State::Page(after, columns) => (after, columns),
                    State::End => return Ok(None),
                };
                let request = PageRequest { sort: Sort::CreatedAt, order: Order::Asc, after, limit: PAGE };
                let page = within(LONGEST_CALL, app.0.store.memories(Reach::Own(owner), &filter, request)).await?;
                let mut text = String::new();
                for memory in &page.memories {
                    columns.write(&mut text, format, memory)?;
                }
                let next = page.next.map_or(State::End, |next| State::Page(Some(next), columns));
                Ok::<_, Error>(Some((text, (app, filter, next))))
            })
        }))
    }
}

impl ExportFormat {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
            Self::Markdown => "markdown",
        }
    }
}

/// With whom memories are shared is a column of its own, for people who shared any.
#[derive(Debug, Clone, Copy)]
struct Columns {
    has_shares: bool,
}

impl Columns {
    fn header(self, format: ExportFormat) -> String {
        match format {
            ExportFormat::Ndjson => String::new(),
            ExportFormat::Csv => {
                let shared_with = if self.has_shares { ",shared_with" } else { "" };
                format!("id,text,permission,tags,category,expiration_date,created_at{shared_with}\r\n")
            }
            ExportFormat::Markdown => "# Memories\n".to_owned(),
        }
    }

    fn write(self, text: &mut String, format: ExportFormat, memory: &Memory) -> Result<(), Error> {
        match format {
            ExportFormat::Ndjson => {
                *text += &serde_json::to_string(memory).map_err(Error::internal)?;
                text.push('\n');
            }
            ExportFormat::Csv => *text += &csv_row(memory, self.has_shares)?,
            ExportFormat::Markdown => *text += &markdown(memory),
        }
        Ok(())
    }
}

fn csv_row(memory: &Memory, has_shares: bool) -> Result<String, Error> {
    let time = |moment: Option<picard_domain::Timestamp>| moment.map(|moment| moment.to_string()).unwrap_or_default();
    let shared_with = match &memory.shared_with {
        Some(list) if !(list.users.is_empty() && list.groups.is_empty()) => {
            serde_json::to_string(list).map_err(Error::internal)?
        }
        _ => String::new(),
    };
    let mut cells = vec![
        memory.id.to_string(),
        memory.text.clone(),
        memory.permission.as_str().to_owned(),
        serde_json::to_string(&memory.tags).map_err(Error::internal)?,
        memory.category.clone().unwrap_or_default(),
        time(memory.expiration_date),
        time(Some(memory.created_at)),
    ];
    if has_shares {
        cells.push(shared_with);
    }
    let escaped = cells.into_iter().map(|cell| if is_formula(&cell) { format!("'{cell}") } else { cell });
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(escaped.map(String::into_bytes)).map_err(Error::internal)?;
    let bytes = writer.into_inner().map_err(|error| Error::internal(error.into_error()))?;
    String::from_utf8(bytes).map_err(Error::internal)
}

fn markdown(memory: &Memory) -> String {
    let mut facts = vec![memory.permission.as_str().to_owned()];
    facts.extend(memory.category.clone());
    facts.extend(memory.tags.iter().map(|tag| format!("#{tag}")));
    facts.extend(memory.expiration_date.map(|moment| format!("expires {moment}")));
    format!("\n## {}\n\n{}\n\n*{}*\n", memory.created_at, memory.text, facts.join(" · "))
}
