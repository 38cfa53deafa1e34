//! `albert pretrain`.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::Device;
use serde_json::json;

use albert::checkpoint::{Checkpoint, TokenizerFiles, write_tokenizer};
use albert::device::{self, DeviceChoice, FloatType, OpenDevice};
use albert::io::{Format, OutputTarget, create_directory};
use albert::model::{Albert, AlbertConfig, Head};
use albert::tokenizer::Tokenizer;
use albert::tokenizer::train::TrainOptions as TokenizerTraining;
use albert::training::corpus::{Corpus, CorpusOptions, Sentences, TokenCache};
use albert::training::distillation::DISTILLATION_PANELS;
use albert::training::instances::{
    Instance, InstanceOptions, InstanceStream, Pairing, PieceTable, SpecialIds, show_instance,
};
use albert::training::{
    Communicator, PRETRAINING_PANELS, Parameters, Pretraining, PretrainingSource, Replicas, Size, Source,
    VocabularyOptions, check_vocabulary, model_from, new_model,
};
use albert::{Error, Result, training};

use super::args::ModelArgs;
use super::exit::{ExitStatus, Failure};
use super::pretrain_args::{CompatArg, PretrainArgs, SentencesArg};
use super::pretrain_plan::{Plan, row_length};
use super::pretrain_run::Run;
use super::pretrain_teacher::FoundTeacher;
use super::report::Reporter;
use super::{corpus_report, interrupt, options, pretrain_teacher, train_tokenizer};

/// Maximum text length recorded with a tokenizer that is trained here.
const POSITIONS: usize = 512;

const HEADS: [Head; 3] = [Head::Pooler, Head::MaskedLm, Head::SentenceOrder];

pub fn run(args: PretrainArgs, reporter: &Reporter) -> std::result::Result<ExitStatus, Failure> {
    let world = training::join()?;
    let stop = interrupt::stop_flag()?;
    // One process reports for all.
    let reporter = &if world.rank() == 0 { reporter.clone() } else { Reporter::silent() };
    device::keep_freed_memory();
    if let Some(threads) = args.threads {
        device::set_threads(usize::from(threads))?;
    }
    check_output(&args)?;
    let start = Start::find(&args, reporter)?;
    let tokenizer = first_alone(world.as_ref(), || start.tokenizer(&args, reporter, &stop))?;
    let Some((files, tokenizer)) = tokenizer else { return Ok(ExitStatus::Interrupted) };
    let config = configuration(&args, &start, &tokenizer)?;
    let length = row_length(&args, &config);
    let teacher = FoundTeacher::find(&args, &tokenizer, length, reporter)?;
    let cache = first_alone(world.as_ref(), || token_cache(&args, &tokenizer, reporter, &stop))?;
    let Some(cache) = cache else { return Ok(ExitStatus::Interrupted) };
    let cache = Arc::new(cache);
    let special = SpecialIds::of(&tokenizer)?;
    let stream = instance_stream(&args, length, &tokenizer, special, cache.clone())?;
    if let Some(count) = args.show_instances {
        let terminal = std::io::stdout().is_terminal();
        return show(stream, count, args.format.resolve(terminal), &tokenizer, &special);
    }

    let opened = open_devices(&args, world.as_ref())?;
    let devices: Vec<Device> = opened.iter().map(|open| open.device.clone()).collect();
    let (mut model, mut parameters) = start.model(&args, &config, &devices[0], reporter)?;
    freeze(&args.freeze, &mut parameters)?;
    let numbers = device::common_numbers(&opened);
    options::warn_if_not_faster("--precision", numbers, reporter);
    model.set_numbers(numbers);
    let plan = Plan::new(&args, &config, &opened, cache.summary().tokens);
    plan.announce(&args, &config, &opened, parameters.count(), reporter);

    let objective = Pretraining {
        pad_id: config.pad_token_id.unwrap_or(0) as u32,
        pad_multiple: if opened[0].is_gpu { 16 } else { 1 },
        longest: config.max_position_embeddings,
        sentence_order: !args.no_sop,
        sentence_order_weight: args.sop_weight,
    };
    let replicas =
        Replicas::new(&model, &parameters, &devices, plan.micro_batch, args.gradient_checkpointing);
    let mut run = Run {
        parameters,
        replicas,
        world: world.as_ref(),
        options: plan.options(&args, &config),
        config: &config,
        tokenizer: (&files, &tokenizer),
        panels: &PRETRAINING_PANELS,
        resume: args.resume,
    };
    let Some(teacher) = teacher else {
        let held_out = stream.held_out(args.eval_rows)?;
        return run.train(&objective, PretrainingSource::new(stream), &held_out, &stop, reporter);
    };
    let (objective, read_by_teacher) =
        teacher.load(&args, objective, &config, (&devices, numbers), reporter)?;
    pretrain_teacher::identify(&objective, &mut run.options.identity);
    run.panels = &DISTILLATION_PANELS;
    let held_out = stream.held_out_plans(args.eval_rows)?;
    let student = (&tokenizer, special);
    let source = pretrain_teacher::source(stream, &objective, student, length, read_by_teacher)?;
    let held_out = source.realize(&source.with_sentences(held_out))?;
    run.train(&objective, source, &held_out, &stop, reporter)
}

