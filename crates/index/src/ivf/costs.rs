//! What the steps of a search of lists cost, in nanoseconds, by which ways to find rows are compared. Invariant: nothing but the
//! choice between ways depends on it.
//!
//! An index measures them before its first search with a mask; until then what is usual counts: measured by the bench `filters` on
//! rows of 784 elements, and only in proportion to each other.

/// What a step costs usually, and each byte of it.
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
/// Asking the mask for a row of a list.
const MARKED_NS: f32 = 1.0;
/// Making a query ready for codes.
const BEGIN_NS: f32 = 2000.0;
/// Rows that match and are looked at until the nearest have settled, for each of these, about.
const SETTLED: usize = 40;
/// How many times what going through lists costs is fine for measuring all rows that match, which finds the best of them.
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

/// What looking at a list costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Look {
    /// Each row that matches; and `begin_ns` where any does, since the first rows of a list are waited for.
    Rows { begin_ns: f32, each_ns: f32 },
    /// Each row of the list, or each that matches by itself, whichever is less.
    Planes { streamed_ns: f32, single_ns: f32 },
    /// Each block of so many rows in which some match.
    Blocks { rows: usize, each_ns: f32 },
}

impl Look {
    /// At rows, if each of the many of a whole list takes so long, and each of a few that lie apart.
    pub(super) fn rows((many, many_ns): (f32, f32), (few, few_ns): (f32, f32)) -> Self {
        let each_ns = (many * many_ns - few * few_ns) / (many - few).max(1.0);
        // Clocks are not exact, and a list may have few rows.
        let each_ns = each_ns.clamp(many_ns / 2.0, many_ns);
        Self::Rows { begin_ns: (few * (few_ns - each_ns)).max(0.0), each_ns }
    }
}

/// What a search asks of lists.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    /// How many lists there are, and rows in them.
    pub(super) lists: usize,
    pub(super) rows: usize,
    /// How many rows a search without a mask looks at, and how many of these it measures.
    pub(super) usual: usize,
    pub(super) measured: usize,
    /// How many of the nearest must have settled.
    pub(super) judged: usize,
}

/// The costs of one index.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Costs {
    pub(super) look: Look,
    /// Measuring one of many rows in rising order, and one from anywhere.
    pub(super) rising_ns: f32,
    pub(super) anywhere_ns: f32,
    /// Ranking a list.
    pub(super) ranked_ns: f32,
    /// Asking the mask for a row of a list.
    pub(super) marked_ns: f32,
    /// Making a query ready for codes.
    pub(super) begin_ns: f32,
    /// Whether rows can be measured in the place of being scored, and their scores be mixed: those by codes are about what
    /// [`level`](super::search) makes of exact ones, but not these themselves.
    pub(super) is_coarse: bool,
}

impl Costs {
    /// What is usual; `row_bytes` and `centroid_bytes` are those of a row itself, and of a centroid.
    pub(super) fn usual(
        layout: Layout,
        (row_bytes, centroid_bytes): (usize, usize),
        is_coarse: bool,
    ) -> Self {
        let look = match layout {
            Layout::Rows(bytes) => Look::Rows { begin_ns: 0.0, each_ns: CODE.of(bytes) },
            Layout::Planes(bytes) => {
                Look::Planes { streamed_ns: STREAMED.of(bytes), single_ns: PLANED.of(bytes) }
            }
            Layout::Blocks(rows, bytes) => Look::Blocks { rows, each_ns: BLOCK.of(bytes) },
        };
        Self {
            look,
            rising_ns: RISING.of(row_bytes),
            anywhere_ns: ANYWHERE.of(row_bytes),
            ranked_ns: RANKED.of(centroid_bytes),
            marked_ns: MARKED_NS,
            begin_ns: BEGIN_NS,
            is_coarse,
        }
    }

    /// Looking at a list of `rows` of which some match.
    pub(super) fn look_ns(&self, rows: usize, matching: usize) -> f32 {
        match self.look {
            Look::Rows { begin_ns, each_ns } => begin_ns * matching.min(1) as f32 + matching as f32 * each_ns,
            Look::Planes { streamed_ns, single_ns } => {
                (rows as f32 * streamed_ns).min(matching as f32 * single_ns)
            }
            Look::Blocks { rows: each, each_ns } => rows.div_ceil(each).min(matching) as f32 * each_ns,
        }
    }

