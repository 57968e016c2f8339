//! Unpacked blocks of columns that lie compressed in their files, kept for the next filter. Invariant: the bytes of what is
//! kept never exceed the share given to it, and all of them are taken out of the memory budget.

use data::Column;
use host::{Budget, Ticket};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Of blocks that find no room, one in so many makes some: a scan over more than there is room for would otherwise drive out
/// each block before it is asked for again.
const ADMIT_ONE_IN: u64 = 8;

/// The number of a packed column and the first row of a block; or a frame of its, counted from the largest number down.
type BlockKey = (u64, usize);

/// Blocks of any number of segments.
#[derive(Debug)]
pub struct BlockCache {
    budget: Budget,
    bytes_max: u64,
    blocks: Mutex<Blocks>,
}

#[derive(Debug, Default)]
struct Blocks {
    by_key: HashMap<BlockKey, Kept>,
    /// In the order of admission; may name blocks that are gone.
    order: VecDeque<BlockKey>,
    bytes: u64,
    turned_away: u64,
}

#[derive(Debug)]
struct Kept {
    column: Arc<Column>,
    is_used: bool,
    ticket: Ticket,
}

impl BlockCache {
    /// Room for `bytes_max` bytes, as long as `budget` has them.
    pub fn new(budget: Budget, bytes_max: u64) -> Self {
        Self { budget, bytes_max, blocks: Mutex::default() }
    }

    fn blocks(&self) -> MutexGuard<'_, Blocks> {
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many bytes are kept.
    pub fn bytes(&self) -> u64 {
        self.blocks().bytes
    }

    /// Lets everything go.
    pub fn clear(&self) {
        *self.blocks() = Blocks::default();
    }

    pub(crate) fn get(&self, key: BlockKey) -> Option<Arc<Column>> {
        let mut blocks = self.blocks();
        let kept = blocks.by_key.get_mut(&key)?;
        kept.is_used = true;
        Some(Arc::clone(&kept.column))
    }

    pub(crate) fn put(&self, key: BlockKey, column: &Arc<Column>) {
        let bytes = column.bytes() as u64;
        let mut blocks = self.blocks();
        if bytes > self.bytes_max || blocks.by_key.contains_key(&key) {
            return;
        }
        if blocks.bytes + bytes > self.bytes_max {
            blocks.turned_away += 1;
            if !blocks.turned_away.is_multiple_of(ADMIT_ONE_IN) {
                return;
            }
        }
        while blocks.bytes + bytes > self.bytes_max && blocks.evict() {}
        let Ok(ticket) = self.budget.take(bytes) else { return };
        blocks.bytes += bytes;
        blocks.order.push_back(key);
        blocks.by_key.insert(key, Kept { column: Arc::clone(column), is_used: false, ticket });
    }

    /// Lets the blocks of a column go.
    pub(crate) fn forget(&self, number: u64) {
        let mut blocks = self.blocks();
        blocks.by_key.retain(|key, _| key.0 != number);
        blocks.order.retain(|key| key.0 != number);
        blocks.bytes = blocks.by_key.values().map(|kept| kept.ticket.bytes()).sum();
    }
}

impl Blocks {
    /// Lets one block go that was not used since it was last looked at; whether there was any.
    fn evict(&mut self) -> bool {
        while let Some(key) = self.order.pop_front() {
            match self.by_key.get_mut(&key) {
                Some(kept) if kept.is_used => {
                    kept.is_used = false;
                    self.order.push_back(key);
                }
                Some(_) => {
                    self.bytes -= self.by_key.remove(&key).map_or(0, |kept| kept.ticket.bytes());
                    return true;
                }
                None => {}
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_stays_within_its_share_and_the_budget() {
        let budget = Budget::new(100_000);
        let cache = BlockCache::new(budget.clone(), 8 * 80);
        let block = |first: i64| Arc::new(Column::from_ints((first..first + 10).collect()));
        for place in 0..200_usize {
            cache.put((place as u64 % 3, place), &block(place as i64));
            assert!(cache.bytes() <= 640 && budget.used_bytes() == cache.bytes());
            if let Some(found) = cache.get((place as u64 % 3, place)) {
                assert_eq!(*found, *block(place as i64));
            }
        }
        assert_eq!(cache.bytes(), 640);
        cache.forget(0);
        cache.forget(1);
        cache.forget(2);
        assert_eq!((cache.bytes(), budget.used_bytes()), (0, 0));
        let full = budget.take(100_000).unwrap();
        cache.put((1, 1), &block(1));
        assert_eq!(cache.bytes(), 0);
        drop(full);
    }
}
