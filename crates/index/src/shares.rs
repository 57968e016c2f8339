//! Rows shared out to lists around centres, which lie beside a graph for searches among the rows of a mask. Invariant: what
//! [`Shares::read`] accepts names every row that exists once, and no other.

use host::{Cancel, Pool, Rng};
use simd::Bits;

use crate::codec::{ByteRows, Bytes8, Codes, Reach, Space};
use crate::gates::Gates;
use crate::hits::order;
use crate::image::{Array, Image};
use crate::kmeans::{nearest, train};
use crate::{Error, Vectors};

/// Rows that have no lists: all their codes are looked at in less time than a few lists take.
const ROWS_MIN: usize = 256;
/// Rows assigned by one task.
const TASK: usize = 1024;

/// Lists that are ranked at first; then twice as many, and so on.
const FIRST: usize = 32;
/// Lists that tell what lies around a query.
const NEAR: usize = 3;
/// Lists of which some rows are asked whether they match, and how many of each.
const LISTS_ASKED: usize = 128;
const ROWS_ASKED: usize = 4;
/// How many standard deviations the counts of these may vary more than by chance: then shares of lists differ by less than a third.
const DEVIATIONS: f32 = 3.0;
/// What share of the rows of its list match, for the average row that does, where a walk along such rows finds the nearest of them.
const TOGETHER: f32 = 0.6;
/// What share of the nearest rows the later half may have brought before such a walk: it finds what is left near these, but not what lies
/// elsewhere and as near.
const LATE_BEFORE_WALK: f32 = 0.35;
/// A query is amid rows that match if of those around it so many times the share match that does of all.
pub(crate) const AMID: f32 = 0.75;
/// The share of rows that match from which on a walk among all of them finds enough that do, if the query lies amid these.
pub(crate) const SHARE_WHOLE: f32 = 0.4;
/// By which power of how many times more rows there are than match a walk keeps more that knows rows by estimates. Measured by the bench
/// `filters`.
pub(crate) const MORE: f64 = 0.6;
/// What share of the nearest rows the later half of what a search of lists looked at may have brought at its end.
pub(crate) const LATE: f32 = 0.1;
/// Matching rows that a search of lists looks at for each that it is asked to keep where few match: 20 to 30 on two sets. It looks at more
/// where more match, but there a scan costs far more than either.
pub(crate) const LOOKED_AT: f32 = 25.0;

/// How many lists `rows` rows are shared out to.
pub(crate) fn count_of(rows: usize) -> usize {
    (rows.isqrt() * 3 / 2).max(1)
}

/// Lists as they are made.
pub(crate) struct Shared {
    /// The rows of each list, of which none is empty.
    pub(crate) lists: Vec<Vec<u32>>,
    /// The centres, a byte an element.
    pub(crate) centers: Vec<i8>,
}

impl Shared {
    /// Shares out `vectors`, which `rows` are coded, if there are enough.
    pub(crate) fn new(
        rows: &ByteRows<'_>,
        vectors: Vectors<'_>,
        seed: u64,
        (pool, cancel): (&Pool, &Cancel),
    ) -> Result<Option<Self>, Error> {
        let (space, len) = (rows.space, vectors.len());
        if len < ROWS_MIN {
            return Ok(None);
        }
        let mut rng = Rng::new(seed).child("lists");
        let near = |centers: &Vec<i8>, ids: &[u32]| nearest(rows, ids, &ByteRows::new(space, centers), pool);
        let means = |lists: &[Vec<u32>]| space.means(vectors, lists, pool);
        let coded = train((len, count_of(len)), &mut rng, cancel, near, means)?;
        let stride = space.stride();
        let mut lists = vec![Vec::new(); coded.len() / stride];
        let ids: Vec<u32> = (0..len as u32).collect();
        for ids in ids.chunks(TASK) {
            cancel.check()?;
            ids.iter().zip(near(&coded, ids)).for_each(|(id, list)| lists[list as usize].push(*id));
        }
        lists.iter_mut().for_each(Vec::shrink_to_fit);
        let filled = coded.chunks_exact(stride).zip(&lists).filter(|(_, list)| !list.is_empty());
        let centers = filled.flat_map(|(center, _)| center).copied().collect();
        lists.retain(|list| !list.is_empty());
        Ok(Some(Self { lists, centers }))
    }

    /// Bytes that [`Shared::new`] takes of `rows` rows of `stride` bytes, what it returns with it: numbers of rows, of the sample and in
    /// lists, which are half empty while they are made, and centres, which are floats while they are made.
    pub(crate) fn need_bytes(rows: usize, stride: usize) -> usize {
        let centers = count_of(rows);
        16 * rows + centers * (5 * stride + 48)
    }

    /// Bytes of the sections.
    pub(crate) fn bytes(&self) -> usize {
        let rows: usize = self.lists.iter().map(Vec::len).sum();
        4 * (self.lists.len() + 1 + rows) + self.centers.len()
    }

