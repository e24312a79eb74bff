//! The forward pass: six layers of BERT, then the mean over a text's pieces.
//!
//! The pieces of all texts of a batch lie one after another in one matrix. Only attention looks at them text
//! by text, so nothing is padded, nothing is masked, and a text's vector does not depend on its neighbours.

use ndarray::{Array2, ArrayView2, Axis, ShapeError, Slice, concatenate};
use safetensors::{Dtype, SafeTensors};

use super::kernels::{AddBias, AddNorm, BiasGelu, softmax};

/// Numbers a piece, and a vector.
pub(super) const WIDTH: usize = 384;
const LAYERS: usize = 6;
const HEADS: usize = 12;
const HEAD_WIDTH: usize = WIDTH / HEADS;
const INNER_WIDTH: usize = 4 * WIDTH;

/// Says what is wrong with the file of weights.
#[derive(Debug, thiserror::Error)]
pub(super) enum WeightsError {
    #[error(transparent)]
    File(#[from] safetensors::SafeTensorError),
    #[error("{name} is {found}, not f32 of the shape {wanted:?}")]
    Shape { name: String, found: String, wanted: Vec<usize> },
    #[error(transparent)]
    Arrange(#[from] ShapeError),
}

/// The weights.
pub(super) struct Bert {
    words: Array2<f32>,
    positions: Array2<f32>,
    norm: AddNorm,
    layers: Vec<Layer>,
}

/// Matrices lie as they are multiplied (inputs down, outputs across): nothing is rearranged at each use.
struct Layer {
    query_key_value: Array2<f32>,
    query_key_value_bias: AddBias,
    mix: Array2<f32>,
    mix_norm: AddNorm,
    widen: Array2<f32>,
    widen_gelu: BiasGelu,
    narrow: Array2<f32>,
    narrow_norm: AddNorm,
}

impl Bert {
    pub(super) fn from_safetensors(file: &[u8]) -> Result<Self, WeightsError> {
        let weights = Weights(SafeTensors::deserialize(file)?);
        let positions = weights.get("embeddings.position_embeddings.weight", 512, WIDTH)?;
        let types = weights.get("embeddings.token_type_embeddings.weight", 2, WIDTH)?;
        Ok(Self {
            words: weights.get("embeddings.word_embeddings.weight", 30_522, WIDTH)?,
            // Every piece is of the first type.
            positions: positions + types.row(0),
            norm: weights.norm("embeddings.LayerNorm", vec![0.0; WIDTH])?,
            layers: (0..LAYERS).map(|layer| Layer::from_weights(&weights, layer)).collect::<Result<_, _>>()?,
        })
    }

    /// The mean of the last layer's pieces of each text; not yet of length one. `None` for a piece that the
    /// model does not have.
    pub(super) fn embed(&self, texts: &[&[u32]]) -> Option<Vec<Vec<f32>>> {
        let lengths: Vec<usize> = texts.iter().map(|text| text.len()).collect();
        let ids: Vec<usize> = texts.iter().copied().flatten().map(|id| *id as usize).collect();
        let places: Vec<usize> = lengths.iter().flat_map(|length| 0..*length).collect();
        let known = ids.iter().all(|id| *id < self.words.nrows()) && places.iter().all(|place| *place < self.positions.nrows());
        if !known {
            return None;
        }
        let mut state = self.words.select(Axis(0), &ids);
        self.norm.apply(numbers(&mut state), self.positions.select(Axis(0), &places).as_slice()?);
        for layer in &self.layers {
            state = layer.forward(&state, &lengths)?;
        }
        Some(means(state.as_slice()?, &lengths))
    }
}

impl Layer {
    fn from_weights(weights: &Weights<'_>, number: usize) -> Result<Self, WeightsError> {
        let name = |part: &str| format!("encoder.layer.{number}.{part}");
        let norm = |part: &str| {
            let bias = weights.row(&name(&format!("{part}.dense.bias")), WIDTH)?;
            weights.norm(&name(&format!("{part}.LayerNorm")), bias)
        };
        let (query_key_value, bias) = weights.query_key_value(&name("attention.self"))?;
        let widen_bias = weights.row(&name("intermediate.dense.bias"), INNER_WIDTH)?;
        Ok(Self {
            query_key_value,
            query_key_value_bias: AddBias(bias),
            mix: weights.matrix(&name("attention.output.dense"), WIDTH, WIDTH)?,
            mix_norm: norm("attention.output")?,
            widen: weights.matrix(&name("intermediate.dense"), WIDTH, INNER_WIDTH)?,
            widen_gelu: BiasGelu(widen_bias),
            narrow: weights.matrix(&name("output.dense"), INNER_WIDTH, WIDTH)?,
            narrow_norm: norm("output")?,
        })
    }

    fn forward(&self, state: &Array2<f32>, lengths: &[usize]) -> Option<Array2<f32>> {
        let mut query_key_value = state.dot(&self.query_key_value);
        self.query_key_value_bias.apply(numbers(&mut query_key_value));

        let mut mixed = attention(&query_key_value, lengths).dot(&self.mix);
        self.mix_norm.apply(numbers(&mut mixed), state.as_slice()?);

        let mut wide = mixed.dot(&self.widen);
        self.widen_gelu.apply(numbers(&mut wide));
        let mut output = wide.dot(&self.narrow);
        self.narrow_norm.apply(numbers(&mut output), mixed.as_slice()?);
        Some(output)
    }
}

/// The numbers of a matrix that was just made, and therefore lies row after row.
fn numbers(matrix: &mut Array2<f32>) -> &mut [f32] {
    matrix.as_slice_mut().expect("a matrix that was just made lies row after row")
}

/// What each piece gathers from the other pieces of its own text.
fn attention(query_key_value: &Array2<f32>, lengths: &[usize]) -> Array2<f32> {
    let mut gathered = Array2::zeros((query_key_value.nrows(), WIDTH));
    let mut start = 0;
    for &length in lengths {
        let rows = Slice::from(start..start + length);
        let text = query_key_value.slice_axis(Axis(0), rows);
        for head in 0..HEADS {
            let part = |which: usize| -> ArrayView2<'_, f32> {
                let column = which * WIDTH + head * HEAD_WIDTH;
                text.slice_axis_move(Axis(1), Slice::from(column..column + HEAD_WIDTH))
            };
            let mut shares = part(0).dot(&part(1).t());
            softmax(numbers(&mut shares), length);
            let column = head * HEAD_WIDTH;
            let mut target = gathered.slice_axis_mut(Axis(0), rows);
            target.slice_axis_inplace(Axis(1), Slice::from(column..column + HEAD_WIDTH));
            ndarray::linalg::general_mat_mul(1.0, &shares, &part(2), 0.0, &mut target);
        }
        start += length;
    }
    gathered
}

fn means(state: &[f32], lengths: &[usize]) -> Vec<Vec<f32>> {
    let mut pieces = state.chunks_exact(WIDTH);
    let mean = |length: &usize| {
        let mut sums = vec![0.0; WIDTH];
        for piece in pieces.by_ref().take(*length) {
            for (sum, x) in sums.iter_mut().zip(piece) {
                *sum += x;
            }
        }
        sums.iter().map(|sum| sum / *length as f32).collect()
    };
    lengths.iter().map(mean).collect()
}

/// The file by names.
struct Weights<'a>(SafeTensors<'a>);

