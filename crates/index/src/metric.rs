//! How near two vectors are. Invariant: `better` is the one place that knows which way a score points.

use std::fmt;

/// How near two vectors are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Metric {
    /// Squared Euclidean distance.
    L2,
    /// Inner product.
    Ip,
    /// Cosine of the angle; 0 where a vector is all zero.
    Cosine,
    /// How well a text of words answers another: rows are counts of words, queries their weights.
    Bm25,
    /// Number of bits that differ.
    Hamming,
    /// `1 - and/or` of the bits; 0 where both are all zero.
    Jaccard,
    /// 0 where a row has no bit that the query lacks; other rows are no hits.
    Substructure,
    /// 0 where a row has every bit of the query; other rows are no hits.
    Superstructure,
    /// The share of the elements of two MinHash signatures that differ.
    MinHashJaccard,
}

impl Metric {
    const ALL: [Self; 9] = [
        Self::L2,
        Self::Ip,
        Self::Cosine,
        Self::Bm25,
        Self::Hamming,
        Self::Jaccard,
        Self::Substructure,
        Self::Superstructure,
        Self::MinHashJaccard,
    ];

    /// The name in upper case, as requests and listings write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::L2 => "L2",
            Self::Ip => "IP",
            Self::Cosine => "COSINE",
            Self::Bm25 => "BM25",
            Self::Hamming => "HAMMING",
            Self::Jaccard => "JACCARD",
            Self::Substructure => "SUBSTRUCTURE",
            Self::Superstructure => "SUPERSTRUCTURE",
            Self::MinHashJaccard => "MHJACCARD",
        }
    }

    /// The metric called `name`, in any case.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|metric| metric.name().eq_ignore_ascii_case(name))
    }

    /// Whether the best score is the smallest.
    pub fn smaller_is_better(self) -> bool {
        !matches!(self, Self::Ip | Self::Cosine | Self::Bm25)
    }

    /// Whether score `a` is better than score `b`.
    pub fn better(self, a: f32, b: f32) -> bool {
        if self.smaller_is_better() { a < b } else { a > b }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a vector is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Element {
    /// 32-bit floats.
    F32,
    /// 16-bit floats.
    F16,
    /// 16-bit floats with the exponent of a 32-bit one.
    Bf16,
    /// Signed bytes.
    I8,
    /// Single bits, eight to a byte.
    Bits,
    /// Pairs of an index and a 32-bit float.
    Sparse,
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "float",
            Self::F16 => "float16",
            Self::Bf16 => "bfloat16",
            Self::I8 => "int8",
            Self::Bits => "binary",
            Self::Sparse => "sparse",
        })
    }
}
