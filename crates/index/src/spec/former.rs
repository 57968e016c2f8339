//! Names of index types that other versions and other libraries have. Invariant: one is taken only if a kind of the table is
//! the same recipe, or does the same for its user; parameters are renamed, never reinterpreted.

use super::params;
use crate::Error;

type Pairs = Vec<(String, String)>;

/// A name and what is built instead.
#[derive(Debug)]
struct Former {
    name: &'static str,
    now: &'static str,
    /// Parameters of a build or a search and their names now.
    renamed: &'static [(&'static str, &'static str)],
}

const GRAPH: &[(&str, &str)] = &[];
const NSG: &[(&str, &str)] =
    &[("out_degree", "M"), ("candidate_pool_size", "efConstruction"), ("search_length", "ef")];
const SVS_GRAPH: &[(&str, &str)] = &[
    ("svs_graph_max_degree", DEGREE),
    ("svs_construction_window_size", "efConstruction"),
    ("svs_search_window_size", "ef"),
];
/// The most links of a node, which is twice `M`.
const DEGREE: &str = "M of a degree";
const SVS_LISTS: &[(&str, &str)] = &[("svs_ivf_nlist", "nlist"), ("svs_ivf_nprobe", "nprobe")];

/// Kinds of Milvus 1 and 2.0 to 2.2 that are gone, and those of SVS whose recipe is one of ours.
const FORMER: &[Former] = &[
    Former { name: "ANNOY", now: "HNSW", renamed: &[("search_k", "ef")] },
    Former { name: "RHNSW_FLAT", now: "HNSW", renamed: GRAPH },
    Former { name: "RHNSW_SQ", now: "HNSW_SQ", renamed: GRAPH },
    Former { name: "RHNSW_PQ", now: "HNSW_PQ", renamed: &[("PQM", "m")] },
    Former { name: "NSG", now: "HNSW", renamed: NSG },
    Former { name: "RNSG", now: "HNSW", renamed: NSG },
    Former { name: "NGT_PANNG", now: "HNSW", renamed: GRAPH },
    Former { name: "NGT_ONNG", now: "HNSW", renamed: GRAPH },
    Former { name: "IVF_HNSW", now: "IVF_FLAT", renamed: GRAPH },
    Former { name: "IVF_SQ8H", now: "IVF_SQ8", renamed: GRAPH },
    Former { name: "SVS_FLAT", now: "FLAT", renamed: GRAPH },
    Former { name: "SVS_VAMANA", now: "HNSW", renamed: SVS_GRAPH },
    Former { name: "SVS_VAMANA_LVQ", now: "HNSW_SQ", renamed: SVS_GRAPH },
    Former { name: "SVS_IVF", now: "IVF_FLAT", renamed: SVS_LISTS },
];

/// The kind that takes a factory string of its own.
const FAISS: &str = "FAISS";
const FAISS_RENAMED: &[(&str, &str)] =
    &[("efSearch", "ef"), ("k_factor", "refine_k"), ("efConstruction", "efConstruction")];

/// What stands for a name, and how searches are translated.
#[derive(Debug, Clone)]
pub(super) struct Instead {
    pub(super) name: &'static str,
    renamed: &'static [(&'static str, &'static str)],
}

impl Instead {
    /// The parameters of a search, renamed; where candidates were fewer than results before, now there are as many.
    pub(super) fn search(&self, k: usize, params: &[(String, String)]) -> Pairs {
        let mut renamed = rename(self.renamed, params);
        for (name, value) in &mut renamed {
            let number = value.trim_matches(['"', ' ']).parse::<i64>();
            if name == "ef" && number.is_ok_and(|number| number < k as i64) {
                *value = k.to_string();
            }
        }
        renamed
    }
}

