//! A person's memories in figures, with charts that are drawn here.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use crate::error::PageError;
use crate::frame::{Frame, Section, page};
use crate::server_client::{Call, Figures};
use crate::state::AppState;
use crate::tokens;
use crate::visitor::Member;

/// Width and height of a chart in its own units.
const WIDTH: i64 = 600;
const HEIGHT: i64 = 160;

/// There is room for so many months at least, so that a single one is no wall.
const A_YEAR: usize = 12;

/// A column of a chart.
struct Column {
    x: i64,
    y: i64,
    width: i64,
    height: i64,
}

/// Something that was counted, with the memories that were.
struct Row {
    name: String,
    count: i64,
    href: Option<String>,
}

#[derive(Template)]
#[template(path = "analytics.html")]
struct FiguresPage {
    frame: Frame,
    figures: Figures,
    columns: Vec<Column>,
    months: Vec<Row>,
    tags: Vec<Row>,
    categories: Vec<Row>,
}

/// `GET /analytics`
pub(crate) async fn show(State(state): State<AppState>, member: Member) -> Result<Response, PageError> {
    let figures: Figures = tokens::call(&state, &member.person, &Call::get("/api/users/me/analytics", &[])).await?;
    // The server names the latest month first; people read from left to right.
    let months: Vec<Row> = figures
        .months
        .iter()
        .rev()
        .map(|month| Row { name: member.words().month(&month.month), count: month.count, href: None })
        .collect();
    let link = |name: &str, value: &str| {
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish();
        Some(format!("/memories?{query}"))
    };
    let tags = figures.tags.iter();
    let tags = tags.map(|tag| Row { name: tag.tag.clone(), count: tag.count, href: link("tag", &tag.tag) }).collect();
    let categories = figures.categories.iter().map(|category| Row {
        name: category.category.clone(),
        count: category.count,
        href: link("category", &category.category),
    });
    let categories = categories.collect();
    let frame = Frame::new(&member.visitor, member.words().figure.analytics, Section::Analytics);
    let columns = columns(&months);
    Ok(page(StatusCode::OK, &FiguresPage { frame, figures, columns, months, tags, categories }))
}

/// Columns side by side, the highest as high as the chart. Whatever is not nothing can be seen.
fn columns(rows: &[Row]) -> Vec<Column> {
    let highest = rows.iter().map(|row| row.count).max().unwrap_or_default().max(1);
    let slot = WIDTH / i64::try_from(rows.len().max(A_YEAR)).unwrap_or(1);
    let column = |(index, row): (i64, &Row)| {
        let height = (row.count.max(0) * HEIGHT / highest).max(i64::from(row.count > 0) * 2);
        Column { x: index * slot + slot / 8, y: HEIGHT - height, width: slot * 3 / 4, height }
    };
    (0..).zip(rows).map(column).collect()
}

#[cfg(test)]
mod tests {
    use super::{HEIGHT, Row, WIDTH, columns};

    #[test]
    fn columns_fit_into_the_chart_and_show_every_month() {
        let row = |count| Row { name: String::new(), count, href: None };

        let columns = columns(&[row(0), row(1), row(1_000_000)]);

        assert_eq!((columns[0].height, columns[1].height, columns[2].height), (0, 2, HEIGHT));
        assert!(columns.iter().all(|column| column.x + column.width <= WIDTH && column.y + column.height == HEIGHT));
        assert!(super::columns(&[]).is_empty());
        assert!(super::columns(&[row(1)])[0].width < WIDTH / 12);
    }
}
