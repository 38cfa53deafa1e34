//! Conversion of arguments to plain values: input source, device, model.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use albert::checkpoint::{Adapter, Checkpoint, EmbeddedTask, MlmBias, Origin, load_model};
use albert::device::{self, DeviceChoice, OpenDevice, Workload};
use albert::io::{Needed, Source};
use albert::model::Head;
use albert::ops::{self, Numbers};
use albert::tasks::{FieldNames, Long, Runtime};
use albert::tokenizer::Tokenizer;
use albert::{Error, Result};

use super::args::{DeviceArgs, InputArgs, LengthArgs, ModelArgs};
use super::report::Reporter;

/// Default number of padded tokens per forward pass, on a CPU per thread. Larger batches are not faster on a CPU and take more
/// memory.
const CPU_BATCH_TOKENS_PER_THREAD: usize = 256;
const FEWEST_CPU_BATCH_TOKENS: usize = 512;
const GPU_BATCH_TOKENS: usize = 16384;

/// Lengths are padded to a multiple of this on GPUs, which compile one kernel per shape.
const GPU_PAD_MULTIPLE: usize = 16;

/// The source of records: arguments, else `--input`, else standard input unless it is a terminal. `what` names the arguments
/// in messages.
///
/// # Errors
/// [`Error::Usage`] if there is no input.
pub fn source(arguments: &[String], input: &[PathBuf], what: &str) -> Result<Source> {
    if !arguments.is_empty() {
        return Ok(Source::Arguments(arguments.to_vec()));
    }
    match &*expanded(input)? {
        [path] if path == Path::new("-") => Ok(Source::Stdin),
        [path] => Ok(Source::File(path.to_owned())),
        [] if std::io::stdin().is_terminal() => Err(Error::Usage {
            flag: what.to_owned(),
            problem: "no input: give it as arguments, --input FILE, or pipe lines in".to_owned(),
        }),
        [] => Ok(Source::Stdin),
        paths => Ok(Source::Files(paths.to_vec())),
    }
}

/// The files that names and patterns stand for, where the shell has not replaced the patterns.
///
/// # Errors
/// [`Error::Usage`] for a pattern without files, and for standard input given twice.
fn expanded(input: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let usage = |problem: String| Error::Usage { flag: "--input".to_owned(), problem };
    let mut paths = Vec::new();
    for path in input {
        let pattern = path.to_str().filter(|name| name.contains(['*', '?', '[']) && !path.exists());
        let Some(pattern) = pattern else {
            paths.push(path.clone());
            continue;
        };
        let found = glob::glob(pattern).map_err(|e| usage(format!("{pattern}: {e}")))?;
        let before = paths.len();
        for path in found {
            let path = path.map_err(|e| Error::io(e.path().to_owned(), "read")(e.into()))?;
            paths.push(path);
        }
        if paths.len() == before {
            return Err(usage(format!("no file matches {pattern}")));
        }
    }
    if paths.iter().filter(|path| path.as_path() == Path::new("-")).count() > 1 {
        return Err(usage("standard input (-) can be read once only".to_owned()));
    }
    Ok(paths)
}

impl InputArgs {
    /// The source of records.
    ///
    /// # Errors
    /// [`Error::Usage`] if there is no input.
    pub fn source(&self) -> Result<Source> {
        source(&self.texts, &self.records.input, "TEXT")
    }

    /// The columns that a table must have.
    pub fn needed(&self) -> Vec<Needed> {
        let mut needed = vec![Needed::new(&self.text_field, "--text-field")];
        // A second text is optional, unless the user names its column.
        if self.pair_field != FieldNames::default().text_pair {
            needed.push(Needed::new(&self.pair_field, "--pair-field"));
        }
        needed
    }

    /// The names of the JSON fields.
    pub fn fields(&self) -> FieldNames {
        FieldNames { text: self.text_field.clone(), text_pair: self.pair_field.clone() }
    }
}

