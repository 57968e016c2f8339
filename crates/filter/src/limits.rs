//! Every bound the language puts on what it takes, in one place.

/// The most bytes an expression may have: what a 64 MiB request can carry.
pub(crate) const TEXT_BYTES_MAX: usize = 64 << 20;

/// How deep an expression may nest. Chains of `and` and `or` count once however long they are.
pub(crate) const DEPTH_MAX: u16 = 256;

/// Of a list that is probed by hash: the longest run of full slots. A list that makes a longer one (chosen to do harm)
/// is searched by halving instead.
pub(crate) const PROBES_MAX: usize = 64;

/// How many bytes a compiled regular expression may have, and how many its memory of states.
pub(crate) const REGEX_BYTES_MAX: usize = 8 << 20;

/// The most words of a `text_match` that may have to be found.
pub(crate) const SHOULD_MATCH_MAX: i64 = 1000;

/// The most edits between a word looked for by `text_match_fuzzy` and one found.
pub(crate) const EDITS_MAX: i64 = 2;

/// How near the part that `random_sample` keeps may come to nothing and to all.
pub(crate) const SAMPLE_MARGIN: f64 = 1e-10;

/// How much of an expression a message repeats, in characters.
pub(crate) const EXCERPT_CHARS_MAX: usize = 200;

/// How many leaves of a predicate are offered to indexes: each answer takes a bit a row.
pub(crate) const PROBES_A_PREDICATE_MAX: usize = 64;
