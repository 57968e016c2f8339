//! Where the values are that a predicate asks of a JSON field, when it asks several times: what it asks first is found by
//! itself, since that decides many rows; documents that stay open are read once more, for all other paths. Invariant: a place
//! found is the one that [`json::locate`] finds.

use super::{BLOCK_ROWS, BLOCK_WORDS, Block, Place, is_zero, kernel};
use crate::json;
use crate::predicate::{Leaf, Node};
use data::{Type, VarLen};
use std::cell::RefCell;

/// Paths longer than this are found one by one, which bounds the recursion.
const STEPS_MAX: usize = 16;

/// How many keys of an object are looked for at once.
const KEYS_MAX: usize = 16;

/// Most objects are asked for no more keys than this.
const FEW_KEYS: usize = 4;

/// With more paths than this the first is found with the others.
const PATHS_APART_MAX: usize = 8;

/// No such value.
const NOWHERE: u32 = u32::MAX;

/// The places of one field's values in the block that was looked at last.
pub(super) struct Paths<'p> {
    slot: usize,
    paths: Vec<&'p [String]>,
    root: Branch<'p>,
    /// For each path the tree of all others, where it may be found by itself.
    others: Vec<Option<Branch<'p>>>,
    cache: RefCell<Cache>,
}

struct Cache {
    /// The first row of the block.
    start: usize,
    /// The path that was asked first, if it is found by itself.
    first: Option<usize>,
    /// Rows that have been looked at.
    done: Block,
    /// By path and row: where the value begins in its document.
    places: Vec<u32>,
}

/// A path, and how many leaves ask for it.
type Asked<'p> = (&'p [String], usize);

/// What is asked of one value: itself and its parts.
#[derive(Default)]
struct Branch<'p> {
    /// The path that ends here.
    path: Option<usize>,
    steps: Vec<&'p str>,
    /// The steps as bytes.
    keys: Vec<&'p [u8]>,
    branches: Vec<Branch<'p>>,
}

