//! Reading a model's text as it comes: marks of citations are taken out and checked against what there is to cite.

use crate::Citation;
use crate::boundary::Boundary;
use crate::clean::cleaned;

/// The longest mark, in characters; what is longer is text.
const LONGEST_MARK: usize = 40;

/// Reads pieces of text, however they are cut, and gives back what can be shown.
#[derive(Debug)]
pub(crate) struct Reader {
    /// How many sources there are.
    sources: usize,
    /// Spaces that come out only if no mark follows them.
    spaces: String,
    /// What may become a mark.
    mark: String,
    /// The backticks that have just come.
    ticks: usize,
    /// With how many backticks the code began that is being read; 0 outside of code.
    code: usize,
    /// Whether a line began with a mark: the space after it goes, too.
    is_after_mark: bool,
    sentences: Sentences,
    out: String,
}

impl Reader {
    pub(crate) fn new(sources: usize) -> Self {
        Self {
            sources,
            spaces: String::new(),
            mark: String::new(),
            ticks: 0,
            code: 0,
            is_after_mark: false,
            sentences: Sentences::default(),
            out: String::new(),
        }
    }

    /// How many characters have come out.
    pub(crate) fn length(&self) -> usize {
        self.sentences.length
    }

    /// What of the next piece can be shown.
    pub(crate) fn read(&mut self, piece: &str) -> String {
        for character in cleaned(piece).chars() {
            self.character(character);
        }
        std::mem::take(&mut self.out)
    }

    /// The rest of the text, and what its sentences rest on.
    pub(crate) fn finish(mut self) -> (String, Vec<Citation>) {
        if !self.take_mark() {
            self.give_up();
        }
        (self.out, self.sentences.finish())
    }

    fn character(&mut self, character: char) {
        self.count_ticks(character);
        if !self.mark.is_empty() {
            if self.is_complete() {
                // Only now is it known that it is no link.
                if character == '(' || !self.take_mark() {
                    self.give_up();
                }
            } else if self.goes_on(character) {
                self.mark.push(character);
                return;
            } else {
                self.give_up();
            }
        }
        match character {
            '[' | '【' if self.code == 0 => self.mark.push(character),
            ' ' | '\t' if self.is_after_mark => {}
            ' ' | '\t' => self.spaces.push(character),
            _ => self.emit(character),
        }
    }

    /// Follows code, in which nothing is a mark.
    fn count_ticks(&mut self, character: char) {
        if character == '`' {
            self.ticks += 1;
            return;
        }
        match (std::mem::take(&mut self.ticks), self.code) {
            (0, _) => {}
            (ticks, 0) => self.code = ticks,
            (ticks, code) if ticks == code || (code >= 3 && ticks > code) => self.code = 0,
            _ => {}
        }
        // A stray backtick means nothing beyond its paragraph; a block of code goes on.
        if character == '\n' && self.code < 3 && self.sentences.is_at_start_of_line {
            self.code = 0;
        }
    }

    fn is_complete(&self) -> bool {
        self.mark.ends_with([']', '】'])
    }

    fn goes_on(&self, character: char) -> bool {
        let is_inside = matches!(character, '0'..='9' | ',' | ' ' | ';');
        let closes = character == if self.mark.starts_with('[') { ']' } else { '】' };
        (is_inside || closes) && self.mark.chars().count() < LONGEST_MARK
    }

    /// Takes a complete mark out of the text; whether it was one.
    fn take_mark(&mut self) -> bool {
        if !self.is_complete() {
            return false;
        }
        let inside = self.mark.trim_matches(['[', ']', '【', '】']);
        let numbers = inside.split([',', ';']).map(str::trim);
        // More digits are a year.
        let numbers: Option<Vec<usize>> =
            numbers.map(|number| number.parse().ok().filter(|_| (1..=3).contains(&number.len()))).collect();
        let Some(numbers) = numbers else { return false };
        let known = numbers.into_iter().filter(|number| (1..=self.sources).contains(number)).map(|number| number - 1);
        self.sentences.cite(known);
        self.mark.clear();
        self.spaces.clear();
        self.is_after_mark = self.sentences.is_at_start_of_line;
        true
    }

    /// Gives out as text what is no mark.
    fn give_up(&mut self) {
        for character in std::mem::take(&mut self.mark).chars() {
            if character == ' ' {
                self.spaces.push(character);
            } else {
                self.emit(character);
            }
        }
    }

