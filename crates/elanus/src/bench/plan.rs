//! What is built and how it is searched, out of a text such as `HNSW M=16 ef=16,32`. Invariant: the specification is
//! valid, and there is at least one way to search.

use index::{Element, Query, Spec};

type Params = Vec<(String, String)>;

/// A kind of index with its parameters, and the searches to try.
#[derive(Debug)]
pub(super) struct Plan {
    /// As the user wrote it, without the values that are tried.
    pub(super) name: String,
    pub(super) spec: Spec,
    /// The parameters of each search: those that vary, for people, and all of them.
    points: Vec<(String, Params)>,
    /// Nobody said what to try: searches go on until nearly everything is found.
    pub(super) is_open_ended: bool,
}

/// One way to search.
#[derive(Debug)]
pub(super) struct Point {
    /// The parameters that vary, for people.
    pub(super) label: String,
    pub(super) query: Query,
}

const EF: &[usize] = &[
    10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 400, 512, 640,
    800, 1024,
];
const PROBES: &[usize] = &[1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512];

/// The parameter that trades speed for recall, and the values worth trying.
fn knob(index_type: &str) -> Option<(&'static str, &'static [usize])> {
    match index_type {
        "DISKANN" | "AISAQ" => Some(("search_list", EF)),
        name if name.starts_with("HNSW") => Some(("ef", EF)),
        name if name.contains("IVF") || name == "SCANN" => Some(("nprobe", PROBES)),
        _ => None,
    }
}

impl Plan {
    pub(super) fn parse(text: &str, metric: &str, element: Element, dim: usize) -> Result<Self, String> {
        let mut words = text.split_whitespace();
        let kind = words.next().ok_or("--index wants the name of a kind, as HNSW")?;
        let mut fixed =
            vec![("index_type".to_owned(), kind.to_owned()), ("metric_type".to_owned(), metric.to_owned())];
        let (mut name, mut varied) = (kind.to_owned(), Vec::new());
        for word in words {
            let (key, value) = word.split_once('=').ok_or_else(|| {
                format!("--index {text:?}: {word:?} is no parameter; write them as M=16, with spaces between")
            })?;
            if value.contains(',') {
                varied.push((key.to_owned(), value.split(',').map(str::to_owned).collect::<Vec<_>>()));
            } else {
                fixed.push((key.to_owned(), value.to_owned()));
                name = format!("{name} {word}");
            }
        }
        let spec = Spec::parse(element, dim, &fixed).map_err(|error| format!("--index {text:?}: {error}"))?;
        let built = spec.effective();
        if let Some((key, _)) = varied.iter().find(|(key, _)| built.iter().any(|(known, _)| known == key)) {
            return Err(format!("--index {text:?}: {key} is of the build: give an --index for each value"));
        }
        let index_type = built.iter().find(|(key, _)| key == "index_type").map(|(_, value)| value.clone());
        let knob = knob(&index_type.unwrap_or_default());
        let knob = knob.filter(|(key, _)| {
            !varied.iter().any(|(known, _)| known == key) && !fixed.iter().any(|(known, _)| known == key)
        });
        if let Some((key, values)) = knob {
            varied.push((key.to_owned(), values.iter().map(usize::to_string).collect()));
        }
        let mut points = vec![(String::new(), fixed)];
        for (key, values) in &varied {
            let with = |(label, params): &(String, Params), value: &String| {
                let label = format!("{label} {key}={value}").trim_start().to_owned();
                (label, params.iter().cloned().chain([(key.clone(), value.clone())]).collect())
            };
            points = values.iter().flat_map(|value| points.iter().map(|point| with(point, value))).collect();
        }
        Ok(Self { name, spec, points, is_open_ended: knob.is_some() && varied.len() == 1 })
    }

    /// The searches for `k` rows; those that look at fewer candidates than `k` are left out.
    pub(super) fn queries(&self, k: usize) -> Result<Vec<Point>, String> {
        let (mut found, mut refused) = (Vec::new(), None);
        for (label, params) in &self.points {
            match self.spec.query(k, params) {
                Ok(query) => found.push(Point { label: label.clone(), query }),
                Err(error @ index::Error::EffortBelowK { .. }) => refused = Some(error),
                Err(error) => return Err(format!("{}: {error}", self.name)),
            }
        }
        match refused {
            Some(error) if found.is_empty() => Err(format!("{}: {error}", self.name)),
            _ => Ok(found),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Plan, String> {
        Plan::parse(text, "L2", Element::F32, 8)
    }

    fn labels(text: &str, k: usize) -> Vec<String> {
        parse(text).unwrap().queries(k).unwrap().into_iter().map(|point| point.label).collect()
    }

    #[test]
    fn every_value_is_tried_with_every_other() {
        assert_eq!(labels("HNSW M=4 ef=16,32", 10), ["ef=16", "ef=32"]);
        let two = labels("IVF_SQ8 refine=true nprobe=1,2 refine_k=1,4", 10);
        assert_eq!(
            two,
            ["nprobe=1 refine_k=1", "nprobe=2 refine_k=1", "nprobe=1 refine_k=4", "nprobe=2 refine_k=4"]
        );
        assert_eq!(labels("FLAT", 10), [""]);
        assert!(labels("IVF_FLAT", 10).len() > 10);
        assert!(parse("HNSW").unwrap().is_open_ended && !parse("HNSW ef=1,2").unwrap().is_open_ended);
    }

    #[test]
    fn too_few_candidates_for_k_are_left_out_until_none_is_left() {
        assert_eq!(labels("HNSW ef=16,128", 100), ["ef=128"]);
        assert!(parse("HNSW ef=16,32").unwrap().queries(100).unwrap_err().contains("larger than k"));
    }

    #[test]
    fn mistakes_are_told() {
        for (text, said) in [
            ("", "name of a kind"),
            ("HNSX", "invalid index type"),
            ("HNSW M", "no parameter"),
            ("HNSW M=16,32", "is of the build"),
            ("HNSW M=1", "out of range"),
            ("IVF_PQ m=3", "divided"),
        ] {
            assert!(parse(text).unwrap_err().contains(said), "{text}");
        }
    }
}
