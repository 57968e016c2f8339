//! An index is built. Invariant: the same rows, specification and seed make the same bytes, whatever the threads and the memory they have
//! (but for a graph on disk that is made in parts).

use std::io;

use host::{Cancel, Pool, Progress};

use crate::codec::{BitRows, ByteRows, Sketch, Space};
use crate::course::Course;
use crate::fold::Folds;
use crate::graph::{self, Blocks, Graph, Lists};
use crate::image::Head;
use crate::index::{check_rows, check_vectors};
use crate::need::little_bytes;
use crate::outline::Outline;
use crate::shares::Shared;
use crate::spec::{Codec, Shape};
use crate::vectors::Chosen;
use crate::{Error, Image, Spec, Vectors, disk, hash, ivf, sparse};

/// Builds an index of `vectors`. The same input and `seed` give the same bytes with any number of threads.
/// `progress` counts rows.
///
/// # Errors
/// [`Error::OtherVectors`] when the vectors are not those of `spec`, [`Error::TooManyRows`], [`Error::Cancelled`].
pub fn build(
    spec: &Spec,
    vectors: Vectors<'_>,
    seed: u64,
    pool: &Pool,
    cancel: &Cancel,
    progress: &Progress,
) -> Result<Image, Error> {
    let mut nodes = Vec::new();
    let mut keep = |bytes: Vec<u8>| {
        nodes.extend_from_slice(&bytes);
        Ok(())
    };
    let mut image = build_paged(spec, vectors, seed, pool, cancel, progress, (u64::MAX, &mut keep))?;
    if let Some(section) = spec.paged_section() {
        image.push(section, nodes);
    }
    Ok(image)
}

/// The same, but for the section that [`Spec::paged_section`] names: its bytes are handed to `pages`, piece by piece as they are made, and
/// are not in the image. So a graph on disk is built in a part of the memory that its rows take, and in parts where it would take more
/// than the number of bytes that comes before `pages`, if these are as many as it takes at least: see [`Spec::build_bytes`].
///
/// # Errors
/// As [`build`], and [`Error::Unwritable`] with what `pages` says.
pub fn build_paged(
    spec: &Spec,
    vectors: Vectors<'_>,
    seed: u64,
    pool: &Pool,
    cancel: &Cancel,
    progress: &Progress,
    (memory_bytes, pages): (u64, &mut dyn FnMut(Vec<u8>) -> io::Result<()>),
) -> Result<Image, Error> {
    check_vectors(spec, vectors)?;
    check_rows(vectors.len())?;
    cancel.check()?;
    progress.set_total(vectors.len() as u64);
    let mut image = Image::default();
    Head::write(spec, vectors.len(), &mut image);
    let work = Work { spec, vectors, seed, pool, cancel };
    let mut course = Course::new(progress, vectors.len() as u64);
    let done = (cancel, &mut course);
    match spec.shape() {
        Shape::Flat => work.flat(&mut course, &mut image)?,
        Shape::Ivf => ivf::build(spec, vectors, seed, pool, done, &mut image)?,
        Shape::Graph => work.graph(&mut course, &mut image)?,
        Shape::Disk => work.disk(&mut course, &mut image, memory_bytes, pages)?,
        Shape::Hash => hash::build(spec, vectors, pool, done, &mut image)?,
        Shape::Inverted => sparse::build(spec.metric(), vectors, done, &mut image)?,
    }
    course.finish();
    Ok(image)
}

/// A build on its way.
struct Work<'a> {
    spec: &'a Spec,
    vectors: Vectors<'a>,
    seed: u64,
    pool: &'a Pool,
    cancel: &'a Cancel,
}

/// Percent of the work that is done when rows of a graph are coded, and when they are linked; blocks or links are written then.
const CODED: u64 = 2;
const LINKED: u64 = 85;
const WRITTEN: u64 = 92;

impl Work<'_> {
    fn flat(&self, course: &mut Course<'_>, image: &mut Image) -> Result<(), Error> {
        let Self { spec, vectors, pool, cancel, .. } = *self;
        course.stage(100);
        if spec.is_outlined() {
            Outline::build(vectors, (pool, cancel), course)?.write(image);
        }
        if spec.is_folded()
            && let Some(folds) = Folds::build(vectors, (pool, cancel), course)?
        {
            folds.write(image);
        }
        Ok(())
    }

    fn disk(
        &self,
        course: &mut Course<'_>,
        image: &mut Image,
        memory_bytes: u64,
        pages: &mut dyn FnMut(Vec<u8>) -> io::Result<()>,
    ) -> Result<(), Error> {
        let Self { spec, vectors, seed, pool, cancel } = *self;
        let plan = disk::Plan::new(spec);
        course.stage(CODED);
        let space = Space::of(spec.metric(), vectors, pool);
        let codes = space.code(vectors, vectors.len(), |row| row, pool, cancel)?;
        course.stage(LINKED);
        let rows = ByteRows::new(&space, &codes);
        let (degree, stretch) = ((plan.degree(), spec.degree().1), course.stretch((0, 1), 1));
        let memory_bytes = memory_bytes.saturating_sub(little_bytes(pool.threads()) as u64);
        let built = disk::link((&rows, vectors), degree, memory_bytes, seed, (pool, cancel, stretch))?;
        course.stage(100);
        let rows = disk::Coded { space: &space, codes };
        let work = (pool, cancel, course.stretch((0, 1), 1));
        disk::write((spec, plan), (rows, vectors), built, seed, work, image, pages)
    }

    fn graph(&self, course: &mut Course<'_>, image: &mut Image) -> Result<(), Error> {
        let Self { spec, vectors, seed, pool, cancel } = *self;
        let (m, ef) = spec.degree();
        let degree = (m, ef, spec.block_width());
        if spec.codec() == Codec::Raw {
            let codes = BitRows { metric: spec.metric(), vectors };
            course.stage(WRITTEN);
            let built = graph::build(&codes, degree, seed, pool, cancel, course.stretch((0, 1), 1))?;
            Graph::write(spec, built, image);
            return Ok(());
        }
        // Whatever is looked at while searching, links are chosen by a byte an element.
        course.stage(CODED);
        let space = Space::of(spec.metric(), vectors, pool).tight();
        let codes = space.code(vectors, vectors.len(), |row| row, pool, cancel)?;
        let rows = ByteRows::new(&space, &codes);
        course.stage(LINKED);
        let built = graph::build(&rows, degree, seed, pool, cancel, course.stretch((0, 1), 1))?;
        course.stage(WRITTEN);
        if spec.block_width() > 0 {
            let nodes = (&built.links[..], &built.entries[..]);
            Blocks::build((spec, &space), Chosen::all(vectors), nodes, seed, (pool, cancel), image)?;
            course.stage(100);
            drop(built.links);
            image.push("entries", built.entries);
            Lists::build((spec.metric(), &rows), vectors, seed, (pool, cancel), image)?;
        } else {
            Graph::write(spec, built, image);
            if let Some(shared) = Shared::new(&rows, vectors, seed, (pool, cancel))? {
                shared.write(image);
            }
        }
        space.write(image);
        let Some(recipe) = spec.recipe() else {
            image.push("codes", codes);
            return Ok(());
        };
        drop(codes);
        Sketch::build_lean(spec, recipe, &space, vectors, seed, (pool, cancel), image)
    }
}
