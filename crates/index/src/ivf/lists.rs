//! Lists at rest. Invariant: what [`Ivf::read`] accepts names every row that exists once, or at most twice where rows are
//! spilled, and no other.

use std::sync::OnceLock;

use host::Cancel;
use simd::{Bits, Lookups};

use super::costs::{Asked, Costs, Layout};
use super::fine::{self, Fine};
use super::packed::Packed;
use super::planes::{Planed, Planes};
use super::rows::Coded;
use super::search::{Lists, Walk};
use crate::codec::{BitRows, ByteRows, Codes, PACKED, ROW_BY_ROW, Sketch, SketchRows, Space};
use crate::gates::Gates;
use crate::image::{Array, Image};
use crate::refine::Refiner;
use crate::spec::Codec;
use crate::{Element, Error, Hits, Metric, Query, Spec, Vectors, Way};

/// Lists that can be searched.
#[derive(Debug)]
pub(crate) struct Ivf {
    metric: Metric,
    dim: usize,
    rows: usize,
    /// Where each list starts among the members, and where the last ends.
    pub(super) starts: Array<u32>,
    /// Row numbers, list by list.
    pub(super) members: Array<u32>,
    /// What the steps of a search cost: usually, and as measured.
    usual_costs: Costs,
    measured_costs: OnceLock<Costs>,
    pub(super) gates: Option<Gates>,
    /// What rows that were found by the codes in lists are looked at by next.
    pub(super) fine: Option<Fine>,
    /// Whether more rows are measured than a query says.
    is_deep: bool,
    content: Content,
}

/// How many rows are measured then for each that a query says, and how many more.
const DEEPER: usize = 2;
const MORE: usize = 8;

#[derive(Debug)]
enum Content {
    /// Coded centroids, and all rows coded in the order of members.
    Bytes { space: Space, centroids: Array<i8>, codes: Array<i8> },
    /// Coded centroids, and all rows as bytes in two planes.
    Planes { space: Space, centroids: Array<i8>, planes: Box<Planes> },
    /// Coded centroids, and rows as sketches of their distance from them, in the order of members.
    Sketch { space: Space, centroids: Array<i8>, sketch: Box<Sketch>, codes: Array<u8> },
    /// The same in blocks.
    Packed { space: Space, centroids: Array<i8>, packed: Box<Packed> },
    /// Centroids like the rows; rows are read where they are.
    Bits { centroids: Array<u8> },
}

impl Content {
    fn gates(&self, dim: usize) -> Option<Gates> {
        match self {
            Self::Bytes { space, centroids, .. }
            | Self::Planes { space, centroids, .. }
            | Self::Sketch { space, centroids, .. } => Gates::of(space, dim, centroids, None),
            Self::Packed { space, centroids, packed } => Gates::of(space, dim, centroids, packed.signs()),
            Self::Bits { .. } => None,
        }
    }

    fn costs(&self, spec: &Spec) -> Costs {
        let row_bytes = match spec.element() {
            Element::F32 => 4 * spec.dim(),
            Element::F16 | Element::Bf16 => 2 * spec.dim(),
            Element::Bits => spec.dim() / 8,
            Element::I8 | Element::Sparse => spec.dim(),
        };
        let (layout, centroid_bytes, is_coarse) = match self {
            // Distances that stand for products are not about these.
            Self::Bytes { space, .. } => {
                (Layout::Rows(space.stride()), space.stride(), spec.metric() != Metric::Ip)
            }
            Self::Planes { space, .. } => (Layout::Planes(spec.dim()), space.stride(), true),
            Self::Sketch { space, sketch, .. } => (Layout::Rows(sketch.stride()), space.stride(), true),
            Self::Packed { space, packed, .. } => {
                (Layout::Blocks(Lookups::ROWS, packed.block_bytes()), space.stride(), true)
            }
            Self::Bits { .. } => (Layout::Rows(row_bytes), row_bytes, false),
        };
        Costs::usual(layout, (row_bytes, centroid_bytes), is_coarse)
    }
}

