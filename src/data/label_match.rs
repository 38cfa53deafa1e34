//! Matches labels of data to labels of a model despite different spellings.

use std::collections::HashMap;

use super::labels::LabelSet;

/// The model's label for each label of the data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelMatch {
    ids: HashMap<String, usize>,
    /// A note for the user if labels with different spellings were matched.
    pub note: Option<String>,
}

impl LabelMatch {
    /// Returns the model's id for a label of the data.
    pub fn id(&self, name: &str) -> Option<usize> {
        self.ids.get(name).copied()
    }
}

impl LabelSet {
    /// Matches `found`, the labels of the data, to the labels of a model.
    ///
    /// A label without an exact match is matched to one that differs only in case; otherwise a number is matched to a
    /// label like `LABEL_0` (transformers' default names), or vice versa. A match must be unambiguous on both sides.
    /// Unmatched labels have no id.
    pub fn match_data(&self, found: &Self) -> LabelMatch {
        let mut result = LabelMatch::default();
        let mut taken = vec![false; self.len()];
        let mut rest = Vec::new();
        for name in found.names() {
            match self.id(name) {
                Some(id) => {
                    taken[id] = true;
                    result.ids.insert(name.clone(), id);
                }
                None => rest.push(name),
            }
        }
        let mut note = Vec::new();
        for same in [same_without_case, same_number] {
            let partners = |name: &str| -> Vec<usize> {
                let fits = |(_, other): &(usize, &String)| same(name, other);
                self.names().iter().enumerate().filter(fits).map(|(id, _)| id).collect()
            };
            let wanted: Vec<Vec<usize>> = rest.iter().map(|name| partners(name)).collect();
            let is_sole =
                |id: usize| !taken[id] && wanted.iter().filter(|ids| ids.contains(&id)).count() == 1;
            let sole = |ids: &Vec<usize>| match ids[..] {
                [id] if is_sole(id) => Some(id),
                _ => None,
            };
            let chosen: Vec<Option<usize>> = wanted.iter().map(sole).collect();
            let mut left = Vec::new();
            for (name, id) in rest.into_iter().zip(chosen) {
                if let Some(id) = id {
                    taken[id] = true;
                    note.push(format!("\"{name}\" as \"{}\"", self.names()[id]));
                    result.ids.insert(name.clone(), id);
                } else {
                    left.push(name);
                }
            }
            rest = left;
        }
        if !note.is_empty() {
            result.note = Some(format!("labels of the data are taken as the model's: {}", note.join(", ")));
        }
        result
    }
}

fn same_without_case(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}

/// Returns true if one label is `LABEL_7` and the other `7`.
fn same_number(a: &str, b: &str) -> bool {
    let number = |text: &str| text.to_lowercase().strip_prefix("label_").map(str::to_owned);
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let pair =
        |long: &str, short: &str| is_number(short) && number(long).is_some_and(|number| number == short);
    pair(a, b) || pair(b, a)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> LabelSet {
        LabelSet::given(names.iter().map(|name| (*name).to_owned()).collect()).expect("labels")
    }

    fn matched(model: &[&str], data: &[&str]) -> (Vec<Option<usize>>, Option<String>) {
        let result = set(model).match_data(&set(data));
        (data.iter().map(|name| result.id(name)).collect(), result.note)
    }

    #[test]
    fn the_same_names_need_no_note() {
        assert_eq!(matched(&["a", "b"], &["b", "c"]), (vec![Some(1), None], None));
    }

    #[test]
    fn names_in_another_case() {
        let (ids, note) = matched(&["NEGATIVE", "POSITIVE"], &["positive", "negative"]);
        assert_eq!(ids, [Some(1), Some(0)]);
        assert_eq!(
            note.as_deref(),
            Some(
                "labels of the data are taken as the model's: \"positive\" as \"POSITIVE\", \"negative\" as \
                 \"NEGATIVE\""
            )
        );
        assert_eq!(matched(&["Pos", "POS"], &["pos"]), (vec![None], None), "two of the model");
        assert_eq!(matched(&["POS"], &["pos", "Pos"]), (vec![None, None], None), "two of the data");
        assert_eq!(matched(&["POS"], &["POS", "pos"]), (vec![Some(0), None], None), "one is there already");
    }

    #[test]
    fn numbered_labels() {
        let (ids, note) = matched(&["LABEL_0", "LABEL_1"], &["1", "0", "2"]);
        assert_eq!(ids, [Some(1), Some(0), None]);
        assert!(note.is_some_and(|note| note.contains("\"1\" as \"LABEL_1\"")));
        assert_eq!(matched(&["0", "1"], &["LABEL_1", "label_x"]).0, [Some(1), None]);
        assert_eq!(matched(&["LABEL_0", "label_0"], &["0"]).0, [None]);
    }
}
