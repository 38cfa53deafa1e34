//! Pretraining instances: their content, their frequency and their order.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use albert::training::Documents;
use albert::training::instances::{
    Instance, InstanceOptions, InstancePlan, InstanceStream, Pairing, Partner, PieceKind, PieceTable,
    SpecialIds, show_instance,
};
use albert::{Error, Result};

const SPECIAL: SpecialIds = SpecialIds { cls: 2, sep: 3, mask: 4, pad: 0 };
const FIRST: u32 = 5;
/// The id range of a document. Every token of the corpus has its own id, so that a token identifies its position.
const STRIDE: u32 = 2000;

/// Documents with the given sentence lengths.
struct Places(Vec<Vec<u32>>);

impl Documents for Places {
    fn count(&self) -> u64 {
        self.0.len() as u64
    }

    fn sentence_lengths(&self, document: u64) -> Result<Vec<u32>> {
        Ok(self.0[document as usize].clone())
    }

    fn sentences(&self, document: u64, range: Range<usize>) -> Result<Vec<Vec<u32>>> {
        let lengths = &self.0[document as usize];
        let mut at = FIRST + document as u32 * STRIDE + lengths[..range.start].iter().sum::<u32>();
        let mut sentence = |&length: &u32| {
            at += length;
            (at - length..at).collect()
        };
        Ok(lengths[range].iter().map(&mut sentence).collect())
    }
}

/// The linear congruential generator of `golden/instances/make.py`.
struct Lcg(u32);

impl Lcg {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 = self.0.wrapping_mul(1_103_515_245).wrapping_add(12345) & 0x7fff_ffff;
        (self.0 >> 8) % limit
    }
}

/// 1 to 40 sentences of 1 to 40 tokens.
fn places(documents: u32, seed: u32) -> Places {
    let mut lcg = Lcg(seed);
    let mut document = |_| {
        let count = 1 + lcg.below(40);
        (0..count).map(|_| 1 + lcg.below(40)).collect()
    };
    Places((0..documents).map(&mut document).collect())
}

/// Returns true if a token of [`Places`] starts a word. 3 of 5 do.
fn starts_word(id: u32) -> bool {
    let mixed = (id ^ id >> 7).wrapping_mul(2_654_435_761);
    id < FIRST || (mixed ^ mixed >> 15).wrapping_mul(2_246_822_519) >> 16 < 39_322
}

fn table(ids: u32) -> PieceTable {
    let pieces = (0..ids).map(|id| if starts_word(id) { "▁w" } else { "w" });
    PieceTable::new(pieces, PieceKind::SentencePiece, &[0, 1, 2, 3, 4])
}

fn stream_of(places: Places, options: InstanceOptions, seed: u64) -> InstanceStream {
    let table = table(FIRST + places.0.len() as u32 * STRIDE);
    InstanceStream::new(Arc::new(places), table, SPECIAL, options, seed).expect("a stream")
}

fn options() -> InstanceOptions {
    InstanceOptions { max_seq_length: 128, ..InstanceOptions::default() }
}

fn epoch(stream: &mut InstanceStream, epoch: u64) -> Vec<InstancePlan> {
    let count = stream.count_instances(epoch).expect("a count") as usize;
    let plans = stream.next_batch(count).expect("plans");
    let position = stream.position();
    assert_eq!((position.epoch, position.documents, position.offset), (epoch + 1, 0, 0));
    plans
}

/// The two segments before masking.
fn segments(instance: &Instance) -> (Vec<u32>, Vec<u32>) {
    let mut ids = instance.ids.clone();
    for (&at, &label) in instance.masked_positions.iter().zip(&instance.masked_labels) {
        ids[at as usize] = label;
    }
    let b = ids.split_off(instance.segment_b);
    assert_eq!((ids[0], ids[ids.len() - 1]), (SPECIAL.cls, SPECIAL.sep));
    assert!(b.is_empty() || b.last() == Some(&SPECIAL.sep));
    (ids[1..ids.len() - 1].to_vec(), b[..b.len().max(1) - 1].to_vec())
}