impl Weights<'_> {
    fn numbers(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, WeightsError> {
        let tensor = self.0.tensor(name)?;
        if tensor.shape() != shape || tensor.dtype() != Dtype::F32 {
            let found = format!("{:?} of the shape {:?}", tensor.dtype(), tensor.shape());
            return Err(WeightsError::Shape { name: name.to_owned(), found, wanted: shape.to_vec() });
        }
        let (quads, _) = tensor.data().as_chunks::<4>();
        Ok(quads.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    }

    fn get(&self, name: &str, rows: usize, columns: usize) -> Result<Array2<f32>, WeightsError> {
        Ok(Array2::from_shape_vec((rows, columns), self.numbers(name, &[rows, columns])?)?)
    }

    fn row(&self, name: &str, width: usize) -> Result<Vec<f32>, WeightsError> {
        self.numbers(name, &[width])
    }

    fn matrix(&self, name: &str, inputs: usize, outputs: usize) -> Result<Array2<f32>, WeightsError> {
        let stored = self.get(&format!("{name}.weight"), outputs, inputs)?;
        Ok(stored.t().as_standard_layout().into_owned())
    }

    fn norm(&self, name: &str, bias: Vec<f32>) -> Result<AddNorm, WeightsError> {
        Ok(AddNorm { bias, scale: self.row(&format!("{name}.weight"), WIDTH)?, shift: self.row(&format!("{name}.bias"), WIDTH)? })
    }

    /// One matrix for all three. The division by the root of the head's width is done here, once, in the query.
    fn query_key_value(&self, name: &str) -> Result<(Array2<f32>, Vec<f32>), WeightsError> {
        let factor = 1.0 / (HEAD_WIDTH as f32).sqrt();
        let matrix = |part: &str| self.matrix(&format!("{name}.{part}"), WIDTH, WIDTH);
        let query = matrix("query")? * factor;
        let weight = concatenate(Axis(1), &[query.view(), matrix("key")?.view(), matrix("value")?.view()])?;

        let row = |part: &str| self.row(&format!("{name}.{part}.bias"), WIDTH);
        let query = row("query")?.into_iter().map(|x| x * factor);
        let bias = query.chain(row("key")?).chain(row("value")?).collect();
        Ok((weight.as_standard_layout().into_owned(), bias))
    }
}
