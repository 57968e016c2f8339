//! Lists at rest and their search. Invariant: as many rows come back as match and were asked for; lists are looked
//! at until there are enough.

use host::Cancel;
use simd::Bits;

use crate::codec::{BitRows, ByteRows, Codes, Reach, Sketch, SketchRows, Space};
use crate::hits::order;
use crate::image::{Array, Image};
use crate::nearest::Nearest;
use crate::refine::Refiner;
use crate::spec::Codec;
use crate::{Error, Hits, Query, Spec, Vectors};

/// Lists that can be searched.
#[derive(Debug)]
pub(crate) struct Ivf {
    metric: crate::Metric,
    dim: usize,
    /// Where each list starts among the members, and where the last ends.
    starts: Array<u32>,
    /// Row numbers, list by list.
    members: Array<u32>,
    centroids: Centroids,
}

#[derive(Debug)]
enum Centroids {
    /// Coded centroids, and all rows coded in the order of members.
    Bytes { space: Space, centroids: Array<i8>, codes: Array<i8> },
    /// Coded centroids, and rows as sketches of their distance from them, in the order of members.
    Sketch { space: Space, centroids: Array<i8>, sketch: Box<Sketch>, codes: Array<u8> },
    /// Centroids like the rows; rows are read where they are.
    Bits { centroids: Array<u8> },
}

impl Ivf {
    /// Reads the sections back.
    pub(crate) fn read(spec: &Spec, rows: usize, image: &Image) -> Result<Self, Error> {
        let starts: Array<u32> = image.list("starts")?;
        let members: Array<u32> = image.array("members", rows)?;
        let rising = starts.windows(2).all(|pair| pair[0] <= pair[1]);
        let whole = starts.first() == Some(&0) && starts.last().is_some_and(|end| *end as usize == rows);
        if !rising || !whole {
            return Err(Error::Corrupt { what: "starts" });
        }
        let mut seen = Bits::zeros(rows);
        for row in members.iter() {
            if *row as usize >= rows || seen.get(*row as usize) {
                return Err(Error::Corrupt { what: "members" });
            }
            seen.set(*row as usize, true);
        }
        let lists = starts.len() - 1;
        let coded = || -> Result<(Space, Array<i8>), Error> {
            let space = Space::read(spec.metric(), spec.dim(), image)?;
            let centroids = image.array("centroids", lists * space.stride())?;
            Ok((space, centroids))
        };
        let centroids = match (spec.codec(), spec.recipe()) {
            (_, Some(recipe)) => {
                let (space, centroids) = coded()?;
                let sketch = Sketch::read(spec, recipe, space.clone(), &centroids, rows, image)?;
                let codes = image.array("codes", rows * sketch.stride())?;
                Centroids::Sketch { space, centroids, sketch: Box::new(sketch), codes }
            }
            (Codec::Raw, None) => {
                Centroids::Bits { centroids: image.array("centroids", lists * (spec.dim() / 8))? }
            }
            _ => {
                let (space, centroids) = coded()?;
                let codes = image.array("codes", rows * space.stride())?;
                Centroids::Bytes { space, centroids, codes }
            }
        };
        Ok(Self { metric: spec.metric(), dim: spec.dim(), starts, members, centroids })
    }

    /// How many lists there are.
    pub(crate) fn lists(&self) -> usize {
        self.starts.len() - 1
    }

    /// Bytes of the sections.
    pub(crate) fn memory_bytes(&self) -> u64 {
        let codes = match &self.centroids {
            Centroids::Bytes { centroids, codes, .. } => centroids.len() + codes.len(),
            Centroids::Sketch { centroids, codes, .. } => centroids.len() + codes.len(),
            Centroids::Bits { centroids } => centroids.len(),
        };
        (codes + 4 * (self.starts.len() + self.members.len())) as u64
    }

    /// The best rows for every query.
    pub(crate) fn search(
        &self,
        refiner: &Refiner<'_>,
        query: &Query,
        mask: Option<&Bits>,
        cancel: &Cancel,
    ) -> Result<Vec<Hits>, Error> {
        match &self.centroids {
            Centroids::Bytes { space, centroids, codes } => {
                let (centroids, codes) = (ByteRows { space, codes: centroids }, ByteRows { space, codes });
                Walk { ivf: self, centroids, codes, refiner, query, mask, cancel }.run(|place| place)
            }
            Centroids::Sketch { space, centroids, sketch, codes } => {
                let centroids = ByteRows { space, codes: centroids };
                let codes = SketchRows::new(sketch, codes, query);
                Walk { ivf: self, centroids, codes, refiner, query, mask, cancel }.run(|place| place)
            }
            Centroids::Bits { centroids } => {
                let vectors = Vectors::Bits { dim: self.dim, bytes: centroids };
                let centroids = BitRows { metric: self.metric, vectors };
                let codes = BitRows { metric: self.metric, vectors: refiner.vectors };
                let row = |place: u32| self.members[place as usize];
                Walk { ivf: self, centroids, codes, refiner, query, mask, cancel }.run(row)
            }
        }
    }
}