fn document(id: u32) -> u32 {
    (id - FIRST) / STRIDE
}

/// Asserts that a share is within five standard deviations of the expected one.
fn assert_share(what: &str, hits: usize, of: usize, expected: f64) {
    let share = hits as f64 / of as f64;
    let deviation = (expected * (1.0 - expected) / of as f64).sqrt();
    assert!((share - expected).abs() < 5.0 * deviation, "{what}: {hits} of {of} = {share}, not {expected}");
}

#[test]
fn a_hundred_thousand_instances() {
    let mut stream = stream_of(places(400, 1), options(), 3);
    let limit = options().prediction_limit();
    assert_eq!(limit, 20);
    let (mut swapped, mut tokens, mut places, mut masked, mut random, mut kept) = (0, 0, 0, 0, 0, 0);
    let (mut words, mut single_words) = (0, 0);
    let plans = stream.next_batch(100_000).expect("plans");
    let instances = stream.materializer().materialize(&plans).expect("instances");
    for instance in &instances {
        assert!(instance.ids.len() <= 128);
        // The segments are consecutive runs of one document, in the order that the label gives.
        let (a, b) = segments(instance);
        assert!(!a.is_empty() && !b.is_empty());
        for segment in [&a, &b] {
            assert!(segment.windows(2).all(|pair| pair[1] == pair[0] + 1));
        }
        assert_eq!(document(a[0]), document(b[b.len() - 1]));
        assert_eq!(instance.order_label, Some(u8::from(a[0] > b[0])));
        swapped += usize::from(a[0] > b[0]);

        // The predictions have the right number and order, and cover complete words.
        let allowed = ((instance.ids.len() as f64 * 0.15).round_ties_even() as usize).clamp(1, limit);
        assert!(instance.masked_positions.len() <= allowed);
        assert!(instance.masked_positions.is_sorted_by(|x, y| x < y));
        let mut is_masked = vec![false; instance.ids.len()];
        instance.masked_positions.iter().for_each(|&at| is_masked[at as usize] = true);
        let b_start = instance.segment_b;
        for (start, segment) in [(1, &a), (b_start, &b)] {
            for (i, &id) in segment.iter().enumerate() {
                if i > 0 && !starts_word(id) {
                    assert_eq!(is_masked[start + i], is_masked[start + i - 1], "a word is split");
                } else if is_masked[start + i] {
                    words += 1;
                    single_words += usize::from(segment.get(i + 1).is_none_or(|&id| starts_word(id)));
                }
            }
        }
        for (&at, &label) in instance.masked_positions.iter().zip(&instance.masked_labels) {
            assert!(label >= FIRST);
            match instance.ids[at as usize] {
                id if id == SPECIAL.mask => masked += 1,
                id if id == label => kept += 1,
                id => {
                    assert!((FIRST..FIRST + 400 * STRIDE).contains(&id));
                    random += 1;
                }
            }
        }
        places += instance.masked_positions.len();
        tokens += instance.ids.len();
    }
    assert_share("swapped", swapped, instances.len(), 0.5);
    assert_share("[MASK]", masked, places, 0.8);
    assert_share("random", random, places, 0.1);
    assert_share("kept", kept, places, 0.1);
    // Complete words do not always fill the budget.
    let share = places as f64 / tokens as f64;
    assert!((0.145..0.152).contains(&share), "{share}");
    // Long words are chosen as often as short ones, except for the last positions of a budget.
    let share = single_words as f64 / words as f64;
    assert!((0.58..0.66).contains(&share), "{share}");
}

