//! The logs of a training run.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use albert::Error;
use albert::training::log::{Curves, EventWriter, MetricsFile, Panel, Series, SeriesStyle};
use serde_json::{Map, Value, json};

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is not an object"),
    }
}

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).expect("a text")
}

#[test]
fn metrics_are_lines_of_json() {
    let directory = directory();
    let path = directory.path().join("metrics.jsonl");
    fs::write(&path, "of another run\n").expect("a file");
    let mut file = MetricsFile::create(&path).expect("a file");
    file.append(&json!({"step": 1, "loss": 2.5})).expect("a line");
    // The record is in the file immediately.
    assert_eq!(text(&path), "{\"step\":1,\"loss\":2.5}\n");
    #[derive(serde::Serialize)]
    struct Record {
        step: u64,
        loss: f64,
    }
    file.append(&Record { step: 2, loss: f64::NAN }).expect("a line");
    assert_eq!(text(&path), "{\"step\":1,\"loss\":2.5}\n{\"step\":2,\"loss\":null}\n");
    assert!(matches!(file.append(&[1]), Err(Error::BadFile { .. })));
    assert!(matches!(MetricsFile::create(&directory.path().join("no/where")), Err(Error::Io { .. })));
}

#[test]
fn a_resumed_run_continues_after_its_step() {
    let directory = directory();
    let path = directory.path().join("metrics.jsonl");
    let lines = ["{\"run\":\"a\"}\n", "{\"step\":10,\"loss\":3}\n", "{\"step\":20,\"loss\":2}\n"];
    let kept = lines.concat();
    for rest in
        ["", "{\"step\":30}\n{\"step\":40}\n", "{\"step\":2", "{\"step\":20}", "\n\0\0\0\n[1]\n\u{e9}", "7\n"]
    {
        fs::write(&path, format!("{kept}{rest}")).expect("a file");
        let (mut file, records) = MetricsFile::resume(&path, 20).expect("a file");
        assert_eq!(records.len(), 3, "{rest:?}");
        assert_eq!(records[2]["loss"], 2);
        assert_eq!(text(&path), kept, "{rest:?}");
        file.append(&json!({"step": 30})).expect("a line");
        assert_eq!(text(&path), format!("{kept}{{\"step\":30}}\n"));
    }
    fs::write(&path, [0xff, 0xfe, b'\n']).expect("a file");
    assert_eq!(MetricsFile::resume(&path, 5).expect("a file").1, []);
    assert_eq!(text(&path), "");
    // Back to the beginning, then without a file.
    fs::write(&path, &kept).expect("a file");
    assert_eq!(MetricsFile::resume(&path, 0).expect("a file").1, [object(json!({"run": "a"}))]);
    fs::remove_file(&path).expect("removed");
    let (mut file, records) = MetricsFile::resume(&path, 20).expect("a file");
    assert_eq!(records, []);
    file.append(&json!({"step": 21})).expect("a line");
    assert_eq!(text(&path), "{\"step\":21}\n");
    // No temporary file is left.
    assert_eq!(fs::read_dir(directory.path()).expect("a list").count(), 1);
}

#[test]
fn events_are_tensorboards_bytes() {
    let directory = directory();
    let at = |seconds: u64| UNIX_EPOCH + Duration::from_millis(1_700_000_000_250 + 1000 * seconds);
    let runs = directory.path().join("tensorboard/run");
    let mut writer = EventWriter::create(&runs, at(0), Some(300)).expect("a file");
    let mut scalars =
        |step, seconds, values: &[(&str, f64)]| writer.scalars(step, at(seconds), values).expect("an event");
    scalars(310, 1, &[("train/loss", 2.5), ("learning rate", 1.76e-3)]);
    scalars(320, 2, &[("train/loss", f64::NAN), ("learning rate", 0.0)]);
    scalars(0, 3, &[("größe", f64::NEG_INFINITY), ("", 1e30)]);
    scalars(125_000, 4, &[]);
    let name = writer.path().file_name().and_then(|name| name.to_str()).expect("a name");
    assert!(name.starts_with("events.out.tfevents.1700000000."), "{name}");
    assert!(name.ends_with(&format!(".{}", std::process::id())), "{name}");
    let bytes = fs::read(writer.path()).expect("bytes");
    assert_eq!(bytes, include_bytes!("golden/tensorboard/run.tfevents"));
}

#[test]
fn each_writer_has_its_own_file() {
    let directory = directory();
    let now = SystemTime::now();
    let create = || EventWriter::create(directory.path(), now, None).expect("a file");
    let paths = [create(), create(), create()].map(|writer| writer.path().to_owned());
    assert!(paths[0] != paths[1] && paths[1] != paths[2]);
    assert_eq!(fs::read_dir(directory.path()).expect("a list").count(), 3);
    let file = directory.path().join("file");
    fs::write(&file, "").expect("a file");
    assert!(matches!(EventWriter::create(&file, now, None), Err(Error::Io { .. })));
}

