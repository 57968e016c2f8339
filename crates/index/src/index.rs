//! An index as a whole, opened and searched. Invariant: here and in [`mod@crate::build`] the shapes meet, and nowhere else.

use std::sync::Arc;

use host::{Cancel, Pool};
use simd::Bits;

use crate::disk::{Disk, Pages, Reads};
use crate::fold::{Folds, scan_folded};
use crate::graph::{Costs, Graph, Subgraph};
use crate::hash::Bands;
use crate::image::Head;
use crate::ivf::Ivf;
use crate::outline::{Outline, Outlined, scan_outlined};
use crate::refine::Refiner;
use crate::scan::{check_alike, scan};
use crate::sparse::{Coded, Inverted};
use crate::spec::Shape;
use crate::{Error, Hits, Image, Metric, Query, Spec, Vectors};

/// Whether an index can hold so many rows. Row numbers leave one bit of 32 for the mark that a search makes.
pub(crate) fn check_rows(rows: usize) -> Result<(), Error> {
    if rows < 1 << 31 { Ok(()) } else { Err(Error::TooManyRows { rows }) }
}

pub(crate) fn check_vectors(spec: &Spec, vectors: Vectors<'_>) -> Result<(), Error> {
    let (element, dim) = (spec.element(), spec.dim());
    if (element, dim) == (vectors.element(), vectors.dim()) {
        return Ok(());
    }
    Err(Error::OtherVectors { element, dim, actual_element: vectors.element(), actual_dim: vectors.dim() })
}

/// An index that can be searched. The raw rows are not inside; they are handed to every search.
#[derive(Debug)]
pub struct Index {
    spec: Spec,
    rows: usize,
    body: Body,
}

/// How a search goes about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// It scores all rows that match.
    Rows,
    /// It scores the codes of all rows that match, and the best again by their rows.
    Codes,
    /// It walks along a graph.
    Graph,
    /// It scores the rows that match in the lists nearest to the query.
    Lists,
    /// It goes through the postings of the query's terms.
    Postings,
    /// It scores rows that have a band of hashes in common with the query.
    Hashes,
    /// It walks along a graph of the matching rows, or few more.
    Subgraph,
}

impl Way {
    /// In a few words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rows => "scan of rows",
            Self::Codes => "scan of codes",
            Self::Graph => "walk along the graph",
            Self::Lists => "nearest lists",
            Self::Postings => "postings",
            Self::Hashes => "equal hashes",
            Self::Subgraph => "walk along a graph of the filter's rows",
        }
    }
}

#[derive(Debug)]
enum Body {
    /// All rows, and their outline if there is one.
    Flat(Option<Box<Outline>>),
    /// All rows of bits, and their folds.
    Folded(Box<Folds>),
    Ivf(Box<Ivf>),
    Graph(Box<Graph>),
    Disk(Box<Disk>),
    Inverted(Box<Inverted>),
    Coded(Box<Coded>),
    Hash(Box<Bands>),
}

impl Index {
    /// Opens an image that was built by `spec` for `rows` rows, checking all of it.
    ///
    /// # Errors
    /// [`Error::Corrupt`] with what does not fit; never a panic.
    pub fn open(spec: &Spec, image: Image, rows: usize) -> Result<Self, Error> {
        Self::opened(spec, &image, rows, None)
    }

    /// The same without the section that [`Spec::paged_section`] names: it is read from `pages` while searching. All else
    /// is copied into memory, so that what the image lay in can go. Only what is copied is checked now, blocks of nodes
    /// when they are read.
    ///
    /// # Errors
    /// As [`Index::open`].
    pub fn open_paged(spec: &Spec, image: &Image, rows: usize, pages: Arc<dyn Pages>) -> Result<Self, Error> {
        Self::opened(spec, image, rows, Some(pages))
    }

    fn opened(spec: &Spec, image: &Image, rows: usize, pages: Option<Arc<dyn Pages>>) -> Result<Self, Error> {
        check_rows(rows)?;
        Head::read(spec, rows, image)?;
        let body = match spec.shape() {
            Shape::Flat if spec.is_folded() => match Folds::read(spec.dim(), rows, image)? {
                Some(folds) => Body::Folded(Box::new(folds)),
                None => Body::Flat(None),
            },
            Shape::Flat => Body::Flat(Outline::read(spec.dim(), rows, image)?.map(Box::new)),
            Shape::Ivf => Body::Ivf(Box::new(Ivf::read(spec, rows, image)?)),
            Shape::Graph => Body::Graph(Box::new(Graph::read(spec, rows, image)?)),
            Shape::Disk if image.has("order") || pages.is_some() => {
                Body::Disk(Box::new(Disk::read(spec, rows, image, pages)?))
            }
            // The first version was a graph in a mapped file.
            Shape::Disk => Body::Graph(Box::new(Graph::read(spec, rows, image)?)),
            Shape::Hash => Body::Hash(Box::new(Bands::read(spec, rows, image)?)),
            Shape::Inverted if image.has("codes") => {
                Body::Coded(Box::new(Coded::read(spec.metric(), rows, image)?))
            }
            Shape::Inverted => Body::Inverted(Box::new(Inverted::read(rows, image)?)),
        };
        Ok(Self { spec: spec.clone(), rows, body })
    }

