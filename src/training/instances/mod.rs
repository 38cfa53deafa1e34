//! Pretraining instances.

/// One row of a pretraining batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Token ids with masks and special tokens.
    pub ids: Vec<u32>,
    /// Where the second segment begins; the length where there is none.
    pub segment_b: usize,
    /// Places whose token is to be predicted.
    pub masked_positions: Vec<u32>,
    /// The tokens there.
    pub masked_labels: Vec<u32>,
    /// 0 in order, 1 swapped; `None` where it is not trained.
    pub order_label: Option<u8>,
}