#[test]
fn each_epoch_has_each_sentence_once() {
    let corpus = places(60, 2);
    let mut stream = stream_of(places(60, 2), options(), 3);
    for number in 0..3 {
        let mut seen: BTreeMap<(u64, u32), usize> = BTreeMap::new();
        for plan in epoch(&mut stream, number) {
            (plan.first..plan.end).for_each(|s| *seen.entry((plan.document, s)).or_default() += 1);
            if let Partner::Next { split } = plan.partner {
                assert!(plan.first < split && split < plan.end);
            } else {
                assert_eq!(plan.end, plan.first + 1);
            }
        }
        for (document, lengths) in (0..).zip(&corpus.0) {
            for (sentence, &length) in (0..).zip(lengths) {
                let times = seen.get(&(document, sentence)).copied().unwrap_or(0);
                // A single token does not form an instance.
                assert!(times == 1 || (times == 0 && length == 1), "{document} {sentence} {times}");
            }
        }
    }
}

#[test]
fn one_in_ten_is_short() {
    // Sentences of one token fill every target exactly.
    let mut stream = stream_of(Places(vec![vec![1; 1_000_000]]), options(), 3);
    let plans = stream.next_batch(7000).expect("plans");
    let short = plans.iter().filter(|plan| plan.end - plan.first < 125).count();
    // One random target in 124 is the maximum length.
    assert_share("short", short, plans.len(), 0.1 * 123.0 / 124.0);
    assert!(plans.iter().all(|plan| (2..=125).contains(&(plan.end - plan.first))));
}

#[test]
fn long_sentences_become_several_instances() {
    let lengths = vec![10, 20, 1000, 5, 126, 3];
    let stream = |pairing| {
        let options = InstanceOptions { short_seq_prob: 0.0, pairing, ..options() };
        stream_of(Places(vec![lengths.clone()]), options, 3)
    };
    let mut sop = stream(Pairing::SentenceOrder);
    let plans = epoch(&mut sop, 0);
    // The sentences of 10 and 20 tokens form one instance, 1000 gives 8, 5 gives 1, 126 gives 2, 3 gives 1.
    assert_eq!(plans.len(), 1 + 8 + 1 + 2 + 1);
    let mut tokens: Vec<u32> = Vec::new();
    for instance in sop.materializer().materialize(&plans).expect("instances") {
        let (a, b) = segments(&instance);
        let (first, second) = if a[0] < b[0] { (a, b) } else { (b, a) };
        assert_eq!(first[first.len() - 1] + 1, second[0]);
        // Sentences are split at word boundaries, except that short ones may have a single word. The first two are
        // split between them.
        assert!(starts_word(second[0]) || first.len() + second.len() < 10 || second[0] == FIRST + 10);
        tokens.extend(first.iter().chain(&second));
    }
    tokens.sort_unstable();
    assert_eq!(tokens, (FIRST..FIRST + 1164).collect::<Vec<_>>());

    let mut unlabelled = stream(Pairing::Unlabelled);
    let plans = epoch(&mut unlabelled, 0);
    assert_eq!(plans.len(), 13);
    let instances = unlabelled.materializer().materialize(&plans).expect("instances");
    assert!(instances.iter().all(|instance| instance.order_label.is_none()));
    assert_eq!(instances.iter().filter(|i| i.segment_b == i.ids.len()).count(), 12);
    assert_eq!(instances.iter().map(|i| i.ids.len()).sum::<usize>(), 1164 + 12 * 2 + 3);
}

#[test]
fn unlabelled_segments_are_in_order() {
    let options = InstanceOptions { pairing: Pairing::Unlabelled, ..options() };
    let mut stream = stream_of(places(60, 2), options, 3);
    let plans = epoch(&mut stream, 0);
    for instance in stream.materializer().materialize(&plans).expect("instances") {
        let (a, b) = segments(&instance);
        assert!(b.is_empty() || a[0] < b[0]);
        assert_eq!(instance.order_label, None);
    }
}

