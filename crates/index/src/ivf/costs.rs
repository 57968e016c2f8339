//! What the steps of a search of lists cost, about, in nanoseconds. Invariant: nothing but choices between ways that find the same
//! depends on it.
//!
//! Measured by the bench `filters` on rows of 784 elements; proportions are what counts.

/// What a step costs, and each byte of it.
#[derive(Debug, Clone, Copy)]
struct Step(f32, f32);

impl Step {
    fn of(self, bytes: usize) -> f32 {
        self.0 + self.1 * bytes as f32
    }
}

/// Measuring one of many rows in rising order, and one from anywhere.
const RISING: Step = Step(25.0, 1.0 / 60.0);
const ANYWHERE: Step = Step(50.0, 1.0 / 16.0);
/// Scoring a code by itself.
const CODE: Step = Step(15.0, 0.08);
/// Scoring a row in two planes by itself, and as one of a list; bytes are those of both planes.
const PLANED: Step = Step(30.0, 0.12);
const STREAMED: Step = Step(0.0, 0.03);
/// Scoring a block of codes.
const BLOCK: Step = Step(0.0, 0.07);
/// Ranking a list.
const RANKED: Step = Step(0.0, 0.025);
/// How many times what a search without a mask costs is fine for measuring all rows that match.
const FINE: f32 = 1.2;

/// How a list's rows lie, and how many bytes are looked at of one, or of a block.
#[derive(Debug, Clone, Copy)]
pub(super) enum Layout {
    /// One by one.
    Rows(usize),
    /// In two planes.
    Planes(usize),
    /// In blocks of so many rows.
    Blocks(usize, usize),
}

/// The costs of one index.
#[derive(Debug, Clone, Copy)]
pub(super) struct Costs {
    pub(super) layout: Layout,
    /// Bytes of a row itself, and of a centroid.
    pub(super) row_bytes: usize,
    pub(super) centroid_bytes: usize,
    /// Whether rows can be measured in the place of being scored, and their scores be mixed: those by codes are about what
    /// [`level`](super::search) makes of exact ones, but not these themselves.
    pub(super) is_coarse: bool,
}

impl Costs {
    /// Looking at a list of `rows` of which some match.
    pub(super) fn look_ns(&self, rows: usize, matching: usize) -> f32 {
        match self.layout {
            Layout::Rows(bytes) => matching as f32 * CODE.of(bytes),
            Layout::Planes(bytes) => {
                (rows as f32 * STREAMED.of(bytes)).min(matching as f32 * PLANED.of(bytes))
            }
            Layout::Blocks(each, bytes) => rows.div_ceil(each).min(matching) as f32 * BLOCK.of(bytes),
        }
    }

    /// Whether measuring the rows of a list that match costs less than scoring them.
    pub(super) fn measures(&self, rows: usize, matching: usize) -> bool {
        self.is_coarse && matching as f32 * ANYWHERE.of(self.row_bytes) < self.look_ns(rows, matching)
    }

    /// Whether measuring all that match costs hardly more than ranking `lists` and looking at `usual` rows.
    pub(super) fn measures_all(&self, (lists, usual): (usize, usize), matching: usize) -> bool {
        let search_ns = lists as f32 * RANKED.of(self.centroid_bytes) + self.look_ns(usual, usual);
        matching as f32 * RISING.of(self.row_bytes) <= FINE * search_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_rows_are_measured_and_many_are_not() {
        let costs =
            Costs { layout: Layout::Blocks(32, 3400), row_bytes: 3136, centroid_bytes: 800, is_coarse: true };
        let most = (0..60_000).take_while(|matching| costs.measures_all((489, 2944), *matching)).count();
        assert!((100..2944).contains(&most), "{most}");
        assert!((most..60_000).all(|matching| !costs.measures_all((489, 2944), matching)));
        // A row is worth a block only if that has many.
        let wide = Costs { row_bytes: 256, layout: Layout::Blocks(32, 6528), ..costs };
        assert!(wide.measures(32, 1) && wide.measures(128, 4) && !wide.measures(128, 128));
        assert!(!Costs { is_coarse: false, ..wide }.measures(32, 1));
    }
}
