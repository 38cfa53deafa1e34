//! Special tokens: configured names, otherwise the usual ones.

use super::roles::Role;
use super::settings::Settings;

/// A special token found in a vocabulary.
pub(super) type Named = Option<(u32, String)>;

/// The special tokens that tasks use.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct SpecialTokens {
    pub cls: Named,
    pub sep: Named,
    pub mask: Named,
    pub pad: Named,
    pub unk: Named,
}

impl SpecialTokens {
    /// Looks up the names with `id`: the configured name first, then the usual ones.
    pub(super) fn find(settings: &Settings, id: impl Fn(&str) -> Option<u32>) -> Self {
        let named = |role: Role| {
            let names = settings.name(role).into_iter().chain(role.usual_names().iter().copied());
            names.filter_map(|name| Some((id(name)?, name.to_owned()))).next()
        };
        Self {
            cls: named(Role::Cls),
            sep: named(Role::Sep),
            mask: named(Role::Mask),
            pad: named(Role::Pad),
            unk: named(Role::Unk),
        }
    }

    /// Returns all special tokens that were found, without duplicates.
    pub(super) fn all(&self) -> Vec<&(u32, String)> {
        let mut all: Vec<_> =
            [&self.cls, &self.sep, &self.unk, &self.pad, &self.mask].into_iter().flatten().collect();
        all.sort();
        all.dedup();
        all
    }
}
