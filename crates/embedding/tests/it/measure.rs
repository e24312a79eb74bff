//! `EMBEDDING_MODEL_DIR=… cargo test --release -p picard-embedding measure -- --ignored --nocapture`

use std::time::Instant;

use picard_embedding::{Embedder, LocalModel};

use crate::local::folder;

#[tokio::test]
#[ignore = "takes seconds and asserts nothing"]
async fn milliseconds_a_text() {
    let Some(folder) = folder() else { return };
    let start = Instant::now();
    let model = LocalModel::load(&folder).expect("the model");
    println!("load: {:.0} ms", start.elapsed().as_secs_f64() * 1e3);

    let short = "The quick brown fox jumps over the lazy dog near the river";
    let mixed: Vec<String> = (0..32).map(|n| "A few more words of memory. ".repeat(n + 1)).collect();
    let mixed: Vec<&str> = mixed.iter().map(String::as_str).collect();
    for (name, texts, rounds) in
        [("single, 14 pieces", vec![short], 300), ("32 of 14 pieces", vec![short; 32], 30), ("32 of 9 to 226 pieces", mixed, 5)]
    {
        let mut times: Vec<f64> = Vec::new();
        for _ in 0..rounds {
            let start = Instant::now();
            model.embed(&texts).await.expect("vectors");
            times.push(start.elapsed().as_secs_f64() * 1e3 / texts.len() as f64);
        }
        times.sort_by(f64::total_cmp);
        println!("{name}: best {:.2}, median {:.2} ms a text", times[0], times[times.len() / 2]);
    }
}
