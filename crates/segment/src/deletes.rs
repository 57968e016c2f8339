//! When rows died. Invariant: `alive` has a zero for exactly the rows that have a stamp in `died`; `order` names each
//! of them with that stamp once, sorted by stamp (older entries of a row whose stamp was lowered stay behind, stale).

use crate::Error;
use crate::files::Opened;
use data::Timestamp;
use simd::Bits;
use std::sync::Arc;
use store::Blobs;
use store::file::Writer;

/// The version that this code writes and reads.
const VERSION: u32 = 1;
/// What marks a file of deletes.
const KIND: [u8; 8] = *b"deletes\0";
const ROWS: &str = "rows";
const STAMPS: &str = "stamps";

/// Rows whose death stamps share one allocation.
const PAGE_ROWS: usize = 512;

type Page = Box<[Timestamp; PAGE_ROWS]>;

/// The deletes that have reached a segment.
#[derive(Debug, Default)]
pub(crate) struct Deletes {
    /// `None` until a row dies. May be longer than the segment has rows, so that it need not grow with every row.
    alive: Option<Arc<Bits>>,
    died: Vec<Option<Page>>,
    order: Vec<(Timestamp, u32)>,
    dead: usize,
}

/// Rows a reader sees, as far as deletes are concerned.
#[derive(Debug)]
pub(crate) struct Alive {
    pub(crate) bits: Arc<Bits>,
    pub(crate) count: usize,
}

impl Deletes {
    /// How many rows have died, at whatever time.
    pub(crate) fn dead(&self) -> usize {
        self.dead
    }

    /// The latest stamp at which a row died.
    pub(crate) fn last(&self) -> Timestamp {
        self.order.last().map_or(Timestamp::ZERO, |entry| entry.0)
    }

    /// Whether `row` has died at or before `at`.
    pub(crate) fn is_dead(&self, row: u32, at: Timestamp) -> bool {
        let died = self.died(row);
        died != Timestamp::MAX && died <= at
    }

    /// When `row` died; [`Timestamp::MAX`], which is no time to die, while it lives.
    fn died(&self, row: u32) -> Timestamp {
        let page = self.died.get(row as usize / PAGE_ROWS).and_then(Option::as_ref);
        page.map_or(Timestamp::MAX, |page| page[row as usize % PAGE_ROWS])
    }

    /// Lets rows, all below `rows`, die at their stamps; the earliest of several stamps counts. How many lived until now.
    pub(crate) fn kill(&mut self, dying: impl Iterator<Item = (u32, Timestamp)>, rows: usize) -> usize {
        let (mut last, mut in_order, mut count) = (self.last(), true, 0);
        for (row, stamp) in dying {
            let place = self.stamp_of(row);
            let before = *place;
            if stamp >= before {
                continue;
            }
            *place = stamp;
            self.order.push((stamp, row));
            in_order &= stamp >= last;
            last = last.max(stamp);
            if before == Timestamp::MAX {
                count += 1;
                Arc::make_mut(self.room(rows)).set(row as usize, false);
            }
        }
        if !in_order {
            // Stable, and quick where what there was and what came are each in order.
            self.order.sort_by_key(|entry| entry.0);
        }
        self.dead += count;
        count
    }

    fn stamp_of(&mut self, row: u32) -> &mut Timestamp {
        let page = row as usize / PAGE_ROWS;
        if self.died.len() <= page {
            self.died.resize_with(page + 1, || None);
        }
        let page = self.died[page].get_or_insert_with(|| Box::new([Timestamp::MAX; PAGE_ROWS]));
        &mut page[row as usize % PAGE_ROWS]
    }

    /// The alive-bits, at least `rows` of them.
    fn room(&mut self, rows: usize) -> &mut Arc<Bits> {
        let alive = self.alive.get_or_insert_with(|| Arc::new(Bits::ones(rows)));
        if alive.len() < rows {
            *alive = Arc::new(fit(alive, rows.next_power_of_two()));
        }
        alive
    }

    /// Which of the first `rows` rows had not died at `at`; `None` when all of them live.
    pub(crate) fn alive_at(&self, rows: usize, at: Timestamp) -> Option<Alive> {
        let alive = self.alive.as_ref()?;
        let later = self.order.partition_point(|entry| entry.0 <= at);
        if later == self.order.len() && alive.len() == rows {
            return Some(Alive { bits: Arc::clone(alive), count: rows - self.dead });
        }
        let mut bits = fit(alive, rows);
        for &(stamp, row) in &self.order[later..] {
            if (row as usize) < rows && self.died(row) == stamp {
                bits.set(row as usize, true);
            }
        }
        let count = bits.count();
        Some(Alive { bits: Arc::new(bits), count })
    }

    /// The rows that died at or before `up_to`.
    pub(crate) fn list(&self, up_to: Timestamp) -> DeleteList {
        let end = self.order.partition_point(|entry| entry.0 <= up_to);
        let valid = self.order[..end].iter().filter(|(stamp, row)| self.died(*row) == *stamp);
        DeleteList { entries: valid.map(|&(stamp, row)| (row, stamp)).collect() }
    }
}

