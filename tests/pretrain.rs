//! `albert pretrain` as a user runs it: to completion, interrupted in various ways, and with bad input.

mod common;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::runs::{begin, finish, metrics, wait_for_step, weights};
use common::{albert, golden};
use safetensors::SafeTensors;
use serde_json::Value;
use tempfile::TempDir;

/// A fixed corpus of several documents.
fn corpus(folder: &Path) -> PathBuf {
    let words = [
        "the", "river", "runs", "through", "a", "green", "valley", "and", "people", "walk", "along", "it",
        "every", "morning", "before", "work", "some", "carry", "bread", "others", "only", "their",
        "thoughts",
    ];
    let path = folder.join("corpus.txt");
    let mut file = std::fs::File::create(&path).expect("a file");
    let mut state = 7usize;
    for _ in 0..40 {
        for _ in 0..12 {
            let mut sentence = Vec::new();
            for _ in 0..9 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                sentence.push(words[(state >> 33) % words.len()]);
            }
            writeln!(file, "{}.", sentence.join(" ")).expect("written");
        }
        writeln!(file).expect("written");
    }
    path
}

fn arguments(folder: &Path, output: &str, steps: u32) -> Vec<String> {
    let mut all: Vec<String> = ["pretrain", "--size", "tiny", "--batch-size", "6", "--max-seq-length", "32"]
        .map(str::to_owned)
        .to_vec();
    let tokenizer = golden("fill_mask/json_2020/tokenizer.json");
    for (flag, value) in [
        ("--corpus", folder.join("corpus.txt").display().to_string()),
        ("--tokenizer", tokenizer.display().to_string()),
        ("--output", folder.join(output).display().to_string()),
        ("--steps", steps.to_string()),
        ("--eval-fraction", "0.1".to_owned()),
        ("--log-every", "1".to_owned()),
        ("--save-every", "5".to_owned()),
        ("--hidden-dropout", "0.1".to_owned()),
        ("--attention-dropout", "0.1".to_owned()),
        ("--device", "flex".to_owned()),
        ("--micro-batch", "4".to_owned()),
        ("--optimizer", "lamb".to_owned()),
    ] {
        all.extend([flag.to_owned(), value]);
    }
    all
}

#[test]
fn a_run_leaves_a_model_and_its_curves() {
    let folder = TempDir::new().expect("a directory");
    corpus(folder.path());
    let told = finish(&arguments(folder.path(), "run", 20));
    assert!(told.contains("parameters") && told.contains("memory") && told.contains("documents"), "{told}");
    let output = folder.path().join("run");
    for name in ["config.json", "model.safetensors", "tokenizer.json", "metrics.jsonl", "curves.svg"] {
        assert!(output.join(name).is_file(), "{name}");
    }
    let events = std::fs::read_dir(&output).expect("a directory").flatten();
    assert!(events.filter(|e| e.file_name().to_string_lossy().contains("tfevents")).count() == 1);

    // Metrics: one record per step, a held-out one at the end, and plausible values.
    let metrics = metrics(folder.path(), "run");
    let train: Vec<&Value> = metrics.iter().filter(|m| m["kind"] == "train").collect();
    assert_eq!(train.len(), 20);
    for (i, record) in train.iter().enumerate() {
        assert_eq!(record["step"], i as u64 + 1);
        for name in ["mlm_loss", "sop_loss", "learning_rate", "gradient_norm", "tokens_per_second"] {
            assert!(record[name].as_f64().is_some_and(|v| v.is_finite() && v > 0.0), "{name}: {record}");
        }
        for name in ["mlm_accuracy", "sop_accuracy"] {
            assert!(record[name].as_f64().is_some_and(|v| (0.0..=1.0).contains(&v)), "{name}: {record}");
        }
    }
    let evaluated: Vec<&Value> = metrics.iter().filter(|m| m["kind"] == "eval").collect();
    let last = evaluated.last().expect("an evaluation");
    assert_eq!(last["step"], 20);
    let (loss, perplexity) =
        (last["mlm_loss"].as_f64().unwrap_or(0.0), last["perplexity"].as_f64().unwrap_or(0.0));
    assert!((loss.exp() - perplexity).abs() < 1e-6 * perplexity, "{last}");

    // Three checkpoints are kept. Each is a model, and so is the output directory.
    let kept: Vec<_> =
        std::fs::read_dir(output.join("checkpoints")).expect("a directory").flatten().collect();
    assert_eq!(kept.len(), 3);
    for model in [output.clone(), output.join("checkpoints/step-00000015")] {
        albert()
            .args(["fill-mask", "--format", "jsonl", "the river [MASK] through a valley", "--model"])
            .arg(&model)
            .assert()
            .success();
    }
    assert_eq!(
        std::fs::read(output.join("checkpoints/step-00000020/model.safetensors")).expect("a model"),
        weights(folder.path(), "run")
    );
}

