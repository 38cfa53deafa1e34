//! The backward passes of the operations, for burn's autodiff.
#![allow(
    clippy::redundant_closure_for_method_calls,
    reason = "burn does not export the type of these tensors"
)]

use std::any::TypeId;
use std::sync::Arc;

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::{BalancedCheckpointing, CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;

use super::backend::{AlbertOps, Host, LayerTensors, layer, layer_backward, layer_traced, loss};
use super::cache::WeightCache;
use super::cpu::{SavePolicy, SavedActivations};
use super::types::{LayerOptions, LayerParameters};

impl<B: AlbertOps + Host, C: CheckpointStrategy> AlbertOps for Autodiff<B, C> {
    fn albert_layer(
        x: FloatTensor<Self>,
        parameters: LayerTensors<Self>,
        mask: Option<Arc<[bool]>>,
        options: LayerOptions,
        cache: WeightCache,
    ) -> FloatTensor<Self> {
        let parameters = parameters.into_parameters();
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] =
            parameters.each_ref().map(|tensor| tensor.node()).into_array();
        let nodes = [x.node(), a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p];
        let x = x.into_primitive();
        let parameters = parameters.map(|tensor| tensor.into_primitive());
        match LayerBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                // With burn's gradient checkpointing, which trades time for memory, activations are recomputed.
                let recompute = TypeId::of::<C>() == TypeId::of::<BalancedCheckpointing>();
                let policy = if recompute { SavePolicy::States } else { SavePolicy::All };
                let (out, saved_activations) =
                    layer_traced::<B>(&x, &parameters, mask.as_deref(), options, policy);
                prep.finish(
                    LayerState {
                        x,
                        parameters,
                        mask,
                        options,
                        saved_activations: Arc::new(saved_activations),
                    },
                    out,
                )
            }
            OpsKind::UnTracked(prep) => {
                prep.finish(layer::<B>(&x, &parameters, mask.as_deref(), options, &cache))
            }
        }
    }

    fn vocabulary_loss(
        x: FloatTensor<Self>,
        table: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        labels: Arc<[usize]>,
    ) -> FloatTensor<Self> {
        let nodes = [x.node(), table.node(), bias.node()];
        let inputs = [x, table, bias].map(|tensor| tensor.into_primitive());
        match LossBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let (out, gradients) = loss::<B>(inputs.each_ref(), &labels, true);
                prep.finish(gradients, out)
            }
            OpsKind::UnTracked(prep) => prep.finish(loss::<B>(inputs.each_ref(), &labels, false).0),
        }
    }
}

#[derive(Debug)]
struct LayerBackward;

/// The saved state of a layer's backward pass.
#[derive(Clone, Debug)]
struct LayerState<B: Host> {
    x: FloatTensor<B>,
    parameters: LayerParameters<FloatTensor<B>>,
    mask: Option<Arc<[bool]>>,
    options: LayerOptions,
    saved_activations: Arc<SavedActivations>,
}

impl<B: Host> Backward<B, 17> for LayerBackward {
    type State = LayerState<B>;

    fn backward(self, ops: Ops<Self::State, 17>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        let LayerState { x, parameters, mask, options, saved_activations } = ops.state;
        let (dx, gradients) =
            layer_backward::<B>(&x, &parameters, mask.as_deref(), options, &saved_activations, &gradient);
        let all = std::iter::once(dx).chain(gradients.into_array());
        for (parent, gradient) in ops.parents.into_iter().zip(all) {
            if let Some(parent) = parent {
                grads.register::<B>(parent.id, gradient);
            }
        }
    }
}

#[derive(Debug)]
struct LossBackward;

impl<B: Host> Backward<B, 3> for LossBackward {
    /// The gradients of the loss, which the forward pass has already computed.
    type State = Option<[FloatTensor<B>; 3]>;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let upstream = grads.consume::<B>(&ops.node);
        let factor = B::elements(&upstream).first().copied().unwrap_or(0.0);
        for (parent, gradient) in ops.parents.into_iter().zip(ops.state.into_iter().flatten()) {
            if let Some(parent) = parent {
                grads.register::<B>(parent.id, B::float_mul_scalar(gradient, factor.into()));
            }
        }
    }
}
