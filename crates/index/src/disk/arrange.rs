//! Which rows share a block. Invariant: every row has one slot.

use std::collections::VecDeque;

use crate::graph::NONE;

/// The rows in the order of their slots: those that links lead to from the entries first, each together with the
/// nearest of its neighbours that have no slot yet, `per_block` to a block.
pub(super) fn arrange(links: &[u32], width: usize, entries: &[u32], per_block: usize) -> Vec<u32> {
    let rows = links.len() / width.max(1);
    let mut order = Vec::with_capacity(rows);
    let mut is_placed = vec![false; rows];
    let mut waiting: VecDeque<u32> = entries.iter().copied().collect();
    let mut rest = 0..rows as u32;
    let mut block: Vec<u32> = Vec::with_capacity(per_block);
    let near =
        |row: u32| links[row as usize * width..][..width].iter().copied().take_while(|near| *near != NONE);
    while let Some(seed) = waiting.pop_front().or_else(|| rest.next()) {
        if std::mem::replace(&mut is_placed[seed as usize], true) {
            continue;
        }
        // Where a block begins is a matter of counting: a seed that finds no neighbours leaves room for the next.
        if block.len() >= per_block {
            block.clear();
        }
        let mut at = block.len();
        let from = at;
        block.push(seed);
        order.push(seed);
        while block.len() < per_block
            && let Some(row) = block.get(at).copied()
        {
            for near in near(row) {
                if block.len() < per_block && !std::mem::replace(&mut is_placed[near as usize], true) {
                    block.push(near);
                    order.push(near);
                }
            }
            at += 1;
        }
        for row in &block[from..] {
            waiting.extend(near(*row).filter(|near| !is_placed[*near as usize]));
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_one_slot_and_near_rows_share_a_block() {
        // Two rings of 50 rows that nothing leads between.
        let ring = |row: u32| row / 50 * 50 + (row + 1) % 50;
        let links: Vec<u32> = (0..100).flat_map(|row| [ring(row), NONE, NONE]).collect();
        for per_block in [1, 2, 5, 7] {
            let order = arrange(&links, 3, &[3], per_block);
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..100).collect::<Vec<u32>>());
            assert_eq!(order[0], 3);
            let together = order.chunks(per_block).flat_map(|block| block.windows(2));
            let near = together.filter(|pair| ring(pair[0]) == pair[1]).count();
            assert!(near + 100 / per_block + 8 >= 100, "{near} of {per_block}");
        }
    }
}