/// Runs `part` in process 0 before the other processes, which then find its results on disk. An error or interruption in one
/// process ends all of them.
fn first_alone<T>(
    world: &dyn Communicator,
    mut work: impl FnMut() -> Result<Option<T>>,
) -> Result<Option<T>> {
    let mut result = Ok(None);
    for turn in [world.rank() == 0, world.rank() > 0] {
        if turn {
            result = work();
        }
        let ended = turn && !matches!(result, Ok(Some(_)));
        if world.any(ended)? {
            return if ended { result } else { Ok(None) };
        }
    }
    result
}

/// Checks that a run starts in a new directory or resumes in its own.
fn check_output(args: &PretrainArgs) -> Result<()> {
    let checkpoints = albert::training::Checkpoints::new(&args.output, usize::from(args.keep)).steps();
    if args.output.is_file() {
        return Err(Error::bad_file(&args.output, "is a file; --output takes a directory"));
    }
    if !checkpoints.is_empty() && !args.resume && args.show_instances.is_none() {
        return Err(Error::bad_file(
            &args.output,
            "contains checkpoints of a run: use --resume to continue it, or another --output to start a new one",
        ));
    }
    if args.output.join("model.safetensors").exists() && !args.resume {
        return Err(Error::bad_file(&args.output, "contains a model; choose a new directory"));
    }
    create_directory(&args.output)
}

/// The initial state of the run.
enum Start {
    Size(Size),
    Config(PathBuf),
    From(Box<Checkpoint>),
}

impl Start {
    fn find(args: &PretrainArgs, reporter: &Reporter) -> Result<Self> {
        Ok(match (&args.init_from, &args.config) {
            (Some(model), _) => {
                let model = ModelArgs {
                    model: Some(model.clone()),
                    base_model: None,
                    tokenizer: None,
                    offline: args.offline,
                    allow_non_finite: args.allow_non_finite,
                };
                Self::From(Box::new(options::checkpoint(&model, reporter)?))
            }
            (None, Some(path)) => Self::Config(path.clone()),
            (None, None) => Self::Size(args.size.into()),
        })
    }

    /// The tokenizer: the named one, the initial model's, or a newly trained one. Returns `None` if interrupted.
    fn tokenizer(
        &self,
        args: &PretrainArgs,
        reporter: &Reporter,
        stop: &AtomicBool,
    ) -> Result<Option<(TokenizerFiles, Tokenizer)>> {
        if let Some(named) = &args.tokenizer {
            let path = options::tokenizer_path(named, args.offline, reporter)?;
            let tokenizer = Tokenizer::from_path(&path)?;
            return Ok(Some((TokenizerFiles::at(&path), tokenizer)));
        }
        if let Self::From(checkpoint) = self {
            return Ok(Some((TokenizerFiles::of(checkpoint), checkpoint.tokenizer()?)));
        }
        let folder = args.output.join("tokenizer");
        if !folder.is_dir() {
            reporter.note("training a tokenizer on the corpus (--tokenizer selects an existing one)");
            let train = TokenizerTraining { vocab_size: args.vocab_size as usize, ..Default::default() };
            let options = VocabularyOptions { train, ..VocabularyOptions::default() };
            let trained = train_tokenizer::train(&corpus(args)?, &options, reporter, stop);
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            write_tokenizer(&folder, &trained?.trained.spiece, POSITIONS)?;
        }
        let tokenizer = Tokenizer::from_dir(&folder)?;
        Ok(Some((TokenizerFiles::Directory(folder), tokenizer)))
    }

