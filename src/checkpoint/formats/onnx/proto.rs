//! The ONNX messages needed for ALBERT.
//!
//! Reference: `onnx/onnx.proto` of ONNX 1.16.

use prost::Message;

use crate::checkpoint::tensor::Dtype;

/// Data type of 32-bit floats.
pub(in crate::checkpoint) const FLOAT: i32 = 1;
/// Data type of 64-bit integers.
pub(in crate::checkpoint) const INT64: i32 = 7;

/// Maximum length of a name in bytes.
pub(super) const MAX_NAME: u64 = 1024;

/// Kinds of attributes.
pub(in crate::checkpoint) mod kind {
    pub(crate) const FLOAT: i32 = 1;
    pub(crate) const INT: i32 = 2;
    pub(crate) const INTS: i32 = 7;
}

#[derive(Clone, Message)]
pub(in crate::checkpoint) struct OperatorSet {
    #[prost(string, tag = "1")]
    pub domain: String,
    #[prost(int64, tag = "2")]
    pub version: i64,
}

/// `ModelProto` without its graph.
#[derive(Clone, Message)]
pub(in crate::checkpoint) struct ModelHead {
    #[prost(int64, tag = "1")]
    pub ir_version: i64,
    #[prost(string, tag = "2")]
    pub producer_name: String,
    #[prost(string, tag = "3")]
    pub producer_version: String,
    #[prost(message, repeated, tag = "8")]
    pub opset_import: Vec<OperatorSet>,
}

/// `GraphProto` without large initializers, which are written one by one.
#[derive(Clone, Message)]
pub(in crate::checkpoint) struct Graph {
    #[prost(message, repeated, tag = "1")]
    pub node: Vec<Node>,
    #[prost(string, tag = "2")]
    pub name: String,
    #[prost(message, repeated, tag = "5")]
    pub initializer: Vec<TensorProto>,
    #[prost(message, repeated, tag = "11")]
    pub input: Vec<ValueInfo>,
    #[prost(message, repeated, tag = "12")]
    pub output: Vec<ValueInfo>,
}

#[derive(Clone, Message)]
pub(in crate::checkpoint) struct Node {
    #[prost(string, repeated, tag = "1")]
    pub input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub output: Vec<String>,
    #[prost(string, tag = "3")]
    pub name: String,
    #[prost(string, tag = "4")]
    pub op_type: String,
    #[prost(message, repeated, tag = "5")]
    pub attribute: Vec<Attribute>,
}

/// `NodeProto` with its metadata only.
#[derive(Message)]
pub(super) struct NodeMetadata {
    #[prost(message, repeated, tag = "9")]
    pub metadata: Vec<Entry>,
}

/// `StringStringEntryProto`.
#[derive(Message)]
pub(super) struct Entry {
    #[prost(string, tag = "1")]
    pub key: String,
    #[prost(string, tag = "2")]
    pub value: String,
}

#[derive(Clone, Message)]
pub(in crate::checkpoint) struct Attribute {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(float, tag = "2")]
    pub f: f32,
    #[prost(int64, tag = "3")]
    pub i: i64,
    #[prost(int64, repeated, packed = "false", tag = "8")]
    pub ints: Vec<i64>,
    #[prost(int32, tag = "20")]
    pub kind: i32,
}

#[derive(Clone, Message)]
pub(in crate::checkpoint) struct TensorProto {
    #[prost(int64, repeated, packed = "false", tag = "1")]
    pub dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    pub data_type: i32,
    #[prost(string, tag = "8")]
    pub name: String,
    #[prost(bytes = "vec", tag = "9")]
    pub raw_data: Vec<u8>,
}

#[derive(Clone, Message)]
pub(in crate::checkpoint) struct ValueInfo {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, optional, tag = "2")]
    pub r#type: Option<TypeProto>,
}

#[derive(Clone, Message)]
pub(in crate::checkpoint) struct TypeProto {
    #[prost(message, optional, tag = "1")]
    pub tensor_type: Option<TensorType>,
}

#[derive(Clone, Message)]
pub(in crate::checkpoint) struct TensorType {
    #[prost(int32, tag = "1")]
    pub elem_type: i32,
    #[prost(message, optional, tag = "2")]
    pub shape: Option<Shape>,
}

#[derive(Clone, Message)]
pub(in crate::checkpoint) struct Shape {
    #[prost(message, repeated, tag = "1")]
    pub dim: Vec<Dimension>,
}

#[derive(Clone, Message)]
pub(in crate::checkpoint) struct Dimension {
    #[prost(int64, optional, tag = "1")]
    pub dim_value: Option<i64>,
    #[prost(string, optional, tag = "2")]
    pub dim_param: Option<String>,
}

/// Returns true for floats of 8 bits, and for integers and floats of 4 or 2 bits.
pub(in crate::checkpoint) fn is_narrow(number: u64) -> bool {
    (17..=25).contains(&number)
}

/// Maps ONNX's `TensorProto.DataType` for floats and for the integer types of quantized weights.
pub(in crate::checkpoint) fn dtype(number: u64) -> Option<Dtype> {
    Some(match number {
        1 => Dtype::F32,
        2 => Dtype::U8,
        3 => Dtype::I8,
        6 => Dtype::I32,
        10 => Dtype::F16,
        11 => Dtype::F64,
        16 => Dtype::BF16,
        _ => return None,
    })
}
