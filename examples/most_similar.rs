//! Finds the sentence that is closest in meaning to a query.
//!
//!     cargo run --release --example most_similar -- "How do I get a refund?"
#![allow(clippy::print_stdout, reason = "an example prints its result")]

use albert::{Embed, Result};

const SENTENCES: [&str; 4] = [
    "You can return an order within 30 days and get your money back.",
    "Our office is open from nine to five.",
    "Passwords must have at least twelve characters.",
    "The train to Rome leaves from platform four.",
];

fn main() -> Result<()> {
    let query = std::env::args().nth(1).unwrap_or_else(|| "How do I get a refund?".to_owned());
    let embed = Embed::built_in()?;
    let query = embed.predict(&query)?;
    let vectors = embed.predict_all(&SENTENCES)?;
    let mut ranked: Vec<(f32, &str)> =
        vectors.iter().map(|vector| cosine(&query, vector)).zip(SENTENCES).collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    for (similarity, sentence) in ranked {
        println!("{similarity:.2}  {sentence}");
    }
    Ok(())
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}
