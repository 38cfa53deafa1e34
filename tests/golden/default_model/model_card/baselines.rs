//! Two baselines: the most frequent answer, and a model of single words.

use std::collections::HashMap;

use albert::data::{ChoiceExample, QuestionExample, TextExample, TokenExample};
use albert::eval::metrics::{QuestionOutcome, entities, squad_v1};

use super::tasks::Examples;

/// Metrics in percent on `test` of two baselines, the most frequent answer and a model of single words:
/// * texts: accuracy; the second is a logistic regression over the words of each text;
/// * tokens: F1 of entities; the first predicts no entities, the second each word's most frequent tag;
/// * questions: F1 of words; the only baseline is the sentence that shares the most words with the question;
/// * choices: accuracy; the first is the most frequent position, the second a logistic regression over each choice's words.
pub(crate) fn baselines(train: &Examples, test: &Examples) -> (Option<f64>, Option<f64>) {
    match (train, test) {
        (Examples::Texts(train), Examples::Texts(test)) => texts(train, test),
        (Examples::Tokens(train), Examples::Tokens(test)) => tokens(train, test),
        (_, Examples::Questions(test)) => (None, Some(questions(test))),
        (Examples::Choices(train), Examples::Choices(test)) => choices(train, test),
        _ => (None, None),
    }
}

fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

fn percent(right: usize, all: usize) -> f64 {
    100.0 * right as f64 / all.max(1) as f64
}

/// A linear model over named features, with one weight per class, trained with Adagrad.
#[derive(Default)]
struct Linear {
    ids: HashMap<String, usize>,
    weights: Vec<f64>,
    squares: Vec<f64>,
    classes: usize,
}

const PASSES: usize = 10;
const RATE: f64 = 0.1;

impl Linear {
    fn new(classes: usize) -> Self {
        Self { classes, ..Self::default() }
    }

    fn id(&mut self, name: String) -> usize {
        let next = self.ids.len();
        let id = *self.ids.entry(name).or_insert(next);
        self.weights.resize(self.ids.len() * self.classes, 0.0);
        self.squares.resize(self.ids.len() * self.classes, 1e-3);
        id
    }

    fn score(&self, features: &[usize], class: usize) -> f64 {
        let sum: f64 = features.iter().map(|id| self.weights[id * self.classes + class]).sum();
        sum / (features.len().max(1) as f64).sqrt()
    }

    fn learn(&mut self, features: &[usize], class: usize, slope: f64) {
        let slope = slope / (features.len().max(1) as f64).sqrt();
        for id in features {
            let place = id * self.classes + class;
            self.squares[place] += slope * slope;
            self.weights[place] -= RATE * slope / self.squares[place].sqrt();
        }
    }
}