    fn emit(&mut self, character: char) {
        let is_first = self.sentences.length == 0;
        // Nobody sees spaces at the end of a line; those at its beginning are part of lists and code.
        if character == '\n' || is_first {
            self.spaces.clear();
        }
        if is_first && character.is_whitespace() {
            return;
        }
        self.is_after_mark = false;
        for space in std::mem::take(&mut self.spaces).chars() {
            self.sentences.next(space);
            self.out.push(space);
        }
        self.sentences.next(character);
        self.out.push(character);
    }
}

/// Where sentences begin and end, and what they rest on.
#[derive(Debug)]
struct Sentences {
    length: usize,
    start: Option<usize>,
    /// Where the sentence ends if the next word begins another.
    end: Option<usize>,
    boundary: Boundary,
    is_at_start_of_line: bool,
    cited: Vec<usize>,
    /// What was cited before its sentence began.
    ahead: Vec<usize>,
    /// The last sentence.
    last: Option<(usize, usize)>,
    citations: Vec<Citation>,
}

impl Default for Sentences {
    fn default() -> Self {
        Self {
            length: 0,
            start: None,
            end: None,
            boundary: Boundary::default(),
            is_at_start_of_line: true,
            cited: Vec::new(),
            ahead: Vec::new(),
            last: None,
            citations: Vec::new(),
        }
    }
}

impl Sentences {
    fn next(&mut self, character: char) {
        if character == '\n' {
            self.end();
        } else if character.is_whitespace() {
            if self.start.is_some() && self.end.is_none() && self.boundary.is_before(character) {
                self.end = Some(self.length);
            }
        } else {
            self.visible(character);
        }
        self.boundary.next(character);
        self.is_at_start_of_line = character == '\n';
        self.length += 1;
    }

    fn visible(&mut self, character: char) {
        // No sentence begins with a small letter: it was the end of an abbreviation.
        let begins_another = if self.end.is_some() { !character.is_lowercase() } else { self.boundary.is_before(character) };
        if begins_another {
            self.end();
        }
        self.end = None;
        if self.start.is_none() {
            self.start = Some(self.length);
            self.cited.append(&mut self.ahead);
        }
    }

    fn cite(&mut self, sources: impl Iterator<Item = usize>) {
        match self.start {
            Some(_) => self.cited.extend(sources),
            None => self.ahead.extend(sources),
        }
    }

    fn end(&mut self) {
        let end = self.end.take().unwrap_or(self.length);
        let Some(start) = self.start.take() else { return };
        self.last = Some((start, end));
        let cited = std::mem::take(&mut self.cited);
        self.push(start, end, cited);
    }

    fn finish(mut self) -> Vec<Citation> {
        self.end();
        // Marks on a line of their own at the end belong to what was said last.
        let ahead = std::mem::take(&mut self.ahead);
        if let Some((start, end)) = self.last {
            match self.citations.last_mut().filter(|citation| citation.start == start) {
                Some(citation) => add(&mut citation.sources, ahead),
                None => self.push(start, end, ahead),
            }
        }
        self.citations
    }

    fn push(&mut self, start: usize, end: usize, cited: Vec<usize>) {
        let mut sources = Vec::new();
        add(&mut sources, cited);
        if !sources.is_empty() {
            self.citations.push(Citation { start, end, sources });
        }
    }
}