    /// Whether measuring the rows of a list that match costs less than scoring them.
    pub(super) fn measures(&self, rows: usize, matching: usize) -> bool {
        self.is_coarse && matching as f32 * self.anywhere_ns < self.look_ns(rows, matching)
    }

    /// What going through lists costs where `matching` rows match, anywhere: until as many have been looked at as are without a mask, or
    /// the nearest have settled.
    fn lists_ns(&self, asked: Asked, matching: usize) -> f32 {
        let found = asked.usual.min(SETTLED * asked.judged).min(matching);
        let rows = (asked.rows as f32 * found as f32 / matching.max(1) as f32) as usize;
        let begun = (rows * asked.lists).div_ceil(asked.rows.max(1)).clamp(1, found.max(1));
        // In each of these, what is about a list's share.
        let look_ns = match self.look {
            Look::Rows { begin_ns, each_ns } => begun as f32 * begin_ns + found as f32 * each_ns,
            _ => self.look_ns(rows, found),
        };
        let single_ns = if self.is_coarse { found as f32 * self.anywhere_ns } else { f32::INFINITY };
        self.begin_ns
            + asked.lists as f32 * self.ranked_ns
            + rows as f32 * self.marked_ns
            + look_ns.min(single_ns)
            + asked.measured.min(found) as f32 * self.anywhere_ns
    }

    /// Whether measuring all that match costs hardly more than going through lists.
    pub(super) fn measures_all(&self, asked: Asked, matching: usize) -> bool {
        matching as f32 * self.rising_ns <= FINE * self.lists_ns(asked, matching)
    }

    /// Whether these can be what a clock has measured: each step takes some time.
    pub(super) fn is_sound(&self) -> bool {
        let look = match self.look {
            Look::Rows { each_ns, .. } | Look::Blocks { each_ns, .. } => each_ns,
            Look::Planes { streamed_ns, single_ns } => streamed_ns.min(single_ns),
        };
        let [rising, anywhere] = [self.rising_ns, self.anywhere_ns];
        [look, rising, anywhere, self.ranked_ns, self.marked_ns].iter().all(|ns| ns.is_finite() && *ns > 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_rows_are_measured_and_many_are_not() {
        let costs = Costs::usual(Layout::Blocks(32, 3400), (3136, 800), true);
        let asked = Asked { lists: 489, rows: 60_000, usual: 2944, measured: 100, judged: 18 };
        let most = (0..60_000).take_while(|matching| costs.measures_all(asked, *matching)).count();
        assert!((700..6000).contains(&most), "{most}");
        assert!((most..60_000).all(|matching| !costs.measures_all(asked, matching)));
        // A row is worth a block only if that has many.
        let wide = Costs::usual(Layout::Blocks(32, 6528), (256, 800), true);
        assert!(wide.measures(32, 1) && wide.measures(128, 4) && !wide.measures(128, 128));
        assert!(!Costs { is_coarse: false, ..wide }.measures(32, 1));
        assert!(wide.is_sound() && !Costs { ranked_ns: 0.0, ..wide }.is_sound());
        // Rows are worth more than codes where few codes lie apart, not where many lie together.
        let coded = Costs { look: Look::rows((41.0, 40.0), (3.0, 165.0)), anywhere_ns: 115.0, ..costs };
        assert!(coded.measures(41, 1) && coded.measures(41, 4) && !coded.measures(41, 20));
        let noisy = [Look::rows((41.0, 1000.0), (3.0, 1.0)), Look::rows((2.0, 1.0), (1.0, 1000.0))];
        assert!(noisy.iter().all(|look| Costs { look: *look, ..costs }.is_sound()));
        // Where rows are slow, fewer are measured.
        let slow = Costs { rising_ns: 10.0 * costs.rising_ns, ..costs };
        assert!(costs.measures_all(asked, most - 1) && !slow.measures_all(asked, most - 1));
    }
}
