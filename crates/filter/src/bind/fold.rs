//! Chains of `and` and `or`: constants go, chains in chains open up, equalities on one field become one list, and cheap
//! members come first.

use crate::predicate::{Leaf, Node, Test};
use crate::set::{IntSet, TextSet};

/// The chain of `nodes`, all of them to be true or any.
pub(super) fn gather(nodes: Vec<Node>, all: bool) -> Node {
    let mut members = Vec::with_capacity(nodes.len());
    for node in nodes {
        match node {
            Node::Const(value) if value == all => {}
            Node::Const(value) => return Node::Const(value),
            Node::All(more) if all => members.extend(more),
            Node::Any(more) if !all => members.extend(more),
            node => members.push(node),
        }
    }
    let mut members = merge(members, all);
    members.sort_by_key(Node::cost);
    match members.len() {
        0 => Node::Const(all),
        1 => members.pop().unwrap_or(Node::Const(all)),
        _ if all => Node::All(members),
        _ => Node::Any(members),
    }
}

/// Values of one field that a chain asks for one by one.
struct Asked {
    first: Leaf,
    ints: Vec<i64>,
    texts: Vec<String>,
    count: usize,
}

/// Turns `a == 1 or a == 2` into `a in [1, 2]`, and `a != 1 and a != 2` into `a not in [1, 2]`.
fn merge(members: Vec<Node>, all: bool) -> Vec<Node> {
    let mut asked: Vec<Asked> = Vec::new();
    let mut rest = Vec::with_capacity(members.len());
    for member in members {
        match member {
            Node::Leaf(leaf) if leaf.negated == all && leaf.steps.is_empty() && is_listed(&leaf.test) => {
                let found = asked.iter_mut().find(|asked| asked.first.asks_the_same_value(&leaf));
                match found {
                    Some(asked) => asked.add(&leaf.test),
                    None => {
                        let mut new = Asked { first: leaf.clone(), ints: vec![], texts: vec![], count: 0 };
                        new.add(&leaf.test);
                        asked.push(new);
                    }
                }
            }
            other => rest.push(other),
        }
    }
    rest.extend(asked.into_iter().map(Asked::into_node));
    rest
}

fn is_listed(test: &Test) -> bool {
    match test {
        Test::Ints(low, high) => low == high,
        Test::Texts(interval) => interval.single().is_some(),
        Test::InInts(_) | Test::InTexts(_) => true,
        _ => false,
    }
}

impl Asked {
    fn add(&mut self, test: &Test) {
        self.count += 1;
        match test {
            Test::Ints(value, _) => self.ints.push(*value),
            Test::InInts(set) => self.ints.extend_from_slice(set.values()),
            Test::Texts(interval) => self.texts.extend(interval.single().cloned()),
            Test::InTexts(set) => self.texts.extend_from_slice(set.values()),
            _ => {}
        }
    }

    fn into_node(self) -> Node {
        if self.count == 1 {
            return Node::Leaf(self.first);
        }
        let test = if self.texts.is_empty() { ints(self.ints) } else { texts(self.texts) };
        Node::Leaf(Leaf { test, ..self.first })
    }
}

/// The test for one of `values`, of which there is at least one.
pub(super) fn ints(values: Vec<i64>) -> Test {
    let set = IntSet::new(values);
    match set.values() {
        [only] => Test::Ints(*only, *only),
        _ => Test::InInts(Box::new(set)),
    }
}

/// The test for one of `values`, of which there is at least one.
pub(super) fn texts(values: Vec<String>) -> Test {
    let set = TextSet::new(values);
    match set.values() {
        [only] => Test::Texts(crate::number::Interval::of(crate::ast::Binary::Equal, only.clone())),
        _ => Test::InTexts(set),
    }
}
