//! Words of texts, for `text_match` and `phrase_match`: runs of letters and digits (Unicode), in lower case, counted from
//! zero. This is the analyzer called `standard`; [`each_word`] is the one place that knows it.

use std::fmt;

/// Gives the words of `text` in order until `take` says stop (false). `buffer` holds the word in lower case.
fn each_word(text: &str, buffer: &mut String, mut take: impl FnMut(&str, u32) -> bool) {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    for (place, word) in (0..).zip(words) {
        buffer.clear();
        if word.is_ascii() {
            buffer.push_str(word);
            buffer.make_ascii_lowercase();
        } else {
            buffer.extend(word.chars().flat_map(char::to_lowercase));
        }
        if !take(buffer, place) {
            return;
        }
    }
}

/// Memory that matching needs and that is used again for the next text.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    word: String,
    found: Vec<bool>,
    /// By distinct word of a phrase: where it stands, rising.
    places: Vec<Vec<u32>>,
}

/// Some words, of which so many must be there.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Words {
    text: String,
    /// Distinct, rising.
    words: Vec<String>,
    least: usize,
    /// How many letters a word may differ in (Levenshtein).
    edits: usize,
}

impl Words {
    pub(crate) fn new(text: &str, least: usize, edits: usize) -> Self {
        let mut words = Vec::new();
        each_word(text, &mut String::new(), |word, _| {
            words.push(word.to_owned());
            true
        });
        words.sort_unstable();
        words.dedup();
        Self { text: text.to_owned(), words, least, edits }
    }

    pub(crate) fn matches(&self, text: &str, scratch: &mut Scratch) -> bool {
        if self.words.len() < self.least {
            return false;
        }
        let Scratch { word, found, .. } = scratch;
        found.clear();
        found.resize(self.words.len(), false);
        let mut count = 0;
        each_word(text, word, |word, _| {
            if self.edits == 0 {
                if let Ok(place) = self.words.binary_search_by(|probe| probe.as_str().cmp(word)) {
                    count += usize::from(!std::mem::replace(&mut found[place], true));
                }
            } else {
                for (wanted, found) in self.words.iter().zip(found.iter_mut()) {
                    if !*found && is_near(wanted, word, self.edits) {
                        *found = true;
                        count += 1;
                    }
                }
            }
            count < self.least
        });
        count >= self.least
    }

    /// The call that this is, of a field written `value`.
    pub(crate) fn write(&self, f: &mut fmt::Formatter<'_>, value: &str) -> fmt::Result {
        let text = crate::literal::quote(&self.text);
        match (self.edits, self.least) {
            (0, 1) => write!(f, "text_match({value}, {text})"),
            (0, least) => write!(f, "text_match({value}, {text}, minimum_should_match={least})"),
            (edits, _) => write!(f, "text_match_fuzzy({value}, {text}, max_edit_distance={edits})"),
        }
    }
}

/// Whether `a` becomes `b` by at most `edits` letters inserted, removed or replaced.
fn is_near(a: &str, b: &str, edits: usize) -> bool {
    if a.len().abs_diff(b.len()) > edits * 4 {
        return false;
    }
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, a) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        let mut least = row[0];
        for (j, b) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
            least = least.min(row[j + 1]);
        }
        if least > edits {
            return false;
        }
    }
    row[b.len()] <= edits
}

/// Words in their order, near each other.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Phrase {
    text: String,
    /// Distinct words, rising, each with its places in the phrase, rising.
    words: Vec<(String, Vec<u32>)>,
    /// How far the words may stray: the widest difference between the shifts of two words from where the phrase has
    /// them. Two neighbours that changed places are 2 apart.
    slop: u32,
}

impl Phrase {
    pub(crate) fn new(text: &str, slop: u32) -> Self {
        let mut words: Vec<(String, Vec<u32>)> = Vec::new();
        each_word(text, &mut String::new(), |word, place| {
            match words.binary_search_by(|(probe, _)| probe.as_str().cmp(word)) {
                Ok(found) => words[found].1.push(place),
                Err(free) => words.insert(free, (word.to_owned(), vec![place])),
            }
            true
        });
        Self { text: text.to_owned(), words, slop }
    }

    pub(crate) fn matches(&self, text: &str, scratch: &mut Scratch) -> bool {
        let Scratch { word, places, .. } = scratch;
        places.iter_mut().for_each(Vec::clear);
        places.resize(places.len().max(self.words.len()), Vec::new());
        each_word(text, word, |word, place| {
            if let Ok(found) = self.words.binary_search_by(|(probe, _)| probe.as_str().cmp(word)) {
                places[found].push(place);
            }
            true
        });
        let enough =
            self.words.iter().zip(places.iter()).all(|((_, asked), found)| found.len() >= asked.len());
        if self.words.is_empty() || !enough {
            return false;
        }
        // Some word is shifted least; every word must be shifted as much, or by up to `slop` more.
        let mut shifts = self.words.iter().zip(places.iter()).flat_map(|((_, asked), found)| {
            asked.iter().flat_map(|at| found.iter().map(|place| i64::from(*place) - i64::from(*at)))
        });
        shifts.any(|shift| self.fits(places, shift))
    }

