//! Reads the weights of ONNX models. They are located in one pass over the file and read by offset.
//!
//! Weights may be stored in other files of the directory, as in models larger than two gigabytes.
//!
//! Reference: `onnx/onnx.proto`, and the output of `torch.onnx.export`.

mod external;
mod graph;
mod names;
mod parse;
pub(in crate::checkpoint) mod proto;
mod quantized;
mod recipes;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::checkpoint::formats::TensorReader;
use crate::checkpoint::quantization::Quantization;
use crate::checkpoint::tensor::Format;
use crate::checkpoint::tensor::{Dtype, TensorInfo};
use crate::error::{Error, Result};
use external::Files;
use graph::Graph;
use names::{Content, Listed, names};
use parse::Parser;
use quantized::QuantizedNodes;
use recipes::{Recipe, recipes};

/// Number of bytes of weights that are compared.
const COMPARED: u64 = 4096;

/// One ONNX model.
pub(crate) struct OnnxFile {
    pub(in crate::checkpoint) path: PathBuf,
    /// The model itself, followed by the files that it names.
    files: Vec<Mutex<File>>,
    infos: Vec<TensorInfo>,
    places: BTreeMap<String, DataLocation>,
    /// Weights that are columns of an initializer.
    parts: BTreeMap<String, Part>,
    /// Biases that the file leaves out because they are zero, with their size in bytes.
    zeros: BTreeMap<String, usize>,
    unreadable: Vec<(String, String)>,
    /// Weights that are dequantized when they are read.
    recipes: BTreeMap<String, Recipe>,
    quantization: Option<Quantization>,
}

/// One of `count` equal parts of each row of a matrix. A part of a row has `row` bytes.
struct Part {
    index: usize,
    count: usize,
    row: usize,
}

/// The location of a weight's bytes.
#[derive(Clone, Copy)]
pub(in crate::checkpoint) struct DataLocation {
    file: usize,
    offset: u64,
    size: u64,
    /// True if the values are stored as varints.
    pub varints: bool,
}

/// An initializer of the file.
#[derive(Clone)]
pub(in crate::checkpoint) struct Initializer {
    pub name: String,
    pub shape: Vec<usize>,
    pub dtype: Dtype,
    pub place: DataLocation,
}

