//! Resolves the names of a checkpoint's tensors: removes wrapper prefixes, and replaces other programs' TensorFlow names
//! by Google's.

use std::collections::{HashMap, HashSet};

use super::names::Dialect;
use super::prefixes::{Found, Unwrapped, unwrap};
use super::tf_names;
use crate::checkpoint::tensor::TensorInfo;
use crate::checkpoint::tensors::Tensors;
use crate::error::{Error, Result};

/// Suffix of the name of albert_zh's word projection matrix.
const PROJECTION: &str = "embeddings/word_embeddings_2";

impl Tensors {
    /// Renames the tensors to the names that the model expects. `unreadable` lists tensors that cannot be read, each with
    /// the reason.
    ///
    /// # Errors
    /// [`Error::BadFile`] if the file contains two different models, or two tensors with the same name.
    pub(in crate::checkpoint) fn resolve_names(&mut self, unreadable: Vec<(String, String)>) -> Result<()> {
        let dialect = self.dialect();
        if dialect == Dialect::Google {
            self.projects_words = self.infos.iter().any(|info| info.name.ends_with(PROJECTION));
            let aliases = tf_names::aliases(self.infos.iter().map(|info| info.name.as_str()));
            if !aliases.is_empty() {
                self.rename(&aliases)?;
                self.notes.push(
                    "the names of the variables are another program's and were mapped to Google's".to_owned(),
                );
            }
        }
        let names = self.infos.iter().map(|info| info.name.as_str());
        let found = match unwrap(names.clone(), dialect, None) {
            Found::Several(prefixes) => {
                let first = self.same_model(&prefixes)?;
                unwrap(names, dialect, Some(&first))
            }
            found => found,
        };
        self.unreadable = unreadable.into_iter().collect();
        let Found::One(Unwrapped { prefix, names, outside, notes }) = found else { return Ok(()) };
        let left_out: HashSet<&String> = outside.iter().collect();
        let unreadable = std::mem::take(&mut self.unreadable);
        self.unreadable = unreadable
            .into_iter()
            .map(|(name, problem)| (name.strip_prefix(&prefix).map_or(name.clone(), str::to_owned), problem))
            .collect();
        let holders = std::mem::take(&mut self.holders);
        (self.infos, self.holders) = std::mem::take(&mut self.infos)
            .into_iter()
            .zip(holders)
            .filter(|(info, _)| !left_out.contains(&info.name))
            .unzip();
        self.rename(&names)?;
        self.outside = outside;
        self.notes.extend(notes);
        Ok(())
    }

    /// Renames tensors and keeps the list sorted by name.
    fn rename(&mut self, names: &HashMap<String, String>) -> Result<()> {
        for info in &mut self.infos {
            let Some(new) = names.get(&info.name).filter(|new| **new != info.name) else { continue };
            let old = std::mem::replace(&mut info.name, new.clone());
            if let Some(recipe) = self.recipes.remove(&old) {
                self.recipes.insert(new.clone(), recipe);
            }
            let original = self.stored.remove(&old).unwrap_or(old);
            self.stored.insert(new.clone(), original);
        }
        let mut listed: Vec<(TensorInfo, usize)> = self.infos.drain(..).zip(self.holders.drain(..)).collect();
        listed.sort_by(|a, b| a.0.name.cmp(&b.0.name));
        if let Some(pair) = listed.windows(2).find(|w| w[0].0.name == w[1].0.name) {
            let problem = format!("holds two tensors for \"{}\"", pair[0].0.name);
            return Err(Error::bad_file(&self.path, problem));
        }
        (self.infos, self.holders) = listed.into_iter().unzip();
        Ok(())
    }

    /// Returns the first of the prefixes if the models under all of them are identical.
    ///
    /// # Errors
    /// [`Error::BadFile`] if they differ.
    fn same_model(&self, prefixes: &[String]) -> Result<String> {
        let first = &prefixes[0];
        for other in &prefixes[1..] {
            for info in self.infos.iter().filter(|info| info.name.starts_with(first.as_str())) {
                let name = format!("{other}{}", &info.name[first.len()..]);
                let same = self.get(&name).is_some_and(|twin| twin.shape == info.shape)
                    && self.read(&info.name)? == self.read(&name)?;
                if !same {
                    let problem = format!(
                        "holds two different ALBERTs, under \"{first}\" and \"{other}\"; save the one you want to a file \
                         of its own"
                    );
                    return Err(Error::bad_file(&self.path, problem));
                }
            }
        }
        Ok(first.clone())
    }

    /// Returns the name of a tensor in its file.
    pub fn name_in_file<'a>(&'a self, name: &'a str) -> &'a str {
        let stored = self.stored.get(name).map_or(name, String::as_str);
        self.index_of(name).map_or(stored, |i| self.files[self.holders[i]].name_in_file(stored))
    }

    /// Changes to the names, one line each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Names in the file of tensors that do not belong to the model.
    pub fn outside(&self) -> &[String] {
        &self.outside
    }

    /// Returns tensors that the file names but that cannot be read, each with the reason.
    pub(in crate::checkpoint) fn unreadable(&self) -> impl Iterator<Item = (&str, &str)> {
        self.unreadable.iter().map(|(name, problem)| (name.as_str(), problem.as_str()))
    }
}
