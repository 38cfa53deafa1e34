//! The complete model: embeddings, encoder, pooler and the heads of a task (transformers' `AlbertModel` and its
//! `AlbertFor...` classes).

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig, Linear};
use burn::tensor::{Device, Int, Tensor};

use super::config::AlbertConfig;
use super::embeddings::AlbertEmbeddings;
use super::encoder::{AlbertEncoder, EncoderOutput};
use super::heads::{AlbertMlmHead, AlbertSopHead};
use super::init::linear;
use super::io::{ModelInput, OutputOptions};
use crate::ops::{MatmulPrecision, VocabularyLoss};

/// A part of a model beyond its encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Head {
    /// The dense layer with tanh on the first token.
    Pooler,
    /// Masked language model (`predictions.*`).
    MaskedLm,
    /// Sentence order (`sop_classifier.*`); needs the pooler.
    SentenceOrder,
    /// Sequence classification or regression (`classifier.*`, `[num_labels, H]`); needs the pooler.
    SequenceClassification,
    /// Token classification (`classifier.*`, `[num_labels, H]`, on the states).
    TokenClassification,
    /// Multiple choice, one score per choice (`classifier.*`, `[1, H]`); needs the pooler.
    MultipleChoice,
    /// Start and end of an answer (`qa_outputs.*`, `[2, H]`, on the states).
    QuestionAnswering,
}

impl Head {
    /// All heads.
    pub const ALL: [Self; 7] = [
        Self::Pooler,
        Self::MaskedLm,
        Self::SentenceOrder,
        Self::SequenceClassification,
        Self::TokenClassification,
        Self::MultipleChoice,
        Self::QuestionAnswering,
    ];

    /// Returns true if the head takes the pooled vector.
    pub fn needs_pooler(self) -> bool {
        matches!(self, Self::SentenceOrder | Self::SequenceClassification | Self::MultipleChoice)
    }
}

/// The encoder's output and the pooled vector.
#[derive(Debug)]
pub struct AlbertOutput {
    /// `[batch, length, H]`. Rows at padding are undefined.
    pub last_hidden_state: Tensor<3>,
    /// `[batch, H]`, if the model has a pooler.
    pub pooler_output: Option<Tensor<2>>,
    /// The mapped embeddings, then the states after each group call.
    pub hidden_states: Option<Vec<Tensor<3>>>,
    /// `[batch, heads, length, length]` per layer.
    pub attentions: Option<Vec<Tensor<4>>>,
}

/// Embeddings, encoder and pooler: transformers' `AlbertModel`.
#[derive(Module, Debug)]
pub struct AlbertModel {
    /// Factorized embeddings.
    pub embeddings: AlbertEmbeddings,
    /// Shared layers.
    pub encoder: AlbertEncoder,
    /// `[H, H]`, for tasks on complete texts.
    pub pooler: Option<Linear>,
}

impl AlbertModel {
    /// Runs embeddings and encoder, without the pooler.
    pub fn encode(&self, input: ModelInput, options: OutputOptions) -> EncoderOutput {
        let [batch, length] = input.input_ids.dims();
        let embedded = self.embeddings.forward(input.input_ids, input.token_type_ids);
        let hidden_keys = input.padding.map(|p| p.reshape([batch, 1, 1, length]));
        self.encoder.forward(embedded, hidden_keys.as_ref(), options)
    }

    /// Runs the encoder and, if there is one, the pooler.
    pub fn forward(&self, input: ModelInput, options: OutputOptions) -> AlbertOutput {
        let out = self.encode(input, options);
        let pooler_output = self.pooler.as_ref().map(|pooler| {
            let first = out.last_hidden_state.clone().narrow(1, 0, 1).squeeze_dim::<2>(1);
            pooler.forward(first).tanh()
        });
        AlbertOutput {
            last_hidden_state: out.last_hidden_state,
            pooler_output,
            hidden_states: out.hidden_states,
            attentions: out.attentions,
        }
    }
}

/// An ALBERT with its heads. The field names are the top-level names of transformers' checkpoints.
#[derive(Module, Debug)]
pub struct Albert {
    /// The encoder.
    pub albert: AlbertModel,
    /// Masked-LM head.
    pub predictions: Option<AlbertMlmHead>,
    /// Sentence-order head.
    pub sop_classifier: Option<AlbertSopHead>,
    /// Classification of texts or tokens `[H, num_labels]`, or of choices `[H, 1]`.
    pub classifier: Option<Linear>,
    /// Question answering, `[H, 2]`.
    pub qa_outputs: Option<Linear>,
    /// Dropout before `classifier`, in training.
    pub classifier_dropout: Dropout,
}

