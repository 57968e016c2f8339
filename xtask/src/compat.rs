//! COMPAT.md: a table of features by client version, made from the results of the clients and from nothing else.
//!
//! Invariant: the same results give the same bytes (no times, no ports), so a change in the file is a change in behaviour.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde_json::Value;

use crate::step::{Failure, root};

const FILE: &str = "COMPAT.md";
const HEAD: &str = "# Compatibility

Real clients, as published, against Elanus: `cargo xtask conform` runs them and writes this page. A number is the checks that passed;
`5/7` means that two of seven failed, and they are listed below; a dash means that this client has no such call. A difference from
Milvus that is not listed here is a bug. What is not there yet is listed in `conform/gaps.txt` and does not fail the run; everything else does.

";

/// Checks that are known to fail because something is not there yet.
pub(crate) const GAPS: &str = "conform/gaps.txt";

/// One check of a client: `feature: name`, and whether it passed.
pub(crate) struct Check {
    pub(crate) label: String,
    pub(crate) ok: bool,
}

/// Every check in the results of a client, in order.
pub(crate) fn checks(result: &Value) -> Vec<Check> {
    let mut all = Vec::new();
    for feature in list(result, "features") {
        for check in list(feature, "checks") {
            let label = format!("{}: {}", text(feature, "name"), text(check, "name"));
            all.push(Check { label, ok: check.get("ok").and_then(Value::as_bool) == Some(true) });
        }
    }
    all
}

/// The labels in the list of gaps; empty lines and lines that begin with `#` are for the reader.
pub(crate) fn gaps() -> Result<BTreeSet<String>, Failure> {
    let lines = std::fs::read_to_string(root().join(GAPS))?;
    Ok(lines
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect())
}

/// Says which gaps no client ran into any more, so that the list does not outlive them.
pub(crate) fn report_closed_gaps(results: &[Value]) -> Result<(), Failure> {
    let failed: BTreeSet<String> =
        results.iter().flat_map(checks).filter(|check| !check.ok).map(|check| check.label).collect();
    for label in gaps()?.difference(&failed) {
        println!("note: no client fails `{label}` any more; take it out of {GAPS}");
    }
    Ok(())
}

/// What one client found out about one feature.
#[derive(Default)]
struct Found {
    passed: usize,
    failures: Vec<(String, String)>,
}

/// Writes the page.
pub(crate) fn write(results: &[Value]) -> Result<(), Failure> {
    std::fs::write(root().join(FILE), render(results))?;
    println!("wrote {FILE}");
    Ok(())
}

/// Says when the page in the tree is no longer what the clients found.
pub(crate) fn compare(results: &[Value]) -> Result<(), Failure> {
    let old = std::fs::read_to_string(root().join(FILE)).unwrap_or_default();
    if old != render(results) {
        println!("note: {FILE} is not what this run found; `cargo xtask conform` writes it anew");
    }
    Ok(())
}

fn render(results: &[Value]) -> String {
    let mut order: Vec<String> = Vec::new();
    let mut clients = Vec::new();
    for result in results {
        let (name, found) = read(result);
        let mut place = 0; // a feature that only later clients have stands where they have it
        for feature in result
            .get("features")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(|value| text(value, "name"))
        {
            match order.iter().position(|known| *known == feature) {
                Some(at) => place = at + 1,
                None => {
                    order.insert(place.min(order.len()), feature);
                    place += 1;
                }
            }
        }
        clients.push((name, found));
    }
    let mut page = HEAD.to_owned();
    table(&mut page, &order, &clients);
    failures(&mut page, &clients);
    page
}

fn read(result: &Value) -> (String, BTreeMap<String, Found>) {
    let name = format!("{} {}", text(result, "client"), text(result, "version"));
    let mut features: BTreeMap<String, Found> = BTreeMap::new();
    for feature in list(result, "features") {
        let found = features.entry(text(feature, "name")).or_default();
        for check in list(feature, "checks") {
            if check.get("ok").and_then(Value::as_bool) == Some(true) {
                found.passed += 1;
            } else {
                found.failures.push((text(check, "name"), text(check, "why")));
            }
        }
    }
    (name, features)
}

fn table(page: &mut String, order: &[String], clients: &[(String, BTreeMap<String, Found>)]) {
    let names: Vec<_> = clients.iter().map(|(name, _)| name.as_str()).collect();
    let _ = writeln!(page, "| feature | {} |", names.join(" | "));
    let _ = writeln!(page, "| --- |{}", " --- |".repeat(names.len()));
    for feature in order {
        let cells: Vec<_> = clients.iter().map(|(_, found)| cell(found.get(feature))).collect();
        let _ = writeln!(page, "| {feature} | {} |", cells.join(" | "));
    }
}

fn cell(found: Option<&Found>) -> String {
    match found {
        Some(found) if found.failures.is_empty() && found.passed > 0 => found.passed.to_string(),
        Some(found) if !found.failures.is_empty() => {
            format!("{}/{}", found.passed, found.passed + found.failures.len())
        }
        _ => "–".to_owned(),
    }
}

fn failures(page: &mut String, clients: &[(String, BTreeMap<String, Found>)]) {
    let mut lines = Vec::new();
    for (client, features) in clients {
        for (feature, found) in features {
            lines.extend(found.failures.iter().map(|(name, why)| {
                let why: String = why.replace('|', "/").chars().take(200).collect();
                format!("- {client}, {feature}: {name}. {why}")
            }));
        }
    }
    if !lines.is_empty() {
        let _ = write!(page, "\n## Differences\n\n{}\n", lines.join("\n"));
    }
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn text(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_table_of_features_by_client() {
        let old = json!({"client": "pymilvus", "version": "2.0.2", "features": [
            {"name": "Search", "checks": [{"name": "a", "ok": true, "why": ""}, {"name": "b", "ok": false, "why": "9, not 10"}]},
            {"name": "Upsert", "absent": "no upsert", "checks": []},
        ]});
        let new = json!({"client": "Node SDK", "version": "3.0.6", "features": [
            {"name": "Connection", "checks": [{"name": "a", "ok": true, "why": ""}]},
            {"name": "Search", "checks": [{"name": "a", "ok": true, "why": ""}]},
        ]});
        let page = render(&[old, new]);
        assert!(
            page.contains("| feature | pymilvus 2.0.2 | Node SDK 3.0.6 |\n| --- | --- | --- |\n"),
            "{page}"
        );
        assert!(
            page.contains("| Connection | – | 1 |\n| Search | 1/2 | 1 |\n| Upsert | – | – |\n"),
            "{page}"
        );
        assert!(page.ends_with("## Differences\n\n- pymilvus 2.0.2, Search: b. 9, not 10\n"), "{page}");
    }
}