/// The context given on the command line: from a file, from standard input, or as text.
///
/// # Errors
/// [`Error::Io`]; [`Error::BadFile`] if it is not UTF-8; [`Error::Usage`] if standard input would be both the context and the
/// records.
pub fn context(file: Option<&Path>, text: Option<&str>, source: &Source) -> Result<Option<String>> {
    let Some(path) = file else { return Ok(text.map(str::to_owned)) };
    let from_stdin = path == Path::new("-");
    let takes_stdin = match source {
        Source::Stdin => true,
        Source::Files(paths) => paths.iter().any(|path| path == Path::new("-")),
        Source::File(_) | Source::Arguments(_) => false,
    };
    if from_stdin && takes_stdin {
        return Err(Error::Usage {
            flag: "--context".to_owned(),
            problem: "- takes the context from standard input: give the questions as arguments or --input"
                .to_owned(),
        });
    }
    let name = if from_stdin { Path::new("<stdin>") } else { path };
    let mut bytes = Vec::new();
    let read = if from_stdin {
        std::io::Read::read_to_end(&mut std::io::stdin(), &mut bytes)
    } else {
        std::fs::File::open(path).and_then(|mut file| std::io::Read::read_to_end(&mut file, &mut bytes))
    };
    read.map_err(Error::io(name, "read"))?;
    let text = String::from_utf8(bytes).map_err(|e| {
        Error::bad_file(name, format!("not valid UTF-8 (byte {})", e.utf8_error().valid_up_to() + 1))
    })?;
    // A byte order mark is not part of the text.
    Ok(Some(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)))
}

/// How a task handles long text.
#[derive(Clone, Copy, Debug)]
pub struct Lengths {
    /// `--max-length`.
    pub max_length: Option<usize>,
    /// Upper limit of the default length.
    pub default: usize,
    /// `--long`.
    pub long: Long,
    /// True if the task supports windows.
    pub windows: bool,
    /// A limit of the model's own that takes the place of the tokenizer's.
    pub own: Option<OwnLimit>,
}

/// A limit that a model's files set, and where.
#[derive(Clone, Copy, Debug)]
pub struct OwnLimit {
    pub length: usize,
    pub source: &'static str,
}

impl Lengths {
    /// The options of a task without windows.
    pub fn new(args: &LengthArgs) -> Self {
        Self {
            max_length: args.max_length.map(|n| n as usize),
            default: usize::MAX,
            long: args.long.into(),
            windows: false,
            own: None,
        }
    }

    /// The options of a task that can read long text in windows.
    pub fn with_windows(args: &LengthArgs) -> Self {
        Self { windows: true, ..Self::new(args) }
    }

    /// Checks the options alone, against the positions of a model.
    ///
    /// # Errors
    /// [`Error::Usage`] for windows in a task without them, and for a length that the model does not have.
    fn check(&self, positions: usize) -> Result<()> {
        if self.long == Long::Window && !self.windows {
            return Err(Error::Usage {
                flag: "--long".to_owned(),
                problem: "window is for ner, qa, classify and embed".to_owned(),
            });
        }
        match self.max_length.filter(|n| *n > positions) {
            None => Ok(()),
            Some(n) => Err(Error::Usage {
                flag: "--max-length".to_owned(),
                problem: format!("{n} is more than the {positions} positions of the model"),
            }),
        }
    }

    /// The longest row in tokens: `--max-length`, else the lowest of the task's default, the limit of the tokenizer (or
    /// of a module) and the positions of the model.
    ///
    /// # Errors
    /// As [`Self::check`]; [`Error::Usage`] for a length without room for text.
    pub fn longest(&self, positions: usize, tokenizer: &Tokenizer, reporter: &Reporter) -> Result<usize> {
        self.check(positions)?;
        let own = self.own.map(|own| (own.length, own.source));
        let of_tokenizer = || Some((tokenizer.model_max_length()?, "model_max_length of the tokenizer"));
        let limits = [
            Some((positions, "positions of the model")),
            own.or_else(of_tokenizer),
            Some((self.default, "default of the task")),
        ];
        let lowest = limits.into_iter().flatten().min_by_key(|(length, _)| *length);
        let given = self.max_length.map(|n| (n, "--max-length"));
        let (longest, source) = given.or(lowest).unwrap_or((positions, "positions of the model"));
        let special = tokenizer.num_special(true);
        if longest <= special {
            return Err(Error::Usage {
                flag: "--max-length".to_owned(),
                problem: match given {
                    Some(_) => format!("{longest} leaves no room for text next to {special} special tokens"),
                    None => format!(
                        "the {source} is {longest}, which leaves no room for text next to {special} special tokens; \
                         give a longer one"
                    ),
                },
            });
        }
        let side = tokenizer.truncation_side().name();
        reporter
            .detail(|| format!("texts have at most {longest} tokens ({source}) and are cut on the {side}"));
        Ok(longest)
    }
}