/// The parameters with which a kind of the table is built where `name` is none of them.
pub(super) fn instead(name: &str, given: &[(String, String)]) -> Result<(Instead, Pairs), Error> {
    if name == FAISS {
        let recipe =
            params::text(given, "faiss_index_name").ok_or(Error::Missing { name: "faiss_index_name" })?;
        let own = faiss(recipe).ok_or_else(|| Error::UnknownRecipe { name: recipe.into() })?;
        let mut pairs = rename(FAISS_RENAMED, given);
        pairs.extend(own);
        return Ok((Instead { name: FAISS, renamed: FAISS_RENAMED }, pairs));
    }
    let former = FORMER.iter().find(|former| former.name == name);
    let former = former.ok_or_else(|| Error::UnknownIndexType { name: name.into() })?;
    let mut pairs = rename(former.renamed, given);
    pairs.push(pair("index_type", former.now));
    let storage = params::text(given, "svs_storage_kind").unwrap_or_default();
    match (former.name, storage) {
        // As many bits as both levels have together, or the next more.
        ("SVS_VAMANA_LVQ", "lvq4x0") => pairs.push(pair("sq_type", "SQ4U")),
        ("SVS_VAMANA_LVQ", _) => pairs.push(pair("sq_type", "SQ8")),
        ("SVS_IVF", _) if params::text(given, "svs_ivf_nlist").is_none() => pairs.push(pair("nlist", "1000")),
        _ => {}
    }
    Ok((Instead { name: former.name, renamed: former.renamed }, pairs))
}

fn pair(name: &str, value: impl ToString) -> (String, String) {
    (name.to_owned(), value.to_string())
}

fn rename(renamed: &[(&str, &str)], params: &[(String, String)]) -> Pairs {
    let one = |(name, value): &(String, String)| match renamed.iter().find(|(from, _)| from == name) {
        Some((_, to)) if *to == DEGREE => {
            let degree = value.trim_matches(['"', ' ']).parse::<i64>();
            pair("M", degree.map_or_else(|_| value.clone(), |degree| (degree / 2).to_string()))
        }
        Some((_, to)) => pair(to, value),
        None => (name.clone(), value.clone()),
    };
    params.iter().map(one).collect()
}

/// What a factory string of Faiss asks for, if that is a kind of ours: a list or a graph and a code, and perhaps how the
/// best are measured again, which is always on the rows here.
fn faiss(recipe: &str) -> Option<Pairs> {
    let mut parts: Vec<&str> = recipe.split(',').map(str::trim).collect();
    if parts.len() > 1 && parts.last().is_some_and(|last| *last == "RFlat" || last.starts_with("Refine(")) {
        parts.pop();
    }
    let number = |text: &str, before: &str| text.strip_prefix(before)?.parse::<u32>().ok();
    match parts[..] {
        ["Flat"] => Some(vec![pair("index_type", "FLAT")]),
        ["BFlat"] => Some(vec![pair("index_type", "BIN_FLAT")]),
        [shape] if shape.starts_with("BIVF") => {
            Some(vec![pair("index_type", "BIN_IVF_FLAT"), pair("nlist", number(shape, "BIVF")?)])
        }
        [shape] if shape.starts_with("BHNSW") => {
            Some(vec![pair("index_type", "HNSW"), pair("M", number(shape, "BHNSW")?)])
        }
        [shape] => faiss(&format!("{shape},Flat")).filter(|_| shape.starts_with("HNSW")),
        [shape, code] => {
            let (is_graph, size) = match number(shape, "HNSW") {
                Some(size) => (true, pair("M", size)),
                None => (false, pair("nlist", number(shape, "IVF")?)),
            };
            let mut pairs = vec![size];
            let (lists, graph) = match code {
                "Flat" => ("IVF_FLAT", "HNSW"),
                "SQ4" | "SQ6" | "SQ8" => {
                    pairs.push(pair("sq_type", if is_graph && code == "SQ4" { "SQ4U" } else { code }));
                    ("IVF_SQ8", "HNSW_SQ")
                }
                "RaBitQ" if !is_graph => ("IVF_RABITQ", ""),
                "RaBitQfs" if !is_graph => ("IVF_RABITQ_FASTSCAN", ""),
                _ => {
                    let code = code.strip_prefix("PQ")?;
                    let code = code.strip_suffix("fs").unwrap_or(code);
                    let (m, bits) = code.split_once('x').unwrap_or((code, "8"));
                    pairs.push(pair("m", m.parse::<u32>().ok()?));
                    pairs.push(pair("nbits", bits.parse::<u32>().ok()?));
                    ("IVF_PQ", "HNSW_PQ")
                }
            };
            pairs.push(pair("index_type", if is_graph { graph } else { lists }));
            Some(pairs)
        }
        _ => None,
    }
}
