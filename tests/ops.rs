//! The fused operations of `albert::ops` compared with the same from burn's own operations: values and all gradients,
//! on both CPU devices.

use std::path::Path;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Bool, Device, Gradients, Int, Tensor, TensorData, activation};

use albert::device::{self, DeviceChoice, Precision};
use albert::model::{Activation, AlbertConfig, AlbertLayer};
use albert::ops::{
    self, ActivationKind, LayerOptions, LayerParameters, MatmulPrecision, VocabularyLoss, WeightCache,
};

fn devices() -> Vec<Device> {
    [DeviceChoice::Flex, DeviceChoice::NdArray]
        .into_iter()
        .map(|choice| device::open(choice, Precision::F32).expect("a CPU device").device)
        .collect()
}

/// Pseudorandom numbers in -1..1.
fn noise(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect()
}

fn tensor<const D: usize>(shape: [usize; D], seed: u64, device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(noise(shape.iter().product(), seed), shape.to_vec()), device)
}

fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

/// Moves parameters to values where no gradient vanishes: biases away from zero, scales away from one.
struct Scatter(u64);

impl ModuleMapper for Scatter {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        self.0 += 1;
        let seed = self.0;
        param.map(|value| {
            let device = value.device();
            let shape = value.dims();
            // Matrices are initialized at random, so their initial values would differ between runs.
            let (keep, scale) = if D == 2 { (0.0, 1.0 / (shape[0] as f32).sqrt()) } else { (1.0, 0.3) };
            let noise = noise(value.shape().num_elements(), seed);
            let moved: Vec<f32> =
                floats(value).iter().zip(noise).map(|(v, n)| keep * v + scale * n).collect();
            let moved = Tensor::from_data(TensorData::new(moved, shape.to_vec()), &device);
            if device.is_autodiff() { moved.require_grad() } else { moved }
        })
    }
}

/// The gradients of all parameters, in order.
struct Collect<'a> {
    gradients: &'a Gradients,
    found: Vec<(String, Vec<f32>)>,
}

impl ModuleVisitor for Collect<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let gradient = param.val().grad(self.gradients).expect("a gradient");
        self.found.push((format!("parameter {}", self.found.len()), floats(gradient)));
    }
}

fn layer(hidden: usize, heads: usize, activation: &str, device: &Device) -> AlbertLayer {
    let json = serde_json::json!({
        "model_type": "albert", "vocab_size": 50, "embedding_size": 8, "hidden_size": hidden,
        "num_attention_heads": heads, "intermediate_size": 3 * hidden + 1, "hidden_act": activation,
        "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "layer_norm_eps": 1e-6,
    });
    let config =
        AlbertConfig::from_slice(json.to_string().as_bytes(), Path::new("config.json")).expect("sound");
    AlbertLayer::new(&config, device).map(&mut Scatter(0))
}

fn assert_close(what: &str, found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len(), "{what}: size");
    // The gradient of the keys' bias is zero up to rounding, because softmax is invariant to it.
    let largest = expected.iter().fold(0.0f32, |a, b| a.max(b.abs())).max(1e-2);
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= tolerance * largest, "{what}[{i}]: {a}, expected {b} (largest {largest})");
    }
}

/// The output, and the gradients of the input and of all parameters.
fn run(
    layer: &AlbertLayer,
    x: &Tensor<3>,
    forward: impl Fn(Tensor<3>) -> Tensor<3>,
) -> (Vec<f32>, Vec<(String, Vec<f32>)>) {
    let x = Tensor::<3>::from_data(x.clone().into_data(), &x.device()).require_grad();
    let out = forward(x.clone());
    let gradients = (out.clone() * tensor(out.dims(), 77, &x.device())).sum().backward();
    let mut collect = Collect { gradients: &gradients, found: Vec::new() };
    layer.visit(&mut collect);
    assert_eq!(collect.found.len(), 16);
    let mut found = collect.found;
    found.push(("input".into(), floats(x.grad(&gradients).expect("a gradient"))));
    (floats(out), found)
}