impl Albert {
    /// Creates a model with the given heads and ALBERT's initializer. Parameters are allocated on first use, so loading a
    /// checkpoint over them costs nothing extra.
    pub fn new(config: &AlbertConfig, heads: &[Head], device: &Device) -> Self {
        let has = |head| heads.contains(&head);
        let outputs = if has(Head::MultipleChoice) {
            Some(1)
        } else if has(Head::SequenceClassification) || has(Head::TokenClassification) {
            Some(config.num_labels)
        } else {
            None
        };
        Self {
            albert: AlbertModel {
                embeddings: AlbertEmbeddings::new(config, device),
                encoder: AlbertEncoder::new(config, device),
                pooler: (has(Head::Pooler) || heads.iter().any(|head| head.needs_pooler()))
                    .then(|| linear(config, config.hidden_size, config.hidden_size, device)),
            },
            predictions: has(Head::MaskedLm).then(|| AlbertMlmHead::new(config, device)),
            sop_classifier: has(Head::SentenceOrder).then(|| AlbertSopHead::new(config, device)),
            classifier: outputs.map(|outputs| linear(config, config.hidden_size, outputs, device)),
            qa_outputs: has(Head::QuestionAnswering).then(|| linear(config, config.hidden_size, 2, device)),
            classifier_dropout: DropoutConfig::new(
                config.classifier_dropout_prob.unwrap_or(config.hidden_dropout_prob),
            )
            .init(),
        }
    }

    /// Sets the precision of the layers' matrix multiplications on a CPU. Hidden states and everything else stay in f32. Has no
    /// effect on other devices.
    pub fn set_matmul_precision(&mut self, precision: MatmulPrecision) {
        let groups = &mut self.albert.encoder.albert_layer_groups;
        for layer in groups.iter_mut().flat_map(|group| &mut group.albert_layers) {
            layer.set_matmul_precision(precision);
        }
    }

    /// Masked-LM logits `[n, vocab_size]` at the n flat positions `row * length + column` of `states` `[batch, length, H]`;
    /// `None` without that head.
    pub fn masked_lm_logits(&self, states: Tensor<3>, positions: Tensor<1, Int>) -> Option<Tensor<2>> {
        let head = self.predictions.as_ref()?;
        let [batch, length, hidden] = states.dims();
        let picked = states.reshape([batch * length, hidden]).select(0, positions);
        Some(head.forward(picked, self.albert.embeddings.word_embeddings.weight.val()))
    }

    /// The sum of the masked-LM losses at the n positions of [`Albert::masked_lm_logits`] for the token ids `labels` `[n]`;
    /// `None` without that head.
    pub fn masked_lm_loss(
        &self,
        states: Tensor<3>,
        positions: Tensor<1, Int>,
        labels: Tensor<1, Int>,
    ) -> Option<VocabularyLoss> {
        let head = self.predictions.as_ref()?;
        let [batch, length, hidden] = states.dims();
        let picked = states.reshape([batch * length, hidden]).select(0, positions);
        Some(head.loss(picked, self.albert.embeddings.word_embeddings.weight.val(), labels))
    }

    /// Sentence-order logits `[batch, num_labels]`; `None` without that head.
    pub fn sentence_order_logits(&self, pooled: Tensor<2>) -> Option<Tensor<2>> {
        Some(self.sop_classifier.as_ref()?.forward(pooled))
    }

    /// Logits `[batch, num_labels]` of texts, or `[batch, 1]` of choices, from pooled vectors
    /// `[batch, H]`; `None` without such a head.
    pub fn sequence_logits(&self, pooled: Tensor<2>) -> Option<Tensor<2>> {
        Some(self.classifier.as_ref()?.forward(self.classifier_dropout.forward(pooled)))
    }

    /// Logits `[batch, length, num_labels]` of tokens from states `[batch, length, H]`; `None` without
    /// such a head.
    pub fn token_logits(&self, states: Tensor<3>) -> Option<Tensor<3>> {
        Some(self.classifier.as_ref()?.forward(self.classifier_dropout.forward(states)))
    }

    /// Start and end logits `[batch, length, 2]` of answers, from states `[batch, length, H]`; `None` without such a head.
    pub fn span_logits(&self, states: Tensor<3>) -> Option<Tensor<3>> {
        Some(self.qa_outputs.as_ref()?.forward(states))
    }
}