    fn model(
        &self,
        args: &PretrainArgs,
        config: &AlbertConfig,
        device: &Device,
        reporter: &Reporter,
    ) -> Result<(Albert, Parameters)> {
        let Self::From(checkpoint) = self else { return new_model(config, &HEADS, args.seed, device) };
        let (model, parameters, missing) = model_from(checkpoint, config, &HEADS, args.seed, device)?;
        for head in missing {
            reporter
                .note(&format!("{}: has no matching {head:?} head; initializing a new one", checkpoint.name));
        }
        Ok((model, parameters))
    }
}

/// `--freeze`.
fn freeze(prefixes: &[String], parameters: &mut Parameters) -> Result<()> {
    let bad = |problem: String| Err(Error::Usage { flag: "--freeze".to_owned(), problem });
    for prefix in prefixes {
        if !parameters.tensors().iter().any(|parameter| parameter.name.starts_with(prefix)) {
            let names: Vec<&str> = parameters.tensors().iter().map(|parameter| &*parameter.name).collect();
            return bad(format!(
                "no parameter's name starts with {prefix:?}; there are {}",
                names.join(", ")
            ));
        }
        parameters.freeze(|name| name.starts_with(prefix));
    }
    if parameters.tensors().iter().all(|parameter| parameter.frozen) {
        return bad("every parameter is frozen".to_owned());
    }
    Ok(())
}

/// The configuration of the model with the vocabulary of the tokenizer.
fn configuration(args: &PretrainArgs, start: &Start, tokenizer: &Tokenizer) -> Result<AlbertConfig> {
    let mut config = match start {
        Start::Size(size) => size.config(),
        Start::Config(path) => AlbertConfig::from_file(path)?,
        Start::From(checkpoint) => checkpoint.config.clone(),
    };
    if matches!(start, Start::From(_)) {
        check_vocabulary(&config, tokenizer.id_bound())?;
    } else {
        config.vocab_size = tokenizer.id_bound();
        config.pad_token_id = tokenizer.pad_id().map(|id| id as usize);
        config.bos_token_id = tokenizer.cls_id().map(|id| id as usize);
        config.eos_token_id = tokenizer.sep_id().map(|id| id as usize);
    }
    if config.num_labels != 2 {
        // transformers gives the sentence-order head this number of outputs.
        config.set_num_labels(2);
    }
    if let Some(rate) = args.hidden_dropout {
        config.hidden_dropout_prob = rate;
    }
    if let Some(rate) = args.attention_dropout {
        config.attention_probs_dropout_prob = rate;
    }
    if row_length(args, &config) > config.max_position_embeddings {
        return Err(Error::Usage {
            flag: "--max-seq-length".to_owned(),
            problem: format!("the model has {} positions", config.max_position_embeddings),
        });
    }
    Ok(config)
}

/// The token ids of the corpus. Returns `None` if interrupted.
fn token_cache(
    args: &PretrainArgs,
    tokenizer: &Tokenizer,
    reporter: &Reporter,
    stop: &AtomicBool,
) -> Result<Option<TokenCache>> {
    let corpus = corpus(args)?;
    let folder = args.cache.clone().unwrap_or_else(|| args.output.join("cache"));
    let bar = reporter.bytes_bar("tokenizing");
    let cache = TokenCache::open_or_build(&folder, &corpus, tokenizer, &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
        !stop.load(Ordering::Relaxed)
    });
    bar.finish_and_clear();
    if stop.load(Ordering::Relaxed) {
        return Ok(None);
    }
    let cache = cache?;
    let summary = cache.summary();
    corpus_report::warn(&summary.report, reporter);
    reporter.note(&format!(
        "corpus: {} documents, {} sentences, {} tokens",
        summary.documents, summary.sentences, summary.tokens
    ));
    Ok(Some(cache))
}

