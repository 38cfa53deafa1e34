//! Reading parameters: their values, types and shapes.

use super::Inventory;
use crate::checkpoint::albert_zh;
use crate::checkpoint::layout::{
    all_finite, is_finite, to_bytes, to_f32, to_f32_checked, transposed, transposed_bytes,
};
use crate::checkpoint::source::Source;
use crate::checkpoint::tensor::{Contents, Dtype};
use crate::error::{Error, Result};

impl Inventory<'_> {
    /// Reads the values of a parameter, in PyTorch's layout.
    ///
    /// # Errors
    /// Errors from the file's reader; [`Error::BadFile`] for an integer tensor.
    pub fn read(&self, canonical: &str) -> Result<Vec<f32>> {
        let (bytes, dtype) = self.read_bytes(canonical, false)?;
        to_f32(&bytes, dtype).ok_or_else(|| self.no_floats(canonical, dtype))
    }

    /// Like [`Self::read`], but rejects NaN and infinity unless they are allowed.
    ///
    /// # Errors
    /// Those of [`Self::read`]; [`Error::Weights`] that names the tensor.
    pub fn read_finite(&self, canonical: &str) -> Result<Vec<f32>> {
        let contents = match self.sources.get(canonical) {
            Some(Source::Tensor { name, transposed: false }) => self.tensors.contents(name)?,
            _ => self.read_bytes(canonical, false).map(|(bytes, dtype)| Contents::Bytes(bytes, dtype))?,
        };
        let (values, finite) = match contents {
            Contents::Bytes(bytes, dtype) => {
                to_f32_checked(&bytes, dtype).ok_or_else(|| self.no_floats(canonical, dtype))?
            }
            Contents::Values(values) => {
                let finite = all_finite(&values);
                (values, finite)
            }
        };
        if finite || self.tensors.allow_non_finite {
            Ok(values)
        } else {
            Err(self.not_finite(canonical, &values))
        }
    }

    /// Like [`Self::read_bytes`], but rejects NaN and infinity unless they are allowed.
    ///
    /// # Errors
    /// Those of [`Self::read_bytes`]; [`Error::Weights`] that names the tensor.
    pub fn read_bytes_finite(&self, canonical: &str, turned: bool) -> Result<(Vec<u8>, Dtype)> {
        let (bytes, dtype) = self.read_bytes(canonical, turned)?;
        if self.tensors.allow_non_finite || is_finite(&bytes, dtype) {
            return Ok((bytes, dtype));
        }
        Err(self.not_finite(canonical, &self.read(canonical)?))
    }

    /// Returns the number of NaN and infinite values of a parameter and the index of the first one, if there are any.
    ///
    /// # Errors
    /// Those of [`Self::read`].
    pub fn non_finite(&self, canonical: &str) -> Result<Option<(usize, usize)>> {
        let values = self.read(canonical)?;
        Ok(values
            .iter()
            .position(|v| !v.is_finite())
            .map(|first| (values[first..].iter().filter(|v| !v.is_finite()).count(), first)))
    }

    fn not_finite(&self, canonical: &str, values: &[f32]) -> Error {
        let bad = || values.iter().enumerate().filter(|(_, value)| !value.is_finite());
        let (place, value) = bad().next().map_or((0, f32::NAN), |(place, value)| (place, *value));
        let problem = format!(
            "tensor \"{}\" holds {} that {} not finite, the first at position {place}: {value}; the weights are damaged \
             or their training diverged (option allow_non_finite uses them anyway)",
            self.name_in_file(canonical),
            match bad().count() {
                1 => "1 value".to_owned(),
                count => format!("{count} values"),
            },
            if bad().count() == 1 { "is" } else { "are" },
        );
        Error::Weights { path: self.path().to_owned(), problem }
    }

    /// Reads the bytes of a parameter in the file's type and in PyTorch's layout, transposed if `turned` is set.
    ///
    /// # Errors
    /// Errors from the file's reader.
    pub fn read_bytes(&self, canonical: &str, turned: bool) -> Result<(Vec<u8>, Dtype)> {
        match self.sources.get(canonical) {
            None => self.tensors.read(canonical),
            Some(source) => self.read_source(canonical, source, turned),
        }
    }

    fn read_source(&self, canonical: &str, source: &Source, turned: bool) -> Result<(Vec<u8>, Dtype)> {
        let floats = |values: &[f32]| (to_bytes(values), Dtype::F32);
        match source {
            Source::Tensor { name, transposed } => {
                let (bytes, dtype) = self.tensors.read(name)?;
                Ok(match self.tensors.get(name).map(|info| info.shape.as_slice()) {
                    Some([rows, columns]) if *transposed != turned => {
                        (transposed_bytes(&bytes, *rows, *columns, dtype.size()), dtype)
                    }
                    _ => (bytes, dtype),
                })
            }
            Source::Product { left, right } => {
                let mut values = albert_zh::product(self.tensors, left, right)?;
                if turned && let Some([rows, columns]) = self.shape_of(source).as_deref() {
                    values = transposed(&values, *rows, *columns);
                }
                Ok(floats(&values))
            }
            Source::Identity(n) => {
                let mut values = vec![0.0; n * n];
                values.iter_mut().step_by(n + 1).for_each(|v| *v = 1.0);
                Ok(floats(&values))
            }
            Source::Zeros(n) => Ok(floats(&vec![0.0; *n])),
            Source::Adapted { base, shape, .. } => {
                let base = match base {
                    None => Vec::new(),
                    Some(base) => {
                        let (bytes, dtype) = self.read_source(canonical, base, false)?;
                        to_f32(&bytes, dtype).ok_or_else(|| self.no_floats(canonical, dtype))?
                    }
                };
                let change = self.tensors.merge.as_ref().and_then(|m| Some((m, m.changes().get(canonical)?)));
                let values = match change {
                    Some((merge, change)) => merge.apply(change, base)?,
                    None => base,
                };
                Ok(match shape.as_slice() {
                    [rows, columns] if turned => floats(&transposed(&values, *rows, *columns)),
                    _ => floats(&values),
                })
            }
        }
    }

    pub(in crate::checkpoint) fn no_floats(&self, canonical: &str, dtype: Dtype) -> Error {
        let problem = format!("tensor \"{canonical}\" has elements of type {dtype}; expected floats");
        Error::bad_file(self.path(), problem)
    }

    /// Returns the type of a parameter in the file.
    pub fn dtype(&self, canonical: &str) -> Option<Dtype> {
        self.dtype_of(self.sources.get(canonical)?)
    }

    pub(super) fn dtype_of(&self, source: &Source) -> Option<Dtype> {
        match source {
            Source::Tensor { name, .. } => self.tensors.get(name).map(|info| info.dtype),
            Source::Product { .. } | Source::Identity(_) | Source::Zeros(_) => Some(Dtype::F32),
            Source::Adapted { dtype, .. } => Some(*dtype),
        }
    }

    /// Returns the shape of a parameter in PyTorch's layout.
    pub fn shape(&self, canonical: &str) -> Option<Vec<usize>> {
        self.shape_of(self.sources.get(canonical)?)
    }

    pub(super) fn shape_of(&self, source: &Source) -> Option<Vec<usize>> {
        match source {
            Source::Tensor { name, transposed } => {
                let mut shape = self.tensors.get(name)?.shape.clone();
                if *transposed {
                    shape.reverse();
                }
                Some(shape)
            }
            Source::Product { left, right } => {
                let (left, right) = (self.tensors.get(left)?, self.tensors.get(right)?);
                Some(vec![*left.shape.first()?, *right.shape.get(1)?])
            }
            Source::Identity(n) => Some(vec![*n, *n]),
            Source::Zeros(n) => Some(vec![*n]),
            Source::Adapted { shape, .. } => Some(shape.clone()),
        }
    }
}