/// Compares the layer as one operation with the layer from burn's operations.
fn compare(device: &Device, sizes: [usize; 3], heads: usize, activation: &str, hidden_keys: Option<&[bool]>) {
    let [batch, length, hidden] = sizes;
    let device = device.clone().autodiff();
    let layer = layer(hidden, heads, activation, &device);
    let x = tensor(sizes, 5, &device);
    let mask = hidden_keys.map(|mask| {
        Tensor::<4, Bool>::from_data(TensorData::new(mask.to_vec(), [batch, 1, 1, length]), &device)
    });
    let (out, found) = run(&layer, &x, |x| layer.repeat(x, mask.as_ref(), 2));
    let (expected_out, expected) =
        run(&layer, &x, |x| (0..2).fold(x, |x, _| layer.forward(x, mask.clone()).0));
    let what = format!("{sizes:?}, {heads} heads, {activation}, {device:?}");
    assert_close(&format!("{what}: output"), &out, &expected_out, 1e-5);
    for ((name, found), (_, expected)) in found.iter().zip(&expected) {
        assert_close(&format!("{what}: {name}"), found, expected, 1e-4);
    }
}

#[test]
fn the_layer_agrees_with_burns_operations_in_every_shape() {
    for device in devices() {
        for (sizes, heads) in [
            ([1, 1, 8], 1),
            ([1, 1, 24], 3),
            ([3, 1, 16], 2),
            ([1, 7, 20], 4),
            ([2, 13, 24], 1),
            ([5, 31, 32], 2),
            ([2, 65, 40], 5),
            // More queries and more rows than fit in one block.
            ([1, 140, 16], 2),
            ([2, 300, 8], 1),
        ] {
            compare(&device, sizes, heads, "gelu_new", None);
        }
    }
}

/// With bfloat16 in the products, numbers have 8 or 16 significant bits. Gradients are then close as a whole, but not
/// element by element.
#[test]
fn reduced_precision_gradients_stay_close() {
    for device in devices() {
        let device = device.autodiff();
        for (sizes, heads, hidden_from) in [
            ([2, 13, 24], 1, None),
            ([5, 31, 32], 2, Some(20)),
            ([3, 150, 64], 2, None),
            ([9, 70, 40], 5, Some(33)),
        ] {
            let [batch, length, hidden] = sizes;
            let mut layer = layer(hidden, heads, "gelu_new", &device);
            let x = tensor(sizes, 5, &device);
            let mask: Option<Vec<bool>> =
                hidden_from.map(|from| (0..batch * length).map(|i| i % length >= from).collect());
            let mask = mask.map(|mask| {
                Tensor::<4, Bool>::from_data(TensorData::new(mask, [batch, 1, 1, length]), &device)
            });
            let (expected_out, expected) = run(&layer, &x, |x| layer.repeat(x, mask.as_ref(), 2));
            let distance = |a: &[f32], b: &[f32]| {
                let square = |x: f32| f64::from(x) * f64::from(x);
                let apart: f64 = a.iter().zip(b).map(|(a, b)| square(a - b)).sum();
                let size: f64 = b.iter().map(|b| square(*b)).sum();
                (apart / size.max(1e-3)).sqrt()
            };
            for (precision, [most, most_of_gradients]) in
                [(MatmulPrecision::Bf16, [0.01, 0.03]), (MatmulPrecision::Bf16x2, [1e-5, 1e-4])]
            {
                layer.set_matmul_precision(precision);
                let (out, found) = run(&layer, &x, |x| layer.repeat(x, mask.as_ref(), 2));
                assert!(distance(&out, &expected_out) < most, "{precision:?} {sizes:?}: output");
                for (i, ((name, found), (_, expected))) in found.iter().zip(&expected).enumerate() {
                    // The bias of the keys. Its gradient is only rounding error.
                    if i == 3 {
                        continue;
                    }
                    let distance = distance(found, expected);
                    assert!(distance < most_of_gradients, "{precision:?} {sizes:?} {name}: {distance}");
                }
            }
        }
    }
}

#[test]
fn the_layer_agrees_for_every_activation() {
    for name in Activation::names() {
        compare(&devices()[0], [2, 9, 24], 3, name, None);
    }
}

