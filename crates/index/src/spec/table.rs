//! The table of index kinds: what each is made of and which parameters it takes. Invariant: a kind, a parameter,
//! a default and a range are written here and nowhere else.

use super::param::{Default, Form, Param, Phase, Value};
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
    /// By the dimensions they have.
    Inverted,
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
const BINARY: &[Metric] = &[Metric::Hamming, Metric::Jaccard];

const BUILD: Phase = Phase::Build;
const SEARCH: Phase = Phase::Search;
const MOST: i64 = i32::MAX as i64;

const NLIST: Param = Param::whole(
    "nlist",
    BUILD,
    128,
    1,
    65_536,
    "Lists that the rows are shared out to; fewer are made when there would be under 39 rows a list.",
);
const NPROBE: Param = Param::whole("nprobe", SEARCH, 8, 1, 65_536, "Lists that a search looks at.");
const M: Param =
    Param::whole("M", BUILD, 30, 2, 2_048, "Links a new node gets; a node may come to have twice as many.");
const EF_CONSTRUCTION: Param = Param::whole(
    "efConstruction",
    BUILD,
    360,
    1,
    MOST,
    "Candidates among which a new node's links are chosen.",
);
const EF: Param = Param::new(
    "ef",
    SEARCH,
    Form::Whole(1, MOST),
    Default::AtLeastK(16),
    "Candidates that a search keeps; more finds more. At least the number of results.",
);
const REFINE: Param = Param::flag(
    "refine",
    BUILD,
    false,
    "Whether refine_k counts. The best candidates are always measured on the rows themselves.",
);
const REFINE_TYPE: Param = Param::new(
    "refine_type",
    BUILD,
    Form::Names(&["SQ4U", "SQ6", "SQ8", "FP16", "BF16", "FP32", "FLAT"]),
    Default::Absent,
    "What candidates should be measured on at least; it is always the rows themselves.",
);
const REFINE_K: Param = Param::new(
    "refine_k",
    SEARCH,
    Form::Real(1.0, 1e9),
    Default::Value(Value::Real(1.0)),
    "How many times the results asked for are measured on the rows themselves.",
);
const SQ_TYPE: Param = Param::new(
    "sq_type",
    BUILD,
    Form::Names(&["SQ4", "SQ6", "SQ8"]),
    Default::Value(Value::Name("SQ8")),
    "Bits an element.",
);
const GRAPH_SQ_TYPE: Param = Param::new(
    "sq_type",
    BUILD,
    Form::Names(&["SQ4U", "SQ6", "SQ8", "BF16", "FP16"]),
    Default::Value(Value::Name("SQ8")),
    "Bits an element, or floats of two bytes.",
);
const PARTS: Param = Param::new(
    "m",
    BUILD,
    Form::Whole(1, 65_536),
    Default::Required,
    "Parts of a row, each with a code; divides the dimension.",
);
const GRAPH_PARTS: Param =
    Param::whole("m", BUILD, 32, 1, 65_536, "Parts of a row, each with a code; divides the dimension.");
const ROUND_PARTS: Param =
    Param::whole("m", BUILD, 2, 1, 65_536, "Parts of a row, each with its codes; divides the dimension.");
const NBITS: Param = Param::whole(
    "nbits",
    BUILD,
    8,
    1,
    24,
    "Bits of a code; a codebook has at most as many entries as there are rows to learn from.",
);
const NRQ: Param =
    Param::whole("nrq", BUILD, 2, 1, 16, "Codes of a part, each for what the ones before leave over.");
const RBQ_BITS: Param = Param::whole("rbq_bits", BUILD, 1, 1, 9, "Bits an element.");
const RBQ_BITS_QUERY: Param = Param {
    also: Some("rbq_query_bits"),
    ..Param::whole(
        "rbq_bits_query",
        SEARCH,
        0,
        0,
        8,
        "Bits an element of the query; 0 is as many as there are, 8.",
    )
};
const SUB_DIM: Param =
    Param::whole("sub_dim", BUILD, 2, 1, 65_536, "Elements of a part; divides the dimension.");
const WITH_RAW_DATA: Param = Param::flag(
    "with_raw_data",
    BUILD,
    true,
    "Whether the index should keep the rows; they are always at hand.",
);
const REORDER_K: Param = Param::new(
    "reorder_k",
    SEARCH,
    Form::Whole(1, MOST),
    Default::AtLeastK(1),
    "Candidates that are measured on the rows themselves. At least the number of results.",
);
const MAX_DEGREE: Param = Param::whole("max_degree", BUILD, 56, 1, 2_048, "Links that a node may have.");
const SEARCH_LIST_SIZE: Param = Param::whole(
    "search_list_size",
    BUILD,
    100,
    1,
    MOST,
    "Candidates among which a node's links are chosen.",
);
const PQ_CODE_BUDGET: Param = Param::new(
    "pq_code_budget_gb_ratio",
    BUILD,
    Form::Real(0.0, 1.0),
    Default::Value(Value::Real(0.125)),
    "Memory for codes as a share of that of the rows as 32-bit floats; makes 1 to 8 bits an element.",
);
const SEARCH_CACHE_BUDGET: Param = Param::new(
    "search_cache_budget_gb_ratio",
    BUILD,
    Form::Real(0.0, 1.0),
    Default::Value(Value::Real(0.1)),
    "Accepted; the system's cache of the mapped file does this.",
);
const SEARCH_LIST: Param = Param::new(
    "search_list",
    SEARCH,
    Form::Whole(1, MOST),
    Default::AtLeastK(16),
    "Candidates that a search keeps; more finds more. At least the number of results.",
);
const BEAMWIDTH: Param = Param::whole(
    "beamwidth",
    SEARCH,
    8,
    1,
    128,
    "Accepted; memory is asked for links and rows ahead of their use.",
);
const INLINE_PQ: Param =
    Param::whole("inline_pq", BUILD, -1, -1, 2_048, "Accepted; codes are kept together, in a mapped file.");
