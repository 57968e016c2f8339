//! Exact seeded results kept as text, and images of each released version. With `ELANUS_BLESS` set both are written
//! anew; a reviewer sees what changed.

mod sets;

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use host::{Cancel, Pool};
use index::{Image, Index, Spec};
use sets::{Rows, built, effort, fingerprint, naive, name_of, pairs, recall, specs};

fn bless() -> bool {
    std::env::var_os("ELANUS_BLESS").is_some()
}

#[test]
fn images_and_recall_are_what_they_were() {
    let mut text = String::new();
    for spec in specs() {
        let rows = Rows::new(spec.element(), 4000, spec.dim(), 11);
        let queries = Rows::new(spec.element(), 50, spec.dim(), 12);
        let (rows, queries) = (rows.view(), queries.view());
        let image = built(&spec, rows, &Pool::inline());
        let hash = fingerprint(&image);
        let index = Index::open(&spec, image, rows.len()).unwrap();
        write!(text, "{} image {hash:016x} recall", name_of(&spec).replace('-', " ")).unwrap();
        for effort in ["10", "16", "64"] {
            let names = ["ef", "nprobe", "search_list"];
            let query = spec.query(10, &pairs(&names.map(|name| (name, effort)))).unwrap();
            let hits = index.search(rows, queries, &query, None, &Cancel::new()).unwrap();
            let found = hits.iter().enumerate().map(|(q, hits)| {
                recall(hits, &naive(spec.metric(), rows, queries, q, 10, |_, _| true), spec.metric())
            });
            write!(text, " {effort}:{:.4}", found.sum::<f64>() / 50.0).unwrap();
        }
        text.push('\n');
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/baseline.txt");
    if bless() {
        fs::write(&path, &text).unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), text, "ELANUS_BLESS=1 accepts a change");
}

fn fixture(spec: &Spec) -> PathBuf {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/formats/index");
    let old = all.join("v1").join(name_of(spec));
    if old.exists() { old } else { all.join("v2").join(name_of(spec)) }
}

#[test]
fn released_images_still_open_and_answer() {
    for spec in specs() {
        let (rows, folder) = (Rows::new(spec.element(), 300, spec.dim(), 13), fixture(&spec));
        if bless() && !folder.exists() {
            fs::create_dir_all(&folder).unwrap();
            for (name, content) in built(&spec, rows.view(), &Pool::inline()).sections {
                fs::write(folder.join(name), content).unwrap();
            }
        }
        let files = fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path());
        let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
        let sections = files.map(|path| (name(&path), fs::read(&path).unwrap().into())).collect();
        let index = Index::open(&spec, Image { sections }, 300).unwrap();
        let query = spec.query(5, &effort(50)).unwrap();
        let one = rows.view().slice(17..18);
        let hits = index.search(rows.view(), one, &query, None, &Cancel::new()).unwrap();
        let truth = naive(spec.metric(), rows.view(), one, 0, 5, |_, _| true);
        assert!(recall(&hits[0], &truth, spec.metric()) > 0.7, "{} {}", spec.index_type(), spec.metric());
    }
}
