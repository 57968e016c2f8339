//! Every parameter of every kind. Invariant: a name, a default and a range are written here and nowhere else.

use super::param::{Default, Form, Param, Phase, Value};

const BUILD: Phase = Phase::Build;
const SEARCH: Phase = Phase::Search;
const MOST: i64 = i32::MAX as i64;

pub(super) const NLIST: Param = Param::whole(
    "nlist",
    BUILD,
    128,
    1,
    65_536,
    "Lists that the rows are shared out to; fewer are made when there would be under 39 rows a list.",
);
pub(super) const NPROBE: Param =
    Param::whole("nprobe", SEARCH, 8, 1, 65_536, "Lists that a search looks at.");
pub(super) const M: Param =
    Param::whole("M", BUILD, 30, 2, 2_048, "Links a new node gets; a node may come to have twice as many.");
pub(super) const EF_CONSTRUCTION: Param = Param::whole(
    "efConstruction",
    BUILD,
    360,
    1,
    MOST,
    "Candidates among which a new node's links are chosen.",
);
pub(super) const EF: Param = Param::new(
    "ef",
    SEARCH,
    Form::Whole(1, MOST),
    Default::AtLeastK(16),
    "Candidates that a search keeps; more finds more. At least the number of results.",
);
pub(super) const REFINE: Param = Param::flag(
    "refine",
    BUILD,
    false,
    "Whether refine_k counts. The best candidates are always measured on the rows themselves.",
);
pub(super) const REFINE_TYPE: Param = Param::new(
    "refine_type",
    BUILD,
    Form::Names(&["SQ4U", "SQ6", "SQ8", "FP16", "BF16", "FP32", "FLAT"]),
    Default::Absent,
    "What candidates should be measured on at least; it is always the rows themselves.",
);
pub(super) const EXACT_REFINE_TYPE: Param = Param { form: Form::Names(&["FP32", "FLAT"]), ..REFINE_TYPE };
pub(super) const REFINE_K: Param = Param::new(
    "refine_k",
    SEARCH,
    Form::Real(1.0, 1e9),
    Default::Value(Value::Real(1.0)),
    "How many times the results asked for are measured on the rows themselves.",
);
pub(super) const SQ_TYPE: Param = Param::new(
    "sq_type",
    BUILD,
    Form::Names(&["SQ4", "SQ6", "SQ8"]),
    Default::Value(Value::Name("SQ8")),
    "Bits an element.",
);
pub(super) const GRAPH_SQ_TYPE: Param = Param::new(
    "sq_type",
    BUILD,
    Form::Names(&["SQ4U", "SQ6", "SQ8", "BF16", "FP16"]),
    Default::Value(Value::Name("SQ8")),
    "Bits an element, or floats of two bytes.",
);
pub(super) const PARTS: Param = Param::new(
    "m",
    BUILD,
    Form::Whole(1, 65_536),
    Default::Required,
    "Parts of a row, each with a code; divides the dimension.",
);
pub(super) const GRAPH_PARTS: Param =
    Param::whole("m", BUILD, 32, 1, 65_536, "Parts of a row, each with a code; divides the dimension.");
pub(super) const ROUND_PARTS: Param =
    Param::whole("m", BUILD, 2, 1, 65_536, "Parts of a row, each with its codes; divides the dimension.");
pub(super) const NBITS: Param = Param::whole(
    "nbits",
    BUILD,
    8,
    1,
    24,
    "Bits of a code; a codebook has at most as many entries as there are rows to learn from.",
);
pub(super) const NRQ: Param =
    Param::whole("nrq", BUILD, 2, 1, 16, "Codes of a part, each for what the ones before leave over.");
