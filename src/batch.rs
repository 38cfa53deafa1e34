//! Batches with a budget of padded tokens, grouped by length.

use burn::tensor::{Bool, Device, Int, Tensor, TensorData};

use crate::model::ModelInput;
use crate::tokenizer::Encoding;

/// Groups items so that no group has more than `budget` padded tokens (maximum length times count). An item longer than
/// the budget forms a group of its own. Returns indices into `lengths`. The group with the earliest item comes first, so
/// that ordered output is delayed as little as possible.
pub fn batches(lengths: &[usize], budget: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|&i| (lengths[i], i));
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for i in order {
        match groups.last_mut() {
            // Lengths ascend, so the new item is the longest of its group.
            Some(group) if lengths[i] * (group.len() + 1) <= budget => group.push(i),
            _ => groups.push(vec![i]),
        }
    }
    groups.sort_by_key(|group| group.iter().min().copied());
    groups
}

/// Padding of rows and their transfer to a device.
#[derive(Clone, Copy, Debug)]
pub struct Padding {
    /// The padding id. Its value has no effect, because attention excludes padding.
    pub id: u32,
    /// The multiple to which lengths are padded: GPUs compile one kernel per shape.
    pub multiple: usize,
    /// The maximum length that the model supports, in tokens.
    pub longest: usize,
}

/// Pads encodings to the longest one. Rows keep their order.
pub fn model_input<'a>(
    rows: impl ExactSizeIterator<Item = &'a Encoding> + Clone,
    padding: Padding,
    device: &Device,
) -> ModelInput {
    let longest = rows.clone().map(|row| row.ids.len()).max().unwrap_or(0);
    let length = longest.next_multiple_of(padding.multiple.max(1)).min(padding.longest.max(longest));
    let size = [rows.len(), length];
    let mut ids = Vec::with_capacity(size[0] * length);
    let mut types = Vec::with_capacity(size[0] * length);
    let mut hidden = Vec::with_capacity(size[0] * length);
    let mut padded = false;
    for row in rows {
        let rest = length - row.ids.len();
        padded |= rest > 0;
        ids.extend(
            row.ids.iter().map(|id| i64::from(*id)).chain(std::iter::repeat_n(i64::from(padding.id), rest)),
        );
        types.extend(row.type_ids.iter().map(|id| i64::from(*id)).chain(std::iter::repeat_n(0, rest)));
        hidden.extend(std::iter::repeat_n(false, row.ids.len()).chain(std::iter::repeat_n(true, rest)));
    }
    let ints = |values: Vec<i64>| Tensor::<2, Int>::from_data(TensorData::new(values, size), device);
    ModelInput {
        input_ids: ints(ids),
        token_type_ids: ints(types),
        padding: padded.then(|| Tensor::<2, Bool>::from_data(TensorData::new(hidden, size), device)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_batch_exceeds_the_budget_and_none_is_lost() {
        let lengths = [5, 100, 7, 3, 512, 6, 90, 5];
        let groups = batches(&lengths, 200);
        for group in &groups {
            let longest = group.iter().map(|&i| lengths[i]).max().unwrap_or(0);
            assert!(group.len() == 1 || longest * group.len() <= 200, "{group:?}");
        }
        let mut all: Vec<usize> = groups.concat();
        all.sort_unstable();
        assert_eq!(all, (0..lengths.len()).collect::<Vec<_>>());
        assert!(groups[0].contains(&0));
    }

    #[test]
    fn similar_lengths_share_a_batch() {
        assert_eq!(batches(&[2, 50, 2, 50], 100), [vec![0, 2], vec![1, 3]]);
    }
}
