//! Lists of rows that are scored one by one. Invariant: shows exactly the rows of a list that match.

use std::ops::Range;

use super::search::Lists;
use crate::Vectors;
use crate::codec::{Codes, Reach};
use crate::nearest::Nearest;
use crate::outline::ones;

/// Rows by their codes; `code_of` says which code a place among the members has.
pub(super) struct Coded<C, F> {
    pub(super) codes: C,
    pub(super) code_of: F,
}

/// A query, and buffers.
pub(super) struct Probe<P> {
    probe: P,
    places: Vec<u32>,
    codes: Vec<u32>,
    scores: Vec<f32>,
}

impl<C: Codes, F: Fn(u32) -> u32> Lists for Coded<C, F> {
    type Probe = Probe<C::Probe>;

    fn probe(&self) -> Self::Probe {
        Probe { probe: self.codes.probe(), places: Vec::new(), codes: Vec::new(), scores: Vec::new() }
    }

    fn aim(&self, probe: &mut Self::Probe, queries: Vectors<'_>, query: usize) {
        self.codes.aim(&mut probe.probe, queries, query);
    }

    fn look(
        &self,
        (list, range): (u32, Range<u32>),
        members: &[u32],
        wanted: Option<&[u64]>,
        probe: &mut Self::Probe,
        nearest: &mut Nearest,
    ) {
        let Probe { probe, places, codes, scores } = probe;
        places.clear();
        match wanted {
            None => places.extend(range),
            Some(words) => {
                let firsts = range.step_by(64).zip(words);
                places.extend(firsts.flat_map(|(first, word)| ones(*word).map(move |i| first + i as u32)));
            }
        }
        codes.clear();
        codes.extend(places.iter().map(|place| (self.code_of)(*place)));
        let reach = if wanted.is_none() { Reach::Streamed } else { Reach::Scattered };
        self.codes.scores(probe, codes, reach, scores);
        let term = self.codes.term(probe, list);
        for (place, score) in places.iter().zip(scores) {
            nearest.push(*score + term, members[*place as usize]);
        }
    }
}
