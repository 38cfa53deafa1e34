//! A training step on the CPU: masked-LM and sentence-order losses, forward and backward, without dropout and without
//! an optimizer. With `--python PATH`, it is compared with transformers' in PyTorch.
//!
//!     cargo bench --bench training -- [--python PATH] [--runs N] [--device flex|ndarray] [--shape NAME]
//!         [--programs f32,bf16x2,bf16] [--peers torch,torch-compiled,torch-bf16,torch-bf16-compiled]
//!
//! Reports wall-clock medians over interleaved runs. It also reports processor time (Linux), which is less sensitive to
//! other load on the machine. PyTorch computes the logits of all tokens, as transformers does; albert computes only
//! those of masked tokens. By default, peers with autocast to bfloat16 run only if the processor has instructions for
//! it.
#![allow(clippy::print_stdout, reason = "a benchmark prints its table")]

mod common;

use std::path::Path;
use std::time::Instant;

use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::{Device, Int, Tensor};
use serde_json::{Value, json};

use albert::device::{self, Precision};
use albert::model::{Albert, AlbertConfig, Head, ModelInput, OutputOptions};
use albert::ops::{self, MatmulPrecision};
use common::{Peer, list, option, programs};

const THREADS: usize = 2;

fn main() {
    let runs: usize = option("--runs").and_then(|n| n.parse().ok()).unwrap_or(7);
    let choice = option("--device").unwrap_or_else(|| "flex".into()).parse().expect("a device");
    device::keep_freed_memory();
    device::set_threads(THREADS).expect("nothing has been computed yet");
    let device = device::open(choice, Precision::F32).expect("the device").device;
    let mut peer = option("--python").map(|python| Peer::start(&python, "training_peer.py"));

    let peers = list("--peers").unwrap_or_else(|| {
        let bf16 = if ops::is_native(MatmulPrecision::Bf16) { 4 } else { 2 };
        let all = ["torch", "torch-compiled", "torch-bf16", "torch-bf16-compiled"];
        all[..bf16].iter().map(|name| (*name).to_owned()).collect()
    });
    let programs = programs(&["f32"]);
    println!(
        "{:<14} {:<19} {:>10} {:>11} {:>9} {:>9} {:>10} {:>8} {:>14}",
        "shape", "program", "forward s", "backward s", "step s", "min s", "tokens/s", "cpu s", "inference s"
    );
    for mut case in cases() {
        case["programs"] = json!(peers);
        let name = case["name"].as_str().expect("a name");
        if option("--shape").is_some_and(|shape| shape != name) {
            continue;
        }
        let steps: Vec<_> = programs
            .iter()
            .map(|(name, precision)| (format!("albert {name}"), Step::new(&case, &device, *precision)))
            .collect();
        if let Some(peer) = &mut peer {
            peer.ask(&format!("prepare {case}"));
        }
        let mut ours = vec![(Vec::new(), Vec::new()); steps.len()];
        let mut theirs = vec![Vec::new(); peers.len()];
        for round in 0..=runs {
            for ((_, step), (times, inference)) in steps.iter().zip(&mut ours) {
                let before = processor_seconds();
                let (forward, backward) = step.train();
                let cpu = processor_seconds() - before;
                let alone = step.infer();
                // The first round warms up.
                if round > 0 {
                    times.push([forward, backward, cpu]);
                    inference.push(alone);
                }
            }
            for (name, theirs) in peers.iter().zip(&mut theirs) {
                let Some(peer) = &mut peer else { continue };
                let answer = peer.ask(&format!("step {name}"));
                let mut times = answer.split(' ').map(|t| t.parse::<f64>().expect("seconds"));
                let times = std::array::from_fn(|_| times.next().expect("forward, backward, processor"));
                if round > 0 {
                    theirs.push(times);
                }
            }
        }
        let mut tokens = 0;
        for ((program, step), (times, mut inference)) in steps.iter().zip(ours) {
            inference.sort_by(f64::total_cmp);
            tokens = step.tokens;
            row(name, program, tokens, times, Some(inference[inference.len() / 2]));
        }
        for (peer, theirs) in peers.iter().zip(theirs) {
            if !theirs.is_empty() {
                row(name, peer, tokens, theirs, None);
            }
        }
    }
}

/// Processor time of this process, over all its threads.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // After the name in parentheses, fields 14 and 15 count ticks of 10 ms.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    fields.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

