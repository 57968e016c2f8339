//! Append-only rows in memory: one writer (the shard's applier), many readers.
//! Invariant: rows are numbered in the order of their arrival and never change; a reader's view is a list of chunks
//! taken under a short lock, and what arrives later is invisible to it by number and by stamp.

use crate::chunk::{Chunk, key_of};
use crate::deletes::{DeleteList, Deletes};
use crate::keys::KeyTable;
use crate::mask::Joined;
use crate::nearest::Piece;
use crate::{Error, Mask};
use data::{
    Batch, Column, ColumnBuilder, FieldId, Key, KeyRef, Keys, PartitionId, Schema, SegmentId, Timestamp,
};
use filter::{Predicate, Rows};
use simd::Bits;
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Small neighbours are joined up to this many rows a chunk ...
const CHUNK_ROWS_MAX: u32 = 8192;
/// ... and this many bytes. A batch that comes in larger stays whole.
const CHUNK_BYTES_MAX: usize = 8 << 20;
/// Keys looked up under one lock.
const KEYS_AT_ONCE: usize = 4096;

/// Rows in memory that are still being added to.
#[derive(Debug)]
pub struct Growing {
    id: SegmentId,
    partition: PartitionId,
    /// Locked before `state`, never after it.
    keys: RwLock<KeyTable>,
    state: RwLock<State>,
}

#[derive(Debug)]
struct State {
    schema: Arc<Schema>,
    chunks: Arc<Vec<Arc<Chunk>>>,
    rows: u32,
    bytes: usize,
    min_stamp: Timestamp,
    max_stamp: Timestamp,
    /// Whether stamps have never fallen from one row to the next, as an applied log has it.
    in_order: bool,
    deletes: Deletes,
}

/// What a reader holds on to: the chunks of one moment.
#[derive(Debug, Clone)]
pub(crate) struct View {
    pub(crate) schema: Arc<Schema>,
    pub(crate) chunks: Arc<Vec<Arc<Chunk>>>,
    pub(crate) rows: u32,
}

/// The rows of a growing segment that is no longer appended to, ready to be written. Deletes may go on.
#[derive(Debug, Clone)]
pub struct Frozen {
    pub(crate) view: View,
    pub(crate) min_stamp: Timestamp,
    pub(crate) max_stamp: Timestamp,
}

impl Frozen {
    /// How many rows.
    pub fn rows(&self) -> usize {
        self.view.rows as usize
    }

    /// The smallest stamp of a row; [`Timestamp::MAX`] when there are none.
    pub fn min_stamp(&self) -> Timestamp {
        self.min_stamp
    }

    /// The largest stamp of a row; zero when there are none.
    pub fn max_stamp(&self) -> Timestamp {
        self.max_stamp
    }
}

