//! What the steps of a search cost, by which a walk and a scan are compared. Invariant: nothing but the choice between the two
//! depends on it.

/// What the steps of a search of one graph cost, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Costs {
    /// To score the code of a row, of many with gaps between them.
    pub row_ns: f32,
    /// To follow a row on a walk: its links are read, and the rows scored that are new.
    pub node_ns: f32,
    /// To read the links of a row that is not scored itself.
    pub list_ns: f32,
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
        Self { row_ns: 30.0, node_ns: 2200.0, list_ns: 45.0, is_measured: false }
    }
}

impl Costs {
    /// Whether looking at the codes of all rows that match is cheaper than a walk that keeps `ef` of them.
    pub(super) fn prefer_scan(&self, ef: usize, matching: usize, rows: usize) -> bool {
        let walk = FOLLOWED * ef as f32 * (self.node_ns + lists(matching, rows) * self.list_ns);
        walk >= matching as f32 * self.row_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_rows_are_scanned_and_many_are_walked_among() {
        let costs = Costs::default();
        let scans = |ef, matching| costs.prefer_scan(ef, matching, 100_000);
        assert!(scans(64, 1) && scans(64, 1000) && !scans(64, 50_000) && scans(1000, 50_000));
        let slow_rows = Costs { row_ns: 300.0, ..costs };
        assert!(scans(64, 5000) && !slow_rows.prefer_scan(64, 5000, 100_000));
        // More rows never make a scan the better choice again.
        let mut walks = false;
        for matching in (0..100_000).step_by(500) {
            assert!(!(walks && scans(64, matching)), "{matching}");
            walks |= !scans(64, matching);
        }
    }
}
