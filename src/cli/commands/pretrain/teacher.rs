//! The teacher of `albert pretrain`.

use burn::tensor::Device;

use albert::checkpoint::Checkpoint;
use albert::model::AlbertConfig;
use albert::ops::Numbers;
use albert::tokenizer::Tokenizer;
use albert::training::distillation::{DistillSource, Distillation, SentenceReader, Signal, Teacher};
use albert::training::instances::{InstanceStream, SpecialIds};
use albert::training::{Identity, Pretraining, PretrainingSource};
use albert::{Error, Result};

use crate::cli::args::common::ModelArgs;
use crate::cli::args::pretrain::PretrainArgs;
use crate::cli::options;
use crate::cli::output::report::Reporter;

/// The checkpoint and the tokenizer of `--teacher`, which are checked before the corpus is read.
pub(super) struct FoundTeacher {
    checkpoint: Checkpoint,
    tokenizer: Tokenizer,
    /// The number of tokens in both vocabularies.
    vocabulary: usize,
}

impl FoundTeacher {
    /// Finds the teacher, if there is one, and checks that it fits the student.
    pub(super) fn find(
        args: &PretrainArgs,
        student: &Tokenizer,
        row_length: usize,
        reporter: &Reporter,
    ) -> Result<Option<Self>> {
        let Some(name) = &args.distillation.teacher else { return Ok(None) };
        let named = ModelArgs {
            model: Some(name.clone()),
            base_model: None,
            tokenizer: None,
            offline: args.offline,
            allow_non_finite: args.allow_non_finite,
        };
        let checkpoint = options::checkpoint(&named, reporter)?;
        let tokenizer = checkpoint.tokenizer()?;
        let vocabulary = student.id_bound();
        if args.distillation.signal() == Signal::Logits {
            check_logits(&checkpoint, student, &tokenizer, row_length)?;
        }
        Ok(Some(Self { checkpoint, tokenizer, vocabulary }))
    }

    /// Loads the teacher and describes it.
    pub(super) fn load(
        self,
        args: &PretrainArgs,
        text: Pretraining,
        student: &AlbertConfig,
        (devices, numbers): (&[Device], Numbers),
        reporter: &Reporter,
    ) -> Result<(Distillation, Tokenizer)> {
        let (signal, weight) = (args.distillation.signal(), args.distillation.weight());
        let (teacher, notes) = Teacher::load(&self.checkpoint, signal, devices, numbers, text.pad_multiple)?;
        for note in notes {
            reporter.warn(&format!("{}: {note}", teacher.name));
        }
        reporter.note(&format!(
            "teacher: {}, {} parameters; {} with weight {weight}",
            teacher.name,
            teacher.parameters(),
            signal.name(),
        ));
        let [own, other] = [student.hidden_size, teacher.config.hidden_size];
        if signal == Signal::Vectors && own != other {
            reporter.note(&format!(
                "the teacher's hidden size is {other} and the student's {own}: only similarities are compared"
            ));
        }
        let vocabulary = self.vocabulary;
        Ok((Distillation { text, teacher, signal, weight, vocabulary }, self.tokenizer))
    }
}

/// The rows of `stream`, with sentences if the teacher needs them.
pub(super) fn source<'a>(
    stream: InstanceStream,
    objective: &Distillation,
    student: (&'a Tokenizer, SpecialIds),
    row_length: usize,
    teacher: Tokenizer,
) -> Result<DistillSource<'a>> {
    let Teacher { name, config, .. } = &objective.teacher;
    let reader = match objective.signal {
        Signal::Vectors => Some(SentenceReader::new(
            stream.realizer(),
            student.0,
            student.1,
            row_length,
            (name, config, teacher),
        )?),
        Signal::Logits => None,
    };
    Ok(DistillSource::new(PretrainingSource::new(stream), reader))
}

/// Adds the options that a resumed run must share.
pub(super) fn identify(objective: &Distillation, identity: &mut Identity) {
    identity
        .option("teacher", format!("weights {}", objective.teacher.digest()))
        .option("distill", objective.signal.name())
        .option("distill_weight", objective.weight);
}

/// Checks that the teacher predicts the tokens of the student's rows.
fn check_logits(
    teacher: &Checkpoint,
    student: &Tokenizer,
    tokenizer: &Tokenizer,
    row_length: usize,
) -> Result<()> {
    let name = &teacher.name;
    let different = (0..student.id_bound().max(tokenizer.id_bound()) as u32)
        .map(|id| (id, student.id_to_token(id), tokenizer.id_to_token(id)))
        .find(|(_, own, other)| own != other);
    if let Some((id, own, other)) = different {
        let show = |token: Option<String>| token.map_or("missing".to_owned(), |token| format!("{token:?}"));
        return Err(Error::InvalidOption {
            name: "distill".to_owned(),
            problem: format!(
                "logits needs the same vocabulary: token {id} is {} in the student's tokenizer and {} in that of the \
                 teacher {name}; use --distill vectors",
                show(own),
                show(other)
            ),
        });
    }
    let config = &teacher.config;
    let lacks = |problem: String| Err(Error::Model { model: name.clone(), problem });
    if config.vocab_size < student.id_bound() {
        return lacks(format!(
            "the teacher has embeddings for {} tokens and its tokenizer has {}",
            config.vocab_size,
            student.id_bound()
        ));
    }
    if config.max_position_embeddings < row_length {
        return lacks(format!(
            "the teacher has {} positions; give --max-seq-length {0} or less",
            config.max_position_embeddings
        ));
    }
    if config.type_vocab_size < 2 {
        return lacks("the teacher has no second segment type, which the rows use".to_owned());
    }
    Ok(())
}