#[test]
fn masked_keys_match_burn() {
    let (t, f) = (true, false);
    let masks: [[bool; 12]; 5] = [
        [f, f, f, f, f, f, f, f, t, t, t, t],
        [t, t, f, f, f, f, f, t, f, t, f, t],
        // A sequence that is hidden entirely.
        [f, f, f, f, f, f, t, t, t, t, t, t],
        [f, t, t, t, t, t, f, f, f, f, f, f],
        [f; 12],
    ];
    for device in devices() {
        for mask in &masks {
            compare(&device, [2, 6, 16], 2, "gelu_new", Some(mask));
        }
        let long: Vec<bool> = (0..400).map(|i| i % 200 >= 150 || i % 7 == 3).collect();
        compare(&device, [2, 200, 8], 2, "gelu_new", Some(&long));
    }
}

#[test]
fn recomputing_gives_the_same_gradients_to_the_bit() {
    let device = devices()[0].clone().autodiff();
    let results = [device.clone(), device.gradient_checkpointing()].map(|device| {
        let layer = layer(24, 3, "gelu_new", &device);
        run(&layer, &tensor([2, 9, 24], 5, &device), |x| layer.repeat(x, None, 4))
    });
    assert!(results[0] == results[1]);
}

#[test]
fn runs_and_numbers_of_threads_agree_to_the_bit() {
    let device = devices()[0].clone().autodiff();
    let layer = layer(48, 4, "gelu_new", &device);
    let x = tensor([3, 150, 48], 5, &device);
    let results = [1, 2, 3, 2].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        pool.install(|| run(&layer, &x, |x| layer.repeat(x, None, 2)))
    });
    for result in &results[1..] {
        assert!(*result == results[0]);
    }
}

/// The parameters and options of a layer outside any module.
fn loose(device: &Device) -> ([Tensor<2>; 6], [Tensor<1>; 10], LayerOptions) {
    let (h, f) = (16, 24);
    let matrix = |shape: [usize; 2], seed| {
        let values: Vec<f32> = noise(shape.iter().product(), seed).iter().map(|v| v / 4.0).collect();
        Tensor::<2>::from_data(TensorData::new(values, shape.to_vec()), device)
    };
    let matrices = [
        matrix([h, h], 1),
        matrix([h, h], 2),
        matrix([h, h], 3),
        matrix([h, h], 4),
        matrix([h, f], 5),
        matrix([f, h], 6),
    ];
    let widths = [h, h, h, h, h, h, f, h, h, h];
    let vectors = std::array::from_fn(|i| tensor([widths[i]], 10 + i as u64, device));
    let options = LayerOptions {
        num_heads: 2,
        repeats: 2,
        activation: ActivationKind::GeluTanh,
        epsilon: 1e-6,
        attention_dropout: 0.3,
        hidden_dropout: 0.2,
        seed: 42,
        precision: MatmulPrecision::F32,
    };
    (matrices, vectors, options)
}

fn apply(
    x: &Tensor<3>,
    (matrices, vectors, options): &([Tensor<2>; 6], [Tensor<1>; 10], LayerOptions),
) -> Tensor<3> {
    let m = matrices.clone().map(Tensor::into_dispatch);
    let v = vectors.clone().map(Tensor::into_dispatch);
    let [qw, kw, vw, dw, fw, ow] = m;
    let [qb, kb, vb, db, ag, ab, fb, ob, ng, nb] = v;
    let parameters =
        LayerParameters::from_array([qw, qb, kw, kb, vw, vb, dw, db, ag, ab, fw, fb, ow, ob, ng, nb]);
    ops::albert_layer(x, None, parameters, *options, &WeightCache::default()).expect("it runs on the CPU")
}

#[test]
fn the_weight_cache_follows_the_weights() {
    for device in devices() {
        let x = tensor([2, 9, 24], 5, &device);
        let mut layer = layer(24, 3, "gelu_new", &device);
        for round in 0..3 {
            let expected = floats(layer.forward(x.clone(), None).0);
            // The second pass uses the values cached by the first.
            for _ in 0..2 {
                assert_close("output", &floats(layer.repeat(x.clone(), None, 1)), &expected, 1e-5);
            }
            let other = layer.clone().map(&mut Scatter(100 + round));
            let expected = floats(other.forward(x.clone(), None).0);
            assert_close("another", &floats(other.repeat(x.clone(), None, 1)), &expected, 1e-5);
            // burn updates the weight in place where possible.
            layer.ffn.weight = layer.ffn.weight.map(|weight| weight.mul_scalar(1.5));
        }
    }
}