/// Finds the checkpoint that the user named.
///
/// # Errors
/// Errors of [`Checkpoint`] and of the hub.
pub fn checkpoint(args: &ModelArgs, reporter: &Reporter) -> Result<Checkpoint> {
    checkpoint_for(args, None, reporter)
}

/// Same as [`checkpoint`], but defaults to the built-in model with its head for `task`.
///
/// # Errors
/// Errors of [`Checkpoint`] and of the hub.
pub fn checkpoint_for(
    args: &ModelArgs,
    task: Option<EmbeddedTask>,
    reporter: &Reporter,
) -> Result<Checkpoint> {
    let mut checkpoint = named_checkpoint(args, task, reporter)?;
    checkpoint.allow_non_finite = args.allow_non_finite;
    if let Some(named) = &args.tokenizer {
        checkpoint.tokenizer_path = Some(tokenizer_path(named, args.offline, reporter)?);
    }
    Ok(checkpoint)
}

fn named_checkpoint(args: &ModelArgs, task: Option<EmbeddedTask>, reporter: &Reporter) -> Result<Checkpoint> {
    let Some(model) = args.model.as_deref().filter(|m| !m.is_empty()) else {
        let checkpoint = Checkpoint::embedded_for(task)?;
        let what = match checkpoint.origin {
            Origin::Embedded { task: Some(EmbeddedTask::Sentiment) } => ", trained for sentiment",
            Origin::Embedded { task: Some(EmbeddedTask::Entities) } => {
                ", trained to find persons, places and organizations"
            }
            _ => "",
        };
        reporter.note(&format!("using the small built-in model{what} (--model selects another)"));
        return Ok(checkpoint);
    };
    let path = located(model, args.offline, reporter)?;
    if let Some(adapter) = Adapter::at(&path)? {
        return merged(model, adapter, args, reporter);
    }
    if args.base_model.is_some() {
        return Err(Error::Usage {
            flag: "--base-model".to_owned(),
            problem: format!("{model} is not a PEFT adapter, so it has no base model"),
        });
    }
    let mut checkpoint = Checkpoint::local(&path)?;
    checkpoint.name = model.to_owned();
    Ok(checkpoint)
}

/// An adapter merged into its base model: the one that the user named, else that of the adapter's configuration.
fn merged(model: &str, adapter: Adapter, args: &ModelArgs, reporter: &Reporter) -> Result<Checkpoint> {
    adapter.check(model)?;
    let base = match (&args.base_model, adapter.base()) {
        (Some(base), _) => Checkpoint::base_of(&adapter, model, &located(base, args.offline, reporter)?)?,
        (None, None) => return Err(adapter.without_base(model, "")),
        (None, Some(base)) => match adapter.local_base() {
            Some(path) => Ok(path),
            None => located(&base, args.offline, reporter),
        }
        .and_then(|path| Checkpoint::base_of(&adapter, model, &path))
        .map_err(|error| adapter.without_base(model, &error.to_string()))?,
    };
    reporter.detail(|| format!("{model}: adapter ({}) merged into {}", adapter.description(), base.name));
    base.with_adapter(model, adapter)
}

/// The path of what the user named: as it is, or in the cache of the hub.
fn located(model: &str, offline: bool, reporter: &Reporter) -> Result<PathBuf> {
    let path = PathBuf::from(model);
    if Checkpoint::is_local(&path) { Ok(path) } else { from_hub(model, offline, reporter) }
}

/// The file or directory of a tokenizer that the user named: one here, else the files of a hub id.
///
/// # Errors
/// [`Error::Usage`] for what is neither; those of the hub.
pub fn tokenizer_path(named: &str, offline: bool, reporter: &Reporter) -> Result<PathBuf> {
    let path = PathBuf::from(named);
    if path.exists() {
        return Ok(path);
    }
    tokenizer_from_hub(named, offline, reporter)
}

