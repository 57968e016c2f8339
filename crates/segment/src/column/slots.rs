//! The columns of an open file under a schema. Invariant: one slot a field of the schema, in its order; a slot is
//! filled at its first use and never changes after.

use super::Place;
use super::decode::{decode, validity};
use super::packed::Packed;
use super::zones::read_zones;
use crate::blocks::Visit;
use crate::cache::BlockCache;
use crate::chunk::absent;
use crate::files::{FieldHead, Head, Opened, Packing};
use crate::key_order::KeyOrder;
use crate::{Error, ScalarIndex};
use data::{BooleanBuffer, Column, Field, FieldId, NullBuffer, Schema};
use filter::{Answer, BLOCK_ROWS, Probe, Rows, Zones};
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// One field of the schema and, once somebody asked, its column.
#[derive(Debug)]
struct Slot {
    field: Field,
    /// What the file knows of it; `None` when it was added later.
    stored: Option<FieldHead>,
    column: OnceLock<Column>,
    /// Compressed values of the file, once somebody asked for some of them.
    packed: OnceLock<Blocks>,
}

/// A column that is unpacked in parts.
#[derive(Debug)]
struct Blocks {
    packed: Packed,
    /// `None`: every value is there.
    validity: Option<BooleanBuffer>,
}

impl Blocks {
    fn open(
        file: &Opened,
        head: &FieldHead,
        packing: Packing,
        rows: usize,
        cache: Option<Arc<BlockCache>>,
    ) -> Result<Self, Error> {
        let packed = Packed::open(file, Place::of(head.id), (packing, head.data_type), rows, cache)?;
        Ok(Self { packed, validity: validity(file, head, rows)? })
    }

    /// Neighbouring rows.
    fn block(&self, file: &Opened, rows: Range<usize>) -> Result<Arc<Column>, Error> {
        let validity = self.validity.as_ref();
        let validity = validity.map(|bits| NullBuffer::new(bits.slice(rows.start, rows.len())));
        self.packed.block(file, rows, |values| {
            Column::trusted(values, validity).map_err(|error| Error::Shape(error.to_string()))
        })
    }

    fn read(&self, file: &Opened, picks: &[u32]) -> Result<Column, Error> {
        let values = self.packed.read(file, picks)?;
        let bits = self.validity.as_ref();
        let bits = bits.map(|bits| picks.iter().map(|row| bits.value(*row as usize)).collect());
        Column::trusted(values, bits.map(NullBuffer::new)).map_err(|error| Error::Shape(error.to_string()))
    }
}

/// The columns of an open file under a schema.
#[derive(Debug)]
pub(crate) struct Slots {
    schema: Arc<Schema>,
    file: Arc<Opened>,
    heads: Arc<[FieldHead]>,
    rows: usize,
    slots: Vec<Arc<Slot>>,
    /// Where unpacked blocks are kept, once somebody has said so.
    cache: Arc<OnceLock<Arc<BlockCache>>>,
    /// Read at first use.
    zones: Arc<OnceLock<Vec<(FieldId, Zones)>>>,
}

impl Slots {
    /// Empty slots for the fields of `schema`.
    pub(crate) fn new(schema: &Arc<Schema>, head: &Head, file: &Arc<Opened>) -> Self {
        let empty = Self {
            schema: Arc::default(),
            file: Arc::clone(file),
            heads: head.fields.clone().into(),
            rows: head.rows as usize,
            slots: Vec::new(),
            cache: Arc::default(),
            zones: Arc::default(),
        };
        empty.under(schema)
    }

    /// The same file under another schema; columns that are known stay so.
    pub(crate) fn under(&self, schema: &Arc<Schema>) -> Self {
        let slot = |field: &Field| {
            let known = self.slots.iter().find(|slot| slot.field.id == field.id && slot.field == *field);
            known.map(Arc::clone).unwrap_or_else(|| {
                let stored = self.heads.iter().find(|head| head.id == field.id).cloned();
                Arc::new(Slot {
                    field: field.clone(),
                    stored,
                    column: OnceLock::new(),
                    packed: OnceLock::new(),
                })
            })
        };
        Self {
            schema: Arc::clone(schema),
            file: Arc::clone(&self.file),
            heads: Arc::clone(&self.heads),
            rows: self.rows,
            slots: schema.fields.iter().map(slot).collect(),
            cache: Arc::clone(&self.cache),
            zones: Arc::clone(&self.zones),
        }
    }

