//! The table of index kinds: what each is made of and which parameters it takes. Invariant: a kind is written here and
//! nowhere else.

use super::known::*;
use super::param::Param;
use crate::{Element, Metric};

/// An index type by its role in requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Exact scan of float rows.
    Flat,
    /// Float rows in lists around centroids.
    IvfFlat,
    /// The same, rows as a few bits an element.
    IvfSq8,
    /// The same, rows as product codes.
    IvfPq,
    /// The same, rows as a bit or a few an element after a rotation.
    IvfRabitq,
    /// The same, a bit an element.
    IvfRabitqFastScan,
    /// The same, rows as product codes of 4 bits.
    Scann,
    /// A graph of near neighbours.
    Hnsw,
    /// The same, rows as a few bits an element or floats of two bytes.
    HnswSq,
    /// The same, rows as product codes.
    HnswPq,
    /// The same, rows as product codes of several rounds.
    HnswPrq,
    /// A graph and few bits an element, the rows themselves on disk.
    DiskAnn,
    /// The same with the parameters of its own.
    Aisaq,
    /// Exact scan of binary rows.
    BinFlat,
    /// Binary rows in lists around centroids.
    BinIvfFlat,
    /// MinHash signatures by hashes of their bands.
    MinHashLsh,
    /// Sparse rows by the dimensions they have.
    SparseInvertedIndex,
    /// The same.
    SparseWand,
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
    /// The same, the nodes on a disk.
    Disk,
    /// By the dimensions they have.
    Inverted,
    /// By hashes of parts of them.
    Hash,
}

/// What is looked at while searching; the results of a lossy codec are measured again on the raw rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Codec {
    /// The rows themselves.
    Raw,
    /// One byte an element, with a scale for each row.
    Byte,
    /// What `sq_type` says.
    Scalar,
    /// `rbq_bits` an element of rotated rows.
    Rabitq,
    /// A code of `nbits` for each of `m` parts, `nrq` of them.
    Product,
    /// A code of 4 bits for each `sub_dim` elements.
    Parts,
    /// As many bits an element of rotated rows as the budget for codes allows.
    Budget,
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
const SPARSE: &[Metric] = &[Metric::Ip, Metric::Bm25];
const STRUCTURE: &[Metric] =
    &[Metric::Hamming, Metric::Jaccard, Metric::Substructure, Metric::Superstructure, Metric::MinHashJaccard];
