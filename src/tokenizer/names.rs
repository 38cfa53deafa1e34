//! Which tokens are special: names from the tokenizer's configuration, else the usual ones.

use super::limits::Limits;
use serde_json::{Map, Value};

/// The names and switches that `tokenizer_config.json` and `special_tokens_map.json` may give.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Settings {
    pub cls: Option<String>,
    pub sep: Option<String>,
    pub mask: Option<String>,
    pub pad: Option<String>,
    pub unk: Option<String>,
    /// `[MASK]` takes the white space before it (default: it does).
    pub mask_lstrip: Option<bool>,
    pub do_lower_case: Option<bool>,
    pub keep_accents: Option<bool>,
    pub remove_space: Option<bool>,
    pub strip_accents: Option<bool>,
    pub tokenize_chinese_chars: Option<bool>,
    pub clean_up_spaces: Option<bool>,
    /// How long texts may be and where they are cut.
    pub limits: Limits,
}

impl Settings {
    /// Takes what `map` says and this does not say yet.
    pub(super) fn complete(&mut self, map: &Map<String, Value>) {
        for (key, slot) in [
            ("cls_token", &mut self.cls),
            ("sep_token", &mut self.sep),
            ("mask_token", &mut self.mask),
            ("pad_token", &mut self.pad),
            ("unk_token", &mut self.unk),
        ] {
            // "[MASK]" or {"content": "[MASK]", "lstrip": true, ...}
            let value = map.get(key).map(|v| v.get("content").unwrap_or(v));
            *slot = slot.take().or_else(|| value?.as_str().map(str::to_owned));
        }
        let lstrip = map.get("mask_token").and_then(|v| v.get("lstrip")?.as_bool());
        self.mask_lstrip = self.mask_lstrip.or(lstrip);
        for (key, slot) in [
            ("do_lower_case", &mut self.do_lower_case),
            ("keep_accents", &mut self.keep_accents),
            ("remove_space", &mut self.remove_space),
            ("strip_accents", &mut self.strip_accents),
            ("tokenize_chinese_chars", &mut self.tokenize_chinese_chars),
            ("clean_up_tokenization_spaces", &mut self.clean_up_spaces),
        ] {
            *slot = slot.or_else(|| map.get(key)?.as_bool());
        }
    }
}

/// A special token found in a vocabulary.
pub(super) type Named = Option<(u32, String)>;

/// The special tokens that tasks ask for.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Specials {
    pub cls: Named,
    pub sep: Named,
    pub mask: Named,
    pub pad: Named,
    pub unk: Named,
}

/// The names that vocabularies use.
const CLS: &[&str] = &["[CLS]", "<cls>", "<s>"];
const SEP: &[&str] = &["[SEP]", "<sep>", "</s>"];
const MASK: &[&str] = &["[MASK]", "<mask>"];
const PAD: &[&str] = &["<pad>", "[PAD]"];
const UNK: &[&str] = &["<unk>", "[UNK]"];

impl Specials {
    /// Looks the names up with `id`: the configured name first, then the usual ones.
    pub(super) fn find(settings: &Settings, id: impl Fn(&str) -> Option<u32>) -> Self {
        let named = |configured: &Option<String>, usual: &[&str]| {
            let names = configured.iter().map(String::as_str).chain(usual.iter().copied());
            names.filter_map(|name| Some((id(name)?, name.to_owned()))).next()
        };
        Self {
            cls: named(&settings.cls, CLS),
            sep: named(&settings.sep, SEP),
            mask: named(&settings.mask, MASK),
            pad: named(&settings.pad, PAD),
            unk: named(&settings.unk, UNK),
        }
    }

    /// All that were found, each once.
    pub(super) fn all(&self) -> Vec<&(u32, String)> {
        let mut all: Vec<_> =
            [&self.cls, &self.sep, &self.unk, &self.pad, &self.mask].into_iter().flatten().collect();
        all.sort();
        all.dedup();
        all
    }
}