    /// The best rows for each query among those whose bit is set in `mask` (one bit a row; all rows without a mask).
    /// `vectors` are the rows the index was built of. As many rows come back as were asked for, if so many match.
    /// Scores are exact.
    ///
    /// # Errors
    /// [`Error::Cancelled`], and [`Error::OtherVectors`] when rows or queries are not those of the index.
    pub fn search(
        &self,
        vectors: Vectors<'_>,
        queries: Vectors<'_>,
        query: &Query,
        mask: Option<&Bits>,
        cancel: &Cancel,
    ) -> Result<Vec<Hits>, Error> {
        check_vectors(&self.spec, vectors)?;
        check_alike(vectors, queries)?;
        if vectors.len() != self.rows || mask.is_some_and(|mask| mask.len() != self.rows) {
            return Err(Error::Corrupt { what: "number of rows" });
        }
        if self.rows == 0 {
            return Ok(vec![Hits::default(); queries.len()]);
        }
        let refiner = Refiner::new(self.spec.metric(), vectors, queries, query);
        match &self.body {
            Body::Ivf(ivf) => ivf.search(&refiner, query, mask, cancel),
            Body::Graph(graph) => graph.search(&refiner, query, mask, cancel),
            Body::Disk(disk) => disk.search(&refiner, query, mask, cancel),
            Body::Hash(bands) => bands.search(&refiner, query, mask, cancel),
            Body::Inverted(inverted) => inverted.search(&refiner, query, mask, cancel),
            Body::Coded(coded) => coded.search(&refiner, query, mask, cancel),
            Body::Folded(folds) => {
                let mut hits = vec![Hits::default(); queries.len()];
                let rows = (vectors, &**folds);
                scan_folded(self.spec.metric(), rows, queries, mask, query, &mut hits, cancel)?;
                Ok(hits)
            }
            Body::Flat(outline) => {
                let (metric, mut hits) = (self.spec.metric(), vec![Hits::default(); queries.len()]);
                match outline {
                    Some(outline) => {
                        let rows = Outlined { vectors, outline };
                        scan_outlined(metric, rows, queries, 0, mask, query, &mut hits, cancel)?;
                    }
                    None => scan(metric, vectors, queries, 0, mask, query, &mut hits, cancel)?,
                }
                Ok(hits)
            }
        }
    }

    /// How a search begins of which `matching` rows match. (One that finds too few goes on to look at all.)
    pub fn way(&self, query: &Query, matching: usize) -> Way {
        match &self.body {
            Body::Flat(_) | Body::Folded(_) => Way::Rows,
            Body::Ivf(ivf) => ivf.way(query, matching),
            Body::Graph(graph) => graph.way(query, matching),
            Body::Disk(disk) => disk.way(query, matching),
            Body::Inverted(_) | Body::Coded(_) => Way::Postings,
            Body::Hash(_) => Way::Hashes,
        }
    }

    /// How a search begins among the rows of `mask`: as [`Index::way`] says, if there is no [`Subgraph`] for it.
    pub fn way_among(&self, query: &Query, mask: &Bits) -> Way {
        let matching = mask.count();
        match &self.body {
            Body::Graph(graph) if graph.has_subgraph(query, mask, matching) => Way::Subgraph,
            _ => self.way(query, matching),
        }
    }

    /// A mask among whose rows so much is searched that a [`Subgraph`] of them is worth what it takes to build.
    pub fn wants_subgraph(&self) -> Option<Arc<Bits>> {
        match &self.body {
            Body::Graph(graph) => graph.subgraphs.wanted(self.rows),
            _ => None,
        }
    }

    /// How many subgraphs there are, and the bytes they take.
    pub fn subgraphs(&self) -> (usize, u64) {
        match &self.body {
            Body::Graph(graph) => graph.subgraphs.sizes(),
            _ => (0, 0),
        }
    }

    /// Bytes that [`Index::build_subgraph`] takes meanwhile, about.
    pub fn subgraph_build_bytes(&self, mask: &Bits) -> u64 {
        // Floats, rotated, codes, and candidates.
        mask.count() as u64 * (5 * self.spec.dim() + 2048) as u64
    }