    /// Whether every word has a place of its own that is shifted by `shift` to `shift + slop`. Places and windows both
    /// rise, so taking the first free place leaves most to the rest.
    fn fits(&self, places: &[Vec<u32>], shift: i64) -> bool {
        self.words.iter().zip(places).all(|((_, asked), found)| {
            let mut free = 0;
            asked.iter().all(|at| {
                let low = i64::from(*at) + shift;
                free = free.max(found.partition_point(|place| i64::from(*place) < low)) + 1;
                found.get(free - 1).is_some_and(|place| i64::from(*place) <= low + i64::from(self.slop))
            })
        })
    }

    /// The call that this is, of a field written `value`.
    pub(crate) fn write(&self, f: &mut fmt::Formatter<'_>, value: &str) -> fmt::Result {
        let text = crate::literal::quote(&self.text);
        match self.slop {
            0 => write!(f, "phrase_match({value}, {text})"),
            slop => write!(f, "phrase_match({value}, {text}, {slop})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn has(words: &Words, text: &str) -> bool {
        words.matches(text, &mut Scratch::default())
    }

    fn phrase(text: &str, slop: u32, value: &str) -> bool {
        Phrase::new(text, slop).matches(value, &mut Scratch::default())
    }

    #[test]
    fn words_of_any_alphabet() {
        let mut words = Vec::new();
        each_word("L'Été, 2 foo_BAR! 向量 數據", &mut String::new(), |word, place| {
            words.push((word.to_owned(), place));
            true
        });
        let expected = ["l", "été", "2", "foo", "bar", "向量", "數據"];
        assert_eq!(
            words,
            expected.iter().enumerate().map(|(i, w)| ((*w).to_owned(), i as u32)).collect::<Vec<_>>()
        );
    }

    #[test]
    fn any_or_several() {
        let two = Words::new("Red Blue red GREEN", 2, 0);
        assert!(has(&two, "a red and a green one") && !has(&two, "red red") && !has(&two, ""));
        assert!(!has(&Words::new("red", 2, 0), "red red"));
        assert!(!has(&Words::new("!?", 1, 0), "!?"));
        let near = Words::new("vector", 1, 1);
        assert!(
            has(&near, "victor") && has(&near, "Vectors") && has(&near, "vctor") && !has(&near, "victors")
        );
        assert!(has(&Words::new("vector", 1, 2), "victors") && has(&Words::new("été", 1, 2), "ete"));
    }

    #[test]
    fn phrases() {
        for (text, slop, value, holds) in [
            ("a b", 0, "x a b", true),
            ("a b", 0, "a x b", false),
            ("a b", 1, "a x b", true),
            ("a b", 1, "b a", false),
            ("a b", 2, "b a", true),
            ("a a", 0, "a", false),
            ("a a", 5, "a b", false),
            ("a a", 5, "a b a", true),
            ("a b a", 0, "b a b a", true),
            ("a b c", 1, "a x b c", true),
            ("a b c", 1, "a x b y c", false),
            ("a b c", 2, "a x b y c", true),
            ("", 0, "a", false),
        ] {
            assert_eq!(phrase(text, slop, value), holds, "{text} within {slop} in {value}");
        }
    }

    /// By the definition: every choice of places, all distinct.
    fn naive(asked: &[&str], found: &[&str], slop: i64, chosen: &mut Vec<usize>) -> bool {
        let Some(word) = asked.get(chosen.len()) else {
            let shifts = chosen.iter().enumerate().map(|(i, place)| *place as i64 - i as i64);
            let (low, high) = (shifts.clone().min().unwrap(), shifts.max().unwrap());
            return high - low <= slop;
        };
        (0..found.len()).any(|place| {
            if found[place] != *word || chosen.contains(&place) {
                return false;
            }
            chosen.push(place);
            let holds = naive(asked, found, slop, chosen);
            chosen.pop();
            holds
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 3000, ..Default::default() })]
        #[test]
        fn phrases_agree_with_the_definition(asked in "[abc]( [abc]){0,3}", found in "[abcd]( [abcd]){0,6}", slop in 0..4_u32) {
            let (a, f): (Vec<&str>, Vec<&str>) = (asked.split(' ').collect(), found.split(' ').collect());
            prop_assert_eq!(phrase(&asked, slop, &found), naive(&a, &f, slop.into(), &mut Vec::new()));
        }
    }
}