pub(super) const RBQ_BITS: Param = Param::whole("rbq_bits", BUILD, 1, 1, 9, "Bits an element.");
pub(super) const RBQ_BITS_QUERY: Param = Param {
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
pub(super) const SUB_DIM: Param =
    Param::whole("sub_dim", BUILD, 2, 1, 65_536, "Elements of a part; divides the dimension.");
pub(super) const WITH_RAW_DATA: Param = Param::flag(
    "with_raw_data",
    BUILD,
    true,
    "Whether the index should keep the rows; they are always at hand.",
);
pub(super) const REORDER_K: Param = Param::new(
    "reorder_k",
    SEARCH,
    Form::Whole(1, MOST),
    Default::AtLeastK(1),
    "Candidates that are measured on the rows themselves. At least the number of results.",
);
pub(super) const MAX_DEGREE: Param =
    Param::whole("max_degree", BUILD, 56, 1, 2_048, "Links that a node may have.");
pub(super) const SEARCH_LIST_SIZE: Param = Param::whole(
    "search_list_size",
    BUILD,
    100,
    1,
    MOST,
    "Candidates among which a node's links are chosen.",
);
pub(super) const PQ_CODE_BUDGET: Param = Param::new(
    "pq_code_budget_gb_ratio",
    BUILD,
    Form::Real(0.0, 1.0),
    Default::Value(Value::Real(0.125)),
    "Memory for codes as a share of that of the rows as 32-bit floats; makes 1 to 8 bits an element.",
);
pub(super) const SEARCH_CACHE_BUDGET: Param = Param::new(
    "search_cache_budget_gb_ratio",
    BUILD,
    Form::Real(0.0, 1.0),
    Default::Value(Value::Real(0.1)),
    "Memory for links of nodes and lists of rows, for AISAQ also for codes, as a share of that of the rows.",
);
pub(super) const SEARCH_LIST: Param = Param::new(
    "search_list",
    SEARCH,
    Form::Whole(1, MOST),
    Default::AtLeastK(16),
    "Candidates that a search keeps; more finds more. At least the number of results.",
);
pub(super) const BEAMWIDTH: Param =
    Param::whole("beamwidth", SEARCH, 8, 1, 128, "Blocks of nodes that a step of a search reads at once.");
pub(super) const AISAQ_BEAMWIDTH: Param =
    Param::whole("beamwidth", SEARCH, 2, 1, 16, "Blocks of nodes that a step of a search reads at once.");
pub(super) const INLINE_PQ: Param = Param::whole(
    "inline_pq",
    BUILD,
    -1,
    -1,
    2_048,
    "Neighbours whose codes are beside a node; -1 and 0: none if the cache has room for codes, else as many as fit.",
);
pub(super) const PQ_CACHE_SIZE: Param = Param::whole(
    "pq_cache_size",
    BUILD,
    0,
    0,
    1 << 30,
    "Accepted; what the cache holds, search_cache_budget_gb_ratio says.",
);
pub(super) const REARRANGE: Param =
    Param::flag("rearrange", BUILD, true, "Whether nodes that are near each other share blocks.");
pub(super) const NUM_ENTRY_POINTS: Param = Param::whole(
    "num_entry_points",
    BUILD,
    100,
    0,
    1_000,
    "Accepted; there are about as many as the root of the rows.",
);
pub(super) const VECTORS_BEAMWIDTH: Param =
    Param::whole("vectors_beamwidth", SEARCH, 1, 1, 4, "Accepted; rows lie in the blocks of their nodes.");

/// How wide an element of a MinHash signature is; read by searches, too.
pub(super) const ELEMENT_BITS: Param = Param::whole(
    "mh_element_bit_width",
    SEARCH,
    8,
    8,
    256,
    "Bits of an element of a MinHash signature, rounded down to whole bytes.",
);
pub(super) const ELEMENT_BITS_BUILD: Param = Param { phase: BUILD, ..ELEMENT_BITS };
pub(super) const MH_LSH_BAND: Param = Param::whole(
    "mh_lsh_band",
    BUILD,
    1,
    1,
    65_536,
    "Bands that a signature is cut into; rows that share one are candidates. Divides the signature.",
);
pub(super) const MH_WITH_RAW_DATA: Param =
    Param::flag("with_raw_data", BUILD, false, "Accepted; the rows are always at hand.");
pub(super) const MH_CODE_IN_MEM: Param =
    Param::flag("mh_lsh_code_in_mem", BUILD, true, "Accepted; hashes are in a mapped file.");
pub(super) const MH_BLOCK_SIZE: Param =
    Param::whole("mh_lsh_aligned_block_size", BUILD, 4096, 1, MOST, "Accepted.");
pub(super) const MH_BLOOM: Param = Param::flag(
    "mh_lsh_shared_bloom_filter",
    BUILD,
    false,
    "Accepted; hashes are sorted, there is no filter.",
);
pub(super) const MH_BLOOM_RATE: Param = Param::new(
    "mh_lsh_bloom_false_positive_prob",
    BUILD,
    Form::Real(0.0, 1.0),
    Default::Value(Value::Real(0.01)),
    "Accepted; hashes are sorted, there is no filter.",
);
pub(super) const MH_WITH_JACCARD: Param = Param::flag(
    "mh_search_with_jaccard",
    SEARCH,
    false,
    "Accepted; candidates are always measured on their signatures.",
);
pub(super) const MH_BATCH: Param = Param::flag("mh_lsh_batch_search", SEARCH, false, "Accepted.");

const ALGORITHMS: &[&str] =
    &["TAAT_NAIVE", "DAAT_WAND", "DAAT_MAXSCORE", "BLOCK_MAX_MAXSCORE", "BLOCK_MAX_WAND", "SINDI"];
pub(super) const INVERTED_INDEX_ALGO: Param = Param::new(
    "inverted_index_algo",
    BUILD,
    Form::Names(ALGORITHMS),
    Default::Value(Value::Name("BLOCK_MAX_MAXSCORE")),
    "TAAT_NAIVE adds up everything; all others pass over what cannot be among the best. The answers are the same.",
);
pub(super) const DROP_RATIO_BUILD: Param = Param::new(
    "drop_ratio_build",
    BUILD,
    Form::Real(0.0, BELOW_ONE),
    Default::Absent,
    "Accepted; nothing is dropped.",
);
pub(super) const BM25_K1: Param = Param::new(
    "bm25_k1",
    BUILD,
    Form::Real(0.0, 3.0),
    Default::Value(Value::Real(1.2)),
    "How soon more of the same word stops to count.",
);
pub(super) const BM25_B: Param = Param::new(
    "bm25_b",
    BUILD,
    Form::Real(0.0, 1.0),
    Default::Value(Value::Real(0.75)),
    "How much the length of a text counts.",
);
pub(super) const BM25_AVGDL: Param = Param::new(
    "bm25_avgdl",
    BUILD,
    Form::Real(1e-3, 1e9),
    Default::Value(Value::Real(100.0)),
    "The mean length of texts, if a search does not say.",
);
pub(super) const DROP_RATIO_SEARCH: Param = Param::new(
    "drop_ratio_search",
    SEARCH,
    Form::Real(0.0, BELOW_ONE),
    Default::Value(Value::Real(0.0)),
    "How much of what adds little finding rows may do without; scores always count all.",
);
pub(super) const SEARCH_ALGO: Param = Param::new(
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
pub(super) const REFINE_FACTOR: Param =
    Param::whole("refine_factor", SEARCH, 1, 1, MOST, "Accepted; scores are exact.");
pub(super) const DIM_MAX_SCORE_RATIO: Param = Param::new(
    "dim_max_score_ratio",
    SEARCH,
    Form::Real(0.5, 1.3),
    Default::Value(Value::Real(1.05)),
    "Accepted; bounds are never made smaller than they are.",
);
/// The largest number below one.
const BELOW_ONE: f32 = 1.0 - f32::EPSILON / 2.0;
pub(super) const SPARSE_PARAMS: &[Param] = &[
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
