//! Vectors in a byte a number, in a bit, or in both.

/// Signs in one word.
const SIGNS: usize = 64;

/// Vectors that are longer than this are compared by their signs first.
const LONG: usize = 512;
/// So many more windows than are wanted are chosen by their signs, and so many besides.
const PER_WINDOW: usize = 2;
const BESIDES: usize = 400;
/// Where there are only signs, so many more windows than are wanted are chosen by comparing signs with signs; which of them
/// are wanted say the numbers of the vector that is looked for.
const PER_WINDOW_BY_SIGNS: usize = 6;

/// The vectors of all windows.
#[derive(Debug)]
pub(crate) struct Vectors {
    dimensions: usize,
    /// Whose window it is.
    places: Vec<u32>,
    /// A number is `code * scale`, and the vector's length is 1.
    numbers: Option<Numbers>,
    /// A bit a number.
    signs: Option<Vec<u64>>,
}

#[derive(Debug, Default)]
struct Numbers {
    codes: Vec<i8>,
    scales: Vec<f32>,
}

impl Vectors {
    pub(crate) fn new(dimensions: usize, by_signs: bool) -> Self {
        Self {
            dimensions,
            places: Vec::new(),
            numbers: (!by_signs).then(Numbers::default),
            signs: (by_signs || dimensions > LONG).then(Vec::new),
        }
    }

    pub(crate) fn is_by_signs(&self) -> bool {
        self.numbers.is_none()
    }

    pub(crate) fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// Adds a window; `false` when its vector has another length.
    pub(crate) fn push(&mut self, place: u32, vector: &[f32]) -> bool {
        if vector.len() != self.dimensions || vector.is_empty() {
            return false;
        }
        if let Some(Numbers { codes, scales }) = &mut self.numbers {
            let start = codes.len();
            codes.resize(start + vector.len(), 0);
            scales.push(quantise(vector, &mut codes[start..]));
        }
        if let Some(words) = &mut self.signs {
            words.extend(signs(vector));
        }
        self.places.push(place);
        true
    }

    /// The windows that are nearest, among those at places that are wanted, with about their cosine similarity, in any
    /// order: at least so many, if there are as many.
    pub(crate) fn nearest(&self, vector: &[f32], windows: usize, is_wanted: impl Fn(u32) -> bool) -> Vec<(u32, f32)> {
        if vector.len() != self.dimensions || vector.is_empty() {
            return Vec::new();
        }
        let Some(words) = &self.signs else { return self.compare(vector, is_wanted) };
        let query: Vec<u64> = signs(vector).collect();
        let mut rows: Vec<(u32, u32)> = (0..)
            .zip(words.chunks_exact(query.len()))
            .filter(|(row, _)| is_wanted(self.places[*row as usize]))
            .map(|(row, words)| (differences(&query, words), row))
            .collect();
        let most = match self.numbers {
            Some(_) => windows.saturating_mul(PER_WINDOW).saturating_add(BESIDES),
            None => windows.saturating_mul(PER_WINDOW_BY_SIGNS),
        };
        if most < rows.len() {
            rows.select_nth_unstable(most);
            rows.truncate(most);
        }
        let rows = rows.into_iter();
        match &self.numbers {
            Some(numbers) => {
                let query = Query::new(vector);
                rows.map(|(_, row)| (self.places[row as usize], query.similarity(numbers, row as usize))).collect()
            }
            None => {
                let (sums, width) = (Sums::new(vector), query.len());
                let signs = |row: u32| &words[row as usize * width..(row as usize + 1) * width];
                rows.map(|(_, row)| (self.places[row as usize], sums.agreement(signs(row)))).collect()
            }
        }
    }

    /// Every window at a place that is wanted, with about its cosine similarity.
    pub(crate) fn compare(&self, vector: &[f32], is_wanted: impl Fn(u32) -> bool) -> Vec<(u32, f32)> {
        let Some(numbers) = self.numbers.as_ref().filter(|_| vector.len() == self.dimensions) else { return Vec::new() };
        let query = Query::new(vector);
        let rows = self.places.iter().copied().enumerate().filter(|(_, place)| is_wanted(*place));
        rows.map(|(row, place)| (place, query.similarity(numbers, row))).collect()
    }

    /// Keeps the windows whose places have a new number.
    pub(crate) fn renumber(&mut self, moved: &[Option<u32>]) {
        let kept: Vec<bool> = self.places.iter().map(|place| moved[*place as usize].is_some()).collect();
        if let Some(Numbers { codes, scales }) = &mut self.numbers {
            keep(codes, self.dimensions, &kept);
            keep(scales, 1, &kept);
        }
        if let Some(words) = &mut self.signs {
            keep(words, self.dimensions.div_ceil(SIGNS), &kept);
        }
        self.places = self.places.iter().filter_map(|place| moved[*place as usize]).collect();
    }

