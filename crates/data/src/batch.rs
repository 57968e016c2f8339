//! Rows on their way in: one column per field of the schema, in the schema's order.

use crate::Column;

/// Some rows as columns. All columns have the same number of rows.
#[derive(Debug, Clone)]
pub struct Batch {
    rows: usize,
    columns: Vec<Column>,
}

impl Batch {
    /// Puts `columns` together; `None` when their lengths differ from `rows`.
    pub fn new(rows: usize, columns: Vec<Column>) -> Option<Self> {
        columns.iter().all(|column| column.len() == rows).then_some(Self { rows, columns })
    }

    /// How many rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The columns, in the schema's order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Gives the columns away.
    pub fn into_columns(self) -> Vec<Column> {
        self.columns
    }

    /// Rows `start .. start + len`, sharing the buffers.
    ///
    /// # Panics
    /// When the range is out of bounds.
    pub fn slice(&self, start: usize, len: usize) -> Self {
        Self { rows: len, columns: self.columns.iter().map(|column| column.slice(start, len)).collect() }
    }

    /// The rows at `picks`, in that order, copied.
    pub fn take(&self, picks: &[u32]) -> Self {
        Self { rows: picks.len(), columns: self.columns.iter().map(|column| column.take(picks)).collect() }
    }

    /// Bytes the columns have in memory.
    pub fn bytes(&self) -> usize {
        self.columns.iter().map(Column::bytes).sum()
    }
}