#[test]
fn next_sentences() {
    let options = InstanceOptions { pairing: Pairing::NextSentence, ..options() };
    let mut stream = stream_of(places(400, 1), options, 3);
    let plans = stream.next_batch(20_000).expect("plans");
    let mut random = 0;
    for (plan, instance) in plans.iter().zip(stream.materializer().materialize(&plans).expect("instances")) {
        let (a, b) = segments(&instance);
        assert!(instance.ids.len() <= 128 && !a.is_empty() && !b.is_empty());
        match instance.order_label {
            Some(0) => assert!(document(a[0]) == document(b[0]) && a[0] < b[0]),
            Some(1) => assert!(document(a[0]) != document(b[0])),
            other => panic!("label {other:?} of {plan:?}"),
        }
        random += usize::from(instance.order_label == Some(1));
    }
    assert_share("random", random, plans.len(), 0.5);
}

#[test]
fn the_same_with_any_number_of_threads() {
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(|| {
            let options = InstanceOptions { chunk_instances: 700, eval_fraction: 0.1, ..options() };
            let mut stream = stream_of(places(200, 4), options, 9);
            let plans = stream.next_batch(5000).expect("plans");
            (
                stream.materializer().materialize(&plans).expect("instances"),
                stream.held_out(100).expect("held out"),
            )
        })
    };
    assert_eq!(run(1), run(2));
}

#[test]
fn seek_resumes_exactly() {
    let options = InstanceOptions { chunk_instances: 300, ..options() };
    let stream = || stream_of(places(200, 4), options.clone(), 9);
    let per_epoch = stream().count_instances(0).expect("a count") as usize;
    let total = 2 * per_epoch + 500;
    let whole = stream().next_batch(total).expect("plans");
    let mut stops: Vec<usize> = (0..total).step_by(97).collect();
    stops.extend([1, per_epoch - 1, per_epoch, per_epoch + 1]);
    for stop in stops {
        let mut first = stream();
        assert_eq!(first.next_batch(stop).expect("plans"), whole[..stop]);
        let saved = serde_json::to_string(&first.position()).expect("JSON");
        assert!(saved.len() < 80);
        let mut second = stream();
        second.seek(serde_json::from_str(&saved).expect("a position")).expect("a place");
        assert_eq!(second.position(), first.position());
        assert!((second.epochs() - first.epochs()).abs() < 1e-9);
        assert_eq!(second.next_batch(total - stop).expect("plans"), whole[stop..]);
    }
}

#[test]
fn positions_of_another_corpus_are_refused() {
    let mut stream = stream_of(places(20, 4), options(), 9);
    let mut position = stream.position();
    position.documents = 20;
    assert!(matches!(stream.seek(position), Err(Error::Input(_))));
    position.documents = 0;
    position.offset = 1_000_000;
    assert!(matches!(stream.seek(position), Err(Error::Input(_))));
    // The stream continues from its position after a failed seek.
    assert_eq!(stream.next_batch(3).expect("plans").len(), 3);
}

#[test]
fn epochs_and_seeds_differ() {
    let mut stream = stream_of(places(100, 5), options(), 1);
    let first = epoch(&mut stream, 0);
    let second = epoch(&mut stream, 1);
    let other = epoch(&mut stream_of(places(100, 5), options(), 2), 0);
    let order = |plans: &[InstancePlan]| plans.iter().map(|plan| plan.document).collect::<Vec<_>>();
    assert_ne!(order(&first), order(&second));
    assert_ne!(order(&first), order(&other));
    let seeds: BTreeSet<u64> = first.iter().chain(&second).chain(&other).map(|plan| plan.seed).collect();
    assert_eq!(seeds.len(), first.len() + second.len() + other.len());
    // Documents do not follow the order of the corpus, and the instances of a document are not adjacent.
    assert!(!order(&first).is_sorted());
    let neighbours = first.windows(2).filter(|pair| pair[0].document == pair[1].document).count();
    assert!(neighbours < first.len() / 10, "{neighbours} of {}", first.len());
}