#[test]
fn broken_off_and_resumed_gives_the_same_weights() {
    let folder = TempDir::new().expect("a directory");
    corpus(folder.path());
    let path = folder.path();
    finish(&arguments(path, "whole", 60));
    let whole = weights(path, "whole");

    // A repeated run gives the same weights, for any number of threads.
    let mut again = arguments(path, "again", 60);
    again.extend(["--threads".to_owned(), "1".to_owned()]);
    finish(&again);
    assert!(weights(path, "again") == whole, "one thread gives other weights");

    let resumed = |output: &str| {
        let mut arguments = arguments(path, output, 60);
        arguments.push("--resume".to_owned());
        finish(&arguments);
        assert!(weights(path, output) == whole, "{output}: other weights");
        let metrics = metrics(path, output);
        let steps: Vec<u64> =
            metrics.iter().filter(|m| m["kind"] == "train").filter_map(|m| m["step"].as_u64()).collect();
        assert_eq!(steps, (1..=60).collect::<Vec<_>>(), "{output}: a record for each step, once");
    };

    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt;

        for (output, signal) in [("sigterm", "TERM"), ("sigint", "INT")] {
            let mut child = begin(&arguments(path, output, 60));
            wait_for_step(path, output, 7, &mut child);
            let kill = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status();
            assert!(kill.expect("kill").success());
            assert_eq!(child.wait().expect("ended").code(), Some(130), "{signal}");
            resumed(output);
        }

        let mut child = begin(&arguments(path, "killed", 60));
        for step in [12, 31] {
            wait_for_step(path, "killed", step, &mut child);
            child.kill().expect("killed");
            assert_eq!(child.wait().expect("ended").signal(), Some(9));
            let mut arguments = arguments(path, "killed", 60);
            arguments.push("--resume".to_owned());
            child = begin(&arguments);
        }
        assert!(child.wait().expect("ended").success());
        resumed("killed");
    }

    // The newest checkpoint is damaged, so the previous one is used.
    let mut part = arguments(path, "damaged", 60);
    part.extend(["--keep".to_owned(), "4".to_owned()]);
    finish(&part);
    for name in ["model.safetensors", "config.json"] {
        std::fs::remove_file(path.join("damaged").join(name)).expect("there");
    }
    let newest = path.join("damaged/checkpoints/step-00000060");
    std::fs::write(newest.join("optimizer.safetensors"), b"half").expect("written");
    std::fs::write(path.join("damaged/checkpoints/step-00000055/trainer.json"), b"{").expect("written");
    part.push("--resume".to_owned());
    let told = finish(&part);
    assert!(told.contains("step-00000060") && told.contains("step-00000055"), "{told}");
    assert!(weights(path, "damaged") == whole);
}

#[test]
fn a_run_is_resumed_with_its_own_options() {
    let folder = TempDir::new().expect("a directory");
    corpus(folder.path());
    let path = folder.path();
    finish(&arguments(path, "run", 6));
    let fails = |arguments: &[String], wanted: &[&str]| {
        let output = albert().args(arguments).output().expect("started");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{text}");
        for part in wanted {
            assert!(text.contains(part), "{part}: {text}");
        }
    };
    // A second run in the same directory, without and with other options.
    fails(&arguments(path, "run", 6), &["--resume"]);
    let mut other = arguments(path, "run", 6);
    other.extend(["--resume", "--seed", "2"].map(str::to_owned));
    fails(&other, &["--seed was 1, is 2"]);
    // Without a checkpoint, the run starts from the beginning.
    let mut none = arguments(path, "nothing", 6);
    none.push("--resume".to_owned());
    finish(&none);
    assert!(weights(path, "nothing") == weights(path, "run"));
}