fn softmax(scores: &[f64]) -> Vec<f64> {
    let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = scores.iter().map(|score| (score - most).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

fn best(scores: &[f64]) -> usize {
    (0..scores.len()).fold(0, |best, i| if scores[i] > scores[best] { i } else { best })
}

fn most_frequent(values: impl Iterator<Item = usize>) -> usize {
    let mut counts: HashMap<usize, usize> = HashMap::new();
    values.for_each(|value| *counts.entry(value).or_default() += 1);
    counts.into_iter().max_by_key(|(value, count)| (*count, usize::MAX - value)).map_or(0, |(value, _)| value)
}

fn texts(train: &[TextExample], test: &[TextExample]) -> (Option<f64>, Option<f64>) {
    let label = |example: &TextExample| example.target.labels().first().cloned().unwrap_or_default();
    let mut labels: Vec<String> = train.iter().map(label).collect();
    labels.sort();
    labels.dedup();
    let class = |example: &TextExample| labels.iter().position(|own| *own == label(example)).unwrap_or(0);
    let mut model = Linear::new(labels.len());
    let features = |example: &TextExample| -> Vec<String> {
        let second = example.text_pair.as_deref().unwrap_or_default();
        words(&example.text).chain(words(second).map(|word| format!("2 {word}"))).collect()
    };
    let rows: Vec<(Vec<usize>, usize)> = train
        .iter()
        .map(|example| (features(example).into_iter().map(|name| model.id(name)).collect(), class(example)))
        .collect();
    let scores = |model: &Linear, row: &[usize]| -> Vec<f64> {
        (0..labels.len()).map(|class| model.score(row, class)).collect()
    };
    for _ in 0..PASSES {
        for (row, right) in &rows {
            let shares = softmax(&scores(&model, row));
            for (class, share) in shares.into_iter().enumerate() {
                model.learn(row, class, share - f64::from(u8::from(class == *right)));
            }
        }
    }
    let right = test.iter().filter(|example| {
        let row: Vec<usize> =
            features(example).iter().filter_map(|name| model.ids.get(name).copied()).collect();
        best(&scores(&model, &row)) == class(example)
    });
    let bag = percent(right.count(), test.len());
    let common = most_frequent(rows.iter().map(|(_, class)| *class));
    let majority = percent(test.iter().filter(|example| class(example) == common).count(), test.len());
    (Some(majority), Some(bag))
}

fn tokens(train: &[TokenExample], test: &[TokenExample]) -> (Option<f64>, Option<f64>) {
    let mut counts: HashMap<&str, HashMap<&str, usize>> = HashMap::new();
    for example in train {
        for (word, tag) in example.words.iter().zip(&example.tags) {
            *counts.entry(word).or_default().entry(tag).or_default() += 1;
        }
    }
    let tag = |word: &String| {
        let tags = counts.get(word.as_str()).into_iter().flatten();
        tags.max_by_key(|(tag, count)| (**count, std::cmp::Reverse(**tag)))
            .map_or("O", |(tag, _)| *tag)
            .to_owned()
    };
    let gold: Vec<Vec<String>> = test.iter().map(|example| example.tags.clone()).collect();
    let said: Vec<Vec<String>> = test.iter().map(|example| example.words.iter().map(tag).collect()).collect();
    let metric = entities(&gold, &said, None).map(|metrics| 100.0 * metrics.micro.f1).ok();
    (Some(0.0), metric)
}

fn questions(test: &[QuestionExample]) -> f64 {
    let outcomes: Vec<QuestionOutcome> = test
        .iter()
        .map(|example| {
            let asked: Vec<String> = words(&example.question).collect();
            let shared = |sentence: &&str| words(sentence).filter(|word| asked.contains(word)).count();
            let sentences = example.context.split_inclusive(['.', '!', '?']);
            QuestionOutcome {
                id: example.id.clone(),
                answers: example.answers.iter().map(|answer| answer.text.clone()).collect(),
                prediction: sentences.max_by_key(shared).unwrap_or_default().to_owned(),
                no_answer: 0.0,
            }
        })
        .collect();
    squad_v1(&outcomes).f1
}

fn choices(train: &[ChoiceExample], test: &[ChoiceExample]) -> (Option<f64>, Option<f64>) {
    let mut model = Linear::new(1);
    // The words of a choice, and a `shared` feature for each of them that the prompt or the context contains.
    let features = |example: &ChoiceExample, choice: &str| -> Vec<String> {
        let context = example.context.as_deref().unwrap_or_default();
        let near: Vec<String> = words(&example.prompt).chain(words(context)).collect();
        let own: Vec<String> = words(choice).collect();
        let shared: Vec<String> =
            own.iter().filter(|word| near.contains(word)).map(|_| "shared".to_owned()).collect();
        own.into_iter().chain(shared).collect()
    };
    let rows: Vec<(Vec<Vec<usize>>, usize)> = train
        .iter()
        .filter_map(|example| {
            let all = example
                .choices
                .iter()
                .map(|choice| features(example, choice).into_iter().map(|name| model.id(name)).collect());
            Some((all.collect(), example.label?))
        })
        .collect();
    for _ in 0..PASSES {
        for (all, right) in &rows {
            let scores: Vec<f64> = all.iter().map(|row| model.score(row, 0)).collect();
            for (i, share) in softmax(&scores).into_iter().enumerate() {
                model.learn(&all[i], 0, share - f64::from(u8::from(i == *right)));
            }
        }
    }
    let right = test.iter().filter(|example| {
        let score = |choice: &String| {
            let row: Vec<usize> =
                features(example, choice).iter().filter_map(|name| model.ids.get(name).copied()).collect();
            model.score(&row, 0)
        };
        Some(best(&example.choices.iter().map(score).collect::<Vec<_>>())) == example.label
    });
    let bag = percent(right.count(), test.len());
    let common = most_frequent(rows.iter().map(|(_, right)| *right));
    let majority = percent(test.iter().filter(|example| example.label == Some(common)).count(), test.len());
    (Some(majority), Some(bag))
}