#[test]
fn held_out_documents_are_not_trained_on() {
    let options = InstanceOptions { eval_fraction: 0.1, ..options() };
    let make = |seed| stream_of(places(200, 6), options.clone(), seed);
    let mut stream = make(1);
    assert_eq!((stream.train_documents(), stream.held_out_documents()), (180, 20));
    let held_out = stream.held_out(1_000_000).expect("instances");
    let evaluated: BTreeSet<u32> = held_out.iter().map(|i| document(segments(i).0[0])).collect();
    let trained: BTreeSet<u32> = epoch(&mut stream, 0).iter().map(|plan| plan.document as u32).collect();
    assert!(evaluated.is_disjoint(&trained));
    assert_eq!((evaluated.len(), trained.len()), (20, 180));
    // The list is the same for every seed and at any time. A limit takes its beginning.
    assert_eq!(make(2).held_out(1_000_000).expect("instances"), held_out);
    assert_eq!(stream.held_out(7).expect("instances"), held_out[..7]);
    // Random segments come from their own part.
    let options = InstanceOptions { pairing: Pairing::NextSentence, ..options.clone() };
    let mut stream = stream_of(places(200, 6), options, 1);
    for plan in stream.next_batch(5000).expect("plans") {
        if let Partner::Random { document, .. } = plan.partner {
            assert!(!evaluated.contains(&(document as u32)));
        }
    }
    // A single document is used for training.
    let options = InstanceOptions { eval_fraction: 0.9, ..self::options() };
    let stream = stream_of(places(1, 6), options, 1);
    assert_eq!((stream.train_documents(), stream.held_out(9).expect("none")), (1, Vec::new()));
}

#[test]
fn a_corpus_without_instances_is_an_error() {
    for lengths in [vec![vec![]], vec![vec![1]; 3]] {
        let mut stream = stream_of(Places(lengths), options(), 1);
        let error = stream.next_batch(1).expect_err("no instances");
        assert!(error.to_string().contains("yields no instances"), "{error}");
        assert_eq!(stream.count_instances(0).expect("a count"), 0);
    }
    let new = |places| InstanceStream::new(Arc::new(places), table(50), SPECIAL, options(), 1);
    assert!(new(Places(Vec::new())).is_err());
    // Documents without instances are skipped.
    let mut stream = stream_of(Places(vec![vec![], vec![1], vec![2, 2], vec![]]), options(), 1);
    assert_eq!(stream.next_batch(5).expect("plans").iter().filter(|plan| plan.document == 2).count(), 5);
    assert_eq!(stream.position().epoch, 5);
}

#[test]
fn options_out_of_range_are_named() {
    let wrong = [
        ("max_seq_length", InstanceOptions { max_seq_length: 7, ..options() }),
        ("short_seq_prob", InstanceOptions { short_seq_prob: f64::NAN, ..options() }),
        ("masked_lm_prob", InstanceOptions { masked_lm_prob: 0.0, ..options() }),
        ("max_predictions", InstanceOptions { max_predictions: Some(0), ..options() }),
        ("max_ngram", InstanceOptions { max_ngram: 0, ..options() }),
        ("eval_fraction", InstanceOptions { eval_fraction: 1.0, ..options() }),
        ("shuffle_buffer", InstanceOptions { chunk_instances: 0, ..options() }),
    ];
    for (name, options) in wrong {
        match options.check() {
            Err(Error::InvalidOption { name: named, .. }) => assert_eq!(named, name),
            other => panic!("{name}: {other:?}"),
        }
    }
    for max_seq_length in [8, 9, 33, 512] {
        let options = InstanceOptions { max_seq_length, short_seq_prob: 0.5, ..options() };
        let mut stream = stream_of(places(20, 7), options, 1);
        let plans = stream.next_batch(2000).expect("plans");
        let instances = stream.materializer().materialize(&plans).expect("instances");
        assert!(instances.iter().all(|instance| instance.ids.len() <= max_seq_length));
        assert_eq!(instances.iter().map(|i| i.ids.len()).max(), Some(max_seq_length));
    }
}

#[test]
fn plans_are_small() {
    assert!(size_of::<InstancePlan>() <= 56);
}