const SIGNATURE: &[Metric] = &[Metric::MinHashJaccard];
const BINARY: &[Metric] = &[Metric::Hamming, Metric::Jaccard];

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
        kind: Kind::IvfSq8,
        name: "IVF_SQ8",
        shape: Shape::Ivf,
        fits: &[
            (Element::F32, Codec::Scalar, FLOAT),
            (Element::F16, Codec::Scalar, FLOAT),
            (Element::Bf16, Codec::Scalar, FLOAT),
        ],
        params: &[NLIST, SQ_TYPE, REFINE, REFINE_TYPE, NPROBE, REFINE_K],
    },
    Row {
        kind: Kind::IvfPq,
        name: "IVF_PQ",
        shape: Shape::Ivf,
        fits: &[
            (Element::F32, Codec::Product, FLOAT),
            (Element::F16, Codec::Product, FLOAT),
            (Element::Bf16, Codec::Product, FLOAT),
        ],
        params: &[NLIST, PARTS, NBITS, REFINE, REFINE_TYPE, NPROBE, REFINE_K],
    },
    Row {
        kind: Kind::IvfRabitq,
        name: "IVF_RABITQ",
        shape: Shape::Ivf,
        fits: &[
            (Element::F32, Codec::Rabitq, FLOAT),
            (Element::F16, Codec::Rabitq, FLOAT),
            (Element::Bf16, Codec::Rabitq, FLOAT),
        ],
        params: &[NLIST, RBQ_BITS, REFINE, REFINE_TYPE, NPROBE, RBQ_BITS_QUERY, REFINE_K],
    },
    Row {
        kind: Kind::IvfRabitqFastScan,
        name: "IVF_RABITQ_FASTSCAN",
        shape: Shape::Ivf,
        fits: &[
            (Element::F32, Codec::Rabitq, FLOAT),
            (Element::F16, Codec::Rabitq, FLOAT),
            (Element::Bf16, Codec::Rabitq, FLOAT),
        ],
        params: &[NLIST, REFINE, EXACT_REFINE_TYPE, NPROBE, REFINE_K],
    },
    Row {
        kind: Kind::Scann,
        name: "SCANN",
        shape: Shape::Ivf,
        fits: &[
            (Element::F32, Codec::Parts, FLOAT),
            (Element::F16, Codec::Parts, FLOAT),
            (Element::Bf16, Codec::Parts, FLOAT),
        ],
        params: &[NLIST, SUB_DIM, WITH_RAW_DATA, NPROBE, REORDER_K],
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
        kind: Kind::HnswSq,
        name: "HNSW_SQ",
        shape: Shape::Graph,
        fits: &[
            (Element::F32, Codec::Scalar, FLOAT),
            (Element::F16, Codec::Scalar, FLOAT),
            (Element::Bf16, Codec::Scalar, FLOAT),
            (Element::I8, Codec::Scalar, FLOAT),
        ],
        params: &[M, EF_CONSTRUCTION, GRAPH_SQ_TYPE, REFINE, REFINE_TYPE, EF, REFINE_K],
    },
    Row {
        kind: Kind::HnswPq,
        name: "HNSW_PQ",
        shape: Shape::Graph,
        fits: &[
            (Element::F32, Codec::Product, FLOAT),
            (Element::F16, Codec::Product, FLOAT),
            (Element::Bf16, Codec::Product, FLOAT),
            (Element::I8, Codec::Product, FLOAT),
        ],
        params: &[M, EF_CONSTRUCTION, GRAPH_PARTS, NBITS, REFINE, REFINE_TYPE, EF, REFINE_K],
    },
    Row {
        kind: Kind::HnswPrq,
        name: "HNSW_PRQ",
        shape: Shape::Graph,
        fits: &[
            (Element::F32, Codec::Product, FLOAT),
            (Element::F16, Codec::Product, FLOAT),
            (Element::Bf16, Codec::Product, FLOAT),
            (Element::I8, Codec::Product, FLOAT),
        ],
        params: &[M, EF_CONSTRUCTION, ROUND_PARTS, NRQ, NBITS, REFINE, REFINE_TYPE, EF, REFINE_K],
    },
    Row {
        kind: Kind::DiskAnn,
        name: "DISKANN",
        shape: Shape::Disk,
        fits: &[
            (Element::F32, Codec::Budget, FLOAT),
            (Element::F16, Codec::Budget, FLOAT),
            (Element::Bf16, Codec::Budget, FLOAT),
        ],
        params: &[MAX_DEGREE, SEARCH_LIST_SIZE, PQ_CODE_BUDGET, SEARCH_CACHE_BUDGET, SEARCH_LIST, BEAMWIDTH],
    },
    Row {
        kind: Kind::Aisaq,
        name: "AISAQ",
        shape: Shape::Disk,
        fits: &[
            (Element::F32, Codec::Budget, FLOAT),
            (Element::F16, Codec::Budget, FLOAT),
            (Element::Bf16, Codec::Budget, FLOAT),
        ],
        params: &[
            MAX_DEGREE,
            SEARCH_LIST_SIZE,
            PQ_CODE_BUDGET,
            SEARCH_CACHE_BUDGET,
            INLINE_PQ,
            PQ_CACHE_SIZE,
            REARRANGE,
            NUM_ENTRY_POINTS,
            SEARCH_LIST,
            AISAQ_BEAMWIDTH,
            VECTORS_BEAMWIDTH,
        ],
    },
    Row {
        kind: Kind::BinFlat,
        name: "BIN_FLAT",
        shape: Shape::Flat,
        fits: &[(Element::Bits, Codec::Raw, STRUCTURE)],
        params: &[ELEMENT_BITS_BUILD],
    },
    Row {
        kind: Kind::BinIvfFlat,
        name: "BIN_IVF_FLAT",
        shape: Shape::Ivf,
        fits: &[(Element::Bits, Codec::Raw, BINARY)],
        params: &[NLIST, NPROBE],
    },
    Row {
        kind: Kind::MinHashLsh,
        name: "MINHASH_LSH",
        shape: Shape::Hash,
        fits: &[(Element::Bits, Codec::Raw, SIGNATURE)],
        params: &[
            MH_LSH_BAND,
            ELEMENT_BITS_BUILD,
            MH_WITH_RAW_DATA,
            MH_CODE_IN_MEM,
            MH_BLOOM_RATE,
            MH_BLOCK_SIZE,
            MH_BLOOM,
            MH_WITH_JACCARD,
            REFINE_K,
            MH_BATCH,
        ],
    },
    Row {
        kind: Kind::SparseInvertedIndex,
        name: "SPARSE_INVERTED_INDEX",
        shape: Shape::Inverted,
        fits: &[(Element::Sparse, Codec::Raw, SPARSE)],
        params: SPARSE_PARAMS,
    },
    Row {
        kind: Kind::SparseWand,
        name: "SPARSE_WAND",
        shape: Shape::Inverted,
        fits: &[(Element::Sparse, Codec::Raw, SPARSE)],
        params: SPARSE_PARAMS,
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
        (Element::Bits, Codec::Raw, STRUCTURE),
        (Element::Sparse, Codec::Raw, SPARSE),
    ],
    params: &[],
};

