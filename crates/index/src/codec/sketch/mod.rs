//! Rows as a few bits: scalar codes, product codes, or floats of two bytes. Invariant: the score of a query and a row is
//! `term + bias - weight * product`, where the bias is the row's and exact, the term is that of the list the row is in,
//! and only the product with what the codes stand for is an estimate.
//!
//! A row `x` in the list of centre `c` is coded as `r = x - c`. For L2 (and COSINE, where rows have length one)
//! `|q - x|^2 = |q - c|^2 + (|r|^2 + 2 c·r) - 2 q·r`, for IP `-q·x = -q·c - q·r`. Coding replaces `r` inside products by
//! what its codes stand for, scaled so that its product with `r` itself is right.

mod product;
mod rows;
mod scalar;
mod turn;

use host::{Cancel, Pool, Rng};
use simd::{Half, Op, Planes};

use self::product::Product;
pub(crate) use self::rows::{Aim, SketchRows, factors_of};
use self::scalar::Scalar;
pub(crate) use self::turn::Turn;
use super::byte::inverse;
use super::{Space, Varied, read_kept};
use crate::image::Image;
use crate::vectors::Chosen;
use crate::{Error, Metric, Spec, Vectors};

/// Rows coded by one task.
const CHUNK: usize = 256;

/// Elements that are left out of codes of `bits` bits have `LEFT_OUT / 4^bits` of the variance of rows at most: twice what rounding takes
/// away, as a rule.
const LEFT_OUT: f64 = 8.0;
/// Elements that take no more room than one.
const PLANE: usize = 64;

/// The version of a recipe whose codes stand row by row, and of one whose codes stand in blocks of rows.
pub(crate) const ROW_BY_ROW: u32 = 1;
pub(crate) const PACKED: u32 = 2;

/// How rows are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recipe {
    /// Codes of `bits` bits an element, of rotated rows if `turned`.
    Scalar { bits: usize, turned: bool },
    /// Codes of `bits` bits for each of `parts` parts of a row, `rounds` for each; chosen for products with what is near if
    /// `shaped`.
    Product { parts: usize, bits: usize, rounds: usize, shaped: bool },
    /// Floats of two bytes.
    Half(Half),
}

impl Recipe {
    /// How many codes of at most 4 bits a row has, if that is what it has.
    pub(crate) fn nibbles(self, dim: usize) -> Option<usize> {
        match self {
            Self::Scalar { bits: 1, turned: true } => Some(dim.div_ceil(4)),
            Self::Product { parts, bits: 4, rounds, .. } => Some(parts * rounds),
            _ => None,
        }
    }

    /// Bytes of a coded row of `dim` elements, its factors with it.
    pub(crate) fn stride(self, dim: usize) -> usize {
        let codes = match self {
            Self::Scalar { bits, .. } => Planes::new(bits).map_or(0, |planes| planes.row_bytes(dim)),
            Self::Product { parts, bits, rounds, .. } => product::row_bytes(parts * rounds, bits),
            Self::Half(_) => 2 * dim,
        };
        codes.next_multiple_of(4) + FACTORS
    }

    /// Bytes that [`Sketch::learn`] takes at most of `rows` rows of `dim` elements with so many threads.
    pub(crate) fn learning_bytes(self, rows: usize, dim: usize, threads: usize) -> usize {
        match self {
            Self::Product { parts, bits, rounds, .. } => {
                let books = product::entry_count(rows, bits) * dim * rounds;
                let sample = product::sample_size(rows, bits);
                // What is left over of some parts is beside the whole sample; books are kept and written.
                8 * rows + 4 * sample * (dim + threads.min(parts) * (dim / parts + 2)) + 12 * books
            }
            _ => 0,
        }
    }

    /// What the section `recipe` says.
    fn text(self, version: u32) -> String {
        let form = match self {
            Self::Scalar { bits, turned } => {
                format!("scalar {bits} {}", if turned { "turned" } else { "straight" })
            }
            Self::Product { parts, bits, rounds, .. } => format!("product {parts} {bits} {rounds}"),
            Self::Half(Half::F16) => "float16".into(),
            Self::Half(Half::Bf16) => "bfloat16".into(),
        };
        format!("{version} {form}")
    }
}

#[derive(Debug)]
enum Coder {
    Scalar(Scalar),
    Product(Product),
    Half(Half),
}

/// How rows were coded, and all that is needed to score them.
#[derive(Debug)]
pub(crate) struct Sketch {
    metric: Metric,
    dim: usize,
    space: Space,
    turn: Option<Turn>,
    recipe: Recipe,
    coder: Coder,
    /// The elements that are coded, rising, if not all are.
    kept: Option<Vec<u32>>,
    /// Centres of the lists, moved and turned as rows are; none for a single list around zero.
    centers: Vec<f32>,
}

/// Which rows are coded, and in which list each is.
pub(crate) struct Members<'a> {
    pub(crate) vectors: Vectors<'a>,
    pub(crate) rows: &'a [u32],
    /// One a row; empty if there are no lists.
    pub(crate) lists: &'a [u32],
}

