//! Checks for columns that a task needs, before any work.

/// A column that must exist in a table, under one of several names. Messages ask for the first one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needed {
    /// The accepted names.
    pub names: Vec<String>,
    /// The option that selects another column.
    pub option: &'static str,
}

impl Needed {
    /// Creates the requirement of a column with this name.
    pub fn new(name: &str, option: &'static str) -> Self {
        Self { names: vec![name.to_owned()], option }
    }
}

/// Checks that every needed column exists.
///
/// # Errors
/// The message names the missing column and lists the existing ones.
pub(super) fn check<'a>(
    needed: &[Needed],
    there: impl Iterator<Item = &'a str> + Clone,
) -> Result<(), String> {
    for column in needed {
        if there.clone().any(|name| column.names.iter().any(|wanted| wanted == name)) {
            continue;
        }
        let quoted = |name: &str| format!("\"{name}\"");
        let wanted: Vec<String> = column.names.iter().map(|name| quoted(name)).collect();
        let names: Vec<String> = there.map(quoted).collect();
        return Err(format!(
            "has no column {}; its columns are {} (option {} names another)",
            wanted.join(" or "),
            names.join(", "),
            column.option
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_lists_the_columns() {
        let there = ["id", "Text"];
        let check = |names: &[&str]| {
            let names = names.iter().map(|name| (*name).to_owned()).collect();
            check(&[Needed { names, option: "text_field" }], there.into_iter())
        };
        assert_eq!(check(&["id"]), Ok(()));
        assert_eq!(check(&["tokens", "Text"]), Ok(()));
        assert_eq!(
            check(&["text", "tokens"]),
            Err("has no column \"text\" or \"tokens\"; its columns are \"id\", \"Text\" (option text_field names another)"
                .to_owned())
        );
    }
}
