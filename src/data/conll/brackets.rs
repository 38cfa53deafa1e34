//! Entities in brackets, as in CoNLL-2005, 2011 and 2012 (OntoNotes): `(ORG*`, `*`, `*)`, `(GPE)`.
//!
//! Reference: AllenNLP's reader of OntoNotes, which produces the same tags.

/// Returns true for a cell in this notation.
pub(super) fn is_bracketed(cell: &str) -> bool {
    matches!(cell, "*" | "*)") || opened(cell).is_some()
}

/// Returns the name of the entity that starts in a cell.
pub(super) fn opened(cell: &str) -> Option<&str> {
    let inner = cell.strip_prefix('(')?;
    let inner = inner.strip_suffix(')').unwrap_or(inner);
    let name = inner.strip_suffix('*').unwrap_or(inner);
    let is_name = !name.is_empty() && !name.contains(['(', ')', '*']);
    (is_name && (cell.ends_with(')') || cell.ends_with('*'))).then_some(name)
}

/// The entity that is currently open, if any.
#[derive(Default)]
pub(super) struct Brackets {
    open: Option<String>,
}

impl Brackets {
    /// Returns the tag of the next word.
    ///
    /// # Errors
    /// A message for unbalanced brackets and for nested entities.
    pub(super) fn tag(&mut self, cell: &str) -> Result<String, String> {
        let tag = match (opened(cell), self.open.take()) {
            (Some(name), Some(open)) => {
                return Err(format!(
                    "\"{cell}\" begins {name} inside {open}; entities inside others are not read"
                ));
            }
            (Some(name), None) => {
                self.open = (!cell.ends_with(')')).then(|| name.to_owned());
                return Ok(format!("B-{name}"));
            }
            (None, open) => open,
        };
        match (cell, tag) {
            ("*", Some(open)) => {
                let tag = format!("I-{open}");
                self.open = Some(open);
                Ok(tag)
            }
            ("*", None) => Ok("O".to_owned()),
            ("*)", Some(open)) => Ok(format!("I-{open}")),
            ("*)", None) => Err("\"*)\" ends an entity, but none has begun".to_owned()),
            _ => Err(format!("\"{cell}\" is not an entity in brackets such as (ORG*, *, *) or (ORG)")),
        }
    }

    /// Ends a sentence.
    ///
    /// # Errors
    /// A message for an entity that is still open.
    pub(super) fn finish(&mut self) -> Result<(), String> {
        match self.open.take() {
            None => Ok(()),
            Some(open) => Err(format!("the sentence ends inside {open}: a bracket is not closed")),
        }
    }
}