impl Sketch {
    /// Learns how to code `members`, codes them in their order, and writes all of it into the image. `centers` are byte
    /// rows of `space`.
    pub(crate) fn build(
        spec: &Spec,
        recipe: Recipe,
        space: &Space,
        centers: &[i8],
        members: &Members<'_>,
        seed: u64,
        (pool, cancel): (&Pool, &Cancel),
        image: &mut Image,
    ) -> Result<(), Error> {
        let sketch =
            Self::learn(spec, (recipe, ROW_BY_ROW), space, centers, members, seed, (pool, cancel), image)?;
        image.push("codes", sketch.code(members, pool, cancel)?);
        Ok(())
    }

    /// The same of `vectors` in their order, without lists, and of the elements alone in which rows differ.
    pub(crate) fn build_lean(
        spec: &Spec,
        recipe: Recipe,
        space: &Space,
        vectors: Vectors<'_>,
        seed: u64,
        (pool, cancel): (&Pool, &Cancel),
        image: &mut Image,
    ) -> Result<(), Error> {
        let rows: Vec<u32> = (0..vectors.len() as u32).collect();
        let members = Members { vectors, rows: &rows, lists: &[] };
        let mut sketch =
            Self::learn(spec, (recipe, ROW_BY_ROW), space, &[], &members, seed, (pool, cancel), image)?;
        if let Recipe::Scalar { bits, turned: false } = recipe {
            let varied = Varied::of(space, Chosen::all(vectors));
            let count = varied.count(1.0 - LEFT_OUT * 0.25f64.powi(bits as i32));
            let kept = varied.most(count.max(1).next_multiple_of(PLANE));
            sketch.kept = Some(kept.clone());
            image.push("kept", kept);
        }
        image.push("codes", sketch.code(&members, pool, cancel)?);
        Ok(())
    }

    /// Learns how to code `members`, and writes that into the image.
    pub(crate) fn learn(
        spec: &Spec,
        (recipe, version): (Recipe, u32),
        space: &Space,
        centers: &[i8],
        members: &Members<'_>,
        seed: u64,
        (pool, cancel): (&Pool, &Cancel),
        image: &mut Image,
    ) -> Result<Self, Error> {
        let rng = Rng::new(seed).child("sketch");
        let turn_seed = rng.child("turn").next_u64();
        let mut sketch = Self::new(spec, recipe, space.clone(), centers, turn_seed);
        if let Recipe::Product { parts, bits, rounds, shaped } = recipe {
            let mut chosen: Vec<usize> = (0..members.rows.len()).collect();
            rng.child("sample").shuffle(&mut chosen);
            chosen.truncate(product::sample_size(chosen.len(), bits));
            chosen.sort_unstable();
            let mut rest = vec![0f32; chosen.len() * spec.dim()];
            pool.fill(&mut rest, spec.dim(), |i, rest| {
                rest.copy_from_slice(&sketch.rest(members, chosen[i], &mut Room::default()));
            });
            let (coder, books) =
                Product::train((parts, bits, rounds), spec.dim(), &rest, &rng, pool, cancel)?;
            sketch.coder = Coder::Product(coder.shaped(shaped));
            image.push("books", books);
        }
        image.push("recipe", recipe.text(version).into_bytes());
        image.push("turn", vec![turn_seed]);
        Ok(sketch)
    }

    /// Reads back what [`Sketch::learn`] wrote.
    pub(crate) fn read(
        spec: &Spec,
        (recipe, version): (Recipe, u32),
        space: Space,
        centers: &[i8],
        rows: usize,
        image: &Image,
    ) -> Result<Self, Error> {
        if image.section("recipe")?[..] != *recipe.text(version).as_bytes() {
            return Err(Error::Corrupt { what: "recipe" });
        }
        let mut sketch = Self::new(spec, recipe, space, centers, image.array("turn", 1)?[0]);
        if let Recipe::Product { parts, bits, rounds, .. } = recipe {
            let books = image.list("books")?;
            sketch.coder = Coder::Product(Product::read((parts, bits, rounds), spec.dim(), books, rows)?);
        }
        Ok(sketch)
    }

    /// Reads back what [`Sketch::build_lean`] wrote besides.
    pub(crate) fn lean(self, image: &Image) -> Result<Self, Error> {
        let is_lean = matches!(self.coder, Coder::Scalar(_)) && self.turn.is_none();
        if !is_lean {
            return Ok(self);
        }
        let kept = read_kept("kept", self.dim, image)?.into_vec();
        match kept.len() % PLANE == 0 || kept.len() == self.dim {
            true => Ok(Self { kept: Some(kept), ..self }),
            false => Err(Error::Corrupt { what: "kept" }),
        }
    }

    /// Codes of `bits` bits an element of rows as they are, of which nothing is learnt.
    pub(crate) fn plain(spec: &Spec, bits: usize, space: Space) -> Self {
        Self::new(spec, Recipe::Scalar { bits, turned: false }, space, &[], 0)
    }