impl OnnxFile {
    /// Scans the file and lists its weights without reading their bytes.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let bad =
            |problem: String| Error::bad_file(path, format!("cannot be read as an ONNX model: {problem}"));
        let file = File::open(path).map_err(Error::io(path, "read"))?;
        let length = file.metadata().map_err(Error::io(path, "read"))?.len();
        let reader = BufReader::new(file.try_clone().map_err(Error::io(path, "read"))?);
        let files = Files::beside(path, file);
        let mut walk = Parser {
            reader,
            at: 0,
            items: 0,
            nodes: Graph::default(),
            initializers: Vec::new(),
            quantized: QuantizedNodes::default(),
            files,
        };
        walk.model(length).map_err(bad)?;
        if walk.initializers.is_empty() {
            return Err(bad("it holds no weights".to_owned()));
        }
        let recipes_by_initializer = recipes(&walk.initializers, &mut walk.quantized);
        let files = walk.files.into_open();
        let mut model = Self {
            path: path.to_owned(),
            files,
            infos: Vec::new(),
            places: BTreeMap::new(),
            parts: BTreeMap::new(),
            zeros: BTreeMap::new(),
            unreadable: Vec::new(),
            recipes: BTreeMap::new(),
            quantization: None,
        };
        let names = names(&walk.nodes, &walk.initializers, &walk.quantized, &recipes_by_initializer);
        for (name, Listed { initializer, content, others }) in names {
            if !model.are_equal(&others)? {
                continue;
            }
            let (mut shape, mut dtype) = (initializer.shape.clone(), initializer.dtype);
            if let Some(recipe) = recipes_by_initializer.get(&initializer.name) {
                (shape, dtype) = (quantized::shape(&shape, recipe.form), Dtype::F32);
                model.recipes.insert(name.clone(), recipe.clone());
            }
            match (content, shape.last_mut()) {
                (Content::Part { index, count }, Some(columns)) => {
                    *columns /= count;
                    let part = Part { index, count, row: *columns * dtype.size() };
                    model.parts.insert(name.clone(), part);
                }
                (Content::Zeros(width), _) => {
                    shape = vec![width];
                    model.zeros.insert(name.clone(), width * dtype.size());
                }
                _ => {}
            }
            model.places.insert(name.clone(), initializer.place);
            model.infos.push(TensorInfo { name, shape, dtype });
        }
        model.unreadable.extend(model.cut_positions());
        model.quantization =
            walk.quantized.method().map(|(method, is_readable)| Quantization { method, is_readable });
        Ok(model)
    }

    /// Returns the position embeddings with the reason why they cannot be read, if the model was exported for inputs of
    /// one length. The exporter then replaces the table by its first rows.
    fn cut_positions(&self) -> Option<(String, String)> {
        const ENDINGS: [&str; 2] = ["position_embeddings.weight", "token_type_embeddings.weight"];
        let [positions, types] = ENDINGS.map(|ending| self.infos.iter().find(|i| i.name.ends_with(ending)));
        let prefix = types.filter(|_| positions.is_none())?.name.strip_suffix(ENDINGS[1])?;
        let problem = "is not in the file, which was exported for inputs of one length; export it again with dynamic \
            shapes (dynamic_shapes of torch.onnx.export)";
        Some((format!("{prefix}{}", ENDINGS[0]), problem.to_owned()))
    }

    /// Returns true if initializers have the same shape and the same first bytes, which is as good as all bytes for the
    /// weights of different modules.
    fn are_equal(&self, initializers: &[&Initializer]) -> Result<bool> {
        let Some((first, others)) = initializers.split_first().filter(|(_, others)| !others.is_empty())
        else {
            return Ok(true);
        };
        let start = |initializer: &Initializer| {
            let place = initializer.place;
            self.bytes(DataLocation { size: place.size.min(COMPARED), ..place })
        };
        let bytes = start(first)?;
        for other in others {
            if other.shape != first.shape || other.dtype != first.dtype || start(other)? != bytes {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Reads the bytes at a location.
    pub(in crate::checkpoint) fn bytes(
        &self,
        DataLocation { file, offset, size, .. }: DataLocation,
    ) -> Result<Vec<u8>> {
        let mut bytes = vec![0; size as usize];
        let mut file = self.files[file].lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(offset)).map_err(Error::io(&self.path, "read"))?;
        file.read_exact(&mut bytes).map_err(Error::io(&self.path, "read"))?;
        Ok(bytes)
    }
}

impl TensorReader for OnnxFile {
    fn infos(&self) -> &[TensorInfo] {
        &self.infos
    }

    fn read(&self, name: &str) -> Result<Vec<u8>> {
        if let Some(recipe) = self.recipes.get(name) {
            return self.dequantized(name, recipe);
        }
        if let Some(size) = self.zeros.get(name) {
            return Ok(vec![0; *size]);
        }
        let Some(place) = self.places.get(name) else {
            return Err(Error::bad_file(&self.path, format!("has no weight \"{name}\"")));
        };
        let bytes = self.bytes(*place)?;
        let Some(Part { index, count, row }) = self.parts.get(name) else { return Ok(bytes) };
        Ok(bytes
            .chunks(row.saturating_mul(*count).max(1))
            .filter_map(|r| r.chunks((*row).max(1)).nth(*index))
            .flatten()
            .copied()
            .collect())
    }

    fn format(&self) -> Format {
        Format::Onnx
    }

    fn unreadable(&self) -> &[(String, String)] {
        &self.unreadable
    }

    fn quantization(&self) -> Option<Quantization> {
        self.quantization.clone()
    }
}
