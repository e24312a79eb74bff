//! all-MiniLM-L6-v2 on this machine's processor.

mod bert;
mod kernels;
mod pieces;
mod wordpiece;
mod worker;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use async_trait::async_trait;
use picard_domain::Vector;
use tokio::sync::{mpsc, oneshot};

use crate::{EmbedError, Embedder};
use bert::Bert;
use pieces::Pieces;
use worker::Request;

const NAME: &str = "all-MiniLM-L6-v2";

/// How "hello world" begins under this model (computed in double precision from the published weights).
const HELLO_WORLD: [f32; 4] = [-0.034_477, 0.031_023, 0.006_735, 0.026_109];

/// Requests that may wait before callers wait to be let in.
const QUEUE: usize = 64;

/// The local model. Clones share one thread, which ends when the last of them is dropped.
#[derive(Clone)]
pub struct LocalModel {
    pieces: Arc<Pieces>,
    queue: mpsc::Sender<Request>,
}

/// Why the local model could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file of the model cannot be read.
    #[error("cannot read {file}: {source}", file = file.display())]
    Read {
        /// Which file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// `tokenizer.json` is not what it should be.
    #[error("tokenizer.json cannot be used: {0}")]
    Tokenizer(String),
    /// `model.safetensors` is not what it should be.
    #[error("model.safetensors cannot be used: {0}")]
    Weights(String),
    /// The files are sound, but of another model.
    #[error("the folder holds another model than {NAME}")]
    OtherModel,
    /// The system gave no thread.
    #[error("cannot start the model's thread: {0}")]
    Thread(std::io::Error),
}

impl LocalModel {
    /// Reads `model.safetensors` and `tokenizer.json` from the folder and starts the model's thread.
    ///
    /// Blocks for a few hundred milliseconds: call it before serving, or on a blocking thread.
    ///
    /// # Errors
    /// When a file is missing or damaged, or belongs to another model.
    pub fn load(folder: &Path) -> Result<Self, LoadError> {
        Self::start(folder).map(|(model, _)| model)
    }

    fn start(folder: &Path) -> Result<(Self, JoinHandle<()>), LoadError> {
        let pieces = Pieces::parse(&read(folder, "tokenizer.json")?).map_err(LoadError::Tokenizer)?;
        let weights = read(folder, "model.safetensors")?;
        let bert = Bert::from_safetensors(&weights).map_err(|error| LoadError::Weights(error.to_string()))?;
        drop(weights);
        check(&pieces, &bert)?;

        let pieces = Arc::new(pieces);
        let (queue, requests) = mpsc::channel(QUEUE);
        let thread = worker::start(bert, Arc::clone(&pieces), requests).map_err(LoadError::Thread)?;
        Ok((Self { pieces, queue }, thread))
    }
}

fn read(folder: &Path, name: &str) -> Result<Vec<u8>, LoadError> {
    let file = folder.join(name);
    std::fs::read(&file).map_err(|source| LoadError::Read { file, source })
}

/// Many models have the same shape; stored vectors must not be mixed up with those of another one.
fn check(pieces: &Pieces, bert: &Bert) -> Result<(), LoadError> {
    let ids = pieces.ids("hello world");
    let vectors = bert.embed(&[&ids]).unwrap_or_default();

    let vector = vectors.into_iter().next().and_then(Vector::new);
    let same = vector.is_some_and(|vector| {
        let pairs = vector.as_slice().iter().zip(HELLO_WORLD);
        pairs.into_iter().all(|(got, known)| (got - known).abs() < 1e-3)
    });
    if same { Ok(()) } else { Err(LoadError::OtherModel) }
}

#[async_trait]
impl Embedder for LocalModel {
    fn model(&self) -> &str {
        NAME
    }

    fn dimensions(&self) -> usize {
        bert::WIDTH
    }

    fn windows<'a>(&self, text: &'a str) -> Vec<&'a str> {
        self.pieces.windows(text)
    }

    async fn embed(&self, texts: &[&str]) -> Result<Vec<Vector>, EmbedError> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }

        let (reply, answer) = oneshot::channel();
        let texts = texts.iter().map(|text| (*text).to_owned()).collect();
        let gone = |_| EmbedError::unavailable("the model's thread has ended");
        self.queue.send(Request { texts, reply }).await.map_err(|_| gone(()))?;
        answer.await.map_err(|_| gone(()))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "tests take the folder from the environment")]
    fn the_thread_ends_with_the_last_handle() {
        let Some(folder) = std::env::var_os("EMBEDDING_MODEL_DIR") else {
            eprintln!("left out: EMBEDDING_MODEL_DIR is not set");
            return;
        };
        let (model, thread) = LocalModel::start(folder.as_ref()).expect("the model");
        let clone = model.clone();

        drop(model);
        assert!(!thread.is_finished());
        drop(clone);
        thread.join().expect("no panic");
    }
}
