//! Matrices of small integers with one scale per row, the storage format of the built-in model.
//!
//! A matrix `NAME` `[rows, columns]` is stored as integers, and `NAME.row_scale` `[rows]` holds the scale of each row in any
//! float type. A weight is `integer * scale`. Two encodings exist:
//!
//! - 8 bits: `i8` `[rows, columns]`
//! - 4 bits: `u8` `[rows, columns / 2]`, two integers from -8 to 7 per byte, each plus 8, the even column in the lower half
//!
//! `albert convert` writes such matrices as plain floats.

use super::recipe::{Recipe, Stored};
use crate::checkpoint::tensor::{Dtype, TensorInfo};
use crate::checkpoint::tensors::Tensors;
use crate::error::{Error, Result};

/// Suffix of the name of a matrix's scales.
const SCALE: &str = ".row_scale";

impl Tensors {
    /// Finds the matrices with a scale per row and lists them as matrices of 32-bit floats, without their scales.
    ///
    /// # Errors
    /// [`Error::BadFile`] for scales that do not fit a matrix of integers.
    pub(in crate::checkpoint) fn with_row_scales(mut self) -> Result<Self> {
        if !self.infos.iter().any(|info| info.name.ends_with(SCALE)) {
            return Ok(self);
        }
        let mut kept: Vec<(TensorInfo, usize)> = Vec::with_capacity(self.infos.len());
        let mut scales: Vec<(TensorInfo, usize)> = Vec::new();
        for (info, holder) in self.infos.drain(..).zip(self.holders.drain(..)) {
            let list = if info.name.ends_with(SCALE) { &mut scales } else { &mut kept };
            list.push((info, holder));
        }
        for (scale, holder) in scales {
            let matrix = scale.name.trim_end_matches(SCALE);
            // `kept` is sorted by name, as the list of all tensors is.
            let found = kept.binary_search_by(|(info, _)| info.name.as_str().cmp(matrix));
            let recipe = found.ok().and_then(|i| {
                let info = &mut kept[i].0;
                let [rows, columns] = *info.shape.as_slice() else { return None };
                let factor = match info.dtype {
                    Dtype::I8 => 1,
                    Dtype::U8 => 2,
                    _ => return None,
                };
                let columns = columns.checked_mul(factor)?;
                if scale.shape != [rows] || !scale.dtype.is_float() {
                    return None;
                }
                (info.shape, info.dtype) = (vec![rows, columns], Dtype::F32);
                let scales = Stored::new(scale.name.clone(), holder, scale.dtype);
                Some(if factor == 1 { Recipe::Rows8 { scales } } else { Recipe::Rows4 { scales } })
            });
            let Some(recipe) = recipe else {
                let problem = format!(
                    "the scales \"{}\" fit no matrix: \"{matrix}\" must have two dimensions, elements of type i8 or u8, and \
                     as many rows as scales",
                    scale.name
                );
                return Err(Error::bad_file(&self.path, problem));
            };
            self.recipes.insert(matrix.to_owned(), recipe);
        }
        (self.infos, self.holders) = kept.into_iter().unzip();
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use safetensors::tensor::TensorView;

    use super::*;

    /// Name, type, shape and bytes of a tensor.
    type Case<'a> = (&'a str, safetensors::Dtype, &'a [usize], &'a [u8]);

    fn opened(tensors: &[Case]) -> Result<Tensors> {
        let views = tensors.iter().map(|(name, dtype, shape, bytes)| {
            (*name, TensorView::new(*dtype, shape.to_vec(), bytes).expect("a tensor"))
        });
        let bytes = safetensors::serialize(views, None).expect("serialized");
        Tensors::from_safetensors_bytes(bytes.leak(), Path::new("packed"))
    }

    fn scales(values: &[f32]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    #[test]
    fn integers_are_multiplied_by_the_scales_of_their_rows() {
        let scales = scales(&[0.5, 2.0]);
        let tensors = opened(&[
            ("a.weight", safetensors::Dtype::U8, &[2, 2], &[0x80, 0x1f, 0x78, 0x98]),
            ("a.weight.row_scale", safetensors::Dtype::F32, &[2], &scales),
            ("b.weight", safetensors::Dtype::I8, &[2, 2], &[1, 255, 127, 129]),
            ("b.weight.row_scale", safetensors::Dtype::F32, &[2], &scales),
        ])
        .expect("opened");
        let names: Vec<&str> = tensors.infos().iter().map(|info| info.name.as_str()).collect();
        assert_eq!(names, ["a.weight", "b.weight"]);
        assert_eq!(tensors.infos()[0].shape, [2, 4]);
        assert_eq!(tensors.read_f32("a.weight").expect("read"), [-4.0, 0.0, 3.5, -3.5, 0.0, -2.0, 0.0, 2.0]);
        assert_eq!(tensors.read_f32("b.weight").expect("read"), [0.5, -0.5, 254.0, -254.0]);
    }

    #[test]
    fn scales_must_fit_a_matrix() {
        let two = scales(&[0.5, 2.0]);
        let cases: [&[Case]; 3] = [
            &[("a.row_scale", safetensors::Dtype::F32, &[2], &two)],
            &[
                ("a", safetensors::Dtype::I8, &[1, 2], &[1, 2]),
                ("a.row_scale", safetensors::Dtype::F32, &[2], &two),
            ],
            &[
                ("a", safetensors::Dtype::F32, &[2], &two),
                ("a.row_scale", safetensors::Dtype::F32, &[2], &two),
            ],
        ];
        for tensors in cases {
            let error = opened(tensors).err().expect("refused").to_string();
            assert!(error.contains("\"a.row_scale\" fit no matrix"), "{error}");
        }
    }
}