fn add(sources: &mut Vec<usize>, more: Vec<usize>) {
    for source in more {
        if !sources.contains(&source) {
            sources.push(source);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(pieces: &[&str], sources: usize) -> (String, Vec<Citation>) {
        let mut reader = Reader::new(sources);
        let mut text: String = pieces.iter().map(|piece| reader.read(piece)).collect();
        let (rest, citations) = reader.finish();
        text.push_str(&rest);
        (text, citations)
    }

    /// The text, and its cited parts with their sources.
    fn cited(raw: &str, sources: usize) -> (String, Vec<(String, Vec<usize>)>) {
        let (text, citations) = read(&[raw], sources);
        let part = |citation: &Citation| text.chars().skip(citation.start).take(citation.end - citation.start).collect();
        let parts = citations.iter().map(|citation| (part(citation), citation.sources.clone())).collect();
        (text, parts)
    }

    fn one(sentence: &str, sources: &[usize]) -> (String, Vec<usize>) {
        (sentence.to_owned(), sources.to_vec())
    }

    #[test]
    fn each_sentence_has_its_sources() {
        let (text, parts) = cited("She likes tea [1]. Not coffee.[2][3] [2] Who knows?\n- Milk: 3.5 % [1, 3]\n[2] Sugar!", 3);
        assert_eq!(text, "She likes tea. Not coffee. Who knows?\n- Milk: 3.5 %\nSugar!");
        assert_eq!(
            parts,
            [one("She likes tea.", &[0]), one("Not coffee.", &[1, 2]), one("- Milk: 3.5 %", &[0, 2]), one("Sugar!", &[1])]
        );
    }

    #[test]
    fn a_sentence_is_cited_whole_and_alone() {
        for (raw, sentences) in [
            (
                "Dr. J. Crusher likes tea, e.g. Earl Grey [1]. So do I. She said ca. 3.5 cups [2].",
                vec!["Dr. J. Crusher likes tea, e.g. Earl Grey.", "She said ca. 3.5 cups."],
            ),
            ("我喜欢茶[1]。我不喜欢牛奶。「糖？」[2]", vec!["我喜欢茶。", "「糖？」"]),
            ("\"Tea.\" [1] She left... [2] Why?", vec!["\"Tea.\"", "She left..."]),
            ("Tea.\n\n[1][2]", vec!["Tea."]),
            ("Tea [1].\n\n[2]", vec!["Tea."]),
        ] {
            let found: Vec<String> = cited(raw, 2).1.into_iter().map(|(sentence, _)| sentence).collect();
            assert_eq!(found, sentences, "{raw}");
        }
    }

    #[test]
    fn a_stray_backtick_hides_no_more_than_its_paragraph() {
        assert_eq!(cited("It`s tea.\n\nMilk [1].", 1).1, [one("Milk.", &[0])]);
        assert_eq!(cited("``a`[1]`` tea [1]", 1), ("``a`[1]`` tea".to_owned(), vec![one("``a`[1]`` tea", &[0])]));
        let block = "```\nx[1]\n\ny[1]\n```";
        assert_eq!(cited(block, 1), (block.to_owned(), vec![]));
    }

    #[test]
    fn what_was_not_given_cannot_be_cited() {
        assert_eq!(cited("Tea [4]. Coffee [2][0][1].", 1), ("Tea. Coffee.".to_owned(), vec![one("Coffee.", &[0])]));
        assert_eq!(cited("Tea 【1】.", 1).1, [one("Tea.", &[0])]);
    }

    #[test]
    fn what_only_looks_like_a_mark_stays() {
        for text in [
            "[sic] tea",
            "since [2024] tea",
            "[1](https://example.org) tea",
            "`a[1]` tea",
            "tea [1",
            "x [a, 1] y",
            "[] tea",
            "[1】 tea",
        ] {
            assert_eq!(cited(text, 3), (text.to_owned(), vec![]), "{text}");
        }
    }

    #[test]
    fn space_around_the_answer_goes() {
        assert_eq!(cited("  \n\n [1] Tea.  \n  - a\n", 1), ("Tea.\n  - a\n".to_owned(), vec![one("Tea.", &[0])]));
    }

    proptest! {
        #[test]
        fn however_it_is_cut_it_reads_the_same(raw in r"([a-z ü。.\n`(]|\[[0-9, ]{0,4}\]?|【1】){0,30}", cuts in prop::collection::vec(0usize..80, 0..6)) {
            let whole = read(&[&raw], 2);
            let characters: Vec<char> = raw.chars().collect();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(characters.len())).collect();
            cuts.sort_unstable();
            cuts.push(characters.len());
            let mut start = 0;
            let pieces: Vec<String> = cuts.iter().map(|cut| {
                let piece = characters[start..*cut].iter().collect();
                start = *cut;
                piece
            }).collect();
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            prop_assert_eq!(&read(&pieces, 2), &whole);
            let length = whole.0.chars().count();
            for citation in &whole.1 {
                prop_assert!(citation.start < citation.end && citation.end <= length, "{:?}", citation);
                prop_assert!(citation.sources.iter().all(|source| *source < 2));
            }
        }
    }
}
