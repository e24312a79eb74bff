//! Figures over what people let be counted. A figure that rests on too few people never leaves the database.

use picard_domain::Error;
use picard_domain::commands::{Aggregate, MonthFigure, TagFigure};
use picard_domain::memory::{Category, QueryText, Tags};
use picard_domain::words::words_of_query;
use sqlx::FromRow;

use super::Query;
use crate::Store;
use crate::error::storage_error;

/// The most tags, and the most months, that are listed.
const MOST_FIGURES: i64 = 1_000;

/// Which memories are counted, and how many people a figure needs.
#[derive(Debug, Clone)]
pub struct Figures<'a> {
    /// Only with all of these tags.
    pub tags: &'a Tags,
    /// Only of this category.
    pub category: Option<&'a Category>,
    /// Only those in which all of these words stand.
    pub query: Option<&'a QueryText>,
    /// A figure that rests on fewer people is not given.
    pub least_people: i64,
}

#[derive(FromRow)]
struct Row {
    word: Option<String>,
    contributors: i64,
    memories: i64,
}

impl Store {
    /// Counts memories and people.
    ///
    /// # Errors
    /// As every statement.
    pub async fn aggregate(&self, figures: &Figures<'_>) -> Result<Aggregate, Error> {
        let hashes = match figures.query {
            Some(query) => {
                let open = self.open_words().await?;
                Some(words_of_query(query.as_str()).iter().map(|word| open.word(word)).collect::<Vec<i64>>())
            }
            None => None,
        };
        let all = self.count_groups("NULL::text", "", "", figures, hashes.as_deref()).await?;
        let tags = self.count_groups("t.tag", ", unnest(m.tags) AS t (tag)", "3 DESC, 1", figures, hashes.as_deref()).await?;
        let month = "to_char(m.created_at AT TIME ZONE 'UTC', 'YYYY-MM')";
        let months = self.count_groups(month, "", "1", figures, hashes.as_deref()).await?;
        let all = all.first();
        Ok(Aggregate {
            contributors: all.map(|row| row.contributors),
            memories: all.map(|row| row.memories),
            by_tag: tags
                .into_iter()
                .filter_map(|row| Some(TagFigure { tag: row.word?, contributors: row.contributors, memories: row.memories }))
                .collect(),
            by_month: months
                .into_iter()
                .filter_map(|row| Some(MonthFigure { month: row.word?, contributors: row.contributors, memories: row.memories }))
                .collect(),
        })
    }

    async fn count_groups(
        &self,
        group: &str,
        join: &str,
        order: &str,
        figures: &Figures<'_>,
        hashes: Option<&[i64]>,
    ) -> Result<Vec<Row>, Error> {
        let mut query = Query::new(format!(
            "SELECT {group} AS word, count(DISTINCT m.user_id) AS contributors, count(*) AS memories FROM memories m{join}
             WHERE m.permission IN ('aggregate', 'public') AND (m.expiration_date IS NULL OR m.expiration_date > now())"
        ));
        if !figures.tags.is_empty() {
            query.push(" AND m.tags @> ").push_bind(figures.tags.to_words());
        }
        if let Some(category) = figures.category {
            query.push(" AND m.category = ").push_bind(category.as_str().to_owned());
        }
        if let Some(hashes) = hashes {
            query.push(
                " AND EXISTS (SELECT FROM memory_words w WHERE w.user_id = m.user_id AND w.memory_id = m.id AND w.open_words && ",
            );
            query.push_bind(hashes.to_vec()).push(" AND w.open_words @> ").push_bind(hashes.to_vec()).push(")");
        }
        query.push(" GROUP BY 1 HAVING count(DISTINCT m.user_id) >= ").push_bind(figures.least_people);
        if !order.is_empty() {
            query.push(format_args!(" ORDER BY {order}"));
        }
        query.push(" LIMIT ").push_bind(MOST_FIGURES);
        query.build_query_as().fetch_all(&self.pool).await.map_err(storage_error)
    }
}