impl<'p> Paths<'p> {
    /// Those of the fields of which `root` asks so often that it is worth to keep them.
    pub(super) fn of(root: &'p Node) -> Vec<Self> {
        let mut all: Vec<(usize, Vec<Asked<'p>>)> = Vec::new();
        let mut open = vec![root];
        while let Some(node) = open.pop() {
            match node {
                Node::Const(_) | Node::Elements(_) => {}
                Node::All(nodes) | Node::Any(nodes) => open.extend(nodes.iter().rev()),
                Node::Leaf(leaf) if leaf.field.data_type == Type::Json && leaf.path.len() <= STEPS_MAX => {
                    let slot = leaf.field.slot;
                    let place = all.iter().position(|(other, _)| *other == slot).unwrap_or_else(|| {
                        all.push((slot, Vec::new()));
                        all.len() - 1
                    });
                    let paths = &mut all[place].1;
                    match paths.iter_mut().find(|(path, _)| *path == leaf.path.as_slice()) {
                        Some((_, leaves)) => *leaves += 1,
                        None => paths.push((&leaf.path, 1)),
                    }
                }
                Node::Leaf(_) => {}
            }
        }
        // Of two paths each is found by itself, the second where the first decides nothing.
        let is_worth = |paths: &[Asked<'_>]| paths.len() > 2 || paths.iter().any(|(_, leaves)| *leaves > 1);
        let several = all.into_iter().filter(|(_, paths)| is_worth(paths));
        several.map(|(slot, paths)| Self::new(slot, &paths)).collect()
    }

    fn new(slot: usize, asked: &[Asked<'p>]) -> Self {
        let paths: Vec<&'p [String]> = asked.iter().map(|(path, _)| *path).collect();
        let other = |(path, (_, leaves)): (usize, &Asked<'p>)| {
            let is_apart = *leaves == 1 && (2..=PATHS_APART_MAX).contains(&paths.len());
            is_apart.then(|| Branch::tree(&paths, Some(path)))
        };
        let others = asked.iter().enumerate().map(other).collect();
        let places = vec![NOWHERE; paths.len() * BLOCK_ROWS];
        let cache = Cache { start: usize::MAX, first: None, done: [0; BLOCK_WORDS], places };
        Self { slot, root: Branch::tree(&paths, None), others, paths, cache: RefCell::new(cache) }
    }

    /// Forgets what was found in the documents of a field: others come in their place.
    pub(super) fn forget(&self, slot: usize) {
        if self.slot == slot {
            self.cache.borrow_mut().start = usize::MAX;
        }
    }

    /// The places of what `leaf` looks at in the wanted rows, by row of the block, if it is among these paths and not to be found
    /// by itself.
    pub(super) fn places(
        &self,
        leaf: &Leaf,
        documents: &VarLen,
        place: Place,
        want: &Block,
    ) -> Option<Box<[u32]>> {
        let path = self.paths.iter().position(|path| **path == *leaf.path)?;
        if self.slot != leaf.field.slot {
            return None;
        }
        let mut cache = self.cache.borrow_mut();
        if cache.start != place.start {
            (cache.start, cache.done) = (place.start, [0; BLOCK_WORDS]);
            cache.places.fill(NOWHERE);
            cache.first = self.others[path].is_some().then_some(path);
        }
        if cache.first == Some(path) {
            return None;
        }
        let root = cache.first.and_then(|first| self.others[first].as_ref()).unwrap_or(&self.root);
        let mut open = *want;
        open.iter_mut().zip(cache.done).for_each(|(open, done)| *open &= !done);
        if !is_zero(&open) {
            cache.done.iter_mut().zip(open).for_each(|(done, open)| *done |= open);
            let places = &mut cache.places;
            kernel::each(&open, &mut [0; BLOCK_WORDS], |row| {
                let document = documents.get(place.start + row);
                root.look(document, 0, &mut |path, at| places[path * BLOCK_ROWS + row] = at);
                false
            });
        }
        cache.places.get(path * BLOCK_ROWS..(path + 1) * BLOCK_ROWS).map(Box::from)
    }
}

impl<'p> Branch<'p> {
    /// The tree of all `paths` but one.
    fn tree(paths: &[&'p [String]], without: Option<usize>) -> Self {
        let mut root = Self::default();
        for (i, path) in paths.iter().enumerate().filter(|(i, _)| Some(*i) != without) {
            let mut branch = &mut root;
            for step in *path {
                let next = branch.steps.iter().position(|other| other == step).unwrap_or_else(|| {
                    branch.steps.push(step);
                    branch.keys.push(step.as_bytes());
                    branch.branches.push(Self::default());
                    branch.steps.len() - 1
                });
                branch = &mut branch.branches[next];
            }
            branch.path = Some(i);
        }
        root
    }

    /// Looks at the value at `at`; gives `put` the places of the paths it meets.
    fn look(&self, document: &[u8], at: usize, put: &mut impl FnMut(usize, u32)) {
        let Some(value) = json::start(document, at) else {
            return;
        };
        let at = document.len() - value.len();
        if let (Some(path), Ok(at)) = (self.path, u32::try_from(at)) {
            put(path, at);
        }
        if self.steps.is_empty() {
            return;
        }
        if self.steps.len() <= FEW_KEYS {
            return self.look_into(document, at, &mut [None; FEW_KEYS], put);
        }
        self.look_into(document, at, &mut [None; KEYS_MAX], put);
    }

    /// Looks at the parts of the value at `at`; as many keys at once as `found` has room for.
    fn look_into(
        &self,
        document: &[u8],
        at: usize,
        found: &mut [Option<usize>],
        put: &mut impl FnMut(usize, u32),
    ) {
        let is_object = document.get(at) == Some(&b'{');
        let most = found.len();
        let groups = self.steps.chunks(most).zip(self.keys.chunks(most)).zip(self.branches.chunks(most));
        for ((steps, keys), branches) in groups {
            let found = &mut found[..steps.len()];
            let is_sure = is_object && simd::find_keys(document, at, keys, found);
            for ((step, branch), found) in steps.iter().zip(branches).zip(found.iter()) {
                let part = if is_sure { *found } else { json::enter(document, at, step) };
                if let Some(part) = part {
                    branch.look(document, part, put);
                }
            }
        }
    }
}

/// The text from a place on that [`Paths::places`] gave.
pub(super) fn text_at<'d>(document: &'d [u8], places: &[u32], row: usize) -> Option<&'d [u8]> {
    let place = places.get(row).filter(|place| **place != NOWHERE)?;
    document.get(*place as usize..)
}
