//! What a match is worth: BM25 for words, and both kinds of search in one order.

/// How soon more of the same word counts for less (Anserini's defaults, as are the next).
const K1: f64 = 0.9;
/// How much a long text is held against it.
const B: f64 = 0.4;
/// What meaning counts beside words. Measured on LoCoMo.
const MEANING: f64 = 0.6;

/// How often each of the words that are looked for stands in a text, and how many words it has.
#[derive(Debug, Clone, Copy)]
pub struct Occurrences<'a> {
    /// One number a word.
    pub counts: &'a [i16],
    /// The text's length in words.
    pub length: i32,
}

/// Scores texts by BM25 (Robertson and Zaragoza 2009, with Lucene's inverse document frequency) as the share of what a
/// text could reach at most: from 0 to 1, in the order and the proportions of plain BM25.
///
/// `texts` are all of the `documents` in which at least one of the words stands; `total_length` is the length of all
/// documents together.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "no number of texts or words comes near 2^52")]
pub fn bm25(documents: i64, total_length: i64, texts: &[Occurrences<'_>]) -> Vec<f64> {
    let words = texts.first().map_or(0, |text| text.counts.len());
    // Texts may have come while the two were counted.
    let documents = (documents as f64).max(texts.len() as f64);
    let weights: Vec<f64> = (0..words)
        .map(|word| {
            let frequency = texts.iter().filter(|text| text.counts[word] > 0).count() as f64;
            // A word that stands nowhere could not have added anything.
            if frequency == 0.0 { 0.0 } else { ((documents - frequency + 0.5) / (frequency + 0.5)).ln_1p() }
        })
        .collect();
    let most: f64 = weights.iter().sum::<f64>() * (K1 + 1.0);
    let mean_length = (total_length as f64 / documents.max(1.0)).max(1.0);
    let score = |text: &Occurrences<'_>| {
        let norm = K1 * (1.0 - B + B * f64::from(text.length) / mean_length);
        let worth = |(weight, count): (&f64, &i16)| {
            let count = f64::from(*count);
            weight * count * (K1 + 1.0) / (count + norm)
        };
        let sum: f64 = weights.iter().zip(text.counts).map(worth).sum();
        if most > 0.0 { (sum / most).clamp(0.0, 1.0) } else { 0.0 }
    };
    texts.iter().map(score).collect()
}

/// One score for meaning and words.
///
/// The order is that of the weighted sum of both, each brought to the range from 0 to 1 over the best candidates of
/// either search: models differ in how far apart their similarities lie. How sure the best candidate is, by itself,
/// scales all scores of one search alike, so that a poor best match does not look like a good one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fusion {
    least: f64,
    most: f64,
    best_words: f64,
    confidence: f64,
}

impl Fusion {
    /// Takes the best candidates: each its cosine similarity, if it has an embedding, and its BM25 score.
    #[must_use]
    pub fn over(candidates: &[(Option<f64>, f64)]) -> Self {
        let similarities = || candidates.iter().filter_map(|(similarity, _)| *similarity);
        let least = similarities().fold(f64::INFINITY, f64::min);
        let most = similarities().fold(f64::NEG_INFINITY, f64::max);
        let best_words = candidates.iter().map(|(_, words)| *words).fold(0.0, f64::max);
        Self { least, most, best_words, confidence: most.max(best_words).clamp(0.0, 1.0) }
    }

    /// The score of a candidate, or of anything else that was found: from 0 to 1.
    #[must_use]
    pub fn score(&self, similarity: Option<f64>, words: f64) -> f64 {
        let meaning = match similarity {
            Some(similarity) if self.most > self.least => ((similarity - self.least) / (self.most - self.least)).clamp(0.0, 1.0),
            Some(similarity) if similarity >= self.most => 1.0,
            _ => 0.0,
        };
        let words = if self.best_words > 0.0 { (words / self.best_words).min(1.0) } else { 0.0 };
        let (meaning, words) = if self.best_words > 0.0 { (MEANING * meaning, (1.0 - MEANING) * words) } else { (meaning, 0.0) };
        self.confidence * (meaning + words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts<'a>(all: &'a [([i16; 2], i32)]) -> Vec<Occurrences<'a>> {
        all.iter().map(|(counts, length)| Occurrences { counts, length: *length }).collect()
    }

    #[test]
    fn scores_are_those_of_plain_bm25_in_proportion() {
        // Four documents of 5, 3, 8 and 4 words; the first word stands in two of them, the second in one.
        let rows = [([2, 0], 5), ([1, 1], 3)];
        let scores = bm25(4, 20, &texts(&rows));
        let idf = |frequency: f64| (1.0 + (4.0 - frequency + 0.5) / (frequency + 0.5)).ln();
        let term = |count: f64, length: f64| count * 1.9 / (count + 0.9 * (0.6 + 0.4 * length / 5.0));
        let plain = [idf(2.0) * term(2.0, 5.0), idf(2.0) * term(1.0, 3.0) + idf(1.0) * term(1.0, 3.0)];
        let most = (idf(2.0) + idf(1.0)) * 1.9;
        for (score, plain) in scores.iter().zip(plain) {
            assert!((score - plain / most).abs() < 1e-12, "{scores:?}");
        }
    }

    #[test]
    fn a_rare_word_counts_more_and_a_long_text_less() {
        let scores = bm25(100, 1_000, &texts(&[([1, 0], 10), ([0, 1], 10), ([1, 0], 50)]));
        assert!(scores[1] > scores[0] && scores[0] > scores[2], "{scores:?}");
        assert!(bm25(0, 0, &[]).is_empty());
    }

    #[test]
    fn both_kinds_count_and_what_is_missing_counts_nothing() {
        let candidates = [(Some(1.0), 0.0), (Some(0.2), 0.5), (Some(1.0), 0.5), (None, 0.5)];
        let fusion = Fusion::over(&candidates);
        for ((similarity, words), expected) in candidates.into_iter().zip([0.6, 0.4, 1.0, 0.4]) {
            assert!((fusion.score(similarity, words) - expected).abs() < 1e-12, "{similarity:?} {words}");
        }
        assert!(fusion.score(Some(0.1), 0.0).abs() < 1e-12, "what is worse than every candidate");
    }

    #[test]
    fn a_poor_best_match_has_a_poor_score() {
        let only = Fusion::over(&[(Some(0.1), 0.0)]);
        assert!((only.score(Some(0.1), 0.0) - 0.1).abs() < 1e-12);
        let same = Fusion::over(&[(Some(1.0), 0.7), (Some(0.1), 0.0)]);
        assert!((same.score(Some(1.0), 0.7) - 1.0).abs() < 1e-12);
    }

    proptest::proptest! {
        #[test]
        fn scores_stay_between_0_and_1(rows: Vec<([u8; 2], u8)>, more: u8) {
            let rows: Vec<([i16; 2], i32)> = rows.into_iter().map(|(counts, length)| (counts.map(i16::from), i32::from(length))).collect();
            let total: i32 = rows.iter().map(|(_, length)| length).sum();
            let documents = rows.len() as i64 + i64::from(more);
            for score in bm25(documents, i64::from(total), &texts(&rows)) {
                proptest::prop_assert!((0.0..=1.0).contains(&score));
            }
        }
    }
}