/// The name under which [`Kind::AutoIndex`] is asked for.
pub(crate) const AUTOINDEX: &str = "AUTOINDEX";

/// A kind, its parameters, and the metric if none was named.
type Choice = (&'static Row, &'static [(&'static str, i64)], Metric);

/// What AUTOINDEX makes of an element, and of bits that are MinHash signatures.
pub(crate) fn auto(element: Element, is_signature: bool) -> Choice {
    let (kind, params, metric): (_, &[_], _) = match element {
        Element::Sparse => (Kind::SparseInvertedIndex, &[], Metric::Ip),
        Element::F32 | Element::F16 | Element::Bf16 | Element::I8 => {
            (Kind::Hnsw, &[("M", 16), ("efConstruction", 240)], Metric::Cosine)
        }
        Element::Bits if is_signature => (Kind::MinHashLsh, &[], Metric::MinHashJaccard),
        Element::Bits => (Kind::BinIvfFlat, &[("nlist", 1024)], Metric::Hamming),
    };
    let row = TABLE.iter().find(|row| row.kind == kind).expect("AUTOINDEX resolves to a row of the table");
    (row, params, metric)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::param::{Default, Form, Value};

    #[test]
    fn rows_and_defaults_make_sense() {
        for row in TABLE {
            assert_eq!(
                TABLE.iter().filter(|other| other.name == row.name || other.kind == row.kind).count(),
                1
            );
            assert!(!row.fits.is_empty());
            for param in row.params {
                let fine = match (param.default, param.form) {
                    (
                        Default::Value(Value::Whole(value)) | Default::AtLeastK(value),
                        Form::Whole(low, high),
                    ) => low <= value && value <= high,
                    (Default::Value(Value::Real(value)), Form::Real(low, high)) => {
                        low <= value && value <= high
                    }
                    (Default::Value(Value::Flag(_)), Form::Flag) => true,
                    (Default::Value(Value::Name(value)), Form::Names(names)) => names.contains(&value),
                    (Default::Required | Default::Absent, _) => true,
                    _ => false,
                };
                assert!(fine, "{} of {}", param.name, row.name);
                assert!(param.doc.ends_with('.'));
            }
        }
        for element in
            [Element::F32, Element::F16, Element::Bf16, Element::I8, Element::Bits, Element::Sparse]
        {
            let (row, params, metric) = auto(element, false);
            assert!(row.fits.iter().any(|(e, _, metrics)| *e == element && metrics.contains(&metric)));
            assert!(params.iter().all(|(name, _)| row.params.iter().any(|param| param.name == *name)));
        }
    }
}
