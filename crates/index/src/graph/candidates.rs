//! What a walk knows of and may follow. Invariant: sorted, nearest first, each row at most once; entries are
//! `order(score, row * 2 + followed)`.
//!
//! A walk that keeps few has them in one array. One that keeps thousands has them on shelves, or most of its time would go into
//! moving what lies behind a newcomer.

use super::beam::row_of;

/// The candidates of a walk.
pub(super) trait Candidates {
    /// The entry at a place; what no entry is below where there are fewer.
    fn limit(&self, place: usize) -> u64;

    /// Marks the nearest of the first `near` that is not followed yet, and gives it.
    fn choose(&mut self, near: usize) -> Option<u64>;

    /// Puts the entry `old`, which is followed, where it belongs as `new`, which is too, if it is there still.
    fn settle(&mut self, old: u64, new: u64);

    /// Takes in new entries, none of them followed, and leaves the nearest `most`; `lost` is told of the rows that are not among them
    /// and were not followed.
    fn take_in(&mut self, new: &mut Vec<u64>, most: usize, lost: impl FnMut(u32));
}

/// Who keeps more than this keeps them on shelves.
pub(super) const SHELVED: usize = 640;
/// Arrays longer than this are moved in runs.
const LONG: usize = 64;

/// All in one array.
#[derive(Debug, Default)]
pub(super) struct Flat {
    pub(super) entries: Vec<u64>,
    /// Those before are followed.
    next: usize,
}

impl Flat {
    /// Of sorted entries that are not followed yet.
    pub(super) fn new(entries: Vec<u64>) -> Self {
        Self { entries, next: 0 }
    }

    /// Takes new entries in; what lies between their places is moved in one go each.
    #[inline(never)]
    fn take_in_runs(&mut self, new: &mut Vec<u64>, most: usize, lost: impl FnMut(u32)) {
        let Self { entries, next } = self;
        new.sort_unstable();
        let mut old = entries.len();
        entries.extend_from_slice(new);
        for (before, entry) in new.drain(..).enumerate().rev() {
            let place = entries[..old].partition_point(|other| *other < entry);
            entries.copy_within(place..old, place + before + 1);
            entries[place + before] = entry;
            old = place;
        }
        leave(entries, most, lost);
        *next = old.min(*next);
    }
}

impl Candidates for Flat {
    #[inline]
    fn limit(&self, place: usize) -> u64 {
        self.entries.get(place).copied().unwrap_or(u64::MAX)
    }

    #[inline]
    fn choose(&mut self, near: usize) -> Option<u64> {
        let near = near.min(self.entries.len());
        let entries = &mut self.entries[..near];
        while entries.get(self.next).is_some_and(|entry| entry & 1 == 1) {
            self.next += 1;
        }
        let entry = entries.get_mut(self.next)?;
        *entry |= 1;
        Some(*entry)
    }

    #[inline]
    fn settle(&mut self, old: u64, new: u64) {
        let Self { entries, next } = self;
        let from = entries.partition_point(|entry| *entry < old);
        if entries.get(from) != Some(&old) {
            return;
        }
        if new > old {
            let to = from + entries[from..].partition_point(|entry| *entry < new);
            entries.copy_within(from + 1..to, from);
            entries[to - 1] = new;
            // What stood between stands one place lower.
            *next -= usize::from(from < *next && *next < to);
        } else {
            let to = entries[..from].partition_point(|entry| *entry < new);
            entries.copy_within(to..from, to + 1);
            entries[to] = new;
        }
    }

    #[inline(always)]
    fn take_in(&mut self, new: &mut Vec<u64>, most: usize, lost: impl FnMut(u32)) {
        if new.is_empty() {
            return;
        }
        if self.entries.len() > LONG {
            return self.take_in_runs(new, most, lost);
        }
        let Self { entries, next } = self;
        new.sort_unstable();
        let mut old = entries.len();
        entries.extend_from_slice(new);
        let mut to = entries.len();
        let mut lowest = to;
        while let Some(entry) = new.last() {
            to -= 1;
            match old.checked_sub(1) {
                Some(last) if entries[last] > *entry => {
                    entries[to] = entries[last];
                    old = last;
                }
                _ => {
                    entries[to] = *entry;
                    lowest = to;
                    new.pop();
                }
            }
        }
        leave(entries, most, lost);
        *next = lowest.min(*next);
    }
}

