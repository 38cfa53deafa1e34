//! The columns of predictions in a table, and their cells.

/// A column of predictions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// The name. It gets a prefix if the input has a column with this name.
    pub name: String,
    /// The type of its cells. They may also be null.
    pub kind: ColumnType,
}

impl Column {
    /// Creates a column.
    pub fn new(name: &str, kind: ColumnType) -> Self {
        Self { name: name.to_owned(), kind }
    }
}

/// Types of cells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// Text.
    Text,
    /// A 32-bit float.
    Float,
    /// A 64-bit integer.
    Integer,
    /// The text of a JSON value.
    Json,
    /// A vector of this many 32-bit floats.
    Vector(usize),
    /// A vector of this many floats, with 16 bits if the table has such floats.
    HalfVector(usize),
    /// A list.
    List(Box<ColumnType>),
    /// Named values.
    Struct(Vec<Column>),
}

impl ColumnType {
    /// Returns the type of a list of this type.
    pub fn list(self) -> Self {
        Self::List(Box::new(self))
    }
}

/// A cell.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// No value.
    Null,
    /// Of [`ColumnType::Text`].
    Text(String),
    /// Of [`ColumnType::Float`].
    Float(f32),
    /// Of [`ColumnType::Integer`].
    Integer(i64),
    /// Of [`ColumnType::Json`].
    Json(String),
    /// Of [`ColumnType::Vector`] or [`ColumnType::HalfVector`].
    Vector(Vec<f32>),
    /// Of [`ColumnType::List`].
    List(Vec<Cell>),
    /// Of [`ColumnType::Struct`], in the order of its columns.
    Struct(Vec<Cell>),
}

impl Cell {
    /// Creates a text, or null.
    pub fn text(text: Option<impl Into<String>>) -> Self {
        text.map_or(Self::Null, |text| Self::Text(text.into()))
    }

    /// Creates a float, or null.
    pub fn float(number: Option<f32>) -> Self {
        number.map_or(Self::Null, Self::Float)
    }

    /// Creates an integer, or null.
    pub fn integer(number: Option<usize>) -> Self {
        number.map_or(Self::Null, |number| Self::Integer(i64::try_from(number).unwrap_or(i64::MAX)))
    }

    /// Creates a list with a cell for each of `values` if `many` is set, otherwise the cell of the first; null if there
    /// is none.
    pub fn of<T>(values: &[T], many: bool, cell: impl Fn(&T) -> Self) -> Self {
        if many {
            Self::List(values.iter().map(cell).collect())
        } else {
            values.first().map_or(Self::Null, cell)
        }
    }

    /// Returns the content of a cell in a text table: text unchanged, nothing for null, JSON for composite values.
    ///
    /// # Errors
    /// Errors from serde_json.
    pub(super) fn plain(&self, kind: &ColumnType) -> serde_json::Result<String> {
        match self {
            Self::Null => Ok(String::new()),
            Self::Text(text) | Self::Json(text) => Ok(text.clone()),
            _ => {
                let mut out = Vec::new();
                self.json(kind, &mut out)?;
                Ok(String::from_utf8_lossy(&out).into_owned())
            }
        }
    }

    fn json(&self, kind: &ColumnType, out: &mut Vec<u8>) -> serde_json::Result<()> {
        match (self, kind) {
            (Self::Null, _) => out.extend_from_slice(b"null"),
            (Self::Text(text), _) => serde_json::to_writer(out, text)?,
            (Self::Float(number), _) => serde_json::to_writer(out, number)?,
            (Self::Integer(number), _) => serde_json::to_writer(out, number)?,
            (Self::Json(text), _) => out.extend_from_slice(text.as_bytes()),
            (Self::Vector(values), _) => serde_json::to_writer(out, values)?,
            (Self::List(cells), kind) => {
                let inner = if let ColumnType::List(inner) = kind { inner } else { kind };
                out.push(b'[');
                for (i, cell) in cells.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    cell.json(inner, out)?;
                }
                out.push(b']');
            }
            (Self::Struct(cells), ColumnType::Struct(columns)) => {
                out.push(b'{');
                let mut first = true;
                for (cell, column) in cells.iter().zip(columns).filter(|(cell, _)| **cell != Self::Null) {
                    if !std::mem::take(&mut first) {
                        out.push(b',');
                    }
                    serde_json::to_writer(&mut *out, &column.name)?;
                    out.push(b':');
                    cell.json(&column.kind, out)?;
                }
                out.push(b'}');
            }
            (Self::Struct(_), _) => out.extend_from_slice(b"null"),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_of_text_tables() {
        let plain = |cell: Cell, kind: ColumnType| cell.plain(&kind).expect("writes");
        assert_eq!(plain(Cell::Text("a, \"b\"".to_owned()), ColumnType::Text), "a, \"b\"");
        assert_eq!(plain(Cell::Float(0.1), ColumnType::Float), "0.1");
        assert_eq!(plain(Cell::Null, ColumnType::Float), "");
        let texts = Cell::List(vec![Cell::Text("a\"\n".to_owned()), Cell::Null]);
        assert_eq!(plain(texts, ColumnType::Text.list()), r#"["a\"\n",null]"#);
        assert_eq!(plain(Cell::Vector(vec![0.5, -1.0]), ColumnType::Vector(2)), "[0.5,-1.0]");
        let kind = ColumnType::Struct(vec![
            Column::new("word", ColumnType::Text),
            Column::new("index", ColumnType::Integer),
            Column::new("start", ColumnType::Integer),
        ]);
        let entity = Cell::Struct(vec![Cell::Text("Ada".to_owned()), Cell::Null, Cell::Integer(3)]);
        assert_eq!(plain(Cell::List(vec![entity]), kind.list()), r#"[{"word":"Ada","start":3}]"#);
    }

    #[test]
    fn one_cell_or_a_list() {
        let numbers = [1.0f32, 2.0];
        assert_eq!(Cell::of(&numbers, false, |n| Cell::Float(*n)), Cell::Float(1.0));
        assert_eq!(
            Cell::of(&numbers, true, |n| Cell::Float(*n)),
            Cell::List(vec![Cell::Float(1.0), Cell::Float(2.0)])
        );
        assert_eq!(Cell::of(&[], false, |n: &f32| Cell::Float(*n)), Cell::Null);
        assert_eq!(Cell::of(&[], true, |n: &f32| Cell::Float(*n)), Cell::List(Vec::new()));
    }
}