#[test]
fn shown_instances() {
    let instance = Instance {
        ids: vec![2, 5, 4, 3, 7, 8, 3],
        segment_b: 4,
        masked_positions: vec![2, 4, 5],
        masked_labels: vec![6, 6, 8],
        order_label: Some(1),
    };
    let names = ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]", "▁a", "▁b", "▁c"];
    let piece = |id: u32| names.get(id as usize).map(|&name| name.to_owned());
    let expected = "label 1, 7 tokens, 3 to predict\n  A: [CLS] ▁a ([MASK]) [SEP]\n  B: (▁c) (<id 8>) [SEP]\n      \
                    2: ▁b masked\n      4: ▁b replaced by ▁c\n      5: <id 8> kept\n";
    assert_eq!(show_instance(&instance, &SPECIAL, &piece), expected);
}

/// The statistics of `golden/instances/make.py`, over `epochs` epochs.
fn statistics(options: InstanceOptions, epochs: u64) -> BTreeMap<String, f64> {
    let mut stream = stream_of(places(60, 2), options, 1);
    let (mut runs, mut words) = (BTreeMap::<usize, usize>::new(), BTreeMap::<usize, usize>::new());
    let (mut count, mut length, mut short, mut label_1, mut predicted) = (0, 0, 0, 0, 0);
    for number in 0..epochs {
        let plans = epoch(&mut stream, number);
        for instance in stream.materializer().materialize(&plans).expect("instances") {
            let (a, b) = segments(&instance);
            count += 1;
            length += instance.ids.len();
            short += usize::from(instance.ids.len() < 128);
            label_1 += usize::from(instance.order_label == Some(1));
            predicted += instance.masked_positions.len();
            let masked: BTreeSet<usize> = instance.masked_positions.iter().map(|&at| at as usize).collect();
            for (start, segment) in [(1, a), (instance.segment_b, b)] {
                let (mut run, mut word) = (0, 0);
                for (at, id) in (start..).zip(segment.into_iter().chain([SPECIAL.sep])) {
                    if word > 0 && (!masked.contains(&at) || starts_word(id)) {
                        *words.entry(word.min(5)).or_default() += 1;
                        word = 0;
                    }
                    if masked.contains(&at) {
                        run += usize::from(starts_word(id) || !masked.contains(&(at - 1)));
                        word += 1;
                    } else if run > 0 {
                        *runs.entry(run.min(7)).or_default() += 1;
                        run = 0;
                    }
                }
            }
        }
    }
    let share = |part: usize, of: usize| part as f64 / of as f64;
    let mut out = BTreeMap::from([
        ("instances_per_epoch".to_owned(), share(count, epochs as usize)),
        ("mean_length".to_owned(), share(length, count)),
        ("short".to_owned(), share(short, count)),
        ("label_1".to_owned(), share(label_1, count)),
        ("predicted".to_owned(), share(predicted, length)),
    ]);
    for (name, histogram) in [("words_in_run", runs), ("pieces_in_word", words)] {
        let total = histogram.values().sum();
        out.extend(histogram.into_iter().map(|(n, count)| (format!("{name}.{n}"), share(count, total))));
    }
    out
}

#[test]
fn as_googles_script_makes_them() {
    let golden: serde_json::Value =
        serde_json::from_str(include_str!("golden/instances/google.json")).expect("JSON");
    for (name, pairing) in
        [("sentence_order", Pairing::SentenceOrder), ("next_sentence", Pairing::NextSentence)]
    {
        let ours = statistics(InstanceOptions { google_compat: true, pairing, ..options() }, 300);
        for (key, &value) in &ours {
            let expected =
                key.split('.').fold(&golden[name], |at, part| &at[part]).as_f64().expect("a number");
            // The reference has about 20,000 instances and 200,000 runs: about four standard deviations.
            let tolerance = match key.as_str() {
                "instances_per_epoch" | "mean_length" => 0.02 * expected,
                "short" | "label_1" => 0.015,
                _ => 0.004,
            };
            assert!((value - expected).abs() < tolerance, "{name} {key}: {value}, not {expected}");
        }
        assert_eq!(ours.len(), 5 + 7 + 5);
    }
}
