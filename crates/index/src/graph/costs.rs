//! What the steps of a search cost, by which a walk and a scan are compared. Invariant: nothing but the choice between the two
//! depends on it.

use simd::{Bits, Lookups};

use super::among;
use super::beam::{Beam, Neighbours};
use super::search::{Listed, SAMPLES, TURNS, Walk};
use super::visit::{self, Visit};
use crate::codec::{Codes, Reach};
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

impl<C: Codes> Walk<'_, C> {
    /// Measures some walks, some rows one by one and some lists, a few times, and takes the least of each: the first time all
    /// comes from far away. The rows are more than the nearer caches hold, as those of a filter are that is asked for often.
    /// `None` where time stands still.
    pub(super) fn costs(&self, now_ns: &dyn Fn() -> u64) -> Option<Costs> {
        const EF: usize = 32;
        const ROWS: usize = 2048;
        const GAP: usize = 17;
        let rows = self.codes.len();
        let (mut probe, mut beam, mut scores) = (self.codes.probe(), Beam::default(), Vec::new());
        let mut least = [f32::INFINITY; 3];
        let some: Vec<u32> = (0..ROWS).map(|i| (i * GAP % rows) as u32).collect();
        for turn in 0..TURNS {
            let samples: Vec<usize> = self.samples(turn).take(SAMPLES / 4).collect();
            let mut sum = 0;
            let starts = [
                now_ns(),
                {
                    samples.iter().for_each(|row| self.walk_from(*row, EF, &mut probe, &mut beam));
                    now_ns()
                },
                {
                    self.codes.scores(&probe, &some, Reach::Scattered, &mut scores);
                    now_ns()
                },
                {
                    let from = turn * rows / TURNS;
                    let list = |i: usize| ((from + i * GAP * GAP) % rows) as u32;
                    for i in 0..ROWS {
                        self.graph.links().prefetch(list(i + among::AHEAD));
                        self.graph.links().each(list(i), |near| sum ^= near);
                    }
                    now_ns()
                },
            ];
            // What was read is used, so that it is read.
            scores.push(sum as f32);
            let counts = [samples.len() * EF, ROWS, ROWS];
            for (least, (pair, count)) in least.iter_mut().zip(starts.windows(2).zip(counts)) {
                *least = least.min(pair[1].saturating_sub(pair[0]) as f32 / count.max(1) as f32);
            }
        }
        let [node_ns, row_ns, list_ns] = least;
        let [begin_ns, block_ns, few_ns] = self.list_costs(&mut beam, now_ns);
        let is_measured = row_ns > 0.0 && node_ns > row_ns && list_ns > 0.0;
        is_measured.then_some(Costs { row_ns, node_ns, list_ns, begin_ns, block_ns, few_ns, is_measured })
    }

    /// The same of searches through lists: what they cost before they look at rows, and for each block where all match or few.
    fn list_costs(&self, beam: &mut Beam, now_ns: &dyn Fn() -> u64) -> [f32; 3] {
        const SHORT: usize = 256;
        const LONG: usize = 4096;
        const FEW: usize = Lookups::ROWS / 2;
        let Costs { begin_ns, block_ns, few_ns, .. } = Costs::default();
        let lists = match &self.graph.listed {
            Listed::Bits(lists) => lists,
            Listed::Numbers(shares) => {
                let turn = |_| {
                    let start = now_ns();
                    let samples = self.samples(0).take(SAMPLES / 4);
                    let queries = self.refiner.vectors;
                    let each = |row| beam.visit.aim((&shares.0, &shares.1), queries, row);
                    let count = samples.map(each).count().max(1);
                    now_ns().saturating_sub(start) as f32 / count as f32
                };
                let begin_ns = (0..TURNS).map(turn).fold(f32::INFINITY, f32::min);
                return [begin_ns, block_ns, few_ns];
            }
            Listed::Not => return [begin_ns, block_ns, few_ns],
        };
        let (aim, (lists, space)) = (&mut beam.list_aim, &**lists);
        let rows = self.codes.len();
        let masks = [Bits::ones(rows), Bits::from_fn(rows, |row| row % FEW == 0)];
        let steps = [(0, SHORT), (0, LONG), (1, SHORT / FEW), (1, LONG / FEW)];
        let (mut least, mut blocks, mut found) = ([f32::INFINITY; 4], [0.0; 4], Vec::new());
        // Always the same lists, as the rows above are the same: the first time they come from far away.
        for _ in 0..TURNS {
            for (i, (mask, matching)) in steps.into_iter().enumerate() {
                let visit = Visit { keep: SHORT, judged: SHORT, late: -1.0, matching };
                let (start, mut count) = (now_ns(), 0);
                for row in self.samples(0).take(SAMPLES / 4) {
                    aim.aim(lists, space, self.refiner.vectors, row);
                    count += aim.search((lists, space), (&masks[mask], visit), &mut found);
                }
                let share = 1.0 / (SAMPLES / 4).min(rows) as f32;
                least[i] = least[i].min(now_ns().saturating_sub(start) as f32 * share);
                blocks[i] = count as f32 * share;
            }
        }
        let each = |i: usize| ((least[i + 1] - least[i]) / (blocks[i + 1] - blocks[i]).max(1.0)).max(1.0);
        let [block_ns, few_ns] = [each(0), each(2)];
        [(least[2] - blocks[2] * few_ns).max(0.0), block_ns, few_ns]
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
