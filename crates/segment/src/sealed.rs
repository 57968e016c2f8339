//! Immutable rows in one mapped file. Invariant: the file never changes; what can change beside it (deletes, indexes,
//! the schema it is read by) sits behind locks that are held only for moments.

use crate::chunk::outline_of;
use crate::column::{Slots, check_lengths};
use crate::deletes::{DeleteList, Deletes};
use crate::files::{Head, KIND, Opened, VERSION};
use crate::key_order::KeyOrder;
use crate::{BlockCache, Error, Mask, ScalarIndex};
use data::{
    Column, FieldId, IndexId, Key, KeyRef, Keys, PartitionId, ScalarBuffer, Schema, SegmentId, Timestamp,
};
use filter::Predicate;
use index::{Index, Outline};
use simd::Bits;
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard};
use store::Blobs;

/// Keys looked up in one go.
const KEYS_AT_ONCE: usize = 1024;

/// Vectors of more bytes than this are scanned as they are while they wait for their index.
const OUTLINED_BYTES_MAX: usize = 256 << 20;

/// Indexes on scalar fields; replaced as a whole, so that a reader holds what it began with.
type Scalars = Arc<Vec<(IndexId, Arc<ScalarIndex>)>>;

/// Rows in a file.
#[derive(Debug)]
pub struct Sealed {
    id: SegmentId,
    partition: PartitionId,
    head: Head,
    file: Arc<Opened>,
    slots: RwLock<Arc<Slots>>,
    stamps: OnceLock<ScalarBuffer<u64>>,
    keys: OnceLock<KeyOrder>,
    indexes: RwLock<Vec<(FieldId, Arc<Index>)>>,
    /// Of vectors that wait for their index.
    outlines: RwLock<Vec<(FieldId, Option<Arc<Outline>>)>>,
    scalars: RwLock<Scalars>,
    deletes: RwLock<Deletes>,
}

impl Sealed {
    /// Opens file `name`, which [`crate::write`] or [`crate::merge`] has written, as segment `id` of `partition`, to be
    /// read by `schema`. Columns lie in the map and are not touched; fields that the file lacks, because they were
    /// added later, hold their default, or nothing.
    ///
    /// # Errors
    /// [`Error::Store`] when there is no such file, [`Error::Damaged`] when its head is not what was written.
    pub fn open(
        blobs: &Blobs,
        name: &str,
        id: SegmentId,
        partition: PartitionId,
        schema: Arc<Schema>,
    ) -> Result<Self, Error> {
        let file = Arc::new(Opened::open_known(blobs, name, KIND, VERSION)?);
        let head = Head::read(&file)?;
        check_lengths(&file, &head)?;
        let slots = Slots::new(&schema, &head, &file);
        Ok(Self {
            id,
            partition,
            head,
            file,
            slots: RwLock::new(Arc::new(slots)),
            stamps: OnceLock::new(),
            keys: OnceLock::new(),
            indexes: RwLock::default(),
            outlines: RwLock::default(),
            scalars: RwLock::default(),
            deletes: RwLock::default(),
        })
    }

    /// Reads the whole file and holds it against its checksums.
    ///
    /// # Errors
    /// [`Error::Damaged`], naming the section.
    pub fn verify(&self) -> Result<(), Error> {
        self.file.verify()
    }

    /// Its number.
    pub fn id(&self) -> SegmentId {
        self.id
    }

    /// The partition its rows belong to.
    pub fn partition(&self) -> PartitionId {
        self.partition
    }

    /// The name of its file.
    pub fn file_name(&self) -> &str {
        self.file.name()
    }

    /// How many rows it has, dead ones included.
    pub fn rows(&self) -> usize {
        self.head.rows as usize
    }

    /// The size of its file.
    pub fn bytes(&self) -> usize {
        self.file.bytes()
    }

    /// The smallest stamp of a row; [`Timestamp::MAX`] when there are none.
    pub fn min_stamp(&self) -> Timestamp {
        self.head.min_stamp
    }