    fn new(spec: &Spec, recipe: Recipe, space: Space, centers: &[i8], turn_seed: u64) -> Self {
        let (turned, coder) = match recipe {
            Recipe::Scalar { bits, turned } => {
                let planes = Planes::new(bits).expect("a specification has 1 to 9 bits");
                (turned, Coder::Scalar(Scalar { planes }))
            }
            // Until there are codebooks.
            Recipe::Product { .. } => (false, Coder::Half(Half::F16)),
            Recipe::Half(half) => (false, Coder::Half(half)),
        };
        let turn = turned.then(|| Turn::new(turn_seed, spec.dim()));
        let mut centers = space.decode(centers);
        if let Some(turn) = &turn {
            centers.chunks_exact_mut(spec.dim()).for_each(|center| turn.apply(center));
        }
        Self { metric: spec.metric(), dim: spec.dim(), space, turn, recipe, coder, kept: None, centers }
    }

    /// Bytes from one coded row to the next: codes, then the factors.
    pub(crate) fn stride(&self) -> usize {
        self.recipe.stride(self.kept.as_ref().map_or(self.dim, Vec::len))
    }

    /// Leaves the elements of a moved row or query that are coded.
    fn keep(&self, moved: &mut Vec<f32>) {
        if let Some(kept) = &self.kept {
            // Behind what was read before.
            (0..).zip(kept).for_each(|(to, from): (usize, _)| moved[to] = moved[*from as usize]);
            moved.truncate(kept.len());
        }
    }

    fn center(&self, list: u32) -> &[f32] {
        &self.centers[list as usize * self.dim..][..self.dim]
    }

    /// What is coded of the member `i`.
    fn rest(&self, members: &Members<'_>, i: usize, room: &mut Room) -> Vec<f32> {
        let mut moved = Vec::with_capacity(self.dim);
        self.space.moved(members.vectors.floats(members.rows[i] as usize, &mut room.wide), &mut moved);
        if let Some(turn) = &self.turn {
            turn.apply(&mut moved);
        }
        if let Some(list) = members.lists.get(i) {
            moved.iter_mut().zip(self.center(*list)).for_each(|(value, center)| *value -= center);
        }
        moved
    }

    /// Codes `members` in their order.
    pub(crate) fn code(&self, members: &Members<'_>, pool: &Pool, cancel: &Cancel) -> Result<Vec<u8>, Error> {
        let stride = self.stride();
        let mut codes = vec![0u8; members.rows.len() * stride];
        pool.fill(&mut codes, CHUNK * stride, |c, codes| {
            let (mut room, mut stands_for) = (Room::default(), Vec::new());
            for (i, out) in (c * CHUNK..).zip(codes.chunks_exact_mut(stride)) {
                if cancel.is_cancelled() {
                    break;
                }
                let mut rest = self.rest(members, i, &mut room);
                let length = Op::Ip.pair(&rest, &rest);
                self.keep(&mut rest);
                // What is not coded of near rows goes half along with what is.
                let along = (length + Op::Ip.pair(&rest, &rest)) / 2.0;
                let (codes, factors) = out.split_at_mut(stride - FACTORS);
                // A query that is near the row leans the way it does: for products the row itself, for distances what is
                // left of it.
                let leaning = match self.metric {
                    Metric::Ip => members.vectors.floats(members.rows[i] as usize, &mut room.wide),
                    _ => &rest,
                };
                self.encode(&rest, leaning, &mut stands_for, codes);
                // Makes the product of a row and its own codes right, and so those of near queries.
                let scale = match &self.coder {
                    Coder::Product(product) if self.metric == Metric::Ip => {
                        product.scale(&rest, leaning, &stands_for)
                    }
                    _ => None,
                };
                let scale = scale.unwrap_or_else(|| inverse(Op::Ip.pair(&rest, &stands_for)) * along);
                let center = members.lists.get(i).map(|list| self.center(*list));
                let product = scale * center.map_or(0.0, |center| Op::Ip.pair(center, &stands_for));
                let bias = if self.metric == Metric::Ip { 0.0 } else { length + 2.0 * product };
                factors[..4].copy_from_slice(&scale.to_le_bytes());
                factors[4..].copy_from_slice(&bias.to_le_bytes());
            }
        });
        cancel.check()?;
        Ok(codes)
    }

    fn encode(&self, rest: &[f32], leaning: &[f32], stands_for: &mut Vec<f32>, out: &mut [u8]) {
        match &self.coder {
            Coder::Scalar(scalar) => {
                scalar.encode(rest, stands_for, &mut out[..scalar.planes.row_bytes(rest.len())]);
            }
            Coder::Product(product) => {
                product.encode(rest, leaning, stands_for, &mut out[..product.row_bytes()]);
            }
            Coder::Half(half) => {
                let (halves, _) = out.as_chunks_mut::<2>();
                halves.iter_mut().zip(rest).for_each(|(half_bytes, value)| *half_bytes = half.narrow(*value));
                stands_for.resize(rest.len(), 0.0);
                half.widen(&out[..2 * rest.len()], stands_for);
            }
        }
    }
}

/// Bytes of the scale and the bias of a row.
const FACTORS: usize = 8;

#[derive(Default)]
struct Room {
    wide: Vec<f32>,
}