/// Leaves the nearest `most`, and says which of the others were not followed.
#[inline]
fn leave(entries: &mut Vec<u64>, most: usize, mut lost: impl FnMut(u32)) {
    for entry in entries.drain(most.min(entries.len())..) {
        if entry & 1 == 0 {
            lost(row_of(entry));
        }
    }
}

/// Entries on one shelf at most; then it becomes two.
const SHELF: usize = 256;

/// On shelves, one after the other.
#[derive(Debug, Default)]
pub(super) struct Shelved {
    shelves: Vec<Shelf>,
    /// The last entry of each.
    lasts: Vec<u64>,
    len: usize,
    /// Shelves that are not in use.
    spare: Vec<Shelf>,
}

#[derive(Debug, Default)]
struct Shelf {
    /// One at least.
    entries: Vec<u64>,
    /// Those before are followed.
    next: usize,
}

impl Shelved {
    /// Of sorted entries that are not followed yet, which it takes; whatever was there is forgotten.
    pub(super) fn fill(&mut self, entries: &mut Vec<u64>) {
        self.spare.append(&mut self.shelves);
        self.lasts.clear();
        self.len = 0;
        entries.drain(..).for_each(|entry| self.insert(entry));
    }

    /// All of them.
    pub(super) fn append_to(&self, entries: &mut Vec<u64>) {
        self.shelves.iter().for_each(|shelf| entries.extend_from_slice(&shelf.entries));
    }

    /// Puts an entry in its place.
    fn insert(&mut self, entry: u64) {
        if self.shelves.is_empty() {
            let shelf = self.empty();
            self.shelves.push(shelf);
            self.lasts.push(entry);
        }
        let i = self.lasts.partition_point(|last| *last < entry).min(self.shelves.len() - 1);
        let shelf = &mut self.shelves[i];
        let place = shelf.entries.partition_point(|other| *other < entry);
        shelf.entries.insert(place, entry);
        if place < shelf.next {
            // One that is followed moves those on that are.
            shelf.next = if entry & 1 == 1 { shelf.next + 1 } else { place };
        }
        self.lasts[i] = self.lasts[i].max(entry);
        self.len += 1;
        if self.shelves[i].entries.len() == SHELF {
            self.split(i);
        }
    }

    /// An empty shelf.
    fn empty(&mut self) -> Shelf {
        let mut shelf = self.spare.pop().unwrap_or_default();
        shelf.entries.clear();
        shelf.next = 0;
        shelf
    }

    /// Puts the farther half of shelf `i` on one of its own.
    fn split(&mut self, i: usize) {
        let mut farther = self.empty();
        let shelf = &mut self.shelves[i];
        farther.entries.extend(shelf.entries.drain(SHELF / 2..));
        farther.next = shelf.next.saturating_sub(SHELF / 2);
        shelf.next = shelf.next.min(SHELF / 2);
        // What was last is so still.
        self.lasts.insert(i, shelf.entries[SHELF / 2 - 1]);
        self.shelves.insert(i + 1, farther);
    }

    /// Takes the entry at a place of shelf `i` away.
    fn remove(&mut self, i: usize, place: usize) -> u64 {
        let shelf = &mut self.shelves[i];
        let entry = shelf.entries.remove(place);
        shelf.next -= usize::from(place < shelf.next);
        self.len -= 1;
        match shelf.entries.last() {
            Some(last) => self.lasts[i] = *last,
            None => {
                self.lasts.remove(i);
                self.spare.push(self.shelves.remove(i));
            }
        }
        entry
    }
}

impl Candidates for Shelved {
    fn limit(&self, place: usize) -> u64 {
        // The place is nearer to the end than to the beginning.
        let mut end = self.len;
        for shelf in self.shelves.iter().rev() {
            let start = end - shelf.entries.len();
            if (start..end).contains(&place) {
                return shelf.entries[place - start];
            }
            end = start;
        }
        u64::MAX
    }