    /// Builds a graph of the rows of `mask`, that [`Index::wants_subgraph`] gave. The same input and `seed` make the same graph with any
    /// number of threads.
    ///
    /// # Errors
    /// As [`build`], and [`Error::Corrupt`] if the index is none that can have one.
    pub fn build_subgraph(
        &self,
        vectors: Vectors<'_>,
        mask: &Bits,
        seed: u64,
        pool: &Pool,
        cancel: &Cancel,
    ) -> Result<Subgraph, Error> {
        check_vectors(&self.spec, vectors)?;
        match &self.body {
            Body::Graph(graph) if (vectors.len(), mask.len()) == (self.rows, self.rows) => {
                Subgraph::build((&self.spec, graph), vectors, mask, seed, (pool, cancel))
            }
            _ => Err(Error::Corrupt { what: "number of rows" }),
        }
    }

    /// Lets searches go along `subgraph`, which was built by this index, if it serves their filter. Others that were used less go, if
    /// all together had more than half of the rows of the index.
    pub fn keep_subgraph(&self, subgraph: Subgraph) {
        if let Body::Graph(graph) = &self.body {
            graph.subgraphs.keep(subgraph);
        }
    }

    /// Takes note that there will be no subgraph for `mask` now. It is wanted again when it has been asked for as often anew.
    pub fn decline_subgraph(&self, mask: &Bits) {
        if let Body::Graph(graph) = &self.body {
            graph.subgraphs.demand.forget(mask);
        }
    }

    /// Lets all subgraphs go, and all that is known of what is asked for. They are wanted again when they have been asked for anew.
    pub fn forget_subgraphs(&self) {
        if let Body::Graph(graph) = &self.body {
            graph.subgraphs.clear();
        }
    }

    /// Whether a search goes through all rows, or their outline.
    pub fn is_scan(&self) -> bool {
        matches!(self.body, Body::Flat(_) | Body::Folded(_))
    }

    /// Measures what the steps of a search cost on this machine, if it has not been done and a choice depends on it;
    /// `now_ns` tells the time in nanoseconds. Takes a millisecond or two. Without it, and when `vectors` are not those of the
    /// index, the choice rests on what is usual.
    pub fn calibrate(&self, vectors: Vectors<'_>, now_ns: &dyn Fn() -> u64) {
        let has_choice = matches!(self.body, Body::Graph(_) | Body::Ivf(_));
        let is_its = check_vectors(&self.spec, vectors).is_ok() && vectors.len() == self.rows;
        if has_choice
            && is_its
            && self.rows > 0
            && let Ok(query) = self.spec.query(1, &[])
        {
            let refiner = Refiner::new(self.spec.metric(), vectors, vectors.slice(0..1), &query);
            match &self.body {
                Body::Graph(graph) => graph.calibrate(&refiner, &query, now_ns),
                Body::Ivf(ivf) => ivf.calibrate(&refiner, &query, now_ns),
                _ => {}
            }
        }
    }

    /// By which costs a search chooses its way, if it has a choice.
    pub fn costs(&self) -> Option<Costs> {
        match &self.body {
            Body::Graph(graph) => Some(graph.costs()),
            _ => None,
        }
    }

    /// How it measures nearness.
    pub fn metric(&self) -> Metric {
        self.spec.metric()
    }

    /// What searches of an index on disk have read so far.
    pub fn reads(&self) -> Option<Reads> {
        match &self.body {
            Body::Disk(disk) => Some(disk.reads()),
            _ => None,
        }
    }

    /// Whether a search has found that what it read of an index on disk is not what was written. Searches look at rows
    /// instead; the index should be built again.
    pub fn is_damaged(&self) -> bool {
        matches!(&self.body, Body::Disk(disk) if disk.is_damaged())
    }

    /// Bytes this index keeps in memory, or in a mapped file; not what it reads in pages.
    pub fn memory_bytes(&self) -> u64 {
        match &self.body {
            Body::Flat(outline) => outline.as_ref().map_or(0, |outline| outline.bytes() as u64),
            Body::Folded(folds) => folds.bytes() as u64,
            Body::Ivf(ivf) => ivf.memory_bytes(),
            Body::Graph(graph) => graph.memory_bytes(),
            Body::Disk(disk) => disk.memory_bytes(),
            Body::Hash(bands) => bands.memory_bytes(),
            Body::Inverted(inverted) => inverted.memory_bytes(),
            Body::Coded(coded) => coded.memory_bytes(),
        }
    }

    /// What was really built.
    pub fn effective(&self) -> Vec<(String, String)> {
        let mut effective = self.spec.effective();
        if let Body::Ivf(ivf) = &self.body
            && let Some((_, value)) = effective.iter_mut().find(|(name, _)| name == "nlist")
        {
            *value = ivf.lists().to_string();
        }
        effective
    }
}