impl Growing {
    /// An empty segment `id` of `partition`, for rows of `schema`.
    pub fn new(id: SegmentId, partition: PartitionId, schema: Arc<Schema>) -> Self {
        let state = State {
            schema,
            chunks: Arc::default(),
            rows: 0,
            bytes: 0,
            min_stamp: Timestamp::MAX,
            max_stamp: Timestamp::ZERO,
            in_order: true,
            deletes: Deletes::default(),
        };
        Self { id, partition, keys: RwLock::default(), state: RwLock::new(state) }
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn state_mut(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its number.
    pub fn id(&self) -> SegmentId {
        self.id
    }

    /// The partition its rows belong to.
    pub fn partition(&self) -> PartitionId {
        self.partition
    }

    /// How many rows were appended.
    pub fn rows(&self) -> usize {
        self.state().rows as usize
    }

    /// Bytes it takes in memory, about.
    pub fn bytes(&self) -> usize {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner).bytes();
        let state = self.state();
        state.bytes + keys + state.chunks.iter().map(|chunk| chunk.outline_bytes()).sum::<usize>()
    }

    /// The smallest stamp of a row; [`Timestamp::MAX`] when there are none.
    pub fn min_stamp(&self) -> Timestamp {
        self.state().min_stamp
    }

    /// The largest stamp of a row; zero when there are none.
    pub fn max_stamp(&self) -> Timestamp {
        self.state().max_stamp
    }

    /// How many rows were deleted, at whatever time.
    pub fn deleted_rows(&self) -> usize {
        self.state().deletes.dead()
    }

    /// The schema its rows are read by.
    pub fn schema(&self) -> Arc<Schema> {
        Arc::clone(&self.state().schema)
    }

    /// Goes over to a later schema of the same collection. Rows appended so far hold the default, or nothing, in
    /// fields that are new. To be called by the writer, between two appends.
    pub fn adopt(&self, schema: &Arc<Schema>) {
        let chunks = Arc::clone(&self.state().chunks);
        let chunks: Vec<_> = chunks.iter().map(|chunk| Arc::new(chunk.under(schema))).collect();
        let bytes = chunks.iter().map(|chunk| chunk.bytes()).sum();
        let mut state = self.state_mut();
        state.chunks = Arc::new(chunks);
        state.bytes = bytes;
        state.schema = Arc::clone(schema);
    }

    /// Adds the rows of `batch`, whose columns stand in the schema's order, all stamped `stamp`; gives their row
    /// numbers. The buffers are kept as they are; small neighbours are joined, so that rows which come one by one end
    /// up in chunks of some thousand, each copied O(log n) times.
    ///
    /// # Errors
    /// [`Error::Shape`] when the batch does not fit the schema, [`Error::Full`] at 2^32 - 1 rows. Nothing is added.
    pub fn append(&self, batch: Batch, stamp: Timestamp) -> Result<Range<u32>, Error> {
        let View { schema, chunks, rows: first } = self.view();
        let end = u32::try_from(batch.rows()).ok().and_then(|rows| first.checked_add(rows));
        let end = end.filter(|end| *end < u32::MAX).ok_or(Error::Full(self.id))?;
        if end == first {
            return Ok(first..end);
        }
        let mut chunk = Chunk::new(first, batch, stamp, &schema)?;
        let added_bytes = chunk.bytes();
        self.add_keys(&chunk);
        let kept = chunks.len() - joinable(&chunks, &chunk);
        if kept < chunks.len() {
            let parts: Vec<&Chunk> = chunks[kept..].iter().map(|chunk| &**chunk).chain([&chunk]).collect();
            chunk = Chunk::concat(&parts);
        }
        drop(chunks);

        let mut state = self.state_mut();
        let list = Arc::make_mut(&mut state.chunks);
        list.truncate(kept);
        list.push(Arc::new(chunk));
        state.rows = end;
        state.bytes += added_bytes;
        state.in_order &= stamp >= state.max_stamp;
        state.min_stamp = state.min_stamp.min(stamp);
        state.max_stamp = state.max_stamp.max(stamp);
        Ok(first..end)
    }

    fn add_keys(&self, chunk: &Chunk) {
        let Some(column) = primary_column(chunk) else { return };
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        keys.reserve(column.len());
        for key in (0..column.len()).filter_map(|row| key_of(column, row)) {
            keys.push(key);
        }
    }

    /// Deletes at `stamp` the rows with one of `keys` and a smaller stamp of their own. How many newly died.
    pub fn delete(&self, keys: &Keys, stamp: Timestamp) -> usize {
        (0..keys.len())
            .step_by(KEYS_AT_ONCE)
            .map(|start| self.delete_some(keys, start..(start + KEYS_AT_ONCE).min(keys.len()), stamp))
            .sum()
    }

    fn delete_some(&self, keys: &Keys, range: Range<usize>, stamp: Timestamp) -> usize {
        let mut dying = Vec::new();
        self.with_rows_of(range.map(|k| keys.get(k)), |state, row, row_stamp| {
            if row_stamp >= stamp {
                return true;
            }
            let lives = !state.deletes.is_dead(row, stamp);
            if lives {
                dying.push(row);
            }
            lives || !state.in_order
        });
        if dying.is_empty() {
            return 0;
        }
        let mut state = self.state_mut();
        let rows = state.rows as usize;
        state.deletes.kill(dying.into_iter().map(|row| (row, stamp)), rows)
    }

    /// The rows with one of `keys` that a reader at `at` sees, in the order of `keys`.
    pub fn find(&self, keys: &[KeyRef<'_>], at: Timestamp) -> Vec<u32> {
        let mut found = Vec::new();
        for some in keys.chunks(KEYS_AT_ONCE) {
            self.with_rows_of(some.iter().copied(), |state, row, row_stamp| {
                if row_stamp > at {
                    return true;
                }
                let lives = !state.deletes.is_dead(row, at);
                if lives {
                    found.push(row);
                }
                lives || !state.in_order
            });
        }
        found
    }

    /// Calls `visit` with row and stamp for each row with one of `keys`, from new to old as long as it says `true`:
    /// in a log that is applied in order, a row that is dead has only dead ones before it.
    fn with_rows_of<'k>(
        &self,
        keys: impl Iterator<Item = KeyRef<'k>>,
        mut visit: impl FnMut(&State, u32, Timestamp) -> bool,
    ) {
        let table = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let state = self.state();
        for key in keys {
            // Rows past the end are being appended right now: no reader may know them yet.
            for row in table.rows(key).filter(|row| *row < state.rows) {
                let chunk = locate(&state.chunks, row);
                let place = row - chunk.first;
                let is_it = primary_column(chunk).and_then(|column| key_of(column, place as usize));
                if is_it == Some(key) && !visit(&state, row, chunk.stamps.get(place)) {
                    break;
                }
            }
        }
    }

    /// The rows that died at or before `up_to`, by number and stamp.
    pub fn deletes(&self, up_to: Timestamp) -> DeleteList {
        self.state().deletes.list(up_to)
    }

    /// Lets rows die as `list` says; for deletes that were saved. How many newly died.
    pub fn apply_deletes(&self, list: &DeleteList) -> usize {
        let mut state = self.state_mut();
        let rows = state.rows as usize;
        let inside = list.iter().filter(|(row, _)| (*row as usize) < rows);
        state.deletes.kill(inside, rows)
    }

    /// Its rows as they are, to be written to a file. The caller appends no more; deletes may go on.
    pub fn freeze(&self) -> Frozen {
        let state = self.state();
        Frozen { view: state.view(), min_stamp: state.min_stamp, max_stamp: state.max_stamp }
    }

    pub(crate) fn view(&self) -> View {
        self.state().view()
    }

    /// The rows a reader at `at` sees.
    pub(crate) fn visible(&self, at: Timestamp) -> (View, Mask) {
        let state = self.state();
        let view = state.view();
        let all_written = at >= state.max_stamp;
        let rows = if all_written || !state.in_order { state.rows } else { view.prefix(at) } as usize;
        let alive = state.deletes.alive_at(rows, at);
        let in_order = state.in_order;
        drop(state);
        let mask = alive.map_or_else(|| Mask::all(rows), |alive| Mask::counted(alive.bits, alive.count));
        if all_written || in_order {
            return (view, mask);
        }
        let written = Bits::from_fn(rows, |row| view.stamp(row as u32) <= at);
        (view, mask.and(written))
    }

    /// The rows that a reader at `at` sees and `predicate` (none: every row) holds for.
    pub fn matches(&self, predicate: Option<&Predicate>, at: Timestamp) -> Mask {
        let (view, mask) = self.visible(at);
        let Some(predicate) = predicate.filter(|predicate| !predicate.is_always_true()) else { return mask };
        if let Some(keys) = predicate.keys() {
            let keys: Vec<_> = keys.iter().map(Key::as_ref).collect();
            return Mask::of_rows(mask.rows(), &self.find(&keys, at));
        }
        let mut bits = Joined::default();
        for chunk in view.chunks.iter().take_while(|chunk| (chunk.first as usize) < mask.rows()) {
            bits.push(&predicate.eval(&ChunkRows(chunk)));
        }
        let rows = mask.rows();
        mask.and(bits.cut(rows))
    }
}

/// The rows of a chunk as a predicate looks at them.
struct ChunkRows<'a>(&'a Chunk);

