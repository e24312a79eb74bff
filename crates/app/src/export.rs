//! Taking memories out, page by page, so that any number of them fits.

use futures_util::Stream;
use futures_util::stream::try_unfold;
use picard_domain::commands::MemoryFilter;
use picard_domain::page::{ExpirationStatus, Order, Position, Sort};
use picard_domain::{Caller, Error, Memory, Reach, Scope};
use picard_storage::memories::PageRequest;

use crate::App;
use crate::import::is_formula;

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
    Page(Option<Position>),
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
        let (app, owner) = (self.clone(), caller.user_id);
        let filter = MemoryFilter { expiration_status: ExpirationStatus::All, ..MemoryFilter::default() };
        Ok(try_unfold((app, filter, State::Header), move |(app, filter, state)| {
            Box::pin(async move {
                let after = match state {
                    State::Header => return Ok(Some((header(format).to_owned(), (app, filter, State::Page(None))))),
                    State::Page(after) => after,
                    State::End => return Ok(None),
                };
                let request = PageRequest { sort: Sort::CreatedAt, order: Order::Asc, after, limit: PAGE };
                let page = app.0.store.memories(Reach::Own(owner), &filter, request).await?;
                let mut text = String::new();
                for memory in &page.memories {
                    write(&mut text, format, memory)?;
                }
                let next = page.next.map_or(State::End, |next| State::Page(Some(next)));
                Ok::<_, Error>(Some((text, (app, filter, next))))
            })
        }))
    }
}

fn header(format: ExportFormat) -> &'static str {
    match format {
        ExportFormat::Ndjson => "",
        ExportFormat::Csv => "id,text,permission,tags,category,expiration_date,created_at,shared_with\r\n",
        ExportFormat::Markdown => "# Memories\n",
    }
}

fn write(text: &mut String, format: ExportFormat, memory: &Memory) -> Result<(), Error> {
    match format {
        ExportFormat::Ndjson => {
            *text += &serde_json::to_string(memory).map_err(Error::internal)?;
            text.push('\n');
        }
        ExportFormat::Csv => *text += &csv_row(memory)?,
        ExportFormat::Markdown => *text += &markdown(memory),
    }
    Ok(())
}

fn csv_row(memory: &Memory) -> Result<String, Error> {
    let time = |moment: Option<picard_domain::Timestamp>| moment.map(|moment| moment.to_string()).unwrap_or_default();
    let shared_with = match &memory.shared_with {
        Some(list) if !(list.users.is_empty() && list.groups.is_empty()) => {
            serde_json::to_string(list).map_err(Error::internal)?
        }
        _ => String::new(),
    };
    let cells = [
        memory.id.to_string(),
        memory.text.clone(),
        memory.permission.as_str().to_owned(),
        serde_json::to_string(&memory.tags).map_err(Error::internal)?,
        memory.category.clone().unwrap_or_default(),
        time(memory.expiration_date),
        time(Some(memory.created_at)),
        shared_with,
    ];
    let escaped = cells.map(|cell| if is_formula(&cell) { format!("'{cell}") } else { cell });
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(&escaped).map_err(Error::internal)?;
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
