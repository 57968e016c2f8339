//! What the steps of a search cost, by which a walk and a scan are compared. Invariant: nothing but the choice between the two
//! depends on it.

use simd::Lookups;

use super::visit;
use crate::shares::{LOOKED_AT, SHARE_WHOLE};

/// What the steps of a search of one graph cost, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Costs {
    /// To score the code of a row, of many with gaps between them.
    pub row_ns: f32,
    /// To follow a row on a walk: its links are read, and the rows scored that are new.
    pub node_ns: f32,
    /// To read the links of a row that is not scored itself.
    pub list_ns: f32,
    /// To make a query ready for the lists beside a graph, and to rank them.
    pub begin_ns: f32,
    /// To look at a block of 32 rows of a list.
    pub block_ns: f32,
    /// To look at 32 rows of a list of which two match.
    pub few_ns: f32,
    /// Whether these are of this machine and this graph; otherwise they only stand in the usual proportion.
    pub is_measured: bool,
}

/// Rows that a walk follows, of those it is asked to keep, on average.
const FOLLOWED: f32 = 1.25;

/// Lists of links that a walk must read for a row that it follows, until it has half as many rows as a row has links: half of all
/// links lead to rows that were seen. (Counted in the bench `filters`.)
pub(super) fn lists(matching: usize, rows: usize) -> f32 {
    1.6 * rows as f32 / matching.max(1) as f32
}

impl Default for Costs {
    /// The proportions measured by the bench `filters` on its three sets, with rows of 128 to 784 elements.
    fn default() -> Self {
        Self {
            row_ns: 30.0,
            node_ns: 2200.0,
            list_ns: 45.0,
            begin_ns: 15_000.0,
            block_ns: 90.0,
            few_ns: 45.0,
            is_measured: false,
        }
    }
}

impl Costs {
    /// To look at 32 rows of a list of which this share matches: between what was measured for few and for all.
    fn block_ns(&self, share: f32) -> f32 {
        let [few, many] = [2, visit::SPARSE].map(|count| count as f32 / Lookups::ROWS as f32);
        let part = ((share - few) / (many - few)).clamp(0.0, 1.0);
        self.few_ns + part * (self.block_ns - self.few_ns).max(0.0)
    }

    /// How to begin a search that keeps `ef` of `matching` among `rows` rows.
    pub(super) fn choice(&self, (ef, matching, rows): (usize, usize, usize), beside: Beside) -> Choice {
        let scan = matching as f32 * self.row_ns;
        let share = matching as f32 / rows as f32;
        let wanted = LOOKED_AT * ef as f32;
        // What a block costs, and how many rows are scored by their codes.
        let (block_ns, scored) = match beside {
            Beside::Nothing => {
                let walk = FOLLOWED * ef as f32 * (self.node_ns + lists(matching, rows) * self.list_ns);
                return if walk >= scan { Choice::Scan } else { Choice::Links };
            }
            Beside::Bits => (self.block_ns(share), (2 * ef) as f32),
            Beside::Numbers => (self.few_ns, wanted),
        };
        let looked_at = (wanted / share).min(rows as f32);
        let visit = self.begin_ns + looked_at / Lookups::ROWS as f32 * block_ns + scored * self.row_ns;
        match scan <= visit {
            true => Choice::Scan,
            false if share >= SHARE_WHOLE => Choice::Whole,
            false => Choice::Lists,
        }
    }
}

/// What lists there are beside a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beside {
    Nothing,
    /// With a bit an element of every row.
    Bits,
    /// Of numbers alone.
    Numbers,
}

/// How a search among the rows of a mask begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    /// It looks at the codes of all of them.
    Scan,
    /// It looks at those in the lists nearest to the query.
    Lists,
    /// It walks from one of them to others.
    Links,
    /// It walks among all rows.
    Whole,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_rows_are_scanned_and_many_are_walked_among() {
        let costs = Costs::default();
        let scans = |ef, matching| costs.choice((ef, matching, 100_000), Beside::Nothing) == Choice::Scan;
        assert!(scans(64, 1) && scans(64, 1000) && !scans(64, 50_000) && scans(1000, 50_000));
        let slow_rows = Costs { row_ns: 300.0, ..costs };
        assert!(scans(64, 5000) && slow_rows.choice((64, 5000, 100_000), Beside::Nothing) == Choice::Links);
        // More rows never make a scan the better choice again.
        for beside in [Beside::Bits, Beside::Numbers] {
            let with_lists = |matching| costs.choice((64, matching, 100_000), beside);
            assert_eq!(
                [100, 10_000, 30_000, 90_000].map(with_lists),
                [Choice::Scan, Choice::Lists, Choice::Lists, Choice::Whole]
            );
        }
        let mut walks = false;
        for matching in (0..100_000).step_by(500) {
            assert!(!(walks && scans(64, matching)), "{matching}");
            walks |= !scans(64, matching);
        }
    }
}
