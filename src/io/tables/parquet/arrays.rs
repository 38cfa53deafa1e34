//! Converts predictions to arrays.

use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, FixedSizeListArray, Float16Array, Float32Array, Int64Array, ListArray, StringArray,
    StructArray,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{DataType, Field, Fields};

use super::plain;
use crate::io::tables::{Cell, Column, ColumnType};

/// Returns the Arrow type of a column.
pub(super) fn data_type(kind: &ColumnType) -> DataType {
    match kind {
        ColumnType::Text | ColumnType::Json => DataType::Utf8,
        ColumnType::Float => DataType::Float32,
        ColumnType::Integer => DataType::Int64,
        ColumnType::Vector(width) => {
            let item = Arc::new(Field::new_list_field(DataType::Float32, true));
            DataType::FixedSizeList(item, i32::try_from(*width).unwrap_or(i32::MAX))
        }
        ColumnType::HalfVector(width) => {
            let item = Arc::new(Field::new_list_field(DataType::Float16, true));
            DataType::FixedSizeList(item, i32::try_from(*width).unwrap_or(i32::MAX))
        }
        ColumnType::List(inner) => DataType::List(Arc::new(Field::new_list_field(data_type(inner), true))),
        ColumnType::Struct(columns) => DataType::Struct(fields(columns)),
    }
}

fn fields(columns: &[Column]) -> Fields {
    columns.iter().map(|column| Field::new(&column.name, data_type(&column.kind), true)).collect()
}

/// Creates an array of cells of one type. A cell of another type becomes null.
///
/// # Errors
/// Arrow's error for an array that is too long.
pub(super) fn array(kind: &ColumnType, cells: &[&Cell]) -> Result<ArrayRef, String> {
    Ok(match kind {
        ColumnType::Text | ColumnType::Json => {
            let text = |cell: &&Cell| match cell {
                Cell::Text(text) | Cell::Json(text) => Some(text.clone()),
                _ => None,
            };
            Arc::new(cells.iter().map(text).collect::<StringArray>())
        }
        ColumnType::Float => {
            let number = |cell: &&Cell| if let Cell::Float(number) = cell { Some(*number) } else { None };
            Arc::new(cells.iter().map(number).collect::<Float32Array>())
        }
        ColumnType::Integer => {
            let number = |cell: &&Cell| if let Cell::Integer(number) = cell { Some(*number) } else { None };
            Arc::new(cells.iter().map(number).collect::<Int64Array>())
        }
        ColumnType::Vector(width) | ColumnType::HalfVector(width) => {
            let vector = |cell: &&Cell| match cell {
                Cell::Vector(values) if values.len() == *width => Some(values.clone()),
                _ => None,
            };
            let vectors: Vec<Option<Vec<f32>>> = cells.iter().map(vector).collect();
            let nulls: NullBuffer = vectors.iter().map(Option::is_some).collect();
            let values = vectors.into_iter().flat_map(|vector| vector.unwrap_or_else(|| vec![0.0; *width]));
            let values: ArrayRef = if matches!(kind, ColumnType::HalfVector(_)) {
                Arc::new(Float16Array::from_iter_values(values.map(half::f16::from_f32)))
            } else {
                Arc::new(Float32Array::from_iter_values(values))
            };
            let item = Arc::new(Field::new_list_field(values.data_type().clone(), true));
            let width = i32::try_from(*width).map_err(|e| e.to_string())?;
            let array = FixedSizeListArray::try_new(item, width, values, Some(nulls));
            Arc::new(array.map_err(plain)?)
        }
        ColumnType::List(inner) => {
            let lists: Vec<Option<Vec<&Cell>>> = cells
                .iter()
                .map(|cell| if let Cell::List(cells) = cell { Some(cells.iter().collect()) } else { None })
                .collect();
            let offsets =
                OffsetBuffer::from_lengths(lists.iter().map(|list| list.as_ref().map_or(0, Vec::len)));
            let nulls: NullBuffer = lists.iter().map(Option::is_some).collect();
            let flat: Vec<&Cell> = lists.into_iter().flatten().flatten().collect();
            let item = Arc::new(Field::new_list_field(data_type(inner), true));
            let array = ListArray::try_new(item, offsets, array(inner, &flat)?, Some(nulls));
            Arc::new(array.map_err(plain)?)
        }
        ColumnType::Struct(columns) => {
            let nulls: NullBuffer = cells.iter().map(|cell| matches!(cell, Cell::Struct(_))).collect();
            let part = |i: usize| -> Vec<&Cell> {
                cells
                    .iter()
                    .map(|cell| match cell {
                        Cell::Struct(parts) => parts.get(i).unwrap_or(&Cell::Null),
                        _ => &Cell::Null,
                    })
                    .collect()
            };
            let parts: Result<Vec<ArrayRef>, String> =
                columns.iter().enumerate().map(|(i, column)| array(&column.kind, &part(i))).collect();
            Arc::new(StructArray::try_new(fields(columns), parts?, Some(nulls)).map_err(plain)?)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Float16Type, Float32Type, Int64Type};

    #[test]
    fn values_and_nulls() {
        let (a, null) = (Cell::Text("a".to_owned()), Cell::Null);
        let texts = array(&ColumnType::Text, &[&a, &null]).expect("builds");
        assert_eq!(texts.as_string::<i32>().iter().collect::<Vec<_>>(), [Some("a"), None]);

        let vector = Cell::Vector(vec![0.5, -1.0]);
        let vectors = array(&ColumnType::Vector(2), &[&vector, &null, &vector]).expect("builds");
        let vectors = vectors.as_fixed_size_list();
        assert_eq!((vectors.len(), vectors.null_count(), vectors.value_length()), (3, 1, 2));
        assert_eq!(vectors.value(2).as_primitive::<Float32Type>().values(), &[0.5, -1.0]);

        let halves = array(&ColumnType::HalfVector(2), &[&vector, &null]).expect("builds");
        assert_eq!(halves.data_type(), &data_type(&ColumnType::HalfVector(2)));
        let halves = halves.as_fixed_size_list().value(0);
        assert_eq!(halves.as_primitive::<Float16Type>().values()[1], half::f16::NEG_ONE);

        let list = Cell::List(vec![Cell::Integer(1), Cell::Null]);
        let empty = Cell::List(Vec::new());
        let lists = array(&ColumnType::Integer.list(), &[&list, &null, &empty]).expect("builds");
        let lists = lists.as_list::<i32>();
        assert_eq!((lists.value(0).len(), lists.is_null(1), lists.value(2).len()), (2, true, 0));
        assert_eq!(lists.value(0).as_primitive::<Int64Type>().iter().collect::<Vec<_>>(), [Some(1), None]);

        let kind = ColumnType::Struct(vec![Column::new("word", ColumnType::Text)]);
        let entity = Cell::Struct(vec![Cell::Text("Ada".to_owned())]);
        let structs = array(&kind, &[&null, &entity]).expect("builds");
        assert_eq!(structs.data_type(), &data_type(&kind));
        assert!(structs.is_null(0));
        assert_eq!(structs.as_struct().column(0).as_string::<i32>().value(1), "Ada");
    }
}