fn cases() -> Vec<Value> {
    let case = |name: &str, vocabulary: usize, hidden: usize, heads: usize, layers: usize, batch: usize| {
        json!({
            "name": name, "batch": batch, "length": 128, "masked": 20, "threads": THREADS,
            "config": {
                "vocab_size": vocabulary, "embedding_size": 128, "hidden_size": hidden,
                "num_attention_heads": heads, "num_hidden_layers": layers, "intermediate_size": 4 * hidden,
                "max_position_embeddings": 512, "hidden_act": "gelu_new", "hidden_dropout_prob": 0.0,
                "attention_probs_dropout_prob": 0.0, "classifier_dropout_prob": 0.0,
            },
        })
    };
    vec![
        case("base 4x128", 30_000, 768, 12, 12, 4),
        case("256 32x128", 8_000, 256, 4, 6, 32),
        case("312 32x128", 8_000, 312, 12, 6, 32),
        case("base 8x128", 30_000, 768, 12, 12, 8),
    ]
}

fn row(shape: &str, program: &str, tokens: usize, mut times: Vec<[f64; 3]>, inference: Option<f64>) {
    times.sort_by(|a, b| (a[0] + a[1]).total_cmp(&(b[0] + b[1])));
    let [forward, backward, cpu] = times[times.len() / 2];
    let step = forward + backward;
    println!(
        "{shape:<14} {program:<19} {forward:>10.3} {backward:>11.3} {step:>9.3} {:>9.3} {:>10.0} {cpu:>8.2} {:>14}",
        times[0][0] + times[0][1],
        tokens as f64 / step,
        inference.map_or_else(String::new, |s| format!("{s:.3}"))
    );
}

/// A model and a batch for it.
struct Step {
    model: Albert,
    plain: Albert,
    ids: Vec<i64>,
    batch: usize,
    masked: usize,
    tokens: usize,
    device: Device,
}

impl Step {
    fn new(case: &Value, device: &Device, precision: MatmulPrecision) -> Self {
        let number = |key: &str| case[key].as_u64().expect("a number") as usize;
        let text = case["config"].to_string().replacen('{', "{\"model_type\":\"albert\",", 1);
        let config = AlbertConfig::from_slice(text.as_bytes(), Path::new("config.json")).expect("sound");
        let heads = [Head::Pooler, Head::MaskedLm, Head::SentenceOrder];
        let (batch, length) = (number("batch"), number("length"));
        let vocabulary = config.vocab_size as u64;
        let ids = (0..(batch * length) as u64).map(|i| (5 + i * 7919 % (vocabulary - 5)) as i64).collect();
        let model = |device: &Device| {
            let mut model = Albert::new(&config, &heads, device);
            model.set_matmul_precision(precision);
            model
        };
        Self {
            model: model(&device.clone().autodiff()),
            plain: model(device),
            ids,
            batch,
            masked: number("masked"),
            tokens: batch * length,
            device: device.clone(),
        }
    }

    fn input(&self, device: &Device) -> ModelInput {
        let shape = [self.batch, self.tokens / self.batch];
        let input_ids = Tensor::<1, Int>::from_data(self.ids.as_slice(), device).reshape(shape);
        ModelInput { token_type_ids: input_ids.zeros_like(), input_ids, padding: None }
    }

    /// Seconds of the forward and of the backward pass.
    fn train(&self) -> (f64, f64) {
        let device = self.device.clone().autodiff();
        let length = self.tokens / self.batch;
        let started = Instant::now();
        let out = self.model.albert.forward(self.input(&device), OutputOptions::default());
        let positions: Vec<i64> = (0..self.batch)
            .flat_map(|row| (1..=self.masked).map(move |i| (row * length + i) as i64))
            .collect();
        let labels: Vec<i64> = positions.iter().map(|&i| self.ids[i as usize]).collect();
        let ints = |values: &[i64]| Tensor::<1, Int>::from_data(values, &device);
        let masked = self
            .model
            .masked_lm_loss(out.last_hidden_state, ints(&positions), ints(&labels))
            .expect("a masked-LM head");
        let order: Vec<i64> = (0..self.batch as i64).map(|i| i % 2).collect();
        let logits = self.model.sentence_order_logits(out.pooler_output.expect("a pooler"));
        let order = CrossEntropyLossConfig::new()
            .init(&device)
            .forward(logits.expect("a sentence-order head"), ints(&order));
        let loss = masked.loss / positions.len() as f64 + order;
        let value = loss.clone().into_data();
        assert!(value.iter::<f32>().all(f32::is_finite));
        let forward = started.elapsed().as_secs_f64();
        let started = Instant::now();
        drop(loss.backward());
        (forward, started.elapsed().as_secs_f64())
    }

    /// Seconds of the encoder's forward pass, without autodiff.
    fn infer(&self) -> f64 {
        let started = Instant::now();
        let out = self.plain.albert.forward(self.input(&self.device), OutputOptions::default());
        drop(out.last_hidden_state.into_data());
        started.elapsed().as_secs_f64()
    }
}
