//! What is written for the predictions of each task: JSON, tables, human-readable text, and formats of their own such as CoNLL and
//! SQuAD's.

mod choose;
mod classify;
mod embed;
mod entities;
mod fill_mask;
mod labels;
mod ner;
mod qa;
mod tokenize;
mod zero_shot;
