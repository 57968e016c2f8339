//! Some neighbouring rows of a growing segment. Invariant: every column, and the runs of stamps, has exactly `rows`
//! rows; a chunk never changes.

use crate::Error;
use crate::nearest::vectors_of;
use data::{Batch, Column, ColumnBuilder, Field, FieldId, KeyRef, Schema, Timestamp, Type, Values};
use index::Outline;
use std::sync::{Arc, OnceLock};

/// Stamps of neighbouring rows, as runs of equal ones: a batch has one stamp for all its rows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stamps {
    /// Where a run ends (exclusive, counted in rows of the chunk) and the stamp of its rows.
    runs: Vec<(u32, Timestamp)>,
}

impl Stamps {
    fn push(&mut self, rows: u32, stamp: Timestamp) {
        let end = self.runs.last().map_or(0, |run| run.0);
        match self.runs.last_mut() {
            Some(run) if run.1 == stamp => run.0 += rows,
            _ => self.runs.push((end + rows, stamp)),
        }
    }

    /// The stamp of `row`.
    pub(crate) fn get(&self, row: u32) -> Timestamp {
        let run = self.runs.partition_point(|run| run.0 <= row);
        self.runs.get(run).map_or(Timestamp::MAX, |run| run.1)
    }

    /// How many rows there are before the first with a stamp after `at`.
    pub(crate) fn prefix(&self, at: Timestamp) -> u32 {
        let later = self.runs.iter().position(|run| run.1 > at).unwrap_or(self.runs.len());
        later.checked_sub(1).map_or(0, |run| self.runs[run].0)
    }

    /// Runs as (rows, stamp).
    pub(crate) fn runs(&self) -> impl Iterator<Item = (u32, Timestamp)> {
        let starts = std::iter::once(0).chain(self.runs.iter().map(|run| run.0));
        self.runs.iter().zip(starts).map(|(run, start)| (run.0 - start, run.1))
    }
}

/// Some neighbouring rows.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// The number of the first row within the segment.
    pub(crate) first: u32,
    pub(crate) rows: u32,
    /// In the order of `schema`.
    pub(crate) columns: Vec<Column>,
    pub(crate) stamps: Stamps,
    pub(crate) schema: Arc<Schema>,
    outlines: Outlines,
}

/// The outlines of columns of vectors, in the order of the columns, each made when it is first asked for.
type Outlines = Vec<OnceLock<Option<Arc<Outline>>>>;

impl Chunk {
    /// `batch` as it is, all rows stamped `stamp`.
    ///
    /// # Errors
    /// [`Error::Shape`] when it does not fit the schema.
    pub(crate) fn new(
        first: u32,
        batch: Batch,
        stamp: Timestamp,
        schema: &Arc<Schema>,
    ) -> Result<Self, Error> {
        check_shape(&batch, schema)?;
        let rows = batch.rows() as u32;
        let mut stamps = Stamps::default();
        stamps.push(rows, stamp);
        let columns = batch.into_columns();
        let outlines = vec![OnceLock::new(); columns.len()];
        Ok(Self { first, rows, columns, stamps, schema: Arc::clone(schema), outlines })
    }

    /// The rows of `parts`, neighbours in this order, copied into one chunk.
    ///
    /// # Panics
    /// When there are no parts.
    pub(crate) fn concat(parts: &[&Self]) -> Self {
        let first = parts[0];
        let mut stamps = Stamps::default();
        for (rows, stamp) in parts.iter().flat_map(|part| part.stamps.runs()) {
            stamps.push(rows, stamp);
        }
        let columns = (0..first.columns.len()).map(|c| {
            let mut builder = ColumnBuilder::like(&first.columns[c]);
            builder.reserve(parts.iter().map(|part| part.rows as usize).sum());
            for part in parts {
                builder.extend_from(&part.columns[c]);
            }
            builder.finish()
        });
        let outlines = (0..first.columns.len()).map(|c| joined_outline(parts, c));
        Self {
            first: first.first,
            rows: parts.iter().map(|part| part.rows).sum(),
            columns: columns.collect(),
            stamps,
            schema: Arc::clone(&first.schema),
            outlines: outlines.collect(),
        }
    }