fn curves() -> Curves {
    let panel = |title: &str, series: &[(&str, SeriesStyle)]| Panel {
        title: title.to_owned(),
        series: series.iter().map(|&(key, style)| Series::new(key, &format!("<{key}>"), style)).collect(),
        log_if_wide: true,
        ..Panel::default()
    };
    let loss = [("loss", SeriesStyle::Smoothed), ("eval_loss", SeriesStyle::Points)];
    let panels = vec![panel("Loss", &loss), panel("Rate", &[("rate", SeriesStyle::Line)])];
    Curves { title: "A & B".to_owned(), panels }
}

/// The points of all lines of a colour, as coordinates.
fn lines(svg: &str, colour: &str) -> Vec<Vec<(i32, i32)>> {
    let place = |pair: &str| {
        let (x, y) = pair.split_once(',').expect("a pair");
        (x.parse().expect("a number"), y.parse().expect("a number"))
    };
    svg.lines()
        .filter(|line| line.starts_with("<polyline") && line.contains(colour))
        .map(|line| {
            let points = line.split("points=\"").nth(1).and_then(|rest| rest.split('"').next());
            points.expect("points").split_whitespace().map(place).collect()
        })
        .collect()
}

const BLUE: &str = "#0072B2";

#[test]
fn curves_show_their_values() {
    let mut curves = curves();
    for step in 0..=100u64 {
        curves.push(&object(json!({"step": step, "rate": step as f64, "unknown": 1})));
    }
    curves.push(&object(json!({"no": "step", "rate": 5})));
    let svg = curves.to_svg();
    for part in ["A &amp; B", "Loss", "&lt;eval_loss&gt;", "no values yet", "\n50\n", "\n100\n", "\nstep\n"] {
        assert!(svg.contains(part), "{part}");
    }
    let rate = lines(&svg, BLUE).into_iter().max_by_key(Vec::len).expect("a line");
    assert_eq!(rate.len(), 101);
    // A straight line rises to the right, because y increases downwards.
    let ((x0, y0), (x1, y1)) = (rate[0], rate[100]);
    assert!(x1 > x0 && y1 < y0);
    for (i, (x, y)) in (0..).zip(rate) {
        assert!((x - x0 - (x1 - x0) * i / 100).abs() <= 1 && (y - y0 - (y1 - y0) * i / 100).abs() <= 1);
    }
}

#[test]
fn curves_of_any_values() {
    let hostile: &[&[Value]] = &[
        &[],
        &[json!(1.0)],
        &[json!(null)],
        &[json!(null), json!(2.0), json!(null)],
        &[json!(0), json!(0)],
        &[json!(1e-320), json!(1e29)],
        &[json!(-1e30), json!(1e30), json!(1e308), json!(-1e308)],
        &[json!("text"), json!([1]), json!(3)],
        &[json!(1.0), json!(1.000_000_000_000_000_2)],
    ];
    for values in hostile {
        for last in [0, 1, 7, u64::MAX - 20] {
            let mut curves = curves();
            for (step, value) in (last..).zip(*values) {
                curves.push(&object(json!({"step": step, "loss": value, "eval_loss": value, "rate": value})));
            }
            let svg = curves.to_svg();
            assert!(svg.starts_with("<svg width=\"960\"") && svg.trim_end().ends_with("</svg>"));
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{values:?} {last}");
            assert!(svg.len() < 100_000);
        }
    }
    assert!(Curves::default().to_svg().ends_with("</svg>\n"));
}

#[test]
fn long_runs_stay_small_and_wide_ranges_legible() {
    let mut curves = curves();
    for step in 0..200_000u64 {
        let loss = if step == 150_000 { 1e12 } else { 5.0 + (step % 10) as f64 / 10.0 };
        curves.push(&object(json!({"step": step, "loss": loss, "eval_loss": 5.0})));
    }
    let svg = curves.to_svg();
    assert!(svg.len() < 200_000, "{}", svg.len());
    assert!(svg.contains("\n1e12\n") && svg.contains("\n1\n"));
    // The single large value is at the top of the plot.
    let highest = lines(&svg, BLUE).concat().iter().map(|place| place.1).min();
    assert!(highest.is_some_and(|y| y < 4 * 80), "{highest:?}");
}

#[test]
fn gaps_are_not_connected() {
    let mut curves = curves();
    for step in 0..30u64 {
        curves.push(&object(json!({"step": step, "rate": if step == 15 { json!(null) } else { json!(1) }})));
    }
    let parts: Vec<usize> = lines(&curves.to_svg(), BLUE).iter().map(Vec::len).filter(|&n| n > 2).collect();
    assert_eq!(parts, [15, 14]);
}

#[test]
fn the_picture_is_replaced_as_a_whole() {
    let directory = directory();
    let path = directory.path().join("curves.svg");
    fs::write(&path, "old").expect("a file");
    curves().write(&path).expect("written");
    assert_eq!(text(&path), curves().to_svg());
    assert_eq!(fs::read_dir(directory.path()).expect("a list").count(), 1);
    assert!(curves().write(&directory.path().join("no/curves.svg")).is_err());
}