#[test]
fn dropout_is_a_function_of_the_seed() {
    let device = devices()[0].clone();
    let mut parts = loose(&device);
    let x = tensor([2, 9, 16], 3, &device);
    let first = floats(apply(&x, &parts));
    assert_eq!(first, floats(apply(&x, &parts)));
    parts.2.seed = 43;
    assert_ne!(first, floats(apply(&x, &parts)));
}

#[test]
fn gradients_through_dropout_are_those_of_the_function() {
    for device in devices() {
        let device = device.autodiff();
        let (mut matrices, vectors, options) = loose(&device);
        matrices = matrices.map(Tensor::require_grad);
        let parts = (matrices, vectors, options);
        let weights = tensor([2, 9, 16], 4, &device);
        let loss = |x: &Tensor<3>, parts: &_| (apply(x, parts) * weights.clone()).sum();
        let x = tensor([2, 9, 16], 3, &device).require_grad();
        let gradients = loss(&x, &parts).backward();

        // The derivative along a direction is less sensitive to rounding than that of single elements.
        let step = 1e-2;
        let along = tensor([2, 9, 16], 8, &device);
        let value = |x: Tensor<3>, parts: &_| loss(&x, parts).into_scalar::<f32>();
        let (up, down) = (x.clone() + along.clone() * step, x.clone() - along.clone() * step);
        let measured = (value(up, &parts) - value(down, &parts)) / (2.0 * step as f32);
        let computed: f32 = (x.grad(&gradients).expect("a gradient") * along.inner()).sum().into_scalar();
        assert!((measured - computed).abs() < 0.02 * computed.abs().max(1.0), "x: {measured}, {computed}");

        for i in 0..6 {
            let matrix = parts.0[i].clone();
            let along = tensor(matrix.dims(), 20, &device);
            let moved = |step: f64| {
                let mut parts = parts.clone();
                parts.0[i] = matrix.clone() + along.clone() * step;
                value(x.clone(), &parts)
            };
            let measured = (moved(step) - moved(-step)) / (2.0 * step as f32);
            let gradient = matrix.grad(&gradients).expect("a gradient");
            let computed: f32 = (gradient * along.inner()).sum().into_scalar();
            assert!(
                (measured - computed).abs() < 0.02 * computed.abs().max(1.0),
                "matrix {i}: {measured}, {computed}"
            );
        }
    }
}

#[test]
fn nan_stays_within_its_sequence() {
    let device = devices()[0].clone();
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let layer = layer(16, 2, "gelu_new", &device);
        let mut values = noise(3 * 5 * 16, 1);
        values[5 * 16 + 3] = bad;
        let x = Tensor::<3>::from_data(TensorData::new(values, [3, 5, 16]), &device);
        let out = floats(layer.repeat(x, None, 2));
        let (first, rest) = out.split_at(5 * 16);
        let (second, third) = rest.split_at(5 * 16);
        assert!(first.iter().chain(third).all(|y| y.is_finite()));
        assert!(second.iter().all(|y| y.is_nan()), "{bad}");
    }
}

#[test]
fn the_vocabulary_loss_agrees_with_burns_operations() {
    for device in devices() {
        let device = device.autodiff();
        for (rows, width, vocabulary) in [(1, 4, 3), (9, 8, 41), (600, 16, 70)] {
            let inputs = || {
                (
                    tensor([rows, width], 1, &device).require_grad(),
                    tensor([vocabulary, width], 2, &device).require_grad(),
                    tensor([vocabulary], 3, &device).require_grad(),
                )
            };
            let ids: Vec<i64> = (0..rows as i64).map(|i| i * 7 % vocabulary as i64).collect();
            let labels = Tensor::<1, Int>::from_data(ids.as_slice(), &device);

            let (x, table, bias) = inputs();
            let VocabularyLoss { loss, correct } =
                ops::vocabulary_loss(x.clone(), table.clone(), bias.clone(), labels.clone());
            let gradients = (loss.clone() * 0.5).backward();

            let (y, other, offset) = inputs();
            let logits = y.clone().matmul(other.clone().transpose()) + offset.clone().unsqueeze::<2>();
            let index = labels.unsqueeze_dim::<2>(1);
            let hits = logits.clone().argmax(1).equal(index.clone()).int().sum().into_scalar::<i64>();
            let expected = activation::log_softmax(logits, 1).gather(1, index).sum().neg();
            let expected_gradients = (expected.clone() * 0.5).backward();

            assert_eq!(correct.into_scalar::<f32>(), hits as f32);
            assert_close("loss", &floats(loss), &floats(expected), 1e-5);
            let pairs = [
                (x.grad(&gradients), y.grad(&expected_gradients)),
                (table.grad(&gradients), other.grad(&expected_gradients)),
            ];
            for (found, expected) in pairs {
                let of = |gradient: Option<Tensor<2>>| floats(gradient.expect("a gradient"));
                assert_close("gradient", &of(found), &of(expected), 1e-4);
            }
            let of = |gradient: Option<Tensor<1>>| floats(gradient.expect("a gradient"));
            assert_close("bias", &of(bias.grad(&gradients)), &of(offset.grad(&expected_gradients)), 1e-4);
        }
    }
}

