//! Individual operations of an ALBERT-base layer, compared with the peak of this processor.
//!
//!     cargo bench --bench operations -- [--runs N]
//!
//! Reports medians. The peak is that of products whose operands never leave the nearest cache. `library` rows are the
//! same products computed by `rten-gemm`.
#![allow(clippy::print_stdout, reason = "a benchmark prints its table")]

mod common;

use std::time::{Duration, Instant};

use albert::device;
use albert::ops::MatmulPrecision;
use albert::ops::measure::{self, Operation};
use common::{median, option};

const THREADS: usize = 2;
const WARM_UP: Duration = Duration::from_millis(100);

fn main() {
    let runs: usize = option("--runs").and_then(|n| n.parse().ok()).unwrap_or(15);
    device::set_threads(THREADS).expect("nothing has been computed yet");
    println!("{:<34} {:>10} {:>10} {:>8}", "operation", "median us", "G/s", "of peak");
    let mut f32_peak = f64::NAN;
    for precision in
        [MatmulPrecision::F32, MatmulPrecision::Bf16x2, MatmulPrecision::Bf16, MatmulPrecision::Int8]
    {
        // Bytes: one instruction does twice the operations of bf16.
        let peak = match measure::peak(if precision == MatmulPrecision::Int8 {
            MatmulPrecision::Bf16
        } else {
            precision
        }) {
            Some(operation) => {
                line(operation, runs, f64::NAN) * if precision == MatmulPrecision::Int8 { 2.0 } else { 1.0 }
            }
            None => f32_peak,
        };
        if precision == MatmulPrecision::F32 {
            f32_peak = peak;
        }
        for (k, n) in [(768, 2304), (768, 768), (768, 3072), (3072, 768)] {
            line(measure::product(precision, 1024, k, n), runs, peak);
        }
        line(measure::product(precision, 16, 768, 3072), runs, peak);
        if matches!(precision, MatmulPrecision::F32 | MatmulPrecision::Int8) {
            for [rows, k, n] in [[1024, 768, 2304], [1024, 3072, 768], [16, 768, 3072]] {
                line(measure::library_product(precision, rows, k, n), runs, peak);
            }
        }
        if precision != MatmulPrecision::Int8 {
            for (batch, length) in [(64, 16), (32, 32), (16, 64), (8, 128), (4, 256), (2, 512)] {
                line(measure::attention(precision, batch, length, 768, 12), runs, peak);
            }
        }
    }
    println!("elements instead of operations:");
    line(measure::gelu(1024, 3072), runs, f64::NAN);
    line(measure::normalization(1024, 768), runs, f64::NAN);
    line(measure::softmax(12 * 1024, 128), runs, f64::NAN);
}

/// Prints a row. Returns the operations per second.
fn line(mut operation: Operation, runs: usize, peak: f64) -> f64 {
    let started = Instant::now();
    while started.elapsed() < WARM_UP {
        (operation.run)();
    }
    let mut seconds: Vec<f64> = (0..runs)
        .map(|_| {
            let started = Instant::now();
            (operation.run)();
            started.elapsed().as_secs_f64()
        })
        .collect();
    let middle = median(&mut seconds);
    let rate = operation.operations / middle;
    let share = if peak.is_nan() { String::new() } else { format!("{:.0} %", 100.0 * rate / peak) };
    println!("{:<34} {:>10.1} {:>10.1} {share:>8}", operation.name, 1e6 * middle, rate / 1e9);
    rate
}