    /// The schema.
    pub(crate) fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    fn slot(&self, field: FieldId) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.field.id == field).map(|slot| &**slot)
    }

    /// The column in `slot`, put together at first use.
    fn load<'s>(&self, slot: &'s Slot) -> Result<&'s Column, Error> {
        if let Some(column) = slot.column.get() {
            return Ok(column);
        }
        let column = match &slot.stored {
            Some(head) => {
                self.check(&slot.field, head)?;
                decode(&self.file, head, self.rows)?
            }
            None => absent(&slot.field, self.rows),
        };
        Ok(slot.column.get_or_init(|| column))
    }

    fn check(&self, field: &Field, head: &FieldHead) -> Result<(), Error> {
        if head.kind() == Some(field.kind()) {
            return Ok(());
        }
        let (name, file, want, found) = (&field.name, self.file.name(), field.kind(), head.kind());
        Err(Error::Shape(format!("field {name} is {want:?} in the schema and {found:?} in file {file}")))
    }

    /// What is known of the values of `field`, zone by zone.
    fn zones(&self, field: FieldId) -> Option<&Zones> {
        let slot = self.slot(field)?;
        let stored = slot.stored.as_ref().filter(|head| head.has_zones)?;
        self.check(&slot.field, stored).ok()?;
        let known = self.zones.get_or_init(|| read_zones(&self.file, &self.heads, self.rows));
        known.iter().find(|known| known.0 == field).map(|known| &known.1)
    }

    /// Keeps unpacked blocks in `cache` from now on.
    pub(crate) fn keep_blocks_in(&self, cache: &Arc<BlockCache>) {
        drop(self.cache.set(Arc::clone(cache)));
    }

    /// The column in `slot` in parts; `None` when it does not lie compressed.
    fn blocks<'s>(&self, slot: &'s Slot) -> Result<Option<&'s Blocks>, Error> {
        let Some((head, packing)) = slot.stored.as_ref().and_then(|head| Some((head, head.packing()?)))
        else {
            return Ok(None);
        };
        self.check(&slot.field, head)?;
        if let Some(blocks) = slot.packed.get() {
            return Ok(Some(blocks));
        }
        let blocks = Blocks::open(&self.file, head, packing, self.rows, self.cache.get().cloned())?;
        Ok(Some(slot.packed.get_or_init(|| blocks)))
    }

    /// The column of `field`; `None` when the schema has no such field. What lies compressed is unpacked for the caller alone.
    pub(crate) fn column(&self, field: FieldId) -> Result<Option<Column>, Error> {
        let Some(slot) = self.slot(field) else { return Ok(None) };
        match &slot.stored {
            Some(head) if head.packing().is_some() => {
                self.check(&slot.field, head)?;
                decode(&self.file, head, self.rows).map(Some)
            }
            _ => self.load(slot).cloned().map(Some),
        }
    }

    /// The column of `field`; `None` when the file does not have it.
    pub(crate) fn stored(&self, field: FieldId) -> Result<Option<Column>, Error> {
        match self.slot(field) {
            Some(slot) if slot.stored.is_some() => self.column(field),
            Some(_) => Ok(None),
            None => {
                let head = self.heads.iter().find(|head| head.id == field);
                head.map(|head| decode(&self.file, head, self.rows)).transpose()
            }
        }
    }

    /// Whether the column of `field` lies compressed.
    pub(crate) fn is_compressed(&self, field: FieldId) -> bool {
        let stored = self.slot(field).and_then(|slot| slot.stored.as_ref());
        stored.is_some_and(|head| head.packing().is_some())
    }

    /// Which rows of a column that lies compressed have a value; `None`: all of them.
    pub(crate) fn present(&self, field: FieldId) -> Result<Option<BooleanBuffer>, Error> {
        let head = self.heads.iter().find(|head| head.id == field);
        head.map_or(Ok(None), |head| validity(&self.file, head, self.rows))
    }

    /// Shows `runs` of the column of `field`, what lies compressed block by block; `false` when the file does not have it.
    pub(crate) fn each_stored(
        &self,
        field: FieldId,
        runs: &[Range<usize>],
        visit: &mut Visit<'_>,
    ) -> Result<bool, Error> {
        let head = self.heads.iter().find(|head| head.id == field);
        let Some(packing) = head.and_then(FieldHead::packing) else {
            let Some(column) = self.stored(field)? else { return Ok(false) };
            runs.iter().try_for_each(|run| visit(&column, run.clone()))?;
            return Ok(true);
        };
        let Some(head) = head else { return Ok(false) };
        if let Some(slot) = self.slot(field) {
            self.check(&slot.field, head)?;
        }
        // What a merge looks at once is not worth keeping.
        let blocks = Blocks::open(&self.file, head, packing, self.rows, None)?;
        let mut held: Option<(usize, Arc<Column>)> = None;
        for run in runs {
            let mut row = run.start;
            while row < run.end {
                let first = row / BLOCK_ROWS * BLOCK_ROWS;
                let end = run.end.min(first + BLOCK_ROWS);
                let column = match held.take().filter(|held| held.0 == first) {
                    Some((_, column)) => column,
                    None => blocks.block(&self.file, first..self.rows.min(first + BLOCK_ROWS))?,
                };
                visit(&column, row - first..end - first)?;
                held = Some((first, column));
                row = end;
            }
        }
        Ok(true)
    }

    /// The values of `field` at `rows`; `None` when the schema has no such field.
    pub(crate) fn read(&self, field: FieldId, rows: &[u32]) -> Result<Option<Column>, Error> {
        let Some(slot) = self.slot(field) else { return Ok(None) };
        if let Some(blocks) = self.blocks(slot)? {
            return blocks.read(&self.file, rows).map(Some);
        }
        match &slot.stored {
            Some(_) => Ok(Some(self.load(slot)?.take(rows))),
            None => Ok(Some(absent(&slot.field, rows.len()))),
        }
    }

    /// The rows as a predicate looks at them, with indexes and the order of the primary keys, which may answer for them.
    pub(crate) fn rows<'a>(
        &'a self,
        indexes: &'a [Arc<ScalarIndex>],
        keys: Option<(FieldId, &'a KeyOrder)>,
    ) -> SlotRows<'a> {
        SlotRows { slots: self, indexes, keys, failure: OnceLock::new() }
    }
}