impl Ivf {
    /// Reads the sections back.
    pub(crate) fn read(spec: &Spec, rows: usize, image: &Image) -> Result<Self, Error> {
        let starts: Array<u32> = image.list("starts")?;
        let members: Array<u32> = image.list("members")?;
        check_starts(&starts, members.len())?;
        check_members(&members, rows, spec.is_spilled())?;
        let lists = starts.len() - 1;
        let coded = || -> Result<(Space, Array<i8>), Error> {
            let space = Space::read(spec.metric(), spec.dim(), image)?;
            let centroids = image.array("centroids", lists * space.stride())?;
            Ok((space, centroids))
        };
        // The first version had no finer codes, a later one had them of shorter rows, too.
        let recipe = spec.recipe_of(spec.may_be_coded_twice() && image.has(fine::SECTION));
        let content = match (spec.codec(), recipe) {
            // The first version had bytes row by row.
            _ if spec.is_planed() && !image.has("codes") => {
                let (space, centroids) = coded()?;
                let planes = Box::new(Planes::read(spec.dim(), members.len(), image)?);
                Content::Planes { space, centroids, planes }
            }
            (_, Some(recipe)) => {
                let (space, centroids) = coded()?;
                // The first version had all codes row by row.
                let nibbles = recipe.nibbles(spec.dim()).filter(|_| image.has("blocks"));
                let version = if nibbles.is_some() { PACKED } else { ROW_BY_ROW };
                let sketch = Sketch::read(spec, (recipe, version), space.clone(), &centroids, rows, image)?;
                match nibbles {
                    Some(nibbles) => {
                        let packed = Box::new(Packed::read(sketch, nibbles, &starts, image)?);
                        Content::Packed { space, centroids, packed }
                    }
                    None => {
                        let codes = image.array("codes", members.len() * sketch.stride())?;
                        Content::Sketch { space, centroids, sketch: Box::new(sketch), codes }
                    }
                }
            }
            (Codec::Raw, None) => {
                Content::Bits { centroids: image.array("centroids", lists * (spec.dim() / 8))? }
            }
            _ => {
                let (space, centroids) = coded()?;
                let codes = image.array("codes", members.len() * space.stride())?;
                Content::Bytes { space, centroids, codes }
            }
        };
        let (usual_costs, measured_costs) = (content.costs(spec), OnceLock::new());
        let (metric, dim, gates) = (spec.metric(), spec.dim(), content.gates(spec.dim()));
        let fine = match &content {
            Content::Packed { space, .. } => Fine::read(spec, space, rows, image)?,
            _ => None,
        };
        let is_deep = spec.is_measured_deeply() && fine.is_none();
        Ok(Self {
            metric,
            dim,
            rows,
            starts,
            members,
            usual_costs,
            measured_costs,
            gates,
            fine,
            is_deep,
            content,
        })
    }

    /// How many lists there are.
    pub(crate) fn lists(&self) -> usize {
        self.starts.len() - 1
    }

    /// The places of a list's rows among the members.
    pub(super) fn range(&self, list: u32) -> std::ops::Range<u32> {
        self.starts[list as usize]..self.starts[list as usize + 1]
    }

    /// How many rows.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Whether rows may be in two lists.
    pub(super) fn is_spilled(&self) -> bool {
        self.members.len() > self.rows
    }

    /// Bytes of the sections.
    pub(crate) fn memory_bytes(&self) -> u64 {
        let codes = match &self.content {
            Content::Bytes { centroids, codes, .. } => centroids.len() + codes.len(),
            Content::Planes { centroids, planes, .. } => centroids.len() + planes.bytes(),
            Content::Sketch { centroids, codes, .. } => centroids.len() + codes.len(),
            Content::Packed { centroids, packed, .. } => centroids.len() + packed.bytes(),
            Content::Bits { centroids } => centroids.len(),
        };
        let gates = self.gates.as_ref().map_or(0, Gates::bytes);
        let fine = self.fine.as_ref().map_or(0, Fine::bytes);
        (codes + gates + fine + 4 * (self.starts.len() + self.members.len())) as u64
    }

    /// How many rows a search without a mask looks at.
    pub(super) fn usual(&self, query: &Query) -> usize {
        let nprobe = query.value("nprobe").clamp(1, self.lists());
        nprobe * self.rows / self.lists()
    }

    /// How many rows that were found by their codes may be measured. Short rows that have a code of two bits an element alone need more than
    /// those that are looked at by four bits in between.
    pub(super) fn depth(&self, query: &Query) -> usize {
        let depth = query.depth();
        if self.is_deep { depth.saturating_mul(DEEPER).saturating_add(MORE) } else { depth }
    }

    /// Whether a search of which `matching` rows match measures all of them.
    pub(super) fn measures_all(&self, query: &Query, matching: usize) -> bool {
        let asked = Asked {
            lists: self.lists(),
            rows: self.members.len(),
            usual: self.usual(query),
            measured: self.depth(query),
            judged: self.depth(query).min(query.judged()),
        };
        matching <= query.k() || self.costs().measures_all(asked, matching)
    }

    /// What the steps of a search cost: as measured, or what is usual.
    pub(super) fn costs(&self) -> &Costs {
        self.measured_costs.get().unwrap_or(&self.usual_costs)
    }