impl Growing {
    /// As [`crate::Segment::elements`].
    pub(crate) fn elements(&self, predicate: &Predicate) -> Option<Bits> {
        predicate.filtered_struct()?;
        let mut joined = Joined::default();
        let mut count = 0;
        for chunk in self.view().chunks.iter() {
            let bits = predicate.eval_elements(&ChunkRows(chunk))?;
            count += bits.len();
            joined.push(&bits);
        }
        Some(joined.cut(count))
    }
}

impl Rows for ChunkRows<'_> {
    fn len(&self) -> usize {
        self.0.rows as usize
    }

    fn column(&self, field: FieldId) -> Option<&Column> {
        self.0.column(field)
    }

    fn salt(&self) -> u64 {
        self.0.first.into()
    }
}

impl State {
    fn view(&self) -> View {
        View { schema: Arc::clone(&self.schema), chunks: Arc::clone(&self.chunks), rows: self.rows }
    }
}

impl View {
    /// How many rows come before the first with a stamp after `at`, when stamps never fall.
    fn prefix(&self, at: Timestamp) -> u32 {
        let whole = self.chunks.partition_point(|chunk| chunk.stamps.prefix(at) == chunk.rows);
        self.chunks.get(whole).map_or(self.rows, |chunk| chunk.first + chunk.stamps.prefix(at))
    }

