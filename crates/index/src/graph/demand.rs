//! Which masks searches ask for most. Invariant: no more than [`PLACES`] masks are kept, and one that more than one in so many of the
//! latest searches ask for is among them.
//!
//! The counts are those of Misra and Gries ("Finding repeated elements", Science of Computer Programming 1982).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use simd::Bits;

/// Masks that are kept.
const PLACES: usize = 8;
/// A graph of `n` rows is worth it after `n / WORTH` searches. Linking a row takes about as long as one or two searches through lists
/// lose against one along a graph of their own; measured by the bench `filters`.
const WORTH: usize = 2;
/// A mask that has lost less than one row in so many is taken for the same: rows die.
const ALIKE: usize = 10;

#[derive(Debug)]
struct Asked {
    mask: Arc<Bits>,
    matching: usize,
    searches: usize,
}

/// What is asked for.
#[derive(Debug, Default)]
pub(crate) struct Demand {
    asked: Mutex<Vec<Asked>>,
}

impl Demand {
    fn asked(&self) -> MutexGuard<'_, Vec<Asked>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes so many searches among the `matching` rows of `mask`; not if another search is noted at this moment.
    pub(super) fn note(&self, mask: &Bits, matching: usize, searches: usize) {
        let mut asked = match self.asked.try_lock() {
            Ok(asked) => asked,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        let is_alike = |one: &Asked| {
            matching <= one.matching
                && matching >= one.matching - one.matching / ALIKE
                && one.mask.contains(mask)
        };
        if let Some(known) = asked.iter_mut().find(|one| is_alike(one)) {
            known.searches += searches;
            return;
        }
        // Who comes new pays with a search for each search of every other.
        let least = asked.iter().map(|one| one.searches).min().unwrap_or(0);
        let paid = if asked.len() < PLACES { 0 } else { searches.min(least) };
        asked.iter_mut().for_each(|one| one.searches -= paid);
        asked.retain(|one| one.searches > 0);
        if searches > paid && asked.len() < PLACES {
            asked.push(Asked { mask: Arc::new(mask.clone()), matching, searches: searches - paid });
        }
    }

    /// The mask most asked for of those that are worth a graph and for which there is room, as `has_room` says of how many rows it has
    /// and how often it was asked for.
    pub(super) fn strongest(&self, has_room: impl Fn(usize, usize) -> bool) -> Option<Arc<Bits>> {
        let asked = self.asked();
        let worth = asked
            .iter()
            .filter(|one| one.searches >= one.matching / WORTH && has_room(one.matching, one.searches));
        worth.max_by_key(|one| one.searches).map(|one| Arc::clone(&one.mask))
    }

    /// Forgets everything.
    pub(super) fn clear(&self) {
        self.asked().clear();
    }

    /// Begins anew to count searches for what is inside `mask`; how often the mask most asked for of these was.
    pub(crate) fn forget(&self, mask: &Bits) -> usize {
        let mut asked = self.asked();
        let inside = asked.extract_if(.., |one| mask.contains(&one.mask));
        inside.map(|one| one.searches).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every(step: usize) -> Bits {
        Bits::from_fn(1000, |row| row % step == 0)
    }

    #[test]
    fn what_is_asked_for_often_is_known_among_many() {
        let demand = Demand::default();
        let often = every(10);
        for turn in 0..400 {
            demand.note(&often, 100, 1);
            // Others, each only once.
            (0..4).for_each(|i| demand.note(&Bits::from_fn(1000, |row| row == (4 * turn + i) % 1000), 1, 1));
            assert!(demand.asked().len() <= PLACES);
        }
        assert_eq!(
            demand.strongest(|rows, searches| rows == 100 && searches <= 400).as_deref(),
            Some(&often)
        );
        assert!(demand.strongest(|rows, _| rows > 100).is_none(), "there is no room");
        let searches = demand.forget(&often);
        assert!((50..=400).contains(&searches), "{searches}");
        assert!(demand.strongest(|rows, _| rows == 100).is_none());
    }

    #[test]
    fn a_mask_that_loses_rows_stays_itself() {
        let demand = Demand::default();
        for dead in 0..60 {
            let mut mask = every(10);
            (0..dead / 6).for_each(|i| mask.set(100 * i, false));
            demand.note(&mask, mask.count(), 1);
        }
        assert!(demand.strongest(|rows, searches| (rows, searches) == (100, 60)).is_some());
        demand.note(&every(20), 50, 10);
        assert_eq!(demand.asked().len(), 2, "half of the rows are others");
    }
}
