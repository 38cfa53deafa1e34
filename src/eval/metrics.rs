//! stub
#![allow(missing_docs, unused)]
use crate::error::Result;
#[derive(Default, Clone)]
pub struct C {
    pub precision: f64,
    pub recall: f64,
    pub f1: f64,
    pub support: u64,
}
pub struct ClassificationFigures {
    pub accuracy: f64,
    pub matthews: f64,
    pub classes: Vec<C>,
    pub macro_f1: f64,
    pub weighted_f1: f64,
    pub confusion: Vec<Vec<u64>>,
}
pub fn classification(g: &[usize], p: &[usize], n: usize) -> ClassificationFigures {
    let a = g.iter().zip(p).filter(|(a, b)| a == b).count() as f64 / g.len() as f64;
    ClassificationFigures {
        accuracy: a,
        matthews: 0.0,
        classes: vec![C::default(); n],
        macro_f1: 0.0,
        weighted_f1: 0.0,
        confusion: vec![vec![0; n]; n],
    }
}
pub struct MultiLabelFigures {
    pub subset_accuracy: f64,
    pub micro_f1: f64,
    pub macro_f1: f64,
    pub samples_f1: f64,
    pub classes: Vec<C>,
}
pub fn multi_label(g: &[Vec<bool>], p: &[Vec<bool>], n: usize) -> MultiLabelFigures {
    MultiLabelFigures {
        subset_accuracy: 0.0,
        micro_f1: 0.0,
        macro_f1: 0.0,
        samples_f1: 0.0,
        classes: vec![C::default(); n],
    }
}
pub struct R {
    pub pearson: Option<f64>,
    pub spearman: Option<f64>,
    pub mean_squared_error: f64,
    pub mean_absolute_error: f64,
}
pub fn regression(g: &[f64], p: &[f64]) -> R {
    R { pearson: None, spearman: None, mean_squared_error: 0.0, mean_absolute_error: 0.0 }
}
#[derive(Clone, Copy, Debug)]
pub enum EntityScheme {
    Iob1,
    Iob2,
    Ioe1,
    Ioe2,
    Iobes,
    Bilou,
}
pub struct E {
    pub micro: C,
    pub macro_average: C,
    pub accuracy: f64,
    pub types: Vec<(String, C)>,
}
pub fn entities(g: &[Vec<String>], p: &[Vec<String>], s: Option<EntityScheme>) -> Result<E> {
    Ok(E { micro: C::default(), macro_average: C::default(), accuracy: 0.0, types: vec![] })
}
#[derive(Clone, Default, Debug)]
pub struct QuestionOutcome {
    pub id: String,
    pub answers: Vec<String>,
    pub prediction: String,
    pub no_answer: f64,
}
pub struct V1 {
    pub exact: f64,
    pub f1: f64,
    pub scores: Vec<(f64, f64)>,
}
pub fn squad_v1(o: &[QuestionOutcome]) -> V1 {
    V1 { exact: 0.0, f1: 0.0, scores: vec![(0.0, 0.0); o.len()] }
}
pub struct V2 {
    pub exact: f64,
    pub f1: f64,
    pub has_answer_exact: f64,
    pub has_answer_f1: f64,
    pub no_answer_exact: f64,
    pub best_exact: f64,
    pub best_exact_threshold: f64,
    pub best_f1: f64,
    pub best_f1_threshold: f64,
    pub scores: Vec<(f64, f64)>,
}
pub fn squad_v2(o: &[QuestionOutcome], t: f64) -> V2 {
    V2 {
        exact: 0.0,
        f1: 0.0,
        has_answer_exact: 0.0,
        has_answer_f1: 0.0,
        no_answer_exact: 0.0,
        best_exact: 0.0,
        best_exact_threshold: 0.0,
        best_f1: 0.0,
        best_f1_threshold: 0.0,
        scores: vec![(0.0, 0.0); o.len()],
    }
}
pub struct Ch {
    pub accuracy: f64,
    pub groups: Vec<(String, f64)>,
}
pub fn choice_accuracy<'a>(i: impl Iterator<Item = (Option<&'a str>, usize, usize)>) -> Ch {
    let v: Vec<_> = i.collect();
    Ch { accuracy: v.iter().filter(|x| x.1 == x.2).count() as f64 / v.len() as f64, groups: vec![] }
}
