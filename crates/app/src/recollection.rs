//! What an answer may rest on: found with the asker's rights, without repetitions, of different kinds, and not too much.

use std::collections::HashSet;

use futures_util::future::try_join_all;
use picard_domain::commands::MemoryFilter;
use picard_domain::memory::Tag;
use picard_domain::query::SearchHit;
use picard_domain::{Caller, Error, Permission, Reach, UserId};
use picard_llm::estimate;

use crate::App;
use crate::search::{Recalled, Search};

/// Below this cosine similarity, and without a common word, a memory has nothing to do with a question: with the
/// models that are used here, unrelated texts lie below 0.2 mostly, and answers to questions above 0.3.
const LEAST_SIMILARITY: f64 = 0.25;
/// Texts that have so much of their words in common say the same.
const SAME: f64 = 0.85;
/// How much it counts against a memory that it resembles those that were chosen before.
const VARIETY: f64 = 0.3;
/// How many are looked at for each that is chosen.
const CANDIDATES: usize = 4;

impl App {
    /// The memories of this person that fit the question, as far as the asker may know them: of others, what is public
    /// and has not expired; of one's own, all that has not.
    pub(crate) async fn recall(
        &self,
        asker: &Caller,
        owner: UserId,
        tags: &[Tag],
        question: &str,
        most: usize,
    ) -> Result<Vec<SearchHit>, Error> {
        let is_own = asker.user_id == owner;
        // Never what is shared with the asker: an answer is for whoever the asker shows it to.
        let reach = if is_own { Reach::Own(owner) } else { Reach::Public { reader: asker.user_id } };
        let filter = |tag: Option<&Tag>| MemoryFilter {
            user_id: Some(owner),
            permission: (!is_own).then_some(Permission::Public),
            tags: tag.map(|tag| vec![tag.clone()].try_into()).transpose().ok().flatten().unwrap_or_default(),
            ..MemoryFilter::default()
        };
        // One of the tags is enough, so each is looked for by itself.
        let filters: Vec<MemoryFilter> =
            if tags.is_empty() { vec![filter(None)] } else { tags.iter().map(|tag| filter(Some(tag))).collect() };
        let limit = (most * CANDIDATES).max(20);
        let searches = filters.iter().map(|filter| {
            let search = Search { reaches: vec![reach], filter, min_score: None, limit };
            async move { self.recalled(asker, reach, &search, question).await }
        });
        let mut found: Vec<Recalled> = try_join_all(searches).await?.into_iter().flatten().collect();
        found.retain(|found| found.has_words || found.hit.similarity.is_some_and(|similarity| similarity >= LEAST_SIMILARITY));
        let hits = found.into_iter().map(|found| found.hit).collect();
        Ok(within(varied(hits, most), self.0.llm.budget()))
    }
}

/// The best, but not the same twice, and rather something else than almost the same. Of two that say the same, the newer.
fn varied(mut hits: Vec<SearchHit>, most: usize) -> Vec<SearchHit> {
    hits.sort_by_key(|hit| std::cmp::Reverse(hit.memory.updated_at));
    let mut ids = HashSet::new();
    let mut candidates: Vec<(SearchHit, HashSet<String>)> = Vec::new();
    for hit in hits {
        let words = words(hit.memory.text.as_str());
        if ids.insert(hit.memory.id) && candidates.iter().all(|(_, others)| overlap(others, &words) < SAME) {
            candidates.push((hit, words));
        }
    }
    candidates.sort_by(|left, right| right.0.score.total_cmp(&left.0.score));
    let mut chosen: Vec<(SearchHit, HashSet<String>)> = Vec::new();
    while chosen.len() < most && !candidates.is_empty() {
        let worth = |(hit, words): &(SearchHit, HashSet<String>)| {
            let nearest = chosen.iter().map(|(_, others)| overlap(others, words)).fold(0.0, f64::max);
            hit.score - VARIETY * nearest
        };
        let best = (0..candidates.len()).max_by(|left, right| worth(&candidates[*left]).total_cmp(&worth(&candidates[*right])));
        let Some(best) = best else { break };
        chosen.push(candidates.swap_remove(best));
    }
    chosen.into_iter().map(|(hit, _)| hit).collect()
}

/// As many as fit, best first; what is too long for what is left is left out.
fn within(hits: Vec<SearchHit>, budget: usize) -> Vec<SearchHit> {
    let mut left = budget;
    let fits = |hit: &SearchHit| {
        let tokens = estimate(hit.memory.text.as_str()) + 100;
        let fits = tokens <= left;
        if fits {
            left -= tokens;
        }
        fits
    };
    hits.into_iter().filter(fits).collect()
}

fn words(text: &str) -> HashSet<String> {
    let words = text.split(|character: char| !character.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

/// What part of all words both have (Jaccard).
fn overlap(left: &HashSet<String>, right: &HashSet<String>) -> f64 {
    let common = left.intersection(right).count();
    let all = left.len() + right.len() - common;
    if all == 0 { 1.0 } else { common as f64 / all as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_common_say_how_alike_texts_are() {
        assert!((overlap(&words("Tea, hot!"), &words("hot tea")) - 1.0).abs() < 1e-9);
        assert!(overlap(&words("tea"), &words("coffee")) < 1e-9);
        assert!((overlap(&words("a b c"), &words("b c d")) - 0.5).abs() < 1e-9);
    }
}
