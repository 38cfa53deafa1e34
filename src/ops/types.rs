//! The arguments of the layer operation, except its input.

/// The activations that the operation supports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActivationKind {
    /// `x * Phi(x)`, computed with the error function.
    Gelu,
    /// `0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))`.
    GeluTanh,
    /// `x`.
    Linear,
    /// `x * sigmoid(1.702 x)`.
    QuickGelu,
    /// `max(x, 0)`.
    Relu,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// `x * sigmoid(x)`.
    Silu,
    /// `tanh(x)`.
    Tanh,
}

/// Precision of matrix multiplications. Inputs, accumulators and outputs are always f32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MatmulPrecision {
    /// f32. On processors with AMX, which multiplies bf16, each value is split exactly into three bf16 parts. Six of the
    /// nine products are computed; the error is about that of f32 rounding.
    #[default]
    F32,
    /// f32, or on processors with AMX the nearest sum of two bf16 parts: three products, with errors below 2^-16 (Intel's
    /// oneMKL calls this `float_to_bf16x2`).
    Bf16x2,
    /// bf16 on both sides.
    Bf16,
    /// int8: weights with one scale per output, states with a scale and a zero point per row.
    Int8,
}

/// The settings of a layer, except its weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerOptions {
    /// Attention heads; their number divides H.
    pub num_heads: usize,
    /// Number of times the layer is applied in sequence.
    pub repeats: usize,
    /// Activation of the feed-forward network.
    pub activation: ActivationKind,
    /// Added to the variance in both normalizations.
    pub epsilon: f32,
    /// Dropout rate of the attention probabilities.
    pub attention_dropout: f32,
    /// Dropout rate after the attention's output projection.
    pub hidden_dropout: f32,
    /// Seed of all dropout masks.
    pub seed: u64,
    /// Precision of the matrix multiplications.
    pub precision: MatmulPrecision,
}

impl LayerOptions {
    /// Precision of matrix multiplications if gradients are computed; int8 falls back to f32.
    pub fn training_precision(&self) -> MatmulPrecision {
        match self.precision {
            MatmulPrecision::Int8 => MatmulPrecision::F32,
            precision => precision,
        }
    }
}

/// A matrix and a vector: weight `[in, out]` and bias `[out]` of a linear layer, or scale and
/// offset `[H]` of a normalization.
#[derive(Clone, Copy, Debug)]
pub struct Pair<T> {
    /// Weight, or scale.
    pub weight: T,
    /// Bias, or offset.
    pub bias: T,
}

/// The sixteen parameters of an ALBERT layer.
#[derive(Clone, Copy, Debug)]
pub struct LayerParameters<T> {
    /// `[H, H]`.
    pub query: Pair<T>,
    /// `[H, H]`.
    pub key: Pair<T>,
    /// `[H, H]`.
    pub value: Pair<T>,
    /// Output projection of the attention, `[H, H]`.
    pub dense: Pair<T>,
    /// Normalization after the attention.
    pub attention_norm: Pair<T>,
    /// `[H, F]`.
    pub ffn: Pair<T>,
    /// `[F, H]`.
    pub ffn_output: Pair<T>,
    /// Normalization after the feed-forward network.
    pub full_norm: Pair<T>,
}

impl<T> LayerParameters<T> {
    /// Returns the parameters in the order of the fields, each weight before its bias.
    pub fn into_array(self) -> [T; 16] {
        let Self { query, key, value, dense, attention_norm, ffn, ffn_output, full_norm } = self;
        let [q, k, v, d] = [query, key, value, dense].map(|pair| [pair.weight, pair.bias]);
        let [a, f, o, n] = [attention_norm, ffn, ffn_output, full_norm].map(|pair| [pair.weight, pair.bias]);
        let ([qw, qb], [kw, kb], [vw, vb], [dw, db]) = (q, k, v, d);
        let ([aw, ab], [fw, fb], [ow, ob], [nw, nb]) = (a, f, o, n);
        [qw, qb, kw, kb, vw, vb, dw, db, aw, ab, fw, fb, ow, ob, nw, nb]
    }

    /// Creates the parameters from an array in the order of [`LayerParameters::into_array`].
    pub fn from_array(parameters: [T; 16]) -> Self {
        let [qw, qb, kw, kb, vw, vb, dw, db, aw, ab, fw, fb, ow, ob, nw, nb] = parameters;
        let pair = |weight, bias| Pair { weight, bias };
        Self {
            query: pair(qw, qb),
            key: pair(kw, kb),
            value: pair(vw, vb),
            dense: pair(dw, db),
            attention_norm: pair(aw, ab),
            ffn: pair(fw, fb),
            ffn_output: pair(ow, ob),
            full_norm: pair(nw, nb),
        }
    }

    /// References to the parameters.
    pub fn each_ref(&self) -> LayerParameters<&T> {
        LayerParameters {
            query: self.query.each_ref(),
            key: self.key.each_ref(),
            value: self.value.each_ref(),
            dense: self.dense.each_ref(),
            attention_norm: self.attention_norm.each_ref(),
            ffn: self.ffn.each_ref(),
            ffn_output: self.ffn_output.each_ref(),
            full_norm: self.full_norm.each_ref(),
        }
    }

    /// Applies `f` to every parameter and its counterpart in `other`.
    pub fn zip_with<U, V>(
        self,
        other: &LayerParameters<U>,
        mut f: impl FnMut(T, &U) -> V,
    ) -> LayerParameters<V> {
        let mut other = other.each_ref().into_array().into_iter();
        self.map(|parameter| f(parameter, other.next().expect("both have sixteen")))
    }

    /// Applies `f` to every parameter.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> LayerParameters<U> {
        LayerParameters::from_array(self.into_array().map(f))
    }
}

impl<T> Pair<T> {
    /// References to both.
    pub fn each_ref(&self) -> Pair<&T> {
        Pair { weight: &self.weight, bias: &self.bias }
    }
}
