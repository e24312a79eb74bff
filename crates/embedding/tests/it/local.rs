//! The local model, when `EMBEDDING_MODEL_DIR` names its folder.

use std::path::PathBuf;
use std::sync::LazyLock;

use picard_domain::Vector;
use picard_embedding::{Embedder, LoadError, LocalModel};

/// The folder, or one line that says what is left out.
#[expect(clippy::disallowed_methods, reason = "tests take the folder from the environment")]
pub(crate) fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("EMBEDDING_MODEL_DIR").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("left out: EMBEDDING_MODEL_DIR is not set");
    }
    folder
}

/// Loaded once for all tests.
pub(crate) fn model() -> Option<LocalModel> {
    static MODEL: LazyLock<Option<LocalModel>> =
        LazyLock::new(|| folder().map(|folder| LocalModel::load(&folder).expect("the model")));
    MODEL.clone()
}

fn cosine(a: &Vector, b: &Vector) -> f32 {
    a.as_slice().iter().zip(b.as_slice()).map(|(x, y)| x * y).sum()
}

/// The greatest difference between two numbers of the same place.
fn difference(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max)
}

#[test]
fn a_missing_folder_is_named() {
    let Err(LoadError::Read { file, .. }) = LocalModel::load("/nonexistent".as_ref()) else {
        panic!("there is nothing to read");
    };
    assert_eq!(file, PathBuf::from("/nonexistent/tokenizer.json"));
}

#[tokio::test]
async fn vectors_are_those_of_the_published_model() {
    let Some(model) = model() else { return };
    assert_eq!((model.model(), model.dimensions()), ("all-MiniLM-L6-v2", 384));
    let long: Vec<String> = (0..400).map(|n| format!("word{n} and some more")).collect();
    // Computed from the weights in double precision; the second begins as the model's own page shows it.
    let known: [(&str, [f32; 8]); 4] = [
        ("hello world", [-0.0344773, 0.0310232, 0.006735, 0.026109, -0.039362, -0.1603025, 0.066924, -0.0064415]),
        ("This is an example sentence", [0.0676569, 0.0634959, 0.0487131, 0.079305, 0.0374481, 0.0026528, 0.039375, -0.0070985]),
        ("日本語 café 😀", [-0.0058705, 0.0169416, 0.0746645, -0.0150827, -0.02279, 0.0609478, 0.1656026, -0.0335948]),
        (&long.join(" "), [-0.031619, -0.0190383, -0.0264739, -0.0803534, -0.0080136, 0.031732, 0.0402914, -0.0168467]),
    ];
    for (text, expected) in known {
        let vectors = model.embed(&[text]).await.expect("a vector");

        let off = difference(&vectors[0].as_slice()[..8], &expected);
        assert!(off < 2e-6, "{text:.20} is off by {off:e}");
        assert_eq!(vectors[0].dimensions(), 384);
    }
}

#[tokio::test]
async fn paraphrases_are_nearer_than_something_else() {
    let Some(model) = model() else { return };
    let texts = ["How do I change my password?", "What are the steps to reset my login secret?", "The soup needs more salt."];

    let vectors = model.embed(&texts).await.expect("vectors");

    let (near, far) = (cosine(&vectors[0], &vectors[1]), cosine(&vectors[0], &vectors[2]));
    assert!(near > far + 0.3, "{near} and {far}");
}

#[tokio::test]
async fn a_batch_gives_what_single_texts_give() {
    let Some(model) = model() else { return };
    let texts: Vec<String> = (0..20).map(|n| "one more word, ".repeat(n * n % 67 + 1)).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();

    let together = model.embed(&texts).await.expect("vectors");

    assert_eq!(together.len(), texts.len());
    for (text, vector) in texts.iter().zip(&together) {
        let alone = model.embed(&[text]).await.expect("a vector");
        let off = difference(vector.as_slice(), alone[0].as_slice());
        assert!(off < 1e-5, "off by {off:e}");
    }
}

#[tokio::test]
async fn concurrent_requests_get_their_own_vectors() {
    let Some(model) = model() else { return };
    let texts: Vec<String> = (0..40).map(|n| format!("memory number {n}")).collect();
    let expected = model.embed(&texts.iter().map(String::as_str).collect::<Vec<_>>()).await.expect("vectors");

    let tasks: Vec<_> = texts
        .into_iter()
        .map(|text| {
            let model = model.clone();
            tokio::spawn(async move { model.embed(&[&text]).await })
        })
        .collect();

    for (task, expected) in tasks.into_iter().zip(expected) {
        let vectors = task.await.expect("no panic").expect("a vector");
        assert!(difference(vectors[0].as_slice(), expected.as_slice()) < 1e-5);
    }
}

#[tokio::test]
async fn a_long_text_has_windows_that_each_fit() {
    let Some(folder) = folder() else { return };
    let Some(model) = model() else { return };
    let tokenizer = {
        let mut tokenizer = tokenizers::Tokenizer::from_file(folder.join("tokenizer.json")).expect("a tokenizer");
        tokenizer.with_padding(None).with_truncation(None).expect("valid");
        tokenizer
    };
    let texts = [
        "Internationalisation of a rather unremarkable sentence. ".repeat(200),
        "記憶を保存する。".repeat(200),
        "🙂🙃 e\u{301}\u{301} [SEP] ΐ İ \u{1d15e} \u{0} ﷺ 한국어 ".repeat(100),
        "x".repeat(5_000),
        "supercalifragilisticexpialidocious".repeat(2) + &" antidisestablishmentarianism".repeat(300),
    ];
    for text in &texts {
        let windows = model.windows(text);

        let counts: Vec<usize> = windows.iter().map(|w| tokenizer.encode(*w, true).expect("pieces").len()).collect();
        assert!(counts.iter().all(|count| *count <= 256), "{counts:?}");
        let covered: usize = windows.iter().map(|window| window.len()).sum();
        assert!(covered >= text.len());
        assert!(text.starts_with(windows[0]) && text.ends_with(windows[windows.len() - 1]));
    }
    assert!(model.windows(&texts[0]).len() > 5);
    assert_eq!(model.windows("short"), ["short"]);
}

/// The shortcut for short texts rests on this.
#[test]
fn no_text_has_more_pieces_than_bytes() {
    let Some(folder) = folder() else { return };
    let mut tokenizer = tokenizers::Tokenizer::from_file(folder.join("tokenizer.json")).expect("a tokenizer");
    tokenizer.with_padding(None).with_truncation(None).expect("valid");

    for character in ('\0'..=char::MAX).step_by(7) {
        let text = character.to_string().repeat(3);
        let pieces = tokenizer.encode(text.as_str(), false).expect("pieces").len();
        assert!(pieces <= text.len(), "{character:?} has {pieces} pieces in {} bytes", text.len());
    }
}

#[tokio::test]
async fn unusual_texts_have_vectors_too() {
    let Some(model) = model() else { return };
    let huge = "word ".repeat(20_000);
    let texts = ["", " ", "\n\t", "\u{0}", "🙂", "👩‍👩‍👧‍👦", "漢字", "한국어", "مرحبا", "e\u{301}", "[CLS][SEP]", "%", &huge];

    let vectors = model.embed(&texts).await.expect("vectors");

    assert_eq!(vectors.len(), texts.len());
    assert!(vectors.iter().all(|vector| vector.dimensions() == 384));
    assert_eq!(model.embed(&[]).await, Ok(Vec::new()));
}
