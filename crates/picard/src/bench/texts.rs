//! Texts from a word list, the same in every run: text `n` of a kind never changes.

const WORDS: &str = "allergy answer apple autumn balcony bank basket bicycle birthday blanket boat bread bridge \
    brother bus cabin calendar camera candle castle cat ceiling cellar chair cheese church cinema cloud coast coffee \
    concert corner cousin daughter dentist desk dinner doctor door dream evening family father festival fever film \
    flight flower forest friend garden gift glass grandmother guitar hammer harbour hospital hotel house invoice island \
    jacket kettle key kitchen ladder lamp letter library market meadow medicine meeting mirror money morning mother \
    mountain museum music neighbour notebook office orchard parcel passport pencil piano picture pillow platform pocket \
    potato prescription radio railway recipe restaurant river roof sailing sandwich scarf school sister soup station \
    stone street suitcase summer table teacher theatre ticket tool tower train village violin walk wallet water weather \
    wedding window winter year yesterday bought called found forgot learned left lost made met moved planted promised \
    read repaired saw sent sold told visited wants wrote about after against before behind beside between during near \
    over since under until with without a the my our their and but because while when where blue broken cheap cold dark \
    early green heavy late loud narrow new old quiet red sharp small soft sweet warm white wooden";

/// What a text is for, which decides how long it is.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// One of the memories that are searched.
    Kept,
    /// A memory of an ordinary length, to be stored while the time is taken.
    Submitted,
    /// A question.
    Query,
}

/// Text `number` of a kind.
pub(super) fn text(kind: Kind, number: u64) -> String {
    let (stream, least, most) = match kind {
        Kind::Kept => (1, 6, 14),
        Kind::Submitted => (2, 14, 30),
        Kind::Query => (3, 5, 10),
    };
    let words: Vec<&str> = WORDS.split_whitespace().collect();
    let mut random = Random(stream << 48 ^ number);
    let length = least + random.below(most - least + 1);
    let chosen: Vec<&str> = (0..length).map(|_| words[random.below(words.len())]).collect();
    chosen.join(" ")
}

/// SplitMix64 (Steele, Lea and Flood 2014): any seed gives numbers that look random, and they are always the same.
pub(super) struct Random(pub(super) u64);

impl Random {
    /// A number from 0 up to `end`, which is not included.
    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let number = mixed ^ (mixed >> 31);
        usize::try_from(number >> 33).unwrap_or_default() % end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_never_changes_and_differs_from_its_neighbours() {
        assert_eq!(text(Kind::Kept, 7), text(Kind::Kept, 7));
        assert_ne!(text(Kind::Kept, 7), text(Kind::Kept, 8));
        assert_ne!(text(Kind::Kept, 7), text(Kind::Submitted, 7));
    }

    #[test]
    fn a_text_is_as_long_as_its_kind() {
        for number in 0..200 {
            let words = text(Kind::Submitted, number).split(' ').count();

            assert!((14..=30).contains(&words), "{words}");
        }
    }
}