    /// Adds the sections to an image.
    pub(crate) fn write(self, image: &mut Image) {
        let mut starts = vec![0u32];
        self.lists.iter().for_each(|list| starts.push(starts[starts.len() - 1] + list.len() as u32));
        image.push("list-starts", starts);
        image.push("list-members", self.lists.concat());
        image.push("list-centers", self.centers);
    }
}

/// Lists at rest.
#[derive(Debug)]
pub(crate) struct Shares {
    /// Where each list starts among the members, and where the last ends.
    pub(crate) starts: Array<u32>,
    /// Row numbers, list by list.
    pub(crate) members: Array<u32>,
    /// The centres, a byte an element.
    centers: Array<i8>,
    /// What they are ranked by at first, if that was asked for and they are many.
    gates: Option<Gates>,
}

impl Shares {
    /// Reads back what [`Shared::write`] wrote of `rows` rows, if it did.
    pub(crate) fn read(space: &Space, rows: usize, image: &Image) -> Result<Option<Self>, Error> {
        if !image.sections.iter().any(|(name, _)| name.starts_with("list-")) {
            return Ok(None);
        }
        let starts: Array<u32> = image.list("list-starts")?;
        let members: Array<u32> = image.array("list-members", rows)?;
        let rising = starts.windows(2).all(|pair| pair[0] <= pair[1]);
        if !rising || starts.first() != Some(&0) || starts.last() != Some(&(rows as u32)) {
            return Err(Error::Corrupt { what: "list-starts" });
        }
        let mut seen = Bits::zeros(rows);
        for row in members.iter() {
            if *row as usize >= rows || seen.get(*row as usize) {
                return Err(Error::Corrupt { what: "list-members" });
            }
            seen.set(*row as usize, true);
        }
        let centers = image.array("list-centers", (starts.len() - 1) * space.stride())?;
        Ok(Some(Self { starts, members, centers, gates: None }))
    }

    /// The same in memory of its own, without gates.
    pub(crate) fn copied(&self) -> Self {
        let Self { starts, members, centers, .. } = self;
        Self { starts: starts.copied(), members: members.copied(), centers: centers.copied(), gates: None }
    }

    /// The same with gates, if there are many centres.
    pub(crate) fn gated(self, space: &Space, dim: usize) -> Self {
        let gates = Gates::of(space, dim, &self.centers, None);
        Self { gates, ..self }
    }

    /// What the centres are ranked by at first.
    pub(crate) fn gates(&self) -> Option<&Gates> {
        self.gates.as_ref()
    }

    /// How many lists there are.
    pub(crate) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// The rows of the list `list`.
    #[inline]
    pub(crate) fn members(&self, list: usize) -> &[u32] {
        &self.members[self.starts[list] as usize..self.starts[list + 1] as usize]
    }

    /// The centres, as rows that can be scored.
    pub(crate) fn centers<'a>(&'a self, space: &'a Space) -> ByteRows<'a> {
        ByteRows::new(space, &self.centers)
    }

    /// The centres as they are coded.
    pub(crate) fn coded_centers(&self) -> &[i8] {
        &self.centers
    }

    /// The share of the rows that are in `mask` of the lists nearest to a query, the smallest of `ranked`, whose low bits are numbers of lists.
    pub(crate) fn share_near(&self, ranked: &mut [u64], mask: &Bits) -> f32 {
        let near = NEAR.min(ranked.len());
        if near < ranked.len() {
            ranked.select_nth_unstable(near);
        }
        let (mut all, mut matching) = (0u32, 0u32);
        for row in ranked[..near].iter().flat_map(|list| self.members(*list as u32 as usize)) {
            all += 1;
            matching += u32::from(mask.get(*row as usize));
        }
        matching as f32 / all.max(1) as f32
    }

    /// Whether the rows of `mask`, this share of all, are in all lists alike, as far as a few rows of some lists tell: a test of dispersion
    /// of binomial counts (Cochran, "Some methods for strengthening the common chi-square tests", Biometrics 10, 1954).
    pub(crate) fn is_spread(&self, mask: &Bits, share: f32) -> bool {
        let count = self.len().min(LISTS_ASKED);
        let mut sum = 0.0;
        for i in 0..count {
            let members = self.members(i * self.len() / count);
            let asked = members.len().min(ROWS_ASKED);
            let wanted =
                (0..asked).map(|j| usize::from(mask.get(members[j * members.len() / asked] as usize)));
            let off = wanted.sum::<usize>() as f32 - asked as f32 * share;
            sum += off * off / asked.max(1) as f32;
        }
        let (variance, count) = (share * (1.0 - share), count as f32);
        sum <= variance * (count + DEVIATIONS * (2.0 * count).sqrt())
    }