    pub(crate) fn bytes(&self) -> usize {
        let of_numbers = |numbers: &Numbers| numbers.codes.capacity() + numbers.scales.capacity() * size_of::<f32>();
        self.numbers.as_ref().map_or(0, of_numbers)
            + self.signs.as_ref().map_or(0, |words| words.capacity() * size_of::<u64>())
            + self.places.capacity() * size_of::<u32>()
    }

    pub(crate) fn work(&self) -> usize {
        let numbers = self.numbers.as_ref().map_or(0, |numbers| numbers.codes.len());
        self.signs.as_ref().map_or(numbers / 8, Vec::len)
    }
}

/// A vector that is looked for.
struct Query {
    codes: Vec<i8>,
    scale: f32,
}

impl Query {
    fn new(vector: &[f32]) -> Self {
        let mut codes = vec![0; vector.len()];
        let scale = quantise(vector, &mut codes);
        Self { codes, scale }
    }

    fn similarity(&self, numbers: &Numbers, row: usize) -> f32 {
        let start = row * self.codes.len();
        #[expect(clippy::cast_precision_loss, reason = "the error of a byte a number is larger")]
        let product = dot(&self.codes, &numbers.codes[start..start + self.codes.len()]) as f32;
        product * self.scale * numbers.scales[row]
    }
}

/// What eight signs in a row add to the product of a vector and a row of signs, for each place and each way they can be.
struct Sums {
    table: Vec<[f32; 256]>,
    /// Makes about a cosine of a product.
    scale: f32,
}

impl Sums {
    fn new(vector: &[f32]) -> Self {
        let of_eight = |numbers: &[f32]| {
            let mut sums = [0.0; 256];
            for (signs, sum) in sums.iter_mut().enumerate() {
                let signed = |(place, number): (usize, &f32)| if signs >> place & 1 == 1 { *number } else { -number };
                *sum = numbers.iter().enumerate().map(signed).sum();
            }
            sums
        };
        let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
        #[expect(clippy::cast_precision_loss, reason = "there are a few thousand numbers at most")]
        let dimensions = vector.len() as f32;
        // A direction at random and its signs meet at a cosine of sqrt(2 / pi).
        let scale = (std::f32::consts::FRAC_PI_2 / dimensions).sqrt() / length.max(f32::MIN_POSITIVE);
        Self { table: vector.chunks(8).map(of_eight).collect(), scale }
    }

    /// About the cosine similarity of the vector and the one whose signs these are.
    fn agreement(&self, words: &[u64]) -> f32 {
        let bytes = words.iter().flat_map(|word| word.to_le_bytes());
        self.table.iter().zip(bytes).map(|(sums, signs)| sums[usize::from(signs)]).sum::<f32>() * self.scale
    }
}

fn differences(left: &[u64], right: &[u64]) -> u32 {
    left.iter().zip(right).map(|(left, right)| (left ^ right).count_ones()).sum()
}

/// Keeps rows of a table in one piece of memory.
fn keep<T: Copy>(table: &mut Vec<T>, width: usize, kept: &[bool]) {
    let mut end = 0;
    for (row, _) in kept.iter().enumerate().filter(|(_, is_kept)| **is_kept) {
        table.copy_within(row * width..(row + 1) * width, end);
        end += width;
    }
    table.truncate(end);
}

/// Writes a vector of length 1 in bytes and answers what a step is worth.
fn quantise(vector: &[f32], codes: &mut [i8]) -> f32 {
    let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
    let most = vector.iter().fold(0.0_f32, |most, number| most.max(number.abs()));
    if most <= 0.0 || !length.is_finite() {
        codes.fill(0);
        return 0.0;
    }
    let steps = 127.0 / most;
    for (code, number) in codes.iter_mut().zip(vector) {
        #[expect(clippy::cast_possible_truncation, reason = "between -127 and 127")]
        let rounded = (number * steps).round() as i8;
        *code = rounded;
    }
    most / 127.0 / length
}

/// The product of two rows, 16 numbers at a time so that the compiler uses what the processor has for that.
fn dot(left: &[i8], right: &[i8]) -> i32 {
    const STEP: usize = 16;
    let (left, left_rest) = left.as_chunks::<STEP>();
    let (right, right_rest) = right.as_chunks::<STEP>();
    let mut sums = [0_i32; STEP];
    for (left, right) in left.iter().zip(right) {
        for number in 0..STEP {
            sums[number] += i32::from(i16::from(left[number]) * i16::from(right[number]));
        }
    }
    let rest = left_rest.iter().zip(right_rest).map(|(left, right)| i32::from(*left) * i32::from(*right));
    sums.iter().sum::<i32>() + rest.sum::<i32>()
}

fn signs(vector: &[f32]) -> impl Iterator<Item = u64> {
    let word = |numbers: &[f32]| {
        numbers.iter().enumerate().fold(0_u64, |word, (place, number)| word | (u64::from(*number > 0.0) << place))
    };
    vector.chunks(SIGNS).map(word)
}