fn no_such_tokenizer(named: &str, why: &str) -> Error {
    Error::Usage {
        flag: "--tokenizer".to_owned(),
        problem: format!("\"{named}\" is not a file or directory{why}"),
    }
}

#[cfg(feature = "hub")]
fn tokenizer_from_hub(named: &str, offline: bool, reporter: &Reporter) -> Result<PathBuf> {
    use albert::hub::{self, HubId, HubSettings};

    if !hub::is_hub_id(named) {
        return Err(no_such_tokenizer(named, ""));
    }
    let settings = HubSettings::from_env(offline)?;
    let mut progress = Download { reporter, bar: indicatif::ProgressBar::hidden() };
    hub::fetch_files(&HubId::parse(named)?, &settings, &hub::TOKENIZER_FILES, &mut progress)
}

#[cfg(not(feature = "hub"))]
fn tokenizer_from_hub(named: &str, _offline: bool, _reporter: &Reporter) -> Result<PathBuf> {
    Err(no_such_tokenizer(named, " (this albert was built without the hub feature)"))
}

#[cfg(feature = "hub")]
fn from_hub(model: &str, offline: bool, reporter: &Reporter) -> Result<PathBuf> {
    use albert::hub::{self, HubId, HubSettings};

    if !hub::is_hub_id(model) {
        return Err(Error::Model {
            model: model.to_owned(),
            problem: "no such file or directory".to_owned(),
        });
    }
    let id = HubId::parse(model)?;
    let settings = HubSettings::from_env(offline)?;
    let mut progress = Download { reporter, bar: indicatif::ProgressBar::hidden() };
    hub::fetch(&id, &settings, &mut progress)
}

#[cfg(not(feature = "hub"))]
fn from_hub(model: &str, _offline: bool, _reporter: &Reporter) -> Result<PathBuf> {
    Err(Error::Model {
        model: model.to_owned(),
        problem: "no such file or directory (this albert was built without the hub feature)".to_owned(),
    })
}

/// Shows downloads on stderr.
#[cfg(feature = "hub")]
struct Download<'a> {
    reporter: &'a Reporter,
    bar: indicatif::ProgressBar,
}

#[cfg(feature = "hub")]
impl albert::hub::Progress for Download<'_> {
    fn start(&mut self, file: &str, total: Option<u64>, already: u64) {
        self.bar = self.reporter.download_bar(file, total, already);
        self.reporter.detail(|| format!("downloading {file}"));
    }

    fn advance(&mut self, bytes: u64) {
        self.bar.inc(bytes);
    }

    fn finish(&mut self) {
        self.bar.finish_and_clear();
    }

    fn note(&mut self, message: &str) {
        self.bar.suspend(|| self.reporter.note(message));
    }
}

/// The tokenizer of a model, of a directory without weights, or of a tokenizer file.
///
/// # Errors
/// Errors of the tokenizer's files.
pub fn tokenizer(args: &ModelArgs, reporter: &Reporter) -> Result<Tokenizer> {
    if let Some(named) = &args.tokenizer {
        return Tokenizer::from_path(&tokenizer_path(named, args.offline, reporter)?);
    }
    match args.model.as_deref().map(Path::new) {
        Some(path) if path.is_dir() => match (Tokenizer::from_dir(path), Adapter::at(path)) {
            (Ok(tokenizer), _) => Ok(tokenizer),
            (Err(_), Ok(Some(_))) => checkpoint(args, reporter)?.tokenizer(),
            // A directory of sentence-transformers may keep it below, with the model.
            (Err(error), _) => Checkpoint::local(path).map_err(|_| error)?.tokenizer(),
        },
        Some(path) if path.is_file() && is_tokenizer_file(path) => Tokenizer::from_file(path),
        _ => checkpoint(args, reporter)?.tokenizer(),
    }
}

fn is_tokenizer_file(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "model" || e == "json" || e == "txt")
        && !path.to_string_lossy().ends_with(".index.json")
}

/// A model that is ready to run, and its batch size.
pub struct Ready {
    pub runtime: Runtime,
    pub batch_tokens: usize,
}