    /// The largest stamp of a row; zero when there are none.
    pub fn max_stamp(&self) -> Timestamp {
        self.head.max_stamp
    }

    /// How many rows were deleted, at whatever time.
    pub fn deleted_rows(&self) -> usize {
        self.deaths().dead()
    }

    /// The schema its rows are read by.
    pub fn schema(&self) -> Arc<Schema> {
        Arc::clone(self.slots().schema())
    }

    /// Goes over to a later schema of the same collection. Fields that the file cannot serve under it (of another type
    /// than when it was written) fail when they are asked for.
    pub fn adopt(&self, schema: &Arc<Schema>) {
        let slots = Arc::new(self.slots().under(schema));
        *self.slots.write().unwrap_or_else(PoisonError::into_inner) = slots;
    }

    /// Keeps what filters unpack of compressed columns in `cache` from now on.
    pub fn keep_blocks_in(&self, cache: &Arc<BlockCache>) {
        self.slots().keep_blocks_in(cache);
    }

    pub(crate) fn slots(&self) -> Arc<Slots> {
        Arc::clone(&self.slots.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn deaths(&self) -> RwLockReadGuard<'_, Deletes> {
        self.deletes.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// All values of `field`, in place; the first call checks what it must to make that safe.
    ///
    /// # Errors
    /// [`Error::NoField`]; [`Error::Damaged`] when the column is not what was written.
    pub fn column(&self, field: FieldId) -> Result<Column, Error> {
        self.slots().column(field)?.ok_or(Error::NoField { segment: self.id, field })
    }

    /// The values of `field` at `rows`, in that order, copied.
    ///
    /// # Errors
    /// As [`Sealed::column`].
    ///
    /// # Panics
    /// When a row is out of bounds.
    pub fn read(&self, field: FieldId, rows: &[u32]) -> Result<Column, Error> {
        self.slots().read(field, rows)?.ok_or(Error::NoField { segment: self.id, field })
    }

    /// When `row` was written.
    pub(crate) fn stamp(&self, row: u32) -> Result<Timestamp, Error> {
        Ok(self.stamps()?.map_or(self.head.max_stamp, |stamps| Timestamp(stamps[row as usize])))
    }

    /// The stamps of all rows; `None` when they are all the same.
    pub(crate) fn stamps(&self) -> Result<Option<&ScalarBuffer<u64>>, Error> {
        if self.head.min_stamp >= self.head.max_stamp {
            return Ok(None);
        }
        if let Some(stamps) = self.stamps.get() {
            return Ok(Some(stamps));
        }
        let stamps = self.file.numbers("stamps", self.rows())?;
        Ok(Some(self.stamps.get_or_init(|| stamps)))
    }

    /// The order of the keys.
    fn keys(&self) -> Result<&KeyOrder, Error> {
        if let Some(keys) = self.keys.get() {
            return Ok(keys);
        }
        let keys = KeyOrder::open(&self.head, &self.file, &self.slots())?;
        Ok(self.keys.get_or_init(|| keys))
    }

    /// Deletes at `stamp` the rows with one of `keys` and a smaller stamp of their own. How many newly died.
    ///
    /// # Errors
    /// [`Error::Damaged`] when keys or stamps are not what was written; then none has died.
    pub fn delete(&self, keys: &Keys, stamp: Timestamp) -> Result<usize, Error> {
        if self.head.rows == 0 || self.head.min_stamp >= stamp {
            return Ok(0);
        }
        let mut dying = Vec::new();
        let order = self.keys()?;
        let stamps = if self.head.max_stamp < stamp { None } else { self.stamps()? };
        for start in (0..keys.len()).step_by(KEYS_AT_ONCE) {
            let wanted: Vec<_> =
                (start..(start + KEYS_AT_ONCE).min(keys.len())).map(|k| keys.get(k)).collect();
            order.each(&wanted, |_, row| {
                if stamps.is_none_or(|stamps| stamps[row as usize] < stamp.0) {
                    dying.push(row);
                }
            });
        }
        if dying.is_empty() {
            return Ok(0);
        }
        let mut deletes = self.deletes.write().unwrap_or_else(PoisonError::into_inner);
        Ok(deletes.kill(dying.into_iter().map(|row| (row, stamp)), self.rows()))
    }

    /// The rows with one of `keys` that a reader at `at` sees, in the order of `keys`.
    ///
    /// # Errors
    /// [`Error::Damaged`] when keys or stamps are not what was written.
    pub fn find(&self, keys: &[KeyRef<'_>], at: Timestamp) -> Result<Vec<u32>, Error> {
        let mut found = Vec::new();
        if self.head.rows == 0 || self.head.min_stamp > at {
            return Ok(found);
        }
        let order = self.keys()?;
        let stamps = if self.head.max_stamp <= at { None } else { self.stamps()? };
        for wanted in keys.chunks(KEYS_AT_ONCE) {
            order.each(wanted, |_, row| {
                if stamps.is_none_or(|stamps| stamps[row as usize] <= at.0) {
                    found.push(row);
                }
            });
        }
        let deletes = self.deaths();
        found.retain(|row| !deletes.is_dead(*row, at));
        Ok(found)
    }

    /// The rows that died at or before `up_to`, by number and stamp, for saving.
    pub fn deletes(&self, up_to: Timestamp) -> DeleteList {
        self.deaths().list(up_to)
    }

    /// Lets rows die as `list` says; entries past the last row are passed over. How many newly died.
    pub fn apply_deletes(&self, list: &DeleteList) -> usize {
        let rows = self.rows();
        let mut deletes = self.deletes.write().unwrap_or_else(PoisonError::into_inner);
        let inside = list.iter().filter(|(row, _)| (*row as usize) < rows);
        deletes.kill(inside, rows)
    }

    /// Lets `index`, built over all rows of `field` in row order, answer searches from now on; those that run go on
    /// with what they have.
    pub fn attach_index(&self, field: FieldId, index: Arc<Index>) {
        let mut indexes = self.indexes.write().unwrap_or_else(PoisonError::into_inner);
        indexes.retain(|entry| entry.0 != field);
        indexes.push((field, index));
        let mut outlines = self.outlines.write().unwrap_or_else(PoisonError::into_inner);
        outlines.retain(|entry| entry.0 != field);
    }

    /// The outline of the vectors of `field`, made when it is first asked for and kept until the field has its index;
    /// `None` for vectors that have none or are so many that it would take much memory.
    pub(crate) fn outline(&self, field: FieldId, column: &Column) -> Option<Arc<Outline>> {
        if column.bytes() > OUTLINED_BYTES_MAX {
            return None;
        }
        let known = |outlines: &[(FieldId, Option<Arc<Outline>>)]| {
            outlines.iter().find(|entry| entry.0 == field).map(|entry| entry.1.clone())
        };
        if let Some(outline) = known(&self.outlines.read().unwrap_or_else(PoisonError::into_inner)) {
            return outline;
        }
        let mut outlines = self.outlines.write().unwrap_or_else(PoisonError::into_inner);
        known(&outlines).unwrap_or_else(|| {
            let outline = outline_of(column);
            outlines.push((field, outline.clone()));
            outline
        })
    }

    /// Makes the outline of the vectors of `field` now, so that the first search through it need not; for a segment that
    /// searches are about to see before its index is there.
    ///
    /// # Errors
    /// The field does not exist.
    pub fn outline_ahead(&self, field: FieldId) -> Result<(), Error> {
        self.outline(field, &self.column(field)?);
        Ok(())
    }

    /// Takes the index of `field` out of use and hands it back.
    pub fn detach_index(&self, field: FieldId) -> Option<Arc<Index>> {
        let mut indexes = self.indexes.write().unwrap_or_else(PoisonError::into_inner);
        let place = indexes.iter().position(|entry| entry.0 == field)?;
        Some(indexes.swap_remove(place).1)
    }

    /// The index that answers searches of `field`.
    pub fn index(&self, field: FieldId) -> Option<Arc<Index>> {
        let indexes = self.indexes.read().unwrap_or_else(PoisonError::into_inner);
        indexes.iter().find(|entry| entry.0 == field).map(|entry| Arc::clone(&entry.1))
    }

    /// The fields that have an index on vectors.
    pub fn indexed_fields(&self) -> Vec<FieldId> {
        let indexes = self.indexes.read().unwrap_or_else(PoisonError::into_inner);
        indexes.iter().map(|entry| entry.0).collect()
    }

    /// Lets `index`, built over all rows, answer filters from now on, under number `id`.
    pub fn attach_scalar(&self, id: IndexId, index: Arc<ScalarIndex>) {
        let mut scalars = self.scalars.write().unwrap_or_else(PoisonError::into_inner);
        let mut next: Vec<_> = scalars.iter().filter(|entry| entry.0 != id).cloned().collect();
        next.push((id, index));
        *scalars = Arc::new(next);
    }

    /// Takes index `id` on a scalar field out of use and hands it back.
    pub fn detach_scalar(&self, id: IndexId) -> Option<Arc<ScalarIndex>> {
        let mut scalars = self.scalars.write().unwrap_or_else(PoisonError::into_inner);
        let found = scalars.iter().find(|entry| entry.0 == id).map(|entry| Arc::clone(&entry.1))?;
        *scalars = Arc::new(scalars.iter().filter(|entry| entry.0 != id).cloned().collect());
        Some(found)
    }

    /// The index on a scalar field with number `id`.
    pub fn scalar(&self, id: IndexId) -> Option<Arc<ScalarIndex>> {
        self.scalars().iter().find(|entry| entry.0 == id).map(|entry| Arc::clone(&entry.1))
    }

    fn scalars(&self) -> Scalars {
        Arc::clone(&self.scalars.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The rows a reader at `at` sees.
    fn visible(&self, at: Timestamp) -> Result<Mask, Error> {
        let rows = self.rows();
        let alive = self.deaths().alive_at(rows, at);
        let mask = alive.map_or_else(|| Mask::all(rows), |alive| Mask::counted(alive.bits, alive.count));
        if at >= self.head.max_stamp {
            return Ok(mask);
        }
        Ok(match self.stamps()? {
            Some(stamps) => mask.and(Bits::from_fn(rows, |row| stamps[row] <= at.0)),
            None => Mask::from_bits(Bits::zeros(rows)),
        })
    }

    /// The rows that a reader at `at` sees and `predicate` (none: every row) holds for.
    ///
    /// # Errors
    /// [`Error::Damaged`] when a column the predicate looks at is not what was written.
    pub fn matches(&self, predicate: Option<&Predicate>, at: Timestamp) -> Result<Mask, Error> {
        let predicate = predicate.filter(|predicate| !predicate.is_always_true());
        if let Some(keys) = predicate.and_then(Predicate::keys) {
            let keys: Vec<_> = keys.iter().map(Key::as_ref).collect();
            return Ok(Mask::of_rows(self.rows(), &self.find(&keys, at)?));
        }
        let mask = self.visible(at)?;
        let Some(predicate) = predicate.filter(|_| mask.count() > 0) else { return Ok(mask) };
        let slots = self.slots();
        let indexes: Vec<_> = self.scalars().iter().map(|entry| Arc::clone(&entry.1)).collect();
        // A column that cannot be read says so itself.
        let primary = slots.schema().primary().map(|field| field.id);
        let primary = primary.filter(|primary| predicate.fields().contains(primary));
        let keys = primary.and_then(|primary| Some((primary, self.keys().ok()?)));
        let rows = slots.rows(&indexes, keys);
        let bits = predicate.eval(&rows);
        rows.failure()?;
        Ok(mask.and(bits))
    }

    /// As [`crate::Segment::elements`].
    pub(crate) fn elements(&self, predicate: &Predicate) -> Result<Option<Bits>, Error> {
        let slots = self.slots();
        let rows = slots.rows(&[], None);
        let bits = predicate.eval_elements(&rows);
        rows.failure()?;
        Ok(bits)
    }
}