/// The rows of a file as a predicate looks at them. A column that cannot be read looks as if it were not there, and
/// [`SlotRows::failure`] tells.
#[derive(Debug)]
pub(crate) struct SlotRows<'a> {
    slots: &'a Slots,
    indexes: &'a [Arc<ScalarIndex>],
    keys: Option<(FieldId, &'a KeyOrder)>,
    failure: OnceLock<Error>,
}

impl SlotRows<'_> {
    /// The first error met so far.
    pub(crate) fn failure(self) -> Result<(), Error> {
        self.failure.into_inner().map_or(Ok(()), Err)
    }
}

impl Rows for SlotRows<'_> {
    fn len(&self) -> usize {
        self.slots.rows
    }

    fn column(&self, field: FieldId) -> Option<&Column> {
        let slot = self.slots.slot(field)?;
        if slot.stored.is_none() && slot.field.default.is_none() {
            // Nothing but nulls, which is what "no column" means to a predicate.
            return None;
        }
        self.slots.load(slot).map_err(|error| self.failure.set(error)).ok()
    }

    fn zones(&self, field: FieldId) -> Option<&Zones> {
        self.slots.zones(field)
    }

    fn salt(&self) -> u64 {
        // FNV-1a of the file's name, which no other segment has.
        let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        self.slots.file.name().to_string().bytes().fold(0xcbf2_9ce4_8422_2325, mix)
    }

    fn is_packed(&self, field: FieldId) -> bool {
        self.slots.is_compressed(field)
    }

    fn block(&self, field: FieldId, rows: Range<usize>) -> Option<Arc<Column>> {
        let slot = self.slots.slot(field)?;
        let block = || match self.slots.blocks(slot)? {
            Some(blocks) => blocks.block(&self.slots.file, rows).map(Some),
            None => Ok(None),
        };
        block().map_err(|error| self.failure.set(error)).ok().flatten()
    }

    fn answer(&self, probe: &Probe<'_>) -> Option<Answer> {
        let by_key = || {
            let (_, keys) = self.keys.filter(|(primary, _)| *primary == probe.field())?;
            keys.answer(probe).map(|yes| Answer { yes, maybe: None, known: None })
        };
        by_key().or_else(|| self.indexes.iter().find_map(|index| index.answer(probe)))
    }
}
