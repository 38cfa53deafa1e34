//! The encoder of ALBERT-base on the CPU over shapes without padding. With `--python PATH`, it is compared with ONNX
//! Runtime, OpenVINO and PyTorch (see `inference_peer.py` for what they run).
//!
//!     cargo bench --bench inference -- [--python PATH] [--runs N] [--shapes 8x128,1x16] [--programs f32,int8]
//!         [--peers onnx,onnx-int8,openvino,openvino-bf16,...] [--device flex|ndarray]
//!
//! Reports medians over rounds in which every program takes one turn. A turn starts with a pause until the threads of
//! the previous program sleep (OpenMP's spin for 200 ms). An untimed warm-up then wakes processors and caches, and one
//! timed run follows. Peers that compute in bfloat16 are left out by default if the processor has no instructions for
//! it.
#![allow(clippy::print_stdout, reason = "a benchmark prints its table")]

mod common;

use serde_json::json;
use std::thread::sleep;
use std::time::{Duration, Instant};

use albert::device::{self, Precision};
use albert::ops::{self, MatmulPrecision};
use common::encoder::{base_config, forward, model};
use common::{Peer, list, median, option, programs};

const THREADS: usize = 2;
/// The pause between two programs.
const PAUSE: Duration = Duration::from_millis(400);

/// How long a program runs before its timed run.
const WARM_UP: Duration = Duration::from_millis(60);

fn main() {
    let runs: usize = option("--runs").and_then(|n| n.parse().ok()).unwrap_or(7);
    let shapes = list("--shapes")
        .unwrap_or_else(|| ["8x128", "32x32", "2x512", "1x16", "1x128"].map(str::to_owned).to_vec());
    let peers = list("--peers").unwrap_or_else(default_peers);
    let choice = option("--device").unwrap_or_else(|| "flex".into()).parse().expect("a device");
    device::set_threads(THREADS).expect("nothing has been computed yet");
    let device = device::open(choice, Precision::F32).expect("the device").device;

    let config = base_config();
    let mut peer = option("--python").map(|python| Peer::start(&python, "inference_peer.py"));
    let peers: Vec<String> = peer.as_mut().map_or_else(Vec::new, |peer| {
        let case = json!({ "config": config, "threads": THREADS, "programs": peers });
        peer.ask(&format!("prepare {case}")).split(' ').map(str::to_owned).collect()
    });
    let models: Vec<_> = programs(&["f32", "bf16x2", "bf16", "int8"])
        .into_iter()
        .map(|(name, precision)| {
            let mut model = model(&config, &device);
            model.set_matmul_precision(precision);
            (format!("albert {name}"), model)
        })
        .collect();

    println!("{:<8} {:<22} {:>9} {:>9} {:>10}", "shape", "program", "median ms", "min ms", "tokens/s");
    for shape in shapes {
        let (batch, length) = shape.split_once('x').expect("BATCHxLENGTH");
        let size = [batch, length].map(|n| n.parse::<usize>().expect("a number"));
        if let Some(peer) = &mut peer {
            peer.ask(&format!("shape {batch} {length}"));
        }
        let mut seconds = vec![Vec::new(); models.len() + peers.len()];
        for round in 0..=runs {
            for (i, (_, model)) in models.iter().enumerate() {
                let time = turn(|| forward(model, size, &device));
                seconds[i].extend((round > 0).then_some(time));
            }
            for (i, name) in peers.iter().enumerate() {
                let Some(peer) = &mut peer else { continue };
                let time = turn(|| peer.ask(&format!("run {name}")).parse().expect("seconds"));
                seconds[models.len() + i].extend((round > 0).then_some(time));
            }
        }
        let names = models.iter().map(|(name, _)| name.as_str()).chain(peers.iter().map(String::as_str));
        for (name, mut times) in names.zip(seconds) {
            let middle = median(&mut times);
            let tokens = size[0] * size[1];
            println!(
                "{shape:<8} {name:<22} {:>9.2} {:>9.2} {:>10.0}",
                1e3 * middle,
                1e3 * times[0],
                tokens as f64 / middle
            );
        }
    }
}

fn default_peers() -> Vec<String> {
    let always = [
        "onnx",
        "onnx-int8",
        "openvino",
        "openvino-int8",
        "openvino-int8-dynamic",
        "torch",
        "torch-compiled",
    ];
    let bf16 = ["openvino-bf16", "torch-bf16", "torch-bf16-compiled"];
    let bf16 = bf16.into_iter().filter(|_| ops::is_native(MatmulPrecision::Bf16));
    always.into_iter().chain(bf16).map(str::to_owned).collect()
}

/// The seconds of one timed run, after the pause and the warm-up.
fn turn(mut run: impl FnMut() -> f64) -> f64 {
    sleep(PAUSE);
    let started = Instant::now();
    while started.elapsed() < WARM_UP {
        run();
    }
    run()
}