/// `bits` cut, or filled up with ones, to `rows`.
fn fit(bits: &Bits, rows: usize) -> Bits {
    let words = rows.div_ceil(64);
    let mut fitted = bits.words()[..words.min(bits.words().len())].to_vec();
    if bits.len() < rows {
        if let Some(last) = fitted.last_mut()
            && !bits.len().is_multiple_of(64)
        {
            *last |= u64::MAX << (bits.len() % 64);
        }
        fitted.resize(words, u64::MAX);
    }
    Bits::from_words(rows, fitted)
}

/// Rows of one segment and when they died, sorted by stamp; each row at most once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeleteList {
    pub(crate) entries: Vec<(u32, Timestamp)>,
}

impl DeleteList {
    /// How many rows.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The latest stamp.
    pub fn max_stamp(&self) -> Timestamp {
        self.entries.last().map_or(Timestamp::ZERO, |entry| entry.1)
    }

    /// Writes it into file `name`; the file's size in bytes.
    ///
    /// # Errors
    /// [`Error::Store`] when the disk refuses or the name is taken.
    pub fn save(&self, blobs: &Blobs, name: &str) -> Result<u64, Error> {
        let rows: Vec<u8> = self.entries.iter().flat_map(|entry| entry.0.to_le_bytes()).collect();
        let stamps: Vec<u8> = self.entries.iter().flat_map(|entry| entry.1.0.to_le_bytes()).collect();
        let mut file = Writer::new(blobs.create(name)?, KIND, VERSION)?;
        file.section(ROWS, &[rows.into()])?;
        file.section(STAMPS, &[stamps.into()])?;
        Ok(file.finish()?)
    }

    /// Reads file `name`, which [`DeleteList::save`] has written.
    ///
    /// # Errors
    /// [`Error::Store`] when there is no such file, [`Error::Damaged`] when it is not what was written.
    pub fn open(blobs: &Blobs, name: &str) -> Result<Self, Error> {
        let file = Opened::open(blobs, name, KIND)?;
        let (rows, stamps) = (file.checked(ROWS)?, file.checked(STAMPS)?);
        let ((rows, rest), (stamps, stamps_rest)) = (rows.as_chunks::<4>(), stamps.as_chunks::<8>());
        if rows.len() != stamps.len() || !rest.is_empty() || !stamps_rest.is_empty() {
            let what = format!("there are {} rows and {} stamps", rows.len(), stamps.len());
            return Err(file.damaged(STAMPS, &what));
        }
        let stamps = stamps.iter().map(|stamp| Timestamp(u64::from_le_bytes(*stamp)));
        Ok(rows.iter().map(|row| u32::from_le_bytes(*row)).zip(stamps).collect())
    }

    /// Row numbers and when they died, by rising stamp.
    pub fn iter(&self) -> impl Iterator<Item = (u32, Timestamp)> {
        self.entries.iter().copied()
    }
}

impl FromIterator<(u32, Timestamp)> for DeleteList {
    fn from_iter<I: IntoIterator<Item = (u32, Timestamp)>>(entries: I) -> Self {
        let mut entries: Vec<_> = entries.into_iter().collect();
        entries.sort_unstable();
        entries.dedup_by_key(|entry| entry.0);
        entries.sort_unstable_by_key(|&(row, stamp)| (stamp, row));
        Self { entries }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_stamp_counts_whatever_the_order() {
        let mut deletes = Deletes::default();
        let mut kill = |row, stamp, rows| deletes.kill([(row, Timestamp(stamp))].into_iter(), rows);
        assert_eq!([kill(3, 20, 5), kill(3, 30, 5), kill(3, 10, 5), kill(7, 15, 90)], [1, 0, 0, 1]);
        let alive = |rows, at| deletes.alive_at(rows, Timestamp(at)).map(|alive| alive.count);
        assert_eq!(
            [alive(90, 9), alive(90, 10), alive(90, 14), alive(90, 15)].map(Option::unwrap),
            [90, 89, 89, 88]
        );
        assert_eq!(alive(300, 99), Some(298));
        assert_eq!(alive(2, 99), Some(2));
        assert_eq!(
            deletes.list(Timestamp::MAX).entries,
            [(3, Timestamp(10)), (7, Timestamp(15))],
            "the stale entry of row 3 is left out"
        );
        assert_eq!((deletes.dead(), deletes.last()), (2, Timestamp(20)));
    }

    #[test]
    fn a_list_keeps_each_row_once_with_its_earliest_stamp() {
        let list: DeleteList =
            [(4, 9), (1, 5), (4, 3)].map(|(row, stamp)| (row, Timestamp(stamp))).into_iter().collect();
        assert_eq!(list.entries, [(4, Timestamp(3)), (1, Timestamp(5))]);
        assert_eq!(list.max_stamp(), Timestamp(5));
    }
}
