//! Nearest neighbours: build, search, save, open.
//!
//! An index is *shape x codec*: how rows are arranged (flat, in lists, as a graph) and what of them is looked at
//! while searching: the rows, a byte an element, 1 to 9 bits an element, two-byte floats, or product codes. The best
//! found by codes are always measured on the rows. Names, parameters, defaults and ranges of all kinds stand in
//! one table; [`Spec::parse`] and [`Spec::query`] turn what a user wrote into what is valid, or into a precise
//! [`Error`]. [`build`] makes an [`Image`] of named sections, [`Index::open`] reads one back, [`scan`] does without; [`scan_outlined`] finds the same through a byte an element.
//!
//! A [`GrowingGraph`] takes rows one by one and is searched in between.
//!
//! An index may be asked among the rows of any mask. It says which masks are asked for so often that a [`Subgraph`] of their rows pays
//! ([`Index::wants_subgraph`]), and goes along those that it was given.
//!
//! DISKANN and AISAQ keep codes in memory and read nodes in [`Pages`] that they are handed ([`Index::open_paged`]).
//!
//! This crate knows no files, no collections and no deletes: it gets vectors, a mask of bits and a pool of threads.
//! `cargo run --release -p index --example ten_lines` shows all of it in ten lines.
//!
//! Results always carry exact scores. The same vectors and the same seed make the same image, whatever the number of
//! threads and the instruction set.

mod build;
mod codec;
mod course;
mod disk;
mod error;
mod fold;
mod gates;
mod graph;
mod hash;
mod hits;
mod image;
mod index;
mod ivf;
mod kmeans;
mod maxsim;
mod metric;
mod nearest;
mod need;
mod nibbles;
mod outline;
mod refine;
mod scan;
mod score;
mod shares;
mod sparse;
mod spec;
mod vectors;
mod visit;
mod weights;

pub use build::{build, build_paged};
pub use disk::{PAGE_BYTES, Pages, Reads};
pub use error::Error;
pub use graph::{Costs, GrowingGraph, Subgraph};
pub use hits::Hits;
pub use image::Image;
pub use index::{Index, Way};
pub use maxsim::MaxSim;
pub use metric::{Element, Metric};
pub use need::BuildBytes;
pub use outline::{Outline, Outlined, scan_outlined};
pub use scan::scan;
pub use spec::{Kind, Query, Spec};
pub use vectors::Vectors;