/// The corpus named by the arguments.
fn corpus(args: &PretrainArgs) -> Result<Corpus> {
    let sentences = match args.sentences {
        SentencesArg::Split => Sentences::Split,
        SentencesArg::Lines => Sentences::Lines,
    };
    Corpus::open(&args.corpus.corpus, CorpusOptions { text_field: args.corpus.text_field.clone(), sentences })
}

fn instance_stream(
    args: &PretrainArgs,
    max_seq_length: usize,
    tokenizer: &Tokenizer,
    special: SpecialIds,
    cache: Arc<TokenCache>,
) -> Result<InstanceStream> {
    let table = PieceTable::of(tokenizer);
    let pairing = match (args.nsp, args.no_sop) {
        (true, _) => Pairing::NextSentence,
        (_, true) => Pairing::Unlabelled,
        _ => Pairing::SentenceOrder,
    };
    let options = InstanceOptions {
        max_seq_length,
        short_seq_prob: args.short_seq_prob,
        masked_lm_prob: args.masked_lm_prob,
        max_predictions: args.max_predictions.map(|n| n as usize),
        max_ngram: usize::from(args.max_ngram),
        pairing,
        eval_fraction: args.eval_fraction,
        google_compat: args.compat == Some(CompatArg::Google),
        ..InstanceOptions::default()
    };
    InstanceStream::new(cache, table, special, options, args.seed)
}

/// `--show-instances`.
fn show(
    mut stream: InstanceStream,
    count: usize,
    format: Format,
    tokenizer: &Tokenizer,
    special: &SpecialIds,
) -> std::result::Result<ExitStatus, Failure> {
    let plans = stream.next_batch(count)?;
    let mut out = OutputTarget::open(None)?;
    let instances = stream.realizer().realize(&plans)?;
    match format {
        Format::Text => {
            for instance in &instances {
                let shown = show_instance(instance, special, &|id| tokenizer.id_to_token(id));
                out.write(shown.as_bytes())?;
            }
        }
        Format::Json => {
            out.write(json!(instances.iter().map(inputs).collect::<Vec<_>>()).to_string().as_bytes())?
        }
        _ => {
            for instance in &instances {
                out.write(format!("{}\n", inputs(instance)).as_bytes())?;
            }
        }
    }
    out.finish()?;
    Ok(ExitStatus::Done)
}

/// An instance as the inputs of transformers' `AlbertForPreTraining`.
fn inputs(instance: &Instance) -> serde_json::Value {
    let mut labels = vec![-100i64; instance.ids.len()];
    for (position, label) in instance.masked_positions.iter().zip(&instance.masked_labels) {
        labels[*position as usize] = i64::from(*label);
    }
    let types: Vec<u8> = (0..instance.ids.len()).map(|i| u8::from(i >= instance.segment_b)).collect();
    json!({
        "input_ids": instance.ids,
        "token_type_ids": types,
        "labels": labels,
        "sentence_order_label": instance.order_label,
    })
}

/// The devices of this process: all named devices, or one of them if several processes run on a machine.
fn open_devices(args: &PretrainArgs, world: &dyn Communicator) -> Result<Vec<OpenDevice>> {
    let float = FloatType::from(args.precision);
    let chosen = if world.size() > 1 {
        let local = training::local_rank();
        vec![match args.device[local % args.device.len()] {
            DeviceChoice::Wgpu(None) => DeviceChoice::Wgpu(Some(local)),
            DeviceChoice::Cuda(None) => DeviceChoice::Cuda(Some(local)),
            choice => choice,
        }]
    } else {
        args.device.clone()
    };
    chosen.into_iter().map(|choice| device::open_for_products(choice, float)).collect()
}
