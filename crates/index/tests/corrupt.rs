//! Bytes from outside: an image that is not what it should be is an error or still answers, never a panic.

mod sets;

use std::sync::LazyLock;

use bytes::Bytes;
use host::{Cancel, Pool};
use index::{Error, Image, Index, Spec};
use proptest::prelude::*;
use sets::{Rows, built, specs};

const ROWS: usize = 400;

fn open_and_search(spec: &Spec, image: Image, rows: &Rows) -> Result<(), Error> {
    let index = Index::open(spec, image, ROWS)?;
    let query = spec.query(5, &[]).expect("no parameters are fine");
    let queries = rows.view().slice(0..3);
    index.search(rows.view(), queries, &query, None, &Cancel::new()).map(drop)
}

/// One image of every kind, built once.
fn images() -> &'static [(Spec, Rows, Image)] {
    static IMAGES: LazyLock<Vec<(Spec, Rows, Image)>> = LazyLock::new(all_images);
    &IMAGES
}

fn all_images() -> Vec<(Spec, Rows, Image)> {
    let of = |spec: Spec| {
        let rows = Rows::new(spec.element(), ROWS, spec.dim(), 5);
        let image = built(&spec, rows.view(), &Pool::inline());
        (spec, rows, image)
    };
    specs().into_iter().map(of).collect()
}

#[test]
fn missing_short_long_and_foreign_sections_are_refused() {
    for (spec, rows, image) in images() {
        open_and_search(spec, image.clone(), rows).unwrap();
        for i in 0..image.sections.len() {
            let mut less = image.clone();
            less.sections.remove(i);
            assert!(matches!(open_and_search(spec, less, rows), Err(Error::Corrupt { .. })));
            let content = image.sections[i].1.clone();
            let longer: Bytes = content.iter().copied().chain([0; 64]).collect();
            for other in [Bytes::new(), content.slice(..content.len() / 2), content.slice(1..), longer] {
                let mut wrong = image.clone();
                wrong.sections[i].1 = other;
                let result = open_and_search(spec, wrong, rows);
                // Entries are however many there are.
                let free = image.sections[i].0 == "entries";
                assert!(free || matches!(result, Err(Error::Corrupt { .. })), "{:?}", image.sections[i].0);
            }
        }
        assert!(matches!(Index::open(spec, image.clone(), ROWS + 1), Err(Error::Corrupt { .. })));
    }
    let all = images();
    for (spec, _, _) in all {
        let others = all.iter().filter(|(other, ..)| other.effective() != spec.effective());
        for (_, rows, image) in others {
            assert!(open_and_search(spec, image.clone(), rows).is_err());
        }
    }
}

#[test]
fn sections_that_are_not_aligned_are_read_all_the_same() {
    for (spec, rows, image) in images() {
        let mut image = image.clone();
        for (_, content) in &mut image.sections {
            let moved: Bytes = [0].into_iter().chain(content.iter().copied()).collect();
            *content = moved.slice(1..);
        }
        open_and_search(spec, image, rows).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn flipped_bits_never_panic(seed in any::<u64>(), flips in 1usize..20) {
        let mut rng = host::Rng::new(seed);
        for (spec, rows, image) in images() {
            let mut image = image.clone();
            for _ in 0..flips {
                let section = rng.below(image.sections.len() as u64) as usize;
                let mut content = image.sections[section].1.to_vec();
                if content.is_empty() { continue }
                let byte = rng.below(content.len() as u64) as usize;
                content[byte] ^= 1 << rng.below(8);
                image.sections[section].1 = content.into();
            }
            drop(open_and_search(spec, image, rows));
        }
    }
}
