//! `albert eval mlm`.

use std::io::IsTerminal;
use std::sync::Arc;

use albert::Error;
use albert::checkpoint::{Inventory, MlmBias};
use albert::io::{Format, OutputTarget};
use albert::model::Head;
use albert::stream::NOT_FINITE;
use albert::training::corpus::{Corpus, CorpusOptions, TokenCache};
use albert::training::instances::{InstanceOptions, InstanceStream, Pairing, PieceTable, SpecialIds};
use albert::training::{Pretraining, masked_lm, recipe};

use crate::cli::args::eval::EvalMlmArgs;
use crate::cli::exit::{ExitStatus, Failure, WhileRunning};
use crate::cli::options::{self, Lengths};
use crate::cli::output::eval_table::table;
use crate::cli::output::report::Reporter;

pub(super) fn run(args: &EvalMlmArgs, reporter: &Reporter) -> Result<ExitStatus, Failure> {
    let terminal = args.output.output.is_none() && std::io::stdout().is_terminal();
    let format = args.output.format.resolve(terminal);
    let mut out = OutputTarget::open(args.output.output.as_deref())?;
    let checkpoint = options::checkpoint(&args.model, reporter)?;
    let held = Inventory::new(&checkpoint.tensors()?, &checkpoint.config)?.heads(&checkpoint.config);
    let sentence_order = held.contains(&Head::SentenceOrder) && held.contains(&Head::Pooler);
    let heads: &[Head] =
        if sentence_order { &[Head::Pooler, Head::MaskedLm, Head::SentenceOrder] } else { &[Head::MaskedLm] };
    let lengths = Lengths {
        max_length: Some(args.max_seq_length as usize),
        default: usize::MAX,
        long: albert::tasks::Long::Truncate,
        windows: false,
        own: None,
    };
    let device = args.device.for_input(&args.corpus.corpus, &[]);
    let ready = options::load(&checkpoint, heads, MlmBias::default(), &device, lengths, reporter)?;
    let runtime = &ready.runtime;
    let (tokens, rows) = (runtime.tokenizer.id_bound(), runtime.config.vocab_size);
    if tokens > rows {
        return Err(Error::Input(format!(
            "the tokenizer has {tokens} tokens and the model has embeddings for {rows} only: resize the embeddings \
             of the model, or remove the tokens that were added to the tokenizer"
        ))
        .into());
    }

    let corpus_options =
        CorpusOptions { text_field: args.corpus.text_field.clone(), ..CorpusOptions::default() };
    let corpus = Corpus::open(&args.corpus.corpus, corpus_options)?;
    let folder = tempfile::tempdir().map_err(Error::io("a temporary directory", "create"))?;
    let bar = reporter.bytes_bar("tokenizing");
    let cache = TokenCache::open_or_build(folder.path(), &corpus, &runtime.tokenizer, &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
        true
    })?;
    bar.finish_and_clear();
    let special = SpecialIds::of(&runtime.tokenizer)?;
    let options = InstanceOptions {
        max_seq_length: runtime.max_length,
        pairing: if sentence_order { Pairing::SentenceOrder } else { Pairing::Unlabelled },
        eval_fraction: 0.0,
        ..InstanceOptions::default()
    };
    let seed = args.device.seed.unwrap_or(1);
    let table_of_pieces = PieceTable::of(&runtime.tokenizer);
    let mut stream = InstanceStream::new(Arc::new(cache), table_of_pieces, special, options, seed)?;
    let rows = u64::from(args.rows).min(stream.count_instances(0)?) as usize;
    let plans = stream.next_batch(rows)?;
    let instances = stream.realizer().realize(&plans)?;
    let objective = Pretraining {
        pad_id: special.pad,
        pad_multiple: runtime.pad_multiple,
        longest: runtime.config.max_position_embeddings,
        sentence_order,
        sentence_order_weight: 1.0,
    };
    let chunk = recipe::micro_batch(runtime.pad_multiple > 1, runtime.max_length);
    let report = masked_lm(&runtime.model, &objective, &instances, chunk, &runtime.device).while_running()?;
    if let Some((name, value)) = report.figures.iter().find(|(_, value)| !value.is_finite()) {
        let problem = format!("{name} is {value}: {NOT_FINITE}");
        return Err(Error::Input(problem)).while_running();
    }
    let text = match format {
        Format::Text => table("corpus", &report),
        _ => format!("{}\n", report.json()),
    };
    out.write(text.as_bytes()).while_running()?;
    out.finish().while_running()?;
    Ok(ExitStatus::Done)
}
