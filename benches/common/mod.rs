//! Code shared by the benchmarks: options, medians, and communication with Python peers.
#![allow(dead_code, reason = "no benchmark uses all of it")]

pub(crate) mod encoder;
pub(crate) mod process;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use albert::ops::MatmulPrecision;

/// The value of a command-line flag.
pub(crate) fn option(flag: &str) -> Option<String> {
    let args: Vec<String> = std::env::args().collect();
    args.iter().position(|a| a == flag).and_then(|i| args.get(i + 1)).cloned()
}

/// The value of a command-line flag, split at commas.
pub(crate) fn list(flag: &str) -> Option<Vec<String>> {
    option(flag).map(|value| value.split(',').map(str::to_owned).collect())
}

/// The precisions named by `--programs`, or by `default` without that flag.
pub(crate) fn programs(default: &[&str]) -> Vec<(String, MatmulPrecision)> {
    let names = list("--programs").unwrap_or_else(|| default.iter().map(|name| (*name).to_owned()).collect());
    let precision = |name: &str| match name {
        "f32" => MatmulPrecision::F32,
        "bf16x2" => MatmulPrecision::Bf16x2,
        "bf16" => MatmulPrecision::Bf16,
        "int8" => MatmulPrecision::Int8,
        _ => panic!("--programs {name}: f32, bf16x2, bf16 or int8"),
    };
    names.into_iter().map(|name| (name.clone(), precision(&name))).collect()
}

/// The median. Leaves the values sorted.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A Python peer program from this folder that answers requests line by line.
pub(crate) struct Peer {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Peer {
    pub(crate) fn start(python: &str, script: &str) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches").join(script);
        let mut child = Command::new(python)
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python starts");
        let stdin = child.stdin.take().expect("a pipe");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        Self { child, stdin, stdout }
    }

    /// Sends a line and waits for the reply.
    pub(crate) fn ask(&mut self, line: &str) -> String {
        writeln!(self.stdin, "{line}").expect("Python listens");
        let mut answer = String::new();
        self.stdout.read_line(&mut answer).expect("Python answers");
        answer.trim().to_owned()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // The peer has nothing left to do once the pipe closes.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A checkpoint of ALBERT-base's size with random weights, either masked LM (`AlbertForMaskedLM`) or two labels
/// (`AlbertForSequenceClassification`), with the files of the built-in tokenizer.
pub(crate) fn write_base_model(directory: &Path, architecture: &str) -> std::io::Result<()> {
    if directory.join("model.safetensors").is_file() {
        return Ok(());
    }
    std::fs::create_dir_all(directory)?;
    let (v, e, h, i) = (30000usize, 128usize, 768usize, 3072usize);
    let layer = "albert.encoder.albert_layer_groups.0.albert_layers.0";
    let mut shapes: Vec<(String, Vec<usize>)> = vec![
        ("albert.embeddings.word_embeddings.weight".into(), vec![v, e]),
        ("albert.embeddings.position_embeddings.weight".into(), vec![512, e]),
        ("albert.embeddings.token_type_embeddings.weight".into(), vec![2, e]),
    ];
    let masked = architecture == "AlbertForMaskedLM";
    if masked {
        shapes.push(("predictions.bias".into(), vec![v]));
    }
    for (name, out, input) in [
        ("albert.encoder.embedding_hidden_mapping_in".to_owned(), h, e),
        (format!("{layer}.attention.query"), h, h),
        (format!("{layer}.attention.key"), h, h),
        (format!("{layer}.attention.value"), h, h),
        (format!("{layer}.attention.dense"), h, h),
        (format!("{layer}.ffn"), i, h),
        (format!("{layer}.ffn_output"), h, i),
        if masked { ("predictions.dense".to_owned(), e, h) } else { ("albert.pooler".to_owned(), h, h) },
        if masked { ("predictions.unused".to_owned(), 1, 1) } else { ("classifier".to_owned(), 2, h) },
    ] {
        shapes.push((format!("{name}.weight"), vec![out, input]));
        shapes.push((format!("{name}.bias"), vec![out]));
    }
    for (name, width) in [
        ("albert.embeddings.LayerNorm".to_owned(), e),
        (format!("{layer}.attention.LayerNorm"), h),
        (format!("{layer}.full_layer_layer_norm"), h),
        (if masked { "predictions.LayerNorm" } else { "albert.unused.LayerNorm" }.to_owned(), e),
    ] {
        shapes.push((format!("{name}.weight"), vec![width]));
        shapes.push((format!("{name}.bias"), vec![width]));
    }
    let mut state = 1u64;
    let data: Vec<(String, Vec<usize>, Vec<u8>)> = shapes
        .into_iter()
        .map(|(name, shape)| {
            let count: usize = shape.iter().product();
            let bytes = (0..count)
                .flat_map(|_| {
                    state =
                        state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    ((((state >> 40) as f32) / 16_777_216.0 - 0.5) * 0.07).to_le_bytes()
                })
                .collect();
            (name, shape, bytes)
        })
        .collect();
    let views: Vec<_> = data
        .iter()
        .map(|(name, shape, bytes)| {
            let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes);
            (name.clone(), view.expect("a sound tensor"))
        })
        .collect();
    let config = serde_json::json!({
        "model_type": "albert", "architectures": [architecture], "vocab_size": v, "embedding_size": e,
        "hidden_size": h, "intermediate_size": i, "num_attention_heads": 12, "num_hidden_layers": 12,
        "hidden_act": "gelu_new", "max_position_embeddings": 512,
    });
    std::fs::write(directory.join("config.json"), config.to_string())?;
    std::fs::write(directory.join("spiece.model"), include_bytes!("../../assets/spiece.model"))?;
    let bytes = safetensors::serialize(views, None).expect("serializes");
    std::fs::write(directory.join("model.safetensors"), bytes)
}