/// Opens the device, loads weights and tokenizer in parallel, and checks that they match.
///
/// # Errors
/// Errors of each part.
pub fn load(
    checkpoint: &Checkpoint,
    heads: &[Head],
    mlm_bias: MlmBias,
    device: &DeviceArgs,
    lengths: Lengths,
    reporter: &Reporter,
) -> Result<Ready> {
    let started = std::time::Instant::now();
    let positions = checkpoint.config.max_position_embeddings;
    lengths.check(positions)?;
    if let Some(threads) = device.threads {
        device::set_threads(usize::from(threads))?;
    }
    let (tokenizer, model) = std::thread::scope(|scope| {
        let tokenizer = scope.spawn(|| checkpoint.tokenizer());
        let model = open_and_load(checkpoint, heads, mlm_bias, device);
        let tokenizer = tokenizer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (tokenizer, model)
    });
    let (open, why, model, report) = model.map_err(|error| explained(error, checkpoint))?;
    let tokenizer = tokenizer?;
    warn_if_not_faster("--dtype", open.numbers, reporter);
    for note in &report.notes {
        reporter.warn(&format!("{}: {note}", checkpoint.name));
    }
    for detail in &report.details {
        reporter.detail(|| format!("{}: {detail}", checkpoint.name));
    }
    reporter.detail(|| format!("{}: {report}", checkpoint.name));
    for name in &report.unused {
        reporter.detail(|| format!("{}: unused tensor {name}", checkpoint.name));
    }
    let why = why.map_or_else(String::new, |why| format!(" ({why})"));
    reporter.detail(|| format!("on {}{why}, ready after {} ms", open.name, started.elapsed().as_millis()));

    let max_length = lengths.longest(positions, &tokenizer, reporter)?;
    let (batch_tokens, pad_multiple) = if open.is_gpu {
        (GPU_BATCH_TOKENS, GPU_PAD_MULTIPLE)
    } else {
        let tokens = CPU_BATCH_TOKENS_PER_THREAD * rayon::current_num_threads();
        (tokens.max(FEWEST_CPU_BATCH_TOKENS), 1)
    };
    Ok(Ready {
        runtime: Runtime {
            model,
            config: checkpoint.config.clone(),
            tokenizer,
            device: open.device,
            max_length,
            long: lengths.long,
            pad_multiple,
        },
        batch_tokens: device.batch_tokens.map_or(batch_tokens, |n| n as usize),
    })
}

/// Adds a hint to errors about heads that the built-in model lacks.
fn explained(error: Error, checkpoint: &Checkpoint) -> Error {
    match error {
        Error::Weights { problem, .. } if matches!(checkpoint.origin, Origin::Embedded { .. }) => {
            Error::Model {
                model: checkpoint.name.clone(),
                problem: format!("{problem}; --model names a model that was fine-tuned for this"),
            }
        }
        other => other,
    }
}

/// The device, the reason why `auto` chose it, the model, and the report of its weights.
type Loaded = (OpenDevice, Option<String>, albert::model::Albert, albert::checkpoint::LoadReport);

/// Bytes of English text per token.
const BYTES_PER_TOKEN: f64 = 4.5;

fn open_and_load(
    checkpoint: &Checkpoint,
    heads: &[Head],
    mlm_bias: MlmBias,
    args: &DeviceArgs,
) -> Result<Loaded> {
    let tensors = checkpoint.tensors()?;
    let float = args.dtype.into();
    let (open, why) = if args.device == DeviceChoice::Auto {
        let per_byte = checkpoint.config.flops_per_token() as f64 / BYTES_PER_TOKEN;
        let operations = args.input_bytes.map(|bytes| bytes as f64 * per_byte);
        let (open, why) = device::open_automatically(float, Workload::Inference(operations))?;
        (open, Some(why))
    } else {
        (device::open_for_products(args.device, float)?, None)
    };
    let (mut model, report) = load_model(&tensors, &checkpoint.config, heads, mlm_bias, &open.device)?;
    model.set_numbers(open.numbers);
    Ok((open, why, model, report))
}

/// Warns about numbers that were chosen for speed but bring none on this CPU.
pub fn warn_if_not_faster(flag: &str, numbers: Numbers, reporter: &Reporter) {
    if numbers != Numbers::F32 && !ops::is_native(numbers) {
        reporter.warn(&format!(
            "this processor has no instructions for the numbers that {flag} names: they are not faster than f32"
        ));
    }
}