    fn choose(&mut self, near: usize) -> Option<u64> {
        let mut before = 0;
        for shelf in self.shelves.iter_mut().take_while(|_| near > 0) {
            let Shelf { entries, next } = shelf;
            while entries.get(*next).is_some_and(|entry| entry & 1 == 1) {
                *next += 1;
            }
            if before + *next >= near {
                return None;
            }
            if let Some(entry) = entries.get_mut(*next) {
                *entry |= 1;
                return Some(*entry);
            }
            before += entries.len();
        }
        None
    }

    fn settle(&mut self, old: u64, new: u64) {
        let i = self.lasts.partition_point(|last| *last < old);
        let Some(shelf) = self.shelves.get(i) else { return };
        if let Ok(place) = shelf.entries.binary_search(&old) {
            self.remove(i, place);
            self.insert(new);
        }
    }

    fn take_in(&mut self, new: &mut Vec<u64>, most: usize, mut lost: impl FnMut(u32)) {
        new.drain(..).for_each(|entry| self.insert(entry));
        while self.len > most {
            let i = self.shelves.len() - 1;
            let entry = self.remove(i, self.shelves[i].entries.len() - 1);
            if entry & 1 == 0 {
                lost(row_of(entry));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use host::Rng;

    use super::*;

    /// The same by the plainest means.
    fn plain(entries: &mut Vec<u64>, new: &[u64], most: usize) -> Vec<u32> {
        entries.extend_from_slice(new);
        entries.sort_unstable();
        let out = entries.split_off(most.min(entries.len()));
        out.into_iter().filter(|entry| entry & 1 == 0).map(row_of).collect()
    }

    fn sorted(mut rows: Vec<u32>) -> Vec<u32> {
        rows.sort_unstable();
        rows
    }

    /// Takes entries in, follows and settles them in both kinds and by plain means, until there is nothing to follow.
    fn walk(rng: &mut Rng, most: usize) {
        let mut row = 0;
        let mut entry = |rng: &mut Rng| {
            row += 1;
            rng.below(500) << 32 | row << 1
        };
        let mut plainly: Vec<u64> = (0..rng.below(5)).map(|_| entry(rng)).collect();
        plainly.sort_unstable();
        let mut flat = Flat::new(plainly.clone());
        let mut shelved = Shelved::default();
        shelved.fill(&mut vec![7, 9]);
        shelved.fill(&mut plainly.clone());
        for _ in 0..4 * most {
            let new: Vec<u64> = (0..rng.below(8)).map(|_| entry(rng)).collect();
            let mut lost = [Vec::new(), Vec::new()];
            flat.take_in(&mut new.clone(), most, |row| lost[0].push(row));
            shelved.take_in(&mut new.clone(), most, |row| lost[1].push(row));
            let want = sorted(plain(&mut plainly, &new, most));
            lost.into_iter().for_each(|lost| assert_eq!(sorted(lost), want));
            let near = if rng.below(9) == 0 { 0 } else { most * 4 / 5 };
            let place = plainly.iter().take(near).position(|entry| entry & 1 == 0);
            let want = place.map(|place| plainly[place] | 1);
            assert_eq!((flat.choose(near), shelved.choose(near)), (want, want));
            if let (Some(place), Some(old)) = (place, want) {
                // Now and then it is gone meanwhile; where it comes from it may stay, too.
                let moved = rng.below(3) > 0;
                let new = if moved { rng.below(500) << 32 | old & u64::from(u32::MAX) } else { old };
                plainly[place] = new;
                plainly.sort_unstable();
                flat.settle(old, new);
                shelved.settle(old, new);
                flat.settle(u64::MAX, 1);
                shelved.settle(u64::MAX, 1);
            }
            let mut all = Vec::new();
            shelved.append_to(&mut all);
            assert_eq!((&flat.entries, &all), (&plainly, &plainly));
            for place in [0, near, most - 1, most] {
                let want = plainly.get(place).copied().unwrap_or(u64::MAX);
                assert_eq!((flat.limit(place), shelved.limit(place)), (want, want));
            }
        }
    }

    #[test]
    fn both_kinds_do_as_a_sorted_list() {
        let mut rng = Rng::new(1);
        for most in [1, 2, 7, 40, 250, 257, 900] {
            walk(&mut rng, most);
        }
    }
}
