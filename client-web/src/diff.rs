//! What changed between two texts, word by word.

/// A piece of the two texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    Same(String),
    Removed(String),
    Added(String),
}

/// Cells of the table that are worth their time and their four bytes each.
const LARGEST_TABLE: usize = 1_000_000;

/// Compares two texts: by words, by lines when there are too many words, as a whole when there are too many lines.
pub(crate) fn compare(old: &str, new: &str) -> Vec<Piece> {
    let ((old_words, new_words), (old_lines, new_lines)) = ((words(old), words(new)), (lines(old), lines(new)));
    let steps = if fits(&old_words, &new_words) {
        steps(&old_words, &new_words)
    } else if fits(&old_lines, &new_lines) {
        steps(&old_lines, &new_lines)
    } else {
        vec![Piece::Removed(old.to_owned()), Piece::Added(new.to_owned())]
    };
    joined(steps)
}

fn words(text: &str) -> Vec<&str> {
    text.split_inclusive(char::is_whitespace).collect()
}

fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

fn fits(old: &[&str], new: &[&str]) -> bool {
    (old.len() + 1).saturating_mul(new.len() + 1) <= LARGEST_TABLE
}

/// Walks along the longest common subsequence.
fn steps(old: &[&str], new: &[&str]) -> Vec<Piece> {
    let width = new.len() + 1;
    // The length of the longest common subsequence of what follows each pair of places.
    let mut lengths = vec![0_u32; (old.len() + 1) * width];
    for (row, left) in old.iter().enumerate().rev() {
        for (column, right) in new.iter().enumerate().rev() {
            let (below, beside) = ((row + 1) * width + column, row * width + column + 1);
            lengths[row * width + column] =
                if left == right { lengths[below + 1] + 1 } else { lengths[below].max(lengths[beside]) };
        }
    }
    let (mut row, mut column, mut steps) = (0, 0, Vec::new());
    while row < old.len() || column < new.len() {
        if row < old.len() && column < new.len() && old[row] == new[column] {
            steps.push(Piece::Same(old[row].to_owned()));
            (row, column) = (row + 1, column + 1);
        } else if column == new.len()
            || (row < old.len() && lengths[(row + 1) * width + column] >= lengths[row * width + column + 1])
        {
            steps.push(Piece::Removed(old[row].to_owned()));
            row += 1;
        } else {
            steps.push(Piece::Added(new[column].to_owned()));
            column += 1;
        }
    }
    steps
}

/// Puts neighbours of one kind together.
fn joined(steps: Vec<Piece>) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    for step in steps {
        match (pieces.last_mut(), step) {
            (Some(Piece::Same(text)), Piece::Same(more))
            | (Some(Piece::Removed(text)), Piece::Removed(more))
            | (Some(Piece::Added(text)), Piece::Added(more)) => text.push_str(&more),
            (_, step) => pieces.push(step),
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::{Piece, compare};

    fn side(pieces: &[Piece], is_old: bool) -> String {
        let text = |piece: &Piece| match piece {
            Piece::Same(text) => text.clone(),
            Piece::Removed(text) if is_old => text.clone(),
            Piece::Added(text) if !is_old => text.clone(),
            _ => String::new(),
        };
        pieces.iter().map(text).collect()
    }

    #[test]
    fn words_that_changed_are_told_apart() {
        let pieces = compare("Tea is green and hot", "Tea is black and hot");

        let expected = [
            Piece::Same("Tea is ".into()),
            Piece::Removed("green ".into()),
            Piece::Added("black ".into()),
            Piece::Same("and hot".into()),
        ];
        assert_eq!(pieces, expected);
    }

    #[test]
    fn both_texts_can_be_put_together_again() {
        let long = "word ".repeat(6_000);
        let cases = [("", ""), ("", "new"), ("old", ""), ("a b c", "c b a"), ("x\ny\n", "y\nz"), (long.as_str(), "word\nother")];
        for (old, new) in cases {
            let pieces = compare(old, new);
            assert_eq!((side(&pieces, true), side(&pieces, false)), (old.to_owned(), new.to_owned()));
        }
        let other = "werd ".repeat(6_000);
        let pieces = compare(&long, &other);
        assert_eq!((side(&pieces, true), side(&pieces, false)), (long, other), "too much for words");
    }
}
