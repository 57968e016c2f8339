//! The table of index kinds: what each is made of and which parameters it takes. Invariant: a kind, a parameter,
//! a default and a range are written here and nowhere else.

use crate::{Element, Metric};

/// An index type by its role in requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Exact scan of float rows.
    Flat,
    /// Float rows in lists around centroids.
    IvfFlat,
    /// A graph of near neighbours.
    Hnsw,
    /// Exact scan of binary rows.
    BinFlat,
    /// Binary rows in lists around centroids.
    BinIvfFlat,
    /// Whatever suits the field; resolves to one of the others.
    AutoIndex,
}

/// How the rows are arranged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Not at all: every row is looked at.
    Flat,
    /// In lists around centroids.
    Ivf,
    /// As nodes of a graph.
    Graph,
}

/// What is looked at while searching; the results of a lossy codec are measured again on the raw rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Codec {
    /// The rows themselves.
    Raw,
    /// One byte an element, with a scale for each row.
    Byte,
}

/// When a parameter is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// By a build.
    Build,
    /// By a search.
    Search,
}

/// What a parameter is if nobody says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Default {
    /// This number.
    Number(i64),
    /// The number of results asked for, but at least this.
    AtLeastK(i64),
}

/// One whole-number parameter.
#[derive(Debug)]
pub(crate) struct Param {
    pub(crate) name: &'static str,
    pub(crate) phase: Phase,
    pub(crate) default: Default,
    pub(crate) low: i64,
    pub(crate) high: i64,
    /// What it does, for listings.
    #[cfg_attr(not(test), expect(dead_code, reason = "read by the generated page of parameters"))]
    pub(crate) doc: &'static str,
}

/// One kind of index.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) kind: Kind,
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    /// Which elements it takes, and for each the codec and the metrics.
    pub(crate) fits: &'static [(Element, Codec, &'static [Metric])],
    pub(crate) params: &'static [Param],
}

const FLOAT: &[Metric] = &[Metric::L2, Metric::Ip, Metric::Cosine];
const SPARSE: &[Metric] = &[Metric::Ip];
const BINARY: &[Metric] = &[Metric::Hamming, Metric::Jaccard];

const NLIST: Param = Param {
    name: "nlist",
    phase: Phase::Build,
    default: Default::Number(128),
    low: 1,
    high: 65_536,
    doc: "Lists that the rows are shared out to; fewer are made when there would be under 39 rows a list.",
};
const NPROBE: Param = Param {
    name: "nprobe",
    phase: Phase::Search,
    default: Default::Number(8),
    low: 1,
    high: 65_536,
    doc: "Lists that a search looks at.",
};
const M: Param = Param {
    name: "M",
    phase: Phase::Build,
    default: Default::Number(30),
    low: 2,
    high: 2_048,
    doc: "Links a new node gets; a node may come to have twice as many.",
};
const EF_CONSTRUCTION: Param = Param {
    name: "efConstruction",
    phase: Phase::Build,
    default: Default::Number(360),
    low: 1,
    high: i32::MAX as i64,
    doc: "Candidates among which a new node's links are chosen.",
};
const EF: Param = Param {
    name: "ef",
    phase: Phase::Search,
    default: Default::AtLeastK(16),
    low: 1,
    high: i32::MAX as i64,
    doc: "Candidates that a search keeps; more finds more. At least the number of results.",
};

/// Every kind that can be built.
pub(crate) const TABLE: &[Row] = &[
    Row {
        kind: Kind::Flat,
        name: "FLAT",
        shape: Shape::Flat,
        fits: &[
            (Element::F32, Codec::Raw, FLOAT),
            (Element::F16, Codec::Raw, FLOAT),
            (Element::Bf16, Codec::Raw, FLOAT),
        ],
        params: &[],
    },
    Row {
        kind: Kind::IvfFlat,
        name: "IVF_FLAT",
        shape: Shape::Ivf,
        fits: &[
            (Element::F32, Codec::Byte, FLOAT),
            (Element::F16, Codec::Byte, FLOAT),
            (Element::Bf16, Codec::Byte, FLOAT),
        ],
        params: &[NLIST, NPROBE],
    },
    Row {
        kind: Kind::Hnsw,
        name: "HNSW",
        shape: Shape::Graph,
        fits: &[
            (Element::F32, Codec::Byte, FLOAT),
            (Element::F16, Codec::Byte, FLOAT),
            (Element::Bf16, Codec::Byte, FLOAT),
            (Element::I8, Codec::Byte, FLOAT),
            (Element::Bits, Codec::Raw, BINARY),
        ],
        params: &[M, EF_CONSTRUCTION, EF],
    },
    Row {
        kind: Kind::BinFlat,
        name: "BIN_FLAT",
        shape: Shape::Flat,
        fits: &[(Element::Bits, Codec::Raw, BINARY)],
        params: &[],
    },
    Row {
        kind: Kind::BinIvfFlat,
        name: "BIN_IVF_FLAT",
        shape: Shape::Ivf,
        fits: &[(Element::Bits, Codec::Raw, BINARY)],
        params: &[NLIST, NPROBE],
    },
];

/// What a field without an index is: every row is looked at, whatever it is made of. Never built.
pub(crate) const UNINDEXED: Row = Row {
    kind: Kind::Flat,
    name: "FLAT",
    shape: Shape::Flat,
    fits: &[
        (Element::F32, Codec::Raw, FLOAT),
        (Element::F16, Codec::Raw, FLOAT),
        (Element::Bf16, Codec::Raw, FLOAT),
        (Element::I8, Codec::Raw, FLOAT),
        (Element::Bits, Codec::Raw, BINARY),
        (Element::Sparse, Codec::Raw, SPARSE),
    ],
    params: &[],
};

/// The name under which [`Kind::AutoIndex`] is asked for.
pub(crate) const AUTOINDEX: &str = "AUTOINDEX";

/// A kind, its parameters, and the metric if none was named.
type Choice = (&'static Row, &'static [(&'static str, i64)], Metric);

/// What AUTOINDEX makes of an element. `None` where there is nothing yet to make of it.
pub(crate) fn auto(element: Element) -> Option<Choice> {
    let (kind, params, metric): (_, &[_], _) = match element {
        Element::Sparse => return None,
        Element::F32 | Element::F16 | Element::Bf16 | Element::I8 => {
            (Kind::Hnsw, &[("M", 18), ("efConstruction", 240)], Metric::Cosine)
        }
        Element::Bits => (Kind::BinIvfFlat, &[("nlist", 1024)], Metric::Hamming),
    };
    let row = TABLE.iter().find(|row| row.kind == kind).expect("AUTOINDEX resolves to a row of the table");
    Some((row, params, metric))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_defaults_make_sense() {
        for row in TABLE {
            assert_eq!(
                TABLE.iter().filter(|other| other.name == row.name || other.kind == row.kind).count(),
                1
            );
            assert!(!row.fits.is_empty());
            for param in row.params {
                let (Default::Number(default) | Default::AtLeastK(default)) = param.default;
                assert!(param.low <= default && default <= param.high, "{} of {}", param.name, row.name);
                assert!(param.doc.ends_with('.'));
            }
        }
        for element in [Element::F32, Element::F16, Element::Bf16, Element::I8, Element::Bits] {
            let (row, params, metric) = auto(element).expect("dense elements have an index");
            assert!(row.fits.iter().any(|(e, _, metrics)| *e == element && metrics.contains(&metric)));
            assert!(params.iter().all(|(name, _)| row.params.iter().any(|param| param.name == *name)));
        }
    }
}