#[test]
fn pretraining_continues_from_a_model() {
    let folder = TempDir::new().expect("a directory");
    corpus(folder.path());
    let path = folder.path();
    finish(&arguments(path, "first", 3));
    // A step that changes nothing: the weights equal the first run's.
    let mut second = arguments(path, "second", 1);
    let size = second.iter().position(|a| a == "--size").expect("there");
    second[size] = "--init-from".to_owned();
    second[size + 1] = path.join("first").display().to_string();
    let tokenizer = second.iter().position(|a| a == "--tokenizer").expect("there");
    second.drain(tokenizer..tokenizer + 2);
    second.extend(["--learning-rate", "1e-30"].map(str::to_owned));
    finish(&second);
    assert!(weights(path, "first") == weights(path, "second"));
}

#[test]
fn what_is_frozen_stays_and_the_rest_learns() {
    let folder = TempDir::new().expect("a directory");
    corpus(folder.path());
    let path = folder.path();
    let [free, frozen] = ["free", "frozen"].map(|output| arguments(path, output, 2));
    finish(&free);
    let prefixes = ["albert.embeddings.", "albert.pooler.weight"];
    finish(&[frozen, vec!["--freeze".to_owned(), prefixes.join(",")]].concat());
    let (free, frozen) = (weights(path, "free"), weights(path, "frozen"));
    let [free, frozen] = [&free, &frozen].map(|bytes| SafeTensors::deserialize(bytes).expect("a model"));
    let first = {
        let mut none = arguments(path, "none", 1);
        none.extend(["--learning-rate", "1e-30"].map(str::to_owned));
        finish(&none);
        weights(path, "none")
    };
    let first = SafeTensors::deserialize(&first).expect("a model");
    // The reference run moves parameters that start at zero by its learning rate of 1e-30, which the threshold ignores.
    let moved = |model: &SafeTensors<'_>, name: &str| {
        let [before, after] = [&first, model].map(|model| model.tensor(name).expect("the same names"));
        let values = |bytes: &[u8]| {
            bytes.as_chunks::<4>().0.iter().map(|x| f32::from_le_bytes(*x)).collect::<Vec<_>>()
        };
        let (before, after) = (values(before.data()), values(after.data()));
        before.iter().zip(&after).any(|(before, after)| (before - after).abs() > 1e-20)
    };
    for name in frozen.names() {
        let kept = prefixes.iter().any(|prefix| name.starts_with(prefix));
        assert_eq!(moved(&frozen, name), !kept, "{name}");
        assert!(moved(&free, name), "{name}");
    }
}

#[test]
fn invalid_options_are_reported_before_the_first_step() {
    let folder = TempDir::new().expect("a directory");
    corpus(folder.path());
    let path = folder.path();
    std::fs::write(path.join("empty.txt"), "\n\n").expect("written");
    let fails = |change: &[(&str, &str)], wanted: &str| {
        let mut all = arguments(path, "run", 6);
        for (flag, value) in change {
            match all.iter().position(|a| a == flag) {
                Some(place) => all[place + 1] = (*value).to_owned(),
                None => all.extend([(*flag).to_owned(), (*value).to_owned()]),
            }
        }
        let output = albert().args(&all).output().expect("started");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{change:?}: {text}");
        assert!(text.contains(wanted), "{change:?}: {text}");
    };
    fails(&[("--corpus", "/nowhere")], "/nowhere");
    fails(&[("--corpus", &path.join("empty.txt").display().to_string())], "no text");
    fails(&[("--tokenizer", "/nowhere.json")], "/nowhere.json");
    fails(&[("--max-seq-length", "600")], "512 positions");
    fails(&[("--steps", "0")], "--steps");
    fails(
        &[("--freeze", "albert.nothing")],
        "start with albert.embeddings, albert.encoder, albert.pooler, predictions, sop_classifier",
    );
    fails(&[("--freeze", "albert,predictions,sop_classifier")], "every parameter is frozen");
    fails(&[("--learning-rate", "nan")], "--learning-rate");
    fails(&[("--eval-fraction", "1")], "--eval-fraction");
    fails(&[("--device", "wgpu:99")], "wgpu");
}

