//! Keys in JSON objects: every level against a walk byte by byte, in texts of every shape, and in texts that are no JSON.

use simd::{Level, find_keys_at};

/// By the definition: the first string at depth one that is `key` and has a colon behind it.
fn naive(text: &[u8], key: &[u8]) -> Option<usize> {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        match text[at] {
            b'"' => {
                let end = at + 1 + text[at + 1..].iter().position(|byte| *byte == b'"')?;
                let blanks = text[end + 1..].iter().take_while(|byte| **byte == b' ').count();
                if depth == 1 && &text[at + 1..end] == key && text.get(end + 1 + blanks) == Some(&b':') {
                    return Some(end + 1 + blanks + 1);
                }
                at = end;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth <= 0 {
                    return None;
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

fn noise(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed | 1;
    move |n| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % n
    }
}

fn value(next: &mut impl FnMut(usize) -> usize, depth: usize, text: &mut String) {
    match next(if depth < 4 { 6 } else { 3 }) {
        0 => text.push_str(["1", "-2.5", "true", "null"][next(4)]),
        1 => text.push_str(["\"a\"", "\"{[\"", "\"\"", "\"a b : }\""][next(4)]),
        2 => text.push_str(&format!("\"{}\"", "x".repeat(next(90)))),
        3 => {
            text.push('[');
            for i in 0..next(4) {
                text.push_str(if i > 0 { ", " } else { "" });
                value(next, depth + 1, text);
            }
            text.push(']');
        }
        _ => object(next, depth + 1, text),
    }
}

fn object(next: &mut impl FnMut(usize) -> usize, depth: usize, text: &mut String) {
    text.push('{');
    for i in 0..next(6) {
        text.push_str(if i > 0 { "," } else { "" });
        text.push_str(["\"a\"", "\"b\" ", "\"ab\"", "\"\"", "\"long key of a document\"", "\"é\""][next(6)]);
        text.push_str([":", ": ", "  : "][next(3)]);
        value(next, depth, text);
    }
    text.push_str([" }", "}"][next(2)]);
}

const KEYS: [&[u8]; 7] = [b"a", b"b", b"ab", b"", b"long key of a document", "é".as_bytes(), b"c"];

#[test]
fn objects() {
    let mut next = noise(5);
    for _ in 0..20_000 {
        let mut text = String::new();
        object(&mut next, 0, &mut text);
        // What stands before it is not looked at.
        let before = ["", "{\"a\":", "[\"\\\\\", "][next(3)].repeat(next(30));
        let (both, at) = (before.clone() + &text, before.len());
        for level in Level::available() {
            let mut found = [Some(7); 7];
            assert!(find_keys_at(level, both.as_bytes(), at, &KEYS, &mut found));
            for (key, found) in KEYS.iter().zip(found) {
                let expected = naive(text.as_bytes(), key).map(|place| at + place);
                assert_eq!(found, expected, "{level:?}: {key:?} in {both}");
                let mut alone = [Some(7)];
                assert!(find_keys_at(level, both.as_bytes(), at, &[*key], &mut alone));
                assert_eq!(alone, [expected], "{level:?}: {key:?} alone in {both}");
            }
            for (keys, expected) in KEYS.windows(2).zip(found.windows(2)) {
                let mut two = [Some(7); 2];
                assert!(find_keys_at(level, both.as_bytes(), at, keys, &mut two));
                assert_eq!(two, expected, "{level:?}: {keys:?} in {both}");
            }
        }
    }
}

#[test]
fn any_bytes() {
    let mut next = noise(9);
    for _ in 0..50_000 {
        let text: Vec<u8> = (0..next(150)).map(|_| b"\"\"\"{}[]:,ab  \\"[next(14)]).collect();
        let mut answers = Vec::new();
        for level in Level::available() {
            let mut found = [None; 7];
            let is_sure = find_keys_at(level, &text, 0, &KEYS, &mut found);
            answers.push((is_sure, found));
        }
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{}", String::from_utf8_lossy(&text));
        if !text.contains(&b'\\') {
            assert!(answers[0].0);
        }
    }
}