const PQ_CACHE_SIZE: Param = Param::whole(
    "pq_cache_size",
    BUILD,
    0,
    0,
    1 << 30,
    "Accepted; the system's cache of the mapped file does this.",
);
const REARRANGE: Param = Param::flag("rearrange", BUILD, true, "Accepted; codes are in the order of rows.");
const NUM_ENTRY_POINTS: Param = Param::whole(
    "num_entry_points",
    BUILD,
    100,
    0,
    1_000,
    "Accepted; there are about as many as the root of the rows.",
);
const VECTORS_BEAMWIDTH: Param = Param::whole(
    "vectors_beamwidth",
    SEARCH,
    1,
    1,
    4,
    "Accepted; memory is asked for rows ahead of their use.",
);

const ALGORITHMS: &[&str] =
    &["TAAT_NAIVE", "DAAT_WAND", "DAAT_MAXSCORE", "BLOCK_MAX_MAXSCORE", "BLOCK_MAX_WAND", "SINDI"];
const INVERTED_INDEX_ALGO: Param = Param::new(
    "inverted_index_algo",
    BUILD,
    Form::Names(ALGORITHMS),
    Default::Value(Value::Name("BLOCK_MAX_MAXSCORE")),
    "TAAT_NAIVE adds up everything; all others are MaxScore with bounds of blocks. The answers are the same.",
);
const DROP_RATIO_BUILD: Param = Param::new(
    "drop_ratio_build",
    BUILD,
    Form::Real(0.0, BELOW_ONE),
    Default::Absent,
    "Accepted; nothing is dropped.",
);
const BM25_K1: Param = Param::new(
    "bm25_k1",
    BUILD,
    Form::Real(0.0, 3.0),
    Default::Value(Value::Real(1.2)),
    "How soon more of the same word stops to count.",
);
const BM25_B: Param = Param::new(
    "bm25_b",
    BUILD,
    Form::Real(0.0, 1.0),
    Default::Value(Value::Real(0.75)),
    "How much the length of a text counts.",
);
const BM25_AVGDL: Param = Param::new(
    "bm25_avgdl",
    BUILD,
    Form::Real(1e-3, 1e9),
    Default::Value(Value::Real(100.0)),
    "The mean length of texts, if a search does not say.",
);
const DROP_RATIO_SEARCH: Param = Param::new(
    "drop_ratio_search",
    SEARCH,
    Form::Real(0.0, BELOW_ONE),
    Default::Value(Value::Real(0.0)),
    "The share of the query, its smallest values, that finding rows may do without; scores always count all.",
);
const SEARCH_ALGO: Param = Param::new(
    "search_algo",
    SEARCH,
    Form::Names(&[
        "INHERIT",
        "TAAT_NAIVE",
        "DAAT_WAND",
        "DAAT_MAXSCORE",
        "BLOCK_MAX_MAXSCORE",
        "BLOCK_MAX_WAND",
        "SINDI",
    ]),
    Default::Value(Value::Name("INHERIT")),
    "As inverted_index_algo, for this search.",
);
const REFINE_FACTOR: Param = Param::whole("refine_factor", SEARCH, 1, 1, MOST, "Accepted; scores are exact.");
const DIM_MAX_SCORE_RATIO: Param = Param::new(
    "dim_max_score_ratio",
    SEARCH,
    Form::Real(0.5, 1.3),
    Default::Value(Value::Real(1.05)),
    "Accepted; bounds are never made smaller than they are.",
);
/// The largest number below one.
const BELOW_ONE: f32 = 1.0 - f32::EPSILON / 2.0;
const SPARSE_PARAMS: &[Param] = &[
    INVERTED_INDEX_ALGO,
    DROP_RATIO_BUILD,
    BM25_K1,
    BM25_B,
    BM25_AVGDL,
    DROP_RATIO_SEARCH,
    SEARCH_ALGO,
    REFINE_FACTOR,
    DIM_MAX_SCORE_RATIO,
];

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
        shape: Shape::Graph,
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
        shape: Shape::Graph,
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
            BEAMWIDTH,
            VECTORS_BEAMWIDTH,
        ],
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
        (Element::Bits, Codec::Raw, BINARY),
        (Element::Sparse, Codec::Raw, SPARSE),
    ],
    params: &[],
};

/// The name under which [`Kind::AutoIndex`] is asked for.
pub(crate) const AUTOINDEX: &str = "AUTOINDEX";

/// A kind, its parameters, and the metric if none was named.
type Choice = (&'static Row, &'static [(&'static str, i64)], Metric);

/// What AUTOINDEX makes of an element.
pub(crate) fn auto(element: Element) -> Choice {
    let (kind, params, metric): (_, &[_], _) = match element {
        Element::Sparse => (Kind::SparseInvertedIndex, &[], Metric::Ip),
        Element::F32 | Element::F16 | Element::Bf16 | Element::I8 => {
            (Kind::Hnsw, &[("M", 18), ("efConstruction", 240)], Metric::Cosine)
        }
        Element::Bits => (Kind::BinIvfFlat, &[("nlist", 1024)], Metric::Hamming),
    };
    let row = TABLE.iter().find(|row| row.kind == kind).expect("AUTOINDEX resolves to a row of the table");
    (row, params, metric)
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
            let (row, params, metric) = auto(element);
            assert!(row.fits.iter().any(|(e, _, metrics)| *e == element && metrics.contains(&metric)));
            assert!(params.iter().all(|(name, _)| row.params.iter().any(|param| param.name == *name)));
        }
    }
}