#[test]
fn a_run_that_diverges_stops_and_says_so() {
    let folder = TempDir::new().expect("a directory");
    corpus(folder.path());
    let mut all = arguments(folder.path(), "run", 200);
    let place = all.iter().position(|a| a == "lamb").expect("there");
    all[place] = "adamw".to_owned();
    for flag in ["--learning-rate", "--clip-norm", "--warmup-steps"] {
        let value = match flag {
            "--learning-rate" => "1e30",
            _ => "0",
        };
        all.extend([flag.to_owned(), value.to_owned()]);
    }
    let output = albert().args(&all).output().expect("started");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("diverged") && text.contains("--learning-rate"), "{text}");
    assert!(!folder.path().join("run/model.safetensors").exists());
}

#[test]
fn instances_are_shown_as_text() {
    let folder = TempDir::new().expect("a directory");
    corpus(folder.path());
    let mut all = arguments(folder.path(), "run", 6);
    all.extend(["--show-instances", "3"].map(str::to_owned));
    let shown = |format: &str| {
        let output = albert().args(&all).args(["--format", format]).output().expect("started");
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let text = shown("text");
    assert!(text.matches("[CLS]").count() == 3 && text.contains("[MASK]"), "{text}");
    // The same rows as ids.
    let rows: Vec<Value> =
        shown("jsonl").lines().map(|l| serde_json::from_str(l).expect("a record")).collect();
    assert_eq!(rows.len(), 3);
    for row in &rows {
        let count = |name: &str| row[name].as_array().map(Vec::len);
        assert_eq!(count("input_ids"), count("token_type_ids"));
        assert_eq!(count("input_ids"), count("labels"));
        let masked = row["labels"].as_array().expect("a list").iter().filter(|l| **l != -100).count();
        assert!((1..=5).contains(&masked), "{row}");
        assert!(row["sentence_order_label"] == 0 || row["sentence_order_label"] == 1);
    }
}

/// A corpus that can be read only once cannot train its own tokenizer.
#[test]
fn a_pipe_needs_a_tokenizer() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = corpus(folder.path());
    let output = folder.path().join("run");
    let run = |more: &[&str]| {
        let mut command = albert();
        command.args(["pretrain", "--corpus", "-", "--size", "tiny", "--steps", "1", "--device", "flex"]);
        command.args(["--batch-size", "4", "--max-seq-length", "32", "--output"]).arg(&output).args(more);
        let result = command.write_stdin(std::fs::read(&path).expect("reads")).output().expect("runs");
        (result.status.code(), String::from_utf8_lossy(&result.stderr).into_owned())
    };
    let (code, err) = run(&[]);
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("--tokenizer: name one: the corpus is a pipe"), "{err}");
    let tokenizer = golden("fill_mask/json_2020/tokenizer.json").display().to_string();
    let (code, err) = run(&["--tokenizer", &tokenizer]);
    assert_eq!(code, Some(0), "{err}");
}

/// A scheduler may always pass --resume. A new run says that it uses the tokenizer of an earlier one.
#[test]
fn a_run_that_ended_before_its_first_checkpoint_starts_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = corpus(folder.path());
    let run = |output: &str, more: &[&str]| {
        let mut command = albert();
        command.args([
            "pretrain",
            "--size",
            "tiny",
            "--steps",
            "1",
            "--device",
            "flex",
            "--vocab-size",
            "60",
        ]);
        command.args(["--batch-size", "4", "--max-seq-length", "32", "--corpus"]).arg(&path);
        let output = folder.path().join(output);
        let result = command.arg("--output").arg(&output).args(more).output().expect("runs");
        let err = String::from_utf8_lossy(&result.stderr).into_owned();
        assert_eq!(result.status.code(), Some(0), "{more:?}: {err}");
        err
    };
    let notice = "using the tokenizer of an earlier run in ";
    for output in ["a", "b"] {
        assert!(!run(output, &["--show-instances", "1"]).contains(notice));
    }
    assert!(run("a", &[]).contains(notice));
    assert!(!run("b", &["--resume"]).contains(notice));
    assert!(["a", "b"].iter().all(|output| folder.path().join(output).join("model.safetensors").exists()));
}