    /// When `row` was written.
    pub(crate) fn stamp(&self, row: u32) -> Timestamp {
        let chunk = locate(&self.chunks, row);
        chunk.stamps.get(row - chunk.first)
    }

    /// The column of `field` in every chunk, with the number of its first row.
    pub(crate) fn pieces(&self, field: FieldId) -> Option<Vec<(u32, Column)>> {
        let position = self.schema.position(field)?;
        Some(self.chunks.iter().map(|chunk| (chunk.first, chunk.columns[position].clone())).collect())
    }

    /// The vectors of `field` in every chunk, and their outlines.
    pub(crate) fn outlined(&self, field: FieldId) -> Option<Vec<Piece>> {
        let position = self.schema.position(field)?;
        let piece = |chunk: &Arc<Chunk>| Piece {
            first: chunk.first,
            column: chunk.columns[position].clone(),
            outline: chunk.outline(position),
        };
        Some(self.chunks.iter().map(piece).collect())
    }

    /// The values of `field` at `rows`, in that order.
    pub(crate) fn read(&self, field: FieldId, rows: &[u32]) -> Option<Column> {
        let position = self.schema.position(field)?;
        let wanted = &self.schema.fields[position];
        let mut builder = ColumnBuilder::of(wanted.kind());
        builder.reserve(rows.len());
        let mut chunk = self.chunks.first();
        for &row in rows {
            if chunk.is_none_or(|chunk| row < chunk.first || row - chunk.first >= chunk.rows) {
                chunk = self.chunks.get(chunk_at(&self.chunks, row));
            }
            match chunk {
                Some(chunk) => builder.push_from(&chunk.columns[position], (row - chunk.first) as usize),
                None => builder.push_null(),
            }
        }
        Some(builder.finish())
    }
}

fn primary_column(chunk: &Chunk) -> Option<&Column> {
    let position = chunk.schema.fields.iter().position(|field| field.is_primary)?;
    chunk.columns.get(position)
}

fn chunk_at(chunks: &[Arc<Chunk>], row: u32) -> usize {
    chunks.partition_point(|chunk| chunk.first <= row).saturating_sub(1)
}

/// The chunk that `row`, which must have been appended, lies in.
fn locate(chunks: &[Arc<Chunk>], row: u32) -> &Chunk {
    &chunks[chunk_at(chunks, row)]
}

/// How many of the last `chunks` are to be joined with `new`: as in a binary counter, those no larger than what
/// comes after them.
fn joinable(chunks: &[Arc<Chunk>], new: &Chunk) -> usize {
    let (mut rows, mut bytes, mut count) = (new.rows, new.bytes(), 0);
    for chunk in chunks.iter().rev() {
        let chunk_bytes = chunk.bytes();
        let fits = rows + chunk.rows <= CHUNK_ROWS_MAX && bytes + chunk_bytes <= CHUNK_BYTES_MAX;
        if chunk.rows > rows || !fits {
            break;
        }
        (rows, bytes, count) = (rows + chunk.rows, bytes + chunk_bytes, count + 1);
    }
    count
}