/// A mask of sequences with different ends, one of them with a gap.
fn ragged(device: &Device, lengths: [usize; 4], length: usize) -> Tensor<4, Bool> {
    let hidden: Vec<bool> = lengths
        .iter()
        .enumerate()
        .flat_map(|(i, &end)| (0..length).map(move |j| j >= end || (i == 2 && j == 1)))
        .collect();
    Tensor::<1, Bool>::from_data(hidden.as_slice(), device).reshape([4, 1, 1, length])
}

#[test]
fn a_sequence_comes_out_the_same_alone_and_in_any_batch() {
    let lengths = [37, 3, 20, 1];
    for device in devices() {
        let mut layer = layer(48, 4, "gelu_new", &device);
        let x = tensor([4, 37, 48], 11, &device);
        let mask = ragged(&device, lengths, 37);
        for precision in
            [MatmulPrecision::F32, MatmulPrecision::Bf16x2, MatmulPrecision::Bf16, MatmulPrecision::Int8]
        {
            if !ops::is_native(precision) {
                continue;
            }
            layer.set_matmul_precision(precision);
            let all = floats(layer.repeat(x.clone(), Some(&mask), 3));
            // Many copies use blocks of rows instead of shared columns.
            let copies = 12;
            let many =
                layer.repeat(x.clone().repeat_dim(0, copies), Some(&mask.clone().repeat_dim(0, copies)), 3);
            let many = floats(many);
            for copy in many.chunks_exact(all.len()) {
                assert!(copy == all, "{precision:?}");
            }
            for (i, &length) in lengths.iter().enumerate() {
                let alone = x.clone().slice([i..i + 1, 0..length]);
                let alone_mask = mask.clone().slice([i..i + 1, 0..1, 0..1, 0..length]);
                let alone = floats(layer.repeat(alone, Some(&alone_mask), 3));
                let start = i * 37 * 48;
                assert!(all[start..start + alone.len()] == alone, "{precision:?}, sequence {i}");
                assert!(all[start + alone.len()..start + 37 * 48].iter().all(|x| *x == 0.0));
            }
        }
    }
}

#[test]
fn reduced_precision_stays_close() {
    for device in devices() {
        for (hidden, heads, length) in [(48, 4, 9), (64, 2, 130), (40, 5, 33)] {
            let mut layer = layer(hidden, heads, "gelu_new", &device);
            let x = tensor([3, length, hidden], 12, &device);
            let exact = floats(layer.forward(x.clone(), None).0);
            let size = (exact.iter().map(|x| x * x).sum::<f32>() / exact.len() as f32).sqrt();
            for (precision, tolerance) in [
                (MatmulPrecision::Bf16x2, 2e-5),
                (MatmulPrecision::Bf16, 0.01),
                (MatmulPrecision::Int8, 0.04),
            ] {
                if precision == MatmulPrecision::Bf16x2 && !ops::is_native(precision) {
                    continue;
                }
                layer.set_matmul_precision(precision);
                let near = floats(layer.repeat(x.clone(), None, 1));
                let distance = exact.iter().zip(&near).map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
                let distance = (distance / exact.len() as f32).sqrt();
                assert!(distance < tolerance * size, "{precision:?} {hidden}: {distance} of {size}");
                assert!(distance > 0.0, "{precision:?} was not used");
            }
        }
    }
}
