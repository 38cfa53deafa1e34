//! Throughput of ALBERT-base's encoder as sequences and batches grow, in tokens per second, with one thread and with
//! two. Prints a table and draws `growth-length.svg` and `growth-batch.svg` in `--out` (default `benches`).
//!
//!     cargo bench --bench growth -- [--runs N] [--out DIR] [--programs f32,bf16,int8]
#![allow(clippy::print_stdout, reason = "a benchmark prints its table")]

mod common;

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use plotters::prelude::*;

use albert::device::{self, DeviceChoice, Precision};
use albert::ops::MatmulPrecision;
use common::encoder::{base_config, forward, model};
use common::{median, option, programs};

/// A name, and points of (length or batch size, tokens per second).
type Line = (String, Vec<(f64, f64)>);

fn main() {
    let runs: usize = option("--runs").and_then(|n| n.parse().ok()).unwrap_or(5);
    let out = PathBuf::from(option("--out").unwrap_or_else(|| "benches".into()));
    let device = device::open(DeviceChoice::Flex, Precision::F32).expect("the device").device;
    let programs = programs(&["f32", "bf16", "int8"]);

    // Batches of at most 512 tokens for each length, and sequences of 32 tokens for each batch size.
    let lengths = [16, 32, 64, 128, 256, 384, 512].map(|length| [(512 / length).max(1), length]);
    let batches = [1, 2, 4, 8, 16, 32, 64].map(|batch| [batch, 32]);
    let by_length = measure(&lengths, &programs, runs, &device);
    table("length", &by_length);
    draw(&out.join("growth-length.svg"), "tokens in a sequence (512 in all)", &by_length);
    let sizes = measure(&batches, &programs, runs, &device);
    let by_batch: Vec<Line> = sizes
        .into_iter()
        .map(|(name, points)| {
            let points = points.into_iter().zip(batches).map(|((_, rate), [batch, _])| (batch as f64, rate));
            (name, points.collect())
        })
        .collect();
    table("batch", &by_batch);
    draw(&out.join("growth-batch.svg"), "sequences of 32 tokens in a batch", &by_batch);
}

fn measure(
    shapes: &[[usize; 2]],
    programs: &[(String, MatmulPrecision)],
    runs: usize,
    device: &Device,
) -> Vec<Line> {
    let mut lines = Vec::new();
    for (program, precision) in programs {
        let mut model = model(&base_config(), device);
        model.set_matmul_precision(*precision);
        for threads in [1, 2] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
            let points = shapes.iter().map(|&shape| {
                let mut seconds: Vec<f64> =
                    (0..=runs).map(|_| pool.install(|| forward(&model, shape, device))).skip(1).collect();
                (shape[1] as f64, (shape[0] * shape[1]) as f64 / median(&mut seconds))
            });
            lines.push((
                format!("{program}, {threads} thread{}", if threads > 1 { "s" } else { "" }),
                points.collect(),
            ));
        }
    }
    lines
}

fn table(what: &str, lines: &[Line]) {
    print!("{what:<18}");
    for (x, _) in &lines[0].1 {
        print!(" {x:>8.0}");
    }
    println!();
    for (name, points) in lines {
        print!("{name:<18}");
        for (_, rate) in points {
            print!(" {rate:>8.0}");
        }
        println!();
    }
}

/// Both axes are logarithmic.
fn draw(path: &Path, title: &str, lines: &[Line]) {
    let points = || lines.iter().flat_map(|(_, points)| points);
    let edge = |value: fn(&(f64, f64)) -> f64| {
        let low = points().map(value).fold(f64::INFINITY, f64::min);
        low * 0.9..points().map(value).fold(0.0, f64::max) * 1.1
    };
    let area = SVGBackend::new(path, (720, 440)).into_drawing_area();
    area.fill(&WHITE).expect("the picture is written");
    let mut chart = ChartBuilder::on(&area)
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(64)
        .build_cartesian_2d(edge(|p| p.0).log_scale(), edge(|p| p.1).log_scale())
        .expect("axes");
    chart.configure_mesh().x_desc(title).y_desc("tokens a second").draw().expect("a mesh");
    for (i, (name, points)) in lines.iter().enumerate() {
        let color = Palette99::pick(i / 2).mix(if i % 2 == 0 { 0.45 } else { 1.0 });
        let style = color.stroke_width(2);
        chart
            .draw_series(LineSeries::new(points.iter().copied(), style).point_size(3))
            .expect("a line")
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.8))
        .draw()
        .expect("labels");
    area.present().expect("the picture is written");
}