    /// Measures what the steps of a search cost, once; `now_ns` tells the time.
    pub(crate) fn calibrate(&self, refiner: &Refiner<'_>, query: &Query, now_ns: &dyn Fn() -> u64) {
        self.measured_costs.get_or_init(|| {
            let nothing = Bits::zeros(self.rows);
            let measured = self.walk(refiner, query, Some(&nothing), &Cancel::new(), Measure(now_ns));
            Some(measured).filter(Costs::is_sound).unwrap_or(self.usual_costs)
        });
    }

    /// How a search begins among `matching` of all rows.
    pub(crate) fn way(&self, query: &Query, matching: usize) -> Way {
        let is_masked = matching < self.rows;
        if is_masked && self.measures_all(query, matching) { Way::Rows } else { Way::Lists }
    }

    /// The best rows for every query.
    pub(crate) fn search(
        &self,
        refiner: &Refiner<'_>,
        query: &Query,
        mask: Option<&Bits>,
        cancel: &Cancel,
    ) -> Result<Vec<Hits>, Error> {
        self.walk(refiner, query, mask, cancel, Run)
    }

    /// What `purpose` makes of a walk through these lists.
    fn walk<P: Purpose>(
        &self,
        refiner: &Refiner<'_>,
        query: &Query,
        mask: Option<&Bits>,
        cancel: &Cancel,
        purpose: P,
    ) -> P::Made {
        match &self.content {
            Content::Bytes { space, centroids, codes } => {
                let (centroids, codes) = (ByteRows::new(space, centroids), ByteRows::new(space, codes));
                let lists = Coded { codes, code_of: |place| place };
                purpose.of(&Walk { ivf: self, centroids, lists, refiner, query, mask, cancel })
            }
            Content::Planes { space, centroids, planes } => {
                let (centroids, lists) = (ByteRows::new(space, centroids), Planed { planes, space });
                purpose.of(&Walk { ivf: self, centroids, lists, refiner, query, mask, cancel })
            }
            Content::Sketch { space, centroids, sketch, codes } => {
                let centroids = ByteRows::new(space, centroids);
                let codes = SketchRows::new(sketch, codes, query);
                let lists = Coded { codes, code_of: |place| place };
                purpose.of(&Walk { ivf: self, centroids, lists, refiner, query, mask, cancel })
            }
            Content::Packed { space, centroids, packed } => {
                let centroids = ByteRows::new(space, centroids);
                let lists = packed.searched(query);
                purpose.of(&Walk { ivf: self, centroids, lists, refiner, query, mask, cancel })
            }
            Content::Bits { centroids } => {
                let vectors = Vectors::Bits { dim: self.dim, bytes: centroids };
                let centroids = BitRows { metric: self.metric, vectors };
                let codes = BitRows { metric: self.metric, vectors: refiner.vectors };
                let lists = Coded { codes, code_of: |place: u32| self.members[place as usize] };
                purpose.of(&Walk { ivf: self, centroids, lists, refiner, query, mask, cancel })
            }
        }
    }
}

/// What a walk is for.
trait Purpose {
    type Made;
    fn of<A: Codes, L: Lists>(self, walk: &Walk<'_, A, L>) -> Self::Made;
}

/// To search.
struct Run;

impl Purpose for Run {
    type Made = Result<Vec<Hits>, Error>;
    fn of<A: Codes, L: Lists>(self, walk: &Walk<'_, A, L>) -> Self::Made {
        walk.run()
    }
}

/// To see what its steps cost, by a clock.
struct Measure<'a>(&'a dyn Fn() -> u64);

impl Purpose for Measure<'_> {
    type Made = Costs;
    fn of<A: Codes, L: Lists>(self, walk: &Walk<'_, A, L>) -> Costs {
        walk.costs(self.0)
    }
}

/// Lists follow each other and have so many members in all.
fn check_starts(starts: &[u32], members: usize) -> Result<(), Error> {
    let rising = starts.windows(2).all(|pair| pair[0] <= pair[1]);
    let whole = starts.first() == Some(&0) && starts.last().is_some_and(|end| *end as usize == members);
    if rising && whole { Ok(()) } else { Err(Error::Corrupt { what: "starts" }) }
}

/// Checks that every row is there, once or, if `is_spilled`, up to twice.
fn check_members(members: &[u32], rows: usize, is_spilled: bool) -> Result<(), Error> {
    let corrupt = Err(Error::Corrupt { what: "members" });
    let (mut once, mut twice) = (Bits::zeros(rows), Bits::zeros(rows));
    for row in members {
        let row = *row as usize;
        if row >= rows || twice.get(row) || (once.get(row) && !is_spilled) {
            return corrupt;
        }
        if once.get(row) {
            twice.set(row, true);
        }
        once.set(row, true);
    }
    if once.count() == rows { Ok(()) } else { corrupt }
}