    /// Bytes of the sections.
    pub(crate) fn bytes(&self) -> usize {
        let gates = self.gates.as_ref().map_or(0, Gates::bytes);
        4 * (self.starts.len() + self.members.len()) + self.centers.len() + gates
    }
}

/// Brings those from `sorted` on that seem nearest to the front of them, more each time, and into the order of how near their centres are
/// to `probe`; returns where these end. `some` and `terms` are room.
pub(crate) fn sort_on(
    (centers, probe): (&ByteRows<'_>, &Bytes8),
    (ranked, sorted): (&mut [u64], usize),
    (some, terms): (&mut Vec<u32>, &mut Vec<f32>),
) -> usize {
    let last = next_of(ranked, sorted);
    some.clear();
    some.extend(ranked[sorted..last].iter().map(|entry| *entry as u32));
    centers.scores(probe, some, Reach::Scattered, terms);
    let scored = some.iter().zip(terms.iter()).map(|(list, term)| order(*term, *list));
    ranked[sorted..last].iter_mut().zip(scored).for_each(|(entry, scored)| *entry = scored);
    ranked[sorted..last].sort_unstable();
    last
}

/// Brings the smallest of those from `sorted` on to the front of them, more each time; returns where these end.
fn next_of(ranked: &mut [u64], sorted: usize) -> usize {
    let end = (2 * sorted + FIRST).min(ranked.len());
    if end < ranked.len() {
        ranked[sorted..].select_nth_unstable(end - sorted - 1);
    }
    end
}

/// When a search of lists has seen enough: once the later half of the matching rows that it looked at brought few of the nearest.
#[derive(Debug)]
pub(crate) struct End {
    /// How many are the nearest, and what share of them are few.
    judged: usize,
    late: f32,
    /// Whether a walk goes on from where rows lie together.
    walks: bool,
    pub(crate) together: Together,
    /// How many rows it must have looked at before it is asked for again.
    check: usize,
    /// What the last of the nearest was then.
    limit: u64,
}

impl End {
    /// For a search of which the nearest `judged` rows count, `late` being the share of them that are few; less is asked of one after which
    /// there is a walk.
    pub(crate) fn new(judged: usize, late: f32, walks: bool) -> Self {
        Self { judged, late, walks, together: Together::default(), check: 2 * judged, limit: u64::MAX }
    }

    /// Whether a walk along rows that match is to go on from those that were found.
    pub(crate) fn is_before_walk(&self) -> bool {
        self.walks && self.together.are()
    }

    /// Whether it has come, after so many matching rows, of which those `kept` are nearest. `late` tells, if it comes to that, which numbers
    /// in the low bits of these are of rows that were looked at late; `nearest` is room.
    pub(crate) fn has_come<L: Fn(u32) -> bool>(
        &mut self,
        matches: usize,
        kept: &[u64],
        nearest: &mut Vec<u64>,
        late: impl FnOnce() -> L,
    ) -> bool {
        if matches < self.check || kept.len() < self.judged {
            return false;
        }
        self.check = matches + matches / 4;
        choose_up_to(self.limit, kept, nearest);
        self.limit = cut(nearest, self.judged);
        let is_late = late();
        let count = nearest.iter().filter(|entry| is_late(**entry as u32)).count();
        let late = if self.is_before_walk() { LATE_BEFORE_WALK } else { self.late };
        count as f32 <= late * self.judged as f32
    }
}

/// Whether rows that match lie together: whether of the lists of most of those looked at most rows do, so that links mostly lead from one
/// that matches to another.
#[derive(Debug, Default)]
pub(crate) struct Together {
    /// Summed up over these rows: the share of the list of each that matches.
    sum: f32,
    matches: usize,
}

impl Together {
    /// Notes that `matches` of the `members` rows of a list match.
    pub(crate) fn note(&mut self, matches: usize, members: usize) {
        self.sum += (matches * matches) as f32 / members.max(1) as f32;
        self.matches += matches;
    }

    pub(crate) fn are(&self) -> bool {
        self.sum >= TOGETHER * self.matches as f32
    }
}

/// Puts those that are `limit` or less into `chosen`, without a branch on which.
fn choose_up_to(limit: u64, entries: &[u64], chosen: &mut Vec<u64>) {
    chosen.resize(chosen.len().max(entries.len()), 0);
    let mut count = 0;
    for entry in entries {
        chosen[count] = *entry;
        count += usize::from(*entry <= limit);
    }
    chosen.truncate(count);
}

/// Leaves the smallest `keep`; gives the last of them, if there are so many.
pub(crate) fn cut(kept: &mut Vec<u64>, keep: usize) -> u64 {
    if kept.len() < keep || keep == 0 {
        return u64::MAX;
    }
    let (_, last, _) = kept.select_nth_unstable(keep - 1);
    let last = *last;
    kept.truncate(keep);
    last
}
