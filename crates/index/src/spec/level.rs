//! The effort of a search of AUTOINDEX: a level from 1 to 10 instead of a parameter of the kind that was built. Invariant: a higher level never
//! does less, and none keeps fewer candidates than results are asked for.
//!
//! What a level means was read off curves of recall against effort, measured on four sets of real vectors; `cargo bench -p index --bench table --
//! levels mnist|sift|arxiv|chem` prints what each finds, docs/decisions/0470 keeps it.

use super::param::{Param, Phase};
use super::table::Kind;

/// What an index of this kind is asked for.
pub(super) const LEVEL: Param = Param::whole(
    "level",
    Phase::Search,
    1,
    1,
    LEVELS as i64,
    "How much a search of AUTOINDEX does: more finds more. The kind's own parameter, if given, counts instead.",
);

const LEVELS: usize = 10;
/// Candidates of a graph at least.
const LEAST: usize = 16;
/// Candidates of a graph beyond the results, where ten are asked for.
const BEYOND: [usize; LEVELS] = [0, 10, 14, 22, 30, 46, 70, 110, 190, 350];
/// Results for which so many beyond them are enough; of more results the last are harder to find: twice as many for 110 more.
const SCALE: usize = 110;
/// Lists that are looked at.
const LISTS: [usize; LEVELS] = [8, 12, 16, 24, 32, 48, 64, 96, 128, 256];

/// The parameter of `kind` that says how much a search does, and its value at a level for `k` results; `None` of kinds that find all there is.
pub(super) fn effort(kind: Kind, level: usize, k: usize) -> Option<(&'static str, usize)> {
    let at = level.clamp(1, LEVELS) - 1;
    match kind {
        Kind::Hnsw => {
            let beyond = BEYOND[at].saturating_mul(k.saturating_add(SCALE - 10)) / SCALE;
            Some(("ef", k.saturating_add(beyond).max(LEAST)))
        }
        Kind::BinIvfFlat => Some(("nprobe", LISTS[at])),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_rise() {
        for k in [1, 10, 100, 16_384] {
            let efforts = (1..=LEVELS).map(|level| effort(Kind::Hnsw, level, k).expect("a graph").1);
            let efforts: Vec<usize> = efforts.collect();
            assert!(efforts.is_sorted() && efforts[0] >= k && efforts[0] < efforts[9], "{efforts:?}");
            // Nobody who leaves the level out gets less than the first.
            assert_eq!(efforts[0], k.max(LEAST));
        }
        assert_eq!(effort(Kind::Hnsw, 5, 10), Some(("ef", 40)));
        assert!(LISTS.is_sorted());
        assert_eq!(effort(Kind::SparseInvertedIndex, 5, 10), None);
    }
}
