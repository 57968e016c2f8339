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

/// Versions of the format, oldest first; one that changed a kind has an image of it.
const VERSIONS: [&str; 8] = ["v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8"];

fn fixture(spec: &Spec, version: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/formats/index");
    folder.join(version).join(name_of(spec))
}

#[expect(clippy::unwrap_used, reason = "a fixture that cannot be read fails the test")]
fn sections(folder: &Path) -> Image {
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    Image { sections: files.map(|path| (name(&path), fs::read(&path).unwrap().into())).collect() }
}

#[test]
fn released_images_still_open_and_answer() {
    for spec in specs() {
        let rows = Rows::new(spec.element(), 300, spec.dim(), 13);
        let image = built(&spec, rows.view(), &Pool::inline());
        let mut names: Vec<&str> = image.sections.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        let folders: Vec<PathBuf> = VERSIONS.iter().map(|version| fixture(&spec, version)).collect();
        // The newest that there is has the version and the sections that are written now.
        let version = |image: &Image| {
            let head = image.sections.iter().find(|(name, _)| name == "head").map(|(_, head)| head.clone());
            head.map(|head| head[4..8].to_vec())
        };
        let is_known = |folder: &&PathBuf| {
            let mut known: Vec<String> =
                sections(folder).sections.into_iter().map(|(name, _)| name).collect();
            known.sort_unstable();
            known == names && version(&sections(folder)) == version(&image)
        };
        let newest = folders.iter().rfind(|folder| folder.exists());
        if bless() && newest.as_ref().is_none_or(|folder| !is_known(folder)) {
            let folder = folders.last().unwrap();
            fs::create_dir_all(folder).unwrap();
            for (name, content) in &image.sections {
                fs::write(folder.join(name), content).unwrap();
            }
        } else {
            assert!(
                newest.as_ref().is_some_and(is_known),
                "{}: ELANUS_BLESS=1 adds an image",
                name_of(&spec)
            );
        }
        for folder in folders.iter().filter(|folder| folder.exists()) {
            let index = Index::open(&spec, sections(folder), 300).unwrap();
            let query = spec.query(5, &effort(50)).unwrap();
            let one = rows.view().slice(17..18);
            let hits = index.search(rows.view(), one, &query, None, &Cancel::new()).unwrap();
            let truth = naive(spec.metric(), rows.view(), one, 0, 5, |_, _| true);
            assert!(recall(&hits[0], &truth, spec.metric()) > 0.7, "{} {}", spec.index_type(), spec.metric());
        }
    }
}
