//! Moments that iterations come back to. Invariant: a merge forgets nothing that a held moment can see; a hold that nobody
//! renews ends, so that nobody can keep the dead for ever.

use data::{CollectionId, Timestamp};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How long a moment is held after it was last read.
const HOLD_MS: u64 = 600_000;
/// The most moments held at once; the one that was read longest ago goes first.
const HOLDS_MAX: usize = 1_000;

/// The moments held.
#[derive(Debug, Default)]
pub(crate) struct Holds {
    /// Until when each is held, in the clock's milliseconds.
    until_ms: Mutex<BTreeMap<(CollectionId, Timestamp), u64>>,
}

impl Holds {
    fn until_ms(&self) -> MutexGuard<'_, BTreeMap<(CollectionId, Timestamp), u64>> {
        self.until_ms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a moment and holds it; no merge begins in between.
    pub(crate) fn hold<E>(
        &self,
        collection: CollectionId,
        now_ms: u64,
        moment: impl FnOnce() -> Result<Timestamp, E>,
    ) -> Result<Timestamp, E> {
        let mut until_ms = self.until_ms();
        let moment = moment()?;
        until_ms.insert((collection, moment), now_ms + HOLD_MS);
        while until_ms.len() > HOLDS_MAX {
            let oldest = until_ms.iter().min_by_key(|(_, until)| **until).map(|(key, _)| *key);
            oldest.and_then(|key| until_ms.remove(&key));
        }
        Ok(moment)
    }

    /// The latest moment up to which `collection` may forget its dead: `forget`, or earlier.
    pub(crate) fn bound(
        &self,
        collection: CollectionId,
        now_ms: u64,
        forget: impl FnOnce() -> Timestamp,
    ) -> Timestamp {
        let mut until_ms = self.until_ms();
        until_ms.retain(|_, until| *until > now_ms);
        let held = until_ms.keys().filter(|(id, _)| *id == collection).map(|(_, moment)| *moment).min();
        held.unwrap_or(Timestamp::MAX).min(forget())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_moment_bounds_what_is_forgotten_until_it_ends() {
        let holds = Holds::default();
        let (id, other) = (CollectionId(1), CollectionId(2));
        let held = holds.hold(id, 1_000, || Ok::<_, ()>(Timestamp(50)));
        assert_eq!(held, Ok(Timestamp(50)));
        assert_eq!(holds.bound(id, 2_000, || Timestamp(90)), Timestamp(50));
        assert_eq!(holds.bound(id, 2_000, || Timestamp(40)), Timestamp(40));
        assert_eq!(holds.bound(other, 2_000, || Timestamp(90)), Timestamp(90));
        assert_eq!(holds.bound(id, 1_000 + HOLD_MS, || Timestamp(90)), Timestamp(90));
    }

    #[test]
    fn holds_are_bounded() {
        let holds = Holds::default();
        for n in 0..2 * HOLDS_MAX as u64 {
            assert!(holds.hold(CollectionId(1), n, || Ok::<_, ()>(Timestamp(n))).is_ok());
        }
        assert_eq!(holds.until_ms().len(), HOLDS_MAX);
        assert_eq!(holds.bound(CollectionId(1), 0, || Timestamp::MAX), Timestamp(HOLDS_MAX as u64));
    }
}