    /// The outline of the vectors in column `c`; `None` when they have none.
    pub(crate) fn outline(&self, c: usize) -> Option<Arc<Outline>> {
        self.outlines[c].get_or_init(|| outline_of(&self.columns[c])).clone()
    }

    /// The same rows under a later schema: fields that are new hold their default, or nothing.
    pub(crate) fn under(&self, schema: &Arc<Schema>) -> Self {
        let column = |field: &Field| match self.column(field.id) {
            Some(column) => column.clone(),
            None => absent(field, self.rows as usize),
        };
        let outline = |field: &Field| {
            self.schema.position(field.id).map(|c| self.outlines[c].clone()).unwrap_or_default()
        };
        Self {
            first: self.first,
            rows: self.rows,
            columns: schema.fields.iter().map(column).collect(),
            stamps: self.stamps.clone(),
            schema: Arc::clone(schema),
            outlines: schema.fields.iter().map(outline).collect(),
        }
    }

    /// The values of `field`.
    pub(crate) fn column(&self, field: FieldId) -> Option<&Column> {
        self.columns.get(self.schema.position(field)?)
    }

    /// Bytes the columns have in memory.
    pub(crate) fn bytes(&self) -> usize {
        self.columns.iter().map(Column::bytes).sum::<usize>() + self.stamps.runs.len() * 16
    }

    /// Bytes the outlines have in memory.
    pub(crate) fn outline_bytes(&self) -> usize {
        self.outlines.iter().filter_map(OnceLock::get).flatten().map(|outline| outline.bytes()).sum()
    }
}

/// The outline of a column of vectors; `None` when it has none.
pub(crate) fn outline_of(column: &Column) -> Option<Arc<Outline>> {
    Outline::of(vectors_of(column)?).map(Arc::new)
}

/// The outline of column `c` of all `parts`, when somebody has asked for that of a part before.
fn joined_outline(parts: &[&Chunk], c: usize) -> OnceLock<Option<Arc<Outline>>> {
    if parts.iter().all(|part| part.outlines[c].get().is_none()) {
        return OnceLock::new();
    }
    let outlines: Vec<_> = parts.iter().filter_map(|part| part.outline(c)).collect();
    let outlines: Vec<&Outline> = outlines.iter().map(|outline| &**outline).collect();
    let is_whole = outlines.len() == parts.len();
    OnceLock::from(Outline::concat(&outlines).filter(|_| is_whole).map(Arc::new))
}

/// The key in `row` of a column of keys.
pub(crate) fn key_of(column: &Column, row: usize) -> Option<KeyRef<'_>> {
    match column.values() {
        Values::Int64(values) => values.get(row).map(|value| KeyRef::Int(*value)),
        Values::Text(texts) if row < texts.len() => Some(KeyRef::Text(texts.get(row))),
        _ => None,
    }
}

/// A column of `rows` times what `field` holds where nothing was written: its default, or nothing. Vectors that are
/// not there cost no memory until they are looked at.
pub(crate) fn absent(field: &Field, rows: usize) -> Column {
    let Some(value) = &field.default else { return Column::nothing(field.kind(), rows) };
    let mut builder = ColumnBuilder::of(field.kind());
    builder.reserve(rows);
    (0..rows).for_each(|_| builder.push(value));
    builder.finish()
}

fn check_shape(batch: &Batch, schema: &Schema) -> Result<(), Error> {
    let (found, wanted) = (batch.columns().len(), schema.fields.len());
    if found != wanted {
        return Err(Error::Shape(format!("{found} columns for {wanted} fields")));
    }
    for (column, field) in batch.columns().iter().zip(&schema.fields) {
        if column.kind() != field.kind() {
            let (name, have, want) = (&field.name, column.kind(), field.kind());
            return Err(Error::Shape(format!("field {name} takes {want:?}, the column holds {have:?}")));
        }
        let keyless = field.is_primary
            && (!matches!(field.data_type, Type::Int64 | Type::VarChar) || column.null_count() > 0);
        if keyless {
            return Err(Error::Shape(format!(
                "primary key {} must be Int64 or VarChar without nulls",
                field.name
            )));
        }
    }
    Ok(())
}
