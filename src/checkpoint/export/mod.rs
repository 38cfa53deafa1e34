//! Writes checkpoints: conversion, saved models and tokenizers.

pub(in crate::checkpoint) mod added_tokens;
pub(in crate::checkpoint) mod convert;
pub(in crate::checkpoint) mod json;
pub(in crate::checkpoint) mod onnx;
pub(in crate::checkpoint) mod onnx_graph;
pub(in crate::checkpoint) mod planned;
pub(in crate::checkpoint) mod progress;
pub(in crate::checkpoint) mod pytorch;
pub(in crate::checkpoint) mod safetensors;
pub(in crate::checkpoint) mod save;
mod sentence_files;
pub(in crate::checkpoint) mod tokenizer_files;