/// One search for several queries.
struct Walk<'a, A, C> {
    ivf: &'a Ivf,
    centroids: A,
    codes: C,
    refiner: &'a Refiner<'a>,
    query: &'a Query,
    mask: Option<&'a Bits>,
    cancel: &'a Cancel,
}

/// Buffers of one search.
#[derive(Default)]
struct Buffers {
    lists: Vec<u32>,
    ranked: Vec<u64>,
    places: Vec<u32>,
    codes: Vec<u32>,
    scores: Vec<f32>,
}

impl<A: Codes, C: Codes> Walk<'_, A, C> {
    /// `code_of` says which code a place among the members has.
    fn run(&self, code_of: impl Fn(u32) -> u32) -> Result<Vec<Hits>, Error> {
        let matching = self.mask.map_or(self.ivf.members.len(), Bits::count);
        let (mut aim, mut probe) = (self.centroids.probe(), self.codes.probe());
        let mut buffers = Buffers { lists: (0..self.ivf.lists() as u32).collect(), ..Buffers::default() };
        let mut all = Vec::with_capacity(self.refiner.queries.len());
        for q in 0..self.refiner.queries.len() {
            self.centroids.aim(&mut aim, self.refiner.queries, q);
            self.codes.aim(&mut probe, self.refiner.queries, q);
            all.push(self.one(q, matching, (&aim, &probe), &mut buffers, &code_of)?);
        }
        Ok(all)
    }

    fn one(
        &self,
        q: usize,
        matching: usize,
        (aim, probe): (&A::Probe, &C::Probe),
        buffers: &mut Buffers,
        code_of: &impl Fn(u32) -> u32,
    ) -> Result<Hits, Error> {
        let lists = buffers.lists.len();
        let wanted = self.query.k().min(matching);
        let mut nprobe = self.query.value("nprobe").clamp(1, lists);
        self.rank(aim, nprobe, buffers);
        loop {
            self.cancel.check()?;
            // With an inner bound the nearest may all be too near, so everything seen is measured.
            let all = self.query.range_filter().is_some();
            let mut nearest = Nearest::new(if all { usize::MAX } else { self.query.depth() });
            for rank in 0..nprobe {
                self.look(buffers.ranked[rank] as u32, probe, buffers, code_of, &mut nearest);
            }
            let enough = nearest.len() >= wanted;
            let refined = self.refiner.refine(q, &nearest.into_rows(), self.query);
            if nprobe == lists || refined.hits.len() >= wanted || (enough && refined.beyond) {
                return Ok(refined.hits);
            }
            nprobe = (nprobe * 4).min(lists);
            self.rank(aim, nprobe, buffers);
        }
    }

    /// Brings the nearest `nprobe` lists to the front of `ranked`.
    fn rank(&self, aim: &A::Probe, nprobe: usize, buffers: &mut Buffers) {
        let Buffers { lists, ranked, scores, .. } = buffers;
        self.centroids.scores(aim, lists, Reach::Streamed, scores);
        ranked.clear();
        ranked.extend(lists.iter().zip(scores).map(|(list, score)| order(*score, *list)));
        if nprobe < ranked.len() {
            ranked.select_nth_unstable(nprobe - 1);
        }
        ranked[..nprobe].sort_unstable();
    }

    /// Looks at the rows of one list that match.
    fn look(
        &self,
        list: u32,
        probe: &C::Probe,
        buffers: &mut Buffers,
        code_of: &impl Fn(u32) -> u32,
        nearest: &mut Nearest,
    ) {
        let members = &self.ivf.members;
        let Buffers { places, codes, scores, .. } = buffers;
        places.clear();
        places.extend(self.ivf.starts[list as usize]..self.ivf.starts[list as usize + 1]);
        if let Some(mask) = self.mask {
            places.retain(|place| mask.get(members[*place as usize] as usize));
        }
        codes.clear();
        codes.extend(places.iter().map(|place| code_of(*place)));
        let reach = if self.mask.is_none() { Reach::Streamed } else { Reach::Scattered };
        self.codes.scores(probe, codes, reach, scores);
        let term = self.codes.term(probe, list);
        for (place, score) in places.iter().zip(scores) {
            nearest.push(*score + term, members[*place as usize]);
        }
    }
}
